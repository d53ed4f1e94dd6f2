"""Telling members what came of requests whose command no longer answers: each once, in order, and for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from itertools import chain, repeat
from typing import Any
from weakref import WeakValueDictionary

import structlog

from bot.caller import MemberId, RequestId
from bot.changes import ChangeRequest
from bot.errors import UserError
from bot.library.report import Report, Reports
from bot.storage.changes import LibraryChanges

MAX_CONCURRENT = 8
"""So many members are told at a time."""

_log = structlog.get_logger("gatefold.library")


class Notifier:
    """Tells, and notes that it told."""

    def __init__(self, changes: LibraryChanges, reports: Reports, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._changes = changes
        self._reports = reports
        self._sleep = sleep
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._mouths = asyncio.Semaphore(MAX_CONCURRENT)
        self._is_stopped = False
        self._turns: WeakValueDictionary[MemberId, asyncio.Lock] = WeakValueDictionary()
        # Says to a member what came of a request; True: told, False: no way to them is open. From app.py.
        self.tell: Callable[[Report], Awaitable[bool]]

    def enqueue(self, requests: Iterable[ChangeRequest]) -> None:
        """Tell of these."""
        if self._is_stopped:
            return  # the way to Discord is being closed; the next start tells
        for request in requests:
            self._begin(self._in_turn(request), request.id)

    def _begin(self, work: Coroutine[Any, Any, None], id_: RequestId) -> None:
        task = asyncio.create_task(work, name=f"tell {id_}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def held(self, id_: RequestId, error: UserError) -> None:
        """Say why a request that waits does not go on by itself."""
        if not self._is_stopped:
            self._begin(self._say_held(id_, error), id_)

    async def _say_held(self, id_: RequestId, error: UserError) -> None:
        request = await self._changes.get(id_)
        if request is not None and not request.ended:
            async with self._turn(request.member), self._mouths:
                await self._say(request, error)

    @property
    def under_way(self) -> int:
        """How many members are being told, or wait for it."""
        return len(self._tasks)

    async def stop(self, seconds: float) -> None:
        """Let what is being told be told, `seconds` at most; the rest is told by the next start."""
        self._is_stopped = True
        for task in self._waiting:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait([*self._tasks], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _in_turn(self, request: ChangeRequest) -> None:
        async with self._turn(request.member), self._mouths:
            told = await self._say(request)
        if told is not None:
            await self._note(request, told=told)

    def _turn(self, member: MemberId) -> asyncio.Lock:
        """One after another to each member, as it happened: the last word on an album must be the true one."""
        return self._turns.setdefault(member, asyncio.Lock())

    async def _say(self, request: ChangeRequest, held: UserError | None = None) -> bool | None:
        """Whether the member was told; None: it could not be tried, the next start does."""
        try:
            return await self.tell(await self._reports.report(request, held))
        except UserError as error:
            _log.warning("a member could not be told", error=type(error).__name__)
        except Exception:
            _log.exception("a member could not be told")
        return None

    async def _note(self, request: ChangeRequest, *, told: bool) -> None:
        """Note it, however long the disk is full: else they would be told once more after a restart."""
        for pause_s in chain((2.0, 20.0), repeat(600.0)):
            try:
                await self._changes.told([request.id], refused=not told)
                return
            except UserError as error:
                _log.warning("it could not be noted that a member was told", error=str(error))
            except Exception:
                _log.exception("it could not be noted that a member was told")
            task = asyncio.current_task()
            assert task is not None
            self._waiting.add(task)
            try:
                await self._sleep(pause_s)
            finally:
                self._waiting.discard(task)
