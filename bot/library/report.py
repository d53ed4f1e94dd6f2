"""What came of a request, with the names that a person knows the albums by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from msgspec import Struct

from bot.accounts.tokens import Tokens
from bot.albums import Album, AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import ChangeRequest, Outcome
from bot.errors import UserError
from bot.library.resolver import AlbumResolver

NAMES = 10
"""How many albums of a request are named; the rest are counted."""
NAMES_S = 2.0
"""How long an answer waits for look-ups that are under way."""


class Report(Struct, frozen=True):
    """What came of a request so far. `albums`: those whose names are known; `held`: why something waits.

    `earlier`: requests that ended since, of which the member could not be told. This answer tells.
    """

    request: ChangeRequest
    albums: Mapping[AlbumId, Album]
    held: UserError | None = None
    earlier: tuple[RequestId, ...] = ()


class Reports:
    """Makes reports."""

    def __init__(self, tokens: Tokens, resolver: AlbumResolver) -> None:
        self._tokens = tokens
        self._resolver = resolver

    async def report(self, request: ChangeRequest, held: UserError | None = None, *, may_ask: bool = True) -> Report:
        """A report with the names of the first albums: from memory, else from Spotify where that `may_ask`."""
        ids = [change.album_id for change in request.changes if change.album_id is not None]
        ids = ids[:NAMES] + _offered(request)
        if held is None:
            await self._resolver.wait_for_names(ids, NAMES_S)
        found = {album.id: album for id_ in ids if (album := self._resolver.known(id_)) is not None}
        missing = [
            id_
            for id_ in ids
            if id_ not in found
            and not any(w.album_id == id_ and w.outcome is Outcome.NO_ALBUM for w in request.changes)
        ]
        if missing and held is None and may_ask:
            found |= await self.names(request.member, missing)
        return Report(request, found, held)

    async def names(self, member: MemberId, ids: Iterable[AlbumId]) -> dict[AlbumId, Album]:
        """The albums of these ids, the first ten looked up where needed; without those that fail."""
        wanted = list(dict.fromkeys(ids))[:NAMES]
        try:
            access = await self._tokens.access(member)
        except UserError:
            return {}
        found = await asyncio.gather(*(self._resolver.album(access, id_) for id_ in wanted), return_exceptions=True)
        return {album.id: album for album in found if isinstance(album, Album)}


def _offered(request: ChangeRequest) -> list[AlbumId]:
    return [id_ for change in request.changes for id_ in change.choices]
