"""Which writing jobs decide by what they read, seen at their statements, and whether each of them names its key."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from types import FrameType

import bot

BOT = Path(bot.__file__).parent
DATABASE = str(BOT / "storage" / "database.py")
Job = tuple[str, int]
"""The file of a job's function, and the line on which it begins."""


class Jobs:
    """Notes what each writing job does."""

    def __init__(self) -> None:
        self._has_read = False
        self.deciding: set[Job] = set()
        """Those that wrote after they had read, or what a statement of theirs chose by reading."""

    def note(self, sql: str) -> None:
        """A statement is about to be executed."""
        if sql.startswith("BEGIN"):
            self._has_read = False
        elif sql.startswith(("SELECT", "WITH")):
            self._has_read = True
        elif sql.startswith(("INSERT", "UPDATE", "DELETE")):
            has_read = self._has_read or "SELECT " in sql
            if has_read and (job := _running_job()):
                self.deciding.add(job)

    def without_key(self) -> list[str]:
        """Those of them that are sent to the database without a key, as `file:line`."""
        return sorted(f"{file}:{line}" for file, line in self.deciding if _has_key(file).get(line) is False)


def _running_job() -> Job | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_back is not None:
        code, caller = frame.f_code, frame.f_back.f_code
        if caller.co_name == "_writing" and caller.co_filename == DATABASE:
            return (code.co_filename, code.co_firstlineno) if BOT in Path(code.co_filename).parents else None
        frame = frame.f_back
    return None


@cache
def _has_key(file: str) -> dict[int, bool]:
    """For each function of a file that is given to `write`: the line on which it begins, and whether a key is, too."""
    found: dict[int, bool] = {}
    for method in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inner = {f.name: f for f in ast.walk(method) if isinstance(f, ast.FunctionDef)}
        for call in ast.walk(method):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "write":
                job = inner.get(call.args[0].id) if isinstance(call.args[0], ast.Name) else call.args[0]
                if isinstance(job, ast.FunctionDef | ast.Lambda):
                    found[job.lineno] = any(keyword.arg == "key" for keyword in call.keywords)
    return found
