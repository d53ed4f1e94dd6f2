"""What the page of a club says of its rounds, its figures and its dates, number by number."""

from __future__ import annotations

from datetime import UTC, datetime, time
from fractions import Fraction

import pytest
from msgspec.structs import replace

from bot.clubs.book import Book, Review
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import Choice
from bot.curation.ratings import Scale, Score, Summary
from bot.text import texts
from bot.web.album_view import NAME_MOST, TEXT_MOST, TITLE_MOST
from bot.web.book_view import BookShown, show_book
from bot.web.html_text import HtmlText
from tests.storage.clubs import BEGIN
from tests.web.books import album_of, book_of, told

ENGLISH = HtmlText(texts("en-US"))


def shown(book: Book) -> BookShown:
    """The page of a book that has one page."""
    albums = [album_of(one.number) for one in book.rounds]
    return show_book(ENGLISH, book, book.rounds, {album.id: album for album in albums})


# -- the lines at the top


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ([()], "1 album, 0 ratings"),
        ([(2,)], "1 album, 1 rating"),
        ([(2, 4), (), (6,)], "3 albums, 3 ratings"),
    ],
)
def test_a_book_counts_its_albums_and_their_ratings(scores: list[tuple[int, ...]], says: str) -> None:
    assert shown(book_of(*(told(number, *steps) for number, steps in enumerate(scores, 1)))).lines[0] == says


@pytest.mark.parametrize(
    ("rhythm", "says"),
    [
        (Rhythm.WEEKLY, "A new album every week. Next: March 10, 2026, 19:05 America/New York."),
        (Rhythm.BIWEEKLY, "A new album every two weeks. Next: March 10, 2026, 19:05 America/New York."),
        (Rhythm.MONTHLY, "A new album every month. Next: March 10, 2026, 19:05 America/New York."),
    ],
)
def test_a_book_says_when_the_next_album_comes_as_the_clocks_of_the_club_show_it(rhythm: Rhythm, says: str) -> None:
    book = book_of()
    calendar = Calendar(BEGIN.date(), time(19, 5), "America/New_York", rhythm)
    club = replace(book.club, calendar=calendar, club_hour_at=datetime(2026, 3, 11, 0, 5, tzinfo=UTC))
    assert shown(replace(book, club=club)).lines == (says,)


def test_a_paused_club_says_so_and_has_no_next_date() -> None:
    book = book_of(told(1, 2))
    paused = replace(book, club=replace(book.club, paused_at=BEGIN))
    assert shown(paused).lines == ("1 album, 1 rating", "The club is paused.")


# -- the rounds


def test_only_a_round_that_is_not_over_is_listened_to_now() -> None:
    two, one = told(2, ended_at=None), told(1)
    page = shown(book_of(two, one))
    assert page.now is not None
    assert (page.now.anchor, [each.anchor for each in page.rounds]) == ("round-2", ["round-1"])
    page = shown(book_of(told(2), one))
    assert (page.now, [each.anchor for each in page.rounds]) == (None, ["round-2", "round-1"])
    page = show_book(ENGLISH, book_of(two, one), [], {})
    assert (page.now, page.rounds) == (None, ())


def test_a_round_has_a_heading_its_album_and_how_it_was_found() -> None:
    [one] = shown(book_of(told(1, picker="Ada"))).rounds
    assert (one.heading, one.album.title) == ("Round 1, January 15, 2026", "Album 1")
    assert one.found == "Picked by <bdi>Ada</bdi>."
    [imported] = shown(book_of(told(0))).rounds
    assert (imported.heading, imported.found) == ("January 8, 2026", "Picked by a member.")


def test_a_round_has_its_theme_and_its_note_at_the_length_that_they_may_have() -> None:
    [plain] = shown(book_of(told(1))).rounds
    assert (plain.theme, plain.note, plain.reviews) == ("", "", ())
    [long] = shown(book_of(told(1, theme="h" * 300, note="n" * 3000))).rounds
    assert long.theme == f"Theme: <bdi>{'h' * (TITLE_MOST - 1)}…</bdi>"
    assert long.note == "n" * (TEXT_MOST - 1) + "…"
    assert shown(replace(book_of(), name="c" * 100)).name == "c" * (NAME_MOST - 1) + "…"


def test_a_review_is_shown_with_its_score_and_with_whose_it_is() -> None:
    reviews = (Review(Score(Scale.HALVES, 7), "r" * 3000, "Ben"), Review(Score(Scale.EXACT_TEN, 725), "b", None))
    [one] = shown(book_of(told(1, reviews=reviews))).rounds
    assert [(each.score, each.by) for each in one.reviews] == [("3.5", "<bdi>Ben</bdi>"), ("7.25", "a member")]
    assert [each.text for each in one.reviews] == ["r" * (TEXT_MOST - 1) + "…", "b"]


@pytest.mark.parametrize(("scale", "of"), [(Scale.HALVES, "of 5"), (Scale.TEN, "of 10")])
def test_a_rated_round_has_its_mean_its_ratings_and_its_spread(scale: Scale, of: str) -> None:
    summary = Summary(scale, 3, Fraction(11, 3), 0.4714)
    [one] = shown(book_of(told(1, summary=summary))).rounds
    assert [(each.label, each.value, each.of) for each in one.figures] == [
        ("Mean", "3.67", of),
        ("Ratings", "3", None),
        ("Spread", "0.5", None),
    ]


@pytest.mark.parametrize(("choice", "figures"), [(Choice.VOTE, [("Votes", "7")]), (Choice.PICKER, []), (None, [])])
def test_only_a_vote_has_a_number_of_votes(choice: Choice | None, figures: list[tuple[str, str]]) -> None:
    [one] = shown(book_of(told(1, choice=choice, voters=7))).rounds
    assert [(each.label, each.value) for each in one.figures] == figures
