"""A look at the database from another process, while the bot runs or not. It changes nothing.

SQLite before 3.51.3 can corrupt a WAL database when two connections write or checkpoint. A `mode=ro` connection
does neither: it cannot write, and closing it last folds nothing (the file's lock for that needs a writable handle).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.storage.apps import KnownApp, known_app
from bot.storage.database import Connection, StorageError, load_migrations
from bot.storage.links import ACCESS
from bot.storage.vault import Unopenable, Vault


@dataclass(frozen=True, slots=True)
class Glance:
    """What a database holds. The rows are looked at only where all steps that it knows are known to us.

    `key_opens`: None when there is no check value yet. `access`: access tokens that are good for a while.
    """

    pending: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    key_opens: bool | None = None
    app: KnownApp = field(default_factory=KnownApp)
    linked: int = 0
    linked_elsewhere: int = 0
    unreadable: int = 0
    access: tuple[str, ...] = field(default=(), repr=False)


def is_in_use(path: Path) -> bool:
    """Whether a bot runs with this database: it holds the lock file. StorageError when that cannot be seen."""
    try:
        handle = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{path}.lock cannot be opened ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def glance(path: Path, keys: Sequence[bytes], client_id: str, good_until: datetime) -> Glance:
    """Look at an existing database; `access` are this app's that live beyond `good_until`. StorageError: why not."""
    # No log beside it: it was closed cleanly. Then SQLite must not even make one.
    log = Path(f"{path}-wal")
    mode = "mode=ro" if log.exists() or is_in_use(path) else "mode=ro&immutable=1"
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
        ) as connection:
            connection.row_factory = sqlite3.Row
            # one moment for all that is read
            connection.execute("BEGIN")
            return _look(connection, Vault(keys), client_id, good_until)
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read as a database ({error})") from None


def _look(c: Connection, vault: Vault, client_id: str, good_until: datetime) -> Glance:
    known = [step.name for step in load_migrations()._migrations]
    applied: list[str] = []
    if c.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        applied = [
            row["name"] for row in c.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'gatefold'")
        ]
    pending = tuple(name for name in known if name not in applied)
    unknown = tuple(name for name in applied if name not in known)
    if unknown or not applied:
        return Glance(pending, unknown)
    rows = c.execute("SELECT discord_id, client_id, access_sealed, access_expires_at, broken FROM links").fetchall()
    ours = [row for row in rows if row["client_id"] == client_id]
    fresh = [row for row in ours if row["broken"] is None and row["access_expires_at"] > good_until.timestamp()]
    fresh.sort(key=lambda row: -int(row["access_expires_at"]))
    opened = [_opened(vault, row["access_sealed"], row["discord_id"]) for row in fresh]
    return Glance(
        pending=pending,
        key_opens=_opens(c, vault),
        app=known_app(c, client_id),
        linked=len(ours),
        linked_elsewhere=len(rows) - len(ours),
        unreadable=sum(not vault.knows(row["access_sealed"]) for row in rows),
        access=tuple(token for token in opened if token is not None),
    )


def _opens(c: Connection, vault: Vault) -> bool | None:
    row = c.execute("SELECT proof_sealed FROM key_check").fetchone()
    return None if row is None else _opened(vault, row["proof_sealed"], 0, "proof") is not None


def _opened(vault: Vault, blob: bytes, owner: int, kind: str = ACCESS) -> str | None:
    try:
        return vault.open(blob, owner, kind)
    except Unopenable:
        return None
