"""What a command is told while the disk does not flush, the database fails, or nobody waits for it any more."""

from __future__ import annotations

import asyncio

import pytest

from bot.caller import MemberId
from bot.changes import Action, Outcome
from bot.errors import StorageUnavailable, TryLater
from bot.sandbox.faults import FAULTS
from tests.callers import caller
from tests.library.stage import MEMBER, WRITE, Stage, down, until
from tests.world import FIRST, SECOND


async def until_called(stage: Stage, method: str, path: str) -> None:
    async with asyncio.timeout(30):
        while not any(call.method == method and call.path.endswith(path) for call in stage.server.calls):
            await asyncio.sleep(0.005)


async def test_what_could_not_be_flushed_is_taken_back_and_never_written(stage: Stage) -> None:
    stage.disk.fails = True
    with pytest.raises(StorageUnavailable):
        await stage.save(FIRST)
    stage.disk.fails = False
    assert await stage.pending() == 0
    await stage.until_idle()
    await stage.save(SECOND)
    assert stage.saved == [SECOND]


@pytest.mark.parametrize("is_down", [False, True])
async def test_what_can_neither_be_flushed_nor_taken_back_is_queued_with_nothing_in_doubt(
    is_down: bool, stage: Stage
) -> None:
    if is_down:
        down(stage)
    stage.disk.fails = stage.disk.is_full = True
    report = await stage.save(FIRST)
    stage.disk.fails = stage.disk.is_full = False
    assert isinstance(report.held, StorageUnavailable)
    assert await stage.pending() == 1
    await stage.until_idle()
    assert stage.saved == []
    assert (await stage.library.drop(MEMBER)).is_sure


async def test_a_flush_that_fails_for_another_member_does_not_deny_what_was_done(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.2)
    saving = asyncio.create_task(stage.save(FIRST))
    await until_called(stage, "PUT", WRITE)
    stage.disk.fails = True
    with pytest.raises(StorageUnavailable):
        await stage.library.change(caller(MemberId(MEMBER + 1), 1000), Action.SAVE, SECOND)
    report = await saving
    stage.disk.fails = False
    assert [change.outcome for change in report.request.changes] == [Outcome.SAVED]
    assert report.held is None


async def test_why_a_request_waits_is_told_also_when_the_database_does_not_give_it(stage: Stage) -> None:
    stage.server.fault(path="*/contains", times=None, **{**FAULTS["unavailable"], "delay_s": 0.1})
    saving = asyncio.create_task(stage.save(FIRST, answered=False))
    await until_called(stage, "GET", "/contains")
    database = stage.storage.database
    await database.write(lambda c: c.execute("ALTER TABLE library_changes RENAME TO moved"))
    report = await saving
    await database.write(lambda c: c.execute("ALTER TABLE moved RENAME TO library_changes"))
    assert isinstance(report.held, TryLater)
    assert [change.outcome for change in report.request.changes] == [None]


async def test_what_becomes_of_a_request_whose_command_was_cut_short_is_told_later(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.2)
    saving = asyncio.create_task(stage.save(FIRST))
    await until_called(stage, "PUT", WRITE)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED


@pytest.mark.parametrize(("path", "method"), [("/v1/me/*", "PUT"), ("/v1/tracks/*", "GET")])
async def test_what_spotify_refuses_ends_with_its_reason(path: str, method: str, stage: Stage) -> None:
    stage.server.fault(path=path, method=method, times=None, **FAULTS["forbidden"])
    report = await stage.save(f"spotify:track:{stage.server.catalogue.albums[FIRST].tracks[0].id}")
    assert [(change.outcome, change.detail) for change in report.request.changes] == [(Outcome.REFUSED, "Forbidden")]
    assert report.held is None
    assert await stage.pending() == 0
