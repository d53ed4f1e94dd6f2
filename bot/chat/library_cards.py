"""What came of a change request, as cards. Pure.

A section with the album first, then one sentence, then the buttons; of several albums a summary, a line each, and
their covers. Spotify is named once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.albums import Album, AlbumId, album_url
from bot.changes import Action, LibraryChange, Outcome
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, covers
from bot.chat.components import CustomId
from bot.chat.editions import descriptions, told_apart
from bot.chat.menus import Choice, menu
from bot.chat.own_app import Ways
from bot.chat.parts import Part, button, link_button
from bot.chat.words import Words
from bot.errors import NeedsRelink, NotLinked
from bot.library import NAMES, Report

TEXT_MOST = 3200
"""Characters a page, with some room below Discord's 4,000."""
MENUS_MOST = 5
"""How many searches get a menu to choose from; more are named, and can be searched for again."""

# Told by name however many there are: the member wants to know which.
_MISSES = {
    Outcome.NO_ALBUM,
    Outcome.NOT_ALBUM,
    Outcome.UNREADABLE,
    Outcome.NO_MATCH,
    Outcome.GIVEN_UP,
}
# Told once with their reason, however many albums they met.
REFUSALS = {Outcome.REFUSED, Outcome.NO_SEAT, Outcome.NO_PREMIUM}


def report(
    words: Words,
    report: Report,
    *,
    ways: Ways | None = None,
    notes: Sequence[str] = (),
    noted: int = 0,
    is_direct: bool = False,
) -> list[Card]:
    """What came of a request, the first message first; nearly always it is one.

    `ways`: how the member links, when that is what is missing. `notes`: about earlier requests.
    `noted`: how many characters of notes were in these messages when the first of them was sent.
    `is_direct`: in a direct message, which belongs to no server that could be shown that the member kept it.
    """
    request, changes = report.request, report.request.distinct
    waiting = [change for change in changes if change.outcome is None]
    held = words.held(report.held, len(waiting), request.action) if waiting and report.held is not None else ""
    # where all of several albums wait, a summary would say the same as why they do
    lead = held if len(waiting) == len(changes) > 1 else ""
    below = [] if lead else [held]
    if ways is not None:
        below.append(ways.note)
        # whoever agreed once has read the consent then
        below.append(words.consent() if isinstance(report.held, NotLinked) else words.stored())
    below += [words.ignored(change) for change in request.changes if change.outcome is Outcome.IGNORED]
    pages: list[str] = []
    items: list[Part] = []
    if not request.changes:
        empty = words.nothing_to_undo() if request.undoes else words.no_albums(request.action)
        items.append(parts.text(empty))
    elif len(changes) == 1:
        items += _single(words, report, changes[0])
    else:
        pages = _pages(_list(words, report, changes, lead), noted + sum(map(len, [*notes, *below])))
        items.append(parts.text(pages.pop(0)))
        if len(changes) <= NAMES:
            items += covers(words, _named(report, changes))
    items += [parts.text(text) for text in below if text]
    items += _menus(words, report, changes)
    items += [parts.text(note) for note in notes]
    if buttons := _buttons(words, report, changes, ways, is_direct=is_direct):
        items.append(parts.row(*buttons))
    items += attribution(words, _shown(report, changes))
    return [
        Card(*items, kind=Kind.PRIVATE),
        *(Card(parts.text(page), kind=Kind.PRIVATE) for page in pages),
    ]


def _single(words: Words, report: Report, change: LibraryChange) -> list[Part]:
    """The only change: its album, and what came of it unless it is held up, which is told next."""
    album = _album(report, change)
    items: list[Part] = [] if album is None else [album_section(words, album)]
    if change.outcome is Outcome.OFFERED and (only := _only_choice(report, change)) is not None:
        return [parts.text(words.single(change, None)), album_section(words, only)]
    if change.outcome is None and report.held is not None:
        return items
    if album is None:
        return [parts.text(words.single(change, None))]
    return [*items, parts.text(words.below_title(change, undoes=report.request.undoes is not None))]


