"""What the tests of pages see with: Chromium, and what holds for every page that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Page

from tests.web.stage import Stage

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
