"""The one file: its modes, its lock, its migrations, and what happens when the disk does not want to."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from msgspec.structs import replace

from bot.errors import StorageUnavailable
from bot.storage import Storage, StorageStartupError, open_storage
from bot.storage.database import PROBE_S, Database
from bot.storage.engine import Connection
from bot.storage.schema import Step, load_steps
from tests.storage.rows import ADA, BEN, KEY, OTHER_KEY, X, ask, at, execute, link, on_disk, open_in, put, rows

ROOT = Path(__file__).resolve().parents[2]


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


async def pragma(storage: Storage, name: str) -> Any:
    return await storage.database.read(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0])


# -- the file


async def test_every_table_is_strict(storage: Storage) -> None:
    listed = await storage.database.read(lambda c: [dict(row) for row in c.execute("PRAGMA table_list")])
    ours = {row["name"]: row["strict"] for row in listed if not row["name"].startswith(("sqlite_", "_sqlite"))}
    assert {"links", "timers"} <= ours.keys()
    assert all(ours.values()), ours


async def test_it_writes_ahead_flushes_and_keeps_references(storage: Storage) -> None:
    assert await pragma(storage, "journal_mode") == "wal"
    assert await pragma(storage, "synchronous") == 1  # NORMAL: a commit is flushed only where that is asked for
    assert await storage.database.write(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]) == 2  # FULL
    assert await storage.database.write(lambda c: c.execute("PRAGMA synchronous").fetchone()[0], durable=False) == 1
    assert await pragma(storage, "foreign_keys") == 1
    assert await pragma(storage, "trusted_schema") == 0


async def test_it_asks_for_what_is_deleted_to_be_erased_before_it_writes_anything(tmp_path: Path) -> None:
    """Where SQLite was built to erase anyway, as often, the answer to `PRAGMA secure_delete` says nothing of us."""
    executed: list[str] = []

    class Listened(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            executed.append(sql)
            return super().execute(sql, *values)

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Listened, **options)

    await (await open_storage(tmp_path / "gatefold.db", [KEY], connect)).close()
    first = next(place for place, sql in enumerate(executed) if not sql.startswith("PRAGMA "))
    assert "PRAGMA secure_delete = ON" in executed[:first]
    assert not any("secure_delete" in sql for sql in executed[first:])


@pytest.mark.parametrize("umask", [0o000, 0o022])
async def test_every_file_is_for_its_owner_alone_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        storage = await open_storage(tmp_path / "new" / "gatefold.db", [KEY])
        await put(storage)
        await storage.database.backup(tmp_path / "new" / "copy.db")
        names = {f"gatefold.db{end}" for end in ("", "-wal", "-shm", ".lock")} | {"copy.db"}
        assert modes(tmp_path / "new") == dict.fromkeys(names, "0o600")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        await storage.close()
    finally:
        os.umask(before)


async def test_a_file_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    path.chmod(0o644)
    storage = await open_storage(path, [KEY])
    assert modes(tmp_path)["gatefold.db"] == "0o600"
    await storage.close()


async def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await put(storage)
    await storage.close()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    assert await storage.links.get(ADA) == link()
    await storage.close()


async def test_a_backup_is_whole_and_never_overwrites(storage: Storage, tmp_path: Path) -> None:
    await put(storage)
    await storage.database.backup(tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT account_id FROM links").fetchall() == [("acc-ada",)]
    copy.close()
    with pytest.raises(FileExistsError):
        await storage.database.backup(tmp_path / "copy.db")


@pytest.mark.parametrize("what", ["folder", "text", "parent"])
async def test_a_file_that_cannot_be_a_database_is_told_at_the_start(what: str, tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("this is no database, but it is long enough to look at" * 100)
    else:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "gatefold.db"
    with pytest.raises(StorageStartupError, match=r"gatefold\.db"):
        await open_storage(path, [KEY])


async def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    await (await open_storage(tmp_path / "several" / "new" / "gatefold.db", [KEY])).close()
    assert sorted(modes(tmp_path / "several" / "new")) == ["gatefold.db", "gatefold.db.lock"]


@pytest.mark.parametrize(
    ("error", "to_do"),
    [
        (PermissionError(13, "Permission denied"), "Run this as the bot's user"),
        (OSError(30, "Read-only file system"), "Set DATABASE_PATH"),
        (OSError(28, "No space left on device"), "Free some space on the disk"),
    ],
)
async def test_who_may_not_use_the_folder_is_told_what_to_do(
    error: OSError, to_do: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageStartupError) as caught:
        await open_storage(tmp_path / "gatefold.db", [KEY])
    assert str(caught.value) == f"{tmp_path / 'gatefold.db'} cannot be used ({error.strerror}). {to_do}."


async def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(StorageStartupError, match=r"is a folder\. Set DATABASE_PATH to a file in it"):
        await open_storage(tmp_path, [KEY])
    assert not tmp_path.with_name(f"{tmp_path.name}.lock").exists()


async def test_a_closed_database_leaves_no_thread_and_no_file_open_and_takes_no_jobs(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    with pytest.raises(StorageStartupError, match="Another Gatefold"):
        await open_storage(tmp_path / "gatefold.db", [KEY])
    [thread] = [one for one in threading.enumerate() if one not in others and one.name == "database"]
    await storage.close()
    await storage.close()
    assert open_in(tmp_path) == []
    assert not thread.is_alive()
    with pytest.raises(StorageUnavailable, match="closed"):
        await storage.links.get(ADA)


async def test_a_process_that_ends_without_closing_the_database_does_end(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from bot.storage.database import Database\n"
        "async def main():\n"
        "    await Database.open(pathlib.Path(sys.argv[1]))\n"
        "    raise SystemExit(7)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "gatefold.db")]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert (ran.returncode, ran.stderr) == (7, "")


# -- one process


async def test_a_second_process_is_kept_off(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    opening = (
        "import asyncio, pathlib, sys\n"
        "from bot.storage.database import Database, StorageStartupError\n"
        "try:\n"
        "    asyncio.run(Database.open(pathlib.Path(sys.argv[1])))\n"
        "except StorageStartupError as error:\n"
        "    sys.exit(str(error))\n"
    )

    def start() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", opening, str(tmp_path / "gatefold.db")]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30)

    second = await asyncio.to_thread(start)
    assert second.returncode == 1
    assert "Another Gatefold is using" in second.stderr
    await storage.close()
    assert (await asyncio.to_thread(start)).returncode == 0


async def test_a_second_opening_in_this_process_is_refused_too(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageStartupError, match="Another Gatefold"):
        await open_storage(tmp_path / "gatefold.db", [KEY])


async def test_a_start_that_failed_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    with pytest.raises(StorageStartupError):
        await open_storage(path, [OTHER_KEY])
    await (await open_storage(path, [KEY])).close()


# -- migrations


def extended(step: str) -> list[Step]:
    """Our steps and one more, as a later version has them."""

    def m999_later(db: sqlite_utils.Database) -> None:
        for statement in step.split(";"):
            db.conn.execute(statement)

    return [*load_steps(), m999_later]


GROW = "CREATE TABLE grown (id INTEGER PRIMARY KEY) STRICT; INSERT INTO grown VALUES (1)"


async def upgraded(path: Path, step: str) -> Database:
    """Open it as a later version would."""
    return await Database.open(path, steps=extended(step))


async def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await upgraded(path, GROW)).close()
    before = path.read_bytes()
    with pytest.raises(StorageStartupError, match=r"newer Gatefold \(step m999_later\)"):
        await open_storage(path, [KEY])
    assert path.read_bytes() == before


async def test_a_newer_database_is_refused_by_its_latest_step(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    for step in ("m997_later", "m998_later", "m999_latest"):
        await execute(storage, f"INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', '{step}')")
    await storage.close()
    with pytest.raises(StorageStartupError, match=r"newer Gatefold \(step m999_latest\)"):
        await open_storage(path, [KEY])


async def test_a_backup_is_made_before_a_migration_and_never_for_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    await put(storage)
    await storage.close()
    assert not any(name.endswith(".backup") for name in modes(tmp_path))
    database = await upgraded(path, GROW)
    assert await database.read(lambda c: c.execute("SELECT id FROM grown").fetchone()[0]) == 1
    await database.close()
    [backup] = [name for name in modes(tmp_path) if re.fullmatch(r"gatefold\.db\.before-m999_later-.*\.backup", name)]
    assert modes(tmp_path)[backup] == "0o600"
    (tmp_path / backup).rename(tmp_path / "restored.db")
    restored = await open_storage(tmp_path / "restored.db", [KEY])
    assert await restored.links.get(ADA) == link()
    await restored.close()


async def test_a_backup_before_several_steps_is_named_after_the_first(tmp_path: Path) -> None:
    def m997_first(db: sqlite_utils.Database) -> None:
        db.conn.execute("CREATE TABLE first (id INTEGER PRIMARY KEY) STRICT")

    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    *ours, last = extended(GROW)
    await (await Database.open(path, steps=[*ours, m997_first, last])).close()
    [backup] = tmp_path.glob("*.backup")
    assert backup.name.startswith("gatefold.db.before-m997_first-")


@pytest.mark.parametrize(
    "flaw",
    [
        "INSERT INTO nowhere VALUES (1)",
        "INSERT INTO grown VALUES (1)",
        "INSERT INTO library_changes (request_id, position, member_id, kind, reference) VALUES (7, 0, 1, 'album', 'x')",
    ],
    ids=["no such table", "not unique", "broken reference"],
)
async def test_a_migration_that_fails_changes_nothing(flaw: str, tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    await put(storage)
    await storage.close()
    with pytest.raises(StorageStartupError):
        await upgraded(path, f"{GROW}; {flaw}")
    assert sorted(modes(tmp_path)) == ["gatefold.db", "gatefold.db.lock"]  # a restart must not pile backups up
    storage = await open_storage(path, [KEY])
    assert await storage.links.get(ADA) == link()
    assert "grown" not in {row["name"] for row in await rows(storage, "sqlite_schema")}
    await storage.close()
    await (await upgraded(path, GROW)).close()


async def test_of_a_first_migration_that_fails_the_reason_is_told(tmp_path: Path) -> None:
    output = os.fstat(1)
    with pytest.raises(StorageStartupError, match="nowhere"):
        await upgraded(tmp_path / "gatefold.db", "INSERT INTO nowhere VALUES (1)")
    assert os.fstat(1) == output, "only what was opened is closed"


async def test_a_second_start_migrates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    for _ in range(3):
        await (await open_storage(path, [KEY])).close()
    assert sorted(modes(tmp_path)) == ["gatefold.db", "gatefold.db.lock"]


async def test_a_start_with_nothing_to_migrate_does_not_load_the_library_for_it(tmp_path: Path) -> None:
    script = """
