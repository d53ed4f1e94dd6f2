"""Changing members' libraries: what commands and buttons call, a runner a member, and the worker that tries again.

One runner a member at a time: it carries out whatever that member has pending, joined, in the order of the
interactions. Commands put their changes on disk, wake the runner, and wait for their own to end.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from bot import albums, logs
from bot.accounts.tokens import Tokens
from bot.albums import AlbumId, Reference
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, LibraryChange, Outcome
from bot.errors import InternalError, NeedsRelink, NotLinked, Restarting, StorageUnavailable, TryLater, UserError
from bot.library.executor import ChangeExecutor, Ending
from bot.library.notifier import Notifier
from bot.library.report import Report, Reports
from bot.library.resolver import AlbumResolver
from bot.spotify.client import Spotify
from bot.storage.changes import BATCH, Accepted, LibraryChanges, NewChange, UndoVerdict
from bot.storage.links import Sealed

EARLIER = 25
"""So many earlier requests are told with one answer at most."""
WORKERS = 32
"""So many members are served at a time by the worker: enough to fill the gate, so that a command waits a turn there."""
FIRST_RETRY_S, QUICK_RETRY_S, SLOW_RETRY_S = 2.0, 20.0, 600.0
QUICK_FOR_S = 300.0
GIVE_UP_S, UNDO_S, SWEEP_S = 7 * 86_400, 30 * 86_400, 3600.0

_log = structlog.get_logger("gatefold.library")


@dataclass(slots=True)
class _Retry:
    """When a member's pending changes are tried again, in monotonic time."""

    at: float
    first_at: float
    delay: float


_Waiter = asyncio.Future[tuple[ChangeRequest | None, UserError | None]]
"""What a command waits for: its ended request, or why it is held up."""


