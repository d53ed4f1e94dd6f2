"""A club's spreadsheet: each row becomes a round or says why not, whatever the columns are called and in what order."""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.albums import AlbumId, AlbumRef, SearchText, ShortLink
from bot.files.club_sheet import ClubSheet, OddCell, WhyNot, read_club_sheet
from bot.files.column_names import Role
from bot.files.dates import DateOrder
from bot.files.exports import ClubRound, write_csv
from bot.files.problems import (
    MAX_BYTES,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    BrokenWorkbook,
    EmptyFile,
    ExcelFile,
    FileProblem,
    FileTooLarge,
    LineTooLong,
    NoSuchColumns,
    NothingFound,
    TooManyColumns,
    TooManyRows,
    ZipFile,
)

A, B = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX"


def read(text: str, order: DateOrder | None = None) -> ClubSheet:
    return read_club_sheet(text.encode(), order)


def roles(sheet: ClubSheet) -> dict[str, Role]:
    return {column.name: column.role for column in sheet.columns}


def scores(sheet: ClubSheet) -> list[dict[str, str]]:
    return [{one.member: str(one.score.value) for one in row.scores} for row in sheet.rounds]


COLUMNS = {
    "Date": ["31/01/2024", "07/02/2024"],
    "Album": ["Hey What", "Future Days"],
    "Artist": ["Low", "Can"],
    "Picked by": ["Ada", "Ben"],
    "Score": ["4.5", "4"],
}


@pytest.mark.parametrize("order", list(itertools.permutations(COLUMNS))[::7])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_known_in_any_order_and_with_any_separator(order: tuple[str, ...], delimiter: str) -> None:
    rows = [order, *zip(*(COLUMNS[name] for name in order), strict=True)]

    sheet = read("\r\n".join(map(delimiter.join, rows)))

    assert [(r.line, r.on, r.reference, r.typed, r.picker) for r in sheet.rounds] == [
        (2, date(2024, 1, 31), SearchText("Low Hey What"), "Low – Hey What", "Ada"),
        (3, date(2024, 2, 7), SearchText("Can Future Days"), "Can – Future Days", "Ben"),
    ]
    assert scores(sheet) == [{"": "4.5"}, {"": "4"}]
    assert (sheet.order, sheet.skipped, sheet.out_of) == (DateOrder.DAY_FIRST, (), 5)


HEADERS = [
    ("Date", "Artist", "Album", "Picker", "Rating"),
    ("Week of", "Band", "Album Title", "Chosen by", "Club rating (1-5)"),
    ("When?", "Artist(s)", "Album of the week", "Who picked it?", "Our score"),
    ("Meeting date", "Artist", "Record", "Nominated By", "Stars"),
    ("date_played", "artist_name", "album_name", "submitted_by", "score"),
    ("Datum", "Künstler", "Albumtitel", "Vorgeschlagen von", "Bewertung"),
    ("Tag", "Interpret:in", "Platte", "Wer?", "Punkte"),
    ("Date", "Artiste", "Titre", "Proposé par", "Note"),
    ("Fecha", "Artista", "Título", "Elegido por", "Puntuación"),
    ("Data", "Artista", "Titolo", "Scelto da", "Voto"),
    ("Data", "Artista", "Disco", "Escolhido por", "Nota"),
    ("Datum", "Artiest", "Plaat", "Gekozen door", "Cijfer"),
    ("Datum", "Artist", "Skiva", "Vald av", "Betyg"),
    ("Data", "Wykonawca", "Płyta", "Wybrał", "Ocena"),
    ("Дата", "Исполнитель", "Альбом", "Кто выбрал", "Оценка"),
]


@pytest.mark.parametrize("header", HEADERS, ids=[" ".join(header) for header in HEADERS])
def test_column_names_are_known_in_several_languages_and_spellings(header: tuple[str, ...]) -> None:
    sheet = read(";".join(header) + "\n2024-01-31;Low;Hey What;Ada;4\n")

    assert list(roles(sheet).values()) == [Role.DATE, Role.ARTIST, Role.ALBUM, Role.PICKER, Role.SCORE]
    assert scores(sheet) == [{"": "4"}]


