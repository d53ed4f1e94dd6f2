"""The pages of linking: out to Discord, out to Spotify, and back. No form, no script, no state in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.accounts.browser import SPOTIFY
from bot.accounts.discord_login import ISSUER, DiscordLogin
from bot.accounts.linking import Linking
from bot.errors import LinkExpired
from bot.settings import Settings
from bot.storage.attempts import LIFE_S
from bot.web import pages
from bot.web.drawing import show
from bot.web.html_text import set_locale, text_of
from bot.web.parts import Part

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST = 2048
"""A parameter longer than this is none of Discord's or Spotify's, in characters."""


def part(linking: Linking, login: DiscordLogin, settings: Settings) -> Part:
    """The pages of linking."""
    return Part("linking", LinkPages(linking, login, settings).routes(), is_counted=True)


class LinkPages:
    """Three addresses: the link itself, and one way back for each provider."""

    def __init__(self, linking: Linking, login: DiscordLogin, settings: Settings) -> None:
        self._linking = linking
        self._login = login
        self._seats = settings.spotify_seats
        self._is_https = settings.is_https
        # The prefix binds the cookie to this very host; browsers take it over https only.
        self.cookie_name = "__Host-gatefold" if settings.is_https else "gatefold"

    def routes(self) -> list[web.RouteDef]:
        """The routes; one redirect path a provider, so that answers cannot be mixed up."""
        return [
            web.get("/link/{id}", self.open),
            # A HEAD must change nothing (RFC 9110, 9.2.1), and these use up what they are given.
            web.get("/callback/discord", self._waited_for(self.back_from_discord), allow_head=False),
            web.get("/callback/spotify", self._waited_for(self.back_from_spotify), allow_head=False),
        ]

    async def open(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/<id>`: on to Discord. Changes nothing about the link: scanners open links, too."""
        redirect = await self._linking.open_link(request.match_info["id"], self._cookie(request))
        response = _see_other(redirect.url)
        response.set_cookie(
            self.cookie_name,
            redirect.cookie,
            max_age=LIFE_S,
            secure=self._is_https,
            httponly=True,
            # Lax: the way back is a cross-site GET
            samesite="Lax",
        )
        return response

    async def back_from_discord(self, request: web.Request) -> web.StreamResponse:
        """Discord says who is in this browser; on to Spotify if it is the member who asked."""
        cookie = self._cookie(request)
        state, code, error, issuer = (_one(request, name) for name in ("state", "code", "error", "iss"))
        oauth_state = await self._login.returned(state, cookie, issuer)
        assert cookie is not None
        if error is not None:
            return show(
                request, pages.of_error(text_of(request), await self._linking.decline(oauth_state, error), self._seats)
            )
        if not code:
            raise LinkExpired
        person = await self._login.who(code)
        return _see_other(await self._linking.verify_discord_account(oauth_state, person.id, person.name, cookie))

    async def back_from_spotify(self, request: web.Request) -> web.StreamResponse:
        """Spotify says yes or no; either way the link is used up."""
        cookie = self._cookie(request)
        state, code, error = (_one(request, name) for name in ("state", "code", "error"))
        is_mixed_up = _one(request, "iss") == ISSUER
        oauth_state = await self._linking.take_state(SPOTIFY, state, cookie)
        if is_mixed_up:
            raise LinkExpired  # an answer of Discord's (RFC 9207)
        # Only here: before, the browser may be a stranger's, who must not learn the member's language.
        set_locale(request, oauth_state.locale)
        assert cookie is not None
        assert state is not None
        if error is not None:
            response = show(
                request, pages.of_error(text_of(request), await self._linking.decline(oauth_state, error), self._seats)
            )
        elif not code:
            raise LinkExpired
        else:
            linked = await self._linking.finish_link(oauth_state, code, state, cookie)
            response = show(request, pages.linked(text_of(request), linked))
        response.del_cookie(self.cookie_name, secure=self._is_https, httponly=True, samesite="Lax")
        return response

    def _waited_for(self, handler: Handler) -> Handler:
        """Such a page uses up what it is given, so that a stop waits for it, and none begins meanwhile."""

        async def handle(request: web.Request) -> web.StreamResponse:
            with self._linking.returning():
                return await handler(request)

        return handle

    def _cookie(self, request: web.Request) -> str | None:
        return request.cookies.get(self.cookie_name)


def _one(request: web.Request, name: str) -> str | None:
    """A parameter that comes once; LinkExpired when it comes twice or is absurdly long."""
    match request.query.getall(name, []):
        case []:
            return None
        case [value] if len(value) <= LONGEST:
            return value
    raise LinkExpired


def _see_other(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url})
