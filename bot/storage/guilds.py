"""Which servers the bot is in. The rows of a server that removed it go after 30 days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from bot.caller import GuildId
from bot.storage.declarations import Declaration, forget_guild
from bot.storage.engine import Connection, Engine
from bot.storage.moments import to_moment, to_seconds

KEPT = timedelta(days=30)
"""How long a server's rows are kept after it removed the bot: somebody may invite it again."""


class Guilds:
    """One row per server that the bot is, or was, in."""

    declares = Declaration(tables=("guilds",), guild_rows=("guilds",))

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def are_present(self, guild_ids: Collection[GuildId], now: datetime) -> None:
        """The bot is in these servers, and in no others: the rest has removed it, maybe while it was down."""
        here = set(guild_ids)

        def write(c: Connection) -> None:
            known = {row["guild_id"] for row in c.execute("SELECT guild_id FROM guilds WHERE removed_at IS NULL")}
            _join(c, here - known)
            _remove(c, known - here, now)

        await self._database.write(write, key="guilds")

    async def joined(self, guild_id: GuildId) -> None:
        """The bot was invited to a server, maybe again."""
        # Said again with every new session, for each server.
        await self._database.write(lambda c: _join(c, [guild_id]), durable=False)

    async def removed(self, guild_id: GuildId, now: datetime) -> None:
        """A server removed the bot."""

        def write(c: Connection) -> None:
            _join(c, [guild_id])
            _remove(c, [guild_id], now)

        await self._database.write(write)

    async def removed_at(self, guild_id: GuildId) -> datetime | None:
        """When this server removed the bot; None: it did not, or is not known."""
        row = await self._database.read(
            lambda c: c.execute("SELECT removed_at FROM guilds WHERE guild_id = ?", (guild_id,)).fetchone()
        )
        return None if row is None or row["removed_at"] is None else to_moment(row["removed_at"])


def forget_removed(c: Connection, declared: Iterable[Declaration], now: datetime) -> list[GuildId]:
    """Delete the rows of servers that removed the bot long ago; which servers these are."""
    rows = c.execute(
        "SELECT guild_id FROM guilds WHERE removed_at IS NOT NULL AND removed_at <= ?", (to_seconds(now - KEPT),)
    ).fetchall()
    guild_ids = [GuildId(row["guild_id"]) for row in rows]
    for guild_id in guild_ids:
        forget_guild(c, declared, guild_id)
    return guild_ids


def _join(c: Connection, guild_ids: Iterable[GuildId]) -> None:
    c.executemany(
        "INSERT INTO guilds (guild_id) VALUES (?) ON CONFLICT (guild_id) DO UPDATE SET removed_at = NULL",
        [(guild_id,) for guild_id in guild_ids],
    )


def _remove(c: Connection, guild_ids: Iterable[GuildId], now: datetime) -> None:
    c.executemany(
        "UPDATE guilds SET removed_at = ? WHERE guild_id = ?",
        [(to_seconds(now), guild_id) for guild_id in guild_ids],
    )
