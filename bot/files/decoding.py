"""From a file's bytes to its text and lines, whatever program wrote it."""

from __future__ import annotations

import codecs
import io

from bot.files.problems import (
    MAX_BYTES,
    MAX_LINE,
    MAX_LINES,
    EmptyFile,
    ExcelFile,
    FileTooLarge,
    LineTooLong,
    NotText,
    TooManyRows,
    ZipFile,
)

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_MARKED_UP = (b"{\\rtf", b"%PDF", b"%!PS")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_UTF8_START = bytes(range(0xC2))
# No text holds these: what is left of C0 without tab, line ends and page breaks, and DEL.
CONTROLS = "".join(map(chr, (*range(9), *range(14, 28), 127)))


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are an Excel workbook of the current format (.xlsx)."""
    # Names in a zip's directory are not compressed.
    return data.startswith(_ZIP) and b"xl/workbook" in data


def text_of(data: bytes) -> str:
    """Decode a file: UTF-8 or UTF-16 by their marks, else UTF-16 by its NULs, else UTF-8, else Windows-1252 or Latin-1.

    Raises:
        FileTooLarge, EmptyFile, ZipFile, ExcelFile, NotText: what the file is instead.
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge(len(data))
    if is_workbook(data) or data.startswith(_OLD_EXCEL):
        raise ExcelFile
    if data.startswith(_ZIP):
        raise ZipFile(holds_library=b"YourLibrary.json" in data)
    if data.startswith(_ARCHIVES):
        raise ZipFile
    if data.startswith(_MARKED_UP):
        raise NotText
    text, is_sure = _decoded(data)
    controls = sum(map(text.count, CONTROLS))
    # One stray control character in a text is dirt. In a guessed encoding it means that the guess is wrong.
    if "\0" in text or controls > (len(text) // 200 if is_sure else 0):
        raise NotText
    if not text or text.isspace():
        raise EmptyFile
    return text


def _decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether its encoding is known rather than guessed."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), True
    if (unmarked := _unmarked_utf_16(data)) is not None:
        return data.decode(unmarked, "replace"), True
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        pass
    lenient = data.decode("utf-8-sig", "replace")
    damaged = lenient.count("\ufffd")
    intact = len(data.translate(None, _NO_UTF8_START)) - damaged
    if intact > damaged:  # UTF-8 that was cut or damaged somewhere; other encodings are no UTF-8 nearly everywhere
        return lenient, True
    try:
        return data.decode("cp1252"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def _unmarked_utf_16(data: bytes) -> str | None:
    """The byte order of UTF-16 without its mark: most characters of such a list are Latin, with a NUL on one side."""
    head = data[:4096]
    first, second, most = head[::2].count(0), head[1::2].count(0), len(head) // 4
    if second > most and not first:
        return "utf-16-le"
    return "utf-16-be" if first > most and not second else None


def lines_of(text: str) -> list[str]:
    """The lines with their ends, as an editor counts them (LF, CRLF or CR).

    Raises:
        LineTooLong: one of them is longer than any list of links.
        TooManyRows: there are more than any list of albums has.
    """
    lines: list[str] = []
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > MAX_LINE:
            raise LineTooLong(number)
        if number > MAX_LINES:
            raise TooManyRows(MAX_LINES)
        lines.append(line)
    return lines
