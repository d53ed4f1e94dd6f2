"""What each store declares about its tables, and what is derived from that: deletion, export, rotation, backups.

A store names its tables and, for each, which rows concern a member, which columns are sealed, and what a backup
leaves out. Nothing else in the code lists tables for these purposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from msgspec import Struct

from bot.storage.engine import Connection
from bot.storage.moments import to_moment
from bot.storage.vault import SealedColumn, Vault


class MemberRows(Struct, frozen=True):
    """The rows of a table that concern a member: those whose `member` column holds the member's id.

    `where`: the condition that finds them, with one mark for the id, where the column alone would read the whole table.
    `exports`: the columns that `/mydata` hands out. `opens`: sealed columns that it opens and hands out.
    `withholds`: the columns that it does not: secrets, other members' ids, and what means nothing to a person.
    `clears`: where the row outlives the member, the columns that are set to NULL; None: the row is deleted.
    `as_text`: the column holds the id as text.
    """

    table: str
    member: str = "member_id"
    exports: tuple[str, ...] = ()
    withholds: tuple[str, ...] = ()
    opens: tuple[SealedColumn, ...] = ()
    clears: tuple[str, ...] | None = None
    as_text: bool = False
    where: str | None = None

    @property
    def condition(self) -> str:
        """What finds the rows, with one mark for `value`."""
        return self.where or f"{self.member} = ?"

    def value(self, member_id: int) -> int | str:
        """The member's id as the column holds it."""
        return str(member_id) if self.as_text else member_id


class Documents(Struct, frozen=True):
    """Rows with a JSON column that may name members somewhere inside, which only their store can find.

    `forget`: takes a member's name out of them; how many rows that changed. `export`: what they hold about a member.
    """

    table: str
    forget: Callable[[Connection, int], int]
    export: Callable[[Connection, int], list[dict[str, Any]]]


class Declaration(Struct, frozen=True):
    """What a store declares.

    `guild_rows`: the tables whose rows belong to the server in their `guild_id` column; rows that refer to these with
    ON DELETE CASCADE go with them.
    `omits`: what a backup leaves out, as it is of use for minutes only: "table", or "table.column" that is set to NULL.
    """

    tables: tuple[str, ...]
    member_rows: tuple[MemberRows, ...] = ()
    documents: tuple[Documents, ...] = ()
    guild_rows: tuple[str, ...] = ()
    sealed: tuple[SealedColumn, ...] = ()
    omits: tuple[str, ...] = ()


class Store(Protocol):
    """One kind of row: its SQL, and what it declares."""

    declares: Declaration


def forget(c: Connection, declared: Iterable[Declaration], member_id: int) -> dict[str, int]:
    """Delete every row that concerns this member, or what names them in it; how many rows, by table.

    A row that names them in two ways counts twice.
    """
    declared, counts = tuple(declared), dict[str, int]()
    for rows in _member_rows(declared):
        where = f"WHERE {rows.condition}"
        if rows.clears is None:
            query = f"DELETE FROM {rows.table} {where}"  # noqa: S608 - the names are those that stores declare
        else:
            cleared = ", ".join(f"{column} = NULL" for column in rows.clears)
            query = f"UPDATE {rows.table} SET {cleared} {where}"  # noqa: S608 - the same
        count = c.execute(query, (rows.value(member_id),)).rowcount
        if count:
            counts[rows.table] = counts.get(rows.table, 0) + count
    for documents in _documents(declared):
        if count := documents.forget(c, member_id):
            counts[documents.table] = counts.get(documents.table, 0) + count
    return counts


def forget_guild(c: Connection, declared: Iterable[Declaration], guild_id: int) -> None:
    """Delete every row that belongs to this server."""
    for table in (table for each in declared for table in each.guild_rows):
        c.execute(f"DELETE FROM {table} WHERE guild_id = ?", (guild_id,))  # noqa: S608 - the names are those that stores declare


def export(c: Connection, declared: Iterable[Declaration], vault: Vault, member_id: int) -> dict[str, list[Any]]:
    """Every row that concerns this member, by table: names of columns to values that JSON knows.

    Ids become text, since JavaScript cannot hold them; times become ISO 8601.
    """
    declared, found = tuple(declared), dict[str, list[Any]]()
    for rows in _member_rows(declared):
        query = f"SELECT * FROM {rows.table} WHERE {rows.condition}"  # noqa: S608 - the names are those that stores declare
        for row in c.execute(query, (rows.value(member_id),)).fetchall():
            values = {column: _plain(column, row[column]) for column in rows.exports}
            for sealed in rows.opens:
                blob, name = row[sealed.column], sealed.column.removesuffix("_sealed")
                values[name] = None if blob is None else vault.opened(blob, sealed.owner_of(row), sealed)
            found.setdefault(rows.table, []).append(values)
    for documents in _documents(declared):
        if held := documents.export(c, member_id):
            found.setdefault(documents.table, []).extend(held)
    return found


def omit(c: Connection, declared: Iterable[Declaration], is_there: Callable[[str], bool]) -> None:
    """Take out of a copy what a backup leaves out, of the tables that are there."""
    for name in (name for each in declared for name in each.omits):
        table, _, column = name.partition(".")
        if not is_there(table):
            continue
        if column:
            c.execute(f"UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL")  # noqa: S608 - the names are those that stores declare
        else:
            c.execute(f"DELETE FROM {table}")  # noqa: S608 - the same


def sealed_columns(declared: Iterable[Declaration]) -> tuple[SealedColumn, ...]:
    """All sealed columns, the one of the keys' check value last."""
    columns = [sealed for each in declared for sealed in each.sealed]
    # Until all else is done, it keeps the host from taking away a key that is still needed.
    return tuple(sorted(columns, key=lambda sealed: sealed.table == "key_check"))


def lasting_columns(declared: Iterable[Declaration]) -> tuple[SealedColumn, ...]:
    """The sealed columns that are of use for longer than minutes: the keys that they need must stay."""
    declared = tuple(declared)
    omitted = {name for each in declared for name in each.omits}
    return tuple(
        sealed
        for sealed in sealed_columns(declared)
        if not {sealed.table, f"{sealed.table}.{sealed.column}"} & omitted and sealed.table != "key_check"
    )


def _member_rows(declared: Iterable[Declaration]) -> Iterator[MemberRows]:
    for each in declared:
        yield from each.member_rows


def _documents(declared: Iterable[Declaration]) -> Iterator[Documents]:
    for each in declared:
        yield from each.documents


def _plain(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column.endswith("_at"):
        return to_moment(value).isoformat()
    if column == "id" or column.endswith("_id"):
        return str(value)
    return value
