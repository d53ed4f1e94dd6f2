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

from bot.disk import free_bytes
from bot.doctor import disk
from bot.doctor.address import check_address, check_certificate
from bot.doctor.asking import Asker
from bot.doctor.discord_app import check_discord
from bot.doctor.finding import Finding, failed, ok, skipped
from bot.doctor.spotify_app import check_spotify
from bot.errors import TryLater
from bot.logs import HIDDEN, SHORTEST
from bot.settings import Settings, SettingsError
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint
from bot.storage import StorageError
from bot.storage.apps import KnownApp
from bot.storage.glance import Glance, glance
from bot.storage.steps import is_in_use

FRESH_S = 60
"""A member's access is tried only if it is good for so much longer."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What the checks look through. `tls`: whose certificates are trusted; None: what this machine trusts."""

    tls: ssl.SSLContext | None = None
    now: Callable[[], float] = time.time
    free: disk.Free = free_bytes


async def examine(
    load: Callable[[], Settings], env_file: Path | None, instruments: Instruments | None = None
) -> AsyncIterator[Finding]:
    """Every finding, as soon as it and all before it are known. `load`: reads the settings, SettingsError if wrong."""
    instruments = instruments or Instruments()
    try:
        settings = load()
    except SettingsError as error:
        for problem in error.problems:
            yield failed("settings", problem, "")
        yield skipped("everything-else", "The settings come first.", "`gatefold setup` asks for them one by one.")
        return
    secrets = sorted((secret for secret in settings.secrets() if len(secret) >= SHORTEST), key=len, reverse=True)
    yield ok("settings", "Every setting can be read.")
    async for finding in _examine(settings, env_file, instruments):
        # No sentence holds one; should one ever do, it goes no further.
        yield _without(finding, secrets)


async def _examine(settings: Settings, env_file: Path | None, instruments: Instruments) -> AsyncIterator[Finding]:
    for finding in (*disk.check_files(settings, env_file), disk.check_disk(settings, instruments.free)):
        yield finding
    yield disk.check_backups(settings)
    is_running, look, trouble = await asyncio.to_thread(_look, settings, instruments.now())
    for finding in disk.check_database(settings, look, trouble):
        yield finding
    for finding in await _outside(settings, instruments, look, is_running=is_running):
        yield finding


async def _outside(
    settings: Settings, instruments: Instruments, look: Glance | None, *, is_running: bool
) -> list[Finding]:
    """All that goes over the network, side by side."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        asker = Asker(session, tls=instruments.tls, now=instruments.now)
        spotify = _spotify(session, settings, look.app if look else KnownApp())
        address, certificate, at_discord, at_spotify = await asyncio.gather(
            check_address(asker, settings, is_running=is_running),
            check_certificate(settings, tls=instruments.tls, now=instruments.now),
            check_discord(asker, settings),
            check_spotify(spotify, settings, look),
        )
    return [*address, certificate, *at_discord, *at_spotify]


def _look(settings: Settings, now: float) -> tuple[bool, Glance | None, str | None]:
    """Whether a bot runs; what the database holds, if there is one; why it cannot be read, if so."""
    path = settings.database_path
    try:
        is_running = is_in_use(path)
        if not path.exists():
            return is_running, None, None
        good_until = datetime.fromtimestamp(now + FRESH_S, UTC)
        return is_running, glance(path, settings.sealing_keys(), settings.spotify_client_id, good_until), None
    except StorageError as error:
        return False, None, str(error)
    except OSError as error:
        return False, None, f"{path} cannot be read ({error.strerror})."


def _spotify(session: aiohttp.ClientSession, settings: Settings, known: KnownApp) -> Spotify:
    """The bot's own client, behind a gate that is closed as long as the bot's; what is learned is not stored."""
    return Spotify(
        session,
        api_url=settings.spotify_api_url,
        accounts_url=settings.spotify_accounts_url,
        client_id=settings.spotify_client_id,
        client_secret=settings.spotify_secret,
        gate=Gate(
            closed_until=known.closed_until,
            closed_by=TryLater.Cause(known.closed_by) if known.closed_by else None,
        ),
        endpoint=settings.spotify_album_endpoint,
        works=Endpoint(known.album_endpoint) if known.album_endpoint else None,
    )


def _without(finding: Finding, secrets: list[str]) -> Finding:
    sentence, to_do = finding.sentence, finding.to_do
    for secret in secrets:
        sentence, to_do = sentence.replace(secret, HIDDEN), to_do.replace(secret, HIDDEN)
    return replace(finding, sentence=sentence, to_do=to_do)
