"""The road that every change takes: which album is meant, what the library holds, one write a chunk, the outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from bot import albums
from bot.albums import AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import Action, LibraryChange, Outcome
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
from bot.storage.changes import Key, LibraryChanges

NAME_S = 2.0
"""So long a look-up for a name may hold up the write."""

# What leaves a change pending; everything else ends it.
Retryable = TryLater | NotLinked | NeedsRelink | AppRejected | StorageUnavailable | InternalError

Ending = tuple[Key, Outcome, str | None, AlbumId | None]
"""What came of a change: its outcome, a detail, and the album it turned out to mean."""
Carried = tuple[list[Ending], UserError | None]
"""The changes that ended, and why others did not."""


class ChangeExecutor:
    """Carries changes out."""

    def __init__(self, changes: LibraryChanges, resolver: AlbumResolver, spotify: Spotify) -> None:
        self._changes = changes
        self._resolver = resolver
        self._spotify = spotify

    async def carry_out(self, member: MemberId, access: Access, batch: list[LibraryChange]) -> Carried:
        """Carry a member's changes out, joined. The outcomes are the caller's to store."""
        try:
            return await self._carry_out(member, access, batch)
        except UserError as error:
            if isinstance(error, Retryable):
                return [], error
            return [(change.key, *_ending(error), None) for change in batch], None

    async def _carry_out(self, member: MemberId, access: Access, batch: list[LibraryChange]) -> Carried:
        await access.token.current()  # whoever is not linked waits, and nothing is looked up
        held: list[UserError] = []
        outcomes: list[Ending] = []

        # 1. which albums are meant
        named: list[tuple[LibraryChange, AlbumId]] = []
        duplicates: set[tuple[RequestId, AlbumId]] = set()
        for change, resolve in zip(batch, await self._resolve(member, access, batch), strict=True):
            if isinstance(resolve, UserError):
                if isinstance(resolve, Retryable):
                    held.append(resolve)
                else:
                    outcomes.append((change.key, *_ending(resolve), None))
            elif resolve.album_id is None:
                assert resolve.outcome is not None
                outcomes.append((change.key, resolve.outcome, resolve.detail, None))
            elif (change.request_id, resolve.album_id) in duplicates:
                outcomes.append((change.key, Outcome.DUPLICATE, None, resolve.album_id))
            else:
                duplicates.add((change.request_id, resolve.album_id))
                named.append((change, resolve.album_id))

        # 2. what the library holds, and what the first albums are called
        ids = list(dict.fromkeys(id_ for _, id_ in named))
        saved: dict[AlbumId, bool] = {}
        if ids:
            saved, missing = await asyncio.gather(self._spotify.contains(access, ids), self._missing(access, named))
            for change, id_ in named:
                if id_ in missing or id_ not in saved:
                    outcomes.append((change.key, Outcome.NO_ALBUM, None, id_))
            named = [(change, id_) for change, id_ in named if id_ in saved and id_ not in missing]

        # 3. noted before the write, so that a retry knows what was there before
        if named:
            unwanted = await self._changes.begin((change.key, id_, saved[id_]) for change, id_ in named)
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
                outcomes.append((change.key, outcome, None, id_))
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

        # 5. the outcome of each
        credited: set[AlbumId] = set()
        untouched: list[Key] = []
        for change, id_ in named:
            answer = answers.get(id_)
            if isinstance(answer, Retryable):
                held.append(answer)
                if not (isinstance(answer, TryLater) and answer.may_have_applied):
                    untouched.append(change.key)
            elif isinstance(answer, NoSuchAlbum):
                outcomes.append((change.key, Outcome.NO_ALBUM, None, id_))
            elif answer is not None:
                outcomes.append((change.key, *_ending(answer), id_))
            else:
                was_saved = saved[id_] if change.was_saved is None else change.was_saved
                changed = was_saved != (change.action is Action.SAVE) and id_ not in credited
                credited.add(id_)
                outcomes.append((change.key, _outcome(change.action, changed=changed), None, id_))
        if untouched:
            await self._changes.not_carried_out(untouched)
        # of several reasons the one that says until when
        return outcomes, max(held, key=lambda error: isinstance(error, TryLater) and bool(error.until), default=None)

    async def _resolve(
        self, member: MemberId, access: Access, batch: list[LibraryChange]
    ) -> list[Resolution | UserError]:
        places = asyncio.Semaphore(8)

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

    async def _missing(self, access: Access, named: list[tuple[LibraryChange, AlbumId]]) -> set[AlbumId]:
        """Look up the first albums of each request by name; those that do not exist.

        A look-up that fails otherwise costs the name, never the change.
        """
        count: dict[RequestId, int] = defaultdict(int)
        wanted: dict[AlbumId, None] = {}
        for change, id_ in named:
            count[change.request_id] += 1
            if count[change.request_id] <= NAMES and self._resolver.known(id_) is None:
                wanted[id_] = None

        async def is_missing(id_: AlbumId) -> bool:
            try:
                async with asyncio.timeout(NAME_S):
                    await self._resolver.album(access, id_)
            except NoSuchAlbum:
                return True
            except (UserError, TimeoutError):
                return False
            return False

        found = await asyncio.gather(*map(is_missing, wanted))
        return {id_ for id_, missing in zip(wanted, found, strict=True) if missing}

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
                answers |= {id_: NoSuchAlbum() for id_ in unproven if not there.get(id_, False)}
        return answers


def _outcome(action: Action, *, changed: bool) -> Outcome:
    if action is Action.SAVE:
        return Outcome.SAVED if changed else Outcome.ALREADY
    return Outcome.REMOVED if changed else Outcome.ABSENT


def _ending(error: UserError) -> tuple[Outcome, str | None]:
    """How a refusal that no later try will change ends a change."""
    if isinstance(error, NotAllowlisted):
        return Outcome.NO_SEAT, None
    if isinstance(error, PremiumLapsed):
        return Outcome.NO_PREMIUM, None
    if isinstance(error, Refused):
        return Outcome.REFUSED, albums.shown(error.message)
    raise error
