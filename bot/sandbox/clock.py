"""The sandbox's clock, which can be moved ahead, and the time that passes for the bot while it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite

from bot.app import Services

SETTLE_S = 30.0
"""How long the bot may take over what is due at one moment, in real seconds."""


class Clock:
    """The wall clock of the bot and of both platforms. It runs, and `ahead` is how far it was moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC) + self.ahead

    def time(self) -> float:
        """The same as `time.time` gives it."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """In place of `time.monotonic`, which SimCord makes another clock inside the bot's own tasks."""
        return self.time()


async def pass_time(services: Services, clock: Clock, by: timedelta, show: Callable[[], None] = lambda: None) -> None:
    """Move the clock ahead, from one moment at which something is due to the next, as if the bot ran all the time.

    In one jump it would seem to the bot that it was down. `show`: called after each move.
    """
    until = clock.now() + by
    while True:
        moment = await _next_at(services, clock)
        clock.ahead += max(min(until if moment is None else moment, until) - clock.now(), timedelta())
        show()
        await _settle(services, clock)
        if clock.now() >= until:
            return


async def _next_at(services: Services, clock: Clock) -> datetime | None:
    """When the bot next has something to do."""
    due, message_at = await services.storage.outbox.due(clock.now(), 1)
    if due:
        return clock.now()
    timer_at = await services.schedule.next_at()
    retry_s = services.library.next_retry_s
    retry_at = clock.now() + timedelta(seconds=retry_s) if isfinite(retry_s) else None
    return min((moment for moment in (message_at, timer_at, retry_at) if moment is not None), default=None)


async def _settle(services: Services, clock: Clock) -> None:
    """Wait until everything that is due has been done. What goes on for longer is left to itself."""
    try:
        async with asyncio.timeout(SETTLE_S):
            while True:
                services.schedule.wake()
                services.storage.outbox.ring()
                services.library.look_at_clock()
                await asyncio.sleep(0.01)
                next_at = await _next_at(services, clock)
                is_due = next_at is not None and next_at <= clock.now()
                if not is_due and all((services.schedule.is_idle, services.delivery.is_idle, services.library.is_idle)):
                    return
    except TimeoutError:
        return
