"""`.ci/release` and the workflow that calls it. Nobody can run the workflow here, so its steps are run one by one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import NO_NETWORK
from tests.process.harness import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
TAG = f"v{VERSION}"
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


class Runner:
    """A machine with stand-ins for docker and gh."""

    def __init__(self, stage: Path) -> None:
        self.stage = stage
        for name in ("docker", "gh"):
            program = stage / name
            shims = ROOT / "tests/deploy/release_shims.py"
            program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {shims} {name} "$@"\n')
            program.chmod(0o755)

    def run(self, *arguments: str, status: int = 0, **env: str) -> str:
        """What a step says; AssertionError if it ends otherwise."""
        kept = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_TOKEN", "_KEYS"))}
        path = f"{self.stage}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(ROOT / ".ci/release"), *arguments],
            env=kept | {"PATH": path, "STAGE": str(self.stage), "PYTHON": sys.executable} | env,
            cwd=self.stage,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def calls(self) -> list[list[str]]:
        file = self.stage / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_wrong_use_lists_the_steps(runner: Runner) -> None:
    for arguments in ((), ("check",), ("publish", TAG), ("nope", "x"), ("try", "a", "b")):
        assert ".ci/release wheel FOLDER" in runner.run(*arguments, status=2)


def test_the_tag_must_be_the_version_and_have_a_section_in_the_changelog(runner: Runner) -> None:
    runner.run("check", TAG)
    assert f"pyproject.toml says version {VERSION}" in runner.run("check", "v99.0.0", status=1)
    assert VERSION in runner.run("check", VERSION, status=1)


def test_the_notes_are_the_section_of_that_version_alone(runner: Runner) -> None:
    notes = runner.run("notes", TAG)
    assert notes.strip()
    assert "\n## " not in notes
    assert runner.run("notes", "v99.0.0") == ""


def test_an_image_that_works_passes_and_leaves_no_container(runner: Runner) -> None:
    assert runner.run("try", "gatefold:try") == "gatefold:try works.\n"
    assert (runner.stage / "status").read_text() == "0"
    assert runner.calls()[-1][:3] == ["docker", "rm", "--force"]


def test_an_image_of_another_version_fails(runner: Runner, tmp_path: Path) -> None:
    other = tmp_path / "modules/other"
    other.mkdir(parents=True)
    (other / "__main__.py").write_text("print('gatefold, version 0.0.0')")
    said = runner.run("try", "gatefold:try", status=1, BOT_MODULE="other", PYTHONPATH=str(other.parent))
    assert f"is not version {VERSION}" in said


def test_the_image_is_pushed_for_both_architectures_under_its_version(runner: Runner) -> None:
    runner.run("push", "ghcr.io/Owner/Gatefold", TAG)
    [build] = [call for call in runner.calls() if call[:3] == ["docker", "buildx", "build"]]
    assert build[build.index("--platform") + 1] == "linux/amd64,linux/arm64"
    assert build[build.index("--tag") + 1] == f"ghcr.io/owner/gatefold:{VERSION}"
    assert runner.run("name", "ghcr.io/Owner/Gatefold", TAG) == f"ghcr.io/owner/gatefold:{VERSION}\n"


def test_the_wheel_is_built_and_published_with_the_notes(runner: Runner, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    try:
        runner.run("wheel", str(dist))
    except AssertionError as error:
        if any(words in str(error) for words in NO_NETWORK):
            pytest.skip("NOT RUN: the wheel, because no package index can be reached")
        raise
    [wheel] = dist.glob("*.whl")
    assert f"gatefold-{VERSION}.dist-info/METADATA" in zipfile.ZipFile(wheel).namelist()
    assert wheel.name in (dist / "SHA256SUMS").read_text()
    runner.run("publish", TAG, str(dist))
    assert (runner.stage / "notes").read_text() == runner.run("notes", TAG)
    published = runner.calls()[-1]
    assert published[:4] == ["gh", "release", "create", TAG]
    assert str(wheel) in published


# -- the workflow


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(WORKFLOW)["jobs"][job]["steps"]
    return found


def test_the_workflow_calls_only_scripts_that_are_there_with_steps_that_they_know() -> None:
    commands = "\n".join(step["run"] for job in ("checks", "release") for step in steps(job) if "run" in step)
    called = re.findall(r"\.ci/(\S+)(?: (\w+))?", commands)
    known = re.findall(r"^(\w+)\(\) ", (ROOT / ".ci/release").read_text(), re.MULTILINE)
    assert ("run", "") in called
    assert {step for script, step in called if script == "release"} == {
        *("check", "wheel", "try", "push", "name", "publish"),
    }
    for script, step in called:
        assert os.access(ROOT / ".ci" / script, os.X_OK), script
        assert not step or step in known, step


def test_a_release_needs_the_checks_and_a_tag_and_nothing_more_than_it_uses() -> None:
    workflow = yaml.safe_load(WORKFLOW)
    release = workflow["jobs"]["release"]
    assert workflow["permissions"] == {}
    assert release["needs"] == "checks"
    assert release["if"] == "github.ref_type == 'tag'"
    assert release["permissions"] == {"contents": "write", "packages": "write"}


def test_actions_are_pinned_to_a_commit_and_keep_no_credentials() -> None:
    used = [step for job in ("checks", "release") for step in steps(job) if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", step["uses"])
        assert step["with"]["persist-credentials"] is False


def test_nothing_that_others_can_choose_is_put_into_a_command() -> None:
    for job in ("checks", "release"):
        for step in steps(job):
            assert "${{" not in step.get("run", "")


def test_hosting_names_the_image_of_this_version() -> None:
    text = (ROOT / "docs/hosting.md").read_text(encoding="utf-8")
    assert set(re.findall(r"gatefold:([0-9][0-9.]*[0-9])", text)) == {VERSION}


def test_compose_takes_the_image_of_this_version() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["gatefold"]
    assert service["image"] == f"${{GATEFOLD_IMAGE:-gatefold:{VERSION}}}"
