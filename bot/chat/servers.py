"""Notes which servers the bot is in, so that the rows of a server that removed it can go after 30 days."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

import discord

from bot.caller import GuildId
from bot.chat.features import Feature
from bot.storage.guilds import Guilds


def feature(guilds: Guilds, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Feature:
    """The events of this module. Joins and removals come only with the guilds intent; each new session tells all."""

    async def known(guild_ids: Collection[int]) -> None:
        await guilds.are_present([GuildId(id_) for id_ in guild_ids], now())

    async def join(guild: discord.Guild) -> None:
        await guilds.joined(GuildId(guild.id))

    async def remove(guild: discord.Guild) -> None:
        await guilds.removed(GuildId(guild.id), now())

    return Feature("servers", listeners={"guilds_known": known, "guild_join": join, "guild_remove": remove})
