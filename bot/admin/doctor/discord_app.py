"""Checks at Discord: the token, the app's configuration in the developer portal, and the client secret."""

from __future__ import annotations

from typing import Any

import aiohttp

from bot.admin.doctor.check_result import CheckResult, failed, ok, printable, skipped, warning
from bot.admin.doctor.http_probe import Answer, HttpProbe, Unreachable
from bot.settings import Settings

# Presence and server members, message content; each with its `limited` form for apps that are not verified.
# https://discord.com/developers/docs/resources/application#application-object-application-flags
UNUSED = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15
MESSAGE_CONTENT = 1 << 18 | 1 << 19
MOST_AHEAD_S = 5.0
FAR_AHEAD_S = 60.0
_TOKEN = "discord-token"  # noqa: S105 - the names of checks
_SECRET = "discord-secret"  # noqa: S105
_ABOUT_APP = (
    "discord-app",
    "discord-intents",
    "discord-commands",
    "discord-redirect",
    "discord-install",
    "discord-server",
)
_PORTAL = "in Discord's developer portal"


async def check_discord(probe: HttpProbe, settings: Settings) -> list[CheckResult]:
    """The token, the app, the secret, and this machine's clock."""
    try:
        me = await ask_who(probe, settings)
    except Unreachable as reason:
        return [
            failed(
                _TOKEN,
                f"Discord cannot be reached: {reason}.",
                "Check this machine's internet connection, and DISCORD_API_URL if you set it.",
            ),
            *(skipped(name, "Skipped: Discord cannot be reached.") for name in (*_ABOUT_APP, _SECRET, "clock")),
        ]
    if me.status == 200:
        about_app = await _about_app(probe, settings)
    else:
        about_app = [skipped(name, "Skipped: this check needs a valid DISCORD_TOKEN.") for name in _ABOUT_APP]
    try:
        secret = await check_client_secret(probe, settings)
    except Unreachable as reason:
        secret = failed(_SECRET, f"The secret could not be checked: {reason}.", "Try again in a few minutes.")
    return [token_result(me), *about_app, secret, _clock(me)]


async def ask_who(probe: HttpProbe, settings: Settings) -> Answer:
    """Who the bot is. Unreachable."""
    return await _ask(probe, settings, "/users/@me")


async def ask_app(probe: HttpProbe, settings: Settings) -> Answer:
    """The application that the token belongs to. Unreachable."""
    return await _ask(probe, settings, "/oauth2/applications/@me")


async def _ask(probe: HttpProbe, settings: Settings, path: str) -> Answer:
    token = settings.discord_token.get_secret_value()
    return await probe.ask("GET", settings.discord_api_url + path, authorization=f"Bot {token}")


def token_result(me: Answer) -> CheckResult:
    """What the answer to `ask_who` says about the token."""
    match me.status:
        case 200:
            return ok(_TOKEN, f"Discord knows the bot as {printable(str(me.data().get('username')))[:80]}.")
        case 401:
            return failed(
                _TOKEN,
                "Discord does not accept DISCORD_TOKEN.",
                f"Press Reset Token on the Bot page {_PORTAL}, and set DISCORD_TOKEN to the new token.",
            )
        case status:
            return _unclear(_TOKEN, status)


def _unclear(name: str, status: int) -> CheckResult:
    return warning(
        name, f"Discord responded with status {status}, so this could not be checked.", "Try again in a few minutes."
    )


async def _about_app(probe: HttpProbe, settings: Settings) -> list[CheckResult]:
    try:
        answer = await ask_app(probe, settings)
        server = await _server(probe, settings)
    except Unreachable as reason:
        return [skipped(name, f"Skipped: Discord did not respond: {reason}.") for name in _ABOUT_APP]
    if answer.status != 200:
        return [_unclear(name, answer.status) for name in _ABOUT_APP]
    app = answer.data()
    return [
        app_result(app, settings),
        _intents(app, settings),
        _commands(app),
        _redirect(app, settings),
        _install(app),
        server,
    ]


def app_result(app: dict[str, Any], settings: Settings) -> CheckResult:
    """Whether the token's app is the one of DISCORD_CLIENT_ID."""
    if app.get("id") == settings.discord_client_id:
        return ok(
            "discord-app",
            f"DISCORD_CLIENT_ID and DISCORD_TOKEN belong to the same app: {printable(str(app.get('name')))[:80]}.",
        )
    return failed(
        "discord-app",
        f"DISCORD_TOKEN belongs to the app {printable(str(app.get('id')))[:20]}, "
        f"but DISCORD_CLIENT_ID is {settings.discord_client_id}.",
        f"Take the token, the client id and the client secret from the same app {_PORTAL}.",
    )


