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
    answer = await browser.get(f"{url}/albums.json")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="crate.json"'
    read = json.loads(answer.text)
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


# -- its feed and its files, value by value


async def test_the_feed_of_a_crate_has_its_latest_30_albums_with_who_added_them_and_why(
    stage: Stage, browser: Browser
) -> None:
    extra = [made(place) for place in range(34)]
    stage.spotify.catalogue.add(extra)
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    url = await open_crate(stage.public_pages, await filled(stage.storage, [album.id for album in extra]))
    feed = feedparser.parse((await browser.get(f"{url}/feed.atom")).text.encode())
    assert calls(stage) == 30
    assert [entry.title for entry in feed.entries] == [f"Album {place} by Somebody" for place in range(33, 3, -1)]
    assert feed.feed.title == "Night drives"
    assert {link.rel: link.href for link in feed.feed.links} == {"self": f"{url}/feed.atom", "alternate": url}
    first = feed.entries[0]
    assert feed.feed.updated == first.updated == first.published == "2026-04-03T12:00:00Z"
    assert {link.rel: link.href for link in first.links} == {
        "alternate": url,
        "related": f"https://open.spotify.com/album/{extra[33].id}",
    }
    assert [entry.summary for entry in feed.entries[:4]] == [
        "Added by Ada of the hills: Heard it on the radio at night and had to pull over.",
        "Added by a member.",
        "Added by a member: For autumn.",
        "Added by Ada of the hills.",
    ]
    assert len({entry.id for entry in feed.entries} | {feed.feed.id}) == 31


async def test_the_feed_of_an_empty_crate_is_as_old_as_the_crate(stage: Stage, browser: Browser) -> None:
    url = await open_crate(stage.public_pages, await filled(stage.storage, []))
    assert (
        feedparser.parse((await browser.get(f"{url}/feed.atom")).text.encode()).feed.updated == "2026-03-01T12:00:00Z"
    )


async def test_a_renewed_address_of_a_crate_shows_feed_readers_nothing_twice(stage: Stage, browser: Browser) -> None:
    crate = await filled(stage.storage, albums(stage, 2))
    before = feedparser.parse((await browser.get(f"{await open_crate(stage.public_pages, crate)}/feed.atom")).text)
    url = await stage.public_pages.open_crate(crate, renew=True)
    after = feedparser.parse((await browser.get(f"{url}/feed.atom")).text)
    assert [before.feed.id, *(one.id for one in before.entries)] == [after.feed.id, *(one.id for one in after.entries)]


async def test_a_crate_says_who_added_an_album_and_on_which_day(stage: Stage, browser: Browser) -> None:
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    url = await open_crate(stage.public_pages, await filled(stage.storage, albums(stage, 2)))
    text = (await browser.get(url)).text
    assert re.findall(r'<p class="when">(.*)</p>', text) == [
        "March 2, 2026, a member",
        "March 1, 2026, <bdi>Ada of the hills</bdi>",
    ]
    assert '<p class="lede">2 albums</p>' in text


async def test_a_file_of_a_crate_has_of_each_album_what_is_known_at_the_length_that_it_may_have(
    stage: Stage, browser: Browser
) -> None:
    known = made(1, "T" * 300, "A" * 300)
    stage.spotify.catalogue.add([known])
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    crate = await filled(stage.storage, [known.id, made(2).id], notes=("A note.", ""))
    url = await open_crate(stage.public_pages, crate)
    unknown, same = json.loads((await browser.get(f"{url}/albums.json")).text)["albums"]
    assert (unknown["title"], unknown["artists"], unknown["year"]) == ("", [], "")
    assert (same["title"], same["artists"], same["year"]) == ("", [], "")
    await browser.get(url)
    read = json.loads((await browser.get(f"{url}/albums.json")).text)
    assert read["crate"] == "Night drives"
    unknown, one = read["albums"]
    assert (unknown["title"], unknown["added_by"], unknown["note"]) == ("", "a member", "")
    assert (one["title"], one["artists"], one["year"]) == ("T" * 199 + "…", ["A" * 79 + "…"], "1999")
    assert (one["added_by"], one["added_at"], one["note"]) == ("Ada of the hills", "2026-03-01T12:00:00Z", "A note.")
