"""Timers: each handled once, in order, whatever kills the process, fills the disk or sets the clock."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.schedule import FIRST_RETRY_S, LAST_RETRY_S, MAX_CONCURRENT, NotYet, Schedule
from bot.storage import Storage, open_storage
from bot.storage.engine import Connection

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = b"k" * 32


@dataclass
class Clock:
    """A wall clock that only the test moves. A sleep ends when it has moved as far."""

    now: datetime = NOON
    sleepers: list[tuple[datetime, asyncio.Event]] = field(default_factory=list)

    def time(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        self.sleepers.append((self.now + timedelta(seconds=seconds), over))
        await over.wait()

    async def move(self, seconds: float) -> None:
        """Move, and let everything that follows from it happen."""
        self.now += timedelta(seconds=seconds)
        for until, over in self.sleepers:
            if until <= self.now:
                over.set()
        await settled()


async def settled() -> None:
    """Until the loop and the database thread have nothing more to do."""
    for _ in range(30):
        await asyncio.sleep(0.001)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    yield storage
    await storage.close()


@asynccontextmanager
async def running(schedule: Schedule) -> AsyncIterator[None]:
    """A process in which the schedule works; it ends like one that is killed."""
    task = asyncio.create_task(schedule.work())
    try:
        await settled()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await schedule.stop(0.0)


def noting(done: list[tuple[str, datetime]]) -> Callable[[str, datetime], Awaitable[None]]:
    async def handler(key: str, due_at: datetime) -> None:
        done.append((key, due_at))

    return handler


async def left(storage: Storage) -> list[dict[str, Any]]:
    return await storage.database.read(lambda c: [dict(row) for row in c.execute("SELECT * FROM timers")])


async def test_a_timer_runs_once_when_it_is_due_and_not_before(storage: Storage) -> None:
    clock, done = Clock(), []
    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("club step", noting(done))
    async with running(schedule):
        await schedule.at("club step", "7", NOON + timedelta(seconds=90))
        await settled()
        await clock.move(60)
        await clock.move(29)
        assert done == []
        await clock.move(1)
        assert done == [("7", NOON + timedelta(seconds=90))]
        await clock.move(3600)
    assert len(done) == 1
    assert await left(storage) == []


async def test_what_was_due_while_the_process_was_down_runs_in_order_with_its_own_due_time(storage: Storage) -> None:
    clock, done = Clock(), []
    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    hours_late = range(1, 4 * MAX_CONCURRENT)  # more than run at a time, and their keys in another order
    for hours in hours_late:
        await schedule.at("late", f"{hours:02}", NOON - timedelta(hours=hours))
    schedule.register("late", noting(done))
    async with running(schedule):
        await settled()
        await settled()
    assert done == [(f"{hours:02}", NOON - timedelta(hours=hours)) for hours in reversed(hours_late)]


async def test_a_timer_set_inside_a_transaction_is_seen_at_once_and_goes_with_it(storage: Storage) -> None:
    clock, done = Clock(), []
    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("step", noting(done))
    async with running(schedule):
        await storage.database.write(lambda c: storage.timers.put(c, "step", "kept", NOON))

        def fail(c: Connection) -> None:
            storage.timers.put(c, "step", "rolled back", NOON)
            raise KeyError

        with pytest.raises(KeyError):
            await storage.database.write(fail)
        await settled()
    assert [key for key, _ in done] == ["kept"]


async def test_setting_a_timer_again_replaces_it_and_cancelling_removes_it(storage: Storage) -> None:
    clock, done = Clock(), []
    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("step", noting(done))
    async with running(schedule):
        await schedule.at("step", "moved", NOON + timedelta(hours=1))
        await schedule.at("step", "moved", NOON + timedelta(hours=2))
        await schedule.at("step", "cancelled", NOON + timedelta(hours=1))
        await schedule.cancel("step", "cancelled")
        await clock.move(3600)
        assert done == []
        await clock.move(3600)
    assert done == [("moved", NOON + timedelta(hours=2))]


async def test_a_handler_that_names_a_next_time_is_run_again_then(storage: Storage) -> None:
    clock, done = Clock(), []

    async def handler(key: str, due_at: datetime) -> datetime | None:
        done.append(due_at)
        return due_at + timedelta(days=7) if len(done) < 3 else None

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("weekly", handler)
    await schedule.at("weekly", "", NOON)
    async with running(schedule):
        for _ in range(5):
            await clock.move(7 * 86400)
    assert done == [NOON + timedelta(days=7 * number) for number in range(3)]


async def test_what_is_set_while_its_handler_runs_is_neither_lost_nor_run_beside_it(storage: Storage) -> None:
    clock = Clock()
    done: list[datetime] = []
    running_now = most = 0

    async def handler(key: str, due_at: datetime) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        done.append(due_at)
        if len(done) == 1:
            await schedule.at("step", key, NOON + timedelta(seconds=1))
            clock.now += timedelta(seconds=5)
            schedule.wake()
            await settled()
        running_now -= 1

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("step", handler)
    await schedule.at("step", "7", NOON)
    async with running(schedule):
        await settled()
        await settled()
    assert done == [NOON, NOON + timedelta(seconds=1)]
    assert most == 1
    assert await left(storage) == []


async def test_a_handler_that_fails_is_retried_with_backoff_and_keeps_its_due_time(storage: Storage) -> None:
    clock = Clock()
    tried: list[float] = []

    async def handler(key: str, due_at: datetime) -> None:
        assert due_at == NOON
        tried.append((clock.now - NOON).total_seconds())
        if len(tried) < 12:
            raise RuntimeError("not yet")

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("flaky", handler)
    await schedule.at("flaky", "", NOON)
    async with running(schedule):
        while len(tried) < 12:
            (row,) = await left(storage)
            await clock.move(row["try_at"] - clock.now.timestamp())
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == [min(FIRST_RETRY_S * 2**number, LAST_RETRY_S) for number in range(11)]
    assert await left(storage) == []


async def test_a_handler_that_is_told_when_to_come_back_is_not_tried_before_and_leaves_no_traceback(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    tried: list[float] = []

    async def handler(key: str, due_at: datetime) -> None:
        tried.append((clock.now - NOON).total_seconds())
        if len(tried) == 1:
            raise NotYet(429, 3600.5)

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("limited", handler)
    await schedule.at("limited", "", NOON)
    async with running(schedule):
        while len(tried) < 2:
            (row,) = await left(storage)
            await clock.move(row["try_at"] - clock.now.timestamp())
    assert tried[1] == 3601.0
    assert "Traceback" not in capsys.readouterr().out


async def test_a_handler_that_always_fails_or_hangs_holds_up_no_other(storage: Storage) -> None:
    clock, done = Clock(), []

    async def broken(key: str, due_at: datetime) -> None:
        if key == "hangs":
            await asyncio.Event().wait()
        raise RuntimeError

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("broken", broken, max_concurrent=2)
    schedule.register("step", noting(done))
    for number, key in enumerate(("hangs", "fails", "fails too")):
        await schedule.at("broken", key, NOON - timedelta(hours=9 - number))
    await schedule.at("step", "7", NOON)
    async with running(schedule):
        await settled()
        assert [key for key, _ in done] == ["7"]
        assert sorted((row["key"], row["tries"]) for row in await left(storage)) == [
            ("fails", 1),
            ("fails too", 1),
            ("hangs", 0),
        ]


async def test_a_process_that_is_killed_while_a_handler_runs_runs_it_again(storage: Storage) -> None:
    clock, begun, done = Clock(), [], []

    async def killed(key: str, due_at: datetime) -> None:
        begun.append(key)
        await asyncio.Event().wait()

    first = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    first.register("step", killed)
    await first.at("step", "7", NOON)
    async with running(first):
        assert begun == ["7"]
    assert [row["claimed_at"] for row in await left(storage)] == [NOON.timestamp()]
    second = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    second.register("step", noting(done))
    async with running(second):
        await settled()
    assert done == [("7", NOON)]


async def test_200_timers_of_one_minute_all_run_and_few_at_a_time(storage: Storage) -> None:
    clock = Clock()
    done: list[str] = []
    running_now = most = 0

    async def handler(key: str, due_at: datetime) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.001)
        running_now -= 1
        done.append(key)

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("club step", handler)
    keys = [str(number) for number in range(200)]

    def put(c: Connection) -> None:
        for key in keys:
            storage.timers.put(c, "club step", key, NOON)

    await storage.database.write(put)
    async with running(schedule), asyncio.timeout(60):
        while len(done) < 200:
            await asyncio.sleep(0.01)
    assert sorted(done) == sorted(keys)
    assert most == MAX_CONCURRENT


async def test_timers_without_a_handler_wait_for_it(storage: Storage) -> None:
    clock, done = Clock(), []
    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    await schedule.at("later feature", "7", NOON)
    async with running(schedule):
        await settled()
        assert len(await left(storage)) == 1
        schedule.register("later feature", noting(done))
        await settled()
    assert done == [("7", NOON)]


async def test_while_the_disk_takes_nothing_a_timer_that_ran_does_not_run_again(tmp_path: Path) -> None:
    is_full = False

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if is_full and sql.startswith(("UPDATE", "DELETE", "INSERT")):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Full, **options)

    storage = await open_storage(tmp_path / "gatefold.db", [KEY], connect)
    clock, done = Clock(), []

    async def handler(key: str, due_at: datetime) -> None:
        nonlocal is_full
        is_full = True
        done.append(key)

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.register("step", handler)
    await schedule.at("step", "7", NOON)
    async with running(schedule):
        await settled()
        for _ in range(5):
            await clock.move(3600)
        assert done == ["7"]
        is_full = False
        await clock.move(3600)
        assert await left(storage) == []
    assert done == ["7"]
    await storage.close()


# -- what repeats


async def test_what_repeats_runs_at_the_start_and_then_every_so_often(storage: Storage) -> None:
    clock, ran = Clock(), []

    async def job() -> None:
        ran.append((clock.now - NOON).total_seconds())

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.repeat("sweep", 600.0, job)
    async with running(schedule):
        for _ in range(30):
            await clock.move(60)
    assert ran == [0, 600, 1200, 1800]


async def test_what_repeats_is_not_run_many_times_after_a_long_pause(storage: Storage) -> None:
    clock, ran = Clock(), []

    async def job() -> None:
        ran.append((clock.now - NOON).total_seconds())

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.repeat("sweep", 600.0, job)
    async with running(schedule):
        await clock.move(7 * 86400)
        await clock.move(1)
    assert ran == [0, 7 * 86400]


async def test_what_repeats_goes_on_after_the_clock_was_set_back(storage: Storage) -> None:
    clock, ran = Clock(), []

    async def job() -> None:
        ran.append(clock.now)

    schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
    schedule.repeat("sweep", 600.0, job)
    async with running(schedule):
        await clock.move(-86400)
        schedule.wake()
        await settled()
        for _ in range(11):
            await clock.move(60)
    assert len(ran) == 2


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_what_failed_is_tried_again_after_the_clock_was_set_back(storage: Storage, is_restarted: bool) -> None:
    clock, tried = Clock(NOON + timedelta(days=7)), list[datetime]()

    async def handler(key: str, due_at: datetime) -> None:
        tried.append(clock.now)
        if len(tried) == 1:
            raise RuntimeError("not yet")

    def new() -> Schedule:
        schedule = Schedule(storage.timers, now=clock.time, sleep=clock.sleep)
        schedule.register("flaky", handler)
        return schedule

    schedule = new()
    await schedule.at("flaky", "", NOON)
    async with running(schedule):
        assert len(tried) == 1
        if not is_restarted:
            await clock.move(-7 * 86400)
            schedule.wake()
            await settled()
    clock.now = NOON
    if is_restarted:
        async with running(new()):
            pass
    assert tried == [NOON + timedelta(days=7), NOON]
    assert await left(storage) == []
