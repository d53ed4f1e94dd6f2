"""Whether SQL is portable and finds its rows by an index, seen at each statement that a store executes."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pglast

from tests.storage.keys_of_jobs import Jobs

SQLITES_OWN = {"sqlite.py", "schema.py"}
"""Where SQLite's own statements are."""
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


GROWING = {
    "change_requests",
    "library_changes",
    "links",
    "outbox",
    "crate_entries",
    "kept_albums",
    "ballots",
    "counted_ballots",
    "ratings",
    "club_saves",
    "curator_log",
}
"""Tables that grow for as long as the bot is used."""


def full_scans(file: Path, statements: Iterable[str]) -> dict[str, str]:
    """The statements that read a whole growing table, and SQLite's word on it; not those of a key rotation."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as c:
        for sql in statements:
            if "substr(" in sql or not sql.startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            with suppress(sqlite3.OperationalError):  # a test has dropped the table
                for *_, detail in c.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")):
                    if detail.removeprefix("SCAN ") in GROWING:
                        found[sql] = detail
    return found


def listening(executed: set[str], jobs: Jobs) -> Callable[..., sqlite3.Connection]:
    """Makes connections that note each statement that a store executes, and what each job does."""

    def note(sql: str) -> None:
        place = Path(sys._getframe(2).f_code.co_filename)
        if place.parent.name == "storage" and place.parent.parent.name == "bot" and place.name not in SQLITES_OWN:
            executed.add(sql)

    class Listening(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            jobs.note(sql)
            note(sql)
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:
            jobs.note(sql)
            note(sql)
            return super().executemany(sql, parameters)

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Listening, **options)

    return connect
