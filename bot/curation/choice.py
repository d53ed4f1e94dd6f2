"""Which album a round gets, and whose turn is next. Pure."""

from __future__ import annotations

import random
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import Ballot, count
from bot.curation.club import Choice, Club, Nomination, Pick, State
from bot.curation.draw import CrateEntry, draw


class Facts(Struct, frozen=True):
    """What the state machine cannot know by itself.

    `ballots`: those of the coming round, without names. `crate`: the albums that a draw may take.
    `down_since`: at the first step after a start, when the bot was last known to run. `had`: the albums of past rounds,
    which are drawn only if there is nothing else.
    """

    now: datetime
    rng: random.Random
    ballots: tuple[Ballot, ...] = ()
    crate: tuple[CrateEntry, ...] = ()
    down_since: datetime | None = None
    had: frozenset[AlbumId | None] = frozenset()


class Chosen(Struct, frozen=True):
    """The album of a round, and how it was found. See `Round`."""

    album_id: AlbumId
    choice: Choice
    by: MemberId | None = None
    note: str = ""
    among: int | None = None


def choose(club: Club, facts: Facts) -> Chosen | None:
    """The album of the coming round: the members', else the curator's stand-in, else one from the crate.

    A club that draws from its crate takes the stand-in only if the crate is empty. None: there is no album at all.
    """
    stand_in = None if club.stand_in is None else Chosen(club.stand_in, Choice.STAND_IN)
    if club.coming.pick is Pick.CRATE:
        return _from_crate(club, facts) or stand_in
    return _from_members(club, facts) or stand_in or _from_crate(club, facts)


def _from_members(club: Club, facts: Facts) -> Chosen | None:
    coming = club.coming
    if coming.pick is Pick.TURNS:
        for member, choice in zip(club.order, (Choice.PICKER, Choice.STANDBY), strict=False):
            if pick := club.picked_by(member):
                return _nominated(pick, choice)
        return None
    if coming.state is State.VOTING and coming.lot and coming.method:
        winner = coming.nominated(count(coming.method, coming.lot, facts.ballots).winner)
        assert winner is not None
        return _nominated(winner, Choice.VOTE)
    # Two or more nominations without a vote do not get here: that vote was missed, and is held anew.
    return _nominated(coming.nominations[0], Choice.ONLY_NOMINATION) if coming.nominations else None


def _nominated(one: Nomination, choice: Choice) -> Chosen:
    return Chosen(one.album_id, choice, one.member_id, one.note)


def _from_crate(club: Club, facts: Facts) -> Chosen | None:
    entries = [entry for entry in facts.crate if entry.album_id not in club.vetoed]
    had = {*facts.had, club.listening and club.listening.album_id}
    drawn = draw([entry for entry in entries if entry.album_id not in had] or entries, facts.rng)
    return None if drawn is None else Chosen(drawn.album_id, Choice.CRATE, among=drawn.among)


def next_turn(club: Club, chosen: Chosen | None) -> Club:
    """Send whoever had their turn to the end of the order, whether they picked or were absent."""
    if club.coming.pick is not Pick.TURNS:
        return club
    had = 2 if chosen and chosen.choice is Choice.STANDBY else 1
    used = chosen.by if chosen else None
    picks = tuple(pick for pick in club.picks if pick.member_id != used)
    return replace(club, order=club.order[had:] + club.order[:had], picks=picks)
