"""Where the schema's steps come from, and which ones a database has."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils

import bot
from bot.storage.schema import Steps, apply, load_steps, steps_in


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module that an installed wheel has its steps in; the repository has none."""
    module = tmp_path / "migrations" / "migrations.py"
    module.parent.mkdir()
    (module.parent / "__init__.py").touch()
    monkeypatch.setattr(bot, "__path__", [*bot.__path__, str(tmp_path)])
    yield module
    for name in ("bot.migrations.migrations", "bot.migrations"):
        sys.modules.pop(name, None)
    vars(bot).pop("migrations", None)


def test_the_steps_of_a_repository_are_numbered_without_a_gap() -> None:
    assert [step.__name__[:4] for step in load_steps()] == [
        f"m{number:03}" for number in range(1, len(load_steps()) + 1)
    ]


def test_the_steps_of_a_wheel_are_found_in_it(wheel: Path) -> None:
    wheel.write_text("def m001_other(db): pass\nSTEPS = [m001_other]\n")
    assert [step.__name__ for step in load_steps()] == ["m001_other"]


@pytest.mark.parametrize(
    "lacking", ["import a_library_that_is_missing", "raise ModuleNotFoundError('a_library_that_is_missing')"]
)
def test_a_library_that_the_steps_of_a_wheel_lack_is_told(lacking: str, wheel: Path) -> None:
    wheel.write_text(f"{lacking}\n")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        load_steps()


def test_steps_are_applied_once_each_and_those_that_nobody_here_knows_are_told_apart() -> None:
    def m001_one(db: sqlite_utils.Database) -> None:
        db.conn.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")

    def m002_two(db: sqlite_utils.Database) -> None:
        db.conn.execute("CREATE TABLE two (id INTEGER PRIMARY KEY)")

    with closing(sqlite3.connect(":memory:")) as c:
        assert steps_in(c, [m001_one, m002_two]) == Steps(pending=("m001_one", "m002_two"))
        apply(c, [m001_one])
        assert steps_in(c, [m001_one, m002_two]) == Steps(applied=("m001_one",), pending=("m002_two",))
        apply(c, [m001_one, m002_two])
        assert steps_in(c, [m001_one]) == Steps(applied=("m001_one", "m002_two"), unknown=("m002_two",))
        assert steps_in(c, []).unknown == ("m001_one", "m002_two")
