"""The parser: everything that members paste, everything that attackers paste, and what always holds."""

from __future__ import annotations

import re
import string
import time
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.albums import (
    Album,
    AlbumId,
    AlbumRef,
    Ignored,
    NotAnAlbum,
    Reference,
    SearchText,
    ShortLink,
    TrackRef,
    Unreadable,
    album_url,
    fold,
    read,
    read_link,
    shown,
)

ID, OTHER = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX"
ALBUM = AlbumRef(AlbumId(ID))

# Every form in which one album is pasted; {} is the id.
FORMS = (
    "https://open.spotify.com/album/{}",
    "https://open.spotify.com/album/{}?si=8R3lLxP4TtCRy3Yb0HqPjw",
    "https://open.spotify.com/album/{}?si=8R3lLxP4TtCRy3Yb0HqPjw&context=spotify%3Aalbum%3Ax",
    "https://open.spotify.com/album/{}?utm_source=a,b,c",
    "https://open.spotify.com/album/{}#play",
    "https://open.spotify.com/album/{}/",
    "https://open.spotify.com/album/{}/?si=8R3lLxP4",
    "https://open.spotify.com/intl-de/album/{}",
    "https://open.spotify.com/intl-pt-br/album/{}?si=8R3lLxP4",
    "https://open.spotify.com/embed/album/{}?utm_source=generator",
    "https://open.spotify.com/intl-de/embed/album/{}",
    "http://open.spotify.com/album/{}",
    "open.spotify.com/album/{}",
    "open.spotify.com/intl-es/album/{}/",
    "https://play.spotify.com/album/{}",
    "play.spotify.com/album/{}",
    "HTTPS://Open.Spotify.Com/Album/{}",
    "spotify:album:{}",
    "SPOTIFY:ALBUM:{}",
    "{}",
)
# How it is wrapped; {} is a form.
WRAPPERS = (
    "{}",
    "<{}>",
    "({})",
    "[{}]",
    '"{}"',
    "“{}”",
    "«{}»",
    "`{}`",
    "**{}**",
    "||{}||",
    "{}),.",
    "{}.",
    "{}!",
    "[an album]({})",
    "[an album](<{}>)",
    "[]( {} )",
    "  {}  ",
)
SEPARATORS = (" ", "\n", "\r\n", "\t", "   ", ", ", ",", "\u00a0", "\u3000", " and then ", " | ")

# Unicode's classes of characters that embed, override and isolate a direction.
DIRECTION = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
# All of Unicode's: the marks of a direction, then those that embed, override and isolate one, and their ends.
TURNS = (
    *("\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c"),
    *("\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"),
)
# What links are made of, and what breaks them.
SHARDS = (
    *("https://open.spotify.com/album/", "open.spotify.com", "spotify.link", "spotify:album:", "spotify:", "://"),
    *("album", "track", "intl-de", "embed", "user", "s", "words", ID, OTHER),
    *"/?#,.%@[]()<>\x00\x85\u202e\ud800",
)

ids = st.text(string.ascii_letters + string.digits, min_size=22, max_size=22)
forms, wrappers = st.sampled_from(FORMS), st.sampled_from(WRAPPERS)


def albums(found: Sequence[Reference]) -> list[str]:
    return [reference.id for reference in found if isinstance(reference, AlbumRef)]


# -- what members paste


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_album_is_read(form: str) -> None:
    assert read(form.format(ID)) == [ALBUM]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_wrapper_is_taken_off_every_form(wrapper: str) -> None:
    found = {form: read(wrapper.format(form.format(ID))) for form in FORMS}
    assert [form for form in FORMS if found[form] != [ALBUM]] == []


@pytest.mark.parametrize("separator", SEPARATORS)
def test_several_albums_in_one_text_are_all_read_in_every_form(separator: str) -> None:
    found = {form: albums(read(separator.join((form.format(ID), form.format(OTHER))))) for form in FORMS}
    assert [form for form in FORMS if found[form] != [ID, OTHER]] == []


def test_forms_may_be_mixed_in_one_text() -> None:
    text = f"{ID},spotify:album:{OTHER} <https://open.spotify.com/album/{'a' * 22}?si=1>, [x]({'b' * 22})"
    assert albums(read(text)) == [ID, OTHER, "a" * 22, "b" * 22]


