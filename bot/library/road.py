"""The road that every wish takes: which album is meant, what the library holds, one write a chunk, the outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from bot import albums
from bot.albums import AlbumId
from bot.errors import (
    Broken,
    HostTrouble,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    NotLinked,
    PremiumLapsed,
    Refused,
    StorageTrouble,
    TryLater,
    UserError,
)
from bot.finding import Finder, Meant
from bot.library.report import NAMES
from bot.linking import MemberToken
from bot.spotify.client import Spotify
from bot.storage.wishes import Key, Wishes
from bot.wishes import Action, MemberId, Outcome, RequestId, Wish

NAME_S = 2.0
"""So long a look-up for a name may hold up the write."""

# What leaves a wish pending; everything else ends it.
Held = TryLater | NotLinked | NeedsRelink | HostTrouble | StorageTrouble | Broken

Ending = tuple[Key, Outcome, str | None, AlbumId | None]
"""What came of a wish: its outcome, a detail, and the album it turned out to mean."""
Carried = tuple[list[Ending], UserError | None]
"""The wishes that ended, and why others did not."""


class Road:
    """Carries wishes out."""

    def __init__(self, wishes: Wishes, finder: Finder, spotify: Spotify) -> None:
        self._wishes = wishes
        self._finder = finder
        self._spotify = spotify

    async def carry_out(self, member: MemberId, token: MemberToken, batch: list[Wish]) -> Carried:
        """Carry a member's wishes out, joined. The outcomes are the caller's to store."""
        try:
            return await self._carry_out(member, token, batch)
        except UserError as error:
            if isinstance(error, Held):
                return [], error
            return [(wish.key, *_ending(error), None) for wish in batch], None

    async def _carry_out(self, member: MemberId, token: MemberToken, batch: list[Wish]) -> Carried:
        await token.current()  # whoever is not linked waits, and nothing is looked up
        held: list[UserError] = []
        outcomes: list[Ending] = []

        # 1. which albums are meant
        named: list[tuple[Wish, AlbumId]] = []
        doubles: set[tuple[RequestId, AlbumId]] = set()
        for wish, meant in zip(batch, await self._meant(member, token, batch), strict=True):
            if isinstance(meant, UserError):
                if isinstance(meant, Held):
                    held.append(meant)
                else:
                    outcomes.append((wish.key, *_ending(meant), None))
            elif meant.album_id is None:
                assert meant.outcome is not None
                outcomes.append((wish.key, meant.outcome, meant.detail, None))
            elif (wish.request_id, meant.album_id) in doubles:
                outcomes.append((wish.key, Outcome.DOUBLE, None, meant.album_id))
            else:
                doubles.add((wish.request_id, meant.album_id))
                named.append((wish, meant.album_id))

        # 2. what the library holds, and what the first albums are called
        ids = list(dict.fromkeys(id_ for _, id_ in named))
        saved: dict[AlbumId, bool] = {}
        if ids:
            saved, missing = await asyncio.gather(self._spotify.contains(token, ids), self._missing(token, named))
            for wish, id_ in named:
                if id_ in missing or id_ not in saved:
                    outcomes.append((wish.key, Outcome.NO_ALBUM, None, id_))
            named = [(wish, id_) for wish, id_ in named if id_ in saved and id_ not in missing]

        # 3. noted before the write, so that a retry knows what was there before
        if named:
            unwanted = await self._wishes.begin((wish.key, id_, saved[id_]) for wish, id_ in named)
            done: set[tuple[Action, AlbumId]] = set()
            for wish, id_ in named:
                if (why := unwanted.get(wish.key)) is None:
                    continue
                outcome, is_as_wished = why, saved[id_] == (wish.action is Action.SAVE)
                if why is Outcome.OUTDATED and wish.was_saved is not None and is_as_wished:
                    # An earlier attempt was carried out, and a killed process may have told so.
                    changed = wish.was_saved != saved[id_] and (wish.action, id_) not in done
                    done.add((wish.action, id_))
                    outcome = _outcome(wish.action, changed=changed)
                outcomes.append((wish.key, outcome, None, id_))
            named = [(wish, id_) for wish, id_ in named if wish.key not in unwanted]

        # 4. the writes, once what was accepted is safe on the disk; then a second look where nothing proves an album
        try:
            await self._wishes.on_disk()
        except StorageTrouble:
            # nothing was written: what was noted just now is no doubt
            await self._wishes.not_carried_out(wish.key for wish, _ in named if wish.was_saved is None)
            raise
        answers = await self._write(token, named, saved)
        if any(answer is None for answer in answers.values()):
            self._finder.forget_own(member)

        # 5. the outcome of each
        credited: set[AlbumId] = set()
        untouched: list[Key] = []
        for wish, id_ in named:
            answer = answers.get(id_)
            if isinstance(answer, Held):
                held.append(answer)
                if not (isinstance(answer, TryLater) and answer.maybe_done):
                    untouched.append(wish.key)
            elif isinstance(answer, NoSuchAlbum):
                outcomes.append((wish.key, Outcome.NO_ALBUM, None, id_))
            elif answer is not None:
                outcomes.append((wish.key, *_ending(answer), id_))
            else:
                was_saved = saved[id_] if wish.was_saved is None else wish.was_saved
                changed = was_saved != (wish.action is Action.SAVE) and id_ not in credited
                credited.add(id_)
                outcomes.append((wish.key, _outcome(wish.action, changed=changed), None, id_))
        if untouched:
            await self._wishes.not_carried_out(untouched)
        # of several reasons the one that says until when
        return outcomes, max(held, key=lambda error: isinstance(error, TryLater) and bool(error.until), default=None)

    async def _meant(self, member: MemberId, token: MemberToken, batch: list[Wish]) -> list[Meant | UserError]:
        places = asyncio.Semaphore(8)

        async def one(wish: Wish) -> Meant | UserError:
            if wish.album_id is not None:
                return Meant(wish.album_id)
            async with places:
                try:
                    return await self._finder.meant(member, token, wish)
                except UserError as error:
                    return error

        if all(wish.album_id is not None for wish in batch):
            return [Meant(wish.album_id) for wish in batch]
        return await asyncio.gather(*map(one, batch))

    async def _missing(self, token: MemberToken, named: list[tuple[Wish, AlbumId]]) -> set[AlbumId]:
        """Look up the first albums of each request by name; those that do not exist.

        A look-up that fails otherwise costs the name, never the wish.
        """
        count: dict[RequestId, int] = defaultdict(int)
        wanted: dict[AlbumId, None] = {}
        for wish, id_ in named:
            count[wish.request_id] += 1
            if count[wish.request_id] <= NAMES and self._finder.known(id_) is None:
                wanted[id_] = None

        async def is_missing(id_: AlbumId) -> bool:
            try:
                async with asyncio.timeout(NAME_S):
                    await self._finder.album(token, id_)
            except NoSuchAlbum:
                return True
            except (UserError, TimeoutError):
                return False
            return False

        found = await asyncio.gather(*map(is_missing, wanted))
        return {id_ for id_, missing in zip(wanted, found, strict=True) if missing}

    async def _write(
        self, token: MemberToken, named: list[tuple[Wish, AlbumId]], saved: Mapping[AlbumId, bool]
    ) -> dict[AlbumId, UserError | None]:
        """Write what is to change; for each such album None or why it failed."""
        answers: dict[AlbumId, UserError | None] = {}
        for action in Action:
            wanted = action is Action.SAVE
            ids = dict.fromkeys(id_ for wish, id_ in named if wish.action is action and saved[id_] != wanted)
            if ids:
                answers |= await self._spotify.write(token, action, list(ids))
        unproven = [
            id_
            for id_ in dict.fromkeys(id_ for wish, id_ in named if wish.action is Action.SAVE)
            if id_ in answers and answers[id_] is None and self._finder.known(id_) is None
        ]
        if unproven:
            # 200 is no proof: an id of no album is accepted, too
            try:
                there = await self._spotify.contains(token, unproven)
            except UserError as error:
                # written, but not proven: what was noted before the write must stay
                known = error if isinstance(error, TryLater) else TryLater(TryLater.Cause.TROUBLE)
                answers |= dict.fromkeys(unproven, TryLater(known.cause, known.until, maybe_done=True))
            else:
                answers |= {id_: NoSuchAlbum() for id_ in unproven if not there.get(id_, False)}
        return answers


def _outcome(action: Action, *, changed: bool) -> Outcome:
    if action is Action.SAVE:
        return Outcome.SAVED if changed else Outcome.ALREADY
    return Outcome.REMOVED if changed else Outcome.ABSENT


def _ending(error: UserError) -> tuple[Outcome, str | None]:
    """How a refusal that no later try will change ends a wish."""
    if isinstance(error, NotAllowlisted):
        return Outcome.NO_SEAT, None
    if isinstance(error, PremiumLapsed):
        return Outcome.NO_PREMIUM, None
    if isinstance(error, Refused):
        return Outcome.REFUSED, albums.shown(error.message)
    raise error
