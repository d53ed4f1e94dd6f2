"""Checks at Discord: the token, the app behind it as the developer portal has it, and the client secret."""

from __future__ import annotations

from typing import Any

import aiohttp

from bot.admin.doctor.check_result import CheckResult, failed, ok, printable, skipped, warning
from bot.admin.doctor.http_probe import Answer, HttpProbe, Unreachable
from bot.settings import Settings

# Presence, server members, message content; each with its `limited` form for apps that are not verified.
# https://discord.com/developers/docs/resources/application#application-object-application-flags
PRIVILEGED = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 18 | 1 << 19
MOST_AHEAD_S = 5.0
FAR_AHEAD_S = 60.0
_TOKEN = "discord-token"  # noqa: S105 - the names of checks
_SECRET = "discord-secret"  # noqa: S105
_ABOUT_APP = ("discord-app", "discord-intents", "discord-commands", "discord-redirect", "discord-install")
_PORTAL = "in Discord's developer portal"


async def check_discord(probe: HttpProbe, settings: Settings) -> list[CheckResult]:
    """The token, the app, the secret, and the clock by Discord's."""
    bot_token = f"Bot {settings.discord_token.get_secret_value()}"
    api = settings.discord_api_url
    try:
        me = await probe.ask("GET", f"{api}/users/@me", authorization=bot_token)
    except Unreachable as reason:
        return [
            failed(
                _TOKEN,
                f"Discord cannot be reached: {reason}.",
                "Look whether this machine reaches the internet, and whether DISCORD_API_URL is right.",
            ),
            *(skipped(name, "Discord cannot be reached.") for name in (*_ABOUT_APP, _SECRET, "clock")),
        ]
    token = _token(me)
    if me.status == 200:
        about_app = await _about_app(probe, settings, bot_token)
    else:
        about_app = [skipped(name, "Discord tells only whom it knows the token of.") for name in _ABOUT_APP]
    return [token, *about_app, await _secret(probe, settings), _clock(me)]


def _token(me: Answer) -> CheckResult:
    match me.status:
        case 200:
            return ok(_TOKEN, f"Discord knows the bot as {printable(str(me.data().get('username')))[:80]}.")
        case 401:
            return failed(
                _TOKEN,
                "Discord refuses DISCORD_TOKEN.",
                f"Press Reset Token on the Bot page {_PORTAL}, and write the new one into DISCORD_TOKEN.",
            )
        case status:
            return _no_word(_TOKEN, status)


def _no_word(name: str, status: int) -> CheckResult:
    return warning(name, f"Discord answered {status}, which says nothing about it.", "Try again in a few minutes.")


async def _about_app(probe: HttpProbe, settings: Settings, bot_token: str) -> list[CheckResult]:
    try:
        answer = await probe.ask("GET", f"{settings.discord_api_url}/oauth2/applications/@me", authorization=bot_token)
    except Unreachable as reason:
        return [skipped(name, f"Discord did not tell about the app: {reason}.") for name in _ABOUT_APP]
    if answer.status != 200:
        return [_no_word(name, answer.status) for name in _ABOUT_APP]
    app = answer.data()
    return [_id(app, settings), _intents(app), _commands(app), _redirect(app, settings), _install(app)]


def _id(app: dict[str, Any], settings: Settings) -> CheckResult:
    if app.get("id") == settings.discord_client_id:
        return ok("discord-app", f"DISCORD_CLIENT_ID is the app of this token: {printable(str(app.get('name')))[:80]}.")
    return failed(
        "discord-app",
        f"DISCORD_TOKEN belongs to the app {printable(str(app.get('id')))[:20]}, "
        f"DISCORD_CLIENT_ID says {settings.discord_client_id}.",
        f"Take the token, the client id and the client secret from one and the same app {_PORTAL}.",
    )


def _intents(app: dict[str, Any]) -> CheckResult:
    flags = app.get("flags")
    if not isinstance(flags, int):
        return skipped("discord-intents", "Discord did not tell about the intents.")
    if flags & PRIVILEGED:
        return warning(
            "discord-intents",
            "The app may ask for privileged intents. The bot needs none of them.",
            f"Switch off all three Privileged Gateway Intents on the Bot page {_PORTAL}.",
        )
    return ok("discord-intents", "No privileged intent is switched on, and none is needed.")


