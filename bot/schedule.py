"""Durable timers: whatever must happen at a certain time, also when the process is down at that time.

A timer is a row with a kind, a key and a due time. Whoever owns a kind registers its handler. When a timer is due, it
is claimed and its handler runs; afterwards the timer goes, or is due again when the handler says so. What became due
while the process was down runs at the start, in the order of the due times. A process that is killed while a handler
runs runs it again, so handlers must be idempotent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from bot.errors import StorageUnavailable
from bot.storage.timers import Timer, Timers

MAX_CONCURRENT = 8
"""Maximum number of handlers of one kind that run at a time, unless the kind says otherwise."""
LOOK_S = 60.0
"""The longest pause between two looks at the wall clock, which may have been set."""
FIRST_RETRY_S, LAST_RETRY_S = 10.0, 3600.0
"""After a handler failed, the pause doubles from the first to the last of these."""
STORAGE_RETRY_S = 30.0

Handler = Callable[[str, datetime], Awaitable[datetime | None]]
"""Takes the timer's key and due time; returns when it is due again, or None."""

_log = structlog.get_logger("gatefold.schedule")


class NotYet(Exception):
    """What a timer is for cannot be done now, for a reason that passes: its handler is tried again later.

    `code`: the reason, safe to log. `retry_s`: not before this.
    """

    def __init__(self, code: int | str, retry_s: float) -> None:
        super().__init__(str(code))
        self.code = code
        self.retry_s = retry_s


class _Kind(Struct, frozen=True):
    handler: Handler
    max_concurrent: int
    every_s: float | None = None


class Schedule:
    """Runs the handlers of timers that are due."""

    def __init__(
        self,
        timers: Timers,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._timers = timers
        self._now = now
        self._sleep = sleep
        self._kinds: dict[str, _Kind] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        # of kinds that repeat: what is still to be stored
        self._first_at: dict[str, datetime] = {}
        self._seen_at = now()

    def register(self, kind: str, handler: Handler, *, max_concurrent: int = MAX_CONCURRENT) -> None:
        """Name who handles the timers of a kind. Timers of a kind without a handler wait until there is one."""
        assert kind not in self._kinds, kind
        self._kinds[kind] = _Kind(handler, max_concurrent)
        self.wake()

    async def at(self, kind: str, key: str, due_at: datetime) -> None:
        """Set a timer, which replaces one of the same kind and key. Inside a transaction, use `Timers.put`."""
        await self._timers.set(kind, key, due_at)

    async def cancel(self, kind: str, key: str) -> None:
        """Remove a timer, if it is there. A handler that runs already is not stopped."""
        await self._timers.cancel(kind, key)

    def repeat(
        self,
        kind: str,
        every_s: float,
        job: Callable[[], Awaitable[datetime | None]],
        *,
        first_at: datetime | None = None,
    ) -> None:
        """Run `job` every `every_s` seconds from `first_at` (now, if None), until the process ends.

        The job may return an earlier time for the next run.
        """

        async def handler(key: str, due_at: datetime) -> datetime:
            return await job() or self._now() + timedelta(seconds=every_s)

        self._first_at[kind] = first_at or self._now()
        self._kinds[kind] = _Kind(handler, 1, every_s)
        self.wake()

    def wake(self) -> None:
        """Look at the clock now, since it was set or something is due that was not before."""
        self._timers.changed.set()

    @property
    def is_idle(self) -> bool:
        """Whether no handler runs."""
        return not self._tasks

    async def next_at(self) -> datetime | None:
        """When the next timer is due, those left out that repeat; None: there is none."""
        return await self._timers.next_at([name for name, kind in self._kinds.items() if kind.every_s is None])

    async def work(self) -> None:
        """Run what is due until cancelled."""
        is_released = False
        while True:
            self._timers.changed.clear()
            try:
                if not is_released:
                    await self._timers.release_all()
                    # the clock may have been set back while the process was down
                    await self._timers.hurry(self._now() + timedelta(seconds=LAST_RETRY_S))
                    is_released = True
                pause_s = await self._run_due()
            except StorageUnavailable as error:
                _log.warning("timers cannot be read", error=str(error))
                pause_s = STORAGE_RETRY_S
            await self._pause(pause_s)

    async def stop(self, seconds: float) -> None:
        """Let running handlers finish, `seconds` at most; the others run again at the next start."""
        if self._tasks:
            _, late = await asyncio.wait([*self._tasks], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run_due(self) -> float:
        """Start what is due and has room; how long nothing else will be due, in seconds."""
        running = Counter(self._tasks.values())
        room = {name: free for name, kind in self._kinds.items() if (free := kind.max_concurrent - running[name]) > 0}
        for name, first_at in [*self._first_at.items()]:
            await self._timers.set(name, "", first_at)
            del self._first_at[name]
        now = self._now()
        if now < self._seen_at - timedelta(seconds=LOOK_S):
            await self._shorten(now)
        self._seen_at = now
        next_at = await self._timers.next_at([*room])
        if next_at is None or next_at > now:
            return LOOK_S if next_at is None else min((next_at - now).total_seconds(), LOOK_S)
        for timer in await self._timers.claim(now, room):
            task = asyncio.create_task(self._run(timer), name=f"{timer.kind} {timer.key}")
            self._tasks[task] = timer.kind
            task.add_done_callback(self._ended)
        return 0.0

    async def _shorten(self, now: datetime) -> None:
        """The clock was set back: let nothing that repeats or failed wait until it shows the old time again."""
        await self._timers.hurry(now)
        for name, kind in self._kinds.items():
            if kind.every_s is not None:
                await self._timers.set(name, "", now + timedelta(seconds=kind.every_s))

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.wake()

    async def _run(self, timer: Timer) -> None:
        next_at: datetime | None = None
        try:
            next_at = await self._kinds[timer.kind].handler(timer.key, timer.due_at)
        except Exception as error:
            # StorageUnavailable has told the host already.
            log = _log.warning if isinstance(error, StorageUnavailable | NotYet) else _log.exception
            log("a timer failed", kind=timer.kind, key=timer.key, tries=timer.tries + 1, error=_code(error))
            pause_s = min(FIRST_RETRY_S * 2 ** min(timer.tries, 16), LAST_RETRY_S)
            if isinstance(error, NotYet):
                pause_s = max(pause_s, error.retry_s)
            await self._store(lambda: self._timers.fail(timer, self._now() + timedelta(seconds=pause_s)))
        else:
            await self._store(lambda: self._timers.finish(timer, next_at))

    async def _store(self, store: Callable[[], Awaitable[None]]) -> None:
        """Store what came of a timer, however long the disk is full: while it is claimed, nobody else runs it."""
        while True:
            try:
                await store()
                return
            except StorageUnavailable as error:
                _log.warning("a timer cannot be stored", error=str(error))
                await self._sleep(STORAGE_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        waking = asyncio.ensure_future(self._timers.changed.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, waking):
                task.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)


def _code(error: Exception) -> int | str:
    """What is logged of an error beside its traceback."""
    return error.code if isinstance(error, NotYet) else type(error).__name__
