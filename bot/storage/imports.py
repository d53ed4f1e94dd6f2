"""Imports: what a member's file holds, from the question whether to save it until its summary can be drawn no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from bot.caller import MemberId, RequestId
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_moment, to_seconds


class ImportRow(Struct, frozen=True):
    """An album that the file names. `kind`, `reference`: as in a library change; `typed`, `at`: as in the file."""

    kind: str
    reference: str
    typed: str
    at: int


class UnreadLine(Struct, frozen=True):
    """A line of the file that names no album, and why (`files.library_file.Reason`; `kind`: of another page)."""

    text: str
    reason: str
    kind: str
    at: int


class Import(Struct, frozen=True):
    """What was read from a file. `id`: of the command's interaction.

    `unread`: the first of the `unread_count` lines. `left_out`: what the file has that is not imported, by its name.
    `request_id`: of the change request that saves it, None: the member was asked and has not answered.
    `progress`: channel and id of the direct message that shows how far it is.
    """

    id: RequestId
    member_id: MemberId
    locale: str | None
    asked_at: datetime
    rows: tuple[ImportRow, ...]
    repeated: int
    unread: tuple[UnreadLine, ...]
    unread_count: int
    left_out: Mapping[str, int]
    request_id: RequestId | None = None
    progress: tuple[int, int] | None = None


class Running(Struct, frozen=True):
    """An import that is being carried out. `counts`: its changes by outcome; None: those that are pending."""

    member_id: MemberId
    locale: str | None
    counts: Mapping[str | None, int]
    progress: tuple[int, int] | None


class Imports:
    """One row per import; the albums are in it as JSON, since they are always read together."""

    declares = Declaration(
        tables=("imports",),
        member_rows=(
            MemberRows(
                "imports",
                exports=(
                    *("id", "member_id", "locale", "asked_at", "albums", "repeated", "unread", "unread_count"),
                    "left_out",
                ),
                withholds=("request_id", "progress_channel_id", "progress_message_id"),
            ),
        ),
    )

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def ask(self, new: Import) -> bool:
        """Store what was read, in place of what the member was asked before. False: they have an import running."""
        values = (
            new.id,
            new.member_id,
            new.locale,
            to_seconds(new.asked_at),
            json.dumps([[row.kind, row.reference, row.typed, row.at] for row in new.rows]),
            new.repeated,
            json.dumps([[line.text, line.reason, line.kind, line.at] for line in new.unread]),
            new.unread_count,
            json.dumps(dict(new.left_out)),
        )

        def write(c: Connection) -> bool:
            if c.execute(f"{_RUNNING} AND i.member_id = ?", (new.member_id,)).fetchone() is not None:
                return False
            c.execute("DELETE FROM imports WHERE member_id = ? AND request_id IS NULL", (new.member_id,))
            c.execute(
                "INSERT INTO imports (id, member_id, locale, asked_at, albums, repeated, unread, unread_count, left_out)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return True

        return await self._database.write(write, key=new.member_id)

    async def asked(self, id_: RequestId, member: MemberId) -> Import | None:
        """A member's import that waits for an answer."""
        return await self._read("id = ? AND member_id = ? AND request_id IS NULL", (id_, member))

    async def of_request(self, request: RequestId) -> Import | None:
        """The import that a change request saves."""
        return await self._read("request_id = ?", (request,))

    def confirm_in(self, c: Connection, id_: RequestId, member: MemberId, request: RequestId) -> bool:
        """Note the request that saves it, once; False: it was answered before, or is gone."""
        cursor = c.execute(
            "UPDATE imports SET request_id = ? WHERE id = ? AND member_id = ? AND request_id IS NULL",
            (request, id_, member),
        )
        return cursor.rowcount == 1

    async def cancel(self, id_: RequestId, member: MemberId) -> bool:
        """Delete an import that waits for an answer; False: it was answered before, or is gone."""

        def write(c: Connection) -> bool:
            cursor = c.execute(
                "DELETE FROM imports WHERE id = ? AND member_id = ? AND request_id IS NULL", (id_, member)
            )
            return cursor.rowcount == 1

        return await self._database.write(write)

    async def running(self) -> list[RequestId]:
        """The requests of all imports that are not done."""
        rows = await self._database.read(lambda c: c.execute(_RUNNING).fetchall())
        return [RequestId(row["request_id"]) for row in rows]

    async def progress(self, request: RequestId) -> Running | None:
        """How far an import is; None: it is done or gone."""

        def read(c: Connection) -> Running | None:
            row = c.execute(f"{_RUNNING} AND i.request_id = ?", (request,)).fetchone()
            if row is None:
                return None
            counts = c.execute(
                "SELECT outcome, COUNT(*) AS count FROM library_changes WHERE request_id = ? GROUP BY outcome",
                (request,),
            ).fetchall()
            return Running(
                MemberId(row["member_id"]),
                row["locale"],
                {each["outcome"]: each["count"] for each in counts},
                _progress(row),
            )

        return await self._database.read(read)

    async def put_progress(self, request: RequestId, channel_id: int, message_id: int) -> None:
        """Remember the direct message that shows how far an import is."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE imports SET progress_channel_id = ?, progress_message_id = ? WHERE request_id = ?",
                (channel_id, message_id, request),
            ),
            durable=False,
        )

    async def purge(self, unanswered_before: datetime, asked_before: datetime) -> None:
        """Delete what nobody answered, and what was asked so long ago that its request is gone, too."""
        await self._database.write(
            lambda c: c.execute(
                "DELETE FROM imports WHERE (request_id IS NULL AND asked_at < ?) OR (asked_at < ? AND NOT EXISTS"
                " (SELECT 1 FROM change_requests AS r WHERE r.id = imports.request_id))",
                (to_seconds(unanswered_before), to_seconds(asked_before)),
            ),
            key="imports",
        )

    async def _read(self, where: str, values: tuple[Any, ...]) -> Import | None:
        query = f"SELECT * FROM imports WHERE {where}"  # noqa: S608 - the conditions stand above
        row = await self._database.read(lambda c: c.execute(query, values).fetchone())
        return None if row is None else _import(row)


_RUNNING = "SELECT i.* FROM imports AS i JOIN change_requests AS r ON r.id = i.request_id WHERE r.ended_at IS NULL"


def _import(row: Row) -> Import:
    return Import(
        RequestId(row["id"]),
        MemberId(row["member_id"]),
        row["locale"],
        to_moment(row["asked_at"]),
        tuple(ImportRow(*each) for each in json.loads(row["albums"])),
        row["repeated"],
        tuple(UnreadLine(*each) for each in json.loads(row["unread"])),
        row["unread_count"],
        json.loads(row["left_out"]),
        row["request_id"],
        _progress(row),
    )


def _progress(row: Row) -> tuple[int, int] | None:
    if row["progress_message_id"] is None:
        return None
    return row["progress_channel_id"], row["progress_message_id"]
