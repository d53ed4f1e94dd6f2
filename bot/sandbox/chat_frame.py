"""SimCord's chat page behind our address, with a style and a script of ours, so that it can stand inside our page.

SimCord answers an action that meets another one with an error, after which its page stays dead, and refuses an action
on what it has published anew meanwhile. Everything that acts in the chat therefore takes turns here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import simcord
from aiohttp import web

_STYLE = '<link rel="stylesheet" href="/demo/chat.css">'
_SCRIPT = '<script type="module" src="/demo/chat.js"></script>'
_POLICY = (
    "default-src 'self'; font-src 'self'; connect-src 'self' blob:; img-src 'self' blob:; media-src 'self' blob:;"
    " object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_KEPT = ("Content-Type", "Content-Disposition", "Cache-Control", "Referrer-Policy", "X-Content-Type-Options")
_AGAIN = frozenset({"stale-revision", "busy"})
_TRIES = 5


class ChatFrame:
    """Passes requests on to SimCord's preview. `turn`: held by whoever acts in SimCord's world."""

    def __init__(self, preview: simcord.Preview, session: aiohttp.ClientSession) -> None:
        self._preview = preview
        self._session = session
        address, _, self.capability = preview.url.partition("/#")
        self._address = address
        self.turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Show what the bot did by itself."""
        async with self.turn:
            await self._preview.refresh()

    async def frame(self, request: web.Request) -> web.Response:
        """The chat page itself."""
        _, headers, body = await self._call("GET", "/", {})
        html = body.decode().replace("</head>", f"{_STYLE}</head>").replace("</body>", f"{_SCRIPT}</body>")
        html = html.replace("SimCord Preview", "Chat of the demo")
        return web.Response(body=html.encode(), headers=_passed(headers))

    async def forward(self, request: web.Request) -> web.Response:
        """What the chat page asks for."""
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-Simcord-")}
        if request.content_type and request.can_read_body:
            headers["Content-Type"] = request.headers["Content-Type"]
        body = await request.read() or None
        if request.path == "/api/action":
            async with self.turn:
                status, answered, content = await self._act(headers, body or b"")
        else:
            status, answered, content = await self._call(request.method, request.path_qs, headers, body)
        return web.Response(status=status, body=content, headers=_passed(answered))

    async def _act(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """An action, tried again on what is published now if it came a moment too late."""
        answer = await self._call("POST", "/api/action", headers, body)
        for _ in range(_TRIES):
            if not _is_too_late(answer[2]):
                break
            _, _, state = await self._call("GET", "/api/state", headers)
            try:
                action = {**json.loads(body), "published_revision": json.loads(state)["publishedRevision"]}
            except (ValueError, KeyError):  # a form with files
                break
            answer = await self._call("POST", "/api/action", headers, json.dumps(action).encode())
        return answer

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        async with self._session.request(method, f"{self._address}{path}", headers=headers, data=body) as response:
            return response.status, response.headers, await response.read()


def _is_too_late(content: bytes) -> bool:
    try:
        result: Any = json.loads(content)
    except ValueError:
        return False
    if not isinstance(result, dict) or not result.get("rejected"):
        return False
    return any(each.get("code") in _AGAIN for each in result.get("diagnostics") or ())


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value
        for name, value in headers.items()
        if name in _KEPT or name.startswith(("X-Display-", "X-Media-", "X-Simcord-"))
    }
    return {**passed, "Content-Security-Policy": _POLICY}
