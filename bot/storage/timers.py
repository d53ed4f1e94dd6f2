"""Timers: what is due and when. `bot/schedule.py` claims them and runs their handlers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from msgspec import Struct

from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine
from bot.storage.moments import to_moment, to_seconds


class Timer(Struct, frozen=True):
    """A claimed timer. `due_at`: when it was to run, also after failures; `tries`: how often it has failed since.

    `version`: changes whenever somebody sets the timer, so that a handler that ends does not overwrite that.
    """

    kind: str
    key: str
    due_at: datetime
    tries: int
    version: int


class Timers:
    """One row per timer, identified by its kind and key. Created inside a running event loop.

    `changed`: set whenever a timer was set, in whichever transaction.
    """

    declares = Declaration(
        tables=("timers",),
        # of kinds that have one timer per member, such as the reminder that a consent ends; no other key is such a number
        member_rows=(
            MemberRows(
                "timers",
                member="key",
                as_text=True,
                exports=("kind", "due_at"),
                withholds=("key", "try_at", "tries", "version", "claimed_at"),
            ),
        ),
    )

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()

    async def set(self, kind: str, key: str, due_at: datetime) -> None:
        """Set a timer; one of this kind and key that was set before is replaced."""
        await self._database.write(lambda c: self.put(c, kind, key, due_at))

    def put(self, c: Connection, kind: str, key: str, due_at: datetime) -> None:
        """Set a timer in a transaction that also stores why; one of this kind and key is replaced."""
        seconds = math.ceil(due_at.timestamp())  # never too early
        c.execute(
            "INSERT INTO timers (kind, key, due_at, try_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, try_at = excluded.try_at,"
            " tries = 0, version = timers.version + 1",
            (kind, key, seconds, seconds),
        )
        # The event loop looks only after this transaction, since its look waits for the same thread.
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.changed.set)

    def get_in(self, c: Connection, kind: str, key: str) -> datetime | None:
        """When a timer is due; None: there is none, or its handler runs already."""
        query = "SELECT due_at FROM timers WHERE kind = ? AND key = ? AND claimed_at IS NULL"
        row = c.execute(query, (kind, key)).fetchone()
        return None if row is None else to_moment(row["due_at"])

    def has_due_in(self, c: Connection, kind: str, until: datetime) -> bool:
        """Whether a timer of this kind that was due by then is still to be served."""
        query = "SELECT 1 FROM timers WHERE kind = ? AND due_at <= ?"
        return c.execute(query, (kind, to_seconds(until))).fetchone() is not None

    def remove(self, c: Connection, kind: str, key: str) -> None:
        """Remove a timer in a transaction that also stores why. A handler that runs already is not stopped."""
        c.execute("DELETE FROM timers WHERE kind = ? AND key = ?", (kind, key))

    async def cancel(self, kind: str, key: str) -> None:
        """Remove a timer, if it is there. A handler that runs already is not stopped."""
        await self._database.write(lambda c: self.remove(c, kind, key))

    async def release_all(self) -> None:
        """Make everything that an earlier process had claimed due again."""
        await self._database.write(
            lambda c: c.execute("UPDATE timers SET claimed_at = NULL WHERE claimed_at IS NOT NULL")
        )

    async def hurry(self, beyond: datetime) -> None:
        """Try now what failed and waits for its next try until after `beyond`: the clock was set back."""
        values = (to_seconds(beyond),)
        await self._database.write(
            lambda c: c.execute("UPDATE timers SET try_at = due_at WHERE tries > 0 AND try_at > ?", values),
            durable=False,
        )

    async def next_at(self, kinds: list[str]) -> datetime | None:
        """When the next timer of these kinds is to be tried; None: there is none that is not claimed."""
        if not kinds:
            return None
        marks = ", ".join("?" * len(kinds))
        query = f"SELECT MIN(try_at) FROM timers WHERE claimed_at IS NULL AND kind IN ({marks})"  # noqa: S608 - only question marks
        seconds = await self._database.read(lambda c: c.execute(query, kinds).fetchone()[0])
        return None if seconds is None else to_moment(seconds)

    async def claim(self, now: datetime, limits: Mapping[str, int]) -> list[Timer]:
        """Claim what is due, the earliest first, of each kind at most its limit. A claimed timer is nobody else's."""
        at = to_seconds(now)

        def write(c: Connection) -> list[Timer]:
            claimed = [
                Timer(kind, row["key"], to_moment(row["due_at"]), row["tries"], row["version"])
                for kind, limit in limits.items()
                for row in c.execute(
                    "UPDATE timers SET claimed_at = ? WHERE kind = ? AND key IN (SELECT key FROM timers"
                    " WHERE kind = ? AND claimed_at IS NULL AND try_at <= ? ORDER BY due_at, key LIMIT ?) RETURNING *",
                    (at, kind, kind, at, limit),
                ).fetchall()
            ]
            return sorted(claimed, key=lambda timer: (timer.due_at, timer.kind, timer.key))

        # Lost in a power cut, it is claimed again.
        return await self._database.write(write, key="timers", durable=False)

    async def finish(self, timer: Timer, next_at: datetime | None) -> None:
        """Its handler is done: the timer is due again at `next_at`, or goes. What was set meanwhile stays."""

        def write(c: Connection) -> None:
            whose = (timer.kind, timer.key, timer.version)
            if next_at is None:
                c.execute("DELETE FROM timers WHERE kind = ? AND key = ? AND version = ?", whose)
            else:
                seconds = math.ceil(next_at.timestamp())
                c.execute(
                    "UPDATE timers SET due_at = ?, try_at = ?, tries = 0 WHERE kind = ? AND key = ? AND version = ?",
                    (seconds, seconds, *whose),
                )
            _release(c, timer)

        # Lost in a power cut, the handler runs again, which it must bear.
        await self._database.write(write, durable=False)

    async def fail(self, timer: Timer, try_at: datetime) -> None:
        """Its handler failed: it is tried again at `try_at`, unless it was set anew meanwhile."""

        def write(c: Connection) -> None:
            c.execute(
                "UPDATE timers SET try_at = ?, tries = tries + 1 WHERE kind = ? AND key = ? AND version = ?",
                (math.ceil(try_at.timestamp()), timer.kind, timer.key, timer.version),
            )
            _release(c, timer)

        await self._database.write(write, durable=False)


def _release(c: Connection, timer: Timer) -> None:
    c.execute("UPDATE timers SET claimed_at = NULL WHERE kind = ? AND key = ?", (timer.kind, timer.key))
