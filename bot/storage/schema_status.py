"""Looking at a database that a bot may be using, without changing anything."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.storage import sqlite
from bot.storage.database import StorageStartupError, followed, refuse_folder
from bot.storage.schema import Steps, load_steps, steps_in
from bot.storage.unfit import Unfit, fault_of, refuse_other_programs


def steps_of(path: Path) -> Steps:
    """The steps of a database that a bot may be using; a missing one has none. StorageStartupError: it cannot be read."""
    if not followed(path).exists():
        return Steps(pending=tuple(step.__name__ for step in load_steps()))
    with opened_to_look(path) as c:
        return our_steps_in(c)


def our_steps_in(c: sqlite.Connection) -> Steps:
    """The steps of an open database. Unfit when another program's tables are in it."""
    steps = steps_in(c)
    refuse_other_programs(c, steps.applied)
    return steps


@contextmanager
def opened_to_look(path: Path) -> Iterator[sqlite.Connection]:
    """A connection that can only read, also while a bot has the database. StorageStartupError: it cannot be read."""
    path = followed(path)
    refuse_folder(path)
    is_closed = not Path(f"{path}-wal").exists() and not is_in_use(path)
    try:
        with sqlite.opened_to_read(path, is_closed=is_closed) as c:
            yield c
    except (sqlite.Error, Unfit) as error:
        fault = error.fault if isinstance(error, Unfit) else fault_of(error, path)
        raise StorageStartupError(f"{path} {fault.what}. {fault.database}") from None


def is_in_use(path: Path) -> bool:
    """Whether a bot runs with this database: it holds the lock file. StorageStartupError when that cannot be seen."""
    try:
        handle = os.open(f"{followed(path)}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        to_do = "Run this as the bot's user" if isinstance(error, PermissionError) else "Set DATABASE_PATH"
        raise StorageStartupError(f"{path}.lock cannot be opened ({error.strerror}). {to_do}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
