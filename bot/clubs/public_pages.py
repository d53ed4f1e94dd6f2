"""Turning public pages on and off, and reading what they show: the book of a club, and a crate.

Members who did not agree to be named are nobody here: their ids do not leave this module.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from bot.caller import GuildId
from bot.clubs.book import Book, read_book
from bot.clubs.channels import Curator, NoSuchClub
from bot.clubs.crate_page import CratePage, read_crate
from bot.curation.ids import ClubId
from bot.storage import Storage
from bot.storage.crates import Crate
from bot.storage.engine import Connection
from bot.storage.public_pages import PageKind, Subject


class PublicPages:
    """All public pages. `site`: PUBLIC_URL, which every address begins with."""

    def __init__(self, storage: Storage, site: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._storage = storage
        self.site = site
        self.now = now

    @property
    def is_local(self) -> bool:
        """Whether the site can be opened only on the machine that runs the bot: plain http is for loopback alone."""
        return not self.site.startswith("https://")

    # -- the book of a club

    async def book_url(self, club_id: ClubId) -> str | None:
        """Where the book of a club is; None: it is turned off."""
        return await self._url(_club(club_id))

    async def open_book(self, club_id: ClubId, curator: Curator, *, renew: bool = False) -> str | None:
        """Turn the book on, or give it a new address; where it is now. None: there is none to renew. NoSuchClub."""

        def write(c: Connection) -> str | None:
            stored = self._storage.clubs.get_in(c, club_id)
            if stored is None:
                raise NoSuchClub
            before = self._storage.public_pages.address_in(c, _club(club_id))
            address = self._opened_in(c, _club(club_id), stored.guild_id, renew=renew)
            if address not in (None, before):
                self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self.now())
            return address

        return self._at(PageKind.CLUB, await self._storage.database.write(write, key="clubs"))

    async def close_book(self, club_id: ClubId, curator: Curator) -> bool:
        """Turn the book off. False: it was off. NoSuchClub."""

        def write(c: Connection) -> bool:
            if self._storage.clubs.get_in(c, club_id) is None:
                raise NoSuchClub
            was_on = self._storage.public_pages.close_in(c, _club(club_id))
            if was_on:
                self._storage.clubs.log_in(c, club_id, curator.member_id, curator.did, curator.facts, self.now())
            return was_on

        return await self._storage.database.write(write, key="clubs")

    async def book(self, address: str) -> Book | None:
        """The book at an address; None: there is none."""

        def read(c: Connection) -> Book | None:
            id_ = self._storage.public_pages.find_in(c, PageKind.CLUB, address)
            return None if id_ is None else read_book(c, self._storage, ClubId(id_))

        return await self._storage.database.read(read)

    # -- crates

    async def crate_url(self, crate: Crate) -> str | None:
        """Where the page of a crate is; None: it is turned off."""
        return await self._url(_crate(crate))

    async def open_crate(self, crate: Crate, *, renew: bool = False) -> str | None:
        """Turn the page of a crate on, or give it a new address; where it is now. None: there is none to renew."""

        address = await self._storage.database.write(
            lambda c: self._opened_in(c, _crate(crate), crate.guild_id, renew=renew), key=crate.guild_id
        )
        return self._at(PageKind.CRATE, address)

    async def close_crate(self, crate: Crate) -> bool:
        """Turn the page of a crate off. False: it was off."""
        return await self._storage.database.write(
            lambda c: self._storage.public_pages.close_in(c, _crate(crate)), key=crate.guild_id
        )

    async def crate(self, address: str) -> CratePage | None:
        """The crate at an address; None: there is none."""

        def read(c: Connection) -> CratePage | None:
            id_ = self._storage.public_pages.find_in(c, PageKind.CRATE, address)
            return None if id_ is None else read_crate(c, id_)

        return await self._storage.database.read(read)

    # -- both

    def _opened_in(self, c: Connection, subject: Subject, guild_id: GuildId, *, renew: bool) -> str | None:
        pages = self._storage.public_pages
        if renew and not pages.close_in(c, subject):
            return None
        return pages.address_in(c, subject) or pages.open_in(c, subject, guild_id, self.now())

    async def _url(self, subject: Subject) -> str | None:
        return self._at(subject.kind, await self._storage.public_pages.address(subject))

    def _at(self, kind: PageKind, address: str | None) -> str | None:
        return None if address is None else f"{self.site}/{kind.value}/{address}"


def _club(club_id: ClubId) -> Subject:
    return Subject(PageKind.CLUB, club_id)


def _crate(crate: Crate) -> Subject:
    return Subject(PageKind.CRATE, crate.id)
