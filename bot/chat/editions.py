"""Labels of albums to choose from. Two that would read the same are told apart: by date, tracks, or a number. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date

from bot.albums import Album, fold
from bot.text import Text

LABEL_MOST = 100
"""Discord's limit for the name of a choice, in characters."""


def labels(t: Text, albums: Sequence[Album]) -> list[str]:
    """One line each: "Title by Artist (2011)", or "Title by Artist (12 tracks, 2011)" where another reads the same.

    A whole date takes the place of the year.
    """
    made = []
    for album, details in zip(albums, _details(t, albums), strict=True):
        facts = [*details, *([album.year] if album.year and _date(t, album) not in details else [])]
        end = f" ({', '.join(facts)})" if facts else ""
        name = t("{title} by {artist}", title=album.title, artist=album.by)
        most = LABEL_MOST - len(end)
        made.append((name if len(name) <= most else name[: most - 1] + "…") + end)
    return made


def descriptions(t: Text, albums: Sequence[Album]) -> list[str]:
    """What is below an album's title: "Artist · 2011", or "Artist · 2011 · 12 tracks" where another reads the same."""
    return [
        " · ".join(part for part in (album.by, "" if _date(t, album) in details else album.year, *details) if part)
        for album, details in zip(albums, _details(t, albums), strict=True)
    ]


def _details(t: Text, albums: Sequence[Album]) -> list[list[str]]:
    """For each album what tells it from those with the same title, artists and year; mostly nothing."""
    alike: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, album in enumerate(albums):
        alike[fold(album.title), fold(album.by), album.year].append(place)
    details: list[list[str]] = [[] for _ in albums]
    facts: tuple[Callable[[Album], str], ...] = (
        lambda album: _tracks(t, album),
        lambda album: _date(t, album),
    )
    for places in alike.values():
        if len(places) == 1:
            continue
        for fact in facts:
            told = [fact(albums[place]) for place in places]
            if len({*told}) > 1:
                for place, text in zip(places, told, strict=True):
                    details[place] += [text] if text else []
        seen: dict[tuple[str, ...], int] = defaultdict(int)
        for place in places:
            key = tuple(details[place])
            seen[key] += 1
            if seen[key] > 1:
                details[place].append(t("version {number}", number=t.number(seen[key])))
    return details


def _tracks(t: Text, album: Album) -> str:
    return t.plural("{count} track", "{count} tracks", album.tracks) if album.tracks else ""


def _date(t: Text, album: Album) -> str:
    try:
        return t.date(date.fromisoformat(album.released))
    except ValueError:
        return ""  # only the year or the month is known
