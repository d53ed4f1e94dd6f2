"""What is built from the settings, and what a start remembers."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from bot.app import built, supervised
from bot.errors import TryLater
from bot.monitoring.systemd import Supervisor
from bot.settings import Settings, from_values
from bot.storage.vault import new_key
from tests.world import ADA, FIRST, SECOND, SPOTIFY_ID, World


def settings(folder: Path, **more: object) -> Settings:
    values: dict[str, object] = {
        "discord_token": "token",
        "discord_client_id": "1100000000000000001",
        "discord_client_secret": "secret",
        "spotify_client_id": SPOTIFY_ID,
        "public_url": "http://127.0.0.1:8080",
        "database_path": folder / "gatefold.db",
        "token_keys": new_key(),
        **more,
    }
    return from_values(**values)


async def test_backups_are_made_as_often_and_kept_as_long_as_the_settings_say(tmp_path: Path) -> None:
    wanted = settings(tmp_path, backup_folder=tmp_path / "kept", backup_every_hours=5, backup_keep=7)
    async with built(wanted, lambda is_connected: None) as services:
        assert services.backups is not None
        assert (services.backups._folder, services.backups._every_s, services.backups._keep) == (
            *(tmp_path / "kept", 18_000, 7),
        )
    async with built(settings(tmp_path / "other"), lambda is_connected: None) as services:
        assert services.backups is None


async def test_a_start_without_discord_is_reported_as_done_after_a_while(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        supervisor = Supervisor(str(tmp_path / "notify"))
        loop = asyncio.get_running_loop()
        async with (
            built(settings(tmp_path / "data"), lambda is_connected: None) as services,
            supervised(services, supervisor, patience_s=0.05),
            asyncio.timeout(10),
        ):
            heard = b""
            while b"READY=1\nSTATUS=Discord does not respond" not in heard:
                heard += await loop.sock_recv(systemd, 4096)


async def test_the_day_that_is_used_up_outlives_a_restart(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    until = datetime.now(UTC) + timedelta(hours=13)
    async with built(wanted, lambda is_connected: None) as services:
        assert services.apps.host is not None
        assert services.apps.host.gate.closed() is None
        await services.storage.apps.set_closed(SPOTIFY_ID, until, TryLater.Cause.QUOTA)
    async with built(wanted, lambda is_connected: None) as services:
        assert services.apps.host is not None
        closed = services.apps.host.gate.closed()
        assert closed is not None
        assert closed.cause is TryLater.Cause.QUOTA
        assert closed.until is not None
        assert abs(closed.until - until) < timedelta(seconds=5)


async def test_the_endpoint_that_works_is_known_after_a_restart(world: World) -> None:
    """`world` runs a bot already; the second one is its restart."""
    await world.link(ADA)
    world.spotify.generations = {"library"}
    await (await world.save(FIRST)).message()
    await world.idle()
    assert [call for call in world.calls() if call[1].startswith("/v1/me/albums")] != []
    known = await world.bot.storage.apps.get(SPOTIFY_ID)
    assert known.album_endpoint == "library"
    world.spotify.calls.clear()
    restarted = attrs.evolve(world.settings, database_path=await _copied(world))
    async with built(restarted, lambda is_connected: None) as services:
        access = await services.tokens.access(ADA)
        assert await services.spotify.contains(access, [FIRST, SECOND]) == {FIRST: True, SECOND: False}
    assert [path for _, path in world.calls()] == ["/v1/me/library/contains"]


async def _copied(world: World) -> Path:
    """The database as a restart finds it; the one that runs keeps its own."""
    file = world.settings.database_path.with_name("restarted.db")
    await world.bot.storage.database.backup(file)
    return file


async def test_everything_that_repeats_is_scheduled_while_the_bot_runs(world: World) -> None:
    wanted = {"disk", "storage sweep", "library sweep", "outbox sweep", "link attempts sweep", "renewal timers"}
    async with asyncio.timeout(60):
        while not wanted <= await world.bot.storage.database.read(
            lambda c: {row["kind"] for row in c.execute("SELECT kind FROM timers")}
        ):
            await asyncio.sleep(0.01)
