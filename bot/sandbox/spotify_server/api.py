"""The Web API of the stand-in: what it serves, to whom, and how it refuses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from bot.sandbox import faults, oauth
from bot.sandbox.faults import FAULTS, Answer
from bot.sandbox.spotify_server import shapes
from bot.sandbox.spotify_server.state import MODIFY, READ, AccessToken, Account, Generation, RegisteredApp, State

IDS_IN_QUERY = 20
IDS_IN_BODY = 50
URIS = 40
URIS_TOO_LONG = 100
LINE_TOO_LONG = 8190
RATE_WINDOW_S = 30
QUOTA_WINDOW_S = 86_400

_ID = re.compile(r"[0-9A-Za-z]{22}")
_SAVED_KINDS = ("track", "album", "episode", "show", "audiobook", "user", "playlist")
_SEARCHED_KINDS = ("album", "artist", "playlist", "track", "show", "episode", "audiobook")

_Work = Callable[[web.Request, Account], Awaitable[web.Response]]
_AppWork = Callable[[web.Request], Awaitable[web.Response]]


class Refused(Exception):
    """The call is refused with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class WebApi:
    """Everything under `/v1`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """Where it is served, who may call it and with which scope."""
        return [
            self._open("/v1/albums/{id}", self._album),
            self._open("/v1/tracks/{id}", self._track),
            self._open("/v1/search", self._search),
            self._open("/v1/albums", self._gone),
            self._own("GET", "/v1/me", self._me),
            self._own("GET", "/v1/me/albums", self._saved, READ),
            self._own("PUT", "/v1/me/albums", self._save_ids, MODIFY, "albums"),
            self._own("DELETE", "/v1/me/albums", self._remove_ids, MODIFY, "albums"),
            self._own("GET", "/v1/me/albums/contains", self._contains_ids, READ, "albums"),
            self._own("PUT", "/v1/me/library", self._save_uris, MODIFY, "library"),
            self._own("DELETE", "/v1/me/library", self._remove_uris, MODIFY, "library"),
            self._own("GET", "/v1/me/library/contains", self._contains_uris, READ, "library"),
        ]

    def token(self, request: web.Request) -> AccessToken | None:
        """The token that this call carries, also when it has expired."""
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        return self._state.access_tokens.get(value) if kind.lower() == "bearer" else None

    # -- who may call

    def _own(
        self,
        method: str,
        path: str,
        work: _Work,
        scope: str | None = None,
        generation: Generation | None = None,
    ) -> web.RouteDef:
        """A route about the member's own account."""

        async def answer(request: web.Request) -> web.Response:
            try:
                app, account = self._admitted(request)
                if account is None:
                    raise Refused(faults.api(401, "Valid user authentication required"))
                if generation is not None and generation not in app.generations:
                    raise Refused(FAULTS["forbidden"])
                token = self.token(request)
                if scope is not None and (token is None or not token.allows(scope)):
                    raise Refused(FAULTS["insufficient_scope"])
                return await work(request, account)
            except Refused as refusal:
                return written(refusal.answer)

        return web.route(method, path, answer, **({"allow_head": False} if method == "GET" else {}))

    def _open(self, path: str, work: _AppWork) -> web.RouteDef:
        """A route about the catalogue, which needs no scope and serves an app's own token too."""

        async def answer(request: web.Request) -> web.Response:
            try:
                self._admitted(request)
                return await work(request)
            except Refused as refusal:
                return written(refusal.answer)

        return web.get(path, answer, allow_head=False)

    def _admitted(self, request: web.Request) -> tuple[RegisteredApp, Account | None]:
        """Through which app and whose call it is; None: the app's. Refused in this order: length, token, limits, app, member."""
        uris = request.query.get("uris", "")
        if uris.count(",") >= URIS_TOO_LONG - 1 or len(request.raw_path) > LINE_TOO_LONG:
            raise Refused(FAULTS["uri_too_long"])
        token = self.token(request)
        if token is None:
            raise Refused(FAULTS["invalid_token"])
        if self._state.clock() >= token.expires_at:
            raise Refused(FAULTS["expired_token"])
        app = self._state.apps[token.client_id]
        self._limit(app)
        if not app.premium:
            raise Refused(FAULTS["premium"])
        account = None if token.account is None else self._state.accounts[token.account]
        if account is not None and not app.serves(account):
            raise Refused(FAULTS["not_registered_text"])
        if name := oauth.repeated(name for name, _ in request.query.items()):
            raise Refused(faults.api(400, f"Duplicate query parameter: {name}"))  # likely
        return app, account

    def _limit(self, app: RegisteredApp) -> None:
        """The app's two limits: calls in 30 s, and calls in a day."""
        now = self._state.clock()
        if app.per_30s is not None:
            while app.recent and app.recent[0] <= now - RATE_WINDOW_S:
                app.recent.popleft()
            if len(app.recent) >= app.per_30s:
                free_at = (app.recent[0] if app.recent else now) + RATE_WINDOW_S
                wait_s = max(1, math.ceil(free_at - now))
                raise Refused(faults.api(429, "API rate limit exceeded", retry_after=str(wait_s)))
            app.recent.append(now)
        if now >= app.day_began_at + QUOTA_WINDOW_S:
            app.day_began_at, app.calls_of_day = now, 0
        if app.quota is not None and app.calls_of_day >= app.quota:
            wait_s = max(1, math.ceil(app.day_began_at + QUOTA_WINDOW_S - now))
            raise Refused(faults.api(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after=str(wait_s)))
        app.calls_of_day += 1

    # -- the catalogue

    async def _gone(self, request: web.Request) -> web.Response:
        """Several albums at once: gone in development mode."""
        raise Refused(FAULTS["forbidden"])

    async def _album(self, request: web.Request) -> web.Response:
        album = self._state.catalogue.album(_known_form(request.match_info["id"]))
        if album is None:
            raise Refused(FAULTS["not_found"])
        return web.json_response(shapes.full_album(album, self._address))

    async def _track(self, request: web.Request) -> web.Response:
        found = self._state.catalogue.track(_known_form(request.match_info["id"]))
        if found is None:
            raise Refused(FAULTS["not_found"])
        return web.json_response(shapes.full_track(*found, self._address))

    async def _search(self, request: web.Request) -> web.Response:
        query = request.query
        q = query.get("q") or query.get("query", "")  # as in the addresses of neighbouring pages
        kinds = [kind for kind in query.get("type", "").split(",") if kind]
        if not q.strip():
            raise Refused(faults.api(400, "No search query"))
        if len(q) > 250:
            raise Refused(FAULTS["query_too_long"])
        if not kinds:
            raise Refused(faults.api(400, "Missing parameter type"))
        if any(kind not in _SEARCHED_KINDS for kind in kinds):
            raise Refused(faults.api(400, "Bad search type field"))
        limit, offset = _number(query, "limit", 5, 1, 10), _number(query, "offset", 0, 0, 1000)
        if limit + offset > 1000:
            raise Refused(faults.api(400, "Invalid offset"))  # likely
        found = self._state.catalogue.search(q, limit, offset)
        answer = {}
        for kind in kinds:
            albums, total = found if kind == "album" else ([], 0)
            items = [shapes.simplified_album(album, self._address) for album in albums]
            asked = {"query": q, "type": kind}
            address = f"{self._address}/search"
            answer[f"{kind}s"] = shapes.paging(items, min(total, 1000), address, limit, offset, asked)
        return web.json_response(answer)

    # -- the member

    async def _me(self, request: web.Request, account: Account) -> web.Response:
        return web.json_response(shapes.profile(account, self._address))

    async def _saved(self, request: web.Request, account: Account) -> web.Response:
        limit, offset = _number(request.query, "limit", 20, 1, 50), _number(request.query, "offset", 0, 0)
        shelf = self._state.shelf(account)
        rows = [shapes.saved_album(*row, self._address) for row in shelf[offset : offset + limit]]
        address = f"{self._address}/me/albums"
        return web.json_response(shapes.paging(rows, len(shelf), address, limit, offset))

    # -- the original generation: bare ids

    async def _save_ids(self, request: web.Request, account: Account) -> web.Response:
        for album_id in await self._ids(request):
            self._state.save(account, album_id)
        return web.Response()

    async def _remove_ids(self, request: web.Request, account: Account) -> web.Response:
        for album_id in await self._ids(request, body_counts=self._state.delete_body_works):
            account.saved.pop(album_id, None)
        return web.Response()

    async def _contains_ids(self, request: web.Request, account: Account) -> web.Response:
        ids = await self._ids(request, body_counts=False)
        return web.json_response([album_id in account.saved for album_id in ids])

    async def _ids(self, request: web.Request, body_counts: bool = True) -> list[str]:
        """The ids of the query or, if it has none, of the body."""
        ids: list[object] | None = None
        most = IDS_IN_QUERY
        if given := request.query.get("ids"):
            ids = list(given.split(","))
        elif body_counts and (raw := await request.read()) and request.content_type == "application/json":
            most = IDS_IN_BODY
            try:
                body = json.loads(raw)
            except ValueError:
                raise Refused(faults.api(400, "Error parsing JSON.")) from None
            # A bare list was good until October 2024.
            ids = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(ids, list) or not ids:
            raise Refused(FAULTS["missing_ids"])
        if len(ids) > most:
            raise Refused(FAULTS["too_many_ids"])
        return [_known_form(album_id) for album_id in ids]

    # -- the library generation: URIs, in the query only

    async def _save_uris(self, request: web.Request, account: Account) -> web.Response:
        for album_id in _albums(_uris(request)):
            self._state.save(account, album_id)
        return web.Response()

    async def _remove_uris(self, request: web.Request, account: Account) -> web.Response:
        for album_id in _albums(_uris(request)):
            account.saved.pop(album_id, None)
        return web.Response()

    async def _contains_uris(self, request: web.Request, account: Account) -> web.Response:
        uris = _uris(request, (*_SAVED_KINDS, "artist"))
        return web.json_response([kind == "album" and id_ in account.saved for kind, id_ in uris])

    @property
    def _address(self) -> str:
        return f"{self._state.base_url}/v1"


