"""What a row of a club's spreadsheet becomes: a past round, its scores, and whose they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from msgspec import Struct

from bot.albums import AlbumId, fold
from bot.caller import MemberId
from bot.curation.club import Choice, Pick, Round, State
from bot.curation.ids import RoundNumber
from bot.curation.ratings import Scale, Score
from bot.files.club_rows import ClubSheet, SheetRound
from bot.files.column_names import Role
from bot.patterns import pattern

if TYPE_CHECKING:
    from bot.files.scores import NamedScore

NAME_MOST, THEME_MOST, NOTE_MOST = 60, 200, 500
_ID = pattern(r"(?:<@!?)?(\d{17,20})>?", re.ASCII)


class ImportedRound(Struct, frozen=True):
    """A past round with its scores, each with the member whose it is, where that is known."""

    round: Round
    scores: tuple[tuple[MemberId | None, Score], ...]
    theme: str


def names_in(sheet: ClubSheet) -> list[str]:
    """The names in a spreadsheet that are no mentions and no ids, each once: of pickers first, then of raters."""
    named = [one.picker for one in sheet.rounds] + [*sheet.members]
    found = dict.fromkeys(name for name in named if name and _member_id(name) is None)
    return [*{name_key(name): name for name in reversed(found)}.values()][::-1]


def member_of(name: str, people: Mapping[str, MemberId]) -> MemberId | None:
    """Whom a name means: a mention or an id by itself, else a name in `people`, which are folded."""
    return _member_id(name) or people.get(name_key(name))


def name_key(name: str) -> str:
    """A name as it is compared: upper and lower case, accents and an @ before it aside."""
    return fold(name).removeprefix("@").strip()


def noon(day: date) -> datetime:
    """The moment that represents a day: almost everywhere on earth, it is on that day."""
    return datetime.combine(day, time(12), UTC)


def imported(
    sheet: ClubSheet,
    albums: Mapping[int, AlbumId],
    people: Mapping[str, MemberId],
    lowest: int,
) -> Iterator[ImportedRound]:
    """The rounds of a spreadsheet, the latest first, numbered downwards from below `lowest`.

    `albums`: those that were found, by the line of their row; rows without one are left out.
    """
    rows = [row for row in sheet.rounds if row.line in albums and row.on is not None]
    # Where each score has a row of its own, a note is a rater's, and no picker's.
    has_notes = all(column.role is not Role.RATER for column in sheet.columns)
    rows.sort(key=lambda row: (row.on or date.min, row.line), reverse=True)
    for number, row in enumerate(rows, 1):
        assert row.on is not None
        note = row.note[:NOTE_MOST] if has_notes else ""
        yield _round(row, albums[row.line], people, RoundNumber(lowest - number), noon(row.on), sheet.out_of, note)


def score_of(score: NamedScore, out_of: int) -> Score:
    """A score, exactly: of 5 as it is, everything else of 10. `out_of`: what it is of where it does not say so."""
    scale = Scale.EXACT_FIVE if (score.score.out_of or out_of) == 5 else Scale.EXACT_TEN
    points = score.score.scaled(scale.top, out_of)
    steps = int((points * scale.steps_per_point).to_integral_value())
    return Score(scale, min(steps, scale.steps[-1]))


def scores_of(row: SheetRound) -> tuple[NamedScore, ...]:
    """The scores of a row; where it has only their mean, that one."""
    if row.scores or row.mean is None:
        return row.scores
    from bot.files.scores import NamedScore  # loaded by now: the reader made the row

    return (NamedScore("", row.mean),)


def _round(
    row: SheetRound,
    album: AlbumId,
    people: Mapping[str, MemberId],
    number: RoundNumber,
    at: datetime,
    out_of: int,
    note: str,
) -> ImportedRound:
    picker = member_of(row.picker, people) if row.picker else None
    scores = [(member_of(one.member, people), score_of(one, out_of)) for one in scores_of(row)]
    round_ = Round(
        number,
        State.ENDED,
        at,
        Pick.TURNS,
        sealed=False,
        album_id=album,
        choice=Choice.PICKER if row.picker else None,
        chosen_by=picker,
        note=note,
        scale=_scale(score for _, score in scores),
        announced_at=at,
        ended_at=at,
        imported_at=at,
        picker_name="" if picker else row.picker[:NAME_MOST],
    )
    return ImportedRound(round_, _one_each(scores), row.theme[:THEME_MOST])


def _scale(scores: Iterable[Score]) -> Scale | None:
    scales = {score.scale for score in scores}
    if not scales:
        return None
    return Scale.HALVES if scales == {Scale.EXACT_FIVE} else Scale.TEN


def _one_each(scores: Iterable[tuple[MemberId | None, Score]]) -> tuple[tuple[MemberId | None, Score], ...]:
    """The scores; a second one of the same member is nobody's, since each rates an album once."""
    seen: set[MemberId] = set()
    found = []
    for member, score in scores:
        found.append((None if member in seen else member, score))
        if member is not None:
            seen.add(member)
    return tuple(found)


def _member_id(name: str) -> MemberId | None:
    match = _ID.fullmatch(name.strip())
    return MemberId(int(match[1])) if match and int(match[1]) < 2**63 else None
