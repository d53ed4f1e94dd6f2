"""One album from what somebody typed, and albums' names, for members who are linked and for those who are not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bot.accounts.tokens import Tokens
from bot.albums import (
    Album,
    AlbumId,
    AlbumRef,
    Ignored,
    NotAnAlbum,
    SearchText,
    ShortLink,
    TrackRef,
    Unreadable,
    album_url,
    read,
)
from bot.caller import MemberId, RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.errors import NeedsRelink, NoSuchAlbum, NotLinked, NotOneAlbum, UserError
from bot.library.resolver import AlbumResolver
from bot.spotify.app import Access
from bot.spotify.catalogue import Catalogue

NAMES_S = 1.2
"""How long an answer waits for names. An album without one is shown as a link."""
AT_ONCE = 8
"""How many names are looked up at the same time."""
Reason = NotOneAlbum.Reason


class AlbumPicker:
    """Finds the one album that a command or a form is about."""

    def __init__(self, resolver: AlbumResolver, catalogue: Catalogue, tokens: Tokens) -> None:
        self._resolver = resolver
        self._catalogue = catalogue
        self._tokens = tokens

    async def pick(self, member: MemberId, text: str) -> Album:
        """The album that `text` means. NotOneAlbum: none, several, or something else; NotLinked: it needs a search."""
        references = [reference for reference in read(text) if not isinstance(reference, Ignored)]
        if len(references) > 1:
            raise NotOneAlbum(Reason.MANY)
        match references:
            case []:
                raise NotOneAlbum(Reason.NOTHING)
            case [NotAnAlbum(kind, shown)]:
                raise NotOneAlbum(Reason.NOT_ALBUM, shown, kind=kind)
            case [Unreadable(shown)]:
                raise NotOneAlbum(Reason.UNREADABLE, shown)
            case [AlbumRef(id_)] if not id_.isalpha():
                return await self.album(member, id_)
            case [reference]:
                return await self._resolved(member, reference)
        raise AssertionError(references)

    async def _resolved(self, member: MemberId, reference: object) -> Album:
        access = await self._access(member)
        if access is None:
            if isinstance(reference, AlbumRef):
                return await self.album(member, reference.id)
            raise NotLinked
        kind, text = _change_of(reference)
        change = LibraryChange(RequestId(0), 0, Action.SAVE, kind, text)
        resolution = await self._resolver.resolve(member, access, change)
        if resolution.album_id is not None:
            return await self.album(member, resolution.album_id)
        if resolution.outcome is Outcome.OFFERED:
            offered = await self.names(member, resolution.choices)
            raise NotOneAlbum(Reason.SEVERAL, text, choices=tuple(offered.values()))
        if resolution.outcome is Outcome.NOT_ALBUM:
            raise NotOneAlbum(Reason.NOT_ALBUM, text, kind=resolution.detail or "")
        raise NotOneAlbum(Reason.NO_MATCH, text)

    async def album(self, member: MemberId, id_: AlbumId) -> Album:
        """An album by its id. NotOneAlbum: Spotify has none with this id."""
        try:
            if (access := await self._access(member)) is not None:
                return await self._catalogue.album(access, id_)
            return await self._catalogue.public_album(id_)
        except NoSuchAlbum:
            raise NotOneAlbum(Reason.NO_MATCH, album_url(id_)) from None

    async def names(
        self, member: MemberId, ids: Iterable[AlbumId], *, seconds: float = NAMES_S
    ) -> dict[AlbumId, Album]:
        """The albums of these ids, in their order, without those whose names are not known in time.

        Costs one call to Spotify for each album that nobody saw for a day, and none for the others.
        """
        wanted = list(dict.fromkeys(ids))
        found = {id_: album for id_ in wanted if (album := self._resolver.known(id_)) is not None}
        missing = [id_ for id_ in wanted if id_ not in found]
        if missing:
            places = asyncio.Semaphore(AT_ONCE)

            async def look_up(id_: AlbumId) -> None:
                async with places:
                    try:
                        found[id_] = await self.album(member, id_)
                    except UserError:
                        return  # it is shown without its name

            tasks = [asyncio.create_task(look_up(id_)) for id_ in missing]
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
        return {id_: found[id_] for id_ in wanted if id_ in found}

    async def _access(self, member: MemberId) -> Access | None:
        """The member's own access, else the app's; None: only links can be looked up."""
        try:
            access = await self._tokens.access(member)
            await access.token.current()
        except UserError as error:
            if not isinstance(error, NotLinked | NeedsRelink) and self._catalogue.access() is None:
                raise
            return self._catalogue.access()
        return access


def _change_of(reference: object) -> tuple[Kind, str]:
    match reference:
        case AlbumRef(id_):
            return Kind.ID_OR_WORD, id_
        case TrackRef(id_):
            return Kind.TRACK, id_
        case ShortLink(host, path):
            return Kind.SHORT, f"{host}{path}"
        case SearchText(words):
            return Kind.SEARCH, words
    raise AssertionError(reference)
