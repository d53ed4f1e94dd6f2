"""The feed, the calendar and the files of a club book, read by maintained parsers."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import feedparser
import icalendar
import pytest
from msgspec.structs import replace

from bot.albums import AlbumId, AlbumRef
from bot.curation.ratings import Scale, Score, summarise
from bot.files.club_sheet import read_club_sheet
from bot.web.book_feeds import DATES_MOST, folded
from bot.web.chart import HEIGHT, WIDTH, chart
from tests.storage.clubs import BEGIN
from tests.web.books import ADA, BEN, curator, open_book, season
from tests.web.crates import filled, open_crate
from tests.web.stage import Answer, Browser, Stage
from tests.web.test_book import MARKUP, TURNED, ZALGO, albums, calls, made

EVIL = (MARKUP, ZALGO, TURNED, "]]>\x00\x0b\ufffe", "BEGIN:VEVENT\r\nX:\\;,", "鳥" * 120)


async def feed_of(browser: Browser, url: str) -> tuple[Answer, feedparser.FeedParserDict]:
    answer = await browser.get(f"{url}/feed.atom")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert "Content-Disposition" not in answer.headers
    feed = feedparser.parse(answer.text.encode())
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    return answer, feed


async def calendar_of(browser: Browser, url: str) -> tuple[Answer, icalendar.Calendar]:
    answer = await browser.get(f"{url}/dates.ics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "Content-Disposition" not in answer.headers
    calendar = icalendar.Calendar.from_ical(answer.text)
    assert isinstance(calendar, icalendar.Calendar)
    assert calendar.errors == []
    assert "\n\n" not in answer.text.replace("\r", "")
    return answer, calendar


# -- the feed


async def test_the_feed_has_the_latest_rounds_with_links_to_the_book_and_to_spotify(
    stage: Stage, browser: Browser
) -> None:
    ids = albums(stage, 5)
    url = await open_book(stage.public_pages, await season(stage.storage, ids))
    _, feed = await feed_of(browser, url)
    assert feed.feed.title == "The Tuesday Club"
    assert {link.rel: link.href for link in feed.feed.links} == {"self": f"{url}/feed.atom", "alternate": url}
    assert len(feed.entries) == 5
    newest, oldest = feed.entries[0], feed.entries[-1]
    assert oldest.title.startswith("Round 1: ")
    assert stage.spotify.catalogue.albums[ids[0]].title in oldest.title
    assert {link.rel: link.href for link in oldest.links} == {
        "alternate": f"{url}#round-1",
        "related": f"https://open.spotify.com/album/{ids[0]}",
    }
    assert "of 5 on average" in oldest.summary
    assert "on average" not in newest.summary, "ratings of the current album are hidden"
    assert oldest.published_parsed < oldest.updated_parsed
    assert len({entry.id for entry in feed.entries}) == 5


async def test_a_renewed_address_shows_feed_readers_nothing_twice(stage: Stage, browser: Browser) -> None:
    club = await season(stage.storage, albums(stage, 3))
    _, before = await feed_of(browser, await open_book(stage.public_pages, club))
    _, dates = await calendar_of(browser, await open_book(stage.public_pages, club))
    url = await stage.public_pages.open_book(club.id, curator("book renew"), renew=True)
    assert url is not None
    _, after = await feed_of(browser, url)
    _, dates_after = await calendar_of(browser, url)
    assert [entry.id for entry in before.entries] == [entry.id for entry in after.entries]
    assert [event["UID"] for event in dates.events] == [event["UID"] for event in dates_after.events]


async def test_a_feed_asks_for_the_names_of_its_own_30_rounds(stage: Stage, browser: Browser) -> None:
    extra = [made(place) for place in range(40)]
    stage.spotify.catalogue.add(extra)
    club = await season(stage.storage, [album.id for album in extra])
    _, feed = await feed_of(browser, await open_book(stage.public_pages, club))
    assert (len(feed.entries), calls(stage)) == (30, 30)


async def test_a_feed_without_rounds_is_a_feed(stage: Stage, browser: Browser) -> None:
    _, feed = await feed_of(browser, await open_book(stage.public_pages, await season(stage.storage, [])))
    assert feed.entries == []


# -- the calendar


async def test_the_calendar_has_the_next_club_hours_and_the_vote(stage: Stage, browser: Browser) -> None:
    club = (await season(stage.storage, albums(stage, 3))).club
    stage.clock.ahead = BEGIN - datetime.now(UTC)
    url = await stage.public_pages.open_book(club.id, curator())
    assert url is not None
    _, calendar = await calendar_of(browser, url)
    assert calendar["X-WR-CALNAME"] == "The Tuesday Club"
    vote, first, second, *more = calendar.events
    assert len(more) == DATES_MOST - 2
    assert vote["SUMMARY"] == "The Tuesday Club: voting for round 4 opens"
    assert vote.start == club.vote_at
    assert first["SUMMARY"] == "The Tuesday Club: the album of round 4"
    assert first.start == club.club_hour_at
    assert second["SUMMARY"] == "The Tuesday Club: the album of round 5"
    assert second.start == club.calendar.next_after(club.club_hour_at)
    assert {event["URL"] for event in calendar.events} == {url}
    assert len({event["UID"] for event in calendar.events}) == len(calendar.events)


async def test_the_calendar_keeps_the_clubs_wall_clock_time_when_clocks_change(stage: Stage, browser: Browser) -> None:
    club = await season(stage.storage, albums(stage, 2))
    moved = replace(club.club, club_hour_at=club.club.calendar.next_after(datetime(2026, 3, 20, tzinfo=UTC)))
    await stage.storage.database.write(lambda c: stage.storage.clubs.put_in(c, moved))
    _, calendar = await calendar_of(browser, await open_book(stage.public_pages, club))
    starts = [event.start for event in calendar.events if "album" in event["SUMMARY"]]
    assert [start.hour for start in starts[:2]] == [19, 18], "20:00 in Berlin, in winter and in summer"


async def test_a_paused_club_has_no_dates(stage: Stage, browser: Browser) -> None:
    club = await season(stage.storage, albums(stage, 2))
    paused = replace(club.club, paused_at=BEGIN)
    await stage.storage.database.write(lambda c: stage.storage.clubs.put_in(c, paused))
    _, calendar = await calendar_of(browser, await open_book(stage.public_pages, club))
    assert calendar.events == []


@pytest.mark.parametrize("name", ["a" * 200, "鳥" * 60, "é" * 74, "x" * 73 + "👩‍👩‍👧" * 10])
def test_no_line_of_a_calendar_is_longer_than_75_octets_and_all_of_it_comes_back(name: str) -> None:
    lines = folded(f"BEGIN:VCALENDAR\nNAME:{name}\nEND:VCALENDAR\n")
    assert max(len(line) for line in lines.split(b"\r\n")) <= 75
    assert lines.endswith(b"END:VCALENDAR\r\n")
    assert icalendar.Calendar.from_ical(lines)["NAME"] == name  # type: ignore[index]


def test_a_line_is_folded_after_75_octets_and_not_before() -> None:
    assert folded("x" * 75) == b"x" * 75 + b"\r\n"
    assert folded("x" * 76) == b"x" * 75 + b"\r\n x\r\n"
    assert folded("x" * 149) == b"x" * 75 + b"\r\n " + b"x" * 74 + b"\r\n"


# -- the files


async def test_the_files_have_all_rounds_and_are_read_by_our_own_import(stage: Stage, browser: Browser) -> None:
    ids = albums(stage, 4)
    url = await open_book(stage.public_pages, await season(stage.storage, ids, listening=False))
    csv = await browser.get(f"{url}/rounds.csv")
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert csv.headers["Content-Disposition"] == 'attachment; filename="club-rounds.csv"'
    assert len(csv.text.splitlines()) == 5
    sheet = read_club_sheet(csv.text.encode())
    assert [one.reference for one in sheet.rounds] == [AlbumRef(AlbumId(id_)) for id_ in ids]
    assert [one.number for one in sheet.rounds] == [1, 2, 3, 4]
    assert sheet.out_of == 5
    answer = await browser.get(f"{url}/rounds.json")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="club-rounds.json"'
    read = json.loads(answer.text)
    assert read["club"] == "The Tuesday Club"
    assert [one["round"] for one in read["rounds"]] == [1, 2, 3, 4]
    assert read["rounds"][0]["title"] == stage.spotify.catalogue.albums[ids[0]].title
    assert read["rounds"][0]["scores"] == sorted(read["rounds"][0]["scores"], key=float, reverse=True)
    assert read["rounds"][0]["picked_by"] in ("", "a member")


async def test_a_long_book_has_all_its_rounds_in_its_files_with_the_names_that_are_known(
    stage: Stage, browser: Browser
) -> None:
    extra = [made(place) for place in range(120)]
    stage.spotify.catalogue.add(extra)
    url = await open_book(stage.public_pages, await season(stage.storage, [album.id for album in extra]))

    async def titles() -> list[str]:
        return [one["title"] for one in json.loads((await browser.get(f"{url}/rounds.json")).text)["rounds"]]

    latest = [album.title for album in extra]
    latest[:20] = [""] * 20
    assert await titles() == latest
    assert calls(stage) == 100, "as on the first page"
    await browser.get(f"{url}?page=2")
    assert await titles() == [album.title for album in extra]
    assert calls(stage) == 120


async def test_a_file_says_when_it_was_made_to_the_second(stage: Stage, browser: Browser) -> None:
    book = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 1)))
    crate = await open_crate(stage.public_pages, await filled(stage.storage, albums(stage, 1)))
    for url in (f"{book}/rounds.json", f"{crate}/albums.json"):
        made_at = datetime.fromisoformat(json.loads((await browser.get(url)).text)["exported_at"])
        assert timedelta(0) <= stage.clock() - made_at < timedelta(seconds=30)
        assert made_at.microsecond == 0


# -- what is in all of them


@pytest.mark.parametrize("evil", EVIL)
async def test_whatever_is_in_names_notes_and_reviews_the_files_can_be_read(
    stage: Stage, browser: Browser, evil: str
) -> None:
    album = made(1, f"T{evil}", f"A{evil}")
    stage.spotify.catalogue.add([album])
    await stage.storage.preferences.set_named(ADA, f"N{evil}")
    club = await season(
        stage.storage, [album.id] * 3, name=f"C{evil}", reviews=(f"R{evil}",), note=f"O{evil}", listening=False
    )
    url = await open_book(stage.public_pages, club)
    answer, feed = await feed_of(browser, url)
    assert len(feed.entries) == 3
    assert "<script" not in answer.text
    _, calendar = await calendar_of(browser, url)
    assert len(calendar.events) in (DATES_MOST, DATES_MOST + 1)
    assert len(json.loads((await browser.get(f"{url}/rounds.json")).text)["rounds"]) == 3
    assert (await browser.get(f"{url}/rounds.csv")).status == 200


@pytest.mark.parametrize("what", ["feed.atom", "dates.ics", "rounds.csv", "rounds.json"])
async def test_no_file_names_a_member_who_did_not_agree_or_has_an_id_of_one(
    stage: Stage, browser: Browser, what: str
) -> None:
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    await stage.storage.preferences.set_named(BEN, "Ben of the harbour")
    club = await season(stage.storage, albums(stage, 8))
    url = await open_book(stage.public_pages, club)
    before = (await browser.get(f"{url}/{what}")).text
    assert ("Ada of the hills" in before) is (what != "dates.ics")
    for member in (ADA, BEN):
        await stage.storage.preferences.set_named(member, None)
    after = (await browser.get(f"{url}/{what}")).text
    assert "of the hills" not in after
    assert "of the harbour" not in after
    for member in range(300_000_000_000_000_001, 300_000_000_000_000_005):
        assert str(member) not in before + after


@pytest.mark.parametrize("what", ["feed.atom", "dates.ics", "rounds.csv", "rounds.json"])
async def test_the_files_end_with_the_address_and_no_search_engine_keeps_them(
    stage: Stage, browser: Browser, what: str
) -> None:
    club = await season(stage.storage, albums(stage, 1))
    url = await open_book(stage.public_pages, club)
    answer = await browser.get(f"{url}/{what}")
    assert answer.status == 200
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    await stage.public_pages.close_book(club.id, curator("book off"))
    assert (await browser.get(f"{url}/{what}")).status == 404


# -- the chart


async def test_the_chart_has_a_title_a_description_and_the_same_figures_in_a_table(
    stage: Stage, browser: Browser
) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 6)))
    text = (await browser.get(url)).text
    assert text.count('class="c-dot"') == 5
    assert 'role="img" aria-labelledby="chart-title chart-says"' in text
    assert "Mean ratings of 5 rounds, on a scale to 5." in text
    table = text.partition("The same figures as a table")[2].partition("</table>")[0]
    assert table.count('<th scope="row">') == 5


def score(steps: int) -> Score:
    return Score(Scale.HALVES, steps)


def test_a_better_mean_stands_higher_and_everything_stays_inside() -> None:
    given = [[2, 2], [10, 10], [2, 10], [6]]
    rounds = []
    for number, steps in enumerate(given):
        summary = summarise([score(one) for one in steps], Scale.HALVES)
        assert summary is not None
        rounds.append((str(number), summary))
    made_chart = chart(rounds, Scale.HALVES)
    low, high, split, middle = made_chart.dots
    assert high.y < split.y == middle.y < low.y
    assert low.y == made_chart.lines[0].y
    assert high.y == made_chart.lines[-1].y
    assert (low.top, low.bottom) == (low.y, low.y)
    assert split.top == high.y
    assert split.bottom == low.y
    for dot in made_chart.dots:
        assert 0 < dot.x < WIDTH
        assert 0 < dot.top <= dot.y <= dot.bottom < HEIGHT


@pytest.mark.parametrize(
    ("scale", "labels"),
    [(Scale.HALVES, ["1", "2", "3", "4", "5"]), (Scale.TEN, ["2", "4", "6", "8", "10"])],
    ids=["five", "ten"],
)
def test_a_chart_has_lines_at_whole_points_and_its_rounds_share_its_width(scale: Scale, labels: list[str]) -> None:
    summary = summarise([Score(scale, scale.steps[-1])], scale)
    assert summary is not None
    made_chart = chart([(str(number), summary) for number in range(4)], scale)
    assert [line.label for line in made_chart.lines] == labels
    heights = [line.y for line in made_chart.lines]
    assert len({round(upper - lower) for upper, lower in itertools.pairwise(heights)}) == 1
    assert heights[-1] == made_chart.dots[0].y < HEIGHT / 12
    places = [dot.x for dot in made_chart.dots]
    step = (made_chart.right - made_chart.left) / 4
    assert places == pytest.approx([made_chart.left + step * (place + 0.5) for place in range(4)], abs=0.1)
    assert made_chart.path == " ".join(f"{dot.x:g},{dot.y:g}" for dot in made_chart.dots)


def test_a_chart_of_many_rounds_names_only_as_many_as_have_room() -> None:
    summary = summarise([score(8)], Scale.HALVES)
    assert summary is not None
    dots = chart([(str(number), summary) for number in range(1, 101)], Scale.HALVES).dots
    assert len(dots) == 100
    named = [dot.label for dot in dots if dot.label]
    assert named[:3] == ["1", "6", "11"]
    assert len(named) <= 24
