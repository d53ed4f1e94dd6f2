"""Spreadsheets that become past rounds of a club: the file until it is imported, what was found, and what came of it.

Methods whose names end in `_in` run in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.curation.club import Round
from bot.curation.ids import ClubId, RoundNumber
from bot.storage.declarations import Declaration, Documents, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.frozen import from_json, to_json
from bot.storage.moments import to_moment, to_seconds
from bot.storage.outbox import TOKEN_LIFE, Answer
from bot.storage.vault import SealedColumn, Vault

ANSWER = SealedColumn("club_imports", "interaction_token_sealed", "answer", ("id",))
FILE_KEPT = timedelta(days=1)
"""How long a file is kept that nobody started to import, and one whose import is over, for its report."""


class ImportState(StrEnum):
    """How far an import is. Only rounds of one that is done are there."""

    ASKED = "asked"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    UNDONE = "undone"


class ClubImport(Struct, frozen=True):
    """A spreadsheet. `id`: of the command's interaction.

    `member_id`: the curator, None once they are forgotten. `name`: of the file. `file`: None once it is deleted.
    `date_order`: what the curator said about it (`files.dates.DateOrder`). `people`: names in it, folded, and the
    members whose they are. `rounds`: how many past rounds came of it.
    """

    id: RequestId
    club_id: ClubId
    member_id: MemberId | None
    locale: str | None
    name: str
    file: bytes | None
    date_order: str | None
    people: Mapping[str, MemberId]
    state: ImportState
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    rounds: int

    @classmethod
    def of_file(cls, caller: Caller, club_id: ClubId, name: str, file: bytes, now: datetime) -> ClubImport:
        """A file that a curator sent just now."""
        id_, member, state = caller.interaction_id, caller.member_id, ImportState.ASKED
        return cls(id_, club_id, member, caller.locale, name, file, None, {}, state, now, None, None, 0)


class FoundAlbum(Struct, frozen=True):
    """What a row's album is: an id, or why there is none (`changes.Outcome`)."""

    album_id: AlbumId | None
    why: str | None = None


def _forget_in_people(c: Connection, member_id: int) -> int:
    rows = c.execute("SELECT * FROM club_imports WHERE people LIKE ?", (f"%{member_id}%",)).fetchall()
    for row in rows:
        people = {name: id_ for name, id_ in json.loads(row["people"]).items() if id_ != member_id}
        c.execute("UPDATE club_imports SET people = ? WHERE id = ?", (json.dumps(people), row["id"]))
    return len(rows)


def _export_people(c: Connection, member_id: int) -> list[dict[str, Any]]:
    return [
        {"club_id": str(row["club_id"]), "your_name_in_it": name}
        for row in c.execute("SELECT * FROM club_imports WHERE people LIKE ?", (f"%{member_id}%",))
        for name, id_ in json.loads(row["people"]).items()
        if id_ == member_id
    ]


