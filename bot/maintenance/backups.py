"""Scheduled backups: when the next one is due, and which old ones are deleted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from bot.storage.backup import Copy
from bot.storage.database import StorageStartupError
from bot.storage.files import PART, remove_part
from bot.storage.unfit import of_writing

RETRY_S = 3600.0
"""After a failed backup the next attempt comes after this, or sooner if backups are more frequent."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"gatefold-scheduled-([0-9]{8}T[0-9]{6}Z)\.backup")

_log = structlog.get_logger("gatefold.backups")


class Backups:
    """Makes backups at regular intervals, also across restarts, and keeps the newest.

    `every_s`: seconds between two backups, which `bot/schedule.py` waits for; `keep`: how many files are kept; `make`:
    makes and verifies one, StorageStartupError if it cannot. `on_trouble` is told why a backup failed.
    """

    def __init__(
        self,
        folder: Path,
        every_s: float,
        keep: int,
        make: Callable[[Path], Awaitable[Copy]],
        *,
        on_trouble: Callable[[str], None],
        on_made: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._every_s = every_s
        self._keep = keep
        self._make = make
        self._now = now
        self._on_trouble = on_trouble
        self._on_made = on_made

    async def first_at(self) -> datetime:
        """When the first backup after a start is due, which depends on the age of the newest file."""
        try:
            due_in_s = await asyncio.to_thread(self._due_in_s)
        except OSError:
            due_in_s = 0.0  # the attempt to make one will say why
        return self._now() + timedelta(seconds=due_in_s)

    async def run(self) -> datetime | None:
        """Make one backup. Returns when to try again if it failed, otherwise None."""
        if await self._one():
            return None
        return self._now() + timedelta(seconds=min(self._every_s, RETRY_S))

    def _due_in_s(self) -> float:
        now = self._now()
        # A file from the future was made while the clock was wrong.
        ages = [age for made_at in self._files().values() if (age := (now - made_at).total_seconds()) >= 0]
        return max(0.0, self._every_s - min(ages)) if ages else 0.0

    async def _one(self) -> bool:
        now = self._now()
        file = self._folder / f"gatefold-scheduled-{now.strftime(_STAMP)}.backup"
        try:
            await asyncio.to_thread(self._prepare)
            await self._make(file)
            await asyncio.to_thread(self._clear, file, now)
        except StorageStartupError as error:
            reason = str(error)
        except OSError as error:
            reason = f"The backup could not be made: {of_writing(error, self._folder)}."
        except Exception:
            _log.exception("scheduled backup failed unexpectedly")
            reason = "Something broke on our side. The log has the reason."
        else:
            self._on_made()
            return True
        _log.error("backup failed", folder=str(self._folder), reason=reason)
        self._on_trouble(reason)
        return False

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # left behind by a process that was killed while it made a backup
        for part in self._folder.glob(f".gatefold-scheduled-*{PART}"):
            if _NAME.fullmatch(part.name.removeprefix(".").removesuffix(PART)):
                remove_part(part)

    def _clear(self, newest: Path, now: datetime) -> None:
        """Delete the oldest files beyond `keep`, but never the one that was just verified, nor a file that is not ours."""
        others = {file: made_at for file, made_at in self._files().items() if file != newest}
        # Files from the future go first: once the clock is right again, new backups must not be deleted for them.
        oldest_first = sorted(others, key=lambda file: (others[file] <= now, others[file]))
        for file in oldest_first[: max(0, len(others) + 1 - self._keep)]:
            file.unlink(missing_ok=True)
            _log.info("old backup deleted", file=str(file))

    def _files(self) -> dict[Path, datetime]:
        """Our own files, and when each was made according to its name: copying a folder changes the files' times."""
        if not self._folder.is_dir():
            return {}
        found = {}
        for file in self._folder.iterdir():
            if (match := _NAME.fullmatch(file.name)) and file.is_file() and not file.is_symlink():
                try:
                    found[file] = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
                except ValueError:  # digits that are not a time: not ours
                    continue
        return found
