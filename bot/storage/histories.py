"""Histories of channels that are read once for albums: how far each one is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from bot.caller import GuildId
from bot.storage.crates import CrateId
from bot.storage.declarations import Declaration
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.outbox import Channel, Edit, Message, Outbox
from bot.storage.timers import Timers
from bot.storage.watches import Post, collect_in

READ = "read history"
"""The kind of the timers that read on. Their key is `key_of`."""
PROGRESS, EDITED_PROGRESS = "history", "history edited"
"""The kinds of the message in the channel that shows how far it is."""
TOLD_EVERY = 10
"""Pages between two edits of that message."""


class History(Struct, frozen=True):
    """The history of a channel. All ids are those of messages, which grow with time.

    `crate`: the name of the crate that is filled; None: the default one. `after_id`: all messages up to here have been
    read. `until_id`: the last one that counts. `messages`: how many were read. `added`: albums that are new in the
    crate. `ended_at` None: it is being read; `is_refused`: it ended because Discord does not let the bot read.
    `is_stopped`: it ended because a curator said so.
    """

    channel_id: int
    guild_id: GuildId
    crate: str | None
    locale: str | None
    after_id: int
    until_id: int
    pages: int
    messages: int
    added: int
    begun_at: datetime
    ended_at: datetime | None
    is_refused: bool
    is_stopped: bool


class Histories:
    """One row per channel whose history is being read, or was."""

    declares = Declaration(tables=("histories",), guild_rows=("histories",))

    def __init__(self, database: Engine, outbox: Outbox, timers: Timers) -> None:
        self._database = database
        self._outbox = outbox
        self._timers = timers

    async def begin(
        self,
        guild_id: GuildId,
        channel_id: int,
        crate_id: CrateId | None,
        locale: str | None,
        after_id: int,
        until_id: int,
        now: datetime,
    ) -> bool:
        """Read a channel from the message after `after_id` to `until_id`. False: it is being read already."""

        def write(c: Connection) -> bool:
            known = _history_of(c, channel_id)
            if known is not None and known.ended_at is None:
                return False
            c.execute("DELETE FROM histories WHERE channel_id = ?", (channel_id,))
            c.execute(
                "INSERT INTO histories (channel_id, guild_id, crate_id, locale, after_id, until_id, begun_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (channel_id, guild_id, crate_id, locale, after_id, until_id, to_seconds(now)),
            )
            subject = f"{channel_id}-{until_id}"
            self._outbox.put(c, Message(PROGRESS, subject, Channel(channel_id), {"channel": channel_id}, locale), now)
            self._timers.put(c, READ, key_of(channel_id), now)
            return True

        return await self._database.write(write, key=channel_id)

    async def of_channel(self, channel_id: int) -> History | None:
        """The history of a channel; None: nobody ever wanted it read."""
        return await self._database.read(lambda c: _history_of(c, channel_id))

    async def running(self, guild_id: GuildId) -> list[History]:
        """What is being read on a server."""

        def read(c: Connection) -> list[History]:
            rows = c.execute(f"{_SELECT} WHERE h.guild_id = ? AND h.ended_at IS NULL ORDER BY h.begun_at", (guild_id,))
            return [_history(row) for row in rows]

        return await self._database.read(read)

    async def add(
        self, history: History, posts: Sequence[Post], after_id: int, messages: int, now: datetime, *, is_last: bool
    ) -> None:
        """A page was read: its albums go into the crate. `messages`: on this page. A page counts only once."""

        def write(c: Connection) -> None:
            current = _history_of(c, history.channel_id)
            if current is None or current.ended_at is not None:
                return
            if (current.until_id, current.after_id) != (history.until_id, history.after_id):
                return
            added = collect_in(c, history.guild_id, current.crate, posts)
            c.execute(
                "UPDATE histories SET after_id = ?, pages = pages + 1, messages = messages + ?, added = added + ?,"
                " ended_at = ? WHERE channel_id = ?",
                (after_id, messages, added, to_seconds(now) if is_last else None, history.channel_id),
            )
            if is_last or (current.pages + 1) % TOLD_EVERY == 0:
                self._tell(c, history, current.pages + 1, now)

        await self._database.write(write, key=history.channel_id)

    async def refuse(self, history: History, now: datetime) -> None:
        """Discord does not let the bot read on."""

        def write(c: Connection) -> None:
            c.execute(
                "UPDATE histories SET ended_at = ?, is_refused = 1 WHERE channel_id = ? AND until_id = ?",
                (to_seconds(now), history.channel_id, history.until_id),
            )
            self._tell(c, history, history.pages + 1, now)

        await self._database.write(write, key=history.channel_id)

    async def stop(self, guild_id: GuildId, channel_id: int, now: datetime) -> bool:
        """Read no further in a channel of this server; False: it is not being read."""

        def write(c: Connection) -> bool:
            history = _history_of(c, channel_id)
            if history is None or history.guild_id != guild_id or history.ended_at is not None:
                return False
            c.execute(
                "UPDATE histories SET ended_at = ?, is_stopped = 1 WHERE channel_id = ?", (to_seconds(now), channel_id)
            )
            self._timers.remove(c, READ, key_of(channel_id))
            self._tell(c, history, history.pages + 1, now)
            return True

        return await self._database.write(write, key=channel_id)

    def _tell(self, c: Connection, history: History, page: int, now: datetime) -> None:
        subject = f"{history.channel_id}-{history.until_id}"
        address = Edit(history.channel_id, PROGRESS, subject)
        payload = {"channel": history.channel_id}
        self._outbox.put(c, Message(EDITED_PROGRESS, f"{subject}-{page}", address, payload, history.locale), now)


def key_of(channel_id: int) -> str:
    """The key of a channel's timer: no bare number, since such keys are ids of members."""
    return f"channel {channel_id}"


def channel_of(key: str) -> int:
    """The channel that a timer's key names."""
    return int(key.removeprefix("channel "))


_SELECT = "SELECT h.*, cr.name AS crate FROM histories AS h LEFT JOIN crates AS cr ON cr.id = h.crate_id"


def _history_of(c: Connection, channel_id: int) -> History | None:
    row = c.execute(f"{_SELECT} WHERE h.channel_id = ?", (channel_id,)).fetchone()
    return None if row is None else _history(row)


def _history(row: Row) -> History:
    ended_at = row["ended_at"]
    return History(
        row["channel_id"],
        GuildId(row["guild_id"]),
        row["crate"],
        row["locale"],
        row["after_id"],
        row["until_id"],
        row["pages"],
        row["messages"],
        row["added"],
        to_moment(row["begun_at"]),
        None if ended_at is None else to_moment(ended_at),
        bool(row["is_refused"]),
        bool(row["is_stopped"]),
    )
