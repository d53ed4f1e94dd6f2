"""CSV and JSON files that members get: saved albums, crates, what an import could not do, a club's rounds.

CSV is UTF-8 with a byte order mark, since Excel takes it for the local Windows encoding otherwise (LibreOffice, Google
Sheets, Numbers and our own readers take it either way). Lines end in CRLF as in RFC 4180, every cell is quoted, and a
cell that a spreadsheet program could take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import ClassVar

from msgspec import Struct

from bot.albums import AlbumId, album_url
from bot.files.decoding import CONTROLS
from bot.files.tables import escaped

MARK = "gatefold"
"""The key at the top of our own JSON files; its value says what is in them."""
JOIN = "; "
"""Between several values in one cell: artists and titles hold commas."""

_NO_CONTROLS = dict.fromkeys(map(ord, CONTROLS), " ")  # no text file holds these, so ours has none either

Value = str | int | float | None | Sequence[str]


class SavedAlbum(Struct, frozen=True):
    """An album in a member's library. `artists` empty and `title` "": only the id is known."""

    LIST: ClassVar[str] = "albums"
    COLUMNS: ClassVar[tuple[str, ...]] = ("title", "artists", "year", "url", "uri", "added_at")

    id: AlbumId
    title: str
    artists: tuple[str, ...]
    year: str
    added_at: datetime | None

    def row(self) -> dict[str, Value]:
        """The columns of the file."""
        return {**_album(self.id, self.title, self.artists, self.year), "added_at": _moment(self.added_at)}


class CrateEntry(Struct, frozen=True):
    """An album in a crate: who added it (as they may be named), when and why."""

    LIST: ClassVar[str] = "albums"
    COLUMNS: ClassVar[tuple[str, ...]] = ("title", "artists", "year", "url", "uri", "added_by", "added_at", "note")

    id: AlbumId
    title: str
    artists: tuple[str, ...]
    year: str
    added_by: str
    added_at: datetime
    note: str

    def row(self) -> dict[str, Value]:
        """The columns of the file."""
        return {
            **_album(self.id, self.title, self.artists, self.year),
            "added_by": self.added_by,
            "added_at": _moment(self.added_at),
            "note": self.note,
        }


class ImportFailure(Struct, frozen=True):
    """A row that was not imported: what was typed, why (`code` for programs, `why` for people), and where it is."""

    LIST: ClassVar[str] = "failures"
    COLUMNS: ClassVar[tuple[str, ...]] = ("what", "why", "code", "at")

    what: str
    code: str
    why: str
    at: int

    def row(self) -> dict[str, Value]:
        """The columns of the file."""
        return {"what": self.what, "why": self.why, "code": self.code, "at": self.at}


class ClubRound(Struct, frozen=True):
    """A round of a club. `picked_by`: as they may be named. `scores`: each rating, without names; `mean` their mean."""

    LIST: ClassVar[str] = "rounds"
    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("round", "date", "title", "artists", "year", "url", "uri"),
        *("picked_by", "theme", "votes", "mean", "scores", "reviews"),
    )

    number: int
    on: date
    id: AlbumId
    title: str
    artists: tuple[str, ...]
    year: str
    picked_by: str
    theme: str
    votes: int | None
    mean: float | None
    scores: tuple[str, ...]
    reviews: tuple[str, ...]

    def row(self) -> dict[str, Value]:
        """The columns of the file; `read_club_sheet` knows them."""
        return {
            "round": self.number,
            "date": self.on.isoformat(),
            **_album(self.id, self.title, self.artists, self.year),
            "picked_by": self.picked_by,
            "theme": self.theme,
            "votes": self.votes,
            "mean": self.mean,
            "scores": self.scores,
            "reviews": self.reviews,
        }


class SheetRow(Struct, frozen=True):
    """A row of a club's spreadsheet, as it is read: what it becomes, or why it becomes nothing."""

    LIST: ClassVar[str] = "rows"
    COLUMNS: ClassVar[tuple[str, ...]] = ("line", "date", "album", "picked_by", "scores", "remarks")

    line: int
    on: date | None
    album: str
    picked_by: str
    scores: tuple[str, ...]
    remarks: tuple[str, ...]

    def row(self) -> dict[str, Value]:
        """The columns of the file."""
        return {
            "line": self.line,
            "date": None if self.on is None else self.on.isoformat(),
            "album": self.album,
            "picked_by": self.picked_by,
            "scores": self.scores,
            "remarks": self.remarks,
        }


Row = SavedAlbum | CrateEntry | ImportFailure | ClubRound | SheetRow


def write_csv(kind: type[Row], rows: Iterable[Row]) -> bytes:
    """Rows of one kind as CSV, the column names first, also where there are no rows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(kind.COLUMNS)
    for row in rows:
        values = row.row()
        writer.writerow([escaped(_cell(values[column])) for column in kind.COLUMNS])
    return codecs.BOM_UTF8 + text.getvalue().encode("utf-8", "replace")


def write_json(kind: type[Row], rows: Iterable[Row], about: Mapping[str, Value]) -> bytes:
    """Rows of one kind as JSON, one per line. `about`: what the file says of itself ("exported_at", "crate")."""
    name = kind.LIST
    head = [f"{_json(key)}: {_json(value)}" for key, value in {MARK: name, **about}.items()]
    entries = ",\n".join(_json(row.row()) for row in rows)
    text = "{\n" + ",\n".join([*head, f"{_json(name)}: [\n{entries}\n]"]) + "\n}\n"
    return text.encode("utf-8", "replace")


def _album(id_: AlbumId, title: str, artists: tuple[str, ...], year: str) -> dict[str, Value]:
    return {"title": title, "artists": artists, "year": year, "url": album_url(id_), "uri": f"spotify:album:{id_}"}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = value if isinstance(value, str) else JOIN.join(value)
    return text.translate(_NO_CONTROLS)


def _json(value: object) -> str:
    # DEL is the one control character that JSON may hold as it is
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
