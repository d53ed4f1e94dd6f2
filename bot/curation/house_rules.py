"""A club's house rules, as checks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import Ballot, Method
from bot.curation.club import Club, Round
from bot.curation.ids import RoundNumber
from bot.curation.refusals import PastRound, Reason, Refused


def check_album(club: Club, album: AlbumId, year: int | None, past: Sequence[PastRound]) -> Refused | None:
    """Whether the club may have an album: not a repeat, not vetoed, released in the years that are set.

    `past`: the rounds that are over. An unknown `year` breaks no rule.
    """
    settings = club.settings
    for one in _with_current(club, past):
        if one.album_id == album:
            return Refused(Reason.ALREADY_PICKED, past=one)
    if album in club.vetoed:
        return Refused(Reason.VETOED)
    if year is not None and settings.released_from is not None and year < settings.released_from:
        return Refused(Reason.RELEASED_TOO_EARLY)
    if year is not None and settings.released_until is not None and year > settings.released_until:
        return Refused(Reason.RELEASED_TOO_LATE)
    return None


def check_member(club: Club, member: MemberId, past: Sequence[PastRound]) -> Refused | None:
    """Whether a member may nominate: not in the rounds after one in which their album was picked, if that is set.

    Imported rounds do not count: how many rounds ago they were is not known.
    """
    rounds = club.settings.no_past_winner_rounds
    for one in _with_current(club, past):
        if one.imported_at is None and one.chosen_by == member and club.coming.number - one.number <= rounds:
            return Refused(Reason.PAST_WINNER, past=one, again_in=RoundNumber(one.number + rounds + 1))
    return None


def check_first_choice(club: Club, round_: Round, member: MemberId, ballot: Ballot) -> Refused | None:
    """Whether a ballot may have this first choice: not the member's own nomination, if that is set.

    With approval no album is first, so it is enough to choose another album, too.
    """
    if not club.settings.not_own_first or not ballot:
        return None
    firsts = ballot if round_.method is Method.APPROVAL else ballot[:1]
    own = {one.album_id for one in round_.by(member)}
    return Refused(Reason.OWN_FIRST) if own.issuperset(firsts) else None


def _with_current(club: Club, past: Sequence[PastRound]) -> list[PastRound]:
    """All rounds that had an album, the latest first, with the one that people listen to."""
    now = club.listening
    current = [PastRound(now.number, now.album_id, now.chosen_by)] if now and now.album_id else []
    return sorted([*past, *current], key=lambda one: one.number, reverse=True)