def written(answer: Answer) -> web.Response:
    """A refusal as an answer on the wire."""
    body = answer["body"]
    headers = dict(answer.get("headers", {}))
    if isinstance(body, Mapping):
        return web.json_response(body, status=answer["status"], headers=headers)
    return web.Response(text=str(body), status=answer["status"], headers=headers)


def _known_form(id_: object) -> str:
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise Refused(FAULTS["invalid_id"])
    return id_


def _uris(request: web.Request, kinds: tuple[str, ...] = _SAVED_KINDS) -> list[tuple[str, str]]:
    """Kind and id of every URI in the query; a body is not looked at."""
    given = request.query.get("uris")
    if not given:
        raise Refused(FAULTS["missing_uris"])
    uris = given.split(",")
    if len(uris) > URIS:
        raise Refused(FAULTS["too_many_uris"])
    found = []
    for uri in uris:
        spotify, _, rest = uri.partition(":")
        kind, _, id_ = rest.partition(":")
        if spotify != "spotify" or kind not in kinds or not (id_ if kind == "user" else _ID.fullmatch(id_)):
            raise Refused(FAULTS["invalid_uri"])
        found.append((kind, id_))
    return found


def _albums(uris: list[tuple[str, str]]) -> list[str]:
    return [id_ for kind, id_ in uris if kind == "album"]


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int | None = None) -> int:
    given = query.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", given) or int(given) < low or (high is not None and int(given) > high):
        raise Refused(faults.api(400, f"Invalid {name}"))
    return int(given)
