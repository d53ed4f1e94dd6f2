"""All checks, in the order in which a host reads them. Nothing is changed, and no member's access is refreshed."""

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
from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped, warning
from bot.admin.doctor.discord_app import check_discord
from bot.admin.doctor.http_probe import HttpProbe
from bot.admin.doctor.spotify_app import check_spotify
from bot.errors import TryLater
from bot.logs import HIDDEN
from bot.monitoring.disk import free_bytes
from bot.settings import Settings, SettingsError, ignored
from bot.spotify.app import AlbumEndpoint, App, Health
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint
from bot.storage import StorageStartupError
from bot.storage.apps import KnownApp
from bot.storage.schema_status import is_in_use
from bot.storage.snapshot import Snapshot, read_snapshot

FRESH_S = 60
"""A member's access token is used only if it stays valid for at least this long."""
REAL = 16
"""A shorter secret is a placeholder or a word, and hiding it would garble sentences. Real ones have 32 characters or more."""


@dataclass(frozen=True, slots=True)
class CheckEnvironment:
    """What the checks depend on. `tls`: whose certificates are trusted; None: what this machine trusts."""

    tls: ssl.SSLContext | None = None
    now: Callable[[], float] = time.time
    free: disk.Free = free_bytes


async def examine(
    load: Callable[[], Settings], env_file: Path | None, environment: CheckEnvironment | None = None
) -> AsyncIterator[CheckResult]:
    """Every result, as soon as it and all before it are known. `load`: reads the settings, SettingsError if wrong."""
    environment = environment or CheckEnvironment()
    for sentence in ignored(env_file) if env_file is not None else ():
        yield warning("settings-ignored", sentence, "Correct it, or remove it.")
    try:
        settings = load()
    except SettingsError as error:
        for problem in error.problems:
            yield failed("settings", problem, "")
        to_do = "`gatefold setup` asks for them one by one." if error.can_be_asked_for else ""
        yield skipped("everything-else", "Skipped: fix the settings first.", to_do)
        return
    secrets = sorted((secret for secret in settings.secrets() if len(secret) >= REAL), key=len, reverse=True)
    yield ok("settings", "All settings can be read.")
    async for result in _examine(settings, env_file, environment):
        # No sentence contains a secret. If one ever does, it goes no further.
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
    async for result in _outside(settings, environment, look, is_running=is_running):
        yield result


async def _outside(
    settings: Settings, environment: CheckEnvironment, look: Snapshot | None, *, is_running: bool
) -> AsyncIterator[CheckResult]:
    """Everything that goes over the network: made at the same time, yielded in order."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session, asyncio.TaskGroup() as group:
        probe = HttpProbe(session, tls=environment.tls, now=environment.now)
        spotify = spotify_transport(session, settings)
        app = host_app(settings, look.app if look else KnownApp())
        address = group.create_task(check_address(probe, settings, is_running=is_running))
        certificate = group.create_task(check_certificate(settings, tls=environment.tls, now=environment.now))
        at_discord = group.create_task(check_discord(probe, settings))
        at_spotify = group.create_task(check_spotify(spotify, app, settings, look))
        for result in await address:
            yield result
        yield await certificate
        for task in (at_discord, at_spotify):
            for result in await task:
                yield result


def _look(settings: Settings, now: float) -> tuple[bool, Snapshot | None, str | None]:
    """Whether a bot runs; what is in the database, if there is one; why it cannot be read, if so."""
    path = settings.database_path
    try:
        is_running = is_in_use(path)
        if not path.exists():
            return is_running, None, None
        good_until = datetime.fromtimestamp(now + FRESH_S, UTC)
        return is_running, read_snapshot(path, settings.sealing_keys(), settings.spotify_client_id, good_until), None
    except StorageStartupError as error:
        return False, None, str(error)
    except OSError as error:
        return False, None, f"{path} cannot be read ({error.strerror})."


def spotify_transport(session: aiohttp.ClientSession, settings: Settings) -> Spotify:
    """Calls to Spotify that nobody counts."""
    return Spotify(
        session,
        api_url=settings.spotify_api_url,
        accounts_url=settings.spotify_accounts_url,
        oembed_url=settings.spotify_oembed_url,
        observe=lambda call, outcome, seconds: None,
    )


def host_app(settings: Settings, known: KnownApp) -> App:
    """The host's app, with a gate that stays closed as long as the bot's. What is learned is not stored."""

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


def _without(result: CheckResult, secrets: list[str]) -> CheckResult:
    sentence, to_do = result.sentence, result.to_do
    for secret in secrets:
        sentence, to_do = sentence.replace(secret, HIDDEN), to_do.replace(secret, HIDDEN)
    return replace(result, sentence=sentence, to_do=to_do)
