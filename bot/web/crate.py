"""`/crate/...`: a crate, at an address that nobody can guess and that a curator can change."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web
from markupsafe import Markup
from msgspec import Struct

from bot.albums import album_url
from bot.clubs.crate_page import CratePage, PageEntry
from bot.clubs.public_pages import PublicPages
from bot.files import exports
from bot.text import Text
from bot.web.album_names import AlbumNames
from bot.web.album_view import NAME_MOST, TEXT_MOST, TITLE_MOST, Albums, AlbumShown, album_shown, bdi
from bot.web.book_feeds import ENTRIES_MOST, Entry, Feed, album_name, rfc3339
from bot.web.drawing import draw, rendered
from bot.web.html_text import HtmlText, text_of
from bot.web.outside_text import legible
from bot.web.public import Turns, noindex, page_of, sent

ENTRIES: Final = 50
"""Albums on one page, and so the most names that a page may ask for."""


class EntryShown(Struct, frozen=True):
    """An album in a crate: who brought it and when, and why."""

    album: AlbumShown
    added: Markup
    note: str


class CratePages:
    """The pages of crates."""

    def __init__(self, pages: PublicPages, names: AlbumNames, turns: Turns) -> None:
        self._pages = pages
        self._names = names
        self._turns = turns

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET`: some albums of the crate, the newest first."""
        crate = await self._crate(request)
        number, last = page_of(request, len(crate.entries), ENTRIES)
        shown = crate.entries[(number - 1) * ENTRIES : number * ENTRIES]
        ids = [entry.album_id for entry in shown]
        albums = await self._names.of(ids)
        facts = {"to_come": self._names.to_come(ids), "page": number, "last": last, "address": _address(request)}

        def drawn() -> web.Response:
            t = HtmlText(text_of(request))
            entries = [_shown(t, entry, albums) for entry in shown]
            name, count = legible(crate.name, NAME_MOST), len(crate.entries)
            return draw("crate.html", request, name=name, count=count, entries=entries, **facts)

        return noindex(await self._turns.draw(drawn))

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """`GET`: the albums that were added last, as an Atom feed."""
        crate = await self._crate(request)
        latest = crate.entries[:ENTRIES_MOST]
        albums = await self._names.of(entry.album_id for entry in latest)

        def drawn() -> bytes:
            t, site = text_of(request), self._pages.site
            page = f"{site}/crate/{_address(request)}"
            entries = tuple(_entry(t, crate, entry, albums, page, site) for entry in latest)
            updated = rfc3339(latest[0].added_at if latest else crate.created_at)
            name = legible(crate.name, NAME_MOST)
            made = Feed(_urn(site, crate), name, updated, f"{page}/feed.atom", page, entries)
            return rendered("feed.xml", request, feed=made).encode()

        return sent(await self._turns.draw(drawn), "application/atom+xml")

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all albums as CSV. Names that are not known are left out: files ask Spotify for nothing."""
        crate, albums = await self._all(request)

        def drawn() -> bytes:
            return exports.write_csv(exports.CrateEntry, _rows(text_of(request), crate, albums))

        return sent(await self._turns.draw(drawn), "text/csv", "crate.csv")

    async def json(self, request: web.Request) -> web.StreamResponse:
        """`GET`: all albums as JSON, as above."""
        crate, albums = await self._all(request)

        def drawn() -> bytes:
            now = self._pages.now().isoformat(timespec="seconds")
            about = {"crate": legible(crate.name, NAME_MOST), "exported_at": now}
            return exports.write_json(exports.CrateEntry, _rows(text_of(request), crate, albums), about)

        return sent(await self._turns.draw(drawn), "application/json", "crate.json")

    async def _crate(self, request: web.Request) -> CratePage:
        crate = await self._turns.read(self._pages.crate(_address(request)))
        if crate is None:
            raise web.HTTPNotFound
        return crate

    async def _all(self, request: web.Request) -> tuple[CratePage, Albums]:
        crate = await self._crate(request)
        return crate, self._names.known(entry.album_id for entry in crate.entries)


def _address(request: web.Request) -> str:
    return request.match_info["id"]


def _shown(t: HtmlText, entry: PageEntry, albums: Albums) -> EntryShown:
    day = t.date(entry.added_at.date())
    added = t("{day}, {member}", day=day, member=t("a member") if entry.by is None else bdi(_name(entry.by)))
    return EntryShown(album_shown(t, entry.album_id, albums), added, legible(entry.note, TEXT_MOST))


def _entry(t: Text, crate: CratePage, entry: PageEntry, albums: Albums, page: str, site: str) -> Entry:
    added, member = rfc3339(entry.added_at), t("a member") if entry.by is None else _name(entry.by)
    note = legible(entry.note, TEXT_MOST)
    return Entry(
        _urn(site, crate, entry.album_id),
        album_name(t, albums.get(entry.album_id)),
        added,
        added,
        page,
        album_url(entry.album_id),
        t("Open in Spotify"),
        t("Added by {member}: {note}", member=member, note=note) if note else t("Added by {member}.", member=member),
    )


def _rows(t: Text, crate: CratePage, albums: Albums) -> list[exports.CrateEntry]:
    return [_row(t, entry, albums) for entry in crate.entries]


def _row(t: Text, entry: PageEntry, albums: Albums) -> exports.CrateEntry:
    album = albums.get(entry.album_id)
    return exports.CrateEntry(
        entry.album_id,
        legible(album.title, TITLE_MOST) if album is not None else "",
        tuple(_name(artist) for artist in album.artists) if album is not None else (),
        album.year if album is not None else "",
        t("a member") if entry.by is None else _name(entry.by),
        entry.added_at,
        legible(entry.note, TEXT_MOST),
    )


def _name(text: str) -> str:
    return legible(text, NAME_MOST)


def _urn(site: str, crate: CratePage, *of: str) -> str:
    return uuid5(NAMESPACE_URL, "/".join([site, "crate", str(crate.id), *of])).urn
