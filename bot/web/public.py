"""What the public pages of clubs and crates have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiohttp import web

from bot.web.album_view import IMAGE_HOSTS
from bot.web.html_text import set_locale
from bot.web.parts import policy

COVERS: Final = policy({"img-src": " ".join(["'self'", *(f"https://{host}" for host in IMAGE_HOSTS)])})
"""The policy of a page with covers: the strict one, and pictures from Spotify's hosts."""
_T = TypeVar("_T")


class Turns:
    """Public pages are read and drawn one at a time, and drawn in a thread of their own.

    A book of 100 rounds takes 50 ms. However many visitors there are, members' commands are served beside them.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def read(self, reading: Awaitable[_T]) -> _T:
        """Read from the database."""
        async with self._turn:
            return await reading

    async def draw(self, drawing: Callable[[], _T]) -> _T:
        """Draw what was read."""
        async with self._turn:
            return await asyncio.to_thread(drawing)


def prefer(request: web.Request, locale: str | None) -> None:
    """The language of the club or the server, for a reader whose browser asks for none."""
    if not request.headers.get("Accept-Language"):
        set_locale(request, locale)


def page_of(request: web.Request, count: int, size: int) -> tuple[int, int]:
    """Which page of a long list is asked for, and which is the last. HTTPNotFound: there is no such page."""
    last = max(-(-count // size), 1)
    asked = request.query.get("page", "1")
    if asked not in map(str, range(1, last + 1)):
        raise web.HTTPNotFound
    return int(asked), last


def sent(body: bytes, kind: str, name: str = "") -> web.Response:
    """A file of this type. `name`: a browser saves it under this name, and does not show it."""
    response = noindex(web.Response(body=body, content_type=kind, charset="utf-8"))
    if name:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def noindex(response: web.Response) -> web.Response:
    """The same, and no search engine keeps it."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
