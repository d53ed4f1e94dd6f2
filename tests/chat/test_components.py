"""Custom ids: each is read by exactly one feature, within Discord's limit, and nothing else is read at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.chat.components import MAX_LENGTH, Audience, Component, CustomId, Form, Source, read_field
from bot.chat.features import Feature, Router
from bot.chat.first_answers import FirstAnswers
from bot.chat.reply import Interaction, Reply
from bot.chat.words import AllWords
from tests.chat.features import every_feature

CHAT = Path(__file__).resolve().parents[2] / "bot" / "chat"
ALBUM = AlbumId("4aawyAB9vmqN3uQ7FjRGTy")
BUTTON, MENU = {"component_type": 2}, {"component_type": 3}


class Answer(StrEnum):
    YES = "yes"
    NO = "no"


async def handler(interaction: Interaction, caller: Caller, *fields: object) -> None:
    """Serves what these tests declare."""


def built() -> Iterator[tuple[ModuleType, ast.Call]]:
    """Every place in the chat that builds a custom id, and its module."""
    for path in sorted(CHAT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "CustomId":
                name = ".".join(path.relative_to(CHAT.parents[1]).with_suffix("").parts)
                yield import_module(name.removesuffix(".__init__")), node


def longest(kind: Any) -> str:
    """The longest text of a field of this type."""
    if kind is AlbumId:
        return ALBUM
    kind = getattr(kind, "__supertype__", kind)
    if kind is int:
        return str(2**63 - 1)
    if issubclass(kind, StrEnum):
        return max(kind, key=len)
    return "x" * 40


def verbs_of(argument: ast.expr, module: ModuleType) -> list[str]:
    """The verbs that an argument can be: a literal or a constant of the module, or a choice between those."""
    if isinstance(argument, ast.IfExp):
        return [*verbs_of(argument.body, module), *verbs_of(argument.orelse, module)]
    if isinstance(argument, ast.Name) and argument.id.isupper():
        return [getattr(module, argument.id)]
    assert isinstance(argument, ast.Constant), f"{module.__name__}, line {argument.lineno}: which verb?"
    return [argument.value]


COMPONENTS = [component for feature in every_feature() for component in feature.components]


def test_every_custom_id_that_the_code_builds_is_read_by_exactly_one_feature() -> None:
    found = [*built()]
    assert len(found) >= 5
    for module, call in found:
        for verb in verbs_of(call.args[0], module):
            where = f"{module.__name__}, line {call.lineno}: {verb}"
            served = [component for component in COMPONENTS if component.verb == verb]
            assert len(served) == 1, where
            if not any(isinstance(argument, ast.Starred) for argument in call.args):
                assert len(call.args) - 1 == len(served[0].fields), where


def test_no_component_has_a_custom_id_that_was_not_built() -> None:
    inputs = {name for component in COMPONENTS for name in component.inputs or ()}
    for path in sorted(CHAT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "custom_id":
                text = ast.unparse(node.value)
                is_of_modal = (path.name == "modals.py" and text == "name") or text.strip("'") in inputs
                assert text == "str(custom_id)" or is_of_modal, f"{path.name}, line {node.value.lineno}"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.verb)
def test_the_longest_custom_id_of_each_component_fits_and_is_read_by_it_alone(component: Component) -> None:
    custom_id = CustomId(component.verb, *map(longest, component.fields))
    assert len(str(custom_id)) <= MAX_LENGTH
    read_back = CustomId.read(str(custom_id))
    assert read_back == custom_id
    data = {"values": [longest(component.values)] if component.values else [], "components": []}
    assert [other for other in COMPONENTS if other.read(read_back, data) is not None] == [component]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [("", ()), ("Save", ()), ("save", ("",)), ("save", ("a:b",)), ("save", ("x" * 41,)), ("save", ("x" * 40,) * 3)],
)
def test_what_could_not_be_read_back_is_never_built(verb: str, fields: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        CustomId(verb, *fields)


@given(st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_whatever_comes_back_is_one_of_ours_or_nothing(text: object) -> None:
    custom_id = CustomId.read(text)
    assert custom_id is None or str(custom_id) == text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (ALBUM, AlbumId, ALBUM),
        (ALBUM[:-1], AlbumId, None),
        ("7", MemberId, 7),
        (str(2**63), MemberId, None),
        ("-1", RequestId, None),
        ("٣", RequestId, None),
        ("yes", Answer, Answer.YES),
        ("maybe", Answer, None),
        ("k7-Q_", str, "k7-Q_"),
        ("a b", str, None),
    ],
)
def test_a_field_is_read_as_its_type_or_not_at_all(text: str, kind: Any, value: object) -> None:
    assert read_field(text, kind) == value


def test_values_of_a_menu_are_read_as_their_type_and_one_that_is_not_spoils_all() -> None:
    menu = Component("pick", (RequestId,), handler, values=AlbumId)
    custom_id = CustomId("pick", 7)
    assert menu.source is Source.MENU
    assert menu.read(custom_id, {"values": [ALBUM, ALBUM]}) == (7, (ALBUM, ALBUM))
    assert menu.read(custom_id, {"values": [ALBUM, "x"]}) is None
    assert menu.read(custom_id, {"values": "x"}) is None
    assert menu.read(custom_id, {"values": [None]}) is None
    assert menu.read(custom_id, {}) is None


@pytest.mark.parametrize("outer", [1, 18], ids=["rows", "labels"])
def test_the_fields_of_a_modal_are_read_by_name_and_unknown_ones_are_left_out(outer: int) -> None:
    modal = Component("rename", (MemberId,), handler, inputs=("title", "days"))
    parts = [
        {"type": 4, "custom_id": "title", "value": "Slow Harbour"},
        {"type": 3, "custom_id": "days", "values": ["mon", "tue"]},
        {"type": 4, "custom_id": "forged", "value": "x"},
    ]
    nested = [
        {"type": outer, "components": [part]} if outer == 1 else {"type": outer, "component": part} for part in parts
    ]
    arguments = modal.read(CustomId("rename", 7), {"custom_id": "rename:7", "components": nested})
    assert arguments == (7, Form({"title": ("Slow Harbour",), "days": ("mon", "tue")}))
    form = arguments[1]
    assert (form.text("title"), form.text("missing"), form.choices("days")) == ("Slow Harbour", "", ("mon", "tue"))


def test_a_custom_id_of_a_button_is_not_served_as_a_modal_or_a_menu() -> None:
    router = Router([Feature("one", components=(Component("save", (AlbumId,), handler),))], _reply())
    data = {"custom_id": f"save:{ALBUM}"}
    assert router.find(data | BUTTON, is_modal=False) is not None
    assert router.find(data | MENU | {"values": []}, is_modal=False) is None
    assert router.find(data | {"components": []}, is_modal=True) is None


def test_two_features_cannot_serve_the_same_verb() -> None:
    twice = [Feature(name, components=(Component("save", (AlbumId,), handler),)) for name in ("one", "other")]
    with pytest.raises(ValueError, match="other: somebody else serves 'save'"):
        Router(twice, _reply())


def test_the_owner_of_a_component_is_its_first_field() -> None:
    with pytest.raises(ValueError, match="the owner"):
        Component("drop", (AlbumId,), handler, Audience.OWNER)


def _reply() -> Reply:
    async def send(*_: object) -> None:
        """Nothing is answered here."""

    return Reply(AllWords(""), lambda command, outcome, first_s: None, FirstAnswers(send))
