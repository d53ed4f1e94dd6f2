"""Many albums at once: what a member's file names, saved after one question, and their saved albums as a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, Outcome
from bot.errors import ImportOver, ImportRunning
from bot.files.exports import SavedAlbum
from bot.files.library_file import LibraryFile
from bot.library.library import Dropped, Library, new_change
from bot.spotify.client import Spotify
from bot.spotify.wire import MAX_PAGE
from bot.storage.changes import NewChange
from bot.storage.engine import Connection
from bot.storage.imports import Import, ImportRow, Imports, UnreadLine

READ_AT_ONCE = 2
"""How many files are read at a time: the worst one takes 2 s of processor time."""
PAGES_AT_ONCE = 4
"""How many pages of a library are read at a time."""
UNANSWERED = timedelta(days=1)
"""How long a question whether to save waits."""
KEPT = timedelta(days=1)
"""How long what a file holds is kept at least; then, as long as the request that saves it."""
_DONE = {Outcome.SAVED, Outcome.ALREADY, Outcome.DUPLICATE}


class Failure(Struct, frozen=True):
    """A line that was not imported. `typed`, `at`: as in the file. One of `outcome` and `reason` says why.

    `detail`: what it is instead of an album, or what Spotify said. `is_unsure`: it may have been saved all the same.
    """

    typed: str
    at: int
    outcome: Outcome | None = None
    reason: str = ""
    detail: str = ""
    is_unsure: bool = False


class ImportOutcome(Struct, frozen=True):
    """What came of an import. `counts`: its albums by outcome; `failures`: everything that was not imported.

    `unread_count`: lines that name no album; only the first of them are among the failures.
    """

    request: ChangeRequest
    counts: Mapping[Outcome, int]
    failures: tuple[Failure, ...]
    unread_count: int


class Importing:
    """Imports and exports."""

    def __init__(
        self,
        imports: Imports,
        library: Library,
        tokens: Tokens,
        spotify: Spotify,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._imports = imports
        self._library = library
        self._tokens = tokens
        self._spotify = spotify
        self._now = now
        self._reading = asyncio.Semaphore(READ_AT_ONCE)

    async def read(self, caller: Caller, data: bytes, name: str) -> Import:
        """Read a file, and store what it holds until the member says whether to save it.

        FileProblem: it cannot be read. ImportRunning.
        """
        async with self._reading:
            file = await asyncio.to_thread(_read, data, name)
        rows = []
        for found in file.found:
            change = new_change(found.reference)
            rows.append(ImportRow(change.kind.value, change.reference, found.typed, found.at))
        new = Import(
            caller.interaction_id,
            caller.member_id,
            caller.locale,
            self._now(),
            tuple(rows),
            file.repeated,
            tuple(UnreadLine(row.text, row.reason.value, row.kind, row.at) for row in file.unread),
            file.unread_count,
            file.left_out,
        )
        if not await self._imports.ask(new):
            raise ImportRunning
        return new

    async def confirm(self, caller: Caller, id_: RequestId) -> ChangeRequest:
        """Begin to save what was read; its end is told by the outbox. ImportOver."""
        found = await self._imports.asked(id_, caller.member_id)
        if found is None:
            raise ImportOver

        def confirm(c: Connection) -> None:
            if not self._imports.confirm_in(c, id_, caller.member_id, caller.interaction_id):
                raise ImportOver

        changes = [NewChange(Kind(row.kind), row.reference) for row in found.rows]
        return await self._library.begin(caller, Action.SAVE, changes, confirm)

    async def cancel(self, caller: Caller, id_: RequestId) -> None:
        """Forget what was read. ImportOver."""
        if not await self._imports.cancel(id_, caller.member_id):
            raise ImportOver

    async def stop(self, caller: Caller, request: RequestId) -> Dropped:
        """Take what is not saved yet out of the queue. The outbox says how it ended."""
        if await self._imports.of_request(request) is None:
            return Dropped(0, 0, is_sure=True)
        return await self._library.drop(caller.member_id, request)  # nothing of anybody else's

    async def outcome(self, request: ChangeRequest) -> ImportOutcome | None:
        """What came of an import's request; None: it is another request."""
        found = await self._imports.of_request(request.id)
        if found is None:
            return None
        failures = [
            Failure(row.typed, row.at, outcome=change.outcome, detail=change.detail or "", is_unsure=change.is_unsure)
            for row, change in zip(found.rows, request.changes, strict=False)
            if change.outcome not in _DONE
        ]
        failures += [Failure(line.text, line.at, reason=line.reason, detail=line.kind) for line in found.unread]
        counts = Counter(change.outcome for change in request.changes if change.outcome is not None)
        return ImportOutcome(
            request, counts, tuple(sorted(failures, key=lambda failure: failure.at)), found.unread_count
        )

    async def sweep(self) -> None:
        """Delete what nobody answered, and what is no longer needed."""
        await self._imports.purge(self._now() - UNANSWERED, self._now() - KEPT)

    async def saved(
        self, member: MemberId, on_page: Callable[[int, int | None], None] = lambda done, total: None
    ) -> list[SavedAlbum]:
        """All albums that a member has saved, the newest first. Errors are those of a call to Spotify.

        `on_page`: is told how many were read so far, and how many there are.
        """
        access = await self._tokens.access(member)
        page = await self._spotify.saved(access, 0)
        total, pages, offset = page.total, [page], MAX_PAGE
        while not pages[-1].is_last:
            on_page(offset, total)
            offsets = range(offset, offset + PAGES_AT_ONCE * MAX_PAGE, MAX_PAGE)
            if total is not None:
                offsets = range(offset, min(offsets.stop, max(total, offset + MAX_PAGE)), MAX_PAGE)
            more = await asyncio.gather(*(self._spotify.saved(access, each) for each in offsets))
            offset = offsets[-1] + MAX_PAGE
            known = {album.id for page in pages for album in page.albums}
            pages += more
            is_new = any(album.id not in known for page in more for album in page.albums)
            if not is_new and (len(more) == PAGES_AT_ONCE or (total is not None and offset >= total)):
                break  # the same pages again, however many there are said to be
        # an album that is saved elsewhere meanwhile shifts the pages, so that one comes twice
        found: dict[AlbumId, SavedAlbum] = {}
        for page in pages:
            for album in page.albums:
                row = SavedAlbum(album.id, album.title, album.artists, album.year, page.added_at.get(album.id))
                found[album.id] = row
        return [*found.values()]


def _read(data: bytes, name: str) -> LibraryFile:
    from bot.files.library import read_library  # here, because few servers ever import a file

    return read_library(data, name)
