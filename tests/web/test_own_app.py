"""Linking through a Spotify app of the member's own: with PKCE alone, for that member alone, and checked beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.accounts.linking import Linked
from bot.caller import MemberId
from bot.errors import (
    AppTaken,
    LinkExpired,
    NoHostApp,
    NoSeatFree,
    NotAClientId,
    NotAllowlisted,
    RedirectMissing,
    Restarting,
    TryLater,
    UnknownApp,
    UserError,
)
from bot.sandbox.faults import FAULTS
from bot.spotify.app import Access
from bot.storage.links import Link
from tests.callers import caller
from tests.web.stage import MIA, NOAH, SPOTIFY_ID, TOKEN_CALL, Browser, Stage, parameter, raised

OWN, OTHER = "a" * 32, "0123456789abcdef0123456789abcdef"


def registered(stage: Stage, client_id: str = OWN, *accounts: str) -> None:
    """An app that a member registered as the guide says."""
    stage.spotify.register_app(
        client_id, redirect_uris={stage.settings.redirect_to_spotify}, allowlist=accounts or ("mia",)
    )


async def linked(stage: Stage, browser: Browser, member: MemberId = MIA, account: str = "mia") -> Access:
    """Link through an app of one's own, and the access that it gives."""
    link = await stage.linking.start_own_app(caller(member), OWN)
    page = await browser.get(await browser.to_last_callback(link, member, account))
    assert page.status == 200
    return await stage.tokens.access(member)


# -- the way


async def test_a_member_links_through_their_own_app_without_any_secret(stage: Stage, browser: Browser) -> None:
    registered(stage)
    access = await linked(stage, browser)
    assert (access.app.client_id, access.app.client_secret, access.app.member_id) == (OWN, None, MIA)
    [exchange] = [call for call in stage.spotify.calls if call.path == TOKEN_CALL]
    assert "authorization" not in exchange.headers
    token = await access.token.current()
    assert stage.spotify.access_tokens[token].client_id == OWN
    news = stage.news[-1]
    assert isinstance(news, Linked)
    assert news.link.is_own_app


async def test_the_consent_page_is_that_of_the_own_app(stage: Stage, browser: Browser) -> None:
    registered(stage)
    consent = await browser.to_spotify(await stage.linking.start_own_app(caller(MIA), OWN))
    assert parameter(consent, "client_id") == OWN
    assert parameter(consent, "code_challenge_method") == "S256"


async def test_the_guide_leads_into_the_same_link(stage: Stage, browser: Browser) -> None:
    registered(stage)
    offer = await stage.linking.offer(caller(MIA))
    assert offer.host_url is not None
    guide, _, link_id = offer.own_app_url.partition("?link=")
    assert guide == f"{stage.settings.public_url}/guide/own-app"
    await stage.linking.check_link(link_id)
    url = await stage.linking.use_own_app(link_id, f"  {OWN.upper()}\n")
    assert url == offer.host_url
    await browser.get(await browser.to_last_callback(url))
    account = await stage.tokens.account(MIA)
    assert account is not None
    assert (account.client_id, account.is_own_app) == (OWN, True)


async def test_while_the_bot_stops_the_guide_takes_nothing_and_the_link_stays_good(
    stage: Stage, browser: Browser
) -> None:
    registered(stage)
    offer = await stage.linking.offer(caller(MIA))
    link_id = offer.own_app_url.partition("?link=")[2]
    stage.linking.is_stopping = True
    with pytest.raises(Restarting):
        await stage.linking.check_link(link_id)
    with pytest.raises(Restarting):
        await stage.linking.use_own_app(link_id, OWN)
    stage.linking.is_stopping = False
    await stage.linking.check_link(link_id)


async def test_tokens_of_an_own_app_rotate_and_are_refreshed_through_it(stage: Stage, browser: Browser) -> None:
    registered(stage)
    access = await linked(stage, browser)
    old = await access.token.current()
    stage.spotify.expire_access_tokens()
    fresh = await access.token.renewed(old)
    assert stage.spotify.access_tokens[fresh].client_id == OWN
    stage.spotify.expire_access_tokens()
    assert await (await stage.tokens.access(MIA)).token.renewed(fresh) not in (old, fresh)


async def test_renewing_goes_through_the_same_app(stage: Stage, browser: Browser) -> None:
    registered(stage)
    await linked(stage, browser)
    consent = await browser.to_spotify(await stage.linking.start_link(caller(MIA)))
    assert parameter(consent, "client_id") == OWN


@pytest.mark.parametrize(
    ("client_id", "is_own", "renews"),
    [(OWN, True, True), (SPOTIFY_ID, False, False), (OTHER, False, False), (SPOTIFY_ID, True, False)],
    ids=["an own app", "the host's", "what was the host's before", "an own app that became the host's"],
)
async def test_only_an_own_app_is_renewed_apart_from_the_hosts(
    client_id: str, is_own: bool, renews: bool, stage: Stage, browser: Browser
) -> None:
    now = stage.clock()
    old = Link(MIA, client_id, "acc-mia", "Mia", now, now, None, is_own_app=is_own)
    await stage.storage.links.put(old, "BQ", "AQ", now)
    offer = await stage.linking.offer(caller(MIA))
    assert (offer.renew_url is not None) == renews
    assert offer.host_url is not None
    url = await stage.linking.start_link(caller(MIA))
    registered(stage)
    assert parameter(await browser.to_spotify(url), "client_id") == (OWN if renews else SPOTIFY_ID)


