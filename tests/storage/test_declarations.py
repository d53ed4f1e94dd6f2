"""What stores declare: nothing about a member is left out of a deletion or an export, and no secret leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId, RequestId
from bot.storage import Storage, open_storage
from bot.storage.declarations import Declaration, lasting_columns, omit, sealed_columns
from bot.storage.engine import Connection
from bot.storage.imports import Import
from bot.storage.outbox import Answer, Message
from bot.storage.stores import DECLARED
from bot.storage.watches import Answers, Post
from tests.callers import caller
from tests.storage import clubs
from tests.storage.rows import ADA, BEN, KEY, X, ask, at, execute, link, put, rows

NO_MEMBER = {
    ("change_requests", "undone_by"),  # the id of a request
    ("spotify_apps", "closed_by"),  # what closed the gate
}
"""Columns whose names end like those of members, and that hold none."""
MEMBER_ENDINGS = ("member_id", "_by")
"""How the columns end that hold a member's id: new ones must be named so."""


def schema(c: Connection) -> dict[str, list[str]]:
    """The columns of all our tables."""
    listed = [row["name"] for row in c.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = [name for name in listed if not name.startswith(("sqlite_", "_sqlite"))]
    return {table: [row["name"] for row in c.execute(f"PRAGMA table_xinfo({table})")] for table in tables}


def problems(tables: dict[str, list[str]], declared: Sequence[Declaration]) -> list[str]:
    """What is in the schema and no store declares, or the other way round."""
    found = []
    owned = [table for each in declared for table in each.tables]
    found += [f"{table}: declared by nobody" for table in tables.keys() - owned]
    found += [f"{table}: not in the schema" for table in set(owned) - tables.keys()]
    found += [f"{table}: declared twice" for table in set(owned) if owned.count(table) > 1]
    member_rows = [rows for each in declared for rows in each.member_rows]
    guild_rows = {table for each in declared for table in each.guild_rows}
    for table, columns in tables.items():
        ours = [rows for rows in member_rows if rows.table == table]
        known = {rows.member for rows in ours}
        found += [
            f"{table}.{column}: holds a member's id, and nobody declares it"
            for column in columns
            if column.endswith(MEMBER_ENDINGS) and column not in known and (table, column) not in NO_MEMBER
        ]
        if "guild_id" in columns and table not in guild_rows:
            found.append(f"{table}.guild_id: would stay when the server is forgotten")
        for each in ours:
            opened = {sealed.column for sealed in each.opens}
            named = [*each.exports, *each.withholds, *opened]
            found += [f"{table}.{column}: neither exported nor withheld" for column in set(columns) - set(named)]
            found += [f"{table}.{column}: not in the schema" for column in set(named) - set(columns)]
            found += [f"{table}.{column}: named twice" for column in set(named) if named.count(column) > 1]
            found += [f"{table}.{column}: exported sealed" for column in each.exports if column.endswith("_sealed")]
            found += [
                f"{table}.{column}: exported, although another member's id"
                for column in each.exports
                if column.endswith(MEMBER_ENDINGS) and column != each.member and (table, column) not in NO_MEMBER
            ]
    sealed = {(each.table, each.column) for each in sealed_columns(declared)}
    blobs = {(table, column) for table, columns in tables.items() for column in columns if column.endswith("_sealed")}
    found += [f"{table}.{column}: sealed, and nobody declares it" for table, column in blobs - sealed]
    return sorted(found)


async def test_every_table_and_every_column_with_a_members_id_is_declared(storage: Storage) -> None:
    assert problems(await storage.database.read(schema), DECLARED) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)", ["notes: declared by nobody"]),
        (
            "ALTER TABLE registered_commands ADD COLUMN changed_by INTEGER",
            ["registered_commands.changed_by: holds a member's id, and nobody declares it"],
        ),
        ("ALTER TABLE links ADD COLUMN country TEXT", ["links.country: neither exported nor withheld"]),
        (
            "ALTER TABLE alerts ADD COLUMN word_sealed BLOB",
            ["alerts.word_sealed: sealed, and nobody declares it"],
        ),
        (
            "ALTER TABLE alerts ADD COLUMN guild_id INTEGER",
            ["alerts.guild_id: would stay when the server is forgotten"],
        ),
        ("DROP TABLE timers", ["timers: not in the schema"]),
    ],
)
async def test_what_nobody_declares_is_found(statement: str, says: list[str], storage: Storage) -> None:
    await execute(storage, statement)
    assert problems(await storage.database.read(schema), DECLARED) == says


# -- deletion and export


OUTLIVING = {"crate_entries", "clubs", "club_rounds", "ratings", "curator_log", "club_imports"}
"""Tables whose rows stay without the member's name: a club's history stays right."""


