"""The look of an answer: the album first, one sentence, few buttons, Spotify once, and several albums at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bot.albums import Album, AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, LibraryChange, Outcome
from bot.chat import cards, library_cards
from bot.chat.cards import progress_card
from bot.chat.own_app import Ways
from bot.chat.parts import link_button
from bot.chat.words import AllWords
from bot.errors import NeedsRelink, NotLinked
from bot.library import Report
from tests.discord_wire import Json, buttons, flatten, message_flaws, texts

WORDS = AllWords("https://gatefold.example/privacy")(None)
TEXT, MENU, THUMBNAIL, GALLERY = 10, 3, 11, 12


def album(number: int, title: str = "", *, released: str = "2011-09-16", tracks: int = 9) -> Album:
    """An album with everything that Spotify tells of it."""
    return Album(
        AlbumId(f"{number:022d}"),
        title or f"Title {number}",
        ("The Lantern Ferry",),
        released[:4],
        f"https://i.scdn.co/image/{number}",
        released,
        tracks,
    )


def change(number: int, outcome: Outcome | None, **more: object) -> LibraryChange:
    """A change of that album."""
    made = LibraryChange(
        RequestId(1), number, Action.SAVE, Kind.ALBUM, f"typed {number}", AlbumId(f"{number:022d}"), outcome=outcome
    )
    return replace(made, **more)  # type: ignore[arg-type]


def message(
    changes: Sequence[LibraryChange],
    albums: Sequence[Album],
    *,
    undoes: int | None = None,
    held: NotLinked | NeedsRelink | None = None,
    ways: Ways | None = None,
    notes: Sequence[str] = (),
) -> Json:
    """The only message that is drawn."""
    request = ChangeRequest(
        id=RequestId(1),
        member=MemberId(2),
        action=Action.SAVE,
        undoes=None if undoes is None else RequestId(undoes),
        undone=False,
        created_at=datetime(2026, 11, 27, tzinfo=UTC),
        ended=all(change.outcome for change in changes),
        changes=tuple(changes),
    )
    report = Report(request, {album.id: album for album in albums}, held)
    (card,) = library_cards.report(WORDS, report, ways=ways, notes=notes)
    return drawn(card)


def drawn(card: cards.Card) -> Json:
    """A card as Discord gets it, who takes it."""
    message = {"content": "", "embeds": [], "flags": 1 << 15, "components": card.to_components()}
    assert [*message_flaws(message)] == []
    return message


def kinds(message: Json) -> list[int]:
    """The types of what is in the container, in order."""
    return [part["type"] for part in message["components"][0]["components"]]


def parts(message: Json, kind: int) -> list[Json]:
    return [part for part in flatten(message["components"]) if part["type"] == kind]


def labels(message: Json) -> list[str]:
    return [button["label"] for button in buttons(message)]


async def test_a_saved_album_is_a_section_a_sentence_a_button_and_a_small_attribution() -> None:
    shown = message([change(1, Outcome.SAVED)], [album(1, "Slow Harbour")])
    header, sentence, attribution = texts(shown)
    url = f"https://open.spotify.com/album/{1:022d}"
    assert header == f"### [Slow Harbour]({url})\nThe Lantern Ferry · 2011"
    assert sentence == "Saved to your library."
    assert attribution == f"-# [on Spotify]({url})"
    assert labels(shown) == ["Undo"]
    assert parts(shown, THUMBNAIL)[0]["description"] == "Cover of Slow Harbour by The Lantern Ferry"
    assert str(shown["components"]).count(url) == 2


async def test_an_undone_card_says_so_and_has_no_undo() -> None:
    undone = message([change(1, Outcome.REMOVED, action=Action.REMOVE)], [album(1)], undoes=7)
    assert texts(undone)[1] == "Undone: removed from your library again."
    assert buttons(undone) == []


@pytest.mark.parametrize(("count", "is_shown"), [(2, True), (10, True), (11, False)])
async def test_2_to_10_albums_show_their_covers(count: int, is_shown: bool) -> None:
    numbers = range(count)
    shown = message([change(n, Outcome.SAVED) for n in numbers], [album(n) for n in numbers][:10])
    galleries = parts(shown, GALLERY)
    assert len(galleries) == is_shown
    if is_shown:
        assert [item["media"]["url"] for item in galleries[0]["items"]] == [album(n).cover_url for n in numbers]
        assert galleries[0]["items"][1]["description"] == "Cover of Title 1 by The Lantern Ferry"


async def test_one_cover_among_several_albums_is_no_gallery() -> None:
    bare = replace(album(2), cover_url=None)
    assert parts(message([change(1, Outcome.SAVED), change(2, Outcome.SAVED)], [album(1), bare]), GALLERY) == []


async def test_an_outcome_is_named_per_line_only_where_outcomes_differ() -> None:
    alike = texts(message([change(n, Outcome.SAVED) for n in (1, 2)], [album(1), album(2)]))[0]
    assert alike.splitlines() == [
        "Saved 2 albums.",
        "- **Title 1** by The Lantern Ferry (2011)",
        "- **Title 2** by The Lantern Ferry (2011)",
    ]
    outcomes = (Outcome.SAVED, Outcome.ALREADY, Outcome.NO_MATCH)
    changes = [change(number, outcome) for number, outcome in enumerate(outcomes)]
    differ = texts(message(changes, [album(0), album(1)]))[0].splitlines()
    assert differ[0] == "Saved 1 album. 1 was already in your library. 1 could not be found."
    assert differ[1].endswith(": saved")
    assert differ[2].endswith(": already in your library")
    assert differ[3] == "- “typed 2”: nothing found"


async def test_of_many_albums_10_are_named_and_the_others_counted() -> None:
    numbers = range(55)
    lines = texts(message([change(n, Outcome.SAVED) for n in numbers], [album(n) for n in numbers]))[0].splitlines()
    assert lines[0] == "Saved 55 albums."
    assert len(lines) == 12
    assert lines[-1] == "- and 45 more"


async def test_where_all_albums_wait_one_sentence_says_so() -> None:
    ways = Ways((link_button("https://gatefold.example/link/1", "Link Spotify"),), "")
    shown = message([change(n, None) for n in range(3)], [], held=NotLinked(), ways=ways)
    assert texts(shown)[0].startswith("Link your Spotify account once to save albums.")
    assert sum("3 albums" in text or "3 are" in text for text in texts(shown)) == 1


async def test_two_editions_that_were_saved_do_not_read_the_same() -> None:
    twins = [album(n, "Twin", tracks=8 + n) for n in (1, 2)]
    text = texts(message([change(n, Outcome.SAVED) for n in (1, 2)], twins))[0]
    assert "(9 tracks, 2011)" in text
    assert "(10 tracks, 2011)" in text


# -- choosing


def offering(*numbers: int, position: int = 0) -> LibraryChange:
    """A search that found these albums."""
    ids = tuple(AlbumId(f"{number:022d}") for number in numbers)
    return change(position, Outcome.OFFERED, album_id=None, kind=Kind.SEARCH, choices=ids)


async def test_several_matches_are_a_menu_that_tells_twins_apart() -> None:
    albums = [
        album(1, "Twin", tracks=9),
        album(2, "Twin", tracks=12),
        album(3, "Twin", released="2012"),
        album(4, "Same", released="2011-01-02"),
        album(5, "Same", released="2011-03-04"),
        album(6, "Same", released="2011-03-04"),
    ]
    shown = message([offering(1, 2, 3, 4, 5, 6, 1)], albums)
    (menu,) = parts(shown, MENU)
    assert [(option["label"], option["description"]) for option in menu["options"]] == [
        ("Twin", "The Lantern Ferry · 2011 · 9 tracks"),
        ("Twin", "The Lantern Ferry · 2011 · 12 tracks"),
        ("Twin", "The Lantern Ferry · 2012"),
        ("Same", "The Lantern Ferry · January 2, 2011"),
        ("Same", "The Lantern Ferry · March 4, 2011"),
        ("Same", "The Lantern Ferry · March 4, 2011 · version 2"),
    ]
    assert menu["custom_id"] == "choose:save:0"
    assert buttons(shown) == []
    assert texts(shown)[-1] == "-# [on Spotify](https://open.spotify.com/)"


async def test_one_match_that_is_not_exact_is_shown_with_one_button() -> None:
    shown = message([offering(1)], [album(1, "Slow Harbour")])
    assert "Did you mean this one?" in texts(shown)[0]
    assert "Slow Harbour" in texts(shown)[1]
    assert [(button["label"], button["custom_id"]) for button in buttons(shown)] == [("Save", f"pick:save:{1:022d}")]


async def test_a_search_without_an_exact_match_beside_albums_is_told_as_that_and_can_be_chosen() -> None:
    searches = [offering(10 + n, position=n) for n in range(6)]
    shown = message([*searches, change(9, Outcome.SAVED)], [album(n) for n in range(9, 16)])
    lines = texts(shown)[0].splitlines()
    assert lines[0] == "Saved 1 album. 6 searches have no exact match."
    assert "- “typed 5”: no exact match" in lines
    assert "several albums match" not in texts(shown)[0]
    assert [len(menu["options"]) for menu in parts(shown, MENU)] == [1] * 5


async def test_each_of_several_searches_has_a_menu_of_its_own_and_the_rest_is_named() -> None:
    searches = [offering(2 * n + 10, 2 * n + 11, position=n) for n in range(7)]
    shown = message([*searches, change(9, Outcome.SAVED)], [album(n) for n in (9, *range(10, 24))])
    menus = parts(shown, MENU)
    assert [menu["placeholder"] for menu in menus] == [f"Albums for “typed {n}”" for n in range(5)]
    assert len({menu["custom_id"] for menu in menus}) == 5
    assert not any(menu["custom_id"].endswith(":0") for menu in menus)
    lines = texts(shown)[0].splitlines()
    assert lines[0] == "Saved 1 album. 7 searches match several albums."
    assert [line for line in lines if "several albums match" in line] == [
        f"- “typed {n}”: several albums match" for n in (5, 6)
    ]


# -- linking


async def test_a_member_who_was_never_linked_reads_what_is_asked_for_and_one_who_was_does_not() -> None:
    ways = Ways((link_button("https://gatefold.example/link/x", "Link Spotify"),), "")
    new = message([change(1, None)], [], held=NotLinked(), ways=ways)
    assert any("two permissions" in text for text in texts(new))
    known = message([change(1, None)], [], held=NeedsRelink(NeedsRelink.Reason.REVOKED), ways=ways)
    assert not any("two permissions" in text for text in texts(known))
    assert any("/privacy" in text for text in texts(known))
    assert labels(new) == labels(known) == ["Link Spotify"]


async def test_notes_about_earlier_requests_come_after_what_was_asked_for_now() -> None:
    shown = texts(message([change(1, Outcome.SAVED)], [album(1)], notes=["**Finished**"]))
    assert shown.index("**Finished**") == 2


# -- progress


@pytest.mark.parametrize(
    ("done", "total", "left_s", "bar", "figure"),
    [
        (0, 1000, None, "▱" * 10, "0 of 1,000"),
        (412, 1000, 41.0, "▰" * 4 + "▱" * 6, "412 of 1,000 · about 40 s"),
        (412, 1000, 3.0, "▰" * 4 + "▱" * 6, "412 of 1,000 · about 10 s"),
        (900, 1000, 260.0, "▰" * 9 + "▱", "900 of 1,000 · about 4 min"),
        (1000, 1000, 0.0, "▰" * 10, "1,000 of 1,000 · about 10 s"),
    ],
)
async def test_progress_is_a_bar_of_10_blocks_a_figure_and_what_is_left(
    done: int, total: int, left_s: float | None, bar: str, figure: str
) -> None:
    shown = drawn(progress_card(WORDS, "Saving albums.", done, total, left_s))
    assert texts(shown)[0].splitlines() == ["Saving albums.", bar, figure]
