"""Why a whole file could not be read. Facts only: the message catalogue turns them into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.errors import UserError

MAX_BYTES = 5 * 1024 * 1024
"""The largest file that is read, in bytes."""
MAX_ALBUMS = 10_000
"""The most albums that one file may hold."""
MAX_LINE = 1_000_000
"""The longest line that is read, in characters: room for 10,000 links side by side, but not for a whole file."""
MAX_LINES = 100_000
"""The most lines, or entries of a JSON list, that a file may have: room for the tracks of 10,000 albums."""
MAX_ROWS = 10_000
"""The most rows that a club spreadsheet may have."""
MAX_CELLS = 200_000
"""The most rows times columns that a club spreadsheet may have; wide ones may have fewer rows."""
MAX_COLUMNS = 100
"""The most columns that a club spreadsheet may have."""


class FileProblem(UserError):
    """The file as a whole could not be read; nothing was taken from it."""


class FileTooLarge(FileProblem):
    """The file has more than `limit` bytes."""

    def __init__(self, size: int, limit: int = MAX_BYTES) -> None:
        super().__init__(f"{size} bytes")
        self.size = size
        self.limit = limit


class EmptyFile(FileProblem):
    """The file has no content, or only white space."""


class ZipFile(FileProblem):
    """The file is an archive. `holds_library`: with Spotify's `YourLibrary.json` inside."""

    def __init__(self, *, holds_library: bool = False) -> None:
        super().__init__()
        self.holds_library = holds_library


class ExcelFile(FileProblem):
    """The file is an Excel workbook, which cannot be read here: it has to be saved as CSV first."""


class BrokenWorkbook(FileProblem):
    """The file looks like an Excel workbook and does not open."""


class NotText(FileProblem):
    """The file is no text: a picture, a program, an unknown encoding."""


class LineTooLong(FileProblem):
    """Line `line` (from 1) has more than `limit` characters."""

    def __init__(self, line: int, limit: int = MAX_LINE) -> None:
        super().__init__(f"line {line}")
        self.line = line
        self.limit = limit


class BrokenJson(FileProblem):
    """The file is JSON and breaks off or has a mistake in line `line` (from 1; None: nested too deeply)."""

    def __init__(self, line: int | None) -> None:
        super().__init__(f"line {line}")
        self.line = line


class TooManyAlbums(FileProblem):
    """The file holds more than `limit` different albums."""

    def __init__(self, limit: int = MAX_ALBUMS) -> None:
        super().__init__(f"more than {limit}")
        self.limit = limit


class TooManyRows(FileProblem):
    """The file has more than `limit` rows, lines or entries."""

    def __init__(self, limit: int = MAX_ROWS) -> None:
        super().__init__(f"more than {limit}")
        self.limit = limit


class TooManyColumns(FileProblem):
    """The spreadsheet has more than `limit` columns."""

    def __init__(self, limit: int = MAX_COLUMNS) -> None:
        super().__init__(f"more than {limit}")
        self.limit = limit


class NothingFound(FileProblem):
    """The file was read, and there is no album in it.

    `unread`: how many rows, lines or entries could not be read, by the reason (`library_file.Reason` or
    `club_sheet.WhyNot`). `left_out`: how many things the file has that are not imported ("tracks": 812), by the name
    that it gives them.
    """

    def __init__(self, unread: Mapping[str, int], left_out: Mapping[str, int] = MappingProxyType({})) -> None:
        super().__init__()
        self.unread = unread
        self.left_out = left_out


class NoSuchColumns(FileProblem):
    """The spreadsheet has no column for `missing` ("date", "album"). `headers`: the column names that it has."""

    def __init__(self, missing: tuple[str, ...], headers: tuple[str, ...]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing
        self.headers = headers