def test_members_columns_are_told_from_scores_and_from_other_columns() -> None:
    sheet = read(
        "Round,Date,Album,Picker,Ada,Ben's score,Rating (Cleo),Average,Genre,Year,Comments,Label\n"
        "1,2024-01-31,Hey What,Ada,4.5,9/10,★★★½,4.2,Slowcore,2021,loud,Sub Pop\n"
        '2,2024-02-07,Future Days,Ben,"4,5",-,n/a,,Krautrock,1973,,\n'
    )

    assert {name: role for name, role in roles(sheet).items() if role in (Role.MEMBER, Role.NOT_USED, Role.MEAN)} == {
        "Ada": Role.MEMBER,
        "Ben's score": Role.MEMBER,
        "Rating (Cleo)": Role.MEMBER,
        "Average": Role.MEAN,
        "Genre": Role.NOT_USED,
        "Year": Role.NOT_USED,
        "Label": Role.NOT_USED,
    }
    assert sheet.members == ("Ada", "Ben", "Cleo")
    assert scores(sheet) == [{"Ada": "4.5", "Ben": "9", "Cleo": "3.5"}, {"Ada": "4.5"}]
    assert [(r.number, r.mean and r.mean.value, r.note) for r in sheet.rounds] == [
        (1, Decimal("4.2"), "loud"),
        (2, None, ""),
    ]
    assert all(not r.odd for r in sheet.rounds)


def test_a_score_in_every_usual_form_is_read_from_one_column() -> None:
    cells = ["4.5", '"4,5"', "9/10", "★★★½", "90%"]
    sheet = read("Date,Album,Score\n" + "".join(f"2024-01-{n + 1},Album {n},{cell}\n" for n, cell in enumerate(cells)))

    on_five = [row.scores[0].score.scaled(5, sheet.out_of) for row in sheet.rounds]
    assert on_five == [Decimal("4.5"), Decimal("4.5"), Decimal("4.5"), Decimal("3.5"), Decimal("4.5")]


def test_a_column_out_of_ten_says_so_for_all_its_scores() -> None:
    sheet = read("Date,Album,Score\n2024-01-01,A x,9/10\n2024-01-08,B x,4\n2024-01-15,C x,8/10\n")

    assert [str(row.scores[0].score.out_of) for row in sheet.rounds] == ["10", "10", "10"]


def test_several_scores_in_one_cell_are_all_taken() -> None:
    sheet = read('Date;Album;Scores\n2024-01-31;Hey What;"Ada: 4; Ben: 3,5"\n2024-02-07;Future Days;4 5 3\n')

    assert scores(sheet)[0] == {"Ada": "4", "Ben": "3.5"}
    assert [one.score.value for one in sheet.rounds[1].scores] == [4, 5, 3]


def test_a_row_for_each_rating_becomes_one_round() -> None:
    sheet = read(
        "Timestamp,Name,Album,Score\n"
        "2024-01-31,Ada,Hey What,4\n2024-01-31,Ben,hey what,5\n2024-02-07,Ada,Future Days,3\n"
    )

    assert scores(sheet) == [{"Ada": "4", "Ben": "5"}, {"Ada": "3"}]
    assert roles(sheet)["Name"] is Role.RATER


def test_a_forms_answers_over_several_days_become_one_round() -> None:
    sheet = read(
        "Timestamp,Your name,Album,Score\n"
        "2024-01-31 20:00,Ada,Hey What,4\n2024-02-02 09:00,Ben,Hey What,5\n2024-02-07 20:00,Ada,Future Days,3\n"
    )

    assert [(row.on, len(row.scores)) for row in sheet.rounds] == [(date(2024, 1, 31), 2), (date(2024, 2, 7), 1)]


def test_members_may_be_called_like_a_column() -> None:
    sheet = read("Date,Album,Picker,Mark,Dag,Chi\n2024-01-31,Hey What,Ada,4,5,3\n")

    assert sheet.members == ("Mark", "Dag", "Chi")


