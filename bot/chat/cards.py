"""Cards: from a report to Discord's Components V2. Pure; every card is built anew, nothing is kept.

Limits: 40 components, nested ones included, and 4,000 characters of text a message.
https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import discord
import structlog
from discord import ui

from bot.albums import Album, AlbumId, album_url
from bot.changes import Action, LibraryChange, Outcome
from bot.chat.components import CustomId
from bot.chat.words import Words, plain
from bot.errors import NeedsRelink, NotLinked
from bot.library import NAMES, Report

TEXT_MOST = 3200
"""Characters a page, with some room below Discord's 4,000."""

_log = structlog.get_logger("gatefold.chat")

# What is told by name however many there are: the member wants to know which.
_MISSES = {
    Outcome.NO_ALBUM,
    Outcome.NOT_ALBUM,
    Outcome.UNREADABLE,
    Outcome.NO_MATCH,
    Outcome.GIVEN_UP,
}
# Told once with their reason, however many albums they met.
_REFUSALS = {Outcome.REFUSED, Outcome.NO_SEAT, Outcome.NO_PREMIUM}


class Kind(Enum):
    """What a card is. Its accent colour tells the kind, never a state."""

    PRIVATE = 0x5B6EE1  # an answer to one member
    PUBLIC = 0x3E9C76  # what a member shared
    CLUB = 0xC9822B  # a message of an album club


def button(
    label: str, custom_id: CustomId, style: discord.ButtonStyle = discord.ButtonStyle.secondary
) -> ui.Button[ui.LayoutView]:
    """A button; `custom_id` holds all that its handler needs."""
    return ui.Button(label=label[:80], custom_id=str(custom_id), style=style)


class Card(ui.LayoutView):
    """One message: a container with the accent of its kind.

    Discord refuses a message that carries a custom id twice, and with it everything that the message says. So a
    second component with the same custom id is left out, and the log tells of it.
    """

    def __init__(self, *items: ui.Item[ui.LayoutView], kind: Kind) -> None:
        super().__init__(timeout=None)
        self.kind = kind
        self.add_item(ui.Container(*_each_once(items), accent_colour=kind.value))

    def is_finished(self) -> bool:
        """Yes: components come to `chat/features.py`. Otherwise discord.py keeps every card for 15 minutes."""
        return True


def _each_once(items: Iterable[ui.Item[ui.LayoutView]]) -> Iterator[ui.Item[ui.LayoutView]]:
    seen: set[str] = set()

    def is_new(item: ui.Item[ui.LayoutView]) -> bool:
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


def text_card(text: str, *buttons: ui.Button[ui.LayoutView], kind: Kind = Kind.PRIVATE) -> Card:
    """A sentence or a few, with buttons below."""
    items: list[ui.Item[ui.LayoutView]] = [ui.TextDisplay(text)]
    if buttons:
        items.append(ui.ActionRow(*buttons))
    return Card(*items, kind=kind)


def link_button(url: str, label: str) -> ui.Button[ui.LayoutView]:
    """A button that opens an address."""
    return ui.Button(label=label, url=url)


def report(words: Words, report: Report, *, link_url: str | None = None, notes: Sequence[str] = ()) -> list[Card]:
    """What came of a request, the first message first; nearly always it is one.

    `link_url`: where the member links, when that is what is missing. `notes`: stand before all else.
    """
    request = report.request
    changes = request.distinct
    items: list[ui.Item[ui.LayoutView]] = [ui.TextDisplay(note) for note in notes]
    below: list[str] = []
    waiting = [change for change in changes if change.outcome is None]
    if waiting and report.held is not None:
        below.append(words.held(report.held, len(waiting), request.action))
    if link_url is not None:
        below.append(words.consent())
    below += [words.ignored(change.reference) for change in request.changes if change.outcome is Outcome.IGNORED]
    pages: list[str] = []
    if not request.changes:
        empty = words.nothing_to_undo() if request.undoes else words.no_albums(request.action)
        items.append(ui.TextDisplay(empty))
    elif len(changes) == 1:
        change = changes[0]
        album = _album(report, change)
        if album is not None:
            items.append(_header(words, album))
            if change.outcome is not None or report.held is None:
                items.append(ui.TextDisplay(words.below_title(change, undoes=request.undoes is not None)))
        elif change.outcome is not None:
            items.append(ui.TextDisplay(words.single(change, None)))
    else:
        pages = _pages(_list(words, report, changes), sum(map(len, [*notes, *below])))
        items.append(ui.TextDisplay(pages.pop(0)))
    items += [ui.TextDisplay(text) for text in below]
    items += _offers(report, changes)
    if buttons := _buttons(words, report, changes, link_url):
        items.append(ui.ActionRow(*buttons))
    if source := _source(words, report, changes):
        items.append(ui.TextDisplay(source))
    return [
        Card(*items, kind=Kind.PRIVATE),
        *(Card(ui.TextDisplay(page), kind=Kind.PRIVATE) for page in pages),
    ]


