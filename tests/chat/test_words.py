"""The sentences about what came of changes: every outcome has its own, in words that a member knows."""

from __future__ import annotations

import pytest

from bot.albums import Album, AlbumId
from bot.changes import Action, Outcome
from bot.chat.words import Words
from tests.chat.outcomes import COUNTED, LINED, NOT_FOUND, REFUSALS, SINGLE, TOLD, change, is_plain

WORDS = Words()
ALBUM = Album(AlbumId("a" * 22), "Slow Harbour", ("The Lantern Ferry",), "2011", None)


def test_the_tables_of_these_tests_hold_every_outcome() -> None:
    assert set(SINGLE) == set(TOLD)
    assert set(COUNTED) | NOT_FOUND == set(TOLD)
    assert set(LINED) | REFUSALS == set(TOLD)


@pytest.mark.parametrize("album", [ALBUM, None], ids=["known", "unknown"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
def test_each_outcome_of_one_album_has_its_own_sentence(
    outcome: Outcome | None, action: Action, album: Album | None
) -> None:
    text = WORDS.single(change(outcome, action), album)
    assert SINGLE[outcome] in text
    assert is_plain(text)


@pytest.mark.parametrize("count", [1, 2, 1200])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
def test_each_outcome_of_several_albums_is_counted_as_what_it_is(
    outcome: Outcome | None, action: Action, count: int
) -> None:
    text = WORDS.summary([change(outcome, action, position) for position in range(count)])
    were = ("was " if count == 1 else "were ") if outcome in (Outcome.ALREADY, Outcome.ABSENT) else ""
    assert text == f"{count:,} {were}{COUNTED.get(outcome, 'could not be found')}."
    assert is_plain(text)


def test_a_count_of_everything_names_each_sort_once_and_loses_no_album() -> None:
    text = WORDS.summary([change(outcome, Action.SAVE, place) for place, outcome in enumerate(TOLD)])
    counts = [part.split(" ", 1) for part in text.removesuffix(".").split(", ")]
    assert sum(int(count) for count, _ in counts) == len(TOLD)
    assert len({sort for _, sort in counts}) == len(counts) == len(set(COUNTED.values())) + 1


@pytest.mark.parametrize("album", [ALBUM, None], ids=["known", "unknown"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", LINED, ids=str)
def test_a_line_of_a_list_says_the_outcome_in_words(
    outcome: Outcome | None, action: Action, album: Album | None
) -> None:
    text = WORDS.line(change(outcome, action), album)
    name, _, told = text.partition(": ")
    assert ("Slow Harbour" if album else "what was typed 0") in name
    assert told == LINED[outcome]
    assert is_plain(text)
