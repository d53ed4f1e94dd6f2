"""A whole world on loopback: the real bot between a wire-level Discord and a strict Spotify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot import app
from bot.caller import MemberId
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.standin import free_port
from bot.settings import Settings, from_values
from bot.spotify.app import App
from bot.storage.links import Link
from tests.discord_wire import DiscordWire, WireInteraction

APP = 1_100_000_000_000_000_001
ADA, BEN, CHLOE = 200_000_000_000_000_001, 200_000_000_000_000_002, 200_000_000_000_000_003
FIRST, SECOND = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX"
KEY = "c2VhbGluZyBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE"
BOT_TOKEN = "MTEwMDAwMDAwMDAwMDAwMDAwMQ.GxFake.discord-bot-token-of-the-tests"
DISCORD_SECRET = "discord-client-secret-of-the-tests"
SPOTIFY_ID = "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d"
SPOTIFY_SECRET = "spotify-client-secret-of-the-tests"


@dataclass
class World:
    """The two platforms, the settings between them, and the bot while it runs."""

    discord: DiscordWire
    spotify: SpotifyServer
    settings: Settings
    services: app.Services | None = None
    _ahead: timedelta = timedelta()

    @property
    def bot(self) -> app.Services:
        """The running bot."""
        assert self.services is not None
        return self.services

    @property
    def app(self) -> App:
        """The host's Spotify app."""
        assert self.bot.apps.host is not None
        return self.bot.apps.host

    @asynccontextmanager
    async def running(self) -> AsyncIterator[app.Services]:
        """The real bot, from its start to its clean stop."""
        async with app.built(self.settings, lambda is_connected: None, now=self.now) as services:
            self.services = services
            async with app.website(services), app.scheduled(services):
                chat = app._chat(services)
                try:
                    await self._ready(chat)
                    yield services
                finally:
                    chat.cancel()
                    await asyncio.gather(chat, return_exceptions=True)
            self.services = None

    def now(self) -> datetime:
        """The wall clock of the bot and of Discord, which tests move with `ahead`."""
        return datetime.now(UTC) + self._ahead

    @property
    def ahead(self) -> timedelta:
        """How far the clock was moved."""
        return self._ahead

    @ahead.setter
    def ahead(self, ahead: timedelta) -> None:
        self._ahead = ahead
        self.discord.ahead_s = ahead.total_seconds()

    async def _ready(self, chat: asyncio.Task[None]) -> None:
        async with asyncio.timeout(60):
            while not self.bot.client.is_connected:
                if chat.done():
                    chat.result()
                await asyncio.sleep(0.005)

    async def link(
        self, member: int, account: str = "ada", *, name: str | None = None, age: timedelta = timedelta()
    ) -> None:
        """Link a member without the browser: tokens as the flow would have stored them."""
        if account not in self.spotify.accounts:
            self.spotify.add_account(account, account_id=f"acc-{account}", display_name=name or account.title())
        known = self.spotify.accounts[account]
        access, refresh = self.spotify.issue_tokens(account)
        now = datetime.now(UTC) - age
        assert known.account_id is not None
        link = Link(member, SPOTIFY_ID, known.account_id, known.display_name or account, now, now, None)
        await self.bot.storage.links.put(link, access, refresh, now + timedelta(hours=1))

    def saved(self, account: str = "ada") -> list[str]:
        """The albums in an account's library."""
        return list(self.spotify.accounts[account].saved)

    def calls(self, *, to: str = "/v1") -> list[tuple[str, str]]:
        """Method and path of the calls to Spotify so far."""
        return [(call.method, call.path) for call in self.spotify.calls if call.path.startswith(to)]

    async def save(self, text: str, member: int = ADA, **where: Any) -> WireInteraction:
        """`/save`."""
        return await self.discord.slash(member, "save", {"albums": text}, **where)

    async def unsave(self, text: str, member: int = ADA, **where: Any) -> WireInteraction:
        """`/unsave`."""
        return await self.discord.slash(member, "unsave", {"albums": text}, **where)

    async def idle(self, member: int = ADA) -> None:
        """Until nothing is pending or under way for a member."""
        async with asyncio.timeout(60):
            while True:
                bot = self.bot
                is_quiet = bot.library.is_idle and bot.delivery.is_idle and not bot.reply.open
                is_done = is_quiet and not await bot.library.pending(MemberId(member))
                if is_done and not await bot.storage.outbox.open_count():
                    await bot.storage.changes.note_answers()
                    return
                await asyncio.sleep(0.01)


@asynccontextmanager
async def made(folder: Path, **overrides: Any) -> AsyncIterator[World]:
    """The platforms, running; the bot is started with `running()`."""
    port = free_port()
    public_url = f"http://127.0.0.1:{port}"
    secret = overrides.pop("spotify_client_secret", SPOTIFY_SECRET)
    spotify = SpotifyServer(
        client_id=SPOTIFY_ID,
        client_secret=secret or None,
        redirect_uris={f"{public_url}/callback/spotify"},
        catalogue=Catalogue(),
    )
    discord = DiscordWire(application_id=APP, bot_token=BOT_TOKEN, client_secret=DISCORD_SECRET)
    async with discord.running(), spotify.running() as spotify_url:
        values: dict[str, Any] = {
            "discord_token": BOT_TOKEN,
            "discord_client_id": str(APP),
            "discord_client_secret": DISCORD_SECRET,
            "spotify_client_id": SPOTIFY_ID,
            "spotify_client_secret": secret,
            "public_url": public_url,
            "web_port": port,
            "database_path": folder / "gatefold.db",
            "token_keys": KEY,
            "discord_api_url": discord.api_url,
            "discord_gateway_url": discord.gateway_url,
            "discord_cdn_url": discord.cdn_url,
            "spotify_api_url": f"{spotify_url}/v1",
            "spotify_accounts_url": spotify_url,
            "spotify_short_link_url": spotify_url,
            "spotify_oembed_url": f"{spotify_url}/oembed",
            **overrides,
        }
        yield World(discord, spotify, from_values(**values))
