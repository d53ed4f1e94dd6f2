"""Nominating, voting, rating and turns: what is taken, what is refused, and why."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bot.caller import MemberId
from bot.curation import turns
from bot.curation.ballots import MAX_ALBUMS, BallotProblem, Method
from bot.curation.club import ClubSettings, Nomination, Outcome, Pick
from bot.curation.house_rules import check_album
from bot.curation.ids import RoundNumber
from bot.curation.participation import forget, nominate, withdraw
from bot.curation.refusals import PastRound, Reason, Refused
from tests.curation.stage import ANN, BOB, CAT, DAN, DAY, FIRST_HOUR, Stage, album

WEEK = 7 * DAY


def names(stage: Stage) -> list[str]:
    return [one.album_id for one in stage.club.coming.nominations]


def voting(settings: ClubSettings | None = None) -> Stage:
    stage = Stage(settings)
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.up_to(FIRST_HOUR - 3 * DAY)
    return stage


# ------------------------------------------------------------------ nominations


def test_a_second_nomination_replaces_the_first_once_that_is_confirmed() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")

    refused = stage.nominate(ANN, "B")
    assert isinstance(refused, Refused)
    assert (refused.reason, [one.album_id for one in refused.own]) == (Reason.CONFIRM_REPLACING, ["A"])
    assert names(stage) == ["A"]

    stage.nominate(ANN, "B", replacing=album("A"))
    assert names(stage) == ["B"]


def test_a_confirmation_of_what_is_no_longer_there_is_refused() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(ANN, "B", replacing=album("A"))

    assert stage.nominate(ANN, "C", replacing=album("A")) == Refused(Reason.CHANGED_MEANWHILE)


def test_nobody_replaces_what_another_member_nominated() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")

    assert stage.nominate(BOB, "B", replacing=album("A")) == Refused(Reason.CHANGED_MEANWHILE)
    assert withdraw(stage.club, BOB, album("A")) == Refused(Reason.NOT_YOURS)


def test_as_many_albums_as_are_set_can_be_nominated() -> None:
    stage = Stage(ClubSettings(nominations_per_member=2))

    assert isinstance(stage.nominate(ANN, "A"), Outcome)
    assert isinstance(stage.nominate(ANN, "B"), Outcome)
    refused = stage.nominate(ANN, "C")
    assert isinstance(refused, Refused)
    assert [one.album_id for one in refused.own] == ["A", "B"]


def test_an_album_that_somebody_nominated_already_is_told_at_once() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")

    assert stage.nominate(BOB, "A") == Refused(Reason.ALREADY_NOMINATED)


def test_the_same_album_again_changes_the_note() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")

    again = Nomination(album("A"), ANN, "Listen to side two", stage.now)
    stage.keep(nominate(stage.club, again, year=None, past=[]))

    assert names(stage) == ["A", "B"]
    assert stage.club.coming.nominations[0].note == "Listen to side two"


def test_a_nomination_can_be_withdrawn_until_voting_opens() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.keep(withdraw(stage.club, ANN, album("A")))
    assert names(stage) == []

    stage = voting()
    assert withdraw(stage.club, ANN, album("A")) == Refused(Reason.NOT_NOMINATING)
    assert stage.nominate(CAT, "C") == Refused(Reason.NOT_NOMINATING)


def test_a_list_of_25_albums_is_full_but_one_can_be_replaced() -> None:
    stage = Stage()
    for number in range(MAX_ALBUMS):
        assert isinstance(stage.nominate(MemberId(100 + number), f"A{number}"), Outcome)

    assert stage.nominate(ANN, "A") == Refused(Reason.LIST_FULL)
    assert isinstance(stage.nominate(MemberId(100), "A", replacing=album("A0")), Outcome)


@pytest.mark.parametrize("pick", [Pick.TURNS, Pick.CRATE])
def test_there_is_nothing_to_nominate_where_albums_are_not_voted_on(pick: Pick) -> None:
    assert Stage(ClubSettings(pick=pick)).nominate(ANN, "A") == Refused(Reason.NOT_BY_VOTE)


# ------------------------------------------------------------------ house rules


def test_an_album_that_the_club_has_had_is_told_at_once_also_while_it_is_listened_to() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.up_to(FIRST_HOUR)
    assert stage.nominate(BOB, "A") == Refused(Reason.ALREADY_PICKED, past=PastRound(RoundNumber(1), album("A"), ANN))

    stage.up_to(FIRST_HOUR + WEEK)
    assert stage.nominate(BOB, "A") == Refused(Reason.ALREADY_PICKED, past=PastRound(RoundNumber(1), album("A"), ANN))


def test_a_past_winner_waits_for_as_many_rounds_as_are_set() -> None:
    stage = Stage(ClubSettings(no_past_winner_rounds=2))
    stage.nominate(ANN, "A")
    stage.up_to(FIRST_HOUR)

    for hour in (FIRST_HOUR, FIRST_HOUR + WEEK):
        stage.up_to(hour)
        refused = stage.nominate(ANN, "X")
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.again_in) == (Reason.PAST_WINNER, 4)
        assert isinstance(stage.nominate(BOB, f"B{stage.club.coming.number}"), Outcome) == (hour == FIRST_HOUR)
    stage.up_to(FIRST_HOUR + 2 * WEEK)
    assert stage.club.coming.number == 4
    assert isinstance(stage.nominate(ANN, "X"), Outcome)


@pytest.mark.parametrize(
    ("year", "reason"),
    [
        (1969, Reason.RELEASED_TOO_EARLY),
        (1970, None),
        (1979, None),
        (1980, Reason.RELEASED_TOO_LATE),
        (None, None),
    ],
)
def test_albums_from_other_years_are_refused(year: int | None, reason: Reason | None) -> None:
    club = Stage(ClubSettings(released_from=1970, released_until=1979)).club

    refused = check_album(club, album("A"), year, [])

    assert (refused and refused.reason) == reason


# ------------------------------------------------------------------ votes


def test_a_ballot_can_be_changed_until_the_vote_is_counted() -> None:
    stage = voting()
    assert stage.vote(CAT, "A B") is None
    assert stage.vote(CAT, "B") is None

    stage.up_to(FIRST_HOUR)

    assert stage.counted == {1: [("B",)]}
    assert stage.vote(CAT, "A") == Refused(Reason.NOT_VOTING)


def test_a_ballot_is_refused_before_the_vote_is_open() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")

    assert stage.vote(CAT, "A") == Refused(Reason.NOT_VOTING)


def test_a_ballot_for_what_was_not_nominated_is_refused() -> None:
    assert voting().vote(CAT, "A Z") == Refused(Reason.BAD_BALLOT, ballot=BallotProblem.NOT_NOMINATED)


def test_as_many_ranks_as_the_method_has_can_be_filled() -> None:
    stage = voting(ClubSettings(method=Method.WEIGHTED, nominations_per_member=2))

    assert stage.vote(CAT, "A B A B") == Refused(Reason.BAD_BALLOT, ballot=BallotProblem.TOO_MANY)


def test_nobody_votes_first_for_their_own_nomination_where_that_is_a_house_rule() -> None:
    stage = voting(ClubSettings(not_own_first=True))

    assert stage.vote(ANN, "A B") == Refused(Reason.OWN_FIRST)
    assert stage.vote(ANN, "B A") is None
    assert stage.vote(CAT, "A B") is None
    assert voting().vote(ANN, "A B") is None


# ------------------------------------------------------------------ ratings


def test_a_rating_can_be_given_and_changed_from_the_announcement_to_the_summary() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    assert stage.rate(CAT, 8) == Refused(Reason.NOT_RATING)
    stage.up_to(FIRST_HOUR)
    assert stage.rate(CAT, 8) is None
    assert stage.rate(CAT, 9) is None

    stage.up_to(FIRST_HOUR + WEEK)

    assert stage.summed_up == {1: {CAT: 9}}
    assert stage.rate(CAT, 2, RoundNumber(1)) == Refused(Reason.NOT_RATING)


# ------------------------------------------------------------------ turns


def test_members_join_at_the_end_once() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN,))
    stage.keep(turns.join(stage.club, BOB))

    assert stage.club.order == (ANN, BOB)
    assert turns.join(stage.club, BOB) == Refused(Reason.ALREADY_IN_ORDER)


def test_who_leaves_takes_their_pick_along() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB))
    stage.pick(ANN, "A")
    stage.keep(turns.leave(stage.club, ANN))

    assert (stage.club.order, stage.club.picks) == ((BOB,), ())
    assert turns.leave(stage.club, ANN) == Refused(Reason.NOT_IN_ORDER)
    assert stage.pick(ANN, "A") == Refused(Reason.NOT_IN_ORDER)


def test_who_passes_goes_to_the_end_and_the_new_picker_is_told() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB, CAT))
    stage.tick()
    stage.news()
    stage.keep(turns.pass_turn(stage.club, ANN))
    stage.tick()

    assert stage.club.order == (BOB, CAT, ANN)
    assert [effect.member_id for effect in stage.news()] == [BOB]
    assert turns.pass_turn(replace(stage.club, order=(ANN,)), ANN) == Refused(Reason.NOBODY_ELSE)


def test_two_members_swap_their_turns() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB, CAT))
    stage.keep(turns.swap(stage.club, RoundNumber(1), ANN, CAT))

    assert stage.club.order == (CAT, BOB, ANN)


def test_an_offer_to_swap_ends_with_its_round_or_when_one_has_left() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB))

    assert turns.swap(stage.club, RoundNumber(1), ANN, DAN) == Refused(Reason.NOT_BOTH_IN_ORDER)
    assert turns.swap(stage.club, RoundNumber(1), ANN, ANN) == Refused(Reason.NOT_BOTH_IN_ORDER)
    stage.up_to(FIRST_HOUR)
    assert turns.swap(stage.club, RoundNumber(1), ANN, BOB) == Refused(Reason.CHANGED_MEANWHILE)


def test_swapping_back_and_forth_tells_each_picker_once() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB))
    for _ in range(3):
        stage.tick()
        stage.keep(turns.swap(stage.club, RoundNumber(1), ANN, BOB))

    assert sorted(effect.member_id or 0 for effect in stage.news() if not effect.step.is_post) == [ANN, BOB]


# ------------------------------------------------------------------ one's own data


def test_a_forgotten_member_is_nowhere_in_the_club_and_their_nomination_stays() -> None:
    stage = voting()
    stage.vote(CAT, "A")
    stage.up_to(FIRST_HOUR)
    stage.nominate(ANN, "C")
    stage.keep(turns.join(stage.club, ANN))

    club = forget(stage.club, ANN)

    assert names(stage) == ["C"]
    assert club.listening is not None
    assert (club.listening.album_id, club.listening.chosen_by) == ("A", None)
    assert [one.member_id for one in (*club.coming.nominations, *club.listening.nominations)] == [None, None, BOB]
    assert club.order == ()