def test_ids_are_case_sensitive() -> None:
    assert albums(read(f"{ID} {ID.swapcase()}")) == [ID, ID.swapcase()]


def test_a_double_counts_once_in_whatever_form_it_comes() -> None:
    assert read(" ".join(form.format(ID) for form in FORMS)) == [ALBUM]


def test_the_label_of_a_masked_link_is_not_read() -> None:
    assert read(f"[https://open.spotify.com/album/{OTHER}](https://open.spotify.com/album/{ID})") == [ALBUM]
    assert read(f"[{ID}](https://evil.example/)") == [Unreadable("https://evil.example/")]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (f"https://open.spotify.com/track/{ID}?si=1", TrackRef(ID)),
        (f"spotify:track:{ID}", TrackRef(ID)),
        ("https://spotify.link/AbC-_9", ShortLink("spotify.link", "/AbC-_9")),
        ("https://spotify.app.link/AbC?_p=1", ShortLink("spotify.app.link", "/AbC")),
        ("https://open.spotify.com/s/aBcDeFg?x=1", ShortLink("open.spotify.com", "/s/aBcDeFg")),
        ("open.spotify.com/intl-de/s/aBcDeFg", ShortLink("open.spotify.com", "/s/aBcDeFg")),
        ("<https://SPOTIFY.link/AbC/>", ShortLink("spotify.link", "/AbC")),
    ],
)
def test_tracks_and_short_links_are_told_apart(text: str, reference: Reference) -> None:
    assert read(text) == [reference]


@pytest.mark.parametrize("kind", ["playlist", "artist", "show", "episode", "prerelease", "audiobook"])
def test_what_is_no_album_is_named(kind: str) -> None:
    text = f"https://open.spotify.com/{kind}/{ID}"
    assert read(text) == [NotAnAlbum(kind, shown(text))]
    assert read(f"spotify:{kind}:{ID}") == [NotAnAlbum(kind, f"spotify:{kind}:{ID}")]


def test_a_kind_that_nobody_knows_is_a_page() -> None:
    assert read(f"https://open.spotify.com/hologram/{ID}") == [
        NotAnAlbum("page", f"https://open.spotify.com/hologram/{ID}")
    ]


def test_an_old_playlist_address_is_a_playlist() -> None:
    assert read(f"spotify:user:ada:playlist:{ID}") == [NotAnAlbum("playlist", f"spotify:user:ada:playlist:{ID}")]


# -- words


def test_words_alone_are_searched() -> None:
    assert read("  slow   harbour ") == [SearchText("slow harbour")]


def test_words_are_cut_to_what_a_search_takes() -> None:
    assert read("ab " * 1000) == [SearchText(("ab " * 1000)[:250])]


def test_words_beside_a_link_are_left_alone() -> None:
    assert read(f"listen to this: {ID}, it is great") == [ALBUM, Ignored("listen to this: it is great")]


