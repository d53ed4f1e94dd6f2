"""The table: on the terminal, and between two marks of `docs/performance.md`."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.figures import Line
from bench.scale import Scale

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- `make bench` writes from here -->", "<!-- to here -->"
_HEAD = ("what", "floor", "Gatefold", "ratio", "to reach", "reached")
_TOLD = ("discord.py", "aiohttp")


def rendered(lines: Iterable[Line]) -> str:
    """The table in Markdown."""
    rows = [_HEAD, tuple("---" for _ in _HEAD)]
    for line in lines:
        reached = {True: "yes", False: "**no**", None: ""}[line.reached]
        rows.append((line.what, line.floor, line.ours, line.ratio, line.bound, reached))
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def written(document: str, lines: Iterable[Line], conditions: str) -> str:
    """The document with a new table. ValueError when its marks are missing."""
    before, begun, rest = document.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{DOCUMENT.name} has lost the marks around the table")
    return f"{before}{BEGIN}\n\n{conditions}\n\n{rendered(lines)}\n{END}{after}"


def conditions(scale: Scale, folder: Path, took_s: float) -> str:
    """Where, when and with what it was measured. No name and no path of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {found}" for name in _TOLD if (found := _version(name)))
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} ({scale.name} run, {took_s / 60:.0f} minutes): "
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"database on {_file_system(folder)}; Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{libraries}. The load was {os.getloadavg()[2]:.1f} over the last 15 minutes, the benchmark's own included."
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), sys.platform)


def _file_system(folder: Path) -> str:
    """The kind of the file system that holds this folder: on a tmpfs a flush costs nothing."""
    found = ("", "an unknown file system")
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        mounts = []
    for mount in mounts:
        _, place, kind, *_ = mount.split(" ")
        if folder.resolve().is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]
