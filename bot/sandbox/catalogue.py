"""The sandbox's albums: invented, with ids, tracks and covers as Spotify's have them. Pure.

Ids are made from what an album is (title, artists, date), so they are the same on every machine and for
ever. They are 128-bit numbers in base 62, as Spotify's are: 22 characters, the first from 0 to 7.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from bot.sandbox.covers import draw
from bot.sandbox.records import RECORDS, Record

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# How Spotify begins the name of an image, by its width.
_COVER_SIZES = {640: "ab67616d0000b273", 300: "ab67616d00001e02", 64: "ab67616d00004851"}
_COVER_URL = re.compile(r"https://i\.scdn\.co/image/ab67616d0000(?:b273|1e02|4851)([0-9a-f]{24})")
_PRECISION = {4: "year", 7: "month", 10: "day"}
# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
_FIELD = re.compile(r"\b(album|artist|year):\s*(?:\"([^\"]*)\"|([^:]*?)(?=\s+(?:album|artist|year):|$))")


@dataclass(frozen=True, slots=True)
class Artist:
    """Who made an album."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Track:
    """A track of one album. `number` counts from 1."""

    id: str
    name: str
    number: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Image:
    """A cover at Spotify's image host, square; `width` in pixels."""

    url: str
    width: int


@dataclass(frozen=True, slots=True)
class Album:
    """An invented album. `kind`: album, single, compilation; `release_date`: YYYY, YYYY-MM or YYYY-MM-DD."""

    id: str
    title: str
    artists: tuple[Artist, ...]
    release_date: str
    kind: str
    tracks: tuple[Track, ...]

    @property
    def total_tracks(self) -> int:
        """How many tracks it has."""
        return len(self.tracks)

    @property
    def release_date_precision(self) -> str:
        """year, month or day."""
        return _PRECISION[len(self.release_date)]

    @property
    def by(self) -> str:
        """The artists, joined."""
        return ", ".join(artist.name for artist in self.artists)

    @property
    def cover(self) -> str:
        """24 hexadecimal digits that the addresses of its cover end in."""
        return _hash(f"cover:{self.id}")[:24]

    @property
    def images(self) -> tuple[Image, ...]:
        """Its cover's addresses, widest first. All show one picture."""
        return tuple(
            Image(f"https://i.scdn.co/image/{size}{self.cover}", width) for width, size in _COVER_SIZES.items()
        )


class Found(NamedTuple):
    """One page of a search, and how many there are in all."""

    albums: list[Album]
    total: int


class Catalogue:
    """All albums there are, by id and by words."""

    def __init__(self, albums: Iterable[Album] | None = None) -> None:
        """With the sandbox's own albums, or with those given."""
        self._albums: dict[str, Album] = {}
        self._tracks: dict[str, tuple[Track, Album]] = {}
        self._words: dict[str, tuple[str, str]] = {}
        self._covers: dict[str, str] = {}
        self.add(map(made, RECORDS) if albums is None else albums)

    @property
    def albums(self) -> Mapping[str, Album]:
        """Every album by its id, in the order in which they came."""
        return MappingProxyType(self._albums)

    def add(self, albums: Iterable[Album]) -> None:
        """Put more albums in."""
        for album in albums:
            self._albums[album.id] = album
            self._words[album.id] = folded(album.title), folded(album.by)
            self._covers[album.cover] = album.id
            self._tracks.update((track.id, (track, album)) for track in album.tracks)

    def album(self, album_id: str) -> Album | None:
        """An album, or None."""
        return self._albums.get(album_id)

    def track(self, track_id: str) -> tuple[Track, Album] | None:
        """A track with its album, or None."""
        return self._tracks.get(track_id)

    def cover(self, name: str) -> bytes | None:
        """A cover as PNG, drawn when first asked for. `name`: one of its addresses, or `Album.cover`."""
        match = _COVER_URL.fullmatch(name)
        album_id = self._covers.get(match[1] if match else name)
        return draw(album_id) if album_id else None

    def covers(self) -> dict[str, bytes]:
        """Every address of every cover, with its PNG (300 by 300 under each). Draws them all."""
        return {image.url: draw(album.id) for album in self._albums.values() for image in album.images}

    def search(self, q: str, limit: int = 5, offset: int = 0) -> Found:
        """Albums that match, best first; case and accents aside.

        First the title as a whole, then titles that begin so, titles that hold it, artists that hold it,
        and at last those in whose title and artists all the words stand. `album:`, `artist:` and `year:`
        narrow a search.
        """
        fields: dict[str, str] = {m[1]: m[2] or m[3] or "" for m in _FIELD.finditer(q)}
        words = folded(_FIELD.sub(" ", q))
        ranked = [
            (rank, place, album)
            for place, album in enumerate(self._albums.values())
            if (rank := self._rank(album, words, fields)) is not None
        ]
        ranked.sort(key=lambda row: row[:2])
        return Found([album for _, _, album in ranked[offset : offset + limit]], len(ranked))

    def _rank(self, album: Album, words: str, fields: Mapping[str, str]) -> int | None:
        title, artists = self._words[album.id]
        if folded(fields.get("album", "")) not in title or folded(fields.get("artist", "")) not in artists:
            return None
        first, _, last = fields.get("year", "").strip().partition("-")
        if first and not first <= album.release_date[:4] <= (last or first):
            return None
        if not words:
            return 0 if any(fields.values()) else None
        if title == words:
            return 0
        if title.startswith(words):
            return 1
        if words in title:
            return 2
        if words in artists:
            return 3
        return 4 if all(word in f"{title} {artists}" for word in words.split()) else None


