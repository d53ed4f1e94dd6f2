"""Which album is meant: look-ups, searches, labels that the bot offered, and the member's own albums."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from bot.accounts.tokens import Tokens
from bot.albums import Album, AlbumId, AlbumRef, NotAnAlbum, SearchText, ShortLink, TrackRef
from bot.caller import MemberId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.errors import NeedsRelink, NoSuchAlbum, NotLinked
from bot.library import matching
from bot.pasted_text import parts, read_one
from bot.spotify.app import Access
from bot.spotify.catalogue import Catalogue, going_on, make_space
from bot.spotify.client import Spotify
from bot.spotify.wire import MAX_PAGE

OWN_S, OWN_MAX_MEMBERS, OWN_ALBUMS = 60.0, 500, 200
OFFERS = 5
RUN_PARTS_MOST = 6
"""In a line of more parts, none is taken for a piece of a title with commas: each way to read it costs a search."""


class Resolution(Struct, frozen=True):
    """What a change turned out to mean: an album, or an outcome without one. `choices`: the albums that are offered."""

    album_id: AlbumId | None = None
    outcome: Outcome | None = None
    detail: str | None = None
    choices: tuple[AlbumId, ...] = ()


class AlbumResolver:
    """Finds the albums that members mean."""

    def __init__(
        self,
        spotify: Spotify,
        catalogue: Catalogue,
        tokens: Tokens,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spotify = spotify
        self._catalogue = catalogue
        self._tokens = tokens
        self._monotonic = monotonic
        self._own: dict[MemberId, tuple[float, list[Album]]] = {}
        self._changes = 0
        self._suggesting: dict[MemberId, asyncio.Task[list[Album]]] = {}

    def known(self, id_: AlbumId) -> Album | None:
        """The album, if it was seen lately: then it exists, and its name is known without a call."""
        return self._catalogue.known(id_)

    async def album(self, access: Access, id_: AlbumId) -> Album:
        """The album, looked up unless it is known. NoSuchAlbum if there is none."""
        return await self._catalogue.album(access, id_)

    async def wait_for_names(self, ids: Iterable[AlbumId], seconds: float) -> None:
        """Let look-ups of these albums that are under way end, `seconds` at most."""
        await self._catalogue.wait_for_names(ids, seconds)

    async def own(self, member: MemberId, access: Access) -> list[Album]:
        """The member's newest 200 saved albums, each once."""
        found = self._own.get(member)
        changes = self._changes
        if found is None or found[0] < self._monotonic():
            first = await self._spotify.saved(access, 0)
            pages = [first]
            if not first.is_last:
                offsets = range(MAX_PAGE, OWN_ALBUMS, MAX_PAGE)
                pages += await asyncio.gather(*(self._spotify.saved(access, offset) for offset in offsets))
            # an album that was saved elsewhere meanwhile shifts the pages, so that one of them comes twice
            albums = [*{album.id: album for page in pages for album in page.albums}.values()]
            found = (self._monotonic() + OWN_S, albums)
            if changes == self._changes:  # else it may be what the library was before
                make_space(self._own, OWN_MAX_MEMBERS)
                self._own[member] = found
            self._catalogue.see(albums)
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
                    return await self._part_or_title(member, access, change)
                case Kind.ID_OR_WORD:
                    return await self._id_or_word(member, access, change)
        except NoSuchAlbum:
            return Resolution(outcome=Outcome.NO_ALBUM)
        return Resolution(AlbumId(change.reference))

    async def suggestions(self, member: MemberId, action: Action, text: str) -> list[Album]:
        """What to offer while somebody types: a search to save, their own albums to remove. One at a time a member.

        Nothing for what is a link. Whoever is not linked is offered the catalogue to save from; NotLinked or
        NeedsRelink when the bot has no access of its own, or when the member's own albums are wanted.
        """
        words = _typed(text)
        if words is None or (action is Action.SAVE and not words):
            return []
        while (before := self._suggesting.get(member)) is not None:
            await asyncio.wait({before})
        looking = self._searched(member, words) if action is Action.SAVE else self._owned(member)
        albums = await asyncio.shield(going_on(self._suggesting, member, looking))
        return albums if action is Action.SAVE else matching.matching(albums, words)

    async def _searched(self, member: MemberId, words: str) -> list[Album]:
        access: Access | None
        try:
            access = await self._tokens.access(member)
            await access.token.current()
        except (NotLinked, NeedsRelink):
            if (access := self._catalogue.access()) is None:
                raise
        return await self._catalogue.search(access, words)

    async def _owned(self, member: MemberId) -> list[Album]:
        return await self.own(member, await self._tokens.access(member))

    async def _track(self, access: Access, id_: str) -> Resolution:
        album = await self._spotify.album_of_track(access, id_)
        self._catalogue.see([album])
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

    async def _id_or_word(self, member: MemberId, access: Access, change: LibraryChange) -> Resolution:
        """22 letters without a digit: few ids are so, but some words and names."""
        id_ = AlbumId(change.reference)
        try:
            await self._catalogue.album(access, id_)
        except NoSuchAlbum:
            words = change.detail or change.reference
            found = await self._words(member, access, change.action, words)
            if found.outcome is Outcome.NO_MATCH:
                return Resolution(outcome=Outcome.NO_ALBUM, detail=words)
            return structs.replace(found, detail=words) if found.outcome is not None else found
        return Resolution(id_)

    async def _part_or_title(self, member: MemberId, access: Access, change: LibraryChange) -> Resolution:
        """A title, or the longest reading that it is only a part of, if an album fits that; see `SearchText.within`."""
        action, readings = change.action, [reading for reading in (change.detail or "").split("\n") if reading]
        for reading in readings:
            if (meant := await self._whole(member, access, action, reading)) is not None:
                return meant
        found = await self._words(member, access, action, change.reference)
        if found.album_id is None and readings:
            # a title with commas beside other titles: "Orchard, Burning, Lovely, Attic Weather"
            for run in _runs(readings[-1], change.reference):
                if (meant := await self._whole(member, access, action, run)) is not None:
                    return meant
        return found

    async def _whole(self, member: MemberId, access: Access, action: Action, reading: str) -> Resolution | None:
        """The album that fits a longer reading completely, None if there is none."""
        own = await self.own(member, access) if action is Action.REMOVE else []
        found = [*own, *await self._found(access, reading)]
        meant = [album for album in found if matching.is_whole(album, reading)]
        if not meant:
            return None
        if action is Action.REMOVE:
            meant = await self._saved(access, meant)
        return _chosen([*{album.id: album for album in meant}.values()], reading)

    async def named(self, access: Access, words: str) -> Resolution:
        """The album of the catalogue that these words name exactly, else an offer of a few."""
        return _chosen(await self._found(access, words), words)

    async def _words(self, member: MemberId, access: Access, action: Action, words: str) -> Resolution:
        if action is Action.REMOVE:
            # One album has several editions: the one that the member has is meant.
            mine = matching.matching(await self.own(member, access), words)
            if not mine:
                mine = await self._saved(access, await self._found(access, words))
            return _chosen(mine, words)
        return await self.named(access, words)

    async def _saved(self, access: Access, albums: list[Album]) -> list[Album]:
        """Those of these albums that the member has: of a large library, `own` is only the newest part."""
        is_saved = await self._spotify.contains(access, [album.id for album in albums])
        return [album for album in albums if is_saved.get(album.id)]

    async def _found(self, access: Access, words: str) -> list[Album]:
        """What a search finds. What reads like a label ("Title by Artist (Year)") is searched by its parts, too."""
        found = await self._catalogue.search(access, words)
        if matching.best(found, words):
            return found
        others: dict[AlbumId, Album] = {}
        for query in matching.queries(words):
            hits = await self._catalogue.search(access, query)
            if best := matching.best(hits, words):
                return best
            others |= {album.id: album for album in hits}
        return [*({album.id: album for album in found} | others).values()]


def _typed(text: str) -> str | None:
    """The words that somebody types, None for a link."""
    match read_one(text):
        case []:
            return ""
        case [SearchText(words)]:
            return words
        case [AlbumRef(words=words)] if words:
            return words
    return None


def _runs(line: str, part: str) -> list[str]:
    """Neighbouring parts of a line that may be one title with commas, among them this part, the longest first."""
    all_ = parts(line)
    if len(all_) > RUN_PARTS_MOST or part not in all_:
        return []
    at = all_.index(part)
    spans = [(begin, end) for begin in range(at + 1) for end in range(at + 1, len(all_) + 1) if end - begin > 1]
    return [", ".join(all_[begin:end]) for begin, end in sorted(spans, key=lambda span: span[0] - span[1])]


def _chosen(albums: list[Album], words: str) -> Resolution:
    """The one album that the words name best, else an offer of a few."""
    if not albums:
        return Resolution(outcome=Outcome.NO_MATCH)
    best = matching.best(albums, words)
    if len(best) == 1:
        return Resolution(best[0].id)
    offers = [*best, *(album for album in albums if album not in best)][:OFFERS]
    return Resolution(outcome=Outcome.OFFERED, choices=tuple(album.id for album in offers))
