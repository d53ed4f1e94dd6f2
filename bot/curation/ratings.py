"""Ratings: what people type, what they add up to, and the standings. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import cache, lru_cache
from math import sqrt
from typing import Generic, TypeVar

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ids import RoundNumber
from bot.patterns import pattern

BAR_WIDTH = 10
MIN_DIVISIVE = 3
"""Ratings that an album needs before it is said to divide the club."""


class Scale(StrEnum):
    """The scale of a score, which is stored in steps: 1 to 5 in halves as 2 to 10, 1 to 10 as it is.

    A club has one of the first two. The exact ones are for scores from a club's earlier spreadsheet, in hundredths.
    """

    HALVES = "halves"
    TEN = "ten"
    EXACT_FIVE = "exact five"
    EXACT_TEN = "exact ten"

    @property
    def steps(self) -> range:
        """All scores, as they are stored."""
        match self:
            case Scale.HALVES:
                return range(2, 11)
            case Scale.TEN:
                return range(1, 11)
            case Scale.EXACT_FIVE:
                return range(501)
        return range(1001)

    @property
    def steps_per_point(self) -> int:
        return {Scale.HALVES: 2, Scale.TEN: 1}.get(self, 100)

    @property
    def top(self) -> int:
        """The best score, as people read it."""
        return self.steps[-1] // self.steps_per_point


class Score(Struct, frozen=True):
    """One member's score. `steps`: see Scale. ValueError: not on the scale."""

    scale: Scale
    steps: int

    def __post_init__(self) -> None:
        if self.steps not in self.scale.steps:
            raise ValueError(f"{self.steps} is not on the scale {self.scale}")

    def __str__(self) -> str:
        return number(Fraction(self.steps, self.scale.steps_per_point))

    def on(self, scale: Scale) -> Fraction:
        """The score in points of another scale: 1 stays 1, and the best score stays the best."""
        return _points(self.steps, self.scale, scale)


@cache  # there are some 1,500 scores, and a page of a club asks for the same ones again and again
def _points(steps: int, scale: Scale, other: Scale) -> Fraction:
    points = Fraction(steps, scale.steps_per_point)
    return 1 + (points - 1) * Fraction(other.top - 1, scale.top - 1)


class ScoreProblem(StrEnum):
    """Why something typed is not a score."""

    NOT_A_NUMBER = "not_a_number"
    OFF_THE_SCALE = "off_the_scale"
    NOT_A_STEP = "not_a_step"
    """4.3 on a scale of halves, 7.5 on a scale of whole numbers."""


_SCORE = pattern(
    r"(?P<whole>\d{1,3})(?:[.,](?P<part>\d{1,3})|(?P<half> ?1/2))?"
    r"(?: ?(?:/|of|out of) ?(?P<top>\d{1,2}))?(?: ?(?:stars?|points?))?",
    re.ASCII,
)
_STARS = pattern(r"(?P<full>[★⭐*]{1,10})(?P<half> ?1/2)?[☆]{0,10}")


def parse_score(text: str, scale: Scale) -> Score | ScoreProblem:
    """A score as people type it: "4", "4.5", "4,5", "4½", "4 1/2", "4.5/5", "8 out of 10", "★★★★½"."""
    typed = unicodedata.normalize("NFKC", text.replace("½", " 1/2").replace("\N{VARIATION SELECTOR-16}", ""))
    typed = " ".join(typed.replace("\N{FRACTION SLASH}", "/").casefold().split())
    if stars := _STARS.fullmatch(typed):
        points = Fraction(len(stars["full"])) + (Fraction(1, 2) if stars["half"] else 0)
    elif match := _SCORE.fullmatch(typed):
        points = Fraction(f"{match['whole']}.{match['part'] or 0}") + (Fraction(1, 2) if match["half"] else 0)
        if match["top"] and int(match["top"]) != scale.top:
            return ScoreProblem.OFF_THE_SCALE
    else:
        return ScoreProblem.NOT_A_NUMBER
    steps = points * scale.steps_per_point
    if not scale.steps[0] <= steps <= scale.steps[-1]:
        return ScoreProblem.OFF_THE_SCALE
    return Score(scale, int(steps)) if steps.denominator == 1 else ScoreProblem.NOT_A_STEP


def number(points: Fraction) -> str:
    """Points as people read them: at most two decimals, no trailing zeros."""
    return f"{float(points):.2f}".rstrip("0").rstrip(".")


class Summary(Struct, frozen=True):
    """What the ratings of an album add up to, in points of `scale`. `spread`: the standard deviation."""

    scale: Scale
    ratings: int
    mean: Fraction
    spread: float


