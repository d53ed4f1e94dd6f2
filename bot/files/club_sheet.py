"""Reads a club's history as somebody kept it in a spreadsheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from bot.albums import AlbumRef, NotAnAlbum, SearchText, ShortLink, TrackRef, Unreadable, fold
from bot.files.club_columns import Column, assign, is_person, is_timestamp, known_columns, named_scale
from bot.files.club_rows import ClubSheet, OddCell, SheetRound, SkippedRow, UnclearDate, WhyNot
from bot.files.column_names import Role
from bot.files.dates import DateOrder, TypedDate, judge, read_day
from bot.files.decoding import is_workbook, lines_of, text_of
from bot.files.library_file import clean, named
from bot.files.library_rows import links_in, search_for
from bot.files.problems import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    NoSuchColumns,
    NothingFound,
    TooManyColumns,
    TooManyRows,
)
from bot.files.scores import NamedScore, Score, is_absent, likely_scale, read_score, read_scores, stated_scale
from bot.files.tables import Record, Table, table_of, table_of_cells
from bot.files.workbook import rows_of


def read_club_sheet(data: bytes, order: DateOrder | None = None, *, until: date | None = None) -> ClubSheet:
    """Read a club's spreadsheet: CSV with any separator, or an Excel workbook where that can be read.

    `order`: what the curator answered, if the order of day and month was unclear. `until`: rows of later days are
    left out, since they are only planned.

    Raises:
        FileProblem: the file as a whole cannot be read; see `problems`.
    """
    if is_workbook(data):
        cells = rows_of(data)
        table = table_of_cells(cells, known_columns)
        first_row = next((row for row in cells if any(row)), [])
    else:
        lines = lines_of(text_of(data))
        table = table_of(lines, known_columns)
        first_row = lines[0][:1000].split(",")
    if table is None:
        raise NoSuchColumns((Role.ALBUM,), tuple(filter(None, map(clean, first_row[:MAX_COLUMNS]))))
    return _Sheet(table, order, until).read()


class _Sheet:
    """One reading."""

    def __init__(self, table: Table, order: DateOrder | None, until: date | None) -> None:
        self.until = until
        # An exported sheet often has empty columns at its right end.
        width = max((n for n, name in enumerate(table.header.cells, 1) if name.strip()), default=0)
        if width > MAX_COLUMNS:
            raise TooManyColumns
        self.above = table.above
        most = min(MAX_ROWS, MAX_CELLS // width)
        self.rows: list[Record] = []
        for record in table.rows:
            if not record.is_blank:
                self.rows.append(record)
            if len(self.rows) > most:
                raise TooManyRows(most)
        header = table.header.cells[:width]
        whole = [record for record in self.rows if not record.broken]
        self.columns = assign(
            header,
            [[r.cells[n] for r in whole if n < len(r.cells) and r.cells[n].strip()] for n in range(width)],
        )
        roles = {column.role for column in self.columns}
        missing = [Role.DATE] if Role.DATE not in roles else []
        if not roles & {Role.ALBUM, Role.LINK}:
            missing.append(Role.ALBUM)
        if missing:
            raise NoSuchColumns(tuple(missing), tuple(filter(None, map(clean, header))))
        self._tell_raters(whole)
        self.scales = {
            column.number: named_scale(column)
            or stated_scale(
                named_score.score for r in whole for named_score in read_scores(_cell(r, column.number)) or ()
            )
            for column in self.columns
            if column.role in (Role.SCORE, Role.MEMBER)
        }
        [date_column] = self._columns(Role.DATE)
        dates = [(r, typed) for r in whole if (typed := read_day(_cell(r, date_column.number))) is not None]
        self.order = order or judge(typed for _, typed in dates)
        self.unclear = None
        if self.order is DateOrder.UNCLEAR:
            self.unclear = next(
                UnclearDate(r.line, clean(_cell(r, date_column.number)), typed.day_first, typed.month_first)
                for r, typed in dates
                if typed.is_ambiguous and typed.day_first and typed.month_first
            )

    def _tell_raters(self, records: Sequence[Record]) -> None:
        """A column "Name" names raters, not pickers, where the same album comes on several rows, each with a score."""
        roles = {column.role for column in self.columns}
        named = (
            (Role.ALBUM, Role.LINK) if is_timestamp(self._columns(Role.DATE)[0]) else (Role.DATE, Role.ALBUM, Role.LINK)
        )
        albums = [tuple(fold(self._text(r, role)) for role in named) for r in records]
        if Role.SCORE in roles and Role.RATER not in roles and len(set(albums)) < len(albums):
            self.columns = tuple(
                replace(column, role=Role.RATER) if column.role is Role.PICKER and is_person(column) else column
                for column in self.columns
            )

    def read(self) -> ClubSheet:
        """Turn every row into a round or a reason."""
        skipped = [SkippedRow(r.line, clean(r.text), WhyNot.ABOVE_THE_NAMES) for r in self.above]
        rounds: dict[object, SheetRound] = {}
        has_raters = bool(self._columns(Role.RATER))
        # A form's answers come over several days, so their times say nothing about rounds.
        are_answers = has_raters and is_timestamp(self._columns(Role.DATE)[0])
        for record in self.rows:
            row = self._row(record)
            if isinstance(row, SkippedRow):
                skipped.append(row)
                continue
            reference = fold(row.reference.text) if isinstance(row.reference, SearchText) else row.reference
            key = (None if are_answers else row.on or self._text(record, Role.DATE), reference)
            if key not in rounds:
                rounds[key] = row
            elif has_raters:  # each score has a row of its own
                first = rounds[key]
                rounds[key] = replace(first, scores=first.scores + row.scores, odd=first.odd + row.odd)
            else:
                skipped.append(SkippedRow(record.line, clean(record.text), WhyNot.REPEATED))
        if not rounds:
            raise NothingFound(Counter(row.why for row in skipped))
        scores = [named_score for row in rounds.values() for named_score in row.scores]
        return ClubSheet(
            self.columns,
            tuple(rounds.values()),
            tuple(skipped),
            self.order,
            self.unclear,
            likely_scale(named_score.score for named_score in scores),
            tuple(dict.fromkeys(named_score.member for named_score in scores if named_score.member)),
        )

    def _row(self, record: Record) -> SheetRound | SkippedRow:
        if record.broken:
            return SkippedRow(record.line, clean(record.text), WhyNot.OPEN_QUOTE)
        odd: list[OddCell] = []
        album = self._album(record, odd)
        when = self._date(record, odd)
        for why in (album, when):
            if isinstance(why, WhyNot):
                return SkippedRow(record.line, clean(record.text), why)
        assert isinstance(album, tuple)
        assert isinstance(when, TypedDate)
        on = when.on(self.order)
        if on is not None and self.until is not None and on > self.until:
            return SkippedRow(record.line, clean(record.text), WhyNot.IN_THE_FUTURE)
        extra = " ".join(record.cells[len(self.columns) :]).strip()
        if extra:
            odd.append(OddCell("", clean(extra), WhyNot.EXTRA_CELL))
        scores = self._scores(record, odd)
        return SheetRound(
            record.line,
            on,
            *album,
            self._text(record, Role.PICKER),
            scores,
            self._mean(record, odd),
            self._number(record, odd),
            self._text(record, Role.THEME),
            self._text(record, Role.NOTE),
            tuple(odd),
        )

    def _date(self, record: Record, odd: list[OddCell]) -> TypedDate | WhyNot:
        [column] = self._columns(Role.DATE)
        text = _cell(record, column.number)
        if not text.strip():
            return WhyNot.NO_DATE
        if (typed := read_day(text)) is None:
            return WhyNot.UNREADABLE_DATE
        if not typed.has_day:
            odd.append(OddCell(column.name, clean(text), WhyNot.DAY_MISSING))
        elif self.order in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST) and not typed.fits(self.order):
            odd.append(OddCell(column.name, clean(text), WhyNot.OTHER_DATE_ORDER))
        return typed

    def _album(
        self, record: Record, odd: list[OddCell]
    ) -> tuple[AlbumRef | TrackRef | ShortLink | SearchText, str] | WhyNot:
        artist, title = self._text(record, Role.ARTIST), self._text(record, Role.ALBUM)
        found: list[AlbumRef | TrackRef | ShortLink] = []
        others: list[NotAnAlbum | Unreadable] = []
        for column in (*self._columns(Role.LINK), *self._columns(Role.ALBUM)):
            for reference in links_in(_cell(record, column.number)):
                if isinstance(reference, (AlbumRef, TrackRef, ShortLink)):
                    if found and reference not in found:
                        odd.append(OddCell(column.name, named(reference), WhyNot.OTHER_LINK))
                    found.append(reference)
                elif isinstance(reference, (NotAnAlbum, Unreadable)):
                    others.append(reference)
                    if column.role is Role.LINK:
                        odd.append(OddCell(column.name, reference.shown, WhyNot.OTHER_LINK))
        has_title = bool(title) and not any(links_in(title))
        if found:
            return found[0], (f"{artist} – {title}" if artist else title) if has_title else named(found[0])
        if has_title:
            words = search_for(artist, title)
            if isinstance(words, SearchText):
                return words, f"{artist} – {title}" if artist else title
        if others:
            return WhyNot.NOT_AN_ALBUM if isinstance(others[0], NotAnAlbum) else WhyNot.UNREADABLE_LINK
        return WhyNot.UNREADABLE_LINK if has_title else WhyNot.NO_ALBUM

    def _scores(self, record: Record, odd: list[OddCell]) -> tuple[NamedScore, ...]:
        found: list[NamedScore] = []
        rater = self._text(record, Role.RATER)
        for column in self.columns:
            text = _cell(record, column.number)
            if column.role not in (Role.SCORE, Role.MEMBER) or is_absent(text):
                continue
            scores = read_scores(text)
            if scores is None:
                odd.append(OddCell(column.name, clean(text), WhyNot.NO_SCORE))
                continue
            for named_score in scores:
                member = column.member or named_score.member or rater
                score = named_score.score
                if score.out_of is None:
                    score = replace(score, out_of=self.scales[column.number])
                found.append(NamedScore(member, score))
        return tuple(found)

    def _mean(self, record: Record, odd: list[OddCell]) -> Score | None:
        for column in self._columns(Role.MEAN):
            text = _cell(record, column.number)
            if (score := read_score(text)) is None and not is_absent(text):
                odd.append(OddCell(column.name, clean(text), WhyNot.NO_SCORE))
            return score
        return None

    def _number(self, record: Record, odd: list[OddCell]) -> int | None:
        for column in self._columns(Role.ROUND):
            text = _cell(record, column.number).strip()
            digits = text.rpartition(" ")[2].lstrip("#").removesuffix(".").removesuffix(".0")
            if digits.isascii() and digits.isdigit() and len(digits) <= 6:
                return int(digits)
            if text:
                odd.append(OddCell(column.name, clean(text), WhyNot.NO_NUMBER))
        return None

    def _columns(self, role: Role) -> Sequence[Column]:
        return [column for column in self.columns if column.role is role]

    def _text(self, record: Record, role: Role) -> str:
        cells = (clean(_cell(record, column.number)) for column in self._columns(role))
        return " · ".join(filter(None, cells))


def _cell(record: Record, number: int) -> str:
    return record.cells[number] if number < len(record.cells) else ""
