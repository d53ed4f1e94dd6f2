"""Tries one answer at the platform that it comes from, during `gatefold setup`."""

from __future__ import annotations

import aiohttp

from bot.admin.doctor import discord_app
from bot.admin.doctor.check_result import CheckResult, Verdict, printable
from bot.admin.doctor.examination import host_app, spotify_transport
from bot.admin.doctor.http_probe import HttpProbe, Unreachable
from bot.admin.setup.conversation import Tried
from bot.errors import AppRejected, UserError
from bot.settings import Settings
from bot.storage.apps import KnownApp


async def tried(name: str, settings: Settings) -> Tried:
    """What the platform says about one setting. Without a problem where the platform cannot be reached."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        probe = HttpProbe(session)
        try:
            match name:
                case "DISCORD_TOKEN":
                    return await _token(probe, settings)
                case "DISCORD_CLIENT_ID":
                    return await _client_id(probe, settings)
                case "DISCORD_CLIENT_SECRET":
                    return _as_tried(await discord_app.check_client_secret(probe, settings))
                case "SPOTIFY_CLIENT_ID":
                    return await _spotify_id(session, settings)
                case "SPOTIFY_CLIENT_SECRET":
                    return await _spotify_secret(session, settings)
        except Unreachable as reason:
            return Tried(note=f"This was not checked, because Discord cannot be reached: {reason}.")
    return Tried()


async def _token(probe: HttpProbe, settings: Settings) -> Tried:
    answer = await discord_app.ask_who(probe, settings)
    found = _as_tried(discord_app.token_result(answer))
    if answer.status != 200:
        return found
    id_ = (await discord_app.ask_app(probe, settings)).data().get("id")
    suggestions = {"DISCORD_CLIENT_ID": printable(id_)} if isinstance(id_, str) and id_.isdecimal() else {}
    return Tried(note=found.note, suggestions=suggestions)


async def _client_id(probe: HttpProbe, settings: Settings) -> Tried:
    answer = await discord_app.ask_app(probe, settings)
    if answer.status != 200:
        return Tried(note="Discord did not say which app the token belongs to, so this was not checked.")
    return _as_tried(discord_app.app_result(answer.data(), settings))


async def _spotify_id(session: aiohttp.ClientSession, settings: Settings) -> Tried:
    spotify = spotify_transport(session, settings)
    try:
        refused = await spotify.consent_refused(settings.spotify_client_id, settings.redirect_to_spotify)
    except UserError:
        return Tried(note="Spotify cannot be reached, so this was not checked.")
    # That the redirect URI is not registered yet is no surprise: setup ends by saying so.
    if refused is not None and "redirect" not in refused.casefold():
        return Tried(
            "Spotify does not know this client id. Copy it again from your app's settings. If you typed the client secret "
            "here, create a new one, because it was shown."
        )
    return Tried()


async def _spotify_secret(session: aiohttp.ClientSession, settings: Settings) -> Tried:
    try:
        await spotify_transport(session, settings).app_token(host_app(settings, KnownApp()))
    except AppRejected:
        return Tried("Spotify does not accept this secret with SPOTIFY_CLIENT_ID. Copy both from the same app.")
    except UserError:
        return Tried(note="Spotify cannot be reached, so this was not checked.")
    return Tried(note="Spotify accepts the client id and the secret.")


def _as_tried(result: CheckResult) -> Tried:
    if result.verdict is Verdict.FAILED:
        return Tried(f"{result.sentence} {result.to_do}")
    return Tried(note=result.sentence)
