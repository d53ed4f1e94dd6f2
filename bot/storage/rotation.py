"""Changing the key: everything sealed is sealed anew with the first key, a few rows at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from bot.storage.database import Database
from bot.storage.engine import Connection
from bot.storage.stores import SEALED
from bot.storage.vault import SealedColumn, Unopenable, Vault

BATCH = 200
"""How many rows are sealed anew in one transaction. A command waits for one of these at most."""
Tell = Callable[[int, int], Awaitable[None]]
"""Told after each batch: how many are done, of how many."""


class Rotation(Struct, frozen=True):
    """What came of it. `left`: blobs that did not open; `needed`: the ids of all keys that the database names."""

    resealed: int
    left: int
    needed: frozenset[bytes]


class _Batch(Struct, frozen=True):
    resealed: int
    left: int
    last: tuple[Any, ...] | None  # the key of the last row; None: there are no more


async def _nobody(done: int, of: int) -> None:
    """Told when nobody waits."""


async def rotate(
    database: Database, vault: Vault, tell: Tell = _nobody, columns: Sequence[SealedColumn] = SEALED
) -> Rotation:
    """Seal everything anew with the first key. StorageUnavailable when the disk does not want to.

    Stopped or killed at any moment, it goes on where it was: each blob names its key. What did not open is
    counted and left. At the end, nothing of the old blobs is left in the file or in its log.
    """
    total = await database.read(lambda c: sum(_old_in(c, column, vault) for column in columns))
    resealed = left = 0
    for column in columns:
        after: tuple[Any, ...] | None = ()
        while after is not None:
            batch = await _reseal_some(database, column, after, vault)
            after, resealed, left = batch.last, resealed + batch.resealed, left + batch.left
            if batch.resealed or batch.left:
                await tell(min(resealed + left, total), total)
    await database.truncate_log()
    return Rotation(resealed, left, await database.read(lambda c: _needed_in(c, columns)))


def are_current(c: Connection, columns: Iterable[SealedColumn], vault: Vault) -> bool:
    """Whether all of these are sealed as they would be now."""
    return not any(_old_in(c, column, vault) for column in columns)


async def _reseal_some(database: Database, column: SealedColumn, after: tuple[Any, ...], vault: Vault) -> _Batch:
    return await database.write(lambda c: _reseal_in(c, column, after, vault), key=column.table)


def _reseal_in(c: Connection, column: SealedColumn, after: tuple[Any, ...], vault: Vault) -> _Batch:
    # Read, sealed and written in one transaction, so a refresh comes before it or after it, never in between.
    keys, marks = ", ".join(column.key), ", ".join("?" * len(column.key))
    later = f"({keys}) > ({marks}) AND" if after else ""
    rows = c.execute(
        f"SELECT {keys}, {column.owner}, {column.column} FROM {column.table}"  # noqa: S608 - the names are those that stores declare
        f" WHERE {later} {_is_old(column)} ORDER BY {keys} LIMIT {BATCH}",
        (*after, vault.current_head),
    ).fetchall()
    sealed: list[tuple[Any, ...]] = []
    for row in rows:
        *key, owner, blob = row
        try:
            sealed.append((vault.reseal(blob, owner, column), *key))
        except Unopenable:
            continue
    c.executemany(f"UPDATE {column.table} SET {column.column} = ? WHERE ({keys}) = ({marks})", sealed)  # noqa: S608 - the same
    last = tuple(rows[-1][: len(column.key)]) if len(rows) == BATCH else None
    return _Batch(len(sealed), len(rows) - len(sealed), last)


def _is_old(column: SealedColumn) -> str:
    return f"{column.column} IS NOT NULL AND substr({column.column}, 1, 5) <> ?"


def _old_in(c: Connection, column: SealedColumn, vault: Vault) -> int:
    query = f"SELECT COUNT(*) FROM {column.table} WHERE {_is_old(column)}"  # noqa: S608 - the same
    count: int = c.execute(query, (vault.current_head,)).fetchone()[0]
    return count


def _needed_in(c: Connection, columns: Iterable[SealedColumn]) -> frozenset[bytes]:
    queries = (
        f"SELECT DISTINCT substr({each.column}, 2, 4) FROM {each.table} WHERE {each.column} IS NOT NULL"  # noqa: S608 - the same
        for each in columns
    )
    return frozenset(key for query in queries for (key,) in c.execute(query))
