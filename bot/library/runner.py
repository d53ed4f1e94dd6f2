"""One member's runner: carries out what is pending for them, and releases the commands that wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

import structlog
from msgspec import Struct

from bot import logs
from bot.caller import MemberId, RequestId
from bot.changes import ChangeRequest, Outcome
from bot.errors import InternalError, Restarting, StorageUnavailable, UserError
from bot.library.executor import ChangeExecutor, Chunk, weightier
from bot.library.retries import Retry
from bot.storage.changes import Accepted, Ending

_log = structlog.get_logger("gatefold.library")


class Released(Struct, frozen=True):
    """What a command waits for: its ended request, or why it is held up.

    `endings`: what came of its changes, which is not stored if its member has unlinked meanwhile.
    """

    request: ChangeRequest | None
    held: UserError | None
    endings: Sequence[Ending]


class Progress(Struct, frozen=True):
    """How far a request is. `counts`: changes by outcome; `left`: those without one; `left_s`: seconds, a guess."""

    counts: Mapping[Outcome, int]
    left: int
    left_s: float | None


OnProgress = Callable[[Progress], None]


class _Watch:
    """Counts the outcomes of one request."""

    def __init__(self, request: ChangeRequest, tell: OnProgress, clock: Callable[[], float]) -> None:
        self._id = request.id
        self._tell = tell
        self._clock = clock
        self._begun = clock()
        self._counts = Counter(change.outcome for change in request.changes if change.outcome is not None)
        self._left = len(request.changes) - self._counts.total()
        self._done = 0

    def see(self, chunk: Chunk) -> None:
        outcomes = [ending.outcome for ending in chunk.endings if ending.key[0] == self._id]
        if not outcomes:
            return
        self._counts.update(outcomes)
        self._left -= len(outcomes)
        self._done += len(outcomes)
        left_s = (self._clock() - self._begun) / self._done * self._left
        self._tell(Progress(dict(self._counts), self._left, left_s))


class MemberRunner:
    """Carries out one member's changes while there are any to try, and then rests: the next time is another one's."""

    def __init__(
        self,
        member: MemberId,
        executor: ChangeExecutor,
        on_rest: Callable[[MemberRunner, UserError | None, Retry | None, RequestId], None],
        monotonic: Callable[[], float],
    ) -> None:
        """`on_rest`: is told that it rests, why changes are held up, its retry before, and the newest request held up."""
        self.member = member
        self._executor = executor
        self._on_rest = on_rest
        self._monotonic = monotonic
        self._waiting: dict[RequestId, asyncio.Future[Released]] = {}
        self._endings: defaultdict[RequestId, list[Ending]] = defaultdict(list)
        self._watches: dict[RequestId, _Watch] = {}
        self._has_arrived = self._is_new = False
        self.task: asyncio.Task[None] | None = None

    def wait(self, id_: RequestId) -> asyncio.Future[Released]:
        """Done when the request has ended, or is held up. Two commands of one interaction share it."""
        future = self._waiting.get(id_)
        if future is None:
            future = self._waiting[id_] = asyncio.get_running_loop().create_future()
        return future

    def watch(self, request: ChangeRequest, tell: OnProgress) -> None:
        """Tell the progress of a request until it ends or is held up."""
        self._watches[request.id] = _Watch(request, tell, self._monotonic)

    def start(self, first: Accepted | None, retry: Retry | None) -> None:
        """Carry out what is pending; if that is under way, what arrived since, too.

        `first`: what was accepted just now. `retry`: the attempt that this is, if it is one.
        """
        if self.task is not None:
            self._has_arrived = self._is_new = True
        else:
            self.task = asyncio.create_task(self._run(first, retry), name=f"library {self.member}")

    def release_all(self, held: UserError | None) -> None:
        """Let nobody wait any longer."""
        for id_ in [*self._waiting]:
            self._release(id_, None, held)

    async def _run(self, first: Accepted | None, retry: Retry | None) -> None:
        held: UserError | None = None
        newest = RequestId(0)
        try:
            while True:
                held = None
                async with aclosing(self._executor.chunks(self.member, first, self._take_arrival)) as chunks:
                    async for chunk in chunks:
                        self._release_those_of(chunk)
                        if chunk.held:
                            newest = max(newest, *chunk.held)
                            held = weightier(chunk.held.values(), held)
                first = None
                if not self._has_arrived:
                    break
                # once more: it may belong before what was done since
                self._has_arrived = self._is_new = False
        except StorageUnavailable as error:
            held = error
        except asyncio.CancelledError:
            held = Restarting()
            raise
        except Exception:
            held = InternalError(logs.reference())
            _log.exception("a change could not be carried out", request=held.reference)
        finally:
            self.release_all(held)
            self._on_rest(self, held, retry, newest)

    def _take_arrival(self) -> bool:
        is_new, self._is_new = self._is_new, False
        return is_new

    def _release_those_of(self, chunk: Chunk) -> None:
        for watch in [*self._watches.values()]:
            watch.see(chunk)
        for ending in chunk.endings:
            if (id_ := ending.key[0]) in self._waiting:
                self._endings[id_].append(ending)
        for request in chunk.ended:
            self._release(request.id, request, None)
        for id_, why in chunk.held.items():
            self._release(id_, None, why)

    def _release(self, id_: RequestId, request: ChangeRequest | None, held: UserError | None) -> None:
        self._watches.pop(id_, None)
        future, endings = self._waiting.pop(id_, None), self._endings.pop(id_, [])
        if future is not None and not future.done():
            future.set_result(Released(request, held, endings))
