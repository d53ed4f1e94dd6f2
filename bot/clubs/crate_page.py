"""A crate as its public page shows it, read in one job."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.clubs.book import names_in
from bot.storage.crates import crate_with_entries
from bot.storage.engine import Connection


class PageEntry(Struct, frozen=True):
    """An album in a crate. `by`: who added it, if they agreed to be named."""

    album_id: AlbumId
    added_at: datetime
    by: str | None
    note: str


class CratePage(Struct, frozen=True):
    """A crate as its public page shows it, the newest entry first."""

    id: int
    name: str
    created_at: datetime
    entries: tuple[PageEntry, ...]


def read_crate(c: Connection, id_: int) -> CratePage | None:
    """The page of a crate."""
    found = crate_with_entries(c, id_)
    if found is None:
        return None
    crate, created_at, entries = found
    names = names_in(c, {entry.member_id for entry in entries if entry.member_id is not None})
    return CratePage(
        crate.id,
        crate.name,
        created_at,
        tuple(
            PageEntry(entry.album_id, entry.added_at, names.get(entry.member_id or MemberId(0)), entry.note)
            for entry in entries
        ),
    )
