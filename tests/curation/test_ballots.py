"""Counting: published elections with known results, ties, exhausted ballots, and what always holds."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.albums import AlbumId
from bot.curation.ballots import (
    Ballot,
    BallotProblem,
    Count,
    Method,
    Step,
    Tie,
    TieBreak,
    Verdict,
    ballot_from,
    check,
    count,
    replay,
)


def ballot(choices: str) -> Ballot:
    return tuple(AlbumId(name) for name in choices.split())


def ballots(piles: dict[str, int]) -> list[Ballot]:
    """Ballots from the piles of a published count: "Memphis Nashville": 42."""
    return [ballot(choices) for choices, number in piles.items() for _ in range(number)]


def ranked(lot: str, piles: dict[str, int]) -> Count:
    return count(Method.RANKED_CHOICE, ballot(lot), ballots(piles))


def tallies(step: Step) -> dict[str, int]:
    return dict(step.tallies)


# ------------------------------------------------------------------ published elections

TENNESSEE = "Memphis Nashville Chattanooga Knoxville"
# The textbook example of Tennessee choosing its capital, as in Wikipedia's articles on each of the methods.
TENNESSEE_VOTES = {
    "Memphis Nashville Chattanooga Knoxville": 42,
    "Nashville Chattanooga Knoxville Memphis": 26,
    "Chattanooga Knoxville Nashville Memphis": 15,
    "Knoxville Chattanooga Nashville Memphis": 17,
}


def test_ranked_choice_makes_knoxville_the_capital_of_tennessee_in_three_counts() -> None:
    result = ranked(TENNESSEE, TENNESSEE_VOTES)

    assert [tallies(step) for step in result.steps] == [
        {"Memphis": 42, "Nashville": 26, "Chattanooga": 15, "Knoxville": 17},
        {"Memphis": 42, "Nashville": 26, "Knoxville": 32},
        {"Memphis": 42, "Knoxville": 58},
    ]
    assert [step.eliminated for step in result.steps] == [("Chattanooga",), ("Nashville",), ()]
    assert [step.verdict for step in result.steps] == [Verdict.FEWEST, Verdict.FEWEST, Verdict.MAJORITY]
    assert result.winner == "Knoxville"


def test_weighted_makes_nashville_the_capital_with_the_published_borda_points() -> None:
    result = count(Method.WEIGHTED, ballot(TENNESSEE), ballots(TENNESSEE_VOTES))

    assert tallies(result.steps[-1]) == {"Memphis": 126, "Nashville": 194, "Chattanooga": 173, "Knoxville": 107}
    assert result.winner == "Nashville"


def test_approval_makes_nashville_the_capital_where_everybody_approves_of_their_best_two() -> None:
    best_two = {" ".join(choices.split()[:2]): number for choices, number in TENNESSEE_VOTES.items()}

    result = count(Method.APPROVAL, ballot(TENNESSEE), ballots(best_two))

    assert tallies(result.steps[0]) == {"Memphis": 42, "Nashville": 68, "Chattanooga": 58, "Knoxville": 32}
    assert result.winner == "Nashville"


def test_the_mayor_of_burlington_2009_is_elected_with_the_official_figures() -> None:
    # The official counts: Smith, Simpson and the write-ins were eliminated together, and 396, 343 and 491 of their
    # 1,377 ballots went to Kiss, Wright and Montroll. We eliminate them one by one, which comes to the same.
    result = ranked(
        "Wright Kiss Montroll Smith WriteIn Simpson",
        {
            "Wright": 2951,
            "Kiss": 2585,
            "Montroll Kiss": 1332 - 491,
            "Montroll Wright": 767,
            "Montroll": 455,
            "Smith Montroll Kiss": 491,
            "Smith Kiss": 396,
            "Smith Wright": 343,
            "Smith": 1306 - 491 - 396 - 343,
            "Simpson": 35,
            "WriteIn": 36,
            "": 4,
        },
    )

    first, second, third = result.steps[0], result.steps[-2], result.steps[-1]
    assert tallies(first) == {
        "Wright": 2951,
        "Kiss": 2585,
        "Montroll": 2063,
        "Smith": 1306,
        "WriteIn": 36,
        "Simpson": 35,
    }
    assert (tallies(second), second.exhausted) == ({"Wright": 3294, "Kiss": 2981, "Montroll": 2554}, 151)
    assert (tallies(third), third.exhausted) == ({"Wright": 4061, "Kiss": 4313}, 606)
    assert [out for step in result.steps for out in step.eliminated] == ["Simpson", "WriteIn", "Smith", "Montroll"]
    assert result.winner == "Kiss"


# How the ballots of the last three candidates for Burlington stood, as analysed by Gierzynski, Hamilton and Smith.
BURLINGTON_LAST_THREE = {
    "Montroll Kiss Wright": 1332,
    "Montroll Wright Kiss": 767,
    "Montroll": 455,
    "Kiss Montroll Wright": 2043,
    "Kiss Wright Montroll": 371,
    "Kiss": 568,
    "Wright Montroll Kiss": 1513,
    "Wright Kiss Montroll": 495,
    "Wright": 1289,
}


def test_burlington_elects_the_candidate_whom_most_would_have_passed_over_in_a_pair() -> None:
    assert ranked("Wright Kiss Montroll", BURLINGTON_LAST_THREE).winner == "Kiss"
    # The published pairs: Montroll beats Kiss 4067 to 3477, and Wright 4597 to 3668.
    for other, won, lost in (("Kiss", 4067, 3477), ("Wright", 4597, 3668)):
        pair = ranked(f"Montroll {other}", BURLINGTON_LAST_THREE)
        assert (pair.winner, tallies(pair.steps[0])) == ("Montroll", {"Montroll": won, other: lost})


def test_burlington_loses_its_winner_when_750_more_voters_rank_him_first() -> None:
    # The published paradox: 453 ballots "Wright" and 297 "Wright Kiss Montroll" become ballots for Kiss, who then loses
    # to Montroll, since Wright is eliminated.
    raised = BURLINGTON_LAST_THREE | {"Wright": 1289 - 453, "Wright Kiss Montroll": 495 - 297, "Kiss": 568 + 453 + 297}

    result = ranked("Wright Kiss Montroll", raised)

    assert (result.steps[0].eliminated, result.winner) == (("Wright",), "Montroll")


@pytest.mark.parametrize(
    ("piles", "last", "exhausted", "winner"),
    [
        pytest.param(
            {
                "Lenihan": 6944,
                "Robinson": 6122,
                "Currie Robinson": 2055,
                "Currie Lenihan": 367,
                "Currie": 255,
            },
            {"Robinson": 8177, "Lenihan": 7311},
            255,
            "Robinson",
            id="Ireland 1990, in hundreds: 612,265 + 205,565 beats 694,484 + 36,789",
        ),
        pytest.param(
            {
                "Peltola": 75_761,
                "Palin": 58_945,
                "Begich Palin": 27_042,
                "Begich Peltola": 15_445,
                "Begich": 11_222 + 47,  # exhausted, and ranked two candidates alike
            },
            {"Peltola": 91_206, "Palin": 85_987},
            11_269,
            "Peltola",
            id="Alaska 2022, as first published",
        ),
    ],
)
def test_the_eliminated_candidates_ballots_decide_as_published(
    piles: dict[str, int], last: dict[str, int], exhausted: int, winner: str
) -> None:
    result = ranked(" ".join(dict.fromkeys(name for choices in piles for name in choices.split())), piles)

    assert (tallies(result.steps[-1]), result.steps[-1].exhausted, result.winner) == (last, exhausted, winner)


# ------------------------------------------------------------------ ties


def test_a_tie_for_the_last_place_goes_to_the_count_before() -> None:
    # Second count: C and D have 4 each. In the first, C had 3 and D had 4, so C is eliminated.
    result = ranked("C D A B", {"A": 6, "B C": 1, "C A": 3, "D A": 4})

    assert tallies(result.steps[1]) == {"C": 4, "D": 4, "A": 6}
    assert result.steps[1].eliminated == ("C",)
    assert result.steps[1].tie == Tie(ballot("C D"), TieBreak.PREVIOUS_COUNT, 0)


def test_a_tie_in_the_count_before_goes_to_the_one_before_that() -> None:
    # C and D are equal in the third count and in the second, but in the first C had fewer.
    result = ranked("C D A E F", {"A": 9, "C": 3, "D": 4, "E C": 1, "F C": 1, "F D": 1})

    assert [tallies(step) for step in result.steps[:3]] == [
        {"C": 3, "D": 4, "A": 9, "E": 1, "F": 2},
        {"C": 4, "D": 4, "A": 9, "F": 2},
        {"C": 5, "D": 5, "A": 9},
    ]
    assert (result.steps[2].eliminated, result.steps[2].tie) == (
        ("C",),
        Tie(ballot("C D"), TieBreak.PREVIOUS_COUNT, 0),
    )


@pytest.mark.parametrize(("lot", "winner"), [("A B", "A"), ("B A", "B")])
def test_a_tie_that_no_count_decides_goes_to_the_album_that_was_drawn_first(lot: str, winner: str) -> None:
    result = ranked(lot, {"A": 3, "B": 3})

    assert result.winner == winner
    assert result.steps[0].tie == Tie(ballot(lot), TieBreak.LOT)
    assert result.steps[1].verdict is Verdict.LAST_LEFT


def test_weighted_decides_a_tie_by_the_points_before_the_last_rank_was_added() -> None:
    # Both end with 4 points: A by a first and a third place, B by two second places.
    result = count(Method.WEIGHTED, ballot("A B X Y"), ballots({"A B X": 1, "Y B A": 1}))

    assert [tallies(step) for step in result.steps] == [
        {"A": 3, "B": 0, "X": 0, "Y": 3},
        {"A": 3, "B": 4, "X": 0, "Y": 3},
        {"A": 4, "B": 4, "X": 1, "Y": 3},
    ]
    assert (result.winner, result.steps[-1].tie) == ("B", Tie(ballot("A B"), TieBreak.PREVIOUS_COUNT, 1))


def test_approval_decides_a_tie_by_lot() -> None:
    result = count(Method.APPROVAL, ballot("B A"), ballots({"A B": 2, "A": 1, "B": 1}))

    assert (result.winner, result.steps[0].tie) == ("B", Tie(ballot("B A"), TieBreak.LOT))


# ------------------------------------------------------------------ few ballots, odd ballots


@pytest.mark.parametrize("method", Method)
def test_without_a_ballot_the_lot_decides_and_says_so(method: Method) -> None:
    result = count(method, ballot("B A C"), [])

    assert (result.winner, result.steps[-1].verdict) == ("B", Verdict.NO_VOTES)
    assert result.steps[-1].tie == Tie(ballot("B A C"), TieBreak.LOT)


@pytest.mark.parametrize("method", Method)
def test_one_voter_decides_alone(method: Method) -> None:
    assert count(method, ballot("A B C"), [ballot("C")]).winner == "C"


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("votes", [{}, {"A": 3}, {"": 3}])
def test_a_single_album_wins_whatever_was_voted(method: Method, votes: dict[str, int]) -> None:
    assert count(method, ballot("A"), ballots(votes)).winner == "A"


def test_albums_without_a_vote_are_eliminated_together() -> None:
    result = ranked("A B C D E", {"A": 2, "B": 2, "C B": 1})

    assert (result.steps[0].verdict, result.steps[0].eliminated) == (Verdict.WITHOUT_VOTES, ballot("D E"))
    assert (result.steps[1].verdict, result.steps[1].eliminated) == (Verdict.FEWEST, ballot("C"))
    assert result.winner == "B"


def test_a_majority_is_one_of_the_ballots_that_are_not_exhausted() -> None:
    result = ranked("A B C", {"A": 4, "B": 3, "C": 2})

    assert (result.steps[-1].exhausted, tallies(result.steps[-1])) == (2, {"A": 4, "B": 3})
    assert result.winner == "A"


def test_a_vetoed_album_passes_its_ballots_on() -> None:
    assert ranked("A B", {"Vetoed A": 3, "B": 2, "Vetoed": 4}).winner == "A"


@pytest.mark.parametrize("lot", ["", "A A"])
def test_a_lot_order_that_cannot_be_is_refused(lot: str) -> None:
    with pytest.raises(ValueError):
        count(Method.APPROVAL, ballot(lot), [])


def test_a_rank_that_was_left_empty_moves_the_others_up() -> None:
    assert ballot_from([AlbumId("B"), None, AlbumId("A"), None]) == ballot("B A")


@pytest.mark.parametrize(
    ("choices", "method", "problem"),
    [
        ("B A", Method.RANKED_CHOICE, None),
        ("", Method.RANKED_CHOICE, BallotProblem.BLANK),
        ("A B A", Method.RANKED_CHOICE, BallotProblem.REPEATED),
        ("A Z", Method.RANKED_CHOICE, BallotProblem.NOT_NOMINATED),
        ("A B C D E F", Method.RANKED_CHOICE, BallotProblem.TOO_MANY),
        ("A B C D", Method.WEIGHTED, BallotProblem.TOO_MANY),
        ("A B C D E F", Method.APPROVAL, None),
    ],
)
def test_a_ballot_is_checked(choices: str, method: Method, problem: BallotProblem | None) -> None:
    assert check(ballot(choices), method, ballot("A B C D E F")) == problem


# ------------------------------------------------------------------ what always holds

ALBUMS = [AlbumId(name) for name in "ABCDEFG"]
METHODS = st.sampled_from(Method)
LOTS = st.lists(st.sampled_from(ALBUMS), min_size=1, unique=True)
BALLOTS = st.lists(st.lists(st.sampled_from(ALBUMS), max_size=5, unique=True).map(tuple), max_size=25)


@settings(max_examples=300, deadline=None)
@given(METHODS, LOTS, BALLOTS, st.randoms(use_true_random=False))
def test_the_order_of_ballots_does_not_matter(
    method: Method, lot: list[AlbumId], cast: list[Ballot], rng: random.Random
) -> None:
    shuffled = rng.sample(cast, len(cast))

    assert count(method, lot, cast) == count(method, lot, shuffled)


@settings(max_examples=300, deadline=None)
@given(METHODS, LOTS, BALLOTS)
def test_the_winner_was_to_be_voted_on_and_only_the_last_step_has_one(
    method: Method, lot: list[AlbumId], cast: list[Ballot]
) -> None:
    result = count(method, lot, cast)

    assert result.winner in lot
    assert [step.winner for step in result.steps] == [None] * (len(result.steps) - 1) + [result.winner]


@settings(max_examples=300, deadline=None)
@given(LOTS, BALLOTS)
def test_each_tally_of_a_ranked_choice_adds_up_to_the_ballots_that_are_not_exhausted(
    lot: list[AlbumId], cast: list[Ballot]
) -> None:
    left = set(lot)
    for step in count(Method.RANKED_CHOICE, lot, cast).steps:
        assert sum(tallies(step).values()) == len(cast) - step.exhausted
        assert set(tallies(step)) == left
        left -= set(step.eliminated)


@settings(max_examples=300, deadline=None)
@given(METHODS, LOTS, BALLOTS)
def test_anybody_can_repeat_a_count_from_what_was_exported(
    method: Method, lot: list[AlbumId], cast: list[Ballot]
) -> None:
    result = count(method, lot, cast)

    assert replay(json.loads(json.dumps(result.export()))) == result


def test_an_export_that_was_tampered_with_is_refused() -> None:
    exported = ranked("A B", {"A": 2, "B": 1}).export() | {"winner": "B"}

    with pytest.raises(ValueError, match="elect A, not B"):
        replay(exported)


@settings(max_examples=300, deadline=None)
@given(LOTS, BALLOTS)
def test_an_album_with_more_than_half_of_the_first_places_wins(lot: list[AlbumId], cast: list[Ballot]) -> None:
    firsts = [next((album for album in one if album in lot), None) for one in cast]
    for album in lot:
        if firsts.count(album) * 2 > len(firsts) - firsts.count(None):
            assert count(Method.RANKED_CHOICE, lot, cast).winner == album
            break
