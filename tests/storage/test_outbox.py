"""The outbox: each fact is told once, in order, and nothing that may have arrived is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.caller import MemberId
from bot.storage import Storage
from bot.storage.engine import Connection
from bot.storage.outbox import (
    TOKEN_LIFE,
    Address,
    Answer,
    Channel,
    Direct,
    DirectEdit,
    Edit,
    FollowUp,
    Gone,
    Hosts,
    Message,
    Queued,
    State,
    Way,
)
from tests.storage.rows import ADA, BEN, NOW, at, rows

ANSWER = Answer(ADA, "answer-token", at())
TO_ADA = Direct(ADA)


async def put(
    storage: Storage,
    subject: str,
    address: Address = TO_ADA,
    kind: str = "kind",
    due_at: datetime | None = None,
    payload: Mapping[str, Any] | None = None,
) -> bool:
    return await storage.outbox.add(Message(kind, subject, address, payload or {}, "de", due_at), at())


async def due(storage: Storage, seconds: int = 0, limit: int = 100) -> list[str]:
    """The subjects of what is due this long after now."""
    return [message.subject for message in (await storage.outbox.due(at(NOW + seconds), limit))[0]]


async def first(storage: Storage, seconds: int = 0) -> Queued:
    return (await storage.outbox.due(at(NOW + seconds), 1))[0][0]


async def failed(storage: Storage, subject: str, again_in_s: int, *, may_have_arrived: bool = False) -> None:
    """An attempt to send this message failed."""
    [message] = [each for each in (await storage.outbox.due(at(), 100))[0] if each.subject == subject]
    await storage.outbox.begin(message, message.way, 0, at(), durable=True)
    await storage.outbox.later(message, at(NOW + again_in_s), may_have_arrived=may_have_arrived)


async def settled(storage: Storage, subject: str, message_id: int | None = None, now: int = NOW) -> None:
    [message] = [each for each in (await storage.outbox.due(at(), 100))[0] if each.subject == subject]
    await storage.outbox.settle(message, State.CONFIRMED, at(now), message_id)


# -- what is stored


async def test_a_fact_is_told_once_by_each_kind_of_message(storage: Storage) -> None:
    assert await put(storage, "fact")
    assert not await put(storage, "fact", Direct(BEN))
    assert await put(storage, "fact", kind="another kind")
    await settled(storage, "fact")
    assert not await put(storage, "fact")


async def test_what_an_answer_told_is_not_sent_unless_it_is_on_its_way_already(storage: Storage) -> None:
    async def told(subject: str) -> bool:
        message = Message("kind", subject, ANSWER, {"secret": 1})
        return await storage.database.write(lambda c: storage.outbox.put(c, message, at(NOW + 5), is_told=True))

    await put(storage, "on its way")
    assert await told("fact")
    assert not await told("on its way")
    assert await due(storage) == ["on its way"]
    [row] = [row for row in await rows(storage, "outbox") if row["subject"] == "fact"]
    assert (row["state"], row["ended_at"]) == ("confirmed", NOW + 5)
    assert (row["payload"], row["interaction_token_sealed"]) == ("{}", None)


@pytest.mark.parametrize(
    ("address", "way", "member", "channel", "or_directly"),
    [
        (ANSWER, Way.ANSWER, ADA, None, True),
        (Answer(ADA, "answer-token", at(), or_directly=False), Way.ANSWER, ADA, None, False),
        (FollowUp(ADA, "answer-token", at()), Way.FOLLOW_UP, ADA, None, False),
        (Direct(ADA), Way.DIRECT, ADA, None, False),
        (Channel(7), Way.CHANNEL, None, 7, False),
        (Edit(7, "kind", "posted"), Way.EDIT, None, 7, False),
        (DirectEdit(ADA, "kind", "posted"), Way.EDIT, ADA, None, False),
        (Hosts(), Way.HOSTS, None, None, False),
    ],
)
async def test_a_message_comes_back_as_it_was_stored(
    address: Address, way: Way, member: MemberId | None, channel: int | None, or_directly: bool, storage: Storage
) -> None:
    message = Message("kind", "subject", address, {"request": 1}, "de", pages_sent=2)
    assert await storage.outbox.add(message, at().replace(microsecond=999_999))
    queued = await first(storage)
    assert (queued.kind, queued.subject, queued.way, queued.payload) == ("kind", "subject", way, {"request": 1})
    assert (queued.member_id, queued.channel_id, queued.or_directly) == (member, channel, or_directly)
    has_token = way in (Way.ANSWER, Way.FOLLOW_UP)
    assert queued.token == ("answer-token" if has_token else None)
    assert queued.token_until == (at() + TOKEN_LIFE if has_token else None)
    assert (queued.locale, queued.created_at, queued.page, queued.tries) == ("de", at(), 2, 0)
    assert (queued.sending_at, queued.edits) == (None, None)


async def test_the_nonces_of_messages_and_of_their_pages_differ_and_are_short_enough(storage: Storage) -> None:
    for member in (ADA, BEN):
        await put(storage, str(member), Direct(member))
    messages, _ = await storage.outbox.due(at(), 10)
    nonces = {message.nonce_of(page) for message in messages for page in range(100)}
    assert len(nonces) == 200
    assert max(map(len, nonces)) <= 25


async def test_an_edit_knows_the_message_that_it_edits(storage: Storage) -> None:
    await put(storage, "posted", Channel(7), kind="another kind")
    await put(storage, "posted", Channel(7))
    await put(storage, "edit", Edit(7, "kind", "posted"), kind="edits")
    assert await due(storage) == ["posted"]
    await settled(storage, "posted", 99)
    await settled(storage, "posted", 1234)
    assert (await first(storage)).edits == 1234
    assert await storage.database.read(lambda c: storage.outbox.message_id_in(c, "kind", "posted")) == 1234
    assert await storage.database.read(lambda c: storage.outbox.message_id_in(c, "kind", "nothing")) is None


# -- the order


async def test_messages_to_one_place_leave_in_order_and_those_to_others_beside_them(storage: Storage) -> None:
    for subject, address in (
        ("to Ada", Direct(ADA)),
        ("to Ben", Direct(BEN)),
        ("to a channel", Channel(7)),
        ("to hosts", Hosts()),
    ):
        await put(storage, subject, address)
        await put(storage, f"{subject} again", address)
    here = ["to Ada", "to Ben", "to a channel", "to hosts"]
    assert await due(storage) == here
    assert await due(storage, limit=2) == here[:2]
    for subject in here:
        await settled(storage, subject)
    assert await due(storage) == [f"{subject} again" for subject in here]


async def test_a_message_that_is_due_later_holds_up_nothing_before(storage: Storage) -> None:
    await put(storage, "later", due_at=at(NOW + 60) - timedelta(milliseconds=1))
    await put(storage, "now")
    assert await due(storage) == ["now"]
    assert (await storage.outbox.due(at(), 10))[1] == at(NOW + 60)
    await settled(storage, "now")
    assert await due(storage, 59) == []
    assert await due(storage, 60) == ["later"]
    assert (await storage.outbox.due(at(NOW + 60), 10))[1] is None


async def test_what_failed_is_tried_again_before_what_is_behind_it(storage: Storage) -> None:
    await put(storage, "first")
    await put(storage, "second")
    await failed(storage, "first", 60)
    assert await due(storage, 59) == []
    message = await first(storage, 60)
    assert (message.subject, message.tries, message.sending_at) == ("first", 1, None)
    await storage.outbox.postpone(message, at(NOW + 120))
    assert await due(storage, 60) == ["second"]
    assert (await first(storage, 120)).tries == 0


# -- attempts


async def test_what_may_have_arrived_is_known_until_the_next_page_or_another_way(storage: Storage) -> None:
    await put(storage, "fact", ANSWER)
    message, begin = await first(storage), storage.outbox.begin
    assert await begin(message, Way.ANSWER, 0, at(), durable=True) is None
    for second in (5, 6):
        assert await begin(message, Way.ANSWER, 0, at(NOW + second), durable=True) == at()
    assert await begin(message, Way.DIRECT, 0, at(NOW + 6), durable=True) is None
    assert await begin(message, Way.DIRECT, 1, at(NOW + 7), durable=True) is None
    await storage.outbox.later(message, at(NOW + 8), may_have_arrived=True)
    message = await first(storage, 8)
    assert (message.way, message.page, message.sending_at, message.tries) == (Way.DIRECT, 1, at(NOW + 7), 1)
    await storage.outbox.later(message, at(NOW + 9), may_have_arrived=False)
    assert await begin(await first(storage, 9), Way.DIRECT, 1, at(NOW + 9), durable=True) is None


async def test_nobody_is_sent_what_was_deleted_with_all_that_is_kept_of_them(storage: Storage) -> None:
    await put(storage, "fact")
    message = await first(storage)
    await storage.forget(ADA)
    with pytest.raises(Gone):
        await storage.outbox.begin(message, Way.DIRECT, 0, at(), durable=True)


async def test_a_message_ends_in_the_transaction_in_which_its_store_notes_it(storage: Storage) -> None:
    ended: list[tuple[str, State]] = []
    fails = True

    def note(_: Connection, subject: str, state: State) -> None:
        if fails:
            raise RuntimeError
        ended.append((subject, state))

    storage.outbox.settles("kind", note)
    await put(storage, "fact", ANSWER, payload={"secret": 1})
    await put(storage, "fact", kind="another kind")
    message = await first(storage)
    with pytest.raises(RuntimeError):
        await storage.outbox.settle(message, State.REFUSED, at())
    assert await due(storage) == ["fact"]
    fails = False
    await storage.outbox.settle(message, State.REFUSED, at(), 5)
    await settled(storage, "fact")
    assert ended == [("fact", State.REFUSED)]
    [row, _] = await rows(storage, "outbox")
    assert (row["state"], row["ended_at"], row["message_id"]) == ("refused", NOW, 5)
    assert (row["payload"], row["interaction_token_sealed"], row["sending_at"]) == ("{}", None, None)


async def test_what_another_answer_tells_is_not_sent_and_keeps_nothing(storage: Storage) -> None:
    async def taken_over(subject: str) -> bool:
        return await storage.database.write(lambda c: storage.outbox.take_over_in(c, "kind", subject, at(NOW + 5)))

    await put(storage, "fact", ANSWER, payload={"secret": 1})
    assert not await taken_over("fact"), "it may be sent at this moment"
    await failed(storage, "fact", 60)
    assert not await taken_over("another fact")
    assert await taken_over("fact")
    assert not await taken_over("fact")
    [row] = await rows(storage, "outbox")
    assert (row["state"], row["ended_at"]) == ("refused", NOW + 5)
    assert (row["payload"], row["interaction_token_sealed"]) == ("{}", None)


# -- changed afterwards


async def test_direct_messages_whose_subjects_begin_so_are_edited(storage: Storage) -> None:
    for subject, kind, address in (
        ("7:1", "kind", Direct(ADA)),
        ("7:2", "kind", Direct(BEN)),
        ("71:1", "kind", Direct(ADA)),
        ("7:4", "another kind", Direct(ADA)),
        ("7:3", "kind", Channel(7)),
    ):
        await put(storage, subject, address, kind)
    assert await storage.outbox.has("kind", "7:")
    assert not await storage.outbox.has("kind", "8:")
    assert not await storage.outbox.has("a third kind", "7:")
    await storage.database.write(lambda c: storage.outbox.edit_direct_in(c, "kind", "7:", {"new": 1}, at()))
    edits = [row for row in await rows(storage, "outbox") if row["way"] == "edit"]
    assert [(row["kind"], row["subject"], row["edits_subject"], row["member_id"], row["locale"]) for row in edits] == [
        ("kind", "7:1:edit", "7:1", ADA, "de"),
        ("kind", "7:2:edit", "7:2", BEN, "de"),
    ]
    assert {row["payload"] for row in edits} == {'{"new": 1}'}


async def test_what_is_withdrawn_is_not_sent_any_more_and_what_was_sent_is_replaced(storage: Storage) -> None:
    await put(storage, "7:1", Direct(ADA), payload={"name": "Ada"})
    await put(storage, "71:1", Direct(BEN))
    await settled(storage, "7:1", 1234)
    await put(storage, "7:2", Direct(ADA), payload={"name": "Ada"})
    await storage.database.write(lambda c: storage.outbox.withdraw_direct_in(c, "kind", "7:", {"gone": 1}, at()))
    assert not await storage.outbox.has("kind", "7:")
    assert await storage.outbox.has("kind", "71:")
    edit = await first(storage)
    while edit.member_id != ADA:
        await storage.outbox.settle(edit, State.CONFIRMED, at())
        edit = await first(storage)
    assert (edit.way, edit.edits, edit.payload) == (Way.EDIT, 1234, {"gone": 1})
    assert "Ada" not in str(await rows(storage, "outbox"))


async def test_what_failed_in_a_channel_can_be_sent_now(storage: Storage) -> None:
    for subject, channel in (("here", 7), ("there", 8)):
        await put(storage, subject, Channel(channel))
    await put(storage, "not yet", Channel(9), due_at=at(NOW + 60))
    await failed(storage, "here", 60)
    await failed(storage, "there", 60)

    async def is_waiting(channel: int) -> bool:
        return await storage.database.read(lambda c: storage.outbox.is_waiting_in(c, channel))

    assert [await is_waiting(channel) for channel in (7, 8, 9)] == [True, True, False]
    for channel in (7, 9):
        await storage.database.write(lambda c, channel=channel: storage.outbox.hurry_in(c, channel, at(NOW + 5)))  # type: ignore[misc]
    assert await due(storage, 5) == ["here"]
    await storage.outbox.settle(await first(storage, 5), State.CONFIRMED, at())
    assert not await is_waiting(7)
    assert await due(storage, 60) == ["there", "not yet"]


async def test_a_clock_that_was_set_back_holds_up_nothing(storage: Storage) -> None:
    await put(storage, "stored later than now")
    assert await due(storage, -1) == ["stored later than now"]
    await failed(storage, "stored later than now", 3600)
    await put(storage, "for a time to come", Direct(BEN), due_at=at(NOW + 3600))
    await storage.outbox.hurry(at(NOW + 5), at(NOW + 5))
    assert await due(storage, 4) == []
    assert await due(storage, 5) == ["stored later than now"]


async def test_what_has_not_arrived_in_a_channel_is_sent_to_another_one(storage: Storage) -> None:
    await put(storage, "arrived", Channel(7))
    await settled(storage, "arrived", 1)
    await put(storage, "began", Channel(7))
    await put(storage, "of another kind", Channel(7), kind="another kind")
    await put(storage, "elsewhere", Channel(9))
    await failed(storage, "began", 60, may_have_arrived=True)
    await storage.database.write(lambda c: storage.outbox.move_in(c, "kind", 7, 8, at(NOW + 5)))
    by_subject = {row["subject"]: row["channel_id"] for row in await rows(storage, "outbox")}
    assert by_subject == {"arrived": 7, "began": 8, "of another kind": 7, "elsewhere": 9}
    moved = {message.subject: message for message in (await storage.outbox.due(at(NOW + 5), 10))[0]}
    assert moved.keys() == {"began", "of another kind", "elsewhere"}, "each in a queue of its own"
    assert (moved["began"].sending_at, moved["began"].queue) == (None, "channel 8")
    assert {row["state"] for row in await rows(storage, "outbox") if row["ended_at"] is None} == {"stored"}
    assert await storage.outbox.open_count() == 3


async def test_what_ended_long_ago_is_deleted_except_for_what_can_be_edited(storage: Storage) -> None:
    for subject, address, ended in (
        ("old", Direct(ADA), NOW - 1),
        ("old, in a channel", Channel(7), NOW - 1),
        ("young", Direct(ADA), NOW),
    ):
        await put(storage, subject, address)
        await settled(storage, subject, now=ended)
    await put(storage, "open")
    await storage.outbox.purge(at())
    assert [row["subject"] for row in await rows(storage, "outbox")] == ["old, in a channel", "young", "open"]


# -- waking


async def test_whoever_waits_is_woken_by_each_thing_that_may_be_due_now(storage: Storage) -> None:
    async def woken_by(ring: Awaitable[Any], timeout_s: float = 5.0) -> bool:
        waiting = asyncio.create_task(storage.outbox.wait(None))
        await asyncio.sleep(0)
        await ring
        done, _ = await asyncio.wait({waiting}, timeout=timeout_s)
        waiting.cancel()
        return bool(done)

    async def rung() -> None:
        storage.outbox.ring()

    write, outbox = storage.database.write, storage.outbox
    assert await woken_by(put(storage, "fact"))
    assert await woken_by(write(lambda c: outbox.hurry_in(c, 7, at())))
    assert await woken_by(write(lambda c: outbox.move_in(c, "kind", 7, 8, at())))
    assert await woken_by(rung())
    assert not await woken_by(outbox.open_count(), timeout_s=0.05), "one ring wakes once"
    async with asyncio.timeout(5):
        await outbox.wait(0.01)
