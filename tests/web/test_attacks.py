"""Linking, when somebody means harm: states, cookies, callbacks and browsers that do not belong together."""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import quote

import pytest

from bot.accounts.browser import SPOTIFY
from bot.errors import LinkExpired, WrongBrowser, WrongDiscordAccount
from tests.web.stage import MIA, NOAH, PROFILE_CALL, TOKEN_CALL, Answer, Browser, Stage, changed, parameter

LONG_AGO = "This link has expired or was already used."
OTHER_BROWSER = "You started in another browser."


async def nothing_came_of_it(stage: Stage, page: Answer, status: int, title: str) -> None:
    """The page refuses, leads nowhere, and neither Spotify nor the database heard of it."""
    assert (page.status, page.title, page.goes_to) == (status, title, "")
    assert (stage.calls(TOKEN_CALL), stage.calls(PROFILE_CALL)) == (0, 0)
    assert (await stage.counts())[0] == 0


# -- a link in the wrong hands


async def test_a_forwarded_link_stops_at_somebody_elses_discord_account(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    """The attacker asks for a link, and sends it to somebody who is logged in as themselves."""
    link = await stage.ask(MIA)
    page = await other.get(await other.be(NOAH, await other.open(link)))
    await nothing_came_of_it(stage, page, 403, "This link belongs to another Discord account.")
    assert not any(call.path == "/authorize" for call in stage.spotify.calls)


async def test_who_asked_is_told_once_that_somebody_else_opened_the_link(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    link = await stage.ask(MIA)
    for _ in range(3):
        await other.get(await other.be(NOAH, await other.open(link)))
    (told,) = stage.told
    assert told.member == MIA
    assert isinstance(told.news, WrongDiscordAccount)


async def test_the_page_for_a_stranger_does_not_name_who_asked(stage: Stage, browser: Browser, other: Browser) -> None:
    page = await other.get(await other.be(NOAH, await other.open(await stage.ask(MIA))))
    assert "Mia" not in page.text
    assert str(MIA) not in page.text


async def test_a_stranger_at_the_link_does_not_use_it_up(stage: Stage, browser: Browser, other: Browser) -> None:
    link = await stage.ask(MIA)
    await other.get(await other.be(NOAH, await other.open(link)))
    assert (await browser.get(await browser.to_last_callback(link))).status == 200


async def test_a_forwarded_consent_page_of_spotify_ends_in_the_wrong_browser(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    """The attacker goes through Discord as themselves, and sends the address of Spotify's page to a victim."""
    consent = await browser.to_spotify(await stage.ask(MIA))
    page = await other.get(await other.agree("noah", consent))
    await nothing_came_of_it(stage, page, 403, OTHER_BROWSER)


async def test_a_forwarded_callback_of_spotify_ends_in_the_wrong_browser(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    """The attacker agrees at Spotify as well, and sends the way back: the victim would save for them."""
    await other.open(await stage.ask(NOAH))  # the victim has a cookie of their own
    callback = await browser.to_last_callback(await stage.ask(MIA))
    await nothing_came_of_it(stage, await other.get(callback), 403, OTHER_BROWSER)


async def test_a_stolen_code_does_not_fit_into_another_flow(stage: Stage, browser: Browser, other: Browser) -> None:
    """PKCE: the victim's code at the attacker's own callback."""
    theirs = await other.to_last_callback(await stage.ask(NOAH), NOAH, "noah")
    mine = await browser.to_last_callback(await stage.ask(MIA))
    page = await browser.get(changed(mine, code=parameter(theirs, "code")))
    assert (page.status, page.title) == (400, LONG_AGO)
    assert stage.calls(PROFILE_CALL) == 0
    assert (await stage.counts())[0] == 0


async def test_who_knows_the_state_and_not_the_cookie_cannot_exchange_the_code(stage: Stage, browser: Browser) -> None:
    """PKCE once more: its verifier is made of both."""
    callback = await browser.to_last_callback(await stage.ask())
    state, code = parameter(callback, "state"), parameter(callback, "code")
    oauth_state = await stage.linking.take_state(SPOTIFY, state, stage.cookie(browser)["Cookie"].partition("=")[2])
    with pytest.raises(LinkExpired):
        await stage.linking.finish_link(oauth_state, code, state, "A" * 43)
    assert (stage.calls(TOKEN_CALL), stage.calls(PROFILE_CALL)) == (1, 0)


# -- cookies


@pytest.mark.parametrize("provider", ["discord", "spotify"])
@pytest.mark.parametrize("has_cookie", [False, True], ids=["no cookie", "another browser's cookie"])
async def test_a_state_without_its_cookie_is_refused_and_burnt(
    stage: Stage, browser: Browser, other: Browser, provider: str, has_cookie: bool
) -> None:
    if has_cookie:
        await other.open(await stage.ask(NOAH))
    link = await stage.ask(MIA)
    if provider == "discord":
        callback = await browser.be(MIA, await browser.open(link))
    else:
        callback = await browser.to_last_callback(link)
    before = stage.identifications
    await nothing_came_of_it(stage, await other.get(callback), 403, OTHER_BROWSER)
    # burnt: not even the right browser can use it now
    await nothing_came_of_it(stage, await browser.get(callback), 400, LONG_AGO)
    assert stage.identifications == before


async def test_a_cookie_that_is_no_text_is_another_browsers(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    with pytest.raises(WrongBrowser):
        await stage.linking.take_state("discord", parameter(callback, "state"), "\udc88" * 43)


async def test_a_state_that_is_no_text_is_refused(stage: Stage, browser: Browser) -> None:
    await browser.open(await stage.ask())
    with pytest.raises(LinkExpired):
        await stage.linking.take_state("discord", "\udc88" * 43, stage.cookie(browser)["Cookie"].partition("=")[2])


@pytest.mark.parametrize("value", ["", "x", "x" * 5000, "é" * 43, "a b" * 15])
async def test_a_cookie_of_another_shape_is_replaced(stage: Stage, browser: Browser, value: str) -> None:
    link = await stage.ask()
    answer = await browser.get(link, headers={"Cookie": f"gatefold={value}".encode().decode("latin-1")})
    assert answer.status == 303
    given = answer.cookies[0].partition("=")[2].partition(";")[0]
    assert len(given) == 43
    assert given != value


# -- states


@pytest.mark.parametrize("provider", ["discord", "spotify"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "state=",
        "state=&code=x",
        "code=x&state=" + "A" * 43,
        "code=x&state=" + "A" * 5000,
        "code=x&state=%00",
        "code=x&state=%E2%80%AE%FF",
        "error=access_denied",
        "error=access_denied&state=" + "A" * 43,
    ],
)
async def test_a_forged_state_is_refused(stage: Stage, browser: Browser, provider: str, query: str) -> None:
    await browser.open(await stage.ask())
    page = await browser.get(f"/callback/{provider}?{query}")
    await nothing_came_of_it(stage, page, 400, LONG_AGO)
    assert stage.identifications == 0
    assert stage.told == []
    assert await stage.counts() == (0, 1, 1)


async def test_a_replayed_callback_of_spotify_is_refused(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    cookie = stage.cookie(browser)
    assert (await browser.get(callback)).status == 200
    # once as the browser is now, and once with the cookie that it had
    for headers in ({}, cookie):
        page = await browser.get(callback, headers=headers)
        assert (page.status, page.title) == (400, LONG_AGO)
    assert stage.calls(TOKEN_CALL) == 1


async def test_a_replayed_callback_of_discord_is_refused(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    assert (await browser.get(callback)).status == 303
    await nothing_came_of_it(stage, await browser.get(callback), 400, LONG_AGO)
    assert stage.identifications == 1


async def test_discords_answer_at_spotifys_callback_is_refused(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    page = await browser.get(callback.replace("/callback/discord", "/callback/spotify"))
    await nothing_came_of_it(stage, page, 400, LONG_AGO)
    assert stage.identifications == 0


async def test_spotifys_answer_at_discords_callback_is_refused(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    page = await browser.get(callback.replace("/callback/spotify", "/callback/discord"))
    await nothing_came_of_it(stage, page, 400, LONG_AGO)
    assert stage.identifications == 1  # the one before


async def callback_of(provider: str, browser: Browser, link: str) -> str:
    """Where Discord, or Spotify after it, sends the browser back to."""
    if provider == "discord":
        return await browser.be(MIA, await browser.open(link))
    return await browser.to_last_callback(link)


@pytest.mark.parametrize("name", ["state", "code", "error", "iss"])
@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_a_parameter_that_comes_twice_is_refused(
    stage: Stage, browser: Browser, provider: str, name: str
) -> None:
    callback = await callback_of(provider, browser, await stage.ask())
    before = stage.identifications
    once = callback if f"{name}=" in callback else f"{callback}&{name}=x"
    for value in (parameter(once, name), "another", ""):
        page = await browser.get(f"{once}&{name}={quote(value, safe='')}")
        await nothing_came_of_it(stage, page, 400, LONG_AGO)
    assert stage.identifications == before


@pytest.mark.parametrize(
    "issuer", ["https://evil.example", "https://discord.com/", "http://discord.com", "discord.com", ""]
)
async def test_a_way_back_from_discord_that_names_another_issuer_is_refused(
    issuer: str, stage: Stage, browser: Browser
) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    assert parameter(callback, "iss") == "https://discord.com"  # since October 2026
    answer = await browser.get(changed(callback, iss=issuer))
    assert (answer.status, answer.goes_to) == (400, "")
    assert stage.identifications == 0


async def test_a_way_back_from_discord_without_an_issuer_is_taken(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    assert (await browser.get(changed(callback, iss=None))).status == 303


async def test_an_answer_of_discords_issuer_at_spotifys_callback_is_refused(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    page = await browser.get(f"{callback}&iss=https%3A%2F%2Fdiscord.com")
    await nothing_came_of_it(stage, page, 400, LONG_AGO)
    await nothing_came_of_it(stage, await browser.get(callback), 400, LONG_AGO)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_only_a_get_of_a_callback_uses_it_up(
    stage: Stage, browser: Browser, other: Browser, provider: str, method: str
) -> None:
    callback = await callback_of(provider, browser, await stage.ask())
    for who in (browser, other):
        assert (await who.get(callback, method)).status == 405
    assert stage.calls(TOKEN_CALL) == 0
    assert (await browser.get(callback)).status == (303 if provider == "discord" else 200)


@pytest.mark.parametrize("no_code", [None, ""])
@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_a_good_state_without_a_code_is_refused(
    stage: Stage, browser: Browser, provider: str, no_code: str | None
) -> None:
    callback = await callback_of(provider, browser, await stage.ask())
    before = stage.identifications
    page = await browser.get(changed(callback, code=no_code))
    await nothing_came_of_it(stage, page, 400, LONG_AGO)
    assert stage.identifications == before


# -- all at once


async def test_of_50_callbacks_at_once_one_wins(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    pages = await asyncio.gather(*(browser.get(callback) for _ in range(50)))
    assert sorted(page.status for page in pages) == [200] + [400] * 49
    assert (stage.calls(TOKEN_CALL), stage.calls(PROFILE_CALL)) == (1, 1)
    assert len(stage.told) == 1
    assert stage.woken == [MIA]


async def test_of_50_ways_back_from_discord_at_once_one_wins(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    pages = await asyncio.gather(*(browser.get(callback) for _ in range(50)))
    assert sorted(page.status for page in pages) == [303] + [400] * 49
    assert stage.identifications == 1


async def test_of_many_tabs_that_finish_at_once_one_wins(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    callbacks = [await browser.to_last_callback(link) for _ in range(10)]
    pages = await asyncio.gather(*(browser.get(callback) for callback in callbacks))
    assert sorted(page.status for page in pages) == [200] + [400] * 9
    assert stage.calls(TOKEN_CALL) == 1


async def test_two_members_who_link_one_spotify_account_at_once_do_not_both_get_it(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    callbacks = [
        await browser.to_last_callback(await stage.ask(MIA), MIA, "mia"),
        await other.to_last_callback(await stage.ask(NOAH), NOAH, "mia"),
    ]
    pages = await asyncio.gather(browser.get(callbacks[0]), other.get(callbacks[1]))
    assert sorted(page.status for page in pages) == [200, 409]
    assert (await stage.counts())[0] == 1


async def test_a_guessed_link_finds_nothing(stage: Stage, browser: Browser) -> None:
    await stage.ask()
    pages = await asyncio.gather(*(browser.get(f"/link/{secrets.token_urlsafe(24)}") for _ in range(200)))
    assert {page.status for page in pages} == {400}
