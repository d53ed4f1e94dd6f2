"""What happens to a club's posts in Discord: that they arrive, that the channel is closed, and threads under them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.caller import MemberId
from bot.clubs.effects import NOTE, NOTICE, POST, tell_blocked
from bot.clubs.views import RoundView, read_round
from bot.curation.club import Step
from bot.curation.ids import ClubId
from bot.errors import UserError
from bot.storage import Storage
from bot.storage.clubs import Post, StoredClub
from bot.storage.engine import Connection
from bot.storage.outbox import Channel, Direct, Message, State

THREAD = "club thread"
"""The kind of a timer: a thread to open under a post."""


class NoSuchClub(UserError):
    """The club is gone, or was never there."""


@dataclass(frozen=True, slots=True)
class Curator:
    """Who does something as a curator, and how the log tells it."""

    member_id: MemberId
    did: str
    facts: Mapping[str, Any]


class ClubChannels:
    """The channels of all clubs."""

    def __init__(self, storage: Storage, now: Callable[[], datetime]) -> None:
        self._storage = storage
        self._now = now
        storage.outbox.settles(POST, self._settled_in)

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
            if (stored := self._storage.clubs.get_in(c, club_id)) is None:
                raise NoSuchClub
            self._storage.clubs.move_in(c, club_id, channel_id)
            self._storage.outbox.move_in(c, POST, stored.channel_id, channel_id, self._now())
            self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self._now())

        await self._storage.database.write(write)

    async def can_post(self, channel_id: int) -> None:
        """The bot may post in this channel, maybe again: what waits for that goes out now."""
        await self._storage.database.write(
            lambda c: self._storage.outbox.hurry_in(c, channel_id, self._now()), durable=False
        )

    async def announcement(self, subject: str) -> tuple[Post, RoundView] | None:
        """A post by its subject, with its round; None: the club is gone."""

        def read(c: Connection) -> tuple[Post, RoundView] | None:
            post = self._storage.clubs.post_in(c, subject)
            stored = None if post is None else self._storage.clubs.get_in(c, post.club_id)
            if post is None or stored is None:
                return None
            found = read_round(c, self._storage, stored, post.number)
            return None if found is None else (post, found)

        return await self._storage.database.read(read)

    async def opened_thread(self, post: Post, thread_id: int, view: RoundView) -> None:
        """A thread was opened under a post: the note is its first message."""

        def write(c: Connection) -> None:
            self._storage.clubs.opened_thread_in(c, post.subject, thread_id)
            payload = {"club": post.club_id, "round": post.number}
            message = Message(NOTE, post.subject, Channel(thread_id), payload, view.stored.locale)
            self._storage.outbox.put(c, message, self._now())

        await self._storage.database.write(write)

    async def refused(self, stored: StoredClub, what: str) -> None:
        """A "thread" or an "event" was refused: who started the club is told, once for each club."""
        if stored.started_by is not None:
            payload = {"club": stored.id, "step": what}
            message = Message(NOTICE, f"{stored.id}:{what}", Direct(stored.started_by), payload, stored.locale)
            await self._storage.outbox.add(message, self._now())

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
