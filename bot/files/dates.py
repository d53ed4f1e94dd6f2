"""Dates as people type them into a column of a spreadsheet, and what the column says about day and month."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from bot.albums import fold
from bot.patterns import pattern

MONTHS = (
    "january januar janner janvier enero gennaio janeiro januari stycznia января",
    "february februar feber fevrier febrero febbraio fevereiro februari lutego февраля",
    "march marz mars marzo marco maart mrt marts marca марта",
    "april avril abril aprile kwietnia апреля",
    "may mai mayo maggio maio mei maj maja мая май",
    "june juni juin junio giugno junho czerwca июня",
    "july juli juillet julio luglio julho lipca июля",
    "august aout agosto augustus augusti sierpnia августа",
    "september septembre septiembre setiembre settembre setembro wrzesnia сентября",
    "october oktober octobre octubre ottobre outubro pazdziernika октября",
    "november novembre noviembre novembro listopada ноября",
    "december dezember decembre diciembre dicembre dezembro grudnia декабря",
)
"""The months' names without accents: English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish,
Norwegian, Polish, Russian. A beginning of at least three letters that only one month has is an abbreviation."""

_NAMES = [(fold(name), month) for month, names in enumerate(MONTHS, 1) for name in names.split()]
# Weekdays that begin like a month: "mar." is a Tuesday in French, Spanish and Italian.
_WEEKDAYS = ("mardi", "martes", "martedi", "maandag", "mandag", "sabado", "sabato", "segunda", "sexta", "samedi")
_TIME = pattern(
    r"(?:[T\s,]+|\s+(?:at|um)\s+)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC)?"
    r"(?:[+-]\d{2}:?\d{2})?$",
    re.ASCII,
)
_YEAR_FIRST = pattern(r"(\d{4})(?:\s*[-/.年]\s*|\s+)(\d{1,2})(?:\s*[-/.月]\s*|\s+)(\d{1,2})日?", re.ASCII)
_COMPACT = pattern(r"((?:19|20)\d{2})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = pattern(r"(\d{1,2})\s*([-/. ])\s*(\d{1,2})\s*\2\s*'?(\d{4}|\d{2})\.?", re.ASCII)
_MONTH_ONLY = pattern(r"(?P<y>\d{4})\s*[-/.]\s*(?P<m>\d{1,2})|(?P<m2>\d{1,2})\s*[-/.]\s*(?P<y2>\d{4})", re.ASCII)
_EXCEL_DAY = pattern(r"[2-7]\d{4}(?:\.\d+)?", re.ASCII)  # 1954 to 2119
_EXCEL_ZERO = date(1899, 12, 30).toordinal()
_RANGE = pattern(r"\s*[–—]\s*|\s+(?:-|to|until|bis|au|al|a|do|t/m)\s+")
_WORD = pattern(r"[^\W\d_]+|\d+")


class DateOrder(StrEnum):
    """How the numeric dates of a column are to be read."""

    CERTAIN = "certain"  # no date in the column can be read in two ways
    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"
    UNCLEAR = "unclear"  # some can, and nothing in the column decides: ask


class TypedDate(Struct, frozen=True):
    """A cell as a date, in both orders; None where an order gives no date. They are equal if the order is no question.

    `has_day`: False for "March 2024", which becomes the first of the month. `dotted`: 3.4.2024.
    """

    day_first: date | None
    month_first: date | None
    has_day: bool = True
    dotted: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """Whether the two orders give two dates."""
        return self.day_first is not None and self.month_first is not None and self.day_first != self.month_first

    def on(self, order: DateOrder) -> date | None:
        """The date in an order; the only one that there is where the order gives none."""
        if self.is_ambiguous and order in (DateOrder.UNCLEAR, DateOrder.CERTAIN):
            return None
        return (
            self.month_first or self.day_first if order is DateOrder.MONTH_FIRST else self.day_first or self.month_first
        )

    def fits(self, order: DateOrder) -> bool:
        """Whether it is a date in this order."""
        return (self.month_first if order is DateOrder.MONTH_FIRST else self.day_first) is not None


def read_day(cell: str) -> TypedDate | None:
    """Read a cell of a column of days: a date, the first of a range of dates, or a number as Excel counts days."""
    if (typed := read_date(cell)) is not None:
        return typed
    text = " ".join(cell.split())  # a long run of white space would cost _RANGE time that grows with its square
    if _EXCEL_DAY.fullmatch(text):
        return _certain(date.fromordinal(_EXCEL_ZERO + int(text[:5])))
    if len(parts := _RANGE.split(text)) == 2 and read_date(parts[1]) is not None:
        return read_date(parts[0])
    return None


@lru_cache(maxsize=4096)
def read_date(cell: str) -> TypedDate | None:
    """Read a cell; None if it holds no date with a year."""
    text = " ".join(cell[:60].split())
    text = _TIME.sub("", text).strip(" ,")
    if match := _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text):
        return _certain(_date(*map(int, match.groups())))
    if match := _YEAR_LAST.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), _year(match[4])
        day_first, month_first = _date(year, second, first), _date(year, first, second)
        if day_first is None and month_first is None:
            return None
        return TypedDate(day_first, month_first, dotted=match[2] == ".")
    if match := _MONTH_ONLY.fullmatch(text):
        return _certain(_date(int(match["y"] or match["y2"]), int(match["m"] or match["m2"]), 1), has_day=False)
    return _in_words(text)


def judge(dates: Iterable[TypedDate]) -> DateOrder:
    """The order of day and month, judged over a whole column.

    One date that has only one reading decides for all. Dates with dots are day first in every country that writes them
    so. Dates that contradict each other decide nothing.
    """
    day, month, ambiguous, dotted = False, False, False, True
    for typed in dates:
        day |= typed.month_first is None
        month |= typed.day_first is None
        if typed.is_ambiguous:
            ambiguous = True
            dotted &= typed.dotted
    if not ambiguous:
        return DateOrder.CERTAIN
    if day != month:
        return DateOrder.DAY_FIRST if day else DateOrder.MONTH_FIRST
    return DateOrder.DAY_FIRST if dotted and not day else DateOrder.UNCLEAR


def _in_words(text: str) -> TypedDate | None:
    words = _WORD.findall(fold(text))
    numbers = [word for word in words if word.isascii() and word.isdigit()]
    names = [word for word in words if not word.isdigit()]
    months = [(name, month) for name in names if (month := _month(name))]
    if len(months) > 1:
        months = [(name, month) for name, month in months if not any(day.startswith(name) for day in _WEEKDAYS)]
    if len(months) != 1 or len(names) > 5 or not 1 <= len(numbers) <= 2:
        return None
    month = months[0][1]
    years = [number for number in numbers if len(number) == 4]
    if len(numbers) == 1:
        return _certain(_date(int(years[0]), month, 1), has_day=False) if years else None
    year = years[0] if years else numbers[1]
    day = numbers[1] if year is numbers[0] else numbers[0]
    return _certain(_date(_year(year), month, int(day))) if len(year) in (2, 4) and len(day) <= 2 else None


@lru_cache(maxsize=1024)
def _month(word: str) -> int | None:
    if len(word) < 3:
        return None
    months = {month for name, month in _NAMES if name.startswith(word)}
    return months.pop() if len(months) == 1 else None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1900 <= year <= 2100 else None
    except ValueError:
        return None


def _certain(on: date | None, *, has_day: bool = True) -> TypedDate | None:
    return None if on is None else TypedDate(on, on, has_day)
