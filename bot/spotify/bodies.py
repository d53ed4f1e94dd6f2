"""The body of an answer: JSON, however oddly it is written, or a page. Pure."""

from __future__ import annotations

import json
from typing import Any

_DIGITS = 30
"""No number of Spotify's is longer. Python refuses to read one of more than 4,300 digits."""


def read_json(body: bytes) -> Any:
    """The value that a body holds, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    A byte, a control character or a number that cannot be read costs only the text or field that it is in, and not
    the whole answer. ValueError, RecursionError: it is no JSON.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    if "\ufffd" in text and text.replace("\ufffd", "").isascii():
        text = body.decode("latin-1")  # nothing beyond ASCII can be read as UTF-8
    return _DECODER.decode(text)


def is_page(body: bytes) -> bool:
    """Whether it is a web page. Spotify's API and its token endpoint have none, so it is a proxy's."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<!--"))


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


_DECODER = json.JSONDecoder(strict=False, parse_int=_integer)
