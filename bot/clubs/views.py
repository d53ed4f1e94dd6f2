"""What the cards of a club show, read in one job."""

from __future__ import annotations

from msgspec import Struct

from bot.caller import MemberId
from bot.curation.ballots import Ballot, Count, count
from bot.curation.club import Choice, Round
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Scale, Summary, summarise
from bot.storage import Storage
from bot.storage.clubs import Post, StoredClub
from bot.storage.engine import Connection
from bot.storage.ratings import Rating


class RoundView(Struct, frozen=True):
    """A round of a club, with all that belongs to it.

    `voters`: how many have voted. `ballots`: of a counted vote. `saves`: how many saved the album with the button of
    its card. `theme`: of this round.
    """

    stored: StoredClub
    round: Round
    voters: int
    ballots: tuple[Ballot, ...]
    ratings: tuple[Rating, ...]
    saves: int
    theme: str | None
    posts: tuple[Post, ...]

    @property
    def scale(self) -> Scale:
        """The scale of its ratings."""
        return self.round.scale or self.stored.club.settings.scale

    @property
    def summary(self) -> Summary | None:
        """What its ratings add up to; None: nobody rated."""
        return summarise([one.score for one in self.ratings], self.scale)

    @property
    def count(self) -> Count | None:
        """Its count; None: there was no vote, or it is not over."""
        one = self.round
        if one.choice is not Choice.VOTE or one.method is None:
            return None
        return count(one.method, one.lot, self.ballots)

    def post(self, step: str) -> Post | None:
        """The latest message of this step that has arrived."""
        found = [post for post in self.posts if post.step == step and post.message_id is not None]
        return found[-1] if found else None


def read_round(c: Connection, storage: Storage, stored: StoredClub, number: RoundNumber) -> RoundView | None:
    """A round, in whatever state; None: there is none of this number."""
    round_ = storage.clubs.round_in(c, stored.club, number)
    if round_ is None:
        return None
    return RoundView(
        stored,
        round_,
        storage.ballots.number_in(c, stored.id, number),
        storage.ballots.counted_in(c, stored.id, number),
        tuple(storage.ratings.of_round_in(c, stored.id, number)),
        storage.clubs.saves_in(c, stored.id, number),
        storage.clubs.themes_in(c, stored.id).get(number),
        tuple(storage.clubs.posts_in(c, stored.id, number)),
    )


async def view(storage: Storage, club_id: ClubId, number: RoundNumber) -> RoundView | None:
    """The same, by the club's id."""

    def read(c: Connection) -> RoundView | None:
        stored = storage.clubs.get_in(c, club_id)
        return None if stored is None else read_round(c, storage, stored, number)

    return await storage.database.read(read)


class OwnPart(Struct, frozen=True):
    """What a member has done in the rounds that are open."""

    ballot: Ballot | None
    rating: Rating | None


async def own_part(storage: Storage, club_id: ClubId, member: MemberId) -> OwnPart:
    """A member's ballot in the coming round, and their rating of the album that people listen to."""

    def read(c: Connection) -> OwnPart:
        stored = storage.clubs.get_in(c, club_id)
        if stored is None:
            return OwnPart(None, None)
        club = stored.club
        rating = None
        if club.listening is not None:
            rating = storage.ratings.of_member_in(c, club_id, club.listening.number, member)
        return OwnPart(storage.ballots.of_member_in(c, club_id, club.coming.number, member), rating)

    return await storage.database.read(read)
