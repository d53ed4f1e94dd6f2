"""What only SQLite can do: files, logs, flushes, copies and a look at every page. Nothing else imports `sqlite3`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

Connection = sqlite3.Connection
Connect = Callable[..., Connection]
Error = sqlite3.Error
CONNECT: Connect = sqlite3.connect

_BUSY_MS = 5000
_BUSY_S = _BUSY_MS / 1000


def open_main(path: Path, connect: Connect) -> Connection:
    """The one connection that writes: it writes ahead, erases what it deletes, and flushes only where it is told to."""
    # Created by us with 0600: SQLite gives the WAL and the SHM the mode of the file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    os.chmod(path, 0o600)
    c = connect(path, isolation_level=None)
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        # A commit is not flushed, unless it is said to be: see flushing().
        "synchronous = NORMAL",
        "secure_delete = ON",
        "trusted_schema = OFF",
    ):
        c.execute(f"PRAGMA {pragma}")
    return c


def begin_work(c: Connection) -> None:
    """After the migrations: references are kept from now on, and rows are read by the names of their columns."""
    c.execute("PRAGMA foreign_keys = ON")
    c.row_factory = sqlite3.Row


def writes_ahead(c: Connection) -> bool:
    """Whether the file system lets SQLite write ahead."""
    return bool(c.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


class Transaction:
    """All of it or nothing. Begun at once as a writer, so that it never has to give up in the middle."""

    def __init__(self, c: Connection) -> None:
        self._c = c

    def __enter__(self) -> None:
        self._c.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._c.commit()
        finally:
            if self._c.in_transaction:
                self._c.execute("ROLLBACK")


@contextmanager
def flushing(c: Connection) -> Iterator[None]:
    """A commit in here flushes the log; what cannot be flushed is rolled back."""
    c.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        c.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def not_waiting(c: Connection) -> Iterator[None]:
    """Nothing in here waits for somebody else's lock: all other jobs would wait along with it."""
    c.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        yield
    finally:
        c.execute(f"PRAGMA busy_timeout = {_BUSY_MS}").fetchall()


@contextmanager
def without_references(c: Connection) -> Iterator[None]:
    """References are not enforced in here, so that tables can be rebuilt. Look for broken ones afterwards."""
    c.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        c.execute("PRAGMA foreign_keys = ON")


def fold_log(c: Connection) -> bool:
    """Fold the log into the file and empty it; False: not now, since somebody reads."""
    return not c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def write_nothing_new(c: Connection) -> None:
    """Write a number that nobody reads: SQLite writes its page anew, also when it was the same before."""
    c.execute("PRAGMA user_version = 1")


def copy_to(c: Connection, target: Path, patience_s: float = _BUSY_S) -> None:
    """Copy the whole database to a new file (0600). `patience_s`: how long it waits for somebody else's lock."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    until = time.monotonic() + patience_s

    def give_up(status: int, remaining: int, total: int) -> None:
        # Python tries for ever to copy what somebody else has locked.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = status
            raise error

    with closing(sqlite3.connect(target)) as copy:
        c.backup(copy, progress=give_up)


def copy_file(path: Path, target: Path, patience_s: float = _BUSY_S) -> None:
    """Copy a database that no bot uses, with what is in its log, to a new file (0600). `patience_s`: as above."""
    with closing(sqlite3.connect(path, timeout=patience_s)) as c:
        has_tables(c)  # fails at once where the copy would wait for its first page again and again
        copy_to(c, target, patience_s)


def fold_log_of(path: Path) -> None:
    """Fold the log of a file that nobody uses into it. One that is too damaged for that keeps its log."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as c:
        fold_log(c)


def opened_alone(file: Path) -> Connection:
    """A connection to a file that nobody else has: everything stays in this one file."""
    c = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in (
            # In WAL mode it would lay two more files beside it; a journal on the disk would keep what is deleted.
            "journal_mode = MEMORY",
            "synchronous = FULL",
            "secure_delete = ON",
            "trusted_schema = OFF",
            "foreign_keys = ON",
        ):
            c.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        c.close()
        raise
    return c


@contextmanager
def opened_to_read(path: Path, *, is_closed: bool) -> Iterator[Connection]:
    """A connection that can only read. `is_closed`: nobody uses the file, and no log is beside it.

    SQLite before 3.51.3 can corrupt a WAL database when two connections write or checkpoint. A `mode=ro` connection
    does neither: it cannot write, and closing it last folds nothing (the file's lock for that needs a writable handle).
    """
    # A file that was closed cleanly has no log, and SQLite must not even make one.
    mode = "mode=ro&immutable=1" if is_closed else "mode=ro"
    with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as c:
        c.row_factory = sqlite3.Row
        c.execute("BEGIN")  # one moment for all that is read
        yield c


def damage(c: Connection) -> str | None:
    """Look at every page and every reference: what is wrong, or None."""
    if found := [text for (text,) in c.execute("PRAGMA integrity_check(3)") if text != "ok"]:
        return "; ".join(found)
    return "its rows do not fit together" if broken_references(c) else None


def broken_references(c: Connection) -> list[tuple[object, ...]]:
    """Rows that refer to rows that are not there."""
    return [tuple(row) for row in c.execute("PRAGMA foreign_key_check").fetchmany(3)]


def has_tables(c: Connection) -> bool:
    """Whether there is any table."""
    return c.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1").fetchone() is not None


def has_table(c: Connection, name: str) -> bool:
    """Whether there is a table of this name."""
    return c.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def without_cursor(result: object) -> None:
    """Close what a job returns, if it is a cursor: let go in another thread, it would reset its statement there.

    That statement comes from the connection's cache, where the database thread may be using it again by then: some
    write then fails with "bad parameter or other API misuse" (seen once in 300 kills).
    """
    if isinstance(result, sqlite3.Cursor):
        result.close()


def is_our_mistake(error: Exception) -> bool:
    """Whether a constraint was broken, which says nothing about the disk."""
    return isinstance(error, sqlite3.IntegrityError)


class Kind(Enum):
    """What an error says about the file, where that decides what a host has to do."""

    NO_DATABASE = auto()
    DAMAGED = auto()
    CLOSED = auto()
    LOCKED = auto()
    FULL = auto()


_KINDS = {
    sqlite3.SQLITE_NOTADB: Kind.NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: Kind.DAMAGED,
    sqlite3.SQLITE_CANTOPEN: Kind.CLOSED,
    sqlite3.SQLITE_PERM: Kind.CLOSED,
    sqlite3.SQLITE_AUTH: Kind.CLOSED,
    sqlite3.SQLITE_READONLY: Kind.CLOSED,
    sqlite3.SQLITE_BUSY: Kind.LOCKED,
    sqlite3.SQLITE_LOCKED: Kind.LOCKED,
    sqlite3.SQLITE_FULL: Kind.FULL,
}


def kind_of(error: Error) -> Kind | None:
    """The kind of an error; None for any other."""
    code = getattr(error, "sqlite_errorcode", None)  # Python's own errors have none
    return None if code is None else _KINDS.get(code & 0xFF)  # without the extension, which says more exactly why
