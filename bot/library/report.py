"""What came of a request, with the names that a person knows the albums by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.albums import Album, AlbumId
from bot.errors import UserError
from bot.finding import Finder
from bot.linking import Linking
from bot.wishes import MemberId, Outcome, Request, RequestId

NAMES = 10
"""So many albums of a request are told by name; the rest are counted."""
NAMES_S = 2.0
"""So long an answer waits for look-ups that are under way."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a request so far. `albums`: those whose names are known; `held`: why something waits.

    `earlier`: requests that ended since, of which the member could not be told. This answer tells.
    """

    request: Request
    albums: Mapping[AlbumId, Album]
    held: UserError | None = None
    earlier: tuple[RequestId, ...] = ()


class Reports:
    """Makes reports."""

    def __init__(self, linking: Linking, finder: Finder) -> None:
        self._linking = linking
        self._finder = finder

    async def report(self, request: Request, held: UserError | None = None, *, may_ask: bool = True) -> Report:
        """A report with the names of the first albums: from memory, else from Spotify where that `may_ask`."""
        ids = [wish.album_id for wish in request.wishes if wish.album_id is not None]
        ids = ids[:NAMES] + _offered(request)
        if held is None:
            await self._finder.wait_for_names(ids, NAMES_S)
        found = {album.id: album for id_ in ids if (album := self._finder.known(id_)) is not None}
        missing = [
            id_
            for id_ in ids
            if id_ not in found and not any(w.album_id == id_ and w.outcome is Outcome.NO_ALBUM for w in request.wishes)
        ]
        if missing and held is None and may_ask:
            found |= await self.names(request.member, missing)
        return Report(request, found, held)

    async def names(self, member: MemberId, ids: Iterable[AlbumId]) -> dict[AlbumId, Album]:
        """The albums of these ids, the first ten looked up where needed; without those that fail."""
        wanted = list(dict.fromkeys(ids))[:NAMES]
        token = self._linking.token_for(member)
        found = await asyncio.gather(*(self._finder.album(token, id_) for id_ in wanted), return_exceptions=True)
        return {album.id: album for album in found if isinstance(album, Album)}


def _offered(request: Request) -> list[AlbumId]:
    return [
        AlbumId(id_)
        for wish in request.wishes
        if wish.outcome is Outcome.OFFERED
        for id_ in (wish.detail or "").split(",")
        if id_
    ]
