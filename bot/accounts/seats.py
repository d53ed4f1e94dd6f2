"""Seats of the host's app: who sits, how a member asks for one, how a host gives it or frees it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from bot.accounts.apps import Apps
from bot.accounts.renewals import KIND as RENEWAL
from bot.accounts.tokens import Tokens, consent_ends_at
from bot.caller import Caller, MemberId
from bot.errors import NoHostApp, NotAnAddress
from bot.storage import Storage
from bot.storage.engine import Connection
from bot.storage.outbox import Direct, Message, Outbox
from bot.storage.seats import REQUEST_LIFE, Given, SeatRequest

ASKED: Final = "seat request"
"""Kind of the messages to the hosts. Payload: `member_id` alone; their drawer reads name and address with `request`.

When the request ends, the same messages are edited, with `closed` in the payload: a `Closed`.
"""
GIVEN: Final = "seat given"
"""Kind of the message to the member who got a seat. No payload."""
FREED: Final = "seat freed"
"""Kind of the message to the member whose seat was freed. Payload: `was_held`, whether they had not linked yet."""
EXPIRY: Final = "seat request expiry"
"""Kind of the timers that delete requests, one per member."""
NAME_MAX, EMAIL_MAX = 80, 254
ASK_AGAIN = timedelta(hours=1)
"""A request whose address was mistyped can be sent again after this."""
_EMAIL = re.compile(r"[^@\s<>\"(),:;\[\]\\]{1,64}@[^@\s.]{1,63}(?:\.[^@\s.]{1,63})+")


class Closed(StrEnum):
    """How a request ended, and with it the name and the address in the messages to the hosts."""

    GIVEN = "given"
    REPLACED = "replaced"  # the member asked again
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the member had everything about them deleted


def close_messages_in(c: Connection, outbox: Outbox, member: MemberId, how: Closed, now: datetime) -> None:
    """Take the member's name and address out of the messages to the hosts, in the caller's transaction.

    WITHDRAWN: whatever names the member, too.
    """
    if how is Closed.WITHDRAWN:
        outbox.withdraw_direct_in(c, ASKED, f"{member}:", {"closed": how.value}, now)
        return
    outbox.edit_direct_in(c, ASKED, f"{member}:", {"member_id": str(member), "closed": how.value}, now)


class Seat(Struct, frozen=True):
    """A seat that is taken. `since`: when its member linked; `consent_ends_at`: when they must renew."""

    member_id: MemberId
    since: datetime
    consent_ends_at: datetime
    is_broken: bool


class HeldSeat(Struct, frozen=True):
    """A seat that was given to a member who has not linked yet; from `until` on it is free again."""

    member_id: MemberId
    since: datetime
    until: datetime


class Seats(Struct, frozen=True):
    """All seats. `total` 0: there is no limit. `asked`: who waits for an answer, and since when."""

    total: int
    taken: tuple[Seat | HeldSeat, ...]
    asked: tuple[tuple[MemberId, datetime], ...] = ()


class SeatKeeper:
    """What members and hosts do about seats."""

    def __init__(
        self,
        storage: Storage,
        apps: Apps,
        tokens: Tokens,
        total: int,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`total`: how many members the host's app serves; 0: any number."""
        self._storage = storage
        self._apps = apps
        self._tokens = tokens
        self._total = total
        self._now = now

    async def seats(self) -> Seats:
        """Who sits, then those for whom a seat is held. NoHostApp."""
        links = await self._storage.links.sitting(self._client_id)
        held = await self._storage.seats.held(self._now())
        sitting = {link.member_id for link in links}
        taken: list[Seat | HeldSeat] = [
            Seat(MemberId(link.member_id), link.linked_at, consent_ends_at(link), link.broken is not None)
            for link in links
        ]
        taken += [HeldSeat(id_, at, at + REQUEST_LIFE) for id_, at in held if id_ not in sitting]
        return Seats(self._total, tuple(taken), tuple(await self._storage.seats.open()))

    async def free(self, member: MemberId) -> bool:
        """Free a member's seat, or one that is held for them: they are told, and what they have pending stays.

        False when they have none.
        """
        link, request = await self._storage.links.get(member), await self._storage.seats.get(member)
        now = self._now()

        def tell(c: Connection, locale: str | None, *, was_held: bool) -> None:
            subject = f"{member}:{int(now.timestamp())}"
            message = Message(FREED, subject, Direct(member), {"was_held": was_held}, locale)
            self._storage.outbox.put(c, message, now)

        def freed(c: Connection) -> None:
            self._storage.timers.remove(c, RENEWAL, str(member))
            tell(c, None if link is None else link.locale, was_held=False)

        def released(c: Connection) -> None:
            self._storage.timers.remove(c, EXPIRY, str(member))
            tell(c, None if request is None else request.locale, was_held=True)

        if await self._storage.links.free_seat(member, self._client_id, freed):
            self._tokens.forget(member)
            return True
        return await self._storage.seats.release(member, released)

    async def ask(self, caller: Caller, name: str, email: str, hosts: Iterable[MemberId]) -> None:
        """Ask every host for a seat, with the name and the e-mail address that Spotify's list wants.

        NotAnAddress, NoHostApp. Both are sealed, and deleted when the seat is given, or after 14 days.
        """
        _ = self._client_id
        name, email = " ".join(name.split())[:NAME_MAX], email.strip()
        if not name or len(email) > EMAIL_MAX or not _EMAIL.fullmatch(email):
            raise NotAnAddress
        now, member = self._now(), caller.member_id
        # a host who never linked reads the language of the server
        locales = {host: await self._storage.links.locale_of(host) or caller.guild_locale for host in hosts}

        def also(c: Connection) -> None:
            self._storage.timers.put(c, EXPIRY, str(member), now + REQUEST_LIFE)
            close_messages_in(c, self._storage.outbox, member, Closed.REPLACED, now)
            for host, locale in locales.items():
                self._storage.outbox.put(c, _asked(member, host, locale), now)

        await self._storage.seats.ask(caller, name, email, now, also)

    async def send_again(self, member: MemberId, host: Caller) -> None:
        """Send an open request to a host once more, who accepted no direct messages before, for example."""
        request = await self._storage.seats.get(member)
        if request is not None and request.email is not None:
            await self._storage.outbox.add(_asked(member, host.member_id, host.locale), self._now())

    async def can_ask(self, member: MemberId) -> datetime | None:
        """When the member may ask again; None: now. Each request is a message to every host."""
        request = await self._storage.seats.get(member)
        if request is None or request.email is None or request.asked_at + ASK_AGAIN <= self._now():
            return None
        return request.asked_at + ASK_AGAIN

    async def request(self, member: MemberId) -> SeatRequest | None:
        """A member's request; name and address only until the seat is given."""
        return await self._storage.seats.get(member)

    async def give(self, member: MemberId) -> Given:
        """A host has put the member on Spotify's list: hold a seat, tell the member, forget name and address.

        Of several hosts the first does it. NO_SEAT while none is free; the request stays then.
        """
        request = await self._storage.seats.get(member)
        now = self._now()

        def also(c: Connection) -> None:
            self._storage.timers.put(c, EXPIRY, str(member), now + REQUEST_LIFE)
            locale = None if request is None else request.locale
            subject = f"{member}:{int(now.timestamp())}"
            self._storage.outbox.put(c, Message(GIVEN, subject, Direct(member), locale=locale), now)
            close_messages_in(c, self._storage.outbox, member, Closed.GIVEN, now)

        return await self._storage.seats.give(member, self._client_id, self._total, now, also)

    async def expire(self, key: str, due_at: datetime) -> datetime | None:
        """The handler of the timers: delete the request of the member whose id is `key`, once it is 14 days old."""
        now, member = self._now(), MemberId(int(key))
        outbox = self._storage.outbox
        return await self._storage.seats.expire(
            member, now, lambda c: close_messages_in(c, outbox, member, Closed.EXPIRED, now)
        )

    @property
    def _client_id(self) -> str:
        if self._apps.host is None:
            raise NoHostApp
        return self._apps.host.client_id


def _asked(member: MemberId, host: MemberId, locale: str | None) -> Message:
    """The message to a host that a member asks for a seat."""
    subject = f"{member}:{secrets.token_hex(8)}:{host}"
    return Message(ASKED, subject, Direct(host), {"member_id": str(member)}, locale)
