"""How a secret is looked for: in every form in which it could stand somewhere; and the way of those of linking."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
from yarl import URL

from bot.sandbox.spotify_server import SpotifyServer
from tests.discord_wire import DiscordWire, buttons


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it could be found: plain, quoted, and as base64 or hex, whatever stands before it."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield raw.hex().encode()
    for before in range(3):
        # of base64, the part that depends on this secret alone
        for coded in (base64.b64encode(b"\0" * before + raw), base64.urlsafe_b64encode(b"\0" * before + raw)):
            yield coded[-(-before * 8 // 6) : len(coded) // 4 * 4 - 4]


def forms_of_key(key: bytes) -> Iterator[bytes]:
    """32 bytes as they could be found."""
    yield key
    yield key.hex().encode()
    yield key.hex().upper().encode()
    yield base64.urlsafe_b64encode(key).rstrip(b"=")
    yield base64.b64encode(key).rstrip(b"=")
    yield repr(key)[2:-1].encode()
    yield json.dumps(repr(key)[2:-1])[1:-1].encode()


def found(where: bytes, secrets: Iterable[str], keys: Iterable[bytes] = ()) -> list[str]:
    """The secrets that stand somewhere, by their beginnings."""
    hits = [secret[:8] for secret in secrets if any(form in where for form in forms(secret))]
    return hits + ["a key" for key in keys for form in forms_of_key(key) if form in where]


@dataclass
class Trail:
    """What a browser got to see while people linked, and every secret that travelled through it."""

    pages: list[str] = field(default_factory=list)
    travelled: set[str] = field(default_factory=set)

    async def link(self, discord: DiscordWire, spotify: SpotifyServer, member: int, account: str) -> None:
        """`/link`, and the whole way through both consent pages."""
        spotify.add_account(account, account_id=f"acc-{account}", display_name=account.title())
        asked = await discord.slash(member, "link", {})
        shown = [button.get("url", "") for button in buttons(await asked.message())]
        link = next(url for url in shown if "/link/" in url)
        self.travelled.add(link.rsplit("/", 1)[-1])
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            to_discord = await self._went_to(browser, link)
            query = parse_qs(urlsplit(to_discord).query)
            code = discord.oauth_code(member, query["redirect_uri"][0])
            back = f"{query['redirect_uri'][0]}?code={code}&state={query['state'][0]}"
            to_spotify = await self._went_to(browser, back)
            back = await self._went_to(browser, to_spotify, account=account, decision="agree")
            assert await self._went_to(browser, back) == ""
        assert account.title() in self.pages[-1]
        await asked.message(version=2)

    async def _went_to(self, browser: aiohttp.ClientSession, url: str, **form: str) -> str:
        method = "POST" if form else "GET"
        async with browser.request(method, URL(url, encoded=True), data=form or None, allow_redirects=False) as page:
            self.pages.append(await page.text())
            target = page.headers.get("Location", "")
        self.travelled |= {*parse_qs(urlsplit(target).query).get("state", [])}
        self.travelled |= {cookie.value for cookie in browser.cookie_jar}
        return target
