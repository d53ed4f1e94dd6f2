"""What is flushed to the disk at once, since a power cut must not take it, and what is not, since a flush costs time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.caller import GuildId, MemberId, RequestId
from bot.changes import Outcome
from bot.storage import Storage, open_storage
from bot.storage.changes import Ending
from bot.storage.club_imports import FoundAlbum
from bot.storage.outbox import Direct, Message, Queued, State, Way
from bot.storage.timers import Timer
from tests.callers import caller
from tests.faults.disk import Disk
from tests.storage.rows import ADA, BEN, KEY, SAVE, X, ask, at, link, put

Job = Callable[[Storage], Awaitable[Any]]
LATER = at() + timedelta(hours=1)
ONE = RequestId(1), 0


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def flushed(tmp_path: Path, disk: Disk) -> AsyncIterator[Storage]:
    """A storage in which everything has one row, on a disk that counts its flushes."""
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], disk.connect, disk.sync)
    await put(storage)
    await ask(storage, 1, X)
    await storage.changes.on_disk()
    await storage.attempts.begin(b"attempt", caller(ADA), at())
    await storage.outbox.add(Message("kind", "subject", Direct(ADA)), at())
    await storage.timers.set("kind", "key", at())
    yield storage
    await storage.close()


async def message(storage: Storage) -> Queued:
    [found], _ = await storage.outbox.due(at(), 10)
    return found


TIMER = Timer("kind", "key", at(), 0, 0)
QUICK: dict[str, Job] = {
    "a change that is noted before a write": lambda s: s.changes.begin([(ONE, X, False)]),
    "a write that did not happen": lambda s: s.changes.not_carried_out([ONE]),
    "what came of a change": lambda s: s.changes.end([Ending(ONE, Outcome.SAVED)], at()),
    "an answer": lambda s: s.changes.answered(RequestId(1), at(), arrived=True, tells_end=False),
    "a request that could not be made safe": lambda s: s.changes.withdraw(RequestId(1)),
    "a client id that is tried": lambda s: s.attempts.count_probe(b"attempt", at()),
    "attempts that are too old": lambda s: s.attempts.clear(LATER),
    "a server that says it is there": lambda s: s.guilds.joined(GuildId(1)),
    "the album of a row of a spreadsheet": lambda s: s.club_imports.note(RequestId(1), {1: FoundAlbum(X)}),
    "how far an import is": lambda s: s.imports.put_progress(RequestId(1), 1, 1),
    "the sweep": lambda s: s.sweep(at()),
    "messages of a clock that was set back": lambda s: s.outbox.hurry(at(), at()),
    "timers of a clock that was set back": lambda s: s.timers.hurry(at()),
    "a timer that is claimed": lambda s: s.timers.claim(at(), {"kind": 1}),
    "a timer that is done": lambda s: s.timers.finish(TIMER, None),
    "a timer that failed": lambda s: s.timers.fail(TIMER, LATER),
}
SAFE: dict[str, Job] = {
    "a link": lambda s: put(s, link(BEN, "acc-ben")),
    "refreshed tokens": lambda s: s.links.refreshed(link(), "BQ-2", "AQ-2", LATER),
    "a link that was refused": lambda s: s.links.refused(link(), "revoked"),
    "an attempt": lambda s: s.attempts.begin(b"new", caller(ADA), at()),
    "an attempt that is used up": lambda s: s.attempts.take(b"attempt", at()),
    "a request with what belongs to it": lambda s: s.changes.accept(
        caller(ADA, 2), SAVE, [], at(), also=lambda c: None
    ),
    "what a member drops": lambda s: s.changes.drop(ADA, at(), is_busy=False),
    "a message": lambda s: s.outbox.add(Message("kind", "another", Direct(ADA)), at()),
    "a timer": lambda s: s.timers.set("kind", "key", LATER),
    "a member who is forgotten": lambda s: s.forget(MemberId(ADA)),
    "a server that removed the bot": lambda s: s.guilds.removed(GuildId(1), at()),
}


@pytest.mark.parametrize("what", QUICK)
async def test_what_a_power_cut_may_take_costs_no_flush(what: str, flushed: Storage, disk: Disk) -> None:
    before = disk.flushes
    await QUICK[what](flushed)
    assert disk.flushes == before


@pytest.mark.parametrize("what", SAFE)
async def test_what_a_power_cut_must_not_take_is_flushed(what: str, flushed: Storage, disk: Disk) -> None:
    before = disk.flushes
    await SAFE[what](flushed)
    assert disk.flushes > before


async def test_of_a_message_only_what_must_not_be_sent_twice_and_its_end_are_flushed(
    flushed: Storage, disk: Disk
) -> None:
    async def flushes(job: Awaitable[Any]) -> int:
        before = disk.flushes
        await job
        return disk.flushes - before

    queued = await message(flushed)
    assert await flushes(flushed.outbox.begin(queued, Way.EDIT, 0, at(), durable=False)) == 0
    assert await flushes(flushed.outbox.begin(queued, Way.DIRECT, 0, at(), durable=True)) == 1
    assert await flushes(flushed.outbox.later(queued, LATER, may_have_arrived=True)) == 0
    assert await flushes(flushed.outbox.postpone(queued, at())) == 0
    assert await flushes(flushed.outbox.settle(queued, State.CONFIRMED, at())) == 1
