"""Looks at the lock files: that they are what pip can verify, and that nothing in them is known to be vulnerable.

The first needs nothing but the files. The second asks OSV (https://osv.dev), or a database that was downloaded for
osv-scanner (OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY), which needs no network. With neither it says so, and that is no
failure: a check that fails without a network teaches people to skip it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

OSV = "https://api.osv.dev/v1/querybatch"  # https://google.github.io/osv.dev/post-v1-querybatch/
TIMEOUT_S = 15.0
LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("sandbox", "test", "check", "build"),
    "requirements-bench.lock": ("bench",),
    "requirements-build.lock": ("build",),
}
"""Which parts of pyproject.toml each one locks; all but the last lock the dependencies, too."""
ACCEPTED: Mapping[str, str] = {}
"""Advisories that do not concern us: id, and why."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """One locked package."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]


class NotAudited(Exception):
    """Nobody could be asked; the text says why."""


# -- the files themselves


def read_lock(text: str) -> tuple[list[Pin], list[str]]:
    """What is pinned, and what is wrong with the lines."""
    pins, problems = [], []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        requirement = line.partition("#")[0].strip()
        if not requirement:
            continue
        first, *hashes = re.split(r"\s+(?=--hash=)", requirement)
        match = _PIN.fullmatch(first.strip())
        found = [_HASH.fullmatch(part.strip()) for part in hashes]
        if match is None:
            problems.append(f"not a package with its exact version: {first}")
        elif not found or None in found:
            problems.append(f"not held by sha256 hashes alone: {first}")
        else:
            sums = frozenset(one[1] for one in found if one is not None)
            pins.append(Pin(canonicalize_name(match["name"]), match["version"], (match["marker"] or "").strip(), sums))
    return pins, problems


def wanted(project: Mapping[str, Any], parts: Sequence[str], *, with_dependencies: bool) -> Iterator[Requirement]:
    """What pyproject.toml asks for directly."""
    lines = list(project["project"]["dependencies"]) if with_dependencies else []
    for part in parts:
        lines += (
            project["build-system"]["requires"]
            if part == "build"
            else project["project"]["optional-dependencies"][part]
        )
    return map(Requirement, lines)


def problems_of(root: Path) -> Iterator[str]:
    """Everything that is wrong with the lock files of this folder, one sentence each."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    if stray := {path.name for path in root.glob("*.lock")} ^ LOCKS.keys():
        yield f"lock files that are missing, or that nobody looks at: {', '.join(sorted(stray))}"
    seen: dict[tuple[str, str], tuple[str, Pin]] = {}
    for name, parts in LOCKS.items():
        if not (root / name).is_file():
            continue
        pins, problems = read_lock((root / name).read_text(encoding="utf-8"))
        yield from (f"{name}: {problem}" for problem in problems)
        versions = {pin.name: pin.version for pin in pins}
        for requirement in wanted(project, parts, with_dependencies=parts != ("build",)):
            locked = versions.get(canonicalize_name(requirement.name))
            if locked is None:
                yield f"{name}: pyproject.toml asks for {requirement.name}, which is missing"
            elif not requirement.specifier.contains(locked, prereleases=True):
                yield f"{name}: has {requirement.name} {locked}, and pyproject.toml asks for {requirement.specifier}"
        for pin in pins:
            where, other = seen.setdefault((pin.name, pin.marker), (name, pin))
            if other != pin:
                yield f"{name}: {pin.name} is another one than in {where}"


# -- what is known of the packages


def pinned(root: Path) -> list[tuple[str, str]]:
    """Every package of every lock, once."""
    pins = [pin for name in LOCKS for pin in read_lock((root / name).read_text(encoding="utf-8"))[0]]
    return sorted({(pin.name, pin.version) for pin in pins})


def ask(url: str, packages: Sequence[tuple[str, str]]) -> list[str]:
    """The advisories of OSV, as sentences. NotAudited."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - ours, https
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the same
            results = json.load(answer)["results"]
        found = [[str(one["id"]) for one in result.get("vulns") or ()] for result in results]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAudited(f"{url} gave no answer ({type(error).__name__})") from None
    if len(found) != len(packages):
        raise NotAudited(f"{url} gave another number of answers than there were questions")
    return [f"{name} {version}: {id_}" for (name, version), ids in zip(packages, found, strict=True) for id_ in ids]


def look_up(archive: Path, packages: Sequence[tuple[str, str]]) -> list[str]:
    """The same from a downloaded database: a zip with one JSON document for each advisory. NotAudited."""
    versions = dict(packages)
    found = []
    try:
        with zipfile.ZipFile(archive) as documents:
            for name in documents.namelist():
                advisory = json.loads(documents.read(name))
                for affected in () if advisory.get("withdrawn") else advisory.get("affected", ()):
                    package = affected.get("package", {})
                    locked = versions.get(canonicalize_name(str(package.get("name"))))
                    if package.get("ecosystem") == "PyPI" and locked and is_hit(affected, Version(locked)):
                        found.append(f"{canonicalize_name(package['name'])} {locked}: {advisory['id']}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise NotAudited(f"{archive} cannot be read ({type(error).__name__})") from None
    return sorted(set(found))


def is_hit(affected: Mapping[str, Any], version: Version) -> bool:
    """Whether an advisory is about this version: by name, or between `introduced` and `fixed`."""
    if any(_version(text) == version for text in affected.get("versions", ())):
        return True
    for span in affected.get("ranges", ()):
        inside = False
        for event in span["events"] if span.get("type") == "ECOSYSTEM" else ():
            if "introduced" in event:
                since = _version(event["introduced"])
                inside |= event["introduced"] == "0" or (since is not None and since <= version)
            elif "fixed" in event and (end := _version(event["fixed"])) is not None:
                inside &= version < end
            elif "last_affected" in event and (end := _version(event["last_affected"])) is not None:
                inside &= version <= end
        if inside:
            return True
    return False


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


# -- both


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--osv", default=OSV, help="where OSV is asked")
    options = parser.parse_args(arguments)
    try:
        problems = list(problems_of(options.root))
    except (OSError, InvalidRequirement) as error:
        problems = [str(error)]
    for problem in problems:
        print(f"lock files: {problem}", file=sys.stderr)
    if problems:
        return 1
    packages = pinned(options.root)
    print(f"lock files: {len(packages)} packages, each with its exact version and its hashes")
    folder = os.environ.get("OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY")
    try:
        if folder:
            found = look_up(Path(folder) / "osv-scanner" / "PyPI" / "all.zip", packages)
        else:
            found = ask(options.osv, packages)
    except NotAudited as error:
        print(f"NOT AUDITED: nobody said whether a package is known to be vulnerable: {error}.", file=sys.stderr)
        print("  Run `make check-locks` once where there is a network, before a release.", file=sys.stderr)
        return 0
    known = [line for line in found if line.rpartition(": ")[2] in ACCEPTED]
    for line in found:
        accepted = ACCEPTED.get(line.rpartition(": ")[2])
        told = f"accepted, {accepted}" if accepted else "see https://osv.dev"
        print(f"advisory: {line} ({told})", file=sys.stderr)
    print(f"audit: {len(found)} advisories, {len(known)} of them accepted")
    return 1 if len(known) < len(found) else 0


if __name__ == "__main__":
    sys.exit(main())
