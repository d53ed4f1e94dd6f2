"""Backups, putting one back, and changing the key."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gzip
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.changes import Kind
from bot.errors import StorageUnavailable
from bot.storage import Storage, StorageStartupError, open_storage
from bot.storage.backup import back_up, copy_unused
from bot.storage.changes import ANSWER
from bot.storage.database import Database
from bot.storage.engine import Connection
from bot.storage.links import ACCESS
from bot.storage.restore import Restored, restore
from bot.storage.rotation import BATCH, Rotation, rotate
from bot.storage.schema import load_steps
from bot.storage.schema_status import steps_of
from bot.storage.snapshot import read_snapshot
from bot.storage.sqlite import copy_to, opened_alone
from bot.storage.stores import SEALED
from bot.storage.unfit import Unfit, fault_of
from bot.storage.vault import Vault, key_id
from tests.callers import caller
from tests.storage.earlier_seals import sealed_by_version_1
from tests.storage.rows import ADA, BEN, KEY, NOW, OTHER_KEY, X, Y, ask, at, execute, link, on_disk, open_in, put, rows

ROOT = Path(__file__).resolve().parents[2]
NEW = b"n" * 32


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def held(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as c:
        return c.execute(query).fetchall()


async def filled(storage: Storage) -> None:
    """A link, a request that waits, one that is done, and a link attempt on its way."""
    await put(storage)
    await ask(storage, 1, X, token="answer-token-of-a-request")
    await ask(storage, 2, Y)
    await storage.attempts.begin(b"attempt", caller(BEN, token="answer-token-of-an-attempt"), at())
    await storage.attempts.add_state(b"state", b"attempt", b"cookie", "spotify", "link", at(), "A Discord name")


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """A backup with a link and two requests, in a folder of its own."""
    storage = await open_storage(tmp_path / "source" / "gatefold.db", [KEY])
    await filled(storage)
    (tmp_path / "kept").mkdir()
    await back_up(storage.database.backup, tmp_path / "kept" / "one.backup")
    await storage.close()
    return tmp_path / "kept" / "one.backup"


# -- backups


async def test_a_backup_is_one_file_for_its_owner_alone_and_says_what_it_holds(
    storage: Storage, tmp_path: Path
) -> None:
    await filled(storage)
    (tmp_path / "kept").mkdir()
    before = os.umask(0)
    try:
        copy = await back_up(storage.database.backup, tmp_path / "kept" / "one.backup")
    finally:
        os.umask(before)
    assert names(tmp_path / "kept") == ["one.backup"]
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600
    assert (copy.contents.links, copy.contents.requests, copy.contents.pending) == (1, 2, 2)
    assert copy.size == copy.file.stat().st_size
    assert held(copy.file, "PRAGMA integrity_check") == [("ok",)]
    assert copy.file.read_bytes()[18:20] == b"\x01\x01"  # not in WAL mode: whoever looks into it lays nothing beside it
    assert held(copy.file, "SELECT account_id FROM links") == [("acc-ada",)]


async def test_backups_leave_no_file_open(storage: Storage, tmp_path: Path) -> None:
    await back_up(storage.database.backup, tmp_path / "first.backup")
    before = open_in(tmp_path)
    for number in range(5):
        await back_up(storage.database.backup, tmp_path / f"{number}.backup")
    assert open_in(tmp_path) == before


async def test_what_lives_for_minutes_only_is_in_no_backup(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    short = [
        row["interaction_token_sealed"]
        for table in ("change_requests", "link_attempts")
        for row in await rows(storage, table)
    ]
    assert len(short) == 3
    copy = await back_up(storage.database.backup, tmp_path / "one.backup")
    for table in ("link_attempts", "oauth_states"):
        assert held(copy.file, f"SELECT * FROM {table}") == []
        assert len(await rows(storage, table)) == 1  # the database itself is left as it is
    for secret in (*short, b"A Discord name"):
        assert secret not in copy.file.read_bytes()
    (link_row,) = await rows(storage, "links")
    assert link_row["refresh_sealed"] in copy.file.read_bytes()


@pytest.mark.parametrize("key_check", [True, False])
async def test_the_keys_check_value_is_left_out_where_that_is_asked(
    key_check: bool, storage: Storage, tmp_path: Path
) -> None:
    (row,) = await rows(storage, "key_check")
    copy = await back_up(storage.database.backup, tmp_path / "one.backup", key_check=key_check)
    assert (row["proof_sealed"] in copy.file.read_bytes()) == key_check


@pytest.mark.parametrize("there", ["file", "link that leads nowhere"])
async def test_a_backup_overwrites_nothing(there: str, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    if there == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StorageStartupError, match="never overwrites"):
        await back_up(storage.database.backup, target)
    assert target.is_symlink() or target.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


async def test_a_backup_whose_name_is_taken_is_not_begun(tmp_path: Path) -> None:
    begun: list[Path] = []

    async def begin(part: Path) -> None:
        begun.append(part)

    (tmp_path / "one.backup").write_text("mine")
    with pytest.raises(StorageStartupError, match="never overwrites"):
        await back_up(begin, tmp_path / "one.backup")
    assert begun == []


async def test_backups_that_cannot_be_made_leave_no_file_open(tmp_path: Path) -> None:
    async def full(part: Path) -> None:
        raise StorageUnavailable("database or disk is full")

    (tmp_path / "taken.backup").touch()
    before = open_in(tmp_path)
    for name in ("taken.backup", "new.backup"):
        with pytest.raises(StorageStartupError):
            await back_up(full, tmp_path / name)
    assert open_in(tmp_path) == before


async def test_a_backup_is_made_where_folders_cannot_be_locked(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    copy = await back_up(storage.database.backup, tmp_path / "one.backup")
    assert held(copy.file, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("has_hard_links", [True, False])
async def test_a_backup_overwrites_nothing_that_appears_while_it_is_made(
    has_hard_links: bool, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_hard_links:
        without_hard_links(monkeypatch)
    target = tmp_path / "kept" / "one.backup"
    target.parent.mkdir()

    async def meanwhile(part: Path) -> None:
        await storage.database.backup(part)
        target.write_text("somebody else's")

    with pytest.raises(StorageStartupError, match="never overwrites"):
        await back_up(meanwhile, target)
    assert target.read_text() == "somebody else's"
    assert names(target.parent) == ["one.backup"]


async def test_a_backup_is_made_where_there_are_no_hard_links(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_hard_links(monkeypatch)
    (tmp_path / "kept").mkdir()
    copy = await back_up(storage.database.backup, tmp_path / "kept" / "one.backup")
    assert names(tmp_path / "kept") == ["one.backup"]
    assert held(copy.file, "PRAGMA integrity_check") == [("ok",)]
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600


def without_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.fixture
def on_the_disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is flushed and what is named, in this order."""
    seen: list[tuple[str, str]] = []
    fsync, link, rename = os.fsync, os.link, os.rename

    def noted_fsync(handle: int) -> None:
        seen.append(("flush", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        fsync(handle)

    def noted_link(source: Path, target: Path) -> None:
        seen.append(("name", Path(target).name))
        link(source, target)

    def noted_rename(source: Path, target: Path) -> None:
        seen.append(("name", Path(target).name))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    monkeypatch.setattr(os, "rename", noted_rename)
    return seen


async def test_a_backup_is_flushed_before_it_gets_its_name_and_the_name_after_it(
    storage: Storage, tmp_path: Path, on_the_disk: list[tuple[str, str]]
) -> None:
    (tmp_path / "kept").mkdir()
    await back_up(storage.database.backup, tmp_path / "kept" / "one.backup")
    assert on_the_disk == [("flush", ".one.backup.part"), ("name", "one.backup"), ("flush", "kept")]


async def test_the_name_of_a_new_database_is_flushed_at_the_start(
    tmp_path: Path, on_the_disk: list[tuple[str, str]]
) -> None:
    await (await open_storage(tmp_path / "new" / "gatefold.db", [KEY])).close()
    assert on_the_disk == [("flush", "new")]


@pytest.mark.parametrize("replace", [False, True])
async def test_a_restored_database_is_flushed_before_it_takes_the_place_of_the_old_one(
    replace: bool, backup: Path, tmp_path: Path, on_the_disk: list[tuple[str, str]]
) -> None:
    path = tmp_path / "new" / "gatefold.db"
    if replace:
        await (await open_storage(path, [KEY])).close()
    on_the_disk.clear()
    put_back(backup, path, replace=replace)
    # the log is gone for good before the new database is there
    end = [("flush", "new"), ("flush", ".gatefold.db.restored.part"), ("name", "gatefold.db"), ("flush", "new")]
    assert on_the_disk[-4:] == end
    assert len(on_the_disk) == (5 if replace else 4)  # the old one is kept aside first


async def test_an_old_database_that_is_copied_aside_is_flushed_before_the_new_one_takes_its_place(
    backup: Path, tmp_path: Path, on_the_disk: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    without_hard_links(monkeypatch)
    on_the_disk.clear()
    done = put_back(backup, path, replace=True)
    assert done.aside is not None
    assert on_the_disk.index(("flush", done.aside.name)) < on_the_disk.index(("name", "gatefold.db"))


async def test_a_copy_that_is_damaged_is_thrown_away_and_told(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    (tmp_path / "kept").mkdir()

    async def damaging(part: Path) -> None:
        await storage.database.backup(part)
        content = bytearray(part.read_bytes())
        content[2 * 4096 : 3 * 4096] = b"\xff" * 4096
        part.write_bytes(content)

    with pytest.raises(StorageStartupError, match="could not be made"):
        await back_up(damaging, tmp_path / "kept" / "one.backup")
    assert names(tmp_path / "kept") == []


async def test_a_disk_that_is_full_leaves_no_part_of_a_backup(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()

    async def full(part: Path) -> None:
        await storage.database.backup(part)
        raise StorageUnavailable("database or disk is full")

    with pytest.raises(StorageStartupError, match="disk is full"):
        await back_up(full, tmp_path / "kept" / "one.backup")
    with pytest.raises(StorageStartupError, match=r"no such folder\. Create it first\.$"):
        await back_up(storage.database.backup, tmp_path / "no such folder" / "one.backup")
    assert names(tmp_path / "kept") == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/one.db"),
            "{folder} cannot be written to (No space left on device). Free some space, or choose another disk",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/one.db"),
            "{folder} cannot be written to (Permission denied). Choose a folder to which the bot's user can write",
        ),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "{folder} is not a folder. Choose another one"),
        (
            OSError("the drive was pulled out"),
            "{folder} cannot be written to (the drive was pulled out). Check the disk",
        ),
        (
            sqlite3.OperationalError("disk I/O error"),
            "the database cannot be read or written (disk I/O error). Check the disk, and who owns the files",
        ),
    ],
    ids=["a full disk", "not allowed", "no folder", "without a number", "of SQLite"],
)
async def test_why_a_backup_could_not_be_made_is_told_with_what_to_do(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    async def failing(part: Path) -> None:
        raise error

    with pytest.raises(StorageStartupError) as caught:
        await back_up(failing, tmp_path / "one.backup")
    reason = reason.format(folder=tmp_path)
    assert str(caught.value) == f"The backup {tmp_path / 'one.backup'} could not be made: {reason}."


def unfit(what: str) -> Callable[[Path], object]:
    """Makes a file that is no database of ours, or one that is in the way."""
    return {
        "text": lambda file: file.write_text("a letter to a friend " * 400),
        "packed": lambda file: file.write_bytes(gzip.compress(b"a letter to a friend " * 400)),
        "empty": lambda file: file.touch(),
        "of another program": lambda file: change("CREATE TABLE dashboards (id)")(file),
    }[what]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (
            "text",
            "is not a SQLite database. Set DATABASE_PATH to the bot's database, or put a backup in its place with",
        ),
        ("packed", "is compressed. Set DATABASE_PATH to the bot's database, or unpack it first."),
        ("empty", "is empty. Set DATABASE_PATH to the bot's database."),
        (
            "of another program",
            "is a database of another program. Set DATABASE_PATH to the bot's database, or to a file",
        ),
    ],
)
async def test_a_database_that_cannot_be_copied_is_told_with_what_to_do(what: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    unfit(what)(path)
    before = path.read_bytes(), path.stat().st_mode

    async def copy_to(part: Path) -> None:
        await asyncio.to_thread(copy_unused, path, part)

    with pytest.raises(StorageStartupError) as caught:
        await back_up(copy_to, tmp_path / "one.backup")
    assert f"could not be made: the database {says}" in str(caught.value)
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert names(tmp_path) == ["gatefold.db", "gatefold.db.lock"]


@pytest.mark.parametrize("what", ["text", "packed", "of another program"])
async def test_a_bot_refuses_a_file_that_is_not_its_database_and_leaves_it_as_it_is(what: str, tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    unfit(what)(path)
    path.chmod(0o644)
    before = path.read_bytes(), path.stat().st_mode
    with pytest.raises(StorageStartupError, match=r"Set DATABASE_PATH to the bot's database"):
        await open_storage(path, [KEY])
    with pytest.raises(StorageStartupError, match=r"Set DATABASE_PATH to the bot's database"):
        steps_of(path)
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert names(tmp_path) == ["gatefold.db", "gatefold.db.lock"]


@pytest.mark.parametrize("is_locked_in_the_middle", [False, True])
async def test_a_database_that_another_program_has_locked_ends_a_backup(
    is_locked_in_the_middle: bool, tmp_path: Path
) -> None:
    path, target = tmp_path / "gatefold.db", tmp_path / "one.part"
    await (await open_storage(path, [KEY])).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(sqlite3.connect(path, timeout=0)) as c:
        if not is_locked_in_the_middle:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        else:
            c.execute("SELECT * FROM sqlite_master").fetchall()
            c.execute("PRAGMA journal_mode = DELETE").fetchall()
        other.execute("BEGIN EXCLUSIVE")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        if is_locked_in_the_middle:
            with pytest.raises(sqlite3.OperationalError, match="locked") as caught:
                copy_to(c, target, 0.2)
            fault = fault_of(caught.value, path)
            assert (fault.what, fault.database[:18]) == ("is locked by another program", "Close that program")
        else:
            with pytest.raises(Unfit, match="is locked by another program"):
                copy_unused(path, target, patience_s=0.1)


async def test_a_backup_whose_caller_was_cancelled_is_whole_or_not_there(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    (tmp_path / "kept").mkdir()
    for number in range(8):
        making = asyncio.create_task(back_up(storage.database.backup, tmp_path / "kept" / str(number)))
        for _ in range(number):
            await asyncio.sleep(0)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    kept = list((tmp_path / "kept").iterdir())
    assert kept, "none was begun before its caller was cancelled"
    for file in kept:
        assert held(file, "SELECT COUNT(*) FROM links") == [(1,)]
        assert not file.name.endswith(".part")


async def test_a_copy_that_things_are_deleted_from_is_asked_to_erase_them(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SQLite was built to erase anyway, as often, neither the file nor an answer shows whether it was asked."""
    executed: list[str] = []

    class Listened(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            executed.append(sql)
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Listened))
    opened_alone(backup).close()
    assert "PRAGMA secure_delete = ON" in executed


async def test_what_a_killed_process_left_of_a_backup_is_in_nobodys_way(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / ".one.backup.part").write_text("half")
    await back_up(storage.database.backup, tmp_path / "one.backup")
    assert "one.backup" in names(tmp_path)
    assert not [name for name in names(tmp_path) if "part" in name]


async def test_without_a_bot_the_copy_has_what_a_killed_one_left_in_its_log(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    with pytest.raises(StorageStartupError, match="Another Gatefold"):
        copy_unused(storage.database.path, tmp_path / "copy")
    killed = as_killed(storage, tmp_path / "killed")
    copy_unused(killed, tmp_path / "copy")
    assert held(tmp_path / "copy", "SELECT COUNT(*) FROM change_requests") == [(2,)]
    with pytest.raises(StorageStartupError, match="There is no database"):
        copy_unused(tmp_path / "none.db", tmp_path / "other")


def as_killed(storage: Storage, folder: Path) -> Path:
    """The files as SIGKILL would leave them: what was written last stands in the log alone."""
    folder.mkdir()
    path = storage.database.path
    for end in ("", "-wal", "-shm"):
        (folder / f"gatefold.db{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    assert (folder / "gatefold.db-wal").stat().st_size > 0
    return folder / "gatefold.db"


# -- putting one back


def put_back(backup: Path, path: Path, *keys: bytes, replace: bool = False) -> Restored:
    return restore(backup, path, keys or (KEY,), replace=replace, now=at())


async def test_a_backup_is_put_back_and_used(backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "gatefold.db"
    done = put_back(backup, path)
    assert (done.contents.links, done.unreadable, done.aside) == (1, 0, None)
    assert names(path.parent) == ["gatefold.db", "gatefold.db.lock"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    storage = await open_storage(path, [KEY])
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert tokens.refresh_token == "AQ-1"
    assert len(await storage.changes.pending(ADA)) == 2
    await storage.close()
    assert names(backup.parent) == ["one.backup"]  # nothing was laid beside it


async def test_what_a_killed_process_left_of_a_restore_is_in_nobodys_way(backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "gatefold.db"
    path.parent.mkdir()
    (path.parent / ".gatefold.db.restored.part").write_text("half")
    assert put_back(backup, path).contents.links == 1
    assert names(path.parent) == ["gatefold.db", "gatefold.db.lock"]


async def test_an_empty_log_beside_a_backup_takes_nothing_from_it(backup: Path, tmp_path: Path) -> None:
    Path(f"{backup}-wal").touch()
    assert put_back(backup, tmp_path / "new" / "gatefold.db").contents.links == 1


async def test_every_database_that_was_replaced_within_a_second_is_kept(backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "gatefold.db"
    put_back(backup, path)
    aside = [put_back(backup, path, replace=True).aside for _ in range(3)]
    stem = f"gatefold.db.replaced-{at():%Y%m%dT%H%M%SZ}"
    assert aside == [path.parent / f"{stem}{end}" for end in (".backup", "-2.backup", "-3.backup")]
    assert names(path.parent) == sorted(["gatefold.db", "gatefold.db.lock", *(each.name for each in aside if each)])


@pytest.mark.parametrize(("called", "named"), [("", "{backup}"), ("Standard input", "Standard input")])
async def test_a_backup_that_cannot_be_put_back_is_named_by_its_file_or_as_it_is_called(
    called: str, named: str, backup: Path, tmp_path: Path
) -> None:
    backup.write_text("a letter to a friend " * 400)
    with pytest.raises(StorageStartupError) as caught:
        restore(backup, tmp_path / "new" / "gatefold.db", [KEY], replace=False, now=at(), called=called)
    assert str(caught.value) == (
        f"{named.format(backup=backup)} could not be restored: it is not a SQLite database. "
        "Name a file that `gatefold backup` made."
    )


async def test_a_restore_through_a_symbolic_link_replaces_the_file_and_keeps_the_link(
    backup: Path, storage: Storage, tmp_path: Path
) -> None:
    await put(storage, link(BEN, "acc-ben"))
    real = as_killed(storage, tmp_path / "data")
    path = tmp_path / "link" / "current.db"
    path.parent.mkdir()
    path.symlink_to(real)
    assert steps_of(path).pending == ()  # its log is found beside the file
    done = put_back(backup, path, replace=True)
    assert path.is_symlink()
    assert names(path.parent) == ["current.db"]
    assert done.aside is not None
    assert names(real.parent) == ["gatefold.db", "gatefold.db.lock", done.aside.name]
    for where, member in ((path, ADA), (done.aside, BEN)):
        again = await open_storage(where, [KEY])
        assert [row["member_id"] for row in await rows(again, "links")] == [member]
        await again.close()


async def test_two_who_make_the_same_copy_at_once_make_one_and_it_is_whole(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(part: Path) -> None:
        await storage.database.backup(part)
        begun.set()
        await go_on.wait()

    target = tmp_path / "kept" / "one.backup"
    target.parent.mkdir()
    first = asyncio.create_task(back_up(slowly, target))
    await begun.wait()
    second = asyncio.create_task(back_up(storage.database.backup, target))
    await asyncio.wait({second}, timeout=0.2)
    go_on.set()
    copy = await first
    with pytest.raises(StorageStartupError, match="never overwrites"):
        await second
    assert names(target.parent) == ["one.backup"]
    assert held(copy.file, "SELECT account_id FROM links") == [("acc-ada",)]
    assert held(copy.file, "SELECT * FROM link_attempts") == []


async def test_a_backup_does_not_wait_for_ever_for_another_one(storage: Storage, tmp_path: Path) -> None:
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StorageStartupError, match="another backup in this folder"):
        await back_up(storage.database.backup, tmp_path / "one.backup", turn_s=0.2)
    os.close(holder)
    assert (await back_up(storage.database.backup, tmp_path / "one.backup")).size


async def test_links_that_lead_in_a_circle_are_told(backup: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "a.db", tmp_path / "b.db"
    path.symlink_to(other)
    other.symlink_to(path)
    with pytest.raises(StorageStartupError, match="symbolic link that leads to no file"):
        put_back(backup, path, replace=True)
    with pytest.raises(StorageStartupError, match="symbolic link that leads to no file"):
        await open_storage(path, [KEY])
    with pytest.raises(StorageStartupError, match="symbolic link that leads to no file"):
        steps_of(path)
    assert path.is_symlink()
    assert other.is_symlink()


async def test_a_symbolic_link_to_a_running_database_is_no_backup(storage: Storage, tmp_path: Path) -> None:
    real = as_killed(storage, tmp_path / "data")
    (tmp_path / "current.backup").symlink_to(real)
    with pytest.raises(StorageStartupError, match="not a whole backup"):
        put_back(tmp_path / "current.backup", tmp_path / "new" / "gatefold.db", replace=False)


async def test_the_steps_in_the_log_are_seen_through_a_symbolic_link(storage: Storage, tmp_path: Path) -> None:
    await execute(storage, "UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = 'm002_alerts'")
    real = as_killed(storage, tmp_path / "data")  # that change is in the log alone
    (tmp_path / "current.db").symlink_to(real)
    assert steps_of(tmp_path / "current.db") == steps_of(real)
    assert steps_of(tmp_path / "current.db").unknown == ("m999_later",)


async def older(path: Path) -> None:
    """A database of version 0.1's first schema, with a link whose tokens version 1 sealed and a request that waits."""
    database = await Database.open(path, steps=load_steps()[:2])

    def fill(c: Connection) -> None:
        blobs = [sealed_by_version_1(token, owner, kind) for token, owner, kind in OLD_SECRETS]
        c.execute("INSERT INTO key_check (id, proof_sealed) VALUES (1, ?)", (blobs[0],))
        c.execute(
            "INSERT INTO links VALUES (?, 'client', 'acc-ada', 'Ada', ?, ?, ?, ?, ?, NULL)",
            (ADA, blobs[1], blobs[2], NOW, NOW, NOW),
        )
        c.execute("INSERT INTO requests (id, discord_id, action, created_at) VALUES (7, ?, 'save', ?)", (ADA, NOW))
        c.execute(
            "INSERT INTO wishes (request_id, position, discord_id, kind, reference) VALUES (7, 0, ?, 'words', 'x')",
            (ADA,),
        )

    await database.write(fill)
    await database.close()


OLD_SECRETS = [("gatefold", 0, "proof"), ("BQ-1", ADA, "access"), ("AQ-1", ADA, "refresh")]


async def test_an_older_database_is_updated_and_the_backup_made_before_that_can_be_put_back(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await older(path)
    assert read_snapshot(path, [KEY], "client", at()).key_opens is True
    as_it_is = await back_up(lambda part: asyncio.to_thread(copy_unused, path, part), tmp_path / "old.backup")
    assert (as_it_is.contents.links, as_it_is.contents.requests, as_it_is.contents.pending) == (1, 1, 1)
    assert held(as_it_is.file, "SELECT discord_id FROM links") == [(ADA,)]
    await (await open_storage(path, [KEY])).close()
    [before] = tmp_path.glob("gatefold.db.before-m003_*.backup")
    done = put_back(before, path, replace=True)
    assert (done.contents.links, done.contents.requests, done.contents.pending, done.unreadable) == (1, 1, 1, 0)
    assert done.contents.steps.pending == ()
    storage = await open_storage(path, [KEY])
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert tokens.refresh_token == "AQ-1"
    [change] = await storage.changes.pending(ADA)
    assert change.kind is Kind.SEARCH
    assert {row["access_sealed"][:1] for row in await rows(storage, "links")} == {b"\x03"}  # sealed again by the start
    await storage.close()
    await (await open_storage(path, [KEY])).close()


async def test_a_backup_without_the_check_value_gets_a_new_one_at_the_start(storage: Storage, tmp_path: Path) -> None:
    await put(storage)
    copy = await back_up(storage.database.backup, tmp_path / "one.backup", key_check=False)
    path = tmp_path / "new" / "gatefold.db"
    with pytest.raises(StorageStartupError, match="cannot be decrypted with the keys in TOKEN_KEYS"):
        put_back(copy.file, path, OTHER_KEY)
    assert put_back(copy.file, path).unreadable == 0
    again = await open_storage(path, [KEY])
    assert len(await rows(again, "key_check")) == 1
    await again.close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [OTHER_KEY])


async def test_a_backup_without_links_and_check_value_is_put_back_with_any_key(
    storage: Storage, tmp_path: Path
) -> None:
    copy = await back_up(storage.database.backup, tmp_path / "one.backup", key_check=False)
    assert put_back(copy.file, tmp_path / "new" / "gatefold.db", OTHER_KEY).unreadable == 0


async def test_links_of_which_none_opens_are_no_reason_to_refuse_keys_that_open_the_check_value(
    storage: Storage, tmp_path: Path
) -> None:
    await put(storage)
    await execute(storage, "UPDATE links SET access_sealed = x'00'")
    copy = await back_up(storage.database.backup, tmp_path / "one.backup")
    assert put_back(copy.file, tmp_path / "new" / "gatefold.db").unreadable == 1


async def test_links_that_no_key_opens_are_counted(storage: Storage, tmp_path: Path) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    await execute(storage, "UPDATE links SET refresh_sealed = x'00' WHERE member_id = ?", BEN)
    copy = await back_up(storage.database.backup, tmp_path / "one.backup", key_check=False)
    assert put_back(copy.file, tmp_path / "new" / "gatefold.db").unreadable == 1


Spoil = Callable[[Path], None]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def scratch(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[2 * 4096 : 3 * 4096] = b"\xff" * 4096
    file.write_bytes(content)


def change(statement: str) -> Spoil:
    def spoil(file: Path) -> None:
        with closing(sqlite3.connect(file)) as c:
            c.execute(statement)
            c.commit()

    return spoil


def lose_from_index(file: Path) -> None:
    """Damage that shows only to whoever looks at every page: a row that its index does not know."""
    entry: list[tuple[object, ...]] = []
    for step in ("hide", "insert", "show"):
        with closing(sqlite3.connect(file)) as c:
            c.execute("PRAGMA writable_schema = ON")
            if step == "hide":
                entry = c.execute("SELECT * FROM sqlite_schema WHERE name = 'change_requests_member'").fetchall()
                c.execute("DELETE FROM sqlite_schema WHERE name = 'change_requests_member'")
            elif step == "insert":
                c.execute("INSERT INTO change_requests (id, member_id, action, created_at) VALUES (9, 9, 'save', 9)")
            else:
                c.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", entry[0])
            c.commit()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut, "could not be restored"),
        (scratch, "could not be restored"),
        (lambda file: file.write_text("a letter to a friend " * 400), "not a SQLite database"),
        (lambda file: file.write_bytes(gzip.compress(file.read_bytes())), r"is compressed\. Unpack it first"),
        (lambda file: file.write_bytes(b""), r"is empty\. Name a file"),
        (lambda file: file.unlink(), "There is no file"),
        (lambda file: Path(f"{file}-wal").write_text("x"), "not a whole backup"),
        (lambda file: (file.unlink(), file.mkdir()), r"is a folder\. Name the backup in it"),
        (change("DROP TABLE _sqlite_migrations"), r"of another program\. Name a file"),
        (
            change("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', 'm999_later')"),
            "newer Gatefold",
        ),
        (change("UPDATE library_changes SET request_id = 77 WHERE request_id = 1"), "do not fit together"),
        (lose_from_index, r"it is damaged .*\. Try another backup"),
    ],
    ids=[
        "cut",
        "scratched",
        "text",
        "packed",
        "empty",
        "none",
        "log",
        "folder",
        "not ours",
        "newer",
        "references",
        "index",
    ],
)
@pytest.mark.parametrize("replace", [False, True])
async def test_a_file_that_is_no_good_backup_changes_nothing(
    spoil: Spoil, says: str, replace: bool, backup: Path, tmp_path: Path
) -> None:
    spoil(backup)
    path = tmp_path / "new" / "gatefold.db"
    if replace:
        await (await open_storage(path, [KEY])).close()
    before = path.read_bytes() if replace else None
    with pytest.raises(StorageStartupError, match=says):
        put_back(backup, path, replace=replace)
    assert (path.read_bytes() if path.exists() else None) == before
    assert set(names(path.parent) if path.parent.exists() else []) <= {"gatefold.db", "gatefold.db.lock"}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "it cannot be opened by this user. Run this as a user who",
        ),
        (OSError(errno.EIO, "Input/output error"), "it cannot be read (Input/output error). Check the disk."),
    ],
)
async def test_a_backup_that_cannot_be_read_is_told_with_what_to_do(
    error: OSError, says: str, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpatched = os.open

    def refuse(path: Any, *arguments: Any, **more: Any) -> int:
        if path == backup:
            raise error
        return unpatched(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageStartupError) as caught:
        put_back(backup, tmp_path / "new" / "gatefold.db")
    assert str(caught.value).startswith(f"{backup} could not be restored: {says}")


async def test_a_backup_of_a_newer_version_is_refused_by_its_latest_step(backup: Path, tmp_path: Path) -> None:
    for step in ("m997_later", "m998_later", "m999_latest"):
        change(f"INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', '{step}')")(backup)
    with pytest.raises(StorageStartupError, match=r"newer Gatefold \(step m999_latest\)\. Install that version first"):
        put_back(backup, tmp_path / "new" / "gatefold.db")


async def test_the_wrong_keys_a_running_bot_and_a_database_that_is_there_are_refused(
    backup: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "gatefold.db"
    with pytest.raises(StorageStartupError, match="cannot be decrypted with the keys in TOKEN_KEYS"):
        put_back(backup, path, OTHER_KEY)
    put_back(backup, path, OTHER_KEY, KEY)
    with pytest.raises(StorageStartupError, match="--replace"):
        put_back(backup, path)
    with pytest.raises(StorageStartupError, match="the database itself"):
        put_back(path, path, replace=True)
    storage = await open_storage(path, [KEY])
    with pytest.raises(StorageStartupError, match="Another Gatefold"):
        put_back(backup, path, replace=True)
    assert await storage.links.get(ADA) == link()
    await storage.close()


async def test_the_old_database_is_kept_aside_whole_and_its_log_never_meets_the_new_one(
    backup: Path, storage: Storage, tmp_path: Path
) -> None:
    await put(storage, link(BEN, "acc-ben"))
    path = as_killed(storage, tmp_path / "killed")
    done = put_back(backup, path, replace=True)
    assert done.aside is not None
    assert names(path.parent) == ["gatefold.db", "gatefold.db.lock", done.aside.name]
    new = await open_storage(path, [KEY])
    assert [row["member_id"] for row in await rows(new, "links")] == [ADA]
    await new.close()
    old = await open_storage(done.aside, [KEY])
    assert [row["member_id"] for row in await rows(old, "links")] == [BEN]
    await old.close()


async def test_a_log_that_was_left_without_its_database_never_meets_the_new_one(
    backup: Path, storage: Storage, tmp_path: Path
) -> None:
    await put(storage, link(BEN, "acc-ben"))
    path = as_killed(storage, tmp_path / "killed")
    path.unlink()
    put_back(backup, path)
    assert names(path.parent) == ["gatefold.db", "gatefold.db.lock"]
    new = await open_storage(path, [KEY])
    assert [row["member_id"] for row in await rows(new, "links")] == [ADA]
    await new.close()


async def test_an_old_file_that_is_no_database_any_more_is_kept_aside_too(backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged" / "gatefold.db"
    path.parent.mkdir()
    path.write_text("no database any more, " * 400)
    Path(f"{path}-wal").write_text("nor a log, " * 400)
    done = put_back(backup, path, replace=True)
    assert done.aside is not None
    assert names(path.parent) == ["gatefold.db", "gatefold.db.lock", done.aside.name]
    assert done.aside.read_text() == "no database any more, " * 400
    new = await open_storage(path, [KEY])
    assert await new.links.get(ADA) == link()
    await new.close()


def test_a_restore_that_is_killed_at_any_step_leaves_the_old_database_or_the_new_one(tmp_path: Path) -> None:
    """A process of its own, whose children end at the first, second, ... touch of a file."""
    script = """
import asyncio, os, pathlib, shutil, signal, sys
from bot.storage import open_storage
from bot.storage.backup import back_up
from bot.storage.restore import restore
from tests.storage.earlier_seals import sealed_by_version_1
from tests.storage.rows import ADA, BEN, KEY, at, link, put, rows

folder = pathlib.Path(sys.argv[1])
TOUCHES = {"os.link", "os.remove", "os.rename", "shutil.copyfile", "sqlite3.connect", "open"}

async def prepare():
    old = await open_storage(folder / "old" / "gatefold.db", [KEY])
    await put(old, link(BEN, "acc-ben"))
    for end in ("", "-wal", "-shm"):  # as SIGKILL leaves it
        (folder / f"killed{end}").write_bytes(pathlib.Path(f"{old.database.path}{end}").read_bytes())
    await old.close()
    new = await open_storage(folder / "new" / "gatefold.db", [KEY])
    await put(new)
    await back_up(new.database.backup, folder / "backup")
    await new.close()

async def members(path):
    storage = await open_storage(path, [KEY])
    found = [row["member_id"] for row in await rows(storage, "links")]
    await storage.close()
    return found

def restoring(path, step):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in TOUCHES:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    restore(folder / "backup", path, [KEY], replace=True, now=at())
    os._exit(0)

asyncio.run(prepare())
ends = set()
for step in range(1, 100):
    path = folder / str(step) / "gatefold.db"
    path.parent.mkdir()
    for end in ("", "-wal", "-shm"):
        shutil.copy(folder / f"killed{end}", f"{path}{end}")
    child = os.fork()
    if not child:
        restoring(path, step)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    left = asyncio.run(members(path))
    assert left in ([ADA], [BEN]), (step, left)
    ends.add((bool(status), left[0]))
    if not status:
        break
assert ends == {(True, BEN), (True, ADA), (False, ADA)}, ends
print(step)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) > 8


# -- the key


async def told_nobody(done: int, of: int) -> None:
    pass


async def turn(storage: Storage, *keys: bytes) -> Rotation:
    return await rotate(storage.database, Vault(keys), told_nobody)


async def test_every_sealed_column_of_the_schema_is_sealed_anew(storage: Storage) -> None:
    def columns(c: sqlite3.Connection) -> set[tuple[str, str]]:
        query = "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c"
        return {(table, name) for table, name in c.execute(query) if name.endswith("_sealed")}

    assert await storage.database.read(columns) == {(column.table, column.column) for column in SEALED}


async def test_after_a_rotation_the_new_key_alone_opens_everything(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    path = storage.database.path
    rotation = await turn(storage, NEW, KEY)
    assert rotation == Rotation(resealed=6, left=0, needed=frozenset({key_id(NEW)}))
    await storage.close()
    again = await open_storage(path, [NEW])
    tokens = await again.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.access_token, tokens.refresh_token) == ("BQ-1", "AQ-1")
    attempt = await again.attempts.get(b"attempt", at())
    assert attempt is not None
    assert attempt.interaction_token == "answer-token-of-an-attempt"
    vault = Vault([NEW])
    (first, _) = await rows(again, "change_requests")
    assert vault.open(first["interaction_token_sealed"], ADA, ANSWER) == "answer-token-of-a-request"
    await again.close()


async def test_nothing_of_the_old_blobs_is_left_on_the_disk(storage: Storage, tmp_path: Path) -> None:
    await filled(storage)
    assert key_id(KEY) in on_disk(tmp_path)
    await turn(storage, NEW, KEY)
    assert key_id(KEY) not in on_disk(tmp_path)
    assert key_id(NEW) in on_disk(tmp_path)


async def test_a_second_rotation_has_nothing_to_do(storage: Storage) -> None:
    await filled(storage)
    await turn(storage, NEW, KEY)
    before = await rows(storage, "links")
    assert (await turn(storage, NEW, KEY)).resealed == 0
    assert await rows(storage, "links") == before


async def many(storage: Storage, count: int) -> None:
    vault = Vault([KEY])

    def insert(c: sqlite3.Connection) -> None:
        c.executemany(
            "INSERT INTO change_requests (id, member_id, action, interaction_token_sealed, created_at) VALUES (?, ?, 'save', ?, 0)",
            [(number, ADA, vault.seal(f"token-{number}", ADA, ANSWER)) for number in range(1, count + 1)],
        )

    await storage.database.write(insert)


async def test_it_is_told_how_far_it_is(storage: Storage) -> None:
    await many(storage, 2 * BATCH + 50)
    told: list[tuple[int, int]] = []

    async def tell(done: int, of: int) -> None:
        told.append((done, of))

    await rotate(storage.database, Vault([NEW, KEY]), tell)
    total = 2 * BATCH + 51  # and the check value
    assert told == [(BATCH, total), (2 * BATCH, total), (2 * BATCH + 50, total), (total, total)]


async def test_a_rotation_that_was_stopped_goes_on_where_it_was_and_both_keys_stay_needed(storage: Storage) -> None:
    await many(storage, 3 * BATCH)

    async def gone(done: int, of: int) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await rotate(storage.database, Vault([NEW, KEY]), gone)
    named = {row["interaction_token_sealed"][1:5] for row in await rows(storage, "change_requests")}
    assert named == {key_id(NEW), key_id(KEY)}
    path = storage.database.path
    await storage.close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [NEW])  # the old key was taken away too early
    again = await open_storage(path, [NEW, KEY])
    # all that is left of it, the check value included unless the start has renewed it
    assert (await turn(again, NEW, KEY)).resealed in (2 * BATCH, 2 * BATCH + 1)
    await again.close()
    await (await open_storage(path, [NEW])).close()


async def test_what_does_not_open_is_counted_and_left(storage: Storage) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    foreign = Vault([OTHER_KEY]).seal("x", BEN, ACCESS)
    await execute(storage, "UPDATE links SET access_sealed = ? WHERE member_id = ?", foreign, BEN)
    rotation = await turn(storage, NEW, KEY)
    assert (rotation.resealed, rotation.left) == (4, 1)
    assert rotation.needed == {key_id(NEW), key_id(OTHER_KEY)}
    assert [row["access_sealed"] for row in await rows(storage, "links") if row["member_id"] == BEN] == [foreign]


async def test_what_does_not_open_keeps_nothing_else_from_being_sealed_anew_and_is_told_with_the_rest(
    storage: Storage,
) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    foreign = Vault([OTHER_KEY]).seal("x", ADA, ACCESS)  # of the first of the two
    await execute(storage, "UPDATE links SET access_sealed = ? WHERE member_id = ?", foreign, ADA)
    told: list[tuple[int, int]] = []

    async def tell(done: int, of: int) -> None:
        told.append((done, of))

    rotation = await rotate(storage.database, Vault([NEW, KEY]), tell)
    assert (rotation.resealed, rotation.left) == (4, 1)
    assert [done for done, _ in told] == [2, 4, 5]
    assert {of for _, of in told} == {5}
    (of_ben,) = [row for row in await rows(storage, "links") if row["member_id"] == BEN]
    assert of_ben["access_sealed"][1:5] == key_id(NEW)


async def test_what_does_not_open_is_counted_and_told_once_however_much_it_is(storage: Storage) -> None:
    await many(storage, 2 * BATCH + 1)
    told: list[tuple[int, int]] = []

    async def tell(done: int, of: int) -> None:
        told.append((done, of))

    rotation = await rotate(storage.database, Vault([NEW]), tell)
    total = 2 * BATCH + 2  # and the check value
    assert (rotation.resealed, rotation.left) == (0, total)
    assert told == [(BATCH, total), (2 * BATCH, total), (total - 1, total), (total, total)]


async def test_a_refresh_in_the_middle_of_a_rotation_is_never_overwritten(storage: Storage, tmp_path: Path) -> None:
    members = range(1, 2 * BATCH)
    for member in members:
        await put(storage, link(member, f"acc-{member}"), access="BQ-0", refresh="AQ-0")
    path = storage.database.path
    await storage.close()
    again = await open_storage(path, [NEW, KEY])  # as the bot runs after its restart

    async def refresh(member: int) -> None:
        for number in range(1, 4):
            tokens = await again.links.tokens(member)
            assert tokens is not None
            assert tokens.refresh_token == f"AQ-{number - 1}"
            assert await again.links.refreshed(
                tokens.link, f"BQ-{number}", f"AQ-{number}", at() + timedelta(hours=number)
            )

    await asyncio.gather(turn(again, NEW, KEY), *(refresh(member) for member in members if member % 8 == 0))
    for member in members:
        tokens = await again.links.tokens(member)
        assert tokens is not None
        expected = 3 if member % 8 == 0 else 0
        assert (tokens.access_token, tokens.refresh_token) == (f"BQ-{expected}", f"AQ-{expected}")
    assert not [row for row in await rows(again, "links") if row["access_sealed"][1:5] != key_id(NEW)]
    await again.close()


# -- the schema's steps


async def test_the_steps_of_a_database_are_seen_without_changing_it(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    assert steps_of(path).pending[0] == "m001_first"
    assert not path.exists()
    storage = await open_storage(path, [KEY])
    assert (steps_of(path).pending, steps_of(path).unknown) == ((), ())  # beside the running bot
    name = steps_of(path).applied[-1]
    await execute(storage, "UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = ?", name)
    assert (steps_of(path).pending, steps_of(path).unknown) == ((name,), ("m999_later",))
    await storage.close()
    before = on_disk(tmp_path), names(tmp_path)
    assert steps_of(path).pending == (name,)
    assert (on_disk(tmp_path), names(tmp_path)) == before
    path.write_text("no database " * 500)
    with pytest.raises(StorageStartupError, match="is not a SQLite database"):
        steps_of(path)


async def test_the_steps_are_seen_beside_the_log_of_a_killed_process_which_stays_as_it_is(
    storage: Storage, tmp_path: Path
) -> None:
    path = as_killed(storage, tmp_path / "killed")
    before = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    assert steps_of(path).pending == ()
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before
