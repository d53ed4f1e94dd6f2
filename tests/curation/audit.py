"""What must be true of everything that a club has ever done."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from bot.curation.club import Club, Effect, Round, State, Step
from bot.curation.transitions import TABLE
from tests.curation.stage import Stage

_ONCE_PER_ROUND = (Step.CALL, Step.VOTE, Step.ANNOUNCEMENT, Step.SUMMARY, Step.SKIPPED, Step.FORGET_VOTERS)


def audit(stage: Stage) -> None:
    """Fail if a round was lost, doubled or posted out of order."""
    rounds = _rounds(stage)
    assert [one.number for one in rounds] == list(range(1, len(rounds) + 1)), "rounds have no gaps"
    done = Counter((effect.round, effect.step) for effect in stage.effects)
    for step in _ONCE_PER_ROUND:
        doubled = [number for (number, what), times in done.items() if what is step and times > 1]
        assert not doubled, f"{step} twice in the rounds {doubled}"
    for one in rounds:
        assert {step for step in _ONCE_PER_ROUND if done[one.number, step]} == _expected(one, done), one
    posts = [effect for effect in stage.effects if effect.step in (Step.CALL, Step.ANNOUNCEMENT, Step.SUMMARY)]
    for before, after in pairwise(posts):
        # The summary of round 4, the announcement of 5 and the call for 6 belong to one club hour.
        assert _place(before) <= _place(after), (before, after)
    _audit_now(stage.club)


def _rounds(stage: Stage) -> list[Round]:
    listening = [stage.club.listening] if stage.club.listening else []
    return [*stage.closed, *listening, stage.club.coming]


def _place(effect: Effect) -> tuple[int, int]:
    hour = {Step.SUMMARY: effect.round + 1, Step.ANNOUNCEMENT: effect.round, Step.CALL: effect.round - 1}[effect.step]
    return hour, {Step.SUMMARY: 0, Step.ANNOUNCEMENT: 1, Step.CALL: 2}[effect.step]


def _expected(one: Round, done: Counter[tuple[int, Step]]) -> set[Step]:
    voted = {Step.VOTE} if done[one.number, Step.VOTE] else set()
    was_voted = bool(voted) or bool(done[one.number, Step.REPEATED_VOTE])
    counted = {Step.FORGET_VOTERS} if was_voted else set()
    return {Step.CALL} | {
        State.NOMINATING: set(),
        State.VOTING: voted,
        State.LISTENING: voted | counted | {Step.ANNOUNCEMENT},
        State.ENDED: voted | counted | {Step.ANNOUNCEMENT, Step.SUMMARY},
        State.SKIPPED: voted | counted | {Step.SKIPPED},
    }[one.state]


def _audit_now(club: Club) -> None:
    coming = club.coming
    assert coming.state in (State.NOMINATING, State.VOTING, State.SKIPPED)
    assert club.listening is None or club.listening.state is State.LISTENING
    albums = [one.album_id for one in coming.nominations]
    assert len(set(albums)) == len(albums)
    assert coming.state is State.SKIPPED or not set(albums) & set(club.vetoed)
    if coming.state is State.VOTING:
        assert set(coming.lot) == set(albums)
    assert len(set(club.order)) == len(club.order)
    assert len({one.member_id for one in club.picks}) == len(club.picks)
    assert {one.member_id for one in club.picks} <= set(club.order)


def transitions(before: Club, after: Club) -> set[tuple[State | None, State]]:
    """How the rounds of a club changed, as (from, to)."""

    def states(club: Club) -> dict[int, State]:
        return {one.number: one.state for one in (club.listening, club.coming) if one}

    old, new = states(before), states(after)
    return {(old.get(number), state) for number, state in new.items() if old.get(number) is not state}


ALLOWED = {(rule.state, rule.to) for rule in TABLE}
