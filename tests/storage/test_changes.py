"""Requests and changes: accepted once, ended once, told once; the last word on an album counts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.albums import AlbumId
from bot.caller import Caller, GuildId, MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, LibraryChange, Outcome
from bot.errors import StorageUnavailable
from bot.storage import Storage, open_storage
from bot.storage.changes import (
    CHUNK,
    HELD_MESSAGE,
    OUTCOME_MESSAGE,
    Ending,
    Key,
    LibraryChanges,
    NewChange,
    Pages,
    UndoVerdict,
)
from bot.storage.engine import Connection
from bot.storage.outbox import Answer, Direct, Outbox, Queued, State, Way
from bot.storage.vault import Vault
from tests.callers import caller
from tests.faults.disk import Disk
from tests.storage.rows import ADA, BEN, KEY, NOW, REMOVE, SAVE, X, Y, Z, ask, at, execute, link, on_disk, put, rows

TOKEN = "answer-token-of-the-undo"


def key(id_: int, position: int = 0) -> Key:
    return RequestId(id_), position


async def begin(storage: Storage, *seen: tuple[int, AlbumId, bool]) -> set[int]:
    """Note what a library holds; the requests of which the change must not be carried out."""
    ended = await storage.changes.begin([(key(id_), album, was_saved) for id_, album, was_saved in seen])
    return {id_ for id_, _ in ended}


async def end(storage: Storage, id_: int, outcome: Outcome, position: int = 0, now: int = NOW) -> list[ChangeRequest]:
    return await storage.changes.end([Ending(key(id_, position), outcome)], at(now))


async def got(storage: Storage, id_: int) -> ChangeRequest:
    request = await storage.changes.get(RequestId(id_))
    assert request is not None
    return request


async def done(storage: Storage, id_: int, *albums: AlbumId, action: Action = SAVE) -> None:
    """A command that changed all of its albums."""
    await ask(storage, id_, *albums, action=action)
    outcome = Outcome.SAVED if action is SAVE else Outcome.REMOVED
    for position in range(len(albums)):
        await end(storage, id_, outcome, position)


async def undo(storage: Storage, id_: int, of: int, member: int = ADA) -> UndoVerdict:
    verdict, _ = await storage.changes.accept_undo(caller(member, id_, TOKEN), RequestId(of), at())
    return verdict


async def outcomes(storage: Storage, id_: int) -> list[Outcome | None]:
    return [change.outcome for change in (await got(storage, id_)).changes]


# -- accepting


async def test_what_is_accepted_is_on_disk_with_all_its_changes_in_order(storage: Storage) -> None:
    changes = [
        NewChange(Kind.ALBUM, X),
        NewChange(Kind.SEARCH, "slow harbour"),
        NewChange(Kind.OTHER, "x", Outcome.NOT_ALBUM, "playlist"),
    ]
    accepted = await storage.changes.accept(caller(ADA), REMOVE, changes, at())
    request = await got(storage, 1)
    assert accepted.request.changes == request.changes
    assert (request.member, request.action) == (ADA, REMOVE)
    assert (request.ended, request.undone, request.undoes) == (False, False, None)
    assert int(request.created_at.timestamp()) == NOW
    assert request.changes == (
        LibraryChange(RequestId(1), 0, REMOVE, Kind.ALBUM, X, X),
        LibraryChange(RequestId(1), 1, REMOVE, Kind.SEARCH, "slow harbour"),
        LibraryChange(RequestId(1), 2, REMOVE, Kind.OTHER, "x", outcome=Outcome.NOT_ALBUM, detail="playlist"),
    )
    assert accepted.pending == list(request.changes[:2]) == await storage.changes.pending(ADA)


@pytest.mark.parametrize("guild", [None, GuildId(7)])
@pytest.mark.parametrize("is_ended", [False, True])
async def test_what_is_accepted_is_what_is_read_later(guild: GuildId | None, is_ended: bool, storage: Storage) -> None:
    changes = [
        NewChange(Kind.ALBUM, X, Outcome.DUPLICATE if is_ended else None),
        NewChange(Kind.TRACK, "t" * 22, Outcome.NO_ALBUM, "a detail"),
    ]
    asking = Caller(ADA, guild, "de", RequestId(1), "token")
    accepted = await storage.changes.accept(asking, REMOVE, changes, at().replace(microsecond=900_000))
    assert accepted.request == await got(storage, 1)
    assert (accepted.request.in_server, accepted.request.ended) == (guild is not None, is_ended)


async def test_how_many_changes_are_pending_and_since_when_is_known(storage: Storage) -> None:
    assert await storage.changes.waiting() == (0, None)
    await ask(storage, 2, X, Y, now=NOW + 60)
    await ask(storage, 1, Z, member=BEN, now=NOW)
    await ask(storage, 3, Z, now=NOW + 120)
    assert await storage.changes.waiting() == (4, at(NOW))
    await end(storage, 1, Outcome.SAVED)
    assert await storage.changes.waiting() == (3, at(NOW + 60))


async def test_a_request_and_its_undo_keep_the_language_in_which_each_was_asked(storage: Storage) -> None:
    await storage.changes.accept(caller(ADA, locale="de"), SAVE, [NewChange(Kind.ALBUM, X)], at())
    await end(storage, 1, Outcome.SAVED)
    await storage.changes.accept_undo(caller(ADA, 2, locale="ja"), RequestId(1), at())
    assert [(await got(storage, id_)).locale for id_ in (1, 2)] == ["de", "ja"]


async def test_a_second_acceptance_of_one_interaction_changes_nothing(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    await end(storage, 1, Outcome.SAVED)
    before = await rows(storage, "library_changes")
    await ask(storage, 1, Z, action=REMOVE)
    assert await rows(storage, "library_changes") == before
    assert (await got(storage, 1)).action is SAVE
    results = await asyncio.gather(*(ask(storage, 2, X) for _ in range(20)))
    assert len(results) == 20
    assert len([row for row in await rows(storage, "library_changes") if row["request_id"] == 2]) == 1


async def test_a_request_whose_changes_all_ended_at_once_is_ended(storage: Storage) -> None:
    changes = [NewChange(Kind.OTHER, "x", Outcome.UNREADABLE)]
    await storage.changes.accept(caller(ADA), SAVE, changes, at())
    assert (await got(storage, 1)).ended
    await storage.changes.accept(caller(ADA, 2), SAVE, [], at())
    assert (await got(storage, 2)).ended


async def test_pending_changes_come_in_the_order_of_the_interactions_whoever_was_stored_first(storage: Storage) -> None:
    await ask(storage, 30, X, Y)
    await ask(storage, 10, Z)
    await ask(storage, 20, X, member=BEN)
    assert [change.key for change in await storage.changes.pending(ADA)] == [(10, 0), (30, 0), (30, 1)]


async def test_pending_changes_are_read_chunk_by_chunk_the_oldest_first(storage: Storage) -> None:
    accepted = [await ask(storage, id_, *(AlbumId(f"{place:022d}") for place in range(30))) for id_ in (1, 2, 3)]
    first = accepted[-1].pending
    second = await storage.changes.chunk(ADA, first[-1].key)
    third = await storage.changes.chunk(ADA, second[-1].key)
    assert [len(chunk) for chunk in (first, second, third)] == [CHUNK, CHUNK, 10]
    keys = [change.key for change in (*first, *second, *third)]
    assert keys == [key(id_, place) for id_ in (1, 2, 3) for place in range(30)]
    assert await storage.changes.chunk(ADA, key(2, 20), RequestId(2)) == [
        change for change in await storage.changes.pending(ADA) if change.request_id == 2 and change.position > 20
    ]
    await ask(storage, 4, X, member=BEN)
    assert await storage.changes.pending_count(ADA) == 30  # albums, each of which is asked for three times


async def test_a_command_costs_the_same_however_much_the_member_asked_for_before(storage: Storage) -> None:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    async def cost(id_: int) -> int:
        before = steps
        await done(storage, id_, X)
        await answered(storage, id_)
        return steps - before

    await storage.database.read(lambda c: c.set_progress_handler(count, 10))
    first = await cost(1)
    for id_ in range(2, 500):
        await cost(id_)
    assert await cost(500) <= first * 1.2 + 5


async def test_an_interaction_token_is_sealed_and_gone_when_it_is_not_needed_any_more(
    storage: Storage, tmp_path: Path
) -> None:
    for id_ in (1, 2):
        await ask(storage, id_, X, token=f"answer-token-{id_}")
    assert b"answer-token" not in on_disk(tmp_path)
    await answered(storage, 1)
    await storage.changes.told([RequestId(2)])
    assert [row["interaction_token_sealed"] for row in await rows(storage, "change_requests")] == [None, None]


async def test_an_interaction_token_that_does_not_open_is_none_and_the_change_stays(storage: Storage) -> None:
    await ask(storage, 1, X)
    await execute(storage, "UPDATE change_requests SET interaction_token_sealed = x'00'")
    assert len(await storage.changes.pending(ADA)) == 1
    await answered(storage, 1, tells_end=False)
    await end(storage, 1, Outcome.SAVED)
    [message] = await told_by_outbox(storage)
    assert (message.way, message.token) == (Way.DIRECT, None)


# -- carrying out


async def test_what_was_noted_before_a_write_is_kept_by_a_retry(storage: Storage) -> None:
    await ask(storage, 1, X)
    assert await begin(storage, (1, X, False)) == set()
    # the write may have been carried out, so now the library holds it: what was before still counts
    assert await begin(storage, (1, X, True)) == set()
    [change] = await storage.changes.pending(ADA)
    assert change.was_saved is False


async def test_what_was_noted_is_forgotten_when_the_write_certainly_did_not_happen(storage: Storage) -> None:
    await ask(storage, 1, X)
    await begin(storage, (1, X, False))
    await storage.changes.not_carried_out([key(1)])
    await begin(storage, (1, X, True))
    [change] = await storage.changes.pending(ADA)
    assert change.was_saved is True


async def test_a_change_in_words_is_known_by_its_album_from_the_first_try_on(storage: Storage) -> None:
    await storage.changes.accept(caller(ADA), SAVE, [NewChange(Kind.SEARCH, "slow harbour")], at())
    await begin(storage, (1, X, False))
    [change] = await storage.changes.pending(ADA)
    assert (change.album_id, change.reference) == (X, "slow harbour")


async def test_a_request_ends_with_its_last_change_and_is_returned_once(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    assert await end(storage, 1, Outcome.SAVED) == []
    [ended] = await end(storage, 1, Outcome.ALREADY, 1)
    assert ended == await got(storage, 1)
    assert [change.outcome for change in ended.changes] == [Outcome.SAVED, Outcome.ALREADY]
    assert await end(storage, 1, Outcome.REFUSED, 1) == []
    assert await storage.changes.pending(ADA) == []


async def test_the_album_that_words_turned_out_to_mean_is_stored_with_their_end(storage: Storage) -> None:
    await storage.changes.accept(caller(ADA), SAVE, [NewChange(Kind.SEARCH, "slow harbour")], at())
    await storage.changes.end([Ending(key(1), Outcome.ALREADY, "a detail", X)], at())
    [change] = (await got(storage, 1)).changes
    assert (change.album_id, change.outcome, change.detail, change.choices) == (X, Outcome.ALREADY, "a detail", ())


async def test_only_a_request_that_saved_something_counts_for_its_card_and_once(storage: Storage) -> None:
    counted: list[str] = []
    vault = Vault([KEY])
    changes = LibraryChanges(
        storage.database, vault, Outbox(storage.database, vault), on_saved=lambda _, origin: counted.append(origin)
    )
    for id_, origin, outcome in (
        (1, "saved from here", Outcome.SAVED),
        (2, "was there already", Outcome.ALREADY),
        (3, None, Outcome.SAVED),
    ):
        accepted = [NewChange(Kind.ALBUM, X), NewChange(Kind.ALBUM, Y)]
        await changes.accept(caller(ADA, id_), SAVE, accepted, at(), origin=origin)
        await changes.end([Ending(key(id_), outcome)], at())
        assert len(counted) == (id_ > 1)
        await changes.end([Ending(key(id_, 1), outcome)], at())
    assert counted == ["saved from here"]


async def test_an_outcome_is_final(storage: Storage) -> None:
    await ask(storage, 1, X)
    await end(storage, 1, Outcome.SAVED)
    await storage.changes.end([Ending(key(1), Outcome.REFUSED, "detail", Y)], at())
    [change] = (await got(storage, 1)).changes
    assert (change.outcome, change.detail, change.album_id) == (Outcome.SAVED, None, X)


async def test_a_change_that_ended_meanwhile_must_not_be_carried_out(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    await storage.changes.drop(ADA, at(), is_busy=False)
    assert await begin(storage, (1, X, False)) == {1}
    assert await begin(storage, (99, X, False)) == {99}  # unlinked meanwhile: its row is gone


# -- the last change for an album wins


async def test_a_later_opposite_change_makes_an_earlier_one_outdated(storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, X, action=REMOVE)
    assert await begin(storage, (1, X, False), (2, X, False)) == {1}


async def test_the_order_is_that_of_the_interactions_not_of_their_arrival(storage: Storage) -> None:
    await ask(storage, 2, X, action=REMOVE)
    await ask(storage, 1, X)
    assert await begin(storage, (2, X, False)) == set()
    assert await begin(storage, (1, X, False)) == {1}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
async def test_of_three_commands_in_a_row_only_the_last_is_carried_out(
    order: tuple[int, int, int], storage: Storage
) -> None:
    for id_ in order:
        await ask(storage, id_, X, action=REMOVE if id_ == 2 else SAVE)
    assert await begin(storage, (1, X, False), (2, X, False), (3, X, False)) == {1, 2}


async def test_two_commands_for_the_same_change_are_both_carried_out(storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, X)
    assert await begin(storage, (1, X, False), (2, X, False)) == set()


async def test_other_albums_and_other_members_outdate_nothing(storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, Y, action=REMOVE)
    await ask(storage, 3, X, action=REMOVE, member=BEN)
    assert await begin(storage, (1, X, False), (2, Y, False), (3, X, False)) == set()


async def test_words_are_outdated_by_the_album_that_they_turn_out_to_mean(storage: Storage) -> None:
    await storage.changes.accept(caller(ADA), SAVE, [NewChange(Kind.SEARCH, "slow harbour")], at())
    await ask(storage, 2, X, action=REMOVE)
    assert await begin(storage, (1, X, False)) == {1}


@pytest.mark.parametrize("outcome", [Outcome.REMOVED, Outcome.ABSENT])
async def test_a_later_change_that_was_carried_out_outdates_too(outcome: Outcome, storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, X, action=REMOVE)
    await end(storage, 2, outcome)
    assert await begin(storage, (1, X, False)) == {1}


@pytest.mark.parametrize(
    "outcome",
    [Outcome.DROPPED, Outcome.GIVEN_UP, Outcome.REFUSED, Outcome.NO_SEAT, Outcome.NO_ALBUM, Outcome.SUPERSEDED],
)
async def test_a_later_change_that_came_to_nothing_outdates_nothing(outcome: Outcome, storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, X, action=REMOVE)
    await end(storage, 2, outcome)
    assert await begin(storage, (1, X, False)) == set()


async def test_a_kill_between_noting_and_ending_leaves_nothing_that_nobody_is_told_of(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await ask(storage, 1, X)
    await ask(storage, 2, X, action=REMOVE)
    assert await begin(storage, (1, X, False), (2, X, False)) == {1}
    await storage.close()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await storage.changes.recover(at())
    assert await told_by_outbox(storage) == []
    waiting = [change.request_id for change in await storage.changes.pending(ADA)]
    outdated = await begin(storage, *((id_, X, False) for id_ in waiting))
    for id_ in waiting:
        await end(storage, id_, Outcome.SUPERSEDED if id_ in outdated else Outcome.ABSENT)
    assert sorted([message.subject for message in await told_by_outbox(storage)]) == ["1", "2"]
    await storage.close()


# -- undo


async def test_an_undo_takes_back_exactly_what_was_changed(storage: Storage) -> None:
    await ask(storage, 1, X, Y, Z)
    await end(storage, 1, Outcome.SAVED)
    await end(storage, 1, Outcome.ALREADY, 1)
    await end(storage, 1, Outcome.SAVED, 2)
    assert await undo(storage, 2, 1) is UndoVerdict.ACCEPTED
    request = await got(storage, 2)
    assert (request.action, request.undoes) == (REMOVE, 1)
    assert [change.album_id for change in request.changes] == [X, Z]
    assert [change.album_id for change in await storage.changes.pending(ADA)] == [X, Z]
    assert (await got(storage, 1)).undone


async def test_an_undo_that_is_accepted_comes_with_its_request_and_no_other_does(storage: Storage) -> None:
    await done(storage, 1, X)
    accepted = await storage.changes.accept_undo(caller(ADA, 2), RequestId(1), at(NOW + 5))
    assert accepted == (UndoVerdict.ACCEPTED, await got(storage, 2))
    assert await storage.changes.accept_undo(caller(ADA, 2), RequestId(1), at()) == (UndoVerdict.BEING_USED, None)
    assert await storage.changes.accept_undo(caller(BEN, 3), RequestId(1), at()) == (UndoVerdict.NOT_YOURS, None)


async def test_an_undo_of_removing_saves(storage: Storage) -> None:
    await done(storage, 1, X, action=REMOVE)
    await undo(storage, 2, 1)
    assert (await got(storage, 2)).action is SAVE


async def test_an_undo_serves_once_however_often_it_is_pressed_at_once(storage: Storage) -> None:
    await done(storage, 1, X)
    verdicts = await asyncio.gather(*(undo(storage, 10 + number, 1) for number in range(10)))
    assert sorted(verdicts) == [UndoVerdict.ACCEPTED] + [UndoVerdict.BEING_USED] * 9
    accepted = 10 + verdicts.index(UndoVerdict.ACCEPTED)
    assert [change.request_id for change in await storage.changes.pending(ADA)] == [accepted]
    await end(storage, accepted, Outcome.REMOVED)
    assert await undo(storage, 30, 1) is UndoVerdict.USED


async def test_an_undo_that_came_to_nothing_can_be_pressed_again(storage: Storage) -> None:
    await done(storage, 1, X)
    await undo(storage, 2, 1)
    await storage.changes.drop(ADA, at(), is_busy=False)
    assert await undo(storage, 3, 1) is UndoVerdict.ACCEPTED


async def test_an_undo_is_for_the_one_who_asked(storage: Storage) -> None:
    await done(storage, 1, X)
    assert await undo(storage, 2, 1, BEN) is UndoVerdict.NOT_YOURS
    assert not (await got(storage, 1)).undone
    assert await storage.changes.get(RequestId(2)) is None


async def test_an_undo_of_what_is_not_known_is_refused(storage: Storage) -> None:
    assert await undo(storage, 2, 1) is UndoVerdict.UNKNOWN


async def test_an_undo_of_what_is_not_done_yet_is_refused(storage: Storage) -> None:
    await ask(storage, 1, X)
    assert await undo(storage, 2, 1) is UndoVerdict.UNDER_WAY
    assert await storage.changes.get(RequestId(2)) is None


async def test_an_undo_does_not_reach_into_another_account(storage: Storage) -> None:
    await put(storage)
    await done(storage, 1, X)
    await put(storage, link(account="acc-other"))
    assert await undo(storage, 2, 1) is UndoVerdict.UNKNOWN
    assert await storage.changes.pending(ADA) == []


@pytest.mark.parametrize("later", [Outcome.REMOVED, Outcome.SAVED, None])
async def test_an_undo_leaves_what_a_later_command_changed(later: Outcome | None, storage: Storage) -> None:
    await done(storage, 1, X, Y)
    await ask(storage, 2, X, action=REMOVE)
    if later is not None:
        await end(storage, 2, later)
    await undo(storage, 3, 1)
    assert await outcomes(storage, 3) == [Outcome.CHANGED_SINCE, None]


@pytest.mark.parametrize("later", [Outcome.ALREADY, Outcome.DROPPED, Outcome.REFUSED])
async def test_a_later_command_that_changed_nothing_does_not_stand_in_the_way(later: Outcome, storage: Storage) -> None:
    await done(storage, 1, X)
    await ask(storage, 2, X)
    await end(storage, 2, later)
    await undo(storage, 3, 1)
    assert await outcomes(storage, 3) == [None]


async def test_an_undo_with_nothing_left_to_do_is_ended_at_once(storage: Storage) -> None:
    await done(storage, 1, X)
    await done(storage, 2, X, action=REMOVE)
    await undo(storage, 3, 1)
    assert (await got(storage, 3)).ended
    assert await undo(storage, 4, 1) is UndoVerdict.USED


# -- what ends without Spotify


async def test_a_member_drops_what_waits_and_only_theirs(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    await end(storage, 1, Outcome.SAVED)
    await ask(storage, 8, Z)  # a set names 8 before 1
    await ask(storage, 9, X, member=BEN)
    count, _, ended = await storage.changes.drop(ADA, at(), is_busy=False)
    assert (count, [request.id for request in ended]) == (2, [1, 8])
    assert await outcomes(storage, 1) == [Outcome.SAVED, Outcome.DROPPED]
    assert len(await storage.changes.pending(BEN)) == 1
    assert await storage.changes.drop(ADA, at(), is_busy=False) == (0, 0, [])


async def test_of_a_members_requests_one_can_be_dropped(storage: Storage) -> None:
    for id_ in (1, 2):
        await ask(storage, id_, X, Y)
    count, _, ended = await storage.changes.drop(ADA, at(), is_busy=False, request=RequestId(2))
    assert (count, [request.id for request in ended]) == (2, [2])
    assert await outcomes(storage, 1) == [None, None]


async def test_dropping_leaves_what_may_be_on_its_way(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    await begin(storage, (1, X, False))
    count, left, _ = await storage.changes.drop(ADA, at(), is_busy=True)
    assert (count, left) == (1, 1)
    assert await outcomes(storage, 1) == [None, Outcome.DROPPED]


async def test_an_album_of_several_requests_is_counted_once(storage: Storage) -> None:
    await ask(storage, 1, X, Y)
    await ask(storage, 2, X)
    assert await storage.changes.pending_count(ADA) == 2
    count, _, _ = await storage.changes.drop(ADA, at(), is_busy=False)
    assert count == 2


async def test_what_waits_too_long_is_given_up_and_what_is_younger_is_not(storage: Storage) -> None:
    await ask(storage, 1, X, Y, now=NOW - 100)
    await end(storage, 1, Outcome.SAVED)
    await ask(storage, 2, Z, now=NOW)
    [ended] = await storage.changes.give_up(at(), at())
    assert ended.id == 1
    assert await outcomes(storage, 1) == [Outcome.SAVED, Outcome.GIVEN_UP]
    assert await outcomes(storage, 2) == [None]
    assert await storage.changes.give_up(at(), at()) == []


async def test_what_waits_for_a_member_who_must_link_again_is_given_up_later(storage: Storage) -> None:
    """And what waits for one who has just done so."""
    must, did, never, linked = (MemberId(number) for number in (1, 2, 3, 4))
    for member, consented, broken in ((must, -100, "revoked"), (did, 0, None), (linked, -100, None)):
        await put(storage, link(member, f"acc-{member}", consented_at=at(NOW + consented), broken=broken))
    await storage.links.mark_broken(must, "revoked")
    for id_, member in enumerate((must, did, never, linked), 1):
        await ask(storage, id_, X, member=member, now=NOW - 50)
    ended = await storage.changes.give_up(at(), at(), waiting_before=at(NOW - 50))
    assert [request.member for request in ended] == [never, linked]
    ended = await storage.changes.give_up(at(), at(), waiting_before=at(NOW - 49))
    assert [request.member for request in ended] == [must, did]


async def test_what_ended_long_ago_is_deleted_with_its_changes_and_what_waits_is_not(storage: Storage) -> None:
    await ask(storage, 1, X)
    await end(storage, 1, Outcome.SAVED, now=NOW - 100)
    await ask(storage, 2, X, now=NOW - 1000)
    await ask(storage, 3, Y)
    await end(storage, 3, Outcome.SAVED, now=NOW)
    await storage.changes.purge(at())
    assert [row["id"] for row in await rows(storage, "change_requests")] == [2, 3]
    assert {row["request_id"] for row in await rows(storage, "library_changes")} == {2, 3}
    assert await undo(storage, 4, 1) is UndoVerdict.UNKNOWN


async def test_what_is_being_written_is_not_given_up(storage: Storage) -> None:
    await ask(storage, 1, X, Y, now=NOW - 100)
    await ask(storage, 2, X, member=BEN, now=NOW - 100)
    await begin(storage, (1, X, False), (2, X, False))
    await storage.changes.give_up(at(), at(), [ADA])
    assert await outcomes(storage, 1) == [None, Outcome.GIVEN_UP]
    assert await outcomes(storage, 2) == [Outcome.GIVEN_UP]


# -- withdrawing


@pytest.mark.parametrize("outcome", [Outcome.SAVED, Outcome.REMOVED])
async def test_a_request_of_which_something_was_carried_out_is_not_withdrawn(
    storage: Storage, outcome: Outcome
) -> None:
    await ask(storage, 1, X, Y)
    await end(storage, 1, outcome)
    assert not await storage.changes.withdraw(RequestId(1))
    assert await outcomes(storage, 1) == [outcome, None]


async def test_a_request_that_is_noted_for_a_write_is_not_withdrawn_and_others_are(storage: Storage) -> None:
    await ask(storage, 1, X)
    await ask(storage, 2, Y)
    await begin(storage, (1, X, False))
    assert not await storage.changes.withdraw(RequestId(1))
    assert await storage.changes.withdraw(RequestId(2))
    assert [row["id"] for row in await rows(storage, "change_requests")] == [1]


async def test_a_request_can_be_taken_back_while_the_disk_does_not_flush(tmp_path: Path) -> None:
    disk = Disk()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], disk.connect, disk.sync)
    await ask(storage, 1, X)
    disk.fails = True
    assert await storage.changes.withdraw(RequestId(1))
    disk.fails = False
    assert await storage.changes.get(RequestId(1)) is None
    await storage.close()


async def test_what_was_accepted_is_on_the_disk_as_soon_as_the_disk_takes_it_again(tmp_path: Path) -> None:
    disk = Disk()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], disk.connect, disk.sync)
    await storage.changes.on_disk()  # nothing was accepted
    disk.fails = True
    await ask(storage, 1, X)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await storage.changes.on_disk()
    disk.fails = False
    before = disk.flushes
    await storage.changes.on_disk()
    assert disk.flushes == before + 1
    await storage.changes.on_disk()
    assert disk.flushes == before + 1, "it is there already"
    await storage.close()


async def test_a_change_costs_one_flush_of_the_disk_from_its_command_to_its_answer(tmp_path: Path) -> None:
    disk = Disk()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], disk.connect, disk.sync)
    before = disk.flushes
    await ask(storage, 1, X, Y)
    await storage.changes.on_disk()
    await begin(storage, (1, X, False))
    await storage.changes.not_carried_out([key(1)])
    await begin(storage, (1, X, False))
    for position in (0, 1):
        await end(storage, 1, Outcome.SAVED, position)
    await answered(storage, 1)
    storage.changes.told_by_answer(RequestId(1))
    await storage.changes.note_answers()
    assert disk.flushes == before + 1
    await storage.close()


# -- what the member is told


async def answered(
    storage: Storage, id_: int, *, arrived: bool = True, tells_end: bool = True, pages: Pages | None = None
) -> None:
    await storage.changes.answered(RequestId(id_), at(), arrived=arrived, tells_end=tells_end, pages=pages)


async def told_by_outbox(storage: Storage) -> list[Queued]:
    """The messages about requests that are to be sent, one per member at a time."""
    found: list[Queued] = []
    while messages := (await storage.outbox.due(at(NOW + 1), 100))[0]:
        found += messages
        for message in messages:
            await storage.outbox.settle(message, State.CONFIRMED, at())
    return sorted(found, key=lambda message: message.id)


async def told(storage: Storage, id_: int) -> str | None:
    [row] = [row for row in await rows(storage, "change_requests") if row["id"] == id_]
    found: str | None = row["told"]
    return found


async def test_an_answer_that_tells_the_end_is_all_that_is_told(storage: Storage) -> None:
    await done(storage, 1, X)
    assert await told_by_outbox(storage) == []
    await answered(storage, 1)
    assert await told(storage, 1) == "yes"
    assert await told_by_outbox(storage) == []


async def test_what_ends_after_its_answer_is_told_by_editing_that_answer(storage: Storage) -> None:
    await ask(storage, 1, X, token="token-of-1")
    await answered(storage, 1, tells_end=False)
    assert await told_by_outbox(storage) == []
    await end(storage, 1, Outcome.SAVED)
    [message] = await told_by_outbox(storage)
    assert (message.kind, message.subject, message.way, message.token) == (
        OUTCOME_MESSAGE,
        "1",
        Way.ANSWER,
        "token-of-1",
    )
    assert await told(storage, 1) == "yes"


async def test_what_ends_while_its_answer_is_on_its_way_is_told_although_the_answer_does_not_say_it(
    storage: Storage,
) -> None:
    await ask(storage, 1, X)
    await end(storage, 1, Outcome.SAVED)
    await answered(storage, 1, tells_end=False)
    assert [message.way for message in await told_by_outbox(storage)] == [Way.ANSWER]


async def test_whoever_comes_first_exactly_one_of_end_and_answer_lets_it_be_told(storage: Storage) -> None:
    """However the end of a request and the answer of its command fall together."""
    for id_ in range(1, 41):
        await ask(storage, id_, X)
    for id_ in range(1, 41):
        jobs = [end(storage, id_, Outcome.SAVED), answered(storage, id_, tells_end=False)]
        await asyncio.gather(*(jobs if id_ % 2 else jobs[::-1]))
    assert [int(message.subject) for message in await told_by_outbox(storage)] == [*range(1, 41)]


async def test_what_was_answered_in_vain_is_told_directly(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, arrived=False)
    await ask(storage, 2, X)
    await answered(storage, 2, arrived=False, tells_end=False)
    await end(storage, 2, Outcome.ALREADY)
    assert [message.way for message in await told_by_outbox(storage)] == [Way.DIRECT, Way.DIRECT]


async def test_of_an_answer_that_arrived_in_part_the_rest_is_told(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, pages=Pages(2, notes=70))
    [message] = await told_by_outbox(storage)
    assert (message.way, message.page, message.payload["notes"]) == (Way.ANSWER, 2, 70)


@pytest.mark.parametrize(("arrived", "tells_end"), [(False, True), (True, False)])
async def test_an_answer_whose_pages_do_not_show_the_end_is_told_whole(
    arrived: bool, tells_end: bool, storage: Storage
) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, arrived=arrived, tells_end=tells_end, pages=Pages(2, notes=70))
    [message] = await told_by_outbox(storage)
    assert message.page == 0
    assert "notes" not in message.payload


async def test_an_answer_that_shows_an_error_does_not_count_as_told(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, tells_end=False)
    assert await told(storage, 1) is None
    assert len(await told_by_outbox(storage)) == 1


async def test_a_second_answer_to_one_interaction_that_fails_takes_nothing_back(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1)
    await answered(storage, 1, arrived=False)
    assert await told(storage, 1) == "yes"
    assert await told_by_outbox(storage) == []


async def test_whoever_dropped_something_is_told_only_where_it_was_promised(storage: Storage) -> None:
    for id_, arrived in ((1, True), (2, False)):
        await ask(storage, id_, X)
        await answered(storage, id_, arrived=arrived, tells_end=False)
    await storage.changes.drop(ADA, at(), is_busy=False)
    [message] = await told_by_outbox(storage)
    assert (message.subject, message.way, message.or_directly) == ("1", Way.ANSWER, False)
    assert await told(storage, 2) == "yes"


async def test_after_a_start_the_outbox_tells_what_commands_no_longer_can(storage: Storage) -> None:
    await done(storage, 1, X)  # killed before it answered
    await ask(storage, 2, Y)
    await done(storage, 3, Z)
    await answered(storage, 3)
    await storage.changes.recover(at())
    assert [message.subject for message in await told_by_outbox(storage)] == ["1"]
    await end(storage, 2, Outcome.SAVED)
    assert [message.subject for message in await told_by_outbox(storage)] == ["2"]
    await storage.changes.recover(at())
    assert await told_by_outbox(storage) == []


async def test_members_with_pending_changes_are_found_page_by_page(storage: Storage) -> None:
    for number in range(1, 8):
        await ask(storage, number, X, Y, member=MemberId(number))
    await end(storage, 3, Outcome.SAVED)
    await end(storage, 3, Outcome.SAVED, 1)
    await put(storage, link(5))
    first = await storage.changes.members_pending(MemberId(0), 4)
    second = await storage.changes.members_pending(first[-1][0], 4)
    assert (first, second) == ([(1, None), (2, None), (4, None), (5, "client")], [(6, None), (7, None)])


async def test_what_could_not_be_told_comes_with_the_next_command_until_it_is_told(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, arrived=False)
    [message], _ = await storage.outbox.due(at(), 10)
    await storage.outbox.settle(message, State.REFUSED, at())
    assert await told(storage, 1) == "refused"
    await ask(storage, 2, Y)  # not done yet
    assert (await ask(storage, 3, Z)).untold == (1,)
    assert (await ask(storage, 4, Z, member=BEN)).untold == ()
    assert await storage.changes.still_untold([RequestId(1), RequestId(2)]) == [1]
    await storage.changes.told([RequestId(1)])
    assert await storage.changes.still_untold([RequestId(1), RequestId(2)]) == []
    assert (await ask(storage, 5, Z)).untold == ()


async def test_what_an_answer_told_is_noted_with_the_next_request_or_when_there_is_none(storage: Storage) -> None:
    for id_ in (1, 2):
        await done(storage, id_, X)
    storage.changes.told_by_answer(RequestId(1))
    assert await told(storage, 1) is None, "one job less"
    await ask(storage, 3, Y)
    assert [await told(storage, id_) for id_ in (1, 2)] == ["yes", None]
    storage.changes.told_by_answer(RequestId(2))
    await storage.changes.note_answers()
    assert await told(storage, 2) == "yes"
    await storage.close()
    await storage.changes.note_answers()  # asks for nothing


async def test_what_an_answer_tells_while_others_are_noted_is_noted_too(storage: Storage) -> None:
    for id_ in (1, 2):
        await done(storage, id_, X)
    storage.changes.told_by_answer(RequestId(1))
    noting = asyncio.create_task(storage.changes.note_answers())
    await asyncio.sleep(0)
    storage.changes.told_by_answer(RequestId(2))
    await noting
    assert [await told(storage, id_) for id_ in (1, 2)] == ["yes", "yes"]


async def test_what_an_answer_told_is_noted_although_the_next_request_is_not_stored(storage: Storage) -> None:
    def refuse(_: Connection) -> None:
        raise RuntimeError

    await done(storage, 1, X)
    storage.changes.told_by_answer(RequestId(1))
    with pytest.raises(RuntimeError):
        await storage.changes.accept(caller(ADA, 2), SAVE, [NewChange(Kind.ALBUM, Y)], at(), also=refuse)
    assert await told(storage, 1) is None
    await storage.changes.note_answers()
    assert await told(storage, 1) == "yes"


async def test_what_an_answer_was_to_tell_and_did_not_is_sent_once_more(storage: Storage) -> None:
    for id_, album in ((1, X), (2, Y), (3, Z)):
        await done(storage, id_, album)
        await answered(storage, id_, arrived=False)
        [message], _ = await storage.outbox.due(at(), 10)
        await storage.outbox.settle(message, State.REFUSED, at())
    await storage.changes.told([RequestId(2)])
    await storage.changes.tell_again([RequestId(id_) for id_ in (1, 2, 99)], at())
    assert [await told(storage, id_) for id_ in (1, 2, 3)] == [None, "yes", "refused"]
    assert [message.subject for message in await told_by_outbox(storage)] == ["1"]


async def test_what_waits_for_another_attempt_is_taken_over_by_the_next_answer(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, arrived=False)
    assert (await ask(storage, 2, Y)).untold == ()  # it may be sent at this moment
    [message], _ = await storage.outbox.due(at(), 10)
    await storage.outbox.begin(message, Way.DIRECT, 0, at(), durable=True)
    await storage.outbox.later(message, at(NOW + 3600), may_have_arrived=False)
    assert (await ask(storage, 3, Y)).untold == (1,)
    assert (await storage.outbox.due(at(NOW + 4000), 10))[0] == []


async def test_what_is_being_sent_does_not_keep_the_next_answer_from_telling_the_rest(storage: Storage) -> None:
    for id_, album in ((1, X), (2, Y)):
        await done(storage, id_, album)
        await answered(storage, id_, arrived=False)
    [message], _ = await storage.outbox.due(at(), 10)
    assert message.subject == "1"  # the other waits behind it
    await execute(storage, "UPDATE outbox SET tries = 1 WHERE subject = '2'")
    assert (await ask(storage, 3, Z)).untold == (2,)


async def test_what_may_have_arrived_is_not_told_by_the_next_answer(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, arrived=False)
    [message], _ = await storage.outbox.due(at(), 10)
    await storage.outbox.begin(message, Way.DIRECT, 0, at(), durable=True)
    await storage.outbox.later(message, at(NOW + 60), may_have_arrived=True)
    assert (await ask(storage, 2, Y)).untold == ()


async def test_why_a_request_stays_pending_is_told_once_for_each_link(storage: Storage) -> None:
    await put(storage)
    await ask(storage, 1, X)
    await answered(storage, 1, tells_end=False)
    for second in (NOW, NOW + 86_400):
        await storage.changes.tell_held(RequestId(1), "revoked", at(second))
    assert len(await rows(storage, "outbox")) == 1
    await put(storage, link(consented_at=at(NOW + 90_000)))  # linked again, and revoked again
    await storage.changes.tell_held(RequestId(1), "revoked", at(NOW + 90_001))
    assert [json.loads(row["payload"])["reason"] for row in await rows(storage, "outbox")] == ["revoked"] * 2


async def test_why_a_request_stays_pending_is_told_directly_where_its_answer_cannot_be_edited(storage: Storage) -> None:
    asking = Caller(ADA, None, "ja", RequestId(1), "token")
    await storage.changes.accept(asking, SAVE, [NewChange(Kind.ALBUM, X)], at())
    await answered(storage, 1, tells_end=False)
    await storage.changes.tell_held(RequestId(1), "revoked", at())
    await storage.changes.tell_held(RequestId(99), "revoked", at())  # gone meanwhile
    [message] = await told_by_outbox(storage)
    assert (message.kind, message.way, message.or_directly, message.locale) == (HELD_MESSAGE, Way.ANSWER, True, "ja")
    assert message.payload == {"request": 1, "reason": "revoked"}


async def test_a_member_is_told_where_their_answer_arrived_and_directly_where_it_did_not(storage: Storage) -> None:
    assert await storage.changes.address(RequestId(1)) is None
    await ask(storage, 1, X, token="token-of-1")
    assert await storage.changes.address(RequestId(1)) == Direct(ADA)
    await answered(storage, 1, tells_end=False)
    assert await storage.changes.address(RequestId(1)) == Answer(ADA, "token-of-1", at(), or_directly=True)
    await storage.changes.told([RequestId(1)])
    assert await storage.changes.address(RequestId(1)) == Direct(ADA)


@pytest.mark.parametrize("arrived", [True, False])
async def test_why_a_request_stays_pending_is_not_told_again_after_an_answer_that_said_it(
    arrived: bool, storage: Storage
) -> None:
    await put(storage)
    await ask(storage, 1, X)
    now = at()
    await storage.changes.answered(RequestId(1), now, arrived=arrived, tells_end=False, tells_held="revoked")
    await storage.changes.tell_held(RequestId(1), "revoked", now)
    assert len(await told_by_outbox(storage)) == int(not arrived)


async def test_of_a_request_that_has_ended_nothing_says_why_it_stays_pending(storage: Storage) -> None:
    await done(storage, 1, X)
    await answered(storage, 1, tells_end=False)
    await storage.changes.tell_held(RequestId(1), "revoked", at())
    assert [message.kind for message in await told_by_outbox(storage)] == [OUTCOME_MESSAGE]


# -- what a search offers


async def test_offered_albums_are_kept_as_choices(storage: Storage) -> None:
    await storage.changes.accept(caller(ADA), SAVE, [NewChange(Kind.SEARCH, "slow harbour")], at())
    await storage.changes.end([Ending(key(1), Outcome.OFFERED, choices=(X, Y))], at())
    [change] = (await got(storage, 1)).changes
    assert (change.choices, change.detail) == ((X, Y), None)


async def test_an_album_that_its_request_names_twice_is_a_duplicate_also_in_another_chunk(storage: Storage) -> None:
    changes = [NewChange(Kind.ALBUM, X), NewChange(Kind.TRACK, "t" * 22)]
    await storage.changes.accept(caller(ADA), SAVE, changes, at())
    assert await storage.changes.begin([(key(1), X, False)]) == {}
    assert await storage.changes.begin([(key(1, 1), X, True)]) == {key(1, 1): Outcome.DUPLICATE}


async def test_what_is_given_up_after_a_write_was_tried_is_unsure(storage: Storage) -> None:
    await ask(storage, 1, X, Y, now=NOW - 100)
    await begin(storage, (1, X, False))
    [ended] = await storage.changes.give_up(at(), at())
    assert [change.outcome for change in ended.changes] == [Outcome.GIVEN_UP, Outcome.GIVEN_UP]
    assert [change.is_unsure for change in ended.changes] == [True, False]