class Library:
    """Changes members' libraries, and keeps at it until it is done."""

    def __init__(
        self,
        changes: LibraryChanges,
        tokens: Tokens,
        resolver: AlbumResolver,
        spotify: Spotify,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._changes = changes
        self._tokens = tokens
        self._resolver = resolver
        self._executor = ChangeExecutor(changes, resolver, spotify)
        self._reports = Reports(tokens, resolver)
        self.notifier = Notifier(changes, self._reports, sleep)
        self._now = now
        self._monotonic = monotonic
        self._running: dict[MemberId, asyncio.Task[None]] = {}
        self._again: set[MemberId] = set()
        # commands that wait for their request; requests whose command has not answered yet, as far as they are known
        self._waiting: dict[MemberId, dict[RequestId, _Waiter]] = defaultdict(dict)
        self._live: dict[RequestId, ChangeRequest | None] = {}
        self._retries: dict[MemberId, _Retry] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False

    # -- what commands and buttons call

    async def change(self, caller: Caller, action: Action, text: str) -> Report:
        """Save or remove what somebody pasted."""
        return await self._ask(caller, action, [_new_change(reference) for reference in albums.read(text)])

    async def change_album(self, caller: Caller, action: Action, album: AlbumId) -> Report:
        """Save or remove the album of a button."""
        return await self._ask(caller, action, [NewChange(Kind.ALBUM, album)])

    async def undo(self, caller: Caller, of: RequestId) -> Report | UndoVerdict:
        """Take back exactly what a request changed, once; a verdict when there is nothing to do."""
        id_ = caller.interaction_id
        self._live[id_] = None
        try:
            verdict = await self._changes.accept_undo(caller, of, self._seconds())
            if verdict is not UndoVerdict.ACCEPTED:
                self._live.pop(id_, None)
                return verdict
            return await self._carried_out(caller.member_id, id_)
        except BaseException:
            self._live.pop(id_, None)
            raise

    async def answered(self, report: Report, *, arrived: bool) -> None:
        """The command has answered with this report; `arrived`: and Discord took it."""
        id_ = report.request.id
        try:
            if arrived:
                await self._changes.answered(id_, told=report.request.ended)
        finally:
            self._live.pop(id_, None)
        if arrived and report.request.ended:
            return
        # What ended while the command was answering, or could not be answered, is still to be told.
        request = await self._changes.get(id_)
        if request is not None and request.ended:
            self.notifier.enqueue([request])

    async def pending(self, member: MemberId) -> list[LibraryChange]:
        """What waits for this member, the oldest first."""
        return await self._changes.pending(member)

    async def untold(self, report: Report) -> list[Report]:
        """What the member could not be told when it was done. Tell it, then call `told`."""
        reports = []
        for id_ in report.earlier[:EARLIER]:
            if (request := await self._changes.get(id_)) is not None:
                # many albums are told as counts, for which no name is needed
                is_one = len(request.distinct) == 1
                reports.append(await self._reports.report(request) if is_one else Report(request, {}))
        return reports

    async def told(self, reports: Sequence[Report]) -> None:
        """The member was told of these."""
        await self._changes.told([report.request.id for report in reports])

    async def drop(self, member: MemberId) -> int:
        """Drop everything that is pending for this member; how many changes it was."""
        # what is being written just now can no longer be dropped
        count, ended = await self._changes.drop(member, self._seconds(), is_busy=member in self._running)
        self.notifier.enqueue(request for request in ended if request.id not in self._live)
        return count

    def unlinked(self, member: MemberId) -> None:
        """The member has unlinked: everything of theirs was deleted."""
        self._retries.pop(member, None)
        self._resolver.forget_own(member)

    def linked(self, member: MemberId) -> None:
        """The member has linked: what waits is carried out, maybe in another account's library than before."""
        self._resolver.forget_own(member)
        self.wake(member)

    # -- the worker

    def wake(self, member: MemberId, accepted: Accepted | None = None) -> None:
        """Carry out what is pending for this member, now; `accepted`: if that was read just now."""
        self._retries.pop(member, None)
        if member in self._running:
            self._again.add(member)
        elif self._is_stopping:
            for id_ in [*self._waiting[member]]:
                self._release(member, id_, None, Restarting())
        else:
            task = asyncio.create_task(self._run(member, accepted), name=f"library {member}")
            self._running[member] = task

    async def work(self) -> None:
        """The one worker: at the start whatever is unfinished, then what is due, until cancelled."""
        members, untold = await self._changes.unfinished()
        started = self._monotonic()
        for member in members:
            self._retries.setdefault(member, _Retry(started, started, 0.0))
        requests = [await self._changes.get(id_) for id_ in untold if id_ not in self._live]
        self.notifier.enqueue([request for request in requests if request is not None])
        places = asyncio.Semaphore(WORKERS)
        while True:
            now = self._monotonic()
            for member in [m for m, retry in self._retries.items() if retry.at <= now]:
                await places.acquire()
                retry = self._retries.get(member)
                if retry is None or member in self._running:
                    places.release()
                    continue
                self._retries[member].at = float("inf")  # until the runner says when
                task = asyncio.create_task(self._run(member), name=f"library {member}")
                self._running[member] = task
                task.add_done_callback(lambda _: places.release())
            await self._sleep_until_due()

    async def stop(self, seconds: float) -> None:
        """Let what is in flight finish, `seconds` at most; what does not is on disk, and its member is told."""
        self._is_stopping = True
        until = self._monotonic() + seconds
        if self._running:
            _, late = await asyncio.wait([*self._running.values()], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.notifier.stop(max(until - self._monotonic(), 0.0))

    async def _sleep_until_due(self) -> None:
        self._wake.clear()
        due = min((retry.at for retry in self._retries.values()), default=float("inf"))
        try:
            async with asyncio.timeout(min(max(due - self._monotonic(), 0.0), 60.0)):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def sweep(self) -> None:
        """Give up what has been pending too long, and delete what is too old."""
        now = self._seconds()
        try:
            given_up = await self._changes.give_up(now - GIVE_UP_S, now)
            self.notifier.enqueue(request for request in given_up if request.id not in self._live)
            await self._changes.purge(now - UNDO_S)
        except StorageUnavailable as error:
            _log.warning("the database cannot be swept", error=str(error))

    # -- one member's runner

    async def _ask(self, caller: Caller, action: Action, changes: list[NewChange]) -> Report:
        id_ = caller.interaction_id
        self._live[id_] = None
        try:
            accepted = await self._changes.accept(caller, action, changes, self._seconds())
            self._live[id_] = accepted.request
            report = await self._carried_out(caller.member_id, id_, accepted)
            return replace(await self._promised(report), earlier=accepted.untold)
        except BaseException:
            self._live.pop(id_, None)
            raise

    async def _promised(self, report: Report) -> Report:
        """The report, once what it keeps is safe on the disk. StorageUnavailable: it is not, and was taken back."""
        if report.request.ended:
            return report  # safe before it was carried out; that another's change is not is no reason to deny it
        try:
            await self._changes.on_disk()
        except StorageUnavailable as error:
            if await self._is_withdrawn(report.request.id):
                raise
            return replace(report, held=error)
        return report

    async def _is_withdrawn(self, id_: RequestId) -> bool:
        try:
            return await self._changes.withdraw(id_)
        except StorageUnavailable:
            return False  # no room even for that: so it stays, and will be done

    async def _carried_out(self, member: MemberId, id_: RequestId, accepted: Accepted | None = None) -> Report:
        # Discord may deliver an interaction twice: both of its commands wait for the same request.
        future = self._waiting[member].get(id_) or asyncio.get_running_loop().create_future()
        self._waiting[member][id_] = future
        self.wake(member, accepted)
        request, held = await asyncio.shield(future)
        if request is None:
            request = await self._changes.get(id_)
        if request is None:
            raise NotLinked  # unlinked meanwhile: everything of theirs is gone
        may_ask = request.id not in self._live
        return await self._reports.report(request, None if request.ended else held, may_ask=may_ask)

    async def _run(self, member: MemberId, accepted: Accepted | None = None) -> None:
        retry = self._retries.pop(member, None)
        held: UserError | None = None
        batch: list[LibraryChange] = []
        try:
            while True:
                if accepted is None:
                    self._again.discard(member)
                batch = accepted.pending if accepted is not None else await self._changes.pending(member)
                sealed = accepted.link if accepted is not None else None
                accepted = None
                held = await self._carry_out(member, sealed, batch) if batch else None
                if held is not None:
                    for id_ in {change.request_id for change in batch}:
                        self._release(member, id_, None, held)
                elif len(batch) == BATCH:
                    continue  # there may be more
                if member not in self._again:
                    break
        except StorageUnavailable as error:
            held = error
        except asyncio.CancelledError:
            held = Restarting()
            raise
        except Exception:
            held = InternalError(logs.reference())
            _log.exception("a change could not be carried out", request=held.reference)
        finally:
            del self._running[member]
            self._again.discard(member)
            for id_ in [*self._waiting[member]]:
                self._release(member, id_, None, held)
            del self._waiting[member]
            if held is not None:
                self._retry_later(member, held, retry)
            if isinstance(held, NeedsRelink) and retry is not None and (retry.delay or held.is_new):
                # nobody waits for it, and it goes on only when the member knows
                self.notifier.held(max(change.request_id for change in batch), held)

    async def _carry_out(self, member: MemberId, sealed: Sealed | None, batch: list[LibraryChange]) -> UserError | None:
        """Carry a batch out; why some of it stays pending, or None when all of it ended."""
        try:
            access = await self._tokens.access(member, sealed)
        except UserError as error:
            return error
        outcomes, held = await self._executor.carry_out(member, access, batch)
        await self._end(member, outcomes)
        return held

    async def _end(self, member: MemberId, outcomes: list[Ending]) -> None:
        if not outcomes:
            return
        ending = asyncio.ensure_future(self._changes.end(outcomes, self._seconds()))
        # Whose command answers just now tells of it by itself: see answered().
        answering = {id_ for (id_, _), *_ in outcomes if id_ in self._live}
        # The answer need not wait for it: carried out again after a crash, it changes nothing and says the same.
        for request in self._completed(outcomes):
            self._release(member, request.id, request, None)
        ended = await ending
        for request in ended:
            self._release(member, request.id, request, None)
        self.notifier.enqueue(request for request in ended if request.id not in answering)

    def _completed(self, outcomes: Iterable[Ending]) -> Iterator[ChangeRequest]:
        """The requests of commands that still answer, and that have all their outcomes now."""
        by_request: dict[RequestId, list[Ending]] = defaultdict(list)
        for ending in outcomes:
            by_request[ending[0][0]].append(ending)
        for id_, endings in by_request.items():
            if (request := self._live.get(id_)) is None:
                continue
            changes = list(request.changes)
            for (_, position), outcome, detail, album in endings:
                change = changes[position]
                changes[position] = replace(change, outcome=outcome, detail=detail, album_id=album or change.album_id)
            ended = all(change.outcome is not None for change in changes)
            self._live[id_] = request = replace(request, changes=tuple(changes), ended=ended)
            if ended:
                yield request

    # -- waiting, telling, trying again

    def _release(self, member: MemberId, id_: RequestId, request: ChangeRequest | None, held: UserError | None) -> None:
        future = self._waiting[member].pop(id_, None)
        if future is not None and not future.done():
            future.set_result((request, held))

    def _retry_later(self, member: MemberId, held: UserError, before: _Retry | None) -> None:
        if isinstance(held, NotLinked | NeedsRelink):
            return  # the change waits for the member to link; on_linked wakes us
        now = self._monotonic()
        first_at = before.first_at if before is not None else now
        cap = QUICK_RETRY_S if now - first_at < QUICK_FOR_S else SLOW_RETRY_S
        delay = min(before.delay * 2, cap) if before is not None and before.delay else FIRST_RETRY_S
        at = now + delay
        if isinstance(held, TryLater) and held.until is not None:
            at = max(at, now + (held.until - self._now()).total_seconds())
        self._retries[member] = _Retry(at, first_at, delay)
        self._wake.set()

    def _seconds(self) -> int:
        return int(self._now().timestamp())


def _new_change(reference: Reference) -> NewChange:
    match reference:
        case albums.AlbumRef(id_):
            # few ids hold no digit, but some words and names have 22 letters
            return NewChange(Kind.ID_OR_WORD if id_.isalpha() else Kind.ALBUM, id_)
        case albums.TrackRef(id_):
            return NewChange(Kind.TRACK, id_)
        case albums.ShortLink(host, path):
            return NewChange(Kind.SHORT, f"{host}{path}")
        case albums.SearchText(text):
            return NewChange(Kind.SEARCH, text)
        case albums.NotAnAlbum(kind, shown):
            return NewChange(Kind.OTHER, shown, Outcome.NOT_ALBUM, kind)
        case albums.Unreadable(shown):
            return NewChange(Kind.OTHER, shown, Outcome.UNREADABLE)
        case albums.Ignored(shown):
            return NewChange(Kind.OTHER, shown, Outcome.IGNORED)
