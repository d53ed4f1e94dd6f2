"""The stores on each engine: SQLite, in a folder of its own, is the only one today."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.storage import Storage, open_storage
from tests.storage.keys_of_jobs import Jobs
from tests.storage.portable import full_scans, listening, problem
from tests.storage.rows import KEY

ENGINES = ("sqlite",)
SQLITES_OWN = {"test_database", "test_maintenance", "test_declarations", "test_keys"}
"""Tests of what only SQLite does; all others hold for every engine."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the stores on every engine."""
    if "storage" in metafunc.fixturenames:
        is_own = metafunc.module.__name__.rpartition(".")[2] in SQLITES_OWN
        metafunc.parametrize("storage", ENGINES[:1] if is_own else ENGINES, indirect=True)


@pytest.fixture
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """Storage on the engine of the parameter. Its statements must be portable and read no growing table whole."""
    assert request.param == "sqlite"
    executed: set[str] = set()
    jobs = Jobs()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], listening(executed, jobs))
    yield storage
    await storage.close()
    assert {sql: found for sql in executed if (found := problem(sql)) is not None} == {}
    assert full_scans(tmp_path / "gatefold.db", executed) == {}
    assert jobs.without_key() == []
