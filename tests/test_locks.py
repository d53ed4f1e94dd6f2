"""The lock files: every package has one version and its hashes, and they satisfy pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "requirements.lock": RUN,
    "requirements-demo.lock": [*RUN, *EXTRAS["sandbox"], *GROUPS["build"]],
    "requirements-dev.lock": [*RUN, *EXTRAS["sandbox"], *GROUPS["test"], *GROUPS["check"], *GROUPS["build"]],
    "requirements-build.lock": [*GROUPS["build"], *PROJECT["build-system"]["requires"]],
}
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)


def pinned(name: str) -> dict[str, tuple[str, int]]:
    """The version and the number of hashes of each package in a lock file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {
        canonicalize_name(entry["name"]): (entry["version"], entry["rest"].count("--hash=sha256:"))
        for entry in ENTRY.finditer(text)
    }


def test_every_lock_file_is_known_here() -> None:
    assert {path.name for path in ROOT.glob("requirements*.lock")} == set(LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_locked_with_its_hashes_and_without_an_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert [line for line in text.splitlines() if line.startswith("-")] == []
    assert [package for package, (_, hashes) in pinned(name).items() if not hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_the_locked_versions_satisfy_pyproject(name: str) -> None:
    found = pinned(name)
    for line in LOCKS[name]:
        requirement = Requirement(line)
        version, _ = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), line


def test_a_host_runs_the_versions_that_were_tested() -> None:
    tested = pinned("requirements-dev.lock")
    for name in LOCKS:
        assert {package: found for package, found in pinned(name).items() if tested[package][0] != found[0]} == {}