def _list(words: Words, report: Report, changes: Sequence[LibraryChange], lead: str) -> list[str]:
    """A summary, up to ten albums by name, how many more, and every miss with what was typed.

    `lead`: what takes the place of the summary, if anything.
    """
    lines = [lead or words.summary(changes, undoes=report.request.undoes is not None)]
    reasons = {(change.outcome, change.detail): change for change in changes if change.outcome in REFUSALS}
    lines += [words.single(change, None) for change in [*reasons.values()][:3]]
    offered = [change for change in changes if change.outcome is Outcome.OFFERED]
    with_menu = offered[:MENUS_MOST]
    counted = [change for change in changes if change.outcome not in _MISSES | REFUSALS and change not in with_menu]
    named = [change for change in counted if _album(report, change)][:NAMES]
    # where all are alike, the summary has said what came of them
    alike = len({change.outcome for change in changes}) == 1
    albums = told_apart(words.t, _named(report, named))
    for change in named:
        album = albums.get(change.album_id) if change.album_id else None
        lines.append(f"- {words.album(album, 70) if album and alike else words.line(change, album)}")
    lines += [f"- {words.line(change, None)}" for change in offered[MENUS_MOST:]]
    if named and (rest := len(counted) - len(named) - len(offered[MENUS_MOST:])) > 0:
        lines.append(f"- {words.more(rest)}")
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


def _menus(words: Words, report: Report, changes: Sequence[LibraryChange]) -> list[Part]:
    """Albums to choose from: a menu for each of the first searches that match several."""
    rows: list[Part] = []
    offered = [change for change in changes if change.outcome is Outcome.OFFERED]
    for change in offered[:MENUS_MOST]:
        ids = choices_of(change)
        if len(ids) < 2 and len(changes) == 1:
            continue  # it has a button instead
        albums = [album for id_ in ids if (album := report.albums.get(id_)) is not None]
        told = dict(zip((album.id for album in albums), descriptions(words.t, albums), strict=True))
        choices = [
            Choice(id_, report.albums[id_].title, told[id_]) if id_ in told else Choice(id_, album_url(id_))
            for id_ in ids
        ]
        # An answer with one menu becomes what came of the choice; with several, each choice is answered by itself.
        place = 0 if len(changes) == 1 else change.position + 1
        placeholder = words.t("Albums for “{typed}”", typed=change.typed)
        rows.append(menu(CustomId("choose", change.action, place), placeholder, choices))
    return rows


def _buttons(
    words: Words, report: Report, changes: Sequence[LibraryChange], ways: Ways | None, *, is_direct: bool
) -> list[Part]:
    """The likely one first."""
    buttons: list[Part] = []
    if ways is not None and isinstance(report.held, NotLinked | NeedsRelink):
        buttons += ways.buttons
    changed = any(change.outcome is not None and change.outcome.is_change for change in changes)
    if changed and report.request.ended and not report.request.undone and report.request.undoes is None:
        buttons.append(button(words.t("Undo"), CustomId("undo", report.request.id)))
    if len(changes) != 1:
        return buttons
    change = changes[0]
    if change.outcome is Outcome.OFFERED and len(ids := choices_of(change)) == 1:
        label = words.t("Save") if change.action is Action.SAVE else words.t("Remove")
        buttons.append(button(label, CustomId("pick", change.action, ids[0])))
    elif change.album_id and _album(report, change) is None and change.outcome in (Outcome.SAVED, Outcome.ALREADY):
        # without its name there is no title that leads there
        buttons.append(link_button(album_url(change.album_id), words.t("Open in Spotify")))
    is_in_library = change.outcome in (Outcome.SAVED, Outcome.ALREADY)
    may_keep = report.request.in_server and not is_direct and report.request.undoes is None
    if may_keep and change.album_id and is_in_library:
        buttons.append(button(words.t("Show that I kept this"), CustomId("keep", change.album_id)))
    return buttons


def choices_of(change: LibraryChange) -> list[AlbumId]:
    """The albums that a search offers, each once."""
    return [*dict.fromkeys(change.choices)]


def _only_choice(report: Report, change: LibraryChange) -> Album | None:
    ids = choices_of(change)
    return report.albums.get(ids[0]) if len(ids) == 1 else None


def _named(report: Report, changes: Sequence[LibraryChange]) -> list[Album]:
    """The albums whose names are known, each once."""
    found = [album for change in changes if (album := _album(report, change)) is not None]
    return [*{album.id: album for album in found}.values()]


def _shown(report: Report, changes: Sequence[LibraryChange]) -> list[Album]:
    """Every album of which something is shown."""
    offered = [
        report.albums[id_]
        for change in changes
        if change.outcome is Outcome.OFFERED
        for id_ in choices_of(change)
        if id_ in report.albums
    ]
    return [*_named(report, changes), *offered]


def _album(report: Report, change: LibraryChange) -> Album | None:
    return None if change.album_id is None else report.albums.get(change.album_id)
