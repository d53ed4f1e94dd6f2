"""Whether words name an album: labels, parts of them, and what else is searched for. With searches: `test_resolver.py`."""

from __future__ import annotations

import pytest

from bot.albums import Album, AlbumId
from bot.library.matching import LABEL_CUT, QUERIES, best, is_whole, matching, queries


def album(title: str, *artists: str, year: str = "1999") -> Album:
    return Album(AlbumId(f"{title} {year}".ljust(22, "0")), title, artists or ("Mara Vey",), year, None)


TIDES = album("Slow Tides")


# -- which album a text names best


@pytest.mark.parametrize(
    ("text", "is_label"),
    [
        ("Slow Tides von Mara Vey", True),
        ("Mara Vey xyz Slow Tides", True),
        ("Slow Tides from Mara Vey", False),
        ("Mara Vey sings Slow Tides", False),
        ("Slow Tides by the Mara Vey", False),
        ("Slow Tides by Mara", False),
        ("The Slow Tides by Mara Vey", False),
        ("Slow Tides by Mara Vey Trio", False),
        ("Slow Tides by Mara Vey (1999)", True),
        ("Slow Tides by Mara Vey (1998)", False),
        ("Slow Tides by Mara Vey 1999", True),
    ],
)
def test_a_label_is_title_and_artist_with_one_short_word_between_and_the_right_year(text: str, is_label: bool) -> None:
    assert best([TIDES], text) == ([TIDES] if is_label else [])


@pytest.mark.parametrize("length", [LABEL_CUT, LABEL_CUT - 1])
def test_a_label_that_was_cut_is_as_long_as_a_choice_may_be(length: int) -> None:
    long = album("A Very Long Title About Nothing In Particular", "Mara Vey and Her Orchestra")
    text = f"{long.title} by {long.by}"[: length - 1] + "…"
    assert best([long], text) == ([long] if length == LABEL_CUT else [])
    assert best([long], f"{long.title} by {long.by}"[: LABEL_CUT + 2]) == []


def test_the_very_title_comes_before_a_label_and_a_label_before_the_same_words() -> None:
    title, label, words = album("Slow Tides"), album("Tides", "Slow"), album("Slow: Tides", year="2001")
    assert best([words, label, title], "Slow Tides") == [title]
    assert best([words, label], "Slow Tides") == [label]
    assert best([words], "Slow Tides") == [words]
    assert best([words, label, title], "Rough Tides") == []


def test_an_artist_whose_name_begins_with_the_title_is_no_label() -> None:
    assert best([album("Mara", "Mara Vey")], "Mara Vey") == []


def test_of_titles_that_differ_in_signs_the_one_that_was_typed_is_meant() -> None:
    plain, loud = album("X"), album("X!")
    assert best([plain, loud], "X by Mara Vey") == [plain]
    assert best([plain, loud], "X! by Mara Vey") == [loud]
    assert best([album("X?"), loud], "X by Mara Vey") == [album("X?"), loud]


def test_a_sign_is_a_title_or_an_artist_of_its_own() -> None:
    sign = album("÷", "Ed Vey")
    assert best([sign], "÷ by Ed Vey") == [sign]
    assert best([sign], "Ed Vey - ÷ (1999)") == [sign]
    assert best([sign], "Ed Vey") == []
    assert best([sign], "+ by Ed Vey") == []


@pytest.mark.parametrize("text", ["Otto Rauch - Big Night", "Big Night by Mara Vey (1999)"])
def test_one_of_several_artists_is_enough_and_both_come_first(text: str) -> None:
    both, one = album("Big Night", "Mara Vey", "Otto Rauch"), album("Big Night", text.split(" - ")[0])
    assert best([both], text) == [both]
    assert best([both, one], f"Big Night by {one.by}") == [one]


@pytest.mark.parametrize(
    "text",
    [
        "Mara Vey (1999) Slow Tides",
        "Mara Vey - 1999 - Slow Tides",
        "Mara Vey – [1999] – Slow Tides",
        "1999 - Slow Tides - Mara Vey",
        "1999, Mara Vey, Slow Tides",
        "*Slow Tides* (1999) by Mara Vey",
        "Slow Tides | 1999 | Mara Vey",
    ],
)
def test_the_year_may_be_anywhere_if_it_is_apart_and_right(text: str) -> None:
    assert best([TIDES], text) == [TIDES]
    assert best([TIDES], text.replace("1999", "1998")) == []
    assert best([album("Tides of 1999", "Slow")], "1999 - Slow - Tides of") == []


