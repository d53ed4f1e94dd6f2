"""Figures out of measurements: what is typical, how far it spreads, and a line of the table. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `reached` None: there is no bound."""

    what: str
    floor: str
    ours: str
    ratio: str = ""
    bound: str = ""
    reached: bool | None = None


def at(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def p50(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """Of 200 values the third largest, of fewer than 100 the largest."""
    return at(values, 0.99)


def spread(values: Sequence[float], digits: int, unit: str = "") -> str:
    """The median, with the least and the greatest where there is more than one."""
    unit = f" {unit}" if unit else ""
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return f"{middle}{unit}"
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f}){unit}"


def compared(
    what: str, floor: Sequence[float], ours: Sequence[float], unit: str, most: float | None, *, digits: int = 2
) -> Line:
    """A figure of each round beside its floor's of the same round. `most`: the ratio that is allowed."""
    ratios = [mine / theirs for mine, theirs in zip(ours, floor, strict=True)]
    return Line(
        what,
        spread(floor, digits, unit),
        spread(ours, digits, unit),
        spread(ratios, 2),
        "" if most is None else f"≤ {most:g}",
        None if most is None else statistics.median(ratios) <= most,
    )