class ClubImports:
    """One row per import, and one per row of a file whose album was looked for."""

    declares = Declaration(
        tables=("club_imports", "club_import_rows"),
        member_rows=(
            MemberRows(
                "club_imports",
                exports=("id", "club_id", "member_id", "locale", "name", "state", "asked_at", "ended_at", "rounds"),
                withholds=("interaction_token_sealed", "file", "date_order", "people", "begun_at"),
                clears=("member_id", "interaction_token_sealed"),
            ),
        ),
        documents=(Documents("club_imports", _forget_in_people, _export_people),),
        sealed=(ANSWER,),
        omits=("club_imports.file", "club_imports.interaction_token_sealed"),
    )

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def ask(self, new: ClubImport) -> None:
        """Store a file until the curator says whether to import it, in place of what they were asked before."""

        def write(c: Connection) -> None:
            query = "DELETE FROM club_imports WHERE club_id = ? AND member_id = ? AND state = 'asked'"
            c.execute(query, (new.club_id, new.member_id))
            c.execute(
                "INSERT INTO club_imports (id, club_id, member_id, locale, name, file, date_order, people, asked_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.id,
                    new.club_id,
                    new.member_id,
                    new.locale,
                    new.name,
                    new.file,
                    new.date_order,
                    json.dumps(dict(new.people)),
                    to_seconds(new.asked_at),
                ),
            )

        await self._database.write(write)

    async def change(self, id_: RequestId, date_order: str | None, people: Mapping[str, MemberId]) -> bool:
        """Note how the file is to be read; False: it was started or cancelled before."""
        values = (date_order, json.dumps(dict(people)), id_)
        query = "UPDATE club_imports SET date_order = ?, people = ? WHERE id = ? AND state = 'asked'"
        return await self._database.write(lambda c: c.execute(query, values).rowcount == 1)

    async def cancel(self, id_: RequestId) -> bool:
        """Delete a file that was not started; False: it was, or is gone."""
        query = "DELETE FROM club_imports WHERE id = ? AND state = 'asked'"
        return await self._database.write(lambda c: c.execute(query, (id_,)).rowcount == 1)

    def begin_in(self, c: Connection, id_: RequestId, member_id: MemberId, token: str, now: datetime) -> bool:
        """Note that an import runs, and which message shows how far it is; False: it was answered before."""
        cursor = c.execute(
            "UPDATE club_imports SET state = 'running', begun_at = ?, interaction_token_sealed = ?"
            " WHERE id = ? AND state = 'asked'",
            (to_seconds(now), self._vault.seal(token, member_id, ANSWER), id_),
        )
        return cursor.rowcount == 1

    def end_in(self, c: Connection, id_: RequestId, state: ImportState, rounds: int, now: datetime) -> None:
        """Note that an import is over."""
        c.execute(
            "UPDATE club_imports SET state = ?, rounds = ?, ended_at = ?, interaction_token_sealed = NULL WHERE id = ?",
            (state, rounds, to_seconds(now), id_),
        )

    def get_in(self, c: Connection, id_: RequestId) -> ClubImport | None:
        """An import."""
        row = c.execute("SELECT * FROM club_imports WHERE id = ?", (id_,)).fetchone()
        return None if row is None else _import(row)

    async def get(self, id_: RequestId) -> ClubImport | None:
        """An import."""
        return await self._database.read(lambda c: self.get_in(c, id_))

    def answer_in(self, c: Connection, id_: RequestId, now: datetime, *, or_directly: bool = False) -> Answer | None:
        """The private message that shows how far an import is; None: it can be edited no more."""
        row = c.execute("SELECT * FROM club_imports WHERE id = ?", (id_,)).fetchone()
        if row is None or row["interaction_token_sealed"] is None:
            return None
        begun_at, member_id = to_moment(row["begun_at"]), MemberId(row["member_id"])
        if now - begun_at >= TOKEN_LIFE:
            return None
        token = self._vault.opened(row["interaction_token_sealed"], member_id, ANSWER)
        return None if token is None else Answer(member_id, token, begun_at, or_directly)

    async def of_club(self, club_id: ClubId) -> list[ClubImport]:
        """The imports of a club that run or have made rounds, the latest first; without their files."""
        query = (
            "SELECT id, club_id, member_id, locale, name, NULL AS file, date_order, people, state, asked_at, begun_at,"
            " ended_at, rounds FROM club_imports WHERE club_id = ? AND (state = 'running' OR state = 'done' AND rounds > 0)"
            " ORDER BY id DESC"
        )
        return await self._database.read(lambda c: [_import(row) for row in c.execute(query, (club_id,))])

    # -- albums

    async def found(self, id_: RequestId) -> dict[int, FoundAlbum]:
        """The albums of the rows that were looked for, by line."""
        return await self._database.read(lambda c: self.found_in(c, id_))

    def found_in(self, c: Connection, id_: RequestId) -> dict[int, FoundAlbum]:
        """The albums of the rows that were looked for, by line."""
        rows = c.execute("SELECT * FROM club_import_rows WHERE import_id = ?", (id_,))
        return {row["line"]: FoundAlbum(row["album_id"], row["why"]) for row in rows}

    async def note(self, id_: RequestId, found: Mapping[int, FoundAlbum]) -> None:
        """Note the albums of rows. Nothing where the import is gone or over."""
        values = [(line, one.album_id, one.why, id_) for line, one in found.items()]
        await self._database.write(
            lambda c: c.executemany(
                "INSERT INTO club_import_rows (import_id, line, album_id, why) SELECT id, ?, ?, ? FROM club_imports"
                " WHERE id = ? AND state = 'running' ON CONFLICT (import_id, line) DO NOTHING",
                values,
            ),
            key=id_,
            durable=False,
        )

    # -- rounds

    def lowest_in(self, c: Connection, club_id: ClubId) -> int:
        """The lowest number of a club's past rounds, 1 at most."""
        (lowest,) = c.execute("SELECT MIN(number) FROM club_rounds WHERE club_id = ?", (club_id,)).fetchone()
        return 1 if lowest is None else min(lowest, 1)

    def add_round_in(self, c: Connection, id_: RequestId, club_id: ClubId, round_: Round) -> None:
        """Store a past round of an import."""
        c.execute(
            "INSERT INTO club_rounds (club_id, number, state, import_id) VALUES (?, ?, ?, ?)",
            (club_id, round_.number, to_json(round_), id_),
        )

    async def albums_of(self, id_: RequestId) -> set[AlbumId]:
        """The albums that are past rounds by an import."""

        def read(c: Connection) -> set[AlbumId]:
            rows = c.execute("SELECT state FROM club_rounds WHERE import_id = ?", (id_,))
            return {album for row in rows if (album := from_json(Round, row["state"]).album_id) is not None}

        return await self._database.read(read)

    def remove_rounds_in(self, c: Connection, id_: RequestId) -> list[RoundNumber]:
        """Delete the rounds of an import with their ratings and themes, and nothing else; their numbers."""
        rows = c.execute("SELECT club_id, number FROM club_rounds WHERE import_id = ?", (id_,)).fetchall()
        places = [(row["club_id"], row["number"]) for row in rows]
        for table in ("ratings", "club_themes", "club_rounds"):
            c.executemany(f"DELETE FROM {table} WHERE club_id = ? AND number = ?", places)  # noqa: S608 - the names stand above
        return [RoundNumber(row["number"]) for row in rows]

    async def sweep(self, now: datetime) -> None:
        """Delete files that are of no use any more, and imports that nobody started."""
        before = to_seconds(now - FILE_KEPT)

        def write(c: Connection) -> None:
            c.execute("DELETE FROM club_imports WHERE state = 'asked' AND asked_at < ?", (before,))
            c.execute(
                "DELETE FROM club_import_rows WHERE import_id IN (SELECT id FROM club_imports WHERE ended_at < ?)",
                (before,),
            )
            c.execute(
                "UPDATE club_imports SET file = NULL, people = '{}' WHERE ended_at < ? AND file IS NOT NULL", (before,)
            )

        await self._database.write(write, key="club_imports", durable=False)


def _import(row: Row) -> ClubImport:
    def moment(column: str) -> datetime | None:
        return None if row[column] is None else to_moment(row[column])

    return ClubImport(
        RequestId(row["id"]),
        ClubId(row["club_id"]),
        row["member_id"],
        row["locale"],
        row["name"],
        row["file"],
        row["date_order"],
        {name: MemberId(id_) for name, id_ in json.loads(row["people"]).items()},
        ImportState(row["state"]),
        to_moment(row["asked_at"]),
        moment("begun_at"),
        moment("ended_at"),
        row["rounds"],
    )
