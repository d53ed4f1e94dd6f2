"""Linking in a browser, when everybody means well: the real site, and strict stand-ins on loopback."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from typing import Any

import pytest

from bot.accounts.linking import Linked, LinkNews
from bot.accounts.renewals import KIND as RENEWAL
from bot.errors import AccountTaken, LinkDeclined
from bot.sandbox.faults import FAULTS
from bot.storage.links import ACCESS, REFRESH
from bot.storage.vault import Vault
from tests.web.stage import MIA, NOAH, PROFILE_CALL, TOKEN_CALL, Browser, Stage, parameter


def shown(text: str) -> str:
    """What a person reads of a page."""
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


# -- the way there


async def test_a_link_is_short_and_ours(stage: Stage) -> None:
    link = await stage.ask()
    assert re.fullmatch(re.escape(stage.settings.public_url) + r"/link/[A-Za-z0-9_-]{32}", link)


async def test_the_link_leads_to_discord_at_once_with_no_page_between(stage: Stage, browser: Browser) -> None:
    consent = await browser.open(await stage.ask())
    assert consent.startswith(f"{stage.settings.discord_authorize_url}?")
    assert parameter(consent, "scope") == "identify"
    assert "prompt=" not in consent  # Discord asks
    assert parameter(consent, "redirect_uri") == f"{stage.settings.public_url}/callback/discord"


async def test_discord_does_not_ask_a_second_time_who_has_linked_before(stage: Stage, browser: Browser) -> None:
    await browser.link()
    assert parameter(await browser.open(await stage.ask()), "prompt") == "none"


async def test_discord_leads_to_spotify_at_once_with_pkce_and_two_permissions(stage: Stage, browser: Browser) -> None:
    consent = await browser.to_spotify(await stage.ask())
    assert consent.startswith(f"{stage.settings.spotify_accounts_url}/authorize?")
    assert parameter(consent, "scope").split() == ["user-library-read", "user-library-modify"]
    assert parameter(consent, "show_dialog") == "true"
    assert parameter(consent, "code_challenge_method") == "S256"
    assert parameter(consent, "redirect_uri") == f"{stage.settings.public_url}/callback/spotify"


async def test_every_state_is_another_one(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    states = {parameter(await browser.open(link), "state") for _ in range(5)}
    to_spotify = await browser.to_spotify(link)
    assert len(states | {parameter(to_spotify, "state")}) == 6


# -- linked


async def test_the_whole_flow_ends_with_linked_and_both_names(stage: Stage, browser: Browser) -> None:
    page = await browser.link()
    assert page.status == 200
    assert page.title == "Linked. You can go back to Discord."
    assert f"<h1>{page.title}</h1>" in page.text
    read = re.sub(r"\s+", " ", shown(page.text))
    assert "On Discord Mia" in read
    assert "On Spotify Mia’s records" in read


async def test_the_last_page_is_in_the_members_language_also_when_they_declined(stage: Stage, browser: Browser) -> None:
    consent = await browser.to_spotify(await stage.ask(locale="de"))
    pages = [await browser.get(await browser.decide(consent, decision="cancel"))]
    pages.append(await browser.get(await browser.to_last_callback(await stage.ask(locale="de"))))
    assert [page.status for page in pages] == [403, 200]
    assert all('<html lang="de">' in page.text for page in pages)


async def test_the_link_is_stored_with_the_right_account_and_times(stage: Stage, browser: Browser) -> None:
    await browser.link()
    link = await stage.tokens.account(MIA)
    assert link is not None
    assert (link.account_id, link.account_name, link.broken) == ("acc-mia", "Mia’s records", None)
    assert abs(link.linked_at - stage.clock()) < timedelta(seconds=10)
    assert link.consented_at == link.linked_at
    assert link.locale == "en-US"
    for minutes, calls in ((58, 1), (60, 2)):  # the access token is good for an hour
        stage.clock.ahead = timedelta(minutes=minutes)
        await stage.tokens.access_token(MIA)
        assert stage.calls(TOKEN_CALL) == calls


async def test_a_link_sets_the_timer_of_its_reminder(stage: Stage, browser: Browser) -> None:
    await browser.link()
    timers = [(row["kind"], row["key"]) for row in await stage.rows("timers")]
    assert timers == [(RENEWAL, str(MIA))]


async def test_the_tokens_are_sealed_and_bound_to_their_member(stage: Stage, browser: Browser) -> None:
    await browser.link()
    (row,) = await stage.rows("links")
    vault = Vault(stage.settings.sealing_keys())
    assert vault.open(row["access_sealed"], MIA, ACCESS) in stage.spotify.access_tokens
    assert vault.open(row["refresh_sealed"], MIA, REFRESH) in stage.spotify.refresh_tokens


async def test_no_secret_of_the_flow_is_in_the_files_of_the_database(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    to_discord = await browser.open(link)
    to_spotify = (await browser.get(await browser.be(MIA, to_discord))).goes_to
    callback = await browser.agree("mia", to_spotify)
    written = stage.written()  # in the middle of the flow, when there is most to find
    await browser.get(callback)
    written += stage.written()
    cookie = next(iter(browser.session.cookie_jar), None)
    assert cookie is None  # gone with the last page
    secrets = {*stage.spotify.secrets, *stage.discord.secrets, "answer-token-1", link.rpartition("/")[2]}
    secrets |= {parameter(url, "state") for url in (to_discord, to_spotify)}
    assert len(secrets) >= 8
    assert [secret for secret in secrets if secret.encode() in written] == []


async def test_the_link_is_used_up_and_nothing_of_the_flow_stays(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    await browser.get(await browser.to_last_callback(link))
    assert await stage.counts() == (1, 0, 0)
    again = await browser.get(link)
    assert again.status == 400
    assert again.goes_to == ""


async def test_the_member_is_told_and_what_waits_is_woken(stage: Stage, browser: Browser) -> None:
    await browser.link()
    (told,) = stage.told
    assert (told.member, told.interaction_token) == (MIA, "answer-token-1")
    assert isinstance(told.news, Linked)
    assert (told.news.link.account_name, told.news.before) == ("Mia’s records", None)
    assert stage.woken == [MIA]


async def test_the_member_is_told_before_the_page_comes(stage: Stage, browser: Browser) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def tell(news: LinkNews) -> None:
        reached.set()
        await go_on.wait()

    stage.linking.tell = tell
    page = asyncio.create_task(browser.link())
    await reached.wait()
    assert await stage.tokens.account(MIA) is not None
    assert not page.done()
    go_on.set()
    assert (await page).status == 200


async def test_the_page_says_linked_even_if_the_member_cannot_be_told(stage: Stage, browser: Browser) -> None:
    async def tell(news: LinkNews) -> None:
        raise RuntimeError("the session is closed")

    stage.linking.tell = tell
    page = await browser.link()
    assert page.title == "Linked. You can go back to Discord."
    assert stage.woken == [MIA]


async def test_a_link_is_told_also_when_what_waits_cannot_be_counted(stage: Stage, browser: Browser) -> None:
    await stage.storage.database.write(lambda c: c.execute("ALTER TABLE library_changes RENAME TO moved"))
    assert (await browser.link()).status == 200
    (news,) = stage.news
    assert isinstance(news, Linked)
    assert news.waiting == 0


async def test_one_flow_is_one_token_call_and_one_profile_call(stage: Stage, browser: Browser) -> None:
    await browser.link()
    assert (stage.calls(TOKEN_CALL), stage.calls(PROFILE_CALL), stage.identifications) == (1, 1, 1)


async def test_whether_discord_takes_the_client_secret_is_told_to_whoever_watches_it(
    stage: Stage, browser: Browser
) -> None:
    await browser.link()
    assert stage.accepted == [True]
    stage.discord.client_secret = "another one"
    page = await browser.get(await browser.be(MIA, await browser.open(await stage.ask())))
    assert page.status == 502
    assert stage.accepted == [True, False]


async def test_the_cookie_is_taken_back_at_the_end(stage: Stage, browser: Browser) -> None:
    page = await browser.link()
    assert "Max-Age=0" in page.cookies[0]
    assert len(browser.session.cookie_jar) == 0


async def test_an_account_without_a_name_is_shown_by_its_id(stage: Stage, browser: Browser) -> None:
    stage.spotify.add_account("31x5", account_id="acc-31x5", display_name=None)
    page = await browser.link(account="31x5")
    assert ">31x5<" in page.text
    link = await stage.tokens.account(MIA)
    assert link is not None
    assert (link.account_id, link.account_name) == ("acc-31x5", "31x5")


async def test_names_are_shown_as_text(stage: Stage, browser: Browser) -> None:
    stage.discord.users[MIA] = "<script>alert(1)</script>"
    stage.spotify.accounts["mia"].display_name = '"><img src=x onerror=alert(2)>'
    page = await browser.link()
    assert "<script" not in page.text
    assert "<img src=x" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "&#34;&gt;&lt;img src=x onerror=alert(2)&gt;" in page.text


async def test_a_name_of_10000_characters_is_cut(stage: Stage, browser: Browser) -> None:
    stage.spotify.accounts["mia"].display_name = "x" * 10_000
    page = await browser.link()
    assert page.status == 200
    assert len(page.text) < 4_000


# -- once more


async def test_opening_a_link_many_times_changes_nothing(stage: Stage, browser: Browser, other: Browser) -> None:
    link = await stage.ask()
    before = await stage.rows("link_attempts")
    for _ in range(10):
        await other.open(link)
        other.session.cookie_jar.clear()
        assert (await other.get(link, "HEAD")).status == 303
    assert await stage.rows("link_attempts") == before
    assert stage.told == []
    assert (await browser.get(await browser.to_last_callback(link))).status == 200


@pytest.mark.parametrize("finished", [0, 1], ids=["the first tab", "the second tab"])
async def test_either_tab_of_one_browser_can_finish(stage: Stage, browser: Browser, finished: int) -> None:
    link = await stage.ask()
    tabs = [await browser.open(link), await browser.open(link)]
    callbacks = [await browser.be(MIA, tab) for tab in tabs]
    consents = [(await browser.get(callback)).goes_to for callback in callbacks]
    done = [await browser.agree("mia", consent) for consent in consents]
    assert (await browser.get(done[finished])).status == 200
    late = await browser.get(done[1 - finished])
    assert late.status == 400
    assert "If the private message in Discord says that you are linked" in late.text
    assert stage.calls(TOKEN_CALL) == 1


async def test_an_unlink_while_a_link_is_being_made_leaves_nothing_behind(stage: Stage, browser: Browser) -> None:
    stage.spotify.fault(path="/api/token", delay_s=0.5)
    coming = asyncio.create_task(browser.get(await browser.to_last_callback(await stage.ask())))
    async with asyncio.timeout(60):
        while not stage.calls(TOKEN_CALL):
            await asyncio.sleep(0.01)
    await stage.linking.unlink(MIA)
    page = await coming
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    await asyncio.sleep(0.6)  # the token comes, and nobody takes it
    assert await stage.tokens.account(MIA) is None
    assert not any(await stage.counts())


async def test_renewal_keeps_the_day_of_linking_and_moves_the_day_of_consent(stage: Stage, browser: Browser) -> None:
    await browser.link()
    first = await stage.tokens.account(MIA)
    stage.clock.ahead = timedelta(days=170)
    page = await browser.link()
    assert page.title == "Renewed. You can go back to Discord."
    link = await stage.tokens.account(MIA)
    assert first is not None
    assert link is not None
    assert link.linked_at == first.linked_at
    assert link.consented_at - first.consented_at >= timedelta(days=170)
    assert isinstance(stage.news[1], Linked)
    assert stage.news[1].before == first


async def test_renewal_mends_a_broken_link(stage: Stage, browser: Browser) -> None:
    await browser.link()
    await stage.storage.links.mark_broken(MIA, "revoked")
    assert (await browser.link()).status == 200
    link = await stage.tokens.account(MIA)
    assert link is not None
    assert link.broken is None
    assert await stage.tokens.access_token(MIA) in stage.spotify.access_tokens


async def test_another_spotify_account_takes_the_place_of_the_first(stage: Stage, browser: Browser) -> None:
    await browser.link()
    stage.clock.ahead = timedelta(days=3)
    page = await browser.link(account="noah")
    assert page.title == "Linked. You can go back to Discord."
    assert "replaces Mia’s records" in page.text
    (row,) = await stage.rows("links")
    assert (row["member_id"], row["account_id"]) == (MIA, "acc-noah")
    assert row["linked_at"] == row["consented_at"]


async def test_a_spotify_account_that_was_given_up_can_be_linked_by_somebody_else(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    await browser.link()
    await stage.linking.unlink(MIA)
    assert (await other.link(NOAH, "mia")).status == 200


async def test_two_members_link_in_one_browser_one_after_the_other(stage: Stage, browser: Browser) -> None:
    assert (await browser.link()).status == 200
    assert (await browser.link(NOAH, "noah")).status == 200
    assert (await stage.counts())[0] == 2


@pytest.mark.parametrize("dead", [False, True], ids=["a good answer", "a refusal"])
async def test_a_refresh_that_comes_late_does_not_touch_the_link_that_was_made_meanwhile(
    stage: Stage, browser: Browser, dead: bool
) -> None:
    await browser.link()
    stage.clock.ahead = timedelta(hours=2)
    callback = await browser.to_last_callback(await stage.ask(), account="noah")
    late: dict[str, Any] = {**FAULTS["refresh_revoked"]} if dead else {}
    stage.spotify.fault(path=TOKEN_CALL, delay_s=0.3, **late)
    refresh = asyncio.create_task(stage.tokens.access_token(MIA))
    async with asyncio.timeout(60):
        while stage.calls(TOKEN_CALL) < 2:
            await asyncio.sleep(0.005)
    assert (await browser.get(callback)).status == 200
    before = await stage.rows("links")
    token = await refresh
    assert await stage.rows("links") == before
    assert stage.spotify.access_tokens[token].account == "noah"
    assert stage.spotify.access_tokens[await stage.tokens.access_token(MIA)].account == "noah"


# -- no


async def test_a_no_at_discord_is_a_page_and_is_told_once_and_the_link_lives_on(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    for _ in range(2):
        consent = await browser.open(link)
        page = await browser.get(await browser.decide(consent, decision="cancel"))
    assert page.status == 403
    assert page.title == "You declined at Discord."
    (news,) = stage.news
    assert isinstance(news, LinkDeclined)
    assert news.provider == "discord"
    consent = await browser.to_spotify(link)
    done = await browser.get(await browser.decide(consent, account="mia", decision="agree"))
    assert done.status == 200


async def test_a_no_at_spotify_is_a_page_and_is_told(stage: Stage, browser: Browser) -> None:
    consent = await browser.to_spotify(await stage.ask())
    page = await browser.get(await browser.decide(consent, decision="cancel"))
    assert page.status == 403
    assert page.title == "You declined at Spotify."
    (news,) = stage.news
    assert isinstance(news, LinkDeclined)
    assert news.provider == "spotify"
    assert await stage.counts() == (0, 0, 0)
    assert stage.calls(TOKEN_CALL) == 0


async def test_a_no_leaves_an_older_link_as_it_was(stage: Stage, browser: Browser) -> None:
    await browser.link()
    before = await stage.rows("links")
    consent = await browser.to_spotify(await stage.ask())
    await browser.get(await browser.decide(consent, decision="cancel"))
    assert await stage.rows("links") == before


async def test_a_spotify_account_that_is_linked_elsewhere_is_refused_and_told(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    await browser.link()
    before = await stage.rows("links")
    page = await other.link(NOAH, "mia")
    assert page.status == 409
    assert page.title == "This Spotify account is linked to another Discord account."
    assert await stage.rows("links") == before
    assert isinstance(stage.news[-1], AccountTaken)
    assert stage.told[-1].member == NOAH
    assert stage.woken == [MIA]


async def test_the_page_about_an_account_that_is_taken_names_nobody(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    await browser.link()
    page = await other.link(NOAH, "mia")
    assert "Mia" not in page.text
    assert str(MIA) not in page.text


# -- too late


async def test_a_link_is_dead_after_10_minutes(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    stage.clock.ahead = timedelta(minutes=9, seconds=55)
    assert (await browser.get(link)).status == 303
    stage.clock.ahead = timedelta(minutes=10, seconds=1)
    page = await browser.get(link)
    assert page.status == 400
    assert page.title == "This link has expired or was already used."


async def test_a_way_back_from_discord_is_dead_after_10_minutes(stage: Stage, browser: Browser) -> None:
    callback = await browser.be(MIA, await browser.open(await stage.ask()))
    stage.clock.ahead = timedelta(minutes=10, seconds=1)
    assert (await browser.get(callback)).status == 400
    assert stage.identifications == 0


async def test_a_way_back_from_spotify_is_dead_when_the_link_is(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    stage.clock.ahead = timedelta(minutes=9)
    callback = await browser.to_last_callback(link)
    stage.clock.ahead = timedelta(minutes=11)
    page = await browser.get(callback)
    assert page.status == 400
    assert stage.calls(TOKEN_CALL) == 0
    assert (await stage.counts())[0] == 0


async def test_what_nobody_finished_is_cleared_away_when_the_next_link_begins(stage: Stage, browser: Browser) -> None:
    await browser.to_spotify(await stage.ask())
    stage.clock.ahead = timedelta(minutes=11)
    await stage.ask(NOAH)
    assert await stage.counts() == (0, 1, 0)


async def test_what_nobody_finished_is_swept_once_it_is_too_old_and_the_disk_takes_it(
    stage: Stage, browser: Browser
) -> None:
    await browser.to_spotify(await stage.ask())
    stage.clock.ahead = timedelta(minutes=9)
    await stage.linking.sweep()
    assert await stage.counts() == (0, 1, 1)
    stage.clock.ahead = timedelta(minutes=11)
    for is_full in (1, 0):
        pragma = f"PRAGMA query_only = {is_full}"
        await stage.storage.database.read(lambda c, pragma=pragma: c.execute(pragma).fetchall())
        await stage.linking.sweep()
        assert await stage.counts() == (0, is_full, is_full)


async def test_a_link_that_never_was_is_a_page(stage: Stage, browser: Browser) -> None:
    for wrong in ("x", "A" * 32, "A" * 200, "..%2F..%2Fetc", "%00", "%E2%80%AE"):
        page = await browser.get(f"/link/{wrong}")
        assert page.status == 400
        assert page.title == "This link has expired or was already used."


async def test_unlinking_in_the_middle_of_the_flow_ends_the_flow(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    await stage.linking.unlink(MIA)
    assert (await browser.get(callback)).status == 400
    assert await stage.counts() == (0, 0, 0)
    assert stage.calls(TOKEN_CALL) == 0
