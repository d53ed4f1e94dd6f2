"""A crate with albums in it, for tests of its public page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.albums import AlbumId
from bot.clubs.public_pages import PublicPages
from bot.storage import Storage
from bot.storage.crates import Crate
from tests.web.books import ADA, BEN, CHLOE, GUILD

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTES = ("", "Heard it on the radio at night and had to pull over.", "", "For autumn.")


async def filled(
    storage: Storage, albums: Sequence[str], *, name: str = "Night drives", notes: Sequence[str] = NOTES
) -> Crate:
    """A crate into which three members put these albums, one a day."""
    crate = await storage.crates.new(GUILD, name, BEGIN)
    assert isinstance(crate, Crate)
    for place, album in enumerate(albums):
        member = (ADA, BEN, CHLOE)[place % 3]
        at = BEGIN + timedelta(days=place)
        await storage.crates.add(GUILD, name, AlbumId(album), member, notes[place % len(notes)], at)
    return crate


async def open_crate(pages: PublicPages, crate: Crate) -> str:
    """Turn the page of a crate on; its address."""
    url = await pages.open_crate(crate)
    assert url is not None
    return url
