"""The one database thread: functions are sent to it, nothing else touches the connection.

Measured traps that this avoids: implicit transactions that swallow later writes, two connections on one WAL,
processes racing to migrate, and new files readable by everybody.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from bot.errors import StorageUnavailable
from bot.storage import sqlite
from bot.storage.control_socket import is_served
from bot.storage.engine import Connection
from bot.storage.files import PART, give_new_name, remove_part, sync
from bot.storage.schema import Step, apply, load_steps, steps_in
from bot.storage.unfit import Unfit, fault_of, newer, reason_of, refuse_other_programs

_T = TypeVar("_T")
Sync = Callable[[int], None]
SYNC: Sync = getattr(os, "fdatasync", os.fsync)
"""Flushes an open file to the disk; macOS has no fdatasync."""
PROBE_S = 1.0
"""Whether the disk takes writes is tried at most this often, however often it is asked."""
LEAST_FREE = 128 * 1024
"""With fewer free bytes the disk counts as full: it may take one page, and not what a command stores."""
Free = Callable[[Path], int]


class StorageStartupError(Exception):
    """The database cannot be used; the text says why and what to do."""


def _free_bytes(folder: Path) -> int:
    """Free bytes on the disk of this folder; as many as anybody needs where the file system does not say."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize if found.f_blocks else LEAST_FREE


