"""Timers as rows: which are due, and what of them is seen while their handlers run."""

from __future__ import annotations

from datetime import timedelta

from bot.storage import Storage
from tests.storage.rows import at

SECOND = timedelta(seconds=1)


async def test_whether_a_timer_is_still_to_be_served_is_known_until_its_handler_is_done(storage: Storage) -> None:
    async def is_due(kind: str = "kind") -> bool:
        return await storage.database.read(lambda c: storage.timers.has_due_in(c, kind, at()))

    await storage.timers.set("kind", "later", at() + SECOND)
    await storage.timers.set("another kind", "now", at())
    assert not await is_due()
    await storage.timers.set("kind", "now", at())
    assert await is_due()
    [timer] = await storage.timers.claim(at(), {"kind": 5})
    assert await is_due(), "its handler runs"
    await storage.timers.finish(timer, None)
    assert not await is_due()
    assert await is_due("another kind")


async def test_when_a_timer_is_due_is_seen_until_it_is_claimed(storage: Storage) -> None:
    async def due_at(key: str = "key") -> object:
        return await storage.database.read(lambda c: storage.timers.get_in(c, "kind", key))

    assert await due_at() is None
    await storage.timers.set("kind", "key", at() + SECOND - timedelta(milliseconds=1))
    await storage.timers.set("kind", "another", at() + 9 * SECOND)
    assert await due_at() == await storage.timers.next_at(["kind"]) == at() + SECOND, "never too early"
    assert await storage.timers.claim(at(), {"kind": 5}) == []
    assert len(await storage.timers.claim(at() + SECOND, {"kind": 5})) == 1
    assert await due_at() is None
    assert await storage.timers.next_at(["kind"]) == await due_at("another") == at() + 9 * SECOND
    await storage.timers.release_all()
    assert await due_at() == at() + SECOND
    assert await storage.timers.next_at([]) is None
    assert await storage.timers.next_at(["another kind"]) is None
