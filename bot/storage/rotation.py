"""Changing the key: everything sealed is sealed anew with the first key, a few rows at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.storage.database import Connection, Database
from bot.storage.vault import ACCESS, ANSWER, CHECK_OWNER, PROOF, REFRESH, Unopenable, Vault

BATCH = 200
"""So many rows are sealed anew in one transaction: a command waits for one of these at most."""
Tell = Callable[[int, int], Awaitable[None]]
"""Told after each batch: how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of sealed blobs. `owner`: the column with whose number they are bound."""

    table: str
    key: str
    name: str
    kind: str
    owner: str = "member_id"


SEALED = (
    Column("links", "member_id", "access_sealed", ACCESS),
    Column("links", "member_id", "refresh_sealed", REFRESH),
    Column("link_attempts", "id_hash", "interaction_token_sealed", ANSWER),
    Column("change_requests", "id", "interaction_token_sealed", ANSWER),
    Column("outbox", "id", "interaction_token_sealed", ANSWER),
    # the last: until all else is done, it keeps the host from taking away a key that is still needed
    Column("key_check", "id", "proof_sealed", PROOF, owner=str(CHECK_OWNER)),
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of it. `left`: blobs that did not open; `needed`: the ids of all keys that the database names."""

    resealed: int
    left: int
    needed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class _Batch:
    resealed: int
    left: int
    last: int | bytes | None  # the key of the last row; None: there are no more


async def rotate(database: Database, vault: Vault, tell: Tell) -> Rotation:
    """Seal everything anew with the first key. StorageUnavailable when the disk does not want to.

    Stopped or killed at any moment, it goes on where it was: each blob names its key. What did not open is
    counted and left. At the end, nothing of the old blobs is left in the file or in its log.
    """
    total = await database.read(lambda c: sum(_old_in(c, column, vault) for column in SEALED))
    resealed = left = 0
    for column in SEALED:
        after: int | bytes | None = -1  # below every id, and below every hash, too
        while after is not None:
            batch = await database.write(lambda c, column=column, after=after: _reseal_in(c, column, after, vault))  # type: ignore[misc]
            after, resealed, left = batch.last, resealed + batch.resealed, left + batch.left
            if batch.resealed or batch.left:
                await tell(min(resealed + left, total), total)
    await database.truncate_log()
    return Rotation(resealed, left, await database.read(_needed_in))


def _reseal_in(c: Connection, column: Column, after: int | bytes, vault: Vault) -> _Batch:
    # Read, sealed and written in one transaction, so a refresh comes before it or after it, never in between.
    rows = c.execute(
        f"SELECT {column.key}, {column.owner}, {column.name} FROM {column.table}"  # noqa: S608 - the names stand above
        f" WHERE {column.key} > ? AND {_IS_OLD.format(column.name)} ORDER BY {column.key} LIMIT {BATCH}",
        (after, vault.sealing_key_id),
    ).fetchall()
    sealed = []
    for key, owner, blob in rows:
        try:
            sealed.append((vault.reseal(blob, owner, column.kind), key))
        except Unopenable:
            continue
    c.executemany(f"UPDATE {column.table} SET {column.name} = ? WHERE {column.key} = ?", sealed)  # noqa: S608 - the same
    return _Batch(len(sealed), len(rows) - len(sealed), rows[-1][0] if len(rows) == BATCH else None)


_IS_OLD = "{0} IS NOT NULL AND substr({0}, 2, 4) <> ?"


def _old_in(c: Connection, column: Column, vault: Vault) -> int:
    query = f"SELECT COUNT(*) FROM {column.table} WHERE {_IS_OLD.format(column.name)}"  # noqa: S608 - the same
    count: int = c.execute(query, (vault.sealing_key_id,)).fetchone()[0]
    return count


def _needed_in(c: Connection) -> frozenset[bytes]:
    queries = (
        f"SELECT DISTINCT substr({column.name}, 2, 4) FROM {column.table} WHERE {column.name} IS NOT NULL"  # noqa: S608 - the same
        for column in SEALED
    )
    return frozenset(row[0] for query in queries for row in c.execute(query))
