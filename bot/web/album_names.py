"""Names and covers for public pages, whose visitors are nobody's members: so how often Spotify is asked is bounded.

What the catalogue knows costs nothing, and it knows an album for a day. Of the others, at most `BURST` are asked for at
a time, and one more every `EVERY_S` seconds, however many visitors there are. What Spotify does not know is not asked
for again within a day, and while Spotify says to wait, nothing is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bot.albums import Album, AlbumId
from bot.errors import NoSuchAlbum, TryLater, UserError
from bot.spotify.catalogue import KNOWN_S, Catalogue, make_space

BURST, EVERY_S = 250, 40.0
"""At most 250 calls at once, and 2,410 in 24 hours, for all pages together."""
AT_ONCE = 4
"""Members' own commands come first: a page never has more calls than this under way."""
WAIT_S = 3.0
"""How long a page waits for names. What comes later is there the next time."""
PAUSE_S, PAUSE_MOST_S = 60.0, 3600.0
"""How long nothing is asked after Spotify did not respond, and at most where it says for how long."""
UNKNOWN_MOST = 5000


class AlbumNames:
    """Looks albums up for pages, within bounds."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait_s: float = WAIT_S,
    ) -> None:
        """`wait_s`: how long a page waits for names."""
        self._catalogue = catalogue
        self._monotonic = monotonic
        self._now = now
        self._wait_s = wait_s
        self._left, self._counted_at = float(BURST), monotonic()
        self._paused_until = float("-inf")
        self._unknown: dict[AlbumId, float] = {}  # until when it is not asked for again
        self._places = asyncio.Semaphore(AT_ONCE)
        self._asking: dict[AlbumId, asyncio.Task[None]] = {}

    async def of(self, ids: Iterable[AlbumId]) -> dict[AlbumId, Album]:
        """The albums of these ids, without those whose names are not known in time."""
        wanted = [*dict.fromkeys(ids)]
        for id_ in wanted:
            if self._known(id_) is None and id_ not in self._asking and self._may_ask(id_):
                self._asking[id_] = asyncio.create_task(self._ask(id_), name="album of a page")
        if asking := [self._asking[id_] for id_ in wanted if id_ in self._asking]:
            await asyncio.wait(asking, timeout=self._wait_s)
        return self.known(wanted)

    def known(self, ids: Iterable[AlbumId]) -> dict[AlbumId, Album]:
        """Those of these albums that are known already; nothing is asked."""
        return {id_: album for id_ in ids if (album := self._known(id_)) is not None}

    def to_come(self, ids: Iterable[AlbumId]) -> int:
        """How many of these albums have a name that is not known yet."""
        now = self._monotonic()
        return sum(self._known(id_) is None and self._unknown.get(id_, now) <= now for id_ in {*ids})

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = [*self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self, id_: AlbumId) -> Album | None:
        return self._catalogue.known_publicly(id_)

    def _may_ask(self, id_: AlbumId) -> bool:
        """Whether this album may be asked for now; if so, the call is counted."""
        now = self._monotonic()
        if now < self._paused_until or now < self._unknown.get(id_, now):
            return False
        self._left = min(self._left + (now - self._counted_at) / EVERY_S, float(BURST))
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def _ask(self, id_: AlbumId) -> None:
        try:
            async with self._places:
                if self._monotonic() >= self._paused_until:
                    await self._catalogue.public_album(id_)
        except NoSuchAlbum:
            make_space(self._unknown, UNKNOWN_MOST)
            self._unknown[id_] = self._monotonic() + KNOWN_S
        except TryLater as error:
            left_s = (error.until - self._now()).total_seconds() if error.until is not None else PAUSE_S
            self._paused_until = self._monotonic() + min(max(left_s, PAUSE_S), PAUSE_MOST_S)
        except UserError:
            self._paused_until = self._monotonic() + PAUSE_S
        finally:
            del self._asking[id_]
