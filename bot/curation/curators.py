"""What curators do with a club. Pure.

Skipping, ending and extending a step take `seen`, what the curator saw when they decided: if the club has moved on
since, nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.calendar import FIRST_AHEAD, Calendar, voting_at
from bot.curation.choice import Facts
from bot.curation.club import Club, ClubSettings, Outcome, Pick, State
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.refusals import Reason, Refused
from bot.curation.rounds import call, club_hour, new_round, open_vote, skip, without_picks

NOTICE = timedelta(days=1)
"""A new club hour is at least this far ahead."""


class Seen(Struct, frozen=True):
    """What a curator saw of a club."""

    round: RoundNumber
    state: State
    club_hour_at: datetime

    @classmethod
    def of(cls, club: Club) -> Seen:
        """What can be seen now."""
        return cls(club.coming.number, club.coming.state, club.club_hour_at)


def start(
    id_: ClubId, settings: ClubSettings, calendar: Calendar, now: datetime, order: Iterable[MemberId] = ()
) -> Outcome:
    """Start a club: the first round opens at once, and the first club hour is at least 5 days ahead.

    The calendar is anchored anew, in case its preview was looked at for long. `order`: who takes turns from the start.
    """
    calendar = calendar.starting_from(now + FIRST_AHEAD)
    hour = calendar.first_from(now + FIRST_AHEAD)
    club = Club(
        id_,
        settings,
        calendar,
        club_hour_at=hour,
        vote_at=voting_at(now, hour, settings.voting),
        coming=new_round(RoundNumber(1), settings, now),
        order=tuple(dict.fromkeys(order)),
    )
    return call(club, now, now)


def skip_round(club: Club, now: datetime, seen: Seen | None = None) -> Outcome | Refused:
    """Leave the coming round without an album. The next one is called for at the club hour."""
    if refused := _check(club, seen):
        return refused
    return Refused(Reason.ALREADY) if club.coming.state is State.SKIPPED else skip(club, now)


def end_step(club: Club, facts: Facts, seen: Seen | None = None) -> Outcome | Refused:
    """End the step that is open early: from nominating to the vote, else the club hour is now."""
    if refused := _check(club, seen):
        return refused
    coming = club.coming
    if coming.state is State.NOMINATING and coming.pick is Pick.VOTE and len(coming.nominations) >= 2:
        return open_vote(club, facts.now, facts)
    return club_hour(club, facts.now, facts)


def extend(club: Club, by: timedelta, seen: Seen | None = None) -> Outcome | Refused:
    """Move the club hour further away, and with it the opening of a vote that is not open yet. ValueError: not further."""
    if by <= timedelta(0):
        raise ValueError("a step can only be extended into the future")
    if refused := _check(club, seen):
        return refused
    vote_at = club.vote_at + by if club.coming.state is State.NOMINATING else club.vote_at
    return Outcome(replace(club, club_hour_at=club.club_hour_at + by, vote_at=vote_at))


def pause(club: Club, now: datetime) -> Outcome | Refused:
    """Stop the clock. Members can still nominate, vote and rate."""
    return Refused(Reason.ALREADY) if club.paused_at else Outcome(replace(club, paused_at=now))


def resume(club: Club, now: datetime) -> Outcome | Refused:
    """Go on. If the club hour passed during the pause, the next one is at least 5 days ahead, as at the start."""
    if club.paused_at is None:
        return Refused(Reason.ALREADY)
    club = replace(club, paused_at=None)
    if now < club.club_hour_at:
        return Outcome(replace(club, vote_at=max(now, club.vote_at)))
    hour = club.calendar.first_from(now + FIRST_AHEAD)
    return Outcome(replace(club, club_hour_at=hour, vote_at=voting_at(now, hour, club.settings.voting)))


class Applies(StrEnum):
    """From when a changed setting applies."""

    NOW = "now"
    NEXT_CALL = "next_call"
    """Somebody has nominated already, so this round goes on as it was called for."""
    NEXT_VOTE = "next_vote"
    """A vote is open, and is counted as it was announced."""
    NEXT_ALBUM = "next_album"
    """People are rating on the scale that was announced."""


def applies_from(club: Club, new: ClubSettings) -> dict[str, Applies]:
    """From when each setting that is different in `new` applies, by its name. To be said when it is changed."""
    special = {
        "pick": Applies.NEXT_CALL if _called(club) else Applies.NOW,
        "sealed": Applies.NEXT_CALL if _called(club) else Applies.NOW,
        "method": Applies.NEXT_VOTE if club.coming.state is State.VOTING else Applies.NOW,
        "scale": Applies.NEXT_ALBUM if club.listening else Applies.NOW,
        "voting_days": Applies.NEXT_VOTE if club.coming.state is State.VOTING else Applies.NOW,
    }
    changed = [name for name in new.__struct_fields__ if getattr(new, name) != getattr(club.settings, name)]
    return {name: special.get(name, Applies.NOW) for name in changed}


def change_settings(club: Club, new: ClubSettings, now: datetime) -> Outcome:
    """Change settings, from the moments that `applies_from` says."""
    coming, vote_at = club.coming, club.vote_at
    if not _called(club):
        coming = replace(coming, pick=new.pick, sealed=new.sealed)
    if new.voting != club.settings.voting:
        vote_at = max(now, club.club_hour_at - new.voting)
    return Outcome(replace(club, settings=new, coming=coming, vote_at=vote_at))


def change_calendar(club: Club, calendar: Calendar, now: datetime) -> Outcome:
    """Move the club to other hours: the first of them that is at least a day ahead is the next club hour."""
    calendar = calendar.starting_from(now + NOTICE)
    hour = calendar.first_from(now + NOTICE)
    return Outcome(
        replace(club, calendar=calendar, club_hour_at=hour, vote_at=voting_at(now, hour, club.settings.voting))
    )


def set_stand_in(club: Club, album: AlbumId | None) -> Outcome:
    """Set the album for the next round that nobody nominates for."""
    return Outcome(replace(club, stand_in=album))


def veto(club: Club, album: AlbumId, now: datetime) -> Outcome:
    """Keep an album out of this club: its nomination and sealed picks go, and whose they were is told.

    Ballots that name it pass on to their next choice.
    """
    coming, nominated = club.coming, None
    if coming.state is not State.SKIPPED:
        nominated = coming.nominated(album)
        coming = replace(
            coming,
            nominations=tuple(one for one in coming.nominations if one is not nominated),
            lot=tuple(one for one in coming.lot if one != album),
        )
    vetoed = club.vetoed if album in club.vetoed else (*club.vetoed, album)
    stand_in = None if club.stand_in == album else club.stand_in
    club = replace(club, coming=coming, vetoed=vetoed, stand_in=stand_in)
    return without_picks(club, album, now, nominated_by=nominated.member_id if nominated else None)


def lift_veto(club: Club, album: AlbumId) -> Outcome | Refused:
    """Let an album that was kept out be chosen again. What was nominated or picked before stays gone."""
    if album not in club.vetoed:
        return Refused(Reason.ALREADY)
    return Outcome(replace(club, vetoed=tuple(one for one in club.vetoed if one != album)))


def _check(club: Club, seen: Seen | None) -> Refused | None:
    if club.paused_at is not None:
        return Refused(Reason.PAUSED)
    return Refused(Reason.CHANGED_MEANWHILE) if seen is not None and seen != Seen.of(club) else None


def _called(club: Club) -> bool:
    """Whether the coming round has begun in earnest, so it goes on as it was called for."""
    return club.coming.state is not State.NOMINATING or bool(club.coming.nominations)
