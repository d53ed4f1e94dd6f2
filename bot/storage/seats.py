"""Seats of the host's app: who sits, who asked for one, and what Spotify's list wants to know about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from bot.caller import Caller, MemberId
from bot.private import Private
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.vault import SealedColumn, Vault

NAME = SealedColumn("seat_requests", "name_sealed", "name", ("member_id",))
EMAIL = SealedColumn("seat_requests", "email_sealed", "email", ("member_id",))
REQUEST_LIFE = timedelta(days=14)
"""How long a request for a seat is kept, and a seat that was given is held for a member who has not linked yet."""
SEAT_FREED = "seat freed"
"""Why a link is broken whose seat the host freed."""

Also = Callable[[Connection], None]
"""What is stored in the same transaction."""


class SeatRequest(Private, frozen=True):
    """A member who asked for a seat. No repr: name and e-mail address are for the host alone.

    `name`, `email`: None once the seat was given. `given_at`: from then on, it is held for this member.
    """

    member_id: MemberId
    name: str | None
    email: str | None
    locale: str | None
    asked_at: datetime
    given_at: datetime | None


class Given(StrEnum):
    """What came of giving a seat."""

    GIVEN = "given"
    NO_SEAT = "no seat"
    ALREADY = "already"  # another host gave it before, or the request is gone


def is_seat_free(c: Connection, client_id: str, seats: int, member_id: int, oldest: int) -> bool:
    """Whether this member may sit: they do, or one is held for them, or one is free. `seats` 0: there is no limit.

    `oldest`: seats that were given before this second are no longer held.
    """
    if seats == 0:
        return True
    taken = c.execute(
        "SELECT member_id FROM links WHERE client_id = ? AND broken IS DISTINCT FROM ?"
        " UNION SELECT member_id FROM seat_requests WHERE given_at > ?",
        (client_id, SEAT_FREED, oldest),
    ).fetchall()
    return len(taken) < seats or any(row["member_id"] == member_id for row in taken)


class SeatRequests:
    """One row per member who asked for a seat."""

    declares = Declaration(
        tables=("seat_requests",),
        member_rows=(
            MemberRows(
                "seat_requests",
                exports=("member_id", "locale", "asked_at", "given_at"),
                opens=(NAME, EMAIL),
            ),
        ),
        sealed=(NAME, EMAIL),
        # they are deleted after 14 days at the latest, out of backups, too
        omits=("seat_requests.name_sealed", "seat_requests.email_sealed"),
    )

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def is_free(self, client_id: str, seats: int, member_id: int, now: datetime) -> bool:
        """Whether this member may sit in a seat of the app with this client id."""
        oldest = to_seconds(now - REQUEST_LIFE)
        return await self._database.read(lambda c: is_seat_free(c, client_id, seats, member_id, oldest))

    async def ask(self, caller: Caller, name: str, email: str, now: datetime, also: Also) -> None:
        """Store a request for a seat; one that the member made before is replaced."""
        member_id = caller.member_id
        sealed = (self._vault.seal(name, member_id, NAME), self._vault.seal(email, member_id, EMAIL))

        def write(c: Connection) -> None:
            c.execute(
                "INSERT INTO seat_requests (member_id, name_sealed, email_sealed, locale, asked_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (member_id) DO UPDATE SET name_sealed = excluded.name_sealed,"
                " email_sealed = excluded.email_sealed, locale = excluded.locale, asked_at = excluded.asked_at,"
                " given_at = NULL",
                (member_id, *sealed, caller.locale, to_seconds(now)),
            )
            also(c)

        await self._database.write(write)

    async def get(self, member_id: int) -> SeatRequest | None:
        """The member's request."""
        query = "SELECT * FROM seat_requests WHERE member_id = ?"
        row = await self._database.read(lambda c: c.execute(query, (member_id,)).fetchone())
        return None if row is None else self._request(row)

    async def held(self, now: datetime) -> list[tuple[MemberId, datetime]]:
        """For whom a seat is held, and when it was given; the earliest first."""
        query = "SELECT member_id, given_at FROM seat_requests WHERE given_at > ? ORDER BY given_at, member_id"
        oldest = to_seconds(now - REQUEST_LIFE)
        rows = await self._database.read(lambda c: c.execute(query, (oldest,)).fetchall())
        return [(MemberId(row["member_id"]), to_moment(row["given_at"])) for row in rows]

    async def open(self) -> list[tuple[MemberId, datetime]]:
        """Whose request no host has answered yet, and when they asked; the earliest first."""
        query = (
            "SELECT member_id, asked_at FROM seat_requests WHERE given_at IS NULL AND email_sealed IS NOT NULL"
            " ORDER BY asked_at, member_id"
        )
        rows = await self._database.read(lambda c: c.execute(query).fetchall())
        return [(MemberId(row["member_id"]), to_moment(row["asked_at"])) for row in rows]

    async def release(self, member_id: int, also: Also) -> bool:
        """Hold no seat for this member any more; False when none was held."""

        def write(c: Connection) -> bool:
            query = "DELETE FROM seat_requests WHERE member_id = ? AND given_at IS NOT NULL"
            is_released = c.execute(query, (member_id,)).rowcount == 1
            if is_released:
                also(c)
            return is_released

        return await self._database.write(write, key="links")

    async def give(self, member_id: int, client_id: str, seats: int, now: datetime, also: Also) -> Given:
        """Hold a seat for the member who asked, and forget their name and address. Of several hosts, the first does."""
        oldest = to_seconds(now - REQUEST_LIFE)

        def write(c: Connection) -> Given:
            query = "SELECT 1 FROM seat_requests WHERE member_id = ? AND given_at IS NULL AND email_sealed IS NOT NULL"
            if c.execute(query, (member_id,)).fetchone() is None:
                return Given.ALREADY
            if not is_seat_free(c, client_id, seats, member_id, oldest):
                return Given.NO_SEAT
            c.execute(
                "UPDATE seat_requests SET name_sealed = NULL, email_sealed = NULL, given_at = ? WHERE member_id = ?",
                (to_seconds(now), member_id),
            )
            also(c)
            return Given.GIVEN

        given = await self._database.write(write, key="links")
        if given is Given.GIVEN:
            await self._database.truncate_log()
        return given

    async def expire(self, member_id: int, now: datetime, also: Also) -> datetime | None:
        """Delete the member's request if it is too old; when it will be, if it is not yet. `also`: with the deletion."""
        oldest = to_seconds(now - REQUEST_LIFE)

        def write(c: Connection) -> int | None:
            query = "SELECT COALESCE(given_at, asked_at) AS since FROM seat_requests WHERE member_id = ?"
            row = c.execute(query, (member_id,)).fetchone()
            if row is None or row["since"] > oldest:
                return None if row is None else int(row["since"])
            c.execute("DELETE FROM seat_requests WHERE member_id = ?", (member_id,))
            also(c)
            return None

        since = await self._database.write(write, key=member_id)
        if since is None:
            await self._database.truncate_log()
            return None
        return to_moment(since) + REQUEST_LIFE

    def _request(self, row: Row) -> SeatRequest:
        def opened(column: SealedColumn) -> str | None:
            blob = row[column.column]
            return None if blob is None else self._vault.opened(blob, row["member_id"], column)

        given_at = row["given_at"]
        return SeatRequest(
            MemberId(row["member_id"]),
            opened(NAME),
            opened(EMAIL),
            row["locale"],
            to_moment(row["asked_at"]),
            None if given_at is None else to_moment(given_at),
        )
