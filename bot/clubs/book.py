"""The club book as data: what its public page shows of a club, read in one job.

Only what the club has posted is in it: no open vote, no rating before its summary. A member is a name where they agreed
to be named, and otherwise nobody.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.curation.club import Choice, Club, Pick, Round
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import RatedRound, Scale, Score, Summary, summarise
from bot.storage import Storage
from bot.storage.engine import Connection
from bot.storage.preferences import preferences_of
from bot.storage.ratings import Rating

OTHERS = MemberId(0)
"""Stands for all members who are not named, in the standings by picker."""


class Review(Struct, frozen=True):
    """What a member wrote, and their score. `by`: their name, if they agreed twice: to be named on public pages, and
    beside this review."""

    score: Score
    text: str
    by: str | None


class BookRound(Struct, frozen=True):
    """A round that had an album. `on`: the day of its announcement, where the club is. `pick`: how one was looked for.

    `picker`: the name of who nominated or picked it, if they agreed. `is_members`: whether any member did. `voters`: how
    many voted. `summary`: None: nobody rated it, or its summary is still to come. `ended_at`: None while people listen.
    """

    number: RoundNumber
    album_id: AlbumId
    on: date
    announced_at: datetime
    ended_at: datetime | None
    choice: Choice | None
    pick: Pick
    picker: str | None
    is_members: bool
    among: int | None
    note: str
    theme: str
    voters: int
    scores: tuple[Score, ...]
    summary: Summary | None
    reviews: tuple[Review, ...]


class Book(Struct, frozen=True):
    """A club as its public page shows it. `rounds`: the latest first. `skipped`: how many rounds had no album.

    `rated`: what the standings are made of; pickers who are not named are `OTHERS`. `names`: of those who are named.
    """

    id: ClubId
    name: str
    locale: str | None
    club: Club
    rounds: tuple[BookRound, ...]
    skipped: int
    rated: tuple[RatedRound, ...]
    names: dict[MemberId, str]

    @property
    def scale(self) -> Scale:
        """The scale of its standings and its chart."""
        return self.club.settings.scale


def read_book(c: Connection, storage: Storage, club_id: ClubId) -> Book | None:
    """The book of a club. Years are not known here: see `Book.rated`."""
    stored = storage.clubs.get_in(c, club_id)
    if stored is None:
        return None
    club = stored.club
    over = storage.clubs.over_in(c, club_id)
    had = [*over, *([club.listening] if club.listening is not None else [])]
    ratings: dict[RoundNumber, list[Rating]] = {}
    for rating in storage.ratings.of_club_in(c, club_id):
        ratings.setdefault(rating.number, []).append(rating)
    if club.listening is not None:
        ratings.pop(club.listening.number, None)  # hidden until the summary
    members = {one.chosen_by for one in had} | {
        rating.member_id for each in ratings.values() for rating in each if rating.is_named
    }
    names = names_in(c, {member for member in members if member is not None})
    themes, ballots = storage.clubs.themes_in(c, club_id), storage.ballots.counted_of_club_in(c, club_id)

    zone = club.calendar.zone

    def shown(one: Round) -> BookRound | None:
        if one.album_id is None:
            return None
        given = ratings.get(one.number, [])
        scores = tuple(rating.score for rating in given)
        return BookRound(
            one.number,
            one.album_id,
            _day(one, zone),
            one.announced_at or one.opened_at,
            one.ended_at if one is not club.listening else None,
            one.choice,
            one.pick,
            names.get(one.chosen_by) if one.chosen_by is not None else None,
            one.choice not in (Choice.STAND_IN, Choice.CRATE, None),
            one.among,
            one.note,
            themes.get(one.number, ""),
            len(ballots.get(one.number, ())),
            scores,
            summarise(scores, one.scale or club.settings.scale),
            tuple(_review(rating, names) for rating in given if rating.review.strip()),
        )

    rounds = tuple(found for one in reversed(had) if (found := shown(one)) is not None)
    rated = tuple(
        RatedRound(one.number, one.album_id, _picker(one, names), None, tuple(r.score for r in ratings[one.number]))
        for one in over
        if one.album_id is not None and one.number in ratings
    )
    skipped = sum(one.album_id is None for one in over)
    return Book(club_id, stored.name, stored.locale, club, rounds, skipped, rated, names)


def with_years(rated: tuple[RatedRound, ...], years: dict[AlbumId, int]) -> list[RatedRound]:
    """The same rounds with the years of their albums, where they are known."""
    return [replace(one, year=years.get(one.album_id)) for one in rated]


def names_in(c: Connection, members: set[MemberId]) -> dict[MemberId, str]:
    """How those of these members are called who agreed to be named on public pages."""
    return {
        member: chosen.shown_name
        for member, chosen in preferences_of(c, members).items()
        if chosen.is_named and chosen.shown_name
    }


def _day(one: Round, zone: tzinfo) -> date:
    if one.imported_at is not None:
        return one.imported_at.date()  # noon of the day that its spreadsheet names, wherever the club is
    return (one.announced_at or one.opened_at).astimezone(zone).date()


def _picker(one: Round, names: dict[MemberId, str]) -> MemberId | None:
    if one.choice in (Choice.STAND_IN, Choice.CRATE, None):
        return None
    return one.chosen_by if one.chosen_by in names else OTHERS


def _review(rating: Rating, names: dict[MemberId, str]) -> Review:
    is_named = rating.is_named and rating.member_id is not None
    return Review(rating.score, rating.review, names.get(MemberId(rating.member_id or 0)) if is_named else None)
