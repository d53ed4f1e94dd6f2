"""Ratings of the albums of a club: one per member and round."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bot.caller import MemberId
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Scale, Score
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Row
from bot.storage.moments import to_seconds


class Rating(Struct, frozen=True):
    """What a member thinks of an album. `is_named`: their name may stand beside the review.

    `member_id`: None once the member is forgotten.
    """

    number: RoundNumber
    member_id: MemberId | None
    score: Score
    review: str
    is_named: bool


class Ratings:
    """One row per member and round."""

    declares = Declaration(
        tables=("ratings",),
        member_rows=(
            MemberRows(
                "ratings",
                exports=("club_id", "number", "member_id", "scale", "score", "review", "is_named", "rated_at"),
                withholds=("id",),
                # the score stays, so that the club's history stays right
                clears=("member_id", "review"),
            ),
        ),
    )

    def put_in(self, c: Connection, club_id: ClubId, rating: Rating, now: datetime) -> None:
        """Store a rating, which replaces the member's earlier one."""
        c.execute(
            "INSERT INTO ratings (club_id, number, member_id, scale, score, review, is_named, rated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (club_id, number, member_id) DO UPDATE SET"
            " scale = excluded.scale, score = excluded.score, review = excluded.review,"
            " is_named = excluded.is_named, rated_at = excluded.rated_at",
            (
                club_id,
                rating.number,
                rating.member_id,
                rating.score.scale.value,
                rating.score.steps,
                rating.review,
                int(rating.is_named),
                to_seconds(now),
            ),
        )

    def of_member_in(self, c: Connection, club_id: ClubId, number: RoundNumber, member: MemberId) -> Rating | None:
        """A member's rating."""
        row = c.execute(
            "SELECT * FROM ratings WHERE club_id = ? AND number = ? AND member_id = ?", (club_id, number, member)
        ).fetchone()
        return None if row is None else _rating(row)

    def of_round_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> list[Rating]:
        """The ratings of a round, in the order in which they came."""
        query = "SELECT * FROM ratings WHERE club_id = ? AND number = ? ORDER BY id"
        return [_rating(row) for row in c.execute(query, (club_id, number))]

    def of_club_in(self, c: Connection, club_id: ClubId) -> list[Rating]:
        """All ratings of a club."""
        query = "SELECT * FROM ratings WHERE club_id = ? ORDER BY number, id"
        return [_rating(row) for row in c.execute(query, (club_id,))]


def _rating(row: Row) -> Rating:
    return Rating(
        RoundNumber(row["number"]),
        row["member_id"],
        Score(Scale(row["scale"]), row["score"]),
        row["review"] or "",
        bool(row["is_named"]),
    )
