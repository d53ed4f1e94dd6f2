"""What curators do with a club, and what happens when two do it at once."""

from __future__ import annotations

from datetime import date, time

import pytest
from msgspec.structs import replace

from bot.curation.ballots import Method
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import Choice, ClubSettings, Outcome, Pick, State, Step
from bot.curation.curators import (
    Applies,
    Seen,
    applies_from,
    change_calendar,
    change_settings,
    end_step,
    extend,
    pause,
    resume,
    skip_round,
    start,
    veto,
)
from bot.curation.ids import ClubId
from bot.curation.ratings import Scale
from bot.curation.refusals import Reason, Refused
from bot.curation.rounds import wake_at
from tests.curation.stage import ANN, BEGIN, BERLIN, BOB, CAT, DAN, DAY, FIRST_HOUR, HOUR, Stage, album

WEEK = 7 * DAY
SECOND_HOUR = FIRST_HOUR + WEEK


def nominated(settings: ClubSettings | None = None) -> Stage:
    stage = Stage(settings)
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.news()
    return stage


def voting(settings: ClubSettings | None = None) -> Stage:
    stage = nominated(settings)
    stage.up_to(FIRST_HOUR - 3 * DAY)
    stage.news()
    return stage


# ------------------------------------------------------------------ start


def test_a_biweekly_club_that_is_started_long_after_its_preview_does_not_lose_two_weeks() -> None:
    previewed = Calendar(date(2026, 1, 13), time(20), BERLIN, Rhythm.BIWEEKLY)
    now = FIRST_HOUR - DAY

    club = start(ClubId(1), ClubSettings(), previewed, now).club

    assert club.club_hour_at == SECOND_HOUR


@pytest.mark.parametrize(
    "wrong",
    [
        {"voting_days": 0},
        {"voting_days": 28},
        {"nominations_per_member": 0},
        {"nominations_per_member": 6},
        {"no_past_winner_rounds": -1},
        {"released_from": 1990, "released_until": 1980},
    ],
)
def test_settings_out_of_range_cannot_be_made(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        ClubSettings(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------ skip, next, extend


def test_a_skipped_round_says_so_at_once_and_the_next_is_called_for_at_the_club_hour() -> None:
    stage = voting()
    stage.vote(CAT, "A")

    stage.keep(skip_round(stage.club, stage.now))
    assert [effect.step for effect in stage.news()] == [Step.SKIPPED, Step.FORGET_VOTERS]
    assert stage.vote(DAN, "A") == Refused(Reason.NOT_VOTING)

    stage.up_to(FIRST_HOUR)
    assert stage.posts() == [(Step.CALL, 2)]
    assert [(one.number, one.state, one.album_id) for one in stage.closed] == [(1, State.SKIPPED, None)]


def test_a_skipped_turn_is_not_lost() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB))
    stage.pick(ANN, "A")
    stage.keep(skip_round(stage.club, stage.now))
    stage.up_to(FIRST_HOUR)

    assert stage.club.order == (ANN, BOB)
    assert stage.club.picked_by(ANN) is not None


def test_next_opens_the_vote_then_announces_then_ends_the_album() -> None:
    stage = nominated()

    stage.keep(end_step(stage.club, stage.facts()))
    assert stage.posts() == [(Step.VOTE, 1)]
    stage.vote(CAT, "B")
    stage.now += HOUR
    stage.keep(end_step(stage.club, stage.facts()))
    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    stage.now += HOUR
    stage.keep(end_step(stage.club, stage.facts()))
    assert stage.posts() == [(Step.SUMMARY, 1), (Step.SKIPPED, 2), (Step.CALL, 3)]


def test_steps_that_are_ended_early_are_not_late_and_leave_the_rhythm_in_place() -> None:
    stage = nominated()
    for _ in range(6):
        stage.now += HOUR
        stage.keep(end_step(stage.club, stage.facts()))

    assert not [effect for effect in stage.effects if effect.late]
    assert stage.club.club_hour_at == FIRST_HOUR


def test_an_album_announced_a_day_early_is_kept_until_the_club_hour_after_the_next() -> None:
    stage = voting()
    stage.up_to(FIRST_HOUR - DAY)

    stage.keep(end_step(stage.club, stage.facts()))

    assert stage.club.club_hour_at == SECOND_HOUR


