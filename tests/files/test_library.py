"""What is read from a member's file: every format that people have, and every file that is none."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.albums import AlbumId, AlbumRef, SearchText, ShortLink, TrackRef
from bot.files.library import read_library
from bot.files.library_file import MAX_UNREAD, Format, LibraryFile, Reason, Unit
from bot.files.problems import (
    MAX_ALBUMS,
    MAX_BYTES,
    MAX_LINE,
    MAX_LINES,
    BrokenJson,
    EmptyFile,
    ExcelFile,
    FileProblem,
    FileTooLarge,
    LineTooLong,
    NothingFound,
    NotText,
    TooManyAlbums,
    TooManyRows,
    ZipFile,
)

A, B, C = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX", "6cYPbwsAFAcddFuGeXMR7l"
TRACK = "7nogwKRjfn9T4q2xpC8abc"
EXPORTIFY = (
    '"Track URI","Track Name","Artist URI(s)","Artist Name(s)","Album URI","Album Name","Album Artist URI(s)",'
    '"Album Artist Name(s)","Album Release Date","Added By","Added At"\n'
)


def album(id_: str) -> AlbumRef:
    return AlbumRef(AlbumId(id_))


def id_of(number: int) -> str:
    return f"{number:022d}"


def exportify_row(track: str, name: str, artist: str, uri: str, title: str) -> str:
    return (
        f'"spotify:track:{track}","{name}","spotify:artist:{C}","{artist}","{uri}","{title}","spotify:artist:{C}",'
        f'"{artist}","2006-11-24","spotify:user:ada","2018-12-23T10:12:16Z"\n'
    )


def references(file: LibraryFile) -> list[object]:
    return [found.reference for found in file.found]


def unread(file: LibraryFile) -> list[tuple[int, Reason]]:
    return [(row.at, row.reason) for row in file.unread]


# -- any text with links


def test_a_text_gives_its_links_in_order_each_once_with_its_line() -> None:
    text = f"Albums of 2024\n\nhttps://open.spotify.com/album/{B}?si=x (so good)\nspotify:album:{A}\n<{B}>\n"

    file = read_library(text.encode(), "notes.txt")

    assert [(found.reference, found.at) for found in file.found] == [(album(B), 3), (album(A), 4)]
    assert (file.format, file.unit, file.repeated) == (Format.TEXT, Unit.LINE, 1)
    assert unread(file) == [(1, Reason.NO_ALBUM)]


def test_links_to_other_things_are_named_as_what_they_are() -> None:
    text = f"spotify:album:{A}\nhttps://open.spotify.com/playlist/{B}\nhttps://example.org/album\n"

    file = read_library(text.encode(), "x.txt")

    assert [(row.at, row.reason, row.kind) for row in file.unread] == [
        (2, Reason.NOT_AN_ALBUM, "playlist"),
        (3, Reason.UNREADABLE_LINK, ""),
    ]


def test_tracks_and_short_links_are_kept_to_be_resolved() -> None:
    file = read_library(f"spotify:track:{TRACK}\nhttps://spotify.link/abc\n".encode(), "x.txt")

    assert references(file) == [TrackRef(TRACK), ShortLink("spotify.link", "/abc")]


@pytest.mark.parametrize("separator", [",", ";", "\t", " | ", " "])
def test_a_csv_without_column_names_is_read_like_a_text(separator: str) -> None:
    text = f"Loveless{separator}https://open.spotify.com/album/{A}{separator}1991\n"

    assert references(read_library(text.encode(), "x.csv")) == [album(A)]


def test_a_list_of_artists_and_titles_without_any_link_is_searched() -> None:
    file = read_library("1. Slowdive - Souvlaki\nLow – Hey What\n\nCan — Ege Bamyasi\n".encode(), "list.txt")

    assert references(file) == [
        SearchText("Slowdive Souvlaki"),
        SearchText("Low Hey What"),
        SearchText("Can Ege Bamyasi"),
    ]
    assert [found.at for found in file.found] == [1, 2, 4]


def test_prose_is_not_searched() -> None:
    prose = "We met on Monday - it rained.\nNobody had brought a record.\nThen we went home again.\n"

    with pytest.raises(NothingFound) as caught:
        read_library(prose.encode(), "diary.txt")

    assert caught.value.unread == {Reason.NO_ALBUM: 3}


# -- tables


def test_the_rows_of_one_album_in_an_exportify_file_are_one_album() -> None:
    text = EXPORTIFY + "".join(
        exportify_row(id_of(number), f"Song, {number}", "The Car Is On Fire", f"spotify:album:{id_}", "Lake & Flames")
        for number, id_ in enumerate([A, A, B, A])
    )

    file = read_library(text.encode(), "playlist.csv")

    assert [(found.reference, found.typed, found.at) for found in file.found] == [
        (album(A), "The Car Is On Fire – Lake & Flames", 2),
        (album(B), "The Car Is On Fire – Lake & Flames", 4),
    ]
    assert (file.format, file.repeated, file.unread) == (Format.TABLE, 2, ())


def test_without_an_album_column_one_track_speaks_for_each_album() -> None:
    text = (
        "Track URI,Track Name,Album Name,Artist Name(s),Release Date\n"
        f'spotify:track:{id_of(1)},One,Souvlaki,"Slowdive;Brian Eno",1993\n'
        f"spotify:track:{id_of(2)},Two,Souvlaki,Slowdive,1993\n"
        f"spotify:track:{id_of(3)},Three,Hey What,Low,2021\n"
    )

    assert references(read_library(text.encode(), "x.csv")) == [TrackRef(id_of(1)), TrackRef(id_of(3))]


def test_a_bare_id_in_a_track_column_is_a_track() -> None:
    text = f"Spotify Track Id,Song,Artist,Album\n{TRACK},Alison,Slowdive,Souvlaki\n"

    assert references(read_library(text.encode(), "x.csv")) == [TrackRef(TRACK)]


def test_ids_of_artists_are_not_taken_for_albums() -> None:
    text = f"Artist ID,Album,Artist,Genre ID\n{B},Souvlaki,Slowdive,{C}\n"

    assert references(read_library(text.encode(), "x.csv")) == [SearchText("Slowdive Souvlaki")]


def test_local_files_are_searched_by_title_and_artist_and_said_so_without() -> None:
    text = (
        EXPORTIFY
        + '"spotify:local:Low:Hey+What:White:231","White","","Low","","Hey What","","","","",""\n'
        + '"spotify:local:::Demo:231","Demo","","","","","","","","",""\n'
    )

    file = read_library(text.encode(), "x.csv")

    assert references(file) == [SearchText("Low Hey What")]
    assert [(row.at, row.kind) for row in file.unread] == [(3, "local")]


def test_a_row_with_a_link_to_another_service_is_searched_by_title_and_artist() -> None:
    text = "artist,album,url\nLow,Hey What,https://www.discogs.com/master/1\n,,https://low.bandcamp.com/album/x\n"

    file = read_library(text.encode(), "x.csv")

    assert references(file) == [SearchText("Low Hey What")]
    assert [(row.at, row.kind) for row in file.unread] == [(3, "Bandcamp")]


def test_podcasts_in_a_playlist_are_named_as_such() -> None:
    text = (
        "Track URI,Album Name,Artist Name(s)\n"
        f"spotify:episode:{A},A Show,A Publisher\nspotify:track:{B},Souvlaki,Slowdive\n"
    )

    file = read_library(text.encode(), "x.csv")

    assert [(row.at, row.kind) for row in file.unread] == [(2, "episode")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["albums.csv", "albums.txt", "albums.tsv"])
def test_the_separator_is_found(delimiter: str, name: str) -> None:
    rows = [
        ["Artist", "Album", "Link"],
        ["Low", '"Hey, What; a"', f"spotify:album:{A}"],
        ["Can", "Future Days", ""],
        ["", "Souvlaki", ""],
    ]

    file = read_library("\r\n".join(map(delimiter.join, rows)).encode(), name)

    assert references(file) == [album(A), SearchText("Can Future Days")]
    assert unread(file) == [(4, Reason.NO_ARTIST)]


def test_excels_line_that_names_the_separator_is_obeyed() -> None:
    text = f"sep=;\nartist, who;album;link\nLow;Hey What;spotify:album:{A}\n"

    assert references(read_library(text.encode(), "x.csv")) == [album(A)]


@pytest.mark.parametrize("header", ["Künstler;Platte", "Artista;Título", "Interpret;Titel", "Исполнитель;Альбом"])
def test_titles_and_artists_are_known_in_other_languages(header: str) -> None:
    assert references(read_library(f"{header};x\nLow;Hey What;y\n".encode(), "x.csv")) == [SearchText("Low Hey What")]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            " RYM Album, First Name,Last Name,First Name localized, Last Name localized,Title",
            '"1","Nick","Cave","","","Ghosteen"',
        ),
        ("RYM Album,First Name,Last Name,Title", "1,,Nick Cave,Ghosteen"),
        ("release_mbid,artist_credit_name,release_name", "x,Nick Cave,Ghosteen"),
        ("Artist,Album,Track,Date#ada", "Nick Cave,Ghosteen,Hollywood,1604145600000"),
    ],
)
def test_titles_and_artists_are_known_in_what_other_services_write(header: str, row: str) -> None:
    assert references(read_library(f"{header}\n{row}\n".encode(), "x.csv")) == [SearchText("Nick Cave Ghosteen")]


def test_a_history_of_last_fm_without_column_names_gives_its_albums() -> None:
    text = "Low,Hey What,White Horses,31 Oct 2025 12:00\nLow,Hey What,Days,31 Oct 2025 12:04\nCan,,Vitamin C,1 Nov 2025 08:00\n"

    file = read_library(text.encode(), "ada.csv")

    assert references(file) == [SearchText("Low Hey What")]
    assert (file.repeated, [row.at for row in file.unread]) == (1, [3])


def test_a_table_in_markdown_is_read_with_its_links_and_without_its_rule() -> None:
    text = f"| Album | Artist |\n|:---|---:|\n| [Hey What](https://open.spotify.com/album/{A}) | Low |\n| Ghosteen | Nick Cave |\n"

    file = read_library(text.encode(), "list.md")

    assert references(file) == [album(A), SearchText("Nick Cave Ghosteen")]
    assert file.unread == ()


def test_signs_that_html_escapes_are_searched_for_as_they_are() -> None:
    text = "artist,album\nEarth &amp; Fire,Song of the &quot;Sea&quot;\n"

    assert references(read_library(text.encode(), "x.csv")) == [SearchText('Earth & Fire Song of the "Sea"')]


def test_a_quotation_mark_that_another_one_far_below_closes_costs_its_own_row_only() -> None:
    text = f'album,artist,link\n"Hey What,Low\nFuture Days,Can,spotify:album:{A}\nX,"Y,spotify:album:{B}\n'

    file = read_library(text.encode(), "x.csv")

    assert references(file) == [album(A), album(B)]
    assert next(row.at for row in file.unread if row.reason is Reason.OPEN_QUOTE) == 2


def test_a_first_row_with_links_is_no_row_of_column_names() -> None:
    text = f"Spotify,https://open.spotify.com/album/{A}\nlink,spotify:album:{B}\n"

    assert references(read_library(text.encode(), "x.csv")) == [album(A), album(B)]


def test_a_title_above_the_column_names_does_not_hide_them() -> None:
    text = f"My albums,,\n,,\nartist,album,id\nLow,Hey What,{A}\n"

    file = read_library(text.encode(), "x.csv")

    assert [(found.typed, found.at) for found in file.found] == [("Low – Hey What", 4)]
    assert unread(file) == [(1, Reason.NO_ALBUM)]


def test_an_open_quotation_mark_costs_its_own_row_only() -> None:
    text = f'artist,album,link\nLow,"Hey What,\nCan,Future Days,spotify:album:{A}\nA,B,spotify:album:{B}\n'

    file = read_library(text.encode(), "x.csv")

    assert references(file) == [album(A), album(B)]
    assert [(row.at, row.reason, row.text) for row in file.unread] == [(2, Reason.OPEN_QUOTE, 'Low,"Hey What,')]


def test_inches_are_no_quotation_marks() -> None:
    text = f'artist,album,link\nLow,7" singles,spotify:album:{A}\nCan,12" mixes,spotify:album:{B}\n'

    file = read_library(text.encode(), "x.csv")

    assert [found.typed for found in file.found] == ['Low – 7" singles', 'Can – 12" mixes']


def test_a_link_beyond_the_named_columns_is_found() -> None:
    text = f"artist,album\nLow,Hey What,see https://open.spotify.com/album/{A}\n"

    assert references(read_library(text.encode(), "x.csv")) == [album(A)]


def test_a_title_that_looks_like_a_link_is_never_searched() -> None:
    text = "artist,album\nLow,https://evil.example\nCan,Spotify Sessions\n"

    file = read_library(text.encode(), "x.csv")

    assert references(file) == [SearchText("Can Spotify Sessions")]
    assert unread(file) == [(2, Reason.UNREADABLE_LINK)]


# -- JSON


def your_library(albums: list[object]) -> bytes:
    return json.dumps(
        {
            "tracks": [{"artist": "Low", "album": "Hey What", "track": "White", "uri": f"spotify:track:{TRACK}"}] * 3,
            "albums": albums,
            "shows": [{"name": "A show", "publisher": "P", "uri": f"spotify:show:{C}"}],
            "episodes": [],
            "bannedTracks": [],
            "artists": [{"name": "Low", "uri": f"spotify:artist:{C}"}],
            "bannedArtists": [],
            "other": [],
        }
    ).encode()


def test_spotifys_account_data_gives_its_albums_and_counts_what_is_left_out() -> None:
    file = read_library(
        your_library(
            [
                {"artist": "Low", "album": "Hey What", "uri": f"spotify:album:{A}"},
                {"artist": "Taylor Swift", "album": 1989, "uri": f"spotify:album:{B}"},
                {"artist": "Can", "album": "Future Days", "uri": "spotify:album:gone"},
                {"album": "Untitled"},
            ]
        ),
        "YourLibrary.json",
    )

    assert [(found.reference, found.typed, found.at) for found in file.found] == [
        (album(A), "Low – Hey What", 1),
        (album(B), "Taylor Swift – 1989", 2),
        (SearchText("Can Future Days"), "Can – Future Days", 3),
    ]
    assert (file.format, file.unit) == (Format.ACCOUNT_DATA, Unit.ENTRY)
    assert file.left_out == {"tracks": 3, "shows": 1, "artists": 1}
    assert unread(file) == [(4, Reason.NO_ARTIST)]


def test_liked_tracks_alone_are_no_albums() -> None:
    with pytest.raises(NothingFound) as caught:
        read_library(your_library([]), "YourLibrary.json")

    assert caught.value.left_out == {"tracks": 3, "shows": 1, "artists": 1}


def test_a_listening_history_is_no_library() -> None:
    plays = [{"ts": "2020", "ms_played": 1, "spotify_track_uri": f"spotify:track:{TRACK}"}] * 2

    with pytest.raises(NothingFound) as caught:
        read_library(json.dumps(plays).encode(), "Streaming_History_Audio.json")

    assert caught.value.left_out == {"plays": 2}


@pytest.mark.parametrize(
    "content",
    [
        [A],
        [f"spotify:album:{A}"],
        [{"id": A}],
        [{"artistName": "Low", "albumName": "Hey What", "albumUri": f"spotify:album:{A}"}],
        {"albums": [{"uri": f"spotify:album:{A}", "artists": [{"name": "Low", "uri": f"spotify:artist:{B}"}]}]},
        {"items": [{"added_at": "2020", "album": {"id": A, "name": "Hey What", "artists": [{"name": "Low"}]}}]},
        {"items": [{"album": {"external_urls": {"spotify": f"https://open.spotify.com/album/{A}"}}}]},
        {"a": {"b": [{"c": f"https://open.spotify.com/album/{A}"}, {"owner": f"spotify:user:{B}"}]}},
    ],
)
def test_other_programs_json_is_read(content: object) -> None:
    assert references(read_library(json.dumps(content).encode(), "x.json")) == [album(A)]


def test_playlists_of_tracks_are_counted_and_not_saved_as_albums() -> None:
    content = {"playlists": [{"items": [{"track": {"trackUri": f"spotify:track:{TRACK}"}}] * 4}]}

    with pytest.raises(NothingFound) as caught:
        read_library(json.dumps(content).encode(), "Playlist1.json")

    assert caught.value.left_out == {"tracks": 4}


def test_a_key_that_comes_twice_has_both_its_values() -> None:
    text = f'{{"albums": [{{"uri": "spotify:album:{A}"}}], "albums": [{{"id": "{B}", "id": "{C}"}}]}}'

    assert references(read_library(text.encode(), "x.json")) == [album(A), album(B), album(C)]


def test_numbers_beyond_pythons_limit_are_text() -> None:
    text = f'[{{"year": {"9" * 10_000}, "uri": "spotify:album:{A}", "score": NaN}}]'

    assert references(read_library(text.encode(), "x.json")) == [album(A)]


def test_json_that_breaks_off_names_the_line() -> None:
    with pytest.raises(BrokenJson) as caught:
        read_library(f'{{"albums": [\n{{"uri": "spotify:album:{A}"}},\n'.encode(), "x.json")

    assert caught.value.line == 3


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_json_with_an_object_in_each_line_is_read(end: str) -> None:
    rows = [f'{{"uri": "spotify:album:{A}"}}', '{"artist": "Low", "album": "Hey What"}', ""]

    assert references(read_library(end.join(rows).encode(), "x.json")) == [album(A), SearchText("Low Hey What")]


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_json_nested_without_end_is_an_error_of_its_own(opening: str) -> None:
    with pytest.raises(BrokenJson):
        read_library((opening * 200_000).encode(), "x.json")


def test_json_nested_deeply_is_walked_without_recursion() -> None:
    depth = 400
    text = '{"a":' * depth + f'"spotify:album:{A}"' + "}" * depth

    assert references(read_library(text.encode(), "x.json")) == [album(A)]


def test_a_text_that_begins_like_json_is_a_text() -> None:
    assert references(read_library(f"[Hey What](https://open.spotify.com/album/{A})".encode(), "x.md")) == [album(A)]


# -- encodings


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-16-le-bom", "utf-16-be-bom"]
)
def test_unicode_is_read_with_and_without_its_mark(encoding: str) -> None:
    text = f"artist,album,link\nBjörk,Début 🎶 日本,spotify:album:{A}\n"
    marks = {"utf-16-le-bom": ("utf-16-le", b"\xff\xfe"), "utf-16-be-bom": ("utf-16-be", b"\xfe\xff")}
    name, mark = marks.get(encoding, (encoding, b""))

    file = read_library(mark + text.encode(name), "x.csv")

    assert [found.typed for found in file.found] == ["Björk – Début 🎶 日本"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_windows_and_latin_1_are_the_fallback(encoding: str) -> None:
    text = "artist;album\nBjörk;Début\nSigur Rós;Ágætis byrjun\n"

    assert references(read_library(text.encode(encoding), "x.csv")) == [
        SearchText("Björk Début"),
        SearchText("Sigur Rós Ágætis byrjun"),
    ]


def test_one_damaged_byte_does_not_spoil_a_utf_8_file() -> None:
    data = "artist,album\nBjörk,Début\nSigur Rós,Ágætis byrjun\nX,\xff\n".encode().replace("\xff".encode(), b"\xc3")

    assert references(read_library(data, "x.csv"))[:2] == [
        SearchText("Björk Début"),
        SearchText("Sigur Rós Ágætis byrjun"),
    ]


# -- files that are refused


def zipped(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    return data.getvalue()


def test_a_zip_says_whether_spotifys_library_is_inside() -> None:
    with pytest.raises(ZipFile) as with_library:
        read_library(zipped("Spotify Account Data/YourLibrary.json"), "my_spotify_data.zip")
    with pytest.raises(ZipFile) as other:
        read_library(zipped("x.txt"), "renamed.csv")

    assert (with_library.value.holds_library, other.value.holds_library) == (True, False)


REFUSED: list[tuple[str, Callable[[], bytes], type[FileProblem]]] = [
    ("an Excel workbook", lambda: zipped("xl/workbook.xml"), ExcelFile),
    ("an old Excel workbook", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), ExcelFile),
    ("a gzip", lambda: b"\x1f\x8b\x08" + bytes(50), ZipFile),
    ("a PNG", lambda: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", NotText),
    ("an RTF", lambda: b"{\\rtf1\\ansi Low - Hey What\\par}", NotText),
    ("a PDF", lambda: b"%PDF-1.7\nspotify:album:" + A.encode(), NotText),
    ("NULs", lambda: b"spotify:album:" + A.encode() + b"\0", NotText),
    ("control characters", lambda: b"\x01\x02\x03 x", NotText),
    ("nothing", lambda: b"", EmptyFile),
    ("a mark alone", lambda: b"\xef\xbb\xbf", EmptyFile),
    ("white space", lambda: b" \r\n\t\n", EmptyFile),
    ("words", lambda: b"hello", NothingFound),
    ("column names alone", lambda: b"artist,album,link\n", NothingFound),
    ("empty JSON", lambda: b"{}", NothingFound),
    ("6 MB", lambda: bytes(MAX_BYTES + 1), FileTooLarge),
    ("a line of 5 MB", lambda: b"x" * MAX_BYTES, LineTooLong),
    ("a line of 5 MB that opens brackets", lambda: b"[" * MAX_BYTES, LineTooLong),
    ("a line of 5 MB in a table", lambda: b"artist,album,link\n" + b"," * (MAX_BYTES - 18), LineTooLong),
    ("5 MB of line ends", lambda: b"\nx" * (MAX_BYTES // 2), TooManyRows),
    ("5 MB of quotation marks", lambda: b'a,"\n' * MAX_LINES, NothingFound),
    ("5 MB of entries", lambda: b"[" + b"1," * (MAX_BYTES // 2 - 2) + b"1]", TooManyRows),
    ("5 MB of links in unknown JSON", lambda: b'{"a":[' + b'"spotify:x",' * 400_000 + b"1]}", TooManyRows),
    ("rows of 5 MB of separators", lambda: b"artist,album\n" + (b"," * 999_999 + b"\n") * 5, NothingFound),
    ("a list of 10,001", lambda: "\n".join(map(id_of, range(MAX_ALBUMS + 1))).encode(), TooManyAlbums),
    ("10,001 in JSON", lambda: json.dumps(list(map(id_of, range(MAX_ALBUMS + 1)))).encode(), TooManyAlbums),
    (
        "10,001 rows to search",
        lambda: b"artist,album\n" + b"".join(b"Low,%d\n" % n for n in range(MAX_ALBUMS + 1)),
        TooManyAlbums,
    ),
]


@pytest.mark.parametrize(("make", "problem"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_file_that_is_no_list_of_albums_is_refused_for_its_own_reason(
    make: Callable[[], bytes], problem: type[FileProblem]
) -> None:
    with pytest.raises(FileProblem) as caught:
        read_library(make(), "albums.txt")

    assert type(caught.value) is problem


def test_ten_thousand_albums_and_a_line_of_the_largest_length_are_read() -> None:
    links = " ".join(f"https://open.spotify.com/album/{id_of(n)}?si=0123456789abcdef" for n in range(MAX_ALBUMS))

    assert len(links) < MAX_LINE
    assert len(read_library(links.encode(), "x.txt").found) == MAX_ALBUMS


def test_unread_rows_are_kept_to_a_limit_and_counted_beyond() -> None:
    text = f"spotify:album:{A}\n" + "nothing\n" * (MAX_UNREAD + 5)

    file = read_library(text.encode(), "x.txt")

    assert (len(file.unread), file.unread_count) == (MAX_UNREAD, MAX_UNREAD + 5)


# -- what always holds


@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.json", "x.txt", ""]))
def test_no_bytes_raise_anything_but_a_problem_of_the_file(data: bytes, name: str) -> None:
    try:
        file = read_library(data, name)
    except FileProblem:
        return
    assert file.found


WILD = st.text(st.sampled_from("spotify:album/ \"',;|\t\n[]{}=+-@aZ09é\u202e" + A), max_size=60)


@given(st.lists(WILD, max_size=12).map("\n".join), st.sampled_from(["x.csv", "x.json", "x.txt"]), st.booleans())
def test_no_text_raises_anything_but_a_problem_of_the_file(text: str, name: str, has_header: bool) -> None:
    try:
        file = read_library((("artist,album,link\n" if has_header else "") + text).encode(), name)
    except FileProblem:
        return
    assert file.found


CELL = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Z"]), min_size=1, max_size=20)
ROW = st.tuples(CELL, CELL, st.sampled_from(["", f"spotify:album:{A}", f"spotify:playlist:{B}", "spotify:album:no"]))


@given(st.lists(ROW, max_size=20), st.sampled_from(",;\t"))
def test_every_row_is_found_repeated_or_unread(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    lines = [f"artist{delimiter}album{delimiter}link", *(delimiter.join(map(quoted, row)) for row in rows)]
    data = "\n".join(lines).encode()
    if any(row[2] != f"spotify:playlist:{B}" for row in rows):
        file = read_library(data, "x.csv")
        assert len(file.found) + file.repeated + file.unread_count == len(rows)
    else:
        with pytest.raises(NothingFound) as caught:
            read_library(data, "x.csv")
        assert sum(caught.value.unread.values()) == len(rows)
