"""The server: one application that is Spotify's Web API, its accounts service and its short links."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase

from aiohttp import web

from bot.sandbox import faults
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.markup import page
from bot.sandbox.spotify_server import album_page, pages, shapes
from bot.sandbox.spotify_server.accounts import AccountsService
from bot.sandbox.spotify_server.api import WebApi, written
from bot.sandbox.spotify_server.state import Generation, State
from bot.sandbox.standin import StandIn

_ALBUM_PAGE = re.compile(r"https://open\.spotify\.com/album/([0-9A-Za-z]{22})(?:\?.*)?")


class SpotifyServer(StandIn, State):
    """Spotify on this machine. `State` is what it knows, `StandIn` how it is run, watched and made to fail.

    Point `spotify_api_url` at `{base}/v1`, `spotify_accounts_url` and `spotify_short_link_url` at `{base}`, and
    `spotify_oembed_url` at `{base}/oembed`.
    A consent is given by posting `account=<id>` and `decision=agree` (or `cancel`) to the authorize address.
    `register_app` adds further apps; what is said here is about the first one.
    `premium`, `generations`, `redirect_uris`, `quota`, `delay_s`, `rotates`, `delete_body_works` and
    `short_link_agents` may be changed at any time.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str | None,
        redirect_uris: Collection[str],
        catalogue: Catalogue,
        generations: Collection[Generation] = ("albums", "library"),
        clock: Callable[[], float] = time.time,
        token_life_s: int = 3600,
        delay_s: float = 0.0,
        quota: int | None = None,
        delete_body_works: bool = True,
        app_name: str = "Gatefold",
    ) -> None:
        """`client_secret` None: a public client, whose refresh tokens rotate. `quota`: calls in a day.

        `generations`: the album endpoints that serve this app. `delete_body_works`: whether `DELETE
        /v1/me/albums` takes its ids from a body, as is documented; in the wild it often does not.
        """
        StandIn.__init__(self, delay_s=delay_s)
        State.__init__(
            self,
            client_id=client_id,
            client_secret=client_secret,
            redirect_uris=redirect_uris,
            catalogue=catalogue,
            generations=generations,
            clock=clock,
            token_life_s=token_life_s,
            quota=quota,
            delete_body_works=delete_body_works,
            app_name=app_name,
            secrets_seen=self.secrets,
        )
        self._accounts_service = AccountsService(self)
        self._web_api = WebApi(self)

    def rate_limit(self, per_30s: int | None) -> None:
        """The most Web API calls within any 30 seconds, over all members; None: no limit."""
        self.app.per_30s = per_30s

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything that it serves."""
        return [
            *self._web_api.routes(),
            *self._accounts_service.routes(),
            web.get("/library", self._library),
            web.get("/album/{id}", self._album_page),
            web.get("/track/{id}", self._track_page),
            web.get("/cover/{name}.png", self._cover),
            web.get("/oembed", self._oembed, allow_head=False),
            web.get("/s/{code}", self._redirect),
            web.get("/{code}", self._short_link),
        ]

    def is_recorded(self, path: str) -> bool:
        """Not what people look at: one page loads itself every 2 seconds."""
        return not path.startswith(("/library", "/cover/", "/album/", "/track/"))

    def is_counted(self, path: str) -> bool:
        """What the bot itself calls: the Web API and the token endpoint."""
        return path.startswith(("/v1", "/api/"))

    def caller(self, request: web.Request, body: object) -> str | None:
        """By the access token or, at the token endpoint, by the code or the refresh token."""
        if token := self._web_api.token(request):
            return token.account
        if not isinstance(body, dict):
            return None
        grant = self.codes.get(str(body.get("code"))) or self.refresh_tokens.get(str(body.get("refresh_token")))
        return grant.account if grant else None

    def unrouted(self, request: web.Request, refusal: web.HTTPException) -> web.StreamResponse:
        """Errors of the Web API are JSON, also where there is nothing."""
        if request.path.startswith("/v1"):
            message = "Service not found" if refusal.status == 404 else refusal.reason
            return written(faults.api(refusal.status, message))
        return page(pages.refusal(refusal.reason), refusal.status)

    async def _library(self, request: web.Request) -> web.Response:
        shelves = [(account, self.shelf(account)) for account in self.accounts.values()]
        return page(pages.library(shelves, self.now()))

    async def _album_page(self, request: web.Request) -> web.Response:
        """open.spotify.com/album/ID, for the members of the demo."""
        album = self.catalogue.album(request.match_info["id"])
        if album is None:
            return page(pages.refusal("There is no such album."), 404)
        keepers = [account for account in self.accounts.values() if album.id in account.saved]
        return page(album_page.album(album, keepers))

    async def _track_page(self, request: web.Request) -> web.Response:
        """A track has no page of its own here."""
        found = self.catalogue.track(request.match_info["id"])
        if found is None:
            return page(pages.refusal("There is no such track."), 404)
        return web.Response(status=302, headers={"Location": f"/album/{found[1].id}"})

    async def _cover(self, request: web.Request) -> web.Response:
        png = await asyncio.to_thread(self.catalogue.cover, request.match_info["name"])
        if png is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=86400, immutable"}
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def _oembed(self, request: web.Request) -> web.Response:
        """What anybody is told of an album, without a token: its title and cover, and no artist."""
        match = _ALBUM_PAGE.fullmatch(request.query.get("url", ""))
        album = self.catalogue.album(match[1]) if match else None
        if match is None or album is None:
            return web.Response(status=404, text="Not Found")
        return web.json_response(shapes.oembed(album))

    async def _redirect(self, request: web.Request) -> web.Response:
        """open.spotify.com/s/CODE: a redirect for everybody."""
        return web.Response(status=302, headers={"Location": self._target(request)})

    async def _short_link(self, request: web.Request) -> web.Response:
        """spotify.link/CODE: a redirect for HEAD by some agents, else a page that names the target."""
        target = self._target(request)
        agent = request.headers.get("User-Agent", "").lower()
        if request.method == "HEAD" and any(fnmatchcase(agent, known) for known in self.short_link_agents):
            return web.Response(status=307, headers={"Location": target})
        return page(pages.link_page(target))

    def _target(self, request: web.Request) -> str:
        target = self.short_links.get(request.match_info["code"])
        if target is None:
            raise web.HTTPNotFound
        return target
