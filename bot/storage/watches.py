"""Watched channels: where albums that members post are answered and collected, and which histories are being read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.storage.crates import Added, CrateId, add_entry, remove_entries_of_message
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.outbox import Channel, Message, Outbox
from bot.storage.preferences import preferences_of

POSTED = "watched post"
"""The kind of the messages that answer posts. Their subject is the id of the post, with the time of an edit."""
ONCE_IN = timedelta(days=1)
"""An album is answered only once in this time, in each channel and each thread."""
TAKEN_BACK_WITHIN = timedelta(hours=1)
"""A post that is deleted or edited within this time takes its albums out of the crate again."""


class Answers(StrEnum):
    """How posts in a watched channel are answered."""

    CARD = "card"
    BUTTON = "button"
    SILENT = "silent"


class Watch(Struct, frozen=True):
    """A watched channel. `crate`: the name of the crate that is filled; None: the default one. `locale`: the server's."""

    channel_id: int
    guild_id: GuildId
    crate: str | None
    answers: Answers
    locale: str | None
    watched_at: datetime


class Post(Struct, frozen=True):
    """A member's message in a watched channel, with the albums that it links, each once.

    `parent_id`: the channel of the thread that it was posted in, whose watch covers its threads.
    """

    channel_id: int
    message_id: int
    member_id: MemberId
    album_ids: Sequence[AlbumId]
    posted_at: datetime
    parent_id: int | None = None


class Watches:
    """One row per watched channel, and what was answered there in the last day."""

    declares = Declaration(
        tables=("watches", "watch_answers"),
        member_rows=(
            MemberRows(
                "watch_answers",
                exports=("guild_id", "channel_id", "album_id", "member_id", "answered_at"),
                withholds=("message_id", "place"),
            ),
        ),
        guild_rows=("watches", "watch_answers"),
    )

    def __init__(self, database: Engine, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def turn_on(
        self,
        guild_id: GuildId,
        channel_id: int,
        crate_id: CrateId | None,
        answers: Answers,
        locale: str | None,
        now: datetime,
    ) -> None:
        """Watch a channel, or change how it is watched. `crate_id` None: the default crate, whatever its name."""
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO watches (channel_id, guild_id, crate_id, answers, locale, watched_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (channel_id) DO UPDATE SET crate_id = excluded.crate_id,"
                " answers = excluded.answers, locale = excluded.locale",
                (channel_id, guild_id, crate_id, answers, locale, to_seconds(now)),
            )
        )

    async def turn_off(self, guild_id: GuildId, channel_id: int) -> bool:
        """Stop watching a channel of this server; False: it was not watched."""
        query = "DELETE FROM watches WHERE channel_id = ? AND guild_id = ?"
        return await self._database.write(lambda c: c.execute(query, (channel_id, guild_id)).rowcount == 1)

    async def of_channel(self, channel_id: int) -> Watch | None:
        """How a channel is watched; None: it is not."""
        return await self._database.read(lambda c: _watch_of(c, channel_id))

    async def of_guild(self, guild_id: GuildId) -> list[Watch]:
        """The watched channels of a server, the first one first."""

        def read(c: Connection) -> list[Watch]:
            rows = c.execute(f"{_SELECT} WHERE w.guild_id = ? ORDER BY w.watched_at, w.channel_id", (guild_id,))
            return [_watch(row) for row in rows]

        return await self._database.read(read)

    async def take(self, post: Post, now: datetime) -> None:
        """Put the albums of a post into the crate, and store the answer. The same post again changes nothing.

        Nothing is kept of members who do not want their posts collected.
        """

        await self._database.write(lambda c: self._take_in(c, post, str(post.message_id), now), key=post.channel_id)

    async def edited(self, post: Post, edited_at: datetime, now: datetime) -> None:
        """A recent post was edited: albums that it no longer links leave the crate, and new ones are taken as posted."""

        def write(c: Connection) -> None:
            since, kept = now - TAKEN_BACK_WITHIN, set(post.album_ids)
            remove_entries_of_message(c, post.channel_id, post.message_id, since, kept)
            for album_id in _answered_in(c, post.channel_id, post.message_id):
                if album_id not in kept:
                    c.execute(
                        "DELETE FROM watch_answers WHERE channel_id = ? AND album_id = ?", (post.channel_id, album_id)
                    )
            self._take_in(c, post, f"{post.message_id}:{edited_at.isoformat()}", now)

        await self._database.write(write, key=post.channel_id)

    def _take_in(self, c: Connection, post: Post, subject: str, now: datetime) -> None:
        watch = _watch_of(c, post.channel_id)
        if watch is None and post.parent_id is not None:
            watch = _watch_of(c, post.parent_id)
        if watch is None or not preferences_of(c, [post.member_id])[post.member_id].posts_collected:
            return
        collect_in(c, watch.guild_id, watch.crate, [post])
        if watch.answers is Answers.SILENT:
            return
        new = [id_ for id_ in post.album_ids if _answer_in(c, watch, post, id_, now)]
        if new:
            payload = {
                "channel": post.channel_id,
                "message": post.message_id,
                "albums": new,
                "answers": watch.answers,
            }
            message = Message(POSTED, subject, Channel(post.channel_id), payload, watch.locale)
            self._outbox.put(c, message, now)

    async def answered(self, channel_id: int, message_id: int) -> tuple[MemberId, list[AlbumId]] | None:
        """Who posted a message that is to be answered, and with which albums; None: there is nothing to answer."""

        def read(c: Connection) -> tuple[MemberId, list[AlbumId]] | None:
            row = c.execute(
                "SELECT member_id FROM watch_answers WHERE channel_id = ? AND message_id = ?", (channel_id, message_id)
            ).fetchone()
            return None if row is None else (MemberId(row["member_id"]), _answered_in(c, channel_id, message_id))

        return await self._database.read(read)

    async def take_back(self, channel_id: int, message_ids: Iterable[int], now: datetime) -> list[AlbumId]:
        """These messages were deleted: their albums leave the crate if they are recent; which ones.

        An answer that has not been sent yet is not sent.
        """

        def write(c: Connection) -> list[AlbumId]:
            gone: list[AlbumId] = []
            for message_id in message_ids:
                gone += remove_entries_of_message(c, channel_id, message_id, now - TAKEN_BACK_WITHIN)
                c.execute("DELETE FROM watch_answers WHERE channel_id = ? AND message_id = ?", (channel_id, message_id))
            return gone

        return await self._database.write(write, key=channel_id)

    async def sweep(self, now: datetime) -> None:
        """Delete what was answered more than a day ago."""
        before = to_seconds(now - ONCE_IN)
        await self._database.write(
            lambda c: c.execute("DELETE FROM watch_answers WHERE answered_at <= ?", (before,)), durable=False
        )


