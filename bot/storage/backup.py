"""Copies of the database: one file each, whole, proved, and without what lives for minutes only."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from bot.errors import StorageUnavailable
from bot.storage import sqlite
from bot.storage.database import StorageStartupError, followed, hold_lock
from bot.storage.declarations import omit
from bot.storage.files import PART, give_new_name, remove_part
from bot.storage.keys import remove_proof
from bot.storage.schema import Steps, apply, load_steps, steps_in
from bot.storage.stores import DECLARED
from bot.storage.unfit import EMPTY, FOREIGN, Unfit, damaged, fault_of, newer, of_writing

TURN_S = 60.0
"""How long a backup waits for another one in the same folder."""


class TooLong(Exception):
    """Somebody else takes too long; the text says who, as the end of a sentence."""


class Contents(Struct, frozen=True):
    """What a copy holds, in rows."""

    links: int
    requests: int
    pending: int
    steps: Steps


class Copy(Struct, frozen=True):
    """A copy that was made. `size`: bytes."""

    file: Path
    size: int
    contents: Contents


async def back_up(
    copy_to: Callable[[Path], Awaitable[None]], target: Path, *, key_check: bool = True, turn_s: float = TURN_S
) -> Copy:
    """Make a copy (0600), prove it, and only then give it its name; an existing file is never overwritten.

    `copy_to`: writes the whole database to a new file. `key_check`: False leaves the keys' check value out, so
    that nobody can try keys against the copy of a database in which no member is linked. `turn_s`: how long it waits
    for another one in the same folder. StorageStartupError: why not.
    """
    # What was begun is ended, also when nobody waits for it: otherwise a part would be left behind.
    making = asyncio.ensure_future(_made(copy_to, target, key_check, turn_s))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait({making})
        raise


async def _made(copy_to: Callable[[Path], Awaitable[None]], target: Path, key_check: bool, turn_s: float) -> Copy:
    part = target.with_name(f".{target.name}{PART}")
    try:
        making = await asyncio.to_thread(_make_room, target, part, turn_s)
        try:
            await copy_to(part)
            # The copy is nobody else's: it is proved in another thread, and the database's goes on.
            contents = await asyncio.to_thread(_proved, part, key_check)
            size = await asyncio.to_thread(give_new_name, part, target)
            return Copy(target, size, contents)
        finally:
            await asyncio.to_thread(remove_part, part)
            os.close(making)
    except FileExistsError:
        raise _taken(target) from None
    except (OSError, sqlite.Error, StorageUnavailable, Unfit, TooLong) as error:
        raise StorageStartupError(f"The backup {target} could not be made: {_why(error, target)}.") from None


def _why(error: Exception, target: Path) -> str:
    """The reason and what to do, without a full stop at the end."""
    match error:
        case OSError():
            return of_writing(error, target.parent)
        case sqlite.Error() | Unfit():
            fault = error.fault if isinstance(error, Unfit) else fault_of(error, target)
            return f"the database {fault.what}. {fault.database}".removesuffix(".")
        case _:
            return str(error)


def _make_room(target: Path, part: Path, turn_s: float) -> int:
    """Wait for a turn in the folder, which ends when the returned handle is closed.

    Two that make the same copy at once would take each other's unfinished file.
    """
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(folder, turn_s)
        if os.path.lexists(target):
            raise _taken(target)
        # left by a process that was killed while it made the same copy
        remove_part(part)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _lock(folder: int, turn_s: float) -> None:
    until = time.monotonic() + turn_s
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TooLong(f"another backup in this folder has taken more than {turn_s:.0f} s") from None
            time.sleep(0.1)
        except OSError:
            return  # a file system that locks no folders
        else:
            return


def _taken(target: Path) -> StorageStartupError:
    return StorageStartupError(
        f"{target} is there already, and a backup never overwrites a file. Give it another name."
    )


def copy_unused(path: Path, target: Path, **patience: float) -> None:
    """Copy a database that no bot uses to a new file (0600). StorageStartupError when one does; Unfit: it cannot be read.

    `patience`: as in `sqlite.copy_file`.
    """
    path = followed(path)
    if not path.exists():
        raise StorageStartupError(
            f"There is no database at {path}. Change to the folder of the bot's .env, or set DATABASE_PATH."
        )
    lock = hold_lock(path)
    try:
        sqlite.copy_file(path, target, **patience)
    except sqlite.Error as error:
        raise Unfit(fault_of(error, path)) from None
    finally:
        os.close(lock)


def _proved(part: Path, key_check: bool) -> Contents:
    with closing(sqlite.opened_alone(part)) as c:
        contents = verify(c)
        with sqlite.Transaction(c):
            # A copy is as old as the database: an older one has not all tables yet.
            omit(c, DECLARED, lambda table: sqlite.has_table(c, table))
            if not key_check:
                remove_proof(c)
    return contents


def verify(c: sqlite.Connection) -> Contents:
    """Look at every page and every reference, and count. Unfit when it is damaged, no Gatefold's, or newer."""
    if (found := sqlite.damage(c)) is not None:
        raise Unfit(damaged(found))
    steps = steps_in(c)
    if not steps.applied:
        raise Unfit(FOREIGN if sqlite.has_tables(c) else EMPTY)
    if steps.unknown:
        raise Unfit(newer(steps.unknown[-1]))
    return Contents(
        _count(c, "SELECT COUNT(*) FROM links"),
        _count(c, f"SELECT COUNT(*) FROM {_named(c, 'change_requests', 'requests')}"),  # noqa: S608 - the names are here
        _count(c, f"SELECT COUNT(*) FROM {_named(c, 'library_changes', 'wishes')} WHERE outcome IS NULL"),  # noqa: S608
        steps,
    )


def _named(c: sqlite.Connection, name: str, before: str) -> str:
    """A table's name in this database, which may wait for the step that renames it."""
    return name if sqlite.has_table(c, name) else before


def update(c: sqlite.Connection) -> None:
    """Bring a copy that nobody else has up to this version's schema. Whether its rows fit together, `verify` says."""
    with sqlite.without_references(c), sqlite.Transaction(c):
        apply(c, load_steps())


def _count(c: sqlite.Connection, query: str) -> int:
    count: int = c.execute(query).fetchone()[0]
    return count
