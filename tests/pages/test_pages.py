"""The pages as a browser shows them: headless Chromium on a phone and on a harness, by day and by night."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.callers import caller
from tests.web.stage import MIA, Stage, raised

# One event loop for all of them, because one Chromium serves them all.
pytestmark = [pytest.mark.pages, pytest.mark.asyncio(loop_scope="module")]

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AA = 4.5
"""WCAG 2, level AA, for text of any size."""

# Every piece of text with its colour and the first opaque background below it, as the browser computed them.
TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    if (!text) continue;
    let place = walker.currentNode.parentElement;
    const color = getComputedStyle(place).color;
    while (place && getComputedStyle(place).backgroundColor === 'rgba(0, 0, 0, 0)') place = place.parentElement;
    found.push([text, color, place ? getComputedStyle(place).backgroundColor : 'rgb(255, 255, 255)']);
  }
  return found;
}"""


@dataclass
class Sight:
    """One page of the browser, and what it did by itself."""

    page: Page
    stage: Stage
    dark: bool
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with raised(tmp_path) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[390, 1280])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest_asyncio.fixture(loop_scope="module")
async def sight(stage: Stage, chromium: Browser, scheme: Any, width: int) -> AsyncIterator[Sight]:
    context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    sight = Sight(page, stage, scheme == "dark")
    page.on("request", lambda request: sight.hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: sight.complaints.append(str(error)))
    page.on(
        "console",
        # Chromium says by itself that a page came with 4xx, which is what an error page is.
        lambda message: (
            "the server responded with a status of" in message.text or sight.complaints.append(message.text)
        ),
    )
    yield sight
    await context.close()


async def link(sight: Sight) -> None:
    """The whole flow as a person does it: two buttons."""
    await sight.page.goto(await sight.stage.ask(MIA))
    await sight.page.get_by_role("button", name="Mia").click()
    await sight.page.get_by_label("Mia’s records").check()
    await sight.page.get_by_role("button", name="Agree").click()
    await sight.page.wait_for_url("**/callback/spotify?*")
    await sight.page.wait_for_load_state()


def luminance(color: str) -> float:
    """Of `rgb(r, g, b)`, as WCAG 2 defines it."""
    assert color.startswith("rgb("), color
    parts = [int(part) / 255 for part in color[4:-1].split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Between two colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


async def looks_right(sight: Sight) -> None:
    """What holds for every page."""
    page = sight.page
    first_line = (await page.locator("main").inner_text()).splitlines()[0]
    assert await page.locator("h1").first.inner_text() == first_line
    assert await page.title() == f"{first_line} · Gatefold"
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert await page.evaluate("document.querySelector('main').getBoundingClientRect().width <= 36 * 16 * 1.0625")
    assert await page.evaluate("document.querySelector('header img').naturalWidth > 0")
    assert await page.evaluate("document.documentElement.lang") == "en"
    texts = await page.evaluate(TEXTS)
    assert len(texts) > 3
    for text, color, ground in texts:
        assert contrast(color, ground) >= AA, f"{text}: {color} on {ground}"
    ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (luminance(ground) < 0.2) is sight.dark
    await focus_is_visible(page, ground)
    assert sight.complaints == []


async def focus_is_visible(page: Page, ground: str) -> None:
    """Whatever the Tab key reaches has an outline that stands out."""
    stops = await page.locator("a, button, input:not([type=hidden])").count()
    assert stops >= 2
    for _ in range(stops):
        await page.keyboard.press("Tab")
        tag, style, width, color = await page.evaluate(
            "(() => { const at = document.activeElement, s = getComputedStyle(at);"
            " return [at.tagName, s.outlineStyle, parseFloat(s.outlineWidth), s.outlineColor]; })()"
        )
        assert tag in ("A", "BUTTON", "INPUT")
        assert style == "solid"
        assert width >= 2
        assert contrast(color, ground) >= 3


def only_asked(sight: Sight, *hosts: str) -> None:
    """No request went to anybody else."""
    assert sight.hosts == {urlsplit(host).netloc for host in hosts}


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
