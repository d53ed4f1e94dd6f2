"""Every command in the documents is run, or says why not.

A block that begins with ```sh is run in a copy of the repository that is thrown away, in order with the others of its
file, as `sh -eu`. Each section begins with a `.env` that is filled in. Discord and Spotify are the stand-ins; docker,
systemctl and the like are those of tests/shims.py, which start the real bot. A block that cannot be run has the line
`<!-- not run: the reason -->` before it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.process.harness import ROOT, Outside, outside
from tests.world import ADA, KEY

PAPERS = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]
WITH_COMMANDS = ["README.md", "docs/hosting.md", "docs/operations.md", "docs/performance.md"]
FROM_NOTHING = {"README.md", "docs/hosting.md"}
"""There the key and the database are not made yet."""
BLOCK_S = 60.0
NOT_RUN = re.compile(r"<!-- not run: (\S.{9,}) -->")

# In place of deploy/build.sh, which tests/deploy/test_build.py runs: this Python and this repository.
BUILD = """#!/bin/sh
set -eu
[ "$#" -eq 1 ]
mkdir -p "$1/bin"
cp "$SHIMS_STAGE/bin/gatefold" "$1/bin/gatefold"
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a document. `reason`: why they are not run, if they are not."""

    line: int
    section: str
    text: str
    reason: str | None


def blocks(text: str) -> list[Block]:
    """The blocks of commands, in order."""
    found: list[Block] = []
    section, before = "", ""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if line.startswith("## "):
            section = line
        if line.lstrip().startswith("```"):
            inner: list[str] = []
            for _, inside in lines:
                if inside.strip() == "```":
                    break
                inner.append(inside)
            if line.strip() == "```sh":
                reason = NOT_RUN.fullmatch(before)
                found.append(Block(number, section, dedent("\n".join(inner)), reason and reason[1]))
        if line:
            before = line.strip()
    return found


def text_of(paper: str) -> str:
    return (ROOT / paper).read_text(encoding="utf-8")


class Machine:
    """A throw-away copy of the repository and stand-ins for the system around it."""

    def __init__(self, out: Outside, stage: Path, *, from_nothing: bool) -> None:
        self._out = out
        self._stage = stage
        self._from_nothing = from_nothing
        self.clone = out.folder
        self.env = {
            "PATH": f"{stage / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(stage / "home"),
            "SHIMS_STAGE": str(stage),
            "UNIT": str(stage / "machine/etc/systemd/system/gatefold.service"),
        }
        for place in ("bin", "home", "machine/etc/systemd/system", "machine/opt", "machine/mnt/usb", "machine/var/lib"):
            (stage / place).mkdir(parents=True)
        self._program("gatefold", f"{sys.executable} -m bot")
        self._program("sudo", "")
        for name in ("apt-get", "docker", "git", "journalctl", "make", "systemctl", "systemd-run"):
            self._program(name, f"{sys.executable} {ROOT / 'tests/shims.py'} {name}")
        for name in ("deploy", "compose.yaml", "Dockerfile", ".env.example", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, self.clone / name)
        (self.clone / "deploy/build.sh").write_text(BUILD)

    def _program(self, name: str, what: str) -> None:
        file = self._stage / "bin" / name
        file.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {what} "$@"\n')
        file.chmod(0o755)

    def fill_in(self) -> None:
        """A `.env` as a host has it when a section begins, and nothing that runs."""
        env = self._out.env | {"DATABASE_PATH": "data/gatefold.db", "TOKEN_KEYS_FILE": "keys/gatefold.keys"}
        del env["TOKEN_KEYS"]
        if self._from_nothing:
            del env["DATABASE_PATH"], env["TOKEN_KEYS_FILE"]
        else:
            keys = self.clone / "keys/gatefold.keys"
            keys.parent.mkdir(mode=0o700, exist_ok=True)
            keys.write_text(KEY)
            keys.chmod(0o600)
        (self.clone / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
        (self.clone / ".env").chmod(0o600)

    async def run(self, text: str) -> None:
        """Run a block; AssertionError with what it said when a command of it fails."""
        text = re.sub(r"(?<![\w./$-])/(?=(etc|opt|var/lib|mnt)/)", f"{self._stage / 'machine'}/", text)
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-euxc",
            text,
            cwd=self.clone,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), BLOCK_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"still running after {BLOCK_S} s:\n{text}") from None
        assert process.returncode == 0, said.decode()
        assert "Traceback" not in said.decode(), said.decode()
        for secret in self._out.secrets():
            assert secret not in said.decode(), text

    async def leave(self) -> None:
        """End what still runs; it must have had nothing to complain of."""
        if (self._stage / "pid").exists():
            await self.run("systemctl stop gatefold")
        log = self._stage / "log"
        assert not log.exists() or "Traceback" not in log.read_text()

    def calls(self) -> list[list[str]]:
        """What the stand-ins were asked for."""
        file = self._stage / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_these_documents_have_commands_and_no_others() -> None:
    """So that none is left out below, or has nothing more that could fail."""
    assert [paper for paper in PAPERS if any(block.reason is None for block in blocks(text_of(paper)))] == WITH_COMMANDS


@pytest.mark.parametrize("paper", WITH_COMMANDS)
async def test_every_command_of_a_document_works_as_it_stands_there(paper: str, tmp_path: Path) -> None:
    todo = [block for block in blocks(text_of(paper)) if block.reason is None]
    async with outside(tmp_path / "clone") as out:
        machine = Machine(out, tmp_path / "stage", from_nothing=paper in FROM_NOTHING)
        if paper not in FROM_NOTHING:
            await out.link(ADA, "ada")
        section = None
        try:
            for block in todo:
                if block.section != section:
                    await machine.leave()
                    machine.fill_in()
                    section = block.section
                try:
                    await machine.run(block.text)
                except AssertionError as error:
                    raise AssertionError(f"{paper}, line {block.line}: {error}") from None
        finally:
            await machine.leave()
        if paper == "docs/hosting.md":
            starts = (["start", "gatefold"], ["compose", "up", "-d"], ["compose", "--profile", "caddy", "up", "-d"])
            started = [call for call in machine.calls() if call[1:] in starts]
            assert len(started) == 6, (
                "in containers with Caddy and without, and both ways after a restore and an update"
            )


@pytest.mark.parametrize("paper", PAPERS)
def test_every_block_of_commands_is_run_or_says_why_not(paper: str) -> None:
    text = text_of(paper)
    assert len(blocks(text)) == len(re.findall(r"^\s*```sh", text, re.MULTILINE))
    # another word behind the fence would hide a block from this test
    assert re.findall(r"^\s*(?:```|~~~)(?:bash|shell|console|zsh|shell-session|sh[ \t].*)$", text, re.MULTILINE) == []
    reasons = text.count("<!-- not run:")
    assert reasons == sum(block.reason is not None for block in blocks(text)), "a reason stands before no block"


def test_a_block_is_found_with_its_section_and_its_reason() -> None:
    text = (
        "## A\n```sh\na\n```\n\n<!-- not run: it needs a moon -->\n\n```sh\nb\n```\n"
        "```\n```sh\n```\n## B\n1. x\n   ```sh\n   c\n   ```\n"
    )
    found = [(block.section, block.text, block.reason) for block in blocks(text)]
    assert found == [("## A", "a", None), ("## A", "b", "it needs a moon"), ("## B", "c", None)]
