"""`/club/...`: the club book, at an address that nobody can guess and that a curator can change."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bot.clubs.book import Book
from bot.clubs.public_pages import PublicPages
from bot.files import exports
from bot.text import Text
from bot.web.album_names import AlbumNames
from bot.web.album_view import NAME_MOST, Albums
from bot.web.book_feeds import ENTRIES_MOST, basic, dates, feed, folded, value
from bot.web.book_rows import book_row
from bot.web.book_view import show_book
from bot.web.drawing import draw, rendered
from bot.web.html_text import HtmlText, text_of
from bot.web.outside_text import legible
from bot.web.public import Turns, noindex, page_of, prefer, sent

ROUNDS: Final = 100
"""Rounds on one page. A club that meets every week fills it in two years."""


class Books:
    """The pages of clubs."""

    def __init__(self, pages: PublicPages, names: AlbumNames, turns: Turns) -> None:
        self._pages = pages
        self._names = names
        self._turns = turns

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the book."""
        book = await self._book(request)
        number, last = page_of(request, len(book.rounds), ROUNDS)
        shown = book.rounds[(number - 1) * ROUNDS : number * ROUNDS]
        # The names on this page are asked for first, then those that the standings may need.
        wanted = [one.album_id for one in (*shown, *book.rounds[: 2 * ROUNDS])]
        albums = await self._names.of(wanted)
        to_come = self._names.to_come(wanted)

        def drawn() -> web.Response:
            view = show_book(HtmlText(text_of(request)), book, shown, albums)
            return draw(
                "book.html", request, book=view, to_come=to_come, page=number, last=last, address=_address(request)
            )

        return noindex(await self._turns.draw(drawn))

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the latest rounds as an Atom feed."""
        book = await self._book(request)
        albums = await self._names.of(one.album_id for one in book.rounds[:ENTRIES_MOST])

        def drawn() -> bytes:
            page = self._page(request)
            made = feed(text_of(request), book, albums, page, f"{page}/feed.atom", self._pages.site)
            return rendered("feed.xml", request, feed=made).encode()

        return sent(await self._turns.draw(drawn), "application/atom+xml")

    async def dates(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the club's dates as an iCalendar. It asks Spotify for nothing."""
        book = await self._book(request)

        def drawn() -> bytes:
            now = self._pages.now()
            coming = dates(text_of(request), book, now, self._pages.site)
            name, page = value(legible(book.name, NAME_MOST)), self._page(request)
            return folded(rendered("dates.ics", request, name=name, dates=coming, stamp=basic(now), page=page))

        return sent(await self._turns.draw(drawn), "text/calendar")

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all rounds as CSV."""
        book, albums = await self._all(request)

        def drawn() -> bytes:
            return exports.write_csv(exports.ClubRound, _rows(text_of(request), book, albums))

        return sent(await self._turns.draw(drawn), "text/csv", "club-rounds.csv")

    async def json(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all rounds as JSON."""
        book, albums = await self._all(request)

        def drawn() -> bytes:
            now = self._pages.now().isoformat(timespec="seconds")
            about = {"club": legible(book.name, NAME_MOST), "exported_at": now}
            return exports.write_json(exports.ClubRound, _rows(text_of(request), book, albums), about)

        return sent(await self._turns.draw(drawn), "application/json", "club-rounds.json")

    async def _book(self, request: web.Request) -> Book:
        book = await self._turns.read(self._pages.book(_address(request)))
        if book is None:
            raise web.HTTPNotFound
        prefer(request, book.locale)
        return book

    async def _all(self, request: web.Request) -> tuple[Book, Albums]:
        """All rounds for a file. Names are asked for as on the first page."""
        book = await self._book(request)
        albums = await self._names.of(one.album_id for one in book.rounds[:ROUNDS])
        return book, albums | self._names.known(one.album_id for one in book.rounds)

    def _page(self, request: web.Request) -> str:
        return f"{self._pages.site}/club/{_address(request)}"


def _address(request: web.Request) -> str:
    return request.match_info["id"]


def _rows(t: Text, book: Book, albums: Albums) -> list[exports.ClubRound]:
    return [book_row(t, book, one, albums) for one in reversed(book.rounds)]