def collect_in(c: Connection, guild_id: GuildId, crate: str | None, posts: Iterable[Post]) -> int:
    """Put the albums of posts into a crate, in the order in which they were posted; how many are new in it.

    What a crate has no room for is left out. Posts of members who do not want that are, too.
    """
    new = 0
    for post in posts:
        if not preferences_of(c, [post.member_id])[post.member_id].posts_collected:
            continue
        for album_id in post.album_ids:
            added = add_entry(
                c,
                guild_id,
                crate,
                album_id,
                post.member_id,
                "",
                post.posted_at,
                channel_id=post.channel_id,
                message_id=post.message_id,
            )
            new += isinstance(added, Added) and added.earlier is None
    return new


def _answered_in(c: Connection, channel_id: int, message_id: int) -> list[AlbumId]:
    rows = c.execute(
        "SELECT album_id FROM watch_answers WHERE channel_id = ? AND message_id = ? ORDER BY place",
        (channel_id, message_id),
    )
    return [AlbumId(row["album_id"]) for row in rows]


def _answer_in(c: Connection, watch: Watch, post: Post, album_id: AlbumId, now: datetime) -> bool:
    """Note that an album is answered; False: it was within the last day.

    A time in the future comes from a clock that was wrong, and says nothing.
    """
    since = to_seconds(now - ONCE_IN)
    cursor = c.execute(
        "INSERT INTO watch_answers (guild_id, channel_id, album_id, message_id, place, member_id, answered_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel_id, album_id) DO UPDATE SET"
        " message_id = excluded.message_id, place = excluded.place, member_id = excluded.member_id,"
        " answered_at = excluded.answered_at WHERE watch_answers.answered_at NOT BETWEEN ? AND ?",
        (
            watch.guild_id,
            post.channel_id,
            album_id,
            post.message_id,
            post.album_ids.index(album_id),
            post.member_id,
            to_seconds(now),
            since + 1,
            to_seconds(now),
        ),
    )
    return cursor.rowcount == 1


_SELECT = (
    "SELECT w.channel_id, w.guild_id, cr.name AS crate, w.answers, w.locale, w.watched_at"
    " FROM watches AS w LEFT JOIN crates AS cr ON cr.id = w.crate_id"
)


def _watch_of(c: Connection, channel_id: int) -> Watch | None:
    row = c.execute(f"{_SELECT} WHERE w.channel_id = ?", (channel_id,)).fetchone()
    return None if row is None else _watch(row)


def _watch(row: Row) -> Watch:
    return Watch(
        row["channel_id"],
        GuildId(row["guild_id"]),
        row["crate"],
        Answers(row["answers"]),
        row["locale"],
        to_moment(row["watched_at"]),
    )
