"""`/club/...`: the club book, at an address that nobody can guess and that a curator can change."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bot.clubs.book import Book
from bot.clubs.public_pages import PublicPages
from bot.files import exports
from bot.web.album_names import AlbumNames
from bot.web.album_view import NAME_MOST
from bot.web.book_feeds import ENTRIES_MOST, basic, dates, feed, folded, value
from bot.web.book_rows import book_row
from bot.web.book_view import show_book
from bot.web.drawing import draw, rendered
from bot.web.html_text import HtmlText, text_of
from bot.web.outside_text import legible
from bot.web.parts import Part
from bot.web.public import COVERS, noindex, page_of, prefer, sent

ROUNDS: Final = 100
"""Rounds on one page. A club that meets every week fills it in two years."""


def part(pages: PublicPages, names: AlbumNames) -> Part:
    """The book of every club that has one."""
    books = Books(pages, names)
    routes = [
        web.get("/club/{id}", books.page),
        web.get("/club/{id}/feed.atom", books.feed),
        web.get("/club/{id}/dates.ics", books.dates),
        web.get("/club/{id}/rounds.csv", books.csv),
        web.get("/club/{id}/rounds.json", books.json),
    ]
    return Part("book", routes, COVERS, {"book.css": "text/css"}, is_counted=True)


class Books:
    """The pages of clubs."""

    def __init__(self, pages: PublicPages, names: AlbumNames) -> None:
        self._pages = pages
        self._names = names

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the book."""
        book = await self._book(request)
        number, last = page_of(request, len(book.rounds), ROUNDS)
        shown = book.rounds[(number - 1) * ROUNDS : number * ROUNDS]
        # The album that people listen to is on the first page only; those of this page are asked for first.
        wanted = [one.album_id for one in (*shown, *book.rounds[: 2 * ROUNDS])]
        albums = await self._names.of(wanted)
        view = show_book(HtmlText(text_of(request)), book, shown, albums)
        to_come = self._names.to_come(wanted)
        address = request.match_info["id"]
        return noindex(draw("book.html", request, book=view, to_come=to_come, page=number, last=last, address=address))

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the latest rounds as an Atom feed."""
        book = await self._book(request)
        albums = await self._names.of(one.album_id for one in book.rounds[:ENTRIES_MOST])
        page = f"{self._pages.site}/club/{request.match_info['id']}"
        made = feed(text_of(request), book, albums, page, f"{page}/feed.atom", self._pages.site)
        return sent(rendered("feed.xml", request, feed=made).encode(), "application/atom+xml")

    async def dates(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the club's dates as an iCalendar. It asks Spotify for nothing."""
        book = await self._book(request)
        now, site = self._pages.now(), self._pages.site
        calendar = rendered(
            "dates.ics",
            request,
            name=value(legible(book.name, NAME_MOST)),
            dates=dates(text_of(request), book, now, site),
            stamp=basic(now),
            page=f"{site}/club/{request.match_info['id']}",
        )
        return sent(folded(calendar), "text/calendar")

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all rounds as CSV."""
        _, rows = await self._rows(request)
        return sent(exports.write_csv(exports.ClubRound, rows), "text/csv", "club-rounds.csv")

    async def json(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all rounds as JSON."""
        book, rows = await self._rows(request)
        about = {"club": legible(book.name, NAME_MOST), "exported_at": self._pages.now().isoformat(timespec="seconds")}
        return sent(exports.write_json(exports.ClubRound, rows, about), "application/json", "club-rounds.json")

    async def _rows(self, request: web.Request) -> tuple[Book, list[exports.ClubRound]]:
        book = await self._book(request)
        albums = await self._names.of(one.album_id for one in book.rounds[:ROUNDS])
        albums |= self._names.known(one.album_id for one in book.rounds)
        t = text_of(request)
        return book, [book_row(t, book, one, albums) for one in reversed(book.rounds)]

    async def _book(self, request: web.Request) -> Book:
        book = await self._pages.book(request.match_info["id"])
        if book is None:
            raise web.HTTPNotFound
        prefer(request, book.locale)
        return book
