"""Why a file cannot be used as the database or as a backup, and what a host does about it."""

from __future__ import annotations

import errno
from pathlib import Path

from msgspec import Struct

from bot.storage import sqlite

_SET_PATH = "Set DATABASE_PATH to the bot's database"
_PUT_BACK = "put a backup in its place with `gatefold restore FILE --replace`"
_NAME_ANOTHER = "Name a file that `gatefold backup` made."


class Fault(Struct, frozen=True):
    """`what` is wrong, as the rest of a sentence behind the file's name. What to do, in sentences, depends on what it was
    meant to be: the `database` or a `backup`.
    """

    what: str
    database: str
    backup: str


class Unfit(Exception):
    """A file is no database that can be used."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


EMPTY = Fault("is empty", f"{_SET_PATH}. A new bot's database is filled at its first start.", _NAME_ANOTHER)
FOREIGN = Fault(
    "is a database of another program", f"{_SET_PATH}, or to a file that does not exist yet.", _NAME_ANOTHER
)
_NO_DATABASE = Fault("is not a SQLite database", f"{_SET_PATH}, or {_PUT_BACK}.", _NAME_ANOTHER)
_COMPRESSED = Fault("is compressed", f"{_SET_PATH}, or unpack it first.", "Unpack it first.")
_CLOSED = Fault(
    "cannot be opened by this user",
    "Run this as the bot's user.",
    "Run this as a user who can read it, or pass it on: `sudo cat FILE | gatefold restore -`.",
)
OTHER_KEYS = Fault(
    "cannot be decrypted with the keys in TOKEN_KEYS", *["Put the key back with which it was written."] * 2
)
_LOCKED = Fault("is locked by another program", *["Close that program, and run this again."] * 2)
_NO_SPACE = Fault("does not fit on the disk", *["Free some space on the disk."] * 2)

_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
"""How gzip, zip, bzip2, xz, zstd and 7-Zip begin."""


def damaged(how: str) -> Fault:
    """A file with a part that is wrong."""
    return Fault(f"is damaged ({how})", f"To go on from a backup, {_PUT_BACK}.", "Try another backup.")


def newer(step: str) -> Fault:
    """A file of a later version."""
    return Fault(
        f"was written by a newer Gatefold (step {step})",
        "Install that version again, or restore the backup that it made before the update.",
        "Install that version first.",
    )


def fault_of(error: sqlite.Error, file: Path) -> Fault:
    """What an error of SQLite's means for the host."""
    match sqlite.kind_of(error):
        case sqlite.Kind.NO_DATABASE:
            return _COMPRESSED if _is_packed(file) else _NO_DATABASE
        case sqlite.Kind.DAMAGED:
            return damaged(str(error))
        case sqlite.Kind.CLOSED:
            return _CLOSED
        case sqlite.Kind.LOCKED:
            return _LOCKED
        case sqlite.Kind.FULL:
            return _NO_SPACE
        case None:
            return Fault(f"cannot be read or written ({error})", *["Check the disk, and who owns the files."] * 2)


def refuse_other_programs(c: sqlite.Connection, applied: object) -> None:
    """Unfit when a database has tables, but none of our steps was `applied`: it must not be changed."""
    if not applied and sqlite.has_tables(c):
        raise Unfit(FOREIGN)


def of_reading(error: OSError) -> Fault:
    """Why a backup cannot be read."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return _CLOSED
    to_do = "Check the disk."
    return Fault(f"cannot be read ({reason_of(error)})", to_do, to_do)


def of_writing(error: OSError, folder: Path) -> str:
    """Why nothing can be written to a folder, and what to do, in sentences without a full stop at the end."""
    reason = reason_of(error)
    match error.errno:
        case errno.ENOENT if not folder.exists():
            return f"there is no folder {folder}. Create it first"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{folder} is not a folder. Choose another one"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{folder} cannot be written to ({reason}). Choose a folder to which the bot's user can write"
        case errno.ENOSPC | errno.EDQUOT:
            return f"{folder} cannot be written to ({reason}). Free some space, or choose another disk"
        case _:
            return f"{folder} cannot be written to ({reason}). Check the disk"


def reason_of(error: Exception) -> str:
    """Why something could not be done, as the end of a sentence: of an error of the system, without number and file."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _is_packed(file: Path) -> bool:
    try:
        with open(file, "rb") as opened:
            return opened.read(8).startswith(_PACKED)
    except OSError:
        return False
