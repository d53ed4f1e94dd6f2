"""A club and its rounds, as data.

Everything is frozen and made of strings, numbers, dates and enums, so it can be stored as rows as it is.
Ballots and ratings are rows of their own: they are many, and ballots are sealed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import Method
from bot.curation.calendar import Calendar
from bot.curation.ids import ClubId, RoleId, RoundNumber
from bot.curation.ratings import Scale

LATE_AFTER = timedelta(minutes=15)
"""From here on a post says that it is late."""

MAX_PER_MEMBER = 5


class Pick(StrEnum):
    """How a club finds its albums."""

    VOTE = "vote"
    TURNS = "turns"
    CRATE = "crate"


class State(StrEnum):
    """The state of a round. NOMINATING is also the time before a turn or a draw."""

    NOMINATING = "nominating"
    VOTING = "voting"
    LISTENING = "listening"
    ENDED = "ended"
    SKIPPED = "skipped"


class Choice(StrEnum):
    """How the album of a round was found."""

    VOTE = "vote"
    ONLY_NOMINATION = "only_nomination"
    PICKER = "picker"
    STANDBY = "standby"
    """The picker was absent, and the next in the order had picked."""
    STAND_IN = "stand_in"
    """The curator's album for a round without nominations."""
    CRATE = "crate"


class ClubSettings(Struct, frozen=True):
    """What a curator sets. ValueError: out of range.

    `voting_days`: voting opens this long before the club hour; the rest of the round is for nominating.
    `no_past_winner_rounds`: whose album was picked does not nominate for this number of rounds; 0 is off.
    `released_from`, `released_until`: years, both included.
    """

    pick: Pick = Pick.VOTE
    voting_days: int = 3
    nominations_per_member: int = 1
    sealed: bool = False
    method: Method = Method.RANKED_CHOICE
    scale: Scale = Scale.HALVES
    no_past_winner_rounds: int = 0
    not_own_first: bool = False
    released_from: int | None = None
    released_until: int | None = None
    reminders: bool = True
    ping_role_id: RoleId | None = None
    thread: bool = True
    event: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.voting_days <= 27:
            raise ValueError("voting takes 1 to 27 days")
        if not 1 <= self.nominations_per_member <= MAX_PER_MEMBER:
            raise ValueError(f"a member can nominate 1 to {MAX_PER_MEMBER} albums")
        if self.no_past_winner_rounds < 0:
            raise ValueError("a number of rounds cannot be negative")
        if self.released_from and self.released_until and self.released_from > self.released_until:
            raise ValueError("no album is released after its last year and before its first one")

    @property
    def voting(self) -> timedelta:
        """How long a vote is open."""
        return timedelta(days=self.voting_days)


class Nomination(Struct, frozen=True):
    """An album that a member nominated, or picked for their turn. `member_id`: None once the member is forgotten."""

    album_id: AlbumId
    member_id: MemberId | None
    note: str
    nominated_at: datetime


class Round(Struct, frozen=True):
    """One round.

    Settings that would change what members were told are copied: `pick` and `sealed` when the round opens, `method`
    when its vote opens, `scale` when its album is announced. `lot`: the order that decides ties, drawn before the vote.
    `among`: how many albums were in the draw, if it was drawn from the crate.

    A round from a club's earlier spreadsheet has `imported_at`, noon of its day; the numbers of such rounds are 0 and
    below, so that they take none of the others. `picker_name`: who picked it, where the spreadsheet names no member.
    """

    number: RoundNumber
    state: State
    opened_at: datetime
    pick: Pick
    sealed: bool
    nominations: tuple[Nomination, ...] = ()
    lot: tuple[AlbumId, ...] = ()
    method: Method | None = None
    vote_opened_at: datetime | None = None
    album_id: AlbumId | None = None
    choice: Choice | None = None
    chosen_by: MemberId | None = None
    note: str = ""
    among: int | None = None
    scale: Scale | None = None
    announced_at: datetime | None = None
    ended_at: datetime | None = None
    imported_at: datetime | None = None
    picker_name: str = ""

    def nominated(self, album: AlbumId) -> Nomination | None:
        """The nomination of an album."""
        return next((one for one in self.nominations if one.album_id == album), None)

    def by(self, member: MemberId) -> tuple[Nomination, ...]:
        """A member's nominations, the oldest first."""
        return tuple(one for one in self.nominations if one.member_id == member)


