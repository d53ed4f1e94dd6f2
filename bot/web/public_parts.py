"""The routes of the public pages of clubs and crates. What draws them is loaded with the first visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from bot.clubs.public_pages import PublicPages
from bot.later import later
from bot.web.album_names import AlbumNames
from bot.web.parts import Part
from bot.web.public import COVERS, Turns

if TYPE_CHECKING:  # loaded with the first visitor
    from bot.web.book import Books
    from bot.web.crate import CratePages


def book_part(pages: PublicPages, names: AlbumNames, turns: Turns) -> Part:
    """The book of every club that has one."""

    def books() -> Books:
        from bot.web.book import Books

        return Books(pages, names, turns)

    routes = [
        web.get("/club/{id}", later(lambda: books().page)),
        web.get("/club/{id}/feed.atom", later(lambda: books().feed)),
        web.get("/club/{id}/dates.ics", later(lambda: books().dates)),
        web.get("/club/{id}/rounds.csv", later(lambda: books().csv)),
        web.get("/club/{id}/rounds.json", later(lambda: books().json)),
    ]
    return Part("book", routes, COVERS, {"book.css": "text/css"}, is_counted=True)


def crate_part(pages: PublicPages, names: AlbumNames, turns: Turns) -> Part:
    """The page of every crate that has one."""

    def crates() -> CratePages:
        from bot.web.crate import CratePages

        return CratePages(pages, names, turns)

    routes = [
        web.get("/crate/{id}", later(lambda: crates().page)),
        web.get("/crate/{id}/feed.atom", later(lambda: crates().feed)),
        web.get("/crate/{id}/albums.csv", later(lambda: crates().csv)),
        web.get("/crate/{id}/albums.json", later(lambda: crates().json)),
    ]
    return Part("crate", routes, COVERS, is_counted=True)
