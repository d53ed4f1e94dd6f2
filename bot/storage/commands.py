"""Which commands are registered at Discord, so that they are registered again only when they changed."""

from __future__ import annotations

import json
from typing import NamedTuple

from msgspec import Struct

from bot.storage.declarations import Declaration
from bot.storage.engine import Connection, Engine

EVERYWHERE = 0
"""The guild id under which commands that are registered everywhere are kept."""


class CommandKey(NamedTuple):
    """What tells commands apart: a slash command and a message command may share a name."""

    type: int
    name: str


class Registered(Struct, frozen=True):
    """`fingerprint`: of what was registered; `ids`: the commands' ids."""

    fingerprint: str
    ids: dict[CommandKey, int]


class RegisteredCommands:
    """One row a place."""

    declares = Declaration(tables=("registered_commands",), guild_rows=("registered_commands",))

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def get(self, application_id: int) -> dict[int, Registered]:
        """What is registered, by guild id."""

        def read(c: Connection) -> dict[int, Registered]:
            rows = c.execute("SELECT * FROM registered_commands WHERE application_id = ?", (application_id,))
            return {row["guild_id"]: Registered(row["fingerprint"], _read(row["ids"])) for row in rows}

        return await self._database.read(read)

    async def put(self, application_id: int, guild_id: int, registered: Registered) -> None:
        """Remember what is registered in this place."""
        values = (application_id, guild_id, registered.fingerprint, _written(registered.ids))
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO registered_commands (application_id, guild_id, fingerprint, ids) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (application_id, guild_id)"
                " DO UPDATE SET fingerprint = excluded.fingerprint, ids = excluded.ids",
                values,
            )
        )

    async def delete(self, application_id: int, guild_id: int) -> None:
        """Nothing is registered in this place any more."""
        await self._database.write(
            lambda c: c.execute(
                "DELETE FROM registered_commands WHERE application_id = ? AND guild_id = ?",
                (application_id, guild_id),
            )
        )


def _written(ids: dict[CommandKey, int]) -> str:
    return json.dumps([[*key, id_] for key, id_ in ids.items()])


def _read(text: str) -> dict[CommandKey, int]:
    return {CommandKey(type_, name): id_ for type_, name, id_ in json.loads(text)}
