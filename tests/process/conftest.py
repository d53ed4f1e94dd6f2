"""The outside of a real process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process.harness import Outside, outside


@pytest.fixture
async def out(tmp_path: Path) -> AsyncIterator[Outside]:
    """Both platforms, running. At the end Discord objects to nothing, and no process wrote a secret."""
    async with outside(tmp_path) as out:
        yield out
        assert out.discord.problems == []
        assert out.discord.unknown == []
        for process in out.started:
            assert [secret for secret in out.secrets() if secret in process.stderr] == []
