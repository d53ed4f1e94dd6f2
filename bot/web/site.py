"""The web site: routes, security headers, and a page for everything that can go wrong.

Every absolute address comes from PUBLIC_URL, never from the request. Of X-Forwarded-*, only the address is read, and
only from a proxy nearby; see visitors.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bot import logs
from bot.accounts.discord_login import DiscordLogin
from bot.accounts.linking import Linking
from bot.clubs.public_pages import PublicPages
from bot.errors import UserError
from bot.settings import Settings
from bot.text import Text, texts
from bot.web import guide, ops, pages, reading
from bot.web import linking as link_pages
from bot.web.album_names import AlbumNames
from bot.web.drawing import TEMPLATES, Templates, show
from bot.web.html_text import text_of
from bot.web.ops import Parts
from bot.web.pages import Page
from bot.web.parts import IDLE, STRICT, Part
from bot.web.public import Turns
from bot.web.public_parts import book_part, crate_part
from bot.web.visitors import Visitors, address_of

IDLE_S = 8.0
"""A connection that sends no whole request for this long is closed, half-open ones included."""
MOST_OPEN = 256
"""The most connections at a time: a crowd must not take the open files that calls to Discord and Spotify need."""
LARGEST_BODY = 4096

_log = structlog.get_logger("gatefold.web")
_HEADERS = {
    "Content-Security-Policy": STRICT,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Of a browser that sent something unreadable, the language is unknown.
_ENGLISH = texts(None)
_STATIC = Path(__file__).parent / "static"
_FILES = {"style.css": "text/css", "mark.svg": "image/svg+xml"}
"""The files of every page; each part adds its own."""
_HEADERS_KEY = web.AppKey("headers", dict[str, str])
_PARTS_KEY = web.AppKey("parts", dict[str, Part])
_SEATS_KEY = web.AppKey("seats", int)
_VISITORS_KEY = web.AppKey("visitors", Visitors)


def build(
    linking: Linking,
    login: DiscordLogin,
    settings: Settings,
    health: Parts,
    readiness: Parts,
    public_pages: PublicPages,
    names: AlbumNames,
) -> web.Application:
    """The application, of all its parts."""
    turns = Turns()
    return _assembled(
        settings,
        (
            link_pages.part(linking, login, settings),
            guide.part(linking, settings),
            reading.part(settings.contact),
            book_part(public_pages, names, turns),
            crate_part(public_pages, names, turns),
            ops.part(health, readiness),
        ),
    )


def _assembled(settings: Settings, parts: Sequence[Part]) -> web.Application:
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_pages_for_errors])
    app[TEMPLATES] = Templates(urlsplit(settings.public_url).path)
    app[_HEADERS_KEY] = dict(_HEADERS)
    if settings.is_https:
        app[_HEADERS_KEY]["Strict-Transport-Security"] = "max-age=31536000"
    app[_SEATS_KEY] = settings.spotify_seats
    app[_VISITORS_KEY] = Visitors()
    app[_PARTS_KEY] = {}
    served = dict(_FILES)
    for part in parts:
        app.add_routes(part.routes)
        app[_PARTS_KEY] |= {route.path: part for route in part.routes}
        served |= part.files

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(app[_HEADERS_KEY])
        if (part := _part_of(request)) is not None:
            response.headers["Content-Security-Policy"] = part.policy
        response.headers.popall("Server", None)

    async def file(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in served:
            raise web.HTTPNotFound
        body = (_STATIC / name).read_bytes()
        return web.Response(body=body, content_type=served[name], charset="utf-8")

    app.on_response_prepare.append(add_headers)
    app.add_routes([web.get("/static/{name}", file)])
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, *, idle_s: float = IDLE_S) -> AsyncIterator[int]:
    """Serve the application; the port is yielded (another one than asked for if that was 0).

    `idle_s`: when a connection is closed that sends no whole request.
    """
    app[IDLE] = idle_s
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    server = runner.server
    assert server is not None
    serve = server.request_handler

    async def expecting_nothing(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request.protocol, _Connection)
        request.protocol.has_request = True
        # No page takes a body. aiohttp would show an `Expect` that it does not know, and stumbles over some.
        if "Expect" not in request.headers:
            return await serve(request)
        t = text_of(request)
        return _Refusal(app, t, pages.bad_request(t, 417))

    server.request_handler = expecting_nothing
    loop = asyncio.get_running_loop()
    try:
        # Not through web.TCPSite: that makes connections of aiohttp's own kind, see _Connection.
        listening = await loop.create_server(lambda: _Connection(server, app, loop), host, port)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
    finally:
        await runner.cleanup()


class _Connection(web.RequestHandler):
    """A connection that neither shows nor logs what it could not read (aiohttp's own does both), one of few."""

    __slots__ = ("_app", "_server", "has_request")

    def __init__(self, server: web.Server, app: web.Application, loop: asyncio.AbstractEventLoop) -> None:
        # keepalive_timeout counts from the start, so that it closes half-open connections, too
        super().__init__(
            server,
            loop=loop,
            # No access log: it would write codes and states.
            access_log=None,  # type: ignore[arg-type]  # aiohttp's way to say so
            keepalive_timeout=app[IDLE],
            lingering_time=2.0,
        )
        self._app = app
        self._server = server
        self.has_request = False
        """Whether its one request has come. It is answered, and then the connection is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Where there are too many, the one that has been waiting longest goes, and never one that is served."""
        super().connection_made(transport)
        # those that are being closed have no transport any more
        connections = [one for one in self._server.connections if one.transport is not None]
        if len(connections) > MOST_OPEN:
            next((one for one in connections if not _is_served(one)), self).force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, or has a line of more than 8 kB."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if status < 500:
            _log.info("unreadable", why=type(exc).__name__)
            return _Refusal(self._app, _ENGLISH, pages.bad_request(_ENGLISH, status))
        return _Refusal(self._app, _ENGLISH, _broken(_ENGLISH, "unknown", exc))


def _is_served(connection: web.RequestHandler) -> bool:
    return isinstance(connection, _Connection) and connection.has_request


class _Refusal(web.Response):
    """A page outside the application, whose hook for headers it never sees."""

    def __init__(self, app: web.Application, t: Text, page: Page) -> None:
        text = app[TEMPLATES].render("page.html", t, page=page)
        super().__init__(text=text, status=page.status, content_type="text/html", headers=app[_HEADERS_KEY])
        self.force_close()

    async def _prepare_headers(self) -> None:
        # aiohttp names itself and its version here, and has no public way to leave that out of such an answer.
        await super()._prepare_headers()
        self.headers.popall("Server", None)


@web.middleware
async def _pages_for_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A page for every refusal. The log names the route, never the query: that holds codes and states."""
    with logs.serving():
        response = await _page_for_error(request, handler)
    # One request a connection: who sends many and reads nothing back would keep it, and us busy.
    response.force_close()
    return response


async def _page_for_error(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    route = request.match_info.route.resource
    name = route.canonical if route is not None else "unknown"
    try:
        part = _part_of(request)
        takes_body = part is not None and part.takes_forms and request.method == "POST"
        if not takes_body and await _has_body(request):
            return show(request, pages.bad_request(text_of(request), 413))
        if part is not None and part.is_counted and not request.app[_VISITORS_KEY].is_welcome(address_of(request)):
            response = show(request, pages.too_many(text_of(request)))
            response.headers["Retry-After"] = "60"
            return response
        return await handler(request)
    except UserError as error:
        _log.info("refused", route=name, why=type(error).__name__)
        return show(request, pages.of_error(text_of(request), error, request.app[_SEATS_KEY]))
    except web.HTTPException as error:
        response = show(request, pages.bad_request(text_of(request), error.status))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:
        return show(request, _broken(text_of(request), name, error))


def _part_of(request: web.Request) -> Part | None:
    resource = request.match_info.route.resource
    return None if resource is None else request.app[_PARTS_KEY].get(resource.canonical)


async def _has_body(request: web.Request) -> bool:
    """Whether a body comes that no page takes. Some programs send an empty one in chunks with a GET."""
    if not request.body_exists:
        return False
    if request.content_length is not None:
        return True
    try:
        async with asyncio.timeout(request.app[IDLE]):
            return bool(await request.content.readany())
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        return True


def _broken(t: Text, route: str, error: BaseException | None) -> Page:
    reference = logs.reference()
    _log.error("a page broke", route=route, request=reference, exc_info=error)
    return pages.broken(t, reference)
