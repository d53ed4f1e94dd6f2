"""What stores need of a database: jobs that read or write, and a connection to run portable SQL with.

SQLite is the one engine today (`bot/storage/database.py`). SQL in stores is what PostgreSQL understands, too: `ON
CONFLICT`, no `INSERT OR`, no `INDEXED BY`, no rowid, `IS DISTINCT FROM`, 0 and 1 for no and yes. A test has PostgreSQL's
own parser read every statement. What only SQLite can do is in `bot/storage/sqlite.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


class Row(Protocol):
    """A row: values by the name or the position of their column."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def keys(self) -> Iterable[str]:
        """The names of the columns."""
        ...


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What a job runs statements with; it is not to be kept. `?` marks a parameter."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run a statement once for each row of parameters."""
        ...


class Engine(Protocol):
    """Runs jobs: functions that take a connection. Nothing is awaited inside a transaction."""

    def read(self, job: Callable[[Connection], _T]) -> Awaitable[_T]:
        """Run a job that only reads. StorageUnavailable when that cannot be done."""
        ...

    def write(
        self, job: Callable[[Connection], _T], *, key: int | str | None = None, durable: bool = True
    ) -> Awaitable[_T]:
        """Run a job in one transaction: all of it is stored when this returns, or none of it.

        `key`: named by a job that decides by what it reads: no two jobs with the same key run at a time. `durable`:
        what is stored outlives a power cut, not only the process.
        """
        ...

    def flush(self) -> asyncio.Future[None]:
        """Done when all that was written before it outlives a power cut."""
        ...

    async def truncate_log(self) -> None:
        """Let nothing of what was deleted stay on the disk; while others read, it is owed."""
        ...
