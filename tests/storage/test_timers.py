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


async def test_whoever_waits_for_a_change_hears_that_a_timer_was_set(storage: Storage) -> None:
    assert not storage.timers.changed.is_set()
    await storage.timers.set("kind", "key", at())
    assert storage.timers.changed.is_set()


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


async def test_what_was_set_anew_while_its_handler_ran_stays_as_it_was_set(storage: Storage) -> None:
    for kind, key in (("kind", "done"), ("kind", "failed"), ("another kind", "done")):
        await storage.timers.set(kind, key, at())
    done, failed = await storage.timers.claim(at(), {"kind": 5})
    await storage.timers.claim(at(), {"another kind": 5})
    for key in ("done", "failed"):
        await storage.timers.set("kind", key, at() + 5 * SECOND)
    await storage.timers.finish(done, None)
    await storage.timers.fail(failed, at() + 60 * SECOND)
    again = await storage.timers.claim(at() + 5 * SECOND, {"kind": 5, "another kind": 5})
    assert [(timer.key, timer.due_at, timer.tries) for timer in again] == [
        ("done", at() + 5 * SECOND, 0),
        ("failed", at() + 5 * SECOND, 0),
    ], "and the other kind's is still claimed"


async def test_a_timer_that_failed_is_tried_again_later_and_keeps_the_time_at_which_it_was_due(
    storage: Storage,
) -> None:
    await storage.timers.set("kind", "key", at())
    for tries, seconds in enumerate((0, 10, 20)):
        assert await storage.timers.claim(at() + (seconds - 1) * SECOND, {"kind": 5}) == []
        [timer] = await storage.timers.claim(at() + seconds * SECOND, {"kind": 5})
        assert (timer.due_at, timer.tries) == (at(), tries)
        await storage.timers.fail(timer, at() + (seconds + 10) * SECOND - timedelta(milliseconds=1))
    [timer] = await storage.timers.claim(at() + 30 * SECOND, {"kind": 5})
    await storage.timers.finish(timer, at() + 60 * SECOND - timedelta(milliseconds=1))
    assert await storage.timers.claim(at() + 59 * SECOND, {"kind": 5}) == []
    [timer] = await storage.timers.claim(at() + 60 * SECOND, {"kind": 5})
    assert (timer.due_at, timer.tries) == (at() + 60 * SECOND, 0)


async def test_of_what_is_due_the_earliest_is_claimed_first_and_of_each_kind_at_most_its_limit(
    storage: Storage,
) -> None:
    for kind, key, seconds in (
        ("b", "1", 2),
        ("b", "2", 1),
        ("a", "3", 2),
        ("a", "4", 2),
        ("b", "5", 0),
        ("c", "6", 0),
    ):
        await storage.timers.set(kind, key, at() + seconds * SECOND)
    claimed = await storage.timers.claim(at() + 9 * SECOND, {"b": 2, "a": 5})
    assert [timer.key for timer in claimed] == ["5", "2", "3", "4"]
    assert [timer.key for timer in await storage.timers.claim(at() + 9 * SECOND, {"b": 2, "a": 5})] == ["1"]
    await storage.timers.cancel("b", "2")
    await storage.timers.release_all()
    assert len(await storage.timers.claim(at() + 9 * SECOND, {"b": 9, "a": 9})) == 4
