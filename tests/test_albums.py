"""Albums: what is compared, and what is shown."""

from __future__ import annotations

from bot.albums import Album, AlbumId, fold, shown

ID = "4aawyAB9vmqN3uQ7FjRGTy"


def test_titles_are_compared_without_case_accents_and_spacing() -> None:
    assert fold("  Été   INDIEN ") == fold("ete indien")
    assert fold("Straße") == fold("STRASSE")
    assert fold("\uff11\uff19\uff18\uff19") == fold("1989")
    assert fold("What\u2019s \u201cGoing\u201d On \u2013 Live") == fold('What\'s "Going" On - Live')
    assert fold("Home") != fold("Homes")


def test_what_is_shown_back_is_one_short_line() -> None:
    assert shown("a\x00b\r\nc\u202ed") == "a b c d"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 59 + "…"


def test_an_album_knows_its_page_and_who_it_is_by() -> None:
    album = Album(AlbumId(ID), "Slow Harbour", ("A", "B"), "2011", None)
    assert album.url == f"https://open.spotify.com/album/{ID}"
    assert album.by == "A, B"
