"""The demo as a person uses it: headless Chromium on a phone and on a desk, by day and by night."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, FrameLocator, Locator, Page, expect

from bot.sandbox import demo
from bot.sandbox.stage import Stage, set_up
from tests.sandbox.linking import link

pytestmark = [pytest.mark.pages, pytest.mark.asyncio(loop_scope="module")]

ALBUM = "4aawyAB9vmqN3uQ7FjRGTy"
WAIT_MS = 60_000


@dataclass
class Window:
    """The demo in a browser. `complaints`: what its scripts said."""

    page: Page
    stage: Stage
    complaints: list[str] = field(default_factory=list)

    @property
    def chat(self) -> FrameLocator:
        return self.page.frame_locator("#chat")

    async def be(self, name: str) -> None:
        await self.page.get_by_role("radio", name=name).check(force=True)

    async def run(self, command: str) -> None:
        """Type a command without options, and run it."""
        await self.chat.locator("#channel-composer-input").click()
        await self.page.keyboard.type(f"/{command}")
        await expect(self.chat.locator(".command-entry").first).to_be_visible()
        await self.page.keyboard.press("Enter")
        await expect(self.chat.locator(".command-row")).to_be_visible()
        await self.page.keyboard.press("Enter")

    def message(self, ending: str) -> Locator:
        return self.chat.locator(".channel-message p", has_text=re.compile(rf"{ending}$"))

    async def part(self, name: str) -> None:
        """On a phone, one part of the page is seen at a time."""
        if await (button := self.page.locator(f"[data-to={name}]")).is_visible():
            await button.click()


@asynccontextmanager
async def shown(chromium: Browser, width: int = 1280, scheme: str = "light") -> AsyncIterator[Window]:
    async with set_up() as stage, demo.running(stage) as address:
        context = await chromium.new_context(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        sight = Window(await context.new_page(), stage)
        sight.page.on("pageerror", lambda error: sight.complaints.append(str(error)))
        await sight.page.goto(address)
        await expect(sight.page.locator("body")).to_have_attribute("data-ready", "true")
        await expect(sight.chat.locator("#channel-composer-input")).to_be_visible()
        yield sight
        await context.close()


async def test_the_demo_is_legible_and_accessible(chromium: Browser, width: int, scheme: str) -> None:
    async with shown(chromium, width, scheme) as sight:
        page = sight.page
        await link(sight.stage, "Ada")
        await sight.stage.members["Ada"].slash(sight.stage.channel, "save", albums=ALBUM)
        await expect(page.get_by_text("1 saved album").first).to_be_attached()
        for part in ("world", "members", "chat"):
            await sight.part(part)
            assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            results = await Axe().run(page)
            assert not results.violations_count, results.generate_report()
        ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        red = int(ground.removeprefix("rgb(").split(",")[0])
        assert (red < 60) is (scheme == "dark")
        assert sight.complaints == []


async def test_a_member_links_and_their_library_is_seen_to_change(chromium: Browser) -> None:
    async with shown(chromium) as sight:
        page = sight.page
        await sight.be("Ben")
        await sight.run("link")
        async with page.context.expect_page() as opened:
            await sight.chat.get_by_role("link", name="Link Spotify").click()
        login = await opened.value
        await login.get_by_role("button", name="Continue as Ben").click()
        await login.get_by_label("Ben’s music").check()
        await login.get_by_role("button", name="Agree").click()
        await login.wait_for_url("**/callback/spotify?*")
        await expect(page.get_by_text("Linked as Ben’s music")).to_be_visible()
        sight.stage.spotify.save(sight.stage.spotify.accounts["ben"], ALBUM)
        await expect(page.locator(f".shelf a[href$='/album/{ALBUM}']")).to_be_visible()
        assert sight.complaints == []


async def test_the_choices_of_mydata_are_legible_on_a_phone(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        await sight.run("mydata")
        said = sight.chat.get_by_text("Public pages call you “a member”.", exact=True)
        await expect(said).to_be_visible()
        box = await said.bounding_box()
        assert box is not None
        assert box["width"] > 80
        assert box["height"] < 120


async def test_a_direct_message_is_announced_with_the_name_of_its_member(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        ben = sight.stage.members["Ben"]
        user = await sight.stage.services.client.fetch_user(ben.id)
        await user.send("Your album was saved.")
        await expect(sight.page.get_by_role("status")).to_have_text("Ben has a new direct message.")
        await sight.part("members")
        for name in ("Ada", "Ben", "Chloe"):
            choices = sight.page.get_by_role("group", name=name, exact=True)
            await expect(choices.get_by_label("takes direct messages")).to_be_visible()


async def test_what_the_demo_announces_is_known_to_screen_readers_and_covers_nothing_that_is_pressed(
    chromium: Browser,
) -> None:
    async with shown(chromium, 390) as sight:
        status = sight.page.get_by_role("status")
        await expect(status).to_have_count(1)  # empty, and there: hidden elements have no role
        await sight.part("world")
        await sight.page.get_by_role("button", name="+ 1 hour").click()
        await sight.part("chat")
        await expect(status).to_contain_text("It is now")
        said = await status.bounding_box()
        composer = await sight.chat.locator("#channel-composer").bounding_box()
        tabs = await sight.page.locator(".views").bounding_box()
        assert said is not None
        assert composer is not None
        assert tabs is not None
        assert tabs["y"] + tabs["height"] <= said["y"]
        assert said["y"] + said["height"] <= composer["y"]


async def test_links_to_spotify_lead_to_the_stand_in(chromium: Browser) -> None:
    async with shown(chromium) as sight:
        stage = sight.stage
        await stage.members["Ada"].slash(stage.channel, "share", album=ALBUM)
        button = sight.chat.get_by_role("link", name="Open in Spotify")
        await expect(button).to_have_attribute("href", f"{stage.spotify.base_url}/album/{ALBUM}")
        async with sight.page.context.expect_page() as opened:
            await button.click()
        shown_page = await opened.value
        await expect(shown_page.get_by_role("heading", level=1)).to_be_visible()
        assert await sight.chat.locator('a[href*="open.spotify.com"]').count() == 0


async def test_the_chat_follows_new_messages(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        stage = sight.stage
        for number in range(30):
            await stage.members["Chloe"].send(stage.channel, f"Message number {number}")
        await stage.members["Ada"].slash(stage.channel, "share", album=ALBUM)
        await expect(sight.chat.get_by_role("link", name="Open in Spotify")).to_be_in_viewport()


async def test_a_chat_that_is_opened_again_begins_at_its_end_as_the_same_member(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        stage = sight.stage
        for number in range(30):
            await stage.members["Chloe"].send(stage.channel, f"Message number {number}")
        await sight.be("Ben")
        await sight.page.reload()
        await expect(sight.message("number 29")).to_be_in_viewport()
        assert await sight.page.get_by_role("radio", name="Ben").is_checked()


async def test_whoever_reads_older_messages_is_not_moved_by_new_ones(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        stage = sight.stage
        for number in range(30):
            await stage.members["Chloe"].send(stage.channel, f"Message number {number}")
        await expect(sight.message("number 29")).to_be_in_viewport()
        await sight.chat.locator("#channel-timeline").hover()
        await sight.page.mouse.wheel(0, -5000)
        await expect(sight.message("number 0")).to_be_in_viewport()
        await stage.members["Chloe"].send(stage.channel, "The newest")
        await expect(sight.chat.get_by_text("jump to latest")).to_be_visible()
        await expect(sight.message("number 0")).to_be_in_viewport()


async def test_whoever_runs_commands_one_after_another_sees_each_answer_to_its_end(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        for number in range(10):
            await sight.stage.members["Chloe"].send(sight.stage.channel, f"Message number {number}")
        for command, ending in (("help", "What is stored, and for how long"), ("account", "Link Spotify")):
            await sight.run(command)
            answer = sight.chat.locator(".channel-message").last
            await expect(answer).to_contain_text(f"/{command}")
            await expect(answer.get_by_text(ending).last).to_be_in_viewport()
            await expect(sight.chat.get_by_text("jump to latest")).not_to_be_visible()


async def _scroll_with_keys(sight: Window) -> None:
    timeline = sight.chat.locator("#channel-timeline")
    await timeline.evaluate("timeline => { timeline.tabIndex = 0; timeline.focus(); }")
    for _ in range(5):
        await sight.page.keyboard.press("PageUp")
        await sight.page.wait_for_timeout(300)


async def _scroll_with_a_finger(sight: Window) -> None:
    session = await sight.page.context.new_cdp_session(sight.page)

    async def touch(kind: str, *at: int) -> None:
        points = [{"x": 195, "y": y} for y in at]
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for _ in range(8):
        await touch("touchStart", 300)
        for y in range(310, 700, 40):
            await touch("touchMove", y)
        await touch("touchEnd")


@pytest.mark.parametrize("scroll", [_scroll_with_keys, _scroll_with_a_finger])
async def test_whoever_went_up_stays_there_until_they_jump_to_the_latest(
    chromium: Browser, scroll: Callable[[Window], Awaitable[None]]
) -> None:
    async with shown(chromium, 390) as sight:
        chloe, channel = sight.stage.members["Chloe"], sight.stage.channel
        for number in range(30):
            await chloe.send(channel, f"Message number {number}")
        await expect(sight.message("number 29")).to_be_in_viewport()
        await scroll(sight)
        await expect(sight.message("number 0")).to_be_in_viewport()
        await chloe.send(channel, "The newest")
        jump = sight.chat.get_by_text("jump to latest")
        await expect(jump).to_be_visible()
        await expect(sight.message("number 0")).to_be_in_viewport()
        await jump.click()
        await expect(sight.message("The newest")).to_be_in_viewport()
        await chloe.send(channel, "And one more")
        await expect(sight.message("And one more")).to_be_in_viewport()


async def test_a_link_to_an_older_message_leads_there_in_the_demo_and_new_messages_do_not_lead_back(
    chromium: Browser,
) -> None:
    async with shown(chromium, 390) as sight:
        stage, chloe = sight.stage, sight.stage.members["Chloe"]
        target = await chloe.send(stage.channel, "Message number 0")
        for number in range(1, 30):
            await chloe.send(stage.channel, f"Message number {number}")
        await stage.members["Ada"].context_menu(stage.channel, "Save albums", target)
        await expect(sight.chat.get_by_text("View target message")).to_be_in_viewport()
        await sight.chat.get_by_text("View target message").focus()
        await sight.page.keyboard.press("Enter")
        await expect(sight.message("number 0")).to_be_in_viewport()
        await chloe.send(stage.channel, "The newest")
        await expect(sight.chat.get_by_text("jump to latest")).to_be_visible()
        await expect(sight.message("number 0")).to_be_in_viewport()
        assert len(sight.page.context.pages) == 1  # nothing led to the real Discord


async def test_a_page_that_is_slow_does_not_take_a_reader_back_to_the_end(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        for number in range(30):
            await sight.stage.members["Chloe"].send(sight.stage.channel, f"Message number {number}")
        await expect(sight.message("number 29")).to_be_in_viewport()
        # The event of the scrolling comes when the turn of the wheel was long ago.
        await sight.chat.locator("#channel-timeline").evaluate(
            """timeline => {
                timeline.dispatchEvent(new WheelEvent("wheel", { deltaY: -5000, bubbles: true }));
                timeline.scrollTop = 0;
                const until = performance.now() + 1500;
                while (performance.now() < until);
            }"""
        )
        await sight.page.wait_for_timeout(500)
        await expect(sight.message("number 0")).to_be_in_viewport(timeout=1000)


async def test_a_choice_that_was_picked_offers_nothing_more(chromium: Browser) -> None:
    async with shown(chromium, 390) as sight:
        await link(sight.stage, "Ada")
        await sight.chat.locator("#channel-composer-input").click()
        await sight.page.keyboard.type("/save")
        await expect(sight.chat.locator(".command-entry").first).to_be_visible()
        await sight.page.keyboard.press("Enter")
        await sight.page.keyboard.type("slow harbour")
        await expect(sight.chat.locator(".command-suggestion").first).to_be_visible()
        await sight.page.keyboard.press("Enter")
        await expect(sight.chat.locator(".command-option-input")).to_have_value(re.compile("spotify:album:"))
        name = sight.chat.locator(".picked-name")
        await expect(name).to_have_text(re.compile("^Slow Harbour by The Lantern Ferry"))
        await expect(sight.chat.get_by_text("No options match")).not_to_be_visible()
        context = await sight.chat.locator(".command-context").bounding_box()
        assert context is not None
        assert context["x"] + context["width"] <= 390
        pill = await name.bounding_box()
        assert pill is not None
        assert pill["x"] + pill["width"] <= 390
        await sight.page.keyboard.press("Backspace")  # it is no album any more: what is typed is seen again
        await expect(name).to_have_count(0)


async def test_a_page_of_a_demo_that_was_restarted_loads_itself_again(chromium: Browser) -> None:
    async with set_up() as stage:
        async with demo.running(stage) as address:
            page = await chromium.new_page()
            await page.goto(address)
            await expect(page.locator("body")).to_have_attribute("data-ready", "true")
        port = int(address.rstrip("/").rpartition(":")[2])
        async with demo.running(stage, port):
            await page.wait_for_event("load", timeout=WAIT_MS)
        await page.close()


async def test_a_message_has_an_apps_menu_that_works_with_the_keyboard(chromium: Browser) -> None:
    async with shown(chromium) as sight:
        stage = sight.stage
        await link(stage, "Ada")
        await stage.members["Chloe"].send(stage.channel, f"Listen: https://open.spotify.com/album/{ALBUM}")
        message = sight.chat.locator(".channel-message", has_text="Listen")
        await message.locator(".apps-open").focus()
        await sight.page.keyboard.press("Enter")
        await expect(sight.chat.get_by_role("menuitem", name="Save albums")).to_be_focused()
        await sight.page.keyboard.press("Enter")
        await expect(sight.page.locator(f".shelf a[href$='/album/{ALBUM}']")).to_be_visible()


async def test_the_clock_and_the_switches_work_with_the_keyboard(chromium: Browser) -> None:
    async with shown(chromium) as sight:
        page, began_at = sight.page, sight.stage.clock.now()
        await page.get_by_role("button", name="+ 1 week").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("It is now")
        assert (sight.stage.clock.now() - began_at).days == 7
        await page.get_by_role("radio", name="works").focus()
        await page.keyboard.press("ArrowDown")
        await expect(page.locator("#mood-hint")).to_contain_text("queued")
        assert await page.get_by_role("radio", name="is down").is_checked()
