"""The worker: what a start takes up, what is due, and how many members are served at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.caller import MemberId, RequestId
from bot.errors import NeedsRelink, NotLinked, Restarting, TryLater
from bot.library import Report
from bot.library.library import NOTE_S, PAGE, WORKERS
from bot.sandbox.faults import FAULTS
from tests.library.stage import MEMBER, WRITE, Stage, down, until
from tests.world import FIRST, SECOND

OWN = "b" * 32


async def members(stage: Stage, count: int) -> list[str]:
    """The accounts of this many members, for each of whom a change was left pending."""
    accounts = [f"account{number}" for number in range(1, count + 1)]
    for number, account in enumerate(accounts, 1):
        await stage.left_pending(await stage.another(account, number))
    return accounts


async def until_saved(stage: Stage, *accounts: str) -> None:
    async with asyncio.timeout(30):
        while not all(FIRST in stage.server.accounts[account].saved for account in accounts):
            await asyncio.sleep(0.005)


async def test_a_start_takes_up_what_every_linked_member_has_pending_some_at_a_time(stage: Stage) -> None:
    accounts = await members(stage, WORKERS + 8)
    stage.server.delay_s = 0.05
    async with stage.working():
        await until_saved(stage, *accounts)
        # each has one call under way; the name that is looked up is the same for all
        assert WORKERS - 8 <= stage.server.max_in_flight <= WORKERS + 1
        assert stage.library.next_retry_s == float("inf")


async def test_a_start_finds_members_behind_many_who_are_not_linked(stage: Stage) -> None:
    for member in range(1, PAGE + 2):
        await stage.left_pending(MemberId(member))
    await stage.left_pending(MEMBER)
    async with stage.working():
        await until_saved(stage, "ada")
    await stage.until_idle()
    assert stage.library.why_held(MemberId(1)) is None  # it was not even tried
    assert await stage.library.pending_count(MemberId(1)) == 1
    assert await stage.library.pending_count(MEMBER) == 0


async def test_what_is_due_is_tried_some_members_at_a_time_and_each_place_is_given_back(stage: Stage) -> None:
    accounts = await members(stage, WORKERS + 8)
    down(stage)
    async with stage.working():
        async with asyncio.timeout(30):
            while len(stage.server.calls) < len(accounts) or not stage.library.is_idle:
                await asyncio.sleep(0.01)
        assert stage.library.next_retry_s == 2.0
        stage.server.clear_faults()
        stage.server.delay_s, stage.server.max_in_flight = 0.05, 0
        stage.time += 2
        stage.library.look_at_clock()
        await until_saved(stage, *accounts)
        assert WORKERS - 8 <= stage.server.max_in_flight <= WORKERS + 1
        await stage.until_idle()
    assert stage.library.next_retry_s == float("inf")


async def test_a_place_is_given_back_when_a_command_was_quicker_than_the_worker(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    stage.server.clear_faults()
    accounts = await members(stage, WORKERS)
    stage.server.fault(path="*/contains", times=WORKERS, delay_s=0.5)
    async with stage.working():
        async with asyncio.timeout(30):
            while stage.server.max_in_flight < WORKERS:
                await asyncio.sleep(0.005)
            stage.time += 2  # what was held up is due, and waits for a place
            stage.library.look_at_clock()
            await asyncio.sleep(0.05)
            stage.library.wake(MEMBER)
            await until_saved(stage, "ada", *accounts)
            await stage.until_idle()
    for number in range(1, WORKERS + 1):
        await stage.left_pending(MemberId(MEMBER + number))
    stage.server.fault(path="*/contains", times=WORKERS, delay_s=0.5)
    stage.server.max_in_flight = 0
    async with stage.working(), asyncio.timeout(30):
        while stage.server.max_in_flight < WORKERS:
            await asyncio.sleep(0.005)
    await stage.until_idle()


async def test_a_start_leaves_alone_what_was_tried_just_now(stage: Stage) -> None:
    accounts = await members(stage, WORKERS + 8)
    down(stage)
    for number in range(1, len(accounts) + 1):
        stage.library.wake(MemberId(MEMBER + number))
    await stage.until_idle()
    calls = len(stage.server.calls)
    async with stage.working():
        await asyncio.sleep(0.2)
        assert len(stage.server.calls) == calls
        stage.server.clear_faults()
        stage.time += 2
        stage.library.look_at_clock()
        await until_saved(stage, *accounts)  # no place was lost


async def test_while_the_hosts_app_is_closed_a_start_asks_spotify_nothing_for_its_members(stage: Stage) -> None:
    await stage.gate.close(3600.0, TryLater.Cause.QUOTA)
    await stage.left_pending(MEMBER)
    ben = await stage.another("ben", client_id=OWN)
    await stage.left_pending(ben)
    async with stage.working():
        await until_saved(stage, "ben")  # through an app of his own
        await stage.until_idle()
        assert {call.account for call in stage.server.calls} == {"ben"}
        assert stage.library.next_retry_s == pytest.approx(3600.0, abs=5.0)
        stage.time += 3605.0
        stage.library.look_at_clock()
        await until_saved(stage, "ada")


async def test_a_start_that_cannot_read_what_is_pending_tries_again(stage: Stage) -> None:
    await stage.left_pending(MEMBER)
    database = stage.storage.database
    await database.write(lambda c: c.execute("ALTER TABLE links RENAME TO moved"))
    async with stage.working():
        async with asyncio.timeout(30):
            while not stage.pauses:
                await asyncio.sleep(0.005)
        await database.write(lambda c: c.execute("ALTER TABLE moved RENAME TO links"))
        await until_saved(stage, "ada")
    assert set(stage.pauses) == {2.0}


async def test_a_clock_that_is_set_forward_wakes_the_worker(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    stage.server.clear_faults()
    async with stage.working():
        await asyncio.sleep(0.05)
        assert stage.saved == []
        stage.time += 10
        stage.library.look_at_clock()
        await until_saved(stage, "ada")


async def test_what_is_due_is_tried_without_a_call_to_wake_up(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    stage.server.clear_faults()
    stage.time += 1.9
    async with stage.working():
        await asyncio.sleep(0.05)
        assert stage.saved == []
        stage.time += 0.2
        async with asyncio.timeout(10):
            await until_saved(stage, "ada")


async def test_a_start_tells_of_a_dead_consent_only_when_it_is_news(stage: Stage) -> None:
    stage.server.expire_access_tokens("ada")
    stage.server.revoke_consent("ada")
    await stage.left_pending(MEMBER)
    async with stage.working():
        await until(stage, 1)  # the bot learns it just now
    for _ in range(2):
        async with stage.working():
            await asyncio.sleep(0.05)
            await stage.until_idle()
    assert len(stage.told) == 1


async def test_whoever_was_told_to_wait_is_told_when_they_must_link_again(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    await stage.storage.links.mark_broken(MEMBER, "revoked")
    stage.time += 2
    async with stage.working():
        await until(stage, 1)
    assert isinstance(stage.told[0].held, NeedsRelink)


async def test_a_command_takes_what_waits_with_it(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    stage.server.clear_faults()
    await stage.save(SECOND)
    await stage.until_idle()
    assert sorted(stage.saved) == sorted([FIRST, SECOND])
    assert stage.library.next_retry_s == float("inf")
    assert stage.library.why_held(MEMBER) is None


async def test_what_another_link_brings_is_carried_out_at_once(stage: Stage) -> None:
    stage.server.expire_access_tokens("ada")
    stage.server.revoke_consent("ada")
    report = await stage.save(FIRST)
    assert report.held is not None
    assert stage.library.next_retry_s == float("inf")  # it waits for the member
    assert stage.library.why_held(MEMBER) is not None
    await stage.another("ben", 0)
    stage.library.linked(MEMBER)
    await until_saved(stage, "ben")


@pytest.mark.parametrize("is_linked", [True, False])
async def test_what_is_known_of_a_library_is_forgotten_with_its_link(is_linked: bool, stage: Stage) -> None:
    stage.server.accounts["ada"].saved[FIRST] = stage.now()
    own = await stage.resolver.own(MEMBER, await stage.tokens.access(MEMBER))
    assert [album.id for album in own] == [FIRST]
    await stage.another("ben", 0)
    (stage.library.linked if is_linked else stage.library.unlinked)(MEMBER)
    assert await stage.resolver.own(MEMBER, await stage.tokens.access(MEMBER)) == []


async def test_what_is_tried_again_just_now_is_not_held_up(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    assert isinstance(stage.library.why_held(MEMBER), TryLater)
    stage.server.clear_faults()
    stage.server.delay_s = 0.05
    stage.library.wake(MEMBER)
    assert stage.library.why_held(MEMBER) is None
    await stage.until_idle()
    assert stage.library.why_held(MEMBER) is None


async def test_a_message_about_a_request_is_drawn_only_while_it_is_true(stage: Stage) -> None:
    library, why, gone = stage.library, NotLinked(), RequestId(999)
    ended = (await stage.save(FIRST)).request.id
    down(stage)
    waiting = (await stage.save(SECOND)).request.id
    assert stage.library.next_retry_s == 2.0
    stage.time += 3
    assert stage.library.next_retry_s == 0.0
    drawn = [await library.outcome(id_) for id_ in (ended, waiting, gone)]
    assert [None if report is None else report.request.id for report in drawn] == [ended, None, None]
    held = [await library.held(id_, why) for id_ in (ended, waiting, gone)]
    assert [None if report is None else (report.request.id, report.held) for report in held] == [
        None,
        (waiting, why),
        None,
    ]


async def test_of_what_an_error_stood_in_for_the_end_is_told(stage: Stage) -> None:
    shown = await stage.save(FIRST, answered=False)
    await stage.library.answered(shown, arrived=True)
    report = await stage.save(SECOND, answered=False)
    await stage.library.answered(report, arrived=True, shows_report=False)
    await until(stage, 1)
    await asyncio.sleep(0.1)
    assert [told.request.id for told in stage.told] == [report.request.id]


# -- a stop


async def test_a_stop_waits_for_what_is_being_written(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.3)
    saving = asyncio.create_task(stage.save(FIRST))
    async with asyncio.timeout(30):
        while not any(call.method == "PUT" for call in stage.server.calls):
            await asyncio.sleep(0.005)
    await stage.library.stop(30.0)
    assert stage.library.is_idle
    assert await stage.pending() == 0
    assert (await saving).held is None


async def test_what_takes_longer_than_a_stop_may_wait_is_told_as_held_and_kept(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", **{**FAULTS["unavailable"], "delay_s": 30.0})
    saving = asyncio.create_task(stage.save(FIRST))
    async with asyncio.timeout(20):
        while not any(call.method == "PUT" for call in stage.server.calls):
            await asyncio.sleep(0.005)
        await stage.library.stop(0.05)
        assert stage.library.is_idle
        assert isinstance((await saving).held, Restarting)
    assert await stage.pending() == 1


async def test_what_is_asked_while_a_stop_waits_goes_with_what_is_under_way(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.3)
    first = asyncio.create_task(stage.save(FIRST))
    async with asyncio.timeout(30):
        while not any(call.method == "PUT" for call in stage.server.calls):
            await asyncio.sleep(0.005)
        stop = asyncio.create_task(stage.library.stop(30.0))
        await asyncio.sleep(0)
        second = await stage.save(SECOND)
        await stop
    assert (second.held, (await first).held) == (None, None)
    assert sorted(stage.saved) == sorted([FIRST, SECOND])


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_stop_does_not_wait_for_what_the_full_disk_does_not_let_be_noted(arrived: bool, stage: Stage) -> None:
    report = await stage.save(FIRST, answered=False)
    database = stage.storage.database
    await database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    await stage.library.answered(report, arrived=arrived)
    async with asyncio.timeout(10):
        while len(stage.pauses) < 2:
            await asyncio.sleep(0.005)
        await stage.library.stop(60.0)
    assert stage.library.is_idle
    await database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())


async def test_that_an_answer_told_everything_is_noted_within_a_second_with_the_next_request_or_at_a_stop(
    stage: Stage,
) -> None:
    async def told(report: Report) -> str | None:
        query = "SELECT told FROM change_requests WHERE id = ?"
        row = await stage.storage.database.read(lambda c: c.execute(query, (report.request.id,)).fetchone())
        return None if row is None else row["told"]

    first = await stage.save(FIRST)
    async with asyncio.timeout(10):
        while await told(first) != "yes":
            await asyncio.sleep(0.005)
    assert stage.pauses == [NOTE_S]
    second, third = await stage.save(SECOND), await stage.save(FIRST)
    assert await told(second) == "yes"
    await stage.library.stop(1.0)
    await stage.library.finish_notes()
    assert await told(third) == "yes"


async def test_that_an_answer_told_everything_is_noted_once_the_full_disk_has_room_again(stage: Stage) -> None:
    report = await stage.save(FIRST, answered=False)
    database = stage.storage.database
    await database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    await stage.library.answered(report, arrived=True)
    async with asyncio.timeout(10):
        while len(stage.pauses) < 3:
            await asyncio.sleep(0.005)
        await database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())
        query = "SELECT told FROM change_requests"
        while [row["told"] for row in await database.read(lambda c: c.execute(query).fetchall())] != ["yes"]:
            await asyncio.sleep(0.005)


async def test_what_is_asked_after_a_stop_began_is_kept_and_told_as_held(stage: Stage) -> None:
    await stage.library.stop(1.0)
    report = await stage.save(FIRST)
    assert isinstance(report.held, Restarting)
    assert stage.library.is_idle
    assert await stage.pending() == 1
    assert stage.server.calls == []
    async with stage.working():
        await asyncio.sleep(0.1)  # the worker begins nothing either
    assert stage.server.calls == []


async def test_a_change_given_up_or_an_undo_that_is_too_old_is_swept_also_after_a_full_disk(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    stage.ahead = timedelta(days=8)
    database = stage.storage.database
    await database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    await stage.library.sweep()
    await database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())
    assert await stage.pending() == 1
    await stage.library.sweep()
    assert await stage.pending() == 0
