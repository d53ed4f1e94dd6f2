"""The course of a club: what is posted, when, and in which order; and what a downtime changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.curation.calendar import Rhythm
from bot.curation.choice import Facts
from bot.curation.club import Choice, Club, ClubSettings, Pick, State, Step
from bot.curation.curators import extend, set_stand_in
from bot.curation.draw import CrateEntry
from bot.curation.rounds import advance, wake_at
from bot.curation.transitions import TABLE, If, On, find_rule
from tests.curation.stage import ANN, BEGIN, BOB, CAT, DAN, DAY, FIRST_HOUR, HOUR, MINUTE, Stage, album

WEEK = 7 * DAY
SECOND_HOUR = FIRST_HOUR + WEEK


def voting(stage: Stage) -> Stage:
    """Two nominations, and the vote is open."""
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.up_to(FIRST_HOUR - 3 * DAY)
    return stage


def listening(stage: Stage) -> Stage:
    """The first album was announced."""
    stage.nominate(ANN, "A")
    stage.up_to(FIRST_HOUR)
    return stage


# ------------------------------------------------------------------ the usual course


def test_a_start_calls_for_nominations_at_once() -> None:
    stage = Stage()

    assert stage.posts() == [(Step.CALL, 1)]
    assert (stage.club.club_hour_at, stage.club.vote_at) == (FIRST_HOUR, FIRST_HOUR - 3 * DAY)


def test_a_round_goes_from_nominations_over_the_vote_and_the_announcement_to_the_summary() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.news()

    stage.up_to(FIRST_HOUR - 3 * DAY - MINUTE)
    assert stage.posts() == []
    stage.up_to(FIRST_HOUR - 3 * DAY)
    assert stage.posts() == [(Step.VOTE, 1)]
    assert sorted(stage.club.coming.lot) == ["A", "B"]

    stage.vote(CAT, "B A")
    stage.up_to(FIRST_HOUR)
    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    heard = stage.club.listening
    assert heard is not None
    assert (heard.album_id, heard.choice, heard.chosen_by) == ("B", Choice.VOTE, BOB)

    stage.nominate(CAT, "C")
    stage.up_to(SECOND_HOUR)
    assert stage.posts() == [(Step.SUMMARY, 1), (Step.ANNOUNCEMENT, 2), (Step.CALL, 3)]
    assert [(one.number, one.state) for one in stage.closed] == [(1, State.ENDED)]


def test_the_voters_of_a_counted_vote_are_forgotten() -> None:
    stage = voting(Stage())
    stage.vote(CAT, "B A")

    stage.up_to(FIRST_HOUR)

    assert stage.counted == {1: [("B", "A")]}
    assert stage.ballots == {}


def test_the_voters_announced_album_comes_before_the_ballots_lose_their_names() -> None:
    stage = voting(Stage())
    stage.news()

    stage.up_to(FIRST_HOUR)

    steps = [effect.step for effect in stage.news() if effect.step is not Step.REMIND_VOTE]
    assert steps == [Step.ANNOUNCEMENT, Step.FORGET_VOTERS, Step.CALL]


def test_a_tied_vote_goes_to_the_lot_that_was_drawn_before_it_opened() -> None:
    winners = set()
    for seed in range(8):
        stage = voting(Stage(seed=seed))
        drawn = stage.club.coming.lot
        stage.vote(CAT, "A")
        stage.vote(DAN, "B")
        stage.up_to(FIRST_HOUR)
        assert stage.club.listening is not None
        assert stage.club.listening.album_id == drawn[0]
        winners.add(drawn[0])
    assert winners == {"A", "B"}


def test_a_single_nomination_is_announced_without_a_vote() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.news()

    stage.up_to(FIRST_HOUR)

    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    assert stage.club.listening is not None
    assert stage.club.listening.choice is Choice.ONLY_NOMINATION


def test_a_vote_that_lacked_a_second_nomination_opens_when_there_is_one() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.up_to(FIRST_HOUR - DAY)
    stage.news()

    stage.nominate(BOB, "B")

    assert [(effect.step, effect.late) for effect in stage.news()] == [(Step.VOTE, False)]


def test_the_club_hour_stays_at_its_wall_clock_time_through_summer_time() -> None:
    stage = Stage()
    stage.crate = {album(f"crate{number}"): 0 for number in range(30)}

    stage.up_to(BEGIN + 100 * DAY)

    hours = {effect.due_at.hour for effect in stage.effects if effect.step is Step.ANNOUNCEMENT}
    assert hours == {19, 18}


# ------------------------------------------------------------------ nobody nominates


def test_without_nominations_the_stand_in_is_taken_once() -> None:
    stage = Stage()
    stage.keep(set_stand_in(stage.club, album("S")))
    stage.crate = {album("C"): 0}

    stage.up_to(SECOND_HOUR)

    chosen = [(one.album_id, one.choice) for one in (*stage.closed, stage.club.listening) if one]
    assert chosen == [("S", Choice.STAND_IN), ("C", Choice.CRATE)]


def test_without_nominations_and_stand_in_one_is_drawn_from_the_crate_and_says_from_how_many() -> None:
    stage = Stage()
    stage.crate = {album("C"): 0, album("D"): 0, album("E"): 1}

    stage.up_to(FIRST_HOUR)

    assert stage.club.listening is not None
    assert (stage.club.listening.choice, stage.club.listening.among) == (Choice.CRATE, 2)


def test_without_anything_the_round_is_skipped_and_the_club_goes_on() -> None:
    stage = Stage()
    stage.news()

    stage.up_to(SECOND_HOUR)

    assert stage.posts() == [(Step.SKIPPED, 1), (Step.CALL, 2), (Step.SKIPPED, 2), (Step.CALL, 3)]
    assert [(one.number, one.state) for one in stage.closed] == [(1, State.SKIPPED), (2, State.SKIPPED)]


def test_a_skipped_round_still_ends_the_album_before_it() -> None:
    stage = listening(Stage())
    stage.news()

    stage.up_to(SECOND_HOUR)

    assert stage.posts() == [(Step.SUMMARY, 1), (Step.SKIPPED, 2), (Step.CALL, 3)]


# ------------------------------------------------------------------ downtime


@pytest.mark.parametrize(("delay", "late"), [(15 * MINUTE - timedelta(seconds=1), False), (15 * MINUTE, True)])
def test_posts_say_that_they_are_late_from_15_minutes_on(delay: timedelta, late: bool) -> None:
    stage = listening(Stage())
    stage.nominate(BOB, "B")
    stage.up_to(SECOND_HOUR - HOUR)
    stage.news()

    stage.down_until(SECOND_HOUR + delay)

    posts = [effect for effect in stage.news() if effect.step.is_post]
    assert [effect.step for effect in posts] == [Step.SUMMARY, Step.ANNOUNCEMENT, Step.CALL]
    assert {effect.late for effect in posts} == {late}
    assert {effect.due_at for effect in posts} == {SECOND_HOUR}


def test_a_vote_that_ended_during_a_downtime_is_counted_after_it() -> None:
    stage = voting(Stage())
    stage.vote(CAT, "B")
    stage.up_to(FIRST_HOUR - HOUR)
    stage.news()

    stage.down_until(FIRST_HOUR + DAY)

    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    assert stage.club.club_hour_at == SECOND_HOUR


def test_a_vote_that_should_have_opened_opens_late_if_it_has_not_ended() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.news()

    stage.down_until(FIRST_HOUR - DAY)

    assert [(effect.step, effect.late) for effect in stage.news()] == [(Step.VOTE, True)]
    assert stage.club.club_hour_at == FIRST_HOUR


def test_a_vote_that_fell_wholly_into_a_downtime_is_held_anew_for_its_whole_length() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.up_to(FIRST_HOUR - 4 * DAY)
    stage.news()

    stage.down_until(FIRST_HOUR + HOUR)

    assert [(effect.step, effect.late) for effect in stage.news()] == [(Step.REPEATED_VOTE, True)]
    assert stage.club.coming.state is State.VOTING
    # At the club's time of day, and no sooner than after 3 days.
    assert stage.club.club_hour_at == FIRST_HOUR + 4 * DAY

    stage.vote(CAT, "B")
    stage.up_to(FIRST_HOUR + 4 * DAY)
    assert stage.posts() == [(Step.ANNOUNCEMENT, 1), (Step.CALL, 2)]
    assert stage.counted == {1: [("B",)]}
    assert stage.club.club_hour_at == SECOND_HOUR


def test_a_vote_that_opened_in_the_moment_of_the_crash_is_held_anew_and_keeps_its_ballots() -> None:
    stage = voting(Stage())
    lot = stage.club.coming.lot
    stage.vote(CAT, "B")
    stage.news()

    stage.down_until(FIRST_HOUR + HOUR)

    assert stage.posts() == [(Step.REPEATED_VOTE, 1)]
    assert stage.club.coming.lot == lot
    stage.up_to(FIRST_HOUR + 4 * DAY)
    assert stage.counted == {1: [("B",)]}


def test_an_album_that_ends_during_a_downtime_is_summed_up_also_where_the_next_vote_is_held_anew() -> None:
    stage = listening(Stage())
    stage.nominate(ANN, "C")
    stage.nominate(BOB, "D")
    stage.news()

    stage.down_until(SECOND_HOUR + DAY)

    assert stage.posts() == [(Step.SUMMARY, 1), (Step.REPEATED_VOTE, 2)]
    assert stage.club.listening is None


def test_each_club_hour_that_was_missed_gets_one_line_after_what_was_due_before_it() -> None:
    stage = listening(Stage())
    stage.nominate(BOB, "B")
    stage.news()

    stage.down_until(SECOND_HOUR + 3 * WEEK + HOUR)

    posts = [effect for effect in stage.news() if effect.step.is_post]
    assert [effect.step for effect in posts] == [Step.SUMMARY, Step.ANNOUNCEMENT, Step.MISSED, Step.CALL]
    assert posts[2].hours == tuple(SECOND_HOUR + number * WEEK for number in (1, 2, 3))
    assert stage.club.club_hour_at == SECOND_HOUR + 4 * WEEK


def test_missed_club_hours_are_listed_also_where_the_vote_is_held_anew() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.news()

    stage.down_until(FIRST_HOUR + WEEK + HOUR)

    assert [(effect.step, effect.hours) for effect in stage.news()] == [
        (Step.REPEATED_VOTE, ()),
        (Step.MISSED, (SECOND_HOUR,)),
    ]


def test_a_round_that_opens_shortly_before_a_club_hour_gets_the_one_after_it() -> None:
    stage = listening(Stage())

    stage.down_until(SECOND_HOUR + 5 * DAY)

    assert stage.club.club_hour_at == SECOND_HOUR + 2 * WEEK


def test_nothing_is_done_twice_when_the_same_moment_is_looked_at_again() -> None:
    stage = voting(Stage())
    stage.up_to(FIRST_HOUR)
    before = stage.club

    outcome = advance(stage.club, stage.facts(down_since=FIRST_HOUR - HOUR))

    assert (outcome.club, outcome.effects, outcome.closed) == (before, (), ())


def test_a_clock_that_is_set_back_does_nothing() -> None:
    stage = voting(Stage())
    stage.up_to(FIRST_HOUR)
    stage.news()

    stage.now = BEGIN
    stage.tick()

    assert stage.news() == []
    assert wake_at(stage.club, stage.now) is not None


# ------------------------------------------------------------------ reminders


def test_reminders_go_out_a_day_before_each_end() -> None:
    stage = Stage()
    stage.nominate(ANN, "A")
    stage.nominate(BOB, "B")
    stage.up_to(SECOND_HOUR)

    reminders = [(effect.step, effect.round, effect.due_at) for effect in stage.effects if not effect.step.is_post]
    assert [one for one in reminders if one[0] is not Step.FORGET_VOTERS] == [
        (Step.REMIND_NOMINATE, 1, FIRST_HOUR - 4 * DAY),
        (Step.REMIND_VOTE, 1, FIRST_HOUR - DAY),
        (Step.REMIND_NOMINATE, 2, SECOND_HOUR - 4 * DAY),
        (Step.REMIND_RATE, 1, SECOND_HOUR - DAY),
    ]


def test_a_reminder_whose_end_has_passed_is_not_sent() -> None:
    stage = voting(Stage())
    stage.up_to(FIRST_HOUR - 2 * DAY)
    stage.news()

    stage.down_until(FIRST_HOUR + MINUTE)

    assert Step.REMIND_VOTE not in [effect.step for effect in stage.news()]


def test_an_extended_vote_is_reminded_of_again() -> None:
    stage = voting(Stage())
    stage.up_to(FIRST_HOUR - HOUR)
    stage.keep(extend(stage.club, 2 * DAY))
    stage.up_to(FIRST_HOUR + 2 * DAY)

    reminded = [effect.due_at for effect in stage.effects if effect.step is Step.REMIND_VOTE]
    assert reminded == [FIRST_HOUR - DAY, FIRST_HOUR + DAY]


def test_a_club_without_reminders_sends_none() -> None:
    stage = voting(Stage(ClubSettings(reminders=False)))
    stage.up_to(SECOND_HOUR)

    assert {effect.step for effect in stage.effects if not effect.step.is_post} == {Step.FORGET_VOTERS}


# ------------------------------------------------------------------ turns

TURNS = ClubSettings(pick=Pick.TURNS)


def told(stage: Stage) -> list[tuple[Step, int, int | None]]:
    steps = (Step.TELL_PICKER, Step.TELL_STANDBY, Step.TELL_REMOVED)
    return [(effect.step, effect.round, effect.member_id) for effect in stage.news() if effect.step in steps]


def test_members_pick_in_their_order_and_are_told_when_the_round_opens() -> None:
    stage = Stage(TURNS, order=(ANN, BOB, CAT))
    stage.tick()
    assert told(stage) == [(Step.TELL_PICKER, 1, ANN)]

    stage.pick(ANN, "A")
    stage.up_to(FIRST_HOUR)

    assert told(stage) == [(Step.TELL_PICKER, 2, BOB)]
    assert stage.club.listening is not None
    assert (stage.club.listening.album_id, stage.club.listening.choice) == ("A", Choice.PICKER)
    assert stage.club.order == (BOB, CAT, ANN)
    assert stage.club.picks == ()


def test_the_picker_of_a_monthly_club_is_told_a_week_ahead() -> None:
    stage = Stage(TURNS, rhythm=Rhythm.MONTHLY, order=(ANN, BOB))
    stage.pick(ANN, "A")
    stage.up_to(FIRST_HOUR)
    hour = stage.club.club_hour_at
    assert hour - FIRST_HOUR >= 4 * WEEK
    stage.news()

    stage.up_to(hour - WEEK - MINUTE)
    assert told(stage) == []
    stage.up_to(hour - WEEK)
    assert told(stage) == [(Step.TELL_PICKER, 2, BOB)]


def test_when_the_picker_is_absent_the_next_was_told_a_day_before_and_picks() -> None:
    stage = Stage(TURNS, order=(ANN, BOB, CAT))
    stage.up_to(FIRST_HOUR - DAY)
    assert told(stage) == [(Step.TELL_PICKER, 1, ANN), (Step.TELL_STANDBY, 1, BOB)]

    stage.pick(BOB, "B")
    stage.up_to(FIRST_HOUR)

    assert stage.club.listening is not None
    assert (stage.club.listening.album_id, stage.club.listening.choice) == ("B", Choice.STANDBY)
    assert stage.club.order == (CAT, ANN, BOB)


def test_a_picker_who_picks_late_still_comes_before_the_standby() -> None:
    stage = Stage(TURNS, order=(ANN, BOB))
    stage.up_to(FIRST_HOUR - HOUR)
    stage.pick(BOB, "B")
    stage.pick(ANN, "A")
    stage.up_to(FIRST_HOUR)

    assert stage.club.listening is not None
    assert stage.club.listening.album_id == "A"
    assert [pick.album_id for pick in stage.club.picks] == ["B"]


def test_who_has_picked_early_needs_not_be_told() -> None:
    stage = Stage(TURNS, order=(ANN, BOB))
    stage.pick(ANN, "A")
    stage.up_to(FIRST_HOUR - MINUTE)

    assert told(stage) == []


def test_when_both_are_absent_the_crate_helps_and_only_the_picker_loses_the_turn() -> None:
    stage = Stage(TURNS, order=(ANN, BOB, CAT))
    stage.crate = {album("C"): 0}
    stage.up_to(FIRST_HOUR)

    assert stage.club.listening is not None
    assert stage.club.listening.choice is Choice.CRATE
    assert stage.club.order == (BOB, CAT, ANN)


def test_a_club_of_turns_that_nobody_joined_does_not_stall() -> None:
    stage = Stage(TURNS)
    stage.news()

    stage.up_to(SECOND_HOUR)

    assert stage.posts() == [(Step.SKIPPED, 1), (Step.CALL, 2), (Step.SKIPPED, 2), (Step.CALL, 3)]


def test_who_picked_an_album_that_was_announced_meanwhile_is_told_to_pick_another() -> None:
    stage = Stage(TURNS, order=(ANN, BOB, CAT))
    stage.pick(ANN, "A")
    stage.pick(CAT, "A")
    stage.up_to(FIRST_HOUR)

    assert told(stage) == [(Step.TELL_REMOVED, 1, CAT), (Step.TELL_PICKER, 2, BOB)]
    assert stage.club.picks == ()


# ------------------------------------------------------------------ crate


def test_a_club_of_the_crate_draws_at_each_club_hour_and_never_one_again_before_the_others() -> None:
    stage = Stage(ClubSettings(pick=Pick.CRATE))
    stage.crate = {album("C"): 0, album("D"): 0, album("E"): 0}
    heard = []
    for number in range(3):
        stage.up_to(FIRST_HOUR + number * WEEK)
        assert stage.club.listening is not None
        drawn = stage.club.listening.album_id
        assert drawn is not None
        stage.crate[drawn] += 1
        heard.append(drawn)

    assert sorted(heard) == ["C", "D", "E"]
    assert not [effect for effect in stage.effects if effect.step is Step.VOTE]


def test_a_vetoed_album_is_not_drawn() -> None:
    stage = Stage(ClubSettings(pick=Pick.CRATE))
    club = replace(stage.club, vetoed=(album("C"),))
    facts = replace(stage.facts(), now=FIRST_HOUR, crate=(CrateEntry(album("C"), 0), CrateEntry(album("D"), 5)))

    listening_to = advance(club, facts).club.listening

    assert listening_to is not None
    assert listening_to.album_id == "D"


def test_an_album_that_the_club_has_had_is_drawn_only_if_there_is_no_other() -> None:
    stage = Stage(ClubSettings(pick=Pick.CRATE))
    c, d = CrateEntry(album("C"), 0), CrateEntry(album("D"), 5)
    facts = replace(stage.facts(), now=FIRST_HOUR, crate=(c, d), had=frozenset({album("C")}))

    assert drawn(stage.club, facts) == "D"
    assert drawn(stage.club, replace(facts, crate=(c,))) == "C"


def drawn(club: Club, facts: Facts) -> AlbumId | None:
    listening = advance(club, facts).club.listening
    return None if listening is None else listening.album_id


# ------------------------------------------------------------------ the table


def test_no_two_rules_of_the_table_can_be_confused() -> None:
    assert len({(rule.state, rule.on, rule.holds) for rule in TABLE}) == len(TABLE)


def test_what_has_no_rule_changes_nothing() -> None:
    with pytest.raises(LookupError):
        find_rule(State.LISTENING, On.VOTE)
    with pytest.raises(LookupError):
        find_rule(State.NOMINATING, On.CLUB_HOUR, {If.ALBUM: False, If.NO_ALBUM: False})


def test_every_state_but_the_last_ones_has_an_answer_to_every_club_hour() -> None:
    answered = {rule.state for rule in TABLE if rule.on is On.CLUB_HOUR}

    assert answered == {State.NOMINATING, State.VOTING, State.LISTENING}
    for state in (State.NOMINATING, State.VOTING):
        assert {rule.holds for rule in TABLE if rule.state is state and rule.on is On.CLUB_HOUR} == {
            If.VOTE_MISSED,
            If.ALBUM,
            If.NO_ALBUM,
        }
