"""What only SQLite can do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.storage import sqlite
from tests.storage.rows import open_in

Opens = Callable[[Path], sqlite.Connection]


def opens_main(path: Path) -> sqlite.Connection:
    return sqlite.open_main(path, sqlite.CONNECT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database in WAL mode with a table whose rows refer to another one, closed cleanly."""
    path = tmp_path / "one.db"
    with closing(opens_main(path)) as c:
        c.execute("CREATE TABLE albums (id INTEGER PRIMARY KEY)")
        c.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, album INTEGER REFERENCES albums)")
    return path


def pragma(c: sqlite.Connection, name: str) -> object:
    return c.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("opens", [opens_main, sqlite.opened_alone])
def test_no_statement_begins_a_transaction_that_nobody_ends(opens: Opens, path: Path) -> None:
    with closing(opens(path)) as c:
        c.execute("INSERT INTO albums VALUES (1)")
        assert not c.in_transaction
    with closing(sqlite3.connect(path)) as c:
        assert c.execute("SELECT id FROM albums").fetchall() == [(1,)]


def test_a_transaction_that_fails_is_rolled_back_and_ended(path: Path) -> None:
    def fail(c: sqlite.Connection) -> None:
        with sqlite.Transaction(c):
            c.execute("INSERT INTO albums VALUES (1)")
            raise KeyError

    with closing(opens_main(path)) as c:
        with pytest.raises(KeyError):
            fail(c)
        assert not c.in_transaction
        assert c.execute("SELECT * FROM albums").fetchall() == []


def test_a_lock_is_waited_for_again_after_what_may_not_wait(path: Path) -> None:
    with closing(opens_main(path)) as c:
        before = pragma(c, "busy_timeout")
        with sqlite.not_waiting(c):
            assert pragma(c, "busy_timeout") == 0
        assert pragma(c, "busy_timeout") == before != 0


def test_references_are_enforced_again_after_tables_were_rebuilt(path: Path) -> None:
    with closing(sqlite.opened_alone(path)) as c:
        with pytest.raises(sqlite3.IntegrityError):
            c.execute("INSERT INTO notes VALUES (1, 7)")
        with sqlite.without_references(c):
            c.execute("INSERT INTO notes VALUES (1, 7)")
        with pytest.raises(sqlite3.IntegrityError):
            c.execute("INSERT INTO notes VALUES (2, 7)")


def test_of_many_broken_references_three_are_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as c:
        for number in range(5):
            c.execute("INSERT INTO notes VALUES (?, 7)", (number,))
        assert [row[:3] for row in sqlite.broken_references(c)] == [("notes", number, "albums") for number in range(3)]


def test_all_that_is_read_is_of_one_moment(path: Path) -> None:
    with closing(opens_main(path)) as writer, sqlite.opened_to_read(path, is_closed=False) as reader:
        assert reader.execute("SELECT COUNT(*) FROM albums").fetchone()[0] == 0
        writer.execute("INSERT INTO albums VALUES (1)")
        assert reader.execute("SELECT COUNT(*) FROM albums").fetchone()[0] == 0
    with sqlite.opened_to_read(path, is_closed=True) as reader:
        assert reader.execute("SELECT COUNT(*) AS albums FROM albums").fetchone()["albums"] == 1


@pytest.mark.parametrize("is_closed", [True, False])
def test_who_only_reads_can_write_nothing(is_closed: bool, path: Path) -> None:
    with sqlite.opened_to_read(path, is_closed=is_closed) as c, pytest.raises(sqlite3.OperationalError):
        c.execute("INSERT INTO albums VALUES (1)")


def test_who_reads_a_file_that_nobody_uses_lays_nothing_beside_it(path: Path, tmp_path: Path) -> None:
    with sqlite.opened_to_read(path, is_closed=True) as c:
        c.execute("SELECT * FROM albums").fetchall()
        assert [file.name for file in tmp_path.iterdir()] == ["one.db"]


def test_a_log_beside_a_file_that_is_no_database_is_no_error(path: Path) -> None:
    path.write_bytes(b"no database " * 500)
    path.with_name("one.db-wal").write_bytes(b"no log " * 500)
    sqlite.fold_log_of(path)
    assert path.read_bytes() == b"no database " * 500


def test_the_log_of_a_file_that_nobody_uses_is_folded_into_it(path: Path, tmp_path: Path) -> None:
    with closing(opens_main(path)) as c:
        c.execute("INSERT INTO albums VALUES (1)")
        (tmp_path / "killed").mkdir()
        killed = tmp_path / "killed" / "one.db"
        for end in ("", "-wal"):
            Path(f"{killed}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    sqlite.fold_log_of(killed)
    assert [file.name for file in killed.parent.iterdir()] == ["one.db"]
    with closing(sqlite3.connect(killed)) as c:
        assert c.execute("SELECT id FROM albums").fetchall() == [(1,)]


def test_an_index_that_lacks_a_row_is_damage(path: Path) -> None:
    with closing(sqlite.opened_alone(path)) as c:
        c.execute("INSERT INTO notes VALUES (1, NULL)")
        c.execute("CREATE INDEX by_album ON notes (album)")
        assert sqlite.damage(c) is None
        c.execute("PRAGMA writable_schema = ON")
        c.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX by_album ON notes (id)' WHERE name = 'by_album'")
    with closing(sqlite.opened_alone(path)) as c:
        assert "missing from index by_album" in (sqlite.damage(c) or "")


def test_a_file_that_is_no_database_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no database " * 500)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        sqlite.opened_alone(tmp_path / "text")
    assert open_in(tmp_path) == [], caught  # which keeps what was opened from being collected


def test_a_list_of_rows_is_no_cursor_and_a_cursor_is_closed(path: Path) -> None:
    with closing(opens_main(path)) as c:
        cursor = c.execute("SELECT 1")
        sqlite.without_cursor([1])
        sqlite.without_cursor(cursor)
        with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
            cursor.fetchone()