def test_a_name_beside_albums_that_come_once_is_the_pickers() -> None:
    sheet = read("Date,Name,Album,Score\n2024-01-31,Ada,Hey What,4\n2024-02-07,Ben,Future Days,3\n")

    assert [row.picker for row in sheet.rounds] == ["Ada", "Ben"]


def test_pick_is_the_album_or_the_person_by_what_else_there_is() -> None:
    assert read("Date,Pick,Who\n2024-01-31,Low - Hey What,Ada\n").rounds[0].typed == "Low - Hey What"
    assert read("Date,Pick,Album\n2024-01-31,Ada,Low - Hey What\n").rounds[0].picker == "Ada"


def test_a_date_column_with_an_unknown_name_is_known_by_what_is_in_it() -> None:
    assert read("Päivä,Album\n31.1.2024,Hey What\n").rounds[0].on == date(2024, 1, 31)


def test_week_is_a_number_or_a_date_by_what_is_in_it() -> None:
    assert read("Week,Date,Album\nWeek 3,2024-01-31,Hey What\n").rounds[0].number == 3
    assert read("Week,Album\n31 Jan 2024,Hey What\n").rounds[0].on == date(2024, 1, 31)


def test_a_release_date_is_not_the_rounds_date() -> None:
    sheet = read("Release date,Album,Date\n1973-08-01,Future Days,2024-02-07\n")

    assert sheet.rounds[0].on == date(2024, 2, 7)


# -- albums


def test_a_link_names_the_album_and_the_title_is_what_people_read() -> None:
    sheet = read(
        "Date,Artist,Album,Spotify link\n"
        f"2024-01-31,Low,Hey What,https://open.spotify.com/album/{A}?si=x\n"
        "2024-02-07,Can,Future Days,https://spotify.link/abc\n"
        "2024-02-14,Can,Tago Mago,https://youtu.be/xyz\n"
        f"2024-02-21,,,spotify:album:{B}\n"
    )

    assert [(row.reference, row.typed) for row in sheet.rounds] == [
        (AlbumRef(AlbumId(A)), "Low – Hey What"),
        (ShortLink("spotify.link", "/abc"), "Can – Future Days"),
        (SearchText("Can Tago Mago"), "Can – Tago Mago"),
        (AlbumRef(AlbumId(B)), f"https://open.spotify.com/album/{B}"),
    ]
    assert [row.odd for row in sheet.rounds] == [
        (),
        (),
        (OddCell("Spotify link", "https://youtu.be/xyz", WhyNot.OTHER_LINK),),
        (),
    ]


def test_a_link_in_the_albums_column_counts_and_a_second_one_is_named() -> None:
    sheet = read(f"Date,Album\n2024-01-31,Hey What spotify:album:{A} or spotify:album:{B}\n")

    assert sheet.rounds[0].reference == AlbumRef(AlbumId(A))
    assert sheet.rounds[0].odd == (OddCell("Album", f"https://open.spotify.com/album/{B}", WhyNot.OTHER_LINK),)


# -- dates


UNCLEAR = "Date,Album\n03/04/2024,Hey What\n2024-05-01,Future Days\n05/06/2024,Tago Mago\n"


def test_an_unclear_order_is_asked_with_an_example_and_read_again_with_the_answer() -> None:
    asked = read(UNCLEAR)
    day_first, month_first = read(UNCLEAR, DateOrder.DAY_FIRST), read(UNCLEAR, DateOrder.MONTH_FIRST)

    assert asked.order is DateOrder.UNCLEAR
    assert asked.unclear is not None
    assert (asked.unclear.line, asked.unclear.text) == (2, "03/04/2024")
    assert (asked.unclear.day_first, asked.unclear.month_first) == (date(2024, 4, 3), date(2024, 3, 4))
    assert [row.on for row in asked.rounds] == [None, date(2024, 5, 1), None]
    assert [row.on for row in day_first.rounds] == [date(2024, 4, 3), date(2024, 5, 1), date(2024, 6, 5)]
    assert [row.on for row in month_first.rounds] == [date(2024, 3, 4), date(2024, 5, 1), date(2024, 5, 6)]
    assert day_first.unclear is None


