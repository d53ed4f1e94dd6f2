"""Which albums a member's file names: our own export, Spotify's, an Exportify-like CSV, or any text with links."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.files.decoding import lines_of, text_of
from bot.files.library_file import Collected, Format, LibraryFile, Reason, Unit, named
from bot.files.library_json import parse, parse_lines, read_json
from bot.files.library_rows import MAYBE_A_LINK, known_columns, links_in, search_for, take_table
from bot.files.problems import BrokenJson
from bot.files.tables import Record, Table, column_key, records, table_of

_ARTIST_AND_TITLE = re.compile(r"(?:\d{1,5}[.)]\s+)?(\S.{0,119}?)\s+[-–—]\s+(\S.{0,119})", re.DOTALL)
_MANY = 0.8
_SCROBBLES = Record(0, ("Artist", "Album", "Track", "Date"))
_SCROBBLED = re.compile(r"\s*\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}\s*", re.ASCII)
_SAMPLE = 5
"""How many lines are looked at to know a file that has no column names."""
_EXPORT_COLUMNS = {"title", "artists", "year", "url", "uri"}


def read_library(data: bytes, name: str) -> LibraryFile:
    """Read a file of albums. Its content decides how it is read; its `name` only where the content leaves a choice.

    Raises:
        FileProblem: the file is too large, no text, or names no album; see `problems`.
    """
    text = text_of(data)
    ending = name.lower().rpartition(".")[2]
    if ending == "json" or text.lstrip()[:1] in ("{", "["):
        try:
            return read_json(parse(text))
        except BrokenJson:
            if (entries := parse_lines(text)) is not None:
                return read_json(entries)
            # "[An album](https://...)" begins like JSON, and a list of links may be called .json
            if ending == "json" and text.lstrip()[:1] in ("{", "["):
                raise
    lines = lines_of(text)
    least = 1 if ending in ("csv", "tsv") else 2
    if table := table_of(lines, lambda row: known_columns(row) if len(row.cells) >= least else 0):
        return _read_table(table)
    if _are_scrobbles(lines):
        return _read_table(Table(_SCROBBLES, (), records(lines, ",")))
    return _read_text(lines)


def _are_scrobbles(lines: Sequence[str]) -> bool:
    """Whether it is Last.fm's history as the usual programs write it, without column names."""
    sample = [record for record in records(lines[:_SAMPLE], ",") if not record.is_blank]
    width = len(_SCROBBLES.cells)
    return bool(sample) and all(len(row.cells) == width and _SCROBBLED.fullmatch(row.cells[-1]) for row in sample)


def _read_table(table: Table) -> LibraryFile:
    into = Collected()
    take_table(table, into)
    is_ours = set(map(column_key, table.header.cells)) >= _EXPORT_COLUMNS
    return into.result(Format.EXPORT if is_ours else Format.TABLE, Unit.LINE)


def _read_text(lines: Sequence[str]) -> LibraryFile:
    into = Collected()
    # a semicolon separates in CSV without column names, and is in no link of Spotify's
    links = [list(links_in(line.replace(";", " "))) if MAYBE_A_LINK.search(line) else [] for line in lines]
    if not any(links):
        _take_titles([Record(at, (line,)) for at, line in enumerate(lines, 1) if line.strip()], into)
    else:
        for at, (line, references) in enumerate(zip(lines, links, strict=True), 1):
            for reference in references:
                into.add(reference, named(reference), at)
            if not references and line.strip():
                into.add_unread(at, line, Reason.NO_ALBUM)
    return into.result(Format.TEXT, Unit.LINE)


def _take_titles(records: Sequence[Record], into: Collected) -> None:
    """A list without any link, where nearly each line is "Artist - Title"."""
    matches = [_ARTIST_AND_TITLE.fullmatch(record.text) for record in records]
    is_list = sum(map(bool, matches)) >= _MANY * len(records)
    for record, match in zip(records, matches, strict=True):
        if match and is_list:
            into.add(search_for(match[1], match[2]), record.text, record.line)
        else:
            into.add_unread(record.line, record.text, Reason.NO_ALBUM)
