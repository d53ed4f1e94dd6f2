"""Tells the host what only the host can fix: at most once a day for each cause, also across restarts.

Other packages report with `raise_` and `end`, which are cheap and never wait. Within the process, the day is measured
in monotonic time. Only the first message after a start depends on the wall clock, so that a clock that jumps causes
neither a flood of messages nor silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import asdict

from bot.errors import StorageUnavailable
from bot.storage.alerts import Told, ToldAlerts

DAY_S = 86_400.0
RETRY_S = 600.0
"""A message that failed is not retried sooner, because some hosts accept no messages."""
QUIET_S = 600.0
"""A cause is over when something succeeded and it has not occurred for this long."""
STORE_AGAIN_S = 60.0

_log = structlog.get_logger("gatefold.alerts")


class Cause(StrEnum):
    """What the host is told about. The values are stored in the database."""

    PREMIUM = "premium"  # Spotify says that the app's owner has no Premium
    SPOTIFY_APP = "spotify app"  # Spotify refuses the app's id or secret
    QUOTA = "quota"  # the app's daily limit at Spotify is reached
    DISCORD_SECRET = "discord secret"  # noqa: S105 - Discord refuses the client secret: nobody can link
    DISCORD_TOKEN = "discord token"  # noqa: S105 - Discord refuses the bot's token, so the host is told later
    DISK = "disk"  # nearly full, or the database cannot be written to
    KEY = "key"  # a member's stored token cannot be decrypted
    BACKUP = "backup"  # a scheduled backup failed


class Facts(Struct, frozen=True):
    """What is known about a cause. `until`: when it ends by itself; `free`: bytes; `reason`: words for the host."""

    until: datetime | None = None
    free: int | None = None
    reason: str | None = None


class Alert(Struct, frozen=True):
    """What the host is told. `since`: when it began."""

    cause: Cause
    since: datetime
    facts: Facts


class _State(Struct):
    """The state of one cause. `next_at`, `seen_at`, `store_at`: monotonic; the next message is no sooner than `next_at`."""

    open_since: datetime | None = None
    told_at: datetime | None = None
    next_at: float = float("-inf")
    seen_at: float = float("-inf")
    store_at: float = float("-inf")
    is_stored: bool = True
    is_untold: bool = False
    facts: Facts = Facts()


class Alerts:
    """Which causes are present, and what the host was told about them."""

    def __init__(
        self,
        told: ToldAlerts,
        *,
        tell: Callable[[Alert], Awaitable[bool]],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """`tell`: tells the host, and returns whether the message arrived."""
        self._told = told
        self._tell_host = tell
        self._now = now
        self._monotonic = monotonic
        self._states = {cause: _State() for cause in Cause}
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Load what was told before the start."""
        rows = await self._told.all()
        for cause, state in self._states.items():
            if (known := rows.get(cause.value)) is None:
                continue
            state.told_at = known.told_at
            # Whether all keys are there again shows only when members use the bot, so a start forgets this cause.
            state.open_since = None if cause is Cause.KEY else known.open_since
            if known.told_at is not None:
                # A time in the future comes from a clock that was wrong. It counts like one in the past.
                age = abs((self._now() - known.told_at).total_seconds())
                state.next_at = self._monotonic() + max(0.0, DAY_S - age)

    def raise_(self, cause: Cause, facts: Facts | None = None) -> None:
        """This cause just showed. The host is told, unless that happened within the last day."""
        state, now = self._states[cause], self._monotonic()
        state.seen_at = now
        state.facts = facts or Facts()
        if state.open_since is None:
            state.open_since = self._now()
            state.is_stored = False
        if now >= state.next_at:
            state.next_at = now + RETRY_S  # others who notice it meanwhile need not try
            self._begin(self._tell(cause, state))
        elif not state.is_stored and now >= state.store_at:
            self._begin(self._store(cause, state))

    def end(self, cause: Cause) -> None:
        """Something worked that cannot work while this cause is present."""
        state = self._states[cause]
        if (state.open_since is None and state.is_stored) or self._monotonic() - state.seen_at < QUIET_S:
            return
        if state.open_since is not None:
            _log.info("alert over", cause=cause.value)
        state.open_since, state.is_stored, state.is_untold = None, False, False
        if self._monotonic() >= state.store_at:
            self._begin(self._store(cause, state))

    async def note(self, cause: Cause) -> None:
        """This cause is present, and nobody can be told now. `tell_late` does that after the next start."""
        state = self._states[cause]
        state.open_since = state.open_since or self._now()
        _log.error("alert", cause=cause.value, since=state.open_since.isoformat())
        await self._store(cause, state)

    def tell_late(self) -> None:
        """The bot has logged in: send what could not be sent before."""
        for cause, state in self._states.items():
            if state.open_since is not None and (state.is_untold or cause is Cause.DISCORD_TOKEN):
                self._begin(self._tell_late(cause, state))

    async def _tell_late(self, cause: Cause, state: _State) -> None:
        if state.is_untold or self._monotonic() >= state.next_at:
            await self._tell(cause, state, is_logged=state.is_untold)
        if cause is Cause.DISCORD_TOKEN and not state.is_untold:
            # the bot has logged in, so Discord accepts the token
            state.open_since = None
            await self._store(cause, state)

    async def stop(self, seconds: float) -> None:
        """Wait for messages and writes in progress, at most for `seconds`."""
        if self._tasks:
            _, late = await asyncio.wait([*self._tasks], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, cause: Cause, state: _State, *, is_logged: bool = False) -> None:
        assert state.open_since is not None
        state.next_at = self._monotonic() + RETRY_S
        alert = Alert(cause, state.open_since, state.facts)
        if not is_logged:
            # A message may not arrive, so every alert is in the log, too.
            known = {name: str(value) for name, value in asdict(alert.facts).items() if value is not None}
            _log.error("alert", cause=cause.value, since=alert.since.isoformat(), **known)
        try:
            arrived = await self._tell_host(alert)
        except Exception:
            _log.exception("the host could not be told", cause=cause.value)
            arrived = False
        state.is_untold = not arrived
        if arrived:
            state.told_at = self._now()
            state.next_at = self._monotonic() + DAY_S
        await self._store(cause, state)

    async def _store(self, cause: Cause, state: _State) -> None:
        state.is_stored = False
        state.store_at = self._monotonic() + STORE_AGAIN_S
        try:
            await self._told.put(cause.value, Told(state.open_since, state.told_at))
        except StorageUnavailable as error:
            # A full disk is one of the causes. The state in memory remains, and is stored later.
            _log.warning("alert state could not be stored", error=str(error))
        else:
            state.is_stored = True
