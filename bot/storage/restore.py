"""Putting a backup in the database's place: everything is proved first, and the change is one rename."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from bot.storage import sqlite
from bot.storage.backup import Contents, update, verify
from bot.storage.database import StorageStartupError, followed, hold_lock
from bot.storage.engine import Connection
from bot.storage.files import PART, give_name, remove_part, sync
from bot.storage.keys import key_opens
from bot.storage.links import ACCESS, REFRESH
from bot.storage.unfit import OTHER_KEYS, Unfit, fault_of, of_reading, of_writing
from bot.storage.vault import Vault

LOGS = ("-wal", "-shm")
"""What SQLite lays beside a database: with another database they would damage it."""


class Restored(Struct, frozen=True):
    """What was restored. `unreadable`: links whose access no key opens; `aside`: where the old database went."""

    contents: Contents
    unreadable: int
    aside: Path | None


def restore(
    backup: Path, path: Path, keys: Sequence[bytes], *, replace: bool, now: datetime, called: str = ""
) -> Restored:
    """Put `backup` at `path`. StorageStartupError says why it cannot be; then nothing has changed.

    `replace`: also when a database is there, which is kept aside. `called`: what errors call the backup. Killed at any
    moment, this leaves the old database or the new one, never a mixture and never none.
    """
    path = followed(path)  # the link stays
    called = called or str(backup)
    if backup.is_dir():
        raise StorageStartupError(f"{backup} is a folder. Name the backup in it.")
    if not backup.is_file():
        raise StorageStartupError(f"There is no file {backup}.")
    if path.exists() and backup.samefile(path):
        raise StorageStartupError(f"{backup} is the database itself. Name a backup.")
    # Also through a symbolic link: a log lies beside the file.
    if (log := Path(f"{backup.resolve()}-wal")).exists() and log.stat().st_size:
        raise StorageStartupError(
            f"{log} lies beside it, so {backup} is not a whole backup but a part of a running database. "
            "Make one with `gatefold backup`."
        )
    lock = hold_lock(path)
    part = path.with_name(f".{path.name}.restored{PART}")
    try:
        if path.exists() and not replace:
            raise StorageStartupError(f"There is a database at {path} already. With --replace it is kept aside.")
        remove_part(part)
        contents, unreadable = _fetch(backup, part, Vault(keys))
        aside = _set_aside(path, now) if path.exists() else None
        for end in LOGS:
            Path(f"{path}{end}").unlink(missing_ok=True)
        sync(path.parent)
        give_name(part, path)
        return Restored(contents, unreadable, aside)
    except (sqlite.Error, Unfit) as error:
        fault = error.fault if isinstance(error, Unfit) else fault_of(error, part)
        raise StorageStartupError(f"{called} could not be restored: it {fault.what}. {fault.backup}") from None
    except OSError as error:
        raise StorageStartupError(f"{called} could not be restored: {of_writing(error, path.parent)}.") from None
    finally:
        remove_part(part)
        os.close(lock)


def _fetch(backup: Path, part: Path, vault: Vault) -> tuple[Contents, int]:
    """Copy the file, without opening it as a database where it lies, and prove the copy."""
    try:
        handle = os.open(backup, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Unfit(of_reading(error)) from None
    with open(handle, "rb") as source, open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        shutil.copyfileobj(source, target)
    with closing(sqlite.opened_alone(part)) as c:
        contents = verify(c)
        if contents.steps.pending:  # the next start would do it, but the keys are proved now
            update(c)
            contents = verify(c)
        return contents, _prove_keys(c, vault)


def _prove_keys(c: Connection, vault: Vault) -> int:
    """How many links no key opens. Unfit when these are not the keys of this database."""
    opens = key_opens(c, vault)
    if opens is False:
        raise Unfit(OTHER_KEYS)
    total = unreadable = 0
    for owner, access, refresh in c.execute("SELECT member_id, access_sealed, refresh_sealed FROM links"):
        total += 1
        unreadable += None in (vault.opened(access, owner, ACCESS), vault.opened(refresh, owner, REFRESH))
    # Without a check value, a wrong key would be taken for the right one at the next start.
    if opens is None and total and unreadable == total:
        raise Unfit(OTHER_KEYS)
    return unreadable


def _set_aside(path: Path, now: datetime) -> Path:
    """Keep the old database under another name as well; where it is, it stays until the rename."""
    # Its log is folded into it first, as the next start would do, so that it is one file.
    sqlite.fold_log_of(path)
    aside = _unused(f"{path}.replaced-{now:%Y%m%dT%H%M%SZ}")
    for end in ("", "-wal"):
        if (old := Path(f"{path}{end}")).exists():
            try:
                os.link(old, f"{aside}{end}")
            except FileExistsError:
                raise
            except OSError:  # a file system without hard links
                shutil.copy2(old, f"{aside}{end}")
                sync(Path(f"{aside}{end}"))
    return aside


def _unused(stem: str) -> Path:
    """A name that no file has, also after a second restore within the second."""
    name, number = Path(f"{stem}.backup"), 2
    while name.exists():
        name, number = Path(f"{stem}-{number}.backup"), number + 1
    return name
