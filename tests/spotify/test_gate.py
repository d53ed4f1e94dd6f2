"""The gate: 48 places, closed until a time, patient for a moment, and blind to the wall clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import StorageUnavailable, TryLater
from bot.spotify.gate import PATIENCE_S, PLACES, Gate
from tests.spotify.stage import Clock

RATE_LIMITED, QUOTA = TryLater.Cause.RATE_LIMITED, TryLater.Cause.QUOTA
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Watch:
    """A gate with a clock of its own, a wall clock that can jump, and what was stored."""

    def __init__(
        self,
        closed_until: datetime | None = None,
        closed_by: TryLater.Cause | None = None,
        *,
        disk_is_full: bool = False,
    ) -> None:
        self.clock, self.wall = Clock(), NOW
        self.closes_during_sleep = False
        self.disk_is_full = disk_is_full
        self.stored: list[tuple[datetime, TryLater.Cause]] = []
        self.gate = Gate(
            closed_until=closed_until,
            closed_by=closed_by,
            on_close=self.store,
            sleep=self.sleep,
            monotonic=self.clock.monotonic,
            now=lambda: self.wall,
        )

    async def store(self, until: datetime, cause: TryLater.Cause) -> None:
        if self.disk_is_full:
            raise StorageUnavailable("database or disk is full")
        self.stored.append((until, cause))

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        if self.closes_during_sleep:
            await self.gate.close(60, QUOTA)


async def fill(gate: Gate, count: int) -> list[asyncio.Task[None]]:
    """This many calls that want a place; those that get one keep it."""
    tasks = [asyncio.create_task(gate.enter(waits=True)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def emptied(gate: Gate, tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        await task
        gate.leave()


async def test_48_calls_have_a_place_and_the_49th_waits_for_one() -> None:
    gate = Watch().gate
    tasks = await fill(gate, PLACES + 1)
    assert PLACES == 48
    assert [task.done() for task in tasks] == [True] * 48 + [False]
    assert gate.in_flight == 48
    gate.leave()
    await tasks[-1]
    assert gate.in_flight == 48


async def test_a_call_that_is_cancelled_in_the_queue_takes_no_place() -> None:
    gate = Watch().gate
    tasks = await fill(gate, PLACES + 2)
    tasks[-2].cancel()
    gate.leave()
    await tasks[-1]
    assert gate.in_flight == 48
    assert tasks[-2].cancelled()


async def test_an_open_gate_lets_everybody_pass_without_waiting() -> None:
    watch = Watch()
    await watch.gate.enter(waits=True)
    assert watch.gate.closed() is None
    assert watch.gate.closed_for_s == 0
    assert watch.clock.slept == []


async def test_a_short_closing_is_waited_for() -> None:
    watch = Watch()
    told = await watch.gate.close(PATIENCE_S, RATE_LIMITED)
    assert (told.cause, told.until, told.may_have_applied) == (RATE_LIMITED, NOW + timedelta(seconds=PATIENCE_S), False)
    await watch.gate.enter(waits=True)
    assert watch.clock.slept == [PATIENCE_S]
    assert watch.gate.in_flight == 1


async def test_a_long_closing_is_told_and_never_slept() -> None:
    watch = Watch()
    await watch.gate.close(82661, QUOTA)
    with pytest.raises(TryLater) as caught:
        await watch.gate.enter(waits=True)
    assert (caught.value.cause, caught.value.until) == (QUOTA, NOW + timedelta(seconds=82661))
    assert watch.clock.slept == []
    assert watch.gate.in_flight == 0


async def test_what_never_waits_passes_a_closed_gate() -> None:
    watch = Watch()
    await watch.gate.close(82661, QUOTA)
    await watch.gate.enter(waits=False)
    assert watch.gate.in_flight == 1
    assert watch.clock.slept == []


async def test_what_never_waits_still_takes_a_place() -> None:
    gate = Watch().gate
    await fill(gate, PLACES)
    late = asyncio.create_task(gate.enter(waits=False))
    await asyncio.sleep(0)
    assert not late.done()
    gate.leave()
    await late


async def test_it_opens_when_its_time_is_over() -> None:
    watch = Watch()
    await watch.gate.close(10, RATE_LIMITED)
    watch.clock.now += 10
    await watch.gate.enter(waits=True)
    assert watch.gate.closed() is None


async def test_a_closing_that_came_while_a_call_stood_in_the_queue_holds_it_up() -> None:
    watch = Watch()
    tasks = await fill(watch.gate, PLACES + 1)
    await watch.gate.close(100, QUOTA)
    watch.gate.leave()
    with pytest.raises(TryLater):
        await tasks[-1]
    assert watch.gate.in_flight == PLACES - 1
    await emptied(watch.gate, tasks[1:-1])
    watch.clock.now += 100
    full = await fill(watch.gate, PLACES)
    assert all(task.done() for task in full)  # no place was lost


async def test_a_closing_that_came_while_a_call_slept_is_seen() -> None:
    watch = Watch()
    await watch.gate.close(2, RATE_LIMITED)
    watch.closes_during_sleep = True
    with pytest.raises(TryLater) as caught:
        await watch.gate.enter(waits=True)
    assert caught.value.cause is QUOTA


async def test_a_shorter_closing_does_not_open_it_sooner() -> None:
    watch = Watch()
    await watch.gate.close(100, QUOTA)
    told = await watch.gate.close(5, RATE_LIMITED)
    assert told.cause is RATE_LIMITED
    closed = watch.gate.closed()
    assert closed is not None
    assert (closed.cause, watch.gate.closed_for_s) == (QUOTA, 100)
    assert watch.stored == [(NOW + timedelta(seconds=100), QUOTA)]


async def test_only_a_closing_that_outlasts_a_restart_is_stored() -> None:
    watch = Watch()
    await watch.gate.close(PATIENCE_S, RATE_LIMITED)
    assert watch.stored == []
    await watch.gate.close(PATIENCE_S + 1, RATE_LIMITED)
    assert watch.stored == [(NOW + timedelta(seconds=PATIENCE_S + 1), RATE_LIMITED)]


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
async def test_a_jump_of_the_wall_clock_neither_opens_nor_keeps_it_closed(jump: timedelta) -> None:
    watch = Watch()
    await watch.gate.close(60, QUOTA)
    watch.wall += jump
    assert watch.gate.closed_for_s == 60
    with pytest.raises(TryLater) as caught:
        await watch.gate.enter(waits=True)
    assert caught.value.until == watch.wall + timedelta(seconds=60)
    watch.clock.now += 60
    await watch.gate.enter(waits=True)


async def test_the_end_that_was_stored_is_kept_after_a_restart_with_its_cause() -> None:
    watch = Watch(NOW + timedelta(seconds=3600), QUOTA)
    closed = watch.gate.closed()
    assert closed is not None
    assert (closed.cause, closed.until) == (QUOTA, NOW + timedelta(seconds=3600))
    watch.clock.now += 3600
    await watch.gate.enter(waits=True)


async def test_an_end_that_is_over_leaves_it_open() -> None:
    assert Watch(NOW - timedelta(seconds=1), QUOTA).gate.closed() is None


async def test_an_absurd_stored_end_holds_it_closed_for_a_day_at_most() -> None:
    assert Watch(NOW + timedelta(days=4000), QUOTA).gate.closed_for_s == 86_400


async def test_a_store_that_fails_leaves_it_closed_all_the_same() -> None:
    watch = Watch(disk_is_full=True)
    met = await watch.gate.close(60, QUOTA)
    assert met.cause is QUOTA
    assert watch.gate.closed_for_s == 60
