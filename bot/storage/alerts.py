"""What the host was told, and when: one row a cause, so that a restart does not tell it again."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bot.storage.declarations import Declaration
from bot.storage.engine import Connection, Engine
from bot.storage.moments import to_moment, to_seconds


class Told(Struct, frozen=True):
    """`open_since`: since when it is so, None: it is over. `told_at`: when the host was told last, None: never."""

    open_since: datetime | None = None
    told_at: datetime | None = None


class ToldAlerts:
    """One row a cause."""

    declares = Declaration(tables=("alerts",))

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def all(self) -> dict[str, Told]:
        """What is known of each cause that ever was."""

        def read(c: Connection) -> dict[str, Told]:
            rows = c.execute("SELECT * FROM alerts")
            return {row["cause"]: Told(_time(row["open_since"]), _time(row["told_at"])) for row in rows}

        return await self._database.read(read)

    async def put(self, cause: str, told: Told) -> None:
        """Remember it."""
        values = (
            cause,
            None if told.open_since is None else to_seconds(told.open_since),
            None if told.told_at is None else to_seconds(told.told_at),
        )
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO alerts (cause, open_since, told_at) VALUES (?, ?, ?)"
                " ON CONFLICT (cause) DO UPDATE SET open_since = excluded.open_since, told_at = excluded.told_at",
                values,
            )
        )


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else to_moment(seconds)
