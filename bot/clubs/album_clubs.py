"""The clubs at work: every event is applied, stored, told and followed by the next timer in one transaction."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs.channels import EVENT, ClubChannels, Curator, NoSuchClub
from bot.clubs.effects import NOTICE, carry_out, edit_post
from bot.clubs.views import OwnPart, RoundView, own_part, view
from bot.curation import curators, participation, turns
from bot.curation.ballots import Ballot
from bot.curation.calendar import Calendar
from bot.curation.choice import Facts
from bot.curation.club import Choice, Club, ClubSettings, Nomination, Outcome, Round, Step
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Score
from bot.curation.refusals import Reason, Refused
from bot.curation.rounds import advance, wake_at
from bot.errors import StorageUnavailable, UserError
from bot.storage import Storage
from bot.storage.clubs import LogEntry, StoredClub
from bot.storage.crates import count_pick, drawable
from bot.storage.engine import Connection
from bot.storage.outbox import Direct, Message
from bot.storage.ratings import Rating

STEP, VOTERS = "club step", "club voters"
"""Kinds of timers: what a club does next; the number of voters to show."""
BEAT_S = 60.0
VOTERS_PAUSE = timedelta(seconds=5)
"""The number of voters is shown this long after a ballot: many ballots at once are one edit."""

_log = structlog.get_logger("gatefold.clubs")

Event = Callable[[Connection, StoredClub, Facts], Outcome | Refused]


class NameTaken(UserError):
    """Another club of the server has this name."""


class Swap(Struct, frozen=True):
    """A member's question to another whether they swap places: one in each round, `asked_in` the coming one of then."""

    asker: MemberId
    other: MemberId
    asked_in: RoundNumber

    def subject(self, club_id: ClubId) -> str:
        """The subject of the direct message that asks."""
        return f"{club_id}:swap:{self.asked_in}:{self.asker}:{self.other}"


def _advance(c: Connection, stored: StoredClub, facts: Facts) -> Outcome:
    return advance(stored.club, facts)


_VOTES = {Step.VOTE, Step.REPEATED_VOTE}


def _shown(club: Club) -> tuple[object, ...]:
    """What the call and the vote of the coming round show, and what curators and members can change meanwhile."""
    coming = club.coming
    is_paused = club.paused_at is not None
    return coming.state, coming.pick, coming.lot, club.vote_at, club.club_hour_at, club.order[:1], is_paused


def _event_of(club: Club) -> datetime | None:
    """For when the club wants an event."""
    return club.club_hour_at if club.settings.event and club.paused_at is None else None


