"""The rows of a server that removed the bot go after 30 days, and not before."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

from bot.caller import GuildId
from bot.storage import Storage
from bot.storage.commands import CommandKey, Registered
from bot.storage.guilds import KEPT
from tests.storage.rows import at, on_disk, rows
from tests.world import made

ONE, TWO = GuildId(613_000_000_000_000_001), GuildId(613_000_000_000_000_002)
MARK = "a-fingerprint-that-is-easily-found"


async def with_rows(storage: Storage) -> None:
    """A row of each server."""
    for guild_id in (ONE, TWO):
        await storage.commands.put(10, guild_id, Registered(f"{MARK}-{guild_id}", {CommandKey(1, "save"): 1}))


async def servers(storage: Storage) -> list[int]:
    return [row["guild_id"] for row in await rows(storage, "registered_commands")]


async def test_the_rows_of_a_removed_server_go_after_30_days_for_real_and_no_others(
    storage: Storage, tmp_path: Path
) -> None:
    await with_rows(storage)
    await storage.guilds.are_present([ONE, TWO], at())
    await storage.guilds.removed(ONE, at())
    await storage.sweep(at() + KEPT - timedelta(seconds=1))
    assert await servers(storage) == [ONE, TWO]
    await storage.database.truncate_log()
    assert f"{MARK}-{ONE}".encode() in on_disk(tmp_path)
    await storage.sweep(at() + KEPT)
    assert await servers(storage) == [TWO]
    assert await storage.guilds.removed_at(ONE) is None
    assert f"{MARK}-{ONE}".encode() not in on_disk(tmp_path)
    assert f"{MARK}-{TWO}".encode() in on_disk(tmp_path)


async def test_a_server_that_invites_the_bot_again_keeps_its_rows(storage: Storage) -> None:
    await with_rows(storage)
    await storage.guilds.removed(ONE, at())
    await storage.guilds.joined(ONE)
    await storage.sweep(at() + 2 * KEPT)
    assert await servers(storage) == [ONE, TWO]


async def test_a_removal_while_the_bot_was_down_counts_from_when_it_is_noticed_and_only_once(storage: Storage) -> None:
    await with_rows(storage)
    await storage.guilds.are_present([ONE, TWO], at())
    for days in (3, 4, 5):  # each new session tells it again
        await storage.guilds.are_present([TWO], at() + timedelta(days=days))
    assert await storage.guilds.removed_at(ONE) == at() + timedelta(days=3)
    assert await storage.guilds.removed_at(TWO) is None
    await storage.guilds.are_present([ONE, TWO], at() + timedelta(days=6))
    assert await storage.guilds.removed_at(ONE) is None


async def test_the_sweep_erases_what_could_not_be_erased_while_somebody_read(tmp_path: Path, storage: Storage) -> None:
    await with_rows(storage)
    reader = sqlite3.connect(f"file:{storage.database.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM registered_commands").fetchone() == (2,)
    await storage.guilds.removed(ONE, at())
    await storage.sweep(at() + KEPT)
    assert f"{MARK}-{ONE}".encode() in on_disk(tmp_path)  # who reads still sees it
    reader.close()
    await storage.sweep(at() + KEPT)
    assert f"{MARK}-{ONE}".encode() not in on_disk(tmp_path)


async def test_what_discord_says_at_each_start_is_noted(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        world.discord.guilds = {ONE, TWO}
        async with world.running():
            assert await world.bot.storage.guilds.removed_at(ONE) is None
        world.discord.guilds = {TWO}
        async with world.running() as bot:
            await until_removed(bot.storage, ONE)
            assert await bot.storage.guilds.removed_at(TWO) is None


async def until_removed(storage: Storage, guild_id: GuildId) -> None:
    async with asyncio.timeout(60):
        while await storage.guilds.removed_at(guild_id) is None:
            await asyncio.sleep(0.01)
