"""Carrying changes out: which album is meant, what the library holds, one write per chunk, and the outcome."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from msgspec import Struct

from bot import albums
from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import OWN_APP, Action, ChangeRequest, LibraryChange, Outcome
from bot.errors import (
    AppRejected,
    InternalError,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    NotLinked,
    PremiumLapsed,
    Refused,
    StorageUnavailable,
    TryLater,
    UserError,
)
from bot.library.report import NAMES
from bot.library.resolver import AlbumResolver, Resolution
from bot.spotify.app import Access
from bot.spotify.client import Spotify
from bot.storage.changes import CHUNK, Accepted, Ending, Key, LibraryChanges
from bot.storage.engine import Row

NAME_S = 2.0
"""How long look-ups of names may hold up the write."""
PLACES = 4
"""How many look-ups one member has under way at a time, so that the others find places at the gate."""
_START: Key = (RequestId(0), -1)
_END = 2**31 - 1
"""After every position in a request."""

# What leaves a change pending; everything else ends it.
Retryable = TryLater | NotLinked | NeedsRelink | AppRejected | StorageUnavailable | InternalError


class Chunk(Struct, frozen=True):
    """What came of some of a member's changes.

    `endings`: of those that ended, stored already. `ended`: the requests that are over with them. `held`: the
    requests of which everything has been tried and some stays pending, and why.
    """

    changes: Sequence[LibraryChange]
    endings: Sequence[Ending]
    ended: Sequence[ChangeRequest]
    held: Mapping[RequestId, UserError]


class _Lane(Struct):
    """A stretch of a member's pending changes. `until`: its one request; None: all that follow `start`."""

    start: Key
    after: Key
    until: RequestId | None = None
    held: UserError | None = None


