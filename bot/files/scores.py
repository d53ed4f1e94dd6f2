"""Scores as people type them: 4.5, 4,5, 9/10, ★★★½, 90 %."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

SCALES = (5, 10, 20, 100)
"""What scores are usually out of, when they don't say it."""


class Score(Struct, frozen=True):
    """A score. `out_of`: the best possible, where the cell says it ("9/10", "90 %", "★★★☆☆")."""

    value: Decimal
    out_of: Decimal | None = None

    def scaled(self, best: int, out_of: int) -> Decimal:
        """The score on a scale whose best is `best`. `out_of`: what it is out of where it does not say so."""
        return self.value * best / (self.out_of or out_of)


class NamedScore(Struct, frozen=True):
    """A score and whose it is, as the spreadsheet names them; "" where it does not."""

    member: str
    score: Score


_FRACTIONS = {
    "½": "0.5",
    "¼": "0.25",
    "¾": "0.75",
    "⅓": "0.333",
    "⅔": "0.667",
    "1/2": "0.5",
    "1/4": "0.25",
    "3/4": "0.75",
}
_FRACTION = r"[½¼¾⅓⅔]|\s1/2|\s1/4|\s3/4"
_NUMBER = rf"(?:\d{{1,3}}(?:[.,]\d{{1,3}}|\s?(?:{_FRACTION}))?|[½¼¾⅓⅔])"
_PLAIN = re.compile(
    rf"(?P<value>{_NUMBER})\s*(?:(?:/|out of|of|von|aus|sur|de|su|van|av|af)\s*(?P<out_of>{_NUMBER})|(?P<percent>%))?"
    r"\s*(?:stars?|sterne?|etoiles?|étoiles?|estrellas?|stelle|points?|pts?|punkte?|★|⭐)?",
    re.ASCII | re.IGNORECASE,
)
_STARS = re.compile(r"(?P<full>(?:[★⭐🌟✭*]\s?)*)(?P<half>½|⯪|⯨|\s?1/2|\+)?\s?(?P<empty>(?:[☆✩]\s?)*)")
_ABSENT = {
    *(
        "",
        "-",
        "–",
        "—",
        "--",
        "/",
        "x",
        "?",
        "n/a",
        "na",
        "n.a.",
        "none",
        "null",
        "nan",
        "absent",
        "abs",
        "dnf",
        "dnl",
    ),
    *("did not listen", "not listened", "skipped", "pass", "tbd", "#n/a", "#div/0!", "k.a.", "keine"),
}
_BETWEEN = re.compile(r"\s*[;|\n]\s*|,\s+|\s+[/·]\s+")
_NAME_AND_SCORE = re.compile(r"(?P<name>[^\d:=;★⭐*½]{1,60}?)\s*[:=(–-]?\s*(?P<score>[\d★⭐*½][^()]{0,20})\)?")


def is_absent(cell: str) -> bool:
    """Whether the cell says that there is no score."""
    return cell.strip().lower() in _ABSENT


@lru_cache(maxsize=4096)
def read_score(cell: str) -> Score | None:
    """Read one score; None if the cell holds none, or something else."""
    text = cell.strip().replace("\ufe0f", "")
    if not text or len(text) > 40:
        return None
    if match := _PLAIN.fullmatch(text):
        value = _number(match["value"])
        out_of = Decimal(100) if match["percent"] else _number(match["out_of"]) if match["out_of"] else None
        if value > (100 if out_of is None else out_of) or out_of == 0:
            return None
        return Score(value, out_of)
    match = _STARS.fullmatch(text)
    if match and (match["full"] or match["half"] or match["empty"]) and match["half"] != "+":
        full, empty = (sum(not c.isspace() for c in match[name]) for name in ("full", "empty"))
        value = full + (Decimal("0.5") if match["half"] else Decimal(0))
        out_of = Decimal(full + empty + (1 if match["half"] else 0)) if empty else None
        return Score(value, out_of) if value <= SCALES[1] else None
    return None


@lru_cache(maxsize=4096)
def read_scores(cell: str) -> tuple[NamedScore, ...] | None:
    """Read a cell with one score or several, named ("Ada: 4; Ben: 3,5") or not; None if any part is something else."""
    if score := read_score(cell):
        return (NamedScore("", score),)
    text = cell.strip()
    if len(text) > 2000:
        return None
    pieces = list(filter(None, _BETWEEN.split(text)))
    if len(pieces) == 1 and all(map(read_score, text.split())):
        pieces = text.split()
    found: list[NamedScore] = []
    for piece in pieces:
        if score := read_score(piece):
            found.append(NamedScore("", score))
        elif (match := _NAME_AND_SCORE.fullmatch(piece.strip())) and (score := read_score(match["score"])):
            found.append(NamedScore(match["name"].strip(), score))
        else:
            return None
    return tuple(found) or None


def stated_scale(scores: Iterable[Score]) -> Decimal | None:
    """What a column's scores are out of, if most of them say so, and none is higher."""
    scores = list(scores)
    stated = [score.out_of for score in scores if score.out_of is not None]
    if len(set(stated)) != 1 or 2 * len(stated) <= len(scores):
        return None
    return stated[0] if all(score.value <= stated[0] for score in scores) else None


def likely_scale(scores: Iterable[Score]) -> int:
    """The smallest usual scale that holds all scores that don't say what they are out of."""
    highest = max((score.value for score in scores if score.out_of is None), default=Decimal(0))
    return next(scale for scale in SCALES if highest <= scale)


def _number(text: str) -> Decimal:
    text = text.replace(",", ".")
    for fraction, decimal in _FRACTIONS.items():
        if text.endswith(fraction):
            whole = text.removesuffix(fraction).strip()
            return Decimal(whole or 0) + Decimal(decimal)
    return Decimal(text)
