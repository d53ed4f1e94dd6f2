"""A member who unlinks while their link is being made: nothing of them is stored again."""

from __future__ import annotations

import asyncio

import pytest

from bot.accounts.browser import SPOTIFY
from bot.errors import LinkExpired
from tests.web.stage import MIA, PROFILE_CALL, TOKEN_CALL, Browser, Stage, parameter


@pytest.mark.parametrize("amid", [TOKEN_CALL, PROFILE_CALL])
async def test_a_link_that_is_being_made_is_not_made_when_its_member_unlinks(
    amid: str, stage: Stage, browser: Browser
) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    stage.spotify.fault(path=amid, delay_s=0.5)
    loading = asyncio.create_task(browser.get(callback))
    async with asyncio.timeout(10):
        while not stage.calls(amid):
            await asyncio.sleep(0.005)
    await stage.linking.unlink(MIA)
    page = await loading
    assert (page.status, page.title) == (400, "This link has expired or was already used.")
    assert await stage.counts() == (0, 0, 0)
    (news,) = stage.news
    assert isinstance(news, LinkExpired)
    assert stage.woken == []


async def test_a_link_whose_attempt_is_just_being_taken_is_not_made_when_its_member_unlinks(
    stage: Stage, browser: Browser
) -> None:
    callback = await browser.to_last_callback(await stage.ask())
    state, code = parameter(callback, "state"), parameter(callback, "code")
    cookie = stage.cookie(browser)["Cookie"].partition("=")[2]
    oauth_state = await stage.linking.take_state(SPOTIFY, state, cookie)
    finishing = asyncio.create_task(stage.linking.finish_link(oauth_state, code, state, cookie))
    await asyncio.sleep(0)  # the database thread has its job, and has not said what came of it
    await stage.linking.unlink(MIA)
    await asyncio.gather(finishing, return_exceptions=True)
    assert await stage.counts() == (0, 0, 0)
