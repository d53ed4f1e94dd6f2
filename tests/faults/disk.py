"""A disk whose flushes fail, and which can be full."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class Disk:
    """What happens when a commit is to be flushed."""

    def __init__(self) -> None:
        self.fails = False
        self.is_full = False
        self.failures = 0
        self.flushes = 0

    def sync(self, handle: int) -> None:
        """A flush of the log."""
        if self.fails:
            self.failures += 1
            raise OSError(5, "Input/output error")
        self.flushes += 1
        os.fdatasync(handle)

    def connect(self, path: Path, **options: object) -> sqlite3.Connection:
        """A connection whose flushes fail while `fails`: as SQLite says it of an fsync that failed."""
        disk = self

        class Failing(sqlite3.Connection):
            is_flushed = False

            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                if sql.startswith("PRAGMA synchronous"):
                    self.is_flushed = sql.endswith("FULL")
                if disk.is_full and sql.startswith("DELETE FROM change_requests"):
                    raise sqlite3.OperationalError("database or disk is full")
                return super().execute(sql, *values)

            def commit(self) -> None:
                if disk.fails and self.is_flushed:
                    disk.failures += 1
                    raise sqlite3.OperationalError("disk I/O error")
                disk.flushes += self.is_flushed
                super().commit()

        return sqlite3.connect(path, factory=Failing, **options)  # type: ignore[call-overload,no-any-return]
