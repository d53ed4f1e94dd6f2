"""The feed and the calendar of a club book: what their templates set. Pure.

Identities (RFC 4287 and RFC 5545 want them to last) come from the club and its rounds, not from the address of the page,
so that whoever subscribes again after the address was renewed sees nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from markupsafe import Markup
from msgspec import Struct

from bot.albums import Album, album_url
from bot.clubs.book import Book, BookRound
from bot.curation.club import Pick, State
from bot.text import Text
from bot.web.album_view import NAME_MOST, TITLE_MOST, Albums
from bot.web.book_view import found
from bot.web.outside_text import legible
from bot.web.standings_view import mean_of, round_name

ENTRIES_MOST = 30
"""Rounds in the feed, the latest first."""
DATES_MOST = 10
"""Club hours in the calendar, the next one first."""
OCTETS_MOST = 75
"""Of a line of a calendar. https://www.rfc-editor.org/rfc/rfc5545#section-3.1"""


class Entry(Struct, frozen=True):
    """A round in the feed. `page`: where it is in the book; `album`: at Spotify. Times are in RFC 3339's form."""

    id: str
    title: str
    published: str
    updated: str
    page: str
    album: str
    on_spotify: str
    summary: str


class Feed(Struct, frozen=True):
    """The feed of a club. `url`: its own; `page`: the book's."""

    id: str
    title: str
    updated: str
    url: str
    page: str
    entries: tuple[Entry, ...]


class Date(Struct, frozen=True):
    """A date in the calendar, in RFC 5545's form."""

    uid: str
    at: str
    lasts: str
    says: Markup


def feed(t: Text, book: Book, albums: Albums, page: str, url: str, site: str) -> Feed:
    """The feed of a club. `site`: PUBLIC_URL, which makes identities differ from those of other bots."""
    entries = tuple(_entry(t, book, one, albums, page, site) for one in book.rounds[:ENTRIES_MOST])
    latest = max((_changed_at(one) for one in book.rounds), default=book.club.coming.opened_at)
    return Feed(_urn(site, book), legible(book.name, NAME_MOST), rfc3339(latest), url, page, entries)


def dates(t: Text, book: Book, now: datetime, site: str) -> tuple[Date, ...]:
    """When the club announces its next albums, and when its vote opens. None while it is paused."""
    club, name = book.club, legible(book.name, NAME_MOST)
    if club.paused_at is not None:
        return ()
    coming: list[Date] = []
    if club.coming.pick is Pick.VOTE and club.coming.state is State.NOMINATING and club.vote_at > now:
        says = t("{club}: voting for round {number} opens", club=name, number=t.number(club.coming.number))
        coming.append(Date(_urn(site, book, club.coming.number, "vote"), basic(club.vote_at), "PT15M", value(says)))
    at = club.club_hour_at
    for ahead in range(DATES_MOST):
        number = club.coming.number + ahead
        says = t("{club}: the album of round {number}", club=name, number=t.number(number))
        coming.append(Date(_urn(site, book, number), basic(at), "PT1H", value(says)))
        at = club.calendar.next_after(at)
    return tuple(coming)


def basic(moment: datetime) -> str:
    """A time in a calendar, in UTC: a reader shows it in its own timezone."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def value(text: str) -> Markup:
    """A text as the value of a property of a calendar, which knows no markup."""
    for special in "\\;,":
        text = text.replace(special, f"\\{special}")
    return Markup(text)  # noqa: S704 - no page: a calendar


def folded(calendar: str) -> bytes:
    """The lines of a calendar as they are sent: none longer than 75 octets, each ending in CRLF."""
    return "".join(f"{part}\r\n" for line in calendar.splitlines() for part in _parts(line)).encode()


def _parts(line: str) -> Sequence[str]:
    parts, part, size = [], "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > OCTETS_MOST:
            parts.append(part)
            part, size = " ", 1
        part, size = part + character, size + octets
    return [*parts, part]


def _entry(t: Text, book: Book, one: BookRound, albums: Albums, page: str, site: str) -> Entry:
    album, name = albums.get(one.album_id), round_name(t, one)
    return Entry(
        _urn(site, book, one.number),
        t("{round}: {album}", round=name, album=album_name(t, album)),
        rfc3339(one.announced_at),
        rfc3339(_changed_at(one)),
        f"{page}#round-{one.number}",
        album_url(one.album_id),
        t("Open in Spotify"),
        t.sentences([text for text in (_rated(t, one), found(t, one, _picker(t, one))) if text]),
    )


def _picker(t: Text, one: BookRound) -> str:
    return t("a member") if one.picker is None else legible(one.picker, NAME_MOST)


def album_name(t: Text, album: Album | None) -> str:
    """An album as plain text."""
    if album is None:
        return t("an album on Spotify")
    title, by = legible(album.title, TITLE_MOST), legible(album.by, TITLE_MOST)
    return t("{title} by {artist}", title=title, artist=by) if by else title


def _rated(t: Text, one: BookRound) -> str:
    if (summary := one.summary) is None:
        return ""
    return t.plural(
        "{mean} of {top} from {count} rating.",
        "{mean} of {top} on average, from {count} ratings, with a spread of {spread}.",
        summary.ratings,
        mean=mean_of(t, summary.mean),
        top=t.number(summary.scale.top),
        spread=t.fixed(summary.spread, 1),
    )


def _changed_at(one: BookRound) -> datetime:
    return one.ended_at or one.announced_at


def _urn(site: str, book: Book, *of: object) -> str:
    return uuid5(NAMESPACE_URL, "/".join([site, "club", str(book.id), *map(str, of)])).urn


def rfc3339(moment: datetime) -> str:
    """A time in a feed."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
