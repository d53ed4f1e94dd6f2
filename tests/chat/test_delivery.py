"""Messages outside an interaction's first answer: stored, sent in order, confirmed, and never sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.caller import MemberId
from bot.chat.cards import Card, text_card
from bot.chat.delivery import LEAST_TRIES, Delivery
from bot.chat.messages import Messages
from bot.chat.words import AllWords, Words
from bot.storage.outbox import Address, Answer, Channel, Direct, Edit, FollowUp, Hosts, Message, State
from bot.text import texts as text_in
from tests.discord_wire import WireInteraction, texts
from tests.world import ADA, BEN, CHLOE, World, made

CHANNEL = 613425648685547545
POST = ("POST", "/channels/*/messages")
LOST = {"status": 0, "applied": True}
CLOSED = {"status": 403, "json": {"code": 50007, "message": "Cannot send messages to this user"}}


@dataclass
class Office:
    """A delivery with a clock of its own, before the wire-level Discord, with the real client."""

    world: World
    services: app.Services
    ahead: timedelta = timedelta()
    count: int = 0
    drawn: list[Mapping[str, Any]] = field(default_factory=list)
    locales: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.delivery = self.new()

    def new(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Delivery:
        """A delivery as after a start."""
        words, client = AllWords(""), self.services.client
        outbox = self.services.storage.outbox
        delivery = Delivery(outbox, Messages(client), words, client.hosts, self.locale_of, now=self.now, sleep=sleep)
        delivery.register("test", self.draw)
        return delivery

    async def locale_of(self, member: int) -> str | None:
        return self.locales.get(member)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        self.drawn.append(payload)
        return [text_card(text) for text in payload["cards"]]

    async def put(self, address: Address, *cards: str, subject: str = "", **values: Any) -> str:
        self.count += 1
        subject = subject or str(self.count)
        message = Message("test", subject, address, {"cards": cards}, **values)
        await self.services.storage.outbox.add(message, self.now())
        return subject

    @asynccontextmanager
    async def working(self, delivery: Delivery | None = None) -> AsyncIterator[None]:
        delivery = delivery or self.delivery
        worker = asyncio.create_task(delivery.work())
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await delivery.stop(0.0)

    async def states(self) -> list[str]:
        """Of the tests' own messages: an alert of the bot may be queued, too."""
        rows = await self.services.storage.database.read(
            lambda c: c.execute("SELECT state FROM outbox WHERE kind <> 'host alert' ORDER BY id").fetchall()
        )
        return [row["state"] for row in rows]

    async def until(self, *states: str) -> None:
        """Until the messages are in these states; time passes quickly while one waits."""
        async with asyncio.timeout(60):
            while await self.states() != [*states]:
                await asyncio.sleep(0.02)

    async def until_tried(self, tries: int, *, index: int = 0) -> None:
        async with asyncio.timeout(60):
            while True:
                rows = await self.services.storage.database.read(
                    lambda c: c.execute("SELECT tries FROM outbox WHERE kind <> 'host alert' ORDER BY id").fetchall()
                )
                if rows[index]["tries"] >= tries:
                    return
                await asyncio.sleep(0.02)

    def skip(self, **time: float) -> None:
        """Move the clock, and let the delivery look at it."""
        self.ahead += timedelta(**time)
        self.services.storage.outbox.ring()

    async def interaction(self, member: int = ADA) -> WireInteraction:
        """An interaction that the bot has answered."""
        interaction = await self.world.discord.slash(member, "help")
        await interaction.message()
        return interaction

    def said(self, member: int = ADA) -> list[str]:
        """The direct messages of a member."""
        return ["\n".join(texts(message)) for message in self.world.discord.direct_messages.get(member, [])]

    def posted(self) -> list[str]:
        """What stands in the channel."""
        return ["\n".join(texts(message)) for message in self.world.discord.channel_messages.get(CHANNEL, [])]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with (
        made(tmp_path) as world,
        app.built(world.settings, lambda is_connected: None) as services,
        services.client as client,
    ):
        await client.log_in(world.settings.discord_token.get_secret_value())
        gateway = asyncio.create_task(client.stay_connected())
        async with asyncio.timeout(60):
            while not client.is_connected:
                await asyncio.sleep(0.005)
        yield Office(world, services)
        gateway.cancel()
        await asyncio.gather(gateway, return_exceptions=True)


