"""`.env` as text: which names it has, and how a value is put in while every other line stays. Pure but for `write`."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=-]*")


def names(text: str) -> set[str]:
    """The settings that stand there with a value."""
    return {name for name, value in _lines(text) if value}


def stated(text: str) -> set[str]:
    """The settings that stand there, with a value or without."""
    return {name for name, _ in _lines(text)}


def _lines(text: str) -> list[tuple[str, str]]:
    found = re.findall(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(\S?)", text, re.MULTILINE)
    return [(name.upper(), value) for name, value in found]


def with_values(text: str, values: Mapping[str, str], comments: Mapping[str, str]) -> str:
    """`text` with these settings: in the place of the old line, below a default behind a #, else at the end.

    `comments`: a line of words for a setting that is new.
    """
    lines = text.splitlines()
    for name, value in values.items():
        line = f"{name}={_quoted(value)}"
        old = [number for number, there in enumerate(lines) if _is_line_of(name, there)]
        shown = [number for number, there in enumerate(lines) if _is_line_of(name, there.lstrip("# "))]
        if old:
            # the last one counts, so the others only mislead
            lines[old[-1]] = line
            for number in reversed(old[:-1]):
                del lines[number]
        elif shown:
            lines.insert(shown[-1] + 1, line)
        else:
            lines += [*([""] if lines else []), *([f"# {comments[name]}"] if name in comments else []), line]
    return "\n".join(lines) + "\n"


def _is_line_of(name: str, line: str) -> bool:
    return re.match(rf"\s*(?:export\s+)?{name}\s*=", line, re.IGNORECASE) is not None


def _quoted(value: str) -> str:
    """As every reader of such files takes it: bare where it can be, else between single quotes."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class Draft:
    """A new text beside the file, for its owner alone, until it takes the file's place in one step or goes away."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file.resolve()
        self.path = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}.new")
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as draft:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())

    def keep(self) -> None:
        """Put it in the file's place."""
        with suppress(FileNotFoundError, PermissionError):
            before = self._file.stat()
            os.chown(self.path, before.st_uid, before.st_gid)
        self.path.replace(self._file)

    def discard(self) -> None:
        """Leave the file as it is."""
        self.path.unlink(missing_ok=True)
