"""CSV: cells that look like formulas, quotation marks that stay open, separators."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.files.tables import MAX_OPEN_QUOTES, MAX_RECORD_LINES, column_key, escaped, records, unescaped

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "'=1", "''+1", "\n=1", "'\tx"]


@pytest.mark.parametrize("cell", DANGEROUS)
def test_a_formula_is_escaped_and_comes_back(cell: str) -> None:
    assert escaped(cell) == f"'{cell}"
    assert unescaped(escaped(cell)) == cell


@pytest.mark.parametrize("cell", ["", "'Til Tuesday", "Low", "'", "a=1", "1-2", "\u2212", "''"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert escaped(cell) == cell
    assert unescaped(cell) == cell


@given(st.text(st.sampled_from("'=+-@\t\r\n \u3000a\uff1d")) | st.text())
def test_escaping_loses_nothing_and_leaves_no_formula(cell: str) -> None:
    assert unescaped(escaped(cell)) == cell
    assert escaped(cell)[:1] not in tuple("=+-@\t\r\n\uff1d")
    assert escaped(cell).lstrip()[:1] not in tuple("=+-@\uff1d")


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=1, max_size=4), max_size=8))
def test_what_the_csv_module_writes_is_read_again(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([[escaped(cell) for cell in row] for row in rows])
    lines = list(io.StringIO(text.getvalue(), newline=""))

    assert [list(record.cells) for record in records(lines, ",")] == rows


def test_a_cell_of_many_lines_is_one_cell_and_rows_keep_their_line_numbers() -> None:
    lines = ["a,b\n", '1,"x\n', 'y"\n', "\n", "2,z"]

    assert [(r.line, r.cells) for r in records(lines, ",")] == [
        (1, ("a", "b")),
        (2, ("1", "x\ny")),
        (4, ()),
        (5, ("2", "z")),
    ]


def test_a_cell_of_too_many_lines_is_an_open_quotation_mark() -> None:
    lines = ['1,"x\n', *["y\n"] * MAX_RECORD_LINES, '"\n', "2,z\n"]

    found = list(records(lines, ","))

    assert (found[0].broken, found[0].cells) == (True, ('1,"x',))
    assert found[1].cells == ("y",)
    assert len([r for r in found if r.broken]) == 2  # the mark that opened, and the one that was meant to close
    assert len(found) == len(lines) - 1 or found[-1].line == len(lines)


def test_after_many_open_quotation_marks_they_are_text() -> None:
    lines = [line for _ in range(MAX_OPEN_QUOTES + 5) for line in ('"a,b\n', *["c,d\n"] * MAX_RECORD_LINES)]

    found = list(records(lines, ","))

    assert len(found) == len(lines)
    assert sum(record.broken for record in found) == MAX_OPEN_QUOTES
    assert found[-MAX_RECORD_LINES - 1].cells == ('"a', "b")


@given(st.lists(st.text(st.sampled_from('a",; \n')), max_size=10))
def test_no_line_is_lost_whatever_the_quotation_marks(texts: list[str]) -> None:
    lines = list(io.StringIO("".join(texts), newline=""))

    found = list(records(lines, ","))

    starts = [record.line for record in found]
    assert starts == sorted(set(starts))
    letters = sum(line.count("a") for line in lines)
    assert sum(cell.count("a") for record in found for cell in record.cells) == letters


@pytest.mark.parametrize(
    "name", ["Artist Name(s)", "artist_name_s", " ARTIST  NAME-S ", "artistNameS", "Artist Náme(s)"]
)
def test_spellings_of_a_column_name_are_one(name: str) -> None:
    assert column_key(name) == "artist name s"
