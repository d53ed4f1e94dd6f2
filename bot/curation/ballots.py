"""Counting votes: ranked choice, weighted and approval. Pure and deterministic.

The count is kept step by step, so that it can be shown, and `replay` repeats it from what was exported.
Ties go to the previous counts, the latest first, then to the lot order: an album that is earlier in it wins the tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from bot.albums import AlbumId

MAX_ALBUMS = 25
"""Discord's limit for the options of one select menu."""

Ballot = tuple[AlbumId, ...]
"""One member's choices, the best first. For approval the order means nothing. Empty: a blank ballot."""

WEIGHTS = (3, 2, 1)


class Method(StrEnum):
    """How a vote is counted."""

    RANKED_CHOICE = "ranked_choice"
    WEIGHTED = "weighted"
    APPROVAL = "approval"

    @property
    def max_choices(self) -> int:
        """How many albums one ballot can name: five selects fit one modal, and three ranks have a weight."""
        return {Method.RANKED_CHOICE: 5, Method.WEIGHTED: len(WEIGHTS), Method.APPROVAL: MAX_ALBUMS}[self]


class Verdict(StrEnum):
    """Why a step ended as it did."""

    MAJORITY = "majority"
    """The winner has more than half of the ballots that are not exhausted."""
    LAST_LEFT = "last_left"
    """The winner is the only album left."""
    MOST = "most"
    """The winner has the most points or approvals."""
    NO_VOTES = "no_votes"
    """Nobody voted for any album, so the lot order decides."""
    FEWEST = "fewest"
    """The eliminated album has the fewest votes."""
    WITHOUT_VOTES = "without_votes"
    """All albums without a vote are eliminated together."""
    NEXT_RANK = "next_rank"
    """Nothing is decided yet: the next rank is added (weighted only)."""


class TieBreak(StrEnum):
    """What decided between albums with equal votes."""

    PREVIOUS_COUNT = "previous_count"
    LOT = "lot"


class Tie(Struct, frozen=True):
    """Albums that were equal, and what decided between them. `step`: the previous count, from 0, if that decided."""

    albums: tuple[AlbumId, ...]
    broken_by: TieBreak
    step: int | None = None


class Step(Struct, frozen=True):
    """One count. `tallies`: votes or points of each album still in it, in lot order."""

    tallies: tuple[tuple[AlbumId, int], ...]
    exhausted: int
    verdict: Verdict
    eliminated: tuple[AlbumId, ...] = ()
    winner: AlbumId | None = None
    tie: Tie | None = None


class Count(Struct, frozen=True):
    """A whole count. `ballots` are sorted: their order does not tell who voted when."""

    method: Method
    lot: tuple[AlbumId, ...]
    ballots: tuple[Ballot, ...]
    steps: tuple[Step, ...]
    winner: AlbumId

    def export(self) -> dict[str, Any]:
        """Everything that is needed to repeat the count, as JSON. No names."""
        return {
            "method": self.method.value,
            "lot": list(self.lot),
            "ballots": [list(ballot) for ballot in self.ballots],
            "winner": self.winner,
        }


class BallotProblem(StrEnum):
    """Why a ballot cannot be taken as it is."""

    REPEATED = "repeated"
    NOT_NOMINATED = "not_nominated"
    TOO_MANY = "too_many"
    BLANK = "blank"


def ballot_from(choices: Iterable[AlbumId | None]) -> Ballot:
    """A ballot from the selects of a form, in which ranks may have been left empty: what follows moves up."""
    return tuple(choice for choice in choices if choice is not None)


def check(ballot: Ballot, method: Method, lot: Sequence[AlbumId]) -> BallotProblem | None:
    """Whether a ballot can be taken."""
    if not ballot:
        return BallotProblem.BLANK
    if len(ballot) > method.max_choices:
        return BallotProblem.TOO_MANY
    if len(set(ballot)) < len(ballot):
        return BallotProblem.REPEATED
    return BallotProblem.NOT_NOMINATED if set(ballot) - set(lot) else None


def count(method: Method, lot: Sequence[AlbumId], ballots: Iterable[Ballot]) -> Count:
    """Count a vote.

    `lot` holds the albums in the order that was drawn before voting opened. A choice that is not in it (vetoed while
    the vote was open) is passed over, and so is a repeated one. ValueError: no album, or one of them twice.
    """
    albums = tuple(lot)
    if not albums or len(set(albums)) < len(albums):
        raise ValueError("the lot order must hold every album once, and at least one")
    kept = tuple(sorted(tuple(dict.fromkeys(a for a in ballot if a in albums)) for ballot in ballots))
    steps = _COUNTS[method](albums, kept)
    winner = steps[-1].winner
    assert winner is not None
    return Count(method, albums, kept, tuple(steps), winner)


