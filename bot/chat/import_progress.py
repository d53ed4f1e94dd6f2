"""How far an import is: in the message that asked, and when that can be edited no more, in a direct message.

A watch per running import looks every few seconds and edits what people see. It holds nothing that matters: after a
restart it is begun anew from what is stored, and the outbox tells the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from bot.caller import MemberId, RequestId
from bot.changes import Action
from bot.chat.cards import Card, progress_card, text_card
from bot.chat.components import CustomId
from bot.chat.messages import Failure, Messages
from bot.chat.parts import Part, button
from bot.chat.words import Words
from bot.errors import StorageUnavailable
from bot.library import Library
from bot.storage.changes import LibraryChanges
from bot.storage.imports import Imports, Running
from bot.storage.outbox import TOKEN_LIFE, Answer

ANSWER_S, DIRECT_S = 2.0, 15.0
"""How often the message is edited, and how often a direct message."""
REFUSALS = 2
"""Once Discord has refused the edit this often, it is left alone: its member has dismissed it, or the clock was set back.

Discord bans addresses that send many requests which it refuses.
"""

_log = structlog.get_logger("gatefold.chat")


class ImportProgress:
    """Shows how far imports are."""

    def __init__(
        self,
        imports: Imports,
        changes: LibraryChanges,
        library: Library,
        messages: Messages,
        words: Callable[[str | None], Words],
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._imports = imports
        self._changes = changes
        self._library = library
        self._messages = messages
        self._words = words
        self._now = now
        self._sleep = sleep
        self._watches: dict[RequestId, asyncio.Task[None]] = {}

    async def take_up(self) -> None:
        """Go on with what the process before left."""
        try:
            for request in await self._imports.running():
                self.watch(request)
        except StorageUnavailable as error:
            _log.warning("imports are not shown until the next start", error=str(error))

    def watch(self, request: RequestId) -> None:
        """Show how far this request is, until it is done."""
        if request not in self._watches:
            task = asyncio.create_task(self._watch(request), name=f"import {request}")
            self._watches[request] = task
            task.add_done_callback(lambda _: self._watches.pop(request, None))

    async def stop(self) -> None:
        """Stop watching; the imports go on."""
        watches = [*self._watches.values()]
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, request: RequestId) -> None:
        begun_at: tuple[datetime, int] | None = None
        shown: object = None
        last: Running | None = None
        refusals = 0
        pause_s = ANSWER_S
        while True:
            await self._sleep(pause_s)
            try:
                running = await self._imports.progress(request)
                address = await self._changes.address(request)
            except StorageUnavailable:
                continue
            if running is None or address is None:
                await self._finish(last)
                return
            last = running
            total, done = running_figures(running)
            begun_at = begun_at or (self._now(), done)
            is_open = isinstance(address, Answer) and self._now() - address.asked_at < TOKEN_LIFE
            if is_open and refusals >= REFUSALS:
                continue
            held = self._library.why_held(running.member_id)
            if (done, type(held)) == shown:
                continue
            shown = (done, type(held))
            words = self._words(running.locale)
            if held is not None:
                stop = stop_button(words, running.member_id, request)
                card = text_card(words.held(held, total - done, Action.SAVE), stop)
            else:
                left_s = self._left_s(begun_at, done, total)
                card = card_of(words, running.member_id, request, done, total, left_s)
            try:
                if is_open and isinstance(address, Answer):
                    await self._messages.edit_answer(address.token, card)
                else:
                    pause_s = DIRECT_S
                    await self._direct(request, running, card)
            except Failure as failure:
                _log.info("progress is not shown", error=failure.code)
                if failure.is_final and not is_open:
                    return  # no direct messages: the next answer tells the end
                refusals += failure.is_final

    async def _direct(self, request: RequestId, running: Running, card: Card) -> None:
        if running.progress is not None:
            await self._messages.edit(*running.progress, card)
            return
        channel = await self._messages.open_direct(running.member_id)
        # the nonce makes it one message, also when the process ends before its id is stored
        sent = await self._messages.send(channel, card, f"i{request}")
        try:
            await self._imports.put_progress(request, channel, sent)
        except StorageUnavailable as error:
            _log.warning("where progress is shown could not be stored", error=str(error))

    async def _finish(self, last: Running | None) -> None:
        """Fill the bar of the direct message; the summary comes in one of its own."""
        if last is None or last.progress is None:
            return
        total, _ = running_figures(last)
        try:
            words = self._words(last.locale)
            await self._messages.edit(*last.progress, progress_card(words, _doing(words), total, total, None))
        except Failure as failure:
            _log.info("progress is not shown", error=failure.code)

    def _left_s(self, begun_at: tuple[datetime, int], done: int, total: int) -> float | None:
        at, before = begun_at
        if done <= before:
            return None
        return (self._now() - at).total_seconds() / (done - before) * (total - done)


def running_figures(running: Running) -> tuple[int, int]:
    """How many albums there are, and how many are done."""
    total = sum(running.counts.values())
    return total, total - running.counts.get(None, 0)


def card_of(words: Words, member: MemberId, request: RequestId, done: int, total: int, left_s: float | None) -> Card:
    """A bar, a figure and what is left, with a button that stops it."""
    stop = stop_button(words, member, request)
    return progress_card(words, _doing(words), done, total, left_s, stop)


def stop_button(words: Words, member: MemberId, request: RequestId) -> Part:
    """The button that stops an import."""
    return button(words.t("Stop"), CustomId("import-stop", member, request))


def _doing(words: Words) -> str:
    return words.t("Saving the albums of your file. I will tell you when it is done.")
