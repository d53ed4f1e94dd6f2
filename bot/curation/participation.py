"""What members do in a round: nominate, vote, rate. Pure.

Ballots and ratings are rows of their own, one per member and round, so they are only checked here. What decides is
the round's state, not the clock: a vote is open until it is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation import ballots
from bot.curation.ballots import MAX_ALBUMS, Ballot
from bot.curation.club import Club, Nomination, Outcome, Pick, Round, State
from bot.curation.house_rules import check_album, check_first_choice, check_member
from bot.curation.ids import RoundNumber
from bot.curation.refusals import PastRound, Reason, Refused


def nominate(
    club: Club,
    nomination: Nomination,
    *,
    year: int | None,
    past: Sequence[PastRound],
    replacing: AlbumId | None = None,
) -> Outcome | Refused:
    """Nominate an album for the coming round; the same album again changes its note.

    `year`: of its release. `past`: the rounds that are over. `replacing`: what the member confirmed to take back.
    """
    coming, member, album = club.coming, nomination.member_id, nomination.album_id
    assert member is not None
    if refused := _check_nominating(coming):
        return refused
    if (there := coming.nominated(album)) is not None:
        if there.member_id != member:
            return Refused(Reason.ALREADY_NOMINATED)
        if replacing is not None:  # pressed twice: it has taken the other one's place, with its note
            return Refused(Reason.CHANGED_MEANWHILE)
        noted = replace(there, note=nomination.note)
        return _with_nominations(club, tuple(noted if one is there else one for one in coming.nominations))
    if refused := check_member(club, member, past) or check_album(club, album, year, past):
        return refused
    own = coming.by(member)
    if replacing is not None and replacing not in [one.album_id for one in own]:
        return Refused(Reason.CHANGED_MEANWHILE)
    if replacing is None and len(own) >= club.settings.nominations_per_member:
        return Refused(Reason.CONFIRM_REPLACING, own=own)
    kept = tuple(one for one in coming.nominations if one.album_id != replacing)
    if len(kept) >= MAX_ALBUMS:
        return Refused(Reason.LIST_FULL)
    return _with_nominations(club, (*kept, nomination))


def withdraw(club: Club, member: MemberId, album: AlbumId) -> Outcome | Refused:
    """Take a nomination back."""
    if refused := _check_nominating(club.coming):
        return refused
    mine = club.coming.nominated(album)
    if mine is None or mine.member_id != member:
        return Refused(Reason.NOT_YOURS)
    return _with_nominations(club, tuple(one for one in club.coming.nominations if one is not mine))


def check_vote(club: Club, number: RoundNumber, member: MemberId, ballot: Ballot) -> Refused | None:
    """Whether a ballot for round `number` can be taken now."""
    coming = club.coming
    if coming.number != number or coming.state is not State.VOTING or coming.method is None:
        return Refused(Reason.NOT_VOTING)
    if problem := ballots.check(ballot, coming.method, coming.lot):
        return Refused(Reason.BAD_BALLOT, ballot=problem)
    return check_first_choice(club, coming, member, ballot)


def check_rating(club: Club, number: RoundNumber) -> Refused | None:
    """Whether a rating for round `number` can be taken or changed now: from the announcement to the summary."""
    rated = club.listening is not None and club.listening.number == number
    return None if rated else Refused(Reason.NOT_RATING)


def pick(club: Club, choice: Nomination, *, year: int | None, past: Sequence[PastRound]) -> Outcome | Refused:
    """Pick an album for one's next turn. It stays sealed until it is announced, and a second pick replaces it."""
    member = choice.member_id
    assert member is not None
    if member not in club.order:
        return Refused(Reason.NOT_IN_ORDER)
    if refused := check_album(club, choice.album_id, year, past):
        return refused
    others = tuple(one for one in club.picks if one.member_id != member)
    return Outcome(replace(club, picks=(*others, choice)))


def forget(club: Club, member: MemberId) -> Club:
    """The club without a member: their name is gone, and what they nominated stays."""
    return replace(
        club,
        coming=forget_in_round(club.coming, member),
        listening=club.listening and forget_in_round(club.listening, member),
        order=tuple(one for one in club.order if one != member),
        picks=tuple(one for one in club.picks if one.member_id != member),
        told=tuple(key for key in club.told if not key.endswith(f":{member}")),
    )


def forget_in_round(round_: Round, member: MemberId) -> Round:
    """A round without a member's name and notes."""
    nominations = tuple(
        replace(one, member_id=None, note="") if one.member_id == member else one for one in round_.nominations
    )
    round_ = replace(round_, nominations=nominations)
    return replace(round_, chosen_by=None, note="") if round_.chosen_by == member else round_


def _check_nominating(coming: Round) -> Refused | None:
    if coming.pick is not Pick.VOTE:
        return Refused(Reason.NOT_BY_VOTE)
    return None if coming.state is State.NOMINATING else Refused(Reason.NOT_NOMINATING)


def _with_nominations(club: Club, nominations: tuple[Nomination, ...]) -> Outcome:
    return Outcome(replace(club, coming=replace(club.coming, nominations=nominations)))
