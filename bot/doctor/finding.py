"""What one check found, and how a list of findings is shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a check came out. Only FAILED makes the exit status 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name (stable, for scripts), the verdict, what is the case, and what to do about it."""

    name: str
    verdict: Verdict
    sentence: str
    to_do: str = ""


def ok(name: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(name, Verdict.OK, sentence)


def warning(name: str, sentence: str, to_do: str) -> Finding:
    """It works, or may work, and somebody should look."""
    return Finding(name, Verdict.WARNING, sentence, to_do)


def failed(name: str, sentence: str, to_do: str) -> Finding:
    """It does not work."""
    return Finding(name, Verdict.FAILED, sentence, to_do)


def skipped(name: str, sentence: str, to_do: str = "") -> Finding:
    """It could not be looked at; the sentence says why."""
    return Finding(name, Verdict.SKIPPED, sentence, to_do)


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed."""
    return all(finding.verdict is not Verdict.FAILED for finding in findings)


def as_lines(finding: Finding) -> list[str]:
    """One or two lines for people: the verdict as a word, the name, the sentence, what to do."""
    lines = [f"{finding.verdict.value:<8} {finding.name:<18} {finding.sentence}"]
    if finding.to_do:
        lines.append(f"{'':<27} -> {finding.to_do}")
    return lines


def summary(findings: Sequence[Finding]) -> str:
    """The last line for people."""
    counts = [(sum(f.verdict is verdict for f in findings), verdict) for verdict in Verdict]
    return ", ".join(f"{count} {verdict.value}" for count, verdict in counts if count)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """`{"ok": bool, "findings": [{"name", "verdict", "sentence", "to_do"}]}`, for scripts."""
    return {"ok": is_well(findings), "findings": [asdict(finding) for finding in findings]}


def printable(text: str) -> str:
    """`text` on one line and without control characters: a terminal obeys those."""
    return "".join(c if c.isprintable() else " " for c in text)
