"""The rounds of a club as rows of a file."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from bot.albums import Album, AlbumId
from bot.clubs.book import BookRound, Review
from bot.curation.club import Choice
from bot.curation.ratings import Scale, Score, Summary
from bot.files.exports import ClubRound
from bot.text import texts
from bot.web.album_view import NAME_MOST, TEXT_MOST, TITLE_MOST
from bot.web.book_rows import book_row
from tests.web.books import album_of, book_of, told


def row(one: BookRound, album: Album | None = None) -> ClubRound:
    albums: dict[AlbumId, Album] = {} if album is None else {album.id: album}
    return book_row(texts("en-US"), book_of(one), one, albums)


def test_a_row_has_the_album_as_far_as_it_is_known() -> None:
    one = told(1)
    known, unknown = row(one, album_of(1)), row(one)
    assert (known.number, known.on, known.id) == (unknown.number, unknown.on, unknown.id) == (1, one.on, one.album_id)
    assert (known.title, known.artists, known.year) == ("Album 1", ("Artist 1",), "1999")
    assert (unknown.title, unknown.artists, unknown.year) == ("", (), "")
    long = row(one, album_of(1, title="t" * 300, artists=("a" * 300, "b")))
    assert (long.title, long.artists) == ("t" * (TITLE_MOST - 1) + "…", ("a" * (NAME_MOST - 1) + "…", "b"))


@pytest.mark.parametrize(
    ("change", "picked_by"),
    [
        ({"is_members": False, "picker": None}, ""),
        ({"is_members": True, "picker": None}, "a member"),
        ({"is_members": True, "picker": "Ada"}, "Ada"),
        ({"is_members": True, "picker": "n" * 100}, "n" * (NAME_MOST - 1) + "…"),
    ],
)
def test_a_picker_is_in_the_file_as_on_the_page(change: dict[str, Any], picked_by: str) -> None:
    assert row(told(1, **change)).picked_by == picked_by


@pytest.mark.parametrize(("choice", "votes"), [(Choice.VOTE, 7), (Choice.PICKER, None), (None, None)])
def test_only_a_vote_has_a_number_of_votes(choice: Choice | None, votes: int | None) -> None:
    assert row(told(1, choice=choice, voters=7)).votes == votes


def test_scores_are_in_order_of_size_whatever_their_scale_and_reviews_in_that_of_the_alphabet() -> None:
    scores = (Score(Scale.HALVES, 4), Score(Scale.TEN, 9), Score(Scale.HALVES, 10), Score(Scale.HALVES, 3))
    reviews = (Review(scores[0], "b", "Ada"), Review(scores[1], "a" * 3000, None))
    one = row(told(1, scores=scores, reviews=reviews, theme="h" * 300))
    assert one.scores == ("5", "9", "2", "1.5")
    assert one.reviews == ("a" * (TEXT_MOST - 1) + "…", "b")
    assert one.theme == "h" * (TITLE_MOST - 1) + "…"


def test_a_mean_has_two_decimals_and_an_album_that_nobody_rated_has_none() -> None:
    assert row(told(1, summary=Summary(Scale.HALVES, 3, Fraction(11, 3), 0.5))).mean == 3.67
    assert row(told(1)).mean is None
