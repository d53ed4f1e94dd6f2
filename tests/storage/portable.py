"""Whether SQL is portable: PostgreSQL's own parser reads each statement that a store executes."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pglast

SQLITES_OWN = {"sqlite.py", "schema.py", "changes.py"}
"""Where SQLite's own statements are; changes.py follows."""
# Quoted text, or a mark for a parameter.
_MARK = re.compile(r"'(?:[^']|'')*'|\?")


@cache
def problem(sql: str) -> str | None:
    """Why PostgreSQL would not read a statement, or None."""
    if re.search(r"\browid\b", sql, re.IGNORECASE):
        return "rowid"
    count = 0

    def numbered(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] != "?":
            return found[0]
        count += 1
        return f"${count}"

    try:
        pglast.parse_sql(_MARK.sub(numbered, sql))
    except pglast.parser.ParseError as error:
        return str(error)
    return None


def listening(executed: set[str]) -> Callable[..., sqlite3.Connection]:
    """Makes connections that note each statement that a store executes."""

    def note(sql: str) -> None:
        place = Path(sys._getframe(2).f_code.co_filename)
        if place.parent.name == "storage" and place.parent.parent.name == "bot" and place.name not in SQLITES_OWN:
            executed.add(sql)

    class Listening(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            note(sql)
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:
            note(sql)
            return super().executemany(sql, parameters)

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Listening, **options)

    return connect
