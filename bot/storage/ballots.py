"""Ballots: sealed while a vote is open, and kept without names once it is counted."""

from __future__ import annotations

import json

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.ballots import Ballot
from bot.curation.ids import ClubId, RoundNumber
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Row
from bot.storage.vault import SealedColumn, Vault

BALLOT = SealedColumn("ballots", "ballot_sealed", "ballot", ("club_id", "number", "member_id"), owner="bound_to")
"""Bound to club, round and member: copied into another row, it does not open."""


class Ballots:
    """One row per member while a vote is open; afterwards one row per ballot, and nobody's name."""

    declares = Declaration(
        tables=("ballots", "counted_ballots"),
        member_rows=(
            MemberRows(
                "ballots",
                exports=("club_id", "number", "member_id"),
                withholds=("id", "bound_to"),
                opens=(BALLOT,),
            ),
        ),
        sealed=(BALLOT,),
    )

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def cast_in(self, c: Connection, club_id: ClubId, number: RoundNumber, member: MemberId, ballot: Ballot) -> int:
        """Store a member's ballot, which replaces an earlier one; how many have voted."""
        sealed = self._vault.seal(json.dumps(ballot), _bound_to(club_id, number, member), BALLOT)
        c.execute(
            "INSERT INTO ballots (club_id, number, member_id, ballot_sealed) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (club_id, number, member_id) DO UPDATE SET ballot_sealed = excluded.ballot_sealed",
            (club_id, number, member, sealed),
        )
        return self.number_in(c, club_id, number)

    def number_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> int:
        """How many have voted, in an open vote or in a counted one."""
        (open_,) = c.execute(
            "SELECT COUNT(*) FROM ballots WHERE club_id = ? AND number = ?", (club_id, number)
        ).fetchone()
        (counted,) = c.execute(
            "SELECT COUNT(*) FROM counted_ballots WHERE club_id = ? AND number = ?", (club_id, number)
        ).fetchone()
        total: int = open_ + counted
        return total

    def of_member_in(self, c: Connection, club_id: ClubId, number: RoundNumber, member: MemberId) -> Ballot | None:
        """What a member voted in an open vote."""
        row = c.execute(
            "SELECT * FROM ballots WHERE club_id = ? AND number = ? AND member_id = ?", (club_id, number, member)
        ).fetchone()
        return None if row is None else self._opened(row)

    def open_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> tuple[Ballot, ...]:
        """All ballots of an open vote, without names. Unopenable: one of them was tampered with."""
        query = "SELECT * FROM ballots WHERE club_id = ? AND number = ?"
        return tuple(sorted(self._opened(row) for row in c.execute(query, (club_id, number))))

    def voters_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> set[MemberId]:
        """Who has voted in an open vote, so that they are not reminded."""
        query = "SELECT member_id FROM ballots WHERE club_id = ? AND number = ?"
        return {MemberId(row["member_id"]) for row in c.execute(query, (club_id, number))}

    def forget_voters_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> None:
        """Keep the ballots of a round without names, in an order that tells nothing, and forget who voted."""
        for place, ballot in enumerate(self.open_in(c, club_id, number)):
            c.execute(
                "INSERT INTO counted_ballots (club_id, number, place, ballot) VALUES (?, ?, ?, ?)",
                (club_id, number, place, json.dumps(ballot)),
            )
        c.execute("DELETE FROM ballots WHERE club_id = ? AND number = ?", (club_id, number))

    def counted_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> tuple[Ballot, ...]:
        """The ballots of a counted vote."""
        query = "SELECT ballot FROM counted_ballots WHERE club_id = ? AND number = ? ORDER BY place"
        return tuple(
            tuple(AlbumId(album) for album in json.loads(row["ballot"])) for row in c.execute(query, (club_id, number))
        )

    def counted_of_club_in(self, c: Connection, club_id: ClubId) -> dict[RoundNumber, tuple[Ballot, ...]]:
        """The ballots of all counted votes of a club, by round."""
        found: dict[RoundNumber, list[Ballot]] = {}
        query = "SELECT number, ballot FROM counted_ballots WHERE club_id = ? ORDER BY number, place"
        for row in c.execute(query, (club_id,)):
            ballot = tuple(AlbumId(album) for album in json.loads(row["ballot"]))
            found.setdefault(RoundNumber(row["number"]), []).append(ballot)
        return {number: tuple(ballots) for number, ballots in found.items()}

    def _opened(self, row: Row) -> Ballot:
        text = self._vault.open(
            row["ballot_sealed"], _bound_to(row["club_id"], row["number"], row["member_id"]), BALLOT
        )
        return tuple(AlbumId(album) for album in json.loads(text))


def _bound_to(club_id: int, number: int, member_id: int) -> str:
    return f"{club_id}:{number}:{member_id}"
