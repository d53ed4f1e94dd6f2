"""Albums to choose from, or in a list. Two that would read the same are told apart: by date, tracks, or a number. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from msgspec.structs import replace

from bot.albums import Album, AlbumId, fold
from bot.chat.menus import Choice, cut
from bot.text import Text

LABEL_MOST = 100
"""Discord's limit for the name of a choice, and for the label and the description of an option, in characters."""
LISTED_MOST = 40
"""Lists may cut a title to this many characters; two that differ only after them read the same."""


def labels(t: Text, albums: Sequence[Album]) -> list[str]:
    """One line each: "Title by Artist (2011)", or "Title by Artist (12 tracks, 2011)" where another reads the same.

    A whole date takes the place of the year.
    """

    def label(album: Album, facts: Sequence[str]) -> str:
        end = f" ({', '.join(facts)})" if facts else ""
        return cut(t("{title} by {artist}", title=album.title, artist=album.by), LABEL_MOST - len(end)) + end

    plainly = [label(album, [album.year] if album.year else []) for album in albums]
    return [
        label(album, _with_year(t, album, details))
        for album, details in zip(albums, _details(t, albums, plainly), strict=True)
    ]


def descriptions(t: Text, albums: Sequence[Album]) -> list[str]:
    """What is below an album's title: "Artist · 2011", or "Artist · 2011 · 12 tracks" where another reads the same."""

    def description(album: Album, facts: Sequence[str]) -> str:
        end = " · ".join(facts)
        most = LABEL_MOST - len(end) - 3 if end else LABEL_MOST
        return " · ".join(part for part in (cut(album.by, most), end) if part)

    plainly = [
        f"{cut(album.title, LABEL_MOST)}\n{description(album, [album.year] if album.year else [])}" for album in albums
    ]
    return [
        description(album, _year_first(t, album, details))
        for album, details in zip(albums, _details(t, albums, plainly), strict=True)
    ]


def choices(t: Text, albums: Mapping[AlbumId, Album], ids: Sequence[AlbumId]) -> list[Choice]:
    """The options of a menu: "Title · Artist", and below it "2011", or "2011 · 12 tracks" as above."""
    known = [albums[id_] for id_ in ids if id_ in albums]
    plainly = [f"{_name(album)}\n{album.year}" for album in known]
    below = {
        album.id: " · ".join(_year_first(t, album, details))
        for album, details in zip(known, _details(t, known, plainly), strict=True)
    }
    return [
        Choice(id_, _name(albums[id_]), below[id_] or None) if id_ in albums else Choice(id_, t("an album on Spotify"))
        for id_ in ids
    ]


def doubts(t: Text, albums: Iterable[Album]) -> dict[AlbumId, str]:
    """Of a list without years, what tells those apart that have the same title and artists, by id: "2011 · 12 tracks"."""
    all_ = [*{album.id: album for album in albums}.values()]
    count = Counter(fold(_name(album)) for album in all_)
    offered = choices(t, {album.id: album for album in all_}, [album.id for album in all_])
    return {
        album.id: choice.description
        for album, choice in zip(all_, offered, strict=True)
        if count[fold(_name(album))] > 1 and choice.description
    }


def told_apart(t: Text, albums: Iterable[Album]) -> dict[AlbumId, Album]:
    """The albums of a list, by id. Where another reads the same, `year` says more: "12 tracks, 2011"."""
    all_ = [*{album.id: album for album in albums}.values()]
    return {
        album.id: replace(album, year=", ".join(_with_year(t, album, details))) if details else album
        for album, details in zip(all_, _details(t, all_, map(_listed, all_)), strict=True)
    }


def _name(album: Album) -> str:
    return cut(f"{album.title} · {album.by}" if album.by else album.title, LABEL_MOST)


def _listed(album: Album) -> str:
    return f"{album.title[:LISTED_MOST]}\n{album.by[:LISTED_MOST]}\n{album.year}"


def _with_year(t: Text, album: Album, details: list[str]) -> list[str]:
    return [*details, *([album.year] if album.year and _date(t, album) not in details else [])]


def _year_first(t: Text, album: Album, details: list[str]) -> list[str]:
    return [*([album.year] if album.year and _date(t, album) not in details else []), *details]


def _details(t: Text, albums: Sequence[Album], read: Iterable[str]) -> list[list[str]]:
    """For each album what tells it from those that read the same without it; mostly nothing."""
    alike: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(read):
        alike[fold(text)].append(place)
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