import asyncio, pathlib, sys
from bot.storage.database import Database

async def main():
    await (await Database.open(pathlib.Path(sys.argv[1]))).close()
    print("sqlite_utils" in sys.modules)

asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "gatefold.db")]
    for loads in ("True", "False"):
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=30)
        assert (ran.stdout.strip(), ran.stderr) == (loads, "")


# -- jobs


async def test_a_write_is_whole_or_not_at_all(storage: Storage) -> None:
    def fail(c: Connection) -> None:
        c.execute("INSERT INTO spotify_apps (client_id) VALUES ('half')")
        raise KeyError("half way")

    with pytest.raises(KeyError):
        await storage.database.write(fail)
    assert await rows(storage, "spotify_apps") == []
    # and no transaction was left open, which would swallow this one
    await storage.apps.set_endpoint("whole", "albums")
    assert [row["client_id"] for row in await rows(storage, "spotify_apps")] == ["whole"]


@pytest.mark.parametrize("durable", [True, False])
async def test_no_job_leaves_a_transaction(durable: bool, storage: Storage) -> None:
    def broken(c: Connection) -> None:
        c.execute("INSERT INTO spotify_apps (client_id, album_endpoint) VALUES ('x', 'neither')")

    with pytest.raises(sqlite3.IntegrityError):
        await storage.database.write(broken, durable=durable)
    assert not await storage.database.read(lambda c: c.in_transaction)
    assert await pragma(storage, "synchronous") == 1


