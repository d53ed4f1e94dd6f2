"""The chart of a season: one dot per rated round, with its spread. Where things stand; the template draws. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from bot.curation.ratings import Scale, Summary

WIDTH, HEIGHT = 960, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 16, 46
LABELS_MOST = 24
"""Labels below the chart: of more rounds, every second, third and so on is named."""


class Line(Struct, frozen=True):
    """A line across the chart at a whole score."""

    y: float
    label: str


class Dot(Struct, frozen=True):
    """A round: its mean, and where its spread ends above and below. `label`: empty where there is no room."""

    x: float
    y: float
    top: float
    bottom: float
    label: str


class Chart(Struct, frozen=True):
    """All that is drawn. `path`: joins the means, as the `points` of a polyline."""

    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def path(self) -> str:
        """The means, joined."""
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


def chart(rounds: Sequence[tuple[str, Summary]], scale: Scale) -> Chart:
    """The chart of these rounds, the first one first, each with its label."""
    floor = HEIGHT - _BOTTOM

    def y(points: float) -> float:
        share = (min(max(points, 1.0), float(scale.top)) - 1) / (scale.top - 1)
        return round(floor - share * (floor - _TOP), 1)

    step = (WIDTH - _LEFT - _RIGHT) / max(len(rounds), 1)
    every = -(-len(rounds) // LABELS_MOST)
    dots = []
    for place, (label, summary) in enumerate(rounds):
        mean = float(summary.mean)
        x = round(_LEFT + step * (place + 0.5), 1)
        named = label if place % every == 0 else ""
        dots.append(Dot(x, y(mean), y(mean + summary.spread), y(mean - summary.spread), named))
    whole = range(1, scale.top + 1) if scale.top <= 5 else range(2, scale.top + 1, 2)
    return Chart(tuple(Line(y(points), str(points)) for points in whole), tuple(dots))
