"""Which album is meant: look-ups, searches, the member's own albums. Metadata is kept only briefly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.albums import Album, AlbumId, AlbumRef, NotAnAlbum, ShortLink, TrackRef, fold
from bot.caller import MemberId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.errors import NoSuchAlbum
from bot.spotify.app import Access
from bot.spotify.client import Spotify
from bot.spotify.wire import MAX_PAGE

KNOWN_S, KNOWN_MOST = 3600.0, 5000
SEARCHED_S, SEARCHED_MOST = 60.0, 500
OWN_S, OWN_ALBUMS = 60.0, 200
OFFERS = 5

_Key = TypeVar("_Key")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a change turned out to mean: an album, or an outcome without one."""

    album_id: AlbumId | None = None
    outcome: Outcome | None = None
    detail: str | None = None


class AlbumResolver:
    """Looks albums up, and remembers for a short while what it saw."""

    def __init__(self, spotify: Spotify, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._spotify = spotify
        self._monotonic = monotonic
        self._known: dict[AlbumId, tuple[float, Album]] = {}
        self._searched: dict[str, tuple[float, list[Album]]] = {}
        self._own: dict[MemberId, tuple[float, list[Album]]] = {}
        self._changes = 0
        # Calls that go on when nobody waits for them any more: given up, they would still be under way at Spotify.
        self._asking: dict[AlbumId, asyncio.Task[Album]] = {}
        self._suggesting: dict[MemberId, asyncio.Task[list[Album]]] = {}

    def known(self, id_: AlbumId) -> Album | None:
        """The album, if it was seen lately: then it exists, and its name is known without a call."""
        found = self._known.get(id_)
        return found[1] if found is not None and found[0] > self._monotonic() else None

    async def album(self, access: Access, id_: AlbumId) -> Album:
        """The album, looked up unless it is known. NoSuchAlbum if there is none."""
        if (known := self.known(id_)) is not None:
            return known
        if (asking := self._asking.get(id_)) is None:
            asking = _kept(self._asking, id_, self._look_up(access, id_))
        return await asyncio.shield(asking)

    async def _look_up(self, access: Access, id_: AlbumId) -> Album:
        album = await self._spotify.album(access, id_)
        self._see([album])
        return album

    async def wait_for_names(self, ids: Iterable[AlbumId], seconds: float) -> None:
        """Let look-ups of these albums that are under way end, `seconds` at most."""
        if asking := [self._asking[id_] for id_ in ids if id_ in self._asking]:
            await asyncio.wait(asking, timeout=seconds)

    async def search(self, access: Access, words: str) -> list[Album]:
        """Up to ten albums by words, best first."""
        key = fold(words)
        found = self._searched.get(key)
        if found is None or found[0] < self._monotonic():
            found = (self._monotonic() + SEARCHED_S, await self._spotify.search(access, words))
            _make_room(self._searched, SEARCHED_MOST)
            self._searched[key] = found
            self._see(found[1])
        return found[1]

    async def own(self, member: MemberId, access: Access) -> list[Album]:
        """The member's newest 200 saved albums."""
        found = self._own.get(member)
        changes = self._changes
        if found is None or found[0] < self._monotonic():
            albums = await self._spotify.saved(access, 0)
            if len(albums) == MAX_PAGE:
                pages = (self._spotify.saved(access, offset) for offset in range(MAX_PAGE, OWN_ALBUMS, MAX_PAGE))
                for page in await asyncio.gather(*pages):
                    albums += page
            found = (self._monotonic() + OWN_S, albums)
            if changes == self._changes:  # else it may be what the library was before
                _make_room(self._own, SEARCHED_MOST)
                self._own[member] = found
            self._see(albums)
        return found[1]

    def forget_own(self, member: MemberId) -> None:
        """The member's library changed, or they left."""
        self._changes += 1
        self._own.pop(member, None)

    async def resolve(self, member: MemberId, access: Access, change: LibraryChange) -> Resolution:
        """The album that a change means. Errors are those of a call to Spotify, but never NoSuchAlbum."""
        try:
            match change.kind:
                case Kind.TRACK:
                    return await self._track(access, change.reference)
                case Kind.SHORT:
                    host, _, path = change.reference.partition("/")
                    return await self._short(access, ShortLink(host, f"/{path}"))
                case Kind.SEARCH:
                    return await self._words(member, access, change.action, change.reference)
        except NoSuchAlbum:
            return Resolution(outcome=Outcome.NO_ALBUM)
        return Resolution(AlbumId(change.reference))

    async def suggestions(self, member: MemberId, access: Access, action: Action, text: str) -> list[Album]:
        """What to offer while somebody types: a search to save, their own albums to remove. One at a time a member."""
        while (before := self._suggesting.get(member)) is not None:
            await asyncio.wait({before})
        looking = self.search(access, text) if action is Action.SAVE else self.own(member, access)
        albums = await asyncio.shield(_kept(self._suggesting, member, looking))
        return albums if action is Action.SAVE else _matching(albums, text)

    async def _track(self, access: Access, id_: str) -> Resolution:
        album = await self._spotify.album_of_track(access, id_)
        self._see([album])
        return Resolution(album.id)

    async def _short(self, access: Access, link: ShortLink) -> Resolution:
        match await self._spotify.expand(link):
            case AlbumRef(id_):
                return Resolution(id_)
            case TrackRef(id_):
                return await self._track(access, id_)
            case NotAnAlbum(kind, _):
                return Resolution(outcome=Outcome.NOT_ALBUM, detail=kind)
        return Resolution(outcome=Outcome.NO_ALBUM)

    async def _words(self, member: MemberId, access: Access, action: Action, words: str) -> Resolution:
        if action is Action.REMOVE:
            # One album has several editions: the one that the member has is meant.
            mine = _matching(await self.own(member, access), words)
            if mine:
                return _choose(mine, words)
        found = await self.search(access, words)
        return _choose(found, words) if found else Resolution(outcome=Outcome.NO_MATCH)

    def _see(self, albums: Iterable[Album]) -> None:
        until = self._monotonic() + KNOWN_S
        for album in albums:
            self._known.pop(album.id, None)  # the newest stand last
            self._known[album.id] = (until, album)
        _make_room(self._known, KNOWN_MOST)


def _kept(tasks: dict[_Key, asyncio.Task[_T]], key: _Key, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task that is found under `key` until it ends."""

    def forget(ended: asyncio.Task[_T]) -> None:
        del tasks[key]
        if not ended.cancelled():
            ended.exception()  # whoever still waits is told; if nobody does, nobody misses it

    tasks[key] = task = asyncio.create_task(work)
    task.add_done_callback(forget)
    return task


def _choose(albums: list[Album], words: str) -> Resolution:
    """The one album with exactly this title, else an offer of a few; `detail` holds their ids."""
    exact = [album for album in albums if fold(album.title) == fold(words)]
    if len(exact) == 1:
        return Resolution(exact[0].id)
    best = [*exact, *(album for album in albums if album not in exact)][:OFFERS]
    return Resolution(outcome=Outcome.OFFERED, detail=",".join(album.id for album in best))


def _matching(albums: list[Album], text: str) -> list[Album]:
    """Albums whose title and artists hold all the words; titles that begin with them first."""
    wanted = fold(text)
    words = set(wanted.split())
    folded = ((fold(album.title), fold(album.by), place, album) for place, album in enumerate(albums))
    hits = [
        (not title.startswith(wanted), place, album)
        for title, by, place, album in folded
        if all(word in title or word in by for word in words)
    ]
    return [album for _, _, album in sorted(hits, key=lambda hit: hit[:2])]


def _make_room(cache: dict[Any, Any], most: int) -> None:
    """Drop the oldest entries of a cache that is full."""
    while len(cache) >= most:
        del cache[next(iter(cache))]
