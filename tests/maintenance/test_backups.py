"""Scheduled backups: when one is due, which old ones go, and what a wrong clock does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.maintenance.backups import RETRY_S, Backups
from bot.schedule import Schedule
from bot.storage import Storage, open_storage
from bot.storage.backup import Contents, Copy
from bot.storage.database import StorageStartupError
from bot.storage.schema import Steps

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def ignore(*_: object) -> None:
    """Nobody listens."""


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await open_storage(tmp_path / "database" / "gatefold.db", [b"k" * 32])
    yield storage
    await storage.close()


@dataclass
class Clock:
    """A wall clock that moves to when the next backup is due, and how long was waited for each."""

    now: datetime = NOON
    waited: list[float] = field(default_factory=list)

    def time(self) -> datetime:
        return self.now


async def make(file: Path) -> Copy:
    file.write_text("a backup")
    return Copy(file, 8, Contents(0, 0, 0, Steps()))


async def work(
    folder: Path,
    clock: Clock,
    *,
    keep: int = 3,
    every: timedelta = DAY,
    making: Callable[[Path], Awaitable[Copy]] = make,
    count: int = 1,
    told: Callable[[str], None] | None = None,
) -> list[str]:
    """A process that lives for this many backups; the files that are there then."""
    backups = Backups(
        folder, every.total_seconds(), keep, making, on_trouble=told or ignore, on_made=ignore, now=clock.time
    )
    due_at = await backups.first_at()
    for _ in range(count):
        clock.waited.append((due_at - clock.now).total_seconds())
        clock.now = due_at
        due_at = await backups.run() or clock.now + every
    return there(folder)


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def name(made_at: datetime) -> str:
    return f"gatefold-scheduled-{made_at:%Y%m%dT%H%M%SZ}.backup"


def lay(folder: Path, *made_at: datetime) -> None:
    folder.mkdir(exist_ok=True)
    for each in made_at:
        (folder / name(each)).write_text("older")


async def test_the_first_is_made_at_once_and_the_next_when_they_are_due(tmp_path: Path) -> None:
    clock = Clock()
    files = await work(tmp_path / "kept", clock, count=3)
    assert clock.waited == [0, 86400, 86400]
    assert files == [name(NOON), name(NOON + DAY), name(NOON + 2 * DAY)]
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


async def test_after_a_restart_the_newest_files_age_counts(tmp_path: Path) -> None:
    lay(tmp_path, NOON - timedelta(hours=20), NOON - timedelta(hours=44))
    clock = Clock()
    await work(tmp_path, clock, count=1)
    assert clock.waited == [4 * 3600]


async def test_what_was_due_while_it_did_not_run_is_made_once(tmp_path: Path) -> None:
    lay(tmp_path, NOON - 5 * DAY)
    clock = Clock()
    assert await work(tmp_path, clock, count=2) == [name(NOON - 5 * DAY), name(NOON), name(NOON + DAY)]
    assert clock.waited == [0, 86400]


async def test_a_process_that_is_started_again_and_again_makes_no_more(tmp_path: Path) -> None:
    clock = Clock()
    await work(tmp_path, clock)
    for _ in range(20):
        clock.now += timedelta(minutes=1)
        assert (
            await Backups(tmp_path, 86400, 3, make, on_trouble=ignore, on_made=ignore, now=clock.time).first_at()
            == NOON + DAY
        )
    assert there(tmp_path) == [name(NOON)]


@pytest.mark.parametrize("days", [1, -1, 400, -400])
async def test_a_clock_that_jumps_neither_makes_many_nor_none(days: int, storage: Storage, tmp_path: Path) -> None:
    clock = Clock()
    passed_s = 0.0
    made_after: list[float] = []

    async def making(file: Path) -> Copy:
        made_after.append(passed_s)
        return await make(file)

    async def sleep(seconds: float) -> None:
        nonlocal passed_s
        if passed_s > 2.5 * 86400:
            await asyncio.Event().wait()
        await asyncio.sleep(0.0005)
        before_s, passed_s = passed_s, passed_s + max(seconds, 1.0)
        clock.now += timedelta(seconds=passed_s - before_s)
        if before_s < 43200 <= passed_s:
            clock.now += timedelta(days=days, seconds=7)

    backups = Backups(tmp_path / "kept", 86400, 10, making, on_trouble=ignore, on_made=ignore, now=clock.time)
    schedule = Schedule(storage.timers, now=clock.time, sleep=sleep)
    schedule.repeat("backup", 86400, backups.run, first_at=await backups.first_at())
    task = asyncio.create_task(schedule.work())
    async with asyncio.timeout(60):
        while passed_s <= 2.5 * 86400:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await schedule.stop(5.0)
    assert 2 <= len(made_after) <= 4
    pauses = [later - earlier for earlier, later in pairwise(made_after)]
    assert max(pauses) <= 1.5 * 86400 + 3600
    assert min(pauses) >= 0.4 * 86400  # time also passes while one is made


async def test_after_a_clock_was_wrong_a_restart_makes_one_and_goes_on(tmp_path: Path) -> None:
    future = [NOON + timedelta(days=1000 + number) for number in range(3)]
    lay(tmp_path, *future)
    clock = Clock()
    files = await work(tmp_path, clock, count=4)
    # those from the future go, one for each that is made
    assert files == [name(NOON + DAY), name(NOON + 2 * DAY), name(NOON + 3 * DAY)]
    assert clock.waited == [0, 86400, 86400, 86400]


async def test_the_oldest_beyond_the_number_kept_go(tmp_path: Path) -> None:
    lay(tmp_path, *(NOON - number * DAY for number in range(1, 6)))
    assert await work(tmp_path, Clock(), count=1) == sorted(name(NOON - number * DAY) for number in range(3))


async def test_nothing_goes_before_the_new_one_is_proved(tmp_path: Path) -> None:
    old = [NOON - number * DAY for number in range(1, 6)]
    lay(tmp_path, *old)

    async def failing(file: Path) -> Copy:
        assert len(there(tmp_path)) == 5
        raise StorageStartupError("The disk is full.")

    assert await work(tmp_path, Clock(), making=failing, count=3) == sorted(map(name, old))


async def test_files_that_it_did_not_make_stay(tmp_path: Path) -> None:
    strangers = [
        "gatefold-20200101T000000Z.backup",  # made by the command
        "gatefold-scheduled-20200101T000000Z.backup.old",
        "gatefold-scheduled-20200101T000000Z.backup~",
        "my-gatefold-scheduled-20200101T000000Z.backup",
        "gatefold-scheduled-20201399T000000Z.backup",  # no day
        "gatefold-scheduled-\u0662\u0660\u0662\u06600101T000000Z.backup",  # digits, but not ours
        "gatefold.db",
        "notes.txt",
        ".gatefold-scheduled-mine.part",
    ]
    for stranger in strangers:
        (tmp_path / stranger).write_text("mine")
    (tmp_path / name(NOON - 30 * DAY)).mkdir()  # a folder by such a name
    (tmp_path / name(NOON - 31 * DAY)).symlink_to(tmp_path / "notes.txt")
    kept = there(tmp_path)
    assert await work(tmp_path, Clock(), keep=1, count=2) == sorted([*kept, name(NOON + DAY)])


async def test_what_a_killed_process_left_half_made_is_removed(tmp_path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        (tmp_path / f".{name(NOON - DAY)}.part{end}").write_text("half")
    assert await work(tmp_path, Clock(), count=1) == [name(NOON)]


async def test_a_backup_that_fails_is_told_and_tried_again_within_the_hour(tmp_path: Path) -> None:
    told: list[str] = []

    async def failing(file: Path) -> Copy:
        if len(told) == 2:
            return await make(file)
        raise StorageStartupError("The disk is full.") if not told else OSError(5, "Input/output error")

    clock = Clock()
    files = await work(tmp_path, clock, making=failing, told=told.append, count=4)
    assert told == [
        "The disk is full.",
        f"The backup could not be made: {tmp_path} cannot be written to (Input/output error). Check the disk.",
    ]
    assert clock.waited == [0, RETRY_S, RETRY_S, 86400]
    assert len(files) == 2


async def test_even_our_own_mistake_does_not_end_it(tmp_path: Path) -> None:
    async def failing(file: Path) -> Copy:
        raise KeyError("a mistake")

    clock = Clock()
    await work(tmp_path, clock, making=failing, every=timedelta(minutes=10), count=3)
    assert clock.waited == [0, 600, 600]


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    await told_twice(tmp_path / "file" / "kept")


async def test_a_folder_that_cannot_even_be_looked_at_is_told(tmp_path: Path) -> None:
    await told_twice(tmp_path / ("long" * 100))  # as a folder into which its user may not look: OSError at once


async def told_twice(folder: Path) -> None:
    told: list[str] = []
    backups = Backups(folder, 86400, 3, make, on_trouble=told.append, on_made=ignore, now=lambda: NOON)
    assert await backups.first_at() == NOON
    for _ in range(2):
        assert await backups.run() == NOON + timedelta(seconds=RETRY_S)
    assert len(told) == 2
