"""Checks regularly that the disk takes what is written and has space, so that the host hears about it in time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

EVERY_S = 600.0
"""How often `bot/schedule.py` runs the check."""
LEAST_FREE = 200 * 1024**2
"""Bytes. With less than this, or less than twice the database (updates and backups copy it), the disk is nearly full."""

_log = structlog.get_logger("gatefold.disk")


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of this folder."""
    return shutil.disk_usage(folder).free


class DiskWatch:
    """Checks the disk of the database. `on_little` is called with the free bytes if they are few.

    `is_writable`: whether the database can be written; if not, it has told why.
    """

    def __init__(
        self,
        database: Path,
        is_writable: Callable[[], Awaitable[bool]],
        on_little: Callable[[int], None],
        on_enough: Callable[[], None],
        *,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._database = database
        self._is_writable = is_writable
        self._on_little = on_little
        self._on_enough = on_enough
        self._free = free

    async def look(self) -> None:
        """Check once, and report the result."""
        try:
            free, needed = await asyncio.to_thread(self._look)
        except OSError as error:
            _log.warning("the disk cannot be checked", reason=error.strerror)
            await self._is_writable()
            return
        if free < needed:
            self._on_little(free)
        elif await self._is_writable():
            self._on_enough()

    def _look(self) -> tuple[int, int]:
        return self._free(self._database.parent), max(LEAST_FREE, 2 * self._database.stat().st_size)
