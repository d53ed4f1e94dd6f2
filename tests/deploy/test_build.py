"""What the image and a host's folder are made of, built and run without a container engine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.image import context
from tests.process.harness import ROOT, Outside, until_said
from tests.world import ADA, FIRST

# Root writes where nobody may: without these capabilities it does not.
LIKE_ANYBODY: Sequence[str] = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner") if os.geteuid() == 0 else ()
)


def test_the_images_build_is_given_what_it_needs_and_no_secret() -> None:
    given = set(context())
    assert {"bot/cli.py", "migrations/migrations.py", "docs/privacy.md", "deploy/build.sh", "LICENSE"} <= given
    assert {"requirements.lock", "requirements-build.lock", "pyproject.toml", "README.md"} <= given
    folders = {name.split("/")[0] for name in given if "/" in name}
    assert folders == {"bot", "migrations", "docs", "deploy"}
    assert [
        name for name in given if re.search(r"(^|/)(\.env|secrets|keys|gatefold\.env)(/|$)|\.(db|keys)", name)
    ] == []


async def ran(command: Sequence[str], out: Outside) -> tuple[int | None, str]:
    """The exit status of a command and what it said, with the bot's settings."""
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | out.env, cwd=out.folder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_what_is_built_runs_from_a_tree_that_nobody_can_write_to(built: Path, out: Outside) -> None:
    status, _ = await ran([*LIKE_ANYBODY, "touch", str(built / "bin/x")], out)
    assert status != 0
    await out.link(ADA, "ada")
    process = await out.start(command=(*LIKE_ANYBODY, str(built / "bin/gatefold"), "run"), path="")
    assert "Saved" in await until_said(await out.save(FIRST), "library")
    # the image's health check, in the same place
    health = [*LIKE_ANYBODY, str(built / "bin/python"), "-m", "bot.admin.health"]
    assert await ran(health, out) == (0, "Everything works.\n")
    await process.terminate()


def test_the_build_wants_to_know_where(tmp_path: Path) -> None:
    for arguments in ([], [""], ["a", "b"], ["--help"], ["-h"]):
        done = subprocess.run(
            ["sh", str(ROOT / "deploy/build.sh"), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "Name the folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_build_refuses_what_does_not_match_its_hash(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deploy").mkdir(parents=True)
    shutil.copy2(ROOT / "deploy/build.sh", source / "deploy")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "hatchling-1.0-py3-none-any.whl"
    wheel.write_bytes(b"somebody else's")
    (source / "requirements-build.lock").write_text(f"hatchling==1.0 --hash=sha256:{'0' * 64}\n")
    done = subprocess.run(
        ["sh", str(source / "deploy/build.sh"), str(tmp_path / "prefix")],
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert list((tmp_path / "prefix").iterdir()) == []


def test_the_image_runs_as_nobody_in_particular_stops_by_sigterm_and_asks_after_itself() -> None:
    last = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", last, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .* CMD \["python", "-m", "bot\.admin\.health"\]$', last, re.MULTILINE)
    assert "pip" not in last
