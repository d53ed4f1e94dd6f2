"""What each row of a club's spreadsheet becomes, or why it becomes nothing. `club_sheet` reads one.

The reader's modules are imported for types alone: few servers ever import a spreadsheet.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from bot.albums import AlbumRef, SearchText, ShortLink, TrackRef
    from bot.files.club_columns import Column
    from bot.files.dates import DateOrder
    from bot.files.scores import NamedScore, Score


class WhyNot(StrEnum):
    """Why a row becomes no round, or a cell nothing."""

    # of rows
    NO_ALBUM = "no_album"
    NOT_AN_ALBUM = "not_an_album"  # a link to something else at Spotify, and no title
    UNREADABLE_LINK = "unreadable_link"
    NO_DATE = "no_date"
    UNREADABLE_DATE = "unreadable_date"
    REPEATED = "repeated"  # the same album on the same day as a row above
    IN_THE_FUTURE = "in_the_future"  # the club has not had it yet
    OPEN_QUOTE = "open_quote"  # a quotation mark that is never closed
    ABOVE_THE_NAMES = "above_the_names"  # above the row with the column names
    # of cells; the row becomes a round all the same
    OTHER_DATE_ORDER = "other_date_order"  # the date is one only against the column's order, and was read so
    DAY_MISSING = "day_missing"  # a month and a year; the first of the month was taken
    NO_SCORE = "no_score"  # something else than a score
    OTHER_LINK = "other_link"  # a link to no album, or a second album; not used
    NO_NUMBER = "no_number"  # no number of a round
    EXTRA_CELL = "extra_cell"  # right of the last named column


class OddCell(Struct, frozen=True):
    """A cell that was not taken as it is. `column`: its name in the file."""

    column: str
    text: str
    why: WhyNot


class SheetRound(Struct, frozen=True):
    """What a row becomes.

    `on`: None only while the order of day and month is unclear. `reference`: the album, by a link or as words to search
    for; `typed`: the same for people. `picker`, `scores` and `mean` are as the file has them; a score without `out_of`
    is out of the sheet's.
    """

    line: int
    on: date | None
    reference: AlbumRef | TrackRef | ShortLink | SearchText
    typed: str
    picker: str
    scores: tuple[NamedScore, ...]
    mean: Score | None
    number: int | None
    theme: str
    note: str
    odd: tuple[OddCell, ...]


class SkippedRow(Struct, frozen=True):
    """A row that becomes nothing, with what is in it."""

    line: int
    text: str
    why: WhyNot


class UnclearDate(Struct, frozen=True):
    """An example to ask with: the same cell, read both ways."""

    line: int
    text: str
    day_first: date
    month_first: date


class ClubSheet(Struct, frozen=True):
    """The preview of an import.

    `columns`: what each column is for, in the file's order. `rounds` and `skipped`: every row that is not blank, in the
    file's order. `order`: how numeric dates were read; while it is unclear, `unclear` holds an example, and the file is
    to be read again with the answer. `out_of`: the best possible score where a score does not say it, judged by the
    highest one. `members`: whose scores there are.
    """

    columns: tuple[Column, ...]
    rounds: tuple[SheetRound, ...]
    skipped: tuple[SkippedRow, ...]
    order: DateOrder
    unclear: UnclearDate | None
    out_of: int
    members: tuple[str, ...]
