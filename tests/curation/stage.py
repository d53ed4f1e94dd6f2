"""A club on a stage: a clock that is moved, and what storage and chat would keep of it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import Ballot
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.choice import Facts
from bot.curation.club import Club, ClubSettings, Effect, Nomination, Outcome, Round, Step
from bot.curation.curators import start
from bot.curation.draw import CrateEntry
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.participation import check_rating, check_vote, nominate, pick
from bot.curation.refusals import PastRound, Refused
from bot.curation.rounds import advance, wake_at
from bot.storage.frozen import from_json, to_json

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"
# A Thursday noon. The first club hour of a club on Tuesdays at 20:00 in Berlin is 5 days and 7 hours later.
BEGIN = datetime(2026, 1, 8, 12, tzinfo=UTC)
FIRST_HOUR = datetime(2026, 1, 13, 19, tzinfo=UTC)
TUESDAY = 1

ANN, BOB, CAT, DAN = (MemberId(number) for number in (1, 2, 3, 4))


def album(name: str) -> AlbumId:
    """An id that can be read in a failing test."""
    return AlbumId(name)


class Stage:
    """One club, its rows and its posts. Whatever happens is stored as one step, as a transaction would."""

    def __init__(
        self,
        settings: ClubSettings | None = None,
        *,
        rhythm: Rhythm = Rhythm.WEEKLY,
        order: tuple[MemberId, ...] = (),
        seed: int = 0,
    ) -> None:
        self.now = BEGIN
        self.rng = random.Random(seed)
        self.crate: dict[AlbumId, int] = {}
        self.ballots: dict[tuple[RoundNumber, MemberId], Ballot] = {}
        self.ratings: dict[tuple[RoundNumber, MemberId], int] = {}
        self.counted: dict[RoundNumber, list[Ballot]] = {}
        self.summed_up: dict[RoundNumber, dict[MemberId, int]] = {}
        self.effects: list[Effect] = []
        self.closed: list[Round] = []
        self.fresh: list[Effect] = []
        calendar = Calendar(date(2026, 1, 6), time(20), BERLIN, rhythm)
        self.keep(start(ClubId(1), settings or ClubSettings(), calendar, self.now, order))

    # -------------------------------------------------------------- storage

    def keep(self, outcome: Outcome | Refused) -> Outcome:
        """Store what an event led to. Doing anything twice fails."""
        assert isinstance(outcome, Outcome), outcome
        done = {effect.key for effect in self.effects}
        for effect in outcome.effects:
            assert effect.key not in done, f"done twice: {effect}"
            done.add(effect.key)
            if effect.step is Step.FORGET_VOTERS:
                cast = [key for key in self.ballots if key[0] == effect.round]
                assert effect.round not in self.counted
                self.counted[effect.round] = sorted(self.ballots.pop(key) for key in cast)
            if effect.step is Step.SUMMARY:
                rated = [key for key in self.ratings if key[0] == effect.round]
                self.summed_up[effect.round] = {member: self.ratings[_, member] for _, member in rated}
        self.club = outcome.club
        self.effects += outcome.effects
        self.fresh += outcome.effects
        self.closed += outcome.closed
        return outcome

    def restart(self) -> None:
        """Read everything back from what was stored: plain JSON."""
        again = from_json(Club, to_json(self.club))
        assert again == self.club
        self.club = again
        assert [from_json(Effect, to_json(effect)) for effect in self.effects] == [*self.effects]
        assert [from_json(Round, to_json(round_)) for round_ in self.closed] == [*self.closed]

    def facts(self, *, down_since: datetime | None = None) -> Facts:
        cast = tuple(ballot for key, ballot in self.ballots.items() if key[0] == self.club.coming.number)
        crate = tuple(CrateEntry(one, picks) for one, picks in self.crate.items())
        return Facts(self.now, self.rng, cast, crate, down_since)

    @property
    def past(self) -> list[PastRound]:
        return [PastRound(one.number, one.album_id, one.chosen_by) for one in self.closed if one.album_id]

    # -------------------------------------------------------------- time

    def up_to(self, instant: datetime) -> None:
        """Let time pass while the bot runs: it wakes whenever something is due."""
        while (due := wake_at(self.club, self.now)) is not None and due <= instant:
            self.now = max(self.now, due)
            self.tick()
        self.now = max(self.now, instant)

    def down_until(self, instant: datetime) -> None:
        """Let time pass while the bot is down, and start it again."""
        down_since, self.now = self.now, instant
        self.restart()
        self.keep(advance(self.club, self.facts(down_since=down_since)))

    def tick(self) -> None:
        self.keep(advance(self.club, self.facts()))

    # -------------------------------------------------------------- members

    def nominate(self, member: MemberId, name: str, **more: object) -> Outcome | Refused:
        one = Nomination(album(name), member, "", self.now)
        answer = nominate(self.club, one, **{"year": None, "past": self.past, **more})  # type: ignore[arg-type]
        if isinstance(answer, Outcome):
            self.keep(answer)
            self.up_to(self.now)
        return answer

    def pick(self, member: MemberId, name: str) -> Outcome | Refused:
        answer = pick(self.club, Nomination(album(name), member, "", self.now), year=None, past=self.past)
        if isinstance(answer, Outcome):
            self.keep(answer)
        return answer

    def vote(self, member: MemberId, names: str) -> Refused | None:
        ballot = tuple(album(name) for name in names.split())
        number = self.club.coming.number
        if (refused := check_vote(self.club, number, member, ballot)) is None:
            self.ballots[number, member] = ballot
        return refused

    def rate(self, member: MemberId, score: int, number: RoundNumber | None = None) -> Refused | None:
        rated = number or (self.club.listening.number if self.club.listening else RoundNumber(0))
        if (refused := check_rating(self.club, rated)) is None:
            self.ratings[rated, member] = score
        return refused

    # -------------------------------------------------------------- what was carried out

    def news(self) -> list[Effect]:
        """What was carried out since this was last asked."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def posts(self) -> list[tuple[Step, int]]:
        """What was posted since this was last asked, as (what, round)."""
        return [(effect.step, effect.round) for effect in self.news() if effect.step.is_post]
