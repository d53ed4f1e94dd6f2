"""Reminders that a consent ends: 14 and 3 days before, by day, once each, also when the process was down then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog

from bot.accounts.tokens import consent_ends_at
from bot.caller import MemberId
from bot.errors import StorageUnavailable
from bot.storage import Storage
from bot.storage.engine import Connection
from bot.storage.links import Link
from bot.storage.outbox import Direct, Message, State

KIND: Final = "consent renewal"
"""The kind of the timers, one per member, and of the messages.

Payload: `ends_at`, in seconds since 1970, and `member`, as text.
"""
DAYS_BEFORE = (14, 3)
FIRST_HOUR, LAST_HOUR = 10, 20
"""Reminders leave between these hours (UTC), spread evenly over the members."""
MARGIN_S = 900
"""How long before the last hour none is begun any more, so that a slow one still arrives in time."""

_log = structlog.get_logger("gatefold.renewals")


class Renewals:
    """Reminds members to renew their consent. The schedule calls `remind`."""

    def __init__(self, storage: Storage, *, now: Callable[[], datetime]) -> None:
        self._storage = storage
        self._now = now
        storage.outbox.settles(KIND, self._settled)

    def schedule_in(self, c: Connection, link: Link) -> None:
        """Set the timer of a link that is stored in this transaction; it replaces the one of the consent before."""
        self._storage.timers.put(c, KIND, str(link.member_id), _reminder_at(link, DAYS_BEFORE[0]))

    async def catch_up(self) -> None:
        """Set the timers of links that have none, such as those made before there were reminders."""
        for link in await self._storage.links.without_timer(KIND):
            if self._now() < _reminder_at(link, DAYS_BEFORE[-1]):  # later, it was sent, or nobody needs it
                await self._storage.timers.set(KIND, str(link.member_id), _reminder_at(link, DAYS_BEFORE[0]))

    async def remind(self, key: str, due_at: datetime) -> datetime | None:
        """The handler of the timers: remind the member whose id is `key`, and return when to do so again."""
        member, now = MemberId(int(key)), self._now()
        link = await self._storage.links.get(member)
        if link is None or link.broken is not None:
            return None  # they are told when they next use the bot
        if now < (first := _reminder_at(link, DAYS_BEFORE[0])):
            return first  # they renewed meanwhile, or the clock was wrong
        if not _is_day(now):
            return _next_day(now, member)  # it is late: the process was down
        last = _reminder_at(link, DAYS_BEFORE[-1])
        is_last = now >= last
        if await self._storage.links.is_reminded(member):
            days = DAYS_BEFORE[-1] if is_last else DAYS_BEFORE[0]
            await self._storage.outbox.add(self._message(link, days), now)
        return None if is_last else last

    async def is_current(self, member: MemberId, ends_at: datetime) -> bool:
        """Whether a reminder of the consent that ends then is still true and wanted."""
        link = await self._storage.links.get(member)
        if (
            link is None
            or link.broken is not None
            or int(consent_ends_at(link).timestamp()) != int(ends_at.timestamp())
        ):
            return False
        return await self._storage.links.is_reminded(member)

    def quiet_until(self, member: MemberId) -> datetime | None:
        """When this member may be written to again; None: now, because it is day."""
        now = self._now()
        return None if _is_day(now, margin_s=0) else _next_day(now, member)

    async def is_wanted(self, member: MemberId) -> bool:
        """Whether the member wants reminders; False when they are not linked."""
        return await self._storage.links.is_reminded(member)

    async def set_wanted(self, member: MemberId, is_wanted: bool) -> None:
        """Whether the member wants reminders. Linking again keeps it, unlinking forgets it."""
        await self._storage.links.set_reminded(member, is_wanted)

    async def take_untold(self, member: MemberId) -> datetime | None:
        """When the consent ends, if a reminder could not be sent as a direct message: the next answer carries it, once."""
        if not await self._storage.links.take_untold_reminder(member):
            return None
        link = await self._storage.links.get(member)
        return None if link is None else consent_ends_at(link)

    async def put_back(self, member: MemberId) -> None:
        """The answer that was to carry a reminder did not arrive: the next one carries it."""
        try:
            await self._storage.links.put_reminder_back(member)
        except StorageUnavailable as error:
            _log.warning("a reminder that was not told is lost", member=member, error=str(error))

    def _message(self, link: Link, days: int) -> Message:
        ends_at = consent_ends_at(link)
        return Message(
            KIND,
            f"{link.member_id}:{int(link.consented_at.timestamp())}:{days}",
            Direct(MemberId(link.member_id)),
            {"ends_at": int(ends_at.timestamp()), "member": str(link.member_id)},
            link.locale,
        )

    def _settled(self, c: Connection, subject: str, state: State) -> None:
        if state is State.REFUSED:
            self._storage.links.reminder_refused(c, int(subject.partition(":")[0]))


def _reminder_at(link: Link, days: int) -> datetime:
    """When the reminder is sent that is due this many days before the consent ends."""
    day = (consent_ends_at(link) - timedelta(days=days)).date()
    return datetime.combine(day, time(FIRST_HOUR), UTC) + timedelta(seconds=_offset_s(link.member_id))


def _offset_s(member_id: int) -> int:
    """How far into the day's hours this member's reminders leave, the same each time."""
    number = int.from_bytes(hashlib.sha256(f"renewal {member_id}".encode()).digest()[:4], "big")
    return number % ((LAST_HOUR - FIRST_HOUR) * 3600 - MARGIN_S)


def _is_day(now: datetime, margin_s: int = MARGIN_S) -> bool:
    midnight = datetime.combine(now.date(), time(), UTC)
    begin, end = midnight + timedelta(hours=FIRST_HOUR), midnight + timedelta(hours=LAST_HOUR, seconds=-margin_s)
    return begin <= now < end


def _next_day(now: datetime, member_id: int) -> datetime:
    """The member's time of day when it next comes, today or tomorrow."""
    at = datetime.combine(now.date(), time(FIRST_HOUR), UTC) + timedelta(seconds=_offset_s(member_id))
    return at if at > now else at + timedelta(days=1)
