"""Takes the outbox's messages about requests, in place of the delivery and Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bot.caller import RequestId
from bot.errors import NeedsRelink, StorageUnavailable
from bot.library import Library, Report
from bot.storage.changes import OUTCOME_MESSAGE
from bot.storage.outbox import Outbox, State


class Postman:
    """Notes every report that a member would read, and confirms it."""

    def __init__(
        self, outbox: Outbox, library: Library, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.told: list[Report] = []
        self._outbox = outbox
        self._library = library
        self._now = now

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Postman]:
        """Deliver until the end of the block."""
        worker = asyncio.create_task(self._work())
        try:
            yield self
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                await self._round()
            except StorageUnavailable:
                await asyncio.sleep(0.01)
            await self._outbox.wait(0.05)

    async def _round(self) -> None:
        messages, _ = await self._outbox.due(self._now(), 100)
        for message in messages:
            id_ = RequestId(message.payload["request"])
            if message.kind == OUTCOME_MESSAGE:
                report = await self._library.outcome(id_)
            else:
                why = NeedsRelink(NeedsRelink.Reason(message.payload["reason"]))
                report = await self._library.held(id_, why)
            await self._outbox.settle(message, State.CONFIRMED, self._now())
            if report is not None:
                self.told.append(report)
