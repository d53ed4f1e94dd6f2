"""`/guide/own-app`: how a member makes a Spotify app of their own, and the field that takes its client ID.

The only page with a form and a script. The form leads to Discord and on to Spotify, and a browser asks the policy of
this page whether it may follow each of these redirects.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from markupsafe import Markup

from bot.accounts.linking import Linking
from bot.errors import (
    AppTaken,
    LinkExpired,
    NoSeatFree,
    NotAClientId,
    RedirectMissing,
    TryLater,
    UnknownApp,
    UserError,
)
from bot.settings import Settings
from bot.text import Text
from bot.web.drawing import draw
from bot.web.html_text import set_locale, text_of
from bot.web.parts import IDLE, Part, policy

PATH: Final = "/guide/own-app"
DASHBOARD: Final = "https://developer.spotify.com/dashboard"
_PICTURES = ("own-app-create", "own-app-redirect", "own-app-users", "own-app-client-id")
_STATUS: dict[type[UserError], int] = {AppTaken: 409, NoSeatFree: 409, TryLater: 503}


def part(linking: Linking, settings: Settings) -> Part:
    """The guide. Its form may lead on to Discord and to Spotify."""
    guide = Guide(linking)
    ways_on = [_origin(settings.discord_authorize_url), _origin(settings.spotify_accounts_url)]
    return Part(
        "guide",
        [web.get(PATH, guide.show), web.post(PATH, guide.take)],
        policy({"script-src": "'self'", "form-action": " ".join(["'self'", *dict.fromkeys(ways_on)])}),
        {"copy.js": "text/javascript"},
        takes_forms=True,
        is_counted=True,
    )


class Guide:
    """The page, and what comes of its form."""

    def __init__(self, linking: Linking) -> None:
        self._linking = linking

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the steps; with a link that lives, the field as well. LinkExpired."""
        links = request.query.getall("link", [])
        if not links:
            return self._draw(request, None)
        link = _only(links)
        set_locale(request, await self._linking.check_link(link))
        return self._draw(request, link)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """`POST`: check the client ID. It goes on to Discord, or the same page says what is wrong. LinkExpired."""
        fields = await _form(request)
        link, client_id = _only(fields.get("link", [])), _only(fields.get("client_id", [""]))
        set_locale(request, await self._linking.check_link(link))
        try:
            url = await self._linking.use_own_app(link, client_id)
        except (NotAClientId, UnknownApp, RedirectMissing, AppTaken, NoSeatFree, TryLater) as error:
            response = self._draw(request, link, _problem(text_of(request), error))
            response.set_status(_STATUS.get(type(error), 400))
            return response
        return web.Response(status=303, headers={"Location": url})

    def _draw(self, request: web.Request, link: str | None, problem: str = "") -> web.Response:
        return draw(
            "guide.html",
            request,
            link=link,
            path=PATH,
            dashboard=DASHBOARD,
            redirect_uri=self._linking.redirect_uri,
            problem=problem,
            pictures=[_picture(name) for name in _PICTURES],
        )


def _problem(t: Text, error: UserError) -> str:
    """What is wrong with a client ID, and what to do."""
    match error:
        case UnknownApp():
            return t(
                "Spotify knows no app with this client ID. Check that you copied the client ID. If it was the client "
                "secret, make a new one in your app's settings, because the old one has been sent here."
            )
        case RedirectMissing():
            return t(
                "Your Spotify app does not list the redirect URI from step 2, or it is not exactly the same. Correct it "
                "in your app's settings, save, and try again."
            )
        case AppTaken():
            return t("Another member already uses this Spotify app. Create an app of your own in Spotify's dashboard.")
        case NoSeatFree():
            return t(
                "This is the client ID of the bot's own Spotify app, whose seats are all taken. Create an app of your own."
            )
        case TryLater():
            return t("Spotify is not responding. Try again in a few minutes.")
    return t(
        "That is not a client ID: it has 32 characters, only digits and the letters a to f. Copy it from your app's "
        "settings in Spotify's dashboard."
    )


async def _form(request: web.Request) -> dict[str, list[str]]:
    """The fields of a form. Whatever is no form has none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        async with asyncio.timeout(request.app[IDLE]):
            body = await request.read()
        return parse_qs(body.decode(), max_num_fields=10)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ConnectionError, web.RequestPayloadError):  # the browser hung up, or the body is not compressed as it says
        raise web.HTTPBadRequest from None
    except ValueError:
        return {}


def _only(values: list[str]) -> str:
    """A value that comes once."""
    match values:
        case [value]:
            return value
    raise LinkExpired


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _picture(name: str) -> Markup:
    """A drawing of ours, as part of the page, so that it has the page's colours by day and by night."""
    return Markup((Path(__file__).parent / "static" / f"{name}.svg").read_text(encoding="utf-8"))  # noqa: S704 - our own file