def test_one_date_late_in_a_month_decides_for_the_whole_column() -> None:
    sheet = read("Date,Album\n03/04/2024,Hey What\n04/30/2024,Future Days\n")

    assert (sheet.order, [row.on for row in sheet.rounds]) == (
        DateOrder.MONTH_FIRST,
        [date(2024, 3, 4), date(2024, 4, 30)],
    )


def test_a_date_against_the_columns_order_is_pointed_out() -> None:
    sheet = read("Date,Album\n03/04/2024,Hey What\n04/30/2024,Future Days\n", DateOrder.DAY_FIRST)

    assert [(row.on, [odd.why for odd in row.odd]) for row in sheet.rounds] == [
        (date(2024, 4, 3), []),
        (date(2024, 4, 30), [WhyNot.OTHER_DATE_ORDER]),
    ]


# -- rows that become nothing


def test_every_row_that_becomes_nothing_says_why() -> None:
    sheet = read(
        "My club,,,\n"
        "Date,Album,Picker,Ada\n"
        "2024-01-31,Hey What,Ada,4\n"
        ",Future Days,Ben,3\n"
        "soon,Tago Mago,Ben,3\n"
        "2024-02-07,,Ben,3\n"
        f"2024-02-14,spotify:playlist:{A},Ben,3\n"
        "2024-02-21,https://example.org/x,Ben,3\n"
        "2024-01-31,hey what,Cleo,2\n"
        ",,,\n"
        "Average,,,3.2\n"
        '2024-02-28,"Soon Over,Ben,3\n'
        "2024-03-06,Ege Bamyasi,Ben,good,,late\n"
    )

    assert [(row.line, row.why) for row in sheet.skipped] == [
        (1, WhyNot.ABOVE_THE_NAMES),
        (4, WhyNot.NO_DATE),
        (5, WhyNot.UNREADABLE_DATE),
        (6, WhyNot.NO_ALBUM),
        (7, WhyNot.NOT_AN_ALBUM),
        (8, WhyNot.UNREADABLE_LINK),
        (9, WhyNot.REPEATED),
        (11, WhyNot.NO_ALBUM),
        (12, WhyNot.OPEN_QUOTE),
    ]
    assert sheet.skipped[1].text == "Future Days · Ben · 3"
    assert [row.line for row in sheet.rounds] == [3, 13]
    assert sheet.rounds[1].odd == (
        OddCell("", "late", WhyNot.EXTRA_CELL),
        OddCell("Ada", "good", WhyNot.NO_SCORE),
    )


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Album,Picker\nHey What,Ada\n", (Role.DATE,)),
        ("Date,Picker\n2024-01-31,Ada\n", (Role.ALBUM,)),
        ("a,b\nc,d\n", (Role.ALBUM,)),
        ("just some words\n", (Role.ALBUM,)),
    ],
)
def test_a_sheet_without_dates_or_albums_says_what_is_missing(text: str, missing: tuple[Role, ...]) -> None:
    with pytest.raises(NoSuchColumns) as caught:
        read(text)

    assert caught.value.missing == missing
    assert caught.value.headers == tuple(text.splitlines()[0].split(","))


WIDE = "Date,Album" + ",x" * MAX_COLUMNS + "\n"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", EmptyFile),
        (b"PK\x03\x04zip", ZipFile),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old excel", ExcelFile),
        (b"Date,Album\n", NothingFound),
        (b"Date,Album\nsoon,x\n,Hey What\n", NothingFound),
        (b"When,Album\nsoon,x\n,Hey What\n", NoSuchColumns),
        (b"Date,Album\n2024-01-31,\n", NothingFound),
        (WIDE.encode(), TooManyColumns),
        (b"Date,Album\n" + b"2024-01-31,x\n" * (MAX_ROWS + 1), TooManyRows),
        (b"x" * (MAX_BYTES + 1), FileTooLarge),
        (b"Date,Album\n" + b"," * (MAX_BYTES - 11), LineTooLong),
    ],
)
def test_a_file_that_is_no_clubs_sheet_is_refused_for_its_own_reason(data: bytes, problem: type[FileProblem]) -> None:
    with pytest.raises(FileProblem) as caught:
        read_club_sheet(data)

    assert type(caught.value) is problem


