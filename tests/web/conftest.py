"""The site and a browser before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.stage import Browser, Stage, raised


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with raised(tmp_path) as stage:
        yield stage


@pytest.fixture
async def https(tmp_path: Path) -> AsyncIterator[Stage]:
    """The same behind a proxy that speaks https, and serves it below a path."""
    async with raised(tmp_path, public_url="https://music.example.org/gatefold") as stage:
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    """The browser of the member who asks."""
    async with stage.browser() as browser:
        yield browser


@pytest.fixture
async def other(stage: Stage) -> AsyncIterator[Browser]:
    """Somebody else's browser."""
    async with stage.browser() as browser:
        yield browser
