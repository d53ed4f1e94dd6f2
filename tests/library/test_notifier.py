"""Telling: once each, in order, and noted however long the disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.caller import MemberId, RequestId
from bot.changes import Action, ChangeRequest
from bot.errors import StorageUnavailable, UserError
from bot.library.notifier import Notifier
from bot.library.report import Report

ADA, BEN = MemberId(1), MemberId(2)


class Disk:
    """Takes what is noted, or not."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.noted: list[tuple[int, bool]] = []

    async def told(self, ids: Sequence[RequestId], *, refused: bool = False) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("database or disk is full")
        self.noted += [(id_, refused) for id_ in ids]


class Bare:
    """Reports without names."""

    async def report(self, request: ChangeRequest, held: UserError | None = None, *, may_ask: bool = True) -> Report:
        return Report(request, {}, held)


def request(id_: int, member: MemberId = ADA) -> ChangeRequest:
    return ChangeRequest(
        id=RequestId(id_),
        member=member,
        action=Action.SAVE,
        undoes=None,
        undone=False,
        interaction_token=None,
        created_at=datetime.now(UTC),
        answered=False,
        ended=True,
        changes=(),
    )


class Room:
    """A telling with what it said, and how long it paused."""

    def __init__(self, disk: Disk) -> None:
        self.said: list[int] = []
        self.paused: list[float] = []
        self.open = True
        self.notifier = Notifier(disk, Bare(), self.sleep)  # type: ignore[arg-type]  # all that it uses of them
        self.notifier.tell = self.tell

    async def tell(self, report: Report) -> bool:
        self.said.append(report.request.id)
        await asyncio.sleep(0)
        return self.open

    async def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        await asyncio.sleep(0)

    async def until_quiet(self) -> None:
        while self.notifier.under_way:
            await asyncio.sleep(0)


async def test_a_member_is_told_in_the_order_in_which_it_happened() -> None:
    disk = Disk()
    room = Room(disk)
    room.notifier.enqueue(map(request, range(1, 6)))
    await room.until_quiet()
    assert room.said == [1, 2, 3, 4, 5]
    assert disk.noted == [(id_, False) for id_ in range(1, 6)]


async def test_whom_no_way_is_open_to_is_noted_for_their_next_command() -> None:
    disk = Disk()
    room = Room(disk)
    room.open = False
    room.notifier.enqueue([request(1)])
    await room.until_quiet()
    assert disk.noted == [(1, True)]


async def test_a_member_is_told_once_and_it_is_noted_when_the_disk_takes_it_again() -> None:
    disk = Disk(failures=4)
    room = Room(disk)
    room.notifier.enqueue([request(1)])
    await room.until_quiet()
    assert room.said == [1]
    assert disk.noted == [(1, False)]
    assert room.paused == [2.0, 20.0, 600.0, 600.0]


async def test_a_full_disk_holds_up_nobody_who_is_told_next() -> None:
    disk = Disk(failures=1)
    room = Room(disk)
    room.notifier.enqueue([request(1), request(2), request(3, BEN)])
    await room.until_quiet()
    assert room.said == [1, 3, 2]
    assert sorted(disk.noted) == [(1, False), (2, False), (3, False)]


async def test_a_stop_does_not_wait_for_a_disk_that_stays_full() -> None:
    disk = Disk(failures=10**9)
    room = Room(disk)
    waits = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    room.notifier = Notifier(disk, Bare(), sleep)  # type: ignore[arg-type]  # all that it uses of them
    room.notifier.tell = room.tell
    room.notifier.enqueue([request(1)])
    await waits.wait()
    async with asyncio.timeout(2):
        await room.notifier.stop(60.0)
    assert room.notifier.under_way == 0
