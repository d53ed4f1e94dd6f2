"""Whole seasons: two years in simulated time, and whatever members, curators, restarts and clocks do in between."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.caller import MemberId
from bot.curation import turns
from bot.curation.ballots import Ballot, Method, count
from bot.curation.calendar import Rhythm
from bot.curation.club import ClubSettings, Outcome, Pick, State, Step
from bot.curation.curators import change_settings, end_step, extend, pause, resume, skip_round, veto
from bot.curation.ids import RoundNumber
from bot.curation.participation import forget, withdraw
from bot.curation.refusals import Refused
from bot.curation.rounds import advance
from tests.curation.audit import ALLOWED, audit, transitions
from tests.curation.stage import BEGIN, BERLIN, DAY, HOUR, MINUTE, Stage, album

MEMBERS = [MemberId(number) for number in range(1, 8)]
TWO_YEARS = timedelta(days=731)


def live(stage: Stage, rng: random.Random, until: datetime) -> None:
    """Let members do what members do, now and then, while the bot runs."""
    while stage.now < until:
        stage.up_to(min(until, stage.now + rng.uniform(1, 30) * HOUR))
        for _ in range(rng.randrange(4)):
            member, coming = rng.choice(MEMBERS), stage.club.coming
            stage.nominate(member, f"album{rng.randrange(5000)}")
            if coming.state is State.VOTING:
                chosen = rng.sample(coming.lot, rng.randint(1, min(3, len(coming.lot))))
                stage.vote(member, " ".join(chosen))
            stage.rate(member, rng.randint(2, 10))
            if rng.random() < 0.3:
                stage.pick(member, f"album{rng.randrange(5000)}")


@pytest.mark.parametrize("pick", Pick)
def test_two_years_of_weekly_rounds_keep_their_hour_and_lose_nothing(pick: Pick) -> None:
    stage = Stage(ClubSettings(pick=pick), order=tuple(MEMBERS))
    stage.crate = {album(f"crate{number}"): 0 for number in range(20)}

    live(stage, random.Random(4), BEGIN + TWO_YEARS)

    audit(stage)
    announced = [effect.due_at for effect in stage.effects if effect.step is Step.ANNOUNCEMENT]
    assert len(announced) == 104
    local = [instant.astimezone(ZoneInfo(BERLIN)) for instant in announced]
    assert {(f"{one:%a %H:%M}") for one in local} == {"Tue 20:00"}
    assert {after.date() - before.date() for before, after in pairwise(local)} == {7 * DAY}
    assert not [effect for effect in stage.effects if effect.late or effect.step is Step.MISSED]


@pytest.mark.parametrize("seed", range(3))
def test_two_years_with_downtimes_lose_no_round_and_double_none(seed: int) -> None:
    rng = random.Random(seed)
    stage = Stage(seed=seed)
    stage.crate = {album("crate"): 0}

    while stage.now < BEGIN + TWO_YEARS:
        live(stage, rng, stage.now + rng.uniform(0, 20) * DAY)
        stage.down_until(stage.now + rng.choice([10 * MINUTE, 5 * HOUR, 2 * DAY, 8 * DAY, 20 * DAY]) * rng.random())
        audit(stage)

    steps = Counter(effect.step for effect in stage.effects)
    assert steps[Step.REPEATED_VOTE]
    assert steps[Step.MISSED]
    assert steps[Step.ANNOUNCEMENT] > 60


ALBUMS = st.integers(0, 12).map(lambda number: f"album{number}")
WHO = st.sampled_from(MEMBERS)


class Interleavings(RuleBasedStateMachine):
    """Members, curators, restarts and clocks in any order, beside a plain record of what was accepted."""

    @initialize(
        pick=st.sampled_from(Pick),
        method=st.sampled_from(Method),
        rhythm=st.sampled_from(Rhythm),
        seed=st.integers(0, 99),
    )
    def start(self, pick: Pick, method: Method, rhythm: Rhythm, seed: int) -> None:
        chosen = ClubSettings(pick=pick, method=method, nominations_per_member=2)
        self.stage = Stage(chosen, rhythm=rhythm, order=tuple(MEMBERS[:3]), seed=seed)
        self.nominated: dict[str, MemberId | None] = {}
        self.round = RoundNumber(1)
        self.cast: dict[RoundNumber, dict[MemberId, Ballot]] = {}
        self.rated: dict[RoundNumber, dict[MemberId, int]] = {}
        self.seen = self.stage.club

    # -------------------------------------------------------------- members

    @rule(member=WHO, name=ALBUMS)
    def nominate(self, member: MemberId, name: str) -> None:
        number = self.stage.club.coming.number
        if isinstance(self.stage.nominate(member, name), Outcome):
            assert number == self.round
            self.nominated[name] = member

    @rule(data=st.data())
    @precondition(lambda self: self.nominated)
    def withdraw(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.nominated)))
        answer = withdraw(self.stage.club, self.nominated[name] or MEMBERS[0], album(name))
        if isinstance(answer, Outcome):
            self.stage.keep(answer)
            del self.nominated[name]

    @rule(member=WHO, data=st.data())
    @precondition(lambda self: self.stage.club.coming.lot)
    def vote(self, member: MemberId, data: st.DataObject) -> None:
        coming = self.stage.club.coming
        names = data.draw(st.lists(st.sampled_from(coming.lot), min_size=1, max_size=3, unique=True))
        if self.stage.vote(member, " ".join(names)) is None:
            self.cast.setdefault(coming.number, {})[member] = tuple(names)

    @rule(member=WHO, score=st.integers(2, 10))
    def rate(self, member: MemberId, score: int) -> None:
        listening = self.stage.club.listening
        if listening is not None:
            assert self.stage.rate(member, score) is None
            self.rated.setdefault(listening.number, {})[member] = score

    @rule(member=WHO, name=ALBUMS)
    def pick(self, member: MemberId, name: str) -> None:
        self.stage.pick(member, name)

    @rule(member=WHO, other=WHO, do=st.sampled_from(["join", "leave", "pass", "swap"]))
    def take_turns(self, member: MemberId, other: MemberId, do: str) -> None:
        club = self.stage.club
        answer = {
            "join": lambda: turns.join(club, member),
            "leave": lambda: turns.leave(club, member),
            "pass": lambda: turns.pass_turn(club, member),
            "swap": lambda: turns.swap(club, club.coming.number, member, other),
        }[do]()
        self._try(answer)

    @rule(member=WHO)
    def forget(self, member: MemberId) -> None:
        self.stage.club = forget(self.stage.club, member)
        self.nominated = {name: None if by == member else by for name, by in self.nominated.items()}

    # -------------------------------------------------------------- curators

    @rule(do=st.sampled_from(["skip", "next", "extend", "pause", "resume"]))
    def curate(self, do: str) -> None:
        stage = self.stage
        answer = {
            "skip": lambda: skip_round(stage.club, stage.now),
            "next": lambda: end_step(stage.club, stage.facts()),
            "extend": lambda: extend(stage.club, DAY),
            "pause": lambda: pause(stage.club, stage.now),
            "resume": lambda: resume(stage.club, stage.now),
        }[do]()
        self._try(answer)

    @rule(name=ALBUMS)
    def veto(self, name: str) -> None:
        self.stage.keep(veto(self.stage.club, album(name), self.stage.now))
        if self.stage.club.coming.state is not State.SKIPPED:
            self.nominated.pop(name, None)
        for ballots in self.cast.values():
            for member, ballot in ballots.items():
                ballots[member] = tuple(one for one in ballot if one != name)

    @rule(pick=st.sampled_from(Pick), method=st.sampled_from(Method), sealed=st.booleans())
    def change(self, pick: Pick, method: Method, sealed: bool) -> None:
        chosen = ClubSettings(pick=pick, method=method, sealed=sealed, nominations_per_member=2)
        self.stage.keep(change_settings(self.stage.club, chosen, self.stage.now))

    def _try(self, answer: Outcome | Refused) -> None:
        if isinstance(answer, Outcome):
            self.stage.keep(answer)

    # -------------------------------------------------------------- clocks and restarts

    @rule(hours=st.sampled_from([0.1, 5, 30, 72, 100]))
    def time_passes(self, hours: float) -> None:
        self.stage.up_to(self.stage.now + hours * HOUR)

    @rule(hours=st.sampled_from([0.1, 5, 30, 100, 400, 1500]))
    def down(self, hours: float) -> None:
        self.stage.down_until(self.stage.now + hours * HOUR)

    @rule(hours=st.sampled_from([-200, -1, 1, 200]))
    def clock_jumps(self, hours: float) -> None:
        self.stage.now += hours * HOUR
        self.stage.tick()

    @rule(hours=st.sampled_from([0, 1, 200]))
    def killed_before_the_step_was_stored(self, hours: float) -> None:
        advance(self.stage.club, self.stage.facts())
        self.stage.down_until(self.stage.now + hours * HOUR)

    # -------------------------------------------------------------- what holds after each of them

    @invariant()
    def nothing_is_lost_and_nothing_is_doubled(self) -> None:
        stage = self.stage
        audit(stage)
        changed = transitions(self.seen, stage.club)
        # Several steps may lie between two looks, but none may lead to a state that the table does not.
        assert {to for _, to in changed} <= {to for _, to in ALLOWED}
        self.seen = stage.club
        if stage.club.coming.number != self.round:
            self.round, self.nominated = stage.club.coming.number, {}
        assert {one.album_id: one.member_id for one in stage.club.coming.nominations} == self.nominated

    @invariant()
    def every_ballot_is_counted_once_or_waits_for_its_count(self) -> None:
        stage = self.stage
        waiting = {number for number, _ in stage.ballots}
        assert waiting <= {stage.club.coming.number}
        for number, ballots in self.cast.items():
            assert (number in stage.counted) != (number in waiting)
            if number in stage.counted:
                assert len(stage.counted[number]) == len(ballots)
        for one in (*stage.closed, stage.club.listening):
            if one and one.album_id and one.lot and one.method and one.number in stage.counted:
                assert one.album_id == count(one.method, one.lot, stage.counted[one.number]).winner

    @invariant()
    def every_rating_is_in_its_summary_or_waits_for_it(self) -> None:
        listening = self.stage.club.listening
        for number, scores in self.rated.items():
            if listening is None or listening.number != number:
                assert self.stage.summed_up[number] == scores


Interleavings.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
test_no_interleaving_loses_or_doubles_anything = Interleavings.TestCase
