"""Looking at a database that a bot may be using: what is seen, and that nothing changes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.storage import Storage, StorageStartupError, open_storage
from bot.storage.database import hold_lock
from bot.storage.schema_status import is_in_use, opened_to_look, steps_of
from tests.storage.rows import KEY, open_in


async def test_a_database_is_in_use_for_as_long_as_a_bot_has_it_and_looking_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    assert not is_in_use(path)
    storage = await open_storage(path, [KEY])
    before = open_in(tmp_path)
    assert is_in_use(path)
    (tmp_path / "link.db").symlink_to(path)
    assert is_in_use(tmp_path / "link.db")
    assert open_in(tmp_path) == before
    await storage.close()
    assert not is_in_use(path)


def test_a_lock_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "gatefold.db.lock").symlink_to(tmp_path / "gatefold.db.lock")
    with pytest.raises(StorageStartupError, match=r"gatefold\.db\.lock cannot be opened \(Too many levels"):
        is_in_use(tmp_path / "gatefold.db")


async def test_what_a_bot_that_starts_at_this_moment_writes_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    lock = hold_lock(path)  # the bot's first act
    with opened_to_look(path) as c, closing(sqlite3.connect(path)) as starting:
        starting.execute("DELETE FROM key_check")
        starting.commit()
        assert c.execute("SELECT COUNT(*) FROM key_check").fetchone()[0] == 0
    os.close(lock)


async def test_who_looks_at_a_database_that_nobody_uses_lays_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    with opened_to_look(path) as c:
        assert c.execute("SELECT COUNT(*) FROM links").fetchone()[0] == 0
        assert sorted(file.name for file in tmp_path.iterdir()) == ["gatefold.db", "gatefold.db.lock"]


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(StorageStartupError, match="is a folder"):
        steps_of(tmp_path)


async def test_who_looks_can_change_nothing(storage: Storage) -> None:
    with (
        pytest.raises(StorageStartupError, match="cannot be opened by this user"),
        opened_to_look(storage.database.path) as c,
    ):
        c.execute("DELETE FROM links")
