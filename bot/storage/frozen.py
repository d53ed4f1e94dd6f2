"""Frozen structs as JSON in a column. Fields that were added since one was written take their defaults."""

from __future__ import annotations

from typing import TypeVar

import msgspec

_T = TypeVar("_T", bound=msgspec.Struct)


def to_json(value: msgspec.Struct) -> str:
    """A struct as JSON, by the names of its fields."""
    return msgspec.json.encode(value).decode()


def from_json(kind: type[_T], text: str) -> _T:
    """The struct that `to_json` wrote. ValueError: it is none, or a value is of another type than its field."""
    return msgspec.json.decode(text, type=kind)
