"""Albums, and what people paste when they mean one. Pure.

`read` turns pasted text into references, in the order in which they stand, each once. It never guesses:
what only looks like a Spotify link becomes `Unreadable`, and only plain words may be searched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NewType

AlbumId = NewType("AlbumId", str)
"""22 characters of [0-9A-Za-z], case sensitive."""

MAX_QUERY = 250
"""Spotify's limit for `q` in a search, in characters."""


@dataclass(frozen=True, slots=True)
class Album:
    """What a card shows of an album. `year` may be empty, `cover_url` is Spotify's own address.

    `released`: the date as Spotify has it, such as "2011-03-04", or only its year or month. `tracks`: 0: unknown.
    """

    id: AlbumId
    title: str
    artists: tuple[str, ...]
    year: str
    cover_url: str | None
    released: str = ""
    tracks: int = 0

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
    """An album by its id."""

    id: AlbumId


@dataclass(frozen=True, slots=True)
class TrackRef:
    """A track by its id: its album is meant."""

    id: str


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A short link that must be followed first. `host` and `path` only: nothing else of it is used."""

    host: str
    path: str


@dataclass(frozen=True, slots=True)
class NotAnAlbum:
    """A Spotify thing that is no album. `kind`: playlist, artist, show, episode, prerelease ..."""

    kind: str
    shown: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Looks like a link or holds control characters, and is neither an album nor words to search."""

    shown: str


@dataclass(frozen=True, slots=True)
class SearchText:
    """Plain words, to be searched."""

    text: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Words beside a link: what somebody wrote about it. Not searched, and said so."""

    shown: str


Reference = AlbumRef | TrackRef | ShortLink | NotAnAlbum | Unreadable | SearchText | Ignored

_ID = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)
_MARKDOWN = re.compile(r"\[[^\[\]]*\]\(\s*<?([^\s()<>]{1,2000})>?\s*\)")
_OUTER = "<>()[]{}\"'`*_~|.,;:!?\u201c\u201d\u2018\u2019\u00ab\u00bb"
_PAGE = re.compile(
    r"(?:https?://)?(?:open|play)\.spotify\.com/"
    r"(?:intl-[a-z]{2}(?:-[a-z]{2,4})?/)?(?:embed/)?(?:user/[^/?#\s]{1,100}/)?"
    r"(?P<kind>[a-z]{1,20})/(?P<id>[0-9A-Za-z]{22})/?(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_URI = re.compile(
    r"spotify:(?:user:[^:\s]{1,100}:)?(?P<kind>[a-z]{1,20}):(?P<id>[0-9A-Za-z]{22})", re.ASCII | re.IGNORECASE
)
_SHORT = re.compile(
    r"(?:https?://)?(?:(?P<host>spotify\.link|spotify\.app\.link)/(?P<code>[0-9A-Za-z_-]{1,64})"
    r"|open\.spotify\.com/(?:intl-[a-z]{2}(?:-[a-z]{2,4})?/)?s/(?P<own>[0-9A-Za-z_-]{1,64}))/?(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_NO_ALBUMS = {
    "playlist",
    "artist",
    "show",
    "episode",
    "prerelease",
    "user",
    "audiobook",
    "concert",
    "chapter",
}
_LINKISH = re.compile(r"://|spotify:|spotify\.(?:com|link|app)", re.IGNORECASE)
# Characters that turn the direction of text: they make one thing look like another.
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read(text: str) -> list[Reference]:
    """Read what somebody pasted: references in order, each once.

    Links, URIs and ids count wherever they stand. Words are searched only where nothing else stands.
    """
    beside: list[str] = []
    found = list(dict.fromkeys(_references(_MARKDOWN.sub(r" \1 ", text), beside)))
    if found:
        words = shown(" ".join(beside)).strip(_OUTER + " ")
        return [*found, Ignored(words)] if any(map(str.isalnum, words)) else found
    words = text.strip()
    if not words:
        return []
    if _LINKISH.search(words) or any(map(is_control, words)):
        return [Unreadable(shown(words))]
    return [SearchText(" ".join(words.split())[:MAX_QUERY])]


def read_link(text: str) -> Reference | None:
    """One link, URI or id, or None. For autocomplete's values and the target of a short link."""
    found = list(_references(text, []))
    return found[0] if len(found) == 1 else None


def _references(text: str, beside: list[str]) -> Iterator[Reference]:
    for piece in text.split():
        if (reference := _one(piece)) is not None:
            yield reference
        # "id,id,id": a comma inside one link's query does not get here, the whole piece was read above
        elif "," in piece and (found := [r for part in piece.split(",") if (r := _one(part)) is not None]):
            yield from found
        else:
            beside.append(piece)


def _one(piece: str) -> Reference | None:
    token = piece.strip(_OUTER)
    if _ID.fullmatch(token):
        return AlbumRef(AlbumId(token))
    if match := _URI.fullmatch(token) or _PAGE.fullmatch(token):
        kind, id_ = match["kind"].lower(), match["id"]
        if "," in token and match.re is _PAGE and _holds_more(token):
            return None
        if kind == "album":
            return AlbumRef(AlbumId(id_))
        if kind == "track":
            return TrackRef(id_)
        return NotAnAlbum(kind if kind in _NO_ALBUMS else "page", shown(token))
    if match := _SHORT.fullmatch(token):
        if "," in token and _holds_more(token):
            return None
        host = (match["host"] or "open.spotify.com").lower()
        return ShortLink(host, f"/{match['code']}" if match["host"] else f"/s/{match['own']}")
    if "," not in token and _LINKISH.search(token):
        return Unreadable(shown(token))
    return None


def _holds_more(token: str) -> bool:
    """Whether the tail behind the first comma is another reference ("link?si=1,link")."""
    return any(_one(part) is not None for part in token.split(",")[1:])


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
    """A title as it is compared: case, accents, width and spacing aside."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())
