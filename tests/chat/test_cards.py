"""What a card says for every outcome: alone, among many, and in a later message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from bot.albums import Album, AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import Action, ChangeRequest, LibraryChange, Outcome
from bot.chat import cards, library_cards, parts
from bot.chat.components import CustomId
from bot.chat.menus import OPTIONS_MOST, Choice, menu
from bot.chat.saving import notes_of
from bot.chat.words import AllWords
from bot.errors import TryLater
from bot.library import NAMES, Report
from tests.chat.outcomes import BELOW_TITLE, MISSES, NOT_FOUND, SINGLE, TOLD, change, is_plain
from tests.discord_wire import Json, buttons, message_flaws, texts

WORDS = AllWords("")(None)
# A search is the only thing in its command, so a list never holds one that has several answers.
LISTED = [outcome for outcome in TOLD if outcome is not Outcome.OFFERED]


def report(changes: Sequence[LibraryChange], *, with_names: bool = True) -> Report:
    """What came of these changes, the first albums with their names."""
    request = ChangeRequest(
        id=RequestId(1),
        member=MemberId(2),
        action=changes[0].action,
        undoes=None,
        undone=False,
        created_at=datetime.now(UTC),
        ended=all(change.outcome for change in changes),
        changes=tuple(changes),
    )
    named = {id_: Album(id_, f"Title {id_}", ("Artist",), "2011", None) for w in changes[:NAMES] if (id_ := w.album_id)}
    held = None if request.ended else TryLater(TryLater.Cause.UNAVAILABLE)
    return Report(request, cast(dict[AlbumId, Album], named) if with_names else {}, held)


def drawn(report: Report) -> list[str]:
    """All texts of all messages; Discord would take each."""
    messages: list[Json] = [
        {"content": "", "embeds": [], "flags": 1 << 15, "components": card.to_components()}
        for card in library_cards.report(WORDS, report)
    ]
    assert [flaw for message in messages for flaw in message_flaws(message)] == []
    return [text for message in messages for text in texts(message)]


def noted(report: Report) -> list[str]:
    """How it is told with a later answer."""
    _, notes = notes_of(WORDS, [report])
    return notes


@pytest.mark.parametrize("with_names", [True, False], ids=["names", "no names"])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", TOLD, ids=str)
async def test_a_card_of_one_album_tells_its_outcome(outcome: Outcome | None, action: Action, with_names: bool) -> None:
    told = drawn(report([change(outcome, action)], with_names=with_names))
    expected = (BELOW_TITLE if with_names or outcome is None else SINGLE)[outcome].format("“what was typed 0”")
    assert any(expected in text for text in told)
    assert sum("**" in text for text in told) == 0  # the title stands above, once
    assert all(map(is_plain, told))
    assert not any("could not be found" in text for text in told)


@pytest.mark.parametrize("with_names", [True, False], ids=["names", "no names"])
@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", LISTED, ids=str)
async def test_a_card_of_many_albums_tells_their_outcome(
    outcome: Outcome | None, action: Action, count: int, with_names: bool
) -> None:
    changes = [change(outcome, action, position) for position in range(count)]
    told = drawn(report(changes, with_names=with_names))
    assert all(map(is_plain, told))
    assert any("could not be found" in text for text in told) == (outcome in NOT_FOUND)
    if outcome in MISSES or outcome is Outcome.GIVEN_UP:
        assert all(any(f"“{change.reference}”" in text for text in told) for change in changes)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", [outcome for outcome in TOLD if outcome], ids=str)
async def test_what_is_told_later_tells_its_outcome(outcome: Outcome, action: Action, count: int) -> None:
    notes = noted(report([change(outcome, action, position) for position in range(count)]))
    assert len(notes) == 1
    head, _, text = notes[0].partition("\n")
    assert head == "**Finished since your last command**"
    assert is_plain(text)
    assert ("could not be found" in text) == (outcome in NOT_FOUND and count > 1)


@pytest.mark.parametrize("aside", [Outcome.DUPLICATE, Outcome.IGNORED])
async def test_what_stands_beside_an_album_is_not_counted_as_one(aside: Outcome) -> None:
    beside = report([change(Outcome.SAVED, Action.SAVE), change(aside, Action.SAVE, 1)])
    assert "Saved to your library." in drawn(beside)
    assert any("Saved **Title" in text for text in noted(beside))
    for told in (drawn(beside), noted(beside)):
        assert all(map(is_plain, told))
        assert not any("could not be found" in text or "1 album" in text for text in told)


@pytest.mark.parametrize("count", [1, 2, 40])
async def test_names_of_albums_say_that_they_are_from_spotify(count: int) -> None:
    told = drawn(report([change(Outcome.SAVED, Action.SAVE, position) for position in range(count)]))
    where = f"album/{'0' * 22}" if count == 1 else ""
    assert told[-1] == f"-# [on Spotify](https://open.spotify.com/{where})"


async def test_a_card_carries_no_custom_id_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """Discord would refuse the whole message: the second one is left out, and the log tells of it."""
    twice = [parts.button(label, CustomId("undo", 7)) for label in ("Undo", "Undo again")]
    other = parts.button("Unlink", CustomId("unlink", 7))
    section = parts.section("text beside a button", twice[1])
    card = cards.Card(parts.row(*twice), section, parts.row(other), kind=cards.Kind.PRIVATE)
    message = {"content": "", "embeds": [], "flags": 1 << 15, "components": card.to_components()}
    assert [*message_flaws(message)] == []
    assert [button["label"] for button in buttons(message)] == ["Undo", "Unlink"]
    assert texts(message) == ["text beside a button"]
    assert capsys.readouterr().out.count("two components with one custom id") == 2


async def test_the_accent_tells_the_kind_of_a_card() -> None:
    accents = {kind: cards.text_card("text", kind=kind).to_components()[0]["accent_color"] for kind in cards.Kind}
    assert accents == {kind: kind.value for kind in cards.Kind}
    assert len(set(accents.values())) == 3


def test_a_menu_never_drops_choices_silently() -> None:
    choices = [Choice(str(n), str(n)) for n in range(OPTIONS_MOST + 1)]
    menu(CustomId("pick"), "Albums", choices[:-1])
    with pytest.raises(ValueError, match="26 choices"):
        menu(CustomId("pick"), "Albums", choices)


def test_more_buttons_than_a_row_takes_have_rows_of_their_own() -> None:
    view = cards.text_card("Text", *(parts.button(str(n), CustomId("pick", n)) for n in range(7)))
    sent = {"content": "", "embeds": [], "flags": 1 << 15, "components": view.to_components()}
    assert [one["label"] for one in buttons(sent)] == [str(n) for n in range(7)]
    assert [*message_flaws(sent)] == []
