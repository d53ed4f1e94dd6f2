"""Changing members' libraries: what commands and buttons call, one runner per member, and the worker that tries again.

Commands put their changes on disk, start the member's runner, and wait for their own to end. What cannot be done now
stays pending, and the worker tries it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot import albums
from bot.accounts.tokens import Tokens
from bot.albums import AlbumId, Reference
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, LibraryChange, Outcome
from bot.errors import NeedsRelink, NotLinked, Restarting, StorageUnavailable, TryLater, UserError
from bot.library.executor import ChangeExecutor
from bot.library.report import Report, Reports
from bot.library.resolver import AlbumResolver
from bot.library.retries import Retries, Retry
from bot.library.runner import MemberRunner, OnProgress, Released
from bot.pasted_text import read
from bot.spotify.client import Spotify
from bot.storage.changes import Accepted, LibraryChanges, NewChange, Pages, UndoVerdict
from bot.storage.engine import Connection

EARLIER = 25
"""How many earlier requests one answer tells at most."""
WORKERS = 32
"""How many members the worker serves at a time."""
PAGE = 500
"""How many members with pending changes are read at a time at the start."""
GIVE_UP_S, GIVE_UP_WAITING_S, UNDO_S, SWEEP_S = 7 * 86_400, 30 * 86_400, 30 * 86_400, 3600.0
STORE_AGAIN_S = (2.0, 20.0, 600.0)
"""Pauses before something that could not be stored is tried again; the last one repeats."""
NOTE_S = 1.0
"""How long it may take until it is noted that an answer told everything."""

_log = structlog.get_logger("gatefold.library")


class Dropped(Struct, frozen=True):
    """How many albums were dropped. `is_sure`: no write of any of them can have been carried out.

    `left`: how many were not, since they are being written.
    """

    count: int
    left: int
    is_sure: bool


class Library:
    """Changes members' libraries, and keeps at it until it is done."""

    def __init__(
        self,
        changes: LibraryChanges,
        tokens: Tokens,
        resolver: AlbumResolver,
        spotify: Spotify,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._changes = changes
        self._tokens = tokens
        self._resolver = resolver
        self._executor = ChangeExecutor(changes, tokens, resolver, spotify, now)
        self._reports = Reports(tokens, resolver)
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._runners: dict[MemberId, MemberRunner] = {}
        self._retries = Retries()
        self._held: dict[MemberId, UserError] = {}
        self._places = asyncio.Semaphore(WORKERS)
        self._wake = asyncio.Event()
        self._notes: set[asyncio.Task[None]] = set()
        self._swept_at: datetime | None = None
        self._noting: asyncio.Task[None] | None = None
        self._told_by: dict[RequestId, RequestId] = {}  # which request's answer tells of an earlier one now
        self._is_stopping = False

    # -- what commands and buttons call

    async def change(self, caller: Caller, action: Action, text: str, on_progress: OnProgress | None = None) -> Report:
        """Save or remove what somebody pasted. `on_progress` is called after each chunk of about 40."""
        changes = [new_change(reference) for reference in read(text)]
        return await self._ask(caller, action, changes, on_progress)

    async def change_album(
        self, caller: Caller, action: Action, album: AlbumId, *, origin: str | None = None
    ) -> Report:
        """Save or remove the album of a button. `origin`: the button's card, if that counts who saved the album."""
        return await self._ask(caller, action, [NewChange(Kind.ALBUM, album)], origin=origin)

    async def change_albums(
        self, caller: Caller, action: Action, ids: Sequence[AlbumId], on_progress: OnProgress | None
    ) -> Report:
        """Save or remove many albums. `on_progress` is called after each chunk of about 40."""
        changes = [NewChange(Kind.ALBUM, id_) for id_ in dict.fromkeys(ids)]
        return await self._ask(caller, action, changes, on_progress)

    async def begin(
        self, caller: Caller, action: Action, changes: Sequence[NewChange], also: Callable[[Connection], None]
    ) -> ChangeRequest:
        """Accept a request and begin to carry it out, without waiting for its end; the outbox tells what comes of it.

        Call `answered` when the member knows that it has begun. `also`: what is stored in the same transaction.
        """
        accepted = await self._changes.accept(caller, action, changes, self._now(), also)
        self.wake(caller.member_id, accepted)
        return accepted.request

    def why_held(self, member: MemberId) -> UserError | None:
        """Why what is pending for a member cannot be done now; None: it is being done, or nothing is pending."""
        return None if self.is_running(member) else self._held.get(member)

    async def undo(self, caller: Caller, of: RequestId, on_progress: OnProgress | None = None) -> Report | UndoVerdict:
        """Take back exactly what a request changed, once; a verdict when there is nothing to do."""
        verdict, request = await self._changes.accept_undo(caller, of, self._now())
        return verdict if request is None else await self._kept(request, None, on_progress)

    async def answered(
        self, report: Report, *, arrived: bool, shows_report: bool = True, pages: Pages | None = None
    ) -> None:
        """The command has answered. What its answer did not tell, the outbox tells from now on.

        `arrived`: its message is there; `shows_report`: with this report, and no error; `pages`: which of its
        messages arrived, None: all.
        """
        ended, held = report.request.ended, report.held
        if arrived and shows_report and ended and pages is None and not report.earlier:
            self._note_soon(report.request.id)
            return
        reason = held.reason.value if shows_report and not ended and isinstance(held, NeedsRelink) else None
        await self._note(
            report.request.id, arrived=arrived, tells_end=shows_report and ended, pages=pages, tells_held=reason
        )

    async def pending(self, member: MemberId) -> list[LibraryChange]:
        """What is pending for this member, the oldest first, of each album the last that was asked for; at most 1,000."""
        by_album = {change.album_id or change.reference: change for change in await self._changes.pending(member)}
        return [*by_album.values()]

    async def pending_count(self, member: MemberId) -> int:
        """How many albums are pending for this member, each once."""
        return await self._changes.pending_count(member)

    async def waiting_for_link(self, member: MemberId) -> int:
        """How many albums wait until the member links; 0 while their link works."""
        account = await self._tokens.account(member)
        return 0 if account is not None and not account.broken else await self.pending_count(member)

    async def untold(self, report: Report) -> list[Report]:
        """What the member could not be told when it was done, and no other answer is telling. Then call `told`."""
        if not report.earlier:
            return []
        ids = [id_ for id_ in report.earlier if id_ not in self._told_by][:EARLIER]
        self._told_by |= dict.fromkeys(ids, report.request.id)
        reports = []
        for id_ in await self._changes.still_untold(ids):
            if (request := await self._changes.get(id_)) is not None:
                # many albums are told as counts, for which no name is needed
                is_one = len(request.distinct) == 1
                reports.append(await self._reports.report(request) if is_one else Report(request, {}))
        return reports

    async def told(self, report: Report, earlier: Sequence[Report], *, arrived: bool) -> None:
        """The answer with this report told of these earlier ones. What it took and did not tell, the next one may.

        `arrived`: the answer is there; otherwise the outbox tries once more to tell what the answer was to tell.
        """
        if not report.earlier:
            return
        ids = [each.request.id for each in earlier]
        taken = [id_ for id_ in report.earlier if self._told_by.get(id_) == report.request.id]
        self._give_back(report, {*taken}.difference(ids) if arrived else ())

        async def note() -> None:
            if arrived:
                await self._changes.told(ids)
            else:
                await self._changes.tell_again(taken, self._now())
            self._give_back(report, taken)

        if ids or not arrived:
            await self._noted(note)

    def _give_back(self, report: Report, ids: Iterable[RequestId]) -> None:
        for id_ in ids:
            if self._told_by.get(id_) == report.request.id:
                del self._told_by[id_]

    async def drop(self, member: MemberId, request: RequestId | None = None) -> Dropped:
        """Drop what is pending for this member, or only in this request."""
        # what is being written just now can no longer be dropped
        is_busy = self.is_running(member)
        count, left, ended = await self._changes.drop(member, self._now(), is_busy=is_busy, request=request)
        return Dropped(count, left, not any(change.is_unsure for each in ended for change in each.changes))

    def unlinked(self, member: MemberId) -> None:
        """The member has unlinked: everything of theirs was deleted."""
        self._retries.pop(member)
        self._held.pop(member, None)
        self._resolver.forget_own(member)

    def linked(self, member: MemberId) -> None:
        """The member has linked: what is pending is carried out, maybe in another account's library than before."""
        self._resolver.forget_own(member)
        self.wake(member)

    # -- what messages about requests are drawn from

    async def outcome(self, id_: RequestId) -> Report | None:
        """What came of a request that has ended; None when it is gone."""
        request = await self._changes.get(id_)
        return await self._reports.report(request) if request is not None and request.ended else None

    async def held(self, id_: RequestId, why: UserError) -> Report | None:
        """A request that stays pending, and why; None when it has ended meanwhile."""
        request = await self._changes.get(id_)
        return await self._reports.report(request, why) if request is not None and not request.ended else None

    # -- the worker

    async def recover(self) -> None:
        """Take over what the process before left: the outbox tells what its commands no longer can.

        Before the first command is accepted.
        """
        await self._changes.recover(self._now())

    def wake(self, member: MemberId, first: Accepted | None = None) -> None:
        """Carry out what is pending for this member, now. `first`: what was accepted just now."""
        self._retries.pop(member)
        runner = self._runner(member)
        if self._is_stopping and runner.task is None:
            runner.release_all(Restarting())
            self._runners.pop(member)
        else:
            runner.start(first, None)

    def is_running(self, member: MemberId) -> bool:
        """Whether a member's changes are being carried out."""
        return member in self._runners

    @property
    def is_idle(self) -> bool:
        """Whether no member's changes are being carried out."""
        return not self._runners and not self._notes

    def look_at_clock(self) -> None:
        """Look at the clock now, since it was set."""
        self._wake.set()

    @property
    def next_retry_s(self) -> float:
        """In how many seconds pending changes are tried again; infinite when none are."""
        return max(self._retries.next_at() - self._monotonic(), 0.0)

    async def work(self) -> None:
        """At the start, whatever is pending; then what is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_up(), name="library start")
            tasks.create_task(self._retry_due(), name="library retries")

    async def stop(self, seconds: float) -> None:
        """Let what is under way finish, `seconds` at most; the rest is on disk, and its member is told."""
        self._is_stopping = True
        running = [runner.task for runner in self._runners.values() if runner.task is not None]
        if running:
            _, late = await asyncio.wait(running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for note in self._notes:  # the next start finds out
            note.cancel()
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def finish_notes(self) -> None:
        """At the very end of a stop: note what answers told meanwhile, so that the next start does not tell it again."""
        if self._noting is not None:
            self._noting.cancel()
            await asyncio.gather(self._noting, return_exceptions=True)
            with suppress(StorageUnavailable):
                await self._changes.note_answers()

    async def sweep(self) -> None:
        """Give up what has been pending too long, and delete what is too old."""
        now = self._now()
        # What became too old while the process was down, the machine slept or the clock jumped is tried once more.
        tried_at = None if self._swept_at is None else min(self._swept_at, now)
        self._swept_at = now
        try:
            if tried_at is not None:
                await self._changes.give_up(
                    tried_at - timedelta(seconds=GIVE_UP_S),
                    now,
                    [*self._runners],
                    waiting_before=tried_at - timedelta(seconds=GIVE_UP_WAITING_S),
                )
            await self._changes.purge(now - timedelta(seconds=UNDO_S))
        except StorageUnavailable as error:
            _log.warning("the database cannot be swept", error=str(error))

    async def _take_up(self) -> None:
        """Try what the process before left pending, member by member."""
        after, begun = MemberId(0), self._monotonic()
        while True:
            try:
                members = await self._changes.members_pending(after, PAGE)
            except StorageUnavailable as error:
                _log.warning("pending changes cannot be read", error=str(error))
                await self._sleep(STORE_AGAIN_S[0])
                continue
            for member, client_id in members:
                if client_id is None:
                    continue  # they are to link first
                if (closed := self._tokens.closed(client_id)) is not None:
                    self._retry_later(member, closed, None)  # nothing of theirs need be read before that
                    continue
                await self._places.acquire()
                if self._retries.get(member) is None:
                    self._start_in_place(member, Retry(begun, begun, 0.0))
                else:
                    self._places.release()
            if len(members) < PAGE:
                return
            after = members[-1][0]

    async def _retry_due(self) -> None:
        while True:
            self._wake.clear()
            if (member := self._retries.due(self._monotonic())) is not None:
                await self._places.acquire()
                if (retry := self._retries.pop(member)) is not None:
                    self._start_in_place(member, retry)
                else:
                    self._places.release()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self.next_retry_s, 60.0)):
                    await self._wake.wait()

    def _start_in_place(self, member: MemberId, retry: Retry) -> None:
        """Start a member's runner in a place of the worker, which it gives back when it rests."""
        if self._is_stopping:
            return  # nobody needs the place any more
        runner = self._runner(member)
        runner.start(None, retry)
        assert runner.task is not None
        runner.task.add_done_callback(lambda _: self._places.release())

    # -- one request

    async def _ask(
        self,
        caller: Caller,
        action: Action,
        changes: list[NewChange],
        on_progress: OnProgress | None = None,
        *,
        origin: str | None = None,
    ) -> Report:
        accepted = await self._changes.accept(caller, action, changes, self._now(), origin=origin)
        report = await self._kept(accepted.request, accepted, on_progress)
        return replace(report, earlier=accepted.untold) if accepted.untold else report

    async def _kept(
        self, request: ChangeRequest, first: Accepted | None, on_progress: OnProgress | None = None
    ) -> Report:
        """What comes of a request that was accepted. StorageUnavailable: it was taken back, and nothing else."""
        try:
            return await self._promised(await self._carried_out(request, first, on_progress))
        except BaseException:
            # Its command can no longer tell of it; where nothing was kept, this does nothing.
            self._begin_note(self._note(request.id))
            raise

    async def _carried_out(
        self, request: ChangeRequest, first: Accepted | None, on_progress: OnProgress | None
    ) -> Report:
        runner = self._runner(request.member)
        future = runner.wait(request.id)
        if on_progress is not None and len(request.changes) > 1:
            runner.watch(request, on_progress)
        self.wake(request.member, first)
        released = await asyncio.shield(future)
        ended, held = released.request, released.held
        if ended is None:
            try:
                ended = await self._changes.get(request.id)
            except StorageUnavailable as error:
                return Report(request, {}, held or error)
        if ended is None:
            ended = _deleted(request, released)
        # the look-ups for its names went beside the calls of the change
        return await self._reports.report(ended, None if ended.ended else held, may_ask=False)

    async def _promised(self, report: Report) -> Report:
        """The report, once what it promises is safe on the disk. StorageUnavailable: it is not, and was taken back."""
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

    async def _note(
        self,
        id_: RequestId,
        *,
        arrived: bool = False,
        tells_end: bool = False,
        pages: Pages | None = None,
        tells_held: str | None = None,
    ) -> None:
        """Note what an answer told."""

        async def note() -> None:
            await self._changes.answered(
                id_, self._now(), arrived=arrived, tells_end=tells_end, pages=pages, tells_held=tells_held
            )

        await self._noted(note)

    async def _noted(self, note: Callable[[], Awaitable[None]]) -> None:
        """Note what a member was told; if the disk is full, until it can be noted."""
        try:
            await note()
        except StorageUnavailable as error:
            _log.warning("it could not be noted what a member was told", error=str(error))
            self._begin_note(self._noted_late(note))

    async def _noted_late(self, note: Callable[[], Awaitable[None]]) -> None:
        for pause_s in chain(STORE_AGAIN_S, repeat(STORE_AGAIN_S[-1])):
            await self._sleep(pause_s)
            with suppress(StorageUnavailable):
                await note()
                return

    def _note_soon(self, id_: RequestId) -> None:
        """Note that an answer told everything, within a second.

        If the process is killed before, the next start edits the answer, which changes nothing that it says; where
        15 minutes have passed by then, it is told once more in a direct message.
        """
        self._changes.told_by_answer(id_)
        if self._noting is None:
            self._noting = asyncio.create_task(self._note_answers())

    async def _note_answers(self) -> None:
        try:
            for pause_s in chain((NOTE_S,), STORE_AGAIN_S, repeat(STORE_AGAIN_S[-1])):
                await self._sleep(pause_s)
                try:
                    await self._changes.note_answers()
                    break
                except StorageUnavailable as error:
                    _log.warning("it could not be noted what members were told", error=str(error))
        finally:
            self._noting = None

    def _begin_note(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    # -- runners

    def _runner(self, member: MemberId) -> MemberRunner:
        runner = self._runners.get(member)
        if runner is None:
            runner = self._runners[member] = MemberRunner(member, self._executor, self._rests, self._monotonic)
        return runner

    def _rests(self, runner: MemberRunner, held: UserError | None, retry: Retry | None, newest: RequestId) -> None:
        """A runner has tried everything; what is held up is tried again, or waits for the member."""
        member = runner.member
        self._runners.pop(member, None)
        self._held.pop(member, None)
        if held is not None:
            self._held[member] = held
        if isinstance(held, NeedsRelink) and retry is not None:
            # nobody waits for it, and it goes on only when the member knows
            self._begin_note(self._tell_held(newest, held))
        elif held is not None and not isinstance(held, NotLinked | NeedsRelink):
            self._retry_later(member, held, retry)

    def _retry_later(self, member: MemberId, held: UserError, retry: Retry | None) -> None:
        not_before = 0.0
        if isinstance(held, TryLater) and held.until is not None:
            not_before = self._monotonic() + (held.until - self._now()).total_seconds()
        self._retries.put(member, Retry.after(retry, self._monotonic(), not_before))
        self._wake.set()

    async def _tell_held(self, id_: RequestId, why: NeedsRelink) -> None:
        await self._noted(lambda: self._changes.tell_held(id_, why.reason.value, self._now()))


def _deleted(request: ChangeRequest, released: Released) -> ChangeRequest:
    """A request of a member who unlinked meanwhile. What was carried out until then is known only here."""
    endings = {ending.key: ending for ending in released.endings}
    held = released.held
    is_untouched = isinstance(held, NotLinked | NeedsRelink) or not getattr(held, "may_have_applied", held is not None)

    def told(change: LibraryChange) -> LibraryChange:
        if (ending := endings.get(change.key)) is not None:
            return replace(
                change,
                outcome=ending.outcome,
                detail=ending.detail,
                choices=ending.choices,
                album_id=ending.album_id or change.album_id,
            )
        if change.outcome is not None:
            return change
        return replace(change, outcome=Outcome.DROPPED, was_saved=None if is_untouched else False)

    # nothing is kept that an Undo could take back
    return replace(request, changes=tuple(map(told, request.changes)), ended=True, undone=True)


def new_change(reference: Reference) -> NewChange:
    """What a reference asks for; of what cannot be an album, with its outcome."""
    match reference:
        case albums.AlbumRef(id_, words):
            return NewChange(Kind.ID_OR_WORD, id_, detail=words) if words else NewChange(Kind.ALBUM, id_)
        case albums.TrackRef(id_):
            return NewChange(Kind.TRACK, id_)
        case albums.ShortLink(host, path):
            return NewChange(Kind.SHORT, f"{host}{path}")
        case albums.SearchText(text, within):
            return NewChange(Kind.SEARCH, text, detail="\n".join(within) or None)
        case albums.NotAnAlbum(kind, shown):
            return NewChange(Kind.OTHER, shown, Outcome.NOT_ALBUM, kind)
        case albums.Unreadable(shown):
            return NewChange(Kind.OTHER, shown, Outcome.UNREADABLE)
        case albums.Ignored(shown, is_too_much):
            return NewChange(Kind.OTHER, shown, Outcome.IGNORED, "too much" if is_too_much else None)
