"""The stage: the real bot between SimCord's Discord, its chat page, and our stand-in for Spotify.

Nothing in the bot knows that it is here: the stand-ins are only other addresses in the settings, Discord is replaced
inside discord.py by SimCord, and first answers, which do not go through discord.py, are led there.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import discord
import simcord
from discord.http import Route
from simcord.backend import Backend

from bot import app
from bot.chat.client import Client
from bot.chat.first_answers import File, FirstAnswers
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.clock import Clock, pass_time
from bot.sandbox.discord_login import DiscordLogin
from bot.sandbox.files import Files
from bot.sandbox.portraits import BOT, portrait
from bot.sandbox.site_links import SiteLinks
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.standin import free_port
from bot.settings import Settings, from_values
from bot.storage.vault import new_key

MEMBERS = ("Ada", "Ben", "Chloe")
CURATOR = "Ada"
"""Who may use the curators' commands and manage messages."""
SETTLE_S = 30.0
"""How long the bot may take over an action before SimCord gives up."""
KEEPALIVE_S = 86_400.0
"""Of connections to the stand-ins: SimCord waits for every timer that could fire soon."""
_CLIENT_ID, _CLIENT_SECRET = "sandbox-spotify-app", "sandbox-spotify-secret"
_APPLICATION, _DISCORD_SECRET = str(Backend().application_id), "sandbox-discord-secret"
"""The application is the same in each of SimCord's Discords."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything on the stage, running."""

    clock: Clock
    env: simcord.Env
    channel: simcord.ChannelHandle
    members: dict[str, simcord.MemberActor]
    spotify: SpotifyServer
    services: app.Services
    links: SiteLinks

    def catch_up(self) -> None:
        """Let SimCord's clock show what the bot's shows."""
        catch_up(self.env, self.clock)

    async def pass_time(self, by: timedelta) -> None:
        """Move the clock ahead; what becomes due on the way happens at its time."""
        await pass_time(self.services, self.clock, by, self.catch_up)


@asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Build the stage: three members of one server, three Spotify accounts, nobody linked yet."""
    clock = Clock()
    async with (
        stand_ins(clock, MEMBERS) as (spotify, login, settings),
        built(settings, clock) as services,
        simcord.run(services.client, settle_timeout=SETTLE_S, check_errors=False) as env,
    ):
        catch_up(env, clock)
        files = env.backend.cdn = Files(login.base_url, login.files)
        env.backend.edit_bot_profile(BOT)
        guild = env.create_guild("The Record Shop")
        channel = guild.create_text_channel("albums")
        curators = guild.create_role(
            "Curators", permissions=discord.Permissions(manage_guild=True, manage_messages=True)
        )
        members = {}
        for name in MEMBERS:
            user = env.create_user(name.lower(), global_name=name)
            members[name] = guild.add_member(user, roles=[curators] if name == CURATOR else [])
            files.set_picture(env.backend.get_user(user.id), portrait(name))
        files.set_picture(env.backend.bot_user, portrait(BOT))
        login.users.update({member.id: name for name, member in members.items()})
        links = SiteLinks(spotify.base_url)
        stage = Stage(clock, env, channel, members, spotify, services, links)
        async with (
            app.website(services, links.amend),
            app.scheduled(services),
            app.working(services),
        ):
            yield stage


@asynccontextmanager
async def built(settings: Settings, clock: Clock) -> AsyncIterator[app.Services]:
    """The bot, not started yet."""
    async with app.built(
        settings, lambda is_connected: None, keepalive_s=KEEPALIVE_S, now=clock.now, monotonic=clock.monotonic
    ) as services:
        services.reply.first_answers = FirstAnswers(partial(_send, services.client))
        yield services


@asynccontextmanager
async def stand_ins(
    clock: Clock, members: Iterable[str]
) -> AsyncIterator[tuple[SpotifyServer, DiscordLogin, Settings]]:
    """Spotify, with an account for each member, and Discord's login, both running, and the settings that lead there."""
    spotify = SpotifyServer(
        client_id=_CLIENT_ID,
        client_secret=_CLIENT_SECRET,
        redirect_uris=[],
        catalogue=Catalogue(),
        clock=clock.time,
    )
    login = DiscordLogin(client_id=_APPLICATION, client_secret=_DISCORD_SECRET, redirect_uris=[], clock=clock.time)
    for name in members:
        spotify.add_account(name.lower(), account_id=f"account-{name.lower()}", display_name=f"{name}’s music")
    with tempfile.TemporaryDirectory(prefix="gatefold-sandbox-") as folder:
        async with spotify.running() as spotify_url, login.running() as login_url:
            settings = _settings(Path(folder), spotify_url, login_url)
            spotify.redirect_uris.add(settings.redirect_to_spotify)
            login.redirect_uris.add(settings.redirect_to_discord)
            yield spotify, login, settings


def catch_up(env: simcord.Env, clock: Clock) -> None:
    """Let SimCord's clock, which begins in a year of its own, show what ours shows.

    Not through `advance_time`: an action on the page that meets it is refused, and the page then stays dead.
    """
    env.backend.advance_clock(max(0.0, (clock.now() - env.now()).total_seconds()))


def _settings(folder: Path, spotify_url: str, login_url: str) -> Settings:
    port = free_port()
    return from_values(
        discord_token="sandbox",
        discord_client_id=_APPLICATION,
        discord_client_secret=_DISCORD_SECRET,
        spotify_client_id=_CLIENT_ID,
        spotify_client_secret=_CLIENT_SECRET,
        message_content=True,
        public_url=f"http://127.0.0.1:{port}",
        web_port=port,
        database_path=folder / "gatefold.db",
        token_keys=new_key(),
        discord_api_url=f"{login_url}/api/v10",
        discord_authorize_url=f"{login_url}/oauth2/authorize",
        spotify_api_url=f"{spotify_url}/v1",
        spotify_accounts_url=spotify_url,
        spotify_short_link_url=spotify_url,
        spotify_oembed_url=f"{spotify_url}/oembed",
    )


async def _send(client: Client, id_: int, token: str, body: dict[str, Any], file: File | None) -> None:
    """A first answer, by the way that SimCord listens at."""
    path = "/interactions/{webhook_id}/{webhook_token}/callback"
    route = Route("POST", path, webhook_id=id_, webhook_token=token)
    if file is None:
        await client.http.request(route, json=body)
        return
    sent = discord.File(io.BytesIO(file[1]), file[0])
    payload = {"name": "payload_json", "value": json.dumps(body)}
    part = {"name": "files[0]", "value": sent.fp, "filename": sent.filename, "content_type": "application/octet-stream"}
    await client.http.request(route, form=[payload, part], files=[sent])
