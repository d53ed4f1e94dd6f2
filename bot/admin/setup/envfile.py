"""`.env` as text: which names it sets, and how a value is changed while every other line stays as it is."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bot.settings import secret_names
from bot.settings.sources import env_lines, is_rest

_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=-]*")


def names(text: str) -> set[str]:
    """The settings that have a value."""
    return {line.name.upper() for line in env_lines(text) if line.name and line.value}


def stated(text: str) -> set[str]:
    """The settings that are there, with a value or without."""
    return {line.name.upper() for line in env_lines(text) if line.name and line.value is not None}


def with_values(text: str, values: Mapping[str, str], comments: Mapping[str, str]) -> str:
    """`text` with these settings: in place of the old line, below a default that is commented out, or at the end.

    `comments`: the line above a setting that is new.
    """
    lines = text.splitlines()
    for name, value in values.items():
        line = f"{name}={_quoted(value)}"
        old = [number for number, there in enumerate(lines) if _is_line_of(name, there)]
        shown = [number for number, there in enumerate(lines) if _is_line_of(name, there.lstrip("# "))]
        if old:
            # The last line counts, so the others only mislead.
            lines[old[-1]] = line
            while name.lower() in secret_names() and is_rest("".join(lines[old[-1] + 1 : old[-1] + 2])):
                del lines[old[-1] + 1]
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
    """In a form that every reader of such files understands: bare if possible, otherwise in single quotes."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class Draft:
    """A new version of the file beside it (0600), which replaces it in one step or is removed."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file.resolve()
        self.path = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}.new")
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(handle, "w", encoding="utf-8") as draft:
                draft.write(text)
                draft.flush()
                os.fsync(draft.fileno())
        except OSError:
            self.discard()
            raise

    def keep(self) -> None:
        """Replace the file."""
        with suppress(FileNotFoundError, PermissionError):
            before = self._file.stat()
            os.chown(self.path, before.st_uid, before.st_gid)
        self.path.replace(self._file)

    def discard(self) -> None:
        """Remove the draft; the file stays as it is."""
        self.path.unlink(missing_ok=True)
