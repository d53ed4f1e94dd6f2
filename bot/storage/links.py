"""Links: which Spotify account belongs to a member, with its sealed tokens."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.errors import AccountTaken, NeedsRelink
from bot.storage.database import Connection, Database
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.vault import SealedColumn, Vault

ACCESS = SealedColumn("links", "access_sealed", "access", ("member_id",))
REFRESH = SealedColumn("links", "refresh_sealed", "refresh", ("member_id",))
CLOSED = 0
"""In place of the id of a request's Undo: it cannot be undone any more."""
_SAME = "member_id = ? AND account_id = ? AND consented_at = ?"
Sealed = sqlite3.Row
"""A member's row as it is stored. Only `Links.opened` looks into it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A member's linked account, without its tokens. `broken`: why the member must link again."""

    member_id: int
    client_id: str
    account_id: str
    account_name: str
    linked_at: datetime
    consented_at: datetime
    broken: str | None


@dataclass(frozen=True, slots=True, repr=False)
class StoredTokens:
    """A link's tokens, opened. No repr: these are secrets."""

    link: Link
    access_token: str
    refresh_token: str
    expires_at: datetime


class Links:
    """One row a member."""

    declares = Declaration(
        tables=("links",),
        member_rows=(
            MemberRows(
                "links",
                exports=("member_id", "client_id", "account_id", "account_name", "linked_at", "consented_at", "broken"),
                withholds=("access_sealed", "refresh_sealed", "access_expires_at"),
            ),
        ),
        sealed=(ACCESS, REFRESH),
    )

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def get(self, member_id: int) -> Link | None:
        """The member's link."""

        def read(c: Connection) -> Link | None:
            row = _row(c, member_id)
            return None if row is None else _link(row)

        return await self._database.read(read)

    async def tokens(self, member_id: int) -> StoredTokens | None:
        """The member's link with its tokens. Unopenable when they do not open."""
        return self.opened(await self._database.read(lambda c: self.sealed_in(c, member_id)))

    def sealed_in(self, c: Connection, member_id: int) -> Sealed | None:
        """The member's row as it is stored, to be `opened`; for jobs that read other rows along."""
        return _row(c, member_id)

    def opened(self, row: Sealed | None) -> StoredTokens | None:
        """A stored row with its tokens. Unopenable when they do not open."""
        if row is None:
            return None
        # whether its tokens open is looked at anew each time
        if row["broken"] not in (None, NeedsRelink.Reason.UNREADABLE):
            return StoredTokens(_link(row), "", "", datetime.fromtimestamp(0, UTC))
        owner = row["member_id"]
        return StoredTokens(
            replace(_link(row), broken=None),  # a key that was put back opens it again
            self._vault.open(row["access_sealed"], owner, ACCESS),
            self._vault.open(row["refresh_sealed"], owner, REFRESH),
            datetime.fromtimestamp(row["access_expires_at"], UTC),
        )

    async def put(self, link: Link, access_token: str, refresh_token: str, expires_at: datetime) -> Link | None:
        """Store a new or renewed link; the link that it replaced is returned.

        The day of linking stays when the same account is linked again. AccountTaken when another member has
        this Spotify account.
        """
        access = self._vault.seal(access_token, link.member_id, ACCESS)
        refresh = self._vault.seal(refresh_token, link.member_id, REFRESH)

        def write(c: Connection) -> Link | None:
            row = _row(c, link.member_id)
            before = None if row is None else _link(row)
            linked_at = link.linked_at
            if before is not None and before.account_id == link.account_id:
                linked_at = before.linked_at
            try:
                c.execute(
                    "INSERT INTO links (member_id, client_id, account_id, account_name, access_sealed,"
                    " refresh_sealed, access_expires_at, linked_at, consented_at, broken)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)"
                    " ON CONFLICT (member_id) DO UPDATE SET client_id = excluded.client_id,"
                    " account_id = excluded.account_id, account_name = excluded.account_name,"
                    " access_sealed = excluded.access_sealed,"
                    " refresh_sealed = excluded.refresh_sealed, broken = NULL,"
                    " access_expires_at = excluded.access_expires_at,"
                    " linked_at = excluded.linked_at, consented_at = excluded.consented_at",
                    (
                        link.member_id,
                        link.client_id,
                        link.account_id,
                        link.account_name,
                        access,
                        refresh,
                        int(expires_at.timestamp()),
                        int(linked_at.timestamp()),
                        int(link.consented_at.timestamp()),
                    ),
                )
            except sqlite3.IntegrityError:
                raise AccountTaken from None
            if before is not None and before.account_id != link.account_id:
                # What was noted, and what could be undone, was about the other account's library.
                c.execute(
                    "UPDATE library_changes SET was_saved = NULL WHERE member_id = ? AND outcome IS NULL",
                    (link.member_id,),
                )
                # All of them, since one that is under way may have changed that library, too; an Undo that waits is
                # no longer wanted then.
                c.execute("UPDATE change_requests SET undone_by = ? WHERE member_id = ?", (CLOSED, link.member_id))
            return before

        return await self._database.write(write)

    async def refreshed(self, link: Link, access_token: str, refresh_token: str, expires_at: datetime) -> bool:
        """Store the tokens of a refresh; False, and nothing, when the member has linked anew or unlinked meanwhile."""
        access = self._vault.seal(access_token, link.member_id, ACCESS)
        refresh = self._vault.seal(refresh_token, link.member_id, REFRESH)
        values = (access, refresh, int(expires_at.timestamp()), *_same(link))
        return await self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE links SET access_sealed = ?, refresh_sealed = ?, access_expires_at = ?, broken = NULL"  # noqa: S608 - `_SAME` stands above
                    f" WHERE {_SAME}",
                    values,
                ).rowcount
                == 1
            )
        )

    async def refused(self, link: Link, why: str) -> bool:
        """Stop using this link, whose refresh was refused; False when another one took its place meanwhile.

        The row stays, since Spotify has refused falsely in an outage.
        """
        values = (why, *_same(link))
        return await self._database.write(
            lambda c: c.execute(f"UPDATE links SET broken = ? WHERE {_SAME}", values).rowcount == 1  # noqa: S608 - the same
        )

    async def mark_broken(self, member_id: int, why: str) -> None:
        """Stop using the member's link."""
        await self._database.write(
            lambda c: c.execute("UPDATE links SET broken = ? WHERE member_id = ?", (why, member_id))
        )


def _row(c: Connection, member_id: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = c.execute("SELECT * FROM links WHERE member_id = ?", (member_id,)).fetchone()
    return row


def _same(link: Link) -> tuple[int, str, int]:
    return link.member_id, link.account_id, int(link.consented_at.timestamp())


def _link(row: sqlite3.Row) -> Link:
    return Link(
        row["member_id"],
        row["client_id"],
        row["account_id"],
        row["account_name"],
        datetime.fromtimestamp(row["linked_at"], UTC),
        datetime.fromtimestamp(row["consented_at"], UTC),
        row["broken"],
    )