async def filled(storage: Storage, member: MemberId) -> None:
    """A row of this member in every table that may hold one."""
    own = link(member, f"acc-{member}", client_id=f"app of {member}", is_own_app=True)
    await put(storage, own, access=f"BQ-{member}", refresh=f"AQ-{member}")
    await storage.apps.set_endpoint(own.client_id, "library", member)
    await storage.seats.ask(caller(member), f"Name of {member}", f"{member}@example.org", at(), lambda c: None)
    await ask(storage, int(member) * 4, X, member=member, token=f"answer-token-{member}")
    await storage.attempts.begin(b"attempt %d" % member, caller(member, token=f"link-token-{member}"), at())
    await storage.attempts.add_state(
        b"state %d" % member, b"attempt %d" % member, b"c", "discord", "link", at(), "A name"
    )
    message = Message("greeting", str(member), Answer(member, f"outbox-token-{member}", at()), {"to": str(member)})
    await storage.outbox.add(message, at())
    await storage.preferences.set_named(member, f"Name of {member}")
    await storage.timers.set("consent reminder", str(member), at() + timedelta(days=170))
    read = Import(RequestId(int(member) * 5), member, "en-US", at(), (), 0, (), 0, {})
    await storage.imports.ask(read)
    await clubs.of_member(storage, member)
    await storage.crates.add(
        GuildId(1), None, AlbumId("4aawyAB9vmqN3uQ7FjRG" + chr(65 + member % 20) * 2), member, "why not", at()
    )
    album = AlbumId("5aawyAB9vmqN3uQ7FjRG" + chr(65 + member % 20) * 2)
    await storage.watches.turn_on(GuildId(1), 7, None, Answers.CARD, None, at())
    await storage.watches.take(Post(7, int(member) * 6, member, [album], at()), at())
    await storage.crates.keep(GuildId(1), AlbumId("4aawyAB9vmqN3uQ7FjRG" + chr(65 + member % 20) * 2), member, at())


async def naming(storage: Storage, member: MemberId) -> set[str]:
    """The tables with a row that holds this member's id, in whatever column."""
    tables = await storage.database.read(schema)
    return {
        table
        for table in tables
        for row in await rows(storage, table)
        for value in row.values()
        if str(member) in str(value)
    }


async def test_forgetting_a_member_leaves_no_row_that_names_them_and_no_other_members_row_changes(
    storage: Storage,
) -> None:
    for member in (ADA, BEN):
        await filled(storage, member)
    declared = {each.table for declaration in DECLARED for each in declaration.member_rows + declaration.documents}
    assert declared <= await naming(storage, ADA), "let filled() fill the new tables, too"
    tables = await storage.database.read(schema)
    before = {table: await rows(storage, table) for table in tables}
    counts = await storage.forget(ADA)
    assert counts.keys() == declared
    assert counts["links"] == len([row for row in before["links"] if row["member_id"] == ADA]) == 1
    assert await naming(storage, ADA) == set()
    for table, old in before.items():
        if table in OUTLIVING:
            assert len(await rows(storage, table)) == len(old), table
            continue
        of_others = [row for row in old if str(ADA) not in str(row) and b"state %d" % ADA not in row.values()]
        assert await rows(storage, table) == of_others, table
    assert await storage.forget(ADA) == {}


async def test_who_forgets_a_member_is_told_how_many_rows_that_concerned_by_table(storage: Storage) -> None:
    for member in (ADA, BEN):
        await filled(storage, member)
    tables = await storage.database.read(schema)
    before = {table: await rows(storage, table) for table in tables}
    counts = await storage.forget(ADA)
    concerned = {}
    for table in counts:
        after = await rows(storage, table)
        concerned[table] = len([row for row in before[table] if row not in after])
    # who started a club, and an import, is named in its JSON as well: that row counts twice
    assert counts == concerned | {"clubs": 2, "club_imports": 2}


async def test_an_export_holds_every_row_of_the_member_no_secret_and_nothing_of_others(storage: Storage) -> None:
    for member in (ADA, BEN):
        await filled(storage, member)
    exported = await storage.export(ADA)
    text = json.dumps(exported)  # values that JSON knows
    declared = {each.table for declaration in DECLARED for each in declaration.member_rows + declaration.documents}
    assert exported.keys() == declared
    for secret in ("BQ-", "AQ-", "answer-token", "link-token", "outbox-token", "sealed", str(BEN)):
        assert secret not in text
    (of_link,) = exported["links"]
    assert of_link["member_id"] == str(ADA)  # JavaScript would round a number
    assert of_link["linked_at"] == at().isoformat()
    (change,) = exported["library_changes"]
    assert change["album_id"] == X
    assert change["position"] == 0
    (request,) = exported["change_requests"]
    assert request["id"] == change["request_id"] == str(int(ADA) * 4)


async def test_what_is_sealed_of_the_member_is_exported_opened_and_what_was_erased_as_nothing(storage: Storage) -> None:
    await filled(storage, ADA)
    await execute(storage, "UPDATE seat_requests SET email_sealed = NULL")
    exported = await storage.export(ADA)
    (of_seat,) = exported["seat_requests"]
    assert (of_seat["name"], of_seat["email"]) == (f"Name of {ADA}", None)
    (of_ballot,) = exported["ballots"]
    assert json.loads(of_ballot["ballot"]) == [clubs.X, clubs.Y]


async def test_of_a_member_who_is_not_known_nothing_is_exported(storage: Storage) -> None:
    await filled(storage, BEN)
    assert await storage.export(ADA) == {}


# -- keys and backups


async def test_a_table_that_an_older_database_has_not_yet_keeps_nothing_else_in_a_backup(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await storage.attempts.begin(b"attempt", caller(ADA), at())
    await ask(storage, 1, X)
    declared = [
        Declaration((), omits=("of_later", "of_later.word", "change_requests.interaction_token_sealed")),
        Declaration((), omits=("link_attempts",)),
    ]
    await storage.database.write(lambda c: omit(c, declared, ("change_requests", "link_attempts").__contains__))
    assert await rows(storage, "link_attempts") == []
    assert [row["interaction_token_sealed"] for row in await rows(storage, "change_requests")] == [None]
    await storage.close()


def test_a_key_must_stay_only_for_what_lasts_longer_than_minutes() -> None:
    lasting: set[Any] = {(each.table, each.column) for each in lasting_columns(DECLARED)}
    assert {("links", "access_sealed"), ("links", "refresh_sealed")} <= lasting
    assert not {table for table, _ in lasting} & {"link_attempts", "change_requests", "key_check"}
    assert sealed_columns(DECLARED)[-1].table == "key_check"
