"""The standings of a club and the chart of its season, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from bot.albums import Album, AlbumId
from bot.clubs.book import OTHERS, Book
from bot.text import texts
from bot.web.album_view import NAME_MOST
from bot.web.html_text import HtmlText
from bot.web.standings_view import BEST_MOST, Table, season, tables
from tests.web.books import ADA, BEN, CHLOE, album_of, book_of, told

ENGLISH = HtmlText(texts("en-US"))


def known(book: Book, **change: Any) -> Mapping[AlbumId, Album]:
    """All albums of a book."""
    return {album.id: album for album in (album_of(one.number, **change) for one in book.rounds)}


def standings(book: Book, albums: Mapping[AlbumId, Album] | None = None) -> dict[str, Table]:
    """The tables by their captions."""
    return {str(table.caption): table for table in tables(ENGLISH, book, known(book) if albums is None else albums)}


def lines(table: Table) -> list[tuple[str | None, str, str]]:
    return [(row.name, row.value, row.ratings) for row in table.rows]


# -- the tables


def test_a_book_without_ratings_has_no_standings() -> None:
    assert standings(book_of(told(1))) == {}


def test_albums_are_listed_from_the_best_with_their_means_their_ratings_and_a_link() -> None:
    best = standings(book_of(told(2, 4, 6, 7), told(1, 9)))["Best rated"]
    assert (best.what, best.value, best.count) == ("Album", "Mean", "Ratings")
    assert lines(best) == [("Album 1", "4.50", "1"), ("Album 2", "2.83", "3")]
    assert (best.rows[0].beside, best.rows[0].url) == ("Artist 1", album_of(1).url)


def test_albums_that_divide_the_club_are_listed_from_the_widest_spread() -> None:
    divisive = standings(book_of(told(3, 2, 2, 10), told(2, 2, 10), told(1, 4, 6, 8, 10)))["Most divisive"]
    assert (divisive.what, divisive.value, divisive.count) == ("Album", "Spread", "Ratings")
    assert lines(divisive) == [("Album 3", "1.9", "3"), ("Album 1", "1.1", "4")]


def test_no_more_than_ten_albums_are_listed() -> None:
    found = standings(book_of(*(told(number, 2, 2, 10) for number in range(1, 13))))
    assert BEST_MOST == 10
    assert [len(found[caption].rows) for caption in ("Best rated", "Most divisive")] == [10, 10]


def test_pickers_are_listed_by_their_names_and_all_others_together() -> None:
    names = {ADA: "Ada", BEN: "b" * 100, OTHERS: "a name that nobody has"}
    book = book_of(
        *(told(5, 10), told(4, 8, 8), told(3, 6), told(2, 4), told(1, 2)),
        pickers=(ADA, ADA, BEN, OTHERS, CHLOE),
        names=names,
    )
    pickers = standings(book)["By picker"]
    assert (pickers.what, pickers.value, pickers.count) == ("Picker", "Mean", "Albums")
    assert lines(pickers) == [
        ("Ada", "4.50", "2"),
        ("b" * (NAME_MOST - 1) + "…", "3.00", "1"),
        ("Members who are not named", "2.00", "1"),
        ("Members who are not named", "1.00", "1"),
    ]
    assert {row.beside + row.url for row in pickers.rows} == {""}


@pytest.mark.parametrize("year", ["", "about 1970", "\u0661\u0669\u0667\u0660", "197\u00b2"])
def test_a_decade_is_made_of_albums_whose_year_is_a_number(year: str) -> None:
    book = book_of(told(3, 8), told(2, 6), told(1, 2))
    albums = {**known(book), album_of(1).id: album_of(1, year=year), album_of(2).id: album_of(2, year="1990")}
    decades = standings(book, albums)["By decade"]
    assert (decades.what, decades.value, decades.count) == ("Decade", "Mean", "Albums")
    assert lines(decades) == [("1990s", "3.50", "2")]


def test_an_album_whose_name_is_not_known_has_a_place_and_a_link_but_no_decade() -> None:
    book = book_of(told(1, 8))
    found = standings(book, {})
    assert lines(found["Best rated"]) == [(None, "4.00", "1")]
    assert found["Best rated"].rows[0].url == album_of(1).url
    assert "By decade" not in found


# -- the season


@pytest.mark.parametrize("scores", [[], [(8,)], [(8,), ()]])
def test_a_season_needs_two_rated_rounds(scores: list[tuple[int, ...]]) -> None:
    book = book_of(*(told(number, *steps) for number, steps in enumerate(scores, 1)))
    assert season(ENGLISH, book, known(book)) is None


def test_a_season_goes_from_the_first_round_to_the_last_and_leaves_out_those_that_nobody_rated() -> None:
    book = book_of(told(1200, 10), told(3), told(2, 2, 9), told(1, 9, 7), told(0, 7), told(-1, 6, on=date(2019, 5, 6)))
    drawn = season(ENGLISH, book, known(book))
    assert drawn is not None
    assert [(row.round, row.mean, row.spread, row.ratings) for row in drawn.rows] == [
        ("May 6, 2019", "3.00", "0.0", "1"),
        ("January 8, 2026", "3.50", "0.0", "1"),
        ("1", "4.00", "0.5", "2"),
        ("2", "2.75", "1.8", "2"),
        ("1,200", "5.00", "0.0", "1"),
    ]
    assert [row.album.title for row in drawn.rows] == ["Album -1", "Album 0", "Album 1", "Album 2", "Album 1200"]
    assert [dot.label for dot in drawn.chart.dots] == ["2019-05", "2026-01", "1", "2", "1200"]
    assert drawn.says == (
        "Mean ratings of 5 rounds, on a scale to 5. Highest: 5.00 (Round 1,200). Lowest: 2.75 (Round 2). "
        "The lines show the spread."
    )