async def test_jobs_run_one_after_the_other_in_one_thread(storage: Storage) -> None:
    threads: list[tuple[int, str]] = []

    def job(number: int) -> Any:
        def run(c: Connection) -> None:
            threads.append((threading.get_ident(), "begin"))
            c.execute("INSERT INTO spotify_apps (client_id) VALUES (?)", (str(number),))
            threads.append((threading.get_ident(), "end"))

        return run

    await asyncio.gather(*(storage.database.write(job(number)) for number in range(50)))
    assert len({thread for thread, _ in threads} - {threading.get_ident()}) == 1
    assert [what for _, what in threads] == ["begin", "end"] * 50
    assert len(await rows(storage, "spotify_apps")) == 50


async def test_a_cursor_that_a_job_returns_disturbs_no_other_job(storage: Storage) -> None:
    # let go in the caller's thread, a cursor that is still open resets a statement that the database thread uses
    update = "UPDATE links SET account_name = ? WHERE member_id = ?"

    async def write(number: int) -> None:
        def job(c: Connection) -> object:
            return c.executemany(update, [("somebody", number)])

        for _ in range(400):
            await storage.database.write(job, durable=False)

    await asyncio.gather(*map(write, range(20)))


async def test_a_job_whose_caller_was_cancelled_is_whole_or_not_at_all(storage: Storage) -> None:
    tasks = [asyncio.create_task(storage.apps.set_endpoint(str(number), "albums")) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(row["album_endpoint"] == "albums" for row in await rows(storage, "spotify_apps"))
    assert not await storage.database.read(lambda c: c.in_transaction)


async def test_jobs_that_wait_are_counted(storage: Storage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    assert storage.database.waiting == 0
    jobs = [storage.database.read(job) for job in (hold, len, len, len)]  # type: ignore[list-item]
    assert await asyncio.to_thread(begun.wait, 10)
    assert storage.database.waiting == 3
    go_on.set()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert storage.database.waiting == 0


async def test_a_job_that_says_it_reads_must_not_leave_a_transaction(storage: Storage) -> None:
    with pytest.raises(AssertionError, match="a reading job wrote"):
        await storage.database.read(lambda c: c.execute("BEGIN"))
    await storage.database.read(lambda c: c.execute("ROLLBACK"))


async def test_nothing_is_reported_of_jobs_and_flushes_for_which_nobody_waits_any_more(tmp_path: Path) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def sync(handle: int) -> None:
        raise OSError(5, "Input/output error")

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], sync=sync)
    storage.database.read(lambda c: 1).cancel()
    storage.database.flush()  # fails, and whoever asked for it is gone
    await storage.database.read(lambda c: 1)
    storage.database.flush().cancel()
    await storage.close()
    del storage
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []


async def test_why_the_file_cannot_be_read_or_written_is_told_and_not_why_a_copy_cannot_be_made(
    tmp_path: Path,
) -> None:
    class Full(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Full, **options)

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], connect)
    told: list[str] = []
    storage.database.listen(told.append)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await storage.database.backup(tmp_path / "copy.db")
    assert told == []
    for run in (storage.database.read, storage.database.write):
        with pytest.raises(StorageUnavailable, match="no such table"):
            await run(lambda c: c.execute("DELETE FROM nowhere"))
    assert told == ["no such table: nowhere"] * 2
    await storage.close()


# -- a disk that does not want to


@pytest.mark.parametrize(
    ("ails", "mends"),
    [("max_page_count = 1", "max_page_count = 1000000"), ("query_only = ON", "query_only = OFF")],
    ids=["full", "read-only"],
)
async def test_a_disk_that_takes_nothing_is_told_and_nothing_is_half_written(
    ails: str, mends: str, storage: Storage
) -> None:
    await put(storage)
    await storage.database.read(lambda c: c.execute(f"PRAGMA {ails}").fetchall())

    async def many() -> None:
        for number in range(100):  # a few still fit into the pages that are there
            await ask(storage, 1000 + number, X, X, X, member=BEN, token="t" * 500)

    with pytest.raises(StorageUnavailable) as caught:
        await many()
    assert caught.value.__cause__ is None
    requests = await rows(storage, "change_requests")
    assert len(await rows(storage, "library_changes")) == 3 * len(requests)
    assert await storage.links.get(ADA) == link()  # reading goes on
    assert await storage.database.is_answering()
    await storage.database.read(lambda c: c.execute(f"PRAGMA {mends}").fetchall())
    await ask(storage, 5000, X)
    await storage.changes.on_disk()
    assert len(await rows(storage, "change_requests")) == len(requests) + 1