class Database:
    """One SQLite file with one connection in one thread, locked against other processes."""

    def __init__(
        self, path: Path, steps: Sequence[Step], lock: int, connect: sqlite.Connect, sync: Sync, free: Free
    ) -> None:
        self.path = followed(path)
        self._steps = steps
        self._lock = lock
        self._connect = connect
        self._sync = sync
        self._free = free
        self._log: int
        self._file: tuple[int, int] | None = None
        self._thread = _Thread()
        self._loop = asyncio.get_running_loop()
        self._connection: sqlite.Connection
        self._flush: asyncio.Future[None] | None = None
        self._flushes_sent = self._flushes_begun = 0
        self._probe: asyncio.Future[bool] | None = None
        self._probed_at = float("-inf")
        self._is_truncation_owed = False
        self._is_closed = False
        self._listeners: list[Callable[[str], None]] = []

    @classmethod
    async def open(
        cls,
        path: Path,
        steps: Sequence[Step] | None = None,
        connect: sqlite.Connect = sqlite.CONNECT,
        sync: Sync = SYNC,
        free: Free = _free_bytes,
    ) -> Database:
        """Open, lock and migrate. StorageStartupError when another process has it or a newer Gatefold wrote it.

        `steps`: the schema's, ours unless others are given. `connect`: makes the one connection.
        `sync`: flushes an open file to the disk. `free`: how many bytes are free on the disk of a folder.
        """
        database = cls(path, steps or load_steps(), hold_lock(path), connect, sync, free)
        try:
            await database._thread.run(database._open)
        except BaseException as error:
            await database.close()
            if isinstance(error, sqlite.Error | Unfit):
                fault = error.fault if isinstance(error, Unfit) else fault_of(error, path)
                raise StorageStartupError(f"{path} {fault.what}. {fault.database}") from None
            if isinstance(error, OSError):
                raise _not_usable(path, error) from None
            raise
        return database

    def _open(self) -> None:
        self._refuse_other_programs()
        self._connection = connection = sqlite.open_main(self.path, self._connect)
        self._migrate()
        sqlite.fold_log(connection)  # what a killed process deleted is gone now, too
        if not sqlite.writes_ahead(connection):
            raise StorageStartupError(
                f"{self.path} is on a file system where SQLite cannot write ahead (WAL). Set DATABASE_PATH to a local disk."
            )
        # The log stays the same file for as long as the connection is open.
        self._log = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self._file = _identity(self.path)
        sync(self.path.parent)
        sqlite.begin_work(connection)

    def _refuse_other_programs(self) -> None:
        """Look before anything is changed. A log beside the file may be ours, from a process that was killed."""
        if self.path.exists() and not Path(f"{self.path}-wal").exists():
            with sqlite.opened_to_read(self.path, is_closed=True) as c:
                refuse_other_programs(c, steps_in(c, self._steps).applied)

    def _migrate(self) -> None:
        part = self.path.with_name(f".{self.path.name}.before{PART}")
        remove_part(part)  # left by a process that was killed
        steps = steps_in(self._connection, self._steps)
        refuse_other_programs(self._connection, steps.applied)
        if steps.unknown:
            raise Unfit(newer(steps.unknown[-1]))
        if not steps.pending:
            return
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        backup = self.path.with_name(f"{self.path.name}.before-{steps.pending[0]}-{stamp}.backup")
        if steps.applied:
            try:
                self._copy_to(part)
                give_new_name(part, backup)
            finally:
                remove_part(part)
        try:
            with sqlite.Transaction(self._connection):
                apply(self._connection, self._steps)
                if broken := sqlite.broken_references(self._connection):
                    raise StorageStartupError(f"{self.path} does not fit together after the update: {broken}.")
        except BaseException:
            # Nothing has changed, and whoever starts us again and again must not fill the disk with backups.
            backup.unlink(missing_ok=True)
            raise

    def _copy_to(self, target: Path) -> None:
        sqlite.copy_to(self._connection, target)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` from now on why the file could not be read or written."""
        self._listeners.append(listener)

    def read(self, job: Callable[[Connection], _T]) -> asyncio.Future[_T]:
        """Run a function that only reads. StorageUnavailable when the file cannot be read."""
        return self._safely(self._reading, job)

    def write(
        self, job: Callable[[Connection], _T], *, key: int | str | None = None, durable: bool = True
    ) -> asyncio.Future[_T]:
        """Run a function in one transaction: all of it is stored when this returns, or none of it.

        `key`: named by a job that decides by what it reads: no two jobs with the same key run at a time. SQLite runs
        one job at a time anyway; an engine that runs several needs it. What is stored outlives the process in any case;
        `durable`: a power cut, too, which costs a flush of the disk.
        """
        return self._safely(self._writing_durably if durable else self._writing, job)

    def flush(self) -> asyncio.Future[None]:
        """Done when all that was written before it outlives a power cut; those who ask at once share one."""
        if self._flush is None or self._flushes_begun == self._flushes_sent:
            # whoever asks from now on may have written after the one before began
            self._flushes_sent += 1
            self._flush = self._safely(self._flushing, None)
            # whoever asked may be gone before it fails
            self._flush.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._flush

    def _flushing(self, _: None) -> None:
        self._flushes_begun += 1
        self._sync(self._log)

    async def backup(self, target: Path) -> None:
        """Copy the whole database to a new file (0600) while everything goes on. StorageUnavailable when it can't."""
        await self._safely(self._copy_to, target)

    async def truncate_log(self) -> None:
        """Fold the WAL into the file and empty it, so that what was deleted is gone.

        While others read, or while the disk does not take it, it is owed: the deletion itself is stored already.
        """

        def fold(_: Connection) -> bool:
            with sqlite.not_waiting(self._connection):
                return sqlite.fold_log(self._connection)

        self._is_truncation_owed = True
        with suppress(StorageUnavailable):  # the listeners are told why
            self._is_truncation_owed = not await self._safely(self._reading, fold)

    async def truncate_owed_log(self) -> None:
        """The same, if it could not be done when it was asked for."""
        if self._is_truncation_owed:
            await self.truncate_log()

    @property
    def waiting(self) -> int:
        """How many jobs wait for the database thread."""
        return self._thread.waiting

    async def is_answering(self) -> bool:
        """Whether the database answers."""
        try:
            await self.read(lambda c: c.execute("SELECT 1").fetchone())
        except StorageUnavailable:
            return False
        return True

    async def is_writable(self) -> bool:
        """Whether the database answers, the disk takes what is written, and the file is still the one at its path.

        A lock of somebody else's passes: it may.
        """
        if self._probe is None or (self._probe.done() and time.monotonic() - self._probed_at >= PROBE_S):
            self._probe = asyncio.ensure_future(self._try_to_write())
        return await asyncio.shield(self._probe) and await self.is_answering()

    async def _try_to_write(self) -> bool:
        def write(_: None) -> None:
            if _identity(self.path) != self._file:
                # Everything seems to work, and is lost when the process ends.
                raise sqlite.Error(
                    "its file was deleted or replaced while the bot runs, so what is stored now is lost at the next start"
                )
            if self._free(self.path.parent) < LEAST_FREE:
                raise sqlite.Error("database or disk is full")
            with sqlite.not_waiting(self._connection), sqlite.Transaction(self._connection):
                sqlite.write_nothing_new(self._connection)

        try:
            await self._safely(write, None)
        except StorageUnavailable as error:
            return "locked" in str(error)
        finally:
            self._probed_at = time.monotonic()
        return True

    async def close(self) -> None:
        """Finish what is queued, close the file, release the lock; a second time, nothing."""
        if self._is_closed:
            return
        if hasattr(self, "_connection"):
            await self._thread.run(self._connection.close)
        if hasattr(self, "_log"):
            os.close(self._log)
        self._thread.stop()
        os.close(self._lock)
        self._is_closed = True

    def _reading(self, job: Callable[[Connection], _T]) -> _T:
        result = job(self._connection)
        sqlite.without_cursor(result)
        assert not self._connection.in_transaction, "a reading job wrote"
        return result

    def _writing(self, job: Callable[[Connection], _T]) -> _T:
        with sqlite.Transaction(self._connection):
            result = job(self._connection)
            sqlite.without_cursor(result)
        return result

    def _writing_durably(self, job: Callable[[Connection], _T]) -> _T:
        with sqlite.flushing(self._connection):
            return self._writing(job)

    def _safely(self, run: Callable[[Any], _T], job: Any) -> asyncio.Future[_T]:
        if self._is_closed:
            closed: asyncio.Future[_T] = self._loop.create_future()
            closed.set_exception(StorageUnavailable("closed"))
            return closed
        return self._thread.run(self._run_safely, run, job)

    def _run_safely(self, run: Callable[[Any], _T], job: Any) -> _T:
        try:
            return run(job)
        except (sqlite.Error, OSError) as error:
            if sqlite.is_our_mistake(error) or (isinstance(error, OSError) and run != self._flushing):
                raise
            if run != self._copy_to:  # which fails for a reason of the copy's
                self._loop.call_soon_threadsafe(self._tell, str(error))
            raise StorageUnavailable(str(error)) from None

    def _tell(self, reason: str) -> None:
        for listener in self._listeners:
            listener(reason)


class _Thread:
    """One thread that runs what it is sent, in order; two thirds of an executor's cost for each job.

    What was sent is run, also when nobody waits for it any more.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="database", daemon=True)
        self._thread.start()

    def run(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        """What the function returns or raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def job() -> None:
            try:
                result, error = function(*arguments), None
            except BaseException as caught:
                result, error = None, caught
            try:  # noqa: SIM105 - `suppress` costs three calls, and this runs for every job
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # the loop is closed: nobody waits

        self._jobs.put(job)
        return future

    @property
    def waiting(self) -> int:
        """How many jobs stand in the queue."""
        return self._jobs.qsize()

    def stop(self) -> None:
        """Finish what is queued, and end."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # it holds rows, which must not wait here for the next one


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # whoever waited was cancelled
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at this path from another one; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def followed(path: Path) -> Path:
    """Where symbolic links lead: everything lies beside the file itself. StorageStartupError when they go in a circle."""
    try:
        file = path.resolve()
        if not os.path.islink(file):  # a circle, of which Python says nothing since 3.13
            return file
    except (OSError, RuntimeError):  # RuntimeError: what it said before
        pass
    raise StorageStartupError(f"{path} is a symbolic link that leads to no file. Set DATABASE_PATH.")


def refuse_folder(path: Path) -> None:
    """StorageStartupError when there is a folder where the database should be: SQLite says only that it failed."""
    if path.is_dir():
        raise StorageStartupError(f"{path} is a folder. Set DATABASE_PATH to a file in it.")


def _not_usable(path: Path, error: OSError) -> StorageStartupError:
    if isinstance(error, PermissionError):
        to_do = "Run this as the bot's user"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        to_do = "Free some space on the disk"
    else:
        to_do = "Set DATABASE_PATH"
    return StorageStartupError(f"{path} cannot be used ({reason_of(error)}). {to_do}.")


def hold_lock(path: Path) -> int:
    """Hold the lock file, until the returned handle is closed: it keeps a second process off the same database."""
    path = followed(path)
    try:
        refuse_folder(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, NotADirectoryError):
        raise StorageStartupError(
            f"{path} cannot be used, because {path.parent} is not a folder. Set DATABASE_PATH."
        ) from None
    except OSError as error:
        raise _not_usable(path, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_taken = is_served(path)  # somebody may have deleted the file that the bot has locked
    except BlockingIOError:
        is_taken = True
    if is_taken:
        os.close(handle)
        raise StorageStartupError(f"Another Gatefold is using {path}. Stop that one first.")
    return handle
