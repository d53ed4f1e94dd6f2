"""Trying again, giving up, and how long an Undo lives: the real library and database, with clocks handed in."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.caller import RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.errors import NeedsRelink, TryLater
from bot.library import Report
from bot.library.library import Dropped
from bot.sandbox.faults import FAULTS
from bot.storage.changes import NewChange, UndoVerdict
from tests.callers import caller
from tests.library.stage import MEMBER, WRITE, Stage, down, until
from tests.world import FIRST, SECOND

# -- how long it is kept


async def swept(stage: Stage) -> None:
    """What is too old is given up at the second look."""
    await stage.library.sweep()
    await stage.library.sweep()


async def test_a_change_is_given_up_after_7_days_and_that_is_told(stage: Stage) -> None:
    down(stage)
    report = await stage.save(FIRST)
    stage.ahead = timedelta(days=6, hours=23)
    await swept(stage)
    assert await stage.pending() == 1
    assert stage.told == []
    stage.ahead = timedelta(days=7, minutes=1)
    await swept(stage)
    assert await stage.pending() == 0
    await until(stage, 1)
    assert [(each.request.id, each.request.changes[0].outcome) for each in stage.told] == [
        (report.request.id, Outcome.GIVEN_UP)
    ]


async def test_what_became_too_old_while_nothing_was_tried_is_tried_once_more(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    await stage.library.sweep()
    stage.server.clear_faults()
    stage.ahead = timedelta(days=30)  # the machine slept
    await stage.library.sweep()
    stage.library.wake(MEMBER)
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED
    assert stage.saved == [FIRST]


async def test_a_clock_that_was_a_month_ahead_for_a_while_gives_nothing_up(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    for days in (0, 30, 0, 0):
        stage.ahead = timedelta(days=days)
        await stage.library.sweep()
    assert await stage.pending() == 1


@pytest.mark.parametrize(("days", "pending"), [(8, 1), (29, 1), (31, 0)])
async def test_a_change_of_a_member_whose_consent_ended_waits_for_30_days(
    stage: Stage, days: int, pending: int
) -> None:
    stage.server.expire_access_tokens("ada")
    stage.server.revoke_consent("ada")
    await stage.save(FIRST)
    stage.ahead = timedelta(days=days)
    await swept(stage)
    assert await stage.pending() == pending


@pytest.mark.parametrize(("days", "works"), [(29, True), (31, False)])
async def test_an_undo_lives_for_30_days(stage: Stage, days: int, works: bool) -> None:
    saved = await stage.save(FIRST)
    stage.ahead = timedelta(days=days)
    await swept(stage)
    undone = await stage.undo(saved)
    assert isinstance(undone, Report) if works else undone is UndoVerdict.UNKNOWN
    assert stage.saved == ([] if works else [FIRST])


# -- when it is tried again


async def delays(stage: Stage, until_s: float) -> list[float]:
    """The pauses between the tries of what waits, for this many seconds of its clock."""
    begun, found = stage.time, []
    async with stage.working():
        while stage.time - begun < until_s:
            async with asyncio.timeout(60):
                while not 0 < (pause := stage.library.next_retry_s) < float("inf"):
                    await asyncio.sleep(0.005)
            found.append(pause)
            stage.time += pause
            stage.library.look_at_clock()
            await asyncio.sleep(0.01)
    return found


async def test_pauses_double_to_20_s_and_after_five_minutes_to_10_minutes(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    found = await delays(stage, 6000.0)
    assert found[:6] == [2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    slow = next(place for place, pause in enumerate(found) if pause > 20.0)
    assert 300.0 <= sum(found[:slow]) <= 320.0
    assert found[slow : slow + 5] == [40.0, 80.0, 160.0, 320.0, 600.0]
    assert set(found[slow + 5 :]) == {600.0}


async def test_a_time_that_spotify_named_is_waited_for(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", **FAULTS["quota"])
    await stage.save(FIRST)
    assert 82_000 < stage.library.next_retry_s < 83_000


# -- at the same time


async def test_what_ends_while_the_command_answers_is_told_at_once(stage: Stage) -> None:
    down(stage)
    report = await stage.save(FIRST, answered=False)
    assert report.held is not None
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    async with asyncio.timeout(60):
        while await stage.pending():
            await asyncio.sleep(0.01)
    assert stage.told == []  # the answer is still on its way
    await stage.library.answered(report, arrived=True)
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED


async def test_what_is_being_written_cannot_be_dropped(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.5)
    saving = asyncio.create_task(stage.save(FIRST))
    async with asyncio.timeout(60):
        while not any(call.method == "PUT" for call in stage.server.calls):
            await asyncio.sleep(0.01)
    assert (await stage.library.drop(MEMBER)).count == 0
    assert (await saving).request.changes[0].outcome is Outcome.SAVED
    assert stage.saved == [FIRST]


async def test_what_is_being_written_is_not_given_up(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.5)
    saving = asyncio.create_task(stage.save(FIRST))
    async with asyncio.timeout(60):
        while not any(call.method == "PUT" for call in stage.server.calls):
            await asyncio.sleep(0.01)
    stage.ahead = timedelta(days=8)
    await swept(stage)
    assert (await saving).request.changes[0].outcome is Outcome.SAVED
    assert stage.saved == [FIRST]


async def test_of_two_commands_for_one_album_that_are_joined_one_has_saved_it(stage: Stage) -> None:
    down(stage)
    for _ in range(2):
        assert (await stage.save(FIRST)).held is not None
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    await until(stage, 2)
    assert [report.request.changes[0].outcome for report in stage.told] == [Outcome.SAVED, Outcome.ALREADY]
    assert sum(call.method == "PUT" for call in stage.server.calls) == 1


async def test_a_consent_that_died_is_told_once_however_many_albums_wait(stage: Stage) -> None:
    down(stage)
    for album in (FIRST, SECOND):
        await stage.save(album)
    stage.server.clear_faults()
    stage.server.expire_access_tokens()
    stage.server.revoke_consent("ada")
    stage.time += 10
    async with stage.working():
        await until(stage, 1)
        await asyncio.sleep(0.1)
    assert [report.request.id for report in stage.told] == [2]  # the newest; its message says what to do
    assert await stage.pending() == 2


@pytest.mark.parametrize("is_told_already", [True, False])
async def test_a_consent_that_died_before_a_start_is_told_unless_the_command_told_it(
    stage: Stage, is_told_already: bool
) -> None:
    stage.server.expire_access_tokens()
    if is_told_already:
        stage.server.revoke_consent("ada")
        assert isinstance((await stage.save(FIRST)).held, NeedsRelink)
    else:
        down(stage)
        await stage.save(FIRST)
        stage.server.clear_faults()
        stage.server.revoke_consent("ada")
        # something else than the worker met it, and then the process was killed
        token = (await stage.tokens.access(MEMBER)).token
        with pytest.raises(NeedsRelink):
            await token.renewed(await token.current())
    for _ in range(2):  # two starts
        stage.library.unlinked(MEMBER)  # nothing is known of a retry
        worker = asyncio.create_task(stage.library.work())
        try:
            if not is_told_already:
                await until(stage, 1)
            await asyncio.sleep(0.1)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    assert len(stage.told) == int(not is_told_already)
    assert await stage.pending() == 1


async def test_however_the_end_and_the_answer_fall_together_each_request_is_told_once(stage: Stage) -> None:
    rounds = 40
    for number in range(rounds):
        down(stage)
        report = await stage.save(FIRST if number % 2 else SECOND, answered=False)
        assert report.held is not None
        stage.server.clear_faults()

        async def answer(report: Report, pause_s: float) -> None:
            await asyncio.sleep(pause_s)
            await stage.library.answered(report, arrived=True)

        stage.library.wake(MEMBER)
        await answer(report, number / 10_000)  # up to 4 ms, which is about how long the change takes
    await until(stage, rounds)
    await asyncio.sleep(0.1)
    assert sorted(report.request.id for report in stage.told) == [*range(1, rounds + 1)]


async def test_an_answer_that_the_full_disk_does_not_let_be_noted_is_noted_later(stage: Stage) -> None:
    database = stage.storage.database
    down(stage)
    report = await stage.save(FIRST, answered=False)
    await database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    await stage.library.answered(report, arrived=True)
    async with asyncio.timeout(60):
        while len(stage.pauses) < 4:
            await asyncio.sleep(0.01)
    assert stage.pauses[:4] == [2.0, 20.0, 600.0, 600.0]
    await database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    async with asyncio.timeout(60):
        while await stage.pending():
            await asyncio.sleep(0.01)
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED


async def test_what_somebody_saves_at_spotify_while_a_write_that_was_not_done_waits_is_told_as_there_already(
    stage: Stage,
) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, **FAULTS["elsewhere"])
    assert (await stage.save(FIRST)).held is not None
    stage.server.accounts["ada"].saved[FIRST] = stage.now()
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.ALREADY


async def test_what_was_written_although_the_answer_got_lost_is_told_as_saved(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, status=500, carried_out=True)
    report = await stage.save(FIRST)
    assert isinstance(report.held, TryLater)
    assert stage.saved == [FIRST]
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED
    assert isinstance(await stage.undo(stage.told[0]), Report)
    assert stage.saved == []


async def test_what_was_written_before_its_opposite_was_asked_for_is_told_as_it_was(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, status=500, carried_out=True)
    for _ in range(2):
        await stage.left_pending(MEMBER)
    stage.library.wake(MEMBER)
    await stage.until_idle()
    stage.server.clear_faults()
    await stage.left_pending(MEMBER, SECOND)
    stage.last += 1
    await stage.library.change(caller(MEMBER, stage.last), Action.REMOVE, FIRST)
    requests = [await stage.storage.changes.get(RequestId(id_)) for id_ in range(1, stage.last + 1)]
    outcomes = [request.changes[0].outcome for request in requests if request is not None]
    assert outcomes == [Outcome.SAVED, Outcome.ALREADY, Outcome.SAVED, Outcome.REMOVED]
    assert stage.saved == [SECOND]


@pytest.mark.parametrize("is_there", [True, False])
async def test_what_was_not_written_before_its_opposite_was_asked_for_is_left_out(is_there: bool, stage: Stage) -> None:
    if is_there:
        stage.server.accounts["ada"].saved[FIRST] = stage.now()
    down(stage)
    assert (await stage.save(FIRST)).held is not None
    stage.server.clear_faults()
    stage.last += 1
    removing = await stage.library.change(caller(MEMBER, stage.last), Action.REMOVE, FIRST)
    expected = Outcome.REMOVED if is_there else Outcome.ABSENT
    assert [change.outcome for change in removing.request.changes] == [expected]
    await until(stage, 1)
    assert [report.request.changes[0].outcome for report in stage.told] == [Outcome.SUPERSEDED]
    assert not [call for call in stage.server.calls if call.method == "PUT"]


async def test_a_save_from_a_card_keeps_which_card_it_was(stage: Stage) -> None:
    for number, origin in enumerate(("card 7", None), 1):
        await stage.library.change_album(caller(MEMBER, number), Action.SAVE, FIRST, origin=origin)
    query = "SELECT origin FROM change_requests ORDER BY id"
    rows = await stage.storage.database.read(lambda c: c.execute(query).fetchall())
    assert [row["origin"] for row in rows] == ["card 7", None]


async def test_what_was_saved_is_among_the_members_albums_at_once(stage: Stage) -> None:
    async def own() -> list[str]:
        return [album.id for album in await stage.resolver.own(MEMBER, await stage.tokens.access(MEMBER))]

    assert await own() == []
    saved = await stage.save(FIRST)
    assert await own() == [FIRST]
    await stage.undo(saved)
    assert await own() == []


async def test_of_what_is_told_later_only_a_single_album_is_named(stage: Stage) -> None:
    many, one = await stage.save_many(stage.albums(3)), await stage.save(FIRST)
    await stage.storage.changes.note_answers()
    await stage.storage.database.write(lambda c: c.execute("UPDATE change_requests SET told = 'refused'"))
    told = await stage.library.untold(replace(one, earlier=(many.request.id, one.request.id)))
    assert [report.request.id for report in told] == [many.request.id, one.request.id]
    assert [[*report.albums] for report in told] == [[], [FIRST]]


async def untold(stage: Stage) -> Report:
    """An answer that can tell of two earlier requests, of which their member could not be told."""
    two, last = [await stage.save(album) for album in (FIRST, SECOND)], await stage.save(FIRST)
    await stage.storage.changes.note_answers()
    await stage.storage.database.write(lambda c: c.execute("UPDATE change_requests SET told = 'refused'"))
    return replace(last, earlier=tuple(report.request.id for report in two))


async def told_rows(stage: Stage) -> list[str]:
    query = "SELECT told FROM change_requests ORDER BY id"
    return [row["told"] for row in await stage.storage.database.read(lambda c: c.execute(query).fetchall())]


async def test_what_an_answer_told_of_earlier_requests_is_told_by_no_other(stage: Stage) -> None:
    answer = await untold(stage)
    other = replace(answer, request=replace(answer.request, id=RequestId(99)))
    earlier = await stage.library.untold(answer)
    assert [report.request.id for report in earlier] == [1, 2]
    assert await stage.library.untold(other) == []  # the first answer is telling
    await stage.library.told(answer, earlier[:1], arrived=True)
    assert [report.request.id for report in await stage.library.untold(other)] == [2]
    assert await told_rows(stage) == ["yes", "refused", "refused"]


async def test_what_an_answer_was_to_tell_is_told_once_more_when_it_did_not_arrive(stage: Stage) -> None:
    answer = await untold(stage)
    await stage.library.told(answer, await stage.library.untold(answer), arrived=False)
    await until(stage, 2)
    assert sorted(report.request.id for report in stage.told) == [1, 2]
    # that could not be sent either, so that the next answer tells
    await stage.storage.database.write(lambda c: c.execute("UPDATE change_requests SET told = 'refused'"))
    assert [report.request.id for report in await stage.library.untold(answer)] == [1, 2]


async def test_what_an_answer_did_not_tell_the_next_one_tells_also_while_the_disk_is_full(stage: Stage) -> None:
    answer = await untold(stage)
    other = replace(answer, request=replace(answer.request, id=RequestId(99)))
    earlier = await stage.library.untold(answer)
    await stage.storage.database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    await stage.library.told(answer, earlier[:1], arrived=True)
    assert [report.request.id for report in await stage.library.untold(other)] == [2]
    await stage.storage.database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())


async def test_an_end_that_an_answer_told_with_earlier_ones_is_not_told_again(stage: Stage) -> None:
    report = await stage.save(FIRST, answered=False)
    await stage.library.answered(replace(report, earlier=(RequestId(99),)), arrived=True)
    await asyncio.sleep(0.1)
    assert stage.told == []
    assert await told_rows(stage) == ["yes"]


async def test_what_a_killed_process_left_is_told_by_the_next_one(stage: Stage) -> None:
    await stage.left_pending(MEMBER)
    await stage.library.recover()
    async with stage.working():
        await until(stage, 1)
    assert stage.told[0].request.changes[0].outcome is Outcome.SAVED


async def test_own_albums_are_read_anew_when_only_some_of_several_changes_were_made(stage: Stage) -> None:
    stage.server.accounts["ada"].saved[SECOND] = stage.now()
    access = await stage.tokens.access(MEMBER)
    assert [album.id for album in await stage.resolver.own(MEMBER, access)] == [SECOND]
    stage.server.fault(path=WRITE, method="DELETE", times=None, **FAULTS["elsewhere"])
    for action, album in ((Action.SAVE, FIRST), (Action.REMOVE, SECOND)):
        stage.last += 1
        new = [NewChange(Kind.ALBUM, album)]
        await stage.storage.changes.accept(caller(MEMBER, stage.last), action, new, stage.now())
    stage.library.wake(MEMBER)
    await stage.until_idle()
    assert [album.id for album in await stage.resolver.own(MEMBER, access)] == [FIRST, SECOND]


# -- unlinked meanwhile


async def test_nothing_is_tried_again_for_a_member_who_has_unlinked(stage: Stage) -> None:
    down(stage)
    await stage.save(FIRST)
    assert stage.library.next_retry_s == 2.0
    assert stage.library.why_held(MEMBER) is not None
    await stage.storage.unlink(MEMBER)
    stage.library.unlinked(MEMBER)
    assert stage.library.next_retry_s == float("inf")
    assert stage.library.why_held(MEMBER) is None


async def unlinked_amid(
    stage: Stage, saving: asyncio.Task[Report], method: str, path: str = ""
) -> tuple[LibraryChange, ...]:
    """What is told of changes whose member unlinks while such a call is under way."""
    async with asyncio.timeout(60):
        while not any(call.method == method and path in call.path for call in stage.server.calls):
            await asyncio.sleep(0.01)
    await stage.storage.unlink(MEMBER)
    stage.library.unlinked(MEMBER)
    report = await saving
    assert report.request.ended
    assert report.request.undone
    assert report.held is None
    return report.request.changes


async def test_a_change_whose_member_unlinks_before_its_write_is_dropped_and_over(stage: Stage) -> None:
    stage.server.fault(path="/v1/me/*/contains", delay_s=0.5)
    (change,) = await unlinked_amid(stage, asyncio.create_task(stage.save(FIRST)), "GET", "contains")
    assert change.outcome is Outcome.DROPPED
    assert not change.is_unsure
    assert stage.saved == []


@pytest.mark.parametrize("is_search", [False, True])
async def test_a_change_whose_member_unlinks_during_its_write_is_told_as_what_came_of_it(
    stage: Stage, is_search: bool
) -> None:
    stage.server.fault(path=WRITE, method="PUT", delay_s=0.5)
    title = stage.server.catalogue.albums[SECOND].title
    saving = stage.save(title if is_search else SECOND, answered=False)
    (change,) = await unlinked_amid(stage, asyncio.create_task(saving), "PUT")
    assert change.outcome is Outcome.SAVED
    assert stage.saved == [change.album_id]


async def test_a_refusal_is_told_with_its_reason_also_when_its_member_unlinks_meanwhile(stage: Stage) -> None:
    stage.server.fault(path="/v1/me/*", method="PUT", times=None, **{**FAULTS["forbidden"], "delay_s": 0.2})
    (change,) = await unlinked_amid(stage, asyncio.create_task(stage.save(FIRST)), "PUT")
    assert (change.outcome, change.detail) == (Outcome.REFUSED, "Forbidden")


async def test_albums_that_a_search_offers_are_offered_also_when_its_member_unlinks_meanwhile(stage: Stage) -> None:
    ids = stage.albums(2)
    stage.server.catalogue.add(
        dataclasses.replace(stage.server.catalogue.albums[id_], title="Nightfall Tide") for id_ in ids
    )
    stage.server.fault(path="/v1/search", delay_s=0.2)
    (change,) = await unlinked_amid(stage, asyncio.create_task(stage.save("Nightfall Tide")), "GET", "search")
    assert change.outcome is Outcome.OFFERED
    assert {*ids} <= {*change.choices}


async def test_what_is_no_album_is_told_as_such_also_when_its_member_unlinks_meanwhile(stage: Stage) -> None:
    stage.server.fault(path="/v1/me/*/contains", delay_s=0.2)
    text = f"{FIRST} https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"
    changes = await unlinked_amid(stage, asyncio.create_task(stage.save(text)), "GET", "contains")
    assert [change.outcome for change in changes] == [Outcome.DROPPED, Outcome.NOT_ALBUM]


async def test_of_a_write_without_an_answer_whose_member_unlinks_nothing_is_claimed(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, status=500, carried_out=True, delay_s=0.2)
    (change,) = await unlinked_amid(stage, asyncio.create_task(stage.save(FIRST)), "PUT")
    assert change.outcome is Outcome.DROPPED
    assert change.is_unsure
    assert stage.saved == [FIRST]


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_what_is_dropped_after_a_write_without_an_answer_is_not_told_as_undone(
    stage: Stage, is_carried_out: bool
) -> None:
    if is_carried_out:
        stage.server.fault(path=WRITE, method="PUT", times=None, status=500, carried_out=True)
    else:
        down(stage)
    assert isinstance((await stage.save(FIRST)).held, TryLater)
    assert await stage.library.drop(MEMBER) == Dropped(1, 0, is_sure=not is_carried_out)
    await until(stage, 1)
    (change,) = stage.told[0].request.changes
    assert change.outcome is Outcome.DROPPED
    assert change.is_unsure is is_carried_out


async def test_what_is_refused_after_a_write_without_an_answer_is_not_told_as_unchanged(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, status=500, carried_out=True)
    assert isinstance((await stage.save(FIRST)).held, TryLater)
    stage.server.fault(path="/v1/me/*", method="GET", times=None, status=400)
    stage.library.wake(MEMBER)
    await until(stage, 1)
    (change,) = stage.told[0].request.changes
    assert change.outcome is Outcome.REFUSED
    assert change.is_unsure
    assert stage.saved == [FIRST]


async def test_a_write_that_is_refused_leaves_no_doubt(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, status=400)
    (change,) = (await stage.save(FIRST)).request.changes
    assert change.outcome is Outcome.REFUSED
    assert not change.is_unsure
    assert (await stage.storage.changes.get(change.request_id)).changes[0].was_saved is None
