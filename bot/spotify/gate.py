"""The gate: one per Spotify client id, because Spotify counts per app, not per member.

It lets at most 48 calls through at a time, and is closed until a time by a 429, the daily quota's included.
Nothing else closes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bot.errors import StorageUnavailable, TryLater
from bot.spotify.wire import RETRY_AFTER_MAX_S

PLACES = 48
PATIENCE_S = 4.0
"""How long a call waits at a closed gate; longer than that is told, never slept."""

Cause = TryLater.Cause


class Gate:
    """Counts calls in flight and holds them up while Spotify says to wait.

    The time until which it is closed outlives a restart: `on_close(until, cause)` stores it. Within the
    process it counts in monotonic time, so that a jump of the wall clock changes nothing.
    """

    def __init__(
        self,
        *,
        closed_until: datetime | None = None,
        closed_by: Cause | None = None,
        on_close: Callable[[datetime, Cause], Awaitable[None]] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._places = asyncio.Semaphore(PLACES)
        self._on_close = on_close
        self._sleep = sleep
        self._monotonic = monotonic
        self._now = now
        self._reopens = 0.0
        self._cause = closed_by or Cause.RATE_LIMITED
        self.in_flight = 0
        if closed_until is not None:
            left = (closed_until - now()).total_seconds()
            self._reopens = monotonic() + min(max(left, 0.0), RETRY_AFTER_MAX_S)

    @property
    def closed_for_s(self) -> float:
        """Seconds until it opens; 0 when it is open."""
        return max(0.0, self._reopens - self._monotonic())

    def closed(self) -> TryLater | None:
        """What a call would be told now, None when it is open."""
        left = self.closed_for_s
        return TryLater(self._cause, self._now() + timedelta(seconds=left)) if left else None

    async def enter(self, *, waits: bool) -> None:
        """Take a place. TryLater when it is closed for longer than a call waits. `leave()` gives it back."""
        while True:
            if waits and (left := self.closed_for_s):
                await self._wait(left)
                continue
            await self._places.acquire()
            if not (waits and self.closed_for_s):
                self.in_flight += 1
                return
            self._places.release()  # it closed while we stood in the queue

    async def _wait(self, left: float) -> None:
        if left > PATIENCE_S:
            closed = self.closed()
            if closed is not None:
                raise closed
        else:
            await self._sleep(left)

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        self._places.release()

    async def close(self, seconds: float, cause: Cause) -> TryLater:
        """Close it for `seconds` and say what the call that met the 429 is told."""
        reopens = self._monotonic() + seconds
        until = self._now() + timedelta(seconds=seconds)
        if reopens > self._reopens:
            self._reopens, self._cause = reopens, cause
            # a short wait is over before a restart is: not worth a write
            if self._on_close is not None and seconds > PATIENCE_S:
                with suppress(StorageUnavailable):
                    await self._on_close(until, cause)
        return TryLater(cause, until)
