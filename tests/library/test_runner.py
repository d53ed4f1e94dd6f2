"""One member's runner: large requests chunk by chunk, small ones in between, and nobody else held up."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bot.changes import Action, Kind, Outcome
from bot.errors import StorageUnavailable, TryLater
from bot.library import NAMES, Progress
from bot.sandbox.faults import FAULTS
from bot.storage.changes import CHUNK, NewChange
from tests.callers import caller
from tests.library.stage import MEMBER, WRITE, Stage, down, until
from tests.world import FIRST, SECOND


async def test_a_large_request_tells_how_far_it_is_after_each_chunk(stage: Stage) -> None:
    ids = stage.albums(5 * CHUNK)
    stage.server.accounts["ada"].saved.update(dict.fromkeys(ids[:10], stage.now()))
    seen: list[Progress] = []
    report = await stage.save_many(ids, seen.append)
    assert [progress.left for progress in seen] == [160, 120, 80, 40, 0]
    assert seen[-1].counts == {Outcome.SAVED: 190, Outcome.ALREADY: 10}
    assert all(progress.left_s is not None for progress in seen)
    assert Counter(change.outcome for change in report.request.changes) == seen[-1].counts
    assert sorted(stage.saved) == sorted(ids)


async def test_one_album_alone_is_too_little_to_tell_how_far_it_is(stage: Stage) -> None:
    seen: list[Progress] = []
    await stage.save_many([SECOND], seen.append)
    assert seen == []


async def test_what_is_left_is_guessed_to_take_as_long_as_what_is_done(stage: Stage) -> None:
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        stage.time += 30

    await stage.save_many(stage.albums(5 * CHUNK), on_progress)
    assert [progress.left_s for progress in seen] == [0, 45, 40, 22.5, 0]


async def test_how_far_a_request_is_counts_its_own_albums_alone(stage: Stage) -> None:
    later = [NewChange(Kind.ALBUM, SECOND)]
    await stage.storage.changes.accept(caller(MEMBER, 2), Action.SAVE, later, stage.now())
    seen: list[Progress] = []
    await stage.save_many(stage.albums(5), seen.append)  # in one chunk with the later one
    assert [(progress.counts, progress.left) for progress in seen] == [({Outcome.SAVED: 5}, 0)]


async def test_what_is_no_album_is_counted_from_the_beginning(stage: Stage) -> None:
    seen: list[Progress] = []
    text = f"{' '.join(stage.albums(CHUNK + 1))} https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"
    await stage.library.change(caller(MEMBER, 1), Action.SAVE, text, seen.append)
    assert [(progress.counts, progress.left) for progress in seen] == [
        ({Outcome.NOT_ALBUM: 1, Outcome.SAVED: CHUNK}, 1),
        ({Outcome.NOT_ALBUM: 1, Outcome.SAVED: CHUNK + 1}, 0),
    ]


async def test_two_commands_of_one_interaction_are_told_the_same(stage: Stage) -> None:
    async with asyncio.timeout(20):
        reports = await asyncio.gather(*(stage.library.change(caller(MEMBER, 1), Action.SAVE, FIRST) for _ in range(2)))
    assert [report.request for report in reports] == [reports[0].request] * 2
    assert reports[0].request.changes[0].outcome is Outcome.SAVED
    assert sum(call.method == "PUT" for call in stage.server.calls) == 1


async def test_what_cannot_be_done_now_is_tried_once(stage: Stage) -> None:
    stage.server.fault(path=WRITE, method="PUT", times=None, **FAULTS["elsewhere"])
    await stage.save(FIRST)
    assert sum(call.path.endswith("/contains") for call in stage.server.calls) == 1


async def test_an_album_of_which_spotify_does_not_say_whether_it_is_saved_holds_no_other(stage: Stage) -> None:
    stage.server.fault(path="*/contains", body=b"[null, false]")
    stage.server.fault(path="*/contains", body=b"[null]")
    report = await stage.save_many([FIRST, SECOND], lambda progress: None)
    assert [change.outcome for change in report.request.changes] == [None, Outcome.SAVED]
    assert isinstance(report.held, TryLater)
    stage.library.wake(MEMBER)
    await stage.until_idle()
    assert set(stage.saved) == {FIRST, SECOND}


async def test_what_the_database_does_not_give_is_tried_again(stage: Stage) -> None:
    await stage.left_pending(MEMBER)
    database = stage.storage.database
    await database.write(lambda c: c.execute("ALTER TABLE library_changes RENAME TO moved"))
    stage.library.wake(MEMBER)
    await stage.until_idle()
    assert isinstance(stage.library.why_held(MEMBER), StorageUnavailable)
    assert stage.library.next_retry_s == 2.0
    await database.write(lambda c: c.execute("ALTER TABLE moved RENAME TO library_changes"))
    stage.library.wake(MEMBER)
    await stage.until_idle()
    assert stage.saved == [FIRST]
    assert stage.library.why_held(MEMBER) is None


async def test_what_cannot_be_done_now_is_not_tried_at_each_chunk_of_a_large_request(stage: Stage) -> None:
    tracks = [track.id for track in stage.server.catalogue.albums[FIRST].tracks[:2]]
    stage.server.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    later = [NewChange(Kind.TRACK, track) for track in tracks]
    await stage.storage.changes.accept(caller(MEMBER, 2), Action.SAVE, later, stage.now())
    await stage.save_many(stage.albums(5 * CHUNK))
    async with asyncio.timeout(60):
        while not stage.library.is_idle:
            await asyncio.sleep(0.005)
    asked = Counter(call.path for call in stage.server.calls if call.path.startswith("/v1/tracks/"))
    assert asked.keys() == {f"/v1/tracks/{track}" for track in tracks}
    assert len(set(asked.values())) == 1


async def test_a_later_small_request_goes_in_between_the_chunks_of_a_large_one(stage: Stage) -> None:
    stage.server.delay_s = 0.02
    ids = stage.albums(10 * CHUNK)
    seen: list[Progress] = []
    large = asyncio.create_task(stage.save_many(ids, seen.append))
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
        chunks = len(seen)
        small = await stage.save(FIRST)
        again = await stage.save(SECOND)
    assert [change.outcome for report in (small, again) for change in report.request.changes] == [Outcome.SAVED] * 2
    assert len(seen) <= chunks + 5
    assert not large.done()
    await large
    assert len(stage.saved) == len(ids) + 2


async def test_a_small_request_that_is_held_up_is_told_while_a_large_one_goes_on(stage: Stage) -> None:
    stage.server.delay_s = 0.02
    stage.server.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    seen: list[Progress] = []
    large = asyncio.create_task(stage.save_many(stage.albums(10 * CHUNK), seen.append))
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
        report = await stage.save(f"spotify:track:{stage.server.catalogue.albums[FIRST].tracks[0].id}")
    assert isinstance(report.held, TryLater)
    assert not large.done()
    await large


async def test_a_request_with_an_older_interaction_that_arrives_meanwhile_is_not_forgotten(stage: Stage) -> None:
    stage.server.delay_s = 0.01
    stage.last = 100
    seen: list[Progress] = []
    large = asyncio.create_task(stage.save_many(stage.albums(4 * CHUNK), seen.append))
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
        report = await stage.library.change(caller(MEMBER, 50), Action.SAVE, FIRST)
    assert [change.outcome for change in report.request.changes] == [Outcome.SAVED]
    await large


async def test_small_requests_go_in_between_in_whichever_order_they_arrive(stage: Stage) -> None:
    stage.server.delay_s = 0.02
    seen: list[Progress] = []
    large = asyncio.create_task(stage.save_many(stage.albums(12 * CHUNK), seen.append))
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
        for id_, album in ((200, FIRST), (150, SECOND)):
            report = await stage.library.change(caller(MEMBER, id_), Action.SAVE, album)
            assert [change.outcome for change in report.request.changes] == [Outcome.SAVED]
    assert not large.done()
    await large


async def test_what_arrives_before_a_runner_has_begun_is_not_forgotten(stage: Stage) -> None:
    changes = stage.storage.changes
    first = await changes.accept(caller(MEMBER, 1), Action.SAVE, [NewChange(Kind.ALBUM, FIRST)], stage.now())
    await changes.accept(caller(MEMBER, 2), Action.SAVE, [NewChange(Kind.ALBUM, SECOND)], stage.now())
    stage.library.wake(MEMBER, first)
    stage.library.wake(MEMBER)  # its task has not had a turn yet
    async with asyncio.timeout(60):
        while not stage.library.is_idle:
            await asyncio.sleep(0.005)
    assert sorted(stage.saved) == sorted([FIRST, SECOND])


async def test_a_small_request_passes_several_large_ones(stage: Stage) -> None:
    stage.server.delay_s = 0.01
    ids = stage.albums(12 * CHUNK)
    first = asyncio.create_task(stage.save_many(ids[: 6 * CHUNK]))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(stage.save_many(ids[6 * CHUNK :]))
    await asyncio.sleep(0.05)
    await stage.save(FIRST)
    assert not first.done()
    assert not second.done()
    await asyncio.gather(first, second)
    assert len(stage.saved) == len(ids) + 1


async def test_a_large_request_takes_few_places_at_the_gate(stage: Stage) -> None:
    stage.server.delay_s = 0.01
    await stage.save_many(stage.albums(5 * CHUNK))
    assert stage.server.max_in_flight <= 6


async def test_of_a_large_request_that_is_interrupted_the_rest_is_done_later_and_nothing_twice(stage: Stage) -> None:
    ids = stage.albums(6 * CHUNK)
    seen: list[Progress] = []

    def break_down(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            down(stage)

    report = await stage.save_many(ids, break_down)
    assert isinstance(report.held, TryLater)
    await stage.until_idle()
    failed = sum(call.status != 200 for call in stage.server.calls if call.path.endswith("/contains"))
    assert failed <= 6  # what the client tries for one chunk, and not for each
    assert Counter(change.outcome for change in report.request.changes) == {
        Outcome.SAVED: 2 * CHUNK,
        None: 4 * CHUNK,
    }
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    await until(stage, 1)
    [told] = stage.told
    assert Counter(change.outcome for change in told.request.changes) == {Outcome.SAVED: len(ids)}
    assert sum(call.method == "PUT" for call in stage.server.calls) == 6
    assert sorted(stage.saved) == sorted(ids)


@pytest.mark.parametrize(
    ("count", "place"),
    [(1, 0), (1, 1), (2 * CHUNK - 1, 0), (3 * CHUNK, 0), (3 * CHUNK, CHUNK + 1), (3 * CHUNK, 3 * CHUNK)],
)
async def test_one_change_that_cannot_be_done_now_does_not_hold_up_the_rest_of_its_request(
    count: int, place: int, stage: Stage
) -> None:
    ids = stage.albums(count)
    track = stage.server.catalogue.albums[FIRST].tracks[0].id
    stage.server.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    named = [*ids[:place], f"spotify:track:{track}", *ids[place:]]
    report = await stage.save(" ".join(named))
    assert isinstance(report.held, TryLater)
    assert sorted(stage.saved) == sorted(ids)
    assert await stage.pending() == 1
    await stage.until_idle()
    assert stage.library.next_retry_s == 2.0
    stage.server.clear_faults()
    stage.library.wake(MEMBER)
    await until(stage, 1)
    assert FIRST in stage.saved


@pytest.mark.parametrize("is_one_request", [True, False])
@pytest.mark.parametrize("place", [0, CHUNK - 1])
async def test_one_change_that_cannot_be_done_now_is_tried_once_however_much_follows(
    place: int, is_one_request: bool, stage: Stage
) -> None:
    ids = stage.albums(3 * CHUNK)
    changes = [NewChange(Kind.ALBUM, id_) for id_ in ids]
    track = NewChange(Kind.TRACK, stage.server.catalogue.albums[FIRST].tracks[0].id)
    stage.server.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    tries = []
    for wanted in ([track], [*changes[:place], track, *changes[place:]]):
        for some in [wanted] if is_one_request else [[each] for each in wanted]:
            stage.last += 1
            await stage.storage.changes.accept(caller(MEMBER, stage.last), Action.SAVE, some, stage.now())
        before = len(stage.server.calls)
        stage.library.wake(MEMBER)
        await stage.until_idle()
        tries.append(sum(call.path.startswith("/v1/tracks/") for call in stage.server.calls[before:]))
        await stage.library.drop(MEMBER)
    assert tries[0] == tries[1]
    assert sorted(stage.saved) == sorted(ids)


async def test_in_an_outage_a_large_request_costs_no_more_calls_than_a_small_one(stage: Stage) -> None:
    down(stage)
    report = await stage.save_many(stage.albums(10 * CHUNK))
    assert isinstance(report.held, TryLater)
    assert stage.library.next_retry_s == 2.0
    large = len(stage.server.calls)
    await stage.library.drop(MEMBER)
    await stage.save_many(stage.albums(CHUNK))
    assert large <= 2 * (len(stage.server.calls) - large)


async def test_a_small_request_that_is_held_up_is_not_forgotten_over_a_large_one(stage: Stage) -> None:
    track = stage.server.catalogue.albums[FIRST].tracks[0].id
    stage.server.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    earlier = [NewChange(Kind.TRACK, track)]
    await stage.storage.changes.accept(caller(MEMBER, 1), Action.SAVE, earlier, stage.now())
    stage.last = 1
    assert (await stage.save_many(stage.albums(3 * CHUNK))).held is None
    await stage.until_idle()
    assert isinstance(stage.library.why_held(MEMBER), TryLater)
    assert stage.library.next_retry_s == 2.0


async def test_in_an_outage_many_small_requests_cost_no_more_calls_than_a_few(stage: Stage) -> None:
    costs = []
    for count in (2, 3 * CHUNK):
        for _ in range(count):
            await stage.left_pending(MEMBER)
        down(stage)
        begun = len(stage.server.calls)
        stage.library.wake(MEMBER)
        await stage.until_idle()
        costs.append(len(stage.server.calls) - begun)
    assert costs[1] == costs[0]


async def test_only_the_first_ten_albums_of_a_request_are_looked_up_by_name(stage: Stage) -> None:
    ids = stage.albums(NAMES + 2)
    report = await stage.save_many(ids)
    asked = {call.path for call in stage.server.calls if call.path.startswith("/v1/albums/")}
    assert asked == {f"/v1/albums/{id_}" for id_ in ids[:NAMES]}
    assert [*report.albums] == ids[:NAMES]
    await stage.save_many(ids[:NAMES])
    assert len([call for call in stage.server.calls if call.path.startswith("/v1/albums/")]) == NAMES


async def test_a_command_that_waits_behind_a_large_request_that_is_held_up_is_told_so(stage: Stage) -> None:
    down(stage)
    large = asyncio.create_task(stage.save_many(stage.albums(3 * CHUNK)))
    await asyncio.sleep(0)
    small = await stage.save(FIRST)
    assert isinstance(small.held, TryLater)
    assert isinstance((await large).held, TryLater)


async def test_an_album_that_is_named_twice_in_different_chunks_counts_once(stage: Stage) -> None:
    ids = stage.albums(2 * CHUNK)
    track = stage.server.catalogue.albums[ids[0]].tracks[0].id
    report = await stage.save(f"{' '.join(ids)} spotify:track:{track}")
    assert Counter(change.outcome for change in report.request.changes) == {
        Outcome.SAVED: len(ids),
        Outcome.DUPLICATE: 1,
    }


async def test_another_member_is_served_while_a_large_request_runs(stage: Stage) -> None:
    stage.server.delay_s = 0.02
    other = await stage.another("ben")
    seen: list[Progress] = []
    large = asyncio.create_task(stage.save_many(stage.albums(10 * CHUNK), seen.append))
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.005)
        report = await stage.library.change(caller(other, 10_000), Action.SAVE, FIRST)
    assert [change.outcome for change in report.request.changes] == [Outcome.SAVED]
    assert not large.done()
    await large
    assert ("PUT", WRITE) in [(call.method, call.path) for call in stage.server.calls]
