"""Records: structs, and what a struct would take without a word."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
import pytest

import bot
from bot.accounts.browser import Redirect
from bot.chat.components import Form
from bot.curation.club import Club
from bot.curation.ids import ClubId
from bot.private import Private
from bot.settings.sources import Line
from bot.storage.frozen import from_json, to_json
from bot.storage.links import StoredTokens
from tests.storage.clubs import new_club
from tests.storage.rows import ADA


def modules() -> Iterator[ModuleType]:
    """Every module that a bot that runs may load."""
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        if not module.name.startswith(("bot.sandbox", "bot.admin", "bot.__main__")):
            yield importlib.import_module(module.name)


def structs() -> Iterator[type[msgspec.Struct]]:
    """Every struct of ours."""
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct:
                yield value


def test_no_struct_has_a_field_of_a_dataclass() -> None:
    found = list(structs())
    assert Club in found
    assert [kind for kind in found if any(isinstance(d, dataclasses.Field) for d in kind.__struct_defaults__)] == []


def test_what_can_be_a_struct_is_no_dataclass() -> None:
    found = [
        kind
        for module in modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind)
    ]
    assert [kind for kind in found if not _needs_dataclass(kind)] == []


def _needs_dataclass(kind: Any) -> bool:
    """A field that does not count for equality, or is not shown; or instances that are made otherwise."""
    odd = [field for field in dataclasses.fields(kind) if not (field.compare and field.repr)]
    return bool(odd) or not kind.__dataclass_params__.init


def test_a_club_is_read_as_versions_without_structs_wrote_it() -> None:
    club = new_club(ClubId(1), ADA)
    text = to_json(club)
    assert text.count('Z"') > 2
    assert from_json(Club, text.replace('Z"', '+00:00"')) == club  # as datetime.isoformat() has it


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="club_hour_at"):
        from_json(Club, to_json(new_club(ClubId(1), ADA)).replace('"club_hour_at":"', '"club_hour_at":"x'))


_SECRET = ("token", "secret", "cookie", "password", "email", "_url")
_SHOWN = ("cover_url",)


def test_a_struct_with_a_secret_shows_no_field() -> None:
    found = {kind for kind in structs() if any(map(_may_be_secret, kind.__struct_fields__))}
    assert StoredTokens in found
    assert [kind for kind in found if not issubclass(kind, Private)] == []


def _may_be_secret(field: str) -> bool:
    return field.endswith(_SECRET) and not field.endswith(_SHOWN)


@pytest.mark.parametrize(
    "record",
    [
        Line(1, "DISCORD_TOKEN", "not-to-be-shown", "DISCORD_TOKEN=not-to-be-shown"),
        Form({"email": ("not-to-be-shown",)}),
        Redirect("https://example.org/?state=not-to-be-shown", "not-to-be-shown"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_what_only_one_may_see_is_in_no_repr(record: msgspec.Struct) -> None:
    assert "not-to-be-shown" not in f"{record!r} {record} {[record]}"
