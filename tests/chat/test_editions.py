"""No two albums that a member can choose from, or that stand in one list, read the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bot.albums import Album, AlbumId
from bot.chat import editions
from bot.chat.editions import LABEL_MOST
from bot.chat.words import AllWords
from bot.text import Text, texts

EN = texts(None)
WORDS = AllWords("")(None)
LONG = "Live at the Long Hall, the Complete Recordings of the Second Night, with All Encores and "
Show = Callable[[Text, Sequence[Album]], list[str]]


def album(number: int, title: str, *, by: str = "The Lantern Ferry", released: str = "2011", tracks: int = 0) -> Album:
    return Album(AlbumId(f"{number:022d}"), title, (by,), released[:4], None, released, tracks)


def options(t: Text, albums: Sequence[Album]) -> list[str]:
    shown = editions.choices(t, {album.id: album for album in albums}, [album.id for album in albums])
    assert all(len(choice.label) <= LABEL_MOST and len(choice.description or "") <= LABEL_MOST for choice in shown)
    return [f"{choice.label} / {choice.description}" for choice in shown]


def menu(t: Text, albums: Sequence[Album]) -> list[str]:
    """As Discord shows an option of a menu: both of its lines are cut."""
    told = editions.descriptions(t, albums)
    assert all(len(text) <= LABEL_MOST for text in told)
    return [f"{album.title[:LABEL_MOST]} / {text}" for album, text in zip(albums, told, strict=True)]


def suggestions(t: Text, albums: Sequence[Album]) -> list[str]:
    told = editions.labels(t, albums)
    assert all(len(text) <= LABEL_MOST for text in told)
    return told


def lines(t: Text, albums: Sequence[Album]) -> list[str]:
    apart = editions.told_apart(t, albums)
    return [WORDS.album(apart[album.id], 40) for album in albums]


ALIKE = {
    "tracks": [album(1, "Slow Harbour", tracks=9), album(2, "Slow Harbour", tracks=12)],
    "dates": [album(1, "Slow Harbour", released="2011-09-16"), album(2, "Slow Harbour", released="2011-09-19")],
    "years": [album(1, "Slow Harbour", released="2011"), album(2, "Slow Harbour", released="2021")],
    "artists": [album(1, "Slow Harbour"), album(2, "Slow Harbour", by="Norrland Static")],
    "nothing": [album(1, "Slow Harbour"), album(2, "Slow Harbour"), album(3, "Slow Harbour")],
    "the end of a long title": [album(1, LONG + "the Interviews"), album(2, LONG + "the Rehearsals")],
    "the end of a long list of artists": [
        album(1, "Songs", by="Various Artists, " * 9 + "One"),
        album(2, "Songs", by="Various Artists, " * 9 + "Two"),
    ],
    "tracks behind many artists": [
        album(1, "Songs", by="Various Artists, " * 9, tracks=9),
        album(2, "Songs", by="Various Artists, " * 9, tracks=12),
    ],
    "capitals": [album(1, "Slow Harbour"), album(2, "SLOW HARBOUR")],
}


@pytest.mark.parametrize("show", [suggestions, menu, options, lines])
@pytest.mark.parametrize("albums", ALIKE.values(), ids=ALIKE)
def test_albums_that_would_read_the_same_are_told_apart(show: Show, albums: Sequence[Album]) -> None:
    told = [text.casefold() for text in show(EN, albums)]
    assert len({*told}) == len(albums), told


def test_what_tells_albums_apart_is_shown_only_where_it_is_needed() -> None:
    albums = [album(1, "Slow Harbour", tracks=9), album(2, "Slow Harbour", tracks=12), album(3, "Rain", tracks=8)]
    assert suggestions(EN, albums)[0] == "Slow Harbour by The Lantern Ferry (9 tracks, 2011)"
    assert suggestions(EN, albums)[2] == "Rain by The Lantern Ferry (2011)"
    assert options(EN, albums)[1:] == [
        "Slow Harbour · The Lantern Ferry / 2011 · 12 tracks",
        "Rain · The Lantern Ferry / 2011",
    ]
    assert lines(EN, albums)[2] == "**Rain** by The Lantern Ferry (2011)"
