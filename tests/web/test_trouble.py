"""Linking, when Spotify, Discord, the host or the disk fail: said on the page, told, and nothing half done."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.accounts.discord_login import LARGEST, DiscordLogin
from bot.errors import (
    AppRejected,
    DiscordUnavailable,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    TryLater,
)
from bot.sandbox.faults import FAULTS
from tests.log import restored
from tests.web.stage import MIA, PROFILE_CALL, TOKEN_CALL, Answer, Browser, Stage, changed, raised

UNAVAILABLE = "Spotify is not responding."


def refused_and_told(stage: Stage, page: Answer, status: int, title: str, error: type[Exception]) -> None:
    """The page says why, so does the private message, and what waits goes on waiting."""
    assert (page.status, page.title) == (status, title)
    assert "Nothing was linked" in page.text
    (told,) = stage.told
    assert told.member == MIA
    assert told.interaction_token == "answer-token-1"
    assert isinstance(told.news, error)
    assert stage.woken == []


# -- who is served at all


async def test_a_member_who_is_not_on_the_apps_list_is_told_so(stage: Stage, browser: Browser) -> None:
    stage.spotify.accounts["mia"].allowlisted = False
    page = await browser.link()
    refused_and_told(stage, page, 403, "Spotify does not let this bot serve you yet.", NotAllowlisted)
    assert await stage.counts() == (0, 0, 0)


@pytest.mark.parametrize("fault", ["not_registered_json", "check_settings_text", "check_settings_json"])
async def test_every_wording_of_not_on_the_list_is_understood(stage: Stage, browser: Browser, fault: str) -> None:
    stage.spotify.fault(path=PROFILE_CALL, **FAULTS[fault])
    page = await browser.link()
    refused_and_told(stage, page, 403, "Spotify does not let this bot serve you yet.", NotAllowlisted)


async def test_a_host_whose_premium_lapsed_is_named_as_the_reason(stage: Stage, browser: Browser) -> None:
    stage.spotify.premium = False
    page = await browser.link()
    refused_and_told(stage, page, 503, "Spotify does not serve this bot at the moment.", PremiumLapsed)
    assert await stage.counts() == (0, 0, 0)


async def test_a_wrong_client_secret_is_the_hosts_to_mend(stage: Stage, browser: Browser) -> None:
    stage.spotify.client_secret = "another-secret"
    page = await browser.link()
    refused_and_told(stage, page, 502, "Spotify rejects this bot&#39;s app.", AppRejected)
    assert await stage.counts() == (0, 0, 0)


# -- a way back without a code


@pytest.mark.parametrize(
    ("error", "status", "title", "told"),
    [
        ("access_denied", 403, "You declined at Spotify.", LinkDeclined),
        ("invalid_scope", 502, "Spotify rejects this bot&#39;s app.", AppRejected),
        ("unauthorized_client", 502, "Spotify rejects this bot&#39;s app.", AppRejected),
        ("server_error", 502, UNAVAILABLE, TryLater),
        ("temporarily_unavailable", 502, UNAVAILABLE, TryLater),
        ("<script>", 502, UNAVAILABLE, TryLater),
        ("ACCESS_DENIED", 502, UNAVAILABLE, TryLater),
        pytest.param("x" * 2048, 502, UNAVAILABLE, TryLater, id="a long one"),
    ],
)
async def test_an_error_of_spotifys_consent_page_is_told_as_what_it_is(
    stage: Stage, browser: Browser, error: str, status: int, title: str, told: type[Exception]
) -> None:
    callback = changed(await browser.to_last_callback(await stage.ask()), code=None)
    page = await browser.get(f"{callback}&error={quote(error)}")
    refused_and_told(stage, page, status, title, told)
    assert await stage.counts() == (0, 0, 0)
    assert stage.calls(TOKEN_CALL) == 0


@pytest.mark.parametrize("error", ["invalid_scope", "server_error", "login_required", "<script>"])
async def test_an_error_of_discords_consent_page_is_no_no_and_the_link_stays_good(
    stage: Stage, browser: Browser, error: str
) -> None:
    link = await stage.ask()
    callback = changed(await browser.be(MIA, await browser.open(link)), code=None)
    page = await browser.get(f"{callback}&error={quote(error)}")
    assert (page.status, page.title) == (502, "Discord did not confirm who you are.")
    assert (stage.told, stage.identifications) == ([], 0)
    assert (await browser.get(await browser.to_last_callback(link))).status == 200


@pytest.mark.parametrize("error", ["error=access_denied&error=server_error", f"error={'x' * 2049}"])
async def test_two_errors_or_an_endless_one_are_no_way_back(stage: Stage, browser: Browser, error: str) -> None:
    callback = changed(await browser.to_last_callback(await stage.ask()), code=None)
    page = await browser.get(f"{callback}&{error}")
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert stage.told == []


# -- our own fault


async def test_what_breaks_on_our_side_is_told_with_the_number_that_page_and_log_have(
    stage: Stage, browser: Browser
) -> None:
    """The clock breaks while Spotify answers, when the link is used up already."""
    callback = await browser.to_last_callback(await stage.ask())
    stage.spotify.fault(path=TOKEN_CALL, delay_s=0.1)
    with restored() as configured:
        stream = configured()
        finishing = asyncio.create_task(browser.get(callback))
        async with asyncio.timeout(60):
            while not stage.calls(TOKEN_CALL):
                await asyncio.sleep(0.005)
        stage.clock.ahead = timedelta.max
        page = await finishing
    log = stream.getvalue()
    assert (page.status, page.title) == (500, "Something broke on our side.")
    (told,) = stage.told
    assert (told.member, told.interaction_token) == (MIA, "answer-token-1")
    assert isinstance(told.news, InternalError)
    assert told.news.reference in page.text
    assert told.news.reference in log
    assert "OverflowError" in log
    assert "Overflow" not in page.text
    assert stage.woken == []
    assert await stage.counts() == (0, 0, 0)


# -- the token endpoint


@pytest.mark.parametrize(
    "fault",
    [
        "ok_html",
        "ok_empty",
        "ok_half",
        "ok_huge",
        "ok_list",
        "token_bad_expiry",
        "token_no_scope",
        "accounts_server_error",
        "accounts_unavailable",
        "elsewhere",
        "cut",
        "cut_after_work",
    ],
)
async def test_nonsense_from_the_token_endpoint_is_trouble_and_stores_nothing(
    stage: Stage, browser: Browser, fault: str
) -> None:
    stage.spotify.fault(path=TOKEN_CALL, **FAULTS[fault])
    page = await browser.link()
    refused_and_told(stage, page, 502, UNAVAILABLE, TryLater)
    assert await stage.counts() == (0, 0, 0)
    assert (stage.calls(TOKEN_CALL), stage.calls(PROFILE_CALL)) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "A" * 5000},
        {"access_token": "line\r\nInjected: yes"},
        {"refresh_token": None},
        {"refresh_token": 7},
        {"refresh_token": "A" * 5000},
        {"expires_in": -1},
        {"expires_in": 0},
        {"expires_in": True},
        {"expires_in": 10**30},
        {"scope": ["user-library-read", "user-library-modify"]},
    ],
    ids=str,
)
async def test_a_token_answer_with_one_wrong_field_is_trouble(
    stage: Stage, browser: Browser, change: dict[str, Any]
) -> None:
    good = {
        "access_token": "BQ-not-a-real-token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "AQ-not-a-real-token",
        "scope": "user-library-read user-library-modify",
    }
    stage.spotify.fault(path=TOKEN_CALL, status=200, body={**good, **change})
    page = await browser.link()
    refused_and_told(stage, page, 502, UNAVAILABLE, TryLater)
    assert await stage.counts() == (0, 0, 0)


async def test_a_permission_that_is_missing_is_told(stage: Stage, browser: Browser) -> None:
    stage.spotify.fault(path=TOKEN_CALL, **FAULTS["token_short_scope"])
    page = await browser.link()
    refused_and_told(stage, page, 403, "Spotify did not grant all the permissions.", NeedsRelink)
    assert stage.calls(PROFILE_CALL) == 0


async def test_a_code_that_spotify_does_not_know_is_told(stage: Stage, browser: Browser) -> None:
    stage.spotify.fault(path=TOKEN_CALL, **FAULTS["code_invalid"])
    page = await browser.link()
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert isinstance(stage.news[0], LinkExpired)


async def test_a_busy_token_endpoint_asks_to_slow_down(stage: Stage, browser: Browser) -> None:
    stage.spotify.fault(path=TOKEN_CALL, **FAULTS["accounts_rate_limited"])
    refused_and_told(stage, await browser.link(), 503, "Spotify asked this bot to slow down.", TryLater)


async def test_an_answer_that_points_elsewhere_is_never_followed(stage: Stage, browser: Browser) -> None:
    elsewhere = f"{stage.discord.base_url}/somewhere-else"
    for path in (TOKEN_CALL, PROFILE_CALL):
        stage.spotify.fault(path=path, status=302, body="", headers={"Location": elsewhere}, times=None)
        assert (await browser.link()).status == 502
        stage.spotify.clear_faults()
    assert not any(call.path == "/somewhere-else" for call in stage.discord.calls)


@pytest.mark.parametrize(
    "path_and_fault", [(TOKEN_CALL, "ok_html"), (TOKEN_CALL, "token_short_scope"), (PROFILE_CALL, "premium")]
)
async def test_a_renewal_that_fails_leaves_the_old_link_working(
    stage: Stage, browser: Browser, path_and_fault: tuple[str, str]
) -> None:
    await browser.link()
    before = await stage.rows("links")
    path, fault = path_and_fault
    stage.clock.ahead = timedelta(minutes=5)
    stage.spotify.fault(path=path, **FAULTS[fault])
    assert (await browser.link()).status >= 400
    assert await stage.rows("links") == before
    assert await stage.tokens.access_token(MIA) in stage.spotify.access_tokens


# -- the profile


@pytest.mark.parametrize("fault", ["server_error", "bad_gateway", "html", "cut", "ok_half", "ok_huge", "elsewhere"])
async def test_a_profile_that_never_comes_is_trouble_and_stores_nothing(
    stage: Stage, browser: Browser, fault: str
) -> None:
    stage.spotify.fault(path=PROFILE_CALL, times=None, **FAULTS[fault])
    page = await browser.link()
    refused_and_told(stage, page, 502, UNAVAILABLE, TryLater)
    assert await stage.counts() == (0, 0, 0)
    assert stage.calls(PROFILE_CALL) <= 3


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": null}', "null", "7"])
async def test_a_profile_without_an_account_is_trouble(stage: Stage, browser: Browser, body: str) -> None:
    stage.spotify.fault(path=PROFILE_CALL, times=None, status=200, body=body)
    refused_and_told(stage, await browser.link(), 502, UNAVAILABLE, TryLater)
    assert await stage.counts() == (0, 0, 0)


@pytest.mark.parametrize("fault", ["server_error", "cut", "cut_after_work", "token_missing"])
async def test_a_profile_that_comes_at_the_second_try_is_good(stage: Stage, browser: Browser, fault: str) -> None:
    stage.spotify.fault(path=PROFILE_CALL, **FAULTS[fault])
    assert (await browser.link()).status == 200


@pytest.mark.parametrize("fault", ["quota", "too_many_requests"])
async def test_a_limit_at_the_profile_asks_to_slow_down(stage: Stage, browser: Browser, fault: str) -> None:
    stage.spotify.fault(path=PROFILE_CALL, **FAULTS[fault])
    refused_and_told(stage, await browser.link(), 503, "Spotify asked this bot to slow down.", TryLater)
    assert stage.calls(PROFILE_CALL) == 1


async def test_a_bare_403_is_no_promise(stage: Stage, browser: Browser) -> None:
    stage.spotify.fault(path=PROFILE_CALL, times=2, **FAULTS["forbidden"])
    refused_and_told(stage, await browser.link(), 502, "Spotify refused.", Refused)


async def test_the_page_goes_away_and_the_link_is_made_all_the_same(stage: Stage, browser: Browser) -> None:
    """Somebody closes the tab while Spotify is slow: the code is used up, so its tokens must not be lost."""
    callback = await browser.to_last_callback(await stage.ask())
    stage.spotify.delay_s = 0.1
    page = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(60):
        while not stage.calls(TOKEN_CALL):
            await asyncio.sleep(0.005)
        page.cancel()
        while not stage.woken:
            await asyncio.sleep(0.005)
    assert (await stage.counts())[0] == 1


# -- Discord


@pytest.mark.parametrize("path", ["/api/v10/oauth2/token", "/api/v10/users/@me"], ids=["token", "who it is"])
@pytest.mark.parametrize(
    "fault",
    [
        "server_error",
        "html",
        "ok_html",
        "ok_empty",
        "ok_half",
        "ok_huge",
        "ok_list",
        "elsewhere",
        "cut",
        "rate_limited",
    ],
)
async def test_a_discord_that_fails_is_told_and_the_link_stays_good(
    stage: Stage, browser: Browser, path: str, fault: str
) -> None:
    link = await stage.ask()
    stage.discord.fault(path=path, **FAULTS[fault])
    page = await browser.get(await browser.be(MIA, await browser.open(link)))
    assert (page.status, page.title, page.goes_to) == (502, "Discord did not confirm who you are.", "")
    assert (await browser.get(await browser.to_last_callback(link))).status == 200


@pytest.mark.parametrize("who", [{}, {"id": "x", "username": "x"}, {"id": None, "username": "x"}, {"id": str(MIA)}])
async def test_an_identity_without_id_or_name_is_none(stage: Stage, browser: Browser, who: dict[str, Any]) -> None:
    stage.discord.fault(path="/api/v10/users/@me", status=200, body=who)
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert page.status == 502


async def test_an_identity_that_lies_elsewhere_is_never_fetched(stage: Stage, browser: Browser) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"id": str(MIA), "username": "mia"})

    other = web.Application()
    other.add_routes([web.get("/users/@me", answer)])
    async with TestServer(other) as server:
        stage.discord.fault(
            path="/api/v10/users/@me",
            status=302,
            body={"id": str(MIA), "username": "mia"},
            headers={"Location": str(server.make_url("/users/@me"))},
        )
        page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert (page.status, page.goes_to) == (502, "")
    assert asked == []


@pytest.mark.parametrize("path", ["/api/v10/oauth2/token", "/api/v10/users/@me"], ids=["token", "who it is"])
async def test_an_answer_of_discord_that_is_good_but_too_large_is_not_taken(
    stage: Stage, browser: Browser, path: str
) -> None:
    good = json.dumps({"access_token": "a", "id": str(MIA), "username": "mia"})
    for size, status in ((LARGEST + 1, 502), (LARGEST, 303)):
        stage.discord.fault(path=path, status=200, body=good.ljust(size))
        stage.discord.fault(path="/api/v10/users/@me", status=200, body=good)
        page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
        assert page.status == status
        stage.discord.clear_faults()


async def test_a_wrong_discord_secret_is_told(stage: Stage, browser: Browser) -> None:
    stage.discord.client_secret = "another-secret"
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert (page.status, page.title) == (502, "Discord did not confirm who you are.")
    assert "this bot&#39;s settings at Discord" in page.text


async def test_only_the_token_call_says_that_discord_rejects_the_secret(stage: Stage, browser: Browser) -> None:
    stage.discord.fault(path="/api/v10/users/@me", status=401, body={"error": "invalid_client"})
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert (page.status, stage.accepted) == (502, [True])


async def test_discord_is_not_waited_for_for_ever(stage: Stage, browser: Browser) -> None:
    stage.discord.delay_s = 30.0
    login = DiscordLogin(
        browser.session, stage.browsers, stage.settings, on_secret=stage.accepted.append, timeout_s=0.05
    )
    async with asyncio.timeout(10):
        with pytest.raises(DiscordUnavailable):
            await login.who("code")


@pytest.mark.parametrize("status", [200, 401, 503])
async def test_only_a_400_says_that_discord_does_not_know_a_code(stage: Stage, browser: Browser, status: int) -> None:
    stage.discord.fault(path="/api/v10/oauth2/token", status=status, body={"error": "invalid_grant"})
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert (page.status, page.title) == (502, "Discord did not confirm who you are.")


async def test_a_code_that_discord_does_not_know_is_an_old_link(stage: Stage, browser: Browser) -> None:
    stage.discord.fault(path="/api/v10/oauth2/token", **FAULTS["code_invalid"])
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert (page.status, page.title) == (400, "This link has expired or was already used.")


async def test_an_answer_of_discord_that_comes_in_pieces_is_read_whole(tmp_path: Path) -> None:
    async def in_pieces(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        for piece in (b'{"access_token": "a", ', b'"id": "%d", ' % MIA, b'"username": "mia"}'):
            await answer.write(piece)
            for _ in range(5):
                await asyncio.sleep(0)  # the other side reads meanwhile
        return answer

    discord = web.Application()
    discord.add_routes([web.post("/oauth2/token", in_pieces), web.get("/users/@me", in_pieces)])
    async with (
        TestServer(discord) as server,
        raised(tmp_path, discord_api_url=str(server.make_url(""))) as stage,
        stage.browser() as browser,
    ):
        assert (await browser.link()).status == 200


# -- our own disk


async def test_a_database_that_cannot_be_written_is_a_page(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    await stage.storage.database.read(lambda c: c.execute("PRAGMA query_only = ON").fetchall())
    page = await browser.get(link)
    assert (page.status, page.title) == (503, "Nothing can be stored at the moment.")
    await stage.storage.database.read(lambda c: c.execute("PRAGMA query_only = OFF").fetchall())
    assert (await browser.get(await browser.to_last_callback(link))).status == 200
