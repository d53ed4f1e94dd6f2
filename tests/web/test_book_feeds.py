"""What the feed and the calendar of a club are made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot.clubs.book import Book
from bot.curation.club import Choice, Pick, State
from bot.text import texts
from bot.web.album_view import NAME_MOST, TITLE_MOST
from bot.web.book_feeds import DATES_MOST, ENTRIES_MOST, Feed, album_name, basic, dates, feed, rfc3339, value
from tests.storage.clubs import BEGIN
from tests.web.books import WEEK, album_of, book_of, told

ENGLISH = texts("en-US")
SITE, PAGE = "https://bot.example", "https://bot.example/club/x"
SECOND = timedelta(seconds=1)


def feed_of(book: Book) -> Feed:
    albums = {album.id: album for album in (album_of(one.number) for one in book.rounds)}
    return feed(ENGLISH, book, albums, PAGE, f"{PAGE}/feed.atom", SITE)


def test_times_are_written_in_utc() -> None:
    at = datetime(2026, 7, 1, 1, 2, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (basic(at), rfc3339(at)) == ("20260630T230203Z", "2026-06-30T23:02:03Z")


# -- the feed


def test_a_feed_has_30_rounds_at_most_the_latest_first() -> None:
    entries = feed_of(book_of(*(told(number) for number in range(40, 0, -1)))).entries
    assert ENTRIES_MOST == 30
    assert [entry.page for entry in entries] == [f"{PAGE}#round-{number}" for number in range(40, 10, -1)]


def test_a_feed_was_updated_when_a_round_was_announced_or_ended_last_or_else_when_the_club_began() -> None:
    over, now = told(1), told(2, ended_at=None, announced_at=BEGIN + 3 * WEEK)
    assert feed_of(book_of(now, over)).updated == rfc3339(BEGIN + 3 * WEEK)
    assert feed_of(book_of(told(2, ended_at=None), told(1, ended_at=BEGIN + 9 * WEEK))).updated == rfc3339(
        BEGIN + 9 * WEEK
    )
    empty = book_of()
    assert feed_of(empty).updated == rfc3339(empty.club.coming.opened_at)


def test_an_entry_names_the_round_and_its_album_and_says_how_it_was_rated_and_found() -> None:
    [entry] = feed_of(book_of(told(1, 7, 8, 8, picker="a" * 100))).entries
    assert entry.title == "Round 1: Album 1 by Artist 1"
    assert (entry.published, entry.updated) == (rfc3339(BEGIN + WEEK), rfc3339(BEGIN + 2 * WEEK))
    assert (entry.album, entry.on_spotify) == (album_of(1).url, "Open in Spotify")
    assert entry.summary == (
        f"3.83 of 5 on average, from 3 ratings, with a spread of 0.2. Picked by {'a' * (NAME_MOST - 1)}…."
    )
    [one] = feed_of(book_of(told(1, 7, picker=None))).entries
    assert one.summary == "3.50 of 5 from 1 rating. Picked by a member."
    [none] = feed_of(book_of(told(1, choice=None, ended_at=None))).entries
    assert (none.summary, none.updated) == ("", none.published)


def test_identities_differ_between_rounds_clubs_and_bots() -> None:
    one = book_of(told(2), told(1))
    another, elsewhere = replace(one, id=2), feed(ENGLISH, one, {}, PAGE, PAGE, "https://other.example")
    feeds = [feed_of(one), feed_of(another), elsewhere]
    ids = {made.id for made in feeds} | {entry.id for made in feeds for entry in made.entries}
    assert len(ids) == 9
    assert feed_of(one) == feed_of(one)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "Album 1 by Artist 1"),
        ({"artists": ()}, "Album 1"),
        ({"title": "t" * 300, "artists": ("a" * 300,)}, f"{'t' * (TITLE_MOST - 1)}… by {'a' * (TITLE_MOST - 1)}…"),
    ],
)
def test_an_album_is_named_by_its_title_and_its_artists(change: dict[str, Any], name: str) -> None:
    assert album_name(ENGLISH, album_of(1, **change)) == name
    assert album_name(ENGLISH, None) == "an album on Spotify"


# -- the calendar


def test_a_calendar_has_the_next_10_club_hours_of_an_hour_each() -> None:
    club = book_of().club
    coming = dates(ENGLISH, book_of(), club.vote_at, SITE)
    assert len(coming) == DATES_MOST == 10
    at = club.club_hour_at
    for ahead, date in enumerate(coming):
        assert (date.at, date.lasts) == (basic(at), "PT1H")
        assert date.says == f"The Tuesday Club: the album of round {1 + ahead}"
        at = club.calendar.next_after(at)
    assert len({date.uid for date in coming}) == 10


@pytest.mark.parametrize(
    ("change", "has_vote"),
    [
        ({}, True),
        ({"pick": Pick.TURNS}, False),
        ({"pick": Pick.CRATE}, False),
        ({"state": State.VOTING}, False),
        ({"state": State.SKIPPED}, False),
    ],
)
def test_a_vote_that_is_to_open_is_in_the_calendar(change: dict[str, Any], has_vote: bool) -> None:
    book = book_of()
    club = replace(book.club, coming=replace(book.club.coming, **change))
    first, *more = dates(ENGLISH, replace(book, club=club), club.vote_at - SECOND, SITE)
    assert len(more) == DATES_MOST - 1 + has_vote
    if has_vote:
        assert (first.at, first.lasts) == (basic(club.vote_at), "PT15M")
        assert first.says == "The Tuesday Club: voting for round 1 opens"
        assert first.uid != more[0].uid


def test_texts_in_a_calendar_are_escaped_once() -> None:
    assert value(r"a\b;c,d") == r"a\\b\;c\,d"
    [date, *_] = dates(ENGLISH, replace(book_of(), name="a;" + "b" * 100), book_of().club.vote_at, SITE)
    assert date.says == rf"a\;{'b' * (NAME_MOST - 3)}…: the album of round 1"


@pytest.mark.parametrize("choice", [Choice.STANDBY, Choice.PICKER])
def test_nobody_who_was_absent_shows_in_a_feed(choice: Choice) -> None:
    [entry] = feed_of(book_of(told(1, choice=choice, picker="Ada"))).entries
    assert entry.summary == "Picked by Ada."
