"""Links: which Spotify account belongs to a member, with its sealed tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bot.errors import AccountTaken, AppTaken, NeedsRelink, NoSeatFree, StorageUnavailable
from bot.private import Private
from bot.storage.apps import forget_other_apps
from bot.storage.attempts import forget_other_attempts
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.seats import REQUEST_LIFE, SEAT_FREED, Also, is_seat_free
from bot.storage.vault import SealedColumn, Vault

ACCESS = SealedColumn("links", "access_sealed", "access", ("member_id",))
REFRESH = SealedColumn("links", "refresh_sealed", "refresh", ("member_id",))
CLOSED = 0
"""In place of the id of a request's Undo: it cannot be undone any more."""
_SAME = (
    "member_id = ? AND client_id = ? AND account_id = ? AND consented_at = ?"
    f" AND broken IS DISTINCT FROM '{SEAT_FREED}'"
)


class Link(Struct, frozen=True):
    """A member's linked account, without its tokens. `broken`: why the member must link again.

    `client_id`: the Spotify app through which it is linked; `is_own_app`: it is the member's own. `locale`: the
    member's when they linked; later messages about the link are written in it.
    """

    member_id: int
    client_id: str
    account_id: str
    account_name: str
    linked_at: datetime
    consented_at: datetime
    broken: str | None
    is_own_app: bool = False
    locale: str | None = None


