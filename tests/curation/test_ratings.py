"""Ratings: what people type, what it adds up to, and the standings."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ids import RoundNumber
from bot.curation.ratings import (
    RatedRound,
    Scale,
    Score,
    ScoreProblem,
    bars,
    by_decade,
    by_mean,
    by_picker,
    chart,
    most_divisive,
    number,
    parse_score,
    summarise,
)

HALVES, TEN = Scale.HALVES, Scale.TEN


def halves(*points: float) -> tuple[Score, ...]:
    return tuple(Score(HALVES, int(point * 2)) for point in points)


@pytest.mark.parametrize(
    ("typed", "points"),
    [
        ("4", 4),
        (" 4 ", 4),
        ("4.5", 4.5),
        ("4,5", 4.5),
        ("4.50", 4.5),
        ("4½", 4.5),
        ("4 ½", 4.5),
        ("4 1/2", 4.5),
        ("4.5/5", 4.5),
        ("4 / 5", 4),
        ("4½/5", 4.5),
        ("4 out of 5", 4),
        ("4 stars", 4),
        ("1 star", 1),
        ("★★★★", 4),
        ("★★★★½", 4.5),
        ("★★★☆☆", 3),
        ("⭐⭐⭐", 3),
        ("***", 3),
        ("\N{FULLWIDTH DIGIT FOUR}\N{FULLWIDTH FULL STOP}\N{FULLWIDTH DIGIT FIVE}", 4.5),
    ],
)
def test_a_score_in_halves_is_read_as_people_type_it(typed: str, points: float) -> None:
    assert parse_score(typed, HALVES) == Score(HALVES, int(points * 2))


@pytest.mark.parametrize(("typed", "steps"), [("7", 7), ("10", 10), ("7/10", 7), ("7.0", 7), ("8 of 10", 8)])
def test_a_score_from_1_to_10_is_read_as_people_type_it(typed: str, steps: int) -> None:
    assert parse_score(typed, TEN) == Score(TEN, steps)


@pytest.mark.parametrize(
    ("typed", "scale", "problem"),
    [
        ("", HALVES, ScoreProblem.NOT_A_NUMBER),
        ("four", HALVES, ScoreProblem.NOT_A_NUMBER),
        ("-3", HALVES, ScoreProblem.NOT_A_NUMBER),
        ("4.5.5", HALVES, ScoreProblem.NOT_A_NUMBER),
        ("1e3", HALVES, ScoreProblem.NOT_A_NUMBER),
        ("9" * 5000, HALVES, ScoreProblem.NOT_A_NUMBER),
        ("0", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("½", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("0.5", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("5.5", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("8", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("4/10", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("★★★★★★", HALVES, ScoreProblem.OFF_THE_SCALE),
        ("4.3", HALVES, ScoreProblem.NOT_A_STEP),
        ("11", TEN, ScoreProblem.OFF_THE_SCALE),
        ("7.5", TEN, ScoreProblem.NOT_A_STEP),
        ("4/5", TEN, ScoreProblem.OFF_THE_SCALE),
    ],
)
def test_what_is_no_score_is_told_apart(typed: str, scale: Scale, problem: ScoreProblem) -> None:
    assert parse_score(typed, scale) is problem


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Scale), st.data())
def test_every_score_is_read_back_as_it_is_shown(scale: Scale, data: st.DataObject) -> None:
    score = Score(scale, data.draw(st.sampled_from(scale.steps)))

    assert parse_score(str(score), scale) == score


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from(Scale))
def test_whatever_is_typed_there_is_an_answer(typed: str, scale: Scale) -> None:
    assert isinstance(parse_score(typed, scale), Score | ScoreProblem)


def test_a_score_off_its_scale_cannot_be_made() -> None:
    with pytest.raises(ValueError):
        Score(HALVES, 1)
    with pytest.raises(ValueError):
        Score(TEN, 11)


def test_mean_and_spread_are_those_of_the_scores() -> None:
    summary = summarise(halves(2, 4, 4, 4, 5, 5, 5, 5), HALVES)

    assert summary is not None
    assert (summary.ratings, summary.mean, summary.spread) == (8, Fraction(17, 4), pytest.approx(0.968, abs=0.001))
    assert number(summary.mean) == "4.25"
    assert summarise([], HALVES) is None


def test_scores_on_another_scale_are_converted_end_to_end() -> None:
    assert [Score(HALVES, steps).on(TEN) for steps in (2, 6, 10)] == [1, Fraction(11, 2), 10]
    assert [Score(TEN, steps).on(HALVES) for steps in (1, 10)] == [1, 5]


def test_the_chart_shows_each_score_from_the_best_to_the_worst_given() -> None:
    assert chart(halves(5, 5, 4.5, 3, 5), HALVES) == "5   ███ 3\n4.5 █ 1\n4\n3.5\n3   █ 1"
    assert chart([Score(TEN, 10), Score(TEN, 9)], TEN) == "10 █ 1\n9  █ 1"
    assert chart([], HALVES) == ""


def test_no_bar_is_longer_than_the_chart_and_no_score_given_has_an_empty_one() -> None:
    found = bars([*halves(5) * 500, *halves(4) * 250, *halves(1)], HALVES)

    assert [len(bar.bar) for bar in found] == [10, 0, 5, 0, 0, 0, 0, 0, 1]
    assert [bar.count for bar in found if bar.count] == [500, 250, 1]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(HALVES.steps).map(lambda steps: Score(HALVES, steps))), st.sampled_from(Scale))
def test_no_rating_is_missing_in_the_chart(scores: list[Score], scale: Scale) -> None:
    assert sum(bar.count for bar in bars(scores, scale)) == len(scores)


def rated(round_: int, scores: tuple[Score, ...], picker: int | None = None, year: int | None = None) -> RatedRound:
    return RatedRound(
        RoundNumber(round_), AlbumId(f"album{round_}"), None if picker is None else MemberId(picker), year, scores
    )


SEASON = [
    rated(1, halves(4, 4, 4), picker=1, year=1999),
    rated(2, halves(1, 5, 5), picker=2, year=1991),
    rated(3, halves(3, 3.5), picker=1, year=2000),
    rated(4, (), picker=2, year=2001),
    rated(5, halves(5, 5, 4.5), picker=None, year=None),
]


def test_albums_are_ordered_by_their_mean() -> None:
    found = by_mean(SEASON, HALVES)

    assert [standing.key for standing in found] == [5, 1, 2, 3]
    assert [number(standing.summary.mean) for standing in found] == ["4.83", "4", "3.67", "3.25"]


def test_an_album_divides_when_enough_members_disagree() -> None:
    assert [standing.key for standing in most_divisive(SEASON, HALVES)] == [2, 5]


def test_members_are_ordered_by_how_their_albums_were_rated() -> None:
    found = by_picker(SEASON, HALVES)

    assert [(standing.key, standing.rounds, number(standing.summary.mean)) for standing in found] == [
        (2, 1, "3.67"),
        (1, 2, "3.62"),
    ]


def test_decades_are_ordered_by_how_their_albums_were_rated() -> None:
    found = by_decade(SEASON, HALVES)

    assert [(standing.key, standing.rounds) for standing in found] == [(1990, 2), (2000, 1)]


def test_of_equal_means_the_one_with_more_ratings_comes_first() -> None:
    found = by_mean([rated(1, halves(4)), rated(2, halves(4, 4)), rated(3, halves(4))], HALVES)

    assert [standing.key for standing in found] == [2, 1, 3]
