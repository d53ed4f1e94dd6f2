"""Files that outlive a power cut: written under another name, flushed, and only then given their own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PART = ".part"
"""Ends the name under which a file is made: it gets its own name when it is proved."""


def give_name(part: Path, target: Path) -> None:
    """Move a finished file to its name, in place of a file that has it."""
    sync(part)
    os.rename(part, target)
    sync(target.parent)


def give_new_name(part: Path, target: Path) -> int:
    """Move a finished file to a name that nobody has; its bytes. FileExistsError: somebody has it."""
    sync(part)
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name first, then replace our own empty file
        target.touch(exist_ok=False)
        os.rename(part, target)
    else:
        os.unlink(part)
    sync(target.parent)
    return target.stat().st_size


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_part(part: Path) -> None:
    """Remove an unfinished database file with what SQLite laid beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            Path(f"{part}{end}").unlink()
