"""Keeps the bot's own pages in the sandbox: covers and links to Spotify come from the stand-in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

_COVER = re.compile(r"https://i\.scdn\.co/image/[0-9a-f]{16}([0-9a-f]{24})")
_LINK = re.compile(r"https://open\.spotify\.com(?=/)")
_IMAGES = "https://i.scdn.co"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def keeping_here(spotify_url: str) -> Callable[[web.Application], None]:
    """What changes a site so that its pages lead to the stand-in at this address."""

    @web.middleware
    async def rewrite(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if isinstance(response, web.Response) and response.content_type == "text/html" and response.text:
            text = _COVER.sub(rf"{spotify_url}/cover/\1.png", response.text)
            response.text = _LINK.sub(spotify_url, text)
        return response

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        if policy := response.headers.get("Content-Security-Policy"):
            response.headers["Content-Security-Policy"] = policy.replace(_IMAGES, spotify_url)

    def amend(app: web.Application) -> None:
        app.middlewares.insert(0, rewrite)
        app.on_response_prepare.append(allow)

    return amend
