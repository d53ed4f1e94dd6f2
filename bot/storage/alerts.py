"""What the host was told, and when: one row a cause, so that a restart does not tell it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.storage.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Told:
    """`open_since`: since when it is so, None: it is over. `told_at`: when the host was told last, None: never."""

    open_since: datetime | None = None
    told_at: datetime | None = None


class ToldAlerts:
    """One row a cause."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Told]:
        """What is known of each cause that ever was."""

        def read(c: Connection) -> dict[str, Told]:
            rows = c.execute("SELECT * FROM alerts")
            return {row["cause"]: Told(_time(row["open_since"]), _time(row["told_at"])) for row in rows}

        return await self._database.read(read)

    async def put(self, cause: str, told: Told) -> None:
        """Remember it."""
        values = (cause, _seconds(told.open_since), _seconds(told.told_at))
        await self._database.write(lambda c: c.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?)", values))


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