async def test_a_file_that_may_not_grow_is_told_and_goes_on_when_it_may(tmp_path: Path) -> None:
    """A real limit of the operating system, in a process of its own."""
    script = """
import asyncio, pathlib, resource, signal, sys
from bot.errors import StorageUnavailable
from bot.storage import open_storage
from tests.storage.rows import KEY, X, ask, rows

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    storage = await open_storage(pathlib.Path(sys.argv[1]), [KEY])
    await ask(storage, 1, X)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        for number in range(2, 1000):
            await ask(storage, number, X, token="t" * 5000)
    except StorageUnavailable:
        pass
    else:
        sys.exit("nothing happened")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = await rows(storage, "change_requests")
    assert len(kept) == number - 1, (len(kept), number)
    await ask(storage, 5000, X)
    assert len(await rows(storage, "change_requests")) == number
    await storage.close()

asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "gatefold.db")]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")


async def test_what_was_written_quickly_outlives_the_process(tmp_path: Path) -> None:
    """SIGKILL right after the answer: what was accepted is there, also before the flush."""
    script = """
import asyncio, os, pathlib, signal, sys
from bot.storage import open_storage
from tests.storage.rows import KEY, X, ask

async def main():
    storage = await open_storage(pathlib.Path(sys.argv[1]), [KEY])
    for number in range(1, 51):
        await ask(storage, number, X)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "gatefold.db")]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert ran.returncode == -9, ran.stderr
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    assert len(await storage.changes.pending(ADA)) == 50
    await storage.close()


async def test_what_was_deleted_is_gone_from_the_disk(storage: Storage, tmp_path: Path) -> None:
    await put(storage, link(account="a-name-that-is-easily-found"))
    await ask(storage, 1, X)
    await storage.database.truncate_log()
    assert b"a-name-that-is-easily-found" in on_disk(tmp_path)
    await storage.forget(ADA)
    assert b"a-name-that-is-easily-found" not in on_disk(tmp_path)
    assert X.encode() not in on_disk(tmp_path)
    assert str(ADA).encode() not in on_disk(tmp_path)


# -- the keys


async def test_a_wrong_key_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [OTHER_KEY])
    await (await open_storage(path, [KEY])).close()


async def test_a_key_that_is_added_opens_what_the_old_one_sealed_and_seals_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    await put(storage)
    await storage.close()
    storage = await open_storage(path, [OTHER_KEY, KEY])
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.access_token, tokens.refresh_token) == ("BQ-1", "AQ-1")
    await put(storage, link(BEN, "acc-ben"))
    await storage.close()
    # the old key is still needed, for Ada: taking it away is refused
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [OTHER_KEY])
    storage = await open_storage(path, [OTHER_KEY, KEY])
    await storage.links.refreshed(link(), "BQ-2", "AQ-2", link().linked_at)
    await storage.close()
    await (await open_storage(path, [OTHER_KEY, KEY])).close()
    # now nothing is sealed with it any more
    storage = await open_storage(path, [OTHER_KEY])
    assert await storage.links.tokens(ADA) is not None
    assert await storage.links.tokens(BEN) is not None
    await storage.close()


