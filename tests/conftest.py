"""What every test of whole stories shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The real bot, running, between both platforms; Discord must have nothing to object to at the end."""
    async with made(tmp_path) as world, world.running():
        yield world
        assert world.discord.problems == []
        assert world.discord.unknown == []
