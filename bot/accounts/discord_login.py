"""Logging in at Discord: who is in front of a browser. The token is used once and forgotten.

Every part of the site that must know this sends the browser there with `begin` and a purpose of its own.

https://discord.com/developers/docs/topics/oauth2
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp
from msgspec import Struct

from bot.accounts.browser import DISCORD, Browsers, Redirect
from bot.errors import DiscordUnavailable, LinkExpired, WrongIssuer
from bot.settings import Settings
from bot.storage.attempts import OAuthState

TIMEOUT_S = 10.0
LARGEST = 64 * 1024
ISSUER = "https://discord.com"
"""Discord's name in `iss`, which its redirects carry since October 2026. https://www.rfc-editor.org/rfc/rfc9207"""


class SecretRefused(DiscordUnavailable):
    """Discord does not accept the client id with the client secret."""


class Person(Struct, frozen=True):
    """Who is logged in at Discord in this browser."""

    id: int
    name: str


class DiscordLogin:
    """Asks Discord who is in front of the browser."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        browsers: Browsers,
        settings: Settings,
        *,
        on_secret: Callable[[bool], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`on_secret`: is told whether Discord accepted the client secret, each time that this shows.

        `timeout_s`: how long Discord may take for each answer.
        """
        self._session = session
        self._browsers = browsers
        self._settings = settings
        self._on_secret = on_secret
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def begin(
        self, purpose: str, cookie: str | None, *, attempt_hash: bytes | None = None, is_known: bool = False
    ) -> Redirect:
        """Send a browser to Discord. `purpose`: which part of the site goes on when it comes back.

        `is_known`: the member agreed before, so that Discord need not ask again.
        """
        cookie = self._browsers.cookie(cookie)
        state = await self._browsers.send(DISCORD, purpose, cookie, attempt_hash)
        query = {
            "client_id": self._settings.discord_client_id,
            "response_type": "code",
            "redirect_uri": self._settings.redirect_to_discord,
            "scope": "identify",
            "state": state,
        }
        if is_known:
            query["prompt"] = "none"
        return Redirect(f"{self._settings.discord_authorize_url}?{urlencode(query)}", cookie)

    async def returned(self, state: str | None, cookie: str | None, issuer: str | None) -> OAuthState:
        """A browser came back from Discord: see `Browsers.returned`. `issuer`: the parameter `iss`, where it is present.

        WrongIssuer when that is not Discord (RFC 9207).
        """
        oauth_state = await self._browsers.returned(DISCORD, state, cookie)
        if issuer is not None and issuer != ISSUER:
            raise WrongIssuer
        return oauth_state

    async def who(self, code: str) -> Person:
        """Whose code this is. LinkExpired: the code is dead. DiscordUnavailable: Discord did not say."""
        answer = await self._exchange(code)
        self._on_secret(True)
        person = await self._ask("GET", "/users/@me", f"Bearer {answer.get('access_token')}")
        try:
            return Person(int(str(person["id"])), str(person.get("global_name") or person["username"]))
        except (KeyError, ValueError):
            raise DiscordUnavailable from None

    async def check_secret(self) -> bool:
        """Whether Discord accepts the client secret, tried with a code that cannot be valid. DiscordUnavailable."""
        try:
            await self._exchange("gatefold-check")
        except LinkExpired:
            pass  # what Discord says of the code, once it accepts the secret
        except SecretRefused:
            return False
        self._on_secret(True)
        return True

    async def _exchange(self, code: str) -> dict[str, object]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_to_discord,
        }
        secret = self._settings.discord_client_secret.get_secret_value()
        app = aiohttp.encode_basic_auth(self._settings.discord_client_id, secret)
        return await self._ask("POST", "/oauth2/token", app, form)

    async def _ask(
        self, method: str, path: str, authorization: str, form: dict[str, str] | None = None
    ) -> dict[str, object]:
        try:
            async with self._session.request(
                method,
                self._settings.discord_api_url + path,
                data=form,
                headers={"Authorization": authorization},
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                body = await _read(response)
                status = response.status
            data = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError):
            # aiohttp's errors hold the Authorization header: none of it goes further
            raise DiscordUnavailable from None
        if form is not None and isinstance(data, dict) and data.get("error") == "invalid_client":
            self._on_secret(False)
            raise SecretRefused
        if status == 400 and isinstance(data, dict) and data.get("error") == "invalid_grant":
            raise LinkExpired
        if status != 200 or not isinstance(data, dict):
            raise DiscordUnavailable
        return data


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, in however many pieces it comes; ValueError when it is larger than it can be."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > LARGEST:
            raise ValueError("too large")
    return bytes(body)