def summarise(scores: Sequence[Score], scale: Scale) -> Summary | None:
    """Sum up. Scores on another scale are converted. None: nobody rated."""
    return _summarised(tuple(scores), scale) if scores else None


@lru_cache(2048)  # standings sum up the same albums by mean, by spread, by picker and by decade
def _summarised(scores: tuple[Score, ...], scale: Scale) -> Summary:
    points = [score.on(scale) for score in scores]
    mean = sum(points, Fraction(0)) / len(points)
    variance = sum(((p - mean) ** 2 for p in points), Fraction(0)) / len(points)
    return Summary(scale, len(points), mean, sqrt(variance))


class Bar(Struct, frozen=True):
    """One line of a chart: a score, and how many gave it."""

    points: str
    count: int
    bar: str


def bars(scores: Iterable[Score], scale: Scale) -> tuple[Bar, ...]:
    """The spread, the best score first, from the best given to the worst given. A score in between has an empty bar."""
    given = Counter(_nearest(score, scale) for score in scores)
    if not given:
        return ()
    most = max(given.values())
    return tuple(
        Bar(str(Score(scale, steps)), given[steps], "█" * -(-given[steps] * BAR_WIDTH // max(most, BAR_WIDTH)))
        for steps in range(max(given), min(given) - 1, -1)
    )


def chart(scores: Iterable[Score], scale: Scale) -> str:
    """The spread as lines of text of equal width, for a code block. Empty: nobody rated."""
    lines = bars(scores, scale)
    width = max((len(line.points) for line in lines), default=0)
    return "\n".join(f"{line.points:<{width}} {line.bar} {line.count or ''}".rstrip() for line in lines)


def _nearest(score: Score, scale: Scale) -> int:
    # Half a step goes up. A score from a spreadsheet may be below 1.
    return max(int(score.on(scale) * scale.steps_per_point + Fraction(1, 2)), scale.steps[0])


class RatedRound(Struct, frozen=True):
    """A past round. `year`: of the album's release. `picker`: None where no member picked it, or they are forgotten."""

    number: RoundNumber
    album_id: AlbumId
    picker: MemberId | None
    year: int | None
    scores: tuple[Score, ...]


_Key = TypeVar("_Key", bound=Hashable)


class Standing(Struct, Generic[_Key], frozen=True):
    """One line of the standings. `rounds`: how many rated rounds it sums up."""

    key: _Key
    rounds: int
    summary: Summary


def by_mean(rounds: Iterable[RatedRound], scale: Scale) -> list[Standing[RoundNumber]]:
    """Rounds, the best mean first."""
    return _standings(rounds, scale, lambda one: one.number, _best)


def most_divisive(rounds: Iterable[RatedRound], scale: Scale) -> list[Standing[RoundNumber]]:
    """Rounds, the widest spread first; only those with enough ratings that do not all agree."""
    found = _standings(rounds, scale, lambda one: one.number, lambda standing: -standing.summary.spread)
    return [one for one in found if one.summary.ratings >= MIN_DIVISIVE and one.summary.spread > 0]


def by_picker(rounds: Iterable[RatedRound], scale: Scale) -> list[Standing[MemberId]]:
    """Members by how the albums that they picked were rated. Each album counts once, however many rated it."""
    return _standings(rounds, scale, lambda one: one.picker, _best)


def by_decade(rounds: Iterable[RatedRound], scale: Scale) -> list[Standing[int]]:
    """Decades (1990 for the nineties) by how their albums were rated. Each album counts once."""
    return _standings(rounds, scale, lambda one: None if one.year is None else one.year // 10 * 10, _best)


def _best(standing: Standing[_Key]) -> float:
    return -float(standing.summary.mean)


def _standings(
    rounds: Iterable[RatedRound],
    scale: Scale,
    key_of: Callable[[RatedRound], _Key | None],
    order: Callable[[Standing[_Key]], float],
) -> list[Standing[_Key]]:
    """Group rounds by a key, and sum each group up as the mean of its rounds' means. Equal ones keep their order."""
    groups: defaultdict[_Key, list[Summary]] = defaultdict(list)
    for one in rounds:
        key, summary = key_of(one), summarise(one.scores, scale)
        if key is not None and summary is not None:
            groups[key].append(summary)
    found = [Standing(key, len(group), _together(group, scale)) for key, group in groups.items()]
    return sorted(found, key=lambda standing: (order(standing), -standing.summary.ratings))


def _together(group: list[Summary], scale: Scale) -> Summary:
    if len(group) == 1:
        return group[0]
    mean = sum((summary.mean for summary in group), Fraction(0)) / len(group)
    variance = sum(((summary.mean - mean) ** 2 for summary in group), Fraction(0)) / len(group)
    return Summary(scale, sum(summary.ratings for summary in group), mean, sqrt(variance))
