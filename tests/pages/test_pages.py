"""The pages as a browser shows them: headless Chromium on a phone and on a desk, by day and by night."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.callers import caller
from tests.pages.sight import Sight, looks_right, only_asked
from tests.web.stage import MIA, Stage

# One event loop for all of them, because one Chromium serves them all.
pytestmark = [pytest.mark.pages, pytest.mark.asyncio(loop_scope="module")]


async def link(sight: Sight) -> None:
    """The whole flow as a person does it: two buttons."""
    await sight.page.goto(await sight.stage.ask(MIA))
    await sight.page.get_by_role("button", name="Mia").click()
    await sight.page.get_by_label("Mia’s records").check()
    await sight.page.get_by_role("button", name="Agree").click()
    await sight.page.wait_for_url("**/callback/spotify?*")
    await sight.page.wait_for_load_state()


async def test_the_page_after_linking_is_calm_legible_and_alone(sight: Sight) -> None:
    await link(sight)
    assert await sight.page.title() == "Linked. You can go back to Discord. · Gatefold"
    assert await sight.page.locator("dd").all_inner_texts() == ["Mia", "Mia’s records"]
    await looks_right(sight)
    stage = sight.stage
    only_asked(sight, stage.settings.public_url, stage.discord.base_url, stage.spotify.base_url)


async def test_an_error_looks_like_everything_else(sight: Sight) -> None:
    await sight.page.goto(f"{sight.stage.settings.public_url}/callback/spotify?code=x&state=y")
    assert await sight.page.title() == "This link has expired or was already used. · Gatefold"
    await looks_right(sight)
    only_asked(sight, sight.stage.settings.public_url)


@pytest.mark.parametrize("path", ["/", "/privacy"])
async def test_what_people_read_before_they_link_is_legible(sight: Sight, path: str) -> None:
    await sight.page.goto(f"{sight.stage.settings.public_url}{path}")
    await looks_right(sight)
    only_asked(sight, sight.stage.settings.public_url)


async def test_long_names_in_any_script_stay_on_the_page(sight: Sight) -> None:
    sight.stage.discord.users[MIA] = "W" * 200
    sight.stage.spotify.accounts["mia"].display_name = "\u202e" + "鳥" * 60 + " مرحبا" * 10
    await sight.page.goto(await sight.stage.ask(MIA))
    await sight.page.get_by_role("button", name="WWW").click()
    await sight.page.get_by_label("鳥").check()
    await sight.page.get_by_role("button", name="Agree").click()
    await sight.page.wait_for_url("**/callback/spotify?*")
    await looks_right(sight)


async def test_motion_is_left_out_for_those_who_ask(stage: Stage, chromium: Browser) -> None:
    context = await chromium.new_context(reduced_motion="reduce")
    sight = Sight(await context.new_page(), stage, dark=False)
    await link(sight)
    assert await sight.page.evaluate("document.getAnimations().length") == 0
    await context.close()


# -- the guide to an own app


async def guide(sight: Sight) -> str:
    """The address of the guide with a link that lives."""
    return (await sight.stage.linking.offer(caller(MIA))).own_app_url


async def test_the_guide_is_legible_and_has_a_drawing_per_step(sight: Sight) -> None:
    await sight.page.goto(await guide(sight))
    assert await sight.page.locator(".guide > li").count() == 5
    assert await sight.page.locator("figure svg").count() == 4
    assert await sight.page.get_by_text(sight.stage.settings.redirect_to_spotify, exact=True).count() == 1
    await looks_right(sight)
    only_asked(sight, sight.stage.settings.public_url)


async def test_the_redirect_uri_can_be_copied(stage: Stage, chromium: Browser) -> None:
    context = await chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    sight = Sight(await context.new_page(), stage, dark=False)
    await sight.page.goto(await guide(sight))
    await sight.page.get_by_role("button", name="Copy").click()
    await sight.page.get_by_role("button", name="Copied").wait_for()
    assert await sight.page.evaluate("navigator.clipboard.readText()") == stage.settings.redirect_to_spotify
    await context.close()


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_a_person_follows_the_guide_to_a_link(stage: Stage, chromium: Browser, has_scripts: bool) -> None:
    """A wrong ID is told on the same page; the right one leads through Discord and Spotify, policy and all."""
    stage.spotify.register_app("a" * 32, redirect_uris={stage.settings.redirect_to_spotify}, allowlist=["mia"])
    context = await chromium.new_context(java_script_enabled=has_scripts)
    page = await context.new_page()
    await page.goto(await guide(Sight(page, stage, dark=False)))
    for wrong, words in (("nonsense", "That is not a client ID"), ("b" * 32, "Spotify knows no app")):
        await page.get_by_label("Client ID").fill(wrong)
        await page.get_by_role("button", name="Continue").click()
        assert words in await page.get_by_role("alert").inner_text()
    await page.get_by_label("Client ID").fill("a" * 32)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Mia").click()
    await page.get_by_label("Mia’s records").check()
    await page.get_by_role("button", name="Agree").click()
    await page.wait_for_url("**/callback/spotify?*")
    assert "Linked." in await page.title()
    account = await stage.tokens.account(MIA)
    assert account is not None
    assert account.is_own_app
    await context.close()
