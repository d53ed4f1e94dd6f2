"""What every test of whole stories shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, made

SLOW = (
    "admin/test_setup_terminal.py",
    "bench",
    "club",
    "curation/test_seasons.py",
    "deploy/test_build.py",
    "faults",
    "pages",
    "process",
    "security/test_floods.py",
    "security/test_fuzzed_buttons.py",
    "security/test_fuzzed_site.py",
    "security/test_nothing_leaks.py",
    "test_docs_commands.py",
    "test_importing.py",
    "text/test_every_command.py",
)
"""Folders and files whose tests start processes, kill them, wait for real time, or try very much."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests by where they are, and give them more time."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The real bot, running, between both platforms; Discord must have nothing to object to at the end."""
    async with made(tmp_path) as world, world.running():
        yield world
        assert world.discord.problems == []
        assert world.discord.unknown == []
