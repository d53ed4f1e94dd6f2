"""Exports are read again as what they were, open as they should in a spreadsheet, and hold no formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from bot.albums import AlbumId, AlbumRef
from bot.files.exports import ClubRound, CrateEntry, ImportFailure, SavedAlbum, write_csv, write_json
from bot.files.library import read_library
from bot.files.library_file import Format
from bot.files.tables import escaped

A, B = AlbumId("4aawyAB9vmqN3uQ7FjRGTy"), AlbumId("1uyf3l2d4XYwiEqAb7t7fX")
AT = datetime(2026, 11, 20, 19, 30, tzinfo=timezone(timedelta(hours=1)))
LOW = SavedAlbum(A, "Hey What", ("Low",), "2021", AT)
EVIL = SavedAlbum(B, '=HYPERLINK("https://evil.example")', ("@everyone", "Tyler, The Creator"), "", None)


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_saved_albums_have_titles_links_and_times_in_utc() -> None:
    assert cells(write_csv(SavedAlbum, [LOW])) == [
        ["title", "artists", "year", "url", "uri", "added_at"],
        [
            "Hey What",
            "Low",
            "2021",
            f"https://open.spotify.com/album/{A}",
            f"spotify:album:{A}",
            "2026-11-20T18:30:00Z",
        ],
    ]


def test_csv_begins_with_a_mark_for_excel_and_ends_its_lines_as_the_standard_says() -> None:
    data = write_csv(SavedAlbum, [LOW])

    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 2


def test_formulas_are_escaped_in_csv_and_left_alone_in_json() -> None:
    assert cells(write_csv(SavedAlbum, [EVIL]))[1][:2] == [f"'{EVIL.title}", "'@everyone; Tyler, The Creator"]
    assert json.loads(write_json(SavedAlbum, [EVIL], {}))["albums"][0]["title"] == EVIL.title


def test_json_keeps_lists_and_says_what_it_is() -> None:
    content = json.loads(write_json(SavedAlbum, [EVIL, LOW], {"exported_at": "2026-11-20T18:30:00Z"}))

    assert content["gatefold"] == "albums"
    assert content["exported_at"] == "2026-11-20T18:30:00Z"
    assert content["albums"][0]["artists"] == ["@everyone", "Tyler, The Creator"]
    assert content["albums"][0]["added_at"] is None


def test_an_empty_export_is_a_file_that_opens() -> None:
    assert cells(write_csv(CrateEntry, [])) == [list(CrateEntry.COLUMNS)]
    assert json.loads(write_json(CrateEntry, [], {}))["albums"] == []


def test_crate_entries_say_who_when_and_why_and_can_be_imported() -> None:
    entry = CrateEntry(A, "Hey What", ("Low",), "2021", "Ada", AT, "-- listen loud, see spotify:album:" + B)
    data = write_csv(CrateEntry, [entry])

    assert cells(data)[1][-3:] == ["Ada", "2026-11-20T18:30:00Z", "'" + entry.note]
    assert [found.reference for found in read_library(data, "crate.csv").found] == [AlbumRef(A)]
    assert [found.reference for found in read_library(write_json(CrateEntry, [entry], {}), "x").found] == [AlbumRef(A)]


def test_what_an_import_could_not_do_can_be_corrected_and_imported_again() -> None:
    failures = [
        ImportFailure(f"https://open.spotify.com/album/{A}", "gone", "Spotify does not have this album.", 3),
        ImportFailure("Low – Hey What", "not_found", "No album was found.", 8),
    ]

    for data, name in (
        (write_csv(ImportFailure, failures), "x.csv"),
        (write_json(ImportFailure, failures, {}), "x.json"),
    ):
        assert [found.typed for found in read_library(data, name).found] == [failures[0].what, failures[1].what]


def test_a_clubs_rounds_have_their_scores_and_no_names_beside_them() -> None:
    round_ = ClubRound(
        7, date(2026, 3, 1), A, "Hey What", ("Low",), "2021", "Ada", "Duos", 9, 4.25, ("4.5", "4"), ("=loved it",)
    )

    row = dict(zip(*cells(write_csv(ClubRound, [round_])), strict=True))

    assert (row["date"], row["mean"], row["scores"], row["reviews"]) == ("2026-03-01", "4.25", "4.5; 4", "'=loved it")
    assert json.loads(write_json(ClubRound, [round_], {}))["rounds"][0]["scores"] == ["4.5", "4"]


TEXT = st.text(max_size=12) | st.text(st.sampled_from("'=+-@\t\r\n\",; "), max_size=6)
IDS = st.text(st.sampled_from("abcXYZ019"), min_size=22, max_size=22).map(AlbumId)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
SAVED = st.lists(
    st.builds(SavedAlbum, IDS, TEXT, st.lists(TEXT, max_size=3).map(tuple), st.sampled_from(["", "1999"]), MOMENTS),
    min_size=1,
    max_size=8,
    unique_by=lambda album: album.id,
)


@given(SAVED)
@example([SavedAlbum(A, "\x7f\x7f", (), "", None)])
def test_every_exported_album_is_imported_again_in_order(albums: list[SavedAlbum]) -> None:
    expected = [AlbumRef(album.id) for album in albums]

    for data, name in ((write_csv(SavedAlbum, albums), "x.csv"), (write_json(SavedAlbum, albums, {}), "x.json")):
        file = read_library(data, name)
        assert [found.reference for found in file.found] == expected
        assert (file.format, file.unread_count, file.repeated) == (Format.EXPORT, 0, 0)


@given(SAVED)
def test_no_cell_of_an_export_is_a_formula(albums: list[SavedAlbum]) -> None:
    for row in cells(write_csv(SavedAlbum, albums)):
        for cell in row:
            assert cell[:1] not in tuple("=+-@\t\r\n")
            assert cell.startswith("'") or escaped(cell) == cell