async def test_one_file_by_two_names_is_one_database(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    (tmp_path / "other.db").symlink_to(tmp_path / "gatefold.db")
    with pytest.raises(StorageStartupError, match="Another Gatefold is using"):
        await open_storage(tmp_path / "other.db", [KEY])
    await storage.close()


async def test_what_was_deleted_while_somebody_read_is_gone_soon_after(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"

    def left() -> bool:
        return any(b"Ada the Unforgotten" in file.read_bytes() for file in tmp_path.iterdir())

    storage = await open_storage(path, [KEY])
    await storage.database.read(lambda c: c.execute("PRAGMA busy_timeout = 10").fetchall())
    await put(storage, replace(link(), account_name="Ada the Unforgotten"))
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM links").fetchone() == (1,)
    await storage.forget(ADA)
    assert left()  # who reads still sees it
    reader.close()
    await storage.sweep(at())
    assert not left()
    await storage.close()


async def test_a_sweep_with_nothing_to_erase_leaves_the_log_alone(storage: Storage) -> None:
    await put(storage)
    log = storage.database.path.with_name("gatefold.db-wal")
    before = log.stat().st_size
    assert before > 0
    await storage.sweep(at())
    assert log.stat().st_size >= before


async def test_what_was_deleted_while_the_disk_took_no_erasing_is_deleted_all_the_same_and_gone_soon_after(
    tmp_path: Path,
) -> None:
    fails = False

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        class Failing(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
                if fails and "wal_checkpoint" in sql:
                    raise sqlite3.OperationalError("database or disk is full")
                return super().execute(sql, *values)  # type: ignore[arg-type]

        return sqlite3.connect(path, factory=Failing, **options)

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], connect)
    await put(storage)
    (row,) = await rows(storage, "links")
    fails = True
    await storage.unlink(ADA)  # nobody may say that nothing was changed
    assert await rows(storage, "links") == []
    fails = False
    await storage.sweep(at(0))
    assert row["refresh_sealed"] not in on_disk(tmp_path)
    await storage.close()


async def test_what_a_killed_process_left_of_the_copy_before_an_update_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    part = tmp_path / ".gatefold.db.before.part"
    part.write_text("half")
    Path(f"{part}-journal").write_text("half")
    await (await upgraded(path, GROW)).close()
    assert not [file for file in tmp_path.iterdir() if ".part" in file.name]
    [backup] = tmp_path.glob("gatefold.db.before-*.backup")
    assert backup.read_bytes().startswith(b"SQLite format 3")


async def test_what_a_killed_process_left_of_that_copy_is_removed_also_without_an_update(tmp_path: Path) -> None:
    (tmp_path / ".gatefold.db.before.part").write_text("half")
    await (await open_storage(tmp_path / "gatefold.db", [KEY])).close()
    assert sorted(modes(tmp_path)) == ["gatefold.db", "gatefold.db.lock"]


async def test_a_copy_before_an_update_that_fails_is_removed(tmp_path: Path) -> None:
    class Full(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            super().backup(target, **options)
            raise sqlite3.OperationalError("database or disk is full")

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Full, **options)

    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    with pytest.raises(StorageStartupError, match="disk is full"):
        await Database.open(path, steps=extended(GROW), connect=connect)
    assert sorted(modes(tmp_path)) == ["gatefold.db", "gatefold.db.lock"]


async def test_a_start_erases_what_a_killed_process_had_deleted_and_not_yet_erased(tmp_path: Path) -> None:
    def left() -> bool:
        return any(b"Ada the Unforgotten" in file.read_bytes() for file in (tmp_path / "killed").iterdir())

    storage = await open_storage(tmp_path / "source" / "gatefold.db", [KEY])
    await put(storage, replace(link(), account_name="Ada the Unforgotten"))
    await execute(storage, "DELETE FROM links")  # killed before the log was emptied
    (tmp_path / "killed").mkdir()
    for end in ("", "-wal"):
        (tmp_path / "killed" / f"gatefold.db{end}").write_bytes(Path(f"{storage.database.path}{end}").read_bytes())
    await storage.close()
    assert left()
    storage = await open_storage(tmp_path / "killed" / "gatefold.db", [KEY])
    assert not left()  # at once, not only when it is closed
    await storage.close()


async def test_a_database_behind_a_symbolic_link_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "gatefold.db").symlink_to(tmp_path / "data" / "real.db")
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    assert storage.database.path == tmp_path / "data" / "real.db"
    await put(storage)
    await storage.close()
    await (await upgraded(tmp_path / "gatefold.db", GROW)).close()
    assert (tmp_path / "gatefold.db").is_symlink()
    assert sorted(modes(tmp_path)) == ["data", "gatefold.db"]
    assert len(list((tmp_path / "data").glob("real.db.before-*.backup"))) == 1


# -- flushing


async def test_a_flush_flushes_the_log_and_is_shared_by_those_who_ask_at_once(tmp_path: Path) -> None:
    flushed: list[str] = []

    def sync(handle: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], sync=sync)
    await ask(storage, 1, X)
    await storage.changes.on_disk()
    before = len(flushed)
    assert set(flushed) == {str(tmp_path / "gatefold.db-wal")}
    amid = threading.Event()
    held = asyncio.ensure_future(storage.database.read(lambda _: amid.wait(10)))
    asking = [storage.database.flush() for _ in range(20)]  # before the flush begins
    amid.set()
    await asyncio.gather(held, *asking)
    assert len(flushed) == before + 1
    await storage.database.truncate_log()  # the log is emptied, and stays the same file
    await asyncio.gather(storage.database.flush())
    assert os.stat(tmp_path / "gatefold.db-wal").st_nlink == 1
    assert set(flushed) == {str(tmp_path / "gatefold.db-wal")}
    await storage.close()


