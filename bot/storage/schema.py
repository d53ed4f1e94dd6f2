"""The schema's steps: which ones a database has, and applying those that it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from bot.storage import sqlite

if TYPE_CHECKING:
    from sqlite_utils import Database

SET = "gatefold"
"""The name under which sqlite-utils notes our steps."""
PLACES = ("bot.migrations.migrations", "migrations.migrations")
"""Where the steps are: in the wheel, and in the repository."""


class Step(Protocol):
    """A function that changes the schema inside a transaction. Its name is noted in the database."""

    __name__: str

    def __call__(self, db: Database, /) -> None: ...


class Steps(Struct, frozen=True):
    """Names of steps. `pending`: ours, not applied yet; `unknown`: applied by a newer Gatefold."""

    applied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def load_steps() -> Sequence[Step]:
    """The steps of this version, the first one first."""
    in_wheel, in_repository = PLACES
    try:
        module = import_module(in_wheel)
    except ModuleNotFoundError as error:
        if error.name is None or not in_wheel.startswith(error.name):
            raise
        module = import_module(in_repository)
    steps: Sequence[Step] = module.STEPS
    return steps


def steps_in(c: sqlite.Connection, ours: Sequence[Step] | None = None) -> Steps:
    """The steps of an open database. `ours`: this version's, unless others are given."""
    known = [step.__name__ for step in (load_steps() if ours is None else ours)]
    applied: list[str] = []
    if sqlite.has_table(c, "_sqlite_migrations"):
        found = c.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (SET,))
        applied = [name for (name,) in found]
    return Steps(
        tuple(applied),
        tuple(name for name in known if name not in applied),
        tuple(name for name in applied if name not in known),
    )


def apply(c: sqlite.Connection, steps: Sequence[Step]) -> None:
    """Apply those steps that are pending. Commits nothing: it joins the caller's transaction."""
    # Only here, since most starts have nothing to apply and it takes 4 MiB and a tenth of a second to load.
    from sqlite_utils import Database, Migrations

    migrations = Migrations(SET)
    for step in steps:
        migrations()(step)
    migrations.apply(Database(c))
