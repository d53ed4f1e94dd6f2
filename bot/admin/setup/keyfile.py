"""The file for a new key, which setup makes beside `.env`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bot.storage.vault import new_key


class KeyFile:
    """A key in a folder of its own. A key that is already there is used, and never overwritten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: list[Path] = []

    def make(self) -> bool:
        """Write a new key (0600). False: one was there. OSError."""
        folder = self._path.parent
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            self._made.append(folder)
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return False
        self._made.append(self._path)
        with open(handle, "w", encoding="ascii") as target:
            target.write(f"{new_key()}\n")
        return True

    def keep(self) -> None:
        """From now on a setting names the key."""
        self._made.clear()

    def discard(self) -> None:
        """Remove what was made, unless it is kept."""
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        self._made.clear()