def folded(text: str) -> str:
    """Text as it is compared: without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", letters)) or " ".join(letters.split())


def made(record: Record) -> Album:
    """An album from its row."""
    key = f"{record.title}|{record.artists}|{record.date}|{record.kind}"
    album_id = record.id or new_id(f"album:{key}")
    names = record.tracks.split(" / ")
    tracks = tuple(
        Track(
            new_id(f"track:{album_id}:{number}"),
            names[number - 1] if number <= len(names) else _roman(number),
            number,
            110_000 + int(_hash(f"length:{album_id}:{number}")[:8], 16) % 280_000,
        )
        for number in range(1, record.total + 1)
    )
    artists = tuple(Artist(new_id(f"artist:{name}"), name) for name in record.artists.split(" / "))
    return Album(album_id, record.title, artists, record.date, record.kind, tracks)


def synthetic(count: int, seed: str = "gatefold") -> list[Album]:
    """As many more albums as asked for, the same ones for the same seed. No cover is drawn yet."""
    albums = []
    for number in range(count):
        digest = bytes.fromhex(_hash(f"{seed}:{number}"))
        title = f"{_FIRST[digest[0] % len(_FIRST)]} {_SECOND[digest[1] % len(_SECOND)]} {number + 1}"
        artist = f"The {_FIRST[digest[2] % len(_FIRST)]} {_THIRD[digest[3] % len(_THIRD)]}"
        date = f"{1955 + digest[4] % 70}-{1 + digest[5] % 12:02}-{1 + digest[6] % 28:02}"
        row = Record(title, artist, date, 1 + digest[7] % 14, title)
        albums.append(made(row._replace(id=new_id(f"synthetic:{seed}:{number}"))))
    return albums


def new_id(key: str) -> str:
    """The id that belongs to a key: 22 characters of [0-9A-Za-z], the first from 0 to 7."""
    number = int(_hash(key)[:32], 16)
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _roman(number: int) -> str:
    tens, ones = divmod(number, 10)
    return "X" * tens + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[ones]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "Amber Borrowed Brass Candlelit Copper Distant Drifting Early Folded Gentle Hollow Idle Ivory Late "
    "Leaning Lesser Lucky Marbled Minor Northern Painted Patient Plain Quiet Restless Silver Velvet Woven"
)
_SECOND = _words(
    "Almanacs Anchors Balconies Bicycles Calendars Chimneys Corridors Ferries Gardens Harbours Kettles "
    "Ladders Lanterns Letters Maps Mirrors Orchards Pianos Postcards Rivers Rooftops Stations Umbrellas"
)
_THIRD = _words("Accordions Astronomers Bakers Cartographers Clockmakers Gardeners Gliders Neighbours")
