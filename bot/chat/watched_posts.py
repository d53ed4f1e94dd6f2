"""What members post in watched channels: found, collected, and answered with a Save button."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import discord
import structlog

from bot.albums import Album, AlbumId, AlbumRef
from bot.caller import GuildId, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind
from bot.chat.messages import Failure
from bot.chat.sharing import CARDS_MOST, albums_in, as_text, share_card, share_line
from bot.chat.words import Words
from bot.errors import NoSuchAlbum, TryLater, UserError
from bot.library.finder import AlbumFinder
from bot.storage.watches import TAKEN_BACK_WITHIN, Answers, Post, Watch, Watches

NOBODY = MemberId(0)
"""Who looks up what others post: a member's own access serves only what they ask for themselves."""
POSTED_MOST = 110
"""Albums of one post that are collected: more than 4,000 characters, the longest message, can link."""
PARENTS_MOST = 1000
"""How many channels are remembered with what they are threads of."""
_WRITTEN = {0, 19}
"""The types of messages that people write: a message and a reply.

https://discord.com/developers/docs/resources/message#message-object-message-types
"""

_log = structlog.get_logger("gatefold.chat")


class WatchedPosts:
    """Reads posts in watched channels, and draws the answers to them.

    `parent_of`: the channel of a thread, None for what is no thread. It raises Failure.
    """

    def __init__(
        self,
        watches: Watches,
        finder: AlbumFinder,
        parent_of: Callable[[int], Awaitable[int | None]],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._watches = watches
        self._finder = finder
        self._parent_of = parent_of
        self._now = now
        # a thread stays in its channel
        self._parents: dict[int, int | None] = {}
        # ids of posts that are being read: one that is deleted meanwhile is no longer among them
        self._reading: set[int] = set()
        # newer versions of these that came meanwhile
        self._newer: dict[int, Mapping[str, Any]] = {}

    async def posted(self, message: Mapping[str, Any]) -> None:
        """A message came. It counts only where somebody wrote it in a watched channel and it links albums."""
        if not is_post(message) or not albums_in(message):
            return
        id_ = int(message["id"])
        self._reading.add(id_)
        try:
            if (watch := await self._watch_of(message)) is None:
                return
            post = await self._read(message, watch.channel_id)
            if post.album_ids and id_ in self._reading:
                await self._watches.take(post, self._now())
        finally:
            self._reading.discard(id_)
            newer = self._newer.pop(id_, None)
        if newer is not None:
            await self.edited(newer)

    async def edited(self, message: Mapping[str, Any]) -> None:
        """A message was edited. Within the first hour, its albums are those that it links now."""
        # Discord sends this for previews of links, too: those have not been edited
        if not is_post(message) or (edited := message.get("edited_timestamp")) is None:
            return
        id_, now = int(message["id"]), self._now()
        if now - discord.utils.snowflake_time(id_) > TAKEN_BACK_WITHIN:
            return
        if id_ in self._reading:
            self._newer[id_] = message
            return
        self._reading.add(id_)
        try:
            if (watch := await self._watch_of(message)) is None:
                return
            post = await self.read_old(message, watch.channel_id)
            if id_ in self._reading and id_ not in self._newer:
                await self._watches.edited(post, datetime.fromisoformat(edited), now)
        except TryLater:
            _log.info("an edited post was not read")  # what it linked before stays
        finally:
            self._reading.discard(id_)
            newer = self._newer.pop(id_, None)
        if newer is not None:
            await self.edited(newer)

    async def deleted(self, event: discord.RawMessageDeleteEvent) -> None:
        """A message is gone."""
        self._forget(event.message_id)
        await self._watches.take_back(event.channel_id, [event.message_id], self._now())

    async def deleted_many(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Several messages are gone at once."""
        for message_id in event.message_ids:
            self._forget(message_id)
        await self._watches.take_back(event.channel_id, event.message_ids, self._now())

    def _forget(self, message_id: int) -> None:
        self._reading.discard(message_id)
        self._newer.pop(message_id, None)

    async def _watch_of(self, message: Mapping[str, Any]) -> Watch | None:
        """The watch of a message's channel, else that of the channel whose thread it is in; None: it is not watched."""
        channel_id = int(message["channel_id"])
        if (watch := await self._watches.of_channel(channel_id)) is not None:
            return watch
        if not await self._watches.of_guild(GuildId(int(message["guild_id"]))):
            return None  # most servers: nothing is asked of Discord about their channels
        if channel_id not in self._parents:
            try:
                parent = await self._parent_of(channel_id)
            except Failure as failure:
                _log.info("it is not known of what channel a thread is", error=failure.code)
                return None
            if len(self._parents) >= PARENTS_MOST:
                self._parents.pop(next(iter(self._parents)))
            self._parents[channel_id] = parent
        parent = self._parents[channel_id]
        return None if parent is None else await self._watches.of_channel(parent)

    async def _read(self, message: Mapping[str, Any], watched: int) -> Post:
        """The albums that a message links."""
        album_ids = [id_ for one in albums_in(message)[:POSTED_MOST] if (id_ := await self._album_id(one)) is not None]
        return self._post(message, album_ids, watched)

    async def read_old(self, message: Mapping[str, Any], watched: int) -> Post:
        """The same, for one of thousands: only what has no album's id in it is looked up. TryLater.

        `watched`: the message's channel, or the one whose thread it is in.
        """
        album_ids = [id_ for one in albums_in(message)[:POSTED_MOST] if (id_ := await self._id_of(one)) is not None]
        return self._post(message, album_ids, watched)

    async def _id_of(self, reference: Any) -> AlbumId | None:
        if isinstance(reference, AlbumRef):
            return reference.id
        try:
            found = await self._finder.find(NOBODY, as_text(reference))
        except TryLater:
            raise
        except UserError as error:
            _log.info("a posted link was not read", error=type(error).__name__)
            return None
        return found.id if isinstance(found, Album) else None

    def _post(self, message: Mapping[str, Any], album_ids: Iterable[AlbumId], watched: int) -> Post:
        channel_id = int(message["channel_id"])
        return Post(
            channel_id,
            int(message["id"]),
            MemberId(int(message["author"]["id"])),
            [*dict.fromkeys(album_ids)],
            discord.utils.snowflake_time(int(message["id"])),
            None if watched == channel_id else watched,
        )

    async def _album_id(self, reference: Any) -> AlbumId | None:
        try:
            found = await self._finder.find(NOBODY, as_text(reference))
        except NoSuchAlbum:
            return None
        except UserError as error:
            if isinstance(reference, AlbumRef):
                return reference.id  # its name is looked up later
            _log.info("a posted link was not read", error=type(error).__name__)
            return None
        return found.id if isinstance(found, Album) else None

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """The answer to a post. None once the post is gone, or its member asked to be forgotten."""
        answered = await self._watches.answered(payload["channel"], payload["message"])
        if answered is None:
            return []
        member, ids = answered
        ids = [id_ for id_ in ids if id_ in payload.get("albums", ids)]
        albums = [album for id_ in ids[:CARDS_MOST] if (album := await self._album(id_)) is not None]
        if not albums:
            return []
        if Answers(payload["answers"]) is Answers.CARD:
            below = [""] * (len(albums) - 1) + [_rest(words, len(ids) - CARDS_MOST)]
            cards = [share_card(words, album, member, "", rest) for album, rest in zip(albums, below, strict=True)]
        else:
            items = [share_line(words, album, member) for album in albums]
            if rest := _rest(words, len(ids) - CARDS_MOST):
                items.append(parts.text(f"-# {rest}"))
            cards = [Card(*items, kind=Kind.PUBLIC)]
        cards[0].answers = payload["message"]
        return cards

    async def _album(self, id_: AlbumId) -> Album | None:
        try:
            return await self._finder.album(NOBODY, id_)
        except NoSuchAlbum:
            return None


def _rest(words: Words, more: int) -> str:
    """How many albums of a post have no answer of their own; empty: none."""
    if more <= 0:
        return ""
    return words.t.plural(
        "{count} more album of this post is in the crate.", "{count} more albums of this post are in the crate.", more
    )


def is_post(message: Mapping[str, Any]) -> bool:
    """Whether a member wrote this in a server: no bot, no webhook, and none of Discord's own messages."""
    author = message.get("author") or {}
    is_person = not author.get("bot") and not author.get("system") and "webhook_id" not in message
    return is_person and message.get("type") in _WRITTEN