def test_signs_beside_a_link_are_nothing() -> None:
    assert read(f"-> {ID} <- !!") == [ALBUM]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_nothing_is_nothing(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize("text", ["AC/DC: Back in Black", "1989 (Taylor's Version)", "%", "a,b,c", "{}", "…"])
def test_titles_with_signs_are_words(text: str) -> None:
    assert read(text) == [SearchText(text)]


@pytest.mark.parametrize("length", [21, 23])
def test_a_token_of_another_length_is_no_id(length: int) -> None:
    assert read("a" * length) == [SearchText("a" * length)]


# -- hostile input


@pytest.mark.parametrize(
    "text",
    [
        f"https://open.spotify.com.evil.com/album/{ID}",
        f"https://openxspotify.com/album/{ID}",
        f"playxspotify.com/album/{ID}",
        f"https://open.spotifyxcom/album/{ID}",
        "https://openxspotify.com/s/aBcDeFg",
        "https://spotifyxlink/aBcDeFg",
        "https://spotify.appxlink/aBcDeFg",
        f"open.spotify.com.evil.com/album/{ID}",
        f"https://open.spotify.com@evil.example/album/{ID}",
        f"open.spotify.com@evil.example/album/{ID}",
        f"https://evil.example@open.spotify.com/album/{ID}",
        f"https://open.spotify.com:443/album/{ID}",
        f"https://evil.example/open.spotify.com/album/{ID}",
        f"https://evil.example/?u=https://open.spotify.com/album/{ID}",
        f"https://notopen.spotify.com.evil/album/{ID}",
        f"ftp://open.spotify.com/album/{ID}",
        f"javascript://open.spotify.com/album/{ID}",
        f"https:/\\open.spotify.com/album/{ID}",
        f"https://open.spotify.com/album/{ID}/../../x",
        f"https://open.spotify.com/album/../album/{ID}",
        f"https://open.spotify.com//album/{ID}",
        f"https://open.spotify.com/album/{ID}%00",
        f"https://open.spotify.com/album/{ID}x",
        f"https://open.spotify.com/album/{ID[:-1]}",
        "https://open.spotify.com/album/%2e%2e%2f%2e%2e",
        "https://open.spotify.com/album/" + "%41" * 22,
        "https://x.example/%2e%2e",
        "spotify:album:../../x",
        f"spotify:album:{ID[:-1]}/",
        f"spotify:album:{ID[:-2]}..",
        f"spotify:album:{ID}:x",
        f"\u017fpotify:album:{ID}",  # a long s, whose capital is S
        f"https://open.\u017fpotify.com/album/{ID}",
        f"https://open.spotify\u3002com/album/{ID}",  # an ideographic full stop
        f"https://\u043epen.spotify.com/album/{ID}",  # a Cyrillic o
        "https://spotify.link/../../x",
        "https://spotify.link/a/b",
        "https://spotify.link.evil.example/abc",
        "https://spotify.link@evil.example/abc",
        f"\x00{ID}",
        f"{ID}\x00",
        f"https://open.spotify.com/album/{ID}\x00",
        f"{ID[:11]}\x00{ID[12:]}",
        f"\u202e{ID}",
        f"\u200f{ID}\u200e",
        f"\u2066https://open.spotify.com/album/{ID}\u2069",
        "Kid\x00A",
        "Kid\x1b[31mA",
        "Kid\x85A",
        "Kid\u202eA",
        "Kid\ud800A",
        "Kid A ://",
        "spotify:",
    ],
)
def test_hostile_text_is_no_album_and_never_searched(text: str) -> None:
    found = read(text)
    assert found
    assert all(isinstance(reference, Unreadable) for reference in found), found


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_every_character_that_turns_the_direction_is_refused_and_never_shown(turn: str) -> None:
    for text in (f"Kid{turn}A", f"{turn}{ID}", f"https://open.spotify.com/album/{ID}{turn}"):
        (found,) = read(text)
        assert isinstance(found, Unreadable), text
        assert turn not in found.shown


@pytest.mark.parametrize("text", [f"{ID}\r\nHost: evil.example", f"x\r\nspotify:album:{ID}\r\n\r\n{{}}"])
def test_a_line_break_only_parts_what_stands_around_it(text: str) -> None:
    found = read(text)
    assert albums(found) == [ID]
    assert all("\r" not in str(vars_of(reference)) for reference in found)


@pytest.mark.parametrize("digit", ["\u0664", "\uff14", "\u09ea", "\u00b2"])
def test_digits_of_other_scripts_make_no_id(digit: str) -> None:
    assert albums(read(digit + ID[1:])) == []
    assert albums(read(f"spotify:album:{digit}{ID[1:]}")) == []


def vars_of(reference: Reference) -> list[str]:
    return [getattr(reference, name) for name in reference.__dataclass_fields__]


# -- one link


def test_one_link_is_read_where_one_is_expected() -> None:
    assert read_link(f"https://open.spotify.com/album/{ID}") == ALBUM
    assert read_link(f"{ID} {OTHER}") is None
    assert read_link("slow harbour") is None
    assert read_link("") is None
    assert read_link(f"https://evil.example/ https://open.spotify.com/album/{ID}") is None


# -- what always holds


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    check(text)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(SHARDS),
            st.sampled_from((" ", "\n", "\x1c", "\u2028", "")),
            st.text(max_size=3),
            ids,
        ),
        max_size=12,
    ).map("".join)
)
def test_no_text_that_looks_like_a_link_makes_it_raise(text: str) -> None:
    check(text)


