"""Pasted text: what members paste and type, what attackers paste, and what always holds."""

from __future__ import annotations

import re
import string
import sys
import time
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.albums import (
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
    shown,
)
from bot.links import read_link
from bot.pasted_text import MAX_TITLES, is_searchable, read

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
    "https://open.spotify.com/intl-es-419/album/{}",
    "https://open.spotify.com/intl-zh-hant-tw/album/{}?si=1",
    "https://play.spotify.com/album/{}",
    "play.spotify.com/album/{}",
    "HTTPS://Open.Spotify.Com/Album/{}",
    "www.open.spotify.com/album/{}",
    "https://www.open.spotify.com/intl-de/album/{}?si=1",
    "https://open.spotify.com:443/album/{}",
    "http://open.spotify.com:80/album/{}",
    "open.spotify.com:443/album/{}",
    "https://embed.spotify.com/album/{}",
    "https://open.spotify.com/album/%20{}",
    "https://spotify.com/album/{}",
    "https://www.spotify.com/album/{}",
    "spotify.com:443/album/{}",
    "https://embed.spotify.com:443/album/{}",
    "https://open.spotify.com:/album/{}",
    "https://open.spotify.com:0443/album/{}",
    "https://open.spotify.com./album/{}",
    "open.spotify.com./album/{}?si=1",
    "https://open.spotify.com/de/album/{}",
    "https://open.spotify.com/pt-BR/album/{}",
    "https://open.spotify.com/embed/intl-de/album/{}",
    "https://open.spotify.com/embed-legacy/album/{}",
    "ttps://open.spotify.com/album/{}",
    "ttp://open.spotify.com/album/{}",
    "//open.spotify.com/album/{}",
    "://open.spotify.com/album/{}",
    "https:/open.spotify.com/album/{}",
    "https//open.spotify.com/album/{}",
    "https:open.spotify.com/album/{}",
    "https;//open.spotify.com/album/{}",
    "https://https://open.spotify.com/album/{}",
    "http://https://spotify.com/album/{}",
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
# What nobody sees: of width zero, the marks of a direction, those that embed and isolate one, and their ends.
UNSEEN = (
    *("\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u180e", "\u061c", "\u200e", "\u200f"),
    *("\u202a", "\u202b", "\u202c", "\u2066", "\u2067", "\u2068", "\u2069", "\u3164", "\U000e0020"),
)
# These two show text in another order than it has.
OVERRIDES = ("\u202d", "\u202e")
# What links are made of, and what breaks them.
SHARDS = (
    *("https://open.spotify.com/album/", "open.spotify.com", "spotify.link", "spotify:album:", "spotify:", "://"),
    *("album", "track", "intl-de", "embed", "user", "s", "words", ID, OTHER),
    *"/?#,.%@[]()<>\x00\x85\u202e\ud800",
)

ids = st.text(string.ascii_letters + string.digits, min_size=22, max_size=22)
forms, wrappers = st.sampled_from(FORMS), st.sampled_from(WRAPPERS)


