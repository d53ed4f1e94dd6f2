"""Albums in JSON: our own export, Spotify's `YourLibrary.json`, and what other programs write."""

from __future__ import annotations

import json
from typing import Any

from bot.albums import AlbumRef, NotAnAlbum, ShortLink, TrackRef
from bot.files.exports import MARK
from bot.files.library_file import Collected, Format, LibraryFile, Reason, Unit, named
from bot.files.library_rows import links_in, take_row
from bot.files.problems import MAX_LINES, BrokenJson, TooManyRows
from bot.files.tables import column_key

_LISTS = ("albums", "items", "failures", "rounds")
# A library's sections at Spotify; they tell its file from others that have albums.
_SECTIONS = {"tracks", "shows", "episodes", "bannedTracks", "artists", "bannedArtists"}
_SPEAKING = ("name", "title", "spotify", "uri", "url")
_PLAYS = {"ms played", "msplayed"}  # of a listening history, which is no library


def parse(text: str) -> Any:
    """The JSON as lists, dicts and text; numbers stay as written, so that none is too large.

    A key that comes twice has all of its values, in a list.

    Raises:
        BrokenJson: a mistake, or nesting deeper than Python's own limit.
    """
    try:
        return json.loads(
            text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_every_value_of_each_key
        )
    except json.JSONDecodeError as error:
        raise BrokenJson(error.lineno) from None
    except RecursionError:
        raise BrokenJson(None) from None


def parse_lines(text: str) -> list[Any] | None:
    """The objects of a file that has one in each line; None: it is no such file."""
    lines = text.split("\n", MAX_LINES)
    if len(lines) < 2 or not all(line.startswith("{") for line in lines if line.strip()):
        return None
    try:
        return [parse(line) for line in lines if line.strip()]
    except BrokenJson:
        return None


def _every_value_of_each_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    values = {}
    for key, value in pairs:
        if key not in values:
            values[key] = value
            continue
        if not isinstance(values[key], list):
            values[key] = [values[key]]
        values[key].extend(value if isinstance(value, list) else [value])
    return values


def read_json(content: Any) -> LibraryFile:
    """Read what `parse` returned.

    Raises:
        NothingFound, TooManyAlbums, TooManyRows: see `Collected` and `problems`.
    """
    into = Collected()
    format_ = Format.JSON
    entries = content if isinstance(content, list) else None
    if isinstance(content, dict):
        if MARK in content:
            format_ = Format.EXPORT
        elif "albums" in content and _SECTIONS & content.keys():
            format_ = Format.ACCOUNT_DATA
        name = next((name for name in _LISTS if isinstance(content.get(name), list)), None)
        if name is not None or _SECTIONS & content.keys():
            entries = content[name] if name is not None else []
            for key, value in content.items():
                if key != name and isinstance(value, list):
                    into.leave_out(key, len(value))
    if entries is None:
        _take_anywhere(content, into)
    elif len(entries) > MAX_LINES:
        raise TooManyRows(MAX_LINES)
    else:
        for at, entry in enumerate(entries, 1):
            _take_entry(entry, at, into)
    return into.result(format_, Unit.ENTRY)


def _take_entry(entry: Any, at: int, into: Collected) -> None:
    if isinstance(entry, dict):
        if isinstance(entry.get("album"), dict):  # as Spotify's Web API lists saved albums
            entry = entry["album"]
        if isinstance(entry.get("track"), dict):
            into.leave_out("tracks")
            return
        row = {column_key(key): text for key, value in entry.items() if (text := _text(value))}
        if _PLAYS & row.keys():
            into.leave_out("plays")
        else:
            take_row(row, at, " · ".join(row.values()), into)
        return
    text = _text(entry)
    references = list(links_in(text))
    for reference in references:
        into.add(reference, named(reference), at)
    if not references:
        into.add_unread(at, text, Reason.NO_ALBUM)


def _text(value: Any, depth: int = 0) -> str:
    """A value as a cell: text as it is, lists joined, of an object its name or its link."""
    if isinstance(value, str):
        return value.strip()
    if depth > 2:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_text(item, depth + 1) for item in value)))
    if isinstance(value, dict):
        return next((text for key in _SPEAKING if (text := _text(value.get(key), depth + 1))), "")
    return ""


def _take_anywhere(content: Any, into: Collected) -> None:
    """Take the links to albums wherever they are, in a file whose shape nobody knows."""
    at = 0
    remaining = [content]
    while remaining:
        value = remaining.pop()
        if isinstance(value, dict):
            remaining += reversed(value.values())
        elif isinstance(value, list):
            remaining += reversed(value)
        elif isinstance(value, str) and "spotify" in value:
            for reference in links_in(value):
                at += 1
                if at > MAX_LINES:
                    raise TooManyRows(MAX_LINES)
                match reference:
                    case AlbumRef() | ShortLink():
                        into.add(reference, named(reference), at)
                    case TrackRef():
                        into.leave_out("tracks")
                    case NotAnAlbum(kind):
                        into.leave_out(kind)
                    case _:
                        into.add_unread(at, value, Reason.UNREADABLE_LINK)
