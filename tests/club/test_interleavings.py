"""Clubs with a real database: whatever comes at the same time, fails in the middle or is restarted, nothing is lost.

The rules alone, and two years of rounds: tests/curation/test_seasons.py.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs import AlbumClubs
from bot.clubs.album_clubs import STEP
from bot.clubs.channels import Curator
from bot.curation import curators
from bot.curation.ballots import Ballot
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import Choice, ClubSettings, Nomination, Outcome, Pick, State, Step
from bot.curation.ids import RoundNumber
from bot.curation.ratings import Scale, Score
from bot.errors import StorageUnavailable
from bot.settings import read_key
from bot.storage import open_storage
from bot.storage.clubs import StoredClub
from bot.storage.engine import Connection
from tests.club.stage import ONE
from tests.storage.keys_of_jobs import Jobs
from tests.world import KEY

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, object]]
BEGIN = datetime(2026, 3, 5, 12, tzinfo=UTC)
MEMBERS = [MemberId(number) for number in range(1, 7)]
HOUR = timedelta(hours=1)
ONCE = (Step.CALL, Step.VOTE, Step.ANNOUNCEMENT, Step.SUMMARY, Step.SKIPPED)


class Breaking(sqlite3.Connection):
    """A connection whose statements fail once `fails_in` of them have been run: the disk is full, or gone."""

    fails_in: int | None = None
    jobs = Jobs()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self.jobs.note(sql)
        if self.fails_in is not None and not sql.startswith(("ROLLBACK", "PRAGMA")):
            self.fails_in -= 1
            if self.fails_in < 0:
                raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, parameters)


class Interleavings(RuleBasedStateMachine):
    """Beside a plain record of what was accepted."""

    @initialize(pick=st.sampled_from([Pick.VOTE, Pick.VOTE, Pick.TURNS, Pick.CRATE]), seed=st.integers(0, 99))
    def start(self, pick: Pick, seed: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="gatefold-club-"))
        self.now = BEGIN
        self.seed = seed
        self.cast: dict[RoundNumber, dict[MemberId, Ballot]] = {}
        self.rated: dict[RoundNumber, dict[MemberId, Score]] = {}
        self.run(self._open())
        self.run(self._start(pick))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _open(self) -> None:
        def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            self.connection: Breaking = sqlite3.connect(*arguments, factory=Breaking, **options)
            return self.connection

        self.storage = await open_storage(self.folder / "gatefold.db", [read_key(KEY)], connect=connect)
        self.clubs = AlbumClubs(self.storage, rng=random.Random(self.seed), now=lambda: self.now)
        await self.clubs.begin()

    async def _start(self, pick: Pick) -> None:
        await self.clubs.start(
            lambda club: StoredClub(club.id, GuildId(1), 2, "The Club", MEMBERS[0], None, False, club),
            ClubSettings(pick=pick, nominations_per_member=2),
            Calendar.starting(1, time(20), "Europe/Berlin", Rhythm.WEEKLY, BEGIN),
            tuple(MEMBERS[:2]) if pick is Pick.TURNS else (),
        )
        self.club = (await self.clubs.get(ONE)).club

    def teardown(self) -> None:
        if hasattr(self, "storage"):
            self.run(self.storage.close())
            self.loop.close()
            shutil.rmtree(self.folder)
            assert Breaking.jobs.without_key() == []

    # -- members

    async def _vote(self, member: MemberId, ballot: Ballot, number: RoundNumber) -> None:
        if await self.clubs.vote(ONE, number, member, ballot) is None:
            self.cast.setdefault(number, {})[member] = ballot

    async def _rate(self, member: MemberId, steps: int, number: RoundNumber) -> None:
        score = Score(Scale.HALVES, steps)
        if await self.clubs.rate(ONE, number, member, score, "", is_named=False) is None:
            self.rated.setdefault(number, {})[member] = score

    async def _nominate(self, member: MemberId, name: int) -> None:
        one = Nomination(AlbumId(f"{name:022}"), member, "", self.now)
        await self.clubs.nominate(ONE, one, year=None)

    @rule(names=st.lists(st.integers(1, 400), min_size=1, max_size=4), data=st.data())
    def nominate_at_once(self, names: list[int], data: st.DataObject) -> None:
        members = [data.draw(st.sampled_from(MEMBERS)) for _ in names]
        self.at_once([partial(self._nominate, member, name) for member, name in zip(members, names, strict=True)])

    @rule(data=st.data(), at_the_hour=st.booleans())
    @precondition(lambda self: self.club.coming.state is State.VOTING)
    def vote_and_rate_at_once_maybe_in_the_moment_of_the_count(self, data: st.DataObject, at_the_hour: bool) -> None:
        coming, listening = self.club.coming, self.club.listening
        work: list[Work] = []
        for member in data.draw(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=6, unique=True)):
            lot = list(coming.lot)
            ballot = data.draw(st.lists(st.sampled_from(lot), min_size=1, max_size=3, unique=True))
            work.append(partial(self._vote, member, tuple(ballot), coming.number))
            if listening is not None:
                work.append(partial(self._rate, member, data.draw(st.integers(2, 10)), listening.number))
        if at_the_hour and (due_at := self.run(self._due_at())) is not None:  # None: it is paused
            self.now = max(self.now, self.club.club_hour_at)
            work += [partial(self.clubs.step, str(ONE), due_at)] * 2
        self.at_once(data.draw(st.permutations(work)))

    @rule(names=st.lists(st.integers(401, 4000), min_size=2, max_size=4, unique=True))
    @precondition(lambda self: self.club.coming.state is State.NOMINATING and self.club.coming.pick is Pick.VOTE)
    def nominate_and_wait_for_the_vote(self, names: list[int]) -> None:
        self.at_once([partial(self._nominate, member, name) for member, name in zip(MEMBERS, names, strict=False)])
        self.now = max(self.now, self.club.vote_at)
        self.at_once([])

    # -- curators

    @rule(dos=st.lists(st.sampled_from(["next", "skip", "extend", "pause", "resume", "step"]), min_size=1, max_size=3))
    def curate_at_once(self, dos: list[str]) -> None:
        self.at_once([partial(self._curate, do) for do in dos])

    async def _curate(self, do: str) -> None:
        seen = curators.Seen.of(self.club)
        events: dict[str, Callable[..., Any]] = {
            "next": lambda c, stored, facts: curators.end_step(stored.club, facts, seen),
            "skip": lambda c, stored, facts: curators.skip_round(stored.club, facts.now, seen),
            "extend": lambda c, stored, facts: curators.extend(stored.club, 24 * HOUR, seen),
            "pause": lambda c, stored, facts: curators.pause(stored.club, facts.now),
            "resume": lambda c, stored, facts: curators.resume(stored.club, facts.now),
        }
        if do == "step":
            if (due_at := await self._due_at()) is not None and due_at <= self.now:
                await self.clubs.step(str(ONE), due_at)
            return
        before = len(await self.clubs.log(ONE, 1000))
        outcome = await self.clubs.apply(ONE, events[do], curator=Curator(MEMBERS[0], do, {}))
        assert isinstance(outcome, Outcome) <= (len(await self.clubs.log(ONE, 1000)) > before)

    # -- time, restarts and a disk that fails

    async def _due_at(self) -> datetime | None:
        return await self.storage.database.read(lambda c: self.storage.timers.get_in(c, STEP, str(ONE)))

    async def _catch_up(self) -> None:
        while (due_at := await self._due_at()) is not None and due_at <= self.now:
            await self.clubs.step(str(ONE), due_at)
            assert await self._due_at() != due_at

    @rule(hours=st.sampled_from([1, 30, 72, 100]))
    def time_passes(self, hours: int) -> None:
        end = self.now + hours * HOUR
        while (due_at := self.run(self._due_at())) is not None and due_at <= end:
            self.now = max(self.now, due_at)
            self.run(self.clubs.beat())
            self.run(self._catch_up())
        self.now = end
        self.look()

    @rule()
    def the_next_thing_is_due(self) -> None:
        if (due_at := self.run(self._due_at())) is not None:
            self.now = max(self.now, due_at)
        self.at_once([])

    @rule(hours=st.sampled_from([0, 1, 30, 200, 600]))
    def restart(self, hours: int) -> None:
        self.run(self.storage.close())
        self.now += hours * HOUR
        self.run(self._open())
        self.run(self._catch_up())
        self.look()

    @rule(statements=st.integers(0, 40), restarted=st.booleans())
    def a_step_fails_in_the_middle(self, statements: int, restarted: bool) -> None:
        due_at = self.run(self._due_at())
        if due_at is None:
            return
        self.now = max(self.now, due_at)
        before = self.club
        self.connection.fails_in = statements
        try:
            self.run(self.clubs.step(str(ONE), due_at))
        except StorageUnavailable:
            self.connection.fails_in = None
            if self.run(self._due_at()) == due_at:  # else the step itself was stored, and what follows it was not
                assert self.run(self.clubs.get(ONE)).club == before
        self.connection.fails_in = None
        if restarted:
            self.run(self.storage.close())
            self.run(self._open())
        self.run(self._catch_up())
        self.look()

    def at_once(self, work: Sequence[Work]) -> None:
        async def gathered() -> None:
            await asyncio.gather(*(begin() for begin in work))

        self.run(gathered())
        self.run(self._catch_up())
        self.look()

    def look(self) -> None:
        self.club = self.run(self.clubs.get(ONE)).club

    # -- what holds after each of them

    @invariant()
    def every_round_was_posted_once_and_in_order(self) -> None:
        def read(c: Connection) -> list[tuple[int, str]]:
            rows = c.execute("SELECT subject FROM outbox WHERE kind = 'club post' ORDER BY id").fetchall()
            posts = {row["subject"]: (row["number"], row["step"]) for row in c.execute("SELECT * FROM club_posts")}
            return [posts[row["subject"]] for row in rows]

        async def posted() -> list[tuple[int, str]]:
            return await self.storage.database.read(read)

        posts = self.run(posted())
        done = Counter(posts)
        assert [post for post, times in done.items() if times > 1 and Step(post[1]) in ONCE] == []
        over = self.run(self.clubs.over(ONE))
        rounds = [*over, *([self.club.listening] if self.club.listening else []), self.club.coming]
        assert [one.number for one in rounds] == list(range(1, len(rounds) + 1))
        for one in rounds:
            told = {Step(step) for number, step in posts if number == one.number}
            expected = {
                State.NOMINATING: {Step.CALL},
                State.VOTING: {Step.CALL},
                State.LISTENING: {Step.CALL, Step.ANNOUNCEMENT},
                State.ENDED: {Step.CALL, Step.ANNOUNCEMENT, Step.SUMMARY},
                State.SKIPPED: {Step.CALL, Step.SKIPPED},
            }[one.state]
            assert (told & {*ONCE}) - {Step.VOTE} == expected, one
        calls = [number for number, step in posts if step == Step.CALL]
        assert calls == sorted(calls)

    @invariant()
    def every_ballot_is_kept_or_counted_and_the_winner_is_that_of_the_count(self) -> None:
        for number, ballots in self.cast.items():
            view = self.run(self.clubs.view(ONE, number))
            assert view is not None
            if number == self.club.coming.number and self.club.coming.state is State.VOTING:
                kept = {member: self.run(self.clubs.own_part(ONE, member)).ballot for member in ballots}
                assert kept == ballots
                continue
            assert sorted(view.ballots) == sorted(ballots.values())
            if view.round.choice is Choice.VOTE:
                assert view.count is not None
                assert view.count.winner == view.round.album_id

    @invariant()
    def every_rating_is_kept(self) -> None:
        for number, scores in self.rated.items():
            view = self.run(self.clubs.view(ONE, number))
            assert view is not None
            assert {one.member_id: one.score for one in view.ratings} == scores

    @invariant()
    def a_club_that_is_not_paused_has_a_next_step(self) -> None:
        assert (self.run(self._due_at()) is None) == (self.club.paused_at is not None)


Interleavings.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_nothing_that_comes_at_once_or_fails_in_the_middle_loses_or_doubles_anything = Interleavings.TestCase
