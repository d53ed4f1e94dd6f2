"""The site itself: headers, cookies, addresses, and input that no browser sends."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.log import restored
from tests.web.books import open_book, season
from tests.web.crates import filled, open_crate
from tests.web.reading import parsed, protected, raw
from tests.web.stage import MIA, Browser, Stage, changed, raised
from tests.web.test_book import albums

ADDRESSES = (
    ("GET", "/"),
    ("GET", "/privacy"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/static/style.css"),
    ("GET", "/static/mark.svg"),
    ("GET", "/static/nothing.css"),
    ("GET", "/nothing"),
    ("POST", "/"),
    ("DELETE", "/healthz"),
    ("GET", "/link/" + "A" * 32),
    ("GET", "/callback/discord"),
    ("GET", "/callback/spotify?state=x&code=y"),
    ("HEAD", "/"),
)
MARKED = "<script>alert('marked')</script>"
"""What must never come back, nor stand in the log; the word alone is looked for as well."""


# -- headers


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_every_answer_is_a_page_a_file_or_the_health(
    stage: Stage, browser: Browser, method: str, path: str
) -> None:
    answer = await browser.get(path, method)
    kind = {
        "/healthz": "application/json",
        "/readyz": "application/json",
        "/static/style.css": "text/css",
        "/static/mark.svg": "image/svg+xml",
    }
    wanted = kind.get(path, "text/html") if answer.status == 200 else "text/html"
    assert answer.headers["Content-Type"] == f"{wanted}; charset=utf-8"
    if wanted == "text/html" and method != "HEAD":
        assert f"<h1>{answer.title}</h1>" in answer.text
        assert '<html lang="en">' in answer.text


# -- cookies


async def test_the_cookie_on_loopback_is_plain_http_and_for_this_browser_alone(stage: Stage, browser: Browser) -> None:
    answer = await browser.get(await stage.ask())
    (name, cookie), *more = SimpleCookie(answer.cookies[0]).items()
    assert more == []
    assert name == "gatefold"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (cookie["domain"], cookie["secure"], cookie["max-age"]) == ("", "", "600")


async def test_the_cookie_behind_https_is_bound_to_this_very_host(https: Stage) -> None:
    async with https.browser() as browser:
        answer = await browser.get((await https.ask()).replace(https.settings.public_url, ""))
        (name, cookie), *more = SimpleCookie(answer.cookies[0]).items()
        assert more == []
        assert name == "__Host-gatefold"
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["domain"], cookie["path"]) == ("", "/")


async def test_the_cookie_behind_https_is_taken_back_as_it_was_given(https: Stage) -> None:
    async with https.browser() as browser:
        consent = await browser.get(await https.ask())
        name_and_value = consent.cookies[0].partition(";")[0]
        cookie = {"Cookie": name_and_value}  # a browser keeps a Secure cookie from plain http to itself
        to_spotify = await browser.get(await browser.be(MIA, consent.goes_to), headers=cookie)
        last = await browser.get(await browser.agree("mia", to_spotify.goes_to), headers=cookie)
        assert last.status == 200
        ((name, gone),) = SimpleCookie(last.cookies[0]).items()
        assert (name, gone["max-age"], gone["path"], gone["secure"]) == ("__Host-gatefold", "0", "/", True)
        assert (gone["httponly"], gone["samesite"]) == (True, "Lax")


# -- https


async def told_to_stay_with_https(stage: Stage) -> set[str | None]:
    """What answers of all kinds say about that."""
    async with stage.browser() as browser:
        answers = [await browser.get(path) for path in ("/", "/nothing", "/link/x", "/static/style.css")]
    unreadable = parsed(await raw(stage, b"nonsense\r\n\r\n"))[1]
    name = "Strict-Transport-Security"
    return {*(answer.headers.get(name) for answer in answers), unreadable.get(name.lower())}


async def test_a_browser_is_told_to_stay_with_https_where_the_site_has_it(https: Stage) -> None:
    assert await told_to_stay_with_https(https) == {"max-age=31536000"}


async def test_a_browser_is_not_told_to_stay_with_https_where_the_site_has_none(stage: Stage) -> None:
    assert await told_to_stay_with_https(stage) == {None}


# -- addresses


SPOOFED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/healthz",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "host=evil.example;proto=https",
}


async def test_a_spoofed_host_changes_no_address(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    plain = await browser.get(link)
    spoofed = await browser.get(link, headers=SPOOFED)
    assert changed(spoofed.goes_to, state=None) == changed(plain.goes_to, state=None)
    assert "Secure" not in spoofed.cookies[0]
    for path in ("/", "/privacy", "/nothing"):
        answer = await browser.get(path, headers=SPOOFED)
        assert "evil" not in answer.text + str(answer.headers)


async def test_there_is_no_next(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    for name in ("next", "return_to", "redirect_uri", "url"):
        answer = await browser.get(f"{link}?{name}=https://evil.example/")
        assert answer.goes_to.startswith(stage.settings.discord_authorize_url)
        assert "evil" not in answer.goes_to


async def test_links_are_below_the_path_of_public_url(https: Stage) -> None:
    async with https.browser() as browser:
        for path in ("/", "/privacy", "/nothing"):
            page = await browser.get(path)
            ours = [link for link in re.findall(r'(?:href|src)="([^"]*)"', page.text) if "://" not in link]
            assert ours
            assert all(link.startswith("/gatefold/") for link in ours)
        malformed = parsed(await raw(https, b"GET / NONSENSE\r\n\r\n"))[2]
        assert 'href="/gatefold/static/style.css"' in malformed


async def test_every_link_on_our_pages_leads_somewhere(stage: Stage, browser: Browser) -> None:
    book = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 2)))
    crate = await open_crate(stage.public_pages, await filled(stage.storage, albums(stage, 2)))
    seen: set[str] = set()
    for path in ("/", "/privacy", "/nothing", "/guide/own-app", book, crate):
        seen |= set(re.findall(r'(?:href|src)="(/[^"]*)"', (await browser.get(path)).text))
    assert {"/static/style.css", "/static/copy.js", "/static/book.css"} <= seen
    for link in seen:
        assert (await browser.get(link)).status == 200, link


@pytest.mark.parametrize(
    "name",
    [
        "",
        "base.html",
        "..%2Fsite.py",
        "%2e%2e/site.py",
        "../templates/base.html",
        "style.css/",
        "STYLE.CSS",
        "%00",
        ".",
    ],
)
async def test_only_two_files_are_served(stage: Stage, browser: Browser, name: str) -> None:
    answer = await browser.get(f"/static/{name}")
    assert (answer.status, answer.title) == (404, "Page not found.")


# -- what stands there


async def test_the_front_page_says_what_this_is_and_leads_to_the_privacy_page(stage: Stage, browser: Browser) -> None:
    page = await browser.get("/")
    assert page.status == 200
    assert "Spotify library" in page.title
    assert 'href="/privacy"' in page.text


async def test_the_privacy_page_says_what_docs_say(stage: Stage, browser: Browser) -> None:
    page = await browser.get("/privacy")
    assert page.status == 200
    assert f"<h1>{page.title}</h1>" in page.text
    assert '<a href="https://www.spotify.com/account/apps/">' in page.text
    assert "/unlink" in page.text
    assert "Ask the person who hosts this bot." in page.text


async def test_the_privacy_page_has_no_link_to_itself(browser: Browser) -> None:
    assert 'href="/privacy"' not in (await browser.get("/privacy")).text


@pytest.mark.parametrize("language", ["de", "fr", "es", "pt-BR", "ja"])
async def test_the_privacy_page_is_in_the_language_of_the_browser(
    language: str, stage: Stage, browser: Browser
) -> None:
    page = await browser.get("/privacy", headers={"Accept-Language": language})
    assert f'lang="{language}"' in page.text
    assert "What this bot stores" not in page.text
    assert "/forget" in page.text


def test_each_translation_of_the_privacy_text_has_its_parts_links_and_commands() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"

    def skeleton(path: Path) -> list[list[str]]:
        text = path.read_text(encoding="utf-8")
        lines = [line[:2].rstrip() for line in text.splitlines() if line.startswith(("#", "- "))]
        return [lines, sorted(re.findall(r"https://[^)\s>]+", text)), sorted(set(re.findall(r"`/[^`]+`", text)))]

    translated = sorted(docs.glob("privacy.*.md"))
    assert len(translated) == 5
    for path in translated:
        assert skeleton(path) == skeleton(docs / "privacy.md"), path.name


async def test_no_page_holds_a_script_or_a_style_of_its_own(stage: Stage, browser: Browser) -> None:
    for path in ("/", "/privacy", "/nothing"):
        page = await browser.get(path)
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)


async def test_the_health_is_200_when_all_parts_work_and_503_when_one_does_not(stage: Stage, browser: Browser) -> None:
    assert (await browser.get("/healthz")).status == 200

    async def ill() -> dict[str, bool]:
        return {"gateway": False, "database": True}

    stage.health = ill
    answer = await browser.get("/healthz")
    assert answer.status == 503
    assert answer.text == '{"gateway": false, "database": true}'


async def test_what_breaks_is_a_page_with_a_number_that_the_log_knows(stage: Stage, browser: Browser) -> None:
    async def broken() -> dict[str, bool]:
        raise RuntimeError("inside")

    stage.health = broken
    with restored() as start:
        log = start("json")
        page = await browser.get("/healthz")
    assert (page.status, page.title) == (500, "Something broke on our side.")
    found = re.search(r"this number up: ([a-z2-7]{8})", page.text)
    assert found is not None
    [line] = [line for line in map(json.loads, log.getvalue().splitlines()) if line["request"] == found[1]]
    assert (line["event"], line["route"]) == ("a page broke", "/healthz")
    assert "inside" in line["exception"]
    assert "inside" not in page.text
    assert "Traceback" not in page.text


async def test_what_breaks_before_a_page_is_begun_is_such_a_page_too(tmp_path: Path) -> None:
    @web.middleware
    async def broken(request: web.Request, handler: Handler) -> web.StreamResponse:
        raise RuntimeError("inside")

    def prepare(app: web.Application) -> None:
        app.middlewares.insert(0, broken)

    with restored() as start:
        log = start("json")
        async with raised(tmp_path, prepare=prepare) as stage:
            status, headers, body = parsed(await raw(stage, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert (status, "<h1>Something broke on our side.</h1>" in body) == (500, True)
    protected(headers)
    found = re.search(r"this number up: ([a-z2-7]{8})", body)
    assert found is not None
    [line] = [line for line in map(json.loads, log.getvalue().splitlines()) if line.get("request") == found[1]]
    assert (line["event"], line["route"]) == ("a page broke", "unknown")
    assert "inside" in line["exception"]


# -- what no browser sends


@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_what_a_callback_carries_is_not_reflected(stage: Stage, browser: Browser, provider: str) -> None:
    link = await stage.ask()
    consent = await browser.open(link) if provider == "discord" else await browser.to_spotify(link)
    fields = {"user": str(MIA)} if provider == "discord" else {"account": "mia", "decision": "agree"}
    callback = await browser.decide(consent, **fields)
    for url in (f"/callback/{provider}?error={MARKED}", changed(callback, error=MARKED, error_description=MARKED)):
        page = await browser.get(changed(url, more=MARKED, code=MARKED))
        assert page.status in (400, 502)  # 502: the state was good, so that it may be the provider who says so
        assert "<script" not in page.text
        assert "marked" not in page.text + str(page.headers)


async def test_no_request_is_in_an_access_log(stage: Stage, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "aiohttp.access"):
        assert (await browser.get("/callback/spotify?state=mark1&code=mark2")).status == 400
        assert (await browser.get("/")).status == 200
    assert [record.getMessage() for record in caplog.records if record.name == "aiohttp.access"] == []


@pytest.mark.parametrize(
    ("address", "route"),
    [
        # each part is too short to be hidden as one that looks like a secret
        ("/link/mark1?more=mark2", "/link/{id}"),
        ("/callback/discord?state=mark1&code=mark2&error=mark3&more=mark4", "/callback/discord"),
        ("/callback/spotify?state=mark1&code=mark2&error=mark3&more=mark4", "/callback/spotify"),
    ],
)
async def test_the_log_names_the_route_of_what_was_refused_and_nothing_that_the_address_held(
    stage: Stage, browser: Browser, address: str, route: str
) -> None:
    with restored() as start:
        log = start("json")
        assert (await browser.get(address)).status == 400
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["route"] for line in lines if line["event"] == "refused"] == [route]
    assert "mark" not in log.getvalue()


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Stage]:
    """A site that keeps a connection open for minutes, unless it means to close it."""
    async with raised(tmp_path, idle_s=300.0) as stage:
        yield stage


UNREADABLE = {
    "a request line of 9 kB": b"GET /callback/discord?error=marked&x=" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header of 9 kB": b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: marked" + b"a" * 9_000 + b"\r\n\r\n",
    "200 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: marked\r\n" * 200 + b"\r\n",
    "no HTTP at all": b"marked <script>alert('marked')</script>\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03marked\r\n\r\n",
    "an unknown version": b"GET /marked HTTP/9.9\r\nHost: x\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: marked\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\nmarked",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\nmarked",
}


@pytest.mark.parametrize("request_", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_refused_on_a_page_like_any_other(
    stage: Stage, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, request_: bytes
) -> None:
    status, headers, body = parsed(await raw(stage, request_))
    assert 400 <= status < 500
    assert headers["content-type"] == "text/html; charset=utf-8"
    protected(headers)
    assert "<h1>This request is not valid.</h1>" in body
    for seen in (body, str(headers), caplog.text, capsys.readouterr().out):
        assert "marked" not in seen


@pytest.mark.parametrize("expects", [b"100-continue", b"something else"])
async def test_what_a_browser_expects_is_never_met(patient: Stage, expects: bytes) -> None:
    async with asyncio.timeout(30):
        answer = await raw(patient, b"GET / HTTP/1.1\r\nHost: x\r\nExpect: " + expects + b"\r\n\r\n")
    status, headers, body = parsed(answer)
    assert status == 417
    protected(headers)
    assert "<h1>This request is not valid.</h1>" in body


async def test_of_two_requests_on_one_connection_the_first_is_answered(patient: Stage) -> None:
    for path in (b"/healthz", b"/nothing", b"/link/x"):
        async with asyncio.timeout(30):
            answer = await raw(patient, (b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n") * 2)
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_1_mb_of_error_description_is_hung_up_on(
    stage: Stage, browser: Browser, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    line = b"GET /callback/spotify?error=x&error_description=marked" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n"
    answer = await raw(stage, line)
    # Who sends so much may find the connection closed before there is an answer to read.
    assert answer == b"" or parsed(answer)[0] == 400
    for seen in (answer.decode(), caplog.text, capsys.readouterr().out):
        assert "marked" not in seen
    assert (await browser.get("/")).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/callback/spotify", "/nothing"])
async def test_a_body_of_10_mb_is_refused(stage: Stage, browser: Browser, method: str, path: str) -> None:
    answer = await browser.get(path, method, data=io.BytesIO(b"x" * 10_000_000))
    assert (answer.status, answer.title) == (413, "This request is not valid.")


async def test_an_endless_body_is_refused_before_it_ends(stage: Stage) -> None:
    head = b"POST /callback/spotify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    async with asyncio.timeout(9):  # the rest is read for 2 s, or a browser might not see the answer
        status, headers, _ = parsed(await raw(stage, head + b"x" * 1000))
    assert status == 413
    protected(headers)
