"""Frozen dataclasses as JSON in a column: written by their fields, read back by their types."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_Read = Callable[[Any], Any]


def to_json(value: object) -> str:
    """A frozen dataclass as JSON. TypeError: a field of a type that is not one of these."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def from_json(kind: type[_T], text: str) -> _T:
    """The dataclass that `to_json` wrote. Fields that were added since then take their defaults."""
    value: _T = _reader(kind)(json.loads(text))  # type: ignore[arg-type]
    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"not a field of a stored dataclass: {type(value).__name__}")


@cache
def _reader(kind: Any) -> _Read:
    kind = getattr(kind, "__supertype__", kind)
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (part for part in get_args(kind) if part is not NoneType)
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if get_origin(kind) is tuple:
        each = _reader(get_args(kind)[0])
        return lambda value: tuple(each(part) for part in value)
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, datetime | date | time):
        return kind.fromisoformat
    if isinstance(kind, type) and issubclass(kind, Enum | str | int | float):
        return kind
    raise TypeError(f"not a field of a stored dataclass: {kind}")


def _dataclass_reader(kind: Any) -> _Read:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    names = [field.name for field in fields(kind)]
    return lambda value: kind(**{name: readers[name](value[name]) for name in names if name in value})
