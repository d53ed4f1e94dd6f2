"""Scores as people type them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.files.scores import NamedScore, Score, is_absent, likely_scale, read_score, read_scores, stated_scale


@pytest.mark.parametrize(
    ("cell", "value", "out_of"),
    [
        ("4.5", "4.5", None),
        ("4,5", "4.5", None),
        ("4,50", "4.50", None),
        (" 10 ", "10", None),
        ("0", "0", None),
        ("9/10", "9", "10"),
        ("4,5 / 5", "4.5", "5"),
        ("8 out of 10", "8", "10"),
        ("8 von 10", "8", "10"),
        ("90 %", "90", "100"),
        ("4½", "4.5", None),
        ("½", "0.5", None),
        ("3 1/2", "3.5", None),
        ("3¾", "3.75", None),
        ("★★★½", "3.5", None),
        ("★★★☆☆", "3", "5"),
        ("★★½☆☆", "2.5", "5"),
        ("☆☆☆☆☆", "0", "5"),
        ("⭐️⭐️⭐️", "3", None),
        ("⭐ ⭐", "2", None),
        ("***", "3", None),
        ("4 stars", "4", None),
        ("3 Sterne", "3", None),
        ("7 pts", "7", None),
    ],
)
def test_the_usual_forms_of_a_score_are_read(cell: str, value: str, out_of: str | None) -> None:
    assert read_score(cell) == Score(Decimal(value), None if out_of is None else Decimal(out_of))


@pytest.mark.parametrize(
    "cell", ["A", "good", "11/10", "101", "1985", "-3", "4+", "0/0", "3/2", "٤", "4.5.6", "★" * 11, "1e5"]
)
def test_what_is_no_score_is_none(cell: str) -> None:
    assert read_score(cell) is None


@pytest.mark.parametrize("cell", ["", "  ", "-", "—", "n/a", "N/A", "absent", "did not listen", "DNF", "#DIV/0!"])
def test_that_somebody_did_not_rate_is_no_score_and_no_mistake(cell: str) -> None:
    assert is_absent(cell)
    assert read_score(cell) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("4; 3.5; 5", [("", "4"), ("", "3.5"), ("", "5")]),
        ("4 3,5 5", [("", "4"), ("", "3.5"), ("", "5")]),
        ("4, 5", [("", "4"), ("", "5")]),
        ("Ada: 4; Ben: 3,5", [("Ada", "4"), ("Ben", "3.5")]),
        ("Ada 4, Mary Jane 3.5", [("Ada", "4"), ("Mary Jane", "3.5")]),
        ("Ada (4), Ben (5)", [("Ada", "4"), ("Ben", "5")]),
        ("Ada - 4 / Ben - 5", [("Ada", "4"), ("Ben", "5")]),
        ("Ada=4\nBen=★★★", [("Ada", "4"), ("Ben", "3")]),
    ],
)
def test_several_scores_in_one_cell_are_told_apart(cell: str, expected: list[tuple[str, str]]) -> None:
    assert read_scores(cell) == tuple(NamedScore(name, Score(Decimal(value))) for name, value in expected)


@pytest.mark.parametrize("cell", ["Ada: great; Ben: 4", "loved it", "4; good", ";;;", "Low - Hey What 2021"])
def test_a_cell_that_is_only_partly_scores_is_none(cell: str) -> None:
    assert read_scores(cell) is None


def scores(*cells: str) -> list[Score]:
    return [score for cell in cells if (score := read_score(cell))]


@pytest.mark.parametrize(
    ("cells", "scale"),
    [((), 5), (("4", "3.5"), 5), (("4", "7"), 10), (("11",), 20), (("50", "3"), 100), (("4", "90%"), 5)],
)
def test_the_scale_is_the_smallest_usual_one_that_holds_every_score(cells: tuple[str, ...], scale: int) -> None:
    assert likely_scale(scores(*cells)) == scale


def test_a_column_that_mostly_states_its_scale_has_that_scale() -> None:
    assert stated_scale(scores("9/10", "4", "8/10")) == 10
    assert stated_scale(scores("4.5", "4,5", "9/10", "★★★½")) is None
    assert stated_scale(scores("4/5", "8/10", "9/10")) is None
    assert stated_scale(scores("4/5", "3/5", "7")) is None


def test_a_score_moves_to_another_scale_in_proportion() -> None:
    assert Score(Decimal(9), Decimal(10)).scaled(5, out_of=5) == Decimal("4.5")
    assert Score(Decimal("3.5")).scaled(10, out_of=5) == 7


@given(st.text(max_size=60) | st.text(st.sampled_from("0123456789.,/½★☆ :;AaB%-"), max_size=20))
def test_no_text_makes_the_reader_of_scores_fail_and_no_score_exceeds_its_scale(cell: str) -> None:
    for named_score in read_scores(cell) or ():
        assert 0 <= named_score.score.value <= (named_score.score.out_of or 100)


def test_a_long_cell_is_refused_without_work() -> None:
    assert read_score("★" * 1_000_000) is None
    assert read_scores("4 " * 1_000_000) is None
    assert read_scores("a" * 1999) is None
