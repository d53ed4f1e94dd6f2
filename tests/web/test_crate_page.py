"""The public page of a crate: what it shows, whom it names, and what it costs."""

from __future__ import annotations

import json
import re

import feedparser
import pytest

from bot.caller import GuildId
from bot.web.outside_text import legible
from tests.storage.rows import rows
from tests.web.books import ADA, GUILD
from tests.web.crates import BEGIN, filled, open_crate
from tests.web.stage import Browser, Stage
from tests.web.test_book import MARKUP, TURNED, ZALGO, Reader, albums, calls, made


async def test_a_crate_shows_its_albums_the_newest_first_with_covers_links_and_notes(
    stage: Stage, browser: Browser
) -> None:
    ids = albums(stage, 8)
    answer = await browser.get(await open_crate(stage.public_pages, await filled(stage.storage, ids)))
    assert answer.status == 200
    assert answer.title == "Night drives"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    page = Reader(answer.text)
    shown = re.findall(r'<h2><a href="https://open\.spotify\.com/album/(\w+)"', answer.text)
    assert shown == [*reversed(ids)]
    assert sum(attrs.get("class") == "cover" for _, attrs in page.tags) == 8
    assert "Heard it on the radio at night and had to pull over." in page.text
    assert "on Spotify" in page.text


async def test_a_crate_of_1000_albums_has_20_pages_each_of_which_asks_for_its_own_50_names(
    stage: Stage, browser: Browser
) -> None:
    extra = [made(place) for place in range(1000)]
    stage.spotify.catalogue.add(extra)
    url = await open_crate(stage.public_pages, await filled(stage.storage, [album.id for album in extra]))
    first = await browser.get(url)
    assert calls(stage) == 50
    assert "Page 1 of 20" in first.text
    seen = set(re.findall(r"<bdi>(Album \d+)</bdi>", first.text))
    assert len(seen) == 50
    last = await browser.get(f"{url}?page=20")
    assert calls(stage) == 100
    assert not seen & set(re.findall(r"<bdi>(Album \d+)</bdi>", last.text))
    await browser.get(url)
    assert calls(stage) == 100
    assert (await browser.get(f"{url}?page=21")).status == 404


async def test_only_members_who_agreed_are_named(stage: Stage, browser: Browser) -> None:
    url = await open_crate(stage.public_pages, await filled(stage.storage, albums(stage, 6)))
    places = [url, f"{url}/feed.atom", f"{url}/albums.csv", f"{url}/albums.json"]
    for place in places:
        text = (await browser.get(place)).text
        assert "a member" in text
        assert not re.search(r"30000000000000000\d", text)
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    for place in places:
        text = (await browser.get(place)).text
        assert text.count("Ada of the hills") == 2
        assert not re.search(r"30000000000000000\d", text)
    await stage.storage.forget(ADA)
    for place in places:
        assert "Ada of the hills" not in (await browser.get(place)).text


async def test_the_old_address_of_a_crate_is_gone_at_once(stage: Stage, browser: Browser) -> None:
    crate = await filled(stage.storage, albums(stage, 1))
    first = await open_crate(stage.public_pages, crate)
    second = await stage.public_pages.open_crate(crate, renew=True)
    assert second is not None
    assert (await browser.get(first)).status == 404
    assert (await browser.get(second)).status == 200
    assert await stage.public_pages.close_crate(crate)
    for place in ("", "/feed.atom", "/albums.csv", "/albums.json"):
        assert (await browser.get(second + place)).status == 404


async def test_a_crates_page_goes_with_its_server(stage: Stage, browser: Browser) -> None:
    url = await open_crate(stage.public_pages, await filled(stage.storage, albums(stage, 1)))
    await stage.storage.guilds.removed(GuildId(GUILD), BEGIN)
    await stage.storage.sweep(stage.clock())
    assert (await browser.get(url)).status == 404
    assert await rows(stage.storage, "public_pages") == []


async def test_files_of_a_crate_ask_spotify_for_nothing(stage: Stage, browser: Browser) -> None:
    ids = albums(stage, 4)
    url = await open_crate(stage.public_pages, await filled(stage.storage, ids))
    read = json.loads((await browser.get(f"{url}/albums.json")).text)
    assert calls(stage) == 0
    assert [one["url"].rpartition("/")[2] for one in read["albums"]] == [*reversed(ids)]
    await browser.get(url)
    csv = await browser.get(f"{url}/albums.csv")
    assert stage.spotify.catalogue.albums[ids[0]].title.split(",")[0] in csv.text
    assert csv.headers["Content-Disposition"] == 'attachment; filename="crate.csv"'
    assert calls(stage) == 4


@pytest.mark.parametrize("evil", [MARKUP, ZALGO, TURNED, "]]>\x00\x0b\ufffe", "=HYPERLINK(1)"])
async def test_names_and_notes_in_a_crate_are_text_whatever_is_in_them(
    stage: Stage, browser: Browser, evil: str
) -> None:
    album = made(1, f"T{evil}", f"A{evil}")
    stage.spotify.catalogue.add([album])
    await stage.storage.preferences.set_named(ADA, f"N{evil}")
    crate = await filled(stage.storage, [album.id], name=f"C{evil}"[:40], notes=(f"O{evil}",))
    url = await open_crate(stage.public_pages, crate)
    answer = await browser.get(url)
    page = Reader(answer.text)
    assert not {tag for tag, _ in page.tags} & {"script", "style", "iframe", "object", "base", "form"}
    assert not set(answer.text) & {"\u202e", "\u2066", "\x00", "\x0b", "\ufffe"}
    for start in "TANO":
        assert legible(f"{start}{evil}") in page.text
    feed = feedparser.parse((await browser.get(f"{url}/feed.atom")).text.encode())
    assert not feed.bozo
    assert len(feed.entries) == 1


async def test_a_crate_without_albums_has_a_page(stage: Stage, browser: Browser) -> None:
    url = await open_crate(stage.public_pages, await filled(stage.storage, []))
    assert "There is no album yet." in (await browser.get(url)).text
    feed = feedparser.parse((await browser.get(f"{url}/feed.atom")).text.encode())
    assert not feed.bozo
    assert feed.entries == []
