"""What the tests of the library share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.library.stage import Stage, made


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with made(tmp_path) as stage:
        yield stage