class StoredTokens(Private, frozen=True):
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
                exports=(
                    "member_id",
                    "client_id",
                    "is_own_app",
                    "account_id",
                    "account_name",
                    "linked_at",
                    "consented_at",
                    "broken",
                    "locale",
                    "is_reminded",
                ),
                withholds=("access_sealed", "refresh_sealed", "access_expires_at", "is_reminder_untold"),
            ),
        ),
        sealed=(ACCESS, REFRESH),
    )

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        # Members who may have a reminder to be told: every answer asks, and nearly always nobody has one.
        self._untold: set[int] = set()
        self._knows_untold = False

    async def get(self, member_id: int) -> Link | None:
        """The member's link."""

        def read(c: Connection) -> Link | None:
            row = link_row(c, member_id)
            return None if row is None else _link(row)

        return await self._database.read(read)

    async def tokens(self, member_id: int) -> StoredTokens | None:
        """The member's link with its tokens. Unopenable when they do not open."""
        row = await self._database.read(lambda c: link_row(c, member_id))
        return None if row is None else self.opened(row)

    def opened(self, row: Row) -> StoredTokens:
        """The same of a row that was read just now."""
        # whether its tokens open is looked at anew each time
        if row["broken"] not in (None, NeedsRelink.Reason.UNREADABLE):
            return StoredTokens(_link(row), "", "", to_moment(0))
        owner = row["member_id"]
        link = _link(row)
        if link.broken is not None:
            link = replace(link, broken=None)  # a key that was put back opens it again
        return StoredTokens(
            link,
            self._vault.open(row["access_sealed"], owner, ACCESS),
            self._vault.open(row["refresh_sealed"], owner, REFRESH),
            to_moment(row["access_expires_at"]),
        )

    async def put(
        self,
        link: Link,
        access_token: str,
        refresh_token: str,
        expires_at: datetime,
        *,
        seats: int = 0,
        also: Callable[[Connection, Link | None], None] | None = None,
    ) -> Link | None:
        """Store a new or renewed link; the link that it replaced is returned.

        The day of linking stays when the same account is linked again. `seats`: how many members the host's app
        serves, 0: any number. `also`: what is stored in the same transaction; it is given the link that was replaced.
        AccountTaken when another member has this Spotify account, AppTaken when another one has this app of their own,
        NoSeatFree.
        """
        access = self._vault.seal(access_token, link.member_id, ACCESS)
        refresh = self._vault.seal(refresh_token, link.member_id, REFRESH)

        oldest = to_seconds(link.consented_at - REQUEST_LIFE)

        def write(c: Connection) -> Link | None:
            if link.is_own_app and _others_with(c, link):
                raise AppTaken
            if not link.is_own_app and not is_seat_free(c, link.client_id, seats, link.member_id, oldest):
                raise NoSeatFree
            if _has_account(c, link.account_id, link.member_id):
                raise AccountTaken
            row = link_row(c, link.member_id)
            before = None if row is None else _link(row)
            linked_at = link.linked_at
            if before is not None and before.account_id == link.account_id:
                linked_at = before.linked_at
            c.execute(
                "INSERT INTO links (member_id, client_id, account_id, account_name, access_sealed,"
                " refresh_sealed, access_expires_at, linked_at, consented_at, is_own_app, locale, broken)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)"
                " ON CONFLICT (member_id) DO UPDATE SET client_id = excluded.client_id,"
                " account_id = excluded.account_id, account_name = excluded.account_name,"
                " access_sealed = excluded.access_sealed,"
                " refresh_sealed = excluded.refresh_sealed, broken = NULL,"
                " access_expires_at = excluded.access_expires_at,"
                " linked_at = excluded.linked_at, consented_at = excluded.consented_at,"
                " is_own_app = excluded.is_own_app, locale = excluded.locale, is_reminder_untold = 0",
                (
                    link.member_id,
                    link.client_id,
                    link.account_id,
                    link.account_name,
                    access,
                    refresh,
                    to_seconds(expires_at),
                    to_seconds(linked_at),
                    to_seconds(link.consented_at),
                    int(link.is_own_app),
                    link.locale,
                ),
            )
            if before is not None and before.account_id != link.account_id:
                # What was noted, and what could be undone, was about the other account's library.
                c.execute(
                    "UPDATE library_changes SET was_saved = NULL WHERE member_id = ? AND outcome IS NULL",
                    (link.member_id,),
                )
                # All of them, since one that is under way may have changed that library, too; an Undo that waits is
                # no longer wanted then.
                c.execute("UPDATE change_requests SET undone_by = ? WHERE member_id = ?", (CLOSED, link.member_id))
            # An app that is no longer used leaves nothing behind, nor does the request for a seat.
            forget_other_apps(c, link.member_id, link.client_id)
            forget_other_attempts(c, link.member_id, link.client_id)
            c.execute("DELETE FROM seat_requests WHERE member_id = ?", (link.member_id,))
            if also is not None:
                also(c, before)
            return before

        # one at a time: two members may link one account, or take the last seat, at once
        return await self._database.write(write, key="links")

    async def refreshed(self, link: Link, access_token: str, refresh_token: str, expires_at: datetime) -> bool:
        """Store the tokens of a refresh; False, and nothing, when the member has linked anew or unlinked meanwhile."""
        access = self._vault.seal(access_token, link.member_id, ACCESS)
        refresh = self._vault.seal(refresh_token, link.member_id, REFRESH)
        values = (access, refresh, to_seconds(expires_at), *_same(link))
        return await self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE links SET access_sealed = ?, refresh_sealed = ?, access_expires_at = ?, broken = NULL"  # noqa: S608 - `_SAME` is a constant
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

    async def locale_of(self, member_id: int) -> str | None:
        """The locale in which a member linked; None when they have not, or when it cannot be read now."""
        query = "SELECT locale FROM links WHERE member_id = ?"
        with suppress(StorageUnavailable):
            row = await self._database.read(lambda c: c.execute(query, (member_id,)).fetchone())
            return None if row is None else row["locale"]
        return None

    async def is_app_taken(self, client_id: str, member_id: int) -> bool:
        """Whether another member is linked through this app."""
        query = "SELECT 1 FROM links WHERE client_id = ? AND member_id <> ?"
        row = await self._database.read(lambda c: c.execute(query, (client_id, member_id)).fetchone())
        return row is not None

    async def sitting(self, client_id: str) -> list[Link]:
        """The links that take a seat of this app, the longest linked first."""
        query = "SELECT * FROM links WHERE client_id = ? AND broken IS DISTINCT FROM ? ORDER BY linked_at, member_id"
        rows = await self._database.read(lambda c: c.execute(query, (client_id, SEAT_FREED)).fetchall())
        return [_link(row) for row in rows]

    async def free_seat(self, member_id: int, client_id: str, also: Also) -> bool:
        """Take a member's seat away: the link stops working and its tokens go. False when they do not sit."""
        access, refresh = self._vault.seal("", member_id, ACCESS), self._vault.seal("", member_id, REFRESH)

        def write(c: Connection) -> bool:
            cursor = c.execute(
                "UPDATE links SET broken = ?, access_sealed = ?, refresh_sealed = ?, access_expires_at = 0"
                " WHERE member_id = ? AND client_id = ? AND broken IS DISTINCT FROM ?",
                (SEAT_FREED, access, refresh, member_id, client_id, SEAT_FREED),
            )
            if cursor.rowcount:
                also(c)
            return cursor.rowcount == 1

        is_freed = await self._database.write(write, key="links")
        if is_freed:
            await self._database.truncate_log()
        return is_freed

    # -- reminders that a consent ends

    async def without_timer(self, kind: str) -> list[Link]:
        """The links of members who have no timer of this kind."""
        query = "SELECT * FROM links WHERE CAST(member_id AS TEXT) NOT IN (SELECT key FROM timers WHERE kind = ?)"
        rows = await self._database.read(lambda c: c.execute(query, (kind,)).fetchall())
        return [_link(row) for row in rows]

    async def is_reminded(self, member_id: int) -> bool:
        """Whether the member wants reminders."""
        query = "SELECT 1 FROM links WHERE member_id = ? AND is_reminded = 1"
        return await self._database.read(lambda c: c.execute(query, (member_id,)).fetchone()) is not None

    async def set_reminded(self, member_id: int, is_reminded: bool) -> None:
        """Whether the member wants reminders."""
        values = (int(is_reminded), member_id)
        await self._database.write(
            lambda c: c.execute("UPDATE links SET is_reminded = ?, is_reminder_untold = 0 WHERE member_id = ?", values)
        )

    def reminder_refused(self, c: Connection, member_id: int) -> None:
        """A reminder did not arrive, since the member accepts no direct messages: the next answer carries it."""
        c.execute("UPDATE links SET is_reminder_untold = 1 WHERE member_id = ? AND is_reminded = 1", (member_id,))
        self._untold.add(member_id)

    async def put_reminder_back(self, member_id: int) -> None:
        """The same, of a reminder that `take_untold_reminder` gave."""
        await self._database.write(lambda c: self.reminder_refused(c, member_id))

    async def take_untold_reminder(self, member_id: int) -> bool:
        """Whether an answer must carry a reminder; asked once, it carries it."""
        if not self._knows_untold:
            query = "SELECT member_id FROM links WHERE is_reminder_untold = 1"
            rows = await self._database.read(lambda c: c.execute(query).fetchall())
            self._untold.update(row["member_id"] for row in rows)
            self._knows_untold = True
        if member_id not in self._untold:
            return False
        self._untold.discard(member_id)  # before the write: what is refused after it counts
        try:
            return await self._database.write(
                lambda c: (
                    c.execute(
                        "UPDATE links SET is_reminder_untold = 0 WHERE member_id = ? AND is_reminder_untold = 1",
                        (member_id,),
                    ).rowcount
                    == 1
                )
            )
        except StorageUnavailable:
            self._untold.add(member_id)
            raise


def _others_with(c: Connection, link: Link) -> bool:
    query = "SELECT 1 FROM links WHERE client_id = ? AND member_id <> ?"
    return c.execute(query, (link.client_id, link.member_id)).fetchone() is not None


def link_row(c: Connection, member_id: int) -> Row | None:
    """A member's row, its tokens sealed: see `Links.opened`."""
    row: Row | None = c.execute("SELECT * FROM links WHERE member_id = ?", (member_id,)).fetchone()
    return row


def _same(link: Link) -> tuple[int, str, str, int]:
    return link.member_id, link.client_id, link.account_id, to_seconds(link.consented_at)


def _has_account(c: Connection, account_id: str, but: int) -> bool:
    """Whether another member than `but` has linked this Spotify account."""
    query = "SELECT 1 FROM links WHERE account_id = ? AND member_id <> ?"
    return c.execute(query, (account_id, but)).fetchone() is not None


def _link(row: Row) -> Link:
    return Link(
        row["member_id"],
        row["client_id"],
        row["account_id"],
        row["account_name"],
        to_moment(row["linked_at"]),
        to_moment(row["consented_at"]),
        row["broken"],
        bool(row["is_own_app"]),
        row["locale"],
    )
