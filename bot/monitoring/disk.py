"""Looks from time to time whether the disk has room for the database, so that the host hears of it in time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

EVERY_S = 600.0
"""How often `bot/schedule.py` has it look."""
LEAST_FREE = 200 * 1024**2
"""Bytes. Below that, or below twice the database (updates and backups copy it), the disk counts as nearly full."""

_log = structlog.get_logger("gatefold.disk")


def free_bytes(folder: Path) -> int:
    """What the system says."""
    return shutil.disk_usage(folder).free


class DiskWatch:
    """Looks at the disk of the database. `on_little` is told how many bytes are free when these are few."""

    def __init__(
        self,
        database: Path,
        on_little: Callable[[int], None],
        on_enough: Callable[[], None],
        *,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._database = database
        self._on_little = on_little
        self._on_enough = on_enough
        self._free = free

    async def look(self) -> None:
        """Look once, and say what was found."""
        try:
            free, needed = await asyncio.to_thread(self._look)
        except OSError as error:
            _log.warning("the disk cannot be looked at", reason=error.strerror)
            return
        if free < needed:
            self._on_little(free)
        else:
            self._on_enough()

    def _look(self) -> tuple[int, int]:
        return self._free(self._database.parent), max(LEAST_FREE, 2 * self._database.stat().st_size)