def answer(interaction: WireInteraction, member: int = ADA, **values: Any) -> Answer:
    return Answer(MemberId(member), interaction.token, datetime.now(UTC), **values)


# -- each way


async def test_an_answer_is_edited_and_its_further_pages_follow(office: Office) -> None:
    interaction = await office.interaction()
    async with office.working():
        await office.put(answer(interaction), "one", "two", "three")
        await office.until("confirmed")
    assert texts(interaction.history[-1]) == ["one"]
    assert ["\n".join(texts(message)) for message in interaction.followups] == ["two", "three"]
    assert all(message["flags"] & 64 for message in interaction.followups)


async def test_a_direct_message_a_channel_message_and_a_message_to_the_host_arrive(office: Office) -> None:
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "hello")
        await office.put(Channel(CHANNEL), "round 1")
        await office.put(Hosts(), "disk")
        await office.until(*["confirmed"] * 3)
    assert office.said() == ["hello"]
    assert office.posted() == ["round 1"]
    assert office.said(office.world.discord.OWNER) == ["disk"]


async def test_a_channel_message_is_edited_by_the_subject_it_was_sent_with(office: Office) -> None:
    async with office.working():
        subject = await office.put(Channel(CHANNEL), "0 votes")
        await office.put(Edit(CHANNEL, "test", subject), "1 vote")
        await office.until("confirmed", "confirmed")
    assert office.posted() == ["1 vote"]


async def test_nobody_is_pinged_by_any_way(office: Office) -> None:
    interaction = await office.interaction()
    async with office.working():
        subject = await office.put(Channel(CHANNEL), "@everyone")
        await office.put(Edit(CHANNEL, "test", subject), "@everyone again")
        await office.put(Direct(MemberId(BEN)), "@everyone")
        await office.put(answer(interaction), "@everyone", "@everyone")
        await office.until(*["confirmed"] * 4)
    sent = [r.body for r in office.world.discord.requests if r.path.startswith(("/channels", "/webhooks"))]
    assert len(sent) == 5
    assert [body["allowed_mentions"]["parse"] for body in sent] == [[]] * 5


# -- once


async def test_one_subject_is_told_once(office: Office) -> None:
    async with office.working():
        for _ in range(3):
            await office.put(Direct(MemberId(ADA)), "hello", subject="7")
        await office.until("confirmed")
        await office.put(Direct(MemberId(ADA)), "hello", subject="7")
    assert office.said() == ["hello"]


@pytest.mark.parametrize("minutes", [0, 10], ids=["while Discord knows the nonce", "by the channel's history"])
@pytest.mark.parametrize("address", [Channel(CHANNEL), Direct(MemberId(ADA))], ids=["channel", "direct"])
async def test_a_message_whose_confirmation_was_lost_is_not_sent_twice(
    office: Office, address: Address, minutes: int
) -> None:
    office.world.discord.fault(*POST, **LOST)
    async with office.working():
        await office.put(address, "hello")
        await office.until_tried(1)
        if minutes:
            office.world.discord._nonces.clear()  # as Discord does after some minutes
        office.skip(minutes=minutes, seconds=5)
        await office.until("confirmed")
    assert office.posted() + office.said() == ["hello"]


@pytest.mark.parametrize(
    ("ahead", "minutes"),
    [(0, 0), (0, 10), (0, -60), (0, -7 * 24 * 60), (45, -35), (45, 120)],
    ids=["soon", "later", "set back", "set back a week", "corrected meanwhile", "corrected, and later"],
)
async def test_a_process_that_ends_between_sending_and_confirming_does_not_send_twice(
    office: Office, ahead: int, minutes: int
) -> None:
    office.skip(minutes=ahead)
    office.world.discord.fault(*POST, delay_s=0.3)
    for text in ("one", "two"):
        await office.put(Channel(CHANNEL), text)
    async with office.working():
        await office.until("sending", "stored")
        async with asyncio.timeout(60):
            while not any(request.path.endswith("/messages") for request in office.world.discord.requests):
                await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        while office.posted() != ["one"]:  # it arrives when nobody waits for it any more
            await asyncio.sleep(0.01)
    assert await office.states() == ["sending", "stored"]
    if minutes:
        office.world.discord._nonces.clear()
        office.skip(minutes=minutes)
    async with office.working(office.new()):
        await office.until("confirmed", "confirmed")
    assert office.posted() == ["one", "two"]


async def test_a_message_is_found_behind_hundreds_of_others(office: Office) -> None:
    discord = office.world.discord
    discord.fault(*POST, status=0)  # from here on, it may have arrived
    discord.fault(*POST, **LOST)
    async with office.working():
        await office.put(Channel(CHANNEL), "hello")
        await office.until_tried(1)
        for _ in range(250):
            talk = discord._blank(None, CHANNEL)
            discord.messages[talk["id"]] = talk
        office.skip(seconds=5)
        await office.until_tried(2)
        discord._nonces.clear()
        office.skip(minutes=10)
        await office.until("confirmed")
    assert office.posted() == ["hello"]


async def test_a_message_that_never_left_is_sent_after_the_restart(office: Office) -> None:
    office.world.discord.fault(*POST, status=0, times=1)
    await office.put(Channel(CHANNEL), "one")
    async with office.working():
        await office.until_tried(1)
    office.skip(minutes=10)
    async with office.working(office.new()):
        await office.until("confirmed")
    assert office.posted() == ["one"]


# -- in order


async def test_what_fails_holds_up_what_follows_to_the_same_member_and_nobody_else(office: Office) -> None:
    office.world.discord.fault(*POST, status=503, user_id=ADA)
    async with office.working():
        for text in ("one", "two"):
            await office.put(Direct(MemberId(ADA)), text)
        await office.put(Direct(MemberId(BEN)), "three")
        await office.until_tried(1)
        async with asyncio.timeout(60):
            while office.said(BEN) != ["three"]:
                await asyncio.sleep(0.01)
        assert office.said() == []
        office.skip(seconds=5)
        await office.until(*["confirmed"] * 3)
    assert office.said() == ["one", "two"]


async def test_what_is_due_tomorrow_holds_up_nothing_today(office: Office) -> None:
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "tomorrow", due_at=office.now() + timedelta(days=1))
        await office.put(Direct(MemberId(ADA)), "today")
        await office.until("stored", "confirmed")
        office.skip(days=1, seconds=2)
        await office.until("confirmed", "confirmed")
    assert office.said() == ["today", "tomorrow"]


# -- where no way is open


async def test_an_answer_whose_token_is_too_old_is_never_tried_and_sent_directly(office: Office) -> None:
    interaction = await office.interaction()
    office.skip(minutes=15)
    before = len(office.world.discord.requests)
    async with office.working():
        await office.put(answer(interaction), "late")
        await office.until("confirmed")
    assert office.said() == ["late"]
    assert not any("/webhooks/" in r.path for r in office.world.discord.requests[before:])


async def test_pages_that_no_longer_follow_the_answer_are_sent_directly(office: Office) -> None:
    interaction = await office.interaction()
    office.world.discord.fault("POST", "/webhooks/*", status=404, json={"code": 10015, "message": "Unknown Webhook"})
    async with office.working():
        await office.put(answer(interaction), "one", "two", "three")
        await office.until("confirmed")
    assert texts(interaction.history[-1]) == ["one"]
    assert office.said() == ["two", "three"]


async def test_an_answer_that_is_meant_for_its_place_alone_is_not_sent_directly(office: Office) -> None:
    interaction = await office.interaction()
    office.world.discord.fault("PATCH", "/webhooks/*", status=404, json={"code": 10008, "message": "Unknown Message"})
    async with office.working():
        await office.put(answer(interaction, or_directly=False), "dropped")
        await office.put(FollowUp(MemberId(ADA), interaction.token, office.now()), "another")
        await office.until("given up", "confirmed")
    assert office.said() == []
    assert texts(interaction.followups[0]) == ["another"]


async def test_closed_direct_messages_end_as_refused_and_a_channel_that_is_gone_as_given_up(office: Office) -> None:
    office.world.discord.refuses_direct_messages.add(CHLOE)
    office.world.discord.fault("POST", f"/channels/{CHANNEL}/*", status=403, json={"code": 50001, "message": "No"})
    async with office.working():
        await office.put(Direct(MemberId(CHLOE)), "hello")
        await office.put(Channel(CHANNEL), "hello")
        await office.until("refused", "given up")


@pytest.mark.parametrize("status", [304, 403, 404, 405, 407, 408, 418, 425])
async def test_what_a_proxy_says_is_no_refusal_by_discord(office: Office, status: int) -> None:
    page, headers = b"\n<!DOCTYPE html><title>Blocked</title>", {"Content-Type": "text/html"}
    office.world.discord.fault("POST", "/channels/*", status=status, json=page, headers=headers)
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "hello")
        await office.until_tried(1)
        office.skip(seconds=5)
        await office.until("confirmed")
    assert office.said() == ["hello"]


async def test_a_direct_channel_that_is_answered_in_another_shape_is_asked_for_again(office: Office) -> None:
    office.world.discord.fault("POST", "/users/@me/channels", status=200, json={"nothing": True})
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "hello")
        await office.until_tried(1)
        office.skip(seconds=5)
        await office.until("confirmed")
    assert office.said() == ["hello"]


async def test_a_limit_of_an_hour_is_waited_for(office: Office) -> None:
    limit = {"message": "limited", "retry_after": 3600.0, "global": False}
    office.world.discord.fault(*POST, status=429, json=limit)
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "hello")
        await office.until_tried(1)
        office.skip(minutes=59)
        await asyncio.sleep(0.1)
        assert office.said() == []
        office.skip(minutes=2)
        await office.until("confirmed")
    assert office.said() == ["hello"]


async def test_after_a_day_a_message_is_given_up(office: Office) -> None:
    office.world.discord.fault(*POST, status=503, times=100)
    async with office.working():
        await office.put(Channel(CHANNEL), "hello")
        for tries in range(1, LEAST_TRIES):
            await office.until_tried(tries)
            office.skip(days=1, minutes=1)
        await office.until("given up")


async def test_a_message_that_became_a_day_old_while_the_bot_was_down_is_not_given_up_at_once(office: Office) -> None:
    await office.put(Direct(MemberId(ADA)), "hello")
    office.skip(days=3)
    office.world.discord.fault(*POST, status=403, json={"code": 40003, "message": "too fast"}, times=3)
    async with office.working():
        for tries in (1, 2, 3):
            await office.until_tried(tries)
            office.skip(minutes=1)
        await office.until("confirmed")
    assert office.said() == ["hello"]


async def test_a_clock_that_is_set_back_holds_up_nothing(office: Office) -> None:
    limit = {"message": "limited", "retry_after": 600.0, "global": False}
    office.world.discord.fault(*POST, status=429, json=limit)
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "first")
        await office.until_tried(1)
        await office.put(Direct(MemberId(ADA)), "second")
        await office.put(Channel(CHANNEL), "third", due_at=office.now() + timedelta(seconds=1))
        office.skip(hours=-1)
        await office.until("confirmed", "confirmed", "confirmed")
    assert office.said() == ["first", "second"]


async def test_a_clock_that_was_set_back_while_the_process_was_down_holds_up_nothing(office: Office) -> None:
    await office.put(Direct(MemberId(ADA)), "hello")
    limit = {"message": "limited", "retry_after": 600.0, "global": False}
    office.world.discord.fault(*POST, status=429, json=limit)
    office.skip(days=7)
    async with office.working():
        await office.until_tried(1)
    office.skip(days=-7)
    async with office.working(office.new()):
        await office.until("confirmed")
    assert office.said() == ["hello"]


# -- who waits for it


async def test_whoever_waits_for_a_message_learns_its_end(office: Office) -> None:
    office.world.discord.refuses_direct_messages.add(CHLOE)
    async with office.working():
        sent = await office.delivery.send(Message("test", "a", Direct(MemberId(ADA)), {"cards": ["x"]}), 5.0)
        refused = await office.delivery.send(Message("test", "b", Direct(MemberId(CHLOE)), {"cards": ["x"]}), 5.0)
    assert (sent, refused) == (State.CONFIRMED, State.REFUSED)


async def test_whoever_waits_for_a_message_that_was_stored_with_its_fact_learns_its_end_too(office: Office) -> None:
    message = Message("test", "a", Direct(MemberId(ADA)), {"cards": ["x"]})
    await office.services.storage.outbox.add(message, office.now())
    waiting = asyncio.create_task(office.delivery.send(message, 60.0))
    async with office.working():
        assert await waiting is State.CONFIRMED
        assert await office.delivery.send(message, 60.0) is State.CONFIRMED
    assert office.said() == ["x"]


async def test_nothing_of_a_message_stays_when_its_member_unlinks(office: Office) -> None:
    await office.put(Direct(MemberId(ADA)), "secret words")
    await office.services.storage.forget(ADA)
    assert await office.states() == []


# -- while the disk takes nothing


@asynccontextmanager
async def full_disk(office: Office) -> AsyncIterator[None]:
    """The database takes nothing until the end of the block."""
    database = office.services.storage.database
    await database.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())
    try:
        yield
    finally:
        await database.read(lambda c: c.execute("PRAGMA query_only = 0").fetchall())


async def test_what_was_sent_while_the_disk_takes_nothing_is_sent_once_and_noted_when_it_does(office: Office) -> None:
    interaction = await office.interaction()
    office.world.discord.fault("PATCH", "/webhooks/*", delay_s=0.3)
    pauses: list[float] = []
    goes_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await goes_on.wait()

    async with office.working(office.new(sleep)):
        await office.put(answer(interaction), "hello")
        await office.put(Direct(MemberId(BEN)), "another")
        await office.until("sending", "confirmed")
        async with full_disk(office):
            async with asyncio.timeout(60):
                while not pauses:
                    await asyncio.sleep(0.01)
        goes_on.set()
        await office.until("confirmed", "confirmed")
    assert pauses == [2.0]
    assert len(interaction.history) == 2  # the answer itself, and one edit
    assert texts(interaction.history[-1]) == ["hello"]


async def test_a_stop_does_not_wait_for_a_disk_that_stays_full(office: Office) -> None:
    async def sleep(seconds: float) -> None:
        await asyncio.Event().wait()

    interaction = await office.interaction()
    office.world.discord.fault("PATCH", "/webhooks/*", delay_s=0.2)
    delivery = office.new(sleep)
    async with office.working(delivery):
        await office.put(answer(interaction), "hello")
        await office.until("sending")
        async with full_disk(office):
            async with asyncio.timeout(60):
                while texts(interaction.history[-1]) != ["hello"]:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(2):
                await delivery.stop(0.5)
    assert delivery.is_idle


async def test_the_host_is_told_of_a_full_disk_although_it_cannot_be_stored(office: Office) -> None:
    async with office.working(), full_disk(office):
        message = Message("test", "disk", Hosts(), {"cards": ["Nothing can be stored."]})
        assert await office.delivery.send_anyway(message, 5.0) is State.CONFIRMED
        # and the alert, which the failed write raised
        async with asyncio.timeout(60):
            while len(office.said(office.world.discord.OWNER)) < 2:
                await asyncio.sleep(0.01)
    said = office.said(office.world.discord.OWNER)
    assert "Nothing can be stored." in said
    assert any(text.startswith("**The disk is full or nearly full**") for text in said)
    assert await office.states() == []


async def test_what_is_said_before_the_login_is_stored_and_sent_afterwards(office: Office) -> None:
    message = Message("test", "early", Hosts(), {"cards": ["The token was refused."]})
    assert await office.delivery.send_anyway(message, 5.0) is State.STORED
    async with office.working():
        await office.until("confirmed")
    assert office.said(office.world.discord.OWNER) == ["The token was refused."]


def to_hosts(office: Office, *hosts: int) -> Delivery:
    """A delivery with these hosts."""
    outbox, messages = office.services.storage.outbox, Messages(office.services.client)
    delivery = Delivery(outbox, messages, AllWords(""), lambda: hosts, office.locale_of, now=office.now)
    delivery.register("test", office.draw)
    return delivery


async def test_every_host_is_told_and_one_who_accepts_no_messages_keeps_it_from_nobody(office: Office) -> None:
    office.world.discord.refuses_direct_messages.add(CHLOE)
    async with office.working(to_hosts(office, ADA, CHLOE, BEN)):
        await office.put(Hosts(), "disk")
        await office.until("confirmed")
    assert (office.said(ADA), office.said(BEN)) == (["disk"], ["disk"])


@pytest.mark.parametrize("wait_s", [31.0, 3600.0], ids=["while Discord knows the nonce", "by the channel's history"])
async def test_a_host_who_has_the_message_does_not_get_it_again_while_another_is_tried_again(
    office: Office, wait_s: float
) -> None:
    async with office.working(to_hosts(office, ADA, BEN)):
        limit = {"message": "limited", "retry_after": wait_s, "global": False}
        office.world.discord.fault(*POST, status=429, json=limit, user_id=BEN)
        await office.put(Hosts(), "disk")
        await office.until_tried(1)
        if wait_s > 60:
            office.world.discord._nonces.clear()
        office.skip(seconds=wait_s + 1)
        await office.until("confirmed")
    assert (office.said(ADA), office.said(BEN)) == (["disk"], ["disk"])


async def test_what_one_host_has_counts_as_told_while_nothing_can_be_stored(office: Office) -> None:
    delivery = to_hosts(office, ADA, BEN)
    office.world.discord.fault(*POST, status=429, json={"message": "limited", "retry_after": 99.0}, user_id=BEN)
    async with office.working(delivery), full_disk(office):
        message = Message("test", "disk", Hosts(), {"cards": ["disk"]})
        assert await delivery.send_anyway(message, 60.0) is State.CONFIRMED
    assert office.said(ADA) == ["disk"]


async def test_a_host_is_told_in_the_language_in_which_they_linked(office: Office) -> None:
    office.locales[BEN] = "de"
    delivery = to_hosts(office, ADA, BEN)

    async def draw(payload: Mapping[str, Any], words: Words) -> list[Card]:
        return [text_card(words.t("Free seat"))]

    delivery.register("seat", draw)
    async with office.working(delivery):
        await office.services.storage.outbox.add(Message("seat", "1", Hosts()), office.now())
        await office.until("confirmed")
    assert (office.said(ADA), office.said(BEN)) == (["Free seat"], [text_in("de")("Free seat")])


async def test_what_may_have_arrived_stays_in_doubt_when_the_next_attempt_surely_fails(office: Office) -> None:
    office.world.discord.fault(*POST, **LOST)
    async with office.working():
        await office.put(Direct(MemberId(ADA)), "hello")
        await office.until_tried(1)
        # the next attempt does not even open the channel; the one after it comes when Discord has forgotten the nonce
        limit = {"message": "limited", "retry_after": 3600.0, "global": False}
        office.world.discord.fault("POST", "/users/@me/channels", status=429, json=limit)
        office.skip(seconds=5)
        await office.until_tried(2)
        office.world.discord._nonces.clear()
        office.skip(hours=2)
        await office.until("confirmed")
    assert office.said() == ["hello"]