async def test_a_member_who_unlinks_while_their_client_id_is_checked_goes_no_further(stage: Stage) -> None:
    registered(stage)
    link_id = (await stage.linking.offer(caller(MIA))).own_app_url.partition("?link=")[2]
    stage.spotify.fault(path="/authorize", delay_s=0.3)
    using = asyncio.create_task(stage.linking.use_own_app(link_id, OWN))
    async with asyncio.timeout(60):
        while not stage.spotify.calls:
            await asyncio.sleep(0.005)
    await stage.linking.unlink(MIA)
    with pytest.raises(LinkExpired):
        await using


async def test_a_member_who_is_not_on_their_own_apps_list_is_told_that_it_is_theirs(
    stage: Stage, browser: Browser
) -> None:
    registered(stage, OWN, "noah")
    link = await stage.linking.start_own_app(caller(MIA), OWN)
    await browser.get(await browser.to_last_callback(link))
    error = stage.news[-1]
    assert isinstance(error, NotAllowlisted)
    assert error.is_own_app
    assert await stage.tokens.account(MIA) is None


# -- what is checked before anybody is sent anywhere


@pytest.mark.parametrize("text", ["", "a" * 31, "a" * 33, "g" * 32, "a" * 31 + "é", "a b" * 11, "٣" * 32, "https://x"])
async def test_what_is_no_client_id_is_refused_without_a_call(text: str, stage: Stage) -> None:
    with pytest.raises(NotAClientId):
        await stage.linking.start_own_app(caller(MIA), text)
    assert stage.spotify.calls == []


@pytest.mark.parametrize("how", ["modal", "guide"])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("unknown", UnknownApp),
        ("no redirect", RedirectMissing),
        ("other redirect", RedirectMissing),
        ("down", TryLater),
        ("busy", TryLater),
    ],
)
async def test_what_spotify_does_not_take_is_told_and_nothing_is_stored(
    wrong: str, error: type[UserError], how: str, stage: Stage
) -> None:
    uri = stage.settings.redirect_to_spotify
    if wrong != "unknown":
        uris = {"no redirect": set(), "other redirect": {uri + "/"}}.get(wrong, {uri})
        stage.spotify.register_app(OWN, redirect_uris=uris, allowlist=["mia"])
    if wrong in ("down", "busy"):
        stage.spotify.fault(path="/authorize", **FAULTS["unavailable" if wrong == "down" else "rate_limited_text"])
    link_id = (await stage.linking.offer(caller(MIA))).own_app_url.partition("?link=")[2]
    modal = how == "modal"
    call = stage.linking.start_own_app(caller(MIA), OWN) if modal else stage.linking.use_own_app(link_id, OWN)
    with pytest.raises(error) as caught:
        await call
    if isinstance(caught.value, RedirectMissing):
        assert caught.value.redirect_uri == uri
    rows = await stage.storage.database.read(lambda c: [*map(tuple, c.execute("SELECT client_id FROM link_attempts"))])
    assert rows == [(None,)]


async def test_an_id_that_another_member_uses_is_refused(stage: Stage, browser: Browser) -> None:
    registered(stage, OWN, "mia", "noah")
    late = await stage.linking.start_own_app(caller(NOAH), OWN)  # asked before the other one linked
    await linked(stage, browser)
    calls = len(stage.spotify.calls)
    with pytest.raises(AppTaken):
        await stage.linking.start_own_app(caller(NOAH), OWN)
    assert len(stage.spotify.calls) == calls
    async with stage.browser() as other:
        await other.get(await other.to_last_callback(late, NOAH, "noah"))
    assert isinstance(stage.news[-1], AppTaken)
    assert await stage.tokens.account(NOAH) is None


async def test_the_hosts_own_id_means_the_hosts_app(stage: Stage, browser: Browser) -> None:
    link = await stage.linking.start_own_app(caller(MIA), SPOTIFY_ID)
    await browser.get(await browser.to_last_callback(link))
    account = await stage.tokens.account(MIA)
    assert account is not None
    assert (account.client_id, account.is_own_app) == (SPOTIFY_ID, False)
    [exchange] = [call for call in stage.spotify.calls if call.path == TOKEN_CALL]
    assert "authorization" in exchange.headers


async def test_a_client_id_is_tried_twenty_times_with_one_link(stage: Stage) -> None:
    link_id = (await stage.linking.offer(caller(MIA))).own_app_url.partition("?link=")[2]
    for _ in range(20):
        with pytest.raises(UnknownApp):
            await stage.linking.use_own_app(link_id, OWN)
    with pytest.raises(LinkExpired):
        await stage.linking.use_own_app(link_id, OWN)
    assert len(stage.spotify.calls) == 20


