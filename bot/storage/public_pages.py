"""Public pages: which clubs and crates have one, and at which address. See docs/decisions/0021.

An address is a capability: whoever knows it can read the page. It is stored as a hash, by which a visitor's address is
found, and encrypted, so that the bot can show it to members again. A copy of the database opens no page.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.caller import GuildId
from bot.storage.declarations import Declaration
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_seconds
from bot.storage.vault import SealedColumn, Vault

ADDRESS_BYTES = 24
"""192 bits: nobody finds an address by trying."""
ADDRESS = SealedColumn("public_pages", "address_sealed", "address", ("kind", "about_id"), owner="bound_to")


class PageKind(StrEnum):
    """What a page is about."""

    CLUB = "club"
    CRATE = "crate"


class Subject(Struct, frozen=True):
    """What a page is about: a club or a crate, by its id."""

    kind: PageKind
    id: int

    @property
    def bound_to(self) -> str:
        """What the encrypted address is bound to."""
        return f"{self.kind}:{self.id}"


class PublicPages:
    """One row per page that is turned on."""

    declares = Declaration(tables=("public_pages",), guild_rows=("public_pages",), sealed=(ADDRESS,))

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def open_in(self, c: Connection, subject: Subject, guild_id: GuildId, now: datetime) -> str:
        """Give it a page at a new address, where an earlier one ends at once."""
        address = secrets.token_urlsafe(ADDRESS_BYTES)
        self.close_in(c, subject)
        c.execute(
            "INSERT INTO public_pages (kind, about_id, guild_id, address_hash, address_sealed, opened_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                subject.kind.value,
                subject.id,
                guild_id,
                _hashed(address),
                self._vault.seal(address, subject.bound_to, ADDRESS),
                to_seconds(now),
            ),
        )
        return address

    def close_in(self, c: Connection, subject: Subject) -> bool:
        """Take its page away. False: it had none."""
        cursor = c.execute("DELETE FROM public_pages WHERE kind = ? AND about_id = ?", (subject.kind.value, subject.id))
        return cursor.rowcount == 1

    def address_in(self, c: Connection, subject: Subject) -> str | None:
        """The address of its page; None: it has none, or the key is gone with which it was encrypted."""
        row: Row | None = c.execute(
            "SELECT address_sealed FROM public_pages WHERE kind = ? AND about_id = ?", (subject.kind.value, subject.id)
        ).fetchone()
        return None if row is None else self._vault.opened(row["address_sealed"], subject.bound_to, ADDRESS)

    async def address(self, subject: Subject) -> str | None:
        """The same."""
        return await self._database.read(lambda c: self.address_in(c, subject))

    def find_in(self, c: Connection, kind: PageKind, address: str) -> int | None:
        """The id of the club or crate that has this address; None: nothing has it any more."""
        row = c.execute(
            "SELECT about_id FROM public_pages WHERE address_hash = ? AND kind = ?", (_hashed(address), kind.value)
        ).fetchone()
        return None if row is None else row["about_id"]


def _hashed(address: str) -> bytes:
    return hashlib.sha256(address.encode("utf-8", "surrogateescape")).digest()
