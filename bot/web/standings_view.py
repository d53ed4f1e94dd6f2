"""The standings of a club and the chart of its season, in a reader's language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from markupsafe import Markup
from msgspec import Struct

from bot.caller import MemberId
from bot.clubs.book import OTHERS, Book, BookRound, with_years
from bot.curation.ids import RoundNumber
from bot.curation.ratings import Standing, Summary, by_decade, by_mean, by_picker, most_divisive, summarise
from bot.text import Text
from bot.web.album_view import NAME_MOST, Albums, AlbumShown, album_shown
from bot.web.chart import Chart, chart
from bot.web.html_text import HtmlText
from bot.web.outside_text import legible

BEST_MOST = 10


class Row(Struct, frozen=True):
    """A line of a table of standings. `name`: None: an album whose name is not known yet. `url`: where it leads to."""

    name: str | None
    beside: str
    value: str
    ratings: str
    url: str = ""


class Table(Struct, frozen=True):
    """A table of standings: its caption, what its columns are, and its rows."""

    caption: Markup
    what: Markup
    value: Markup
    count: Markup
    rows: tuple[Row, ...]


class SeasonRow(Struct, frozen=True):
    """The figures of one dot of the chart."""

    round: str
    album: AlbumShown
    mean: str
    spread: str
    ratings: str


class Season(Struct, frozen=True):
    """The chart, what it shows in words, and the same figures."""

    chart: Chart
    says: Markup
    rows: tuple[SeasonRow, ...]


def round_name(t: HtmlText | Text, one: BookRound) -> str:
    """ "Round 12"; imported rounds have no number, and are named by their day."""
    if one.number > 0:
        return t("Round {number}", number=t.number(one.number))
    return t.date(one.on)


def mean_of(t: HtmlText | Text, points: Fraction) -> str:
    """A mean with two decimals, so that a column of them is aligned."""
    return t.fixed(float(points), 2)


def tables(t: HtmlText, book: Book, albums: Albums) -> tuple[Table, ...]:
    years = {id_: int(album.year) for id_, album in albums.items() if album.year.isascii() and album.year.isdecimal()}
    rated, scale = with_years(book.rated, years), book.scale
    of_round = {one.number: one.album_id for one in book.rounds}
    album, mean, ratings = t("Album"), t("Mean"), t("Ratings")

    def of_album(one: Standing[RoundNumber], value: str) -> Row:
        shown = album_shown(t, of_round[one.key], albums)
        return Row(shown.title, shown.by, value, t.number(one.summary.ratings), shown.url)

    def others(one: Standing[Any], name: str) -> Row:
        return Row(name, "", mean_of(t, one.summary.mean), t.number(one.rounds))

    best = [of_album(one, mean_of(t, one.summary.mean)) for one in by_mean(rated, scale)[:BEST_MOST]]
    divisive = [of_album(one, t.fixed(one.summary.spread, 1)) for one in most_divisive(rated, scale)[:BEST_MOST]]
    pickers = [others(one, _picker(t, book, one.key)) for one in by_picker(rated, scale)]
    decades = [others(one, t("{year}s", year=str(one.key))) for one in by_decade(rated, scale)]
    found = (
        Table(t("Best rated"), album, mean, ratings, tuple(best)),
        Table(t("Most divisive"), album, t("Spread"), ratings, tuple(divisive)),
        Table(t("By picker"), t("Picker"), mean, t("Albums"), tuple(pickers)),
        Table(t("By decade"), t("Decade"), mean, t("Albums"), tuple(decades)),
    )
    return tuple(table for table in found if table.rows)


def _picker(t: HtmlText, book: Book, member: MemberId) -> str:
    name = None if member == OTHERS else book.names.get(member)
    return t("Members who are not named") if name is None else legible(name, NAME_MOST)


def season(t: HtmlText, book: Book, albums: Albums) -> Season | None:
    summed = [(one, summarise(one.scores, book.scale)) for one in reversed(book.rounds)]
    rated = [(one, summary) for one, summary in summed if summary is not None]
    if len(rated) < 2:
        return None
    best, worst = _extreme(rated, max), _extreme(rated, min)
    says = t(
        "Mean ratings of {count} rounds, on a scale to {top}. Highest: {high} ({best}). Lowest: {low} ({worst}). The "
        "lines show the spread.",
        count=t.number(len(rated)),
        top=t.number(book.scale.top),
        high=mean_of(t, best[1].mean),
        best=round_name(t, best[0]),
        low=mean_of(t, worst[1].mean),
        worst=round_name(t, worst[0]),
    )
    labelled = [(_short(one), summary) for one, summary in rated]
    rows = tuple(
        SeasonRow(
            t.number(one.number) if one.number > 0 else round_name(t, one),
            album_shown(t, one.album_id, albums),
            mean_of(t, summary.mean),
            t.fixed(summary.spread, 1),
            t.number(summary.ratings),
        )
        for one, summary in rated
    )
    return Season(chart(labelled, book.scale), says, rows)


def _extreme(
    rated: Sequence[tuple[BookRound, Summary]], which: Callable[..., tuple[BookRound, Summary]]
) -> tuple[BookRound, Summary]:
    return which(rated, key=lambda each: each[1].mean)


def _short(one: BookRound) -> str:
    return str(one.number) if one.number > 0 else f"{one.on:%Y-%m}"
