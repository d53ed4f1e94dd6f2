"""Discord's `identify`: the only OAuth call to Discord. Its token is used once and forgotten.

https://discord.com/developers/docs/topics/oauth2
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from bot.errors import DiscordUnavailable, LinkExpired
from bot.settings import Settings

TIMEOUT_S = 10.0
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in at Discord in this browser."""

    id: int
    name: str


class DiscordLogin:
    """Asks Discord who is in front of the browser."""

    def __init__(
        self, session: aiohttp.ClientSession, settings: Settings, *, on_secret: Callable[[bool], None]
    ) -> None:
        """`on_secret`: is told whether Discord accepted the client secret, each time that this shows."""
        self._session = session
        self._settings = settings
        self._on_secret = on_secret

    async def who(self, code: str) -> Person:
        """Whose code this is. LinkExpired: the code is dead. DiscordUnavailable: Discord did not say."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_to_discord,
        }
        secret = self._settings.discord_client_secret.get_secret_value()
        app = aiohttp.encode_basic_auth(self._settings.discord_client_id, secret)
        answer = await self._ask("POST", "/oauth2/token", app, form)
        self._on_secret(True)
        person = await self._ask("GET", "/users/@me", f"Bearer {answer.get('access_token')}")
        try:
            return Person(int(str(person["id"])), str(person.get("global_name") or person["username"]))
        except (KeyError, ValueError):
            raise DiscordUnavailable from None

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
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as response:
                body = await _read(response)
                status = response.status
            data = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError):
            # aiohttp's errors hold the Authorization header: none of it goes further
            raise DiscordUnavailable from None
        if form is not None and isinstance(data, dict) and data.get("error") == "invalid_client":
            self._on_secret(False)
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
