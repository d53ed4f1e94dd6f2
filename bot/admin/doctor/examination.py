"""All checks, in the order in which a host reads them. Nothing is changed, and nobody's access is renewed."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bot.admin.doctor import disk
from bot.admin.doctor.address import check_address, check_certificate
from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped
from bot.admin.doctor.discord_app import check_discord
from bot.admin.doctor.http_probe import HttpProbe
from bot.admin.doctor.spotify_app import check_spotify
from bot.errors import TryLater
from bot.logs import HIDDEN, SHORTEST
from bot.monitoring.disk import free_bytes
from bot.settings import Settings, SettingsError
from bot.spotify.app import AlbumEndpoint, App, Health
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint
from bot.storage import StorageStartupError
from bot.storage.apps import KnownApp
from bot.storage.schema_status import is_in_use
from bot.storage.snapshot import Snapshot, glance

FRESH_S = 60
"""A member's access is tried only if it is good for so much longer."""


@dataclass(frozen=True, slots=True)
class CheckEnvironment:
    """What the checks look through. `tls`: whose certificates are trusted; None: what this machine trusts."""

    tls: ssl.SSLContext | None = None
    now: Callable[[], float] = time.time
    free: disk.Free = free_bytes


async def examine(
    load: Callable[[], Settings], env_file: Path | None, environment: CheckEnvironment | None = None
) -> AsyncIterator[CheckResult]:
    """Every finding, as soon as it and all before it are known. `load`: reads the settings, SettingsError if wrong."""
    environment = environment or CheckEnvironment()
    try:
        settings = load()
    except SettingsError as error:
        for problem in error.problems:
            yield failed("settings", problem, "")
        yield skipped("everything-else", "The settings come first.", "`gatefold setup` asks for them one by one.")
        return
    secrets = sorted((secret for secret in settings.secrets() if len(secret) >= SHORTEST), key=len, reverse=True)
    yield ok("settings", "Every setting can be read.")
    async for result in _examine(settings, env_file, environment):
        # No sentence holds one; should one ever do, it goes no further.
        yield _without(result, secrets)


async def _examine(
    settings: Settings, env_file: Path | None, environment: CheckEnvironment
) -> AsyncIterator[CheckResult]:
    for result in (*disk.check_files(settings, env_file), disk.check_disk(settings, environment.free)):
        yield result
    yield disk.check_backups(settings)
    is_running, look, trouble = await asyncio.to_thread(_look, settings, environment.now())
    for result in disk.check_database(settings, look, trouble):
        yield result
    for result in await _outside(settings, environment, look, is_running=is_running):
        yield result


async def _outside(
    settings: Settings, environment: CheckEnvironment, look: Snapshot | None, *, is_running: bool
) -> list[CheckResult]:
    """All that goes over the network, side by side."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        probe = HttpProbe(session, tls=environment.tls, now=environment.now)
        spotify = Spotify(
            session,
            api_url=settings.spotify_api_url,
            accounts_url=settings.spotify_accounts_url,
            oembed_url=settings.spotify_oembed_url,
            observe=_unobserved,
        )
        app = _app(settings, look.app if look else KnownApp())
        address, certificate, at_discord, at_spotify = await asyncio.gather(
            check_address(probe, settings, is_running=is_running),
            check_certificate(settings, tls=environment.tls, now=environment.now),
            check_discord(probe, settings),
            check_spotify(spotify, app, settings, look),
        )
    return [*address, certificate, *at_discord, *at_spotify]


def _look(settings: Settings, now: float) -> tuple[bool, Snapshot | None, str | None]:
    """Whether a bot runs; what the database holds, if there is one; why it cannot be read, if so."""
    path = settings.database_path
    try:
        is_running = is_in_use(path)
        if not path.exists():
            return is_running, None, None
        good_until = datetime.fromtimestamp(now + FRESH_S, UTC)
        return is_running, glance(path, settings.sealing_keys(), settings.spotify_client_id, good_until), None
    except StorageStartupError as error:
        return False, None, str(error)
    except OSError as error:
        return False, None, f"{path} cannot be read ({error.strerror})."


def _app(settings: Settings, known: KnownApp) -> App:
    """The host's app, behind a gate that is closed as long as the bot's; what is learned is not stored."""

    async def learned(endpoint: Endpoint) -> None:
        pass

    return App(
        settings.spotify_client_id,
        settings.spotify_secret,
        Gate(
            closed_until=known.closed_until,
            closed_by=TryLater.Cause(known.closed_by) if known.closed_by else None,
        ),
        AlbumEndpoint(
            settings.spotify_album_endpoint,
            known=Endpoint(known.album_endpoint) if known.album_endpoint else None,
            remember=learned,
        ),
        Health(None),
    )


def _unobserved(call: str, outcome: int | str, seconds: float) -> None:
    """Nobody counts the doctor's calls."""


def _without(result: CheckResult, secrets: list[str]) -> CheckResult:
    sentence, to_do = result.sentence, result.to_do
    for secret in secrets:
        sentence, to_do = sentence.replace(secret, HIDDEN), to_do.replace(secret, HIDDEN)
    return replace(result, sentence=sentence, to_do=to_do)