def wide(text: str) -> str:
    """A text in full-width letters and signs."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


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


@pytest.mark.parametrize("form", [form for form in FORMS if form != "{}"])
def test_a_link_in_full_width_letters_is_read(form: str) -> None:
    assert read(wide(form.format(ID))) == [ALBUM]
    assert read(f"{wide(form.format(ID))}\u3000{wide(form.format(OTHER))}") == [ALBUM, AlbumRef(AlbumId(OTHER))]
    assert read(f"「{wide(form.format(ID))}」。") == [ALBUM]
    before, after = form.split("{}")
    assert read(f"{wide(before)}{ID}{after}") == [ALBUM]


def test_a_title_in_full_width_letters_is_searched_for_as_it_is() -> None:
    assert read(wide("Blue")) == [SearchText(wide("Blue"))]


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


@pytest.mark.parametrize("kind", ["playlist", "artist", "show", "episode", "prerelease", "audiobook"])
@pytest.mark.parametrize("before", ["", "/", "intl-de/", "/intl-de/"])
def test_what_is_no_album_is_named_without_its_host(kind: str, before: str) -> None:
    text = f"{before}{kind}/{ID}"
    assert read(text) == [NotAnAlbum(kind, text)]


def test_a_track_is_read_without_its_host() -> None:
    assert read(f"track/{ID}") == [TrackRef(ID)]
    assert read(f"/intl-de/track/{ID}?si=1") == [TrackRef(ID)]


def test_several_albums_without_their_host_are_all_read() -> None:
    assert albums(read(f"album/{ID},/album/{OTHER} and artist/x")) == [ID, OTHER]
    assert albums(read(f"album/{ID}\n{OTHER}")) == [ID, OTHER]


@pytest.mark.parametrize(
    "text",
    [
        *(f"my/album/{ID}", f"example.org/album/{ID}", f"album/{ID}x", f"album/{ID}/x", f"albums/{ID}"),
        *("Album/Single", "Show/Me", "artist/abcdefghijklmnopqrstuv", f"Blue/{ID}"),
    ],
)
def test_a_title_with_a_slash_is_searched_for(text: str) -> None:
    assert read(text) == [SearchText(text)]


def test_22_letters_behind_album_and_a_slash_may_be_words() -> None:
    text = "album/abcdefghijklmnopqrstuv"
    assert read(text) == [AlbumRef(AlbumId("abcdefghijklmnopqrstuv"))]
    assert words_of(read(text)) == [text]


def test_signs_behind_a_host_alone_are_no_part_of_it() -> None:
    assert read("See support.spotify.com, please")[0] == NotAnAlbum("page", "support.spotify.com")
    assert read("See (open.spotify.com).")[0] == NotAnAlbum("page", "open.spotify.com")


def test_a_kind_that_nobody_knows_is_a_page() -> None:
    assert read(f"https://open.spotify.com/hologram/{ID}") == [
        NotAnAlbum("page", f"https://open.spotify.com/hologram/{ID}")
    ]


def test_an_old_playlist_address_is_a_playlist() -> None:
    assert read(f"spotify:user:ada:playlist:{ID}") == [NotAnAlbum("playlist", f"spotify:user:ada:playlist:{ID}")]


# -- links with nothing, or with any sign, beside them

LINKS = (
    "https://open.spotify.com/album/{}",
    "https://open.spotify.com/album/{}?si=8R3lLxP4TtCRy3Yb0HqPjw",
    "https://open.spotify.com/intl-de/album/{}?si=8R3lLxP4&context=spotify%3Aalbum%3Ax",
    "https://open.spotify.com/album/{}?si=",
    "https://open.spotify.com/album/{}/",
    "https://open.spotify.com/album/{}%3Fsi%3D8R3lLxP4",
    "http://play.spotify.com/album/{}#play",
    "spotify:album:{}",
    "spotify:album:{}?si=8R3lLxP4",
    "spotify://album/{}",
    "open.spotify.com/album/{}",
    "spotify.com/album/{}",
    "www.spotify.com/album/{}?si=8R3lLxP4",
    "https%3A%2F%2Fopen.spotify.com%2Falbum%2F{}",
)
GLUE = (
    "",
    ";",
    "|",
    "/",
    ",",
    "; ",
    " / ",
    "||",
    "//",
    "、",
    "。",
    "->",
    "→",
    "\u3000",
    "\u200b",
    "\ufeff",
    ")(",
    "><",
    "\t",
    "\v",
    "\x85",
    *("+", "&", "#", "?", "!", "@", ":", "\\", "~", "*", "^", "$", "_", "-", ".", "...", "=>", "\u2022", "\u060c"),
    *("🎵", "&amp;", "<br>", "</p><p>", "\u2014", '"', "'", "`", "\u00a0", "\u2028"),
)


@pytest.mark.parametrize("glue", GLUE, ids=ascii)
def test_two_links_are_read_whatever_is_between_them(glue: str) -> None:
    pairs = {(a, b): read(f"{a.format(ID)}{glue}{b.format(OTHER)}") for a in LINKS for b in LINKS}
    assert [pair for pair, found in pairs.items() if albums(found) != [ID, OTHER]] == []


@pytest.mark.parametrize("glue", [";", "|", "/", "+", ",", ", ", "、", "\n", "\u200b "], ids=ascii)
def test_two_ids_are_read_whatever_separates_them(glue: str) -> None:
    assert read(f"{ID}{glue}{OTHER}") == [ALBUM, AlbumRef(AlbumId(OTHER))]


def test_an_id_behind_a_links_query_is_read() -> None:
    for glue in (",", ";", "|", "/"):
        assert albums(read(f"https://open.spotify.com/album/{ID}?si=abc{glue}{OTHER}")) == [ID, OTHER]


def test_a_link_behind_another_that_no_parameter_names_is_read() -> None:
    for glue in ("?si=abc=", "?si=abc&x=y=", "?si=", "#", "?", "&"):
        for link in (f"https://open.spotify.com/album/{OTHER}", f"spotify.com/album/{OTHER}"):
            assert albums(read(f"https://open.spotify.com/album/{ID}{glue}{link}")) == [ID, OTHER], (glue, link)


def test_a_link_in_a_links_query_is_a_part_of_it() -> None:
    query = f"?highlight=spotify:track:{OTHER}&context=https://open.spotify.com/playlist/{OTHER}"
    assert read(f"https://open.spotify.com/album/{ID}{query}") == [ALBUM]


@pytest.mark.parametrize(
    "link", ["https://youtu.be/abc", "https://example.org/x", f"https://open.spotify.com/artist/{ID}"]
)
@pytest.mark.parametrize("glue", [",", ";", "|"])
def test_a_link_behind_another_address_is_read(link: str, glue: str) -> None:
    found = read(f"{link}{glue}https://open.spotify.com/album/{OTHER}")
    assert albums(found) == [OTHER]
    assert isinstance(found[0], NotAnAlbum | Unreadable)
    assert found[0].shown == link[:59] + "…" * (len(link) > 60)


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_characters_that_nobody_sees_do_not_matter_beside_a_link(unseen: str) -> None:
    for link in (form.format(ID) for form in FORMS):
        assert read(f"{unseen}{link}{unseen}") == [ALBUM], link
        assert read(f"so good:{unseen} {unseen}{link}{unseen}") == [ALBUM, Ignored("so good")], link


@pytest.mark.parametrize(
    "wrapper",
    ["{}。", "（{}）", "「{}」", "『{}』", "【{}】", "《{}》", "{}、", "{}！", "{}？", "{}，", "“{}”。", "‹{}›", "„{}“", "→{}", "🎵{}🎵", "{}…", "~~{}~~", "__{}__", "-{}-"],
)  # fmt: skip
def test_signs_of_every_script_around_a_link_are_taken_off(wrapper: str) -> None:
    assert [form for form in FORMS if read(wrapper.format(form.format(ID))) != [ALBUM]] == []


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        (f"聴いてhttps://open.spotify.com/album/{ID}とても良い", "聴いて とても良い"),
        (f"Blue:https://open.spotify.com/album/{ID}?si=a。great", "Blue: 。great"),
        (f"listenhttps://open.spotify.com/album/{ID}", "listen"),
        (f"open.spotify.com/album/{ID},great", "great"),
        (f"{ID},great", "great"),
        (f"Blue(spotify:album:{ID})", "Blue"),
    ],
)
def test_words_glued_to_a_link_are_told(text: str, beside: str) -> None:
    found = read(text)
    assert found[0] == ALBUM
    assert [reference.shown.strip(" ,()") for reference in found[1:] if isinstance(reference, Ignored)] == [beside]


@pytest.mark.parametrize(
    "text",
    [
        '<iframe style="border-radius:12px" src="https://open.spotify.com/embed/album/{}?utm_source=generator&theme=0"'
        ' width="100%" height="352" frameBorder="0" allowfullscreen="" allow="autoplay; clipboard-write;'
        ' encrypted-media; fullscreen; picture-in-picture" loading="lazy"></iframe>',
        "<iframe src='https://open.spotify.com/embed/album/{}' />",
        "<iframe src='//open.spotify.com/embed/album/{}'></iframe>",
        "<IFRAME\nSRC=“https://open.spotify.com/embed/album/{}”\nwidth=“300”></IFRAME>",
        "https://embed.spotify.com/?uri=spotify:album:{}",
        "https://embed.spotify.com/?uri=spotify%3Aalbum%3A{}",
        "https://embed.spotify.com/?theme=white&uri=https://open.spotify.com/album/{}",
        "https://open.spotify.com/embed?uri=spotify:album:{}",
        "https://open.spotify.com/oembed?url=https%3A%2F%2Fopen.spotify.com%2Falbum%2F{}",
        '<a href="https://open.spotify.com/album/{}" target="_blank"></a>',
        '[x](https://open.spotify.com/album/{} "title")',
        "[x](https://open.spotify.com/album/{} 'it')",
        '[x](<https://open.spotify.com/album/{}>\n"a title of more words")',
        "https://open.spotify.com//album/{}",
        "https://open.spotify.com/album//{}",
        "https://open.spotify.com/intl-de//album/{}",
        "https://open.spotify.com/album/{}%3Fsi%3D8R3lLxP4TtCRy3Yb0HqPjw",
        "https://open.spotify.com/album/{}%3fsi=1",
        "https://open.spotify.com/album/{}&si=1",
        "https://open.spotify.com/embed-podcast/album/{}",
        "https%3a%2f%2fopen.spotify.com%2falbum%2f{}%3fsi%3d1",
        "spotify%3Aalbum%3A{}",
        "spotify:album:{}?si=8R3lLxP4",
        "album/{}",
        "/album/{}",
        "ALBUM/{}/",
        "/album/{}?si=8R3lLxP4TtCRy3Yb0HqPjw",
        "intl-de/album/{}",
        "/intl-pt-br/album/{}",
        "embed/album/{}",
        "spotify/album/{}",
        "album:{}",
        "(album/{})",
        "1. /album/{}",
        "https://accounts.spotify.com/login?continue=https%3A%2F%2Fopen.spotify.com%2Falbum%2F{}",
        "https://accounts.spotify.com/en/v2/login?x=1&continue=https://open.spotify.com/album/{}",
        "spotify:user:ada:album:{}",
        "spotify://album/{}",
        "https%253A%252F%252Fopen.spotify.com%252Falbum%252F{}",
        "https://open.spotify.com/album/{}%253Fsi%253D8R3lLxP4",
        "https://open.spotify.com/album/{}%20",
        "https://open.spotify.com/album/{}%0A",
        "https://open.spotify.com/album/{}%2C%20",
        "spotify:album:{}%20",
        "{}%20",
        r"https:\/\/open.spotify.com\/album\/{}",
        r'["https:\/\/open.spotify.com\/album\/{}"]',
        r"https:\u002F\u002Fopen.spotify.com\u002Falbum\u002F{}",
        "&lt;https://open.spotify.com/album/{}&gt;",
        "&quot;https://open.spotify.com/album/{}&quot;",
        "https://open.spotify.com/album/{}?si=1&amp;nd=1",
        "<ul><li><a href='https://open.spotify.com/album/{}'></a></li></ul>",
        "https\uff1a//open.spotify.com/album/{}",
        "https://open\uff0espotify\uff0ecom\uff0falbum\uff0f{}",
        "spotify\uff1aalbum\uff1a{}",
        "1) https://open.spotify.com/album/{}",
        "1.https://open.spotify.com/album/{}",
        "(1)https://open.spotify.com/album/{}",
        "#1 https://open.spotify.com/album/{}",
        "\u2460https://open.spotify.com/album/{}",
        "1\ufe0f\u20e3 spotify:album:{}",
        "- https://open.spotify.com/album/{}",
        "- [x] https://open.spotify.com/album/{}",
        "https://open.spotify.com/go?uri=spotify:album:{}&rtd=1",
        "https://open.spotify.com/?uri=spotify%3Aalbum%3A{}",
        "| --- |\n| https://open.spotify.com/album/{} |",
        "[Blue [Deluxe]](https://open.spotify.com/album/{})",
        f"[a [b] {OTHER} [c]](https://open.spotify.com/album/{{}})",
        r"[Blue \[Deluxe\]](https://open.spotify.com/album/{})",
        "```py\n{}\n```",
        "<@123456789012345678> https://open.spotify.com/album/{}",
        "<@&123456789012345678><#123456789012345678>https://open.spotify.com/album/{}<:heart:123456789012345678>",
        "<t:1700000000:R> </save:123456789012345678> {} <a:party_1:123456789012345678>",
        "## https://open.spotify.com/album/{}",
    ],
)
def test_what_players_pages_and_programs_give_is_read(text: str) -> None:
    assert read(text.format(ID)) == [ALBUM]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://open.spotify.com/user/ada", "user"),
        ("open.spotify.com/user/ada?si=1", "user"),
        ("spotify:user:ada", "user"),
        ("https://open.spotify.com/collection", "collection"),
        ("https://open.spotify.com/collection/albums", "collection"),
        ("spotify:collection", "collection"),
        ("spotify:user:ada:collection", "collection"),
        ("spotify:local:Low:Hey+What:White:231", "local"),
        ("spotify:local:::x.mp3:0", "local"),
        ("https://open.spotify.com/search/blue", "search"),
        ("spotify:search:blue", "search"),
        (f"https://open.spotify.com/artist/{ID}/discography/album", "artist"),
        (f"spotify:artist:{ID}:top:tracks", "artist"),
        ("https://open.spotify.com/playlist/37i9", "playlist"),
        ("https://open.spotify.com/intl-de/playlist/37i9", "playlist"),
        ("https://open.spotify.com/", "page"),
        ("open.spotify.com", "page"),
        ("https://open.spotify.com/genre/rock", "page"),
        ("https://support.spotify.com/us/article/family-plan/", "page"),
        ("support.spotify.com", "page"),
        ("artists.spotify.com", "page"),
        ("https://developer.spotify.com/dashboard", "page"),
        ("https://accounts.spotify.com/en/login?continue=x", "page"),
        ("https://www.spotify.com/account/apps/", "page"),
        ("www.spotify.com/de/premium/?ref=x#plans", "page"),
        ("spotify.com", "page"),
        ("https://newsroom.spotify.com/2026-01-01/an-album/", "page"),
        ("community.spotify.com/t5/a/b", "page"),
        ("https://charts.spotify.com/charts/view/regional-global-weekly/latest", "page"),
        (f"https://api.spotify.com/v1/albums/{ID}", "page"),
        ("youtu.be/dQw4w9WgXcQ", "YouTube"),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "YouTube"),
        ("music.youtube.com/playlist?list=x", "YouTube"),
        ("music.apple.com/de/album/blue/1", "Apple Music"),
        ("https://geo.music.apple.com/us/album/_/1?app=music", "Apple Music"),
        ("itunes.apple.com/us/album/id1", "Apple Music"),
        ("tidal.com/browse/album/1", "TIDAL"),
        ("https://listen.tidal.com/album/1", "TIDAL"),
        ("www.deezer.com/album/1", "Deezer"),
        ("deezer.page.link/abc", "Deezer"),
        ("soundcloud.com/a/sets/b", "SoundCloud"),
        ("on.soundcloud.com/abc", "SoundCloud"),
        ("ada.bandcamp.com/album/blue", "Bandcamp"),
        ("HTTPS://ADA.BANDCAMP.COM", "Bandcamp"),
        ("music.amazon.co.uk/albums/B0", "Amazon Music"),
        ("open.qobuz.com/album/x", "Qobuz"),
        ("www.discogs.com/master/1", "Discogs"),
        ("musicbrainz.org/release/1", "MusicBrainz"),
        ("https://beta.musicbrainz.org/release-group/1", "MusicBrainz"),
        ("https://www.amazon.de/Blue/dp/B0", "Amazon"),
        ("amzn.to/abc", "Amazon"),
        ("a.co/d/abc", "Amazon"),
        ("dzr.page.link/abc", "Deezer"),
        ("link.deezer.com/s/abc", "Deezer"),
        ("embed.tidal.com/albums/1", "TIDAL"),
        ("embed.music.apple.com/us/album/1", "Apple Music"),
        ("apple.co/abc", "Apple Music"),
        ("www.youtube-nocookie.com/embed/abc", "YouTube"),
        ("ada.lnk.to/blue", "Linkfire"),
        ("genius.com/albums/Ada/Blue", "Genius"),
        ("https://en.wikipedia.org/wiki/Blue", "Wikipedia"),
        ("de.m.wikipedia.org/wiki/Blue", "Wikipedia"),
        ("www.allmusic.com/album/blue-mw1", "AllMusic"),
        ("www.albumoftheyear.org/album/1", "Album of the Year"),
        ("music.yandex.ru/album/1", "Yandex Music"),
        ("https://y.qq.com/n/ryqq/albumDetail/1", "QQ Music"),
        ("music.163.com/album?id=1", "NetEase Cloud Music"),
        ("songwhip.com/ada/blue", "Songwhip"),
        ("play.napster.com/album/1", "Napster"),
        ("album.link/i/1", "Songlink"),
        ("https://discord.com/channels/1/2/3", "Discord"),
        ("ptb.discord.com/channels/1/2/3", "Discord"),
        ("discord.gg/abc", "Discord"),
        ("vm.tiktok.com/abc", "TikTok"),
        ("https://x.com/ada/status/1", "X"),
        ("www.instagram.com/p/abc", "Instagram"),
        ("ada.ffm.to/blue", "Feature.fm"),
        ("linktr.ee/ada", "Linktree"),
        ("m.vk.com/music", "VK"),
        ("https://pitchfork.com/reviews/albums/blue/", "Pitchfork"),
        ("old.reddit.com/r/albums", "Reddit"),
        ("https://redd.it/abc", "Reddit"),
        ("musicboard.app/album/blue", "Musicboard"),
        ("www.sputnikmusic.com/album/1/blue/", "Sputnikmusic"),
        ("m.facebook.com/ada", "Facebook"),
        ("www.metacritic.com/music/blue/joni", "Metacritic"),
        ("amzn.eu/d/abc", "Amazon"),
        ("music.line.me/album/1", "LINE MUSIC"),
        ("www.melon.com/album/1", "Melon"),
        ("gaana.com/album/blue", "Gaana"),
        ("spoti.fi/3xYz-Ab", "spoti.fi"),
        ("http://spoti.fi/3xYzAb?si=1", "spoti.fi"),
    ],
)
def test_other_pages_and_services_are_named_with_and_without_a_scheme(text: str, kind: str) -> None:
    assert read(text) == [NotAnAlbum(kind, shown(text))]
    assert read(f"「{text}」。") == [NotAnAlbum(kind, shown(text))]
    assert read(f"<{text}>") == [NotAnAlbum(kind, shown(text))]


# -- titles


def titles(text: str) -> list[tuple[str, tuple[str, ...]]]:
    found = read(text)
    assert all(isinstance(reference, SearchText) for reference in found), found
    return [(reference.text, reference.within) for reference in found if isinstance(reference, SearchText)]


@pytest.mark.parametrize(
    "end", ["\n", "\r\n", "\r", "\n\n", " \n\t", "\v", "\f", "\x85", "\u2028", "\u2029", "\n\u200b\n"], ids=ascii
)
def test_each_line_is_a_title_of_its_own(end: str) -> None:
    assert titles(end.join(["Blue", "Hejira", "Slow Harbour"])) == [("Blue", ()), ("Hejira", ()), ("Slow Harbour", ())]


def test_two_lines_may_be_a_title_and_its_artist() -> None:
    assert titles("Blue\nJoni Mitchell") == [
        ("Blue", ("Blue Joni Mitchell",)),
        ("Joni Mitchell", ("Blue Joni Mitchell",)),
    ]
    assert titles("Blue\nJoni Mitchell\n(1971)")[0] == ("Blue", ("Blue Joni Mitchell (1971)",))


@pytest.mark.parametrize("comma", [",", ", ", " , ", "; ", ";\t", "、", "，", "；"])
def test_each_part_between_commas_is_a_title_that_may_also_be_part_of_one(comma: str) -> None:
    text = f"Tyler{comma}The Creator"
    whole = " ".join(text.split())
    assert titles(text) == [("Tyler", (whole,)), ("The Creator", (whole,))]


def test_a_line_with_commas_below_another_has_both_readings() -> None:
    assert titles("Gratitude\nEarth, Wind & Fire") == [
        ("Gratitude", ("Gratitude Earth, Wind & Fire",)),
        ("Earth", ("Gratitude Earth, Wind & Fire", "Earth, Wind & Fire")),
        ("Wind & Fire", ("Gratitude Earth, Wind & Fire", "Earth, Wind & Fire")),
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10,000 Days, 22, A Million", ["10,000 Days", "22", "A Million"]),
        ("Blue (Live, 1974), Hejira", ["Blue (Live, 1974)", "Hejira"]),
        ('"Blue, Live", Hejira', ['"Blue, Live"', "Hejira"]),
        ("「青、白」、Hejira", ["「青、白」", "Hejira"]),
        ('7" singles, 12", b', ['7" singles, 12"', "b"]),
        ("Blue,, ,Hejira,", ["Blue", "Hejira"]),
        ("1. Blue\n2. Hejira\n3) Mingus", ["Blue", "Hejira", "Mingus"]),
        ("- Blue\n* Hejira\n• Mingus\n– Low", ["Blue", "Hejira", "Mingus", "Low"]),
        ("> Blue\n> Hejira\n> > Mingus", ["Blue", "Hejira", "Mingus"]),
        (">>> Blue\nHejira\nMingus", ["Blue", "Hejira", "Mingus"]),
        ("[x] Blue\n[ ] Hejira\n[] Mingus", ["Blue", "Hejira", "Mingus"]),
        ("- [ ] Blue\n- [x] Hejira\n> * [X] Mingus", ["Blue", "Hejira", "Mingus"]),
        ("```\nBlue\nHejira\n---\nMingus\n```", ["Blue", "Hejira", "Mingus"]),
        ("1.Blue\n2.Hejira", ["Blue", "Hejira"]),
        ("(1) Blue\n(2) Hejira", ["Blue", "Hejira"]),
        ("[1] Blue\n[2] Hejira", ["Blue", "Hejira"]),
        ("#1 Blue\n#2 Hejira", ["Blue", "Hejira"]),
        ("1 - Blue\n2 - Hejira", ["Blue", "Hejira"]),
        ("1: Blue\n2: Hejira\n3: 22", ["Blue", "Hejira", "22"]),
        ("01 Blue\n02 Hejira", ["Blue", "Hejira"]),
        ("\uff11\uff0eBlue\n\uff12\uff0eHejira", ["Blue", "Hejira"]),
        ("1\u3001Blue\n2\u3001Hejira", ["Blue", "Hejira"]),
        ("\u2460 Blue\n\u2461Hejira", ["Blue", "Hejira"]),
        ("1\ufe0f\u20e3 Blue\n2\ufe0f\u20e3 Hejira", ["Blue", "Hejira"]),
        ("№ 1. Blue\n№ 2. Hejira", ["Blue", "Hejira"]),
        ("3 Feet High\n4 Way Street", ["3 Feet High", "4 Way Street"]),
        ("1 Blue\nHejira", ["1 Blue", "Hejira"]),
        ("19\n21", ["19", "21"]),
        ("・Blue\n・Hejira", ["Blue", "Hejira"]),
        ("→ Blue\n→ Hejira", ["Blue", "Hejira"]),
        ("+ Blue\n+ Hejira", ["Blue", "Hejira"]),
        ("✅ Blue\n❌ Hejira", ["Blue", "Hejira"]),
        ("÷\n×\n+", ["÷", "×", "+"]),
        ("+ Blue\nHejira", ["+ Blue", "Hejira"]),
        ("| Blue | Joni |\n|:---|---:|\n| Hejira | Joni |", ["Blue | Joni", "Hejira | Joni"]),
        ("```json\nBlue\nHejira\n```", ["Blue", "Hejira"]),
        ('["Blue", "Hejira, Live"]', ['"Blue"', '"Hejira, Live"']),
        ("[Blue, Hejira]", ["[Blue, Hejira]"]),
        ("Blue، Hejira؛ Mingus", ["Blue", "Hejira", "Mingus"]),
        ("<ul><li>Blue</li><li>Hejira</li></ul>", ["Blue", "Hejira"]),
        ("<b>Blue</b><br/>Hejira", ["Blue", "Hejira"]),
        ("<b>", ["<b>"]),
        ("<a.b c>, <link.c>", ["<a.b c>", "<link.c>"]),
        ("Simon &amp; Garfunkel", ["Simon & Garfunkel"]),
        ("Rock &#39;n&#39; Roll", ["Rock 'n' Roll"]),
        ("R&B; Soul", ["R&B", "Soul"]),
        ("> Blue", ["> Blue"]),
        ("---", ["---"]),
        ("***\n---", ["***", "---"]),
        ("Blue,\nHejira,\nMingus", ["Blue", "Hejira", "Mingus"]),
        ("Artist: Joni Mitchell\nAlbum: Blue", ["Joni Mitchell", "Blue"]),
        ("Titel: Blau\nInterpret\uff1a Ada\nJahr: 1971", ["Blau", "Ada", "1971"]),
        ("Album: Blue\nHejira", ["Album: Blue", "Hejira"]),
        ("Album: Blue", ["Album: Blue"]),
        ("1. Joni \u2013 Blue (36:14)\n2. Low \u2013 Hey What (1:46:20)", ["Joni \u2013 Blue", "Low \u2013 Hey What"]),
        ("Blue\t36:14\nHejira - 52:05", ["Blue", "Hejira"]),
        ("4:44\nHejira 52:05", ["4:44", "Hejira 52:05"]),
        ("JAY-Z 4:44", ["JAY-Z 4:44"]),
        ("# Blue\n## Hejira\n-# Mingus", ["Blue", "Hejira", "Mingus"]),
        ("<@123456789012345678> Blue <:heart:123456789012345678>", ["Blue"]),
        ("Blue <t:1700000000>\n</save:123456789012345678> Hejira", ["Blue", "Hejira"]),
        ("<@123456789012345678>", ["<@123456789012345678>"]),
        ("I <3 Blue", ["I <3 Blue"]),
        ("Blue\nBlue\nHejira", ["Blue", "Hejira"]),
        (")Blue, ((Hejira", [")Blue", "((Hejira"]),
        (",", [","]),
    ],
)
def test_what_separates_titles_and_what_does_not(text: str, wanted: list[str]) -> None:
    assert [title for title, _ in titles(text)] == wanted


def test_one_line_in_a_list_that_cannot_be_searched_costs_only_itself() -> None:
    found = read("Blue\nKid\x00A\nHejira, Min\u202egus")
    assert found == [SearchText("Blue"), Unreadable("Kid A"), SearchText("Hejira"), Unreadable("Min gus")]


def test_more_titles_than_are_searched_for_are_named() -> None:
    found = read("\n".join(f"Title {number}" for number in range(MAX_TITLES + 2)))
    assert found[:MAX_TITLES] == [SearchText(f"Title {number}") for number in range(MAX_TITLES)]
    assert found[MAX_TITLES:] == [Ignored(f"Title {MAX_TITLES}, Title {MAX_TITLES + 1}", is_too_much=True)]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_what_is_searched_holds_no_character_that_nobody_sees(unseen: str) -> None:
    assert read(f"{unseen}Kid{unseen} A{unseen}\n{unseen}Low") == [SearchText("Kid A"), SearchText("Low")]


def test_no_format_character_of_unicode_is_searched() -> None:
    every = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) == "Cf"]
    for c in every:
        for reference in read(f"Kid{c}A"):
            assert isinstance(reference, Unreadable if c in OVERRIDES else SearchText), ascii(c)
            assert c not in str(vars_of(reference))


WORD = "Honorificabilitudinita"  # Shakespeare's longest word, almost


def test_22_letters_without_a_link_may_be_a_word() -> None:
    found = read(WORD)
    assert found == [AlbumRef(AlbumId(WORD))]
    assert words_of(found) == [WORD]
    assert words_of(read(ID)) == [""]
    assert words_of(read(f"spotify:album:{WORD}")) == [""]


def test_words_beside_22_letters_are_searched_with_them() -> None:
    found = read(f"{WORD} by  Shakespeare")
    assert found == [AlbumRef(AlbumId(WORD))]
    assert words_of(found) == [f"{WORD} by Shakespeare"]


def test_22_letters_in_a_list_of_titles_leave_the_others_titles() -> None:
    for text in (f"Blue\n{WORD}\nHejira", f"Blue, {WORD}, Hejira"):
        found = read(text)
        assert found == [SearchText("Blue"), AlbumRef(AlbumId(WORD)), SearchText("Hejira")]
        assert words_of(found) == [WORD]


def test_22_letters_in_two_titles_are_both_searched_for() -> None:
    found = read(f"{WORD} by Ada\n{WORD} by Ben\n{WORD} by Ada")
    assert found == [AlbumRef(AlbumId(WORD)), SearchText(f"{WORD} by Ben")]
    assert words_of(found) == [f"{WORD} by Ada"]


def test_22_letters_beside_a_link_are_an_id() -> None:
    assert read(f"{ID} {WORD} so good") == [ALBUM, AlbumRef(AlbumId(WORD)), Ignored("so good")]


def words_of(found: Sequence[Reference]) -> list[str]:
    return [reference.words for reference in found if isinstance(reference, AlbumRef)]


def test_words_may_be_searched_and_links_not() -> None:
    assert is_searchable("Earth, Wind & Fire")
    assert is_searchable("Spotify Sessions")
    for text in (ID, f"Blue spotify:album:{ID}", "Kid\x00A", "a://b", "youtu.be/x", "spotify:"):
        assert not is_searchable(text)


# -- words


def test_words_alone_are_searched() -> None:
    assert read("  slow   harbour ") == [SearchText("slow harbour")]


def test_words_are_cut_to_what_a_search_takes_and_the_rest_is_named() -> None:
    assert read("ab " * 1000) == [SearchText(("ab " * 83).strip()), Ignored("ab " * 19 + "ab…", is_too_much=True)]
    assert read("a" * 300) == [SearchText("a" * 250), Ignored("a" * 50, is_too_much=True)]


def test_words_beside_a_link_are_left_alone() -> None:
    assert read(f"listen to this: {ID}, it is great") == [ALBUM, Ignored("listen to this: it is great")]


def test_what_numbers_links_is_nothing() -> None:
    for first, second in (("1)", "2)"), ("1.", "2."), ("#1", "#2"), ("(1)", "(2)"), ("①", "②"), ("[1]", "[2]")):
        text = f"{first} https://open.spotify.com/album/{ID}\n{second} https://open.spotify.com/album/{OTHER}"
        assert read(text) == [ALBUM, AlbumRef(AlbumId(OTHER))], first
    assert read(f"| 22 | {ID} |\n|---|---|\n| Low | {OTHER} |")[2:] == [Ignored("22 Low")]


def test_the_name_of_the_service_in_a_sentence_is_a_word() -> None:
    said = "Blue by Ada on Spotify"
    assert read(f"{said}: https://open.spotify.com/album/{ID}") == [ALBUM, Ignored(said)]
    assert read("Live on Spotify: London") == [SearchText("Live on Spotify London")]
    assert read("spotify: album") == [SearchText("spotify album")]


def test_signs_beside_a_link_are_nothing() -> None:
    assert read(f"-> {ID} <- !!") == [ALBUM]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_nothing_is_nothing(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "AC/DC: Back in Black",
        "1989 (Taylor's Version)",
        "%",
        "10,000 Days",
        "Steins;Gate",
        "Blue (Live, 1974)",
        "{}",
        "…",
        "Deezer",
        "will.i.am",
        "Dr. No",
        "…And Justice",
        "@#%&",
        "Spotify Sessions",
    ],
)
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
        f"https://open.spotify.com:8443/album/{ID}",
        f"https://open.spotify.com:4430/album/{ID}",
        f"https://open.spotify.com:443@evil.example/album/{ID}",
        f"https://open.spotify.com:443.evil.example/album/{ID}",
        f"https://www.open.spotify.com.evil.example/album/{ID}",
        f"https://evil.open.spotify.com/album/{ID}",
        "support.spotify.com.evil.example",
        "https://support.spotify.com@evil.example/x",
        "https://support.spotify.com:8443/x",
        "https://support.spotify.com/../x",
        "not-spotify.com",
        "ada@spotify.com",
        f"https://accounts.spotify.com.evil.example/login?continue=https://open.spotify.com/album/{ID}",
        f"https://evil.example/album/{ID}",
        f"https://embed.spotify.com.evil.example/album/{ID}",
        f"https://embed.spotify.com@evil.example/album/{ID}",
        f"https://spotify.com.evil.example/album/{ID}",
        f"https://spotify.com@evil.example/album/{ID}",
        f"https://evilspotify.com/album/{ID}",
        f"evilspotify.com/album/{ID}",
        f"evil.spotify.com/album/{ID}",
        f"evil-spotify.com/album/{ID}",
        f"https://evil.example/spotify.com/album/{ID}",
        f"https://evil.example/?u=spotify.com/album/{ID}",
        f"https://open.spotify.com/album/%20%2e%2e/{ID}",
        wide(f"https://open.spotify.com.evil.example/album/{ID}"),
        wide(f"https://evil.example/album/{ID}"),
        wide("https://open.spotify.com") + f".evil.example/album/{ID}",
        f"https://evil.example{wide('/open.spotify.com')}/album/{ID}",
        f"https://evil.example{wide('@open.spotify.com')}/album/{ID}",
        f"https://evil.example/open.spotify.com/album/{ID}",
        f"https://evil.example/?u=https://open.spotify.com/album/{ID}",
        f"https://notopen.spotify.com.evil/album/{ID}",
        f"ftp://open.spotify.com/album/{ID}",
        f"javascript://open.spotify.com/album/{ID}",
        f"https:/\\open.spotify.com/album/{ID}",
        f"https://open.spotify.com/album/{ID}/../../x",
        f"https://open.spotify.com/album/../album/{ID}",
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
        f"\u202d{ID}\u202c",
        f"https://evil.example/?u=https%3A%2F%2Fopen.spotify.com%2Falbum%2F{ID}",
        f"evil.example/?u=https://open.spotify.com/album/{ID}",
        f"evil.example/https://open.spotify.com/album/{ID}",
        f"evil.example@open.spotify.com/album/{ID}",
        f"notopen.spotify.com/album/{ID}",
        f"notspotify:album:{ID}",
        f"https://open.spotify.com/album/{ID}%2e%2e",
        f"https://open.spotify.com/album/{ID}%20x",
        "https://open.spotify.com/playlist/../x",
        "https://open.spotify.com/%2e%2e/user",
        "https://youtube.com.evil.example/x",
        "https://evil.example/youtu.be/x",
        "Kid\x00A",
        "Kid\x1b[31mA",
        "Kid\u202eA",
        "Kid\ud800A",
        "Kid A ://",
        "spotify:",
        "spoti.fi/..",
        "https://spoti.fi.evil.example/abc",
        "xspoti.fi/abc",
    ],
)
def test_hostile_text_is_no_album_and_never_searched(text: str) -> None:
    found = read(text)
    assert found
    assert all(isinstance(reference, Unreadable) for reference in found), found


@pytest.mark.parametrize("override", OVERRIDES, ids=ascii)
def test_what_overrides_the_direction_is_refused_and_never_shown(override: str) -> None:
    for text in (f"Kid{override}A", f"{override}{ID}", f"https://open.spotify.com/album/{ID}{override}"):
        (found,) = read(text)
        assert isinstance(found, Unreadable), text
        assert override not in found.shown


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
    return [getattr(reference, name) for name in type(reference).__match_args__]


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
                assert id_ in "".join(c for c in text if c not in UNSEEN and unicodedata.category(c) != "Cf")
                if isinstance(reference, AlbumRef) and reference.words:
                    searched(reference.words)
            case ShortLink(host, path):
                assert host in ("spotify.link", "spotify.app.link", "open.spotify.com")
                assert re.fullmatch(r"(/s)?/[0-9A-Za-z_-]{1,64}", path)
            case SearchText(words, within):
                for reading in (words, *within):
                    searched(reading)
            case Unreadable(text_shown) | Ignored(text_shown) | NotAnAlbum(_, text_shown):
                assert len(text_shown) <= 60
                assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text_shown)


def searched(words: str) -> None:
    """What holds for everything that may be searched for."""
    assert 0 < len(words) <= 250
    assert "://" not in words
    assert "spotify:" not in words.lower()
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Cf") for c in words)
    assert not any(unicodedata.bidirectional(c) in DIRECTION for c in words)


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


# -- nothing that was typed disappears silently

TYPED = st.one_of(
    st.tuples(st.sampled_from(("https://open.spotify.com/album/{}", "spotify:album:{}", "open.spotify.com/album/{}?si=x", "{}")), ids),
    st.tuples(st.sampled_from(("spotify.com/album/{}", "https://open.spotify.com/track/{}", "spotify:artist:{}", "ttps://open.spotify.com./album/{}")), ids),
    st.tuples(st.sampled_from(("{}", "({})", "「{}」", "{}!", "_{}", "{},", "{}.")), st.from_regex("[a-zé聴]{1,8}", fullmatch=True)),
    st.tuples(st.sampled_from(("https://youtu.be/{}", "https://example.org/{}", "spotify:user:{}", "spotify.link/{}", "a.co/{}", "<link.deezer.com/{}>")), st.from_regex("[a-z]{5}", fullmatch=True)),
)  # fmt: skip
BETWEEN = st.sampled_from((
    *(" ", "\n", ", ", ",", ";", "|", "/", " / ", "\t", "\u200b", "、", "。", " - ", ""),
    *("\x85", "\u3000", " & ", "&", "+", " + ", "#", "?", "!", "=", ":", "@", "~", "...", "\u2022", "\u060c", "🎵", "\n1. ", "\n- "),
    *("<br>", "</li><li>", "&amp;", "> <", "](", "|\n|", '","', "\\"),
))  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(TYPED, BETWEEN), min_size=1, max_size=6))
def test_everything_typed_is_in_what_was_read(typed: list[tuple[tuple[str, str], str]]) -> None:
    text = "".join(form.format(core) + between for (form, core), between in typed)
    found = read(text)
    told = [str(vars_of(reference)) for reference in found]
    if any("…" in part for part in told):
        return  # what is shown back is cut, and says so
    # a link glued to a word ends where letters begin that no link has, so a word may be told in two places
    parts = [(core, re.findall("[0-9A-Za-z]+|[^0-9A-Za-z]+", core)) for (_, core), _ in typed]
    lost = [core for core, runs in parts if not all(any(run in part for part in told) for run in runs)]
    # words glued to the query of a link are a part of it, and so is what no id and no link can be
    query = {core: r"[?]si=x" if len(core) == 22 else r"[?&#]" for core in lost}
    assert [core for core in lost if not re.search(rf"{query[core]}\S*{core}", text)] == []


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), ids, st.sampled_from(SHARDS[:9])),
        max_size=8,
    )
)
def test_no_letter_or_digit_outside_of_markup_and_queries_is_lost(parts: list[str]) -> None:
    text = " ".join(parts)
    if set(text) & set("[]<>?#&%"):
        return
    found = read(text)
    told = "".join(str(vars_of(reference)) for reference in found)
    if "…" in told:
        return
    kept = {c for c in told if c.isalnum()}
    assert {c for c in text if c.isalnum()} - kept <= set("htpsifyoenc.lkumraZ:/\u3164\uffa0\u115f\u1160")


# -- time


@pytest.mark.parametrize(
    "separator",
    [" ", ",", ", ", "\n", ") [x](", ") (", ">,<"],
    ids=["space", "comma", "both", "line", "masked", "round", "angle"],
)
def test_10000_ids_are_read_in_linear_time(separator: str) -> None:
    wanted = [f"{number:022d}" for number in range(10_000)]
    assert within(10.0, separator.join(wanted) + ")") == wanted


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
        f"https://open.spotify.com/album/{ID}/",
        f"https://open.spotify.com/album/{ID}?si=1;",
        f"https://open.spotify.com/album/{ID}?si=1,x=",
        f"{ID}(",
        f"{ID}/",
        f"{ID}=",
        "a.b/",
        "a.b.c.d.e.",
        "youtu.be/",
        "youtu.be/a,",
        "https://",
        "https://a,",
        "http",
        "spotify:user:",
        "spotify:local:",
        "<a ",
        "<a href=",
        "<iframe src=a",
        '[a](b "',
        "\n",
        "a\n",
        "1. ",
        "1. a\n",
        '"',
        '",',
        "(,",
        "、",
        "\u200b",
        "a\u200b,",
        "open.spotify.com/user/",
        "https://spotify.link/a,",
        *(
            "h",
            "ttps:",
            "https;/",
            "https:https://",
            "open.spotify.com.",
            "spotify.com:443",
            "?a=https:",
            "&a=b.c.",
            "&a=",
        ),
        *(
            "&amp;",
            "&",
            "\\/",
            "\\n",
            "%20",
            "%25",
            "%2520",
            "<li>",
            "<b",
            "|",
            "| ",
            "|\n",
            "---\n",
            "1\n",
            "1 ",
            "(1",
        ),
        *("[a] ", "[[a] ", "\\[", "[\\", "<@", "<:a", "</a", "<t:", "4:44 ", "4:44\n", "album: "),
        *('["', " - album by ", " | Spotify", "\uff1a", "\uff41", "①", "+ \n", "→"),
        "a",
        "a,",
        "\u202e",
        "\x00",
        "é",
        "\u0301",
    ],
)
def test_nasty_texts_are_read_in_linear_time(nasty: str) -> None:
    for begin, end in (("", ""), (f"https://open.spotify.com/album/{ID}?si=", ""), ("https://a.example/", "x")):
        within(10.0, begin + nasty * (240_000 // len(nasty)) + end)


@pytest.mark.parametrize("begin", ["x", "a - album by " * 15])
def test_a_long_gap_in_a_line_is_read_in_linear_time(begin: str) -> None:
    for gap in (" ", "\t", "\u3000"):
        within(10.0, f"{begin}{gap * 240_000}| x")


def within(seconds: float, text: str) -> list[str]:
    """Of this thread's processor, so that a busy machine does not count. What is not linear takes minutes."""
    began = time.thread_time()
    found = read(text)
    assert time.thread_time() - began < seconds
    return albums(found)


@pytest.mark.parametrize("id_", ["4aawyAB9vmqN3uQ7FjRGTy", "0000000000000000000000", "abcdefghijklmnopqrstuv"])
@pytest.mark.parametrize("text", ["{}", "spotify:album:{}"])
def test_a_suggestion_that_was_picked_reads_as_it_does_among_white_space(id_: str, text: str) -> None:
    """The usual command is read by a shorter path, which must not differ."""
    assert read(text.format(id_)) == read(f" {text.format(id_)}\n")