def _intents(app: dict[str, Any], settings: Settings) -> CheckResult:
    flags = app.get("flags")
    page = f"on the Bot page {_PORTAL}"
    if not isinstance(flags, int):
        return skipped("discord-intents", "Skipped: Discord did not say which intents are on.")
    if settings.message_content and not flags & MESSAGE_CONTENT:
        return failed(
            "discord-intents",
            "MESSAGE_CONTENT is on, but the Message Content intent is off, so Discord refuses the connection.",
            f"Turn on Message Content Intent {page}, or set MESSAGE_CONTENT=off.",
        )
    if flags & MESSAGE_CONTENT and not settings.message_content:
        return warning(
            "discord-intents",
            "The Message Content intent is on, but the bot does not use it.",
            f"Turn it off {page}, or set MESSAGE_CONTENT=on.",
        )
    if flags & UNUSED:
        return warning(
            "discord-intents",
            "The app has privileged intents that the bot does not use.",
            f"Turn off Presence Intent and Server Members Intent {page}.",
        )
    if settings.message_content:
        return ok("discord-intents", "The Message Content intent is on, as MESSAGE_CONTENT needs.")
    return ok("discord-intents", "No privileged intent is on, and none is needed.")


def _commands(app: dict[str, Any]) -> CheckResult:
    if app.get("interactions_endpoint_url"):
        return failed(
            "discord-commands",
            "Discord sends all commands to an Interactions Endpoint URL, so the bot never gets one.",
            f"Clear Interactions Endpoint URL on the General Information page {_PORTAL}.",
        )
    return ok("discord-commands", "The bot gets the commands: no Interactions Endpoint URL is set.")


def _redirect(app: dict[str, Any], settings: Settings) -> CheckResult:
    registered = app.get("redirect_uris")
    if not isinstance(registered, list):
        return skipped(
            "discord-redirect",
            "Skipped: Discord did not say which redirects are registered.",
            f"Check on the OAuth2 page {_PORTAL} that {settings.redirect_to_discord} is one of them.",
        )
    if settings.redirect_to_discord in registered:
        return ok("discord-redirect", f"{settings.redirect_to_discord} is registered at Discord.")
    return failed(
        "discord-redirect",
        f"{settings.redirect_to_discord} is not registered at Discord, so nobody can link.",
        f"Add exactly this address under Redirects on the OAuth2 page {_PORTAL}.",
    )


def _install(app: dict[str, Any]) -> CheckResult:
    kinds = app.get("integration_types_config")
    if not isinstance(kinds, dict):
        return skipped("discord-install", "Skipped: Discord did not say how the app is installed.")
    in_servers = _scopes(kinds.get("0"))
    if in_servers is None or "bot" not in in_servers or "applications.commands" not in in_servers:
        return warning(
            "discord-install",
            "The install link does not add both the bot and its commands to a server.",
            "Choose the scopes `bot` and `applications.commands` for Guild Install on the Installation page "
            f"{_PORTAL}, and invite the bot again.",
        )
    if "1" not in kinds:
        return warning(
            "discord-install",
            "Members cannot install the app to their own account.",
            f"If you want that, tick User Install on the Installation page {_PORTAL}.",
        )
    return ok("discord-install", "The app can be added to servers, and to members' accounts.")


def _scopes(kind: object) -> list[object] | None:
    params = kind.get("oauth2_install_params") if isinstance(kind, dict) else None
    scopes = params.get("scopes") if isinstance(params, dict) else None
    return scopes if isinstance(scopes, list) else None


async def _server(probe: HttpProbe, settings: Settings) -> CheckResult:
    """Whether commands can be registered in the server of DEV_GUILD_ID. Unreachable."""
    guild = settings.dev_guild_id
    if guild is None:
        return ok("discord-server", "DEV_GUILD_ID is not set, so the commands are available everywhere.")
    answer = await _ask(probe, settings, f"/applications/{settings.discord_client_id}/guilds/{guild}/commands")
    match answer.status:
        case 200:
            return warning(
                "discord-server",
                f"DEV_GUILD_ID is set, so the commands exist in the server {guild} only.",
                "Remove DEV_GUILD_ID when you have finished trying things out.",
            )
        case 403 | 404:
            return failed(
                "discord-server",
                f"The bot cannot register its commands in the server {guild} of DEV_GUILD_ID, so it will not start.",
                "Invite the bot to that server, or remove DEV_GUILD_ID.",
            )
        case status:
            return _unclear("discord-server", status)


async def check_client_secret(probe: HttpProbe, settings: Settings) -> CheckResult:
    """Tried with a code that cannot be valid: for a right secret Discord answers `invalid_grant`. Unreachable."""
    secret = settings.discord_client_secret.get_secret_value()
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
    error = answer.data().get("error")
    if error == "invalid_grant":
        return ok(_SECRET, "Discord accepts DISCORD_CLIENT_SECRET.")
    if error == "invalid_client" or answer.status == 401:
        return failed(
            _SECRET,
            "Discord does not accept DISCORD_CLIENT_ID with DISCORD_CLIENT_SECRET.",
            f"Press Reset Secret on the OAuth2 page {_PORTAL}, and set DISCORD_CLIENT_SECRET to the new secret.",
        )
    return _unclear(_SECRET, answer.status)


def _clock(answer: Answer) -> CheckResult:
    if answer.ahead_s is None:
        return skipped("clock", "Skipped: Discord did not send the time.")
    by = abs(answer.ahead_s)
    if by <= MOST_AHEAD_S:
        return ok("clock", "This machine's clock agrees with Discord's.")
    sentence = f"This machine's clock is {by:.0f} s {'ahead of' if answer.ahead_s > 0 else 'behind'} Discord's."
    to_do = "Let the system set the clock, for example: timedatectl set-ntp true"
    return (failed if by > FAR_AHEAD_S else warning)("clock", sentence, to_do)
