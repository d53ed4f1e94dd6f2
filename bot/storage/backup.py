"""Copies of the database: one file each, whole, proved, and without what lives for minutes only."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StorageUnavailable
from bot.storage.database import Connection, StorageStartupError, hold_lock
from bot.storage.declarations import omit
from bot.storage.files import PART, give_new_name, remove_part
from bot.storage.keys import remove_proof
from bot.storage.schema import Steps, steps_in
from bot.storage.stores import DECLARED


class Unfit(Exception):
    """A file is no database that can be used; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds, in rows."""

    links: int
    requests: int
    pending: int
    steps: Steps


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was made. `size`: bytes."""

    file: Path
    size: int
    contents: Contents


async def back_up(copy_to: Callable[[Path], Awaitable[None]], target: Path, *, key_check: bool = True) -> Copy:
    """Make a copy (0600), prove it, and only then give it its name; an existing file is never overwritten.

    `copy_to`: writes the whole database to a new file. `key_check`: False leaves the keys' check value out, so
    that nobody can try keys against the copy of a database in which no member is linked. StorageStartupError: why not.
    """
    # What was begun is ended, also when nobody waits for it: otherwise a part would be left behind.
    making = asyncio.ensure_future(_made(copy_to, target, key_check))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait({making})
        raise


async def _made(copy_to: Callable[[Path], Awaitable[None]], target: Path, key_check: bool) -> Copy:
    part = target.with_name(f".{target.name}{PART}")
    try:
        await asyncio.to_thread(_make_room, target, part)
        try:
            await copy_to(part)
            # The copy is nobody else's: it is proved in another thread, and the database's goes on.
            contents = await asyncio.to_thread(_proved, part, key_check)
            size = await asyncio.to_thread(give_new_name, part, target)
            return Copy(target, size, contents)
        finally:
            await asyncio.to_thread(remove_part, part)
    except FileExistsError:
        raise _taken(target) from None
    except (OSError, sqlite3.Error, StorageUnavailable, Unfit) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageStartupError(f"The backup {target} could not be made: {reason}.") from None


def _make_room(target: Path, part: Path) -> None:
    if os.path.lexists(target):
        raise _taken(target)
    # left by a process that was killed while it made the same copy
    remove_part(part)


def _taken(target: Path) -> StorageStartupError:
    return StorageStartupError(
        f"{target} is there already, and a backup never overwrites a file. Give it another name."
    )


def copy_unused(path: Path, target: Path) -> None:
    """Copy a database that no bot uses to a new file (0600). StorageStartupError when one does, or it cannot be read."""
    path = path.resolve()
    if not path.exists():
        raise StorageStartupError(f"There is no database at {path}. Set DATABASE_PATH.")
    lock = hold_lock(path)
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    finally:
        os.close(lock)


def _proved(part: Path, key_check: bool) -> Contents:
    with closing(opened_alone(part)) as c:
        contents = verify(c)
        c.execute("BEGIN IMMEDIATE")
        omit(c, DECLARED)
        if not key_check:
            remove_proof(c)
        c.execute("COMMIT")
    return contents


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


def verify(c: Connection) -> Contents:
    """Look at every page and every reference, and count. Unfit when it is damaged, no Gatefold's, or newer."""
    if found := [row[0] for row in c.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]:
        raise Unfit(f"it is damaged ({'; '.join(found)})")
    if c.execute("PRAGMA foreign_key_check").fetchone():
        raise Unfit("it is damaged (its rows do not fit together)")
    steps = steps_in(c)
    if not steps.applied:
        raise Unfit("it is no database of Gatefold's")
    if steps.unknown:
        raise Unfit(f"it was written by a newer Gatefold (step {steps.unknown[-1]}), which is needed for it")
    return Contents(
        _count(c, "SELECT COUNT(*) FROM links"),
        _count(c, "SELECT COUNT(*) FROM change_requests"),
        _count(c, "SELECT COUNT(*) FROM library_changes WHERE outcome IS NULL"),
        steps,
    )


def _count(c: Connection, query: str) -> int:
    count: int = c.execute(query).fetchone()[0]
    return count
