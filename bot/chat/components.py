"""Custom ids: what a button, a select menu or a modal carries, and who serves it.

A custom id is `verb:field:field` and holds all that its handler needs, so that nothing is kept in memory and old
messages keep working after a restart. Anybody can see and replay it: handlers check on our side who acts.
https://discord.com/developers/docs/components/reference#anatomy-of-a-component-custom-id
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.private import Private

MAX_LENGTH = 100
"""Discord's limit for a custom id, and for a value of a select menu, in characters."""

VALUES_MOST = 25
"""Discord's limit for what is chosen from a select menu."""

Field = str | int
FieldType = Any
"""AlbumId, int or a NewType of it (a Discord id, a row's id), a StrEnum, or str for a short word of [0-9A-Za-z_-]."""

_CUSTOM_ID = re.compile(r"[a-z][a-z-]{0,23}(?::[^:]{1,40})*", re.ASCII)
_ALBUM = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True, init=False)
class CustomId:
    """`CustomId("save", album_id)` is `save:<album id>` on the wire. ValueError: Discord or we could not read it."""

    text: str

    def __init__(self, verb: str, *fields: Field) -> None:
        """A verb that a feature declares, and the fields that the verb takes."""
        text = ":".join((verb, *map(str, fields)))
        if text.count(":") != len(fields) or not _is_custom_id(text):
            raise ValueError(f"not a custom id: {verb!r} with {fields!r}, {len(text)} characters")
        object.__setattr__(self, "text", text)

    @property
    def verb(self) -> str:
        """Which feature serves it."""
        return self.text.partition(":")[0]

    @property
    def fields(self) -> list[str]:
        """What its handler needs."""
        return self.text.split(":")[1:]

    def __str__(self) -> str:
        return self.text

    @classmethod
    def read(cls, text: object) -> CustomId | None:
        """What Discord sent back; None when it was never one of ours."""
        if not isinstance(text, str) or not _is_custom_id(text):
            return None
        read = object.__new__(cls)
        object.__setattr__(read, "text", text)
        return read


def _is_custom_id(text: str) -> bool:
    return len(text) <= MAX_LENGTH and _CUSTOM_ID.fullmatch(text) is not None


def read_field(text: str, kind: FieldType) -> Field | None:
    """One field of a custom id, or one value of a select menu, as `kind`; None when it is not one."""
    if kind is AlbumId:
        return text if _ALBUM.fullmatch(text) else None
    kind = getattr(kind, "__supertype__", kind)
    if kind is int:
        return int(text) if _NUMBER.fullmatch(text) and int(text) < 2**63 else None
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(text) if text in {str(member) for member in kind} else None
    return text if _WORD.fullmatch(text) else None


class Audience(Enum):
    """Who may use a component."""

    ANYONE = "anyone"  # each person acts for themselves
    OWNER = "owner"  # the member whose id is the first field


class Source(Enum):
    """What carries the custom id."""

    BUTTON = "button"
    MENU = "menu"
    MODAL = "modal"


class Form(Private, frozen=True):
    """What a member filled into a modal: by the name of each field, the texts or the choices."""

    values: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """A text field's text, or the only choice; empty where nothing was filled in."""
        return next(iter(self.values.get(name, ())), "")

    def choices(self, name: str) -> tuple[str, ...]:
        """The choices of a select menu."""
        return self.values.get(name, ())


Handler = Callable[..., Coroutine[Any, Any, None]]
"""`handler(interaction, caller, *fields)`; a menu's takes a tuple of its values after them, a modal's a Form."""


@dataclass(frozen=True, slots=True)
class Component:
    """One kind of button, select menu or modal: its verb, the types of its fields, and who serves it.

    `values`: the type of a select menu's values, of which `least` must be chosen. `inputs`: the names of a modal's
    fields.
    """

    verb: str
    fields: Sequence[FieldType]
    handler: Handler = field(repr=False)
    audience: Audience = Audience.ANYONE
    values: FieldType | None = None
    least: int = 1
    inputs: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.audience is Audience.OWNER and (not self.fields or self.fields[0] is not MemberId):
            raise ValueError(f"{self.verb}: the first field of an owner's component is the owner")

    @property
    def source(self) -> Source:
        """What carries it."""
        if self.inputs is not None:
            return Source.MODAL
        return Source.BUTTON if self.values is None else Source.MENU

    def read(self, custom_id: CustomId, data: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The handler's arguments from a custom id and the interaction's `data`; None when they do not fit."""
        texts = custom_id.fields
        if custom_id.verb != self.verb or len(texts) != len(self.fields):
            return None
        read: list[Any] = [*map(read_field, texts, self.fields)]
        if self.source is Source.MENU:
            chosen = data.get("values")
            if not isinstance(chosen, list) or not self.least <= len(chosen) <= VALUES_MOST:
                return None
            if not all(isinstance(value, str) for value in chosen):
                return None
            values = tuple(read_field(value, self.values) for value in chosen)
            read.append(None if None in values else values)
        elif self.inputs is not None:
            read.append(Form({name: value for name, value in _inputs(data).items() if name in self.inputs}))
        return None if None in read else tuple(read)


def source_of(data: Mapping[str, Any], *, is_modal: bool) -> Source:
    """What an interaction's `data` came from."""
    if is_modal:
        return Source.MODAL
    return Source.BUTTON if data.get("component_type") == 2 else Source.MENU


def _inputs(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The fields of a submitted modal, by name. They are nested in labels, or in rows as older clients send them."""
    found: dict[str, tuple[str, ...]] = {}
    pending: list[Any] = [data]
    while pending:
        part = pending.pop()
        if not isinstance(part, Mapping):
            continue
        name, value, values = part.get("custom_id"), part.get("value"), part.get("values")
        if isinstance(name, str) and isinstance(value, str):
            found[name] = (value,)
        elif isinstance(name, str) and isinstance(values, list):
            found[name] = tuple(choice for choice in values if isinstance(choice, str))
        children = part.get("components")
        pending += [part.get("component"), *(children if isinstance(children, list) else ())]
    return found
