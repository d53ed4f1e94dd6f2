"""What happens to a club's posts in Discord: that they arrive, that the channel is closed, and threads under them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bot.caller import GuildId, MemberId
from bot.clubs.effects import NOTE, POST, tell_starter
from bot.clubs.views import RoundView, read_round
from bot.curation.club import Step
from bot.curation.ids import ClubId, RoleId
from bot.errors import UserError
from bot.storage import Storage
from bot.storage.clubs import Post, StoredClub
from bot.storage.engine import Connection
from bot.storage.outbox import Channel, Message, State

BLOCKED, REMOVED, ROLE_GONE, THREAD_GONE = "blocked", "removed", "role gone", "thread gone"
"""What the member who started a club is told."""
THREAD = "club thread"
"""The kind of a timer: a thread to open under a post."""
EVENT = "club event"
"""The kind of a timer: a Discord event to make, move or take away. Its key is the club's id.

After a colon, it may name the channel in which the club lived before.
"""


class NoSuchClub(UserError):
    """The club is gone, or was never there."""


class Curator(Struct, frozen=True):
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

    async def blocked(self, payload: Mapping[str, Any]) -> bool:
        """A club's channel takes no messages: who started the club is told once. False: the club is not there any more."""

        def write(c: Connection) -> bool:
            stored = self._storage.clubs.get_in(c, ClubId(payload["club"]))
            if stored is None or payload.get("channel", stored.channel_id) != stored.channel_id:
                return False
            self._block_in(c, stored, BLOCKED)
            return True

        return await self._storage.database.write(write, key="clubs")

    async def move(self, club_id: ClubId, channel_id: int, curator: Curator) -> None:
        """Let a club live in another channel; what could not be posted goes there."""

        def write(c: Connection) -> None:
            if (stored := self._storage.clubs.get_in(c, club_id)) is None:
                raise NoSuchClub
            self._storage.clubs.move_in(c, club_id, channel_id)
            self._storage.clubs.unblock_in(c, club_id)  # whether the new channel takes messages, the next one shows
            self._storage.outbox.move_in(c, POST, stored.channel_id, channel_id, self._now())
            self._storage.timers.put(c, EVENT, f"{club_id}:{stored.channel_id}", self._now())
            self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self._now())

        await self._storage.database.write(write, key="clubs")

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

        await self._storage.database.write(write, key="clubs")

    async def refused(self, stored: StoredClub, what: str) -> None:
        """A "thread" or an "event" was refused: who started the club is told, once for each club."""
        if not stored.is_blocked:  # else they know already
            await self._storage.database.write(lambda c: self._tell_in(c, stored, what, ""), key="clubs")

    # -- what the gateway tells

    async def servers_known(self, guild_ids: Collection[GuildId]) -> None:
        """The bot is in these servers, and in no others."""
        here = set(guild_ids)

        def read(c: Connection) -> set[GuildId]:
            return self._storage.clubs.guilds_in(c) - here

        for guild_id in await self._storage.database.read(read):
            await self.server_gone(guild_id)

    async def server_gone(self, guild_id: GuildId) -> None:
        """A server removed the bot: who started its clubs is told. What is due there waits."""

        def write(c: Connection) -> None:
            for stored in self._storage.clubs.of_guild_in(c, guild_id):
                self._block_in(c, stored, REMOVED)

        await self._storage.database.write(write, key="clubs")

    async def server_seen(self, guild_id: GuildId, channels: Collection[int], roles: Collection[int]) -> None:
        """The bot is in a server, which has these roles, and these are the channels that the bot can see."""

        def change(c: Connection) -> None:
            for stored in self._storage.clubs.of_guild_in(c, guild_id):
                if stored.channel_id in channels:
                    self._reopen_in(c, stored)
                else:
                    self._block_in(c, stored, BLOCKED)
                self._check_role_in(c, stored, lambda role: role in roles)

        if await self.has_clubs(guild_id):
            await self._storage.database.write(change, key="clubs")

    async def channel_seen(self, guild_id: GuildId, channel_id: int, *, is_hidden: bool) -> None:
        """A channel has changed, and the bot can see it or no longer can."""
        await self._change(guild_id, channel_id, self._block_in if is_hidden else self._reopen_in)

    async def channel_gone(self, guild_id: GuildId, channel_id: int) -> None:
        """A channel was deleted."""
        await self._change(guild_id, channel_id, self._block_in)

    async def permissions_changed(self, guild_id: GuildId) -> None:
        """A role, or which roles the bot has, has changed: maybe it can post again."""
        await self._change(guild_id, None, self._reopen_in)

    async def role_gone(self, guild_id: GuildId, role_id: int) -> None:
        """A role was deleted: clubs that mention it no longer do, and who started them is told."""

        def change(c: Connection) -> None:
            for stored in self._storage.clubs.of_guild_in(c, guild_id):
                self._check_role_in(c, stored, lambda role: role != role_id)

        if await self.has_clubs(guild_id):
            await self._storage.database.write(change, key="clubs")

    async def thread_gone(self, thread_id: int) -> None:
        """A thread was deleted: if people discussed the current album in it, who started the club is told."""

        def change(c: Connection) -> None:
            post = self._storage.clubs.post_of_thread_in(c, thread_id)
            stored = None if post is None else self._storage.clubs.get_in(c, post.club_id)
            if post is None or stored is None or stored.club.listening is None:
                return
            if stored.club.listening.number == post.number:
                self._tell_in(c, stored, THREAD_GONE, thread_id)

        await self._storage.database.write(change, key="clubs")

    async def has_clubs(self, guild_id: GuildId) -> bool:
        """Whether a server has a club. Most events are about servers that have none."""
        return bool(await self._storage.clubs.of_guild(guild_id))

    async def _change(
        self, guild_id: GuildId, channel_id: int | None, change: Callable[[Connection, StoredClub], None]
    ) -> None:
        """Change the clubs that live in a channel, or all of a server."""

        def write(c: Connection) -> None:
            for stored in self._storage.clubs.of_guild_in(c, guild_id):
                if channel_id in (None, stored.channel_id):
                    change(c, stored)

        if await self.has_clubs(guild_id):
            await self._storage.database.write(write, key="clubs")

    def _block_in(self, c: Connection, stored: StoredClub, what: str = BLOCKED) -> None:
        """Nothing can be posted: who started the club is told, unless they know already."""
        if self._storage.clubs.block_in(c, stored.id, self._now()):
            self._tell_in(c, stored, what, int(self._now().timestamp()))

    def _reopen_in(self, c: Connection, stored: StoredClub) -> None:
        """Maybe the channel takes messages again: what waits for that is tried now, and shows whether it does."""
        if not stored.is_blocked:
            return
        if self._storage.outbox.is_waiting_in(c, stored.channel_id):
            self._storage.outbox.hurry_in(c, stored.channel_id, self._now())
        else:
            self._storage.clubs.unblock_in(c, stored.id)

    def _check_role_in(self, c: Connection, stored: StoredClub, is_there: Callable[[RoleId], bool]) -> None:
        """Mention a role no longer that is gone."""
        role = stored.club.settings.ping_role_id
        if role is None or is_there(role):
            return
        settings = replace(stored.club.settings, ping_role_id=None)
        self._storage.clubs.put_in(c, replace(stored.club, settings=settings))
        self._tell_in(c, stored, ROLE_GONE, role)

    def _tell_in(self, c: Connection, stored: StoredClub, what: str, tag: object) -> None:
        tell_starter(c, self._storage, stored, what, tag, self._now())

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
