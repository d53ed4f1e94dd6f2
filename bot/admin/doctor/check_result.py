"""The result of one check, and how results are shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

_SKIPPED = "Skipped: "
INDENTS = (28, 31)
"""Where the text begins in the lines of `as_lines`."""


class Verdict(StrEnum):
    """How a check came out. Only FAILED makes the exit status 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its name (stable, for scripts), the verdict, what was found, and what to do about it."""

    name: str
    verdict: Verdict
    sentence: str
    to_do: str = ""


def ok(name: str, sentence: str) -> CheckResult:
    """It works."""
    return CheckResult(name, Verdict.OK, sentence)


def warning(name: str, sentence: str, to_do: str) -> CheckResult:
    """It works for now, or may work, and the host should look at it."""
    return CheckResult(name, Verdict.WARNING, sentence, to_do)


def failed(name: str, sentence: str, to_do: str) -> CheckResult:
    """It does not work."""
    return CheckResult(name, Verdict.FAILED, sentence, to_do)


def skipped(name: str, sentence: str, to_do: str = "") -> CheckResult:
    """It could not be checked; the sentence says why."""
    return CheckResult(name, Verdict.SKIPPED, sentence, to_do)


def is_well(results: Iterable[CheckResult]) -> bool:
    """Whether nothing failed."""
    return all(result.verdict is not Verdict.FAILED for result in results)


def as_lines(result: CheckResult) -> list[str]:
    """One or two lines for people: the verdict as a word, the name, the sentence, what to do."""
    sentence = result.sentence
    if result.verdict is Verdict.SKIPPED and sentence.startswith(_SKIPPED):
        # The verdict in front says it already.
        sentence = sentence[len(_SKIPPED)].upper() + sentence[len(_SKIPPED) + 1 :]
    lines = [f"{result.verdict.value:<8} {result.name:<18} {sentence}"]
    if result.to_do:
        lines.append(f"{'':<27} -> {result.to_do}")
    return lines


def summary(results: Sequence[CheckResult]) -> str:
    """The last line for people."""
    counts = [(sum(f.verdict is verdict for f in results), verdict) for verdict in Verdict]
    plural = {Verdict.WARNING: "s"}
    return ", ".join(f"{n} {verdict.value}{plural.get(verdict, '') if n > 1 else ''}" for n, verdict in counts if n)


def as_json(results: Sequence[CheckResult]) -> dict[str, Any]:
    """`{"ok": bool, "findings": [{"name", "verdict", "sentence", "to_do"}]}`, for scripts."""
    return {"ok": is_well(results), "findings": [asdict(result) for result in results]}


def printable(text: str) -> str:
    """`text` on one line, without control characters, which a terminal would interpret."""
    return "".join(c if c.isprintable() else " " for c in text)
