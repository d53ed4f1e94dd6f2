"""What is found in a member's file of albums, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from bot.albums import (
    MAX_QUERY,
    AlbumRef,
    NotAnAlbum,
    Reference,
    SearchText,
    ShortLink,
    TrackRef,
    Unreadable,
    album_url,
    fold,
    is_control,
)
from bot.files.problems import MAX_ALBUMS, NothingFound, TooManyAlbums

MAX_UNREAD = 1_000
"""How many unread rows are kept with what was in them. The rest are counted."""


class Format(StrEnum):
    """What kind of file it was."""

    EXPORT = "export"  # our own, CSV or JSON
    ACCOUNT_DATA = "account_data"  # Spotify's YourLibrary.json
    TABLE = "table"  # CSV of another program
    JSON = "json"  # JSON of another program
    TEXT = "text"


class Unit(StrEnum):
    """What `at` counts."""

    LINE = "line"
    ENTRY = "entry"  # of the list in a JSON file


class Reason(StrEnum):
    """Why a row, a line or an entry is not read as an album."""

    NOT_AN_ALBUM = "not_an_album"  # another Spotify page; `kind` says which
    UNREADABLE_LINK = "unreadable_link"  # a link, but to nothing that can be saved
    NO_ARTIST = "no_artist"  # a title alone, which is not enough to search for
    NO_ALBUM = "no_album"  # neither a link nor a title
    OPEN_QUOTE = "open_quote"  # a quotation mark that is never closed


class FoundAlbum(Struct, frozen=True):
    """An album that the file names. `typed`: how the file names it; `at`: where first, in the file's unit, from 1."""

    reference: AlbumRef | TrackRef | ShortLink | SearchText
    typed: str
    at: int


class UnreadRow(Struct, frozen=True):
    """A row, line or entry that is not read as an album. `text`: what is in it, cleaned and shortened."""

    at: int
    text: str
    reason: Reason
    kind: str = ""


class LibraryFile(Struct, frozen=True):
    """What a file holds.

    `found`: each album once, in the file's order. `repeated`: how many rows named an album that was there already.
    `unread`: the first 1,000 rows that name no album; `unread_count`: how many there are. `left_out`: how many things
    the file has that are not imported, by the file's own word ("tracks": 812).
    """

    format: Format
    unit: Unit
    found: tuple[FoundAlbum, ...]
    repeated: int
    unread: tuple[UnreadRow, ...]
    unread_count: int
    left_out: Mapping[str, int]


class Collected(Struct):
    """What has been found so far: each album once, unread rows with what was in them."""

    found: dict[object, FoundAlbum] = field(default_factory=dict)
    repeated: int = 0
    unread: list[UnreadRow] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, reference: Reference, typed: str, at: int, key: object = None) -> None:
        """Take one reference. `key`: what makes it the same album as another row's; the reference itself by default.

        Raises:
            TooManyAlbums: there are 10,000 already.
        """
        if isinstance(reference, (AlbumRef, TrackRef, ShortLink, SearchText)):
            if key is None:
                key = fold(reference.text) if isinstance(reference, SearchText) else reference
            if key in self.found:
                self.repeated += 1
            elif len(self.found) >= MAX_ALBUMS:
                raise TooManyAlbums
            else:
                self.found[key] = FoundAlbum(reference, clean(typed), at)
        elif isinstance(reference, NotAnAlbum):
            self.add_unread(at, typed, Reason.NOT_AN_ALBUM, reference.kind)
        elif isinstance(reference, Unreadable):
            self.add_unread(at, typed, Reason.UNREADABLE_LINK)

    def add_unread(self, at: int, text: str, reason: Reason, kind: str = "") -> None:
        """Note a row that names no album."""
        self.reasons[reason] += 1
        if len(self.unread) < MAX_UNREAD:
            self.unread.append(UnreadRow(at, clean(text), reason, kind))

    def leave_out(self, what: str, count: int = 1) -> None:
        """Note things of a kind that is not imported."""
        if count:
            self.left_out[what] = self.left_out.get(what, 0) + count

    def result(self, format_: Format, unit: Unit) -> LibraryFile:
        """The finished reading.

        Raises:
            NothingFound: no row names an album.
        """
        if not self.found:
            raise NothingFound(self.reasons, self.left_out)
        return LibraryFile(
            format_,
            unit,
            tuple(self.found.values()),
            self.repeated,
            tuple(self.unread),
            self.reasons.total(),
            self.left_out,
        )


def clean(text: str) -> str:
    """Text from a file, made fit to show and to store: one line, no control characters, at most 250 characters."""
    short = text[: 2 * MAX_QUERY]
    if not short.isprintable():  # asks each character only where there is a reason to
        short = "".join(" " if is_control(c) else c for c in short)
    return " ".join(short.split())[:MAX_QUERY].rstrip()


def named(reference: Reference) -> str:
    """A reference as text: a link that can be opened where there is one."""
    match reference:
        case AlbumRef(id_):
            return album_url(id_)
        case TrackRef(id_):
            return f"https://open.spotify.com/track/{id_}"
        case ShortLink(host, path):
            return f"https://{host}{path}"
        case SearchText(text):
            return text
        case _:
            return reference.shown