async def test_whoever_asks_once_a_flush_has_begun_gets_another_one(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    flushed: list[int] = []

    def sync(handle: int) -> None:
        flushed.append(handle)
        begun.set()
        assert go_on.wait(10)

    go_on.set()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], sync=sync)
    before = len(flushed)
    begun.clear()
    go_on.clear()
    first = storage.database.flush()
    assert await asyncio.to_thread(begun.wait, 10)
    second = storage.database.flush()  # it may have written after the first one began
    go_on.set()
    await asyncio.gather(first, second)
    assert len(flushed) == before + 2
    await storage.database.flush()
    assert len(flushed) == before + 3
    await storage.close()


async def test_a_flush_that_fails_is_told_and_the_next_one_works(tmp_path: Path) -> None:
    fails = True

    def sync(handle: int) -> None:
        if fails:
            raise OSError(5, "Input/output error")

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], sync=sync)
    told: list[str] = []
    storage.database.listen(told.append)
    with pytest.raises(StorageUnavailable, match="Input/output"):
        await storage.database.flush()
    assert len(told) == 1
    fails = False
    await storage.database.flush()
    await storage.close()


async def test_whether_the_disk_takes_writes_is_known_without_writing_anything_that_counts(storage: Storage) -> None:
    assert await storage.database.is_writable()
    before = await rows(storage, "sqlite_schema")
    await storage.database.read(lambda c: c.execute("PRAGMA query_only = ON").fetchall())
    storage.database._probed_at = float("-inf")
    assert not await storage.database.is_writable()
    assert await storage.database.is_answering()
    await storage.database.read(lambda c: c.execute("PRAGMA query_only = OFF").fetchall())
    storage.database._probed_at = float("-inf")
    assert await storage.database.is_writable()
    assert await rows(storage, "sqlite_schema") == before


async def test_a_disk_that_takes_no_byte_more_does_not_count_as_writable(storage: Storage) -> None:
    """A real limit of the operating system, as long as the look takes."""
    log = storage.database.path.with_name("gatefold.db-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        is_writable = await storage.database.is_writable()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not is_writable
    storage.database._probed_at = float("-inf")
    assert await storage.database.is_writable()


async def test_a_disk_with_room_for_a_page_and_not_for_a_change_does_not_count_as_writable(tmp_path: Path) -> None:
    free = {tmp_path: 16_384}
    database = await Database.open(tmp_path / "gatefold.db", free=lambda folder: free[folder])
    assert not await database.is_writable()
    free[tmp_path] = 1024**2
    database._probed_at = float("-inf")
    assert await database.is_writable()
    await database.close()


async def test_a_file_that_was_moved_away_does_not_count_as_writable_until_it_is_back(storage: Storage) -> None:
    path = storage.database.path
    assert await storage.database.is_writable()
    path.rename(path.with_name("away.db"))
    storage.database._probed_at = float("-inf")
    assert not await storage.database.is_writable()
    path.with_name("away.db").rename(path)
    storage.database._probed_at = float("-inf")
    assert await storage.database.is_writable()


async def test_whether_the_disk_takes_writes_is_tried_once_in_a_second_however_often_it_is_asked(
    storage: Storage,
) -> None:
    assert await storage.database.is_writable()
    await storage.database.read(lambda c: c.execute("PRAGMA query_only = ON").fetchall())
    storage.database._probed_at = time.monotonic() + 60  # however long this test takes
    assert await storage.database.is_writable()
    storage.database._probed_at = time.monotonic() - PROBE_S
    assert not await storage.database.is_writable()


async def test_a_closed_database_does_not_count_as_writable_although_it_was_a_moment_ago(storage: Storage) -> None:
    assert await storage.database.is_writable()
    await storage.close()
    assert not await storage.database.is_writable()


async def test_a_lock_of_somebody_elses_does_not_count_as_a_disk_that_takes_nothing(storage: Storage) -> None:
    holder = sqlite3.connect(storage.database.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(2):  # and it is not waited for
        assert await storage.database.is_writable()
    holder.close()


async def test_a_disk_that_is_full_at_the_first_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "INTO key_check" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Full, **options)

    with pytest.raises(StorageStartupError, match=r"gatefold\.db cannot be written \(database or disk is full\)"):
        await open_storage(tmp_path / "gatefold.db", [KEY], connect)
    await (await open_storage(tmp_path / "gatefold.db", [KEY])).close()  # the lock was given back


async def test_a_damaged_proof_is_refused_at_the_start(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await execute(storage, "UPDATE key_check SET proof_sealed = x'0102'")
    await storage.close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(tmp_path / "gatefold.db", [KEY])