def check(text: str) -> None:
    """What holds for every text."""
    found = read(text)
    read_link(text)
    assert len(set(found)) == len(found)
    for reference in found:
        match reference:
            case AlbumRef(id_) | TrackRef(id_):
                assert re.fullmatch(r"[0-9A-Za-z]{22}", id_)
                assert id_ in text
            case ShortLink(host, path):
                assert host in ("spotify.link", "spotify.app.link", "open.spotify.com")
                assert re.fullmatch(r"(/s)?/[0-9A-Za-z_-]{1,64}", path)
            case SearchText(words):
                assert len(found) == 1
                assert 0 < len(words) <= 250
                assert "://" not in words
                assert "spotify:" not in words.lower()
                assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in words)
                assert not any(unicodedata.bidirectional(c) in DIRECTION for c in words)
                assert not set(words) & {"\u061c", "\u200e", "\u200f"}
            case Unreadable(text_shown) | Ignored(text_shown) | NotAnAlbum(_, text_shown):
                assert len(text_shown) <= 60
                assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text_shown)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(ids, forms, wrappers), min_size=1, max_size=8),
    st.lists(st.sampled_from((" ", "\n", ", ", "  ", " and ")), min_size=7, max_size=7),
)
def test_any_id_in_any_form_and_wrapper_is_found_in_order_and_once(
    items: list[tuple[str, str, str]], separators: list[str]
) -> None:
    pieces = [wrapper.format(form.format(id_)) for id_, form, wrapper in items]
    text = pieces[0] + "".join(sep + piece for sep, piece in zip(separators, pieces[1:], strict=False))
    assert albums(read(text)) == list(dict.fromkeys(id_ for id_, _, _ in items))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ids, st.sampled_from([f for f in FORMS if "," not in f])), min_size=2, max_size=8))
def test_ids_and_links_joined_by_bare_commas_are_found(items: list[tuple[str, str]]) -> None:
    text = ",".join(form.format(id_) for id_, form in items)
    assert albums(read(text)) == list(dict.fromkeys(id_ for id_, _ in items))


@settings(max_examples=100, deadline=None)
@given(st.lists(ids, min_size=1, max_size=50))
def test_reading_an_albums_own_address_gives_its_id(wanted: list[str]) -> None:
    text = " ".join(album_url(AlbumId(id_)) for id_ in wanted)
    assert albums(read(text)) == list(dict.fromkeys(wanted))


# -- time


@pytest.mark.parametrize(
    "separator",
    [" ", ",", ", ", "\n", ") [x](", ") (", ">,<"],
    ids=["space", "comma", "both", "line", "masked", "round", "angle"],
)
def test_10000_ids_are_read_in_linear_time(separator: str) -> None:
    wanted = [f"{number:022d}" for number in range(10_000)]
    assert within(2.0, separator.join(wanted) + ")") == wanted


@pytest.mark.parametrize(
    "nasty",
    [
        "(",
        "[",
        ",",
        "<",
        "[](",
        "[a](",
        "[](a",
        "[]( ",
        "[](<",
        "](",
        "((((,",
        "spotify:",
        "spotify:album:,",
        "://",
        "https://open.spotify.com/album/",
        f"https://open.spotify.com/album/{ID}?",
        f"https://open.spotify.com/album/{ID}?,",
        "open.spotify.com/user/",
        "https://spotify.link/a,",
        "a",
        "a,",
        "\u202e",
        "\x00",
        "é",
        "\u0301",
    ],
)
def test_nasty_texts_are_read_in_linear_time(nasty: str) -> None:
    within(2.0, nasty * (240_000 // len(nasty)))


def within(seconds: float, text: str) -> list[str]:
    began = time.perf_counter()
    found = read(text)
    assert time.perf_counter() - began < seconds
    return albums(found)


# -- what is compared and shown


def test_titles_are_compared_without_case_accents_and_spacing() -> None:
    assert fold("  Été   INDIEN ") == fold("ete indien")
    assert fold("Straße") == fold("STRASSE")
    assert fold("\uff11\uff19\uff18\uff19") == fold("1989")
    assert fold("Home") != fold("Homes")


def test_what_is_shown_back_is_one_short_line() -> None:
    assert shown("a\x00b\r\nc\u202ed") == "a b c d"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 59 + "…"


def test_an_album_knows_its_page_and_who_it_is_by() -> None:
    album = Album(AlbumId(ID), "Slow Harbour", ("A", "B"), "2011", None)
    assert album.url == f"https://open.spotify.com/album/{ID}"
    assert album.by == "A, B"