class ChangeExecutor:
    """Carries changes out, and stores what came of them."""

    def __init__(
        self,
        changes: LibraryChanges,
        tokens: Tokens,
        resolver: AlbumResolver,
        spotify: Spotify,
        now: Callable[[], datetime],
    ) -> None:
        self._changes = changes
        self._tokens = tokens
        self._resolver = resolver
        self._spotify = spotify
        self._now = now

    async def chunks(
        self, member: MemberId, first: Accepted | None, has_arrived: Callable[[], bool]
    ) -> AsyncGenerator[Chunk, None]:
        """Try everything that is pending for a member once, a chunk at a time, the oldest first.

        A request that fills a chunk lets later ones go in between. `first`: what was accepted just
        now. `has_arrived`: whether something was accepted since this was asked last. StorageUnavailable.
        """
        lanes = deque([_Lane(_START, _START)])
        batch, link = (None, None) if first is None else (first.pending, first.link)
        while lanes:
            lane = lanes.popleft()
            if lane.until is None and has_arrived():
                lane.after = lane.start
            if batch is None:
                batch = await self._changes.chunk(member, lane.after, lane.until)
            is_full = len(batch) == CHUNK
            endings, held = await self._carry_out(member, batch, link) if batch else ([], {})
            ended = await self._changes.end(endings, self._now()) if endings else []
            is_stuck = bool(batch) and not endings
            lane.held = weightier(held.values(), lane.held)
            last = batch[-1].request_id if batch else lane.until
            # what continues in the next chunk is not over
            over = {id_: why for id_, why in held.items() if id_ != last or not is_full or is_stuck}
            if lane.until is not None and lane.held is not None and not is_full:
                over[lane.until] = lane.held
            if batch:
                yield Chunk(batch, endings, ended, over)
            elif over:
                yield Chunk([], [], [], over)
            if is_full and batch[0].request_id == last and lane.until is None and last is not None:
                # a large request, and everything after it
                if not is_stuck:
                    lanes.append(_Lane(lane.start, batch[-1].key, last, held.get(last)))
                lanes.appendleft(_Lane((last, _END), (last, _END)))
            elif is_full and not is_stuck:
                lane.after = batch[-1].key
                lanes.append(lane)
            elif lane.until is None and lanes:
                # nothing more for now; what arrives while the others go on is taken between their chunks
                lane.after = batch[-1].key if batch else lane.after
                lanes.append(lane)
            batch = link = None

    async def _carry_out(
        self, member: MemberId, batch: list[LibraryChange], link: Row | None
    ) -> tuple[list[Ending], dict[RequestId, UserError]]:
        """Carry changes out, joined: what came of them, and why others stay pending."""
        try:
            access = await self._tokens.access(member, link)
            await access.token.current()  # whoever is not linked waits, and nothing is looked up
            return await self._carry_out_with(access, member, batch)
        except UserError as error:
            if isinstance(error, Retryable):
                return [], {change.request_id: error for change in batch}
            return [_ending(change.key, error) for change in batch], {}

    async def _carry_out_with(
        self, access: Access, member: MemberId, batch: list[LibraryChange]
    ) -> tuple[list[Ending], dict[RequestId, UserError]]:
        held: dict[RequestId, UserError] = {}
        outcomes: list[Ending] = []

        def hold(change: LibraryChange, error: UserError) -> None:
            held[change.request_id] = weightier([error], held.get(change.request_id)) or error

        # 1. which albums are meant
        named: list[tuple[LibraryChange, AlbumId]] = []
        duplicates: set[tuple[RequestId, AlbumId]] = set()
        offered: set[tuple[RequestId, tuple[AlbumId, ...]]] = set()
        for change, resolve in zip(batch, await self._resolve(member, access, batch), strict=True):
            if isinstance(resolve, UserError):
                if isinstance(resolve, Retryable):
                    hold(change, resolve)
                else:
                    outcomes.append(_ending(change.key, resolve))
            elif (change.request_id, resolve.choices) in offered:
                # the parts of a name that is one after all, such as "Earth, Wind & Fire": one question is enough
                outcomes.append(Ending(change.key, Outcome.DUPLICATE))
            elif resolve.album_id is None:
                assert resolve.outcome is not None
                if resolve.choices:
                    offered.add((change.request_id, resolve.choices))
                outcomes.append(Ending(change.key, resolve.outcome, resolve.detail, choices=resolve.choices))
            elif (change.request_id, resolve.album_id) in duplicates:
                outcomes.append(Ending(change.key, Outcome.DUPLICATE, album_id=resolve.album_id))
            else:
                duplicates.add((change.request_id, resolve.album_id))
                named.append((change, resolve.album_id))

        # 2. what the library holds, and what the first albums are called
        ids = list(dict.fromkeys(id_ for _, id_ in named))
        saved: dict[AlbumId, bool] = {}
        if ids:
            missing: set[AlbumId] = set()
            if unnamed := self._unnamed(named):
                contains = self._spotify.contains(access, ids)
                answered, missing = await asyncio.gather(contains, self._missing(access, unnamed))
            else:
                answered = await self._spotify.contains(access, ids)
            saved = {id_: is_saved for id_, is_saved in answered.items() if is_saved is not None}
            for change, id_ in named:
                if id_ in missing or id_ not in answered:
                    outcomes.append(Ending(change.key, Outcome.NO_ALBUM, album_id=id_))
                elif id_ not in saved:
                    hold(change, TryLater(TryLater.Cause.UNAVAILABLE))
            named = [(change, id_) for change, id_ in named if id_ in saved and id_ not in missing]

        # 3. noted before the write, so that a retry knows what was there before
        if named:
            unwanted = await self._changes.begin(
                (change.key, None if change.album_id == id_ else id_, saved[id_]) for change, id_ in named
            )
            done: set[tuple[Action, AlbumId]] = set()
            for change, id_ in named:
                if (why := unwanted.get(change.key)) is None:
                    continue
                outcome, is_as_requested = why, saved[id_] == (change.action is Action.SAVE)
                if why is Outcome.SUPERSEDED and change.was_saved is not None and is_as_requested:
                    # An earlier attempt was carried out, and a killed process may have told so.
                    changed = change.was_saved != saved[id_] and (change.action, id_) not in done
                    done.add((change.action, id_))
                    outcome = _outcome(change.action, changed=changed)
                outcomes.append(Ending(change.key, outcome))
            named = [(change, id_) for change, id_ in named if change.key not in unwanted]

        # 4. the writes, once what was accepted is safe on the disk; then a second look where nothing proves an album
        try:
            await self._changes.on_disk()
        except StorageUnavailable:
            # nothing was written: what was noted just now is no doubt
            await self._changes.not_carried_out(change.key for change, _ in named if change.was_saved is None)
            raise
        answers = await self._write(access, named, saved)
        if any(answer is None for answer in answers.values()):
            self._resolver.forget_own(member)

        # 5. the outcome of each; which album it means is noted already
        credited: set[AlbumId] = set()
        untouched: list[Key] = []
        for change, id_ in named:
            answer = answers.get(id_)
            if isinstance(answer, Retryable):
                hold(change, answer)
                if not (isinstance(answer, TryLater) and answer.may_have_applied):
                    untouched.append(change.key)
            elif isinstance(answer, NoSuchAlbum):
                outcomes.append(Ending(change.key, Outcome.NO_ALBUM))
            elif answer is not None:
                outcomes.append(_ending(change.key, answer))
                untouched.append(change.key)  # the library was without it, and the write was refused: no doubt
            else:
                was_saved = saved[id_] if change.was_saved is None else change.was_saved
                changed = was_saved != (change.action is Action.SAVE) and id_ not in credited
                credited.add(id_)
                new_id = None if change.album_id == id_ else id_  # noted already, but not where its member unlinked
                outcomes.append(Ending(change.key, _outcome(change.action, changed=changed), album_id=new_id))
        if untouched:
            await self._changes.not_carried_out(untouched)
        return outcomes, held

    async def _resolve(
        self, member: MemberId, access: Access, batch: list[LibraryChange]
    ) -> list[Resolution | UserError]:
        places = asyncio.Semaphore(PLACES)

        async def one(change: LibraryChange) -> Resolution | UserError:
            if change.album_id is not None:
                return Resolution(change.album_id)
            async with places:
                try:
                    return await self._resolver.resolve(member, access, change)
                except UserError as error:
                    return error

        if all(change.album_id is not None for change in batch):
            return [Resolution(change.album_id) for change in batch]
        return await asyncio.gather(*map(one, batch))

    def _unnamed(self, named: list[tuple[LibraryChange, AlbumId]]) -> list[AlbumId]:
        """Those of the first albums of each request whose names are not known."""
        # the first of the request, in whichever chunk they are
        unnamed = (id_ for change, id_ in named if change.position < NAMES and self._resolver.known(id_) is None)
        return [*dict.fromkeys(unnamed)]

    async def _missing(self, access: Access, unnamed: list[AlbumId]) -> set[AlbumId]:
        """Look albums up by name; those that do not exist.

        A look-up that fails otherwise costs the name, never the change.
        """
        places = asyncio.Semaphore(PLACES)
        missing: set[AlbumId] = set()

        async def look_up(id_: AlbumId) -> None:
            async with places:
                try:
                    await self._resolver.album(access, id_)
                except NoSuchAlbum:
                    missing.add(id_)
                except UserError:
                    pass

        with suppress(TimeoutError):
            async with asyncio.timeout(NAME_S):
                await asyncio.gather(*map(look_up, unnamed))
        return missing

    async def _write(
        self, access: Access, named: list[tuple[LibraryChange, AlbumId]], saved: Mapping[AlbumId, bool]
    ) -> dict[AlbumId, UserError | None]:
        """Write what is to change; for each such album None or why it failed."""
        answers: dict[AlbumId, UserError | None] = {}
        for action in Action:
            wanted = action is Action.SAVE
            ids = dict.fromkeys(id_ for change, id_ in named if change.action is action and saved[id_] != wanted)
            if ids:
                answers |= await self._spotify.write(access, action, list(ids))
        unproven = [
            id_
            for id_ in dict.fromkeys(id_ for change, id_ in named if change.action is Action.SAVE)
            if id_ in answers and answers[id_] is None and self._resolver.known(id_) is None
        ]
        if unproven:
            # 200 is no proof: an id of no album is accepted, too
            try:
                there = await self._spotify.contains(access, unproven)
            except UserError as error:
                # written, but not proven: what was noted before the write must stay
                known = error if isinstance(error, TryLater) else TryLater(TryLater.Cause.UNAVAILABLE)
                answers |= dict.fromkeys(unproven, TryLater(known.cause, known.until, may_have_applied=True))
            else:
                unclear = TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=True)
                answers |= {id_: NoSuchAlbum() for id_ in unproven if not there.get(id_, False)}
                answers |= {id_: unclear for id_ in unproven if id_ in there and there[id_] is None}
        return answers


def _outcome(action: Action, *, changed: bool) -> Outcome:
    if action is Action.SAVE:
        return Outcome.SAVED if changed else Outcome.ALREADY
    return Outcome.REMOVED if changed else Outcome.ABSENT


def _ending(key: Key, error: UserError) -> Ending:
    """How a refusal that no later try will change ends a change."""
    whose = OWN_APP if error.is_own_app else None
    if isinstance(error, NotAllowlisted):
        return Ending(key, Outcome.NO_SEAT, whose)
    if isinstance(error, PremiumLapsed):
        return Ending(key, Outcome.NO_PREMIUM, whose)
    if isinstance(error, Refused):
        return Ending(key, Outcome.REFUSED, albums.shown(error.message))
    raise error


def weightier(errors: Iterable[UserError], before: UserError | None) -> UserError | None:
    """Of several reasons, the one that says until when."""
    known = [error for error in (before, *errors) if error is not None]
    return max(known, key=lambda error: isinstance(error, TryLater) and bool(error.until), default=None)
