"""The club book in a reader's language: from what the club did to what the template sets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape
from msgspec import Struct

from bot.clubs.book import Book, BookRound
from bot.clubs.choices import how_chosen
from bot.curation.calendar import Rhythm
from bot.curation.club import Choice
from bot.curation.ratings import Score
from bot.text import Text
from bot.web.album_view import NAME_MOST, TEXT_MOST, TITLE_MOST, Albums, AlbumShown, album_shown, bdi, named
from bot.web.html_text import HtmlText
from bot.web.outside_text import legible
from bot.web.standings_view import Season, Table, mean_of, season, tables


class Figure(Struct, frozen=True):
    """A number with what it is. `of`: what it is out of; None: nothing."""

    label: Markup
    value: str
    of: Markup | None = None


class ReviewShown(Struct, frozen=True):
    """A review: the score, the text, and whose it is, which may be nobody's in particular."""

    score: str
    text: str
    by: Markup


class RoundShown(Struct, frozen=True):
    """A round: what is above the album, the album, how it was found, its figures and its reviews."""

    anchor: str
    heading: Markup
    album: AlbumShown
    found: str
    theme: Markup
    note: str
    figures: tuple[Figure, ...]
    reviews: tuple[ReviewShown, ...]


class BookShown(Struct, frozen=True):
    """A whole page. `now`: the album that people listen to."""

    name: str
    lines: tuple[Markup, ...]
    now: RoundShown | None
    rounds: tuple[RoundShown, ...]
    tables: tuple[Table, ...]
    season: Season | None


def show_book(t: HtmlText, book: Book, shown: Sequence[BookRound], albums: Albums) -> BookShown:
    """The page of a club. `shown`: those of its rounds that are on this page."""
    rounds = [_round(t, book, one, albums) for one in shown]
    is_now = bool(shown) and shown[0].ended_at is None
    return BookShown(
        legible(book.name, NAME_MOST),
        _lines(t, book),
        rounds[0] if is_now else None,
        tuple(rounds[1:] if is_now else rounds),
        tables(t, book, albums),
        season(t, book, albums),
    )


def found(t: HtmlText | Text, one: BookRound, who: str) -> str:
    """How the album of a round was found. `who`: the member who nominated or picked it, as they are named here."""
    # A public page does not say that somebody was absent.
    choice = Choice.PICKER if one.choice is Choice.STANDBY else one.choice
    return how_chosen(t, choice, one.pick, who, voters=one.voters, among=one.among)


def _lines(t: HtmlText, book: Book) -> tuple[Markup, ...]:
    lines: list[Markup] = []
    if rounds := len(book.rounds):
        ratings = sum(len(one.scores) for one in book.rounds)
        albums = t.plural("{count} album", "{count} albums", rounds)
        lines.append(t.plural("{albums}, {count} rating", "{albums}, {count} ratings", ratings, albums=albums))
    calendar, at = book.club.calendar, Markup("{} {}").format
    when = at(calendar.clock.strftime("%H:%M"), calendar.timezone.replace("_", " "))
    if book.club.paused_at is not None:
        lines.append(t("The club is paused."))
        return tuple(lines)
    day = t.date(book.club.club_hour_at.astimezone(calendar.zone).date())
    match calendar.rhythm:
        case Rhythm.WEEKLY:
            lines.append(t("A new album every week. Next: {day}, {time}.", day=day, time=when))
        case Rhythm.BIWEEKLY:
            lines.append(t("A new album every two weeks. Next: {day}, {time}.", day=day, time=when))
        case Rhythm.MONTHLY:
            lines.append(t("A new album every month. Next: {day}, {time}.", day=day, time=when))
    return tuple(lines)


def _round(t: HtmlText, book: Book, one: BookRound, albums: Albums) -> RoundShown:
    day = t.date(one.on)
    return RoundShown(
        f"round-{one.number}",
        t("Round {number}, {day}", number=t.number(one.number), day=day) if one.number > 0 else escape(day),
        album_shown(t, one.album_id, albums),
        found(t, one, named(t, one.picker)),
        t("Theme: {theme}", theme=bdi(legible(one.theme, TITLE_MOST))) if one.theme else Markup(""),
        legible(one.note, TEXT_MOST),
        _figures(t, one),
        tuple(
            ReviewShown(_score(t, review.score), legible(review.text, TEXT_MOST), named(t, review.by))
            for review in one.reviews
        ),
    )


def _score(t: HtmlText, score: Score) -> str:
    return t.number(score.steps / score.scale.steps_per_point)


def _figures(t: HtmlText, one: BookRound) -> tuple[Figure, ...]:
    figures: list[Figure] = []
    if (summary := one.summary) is not None:
        figures += [
            Figure(t("Mean"), mean_of(t, summary.mean), t("of {top}", top=t.number(summary.scale.top))),
            Figure(t("Ratings"), t.number(summary.ratings)),
            Figure(t("Spread"), t.fixed(summary.spread, 1)),
        ]
    if one.choice is Choice.VOTE:
        figures.append(Figure(t("Votes"), t.number(one.voters)))
    return tuple(figures)
