"""Puts sentences for a terminal together: counted things, and lines of its width."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import IO

_NARROW = 60


def counted(count: int, one: str) -> str:
    """A number and what it counts: `1 record`, `2,000 records`."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def fitted(line: str, stream: IO[str] | None = None, *, indent: int = 0) -> str:
    """The line, broken between words where a terminal would break it anywhere. Addresses and paths stay whole.

    `indent`: how far the further lines begin to the right; less on a narrow terminal. Files and pipes get it as it is.
    """
    if not (stream or sys.stdout).isatty():
        return line
    return wrapped(line, shutil.get_terminal_size().columns, indent)


def wrapped(line: str, columns: int, indent: int) -> str:
    """As above, for so many columns."""
    if len(line) < columns:
        return line
    own = len(line) - len(line.lstrip())
    return "\n".join(
        textwrap.wrap(
            line,
            columns - 1,
            subsequent_indent=" " * (indent if columns >= _NARROW else min(indent, own + 2)),
            drop_whitespace=True,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