def _header(words: Words, album: Album) -> ui.Item[ui.LayoutView]:
    """Title, artists, year and cover; the cover only from Spotify's own address, untouched."""
    year = f" · {plain(album.year)}" if album.year else ""
    text = f"### [{plain(album.title)}]({album.url})\n{plain(album.by)}{year}"
    if album.cover_url is None:
        return ui.TextDisplay(text)
    cover: ui.Thumbnail[ui.LayoutView] = ui.Thumbnail(
        album.cover_url,
        description=words.t("Cover of {title} by {artist}", title=album.title[:90], artist=album.by[:90]),
    )
    return ui.Section(text, accessory=cover)


def _list(words: Words, report: Report, changes: Sequence[LibraryChange]) -> list[str]:
    """A summary, up to ten albums by name, the rest as counts, and every miss."""
    lines = [words.summary(changes, undoes=report.request.undoes is not None)]
    reasons = {(change.outcome, change.detail): change for change in changes if change.outcome in _REFUSALS}
    lines += [words.single(change, None) for change in [*reasons.values()][:3]]
    counted = [change for change in changes if change.outcome not in _MISSES | _REFUSALS]
    named = [change for change in counted if _album(report, change)][:NAMES]
    # where all are alike, the summary has said what came of them
    alike = len({change.outcome for change in changes}) == 1
    for change in named:
        album = _album(report, change)
        lines.append(f"- {words.album(album, 70) if album and alike else words.line(change, album)}")
    if named and len(counted) > len(named):
        lines.append(f"- {words.more(len(counted) - len(named))}")
    lines += [f"- {words.line(change, None)}" for change in changes if change.outcome in _MISSES]
    return lines


def _pages(lines: Iterable[str], taken: int) -> list[str]:
    """The lines in as few messages as they fit; of the first, `taken` characters are used already."""
    pages = [""]
    for line in lines:
        if pages[-1] and len(pages[-1]) + len(line) + (taken if len(pages) == 1 else 0) > TEXT_MOST:
            pages.append("")
        pages[-1] += f"\n{line}" if pages[-1] else line
    return pages


def _offers(report: Report, changes: Sequence[LibraryChange]) -> list[ui.Item[ui.LayoutView]]:
    """Albums to choose from, a row of buttons for each of the first searches."""
    is_saved = report.request.action is Action.SAVE
    rows: list[ui.Item[ui.LayoutView]] = []
    for change in [change for change in changes if change.outcome is Outcome.OFFERED]:
        buttons = []
        for id_ in (change.detail or "").split(","):
            album = report.albums.get(AlbumId(id_))
            label = f"{album.title} · {album.by} · {album.year}" if album else id_
            custom_id = CustomId("save" if is_saved else "unsave", id_)
            buttons.append(button(label if len(label) <= 80 else label[:79] + "…", custom_id))
        rows.append(ui.ActionRow(*buttons[:5]))
    return rows


def _buttons(
    words: Words, report: Report, changes: Sequence[LibraryChange], link_url: str | None
) -> list[ui.Button[ui.LayoutView]]:
    """The likely one first."""
    buttons: list[ui.Button[ui.LayoutView]] = []
    if link_url is not None and isinstance(report.held, NotLinked | NeedsRelink):
        buttons.append(link_button(link_url, words.t("Link Spotify")))
    changed = any(change.outcome is not None and change.outcome.is_change for change in changes)
    if changed and report.request.ended and not report.request.undone and report.request.undoes is None:
        buttons.append(button(words.t("Undo"), CustomId("undo", report.request.id)))
    if len(changes) == 1 and (album := _album(report, changes[0])) is not None:
        buttons.append(link_button(album.url, words.t("Open in Spotify")))
    elif len(changes) == 1 and changes[0].album_id and changes[0].outcome in (Outcome.SAVED, Outcome.ALREADY):
        buttons.append(link_button(album_url(changes[0].album_id), words.t("Open in Spotify")))
    return buttons


def _source(words: Words, report: Report, changes: Sequence[LibraryChange]) -> str:
    """Attribution with a link back, wherever Spotify's metadata stands."""
    shown = [album for change in changes if (album := _album(report, change)) is not None]
    if not shown and not report.albums:
        return ""
    url = shown[0].url if len(shown) == 1 else "https://open.spotify.com/"
    return f"-# [{words.t('on Spotify')}]({url})"


def _album(report: Report, change: LibraryChange) -> Album | None:
    return None if change.album_id is None else report.albums.get(change.album_id)
