"""A club with a season behind it, written straight into the rows, for tests of its public page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bot.albums import Album, AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs.book import Book, BookRound
from bot.clubs.channels import Curator
from bot.clubs.public_pages import PublicPages
from bot.curation.ballots import Method
from bot.curation.club import Choice, Club, Pick, Round, State
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import RatedRound, Scale, Score, summarise
from bot.storage import Storage
from bot.storage.clubs import StoredClub
from bot.storage.engine import Connection
from bot.storage.ratings import Rating
from tests.storage.clubs import BEGIN, new_club

ADA, BEN, CHLOE, DEE = (MemberId(300_000_000_000_000_001 + place) for place in range(4))
CURATOR = MemberId(200_000_000_000_000_009)
GUILD = GuildId(500_000_000_000_000_001)
WEEK = timedelta(days=7)
CHOICES = (Choice.VOTE, Choice.VOTE, Choice.ONLY_NOMINATION, Choice.PICKER, Choice.CRATE, Choice.STAND_IN)
REVIEWS = (
    "The second side is what I will come back for.",
    "Not for me, but I see what it is after.",
    "",
    "I had never heard a whole record of theirs. Played it three times this week, once on a train through fog, and it "
    "fitted better every time.",
)


def curator(did: str = "book on") -> Curator:
    return Curator(CURATOR, did, {})


async def open_book(pages: PublicPages, club: StoredClub) -> str:
    """Turn the book on; the path of its page."""
    url = await pages.open_book(club.id, curator())
    assert url is not None
    return url


def past(number: int, album: str) -> Round:
    """A round that is over."""
    choice = CHOICES[number % len(CHOICES)]
    at = BEGIN + number * WEEK
    members = (ADA, BEN, CHLOE, DEE)
    return Round(
        RoundNumber(number),
        State.ENDED,
        at - WEEK,
        Pick.VOTE,
        sealed=False,
        method=Method.RANKED_CHOICE if choice is Choice.VOTE else None,
        lot=(AlbumId(album),),
        album_id=AlbumId(album),
        choice=choice,
        chosen_by=None if choice in (Choice.CRATE, Choice.STAND_IN) else members[number % 4],
        note="Put it on after dark." if number % 3 == 1 else "",
        among=40 if choice is Choice.CRATE else None,
        scale=Scale.HALVES,
        announced_at=at,
        ended_at=at + WEEK,
    )


async def season(
    storage: Storage,
    albums: Sequence[str],
    *,
    name: str = "The Tuesday Club",
    locale: str | None = "en-US",
    reviews: Sequence[str] = REVIEWS,
    note: str | None = None,
    listening: bool = True,
) -> StoredClub:
    """A club with a round for each album, of which the last is listened to; each is rated by up to four members."""
    id_ = await storage.database.read(storage.clubs.next_id_in)
    rounds = [past(number, album) for number, album in enumerate(albums, 1)]
    if note is not None:
        rounds = [replace(one, note=note) for one in rounds]
    last = rounds.pop() if listening and rounds else None
    club: Club = new_club(id_)
    number = RoundNumber(len(albums) + 1)
    club = replace(
        club,
        club_hour_at=BEGIN + (len(albums) + 1) * WEEK,
        coming=replace(club.coming, number=number),
        listening=None if last is None else replace(last, state=State.LISTENING, ended_at=None),
    )
    stored = StoredClub(id_, GUILD, 600_000_000_000_000_001, name, CURATOR, locale, is_blocked=False, club=club)

    def write(c: Connection) -> None:
        storage.clubs.add_in(c, stored, BEGIN)
        for one in rounds:
            storage.clubs.close_in(c, id_, one)
            for place, member in enumerate((ADA, BEN, CHLOE, DEE)[: 2 + one.number % 3]):
                rate(
                    storage,
                    c,
                    id_,
                    one.number,
                    member,
                    4 + (one.number * one.number + 3 * one.number + place * (2 + one.number % 3)) % 7,
                    reviews,
                )
            if one.choice is Choice.VOTE:
                for voter in range(7):
                    storage.ballots.cast_in(c, id_, one.number, MemberId(voter), (AlbumId("x" * 22),))
                storage.ballots.forget_voters_in(c, id_, one.number)
        if last is not None:
            rate(storage, c, id_, last.number, ADA, 10, ("A rating that stays hidden.",))

    await storage.database.write(write)
    return stored


def rate(
    storage: Storage,
    c: Connection,
    id_: ClubId,
    number: RoundNumber,
    member: MemberId,
    steps: int,
    reviews: Sequence[str],
) -> None:
    """A rating with one of these reviews."""
    review = reviews[(number + member) % len(reviews)]
    rating = Rating(number, member, Score(Scale.HALVES, steps), review, is_named=True)
    storage.ratings.put_in(c, id_, rating, BEGIN)


# -- the same as data, for tests of what pages and files make of it


def album_of(number: int, **change: Any) -> Album:
    """The album of a round of this number."""
    values = {"title": f"Album {number}", "artists": (f"Artist {number}",), "year": "1999", "cover_url": None, **change}
    return Album(AlbumId(f"{number:022}"), **values)


def told(number: int, *steps: int, scale: Scale = Scale.HALVES, **change: Any) -> BookRound:
    """A round of a book that is over. `steps`: its scores."""
    scores = tuple(Score(scale, one) for one in steps)
    at = BEGIN + number * WEEK
    values: dict[str, Any] = {
        "album_id": album_of(number).id,
        "on": at.date(),
        "announced_at": at,
        "ended_at": at + WEEK,
        "choice": Choice.PICKER,
        "pick": Pick.VOTE,
        "picker": None,
        "is_members": True,
        "among": None,
        "note": "",
        "theme": "",
        "voters": 0,
        "scores": scores,
        "summary": summarise(scores, scale),
        "reviews": (),
        **change,
    }
    return BookRound(RoundNumber(number), **values)


def book_of(*rounds: BookRound, pickers: Sequence[MemberId | None] = (), **change: Any) -> Book:
    """A book of these rounds, the latest first. `pickers`: of its rated rounds, in the same order."""
    rated = [one for one in rounds if one.scores]
    who = [*pickers, *[None] * len(rated)]
    values: dict[str, Any] = {
        "name": "The Tuesday Club",
        "locale": None,
        "club": new_club(ClubId(1)),
        "rounds": rounds,
        "skipped": 0,
        "rated": tuple(
            RatedRound(one.number, one.album_id, picker, None, one.scores)
            for one, picker in zip(rated, who, strict=False)
        ),
        "names": {},
        **change,
    }
    return Book(ClubId(1), **values)
