"""A club through time: what is due, and what happens then. Pure.

`transitions` says which states a round goes through. `advance` does what is due by the clock, everything once and in
order, however late. Each function gives the club after the event, with what has to be carried out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.calendar import voting_at
from bot.curation.choice import Chosen, Facts, choose, next_turn
from bot.curation.club import (
    LATE_AFTER,
    Choice,
    Club,
    ClubSettings,
    Effect,
    Outcome,
    Pick,
    Round,
    State,
    Step,
)
from bot.curation.draw import lot_order
from bot.curation.ids import RoundNumber
from bot.curation.transitions import If, On, Rule, find_rule

DAY = timedelta(days=1)
MIN_ROUND = timedelta(days=2, hours=12)
"""A round that opens late or early keeps at least this long: a nearer club hour is left out."""
PICKER_AHEAD = 7 * DAY
STANDBY_AHEAD = REMIND_AHEAD = DAY


# ------------------------------------------------------------------ what the clock does


def advance(club: Club, facts: Facts) -> Outcome:
    """Do everything that is due, once and in order."""
    outcome = Outcome(club)
    while (due := _next_due(outcome.club, facts.now)) is not None and due.at <= facts.now:
        outcome = outcome.then(_do(outcome.club, due, facts))
    return outcome


def wake_at(club: Club, now: datetime) -> datetime | None:
    """When to call `advance` next; may have passed. None: the club is paused."""
    due = _next_due(club, now)
    return None if due is None else due.at


class _Due(Struct, frozen=True):
    """Something due at `at`, which is pointless from `until` on. A notice if `on` is None."""

    at: datetime
    on: On | None
    until: datetime | None = None
    notice: Step | None = None
    member: MemberId | None = None


def _next_due(club: Club, now: datetime) -> _Due | None:
    if club.paused_at is not None:
        return None
    dues = (due for due in _dues(club) if due.until is None or now < due.until)
    return min(dues, key=lambda due: due.at)


def _dues(club: Club) -> Iterator[_Due]:
    coming, hour = club.coming, club.club_hour_at
    yield _Due(hour, On.CLUB_HOUR)
    if coming.state is State.NOMINATING and coming.pick is Pick.VOTE and len(coming.nominations) >= 2:
        second = sorted(one.nominated_at for one in coming.nominations)[1]
        yield _Due(max(club.vote_at, second), On.VOTE, until=hour)
    for due in _notices(club):
        if _notice(club, due).key not in club.told:
            yield due


def _notices(club: Club) -> Iterator[_Due]:
    coming, hour, order = club.coming, club.club_hour_at, club.order
    if club.settings.reminders:
        # Not where the step is so short that it has only just begun.
        if coming.state is State.NOMINATING and coming.pick is Pick.VOTE and club.vote_at - coming.opened_at > DAY:
            yield _Due(club.vote_at - REMIND_AHEAD, None, club.vote_at, Step.REMIND_NOMINATE)
        if coming.state is State.VOTING and coming.vote_opened_at and hour - coming.vote_opened_at > DAY:
            yield _Due(hour - REMIND_AHEAD, None, hour, Step.REMIND_VOTE)
        if club.listening and club.listening.announced_at and hour - club.listening.announced_at > DAY:
            yield _Due(hour - REMIND_AHEAD, None, hour, Step.REMIND_RATE)
    if coming.state is State.NOMINATING and coming.pick is Pick.TURNS and order and not club.picked_by(order[0]):
        yield _Due(max(hour - PICKER_AHEAD, coming.opened_at), None, hour, Step.TELL_PICKER, order[0])
        if len(order) > 1:
            yield _Due(max(hour - STANDBY_AHEAD, coming.opened_at), None, hour, Step.TELL_STANDBY, order[1])


def _notice(club: Club, due: _Due) -> Effect:
    assert due.notice is not None
    about = club.listening if due.notice is Step.REMIND_RATE and club.listening else club.coming
    return Effect(club.id, about.number, due.notice, due.at, member_id=due.member)


def _do(club: Club, due: _Due, facts: Facts) -> Outcome:
    if due.on is On.CLUB_HOUR:
        return club_hour(club, due.at, facts)
    if due.on is On.VOTE:
        return open_vote(club, due.at, facts)
    notice = _notice(club, due)
    return Outcome(replace(club, told=(*club.told, notice.key)), (notice,))


# ------------------------------------------------------------------ the steps


def club_hour(club: Club, due_at: datetime, facts: Facts) -> Outcome:
    """The summary of the album that ends, then the announcement of the next, then the call for nominations.

    `due_at` is before the club hour that was set when a curator ends a step early.
    """
    now, missed = facts.now, club.calendar.between(club.club_hour_at, facts.now)
    outcome = _end_listening(replace(club, told=()), due_at, now)
    if club.coming.state is State.SKIPPED:  # a curator skipped it, which was said then
        outcome = outcome.then(Outcome(outcome.club, closed=(club.coming,)))
    else:
        chosen = choose(club, facts)
        holds = {If.VOTE_MISSED: _vote_missed(club.coming, facts), If.ALBUM: bool(chosen), If.NO_ALBUM: not chosen}
        rule = find_rule(club.coming.state, On.CLUB_HOUR, holds)
        if rule.to is State.VOTING:
            outcome = outcome.then(_open_vote(outcome.club, rule, due_at, facts))
            # It is open as long as always, until the club's time of day. After it the rhythm goes on.
            anew = club.calendar.same_clock_from(now + club.settings.voting)
            return outcome.then(_missed(replace(outcome.club, club_hour_at=anew), missed))
        outcome = outcome.then(_close_choice(outcome.club, rule, chosen, due_at, now))
    return outcome.then(_missed(outcome.club, missed)).then(_open_next(outcome.club, due_at, now))


def open_vote(club: Club, due_at: datetime, facts: Facts) -> Outcome:
    """Open the vote on the nominations."""
    return _open_vote(club, find_rule(club.coming.state, On.VOTE), due_at, facts)


def skip(club: Club, now: datetime) -> Outcome:
    """Leave the coming round without an album. The next one is called for at the club hour."""
    rule = find_rule(club.coming.state, On.SKIP)
    coming = replace(club.coming, state=rule.to, ended_at=now)
    return Outcome(replace(club, coming=coming), _effects(club, coming, rule, now, now))


def new_round(number: RoundNumber, settings: ClubSettings, now: datetime) -> Round:
    """A round that opens now."""
    return Round(number, find_rule(None, On.OPEN).to, now, settings.pick, settings.sealed)


def call(club: Club, due_at: datetime, now: datetime) -> Outcome:
    """Call for nominations for the coming round, which has just opened."""
    return Outcome(club, _effects(club, club.coming, find_rule(None, On.OPEN), due_at, now))


def _end_listening(club: Club, due_at: datetime, now: datetime) -> Outcome:
    if club.listening is None:
        return Outcome(club)
    rule = find_rule(club.listening.state, On.CLUB_HOUR)
    ended = replace(club.listening, state=rule.to, ended_at=now)
    return Outcome(replace(club, listening=None), _effects(club, ended, rule, due_at, now), (ended,))


def _open_vote(club: Club, rule: Rule, due_at: datetime, facts: Facts) -> Outcome:
    # A vote that is held anew keeps its lot order and its method, so ballots that were cast stay as they are.
    coming = replace(
        club.coming,
        state=rule.to,
        lot=club.coming.lot or lot_order((one.album_id for one in club.coming.nominations), facts.rng),
        method=club.coming.method or club.settings.method,
        vote_opened_at=facts.now,
    )
    return Outcome(replace(club, coming=coming), _effects(club, coming, rule, due_at, facts.now))


def _close_choice(club: Club, rule: Rule, chosen: Chosen | None, due_at: datetime, now: datetime) -> Outcome:
    effects, club = _effects(club, club.coming, rule, due_at, now), next_turn(club, chosen)
    if chosen is None:
        return Outcome(club, effects, (replace(club.coming, state=rule.to, ended_at=now),))
    listening = replace(
        club.coming,
        state=rule.to,
        album_id=chosen.album_id,
        choice=chosen.choice,
        chosen_by=chosen.by,
        note=chosen.note,
        among=chosen.among,
        scale=club.settings.scale,
        announced_at=now,
    )
    stand_in = None if chosen.choice is Choice.STAND_IN else club.stand_in
    club = replace(club, listening=listening, stand_in=stand_in)
    return Outcome(club, effects).then(without_picks(club, chosen.album_id, due_at))


def without_picks(club: Club, album: AlbumId, due_at: datetime, *, nominated_by: MemberId | None = None) -> Outcome:
    """Drop sealed picks of an album that can no longer be picked, and tell who picked or nominated it."""
    told = dict.fromkeys([nominated_by, *(pick.member_id for pick in club.picks if pick.album_id == album)])
    return Outcome(
        replace(club, picks=tuple(pick for pick in club.picks if pick.album_id != album)),
        tuple(
            Effect(club.id, club.coming.number, Step.TELL_REMOVED, due_at, member_id=member, album_id=album)
            for member in told
            if member is not None
        ),
    )


def _missed(club: Club, hours: tuple[datetime, ...]) -> Outcome:
    if not hours:
        return Outcome(club)
    return Outcome(club, (Effect(club.id, club.coming.number, Step.MISSED, hours[-1], late=True, hours=hours),))


def _open_next(club: Club, due_at: datetime, now: datetime) -> Outcome:
    hour = club.calendar.first_from(now + MIN_ROUND)
    coming = new_round(RoundNumber(club.coming.number + 1), club.settings, now)
    vote_at = voting_at(now, hour, club.settings.voting)
    return call(replace(club, coming=coming, club_hour_at=hour, vote_at=vote_at), due_at, now)


def _vote_missed(coming: Round, facts: Facts) -> bool:
    if coming.state is State.NOMINATING:
        return coming.pick is Pick.VOTE and len(coming.nominations) >= 2
    # It opened in the moment in which the bot went down: nobody has seen it.
    opened, down_since = coming.vote_opened_at, facts.down_since
    return coming.state is State.VOTING and opened is not None and down_since is not None and opened >= down_since


def _effects(club: Club, round_: Round, rule: Rule, due_at: datetime, now: datetime) -> tuple[Effect, ...]:
    return tuple(
        Effect(club.id, round_.number, step, due_at, late=step.is_post and now - due_at >= LATE_AFTER)
        for step in rule.steps
    )
