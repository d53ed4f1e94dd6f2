"""The clubs at work: every event is applied, stored, told and followed by the next timer in one transaction."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs.effects import POST, carry_out, edit_post, tell_blocked
from bot.clubs.views import OwnPart, RoundView, own_part, view
from bot.curation import curators, participation
from bot.curation.ballots import Ballot
from bot.curation.calendar import Calendar
from bot.curation.choice import Facts
from bot.curation.club import Club, ClubSettings, Nomination, Outcome, Step
from bot.curation.draw import CrateEntry
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Score
from bot.curation.refusals import Refused
from bot.curation.rounds import advance, wake_at
from bot.errors import UserError
from bot.storage import Storage
from bot.storage.clubs import StoredClub
from bot.storage.engine import Connection
from bot.storage.outbox import State
from bot.storage.ratings import Rating

STEP, THREAD, VOTERS = "club step", "club thread", "club voters"
"""Kinds of timers: what a club does next; a thread to open under a post; the number of voters to show."""
BEAT_S = 60.0
VOTERS_PAUSE = timedelta(seconds=5)
"""The number of voters is shown this long after a ballot: many ballots at once are one edit."""

Crate = Callable[[Connection, GuildId], tuple[CrateEntry, ...]]
Event = Callable[[Connection, StoredClub, Facts], Outcome | Refused]


class NoSuchClub(UserError):
    """The club is gone, or was never there."""


@dataclass(frozen=True, slots=True)
class Curator:
    """Who does something as a curator, and how the log tells it."""

    member_id: MemberId
    did: str
    facts: Mapping[str, Any]


def no_crate(c: Connection, guild_id: GuildId) -> tuple[CrateEntry, ...]:
    """A server without a crate."""
    return ()


def _advance(c: Connection, stored: StoredClub, facts: Facts) -> Outcome:
    return advance(stored.club, facts)


class AlbumClubs:
    """All clubs. `crate`: reads what a draw may take."""

    def __init__(
        self,
        storage: Storage,
        *,
        crate: Crate = no_crate,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._crate = crate
        self._rng = rng or random.SystemRandom()
        self._now = now
        self._started_at = now()
        self._down_since: datetime | None = None
        storage.outbox.settles(POST, self._settled_in)

    async def begin(self) -> None:
        """Find out since when the bot was down. Before the first `beat`."""
        self._started_at = self._now()
        self._down_since = await self._storage.clubs.last_beat()

    async def beat(self) -> None:
        """Note that the bot runs."""
        await self._storage.clubs.beat(self._now())

    # -- the clock

    async def step(self, key: str, due_at: datetime) -> None:
        """Do what is due in a club."""
        # Only what became due while the bot was down is judged by when it went down.
        down_since = self._down_since if due_at <= self._started_at else None
        with suppress(NoSuchClub):  # its server's rows were deleted
            await self.apply(ClubId(int(key)), _advance, down_since=down_since)

    async def show_voters(self, key: str, due_at: datetime) -> None:
        """Show in the post of a vote how many have voted."""
        club_id = ClubId(int(key))

        def write(c: Connection) -> None:
            stored = self._storage.clubs.get_in(c, club_id)
            if stored is not None:
                number = stored.club.coming.number
                voters = self._storage.ballots.number_in(c, club_id, number)
                self._edit_vote_in(c, stored, number, str(voters))

        await self._storage.database.write(write)

    # -- events

    async def start(
        self,
        stored: Callable[[Club], StoredClub],
        settings: ClubSettings,
        calendar: Calendar,
        order: tuple[MemberId, ...] = (),
    ) -> StoredClub:
        """Start a club, which calls for nominations at once. `stored`: says where the new club lives."""

        def write(c: Connection) -> StoredClub:
            now = self._now()
            outcome = curators.start(self._storage.clubs.next_id_in(c), settings, calendar, now, order)
            new = stored(outcome.club)
            self._storage.clubs.add_in(c, new, now)
            self._store_in(c, new, outcome, now)
            return new

        return await self._storage.database.write(write)

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

        outcome = await self._storage.database.write(write)
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

        return await self._storage.database.write(write)

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

        return await self._storage.database.write(write)

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

    async def own_part(self, club_id: ClubId, member: MemberId) -> OwnPart:
        """What a member has done in the rounds that are open."""
        return await own_part(self._storage, club_id, member)

    # -- the channel

    async def blocked(self, payload: Mapping[str, Any]) -> None:
        """A club's channel takes no messages: who started the club is told once."""

        def write(c: Connection) -> None:
            stored = self._storage.clubs.get_in(c, ClubId(payload["club"]))
            if stored is not None and self._storage.clubs.block_in(c, stored.id, self._now()):
                tell_blocked(c, self._storage, stored, self._now())

        await self._storage.database.write(write)

    async def move(self, club_id: ClubId, channel_id: int, curator: Curator) -> None:
        """Let a club live in another channel; what could not be posted goes there."""

        def write(c: Connection) -> None:
            stored = self._get_in(c, club_id)
            self._storage.clubs.move_in(c, club_id, channel_id)
            self._storage.outbox.move_in(c, POST, stored.channel_id, channel_id, self._now())
            self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self._now())

        await self._storage.database.write(write)

    async def can_post(self, channel_id: int) -> None:
        """The bot may post in this channel, maybe again: what waits for that goes out now."""
        await self._storage.database.write(
            lambda c: self._storage.outbox.hurry_in(c, channel_id, self._now()), durable=False
        )

    def _settled_in(self, c: Connection, subject: str, state: State) -> None:
        if state is not State.CONFIRMED:
            return
        message_id = self._storage.outbox.message_id_in(c, POST, subject)
        post = self._storage.clubs.posted_in(c, subject, message_id)
        if post is None or message_id is None:
            return
        self._storage.clubs.unblock_in(c, post.club_id)
        stored = self._storage.clubs.get_in(c, post.club_id)
        if post.step == Step.ANNOUNCEMENT and stored is not None and stored.club.settings.thread:
            self._storage.timers.put(c, THREAD, subject, self._now())

    # -- inside a transaction

    def _get_in(self, c: Connection, club_id: ClubId) -> StoredClub:
        if (stored := self._storage.clubs.get_in(c, club_id)) is None:
            raise NoSuchClub
        return stored

    def _facts_in(self, c: Connection, stored: StoredClub, now: datetime, down_since: datetime | None) -> Facts:
        ballots = self._storage.ballots.open_in(c, stored.id, stored.club.coming.number)
        return Facts(now, self._rng, ballots, self._crate(c, stored.guild_id), down_since)

    def _store_in(self, c: Connection, stored: StoredClub, outcome: Outcome, now: datetime) -> None:
        self._storage.clubs.put_in(c, outcome.club)
        for over in outcome.closed:
            self._storage.clubs.close_in(c, stored.id, over)
        carry_out(c, self._storage, stored, outcome.effects, now)
        for effect in outcome.effects:
            if effect.step is Step.FORGET_VOTERS:
                self._edit_vote_in(c, stored, effect.round, "over")
        wake = wake_at(outcome.club, now)
        if wake is None:
            self._storage.timers.remove(c, STEP, str(stored.id))
        else:
            self._storage.timers.put(c, STEP, str(stored.id), wake)

    def _edit_vote_in(self, c: Connection, stored: StoredClub, number: RoundNumber, version: str) -> None:
        for post in self._storage.clubs.posts_in(c, stored.id, number):
            if post.step in (Step.VOTE, Step.VOTE_ANEW) and post.message_id is not None:
                edit_post(c, self._storage, stored, post.subject, version, self._now())
