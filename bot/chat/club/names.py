"""Names of albums on the club's cards, which nobody in particular asked for: so no member's access is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from bot.albums import Album, AlbumId, album_url
from bot.chat.words import Words, plain
from bot.errors import UserError
from bot.spotify.catalogue import Catalogue

NAMES_S = 5.0
"""How long a card waits for names. An album without one is shown as a link."""
AT_ONCE = 8
"""How many albums are looked up at the same time."""

TEXT_SPACE = 3300
"""Characters of a card for a list, below Discord's 4,000 for the whole card."""
NAME_WIDTHS = (40, 25, 15, 8)

Albums = dict[AlbumId, Album]


class Names:
    """Looks albums up through the bot's own access, or publicly. A name that was seen today costs no call."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, ids: Iterable[AlbumId | None], *, seconds: float = NAMES_S) -> Albums:
        """The albums of these ids, without those whose names are not known in time."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if id_ is not None]
        found: Albums = {id_: album for id_ in wanted if (album := self._catalogue.known(id_)) is not None}

        async def look_up(id_: AlbumId) -> None:
            async with self._places:
                try:
                    found[id_] = await self._catalogue.public_album(id_)
                except UserError:
                    return  # it is shown without its name

        if tasks := [asyncio.create_task(look_up(id_)) for id_ in wanted if id_ not in found]:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
        return {id_: found[id_] for id_ in wanted if id_ in found}


def name_of(words: Words, albums: Albums, id_: AlbumId, most: int = 60) -> str:
    """An album in one line; a link where its name is not known."""
    if (album := albums.get(id_)) is None:
        return f"[{words.t('an album on Spotify')}]({album_url(id_)})"
    return words.album(album, most)


def fitting(draw: Callable[[int], Sequence[str]], space: int = TEXT_SPACE) -> list[str]:
    """The lines that `draw` makes with names of the most characters that fit. Names may double when they are escaped."""
    lines: list[str] = []
    for most in NAME_WIDTHS:
        lines = [*draw(most)]
        if sum(len(line) + 1 for line in lines) <= space:
            break
    return lines


def paged(lines: Iterable[str]) -> list[list[str]]:
    """The lines in as few messages as they fit."""
    pages: list[list[str]] = [[]]
    for line in lines:
        if pages[-1] and sum(len(one) + 1 for one in pages[-1]) + len(line) > TEXT_SPACE:
            pages.append([])
        pages[-1].append(line)
    return pages


def short_name(words: Words, albums: Albums, id_: AlbumId, most: int) -> str:
    """An album as plain text, for the name of a thread."""
    if (album := albums.get(id_)) is None:
        return words.t("an album on Spotify")
    by = f" · {album.by}" if album.by else ""
    text = f"{album.title}{by}"
    return text if len(text) <= most else text[: most - 1] + "…"


def points(words: Words, value: Fraction | float) -> str:
    """A mean, a spread or a score, with at most two decimals."""
    return words.t.number(round(float(value), 2))


def note_of(note: str, most: int = 500) -> str:
    """A member's note as a quotation; empty: there is none."""
    return f"> {plain(note, most)}" if note.strip() else ""
