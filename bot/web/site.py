"""The web site: routes, security headers, and a page for everything that can go wrong.

Every absolute address comes from PUBLIC_URL, never from the request; X-Forwarded-* is not read at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp_jinja2
import jinja2
import structlog
from aiohttp import web

from bot import logs
from bot.accounts.discord_login import DiscordLogin
from bot.accounts.linking import Linking
from bot.errors import UserError
from bot.settings import Settings
from bot.text import Text, texts
from bot.web import pages
from bot.web.html_text import HtmlText, text_of
from bot.web.linking import LinkPages
from bot.web.ops import Parts, parts_route
from bot.web.pages import Page

IDLE_S = 8.0
"""A connection that sends no whole request for this long is closed, half-open ones included."""
MOST_OPEN = 256
"""So many connections at a time: a crowd must not take the open files that calls to Discord and Spotify need."""
LARGEST_BODY = 4096

_log = structlog.get_logger("gatefold.web")
_HEADERS = {
    # the pages need one style sheet and one drawing of ours, and nothing else
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
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
_HEADERS_KEY = web.AppKey("headers", dict[str, str])


def build(
    linking: Linking,
    login: DiscordLogin,
    settings: Settings,
    health: Parts,
    readiness: Parts,
) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_pages_for_errors])
    templates = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("bot.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A proxy may serve us below a path of its own, and strip that path.
    templates.globals["root"] = urlsplit(settings.public_url).path
    app[_HEADERS_KEY] = dict(_HEADERS)
    if settings.is_https:
        app[_HEADERS_KEY]["Strict-Transport-Security"] = "max-age=31536000"

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(app[_HEADERS_KEY])
        response.headers.popall("Server", None)

    app.on_response_prepare.append(add_headers)
    app.add_routes(LinkPages(linking, login, settings, show).routes())
    app.add_routes([web.get("/", _front), web.get("/privacy", _privacy)])
    app.add_routes([parts_route("/healthz", health), parts_route("/readyz", readiness)])
    app.add_routes([web.get("/static/{name}", _static)])
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve the application; the port is yielded (another one than asked for if that was 0)."""
    # No access log: it would write codes and states.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    server = runner.server
    assert server is not None
    serve = server.request_handler

    async def expecting_nothing(request: web.BaseRequest) -> web.StreamResponse:
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

    __slots__ = ("_app", "_server")

    def __init__(self, server: web.Server, app: web.Application, loop: asyncio.AbstractEventLoop) -> None:
        # keepalive_timeout counts from the start, so that it closes half-open connections, too
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's way to say: no such log
            keepalive_timeout=IDLE_S,
            lingering_time=2.0,
        )
        self._app = app
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Where there are too many, the one that has been waiting longest goes, and never one that is served."""
        super().connection_made(transport)
        # those that are being closed have no transport any more
        connections = [one for one in self._server.connections if one.transport is not None]
        if len(connections) > MOST_OPEN:
            next((one for one in connections if one._current_request is None), self).force_close()

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


class _Refusal(web.Response):
    """A page outside the application, whose hook for headers it never sees."""

    def __init__(self, app: web.Application, t: Text, page: Page) -> None:
        text = app[aiohttp_jinja2.APP_KEY].get_template("page.html").render(page=page, t=HtmlText(t))
        super().__init__(text=text, status=page.status, content_type="text/html", headers=app[_HEADERS_KEY])
        self.force_close()

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


def show(request: web.Request, page: Page) -> web.Response:
    """Draw a page."""
    response = _draw("page.html", request, page=page)
    response.set_status(page.status)
    return response


def _draw(template: str, request: web.Request, **facts: object) -> web.Response:
    return aiohttp_jinja2.render_template(template, request, {"t": HtmlText(text_of(request)), **facts})


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
        if request.body_exists:
            return show(request, pages.bad_request(text_of(request), 413))  # no page of ours takes one
        return await handler(request)
    except UserError as error:
        _log.info("refused", route=name, why=type(error).__name__)
        return show(request, pages.of_error(text_of(request), error))
    except web.HTTPException as error:
        return show(request, pages.bad_request(text_of(request), error.status))
    except Exception as error:
        return show(request, _broken(text_of(request), name, error))


def _broken(t: Text, route: str, error: BaseException | None) -> Page:
    reference = logs.reference()
    _log.error("a page broke", route=route, request=reference, exc_info=error)
    return pages.broken(t, reference)


async def _front(request: web.Request) -> web.Response:
    return _draw("front.html", request)


async def _privacy(request: web.Request) -> web.Response:
    return _draw("privacy.html", request, text=_privacy_html())


@cache
def _privacy_html() -> str:
    from markdown_it import MarkdownIt  # here, because few ever ask for this page and every start would wait for it

    # raw HTML in the text would be shown, not run
    text: str = MarkdownIt("commonmark", {"html": False}).render(_privacy_text())
    return text


def _privacy_text() -> str:
    """`docs/privacy.md`: beside the templates in an installed package, else in the repository."""
    inside = files("bot.web") / "privacy.md"
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")


_STATIC = {"style.css": "text/css", "mark.svg": "image/svg+xml"}


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in _STATIC:
        raise web.HTTPNotFound
    body = (files("bot.web") / "static" / name).read_bytes()
    return web.Response(body=body, content_type=_STATIC[name], charset="utf-8")
