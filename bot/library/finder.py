"""The one album that a member names in a command of a server, whether or not they have linked Spotify."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec import Struct

from bot.accounts.tokens import Tokens
from bot.albums import Album, AlbumId, AlbumRef, Ignored, NotAnAlbum, SearchText, ShortLink, TrackRef
from bot.caller import MemberId
from bot.changes import Outcome
from bot.errors import NeedsRelink, NoSearch, NoSuchAlbum, NotLinked, UserError
from bot.library.resolver import AlbumResolver
from bot.pasted_text import read_one
from bot.spotify.app import Access
from bot.spotify.catalogue import Catalogue
from bot.spotify.client import Spotify

NAMES_S = 1.2
"""How long an answer waits for names."""
NAMES_AT_ONCE = 8
"""How many names are looked up at the same time."""


class NotFound(Struct, frozen=True):
    """Why there is not one album.

    `outcome`: NO_ALBUM, NOT_ALBUM (`kind` says what it is), UNREADABLE, NO_MATCH, or OFFERED with albums to choose from.
    """

    outcome: Outcome
    typed: str
    kind: str = ""
    offers: tuple[Album, ...] = ()


class AlbumFinder:
    """Finds albums for whoever asks: through the bot's own access, else that member's, else what is public."""

    def __init__(self, spotify: Spotify, catalogue: Catalogue, tokens: Tokens, resolver: AlbumResolver) -> None:
        self._spotify = spotify
        self._catalogue = catalogue
        self._tokens = tokens
        self._resolver = resolver

    async def find(self, member: MemberId, text: str) -> Album | NotFound:
        """The album that a text names: a link, an id, or words. Errors are those of a call to Spotify.

        NotLinked: only a search can tell, and nobody's access is at hand.
        """
        references = [one for one in read_one(text) if not isinstance(one, Ignored)]
        if len(references) != 1:
            return NotFound(Outcome.UNREADABLE, text)
        try:
            match references[0]:
                case AlbumRef(id_, words):
                    return await self._by_id(member, id_, words)
                case TrackRef(id_):
                    return await self._by_track(member, id_)
                case ShortLink() as link:
                    return await self._by_short_link(member, link, text)
                case NotAnAlbum(kind, shown):
                    return NotFound(Outcome.NOT_ALBUM, shown, kind)
                case SearchText(words):
                    return await self._by_words(member, words)
        except NoSuchAlbum:
            return NotFound(Outcome.NO_ALBUM, text)
        return NotFound(Outcome.UNREADABLE, text)

    async def names(
        self, member: MemberId, ids: Iterable[AlbumId], *, seconds: float = NAMES_S
    ) -> dict[AlbumId, Album]:
        """The albums of these ids, in their order, without those whose names are not known in time.

        Costs one call to Spotify for each album that nobody saw for a day, and none for the others.
        """
        wanted = list(dict.fromkeys(ids))
        found = {id_: album for id_ in wanted if (album := self._catalogue.known(id_)) is not None}
        places = asyncio.Semaphore(NAMES_AT_ONCE)

        async def look_up(id_: AlbumId) -> None:
            async with places:
                # without its name, it is shown as a link
                with suppress(UserError):
                    found[id_] = await self.album(member, id_)

        if missing := [id_ for id_ in wanted if id_ not in found]:
            tasks = [asyncio.create_task(look_up(id_)) for id_ in missing]
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
        return {id_: found[id_] for id_ in wanted if id_ in found}

    async def not_saved(self, member: MemberId, ids: Sequence[AlbumId]) -> list[AlbumId]:
        """Those of these albums that the member's library does not have. NotLinked, NeedsRelink, TryLater.

        Costs one call to Spotify for every 20 to 40 albums.
        """
        access = await self._tokens.access(member)
        saved = await self._spotify.contains(access, ids)
        return [id_ for id_ in ids if saved.get(id_) is False]

    async def album(self, member: MemberId, id_: AlbumId) -> Album:
        """An album by its id. NoSuchAlbum: Spotify has none."""
        try:
            access = await self._access(member)
        except (NotLinked, NeedsRelink):
            return await self._catalogue.public_album(id_)
        return await self._catalogue.album(access, id_)

    async def _by_id(self, member: MemberId, id_: AlbumId, words: str) -> Album | NotFound:
        try:
            access = await self._access(member)
        except (NotLinked, NeedsRelink):
            return await self._catalogue.public_album(id_)
        try:
            return await self._catalogue.album(access, id_)
        except NoSuchAlbum:
            if not words:
                raise
        return await self._by_words(member, words)  # 22 letters: a word, after all

    async def _by_track(self, member: MemberId, track: str) -> Album:
        album = await self._spotify.album_of_track(await self._asking(member), track)
        self._catalogue.see([album])
        return album

    async def _by_short_link(self, member: MemberId, link: ShortLink, text: str) -> Album | NotFound:
        match await self._spotify.expand(link):
            case AlbumRef(id_):
                return await self._by_id(member, id_, "")
            case TrackRef(id_):
                return await self._by_track(member, id_)
            case NotAnAlbum(kind, shown):
                return NotFound(Outcome.NOT_ALBUM, shown, kind)
        return NotFound(Outcome.NO_ALBUM, text)

    async def _by_words(self, member: MemberId, words: str) -> Album | NotFound:
        access = await self._asking(member)
        found = await self._resolver.named(access, words)
        if found.album_id is not None:
            return await self._catalogue.album(access, found.album_id)
        offers = [album for id_ in found.choices if (album := self._catalogue.known(id_)) is not None]
        return NotFound(found.outcome or Outcome.NO_MATCH, words, offers=tuple(offers))

    async def _access(self, member: MemberId) -> Access:
        if (access := self._catalogue.access()) is not None:
            return access
        access = await self._tokens.access(member)
        await access.token.current()
        return access

    async def _asking(self, member: MemberId) -> Access:
        """Access for what only Spotify's API knows. NoSearch: only a linked member could ask."""
        try:
            return await self._access(member)
        except NotLinked:
            raise NoSearch from None
