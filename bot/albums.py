"""Albums, and what may name one. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import NewType

from msgspec import Struct

AlbumId = NewType("AlbumId", str)
"""22 characters of [0-9A-Za-z], case sensitive."""

MAX_QUERY = 250
"""Spotify's limit for `q` in a search, in characters."""


class Album(Struct, frozen=True):
    """What a card shows of an album. `year` may be empty, `cover_url` is Spotify's own address.

    `released`: the date as Spotify has it, such as "2011-03-04", or only its year or month. `tracks`: 0: unknown.
    `large_cover_url`: the same picture for where it is shown large.
    """

    id: AlbumId
    title: str
    artists: tuple[str, ...]
    year: str
    cover_url: str | None
    released: str = ""
    tracks: int = 0
    large_cover_url: str | None = None

    @property
    def url(self) -> str:
        """The album's page at Spotify, for the link back."""
        return album_url(self.id)

    @property
    def by(self) -> str:
        """The artists, joined."""
        return ", ".join(self.artists)


def album_url(album: AlbumId) -> str:
    """The address of an album's page at Spotify."""
    return f"https://open.spotify.com/album/{album}"


@dataclass(frozen=True, slots=True)
class AlbumRef:
    """An album by its id.

    `words`: what to search for if there is no album with this id. It is set where 22 letters without a link may be a
    word, and holds the line that they are in. Otherwise it is empty.
    """

    id: AlbumId
    words: str = field(default="", compare=False)


class TrackRef(Struct, frozen=True):
    """A track by its id: its album is meant."""

    id: str


class ShortLink(Struct, frozen=True):
    """A short link that must be followed first. `host` and `path` only: nothing else of it is used."""

    host: str
    path: str


class NotAnAlbum(Struct, frozen=True):
    """A link to something other than an album. `kind`: one of `PAGES` or `SERVICES` of `bot.links`, or `OLD_SHORT`."""

    kind: str
    shown: str


class Unreadable(Struct, frozen=True):
    """Text that looks like a link or holds control characters, and is neither an album nor words to search for."""

    shown: str


@dataclass(frozen=True, slots=True)
class SearchText:
    """Words to search for, without control or format characters.

    `within`: longer readings of which this text may be only a part, the longest first. A title and its artist on two
    lines look like two titles, and "Tyler, The Creator" looks like two titles with a comma. Each part comes as a
    search of its own. If an album matches a reading in `within` completely (each word of the reading is in its title
    or its artists), that album is meant, and all parts mean the same one.
    """

    text: str
    within: tuple[str, ...] = field(default=(), compare=False)


class Ignored(Struct, frozen=True):
    """Words that are not searched for. The member is told.

    `is_too_much`: because a search, or one command, takes no more; otherwise because they are beside a link.
    """

    shown: str
    is_too_much: bool = False


Reference = AlbumRef | TrackRef | ShortLink | NotAnAlbum | Unreadable | SearchText | Ignored

UNSEEN = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202c\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's format characters and others that nobody sees, as ranges of a pattern. Not the two that override a direction."""

# Characters that turn the direction of text: they make one thing look like another.
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


# A phone writes other apostrophes, quotes and dashes than Spotify does.
_SIGNS = str.maketrans(
    dict.fromkeys("\u2018\u2019\u02bc\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
    | dict.fromkeys("\u2010\u2011\u2013\u2014\u2212", "-")
)


def is_control(character: str) -> bool:
    """Whether a character is none that people read, or turns the direction of those that they do."""
    # Cs: half a character, which no file and no address can hold
    return unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTION


def shown(text: str) -> str:
    """What was read, fit to be shown back: no control characters, one line, at most 60 characters."""
    clean = "".join(" " if is_control(c) or c.isspace() else c for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= 60 else clean[:59] + "…"


def fold(text: str) -> str:
    """A title as it is compared: case, accents, width and spacing aside, and which apostrophe, quote or dash it has."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.translate(_SIGNS).casefold().split())
