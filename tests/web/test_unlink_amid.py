"""A member who unlinks while their link is being made: nothing of them is stored again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import pytest

from bot.accounts.browser import LINK, SPOTIFY, hash_of
from bot.accounts.linking import Linked, LinkNews
from bot.errors import LinkDeclined, LinkExpired, Restarting, StorageUnavailable
from tests.web.stage import MIA, NOAH, PROFILE_CALL, TOKEN_CALL, Answer, Browser, Stage, parameter


async def way_back(
    stage: Stage, browser: Browser, member: int = MIA, account: str = "mia"
) -> Coroutine[object, object, Linked]:
    """A member who agreed at Spotify, and whose browser was let in: what is left to do."""
    callback = await browser.to_last_callback(await stage.ask(member), member, account)
    state, code = parameter(callback, "state"), parameter(callback, "code")
    cookie = stage.cookie(browser)["Cookie"].partition("=")[2]
    oauth_state = await stage.linking.take_state(SPOTIFY, state, cookie)
    return stage.linking.finish_link(oauth_state, code, state, cookie)


async def under_way(stage: Stage, finish: Coroutine[object, object, Linked]) -> asyncio.Task[Linked]:
    """A link for which Spotify is asked just now."""
    stage.spotify.fault(path=TOKEN_CALL, delay_s=0.3)
    before = stage.calls(TOKEN_CALL)
    finishing = asyncio.create_task(finish)
    async with asyncio.timeout(60):
        while stage.calls(TOKEN_CALL) == before:
            await asyncio.sleep(0.005)
    return finishing


@pytest.mark.parametrize("amid", [TOKEN_CALL, PROFILE_CALL])
async def test_a_link_that_is_being_made_is_not_made_when_its_member_unlinks(
    amid: str, stage: Stage, browser: Browser
) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    stage.spotify.fault(path=amid, delay_s=0.5)
    loading = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(60):
        while not stage.calls(amid):
            await asyncio.sleep(0.005)
    await stage.linking.unlink(MIA)
    page = await loading
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert await stage.counts() == (0, 0, 0)
    (news,) = stage.news
    assert isinstance(news, LinkExpired)
    assert stage.woken == []


async def test_whoever_waits_for_a_link_is_told_why_it_is_not_made(stage: Stage, browser: Browser) -> None:
    finishing = await under_way(stage, await way_back(stage, browser))
    await stage.linking.unlink(NOAH)
    await stage.linking.unlink(MIA)
    with pytest.raises(LinkExpired):
        await finishing
    finishing = await under_way(stage, await way_back(stage, browser))
    await stage.linking.finish_links(0.01)
    assert [type(news) for news in stage.news] == [LinkExpired, Restarting]  # before the stop goes on
    with pytest.raises(Restarting):
        await finishing


async def test_a_message_that_hangs_does_not_hold_up_a_stop_for_ever(stage: Stage, browser: Browser) -> None:
    async def tell(news: LinkNews) -> None:
        await asyncio.sleep(60)

    stage.linking.tell = tell
    finishing = await under_way(stage, await way_back(stage, browser))
    async with asyncio.timeout(20):
        await stage.linking.finish_links(0.01)
    finishing.cancel()
    await asyncio.gather(finishing, return_exceptions=True)


async def test_a_link_is_made_also_when_its_browser_goes_away(stage: Stage, browser: Browser) -> None:
    finishing = await under_way(stage, await way_back(stage, browser))
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    await stage.linking.finish_links(10.0)
    assert await stage.tokens.account(MIA) is not None
    assert [type(news) for news in stage.news] == [Linked]


async def test_while_the_bot_stops_no_browser_is_let_in_and_its_way_stays_good(stage: Stage, browser: Browser) -> None:
    link = await stage.ask()
    stage.linking.is_stopping = True
    with pytest.raises(Restarting):
        await stage.linking.open_link(link.rpartition("/")[2], None)
    stage.linking.is_stopping = False
    to_discord = await browser.be(MIA, await browser.open(link))
    stage.linking.is_stopping = True
    assert (await browser.get(to_discord)).status == 503
    stage.linking.is_stopping = False
    to_spotify = await browser.agree("mia", (await browser.get(to_discord)).goes_to)
    stage.linking.is_stopping = True
    assert (await browser.get(to_spotify)).status == 503
    stage.linking.is_stopping = False
    assert (await browser.get(to_spotify)).status == 200


async def test_somebody_elses_unlink_ends_nobodys_link(stage: Stage, browser: Browser) -> None:
    finish = await way_back(stage, browser)
    finishing = asyncio.create_task(finish)
    await asyncio.sleep(0)  # the database thread has its job, and has not said what came of it
    await stage.linking.unlink(NOAH)
    assert (await finishing).link.member_id == MIA
    assert await stage.tokens.account(MIA) is not None


async def test_an_unlink_that_comes_while_the_link_is_stored_is_not_overtaken(stage: Stage, browser: Browser) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    loading = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(60):
        while not stage.calls(PROFILE_CALL):
            await asyncio.sleep(0)
    await stage.linking.unlink(MIA)
    await loading
    assert await stage.counts() == (0, 0, 0)


@asynccontextmanager
async def while_it_is_stored(stage: Stage, browser: Browser) -> AsyncIterator[asyncio.Task[Answer]]:
    """A last page that waits for the database, which has been given the new link, until the block ends."""
    callback = await browser.to_last_callback(await stage.ask())
    stage.spotify.fault(path=PROFILE_CALL, delay_s=0.1)
    loading = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(60):
        while not stage.calls(PROFILE_CALL):
            await asyncio.sleep(0.005)
    begun, go_on = threading.Event(), threading.Event()
    held = asyncio.ensure_future(stage.storage.database.read(lambda c: (begun.set(), go_on.wait(10))))
    assert await asyncio.to_thread(begun.wait, 10)
    async with asyncio.timeout(60):
        while not stage.storage.database.waiting:
            await asyncio.sleep(0.005)
    yield loading
    go_on.set()
    await held


async def test_a_stop_that_comes_while_the_link_is_stored_does_not_deny_it(stage: Stage, browser: Browser) -> None:
    async with while_it_is_stored(stage, browser) as loading:
        stage.linking.is_stopping = True
        stop = asyncio.create_task(stage.linking.finish_links(0.01))
        await asyncio.sleep(0.05)
    await stop
    page = await loading
    assert (page.status, page.title) == (200, "Linked. You can go back to Discord.")
    assert await stage.tokens.account(MIA) is not None


async def test_an_unlink_that_comes_while_the_link_is_stored_is_told_as_such(stage: Stage, browser: Browser) -> None:
    async with while_it_is_stored(stage, browser) as loading:
        unlink = asyncio.create_task(stage.linking.unlink(MIA))
        await asyncio.sleep(0.05)
    await unlink
    page = await loading
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert await stage.counts() == (0, 0, 0)
    assert [type(news) for news in stage.news] == [LinkExpired]
    assert stage.woken == []


async def test_a_stop_that_comes_while_the_member_is_told_does_not_deny_the_link(
    stage: Stage, browser: Browser
) -> None:
    reached = asyncio.Event()

    async def tell(news: LinkNews) -> None:
        reached.set()
        await asyncio.sleep(60)

    stage.linking.tell = tell
    loading = asyncio.create_task(browser.get(await browser.to_last_callback(await stage.ask())))
    await reached.wait()
    stage.linking.is_stopping = True
    await stage.linking.finish_links(0.05)
    page = await loading
    assert (page.status, page.title) == (200, "Linked. You can go back to Discord.")
    assert await stage.tokens.account(MIA) is not None
    assert stage.woken == [MIA]


@pytest.mark.parametrize("how", ["stop", "unlink"])
async def test_what_comes_after_a_link_was_stored_is_told_as_it_is(how: str, stage: Stage, browser: Browser) -> None:
    go_on = threading.Event()
    async with while_it_is_stored(stage, browser) as loading:
        # what follows the storing waits, too
        held = asyncio.ensure_future(stage.storage.database.read(lambda c: go_on.wait(10)))
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while stage.storage.database.waiting != 1:  # how many changes wait
            await asyncio.sleep(0.005)
    if how == "stop":
        await stage.linking.finish_links(0.01)
    else:
        unlink = asyncio.create_task(stage.linking.unlink(MIA))
        await asyncio.sleep(0.01)
    go_on.set()
    await held
    page = await loading
    if how == "stop":
        assert (page.status, page.title) == (200, "Linked. You can go back to Discord.")
        assert await stage.tokens.account(MIA) is not None
    else:
        await unlink
        assert (page.status, page.title) == (400, "This link has expired or was already used.")
        assert await stage.counts() == (0, 0, 0)


async def test_an_unlink_that_comes_while_the_member_is_told_is_not_told_as_a_link(
    stage: Stage, browser: Browser
) -> None:
    reached = asyncio.Event()

    async def tell(news: LinkNews) -> None:
        reached.set()
        await asyncio.sleep(60)

    stage.linking.tell = tell
    loading = asyncio.create_task(browser.get(await browser.to_last_callback(await stage.ask())))
    await reached.wait()
    await stage.linking.unlink(MIA)
    page = await loading
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert await stage.counts() == (0, 0, 0)
    assert stage.woken == []


async def test_what_is_told_of_a_link_is_stored_with_it(stage: Stage, browser: Browser) -> None:
    told = asyncio.Event()

    async def tell(news: LinkNews) -> None:
        assert [news.id] == [each.id for each in stage.stored]
        assert await stage.tokens.account(MIA) is not None
        told.set()

    stage.linking.tell = tell
    assert (await browser.link()).status == 200
    assert told.is_set()


async def test_a_link_that_begins_while_the_bot_stops_is_waited_for(stage: Stage, browser: Browser) -> None:
    finish = await way_back(stage, browser)  # let in before the stop
    stage.linking.is_stopping = True
    finishing = asyncio.create_task(finish)
    await asyncio.sleep(0)
    await stage.linking.finish_links(5.0)
    assert await stage.tokens.account(MIA) is not None  # before anybody asks how it ended
    assert (await finishing).link.member_id == MIA


@pytest.mark.parametrize("provider", ["discord", "spotify"])
async def test_a_stop_waits_for_a_browser_that_is_back_since_its_state_is_used_up(
    provider: str, stage: Stage, browser: Browser
) -> None:
    link = await stage.ask()
    to_discord = await browser.be(MIA, await browser.open(link))
    callback = to_discord
    if provider == "spotify":
        callback = await browser.agree("mia", (await browser.get(to_discord)).goes_to)
    begun, go_on = threading.Event(), threading.Event()
    held = asyncio.ensure_future(stage.storage.database.read(lambda c: (begun.set(), go_on.wait(60))))
    await asyncio.to_thread(begun.wait, 60)
    loading = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(60):
        while not stage.storage.database.waiting:  # its state is about to be used up
            await asyncio.sleep(0.005)
    stage.linking.is_stopping = True
    stop = asyncio.create_task(stage.linking.finish_links(10.0))
    await asyncio.sleep(0.05)
    assert not stop.done()
    go_on.set()
    await stop
    assert (await loading).status == (200 if provider == "spotify" else 303)
    await held


async def test_after_the_stop_no_link_is_begun_and_the_attempt_is_kept(stage: Stage, browser: Browser) -> None:
    finish = await way_back(stage, browser)
    await stage.linking.finish_links(0.01)
    with pytest.raises(Restarting):
        await finish
    assert stage.calls(TOKEN_CALL) == 0
    assert (await stage.counts())[1] == 1


async def test_a_link_whose_attempt_is_taken_after_the_stop_is_told_and_not_made(
    stage: Stage, browser: Browser
) -> None:
    finish = await way_back(stage, browser)
    go_on = threading.Event()
    held = asyncio.ensure_future(stage.storage.database.read(lambda c: go_on.wait(60)))
    finishing = asyncio.create_task(finish)
    await asyncio.sleep(0)
    await stage.linking.finish_links(0.05)
    go_on.set()
    with pytest.raises(Restarting):
        await finishing
    await held
    assert stage.calls(TOKEN_CALL) == 0
    assert [type(news) for news in stage.news] == [Restarting]


async def test_a_link_whose_attempt_is_just_being_taken_is_not_made_when_its_member_unlinks(
    stage: Stage, browser: Browser
) -> None:
    finish = await way_back(stage, browser)
    finishing = asyncio.create_task(finish)
    await asyncio.sleep(0)  # the database thread has its job, and has not said what came of it
    await stage.linking.unlink(MIA)
    await asyncio.gather(finishing, return_exceptions=True)
    assert await stage.counts() == (0, 0, 0)
    for _ in range(2):  # and whoever links again is linked
        assert (await browser.link()).status == 200
        await stage.linking.unlink(MIA)
    async with asyncio.timeout(5):
        await stage.linking.finish_links(3600.0)  # there is nothing to wait for


async def test_of_two_links_whose_attempts_are_just_being_taken_the_one_whose_member_unlinks_is_not_made(
    stage: Stage, browser: Browser, other: Browser
) -> None:
    finishes = [await way_back(stage, other, NOAH, "noah"), await way_back(stage, browser)]
    finishing = [asyncio.create_task(finish) for finish in finishes]
    await asyncio.sleep(0)
    await stage.linking.unlink(MIA)
    linked, refused = await asyncio.gather(*finishing, return_exceptions=True)
    assert isinstance(linked, Linked)
    assert isinstance(refused, LinkExpired)
    assert [row["member_id"] for row in await stage.rows("links")] == [NOAH]


async def test_a_way_back_that_belongs_to_no_link_makes_none(stage: Stage, browser: Browser) -> None:
    attempt = (await stage.ask()).rpartition("/")[2]
    cookie = stage.browsers.cookie(None)
    states = [
        await stage.browsers.send(SPOTIFY, "another part of the site", cookie),
        await stage.browsers.send(SPOTIFY, LINK, cookie, hash_of(attempt)),
    ]
    oauth_states = [await stage.linking.take_state(SPOTIFY, state, cookie) for state in states]
    await stage.linking.unlink(MIA)  # the attempt of the second is gone now
    for state, oauth_state in zip(states, oauth_states, strict=True):
        with pytest.raises(LinkExpired):
            await stage.linking.verify_discord_account(oauth_state, MIA, "Mia", cookie)
        with pytest.raises(LinkExpired):
            await stage.linking.finish_link(oauth_state, "code", state, cookie)
        assert isinstance(await stage.linking.decline(oauth_state, "access_denied"), LinkDeclined)
    with pytest.raises(LinkExpired):
        await stage.browsers.send(SPOTIFY, LINK, cookie, hash_of(attempt))
    assert stage.news == []
    assert stage.calls(TOKEN_CALL) == 0


async def test_a_token_that_is_only_in_memory_is_dropped_when_its_member_unlinks(
    stage: Stage, browser: Browser
) -> None:
    async def takes_writes(yes: bool) -> None:
        pragma = f"PRAGMA query_only = {int(not yes)}"
        await stage.storage.database.read(lambda c: c.execute(pragma).fetchall())

    await browser.get(await browser.to_last_callback(await stage.ask()))
    token = (await stage.tokens.access(MIA)).token
    await takes_writes(False)
    with pytest.raises(StorageUnavailable):
        await token.renewed(await token.current())
    await takes_writes(True)
    await stage.linking.unlink(MIA)
    await takes_writes(False)
    async with asyncio.timeout(60):
        await stage.tokens.stop(3600.0)  # would wait until it can store what is only in memory
