"""Why something that a member or a curator asked for is not done, with the facts to say so. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import BallotProblem
from bot.curation.club import Nomination
from bot.curation.ids import RoundNumber


class Reason(StrEnum):
    """Why."""

    PAUSED = "paused"
    CHANGED_MEANWHILE = "changed_meanwhile"
    """The club has moved on since the curator or member saw it."""
    ALREADY = "already"
    """The club is already paused, not paused, or its round already skipped."""

    NOT_NOMINATING = "not_nominating"
    """Voting is open, or the round was skipped."""
    NOT_BY_VOTE = "not_by_vote"
    """The album of this round is picked in turns or drawn from the crate."""
    NOT_BY_TURNS = "not_by_turns"
    ALREADY_NOMINATED = "already_nominated"
    ALREADY_PICKED = "already_picked"
    """The club has had this album, in `past`."""
    VETOED = "vetoed"
    PAST_WINNER = "past_winner"
    """The member's album was picked in `past`. They can nominate again in round `again_in`."""
    RELEASED_TOO_EARLY = "released_too_early"
    RELEASED_TOO_LATE = "released_too_late"
    LIST_FULL = "list_full"
    CONFIRM_REPLACING = "confirm_replacing"
    """The member has nominated as many as they may: one of `own` has to be replaced."""
    NOT_YOURS = "not_yours"

    NOT_VOTING = "not_voting"
    BAD_BALLOT = "bad_ballot"
    """See `ballot`."""
    OWN_FIRST = "own_first"
    NOT_RATING = "not_rating"

    NOT_IN_ORDER = "not_in_order"
    NOT_BOTH_IN_ORDER = "not_both_in_order"
    ALREADY_IN_ORDER = "already_in_order"
    NOBODY_ELSE = "nobody_else"


class PastRound(Struct, frozen=True):
    """A round that had an album. `imported_at`: see `Round`."""

    number: RoundNumber
    album_id: AlbumId
    chosen_by: MemberId | None
    imported_at: datetime | None = None


class Refused(Struct, frozen=True):
    """A refusal. What it carries depends on the reason."""

    reason: Reason
    past: PastRound | None = None
    again_in: RoundNumber | None = None
    own: tuple[Nomination, ...] = ()
    ballot: BallotProblem | None = None
