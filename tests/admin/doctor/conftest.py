"""A machine on which everything is as it should be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.doctor.stage import Practice
from tests.world import World, made


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    """Everything is in order, and no bot runs."""
    async with made(tmp_path / "data") as world:
        world.discord.redirect_uris = [world.settings.redirect_to_discord]
        yield Practice(world)
        # nothing was changed at the platforms, and nobody's refresh token was touched
        assert world.discord.problems == []
        assert [token for token in world.spotify.refresh_tokens.values() if token.revoked] == []


@pytest.fixture
async def world_gone(tmp_path: Path) -> World:
    """Both platforms' addresses, with nobody there any more."""
    async with made(tmp_path / "gone") as world:
        pass
    return world
