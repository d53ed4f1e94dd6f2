"""The outside of a real process, and a prefix that was built as a host and the image build it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deploy.image import context
from tests.process.harness import ROOT, Outside, outside

NO_NETWORK = (
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Name or service not known",
)


@pytest.fixture
async def out(tmp_path: Path) -> AsyncIterator[Outside]:
    """Both platforms, running."""
    async with outside(tmp_path) as out:
        yield out
        for process in out.started:
            assert [secret for secret in out.secrets() if secret in process.stderr] == []


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix made by deploy/build.sh from what the image's build is given, and closed to writing."""
    source = tmp_path_factory.mktemp("context")
    for name in context():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    prefix = tmp_path_factory.mktemp("prefix") / "gatefold"
    done = subprocess.run(
        ["sh", str(source / "deploy/build.sh"), str(prefix)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        # Half of the time would go into compiling what these tests never import.
        env=os.environ | {"PIP_NO_COMPILE": "1"},
    )
    if done.returncode and any(words in done.stderr for words in NO_NETWORK):
        pytest.skip("NOT RUN: deploy/build.sh, because no package index can be reached")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gatefold, version ")
    subprocess.run(["chmod", "-R", "a-w", str(prefix)], check=True)
    return prefix
