"""Reminders to renew: 14 and 3 days before, by day, once each, also after a long downtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.renewals import KIND, Renewals
from bot.accounts.tokens import consent_ends_at
from bot.caller import MemberId
from bot.spotify.oauth import CONSENT_DAYS
from bot.storage import Storage, open_storage
from bot.storage.links import Link
from bot.storage.outbox import State

ADA = MemberId(200_000_000_000_000_001)
LINKED_AT = datetime(2026, 6, 1, 3, 30, tzinfo=UTC)
ENDS_AT = LINKED_AT + timedelta(days=CONSENT_DAYS)
DAY = timedelta(days=1)


@dataclass
class Stage:
    """Reminders with the real storage, a clock, and a schedule that runs what is due."""

    storage: Storage
    now: datetime = LINKED_AT

    def __post_init__(self) -> None:
        self.renewals = Renewals(self.storage, now=lambda: self.now)

    async def link(self, member: MemberId = ADA, at: datetime = LINKED_AT, **change: Any) -> None:
        """Link a member, or renew their link."""
        values = {"account_id": f"acc-{member}", "broken": None, "locale": "de", **change}
        new = Link(member, "client", account_name="Ada", linked_at=at, consented_at=at, **values)
        await self.storage.links.put(
            new, "BQ", "AQ", at + timedelta(hours=1), also=lambda c, _: self.renewals.schedule_in(c, new)
        )

    async def run_until(self, until: datetime, step: timedelta = timedelta(minutes=30)) -> None:
        """Let time pass, and run the timers that become due."""
        while self.now < until:
            self.now = min(self.now + step, until)
            for timer in await self.storage.timers.claim(self.now, {KIND: 1000}):
                next_at = await self.renewals.remind(timer.key, timer.due_at)
                await self.storage.timers.finish(timer, next_at)

    async def sent(self, member: MemberId = ADA) -> list[dict[str, Any]]:
        """The reminders of a member, the oldest first."""
        return await self.storage.database.read(
            lambda c: [
                dict(row)
                for row in c.execute(
                    "SELECT * FROM outbox WHERE kind = ? AND member_id = ? ORDER BY id", (KIND, member)
                )
            ]
        )

    async def days_before(self, member: MemberId = ADA) -> list[int]:
        """How many days before the end the reminders were stored."""
        return [(ENDS_AT.date() - moment(row).date()).days for row in await self.sent(member)]


def moment(row: dict[str, Any]) -> datetime:
    """When a message was stored."""
    return datetime.fromtimestamp(row["created_at"], UTC)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    yield Stage(storage)
    await storage.close()


async def test_a_member_is_reminded_14_and_3_days_before_and_never_again(stage: Stage) -> None:
    await stage.link()
    await stage.run_until(ENDS_AT + 30 * DAY)
    assert await stage.days_before() == [14, 3]
    first, last = await stage.sent()
    assert [row["subject"].rpartition(":")[2] for row in (first, last)] == ["14", "3"]
    assert {row["way"] for row in (first, last)} == {"direct"}
    assert {row["locale"] for row in (first, last)} == {"de"}
    assert str(int(ENDS_AT.timestamp())) in first["payload"]


async def test_reminders_of_many_members_leave_by_day_and_are_spread(stage: Stage) -> None:
    members = [MemberId(ADA + number) for number in range(60)]
    for number, member in enumerate(members):
        await stage.link(member, LINKED_AT + timedelta(hours=number))
    await stage.run_until(ENDS_AT + 5 * DAY, timedelta(minutes=7))
    at = [moment(row) for member in members for row in await stage.sent(member)]
    assert len(at) == 120
    assert all(10 <= when.hour < 20 for when in at)
    assert {when.hour for when in at} == set(range(10, 20))


async def test_each_member_has_a_time_of_day_of_their_own_that_leaves_the_last_quarter_of_an_hour_free(
    stage: Stage,
) -> None:
    times = []
    for number in range(300):
        member = MemberId(ADA + number)
        await stage.link(member)
        first = await stage.renewals.remind(str(member), stage.now)
        assert first is not None
        assert first.date() == (ENDS_AT - 14 * DAY).date()
        stage.now = first
        assert await stage.renewals.remind(str(member), first) == first + 11 * DAY
        stage.now = LINKED_AT
        times.append(first - first.replace(hour=0, minute=0, second=0))
    assert min(times) >= timedelta(hours=10)
    assert timedelta(hours=19, minutes=30) < max(times) < timedelta(hours=19, minutes=45)
    assert len(set(times)) > 290


async def test_the_second_reminder_is_the_last_from_its_very_second_on(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=12) - 13 * DAY
    last = await stage.renewals.remind(str(ADA), stage.now)
    assert last is not None
    stage.now = last
    assert await stage.renewals.remind(str(ADA), last) is None
    first, second = await stage.sent()
    assert first["subject"] != second["subject"]


async def test_members_may_be_written_to_by_day_and_else_at_their_own_time(stage: Stage) -> None:
    await stage.link()
    own = await stage.renewals.remind(str(ADA), stage.now)
    assert own is not None

    def quiet_until(hour: int, minute: int = 0) -> datetime | None:
        stage.now = LINKED_AT.replace(hour=hour, minute=minute)
        return stage.renewals.quiet_until(ADA)

    assert [quiet_until(hour) for hour in range(10, 20)] == [None] * 10
    assert quiet_until(19, 59) is None
    today = own.replace(year=LINKED_AT.year, month=LINKED_AT.month, day=LINKED_AT.day)
    assert {quiet_until(0), quiet_until(9, 59)} == {today}
    assert {quiet_until(20), quiet_until(23, 59)} == {today + DAY}


async def test_after_a_long_downtime_one_message_is_sent_and_by_day(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=23) - 2 * DAY  # both reminders are overdue, and it is night
    await stage.run_until(ENDS_AT + 30 * DAY)
    [only] = await stage.sent()
    assert 10 <= moment(only).hour < 20
    assert moment(only) < ENDS_AT


async def test_a_downtime_around_the_first_reminder_leaves_both(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=21) - 10 * DAY
    await stage.run_until(ENDS_AT + DAY)
    assert await stage.days_before() == [9, 3]


async def test_a_handler_that_runs_twice_tells_once(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=12) - 13 * DAY
    for _ in range(3):
        await stage.renewals.remind(str(ADA), stage.now)
    assert len(await stage.sent()) == 1


async def test_whoever_renewed_is_reminded_of_the_new_consent_alone(stage: Stage) -> None:
    await stage.link()
    await stage.run_until(ENDS_AT - 20 * DAY)
    renewed_at = stage.now
    await stage.link(at=renewed_at)
    await stage.run_until(ENDS_AT + 30 * DAY)
    assert await stage.sent() == []
    await stage.run_until(renewed_at + timedelta(days=CONSENT_DAYS + 1), timedelta(hours=2))
    assert len(await stage.sent()) == 2


async def test_whoever_unlinked_is_not_reminded(stage: Stage) -> None:
    await stage.link()
    await stage.storage.forget(ADA)
    await stage.run_until(ENDS_AT, timedelta(hours=6))
    assert await stage.sent() == []
    assert await stage.renewals.remind(str(ADA), stage.now) is None


async def test_whose_link_is_broken_is_not_reminded(stage: Stage) -> None:
    await stage.link()
    await stage.storage.links.mark_broken(ADA, "revoked")
    await stage.run_until(ENDS_AT, timedelta(hours=6))
    assert await stage.sent() == []


async def test_a_reminder_is_true_while_its_consent_lasts_and_the_member_wants_it(stage: Stage) -> None:
    assert not await stage.renewals.is_current(ADA, ENDS_AT)
    await stage.link()
    assert await stage.renewals.is_current(ADA, ENDS_AT)
    assert not await stage.renewals.is_current(ADA, ENDS_AT + DAY)
    await stage.renewals.set_wanted(ADA, False)
    assert not await stage.renewals.is_current(ADA, ENDS_AT)
    await stage.renewals.set_wanted(ADA, True)
    await stage.storage.links.mark_broken(ADA, "revoked")
    assert not await stage.renewals.is_current(ADA, ENDS_AT)
    await stage.storage.forget(ADA)
    assert not await stage.renewals.is_current(ADA, ENDS_AT)


async def test_whoever_opted_out_is_not_reminded_also_after_linking_again(stage: Stage) -> None:
    await stage.link()
    assert await stage.renewals.is_wanted(ADA)
    await stage.renewals.set_wanted(ADA, False)
    await stage.link()
    await stage.run_until(ENDS_AT - 5 * DAY, timedelta(hours=2))
    assert await stage.sent() == []
    await stage.renewals.set_wanted(ADA, True)
    await stage.run_until(ENDS_AT, timedelta(hours=2))
    assert await stage.days_before() == [3]


async def test_links_from_before_there_were_reminders_get_their_timers(stage: Stage) -> None:
    await stage.link()
    await stage.storage.timers.cancel(KIND, str(ADA))
    await stage.renewals.catch_up()
    await stage.renewals.catch_up()
    await stage.run_until(ENDS_AT, timedelta(hours=2))
    assert await stage.days_before() == [14, 3]


@pytest.mark.parametrize(("days", "reminders"), [(20, 2), (9, 2), (4, 1), (2, 0)])
async def test_catching_up_comes_in_time_until_the_last_reminder(days: int, reminders: int, stage: Stage) -> None:
    await stage.link()
    await stage.storage.timers.cancel(KIND, str(ADA))
    stage.now = ENDS_AT.replace(hour=21) - days * DAY
    await stage.renewals.catch_up()
    await stage.run_until(ENDS_AT, timedelta(hours=2))
    assert len(await stage.sent()) == reminders


async def test_catching_up_starts_nothing_over(stage: Stage) -> None:
    await stage.link()
    await stage.run_until(ENDS_AT - 2 * DAY)
    assert len(await stage.sent()) == 2
    await stage.storage.database.write(lambda c: c.execute("DELETE FROM outbox"))  # it is kept for some days only
    await stage.renewals.catch_up()
    await stage.run_until(ENDS_AT + 10 * DAY)
    assert await stage.sent() == []


async def test_where_direct_messages_are_closed_the_next_answer_carries_it_once(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=12) - 13 * DAY
    await stage.renewals.remind(str(ADA), stage.now)
    assert await stage.renewals.take_untold(ADA) is None
    due, _ = await stage.storage.outbox.due(stage.now, 10)
    await stage.storage.outbox.settle(due[0], State.REFUSED, stage.now)
    link = await stage.storage.links.get(ADA)
    assert link is not None
    assert await stage.renewals.take_untold(ADA) == consent_ends_at(link)
    assert await stage.renewals.take_untold(ADA) is None
    await stage.renewals.put_back(ADA)  # the answer did not arrive
    assert await stage.renewals.take_untold(ADA) == consent_ends_at(link)
    assert await stage.renewals.take_untold(ADA) is None


async def test_a_reminder_that_arrived_is_in_no_answer(stage: Stage) -> None:
    await stage.link()
    stage.now = ENDS_AT.replace(hour=12) - 13 * DAY
    await stage.renewals.remind(str(ADA), stage.now)
    due, _ = await stage.storage.outbox.due(stage.now, 10)
    await stage.storage.outbox.settle(due[0], State.CONFIRMED, stage.now)
    assert await stage.renewals.take_untold(ADA) is None


@pytest.mark.parametrize("is_asked_before", [False, True])
async def test_an_untold_reminder_outlives_a_restart(stage: Stage, tmp_path: Path, is_asked_before: bool) -> None:
    await stage.link()
    if is_asked_before:
        assert await stage.renewals.take_untold(ADA) is None
    stage.now = ENDS_AT.replace(hour=12) - 13 * DAY
    await stage.renewals.remind(str(ADA), stage.now)
    due, _ = await stage.storage.outbox.due(stage.now, 10)
    await stage.storage.outbox.settle(due[0], State.REFUSED, stage.now)
    await stage.storage.close()
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    try:
        again = Stage(storage)
        assert await again.renewals.take_untold(ADA) is not None
        assert await again.renewals.take_untold(ADA) is None
    finally:
        await storage.close()


async def test_a_second_reminder_that_is_refused_is_told_as_the_first_was(stage: Stage) -> None:
    await stage.link()
    for days in (13, 2):
        stage.now = ENDS_AT.replace(hour=12) - days * DAY
        await stage.renewals.remind(str(ADA), stage.now)
        due, _ = await stage.storage.outbox.due(stage.now, 10)
        await stage.storage.outbox.settle(due[0], State.REFUSED, stage.now)
        assert await stage.renewals.take_untold(ADA) is not None
        assert await stage.renewals.take_untold(ADA) is None