@pytest.mark.parametrize("width", [3, MAX_COLUMNS])
def test_the_largest_sheet_is_read_and_a_row_more_is_not(width: int) -> None:
    most = min(MAX_ROWS, MAX_CELLS // width)
    header = "Date,Album," + ",".join(f"m{n}" for n in range(width - 2)) + "\n"
    rows = [f"2024-01-31,Album {n}" + ",4" * (width - 2) + "\n" for n in range(most + 1)]

    assert len(read(header + "".join(rows[:most])).rounds) == most
    with pytest.raises(TooManyRows) as caught:
        read(header + "".join(rows))
    assert caught.value.limit == most


# -- workbooks


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet("empty", 0)
    sheet = book["Sheet"]
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


BOOK = workbook(
    ["Our club"],
    ["Date", "Album", "Picker", "Ada", "Round"],
    [datetime(2024, 1, 31), "Hey What", "Ada", 4.5, 1],  # noqa: DTZ001 - a workbook knows no time zones
    ["7 Feb 2024", 1989, "Ben", None, 2.0],
)


def test_a_workbook_is_read_like_csv() -> None:
    sheet = read_club_sheet(BOOK)

    assert [(row.line, row.on, row.typed, row.number) for row in sheet.rounds] == [
        (3, date(2024, 1, 31), "Hey What", 1),
        (4, date(2024, 2, 7), "1989", 2),
    ]
    assert scores(sheet) == [{"Ada": "4.5"}, {}]
    assert [row.why for row in sheet.skipped] == [WhyNot.ABOVE_THE_NAMES]


def test_without_the_extra_a_workbook_has_to_be_saved_as_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # what Python does for a package that is not there

    with pytest.raises(ExcelFile):
        read_club_sheet(BOOK)


@pytest.mark.parametrize("cut", [100, 1000, len(BOOK) // 2, len(BOOK) - 30], ids=["100", "1000", "half", "end"])
def test_a_damaged_workbook_is_a_problem_of_the_file(cut: int) -> None:
    with pytest.raises(BrokenWorkbook):
        read_club_sheet(BOOK[:cut] + b"xl/workbook")


@given(st.integers(0, len(BOOK) - 1), st.binary(min_size=1, max_size=20))
def test_no_damage_to_a_workbook_raises_anything_else(at: int, noise: bytes) -> None:
    with contextlib.suppress(FileProblem):
        read_club_sheet(BOOK[:at] + noise + BOOK[at + len(noise) :])


def test_an_empty_workbook_has_no_columns() -> None:
    with pytest.raises(NoSuchColumns):
        read_club_sheet(workbook())


# -- what always holds


def test_a_clubs_own_export_is_read_as_it_was() -> None:
    rounds = [
        ClubRound(
            7, date(2026, 3, 1), AlbumId(A), "=1", ("Low",), "2021", "Ada", "Duos", 9, 4.25, ("4.5", "4"), ("ok",)
        ),
        ClubRound(8, date(2026, 3, 8), AlbumId(B), "X", ("Can", "D"), "1973", "@Ben", "", None, None, (), ()),
    ]

    sheet = read_club_sheet(write_csv(ClubRound, rounds))

    for row, expected in zip(sheet.rounds, rounds, strict=True):
        assert (row.number, row.on, row.reference) == (expected.number, expected.on, AlbumRef(expected.id))
        assert (row.picker, row.theme) == (expected.picked_by, expected.theme)
        assert tuple(str(one.score.value) for one in row.scores) == expected.scores
        assert (None if row.mean is None else float(row.mean.value)) == expected.mean
    assert sheet.rounds[0].typed == "Low – =1"
    assert not sheet.skipped


CELL = st.sampled_from(
    [
        "",
        "2024-01-31",
        "03/04/2024",
        "31.01.2024",
        "Hey What",
        "Low",
        f"spotify:album:{A}",
        "x://y",
        "4.5",
        "★★",
        "9/10",
        "-",
    ]
) | st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"'), max_size=10)
HEADER = st.permutations(["Date", "Album", "Picker", "Score", "Ada", "Link"])


@given(HEADER, st.lists(st.lists(CELL, min_size=1, max_size=7), min_size=1, max_size=15), st.sampled_from(",;\t"))
def test_every_row_that_says_something_is_a_round_or_skipped(
    header: list[str], rows: list[list[str]], delimiter: str
) -> None:
    lines = [delimiter.join(header), *(delimiter.join(f'"{cell}"' for cell in row) for row in rows)]
    filled = {number for number, row in enumerate(rows, 2) if any(map(str.strip, row))}
    try:
        sheet = read("\n".join(lines))
    except NothingFound as problem:
        rest = sum(problem.unread.values())
    except NoSuchColumns:
        return
    else:
        rest = len(sheet.skipped)
        assert {row.line for row in sheet.rounds}.isdisjoint(row.line for row in sheet.skipped)
        assert {row.line for row in (*sheet.rounds, *sheet.skipped)} == filled
        assert (sheet.unclear is None) == (sheet.order is not DateOrder.UNCLEAR)
        assert all((row.on is not None) or sheet.unclear for row in sheet.rounds)
    assert rest <= len(filled)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_anything_but_a_problem_of_the_file(data: bytes, has_header: bool) -> None:
    try:
        sheet = read_club_sheet((b"Date,Album,Ada\n2024-01-31,x,4\n" if has_header else b"") + data)
    except FileProblem:
        return
    assert sheet.rounds


# -- what real spreadsheets have


def test_japanese_column_names_and_dates_are_read() -> None:
    sheet = read("日付,アルバム,アーティスト,選んだ人,点数,リンク\n2023年1月9日,Blue,Joni Mitchell,エイダ,8,\n")
    assert list(roles(sheet).values()) == [Role.DATE, Role.ALBUM, Role.ARTIST, Role.PICKER, Role.SCORE, Role.LINK]
    assert [(row.on, row.picker) for row in sheet.rounds] == [(date(2023, 1, 9), "エイダ")]


@pytest.mark.parametrize("name", ["Album - Artist", "Album/Artist", "Album & Artist"])
def test_album_and_artist_may_be_in_one_column(name: str) -> None:
    (row,) = read(f'Date,{name},Picker\n2023-01-09,"Blue - Joni Mitchell",Ada\n').rounds
    assert row.reference == SearchText("Blue - Joni Mitchell")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("1/16/2023 - 1/22/2023", "Week"),
        ("1/16/2023 – 1/22/2023", "Date"),
        ("16 January 2023 to 22 January 2023", "Week"),
        ("44942", "Date"),
        ("44942.75", "Date"),
    ],
)
def test_a_range_of_dates_begins_a_round_and_excel_counts_days(typed: str, name: str) -> None:
    (row,) = read(f"{name},Album\n{typed},Blue\n").rounds
    assert row.on == date(2023, 1, 16)


def test_a_scale_in_the_name_of_a_column_counts_however_low_the_scores_are() -> None:
    for name in ("Score /10", "Rating (1-10)", "Note sur 10", "Score out of 10"):
        (row,) = read(f"Date,Album,{name}\n2023-01-09,Blue,4\n").rounds
        assert [(one.score.value, one.score.out_of) for one in row.scores] == [(4, 10)]


def test_rows_of_days_to_come_are_left_out() -> None:
    text = "Date,Album\n2026-03-01,Blue\n2026-03-08,Red\n"
    sheet = read_club_sheet(text.encode(), until=date(2026, 3, 2))
    assert [row.on for row in sheet.rounds] == [date(2026, 3, 1)]
    assert [(row.line, row.why) for row in sheet.skipped] == [(3, WhyNot.IN_THE_FUTURE)]
