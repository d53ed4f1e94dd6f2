"""Excel workbooks as rows of cells, where the extra `excel` is installed."""

from __future__ import annotations

import importlib
import io
from datetime import date, datetime
from typing import Any

from bot.files.problems import (
    MAX_BYTES,
    MAX_COLUMNS,
    MAX_LINES,
    MAX_ROWS,
    BrokenWorkbook,
    ExcelFile,
    FileTooLarge,
    TooManyRows,
)
from bot.files.tables import MAX_ROWS_ABOVE

MAX_UNPACKED = 50 * 1024 * 1024
"""How large a workbook may be when it is unpacked, in bytes."""


def rows_of(data: bytes) -> list[list[str]]:
    """The cells of the first sheet that has any, as text; dates in ISO form.

    Raises:
        ExcelFile: openpyxl is not installed.
        FileTooLarge: packed or unpacked.
        TooManyRows: more than a club's spreadsheet may have.
        BrokenWorkbook: it does not open.
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge(len(data))
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError:
        raise ExcelFile from None
    try:
        import zipfile  # here, because few servers ever import a workbook

        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # What a directory states is also the most that Python unpacks.
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise FileTooLarge(unpacked, MAX_UNPACKED)
        return _rows(openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False))
    except (FileTooLarge, TooManyRows):
        raise
    except Exception:  # a damaged workbook raises whatever the code in question meets: KeyError, ParseError, BadZipFile
        raise BrokenWorkbook from None


def _rows(book: Any) -> list[list[str]]:
    try:
        for sheet in book.worksheets:
            rows: list[list[str]] = []
            filled = 0
            for row in sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True):
                cells = [_text(value) for value in row]
                is_filled = any(cells)
                filled += is_filled
                # Excel keeps rows that are only formatted, so these are many
                if filled > MAX_ROWS + MAX_ROWS_ABOVE or len(rows) >= MAX_LINES:
                    raise TooManyRows
                rows.append(cells if is_filled else [])
            if filled:
                return rows
        return []
    finally:
        book.close()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)