@pytest.mark.parametrize("link_id", ["", "x", "a" * 32, "../../x", "é" * 20, "\udc88" * 32])
async def test_the_guide_needs_a_link_that_lives(link_id: str, stage: Stage) -> None:
    registered(stage)
    for call in (stage.linking.check_link(link_id), stage.linking.use_own_app(link_id, OWN)):
        with pytest.raises(LinkExpired):
            await call


# -- one app per member, each on its own


async def test_one_apps_quota_and_refusals_are_nobody_elses(stage: Stage, browser: Browser) -> None:
    registered(stage)
    await linked(stage, browser)
    async with stage.browser() as other:
        await other.link(NOAH, "noah")
    own, hosts = await stage.tokens.access(MIA), await stage.tokens.access(NOAH)
    stage.spotify.apps[OWN].quota = 0
    with pytest.raises(TryLater) as caught:
        await stage.client.saved(own, 0)
    assert (caught.value.cause, caught.value.is_own_app) == (TryLater.Cause.QUOTA, True)
    assert (await stage.client.saved(hosts, 0)).albums == []
    assert own.app.gate.closed() is not None
    assert hosts.app.gate.closed() is None
    # it is remembered for that app alone, also by a process that starts anew
    assert (await stage.storage.apps.get(OWN)).closed_by == "quota"
    assert (await stage.storage.apps.get(SPOTIFY_ID)).closed_by is None


async def test_unlinking_leaves_the_client_id_in_no_row(stage: Stage, browser: Browser) -> None:
    registered(stage)
    await linked(stage, browser)
    await stage.linking.start_own_app(caller(MIA), OWN)
    assert [app.client_id for app in stage.apps.loaded] == [SPOTIFY_ID, OWN]
    await stage.linking.unlink(MIA)
    assert [app.client_id for app in stage.apps.loaded] == [SPOTIFY_ID]
    assert stage.unlinked == [MIA]
    dump = await stage.storage.database.read(
        lambda c: [
            str(tuple(row))
            for (table,) in c.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for row in c.execute(f'SELECT * FROM "{table}"')
        ]
    )
    assert not [row for row in dump if OWN in row]
    registered(stage, OTHER)
    await stage.linking.start_own_app(caller(NOAH), OWN)  # and another member may use it now


async def test_changing_from_the_hosts_app_to_an_own_one_frees_the_seat(stage: Stage, browser: Browser) -> None:
    registered(stage)
    await browser.link()
    assert len(await stage.storage.links.sitting(SPOTIFY_ID)) == 1
    await linked(stage, browser)
    assert await stage.storage.links.sitting(SPOTIFY_ID) == []


# -- seats


@pytest.fixture
async def crowded(tmp_path: Path) -> AsyncIterator[Stage]:
    """A host's app with one seat, which Noah takes."""
    async with raised(tmp_path, spotify_seats=1) as stage:
        async with stage.browser() as browser:
            await browser.link(NOAH, "noah")
        yield stage


async def test_without_a_free_seat_only_an_own_app_is_offered(crowded: Stage) -> None:
    offer = await crowded.linking.offer(caller(MIA))
    assert (offer.host_url, offer.has_host_app) == (None, True)
    assert "/guide/own-app?link=" in await crowded.linking.start_link(caller(MIA))
    with pytest.raises(NoSeatFree):
        await crowded.linking.start_own_app(caller(MIA), SPOTIFY_ID)
    link_id = offer.own_app_url.partition("?link=")[2]
    with pytest.raises(NoSeatFree):
        await crowded.linking.open_link(link_id, None)
    registered(crowded)
    await crowded.linking.use_own_app(link_id, OWN)
    assert (await crowded.linking.open_link(link_id, None)).url


async def test_whoever_sits_can_renew(crowded: Stage) -> None:
    assert (await crowded.linking.offer(caller(NOAH))).host_url is not None
    async with crowded.browser() as browser:
        page = await browser.link(NOAH, "noah")
    assert page.status == 200


async def test_of_two_who_link_at_once_one_gets_the_last_seat(tmp_path: Path) -> None:
    async with raised(tmp_path, spotify_seats=1) as stage, stage.browser() as one, stage.browser() as two:
        callbacks = [
            await one.to_last_callback(await stage.ask(MIA), MIA, "mia"),
            await two.to_last_callback(await stage.ask(NOAH), NOAH, "noah"),
        ]
        pages = [await browser.get(callback) for browser, callback in zip((one, two), callbacks, strict=True)]
        assert pages[0].status == 200
        assert isinstance(stage.news[-1], NoSeatFree)
        assert len(await stage.storage.links.sitting(SPOTIFY_ID)) == 1


# -- a host without an app


async def test_without_an_app_of_the_hosts_every_member_brings_their_own(tmp_path: Path) -> None:
    async with raised(tmp_path, spotify_client_id="", spotify_client_secret=None) as stage, stage.browser() as browser:
        offer = await stage.linking.offer(caller(MIA))
        assert (offer.host_url, offer.has_host_app) == (None, False)
        with pytest.raises(NoHostApp):
            await stage.linking.open_link(offer.own_app_url.partition("?link=")[2], None)
        registered(stage)
        assert (await linked(stage, browser)).app.client_id == OWN
