"""The club book and the page of a crate as a browser shows them, checked with axe."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route

from tests.pages.sight import AA, TEXTS, Sight, contrast
from tests.web import books, crates
from tests.web.stage import Stage

pytestmark = [pytest.mark.pages, pytest.mark.asyncio(loop_scope="module")]

HOST = "i.scdn.co"


async def with_covers(page: Page, stage: Stage) -> None:
    """Let the stand-in's covers come from where Spotify's come from."""

    async def serve(route: Route) -> None:
        png = stage.spotify.catalogue.cover(route.request.url)
        await route.fulfill(status=200 if png else 404, content_type="image/png", body=png or b"")

    await page.route(f"https://{HOST}/**", serve)


async def show_book(sight: Sight, rounds: int = 9, **season: Any) -> None:
    """Open the book of a club with a season behind it, and look at all of it."""
    stage = sight.stage
    await with_covers(sight.page, stage)
    await stage.storage.preferences.set_named(books.ADA, "Ada")
    await stage.storage.preferences.set_named(books.BEN, "Ben Abernathy-Okonkwo")
    ids = sorted(stage.spotify.catalogue.albums)[:rounds]
    url = await books.open_book(stage.public_pages, await books.season(stage.storage, ids, **season))
    await sight.page.goto(url)
    await load_covers(sight.page)


async def load_covers(page: Page) -> None:
    """Scroll through the page, as covers further down are loaded late."""
    await page.evaluate(
        "Promise.all([...document.images].map(async image => { image.loading = 'eager'; await image.decode(); }))"
    )


async def is_accessible(page: Page) -> None:
    """axe finds nothing, with all its rules for WCAG 2.2 A and AA and its best practices."""
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def stays_in_place(sight: Sight) -> None:
    """Nothing is wider than the page, no cover is changed, all text is legible, and nobody else was asked."""
    page = sight.page
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for cover in await page.locator("img.cover").all():
        shown = await cover.evaluate(
            "i => { const s = getComputedStyle(i), b = i.getBoundingClientRect();"
            " return [i.naturalWidth, b.width - b.height, s.borderRadius, s.filter, s.opacity, s.objectFit, s.clipPath]; }"
        )
        assert shown[0] == 300
        assert abs(shown[1]) < 1
        assert shown[2:] == ["0px", "none", "1", "fill", "none"]
    for text, color, ground in await page.evaluate(TEXTS):
        assert contrast(color, ground) >= AA, f"{text}: {color} on {ground}"
    assert sight.complaints == []
    own = sight.stage.settings.public_url.partition("//")[2]
    assert sight.hosts <= {own, HOST}


async def test_a_book_is_legible_accessible_and_shows_covers_untouched(sight: Sight) -> None:
    await show_book(sight)
    assert await sight.page.locator("img.cover").count() == 9
    assert await sight.page.title() == "The Tuesday Club · Gatefold"
    await stays_in_place(sight)
    await is_accessible(sight.page)


async def test_the_chart_and_its_table_fit_their_page(sight: Sight) -> None:
    await show_book(sight, 12)
    await sight.page.locator("details").evaluate("d => { d.open = true }")
    chart = sight.page.get_by_role("img", name="Ratings of each round")
    assert await chart.count() == 1
    assert await sight.page.locator(".c-dot").count() == await sight.page.locator("details tbody tr").count() == 11
    tops = await sight.page.locator("details tbody th").evaluate_all(
        "all => all.map(one => one.getClientRects().length)"
    )
    assert set(tops) == {1}
    await stays_in_place(sight)
    await is_accessible(sight.page)


async def test_figures_of_all_rounds_stand_below_each_other(sight: Sight) -> None:
    await show_book(sight)
    lefts = await sight.page.evaluate(
        "[...document.querySelectorAll('.round .figures')].map(f => [...f.children].map(c =>"
        " Math.round(c.getBoundingClientRect().left)))"
    )
    assert len(lefts) == 8
    longest = max(lefts, key=len)
    assert all(row == longest[: len(row)] for row in lefts)


async def test_names_of_any_length_and_script_stay_on_the_page(sight: Sight) -> None:
    long = "W" * 300 + " مرحبا" * 30 + "Z" + "\u0335\u0321\u0348" * 40
    await show_book(sight, 3, name=long, reviews=[long, "鳥" * 300], note=long)
    await stays_in_place(sight)
    await is_accessible(sight.page)


async def test_a_book_without_names_yet_is_whole(sight: Sight) -> None:
    sight.stage.spotify.fault(path="/v1/albums/*", times=None, status=503)
    await show_book(sight, 4)
    assert await sight.page.get_by_text("an album on Spotify").count() >= 4
    await stays_in_place(sight)
    await is_accessible(sight.page)


async def test_a_book_prints_on_white_without_what_is_only_for_screens(sight: Sight) -> None:
    await show_book(sight, 3)
    await sight.page.emulate_media(media="print")
    assert (
        await sight.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert not await sight.page.locator("header").is_visible()
    assert await sight.page.evaluate("getComputedStyle(document.querySelector('.round')).breakInside") == "avoid"


async def test_a_crate_is_legible_accessible_and_shows_covers_untouched(sight: Sight) -> None:
    stage = sight.stage
    await with_covers(sight.page, stage)
    ids = sorted(stage.spotify.catalogue.albums)[:24]
    long = "W" * 200 + "Z" + "\u0335\u0321\u0348" * 40
    await stage.storage.preferences.set_named(books.ADA, long)
    crate = await crates.filled(stage.storage, ids, notes=("", "For autumn.", long))
    await sight.page.goto(await crates.open_crate(stage.public_pages, crate))
    await load_covers(sight.page)
    assert await sight.page.locator("img.cover").count() == 24
    await stays_in_place(sight)
    await is_accessible(sight.page)
