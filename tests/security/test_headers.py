"""A scan of every answer that the site can give: its headers and its cookies, on loopback and behind https."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from bot.sandbox.faults import FAULTS
from tests.web.reading import parsed, protected, raw
from tests.web.stage import MIA, NOAH, TOKEN_CALL, Answer, Browser, Stage, changed, raised

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
FILLED = {
    "id": ("A" * 32, "x", "%00", "..%2F..%2Fetc%2Fpasswd", "%E2%80%AE", "<script>"),
    "name": ("style.css", "mark.svg", "nothing.css", "..%2F..%2Fsite.py", "%00"),
}
NO_ROUTE = (
    "/nothing",
    "/link",
    "/link/",
    "/link/a/b",
    "/callback",
    "/callback/evil",
    "/static/",
    "//evil.example/",
    "/.env",
)
MALFORMED = (
    b"GET / NONSENSE\r\n\r\n",
    b"nothing at all\r\n\r\n",
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET /privacy HTTP/1.1\r\nHost: x\r\nExpect: evil\r\nConnection: close\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\nExpect: evil\r\nConnection: close\r\n\r\n",
    b"GET /privacy HTTP/1.1\r\nHost: x\r\nExpect: \x88\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n" + b"x" * 5_000,
)
# Whatever else stands in an answer tells something about us that nobody asked for.
EXPECTED = {
    *("content-type", "content-length", "date", "connection", "location", "set-cookie"),
    *("content-security-policy", "cache-control", "referrer-policy", "x-content-type-options", "x-frame-options"),
    *("allow", "x-robots-tag", "content-disposition"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy", "strict-transport-security"),
}


@pytest.fixture(params=["http://127.0.0.1", "https://music.example.org/gatefold"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Stage, Browser]]:
    """The site as it is at each kind of PUBLIC_URL, and a browser."""
    async with AsyncExitStack() as stack:
        https = {"public_url": request.param} if request.param.startswith("https") else {}
        stage = await stack.enter_async_context(raised(tmp_path, **https))
        yield stage, await stack.enter_async_context(stage.browser())


def addresses(stage: Stage) -> list[str]:
    """Every route of the real application, filled in, and some that are none."""
    templates = {resource.canonical for resource in stage.app.router.resources()}
    assert templates >= {"/", "/privacy", "/healthz", "/link/{id}", "/callback/discord", "/callback/spotify"}
    found = list(NO_ROUTE)
    for template in sorted(templates):
        names = re.findall(r"{(\w+)}", template)
        assert len(names) <= 1
        found += [template.replace(f"{{{names[0]}}}", value) for value in FILLED[names[0]]] if names else [template]
    return found


def check(stage: Stage, answer: Answer, *, cookie: str = "", has_form: bool = False) -> None:
    """All that must stand in one answer, and that nothing else does. `cookie`: "set", "taken back" or none."""
    is_https = stage.settings.is_https
    headers = {name.lower(): value for name, value in answer.headers.items()}
    protected(headers, has_form=has_form)
    assert set(headers) <= EXPECTED
    assert headers.get("strict-transport-security") == ("max-age=31536000" if is_https else None)
    if answer.goes_to:
        assert answer.status == 303
        providers = (stage.settings.discord_authorize_url, f"{stage.settings.spotify_accounts_url}/authorize")
        assert answer.goes_to.startswith(tuple(f"{provider}?" for provider in providers))
    else:
        assert answer.status not in range(300, 400)
        assert headers["content-type"].endswith("; charset=utf-8")
    assert len(answer.cookies) == bool(cookie)
    for text in answer.cookies:
        ((name, morsel),) = SimpleCookie(text).items()
        assert name == ("__Host-gatefold" if is_https else "gatefold")
        assert (morsel["httponly"], morsel["samesite"]) == (True, "Lax")
        assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert bool(morsel["secure"]) == is_https
        assert morsel["max-age"] == ("600" if cookie == "set" else "0")
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}" if cookie == "set" else "", morsel.value)


async def test_every_route_by_every_method_carries_what_protects_it(place: tuple[Stage, Browser]) -> None:
    stage, browser = place
    statuses = set()
    for address in addresses(stage):
        for method in METHODS:
            answer = await browser.get(address, method)
            check(stage, answer, has_form=address == "/guide/own-app" and answer.status != 405)
            assert ("Allow" in answer.headers) == (answer.status == 405)
            statuses.add(answer.status)
    assert statuses == {200, 400, 404, 405}


async def test_what_is_no_http_is_answered_with_the_same_headers(place: tuple[Stage, Browser]) -> None:
    stage, _ = place
    for request in MALFORMED:
        status, headers, text = parsed(await raw(stage, request))
        # another server's address at ours is the front page, which says nothing of it
        assert status in range(400, 500) or (status, request[:11]) == (200, b"GET http://"), request[:60]
        assert "evil" not in text + str(headers)
        check(stage, Answer(status, headers, text))


async def test_trouble_of_every_kind_carries_them_too(place: tuple[Stage, Browser]) -> None:
    stage, browser = place

    async def broken() -> dict[str, bool]:
        raise RuntimeError("inside")

    link = await stage.ask()
    stage.health = broken
    answers = [await browser.get("/healthz")]
    await stage.storage.database.read(lambda c: c.execute("PRAGMA query_only = ON").fetchall())
    answers.append(await browser.get(link))
    assert [answer.status for answer in answers] == [500, 503]
    for answer in answers:
        check(stage, answer)


async def test_every_step_of_linking_carries_them_and_its_cookie(place: tuple[Stage, Browser]) -> None:
    """The cookie is set with a link that lives, and by nothing else; the last page takes it back, however it ends."""
    stage, browser = place
    for how in ("linked", "no", "trouble", "stranger"):
        first = await browser.get(await stage.ask())
        check(stage, first, cookie="set")
        # A browser keeps a Secure cookie from plain http to itself: it is sent by hand.
        kept = {"Cookie": first.cookies[0].partition(";")[0]}
        user = NOAH if how == "stranger" else MIA
        second = await browser.get(await browser.be(user, first.goes_to), headers=kept)
        check(stage, second)
        if how == "stranger":
            assert second.status == 403
            continue
        callback = await browser.agree("mia", second.goes_to)
        if how == "trouble":
            stage.spotify.fault(path=TOKEN_CALL, **FAULTS["ok_html"])
        if how == "no":
            callback = changed(callback, code=None, error="access_denied")
        last = await browser.get(callback, headers=kept)
        assert last.status == {"linked": 200, "no": 403, "trouble": 502}[how]
        check(stage, last, cookie="" if how == "trouble" else "taken back")
        check(stage, await browser.get(callback, headers=kept))  # replayed
