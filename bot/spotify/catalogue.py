"""The catalogue: albums by id, kept for at most a day, and the app's own access for those who are not linked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from bot.albums import Album, AlbumId, fold
from bot.spotify.app import Access, App
from bot.spotify.client import Spotify

KNOWN_S, KNOWN_MAX = 86_400.0, 5000
"""Names and covers are kept for a day at most: Spotify's terms allow to keep them only briefly."""
SEARCHED_S, SEARCHED_MAX = 60.0, 500
EARLY_S = 60.0
"""The app's own token is renewed this long before it ends."""

_Key = TypeVar("_Key")
_T = TypeVar("_T")


class Catalogue:
    """Looks albums up, for whoever has access, and remembers for a while what it saw."""

    def __init__(self, spotify: Spotify, host: App | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`host`: the host's app; with a secret, it gives access to the catalogue without any member."""
        self._spotify = spotify
        self._monotonic = monotonic
        self._access: Access | None = None
        if host is not None and host.client_secret is not None:
            self._access = Access(host, _AppToken(spotify, host, monotonic))
        self._known: dict[AlbumId, tuple[float, Album]] = {}
        self._public: dict[AlbumId, tuple[float, Album]] = {}  # without artists and year
        self._searched: dict[str, tuple[float, list[Album]]] = {}
        # Calls that go on when nobody waits for them any more: given up, they would still be under way at Spotify.
        self._asking: dict[AlbumId, asyncio.Task[Album]] = {}
        self._asking_public: dict[AlbumId, asyncio.Task[Album]] = {}

    def access(self) -> Access | None:
        """The app's own access, which reads the catalogue and nobody's library; None without a secret."""
        return self._access

    def known(self, id_: AlbumId) -> Album | None:
        """The album, if it was seen lately: then it exists, and its name is known without a call."""
        return self._fresh(self._known, id_)

    def known_publicly(self, id_: AlbumId) -> Album | None:
        """The same, or what `public_album` saw lately: perhaps without artists and year."""
        return self.known(id_) or self._fresh(self._public, id_)

    async def album(self, access: Access, id_: AlbumId) -> Album:
        """The album, looked up unless it is known. NoSuchAlbum if there is none."""
        if (known := self.known(id_)) is not None:
            return known
        if (asking := self._asking.get(id_)) is None:
            asking = going_on(self._asking, id_, self._look_up(access, id_))
        return await asyncio.shield(asking)

    async def _look_up(self, access: Access, id_: AlbumId) -> Album:
        album = await self._spotify.album(access, id_)
        self.see([album])
        return album

    async def public_album(self, id_: AlbumId) -> Album:
        """The album for somebody who is not linked. Without an app's secret, only its title and cover are known.

        NoSuchAlbum if there is none.
        """
        if self._access is not None:
            return await self.album(self._access, id_)
        if (known := self.known_publicly(id_)) is not None:
            return known
        if (asking := self._asking_public.get(id_)) is None:
            asking = going_on(self._asking_public, id_, self._look_up_publicly(id_))
        return await asyncio.shield(asking)

    async def _look_up_publicly(self, id_: AlbumId) -> Album:
        album = await self._spotify.public_album(id_)
        self._keep(self._public, album)
        return album

    def _fresh(self, cache: dict[AlbumId, tuple[float, Album]], id_: AlbumId) -> Album | None:
        found = cache.get(id_)
        return found[1] if found is not None and found[0] > self._monotonic() else None

    def _keep(self, cache: dict[AlbumId, tuple[float, Album]], album: Album) -> None:
        cache.pop(album.id, None)  # the newest are the last
        make_space(cache, KNOWN_MAX)
        cache[album.id] = (self._monotonic() + KNOWN_S, album)

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
            make_space(self._searched, SEARCHED_MAX)
            self._searched[key] = found
            self.see(found[1])
        return found[1]

    def see(self, albums: Iterable[Album]) -> None:
        """Remember these albums, which an answer of Spotify's named just now."""
        for album in albums:
            self._keep(self._known, album)


class _AppToken:
    """The app's own token, renewed once however many need it."""

    def __init__(self, spotify: Spotify, app: App, monotonic: Callable[[], float]) -> None:
        self._spotify = spotify
        self._app = app
        self._monotonic = monotonic
        self._token = ""
        self._good_until = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> str:
        async with self._lock:
            if self._monotonic() >= self._good_until:
                await self._renew()
            return self._token

    async def renewed(self, rejected: str) -> str:
        async with self._lock:
            if self._token == rejected:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        answer = await self._spotify.app_token(self._app)
        self._token = answer.token
        self._good_until = self._monotonic() + answer.expires_in_s - EARLY_S


def going_on(tasks: dict[_Key, asyncio.Task[_T]], key: _Key, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task that is found under `key` until it ends."""

    def forget(ended: asyncio.Task[_T]) -> None:
        del tasks[key]
        if not ended.cancelled():
            ended.exception()  # whoever still waits is told; if nobody does, nobody misses it

    tasks[key] = task = asyncio.create_task(work)
    task.add_done_callback(forget)
    return task


def make_space(cache: dict[Any, Any], most: int) -> None:
    """Drop the oldest entries of a cache that is full."""
    while len(cache) >= most:
        del cache[next(iter(cache))]