@pytest.mark.parametrize(
    ("title", "artist", "typed"),
    [
        ("Ænima", "Tool", "Aenima"),
        ("I\u015f\u0131k", "Mara", "isik"),
        ("Mø", "Łódź", "Mo by Lodz"),
        ("Hawai\u02bbi", "Mara", "Hawai'i"),
        ("Don’t", "Mara", "Dont"),
        ("Bookends", "Simon & Garfunkel", "Bookends by Simon and Garfunkel"),
        ("Rise and Fall", "Mara", "Rise & Fall"),
        ("R&B", "Mara", "R and B"),
    ],
)
def test_a_title_may_be_typed_without_its_letters_and_apostrophes_and_with_and(
    title: str, artist: str, typed: str
) -> None:
    meant, exact = album(title, artist), album(typed, year="2001")
    assert best([meant], typed) == [meant]
    assert best([meant, exact], typed) == [exact]
    assert best([album(f"{title} II", artist)], typed) == []


# -- whether a longer text is one album


GRATITUDE = album("Gratitude", "Earth, Wind & Fire", year="1975")
NIGHT = album("Big Night", "Mara Vey", "Otto Rauch")


@pytest.mark.parametrize(
    ("which", "text", "whole"),
    [
        (GRATITUDE, "Earth, Wind & Fire", True),
        (GRATITUDE, "Gratitude, Earth, Wind & Fire (1975)", True),
        (GRATITUDE, "1975, Earth, Wind & Fire", True),
        (GRATITUDE, "Earth, Wind & Fire, 1975, Gratitude", True),
        (GRATITUDE, "Earth, Wind & Fire, Other", False),
        (GRATITUDE, "Other, Earth, Wind & Fire", False),
        (GRATITUDE, "Earth, Wind", False),
        (GRATITUDE, "Wind & Fire", False),
        (GRATITUDE, "Gratitude, Earth", False),
        (GRATITUDE, "Gratitude 1975 Gratitude", False),
        (TIDES, "Slow Tides by Mara Vey", True),
        (album("Big Night", "Rauch"), "Night, Rauch", True),
        (NIGHT, "Otto Rauch, Night", True),
        (NIGHT, "Night, Otto Rauch", True),
        (NIGHT, "Night, Otto Rauch, Big", True),
        (NIGHT, "Night, Otto, Big", False),
        (album("Louden Up Now", "!!!"), "Louden, Now", False),
    ],
)
def test_a_text_is_one_album_when_it_holds_an_artist_and_else_only_words_of_the_title(
    which: Album, text: str, whole: bool
) -> None:
    assert is_whole(which, text) == whole


# -- which of a member's own albums are meant


def test_of_own_albums_a_label_or_a_title_with_its_year_names_one_and_nothing_beside_it() -> None:
    louder, later = album("Slow Tides by Mara Vey", "Somebody"), album("Slow Tides 1999 Sessions", year="2005")
    assert matching([louder, TIDES, later], "Slow Tides by Mara Vey") == [TIDES]
    assert matching([louder, TIDES, later], "Slow Tides 1999") == [TIDES]
    assert matching([louder, TIDES, later], "Slow Tides") == [louder, TIDES, later]


# -- what else is searched for


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("Slow Tides", []),
        ("(1999)", []),
        ("Slow Tides (1999)", ["Slow Tides"]),
        ("“Slow Tides”", ["Slow Tides"]),
        ("Slow Tides by Mara Vey (1999)", ["Slow Tides by Mara Vey", "Slow Tides Mara Vey"]),
        (
            "“Slow Tides” by Mara Vey (1999)",
            ["“Slow Tides” by Mara Vey", "Slow Tides” by Mara Vey", "“Slow Tides” Mara Vey"],
        ),
        ("Slow Tides by Mara V…", ["Slow Tides by Mara V", "Slow Tides Mara V"]),
        ("Mara Vey – 1999 – Slow Tides", ["Mara Vey – Slow Tides", "Mara Vey Slow Tides"]),
        ("Mara Vey (1999) Slow Tides", ["Mara Vey Slow Tides"]),
        ("1999 - Slow Tides", ["Slow Tides"]),
        ("Mara and Otto", ["Mara Otto"]),
        ("Day by Day - Mara Vey", ["Day by Day Mara Vey", "Day Day - Mara Vey"]),
        ("Day by Day by Mara Vey", ["Day by Day Mara Vey", "Day Day by Mara Vey"]),
        (
            "a - b - c - d - e - f",
            ["a - b - c - d - e f", "a - b - c - d e - f", "a - b - c d - e - f", "a - b c - d - e - f"],
        ),
    ],
)
def test_a_label_is_searched_without_its_year_and_by_its_parts_the_likeliest_first(
    words: str, others: list[str]
) -> None:
    assert queries(words) == others
    assert len(others) <= QUERIES
