"""What rows of a spreadsheet become: rounds in order, exact scores, and members only where a name is certain."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.imported import imported, member_of, names_in
from bot.curation.ratings import Scale, Score, bars, summarise
from bot.files.club_sheet import ClubSheet, read_club_sheet

ADA = MemberId(200_000_000_000_000_001)
X, Y = AlbumId("4aawyAB9vmqN3uQ7FjRGTy"), AlbumId("1uyf3l2d4XYwiEqAb7t7fX")


def sheet(*lines: str) -> ClubSheet:
    return read_club_sheet("\n".join(lines).encode())


def test_rounds_are_numbered_downwards_the_latest_first() -> None:
    read = sheet("date,album", "2020-01-01,Blue", "2020-03-01,Red", "2020-02-01,Green")
    found = [*imported(read, {2: X, 3: Y, 4: X}, {}, lowest=1)]
    assert [(one.round.number, one.round.opened_at.month) for one in found] == [(0, 3), (-1, 2), (-2, 1)]
    assert found[0].round.imported_at == datetime(2020, 3, 1, 12, tzinfo=UTC)
    more = [*imported(read, {2: X}, {}, lowest=-2)]
    assert [one.round.number for one in more] == [-3], "a row without an album becomes no round"


def test_mentions_ids_and_known_names_are_members_and_other_names_stay_text() -> None:
    read = sheet(
        "date,album,picker", f"2020-01-01,a,<@{ADA}>", f"2020-01-02,b,{ADA}", "2020-01-03,c,@ÁDA", "2020-01-04,d,Eve"
    )
    assert names_in(read) == ["@ÁDA", "Eve"]
    found = [*imported(read, dict.fromkeys(range(2, 6), X), {"ada": ADA}, lowest=1)]
    assert [(one.round.chosen_by, one.round.picker_name) for one in reversed(found)] == [
        (ADA, ""),
        (ADA, ""),
        (ADA, ""),
        (None, "Eve"),
    ]
    assert member_of("99999999999999999999", {}) is None, "no id of Discord's is as large"


def test_scores_are_kept_exactly_of_5_or_of_10() -> None:
    read = sheet("date,album,Ada,Ben,Cy,Di", "2020-01-01,a,4.25/5,85%,15/20,0/10", "2020-01-02,b,3/5,,,")
    latest, first = imported(read, {2: X, 3: Y}, {}, lowest=1)
    assert [str(score) for _, score in first.scores] == ["4.25", "8.5", "7.5", "0"]
    assert first.round.scale is Scale.TEN
    assert latest.round.scale is Scale.HALVES
    assert [score.scale for _, score in latest.scores] == [Scale.EXACT_FIVE]


def test_a_member_who_scores_twice_counts_once_by_name() -> None:
    read = sheet(
        "date,album,name,rating,thoughts",
        "2020-01-01,a,Ada,4,so fine",
        "2020-01-01,a,ada,3,again",
        "2020-01-01,a,Eve,2,no",
    )
    (one,) = imported(read, {2: X}, {"ada": ADA}, lowest=1)
    assert [member for member, _ in one.scores] == [ADA, None, None]
    assert one.round.note == "", "what a rater wrote is no picker's note"


def test_exact_scores_keep_their_mean_and_fit_into_the_bars_of_the_clubs_scale() -> None:
    scores = [Score(Scale.EXACT_TEN, 783), Score(Scale.EXACT_TEN, 0)]
    summary = summarise(scores, Scale.TEN)
    assert summary is not None
    assert summary.mean == Fraction(783, 200)
    assert [(bar.points, bar.count) for bar in bars(scores, Scale.TEN)][::7] == [("8", 1), ("1", 1)]
    assert Score(Scale.EXACT_TEN, 1000).on(Scale.HALVES) == 5
    assert Score(Scale.EXACT_TEN, 100).on(Scale.HALVES) == 1