def _commands(app: dict[str, Any]) -> CheckResult:
    if app.get("interactions_endpoint_url"):
        return failed(
            "discord-commands",
            "Discord sends all commands to an Interactions Endpoint URL, so the bot never sees one.",
            f"Empty Interactions Endpoint URL on the General Information page {_PORTAL}.",
        )
    return ok("discord-commands", "Commands come to the bot: no Interactions Endpoint URL is set.")


def _redirect(app: dict[str, Any], settings: Settings) -> CheckResult:
    registered = app.get("redirect_uris")
    if not isinstance(registered, list):
        return skipped(
            "discord-redirect",
            "Discord did not tell which redirects are registered.",
            f"Look whether {settings.redirect_to_discord} is among them.",
        )
    if settings.redirect_to_discord in registered:
        return ok("discord-redirect", f"{settings.redirect_to_discord} is registered at Discord.")
    return failed(
        "discord-redirect",
        f"{settings.redirect_to_discord} is not registered at Discord, so nobody can link.",
        f"Add exactly this under Redirects on the OAuth2 page {_PORTAL}.",
    )


def _install(app: dict[str, Any]) -> CheckResult:
    kinds = app.get("integration_types_config")
    if not isinstance(kinds, dict):
        return skipped("discord-install", "Discord did not tell how the app is installed.")
    in_servers = _scopes(kinds.get("0"))
    if in_servers is None or "bot" not in in_servers or "applications.commands" not in in_servers:
        return warning(
            "discord-install",
            "The install link does not bring both the commands and the bot into a server.",
            "Choose the scopes `bot` and `applications.commands` for Guild Install on the Installation page "
            f"{_PORTAL}, and invite the bot anew.",
        )
    if "1" not in kinds:
        return warning(
            "discord-install",
            "Members cannot install the app to their own account.",
            f"Tick User Install on the Installation page {_PORTAL}, if you want that.",
        )
    return ok("discord-install", "The app can be installed in servers and by members.")


def _scopes(kind: object) -> list[object] | None:
    params = kind.get("oauth2_install_params") if isinstance(kind, dict) else None
    scopes = params.get("scopes") if isinstance(params, dict) else None
    return scopes if isinstance(scopes, list) else None


async def _secret(probe: HttpProbe, settings: Settings) -> CheckResult:
    """Tried with a code that cannot be right: a good secret hears `invalid_grant`, a bad one `invalid_client`."""
    secret = settings.discord_client_secret.get_secret_value()
    try:
        answer = await probe.ask(
            "POST",
            f"{settings.discord_api_url}/oauth2/token",
            authorization=aiohttp.encode_basic_auth(settings.discord_client_id, secret),
            form={
                "grant_type": "authorization_code",
                "code": "gatefold-doctor",
                "redirect_uri": settings.redirect_to_discord,
            },
        )
    except Unreachable as reason:
        return failed(_SECRET, f"The secret could not be tried: {reason}.", "Try again in a few minutes.")
    error = answer.data().get("error")
    if error == "invalid_grant":
        return ok(_SECRET, "Discord takes DISCORD_CLIENT_SECRET.")
    if error == "invalid_client" or answer.status == 401:
        return failed(
            _SECRET,
            "Discord refuses DISCORD_CLIENT_ID with DISCORD_CLIENT_SECRET.",
            f"Press Reset Secret on the OAuth2 page {_PORTAL}, and write the new one into DISCORD_CLIENT_SECRET.",
        )
    return _no_word(_SECRET, answer.status)


def _clock(answer: Answer) -> CheckResult:
    if answer.ahead_s is None:
        return skipped("clock", "Discord did not tell the time.")
    by = abs(answer.ahead_s)
    if by <= MOST_AHEAD_S:
        return ok("clock", "This machine's clock goes with Discord's.")
    sentence = f"This machine's clock is {by:.0f} s {'ahead of' if answer.ahead_s > 0 else 'behind'} Discord's."
    to_do = "Let the system keep the time, for example: timedatectl set-ntp true"
    return (failed if by > FAR_AHEAD_S else warning)("clock", sentence, to_do)
