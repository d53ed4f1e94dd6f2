"""One row of a table, or one entry of a JSON list: which album it names."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping

from bot.albums import (
    AlbumRef,
    Ignored,
    NotAnAlbum,
    Reference,
    SearchText,
    ShortLink,
    TrackRef,
    Unreadable,
    fold,
    shown,
)
from bot.files.column_names import Role, role_of
from bot.files.library_file import Collected, Reason, clean, named
from bot.files.tables import Record, Table, column_key
from bot.links import OLD_SHORT, SERVICES
from bot.pasted_text import is_searchable, read

# Column names as `column_key` makes them; where a row has several, the first that says something counts.
ALBUM_LINKS = (
    "album uri",
    "album url",
    "album link",
    "album id",
    "spotify album uri",
    "spotify album url",
    "spotify album id",
    "spotify uri",
    "spotify url",
    "spotify link",
    "spotify",
    "uri",
    "url",
    "link",
    "external url",
    "external urls",
    "id",
    "spotify id",
)
TRACK_LINKS = ("track uri", "track url", "track link", "track id", "spotify track uri", "spotify track id", "song uri")
ANYTHING = ("what",)  # our own file of what could not be imported, with what was typed
TITLES = ("album name", "album title", "album", "release name", "release title", "title", "name")
ARTISTS = (
    "album artist name s",
    "album artist names",
    "album artist",
    "album artists",
    "artist name s",
    "artist names",
    "artist name",
    "artists",
    "artist",
    "artist credit name",
    "artist credit",
)
SURNAME, FIRST_NAME = "last name", "first name"
"""Rate Your Music has the name of an artist in two columns; a band has only the second one."""
MAYBE_A_LINK = re.compile(r"spotify|://|(?<![0-9A-Za-z])[0-9A-Za-z]{22}(?![0-9A-Za-z])", re.IGNORECASE | re.ASCII)
"""Finds every text that may hold a link, a URI or an id, much faster than reading it."""
MAX_NAMES = 500
"""How many columns are known by their names."""
_NAMED = frozenset((*ALBUM_LINKS, *TRACK_LINKS, *ANYTHING, *TITLES, *ARTISTS, SURNAME, FIRST_NAME))
_LINKS = frozenset((*ALBUM_LINKS, *TRACK_LINKS, *ANYTHING))
_BARE_ID = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)


def known_columns(record: Record) -> int:
    """How many cells of a row are names of columns that a list of albums has; 0 if they cannot identify an album."""
    names = set(_column_names(record))
    if names & _LINKS or (names.intersection(TITLES) and names.intersection((*ARTISTS, SURNAME))):
        return len(names & _NAMED)
    return 0


def _column_names(header: Record) -> list[str]:
    """The names by `column_key`; a title's and an artist's in other languages become the English ones."""
    names = [column_key(cell) for cell in header.cells[:MAX_NAMES]]
    for role, known in ((Role.ALBUM, TITLES), (Role.ARTIST, ARTISTS)):
        if not {*names} & {*known}:
            number = next((n for n, name in enumerate(names) if name not in _NAMED and role_of(name) is role), None)
            if number is not None:
                names[number] = known[-1]
    return names


def take_table(table: Table, into: Collected) -> None:
    """Take every row of a table.

    Raises:
        TooManyAlbums: see `Collected.add`.
    """
    names = _column_names(table.header)
    for record in (*table.above, *table.rows):
        if record.is_blank or record.is_rule:
            continue
        if record.broken or record.line < table.header.line:
            _take_text(record, into)
            continue
        row: dict[str, list[str]] = {}
        for name, cell in zip(names, record.cells, strict=False):
            row.setdefault(name, []).append(cell)
        row.setdefault("", []).extend(record.cells[len(names) :])
        cells = {name: text for name, of_name in row.items() if (text := " ".join(filter(None, of_name)).strip())}
        take_row(cells, record.line, record.text, into)


def _take_text(record: Record, into: Collected) -> None:
    references = list(links_in(record.text))
    for reference in references:
        into.add(reference, named(reference), record.line)
    if not references:
        into.add_unread(record.line, record.text, Reason.OPEN_QUOTE if record.broken else Reason.NO_ALBUM)


def take_row(row: Mapping[str, str], at: int, text: str, into: Collected) -> None:
    """Take one row. `row`: cells by column name, `text`: the whole row, for the case that nothing can be read.

    A link counts before a title, and a title with its artist becomes words to search for.

    Raises:
        TooManyAlbums: see `Collected.add`.
    """
    title, artist = _first(row, TITLES), _first(row, ARTISTS)
    if not artist and SURNAME in row:
        artist = " ".join(f"{row.get(FIRST_NAME, '')} {row[SURNAME]}".split())
    typed = f"{artist} – {title}" if title and artist else title
    found, others = _references(row)
    for reference in found:
        # the rows of one album's tracks are one album
        key = (fold(title), fold(re.split("[,;]", artist)[0])) if isinstance(reference, TrackRef) and title else None
        into.add(reference, typed or named(reference), at, key)
    if found:
        return
    # a file on a device, an old short link and a page of another service may be the same album as the row's title
    titled = ("local", OLD_SHORT, *SERVICES)
    is_spotify = (o for o in others if isinstance(o, NotAnAlbum) and o.kind not in titled)
    if other := next(is_spotify, None):
        into.add(other, typed or other.shown, at)
    elif title and artist:
        into.add(search_for(artist, title), typed, at)
    elif others:
        into.add(others[0], typed or named(others[0]), at)
    elif title:
        into.add_unread(at, text, Reason.NO_ARTIST)
    else:
        into.add_unread(at, text, Reason.NO_ALBUM)


def _first(row: Mapping[str, str], names: Iterable[str]) -> str:
    return next((" ".join(row[name].split()) for name in names if name in row), "")


def _references(row: Mapping[str, str]) -> tuple[list[Reference], list[Reference]]:
    """The albums that a row's links name, and its links that name none."""
    albums: list[Reference] = []
    others: list[Reference] = []
    for name in (*ALBUM_LINKS, *TRACK_LINKS, *ANYTHING):
        if name not in row:
            continue
        found = list(links_in(row[name]))
        if name in TRACK_LINKS and _BARE_ID.fullmatch(row[name].strip()):
            found = [TrackRef(row[name].strip())]
        elif name in ANYTHING and not found:
            found = [SearchText(words)] if is_searchable(words := clean(row[name])) else []
        albums += [r for r in found if isinstance(r, (AlbumRef, TrackRef, ShortLink, SearchText))]
        if albums:
            return albums, others
        others += found
    for name, cell in row.items():
        # Other columns hold the ids of artists and users, which look like an album's: only what says "album" counts.
        # A title may be a masked link ("[Blue](https://...)").
        if (name not in _NAMED or (name in TITLES and "spotify" in cell.lower())) and "album" in cell.lower():
            albums += [r for r in links_in(cell) if isinstance(r, AlbumRef)]
    return albums, others


def search_for(artist: str, title: str) -> Reference:
    """An artist and a title as words to search for, unless they look like a link: that is never searched."""
    words = clean(html.unescape(f"{artist} {title}"))
    if MAYBE_A_LINK.search(words) and not is_searchable(words):
        return Unreadable(shown(words))
    return SearchText(words)


def links_in(text: str) -> Iterator[Reference]:
    """The links, URIs and ids in a text, without the words around them."""
    return (r for r in read(text) if not isinstance(r, (SearchText, Ignored)))
