"""The sentences about what came of changes: every outcome has its own, in words that a member knows."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from bot.albums import Album, AlbumId
from bot.changes import Action, Outcome
from bot.chat.words import AllWords
from tests.chat.outcomes import BELOW_TITLE, COUNTED, LINED, MISSES, REFUSALS, SINGLE, TOLD, change, is_plain

WORDS = AllWords("")(None)
ALBUM = Album(AlbumId("a" * 22), "Slow Harbour", ("The Lantern Ferry",), "2011", None)


def test_the_tables_of_these_tests_hold_every_outcome() -> None:
    assert set(SINGLE) == set(BELOW_TITLE) == set(COUNTED) == set(TOLD)
    assert set(LINED) | REFUSALS == set(TOLD)


@pytest.mark.parametrize("album", [ALBUM, None], ids=["known", "unknown"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
def test_each_outcome_of_one_album_has_its_own_sentence(
    outcome: Outcome | None, action: Action, album: Album | None
) -> None:
    text = WORDS.single(change(outcome, action), album)
    name = "**Slow Harbour** by The Lantern Ferry (2011)" if album else "“what was typed 0”"
    assert SINGLE[outcome].format(name) in text
    assert is_plain(text)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
def test_the_sentence_below_a_title_does_not_repeat_it(outcome: Outcome | None, action: Action) -> None:
    text = WORDS.below_title(change(outcome, action))
    assert BELOW_TITLE[outcome] in text
    assert is_plain(text)


@pytest.mark.parametrize(("outcome", "verb"), [(Outcome.SAVED, "saved"), (Outcome.REMOVED, "removed")])
def test_an_undo_says_that_it_is_one(outcome: Outcome, verb: str) -> None:
    changes = [change(outcome, Action.SAVE, position) for position in range(3)]
    assert WORDS.below_title(changes[0], undoes=True).startswith(f"Undone: {verb} ")
    assert WORDS.summary(changes, undoes=True) == f"Undone: {verb} 3 albums again."


@pytest.mark.parametrize("count", [1, 2, 1200])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
def test_each_outcome_of_several_albums_is_counted_as_what_it_is(
    outcome: Outcome | None, action: Action, count: int
) -> None:
    text = WORDS.summary([change(outcome, action, position) for position in range(count)])
    one, many = COUNTED[outcome]
    assert text == (one if count == 1 else many.format(f"{count:,}"))
    assert is_plain(text)


def test_a_count_of_everything_names_each_sort_once_and_loses_no_album() -> None:
    text = WORDS.summary([change(outcome, Action.SAVE, place) for place, outcome in enumerate(TOLD)])
    counts = [int(number) for number in re.findall(r"[0-9]+(?! days)", text)]
    assert sum(counts) == len(TOLD)
    assert len(counts) == len(set(COUNTED.values()))


@pytest.mark.parametrize("album", [ALBUM, None], ids=["known", "unknown"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", LINED, ids=str)
def test_a_line_of_a_list_says_the_outcome_in_words(
    outcome: Outcome | None, action: Action, album: Album | None
) -> None:
    text = WORDS.line(change(outcome, action), album)
    name, _, told = text.partition(": ")
    is_named = album is not None and outcome not in MISSES | {Outcome.OFFERED}  # those tell what was typed
    assert ("Slow Harbour" if is_named else "what was typed 0") in name
    assert told == LINED[outcome]
    assert is_plain(text)


def test_what_was_not_found_was_looked_for_at_spotify_to_save_and_among_ones_own_to_remove() -> None:
    saved, removed = (WORDS.single(change(Outcome.NO_MATCH, action), None) for action in Action)
    assert saved.startswith("Spotify found no album for “what was typed 0”.")
    assert removed.startswith("None of your albums matches “what was typed 0”.")


@pytest.mark.parametrize("outcome", [Outcome.DROPPED, Outcome.GIVEN_UP, Outcome.REFUSED])
def test_where_a_write_had_no_answer_no_sentence_says_that_nothing_was_changed(outcome: Outcome) -> None:
    look = "Spotify may have changed your library already, so have a look."
    unsure = replace(change(outcome, Action.SAVE), was_saved=False)
    for text in (
        WORDS.single(unsure, ALBUM),
        WORDS.below_title(unsure),
        WORDS.summary([unsure, change(None, Action.SAVE)]),
    ):
        assert text.endswith(look)
        assert "not changed" not in text
        assert "Nothing was changed" not in text
        assert "could not be saved" not in text
    assert look not in WORDS.summary([change(outcome, Action.SAVE)])


def test_an_album_that_is_not_out_and_a_link_that_cannot_be_followed_are_counted_as_such() -> None:
    kinds = ("playlist", "prerelease", "spoti.fi")
    changes = [replace(change(Outcome.NOT_ALBUM, Action.SAVE), detail=kind) for kind in kinds]
    assert WORDS.summary(changes) == "1 is not an album on Spotify. 1 is not out yet. 1 could not be read."


@pytest.mark.parametrize(("locale", "width"), [("en-US", 44), ("de", 44), ("fr", 44), ("es-ES", 44), ("ja", 22)])
def test_help_fits_on_the_screen_of_a_phone(locale: str, width: int) -> None:
    text = re.sub(r"\]\(http[^)]*\)", "]", AllWords("https://example.org/privacy")(locale).help())
    assert sum(max(1, -(-len(line) // width)) for line in text.split("\n")) <= 25