class AlbumClubs:
    """All clubs. `channels`: what happens to their posts in Discord."""

    def __init__(
        self,
        storage: Storage,
        *,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._rng = rng or random.SystemRandom()
        self._now = now
        self._started_at = now()
        self._down_since: datetime | None = None
        self.channels = ClubChannels(storage, now)

    async def begin(self) -> None:
        """Find out since when the bot was down. Before the first `beat` and `step`."""
        self._started_at = self._now()
        self._down_since = await self._storage.clubs.last_beat()

    async def beat(self) -> None:
        """Note that the bot runs, unless a step that became due while it was down is still to be done.

        That step is judged by when the bot went down, also by the next process if this one is killed before it.
        """

        def write(c: Connection) -> None:
            if not self._storage.timers.has_due_in(c, STEP, self._started_at):
                self._storage.clubs.beat_in(c, self._now())

        await self._storage.database.write(write, key="clubs", durable=False)

    # -- the clock

    async def step(self, key: str, due_at: datetime) -> None:
        """Do what is due in a club."""
        # Only what became due while the bot was down is judged by when it went down.
        down_since = self._down_since if due_at <= self._started_at else None
        with suppress(NoSuchClub):  # its server's rows were deleted
            await self.apply(ClubId(int(key)), _advance, down_since=down_since)
        if due_at <= self._started_at:
            await self.beat()

    async def show_voters(self, key: str, due_at: datetime) -> None:
        """Show in the post of a vote how many have voted."""
        club_id = ClubId(int(key))

        def write(c: Connection) -> None:
            stored = self._storage.clubs.get_in(c, club_id)
            if stored is not None:
                number = stored.club.coming.number
                voters = self._storage.ballots.number_in(c, club_id, number)
                self._redraw_in(c, stored, number, _VOTES, str(voters))

        await self._storage.database.write(write, key="clubs")

    # -- events

    async def start(
        self,
        stored: Callable[[Club], StoredClub],
        settings: ClubSettings,
        calendar: Calendar,
        order: tuple[MemberId, ...] = (),
    ) -> StoredClub:
        """Start a club, which calls for nominations at once. NameTaken. `stored`: says where the new club lives."""

        def write(c: Connection) -> StoredClub:
            now = self._now()
            outcome = curators.start(self._storage.clubs.next_id_in(c), settings, calendar, now, order)
            new = stored(outcome.club)
            if self._storage.clubs.has_name_in(c, new.guild_id, new.name):
                raise NameTaken
            self._storage.clubs.add_in(c, new, now)
            self._store_in(c, new, outcome, now)
            return new

        return await self._storage.database.write(write, key="clubs")

    async def apply(
        self,
        club_id: ClubId,
        event: Event,
        *,
        curator: Curator | None = None,
        down_since: datetime | None = None,
    ) -> Outcome | Refused:
        """Apply an event to a club and store what comes of it. NoSuchClub."""

        def write(c: Connection) -> Outcome | Refused:
            now, stored = self._now(), self._get_in(c, club_id)
            outcome = event(c, stored, self._facts_in(c, stored, now, down_since))
            if isinstance(outcome, Outcome):
                self._store_in(c, stored, outcome, now)
                if curator is not None:
                    self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, now)
            return outcome

        outcome = await self._storage.database.write(write, key="clubs")
        if isinstance(outcome, Outcome) and any(effect.step is Step.FORGET_VOTERS for effect in outcome.effects):
            await self._storage.database.truncate_log()
        return outcome

    async def nominate(
        self, club_id: ClubId, nomination: Nomination, *, year: int | None, replacing: AlbumId | None = None
    ) -> Outcome | Refused:
        """Nominate an album. NoSuchClub."""

        def event(c: Connection, stored: StoredClub, facts: Facts) -> Outcome | Refused:
            past = self._storage.clubs.past_in(c, club_id)
            return participation.nominate(stored.club, nomination, year=year, past=past, replacing=replacing)

        return await self.apply(club_id, event)

    async def pick(self, club_id: ClubId, choice: Nomination, *, year: int | None) -> Outcome | Refused:
        """Pick an album for one's next turn. NoSuchClub."""

        def event(c: Connection, stored: StoredClub, facts: Facts) -> Outcome | Refused:
            past = self._storage.clubs.past_in(c, club_id)
            return participation.pick(stored.club, choice, year=year, past=past)

        return await self.apply(club_id, event)

    async def vote(self, club_id: ClubId, number: RoundNumber, member: MemberId, ballot: Ballot) -> Refused | None:
        """Store a member's ballot, which replaces an earlier one. NoSuchClub."""

        def write(c: Connection) -> Refused | None:
            stored = self._get_in(c, club_id)
            if (refused := participation.check_vote(stored.club, number, member, ballot)) is not None:
                return refused
            self._storage.ballots.cast_in(c, club_id, number, member, ballot)
            if self._storage.timers.get_in(c, VOTERS, str(club_id)) is None:
                self._storage.timers.put(c, VOTERS, str(club_id), self._now() + VOTERS_PAUSE)
            return None

        return await self._stored(write)

    async def rate(
        self, club_id: ClubId, number: RoundNumber, member: MemberId, score: Score, review: str, *, is_named: bool
    ) -> Refused | None:
        """Store a member's rating, which replaces an earlier one. NoSuchClub."""

        def write(c: Connection) -> Refused | None:
            stored = self._get_in(c, club_id)
            if (refused := participation.check_rating(stored.club, number)) is not None:
                return refused
            rating = Rating(number, member, score, review, is_named)
            self._storage.ratings.put_in(c, club_id, rating, self._now())
            return None

        return await self._stored(write)

    async def _stored(self, write: Callable[[Connection], Refused | None]) -> Refused | None:
        """Store what many members do at the same time: those who wait share one flush of the disk."""
        refused = await self._storage.database.write(write, key="clubs", durable=False)
        if refused is None:
            try:
                await asyncio.shield(self._storage.database.flush())
            except StorageUnavailable as error:
                # It is stored, and only a power cut could take it away: to say that nothing was changed would be wrong.
                _log.warning("a ballot or a rating was stored, and not flushed to the disk", error=str(error))
        return refused

    async def ask_to_swap(self, stored: StoredClub, question: Swap) -> Refused | None:
        """Ask a member by direct message to swap places with another, who is not asked again in the same round."""
        payload = {"club": stored.id, "round": question.asked_in, "step": "swap", "asker": question.asker}
        payload["other"] = question.other
        message = Message(NOTICE, question.subject(stored.id), Direct(question.other), payload, stored.locale)
        is_new = await self._storage.outbox.add(message, self._now())
        return None if is_new else Refused(Reason.ALREADY)

    async def was_asked_to_swap(self, club_id: ClubId, question: Swap) -> bool:
        """Whether a member really asked another to swap places: anybody could make up a button."""
        return await self._storage.outbox.has(NOTICE, question.subject(club_id))

    async def swap(self, club_id: ClubId, question: Swap) -> Outcome | Refused:
        """Swap the places of two members, once for each question, and tell the one who asked. NoSuchClub."""

        def event(c: Connection, stored: StoredClub, facts: Facts) -> Outcome | Refused:
            outcome = turns.swap(stored.club, question.asked_in, question.asker, question.other)
            if isinstance(outcome, Outcome):
                return self._answer_swap_in(c, stored, question, "swapped") or outcome
            return outcome

        return await self.apply(club_id, event)

    async def decline_swap(self, club_id: ClubId, question: Swap) -> Refused | None:
        """Leave the order as it is, and tell the one who asked. NoSuchClub."""

        def write(c: Connection) -> Refused | None:
            return self._answer_swap_in(c, self._get_in(c, club_id), question, "swap declined")

        return await self._storage.database.write(write, key="clubs")

    def _answer_swap_in(self, c: Connection, stored: StoredClub, question: Swap, step: str) -> Refused | None:
        payload = {"club": stored.id, "step": step, "other": question.other}
        message = Message(
            NOTICE, f"{question.subject(stored.id)}:answer", Direct(question.asker), payload, stored.locale
        )
        return None if self._storage.outbox.put(c, message, self._now()) else Refused(Reason.ALREADY)

    async def set_theme(self, club_id: ClubId, number: RoundNumber, theme: str, curator: Curator) -> None:
        """Set the theme of a round. NoSuchClub."""

        def write(c: Connection) -> None:
            self._get_in(c, club_id)
            self._storage.clubs.set_theme_in(c, club_id, number, theme)
            self._redraw_in(c, self._get_in(c, club_id), number, {Step.CALL}, f"at {self._now().timestamp()}")
            self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self._now())

        await self._storage.database.write(write, key="clubs")

    # -- reading

    async def get(self, club_id: ClubId) -> StoredClub:
        """A club. NoSuchClub."""
        if (stored := await self._storage.clubs.get(club_id)) is None:
            raise NoSuchClub
        return stored

    async def of_guild(self, guild_id: GuildId) -> list[StoredClub]:
        """The clubs of a server, the oldest first."""
        return await self._storage.clubs.of_guild(guild_id)

    async def view(self, club_id: ClubId, number: RoundNumber) -> RoundView | None:
        """A round with all that belongs to it."""
        return await view(self._storage, club_id, number)

    async def over(self, club_id: ClubId) -> list[Round]:
        """The rounds that are over, the first one first."""
        return await self._storage.database.read(lambda c: self._storage.clubs.over_in(c, club_id))

    async def ratings(self, club_id: ClubId) -> list[Rating]:
        """All ratings of albums whose summary was posted."""

        def read(c: Connection) -> list[Rating]:
            stored = self._storage.clubs.get_in(c, club_id)
            listening = None if stored is None or stored.club.listening is None else stored.club.listening.number
            return [one for one in self._storage.ratings.of_club_in(c, club_id) if one.number != listening]

        return await self._storage.database.read(read)

    async def remind(self, club_id: ClubId, member: MemberId, locale: str | None, *, is_on: bool) -> None:
        """Turn a member's reminders on or off."""
        await self._storage.clubs.remind(club_id, member, locale, is_on=is_on)

    async def log(self, club_id: ClubId, most: int) -> list[LogEntry]:
        """What curators did, the latest first."""
        return await self._storage.clubs.log(club_id, most)

    async def own_part(self, club_id: ClubId, member: MemberId) -> OwnPart:
        """What a member has done in the rounds that are open."""
        return await own_part(self._storage, club_id, member)

    # -- inside a transaction

    def _get_in(self, c: Connection, club_id: ClubId) -> StoredClub:
        if (stored := self._storage.clubs.get_in(c, club_id)) is None:
            raise NoSuchClub
        return stored

    def _facts_in(self, c: Connection, stored: StoredClub, now: datetime, down_since: datetime | None) -> Facts:
        ballots = self._storage.ballots.open_in(c, stored.id, stored.club.coming.number)
        crate = drawable(c, stored.guild_id)
        past = self._storage.clubs.past_in(c, stored.id) if crate else []
        had = frozenset(one.album_id for one in past)
        return Facts(now, self._rng, ballots, crate, down_since, had)

    def _store_in(self, c: Connection, stored: StoredClub, outcome: Outcome, now: datetime) -> None:
        self._storage.clubs.put_in(c, outcome.club)
        for over in outcome.closed:
            self._storage.clubs.close_in(c, stored.id, over)
        carry_out(c, self._storage, stored, outcome.effects, now)
        for effect in outcome.effects:
            now_on = outcome.club.listening
            if effect.step is Step.ANNOUNCEMENT and now_on and now_on.album_id and now_on.choice is Choice.CRATE:
                count_pick(c, stored.guild_id, now_on.album_id)
            if effect.step is Step.FORGET_VOTERS:
                self._redraw_in(c, stored, effect.round, _VOTES, "over")
        number = outcome.club.coming.number
        if number == stored.club.coming.number and _shown(stored.club) != _shown(outcome.club):
            self._redraw_in(c, stored, number, {*_VOTES, Step.CALL}, f"at {now.timestamp()}")
        if _event_of(stored.club) != _event_of(outcome.club):
            self._storage.timers.put(c, EVENT, str(stored.id), now)
        wake = wake_at(outcome.club, now)
        if wake is None:
            self._storage.timers.remove(c, STEP, str(stored.id))
        else:
            self._storage.timers.put(c, STEP, str(stored.id), wake)

    def _redraw_in(
        self, c: Connection, stored: StoredClub, number: RoundNumber, steps: Collection[Step], version: str
    ) -> None:
        """Bring posts of a round up to date."""
        for post in self._storage.clubs.posts_in(c, stored.id, number):
            if post.step in steps and post.message_id is not None:
                edit_post(c, self._storage, stored, post.subject, version, self._now())
