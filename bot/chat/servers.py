"""Notes which servers the bot is in, so that the rows of a server that removed it can go after 30 days."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import discord

from bot.caller import GuildId
from bot.chat.features import Feature
from bot.storage.guilds import Guilds


def feature(guilds: Guilds, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Feature:
    """The events of this module. Each new session lists all servers, which covers the time without a connection."""

    async def known(guild_ids: Collection[int]) -> None:
        await guilds.are_present([GuildId(id_) for id_ in guild_ids], now())

    async def seen(server: Mapping[str, Any]) -> None:
        await guilds.joined(GuildId(int(server["id"])))

    async def gone(server: Mapping[str, Any]) -> None:
        if not server.get("unavailable"):  # else it is an outage of Discord's
            await guilds.removed(GuildId(int(server["id"])), now())

    return Feature(
        "servers",
        listeners={"guilds_known": known, "server_seen": seen, "server_gone": gone},
        intents=discord.Intents(guilds=True),
    )
