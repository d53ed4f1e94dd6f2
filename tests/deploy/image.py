"""What an image's build is given."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from tests.process.harness import ROOT


def is_left_out(path: str) -> bool:
    """Whether .dockerignore leaves a file out: the last line that matches it, or a folder of it, counts."""
    names = path.split("/")
    ways = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        # `**/` stands for any number of folders, none included; a star alone stays within one.
        tails = [way.split("/")[-1] for way in ways] if pattern.startswith("**/") else ways
        pattern = pattern.removeprefix("**/")
        if any(fnmatch.fnmatchcase(tail, pattern) and tail.count("/") == pattern.count("/") for tail in tails):
            out = not line.startswith("!")
    return out


def context() -> Iterator[str]:
    """What an image's build is given: every file but those that .dockerignore names."""
    for folder, _, files in os.walk(ROOT):
        inner = Path(folder).relative_to(ROOT).as_posix()
        if inner.split("/")[0] in (".git", ".venv", ".venv-newer", ".venv-lock"):
            continue
        yield from (name for file in files if not is_left_out(name := f"{inner}/{file}".removeprefix("./")))