class Club(Struct, frozen=True):
    """A running club: its settings, the round that people listen to, and the coming one.

    `club_hour_at`: the next one. `vote_at`: when the vote of the coming round is to open, if it has one.
    `order`: whose turn it is, the next picker first. `picks`: sealed picks for turns, one per member.
    `told`: keys of the notices that were sent since the last club hour.
    """

    id: ClubId
    settings: ClubSettings
    calendar: Calendar
    club_hour_at: datetime
    vote_at: datetime
    coming: Round
    listening: Round | None = None
    order: tuple[MemberId, ...] = ()
    picks: tuple[Nomination, ...] = ()
    stand_in: AlbumId | None = None
    vetoed: tuple[AlbumId, ...] = ()
    paused_at: datetime | None = None
    told: tuple[str, ...] = ()

    def picked_by(self, member: MemberId) -> Nomination | None:
        """What a member picked for their next turn."""
        return next((one for one in self.picks if one.member_id == member), None)


class Step(StrEnum):
    """What an effect does. The first group is posted in the club's channel, the second goes to members privately."""

    CALL = "call"
    """Call for nominations; with turns, who picks next; with a crate, when it is drawn."""
    VOTE = "vote"
    REPEATED_VOTE = "repeated_vote"
    """The vote fell wholly into a downtime and is held now."""
    ANNOUNCEMENT = "announcement"
    SUMMARY = "summary"
    SKIPPED = "skipped"
    """The round has no album, or a curator skipped it."""
    MISSED = "missed"
    """One line for each club hour in `Effect.hours`: nothing could be nominated for it during the downtime."""

    REMIND_NOMINATE = "remind_nominate"
    """To those who turned reminders on and have not nominated. The same for the next two."""
    REMIND_VOTE = "remind_vote"
    REMIND_RATE = "remind_rate"
    TELL_PICKER = "tell_picker"
    TELL_STANDBY = "tell_standby"
    TELL_REMOVED = "tell_removed"
    """The member's album was vetoed, or the club has picked it in the meantime, so their turn needs another one."""

    FORGET_VOTERS = "forget_voters"
    """Keep the ballots of the round without names, and forget who voted."""

    @property
    def is_post(self) -> bool:
        """Whether it is posted in the channel."""
        return self in _POSTS


_POSTS = frozenset(
    {Step.CALL, Step.VOTE, Step.REPEATED_VOTE, Step.ANNOUNCEMENT, Step.SUMMARY, Step.SKIPPED, Step.MISSED},
)


class Effect(Struct, frozen=True):
    """Something to carry out once.

    `due_at`: when it should have been. `late`: the post has to say so. `album_id`: what was removed, and nothing else.
    """

    club_id: ClubId
    round: RoundNumber
    step: Step
    due_at: datetime
    late: bool = False
    member_id: MemberId | None = None
    album_id: AlbumId | None = None
    hours: tuple[datetime, ...] = ()

    @property
    def key(self) -> str:
        """The identity: an effect with the same key is the same effect."""
        parts = (self.club_id, self.round, self.step, int(self.due_at.timestamp()), self.album_id, self.member_id)
        return ":".join(str(part) for part in parts if part is not None)


class Outcome(Struct, frozen=True):
    """The club after an event, what has to be carried out, in order, and the rounds that are over now.

    Store all three in one transaction.
    """

    club: Club
    effects: tuple[Effect, ...] = ()
    closed: tuple[Round, ...] = ()

    def then(self, following: Outcome) -> Outcome:
        """This, and what followed."""
        return Outcome(following.club, self.effects + following.effects, self.closed + following.closed)
