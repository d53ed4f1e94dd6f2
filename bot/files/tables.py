"""CSV as it comes from people's programs: which separator, which row holds the column names, what the cells say."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from bot.albums import fold
from bot.patterns import pattern

DELIMITERS = (",", ";", "\t", "|")
MAX_RECORD_LINES = 100
"""A row with more lines than this has a quotation mark that was never closed."""
MAX_OPEN_QUOTES = 20
"""After this many quotation marks that were never closed, quotation marks are read as text."""
MAX_ROWS_ABOVE = 10
"""In how many rows the column names are looked for: some people put a title above them."""
MAX_HEADER = 5_000
"""How far into a line column names are looked for, in characters."""

_END = "\0"  # decoding lets no NUL through, so this is never in a file
_SEPARATOR_HINT = pattern(r"sep=([,;\t|])[\r\n]*", re.IGNORECASE)  # Excel's own first line
# What a spreadsheet program takes for a formula, the wide forms included; quotes before it are those of `escaped`.
_FORMULA = pattern(r"'*[\t\r\n]|[\s']*[=+\-@\uff1d\uff0b\uff0d\uff20]")


class Record(Struct, frozen=True):
    """One row. `line`: where it begins, from 1. `broken`: a quotation mark is never closed; one cell, the raw line."""

    line: int
    cells: tuple[str, ...]
    broken: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether no cell says anything."""
        return not any(map(str.strip, self.cells))

    @property
    def is_rule(self) -> bool:
        """Whether it is the rule below the column names of a table in Markdown."""
        return all(set(cell.strip()) <= {"-", ":"} for cell in self.cells) and "---" in self.text

    @property
    def has_links(self) -> bool:
        """Whether a cell holds a link, so that the row is no row of column names."""
        return any("://" in cell or "spotify:" in cell.lower() for cell in self.cells)

    @property
    def text(self) -> str:
        """The whole row, to be shown back."""
        return " · ".join(filter(None, (cell.strip() for cell in self.cells)))


class Table(Struct, frozen=True):
    """A file in columns: the row with their names, the rows above it, and those below it (read while iterating)."""

    header: Record
    above: tuple[Record, ...]
    rows: Iterator[Record]


def table_of(lines: Sequence[str], score: Callable[[Record], int]) -> Table | None:
    """Find the separator and the row with the column names; None if no row has any.

    `score`: how many of a row's cells are column names that the caller knows. The best row wins, then the most columns.
    """
    first = 0
    delimiters: tuple[str, ...] = DELIMITERS
    if lines and (hint := _SEPARATOR_HINT.fullmatch(lines[0])):
        first, delimiters = 1, (hint[1],)
    # The names are looked for in a sample, so that a file of nothing but separators costs no more than others.
    sample = [line[:MAX_HEADER] for line in lines[first : first + 2 * MAX_ROWS_ABOVE]]
    best: tuple[tuple[int, int], str, int] | None = None
    for delimiter in delimiters:
        for _, record in zip(range(MAX_ROWS_ABOVE), records(sample, delimiter), strict=False):
            rank = score(record), len(record.cells)
            if rank[0] > 0 and not record.broken and not record.has_links and (best is None or rank > best[0]):
                best = rank, delimiter, first + record.line
    if best is None:
        return None
    above: list[Record] = []
    rows = records(lines, best[1], first)
    for record in rows:
        if record.line >= best[2]:
            return Table(record, tuple(above), rows)
        if not record.is_blank:
            above.append(record)
    return None


def table_of_cells(rows: Sequence[Sequence[str]], score: Callable[[Record], int]) -> Table | None:
    """The same for rows that are in cells already (a workbook's)."""
    found = [Record(number, tuple(cells)) for number, cells in enumerate(rows, 1)]
    ranked = [(score(r), -number) for number, r in enumerate(found[:MAX_ROWS_ABOVE]) if not r.has_links]
    if not ranked or max(ranked)[0] <= 0:
        return None
    at = -max(ranked)[1]
    return Table(found[at], tuple(r for r in found[:at] if not r.is_blank), iter(found[at + 1 :]))


def records(lines: Sequence[str], delimiter: str, first: int = 0) -> Iterator[Record]:
    """Read rows from line `first` (from 0) on. A quotation mark that is never closed costs its own row only.

    The csv module would let such a mark swallow the rest of the file. Here the first line is returned as a broken
    record, and reading goes on with the next line.
    """
    open_quotes = 0
    while first < len(lines):
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if open_quotes < MAX_OPEN_QUOTES else csv.QUOTE_NONE
        reader = csv.reader(_with_end(lines, first), delimiter=delimiter, quoting=quoting, skipinitialspace=True)
        begin = first
        try:
            for cells in reader:
                end = first + reader.line_num
                swallowed_the_rest = end > len(lines) > begin
                if swallowed_the_rest or end - begin > MAX_RECORD_LINES:
                    break
                if end - begin > 1 and not _is_well_quoted(lines[begin:end], delimiter):
                    break
                if begin < len(lines):
                    yield Record(begin + 1, tuple(map(unescaped, cells)))
                begin = end
        except csv.Error:  # a cell beyond the module's limit of 131,072 characters
            pass
        if begin >= len(lines):
            return
        open_quotes += 1
        yield Record(begin + 1, (lines[begin].rstrip("\r\n"),), broken=True)
        first = begin + 1


def _is_well_quoted(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a cell of several lines ends where its quotation mark does; else that mark belongs to another cell."""
    try:
        return len([*csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)]) == 1
    except csv.Error:
        return False


def _with_end(lines: Sequence[str], first: int) -> Iterator[str]:
    for number in range(first, len(lines)):
        yield lines[number]
    yield _END


def column_key(name: str) -> str:
    """A column's name as it is compared: "Artist Name(s)", "artist_names" and "artistNames" are much alike."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:100])
    return " ".join(re.sub(r"[\W_]+", " ", fold(spaced)).split())


def escaped(cell: str) -> str:
    """A cell that no spreadsheet program takes for a formula: an apostrophe is put before one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str:
    """The cell as it was before `escaped`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell
