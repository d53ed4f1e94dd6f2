"""Delivery: takes messages from the outbox, draws them, sends them, and confirms them.

A message that surely was not sent is tried again. One that may have been sent is repeated with the same nonce,
which Discord takes only once; when that is too long ago for Discord to remember, the channel's history decides.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any

import structlog

from bot.chat.cards import Card
from bot.chat.messages import Failure, Messages
from bot.chat.words import Words
from bot.errors import StorageUnavailable, UserError
from bot.storage.outbox import Answer, FollowUp, Gone, Message, Outbox, Queued, State, Way

MAX_CONCURRENT = 8
"""How many messages are sent at a time; each to another member or channel."""
NONCE = timedelta(seconds=60)
"""How long Discord surely remembers a nonce ("a few minutes")."""
EDIT_TRIES = 3
"""How often an answer is edited before a direct message is sent in its place."""
FIRST_RETRY_S, RETRY_MAX_S = 2.0, 600.0
GIVE_UP = timedelta(days=1)
LEAST_TRIES = 8
"""What became a day old while the process was down is tried for some minutes all the same."""
CLOCK_BACK = timedelta(minutes=1)
"""A clock that is this much behind what it showed before was set back."""
KEPT = timedelta(days=30)
"""How long it is known what was told."""

Drawer = Callable[[Mapping[str, Any], Words], Awaitable[Sequence[Card]]]
"""Makes the cards of a message from its payload, in the language of its words. No cards: nothing is left to say.

Postponed: not now.
"""

Blocked = Callable[[Mapping[str, Any]], Awaitable[bool]]
"""Is told the payload of a message whose channel the bot cannot post in; whether the message waits for the channel."""
BLOCKED_S = 3600.0
"""A message whose channel the bot cannot post in is tried again this often, for as long as it takes."""
_NO_WAY_IN = {
    10003,  # unknown channel
    10004,  # unknown server
    50001,  # missing access
    50013,  # missing permissions
}

_log = structlog.get_logger("gatefold.delivery")


class Postponed(Exception):
    """Raised by a drawer: the message is to be sent at `until`, and not now."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class Delivery:
    """Sends what the outbox holds, in order per member and per channel."""

    def __init__(
        self,
        outbox: Outbox,
        messages: Messages,
        words: Callable[[str | None], Words],
        hosts: Callable[[], Iterable[int]],
        locale_of: Callable[[int], Awaitable[str | None]],
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`words`: the words of a locale. `hosts`: the ids of the hosts' accounts. `locale_of`: a host's locale, if known."""
        self._outbox = outbox
        self._messages = messages
        self._words = words
        self._hosts = hosts
        self._locale_of = locale_of
        self._now = now
        self._sleep = sleep
        self._drawers: dict[str, Drawer] = {}
        self._on_blocked: dict[str, Blocked] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[State]] = {}
        self._seen_at = now()
        self._is_working = False
        self._is_stopping = False

    def register(self, kind: str, drawer: Drawer, *, on_blocked: Blocked | None = None) -> None:
        """Let messages of this kind be drawn by `drawer`.

        `on_blocked`: messages of this kind to channels are never given up while the bot cannot post there, and this
        is told of each failure.
        """
        assert kind not in self._drawers, kind
        self._drawers[kind] = drawer
        if on_blocked is not None:
            self._on_blocked[kind] = on_blocked

    async def send(self, message: Message, wait_s: float = 0.0) -> State | None:
        """Store a message, and wait for its end for at most `wait_s`; its final state, None: not yet.

        One that was stored with the fact it tells is not stored again. StorageUnavailable when it cannot be stored; see
        `send_anyway`.
        """
        key = message.kind, message.subject
        future = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        try:
            is_new = await self._outbox.add(message, self._now())
            if not is_new and (end := await self._outbox.end_of(message)) is not None:
                return end
            async with asyncio.timeout(wait_s):
                return await asyncio.shield(future)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(key, None)

    async def send_anyway(self, message: Message, wait_s: float) -> State:
        """The same, but sent at once and only once when it cannot be stored; STORED: it will be sent.

        For what must be said also while the disk is full. Only to the hosts and to interactions.
        """
        try:
            return await self.send(message, wait_s if self._is_working else 0.0) or State.STORED
        except StorageUnavailable as error:
            _log.warning("a message cannot be stored, and is sent at once", kind=message.kind, error=str(error))
        try:
            async with asyncio.timeout(wait_s):
                cards = await self._drawers[message.kind](message.payload, self._words(message.locale))
                for page, card in enumerate(cards):
                    await self._send_unstored(message, page, card)
        except (Failure, TimeoutError) as error:
            _log.warning("a message was not sent", kind=message.kind, error=getattr(error, "code", "time-out"))
            return State.GIVEN_UP
        return State.CONFIRMED

    async def _send_unstored(self, message: Message, page: int, card: Card) -> None:
        address = message.address
        if isinstance(address, Answer):
            await self._messages.edit_answer(address.token, card)
        elif isinstance(address, FollowUp):
            await self._messages.follow_up(address.token, card)
        else:
            try:
                await self._to_hosts(message, page, secrets.token_urlsafe(12), None)
            except Failure as failure:
                # with one of them it may be; without storage, the others cannot be told alone later
                if not failure.may_have_arrived:
                    raise

    # -- the worker

    async def work(self) -> None:
        """Send whatever is due, until cancelled; then `stop`."""
        self._is_working = True
        is_first = True
        while True:
            next_at: datetime | None = None
            try:
                now = self._now()
                if now < self._seen_at - CLOCK_BACK:
                    await self._outbox.hurry(now, now)
                elif is_first:  # while the process was down, maybe
                    await self._outbox.hurry(now, now + timedelta(seconds=BLOCKED_S))
                is_first = False
                self._seen_at = now
                due, next_at = await self._outbox.due(now, 2 * MAX_CONCURRENT)
                for message in due:
                    if message.queue not in self._sending and len(self._sending) < MAX_CONCURRENT:
                        self._begin(message)
            except StorageUnavailable as error:
                _log.warning("the outbox cannot be read", error=str(error))
                next_at = self._now() + timedelta(seconds=FIRST_RETRY_S)
            except Exception:
                # one row that cannot be read must not end all messages
                _log.exception("the outbox could not be served")
                next_at = self._now() + timedelta(seconds=FIRST_RETRY_S)
            wait_s = 60.0 if next_at is None else min(max((next_at - self._now()).total_seconds(), 0.05), 60.0)
            await self._outbox.wait(wait_s)

    async def stop(self, seconds: float) -> None:
        """Let what is being sent arrive, `seconds` at most; the rest leaves after the next start."""
        self._is_working, self._is_stopping = False, True
        if self._sending:
            _, late = await asyncio.wait([*self._sending.values()], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def sweep(self) -> None:
        """Delete what ended long ago. Until then, no fact is told twice."""
        await self._outbox.purge(self._now() - KEPT)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._sending

    def _begin(self, message: Queued) -> None:
        task = asyncio.create_task(self._deliver(message), name=f"deliver {message.kind} {message.subject}")
        self._sending[message.queue] = task

        def done(_: asyncio.Task[None]) -> None:
            del self._sending[message.queue]
            self._outbox.ring()

        task.add_done_callback(done)

    # -- one message

    async def _deliver(self, message: Queued) -> None:
        try:
            await self._try(message)
        except Gone:
            pass  # its member unlinked, and everything about them was deleted
        except Postponed as error:
            until = error.until
            await self._stored(lambda: self._outbox.postpone(message, until), message)
        except UserError as error:
            # a name cannot be looked up, or the disk is full
            _log.warning("a message waits", kind=message.kind, error=type(error).__name__)
            await self._later(message, Failure(type(error).__name__))
        except Exception:
            _log.exception("a message could not be drawn or sent", kind=message.kind)
            await self._later(message, Failure("broken"))

    async def _try(self, message: Queued) -> None:
        drawer = self._drawers.get(message.kind)
        if drawer is None:
            _log.error("a message of an unknown kind is dropped", kind=message.kind)
            await self._settle(message, State.GIVEN_UP)
            return
        way, message_id = message.way, None
        cards = await self._drawn(message, drawer, way)
        for page in range(message.page, len(cards)):
            if way is Way.ANSWER and (failure := await self._on_answer(message, page, cards[page])) is not None:
                if not failure.is_final:
                    await self._later(message, failure)
                    return
                if not message.or_directly:
                    await self._settle(message, State.GIVEN_UP, failure.code)
                    return
                way = Way.DIRECT
                cards = await self._drawn(message, drawer, way)
            if way is not Way.ANSWER:
                try:
                    sent = await self._send(message, way, page, cards[page])
                except Failure as failure:
                    if message.kind in self._on_blocked and (not failure.is_final or failure.code in _NO_WAY_IN):
                        await self._wait(message, failure)
                    elif failure.is_final or self._is_hopeless(message, GIVE_UP):
                        await self._settle(message, _end_of(way), failure.code)
                    else:
                        await self._later(message, failure)
                    return
                message_id = message_id or sent
        await self._settle(message, State.CONFIRMED, message_id=message_id)

    async def _drawn(self, message: Queued, drawer: Drawer, way: Way) -> list[Card]:
        """The cards, as many whichever `way` they leave: that decides only what their buttons offer."""
        return [*await drawer({**message.payload, "way": way}, self._words(message.locale))]

    async def _on_answer(self, message: Queued, page: int, card: Card) -> Failure | None:
        """Edit the answer, or follow it up; the failure, which is final when it is no use to try again."""
        if message.token is None or message.token_until is None or message.token_until <= self._now():
            return Failure("too old", is_final=True)
        await self._outbox.begin(message, Way.ANSWER, page, self._now(), durable=False)
        try:
            if page == 0:
                await self._messages.edit_answer(message.token, card)
            else:
                await self._messages.follow_up(message.token, card)
        except Failure as failure:
            _log.warning("a private message was not edited", error=failure.code)
            is_over = message.tries + 1 >= EDIT_TRIES or failure.retry_s > RETRY_MAX_S
            failure.is_final = failure.is_final or is_over
            return failure
        return None

    async def _send(self, message: Queued, way: Way, page: int, card: Card) -> int | None:
        """Send one card; its id where it can be edited later. Failure."""
        since = await self._outbox.begin(message, way, page, self._now(), durable=way is not Way.EDIT)
        try:
            return await self._send_by(message, way, page, card, since)
        except Failure as failure:
            if since is not None:  # the attempt before this one may have arrived
                failure.may_have_arrived = True
            raise

    async def _send_by(self, message: Queued, way: Way, page: int, card: Card, since: datetime | None) -> int | None:
        nonce = message.nonce_of(page)
        match way:
            case Way.FOLLOW_UP:
                if message.token is None or message.token_until is None or message.token_until <= self._now():
                    raise Failure("too old", is_final=True)
                await self._messages.follow_up(message.token, card)
            case Way.DIRECT:
                assert message.member_id is not None
                return await self._to_channel(await self._messages.open_direct(message.member_id), card, nonce, since)
            case Way.HOSTS:
                await self._to_hosts(message, page, nonce, since)
            case Way.CHANNEL:
                assert message.channel_id is not None
                return await self._to_channel(message.channel_id, card, nonce, since)
            case Way.EDIT:
                if message.edits is None:
                    raise Failure("nothing to edit", is_final=True)
                channel_id = message.channel_id
                if channel_id is None:
                    assert message.member_id is not None
                    channel_id = await self._messages.open_direct(message.member_id)
                await self._messages.edit(channel_id, message.edits, card)
        return None

    async def _to_channel(self, channel_id: int, card: Card, nonce: str, since: datetime | None) -> int:
        now = self._now()
        if since is not None and not timedelta() <= now - since <= NONCE:
            if since > now:
                since = now - GIVE_UP  # the clock was set back, and nobody knows by how much
            try:
                found = await self._messages.find(channel_id, nonce, since)
            except Failure as failure:
                if not failure.is_final:
                    raise
                found = None  # the bot may not read there
            if found is not None:
                return found
        return await self._messages.send(channel_id, card, nonce)

    async def _to_hosts(self, message: Message | Queued, page: int, nonce: str, since: datetime | None) -> None:
        """Send a page to every host, in their language. Failure: nobody takes it, or somebody may later."""
        has_arrived, refused, later = False, Failure("no host", is_final=True), None
        for number, host in enumerate([*self._hosts()]):
            own_nonce = f"{nonce}-{number}"  # Discord knows a nonce in all channels together
            words = self._words(await self._locale_of(host))
            cards = await self._drawers[message.kind](message.payload, words)
            try:
                await self._to_channel(await self._messages.open_direct(host), cards[page], own_nonce, since)
            except Failure as failure:
                if failure.is_final:
                    refused = failure
                else:
                    later = failure
            else:
                has_arrived = True
        if later is not None:
            # those who have it are known by the nonce, or by their channel's history
            later.may_have_arrived = later.may_have_arrived or has_arrived
            raise later
        if not has_arrived:
            raise refused

    async def _wait(self, message: Queued, failure: Failure) -> None:
        """Try again for as long as it takes; say so where the bot cannot post."""
        if not failure.is_final:
            pause_s = max(min(FIRST_RETRY_S * 2 ** min(message.tries, 16), RETRY_MAX_S), failure.retry_s)
        else:
            pause_s = BLOCKED_S
            if not await self._on_blocked[message.kind](message.payload):
                await self._settle(message, State.GIVEN_UP, failure.code)
                return
        _log.info("a message waits for its channel", kind=message.kind, error=failure.code, pause_s=pause_s)
        due_at = self._now() + timedelta(seconds=pause_s)
        await self._stored(
            lambda: self._outbox.later(message, due_at, may_have_arrived=failure.may_have_arrived), message
        )

    def _is_hopeless(self, message: Queued, age: timedelta) -> bool:
        return self._now() - message.created_at > age and message.tries + 1 >= LEAST_TRIES

    async def _later(self, message: Queued, failure: Failure) -> None:
        """Try again, ever less often."""
        pause_s = max(min(FIRST_RETRY_S * 2**message.tries, RETRY_MAX_S), failure.retry_s)
        if self._is_hopeless(message, GIVE_UP + timedelta(seconds=RETRY_MAX_S)):
            await self._settle(message, _end_of(message.way), failure.code)
            return
        _log.info("a message is sent later", kind=message.kind, error=failure.code, pause_s=pause_s)
        due_at = self._now() + timedelta(seconds=pause_s)
        await self._stored(
            lambda: self._outbox.later(message, due_at, may_have_arrived=failure.may_have_arrived), message
        )

    async def _settle(
        self, message: Queued, state: State, code: int | str | None = None, message_id: int | None = None
    ) -> None:
        if state is not State.CONFIRMED:
            _log.warning("a message was not sent", kind=message.kind, outcome=state.value, error=code)
        future = self._waiting.get((message.kind, message.subject))
        if future is not None and not future.done():
            future.set_result(state)
        await self._stored(lambda: self._outbox.settle(message, state, self._now(), message_id), message)

    async def _stored(self, write: Callable[[], Awaitable[None]], message: Queued) -> None:
        """Note it, however long the disk is full: otherwise it would be sent again."""
        for pause_s in chain((2.0, 20.0), repeat(RETRY_MAX_S)):
            try:
                await write()
                return
            except StorageUnavailable as error:
                _log.warning("it could not be noted what became of a message", kind=message.kind, error=str(error))
            if self._is_stopping:
                return
            await self._sleep(pause_s)


def _end_of(way: Way) -> State:
    return State.REFUSED if way in (Way.ANSWER, Way.DIRECT) else State.GIVEN_UP
