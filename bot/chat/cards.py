"""Cards: Discord's Components V2. Pure; every card is built anew, nothing is kept.

Limits: 40 components, nested ones included, and 4,000 characters of text a message.
https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import discord
import structlog
from discord import ui

from bot.albums import Album
from bot.chat import parts
from bot.chat.parts import Part
from bot.chat.words import Words, plain

COVERS_MOST, ROW_MOST = 10, 5
BLOCKS = 10

_log = structlog.get_logger("gatefold.chat")


class Kind(Enum):
    """What a card is. Its accent colour tells the kind, never a state."""

    PRIVATE = 0x5B6EE1  # an answer to one member
    PUBLIC = 0x3E9C76  # what a member shared
    CLUB = 0xC9822B  # a message of an album club


class Card:
    """One message: a container with the accent of its kind. `pings`: the only role that it may ping.
    `answers`: the id of the message in the same channel that it replies to, which may be gone.
    `attachment`: the file that it shows, if any: its name and its bytes.

    Discord refuses a message that carries a custom id twice, and with it everything that the message says. So a
    second component with the same custom id is left out, and the log tells of it.
    """

    def __init__(self, *items: Part, kind: Kind, attachment: tuple[str, bytes] | None = None) -> None:
        self.kind = kind
        self.pings: int | None = None
        self.answers: int | None = None
        self.attachment = attachment
        self._container: Part = {
            "type": parts.CONTAINER,
            "accent_color": kind.value,
            "components": [*_each_once(items)],
        }

    def mark(self, number: int) -> None:
        """Give it an invisible mark, the id of its container, which Discord keeps."""
        self._container["id"] = number

    def to_components(self) -> list[Part]:
        """What Discord takes."""
        return [self._container]

    def view(self) -> ui.LayoutView:
        """The same for discord.py's methods."""
        return _View(self.to_components())

    def uploads(self) -> list[discord.File]:
        """The file, to be sent once."""
        if self.attachment is None:
            return []
        name, data = self.attachment
        return [discord.File(io.BytesIO(data), name)]


class _View(ui.LayoutView):
    def __init__(self, components: list[Part]) -> None:
        super().__init__(timeout=None)
        self._sent = components

    def to_components(self) -> list[Part]:
        return self._sent

    def has_components_v2(self) -> bool:
        return True

    def is_finished(self) -> bool:
        # Components come to `chat/features.py`. Otherwise discord.py keeps every card for 15 minutes.
        return True


def _each_once(items: Iterable[Part]) -> Iterator[Part]:
    seen: set[str] = set()

    def is_new(item: Part) -> bool:
        custom_id = item.get("custom_id")
        if custom_id is None:
            return True
        if custom_id not in seen:
            seen.add(custom_id)
            return True
        _log.error("a card has two components with one custom id", verb=custom_id.partition(":")[0])
        return False

    for item in items:
        if item["type"] == parts.ROW:
            if children := [child for child in item["components"] if is_new(child)]:
                yield parts.row(*children)
        elif item["type"] == parts.SECTION and not is_new(item["accessory"]):
            yield from item["components"]
        else:
            yield item


def text_card(text: str, *buttons: Part, kind: Kind = Kind.PRIVATE) -> Card:
    """A sentence or a few, with buttons below."""
    items: list[Part] = [parts.text(text)]
    items += [parts.row(*buttons[at : at + ROW_MOST]) for at in range(0, len(buttons), ROW_MOST)]
    return Card(*items, kind=kind)


def file_card(text: str, name: str, data: bytes, *below: Part) -> Card:
    """A sentence or a few, and a file to download. `name`: what it is called, such as "crate.csv"."""
    return Card(parts.text(text), parts.file(name), *below, kind=Kind.PRIVATE, attachment=(name, data))


def album_section(words: Words, album: Album) -> Part:
    """An album's title, linked, with artists, year and cover; the cover only from Spotify's own address, untouched."""
    year = f" · {plain(album.year)}" if album.year else ""
    text = f"### [{plain(album.title)}]({album.url})\n{plain(album.by)}{year}"
    if album.cover_url is None:
        return parts.text(text)
    return parts.section(text, parts.cover(album.cover_url, _cover_text(words, album)))


def covers(words: Words, albums: Sequence[Album]) -> list[Part]:
    """The covers of 2 to 10 albums, side by side; nothing for more or for fewer."""
    shown = [album for album in albums if album.cover_url is not None]
    if not 2 <= len(shown) <= COVERS_MOST:
        return []
    return [parts.gallery((album.cover_url or "", _cover_text(words, album)) for album in shown)]


def _cover_text(words: Words, album: Album) -> str:
    # Discord takes 256 characters
    return words.t("Cover of {title} by {artist}", title=album.title[:90], artist=album.by[:90])


def attribution(words: Words, albums: Sequence[Album], *, has_button: bool = False) -> list[Part]:
    """Where titles and covers are from, with a link back: last on a card that shows any, and small.

    `has_button`: the title and "Open in Spotify" lead there already, and a third link would be too many.
    """
    if not albums:
        return []
    if has_button:
        return [parts.text(f"-# {words.t('on Spotify')}")]
    url = albums[0].url if len(albums) == 1 else "https://open.spotify.com/"
    return [parts.text(f"-# [{words.t('on Spotify')}]({url})")]


def progress_card(words: Words, doing: str, done: int, total: int, left_s: float | None, *buttons: Part) -> Card:
    """How far something is: `doing`, such as "Saving albums.", a bar, a figure and what is left, and buttons."""
    t, blocks = words.t, round(BLOCKS * done / total) if total else BLOCKS
    figures = {"done": t.number(done), "total": t.number(total)}
    if left_s is None:
        figure = t("{done} of {total}", **figures)
    elif left_s < 90:
        figure = t("{done} of {total} · about {seconds} s", **figures, seconds=t.number(max(round(left_s, -1), 10)))
    else:
        figure = t("{done} of {total} · about {minutes} min", **figures, minutes=t.number(round(left_s / 60)))
    return text_card(f"{doing}\n{'▰' * blocks}{'▱' * (BLOCKS - blocks)}\n{figure}", *buttons)