def replay(exported: Mapping[str, Any]) -> Count:
    """Repeat a count from `Count.export`. ValueError: the winner is another one than the export says."""
    again = count(
        Method(exported["method"]),
        [AlbumId(album) for album in exported["lot"]],
        [tuple(AlbumId(album) for album in ballot) for ballot in exported["ballots"]],
    )
    if again.winner != exported["winner"]:
        raise ValueError(f"these ballots elect {again.winner}, not {exported['winner']}")
    return again


_Tallies = dict[AlbumId, int]


def _ranked_choice(lot: tuple[AlbumId, ...], ballots: tuple[Ballot, ...]) -> list[Step]:
    """Instant run-off: each ballot counts for its best album that is left, until one has more than half."""
    steps: list[Step] = []
    counts: list[_Tallies] = []
    left = lot
    while True:
        best = Counter(next((album for album in ballot if album in left), None) for ballot in ballots)
        tallies = {album: best[album] for album in left}
        shown, exhausted = tuple(tallies.items()), best[None]
        most = max(tallies.values())
        if most == 0:
            return [*steps, _by_lot(shown, exhausted)]
        if most * 2 > len(ballots) - exhausted:
            winner = next(album for album in left if tallies[album] == most)
            verdict = Verdict.LAST_LEFT if len(left) == 1 else Verdict.MAJORITY
            return [*steps, Step(shown, exhausted, verdict, winner=winner)]
        out = tuple(album for album in left if tallies[album] == 0)
        if out:
            steps.append(Step(shown, exhausted, Verdict.WITHOUT_VOTES, out))
        else:
            loser, tie = _single_out(min, tallies, counts)
            out = (loser,)
            steps.append(Step(shown, exhausted, Verdict.FEWEST, out, tie=tie))
        counts.append(tallies)
        left = tuple(album for album in left if album not in out)


def _weighted(lot: tuple[AlbumId, ...], ballots: tuple[Ballot, ...]) -> list[Step]:
    """3, 2 and 1 for the first three ranks, added rank by rank: so there are previous counts to decide a tie."""
    steps: list[Step] = []
    counts: list[_Tallies] = []
    tallies = dict.fromkeys(lot, 0)
    blank = sum(not ballot for ballot in ballots)
    for rank, weight in enumerate(WEIGHTS):
        named = Counter(ballot[rank] for ballot in ballots if len(ballot) > rank)
        tallies = {album: points + weight * named[album] for album, points in tallies.items()}
        if rank < len(WEIGHTS) - 1:
            steps.append(Step(tuple(tallies.items()), blank, Verdict.NEXT_RANK))
            counts.append(tallies)
    return [*steps, _most(tallies, blank, counts)]


def _approval(lot: tuple[AlbumId, ...], ballots: tuple[Ballot, ...]) -> list[Step]:
    """One for every album that a ballot names."""
    named = Counter(album for ballot in ballots for album in ballot)
    return [_most({album: named[album] for album in lot}, sum(not ballot for ballot in ballots), [])]


_COUNTS: dict[Method, Callable[[tuple[AlbumId, ...], tuple[Ballot, ...]], list[Step]]] = {
    Method.RANKED_CHOICE: _ranked_choice,
    Method.WEIGHTED: _weighted,
    Method.APPROVAL: _approval,
}


def _most(tallies: _Tallies, exhausted: int, counts: list[_Tallies]) -> Step:
    shown = tuple(tallies.items())
    if not any(tallies.values()):
        return _by_lot(shown, exhausted)
    winner, tie = _single_out(max, tallies, counts)
    return Step(shown, exhausted, Verdict.MOST, winner=winner, tie=tie)


def _by_lot(shown: tuple[tuple[AlbumId, int], ...], exhausted: int) -> Step:
    albums = tuple(album for album, _ in shown)
    tie = Tie(albums, TieBreak.LOT) if len(albums) > 1 else None
    return Step(shown, exhausted, Verdict.NO_VOTES, winner=albums[0], tie=tie)


def _single_out(
    extreme: Callable[[Iterable[int]], int], tallies: _Tallies, counts: list[_Tallies]
) -> tuple[AlbumId, Tie | None]:
    """The album with the most (`max`) or the fewest (`min`) votes, and how a tie was broken."""
    equal = _extremes(extreme, tallies, list(tallies))
    if len(equal) == 1:
        return equal[0], None
    left = equal
    for step in reversed(range(len(counts))):
        left = _extremes(extreme, counts[step], left)
        if len(left) == 1:
            return left[0], Tie(tuple(equal), TieBreak.PREVIOUS_COUNT, step)
    # The earlier in the lot order, the better.
    return left[0 if extreme is max else -1], Tie(tuple(equal), TieBreak.LOT)


def _extremes(extreme: Callable[[Iterable[int]], int], tallies: _Tallies, albums: list[AlbumId]) -> list[AlbumId]:
    bound = extreme(tallies[album] for album in albums)
    return [album for album in albums if tallies[album] == bound]
