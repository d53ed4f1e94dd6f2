"""The guide to an own app: its form, what is wrong with an ID, its policy, and how often one address may ask."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.sandbox.faults import FAULTS
from bot.web.visitors import A_SECOND, BURST, MOST, Visitors, address_of
from tests.callers import caller
from tests.log import restored
from tests.storage.rows import link as link_of
from tests.storage.rows import put
from tests.web.reading import parsed, raw
from tests.web.stage import MIA, NOAH, SPOTIFY_ID, Answer, Browser, Stage, raised

OWN = "a" * 32


async def guide(stage: Stage, locale: str = "en-US") -> tuple[str, str]:
    """The address of the guide, and the link in it."""
    url = (await stage.linking.offer(caller(MIA, locale=locale))).own_app_url
    return url, url.partition("?link=")[2]


async def send(browser: Browser, **fields: str) -> Answer:
    """Send the form."""
    return await browser.get("/guide/own-app", "POST", data=fields)


def register(stage: Stage) -> None:
    stage.spotify.register_app(OWN, redirect_uris={stage.settings.redirect_to_spotify}, allowlist=["mia"])


# -- the page


async def test_the_guide_shows_the_exact_redirect_uri_and_has_a_field(stage: Stage, browser: Browser) -> None:
    url, link = await guide(stage)
    page = await browser.get(url)
    assert (page.status, page.title) == (200, "Use your own Spotify app")
    assert f"<code>{stage.settings.redirect_to_spotify}</code>" in page.text
    assert f'name="link" value="{link}"' in page.text


async def test_without_a_link_the_guide_can_be_read_and_has_no_field(stage: Stage, browser: Browser) -> None:
    page = await browser.get("/guide/own-app")
    assert page.status == 200
    assert "<form" not in page.text


@pytest.mark.parametrize("query", ["link=", "link=x", "link=" + "a" * 32, "link=a&link=b", "link=" + "a" * 3000])
async def test_a_link_that_does_not_live_is_told(query: str, stage: Stage, browser: Browser) -> None:
    page = await browser.get(f"/guide/own-app?{query}")
    assert (page.status, page.title) == (400, "This link has expired or was already used.")


async def test_the_guide_is_in_the_members_language(stage: Stage, browser: Browser) -> None:
    url, link = await guide(stage, "de")
    assert '<html lang="de">' in (await browser.get(url)).text
    assert '<html lang="de">' in (await send(browser, link=link, client_id="wrong")).text


async def test_only_the_guide_may_run_our_script_and_lead_on(stage: Stage, browser: Browser) -> None:
    policy = (await browser.get("/guide/own-app")).headers["Content-Security-Policy"]
    discord, spotify = stage.settings.discord_authorize_url, stage.settings.spotify_accounts_url
    assert "script-src 'self'" in policy
    assert f"form-action 'self' {'/'.join(discord.split('/')[:3])} {spotify}" in policy
    for path in ("/", "/privacy", "/nothing", "/callback/spotify", "/static/copy.js"):
        policy = (await browser.get(path)).headers["Content-Security-Policy"]
        assert "script-src" not in policy
        assert "form-action 'none'" in policy


# -- the form


async def test_the_right_id_leads_on_to_the_link(stage: Stage, browser: Browser) -> None:
    register(stage)
    _, link = await guide(stage)
    answer = await send(browser, link=link, client_id=f" {OWN.upper()} ")
    assert (answer.status, answer.goes_to) == (303, f"{stage.settings.public_url}/link/{link}")
    page = await browser.get(await browser.to_last_callback(answer.goes_to))
    assert page.title == "Linked. You can go back to Discord."


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ("shape", 400, "That is not a client ID"),
        ("empty", 400, "That is not a client ID"),
        ("unknown", 400, "If it was the client secret"),
        ("redirect", 400, "does not list the redirect URI from step 2"),
        ("taken", 409, "Another member already uses this Spotify app"),
        ("down", 503, "Spotify is not responding"),
    ],
)
async def test_what_is_wrong_is_told_on_the_same_page_without_the_id(
    wrong: str, status: int, words: str, stage: Stage, browser: Browser
) -> None:
    _, link = await guide(stage)
    if wrong == "redirect":
        stage.spotify.register_app(OWN, redirect_uris={"https://x.example/"}, allowlist=["mia"])
    if wrong == "taken":
        register(stage)
        await put(stage.storage, link_of(NOAH, client_id=OWN, is_own_app=True))
    if wrong == "down":
        stage.spotify.fault(path="/authorize", **FAULTS["unavailable"])
    typed = {"shape": "no <b>id</b>", "empty": ""}.get(wrong, OWN)
    page = await send(browser, link=link, client_id=typed)
    assert (page.status, page.title) == (status, "Use your own Spotify app")
    assert words in html.unescape(page.text)
    assert "no &lt;b&gt;" not in page.text
    assert OWN not in page.text
    assert f'value="{link}"' in page.text


async def test_the_id_of_the_bots_own_app_is_refused_where_its_seats_are_taken(tmp_path: Path) -> None:
    async with raised(tmp_path, spotify_seats=1) as stage, stage.browser() as browser:
        await put(stage.storage, link_of(NOAH, client_id=SPOTIFY_ID))
        _, link = await guide(stage)
        page = await send(browser, link=link, client_id=SPOTIFY_ID)
    assert (page.status, page.title) == (409, "Use your own Spotify app")
    assert "whose seats are all taken" in page.text


async def test_a_form_without_a_link_that_lives_is_refused(stage: Stage, browser: Browser) -> None:
    register(stage)
    _, link = await guide(stage)
    for fields in ({}, {"client_id": OWN}, {"link": "x" * 32, "client_id": OWN}):
        assert (await send(browser, **fields)).title == "This link has expired or was already used."
    twice = await browser.get("/guide/own-app", "POST", data=[("link", link), ("link", link), ("client_id", OWN)])
    assert twice.title == "This link has expired or was already used."
    assert stage.spotify.calls == []


async def test_a_form_of_more_than_ten_fields_is_none(stage: Stage, browser: Browser) -> None:
    register(stage)
    _, link = await guide(stage)
    many = {f"more{number}": "x" for number in range(8)}
    refused = await send(browser, link=link, client_id=OWN, one_more="x", **many)
    assert refused.title == "This link has expired or was already used."
    assert (await send(browser, link=link, client_id=OWN, **many)).status == 303


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("application/x-www-form-urlencoded; charset=nonsense", b"link=%FF", 400),
        ("application/x-www-form-urlencoded", b"\xff\xfe", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"link=x"] * 20), 400),
        ("application/x-www-form-urlencoded", b"link=" + b"x" * 10_000, 413),
        ("multipart/form-data; boundary=x", b"--x--", 400),
    ],
)
async def test_what_is_no_form_is_refused_calmly(
    kind: str, body: bytes, status: int, stage: Stage, browser: Browser
) -> None:
    answer = await browser.get("/guide/own-app", "POST", data=body, headers={"Content-Type": kind})
    assert answer.status == status


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"Content-Length: 10\r\n\r\nlink=", 408),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nlink=\r\n", 408),
        (b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n", 400),
        (b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnonsense", 400),
    ],
    ids=["half a form", "half a form in chunks", "no chunks", "not compressed"],
)
async def test_a_form_that_does_not_arrive_is_given_up(rest: bytes, status: int, tmp_path: Path) -> None:
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    async with raised(tmp_path, idle_s=0.3) as stage, asyncio.timeout(30):
        answer = parsed(await raw(stage, b"POST /guide/own-app HTTP/1.1\r\nHost: x\r\n" + kind + rest))
    assert answer[0] == status
    assert "<h1>This request is not valid.</h1>" in answer[2]


@pytest.mark.parametrize("line", [b"POST /guide/own-app", b"GET /guide/own-app", b"POST /privacy"])
@pytest.mark.parametrize("rest", [b"Content-Length: 10\r\n\r\nlink=", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_whoever_hangs_up_in_the_middle_of_a_body_breaks_nothing(
    line: bytes, rest: bytes, tmp_path: Path
) -> None:
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    with restored() as start:
        log = start("json")
        async with raised(tmp_path) as stage:
            _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
            writer.write(line + b" HTTP/1.1\r\nHost: x\r\n" + kind + rest)
            await writer.drain()
            async with stage.browser() as browser:
                await browser.get("/")  # what came before it is being served
            writer.close()
            await writer.wait_closed()
            async with stage.browser() as browser:
                await browser.get("/")
    assert "a page broke" not in log.getvalue()


async def test_only_the_form_of_the_guide_has_a_body(stage: Stage, browser: Browser) -> None:
    assert (await browser.get("/guide/own-app", data=b"x")).status == 413
    assert (await browser.get("/privacy", "POST", data=b"x")).status == 413


# -- the requests that some programs make


@pytest.mark.parametrize("path", [b"/healthz", b"/", b"/privacy"])
async def test_an_empty_body_in_chunks_is_none(path: bytes, stage: Stage) -> None:
    head = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert parsed(await raw(stage, head + b"0\r\n\r\n"))[0] == 200
    assert parsed(await raw(stage, head + b"1\r\nx\r\n0\r\n\r\n"))[0] == 413


async def test_a_method_that_is_not_taken_names_those_that_are(stage: Stage, browser: Browser) -> None:
    for path, allowed in (("/privacy", "GET,HEAD"), ("/guide/own-app", "GET,HEAD,POST")):
        answer = await browser.get(path, "DELETE")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


# -- what hosts say about themselves


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("host@example.org", '<a href="mailto:host@example.org" rel="noopener noreferrer">host@example.org</a>'),
        ("https://example.org/me", '<a href="https://example.org/me" rel="noopener noreferrer">'),
        ("mia <on> Discord", "hosts this bot: mia &lt;on&gt; Discord"),
        ("https://example.org or ask Mia", "hosts this bot: https://example.org or ask Mia"),
        ("http://example.org", "hosts this bot: http://example.org"),
        ("mail host@example.org", "hosts this bot: mail host@example.org"),
    ],
)
async def test_the_privacy_page_says_how_to_reach_the_host(contact: str, shown: str, tmp_path: Path) -> None:
    async with raised(tmp_path, contact=contact) as stage, stage.browser() as browser:
        assert shown in (await browser.get("/privacy")).text


@pytest.mark.parametrize(("seats", "words"), [(1, "allows 1 person"), (25, "allows 25 people"), (0, "not let you in")])
async def test_the_number_of_seats_is_the_hosts(seats: int, words: str, tmp_path: Path) -> None:
    async with raised(tmp_path, spotify_seats=seats) as stage, stage.browser() as browser:
        stage.spotify.apps[stage.settings.spotify_client_id].allowlist = {"noah"}
        page = await browser.link()
        assert words in page.text


# -- how often one address may ask


async def test_one_address_may_ask_so_often_and_again_after_a_while() -> None:
    now = 0.0
    visitors = Visitors(monotonic=lambda: now)
    assert all(visitors.is_welcome("a") for _ in range(BURST))
    assert not visitors.is_welcome("a")
    assert visitors.is_welcome("b")
    now = 1.0
    assert [visitors.is_welcome("a") for _ in range(int(A_SECOND) + 1)] == [True] * int(A_SECOND) + [False]
    now = 10_000.0
    assert [visitors.is_welcome("a") for _ in range(BURST + 1)] == [True] * BURST + [False]


async def test_no_more_addresses_are_remembered_than_the_limit() -> None:
    visitors = Visitors(monotonic=lambda: 0.0)
    while visitors.is_welcome("a"):
        pass
    for number in range(MOST - 1):
        visitors.is_welcome(str(number))
    assert not visitors.is_welcome("a")
    for number in range(MOST):
        visitors.is_welcome(str(MOST + number))
    assert visitors.is_welcome("a"), "those that asked longest ago are forgotten"


async def test_whoever_asks_all_the_time_is_remembered_also_when_they_were_the_first() -> None:
    visitors = Visitors(monotonic=lambda: 0.0)
    while visitors.is_welcome("a"):
        pass
    for number in range(MOST - 1):
        visitors.is_welcome(str(number))
    assert not visitors.is_welcome("a")
    visitors.is_welcome("one more")
    assert not visitors.is_welcome("a")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("172.18.0.5", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("::1", "2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("203.0.113.77", None, "203.0.113.77"),
        ("8.8.8.8", "1.1.1.1", "8.8.8.8"),  # no proxy of ours
        ("", "1.1.1.1", "None"),  # all who have no address share one
        ("::ffff:8.8.8.8", "1.1.1.1", "8.8.8.8"),
    ],
)
def test_only_a_proxy_nearby_says_for_whom_it_asks(peer: str, forwarded: str | None, address: str) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    assert address_of(request) == address


def test_of_several_headers_that_say_for_whom_a_proxy_asks_the_last_counts() -> None:
    headers = CIMultiDict([("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "203.0.113.9")])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote="127.0.0.1")
    assert address_of(request) == "203.0.113.9"


async def test_a_flood_of_links_is_stopped_and_the_rest_of_the_site_is_not(stage: Stage, browser: Browser) -> None:
    flood = {"X-Forwarded-For": "203.0.113.9"}
    for _ in range(10 * BURST):  # more than the burst, because some are allowed again meanwhile
        last = await browser.get("/callback/spotify", headers=flood)
        if last.status == 429:
            break
    assert (last.status, last.title) == (429, "Too many requests from your network.")
    assert last.headers["Retry-After"] == "60"
    for path in ("/link/x", "/guide/own-app", "/club/x", "/club/x/feed.atom", "/crate/x"):
        # some are allowed again meanwhile, but not 60 at once
        answers = await asyncio.gather(*(browser.get(path, headers=flood) for _ in range(60)))
        assert 429 in {answer.status for answer in answers}, path
    for path in ("/", "/privacy", "/healthz", "/static/style.css"):
        assert (await browser.get(path, headers=flood)).status == 200
    assert (await browser.get("/callback/spotify")).status == 400
