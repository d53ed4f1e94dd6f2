"""Looking at a database that a bot may be using, without changing anything."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.storage.database import Connection, StorageStartupError
from bot.storage.schema import Steps, load_steps, steps_in


def steps_of(path: Path) -> Steps:
    """The steps of a database that a bot may be using; a missing one has none. StorageStartupError: it cannot be read."""
    if not path.exists():
        return Steps(pending=tuple(step.__name__ for step in load_steps()))
    with opened_to_look(path) as c:
        return steps_in(c)


@contextmanager
def opened_to_look(path: Path) -> Iterator[Connection]:
    """A connection that can only read, also while a bot has the database. StorageStartupError: it cannot be read.

    SQLite before 3.51.3 can corrupt a WAL database when two connections write or checkpoint. A `mode=ro` connection
    does neither: it cannot write, and closing it last folds nothing (the file's lock for that needs a writable handle).
    """
    path = path.resolve()  # its log lies beside the file, not beside a symbolic link to it
    # No log beside it: it was closed cleanly. Then SQLite must not even make one.
    mode = "mode=ro" if Path(f"{path}-wal").exists() or is_in_use(path) else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None)) as c:
            yield c
    except sqlite3.Error as error:
        raise StorageStartupError(f"{path} cannot be read as a database ({error}).") from None


def is_in_use(path: Path) -> bool:
    """Whether a bot runs with this database: it holds the lock file. StorageStartupError when that cannot be seen."""
    try:
        handle = os.open(f"{path.resolve()}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageStartupError(f"{path}.lock cannot be opened ({error.strerror}).") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