def test_of_two_curators_who_end_the_same_step_only_one_does() -> None:
    stage = nominated()
    seen = Seen.of(stage.club)

    stage.keep(end_step(stage.club, stage.facts(), seen))

    assert end_step(stage.club, stage.facts(), seen) == Refused(Reason.CHANGED_MEANWHILE)
    assert skip_round(stage.club, stage.now, seen) == Refused(Reason.CHANGED_MEANWHILE)
    assert extend(stage.club, DAY, seen) == Refused(Reason.CHANGED_MEANWHILE)


def test_a_round_is_skipped_once() -> None:
    stage = nominated()
    stage.keep(skip_round(stage.club, stage.now))

    assert skip_round(stage.club, stage.now) == Refused(Reason.ALREADY)


def test_extending_the_nominations_moves_the_vote_and_the_club_hour() -> None:
    stage = nominated()

    stage.keep(extend(stage.club, 2 * DAY))

    assert (stage.club.vote_at, stage.club.club_hour_at) == (FIRST_HOUR - DAY, FIRST_HOUR + 2 * DAY)
    stage.up_to(FIRST_HOUR + 2 * DAY)
    assert stage.posts() == [(Step.VOTE, 1), (Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    assert stage.club.club_hour_at == SECOND_HOUR


def test_a_step_cannot_be_extended_backwards() -> None:
    with pytest.raises(ValueError):
        extend(nominated().club, -DAY)


# ------------------------------------------------------------------ pause and resume


def test_a_paused_club_does_nothing_by_the_clock_and_goes_on_where_it_was() -> None:
    stage = voting()
    stage.keep(pause(stage.club, stage.now))
    assert wake_at(stage.club, stage.now) is None
    assert pause(stage.club, stage.now) == Refused(Reason.ALREADY)
    assert end_step(stage.club, stage.facts()) == Refused(Reason.PAUSED)

    stage.up_to(FIRST_HOUR - HOUR)
    stage.keep(resume(stage.club, stage.now))
    stage.up_to(FIRST_HOUR)

    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    assert resume(stage.club, stage.now) == Refused(Reason.ALREADY)


def test_a_club_that_is_resumed_after_its_club_hour_takes_one_at_least_5_days_ahead_and_skips_nothing() -> None:
    stage = nominated()
    stage.keep(pause(stage.club, stage.now))
    stage.up_to(FIRST_HOUR + 30 * DAY)
    stage.vote(CAT, "A")
    stage.keep(resume(stage.club, stage.now))
    stage.tick()

    assert stage.news() == []
    assert 5 * DAY <= stage.club.club_hour_at - stage.now <= 12 * DAY
    stage.up_to(stage.club.club_hour_at)
    assert stage.posts() == [(Step.VOTE, 1), (Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]


def test_a_vote_that_was_due_during_a_pause_opens_on_time_when_resumed() -> None:
    stage = nominated()
    stage.keep(pause(stage.club, stage.now))
    stage.up_to(FIRST_HOUR - DAY)
    stage.keep(resume(stage.club, stage.now))
    stage.tick()

    assert [(effect.step, effect.late) for effect in stage.news()] == [(Step.VOTE, False)]


# ------------------------------------------------------------------ settings

CHANGED = ClubSettings(
    pick=Pick.TURNS, sealed=True, method=Method.APPROVAL, scale=Scale.TEN, voting_days=2, no_past_winner_rounds=2
)


def test_before_anybody_nominates_all_settings_apply_at_once() -> None:
    stage = Stage()

    assert set(applies_from(stage.club, CHANGED).values()) == {Applies.NOW}
    stage.keep(change_settings(stage.club, CHANGED, stage.now))

    assert (stage.club.coming.pick, stage.club.coming.sealed) == (Pick.TURNS, True)
    assert stage.club.vote_at == FIRST_HOUR - 2 * DAY


def test_settings_that_would_change_what_members_were_told_apply_from_what_comes_next() -> None:
    stage = voting()
    stage.vote(CAT, "B A")
    stage.up_to(FIRST_HOUR)
    stage.nominate(ANN, "C")
    stage.nominate(BOB, "D")
    stage.up_to(SECOND_HOUR - DAY)

    assert applies_from(stage.club, CHANGED) == {
        "pick": Applies.NEXT_CALL,
        "sealed": Applies.NEXT_CALL,
        "method": Applies.NEXT_VOTE,
        "scale": Applies.NEXT_ALBUM,
        "voting_days": Applies.NEXT_VOTE,
        "no_past_winner_rounds": Applies.NOW,
    }
    stage.keep(change_settings(stage.club, CHANGED, stage.now))

    coming, heard = stage.club.coming, stage.club.listening
    assert heard is not None
    assert (coming.pick, coming.sealed, coming.method) == (Pick.VOTE, False, Method.RANKED_CHOICE)
    assert heard.scale is Scale.HALVES
    stage.up_to(SECOND_HOUR)
    assert stage.club.listening is not None
    assert (stage.club.coming.pick, stage.club.listening.scale) == (Pick.TURNS, Scale.TEN)


def test_a_longer_vote_that_should_be_open_already_opens_at_once() -> None:
    stage = nominated()
    stage.up_to(FIRST_HOUR - 4 * DAY)
    stage.news()

    stage.keep(change_settings(stage.club, ClubSettings(voting_days=5), stage.now))
    stage.tick()

    assert [(effect.step, effect.late) for effect in stage.news()] == [(Step.VOTE, False)]


def test_a_new_day_moves_the_next_club_hour_to_at_least_a_day_ahead() -> None:
    stage = nominated()
    calendar = Calendar(date(2026, 1, 9), time(18, 30), BERLIN)

    stage.keep(change_calendar(stage.club, calendar, stage.now))

    assert stage.club.club_hour_at == BEGIN + DAY + 5 * HOUR + HOUR / 2
    assert stage.now < stage.club.vote_at < stage.club.club_hour_at
    stage.up_to(stage.club.club_hour_at)
    assert stage.posts() == [(Step.VOTE, 1), (Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]


# ------------------------------------------------------------------ veto


def test_a_vetoed_nomination_is_gone_and_its_ballots_pass_on() -> None:
    stage = voting()
    stage.vote(CAT, "A B")
    stage.vote(DAN, "A")

    stage.keep(veto(stage.club, album("A"), stage.now))

    assert [(effect.step, effect.member_id) for effect in stage.news()] == [(Step.TELL_REMOVED, ANN)]
    stage.up_to(FIRST_HOUR)
    assert stage.club.listening is not None
    assert (stage.club.listening.album_id, stage.club.listening.choice) == ("B", Choice.VOTE)
    assert stage.nominate(ANN, "A") == Refused(Reason.VETOED)


def test_a_member_whose_two_albums_are_vetoed_at_once_is_told_of_both() -> None:
    stage = Stage(ClubSettings(nominations_per_member=2))
    stage.nominate(ANN, "A")
    stage.nominate(ANN, "B")
    stage.news()

    stage.keep(veto(stage.club, album("A"), stage.now))
    stage.keep(veto(stage.club, album("B"), stage.now))

    assert [(effect.member_id, effect.album_id) for effect in stage.news()] == [(ANN, "A"), (ANN, "B")]


def test_when_all_nominations_are_vetoed_the_club_does_not_stall() -> None:
    stage = voting()
    stage.keep(veto(stage.club, album("A"), stage.now))
    stage.keep(veto(stage.club, album("B"), stage.now))
    stage.news()

    stage.up_to(FIRST_HOUR)

    assert stage.posts() == [(Step.SKIPPED, 1), (Step.CALL, 2)]


def test_a_vetoed_sealed_pick_is_told_only_to_who_picked_it() -> None:
    stage = Stage(ClubSettings(pick=Pick.TURNS), order=(ANN, BOB))
    stage.pick(BOB, "B")
    stage.news()

    stage.keep(veto(stage.club, album("B"), stage.now))

    assert [(effect.step, effect.member_id) for effect in stage.news()] == [(Step.TELL_REMOVED, BOB)]
    assert isinstance(veto(replace(stage.club, stand_in=album("S")), album("S"), stage.now), Outcome)
    assert veto(replace(stage.club, stand_in=album("S")), album("S"), stage.now).club.stand_in is None
