"""The order of a club whose members take turns. Pure. The first in `Club.order` picks next."""

from __future__ import annotations

from msgspec.structs import replace

from bot.caller import MemberId
from bot.curation.club import Club, Outcome
from bot.curation.ids import RoundNumber
from bot.curation.refusals import Reason, Refused


def join(club: Club, member: MemberId) -> Outcome | Refused:
    """Join at the end of the order."""
    if member in club.order:
        return Refused(Reason.ALREADY_IN_ORDER)
    return Outcome(replace(club, order=(*club.order, member)))


def leave(club: Club, member: MemberId) -> Outcome | Refused:
    """Leave the order. The member's sealed pick is dropped."""
    if member not in club.order:
        return Refused(Reason.NOT_IN_ORDER)
    order = tuple(one for one in club.order if one != member)
    return Outcome(replace(club, order=order, picks=tuple(one for one in club.picks if one.member_id != member)))


def pass_turn(club: Club, member: MemberId) -> Outcome | Refused:
    """Pass one's next turn: the member goes to the end of the order and keeps their sealed pick for then."""
    if member not in club.order:
        return Refused(Reason.NOT_IN_ORDER)
    if len(club.order) == 1:
        return Refused(Reason.NOBODY_ELSE)
    return Outcome(replace(club, order=(*(one for one in club.order if one != member), member)))


def swap(club: Club, asked_in: RoundNumber, member: MemberId, other: MemberId) -> Outcome | Refused:
    """Swap the places of two members, once the other has accepted.

    `asked_in`: the coming round when it was asked. An offer of an earlier round is refused: the order has moved.
    """
    if member == other or member not in club.order or other not in club.order:
        return Refused(Reason.NOT_BOTH_IN_ORDER)
    if club.coming.number != asked_in:
        return Refused(Reason.CHANGED_MEANWHILE)
    places = {member: other, other: member}
    return Outcome(replace(club, order=tuple(places.get(one, one) for one in club.order)))
