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
from bot.chat.components import CustomId
from bot.chat.words import Words, plain

COVERS_MOST, ROW_MOST = 10, 5
BLOCKS = 10

_log = structlog.get_logger("gatefold.chat")
Item = ui.Item[ui.LayoutView]
Button = ui.Button[ui.LayoutView]


class Kind(Enum):
    """What a card is. Its accent colour tells the kind, never a state."""

    PRIVATE = 0x5B6EE1  # an answer to one member
    PUBLIC = 0x3E9C76  # what a member shared
    CLUB = 0xC9822B  # a message of an album club


def button(label: str, custom_id: CustomId, style: discord.ButtonStyle = discord.ButtonStyle.secondary) -> Button:
    """A button; `custom_id` holds all that its handler needs."""
    return ui.Button(label=label[:80], custom_id=str(custom_id), style=style)


class Card(ui.LayoutView):
    """One message: a container with the accent of its kind. `pings`: the only role that it may ping.
    `answers`: the id of the message in the same channel that it replies to, which may be gone.

    Discord refuses a message that carries a custom id twice, and with it everything that the message says. So a
    second component with the same custom id is left out, and the log tells of it.
    """

    attachment: tuple[str, bytes] | None = None
    """The file that the card shows, if any: its name and its bytes."""

    def __init__(self, *items: Item, kind: Kind) -> None:
        super().__init__(timeout=None)
        self.kind = kind
        self.pings: int | None = None
        self.answers: int | None = None
        self.add_item(ui.Container(*_each_once(items), accent_colour=kind.value))

    def uploads(self) -> list[discord.File]:
        """The file, to be sent once."""
        if self.attachment is None:
            return []
        name, data = self.attachment
        return [discord.File(io.BytesIO(data), name)]

    def is_finished(self) -> bool:
        """Yes: components come to `chat/features.py`. Otherwise discord.py keeps every card for 15 minutes."""
        return True


def _each_once(items: Iterable[Item]) -> Iterator[Item]:
    seen: set[str] = set()

    def is_new(item: Item) -> bool:
        custom_id = getattr(item, "custom_id", None)
        if custom_id is None:
            return True
        if custom_id not in seen:
            seen.add(custom_id)
            return True
        _log.error("a card has two components with one custom id", verb=custom_id.partition(":")[0])
        return False

    for item in items:
        if isinstance(item, ui.ActionRow):
            for child in [*item.children]:
                if not is_new(child):
                    item.remove_item(child)
            if item.children:
                yield item
        elif isinstance(item, ui.Section) and not is_new(item.accessory):
            yield from item.children
        else:
            yield item


def text_card(text: str, *buttons: Button, kind: Kind = Kind.PRIVATE) -> Card:
    """A sentence or a few, with buttons below."""
    items: list[Item] = [ui.TextDisplay(text)]
    items += [ui.ActionRow(*buttons[at : at + ROW_MOST]) for at in range(0, len(buttons), ROW_MOST)]
    return Card(*items, kind=kind)


def file_card(text: str, name: str, data: bytes, *below: Item) -> Card:
    """A sentence or a few, and a file to download. `name`: what it is called, such as "crate.csv"."""
    card = Card(ui.TextDisplay(text), ui.File(f"attachment://{name}"), *below, kind=Kind.PRIVATE)
    card.attachment = (name, data)
    return card


def link_button(url: str, label: str) -> Button:
    """A button that opens an address."""
    return ui.Button(label=label, url=url)


def album_section(words: Words, album: Album) -> Item:
    """An album's title, linked, with artists, year and cover; the cover only from Spotify's own address, untouched."""
    year = f" · {plain(album.year)}" if album.year else ""
    text = f"### [{plain(album.title)}]({album.url})\n{plain(album.by)}{year}"
    if album.cover_url is None:
        return ui.TextDisplay(text)
    cover: ui.Thumbnail[ui.LayoutView] = ui.Thumbnail(album.cover_url, description=_cover_text(words, album))
    return ui.Section(text, accessory=cover)


def covers(words: Words, albums: Sequence[Album]) -> list[Item]:
    """The covers of 2 to 10 albums, side by side; nothing for more or for fewer."""
    shown = [album for album in albums if album.cover_url is not None]
    if not 2 <= len(shown) <= COVERS_MOST:
        return []
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for album in shown:
        gallery.add_item(media=album.cover_url or "", description=_cover_text(words, album))
    return [gallery]


def _cover_text(words: Words, album: Album) -> str:
    # Discord takes 256 characters
    return words.t("Cover of {title} by {artist}", title=album.title[:90], artist=album.by[:90])


def attribution(words: Words, albums: Sequence[Album], *, has_button: bool = False) -> list[Item]:
    """Where titles and covers are from, with a link back: last on a card that shows any, and small.

    `has_button`: the title and "Open in Spotify" lead there already, and a third link would be too many.
    """
    if not albums:
        return []
    if has_button:
        return [ui.TextDisplay(f"-# {words.t('on Spotify')}")]
    url = albums[0].url if len(albums) == 1 else "https://open.spotify.com/"
    return [ui.TextDisplay(f"-# [{words.t('on Spotify')}]({url})")]


def progress_card(words: Words, doing: str, done: int, total: int, left_s: float | None, *buttons: Button) -> Card:
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
