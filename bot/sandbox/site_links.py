"""Keeps the bot's own pages in the sandbox: covers, links to Spotify and the way back to Discord are stand-ins'."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

_COVER = re.compile(r"https://i\.scdn\.co/image/[0-9a-f]{16}([0-9a-f]{24})")
_LINK = re.compile(r"https://open\.spotify\.com(?=/)")
_IMAGES = "https://i.scdn.co"
_DISCORD = "https://discord.com/channels/@me"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SiteLinks:
    """Changes what the pages of the bot's site lead to. `chat`: where the chat is shown, if it is."""

    def __init__(self, spotify_url: str) -> None:
        self._spotify_url = spotify_url
        self.chat: str | None = None

    def amend(self, site: web.Application) -> None:
        """Before the site listens."""
        site.middlewares.insert(0, self._rewrite)
        site.on_response_prepare.append(self._allow)

    @web.middleware
    async def _rewrite(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if isinstance(response, web.Response) and response.content_type == "text/html" and response.text:
            text = _COVER.sub(rf"{self._spotify_url}/cover/\1.png", response.text)
            text = _LINK.sub(self._spotify_url, text)
            response.text = text.replace(_DISCORD, self.chat or _DISCORD)
        return response

    async def _allow(self, request: web.Request, response: web.StreamResponse) -> None:
        if policy := response.headers.get("Content-Security-Policy"):
            response.headers["Content-Security-Policy"] = policy.replace(_IMAGES, self._spotify_url)
