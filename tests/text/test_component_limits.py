"""Labels, titles and placeholders of components in every language: nothing is longer than Discord takes, so none is cut.

Which sentences are the texts of a component is read from the code: the literals in that argument, in what is assigned
to a variable that it names, and in what a function that it calls returns.
https://discord.com/developers/docs/components/reference
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.text import LANGUAGES, texts

ROOT = Path(__file__).resolve().parents[2]
BUTTON, TITLE, LABEL, DESCRIPTION, PLACEHOLDER, OPTION = 80, 45, 45, 100, 150, 100
# For each function: its text arguments by place and name, and how many characters Discord takes.
TAKEN: dict[str, tuple[tuple[int | None, str, int], ...]] = {
    "button": ((0, "label", BUTTON),),
    "link_button": ((1, "label", BUTTON),),
    "Modal": ((1, "title", TITLE),),
    "text_input": ((1, "label", LABEL), (None, "description", DESCRIPTION)),
    "select_input": ((1, "label", LABEL),),
    "menu": ((1, "placeholder", PLACEHOLDER),),
    "Choice": ((1, "label", OPTION), (2, "description", OPTION), (None, "name", OPTION)),
}
# How long a fact in a text may be; the longest that the code puts there.
WIDTHS = {"title": 60, "count": 5, "number": 5, "typed": 60}


# Variables that hold no text of a component.
NO_TEXTS = frozenset({"t", "words", "self", "caller", "interaction", "stored", "club", "albums", "settings"})


class Sentence(NamedTuple):
    """A sentence of the catalogue; `many`: its plural."""

    context: str | None
    one: str
    many: str | None


class Use(NamedTuple):
    """A text of a component."""

    where: str
    most: int
    sentence: Sentence


def sentences(node: ast.AST) -> Iterator[Sentence]:
    """The literals that are handed to `t`, in this part of the code."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        said = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name in ("t", "msg") and said:
            yield Sentence(None, said[0], None)
        elif name == "context" and len(said) == 2:
            yield Sentence(said[0], said[1], None)
        elif name == "plural" and len(said) == 2:
            yield Sentence(None, said[0], said[1])


class Module:
    """The functions of one module, and what is assigned in each."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(ROOT).as_posix()
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self._sets: dict[ast.AST, list[tuple[ast.AST, ast.AST, bool]]] = {}
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    def uses(self, known: dict[str, ast.FunctionDef]) -> Iterator[Use]:
        """Every text of a component in this module."""
        outer = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for call in [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            for place, keyword, most in TAKEN.get(name, ()):
                given = [one.value for one in call.keywords if one.arg == keyword]
                if place is not None and place < len(call.args):
                    given.append(call.args[place])
                scopes = [node for node in outer if node.lineno <= call.lineno <= (node.end_lineno or 0)]
                for node in given:
                    for sentence in self._said(node, scopes, known):
                        yield Use(f"{self.name}:{call.lineno} {name} {keyword}", most, sentence)

    def _said(self, node: ast.AST, scopes: list[ast.AST], known: dict[str, ast.FunctionDef]) -> Iterator[Sentence]:
        for part in self._parts(node, scopes, NO_TEXTS):
            yield from sentences(part)
            for one in ast.walk(part):
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in known:
                    yield from sentences(known[one.func.id])

    def _parts(self, node: ast.AST, scopes: list[ast.AST], seen: frozenset[str]) -> Iterator[ast.AST]:
        """This part of the code, and what is assigned to the variables in it that hold texts."""
        yield node
        for name in {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - seen:
            for scope in scopes:
                for target, value, is_loop in self._set_in(scope):
                    if not _sets(name, target):
                        continue
                    values = [value]
                    if is_loop:
                        inner = self._parts(value, scopes, seen | {name})
                        values = [row for part in inner for row in _rows(part)]
                    for part in _taken(target, name, values):
                        yield from self._parts(part, scopes, seen | {name})

    def _set_in(self, scope: ast.AST) -> list[tuple[ast.AST, ast.AST, bool]]:
        """What is assigned in a function: to what, which value, and whether it is a loop that goes through the value."""
        if scope not in self._sets:
            found: list[tuple[ast.AST, ast.AST, bool]] = []
            for one in ast.walk(scope):
                if isinstance(one, ast.Assign):
                    found += [(target, one.value, False) for target in one.targets]
                elif isinstance(one, ast.For | ast.comprehension):
                    found.append((one.target, one.iter, True))
            self._sets[scope] = found
        return self._sets[scope]


def _sets(name: str, target: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(target))


def _rows(node: ast.AST) -> list[ast.AST]:
    """What a loop goes through: the elements of a list, or all of it."""
    return [*node.elts] if isinstance(node, ast.List | ast.Tuple) else [node]


def _taken(target: ast.AST, name: str, values: list[ast.AST]) -> list[ast.AST]:
    """The part of these values that a target gives to a variable."""
    if not isinstance(target, ast.Tuple):
        return values
    (place,) = [at for at, one in enumerate(target.elts) if _sets(name, one)]
    size = len(target.elts)
    return [one.elts[place] if isinstance(one, ast.Tuple) and len(one.elts) == size else one for one in values]


def every_use() -> list[Use]:
    modules = [Module(path) for path in sorted((ROOT / "bot" / "chat").rglob("*.py"))]
    known = {name: node for module in modules for name, node in module.functions.items() if name not in TAKEN}
    return [use for module in modules for use in module.uses(known)]


USES = every_use()


def spoken(locale: str, sentence: Sentence) -> Iterator[str]:
    """A sentence in a language, in each of its forms, with the longest facts."""
    t, words = texts(locale), [sentence.one, sentence.many or ""]
    names = {name for word in words for _, name, _, _ in string.Formatter().parse(word) if name and name != "count"}
    facts = {name: "x" * WIDTHS.get(name, 20) for name in names}
    if sentence.many is not None:
        yield from (t.plural(sentence.one, sentence.many, count, **facts) for count in (0, 1, 2, 10_000))
    elif sentence.context is not None:
        yield t.context(sentence.context, sentence.one)
    else:
        yield t(sentence.one, **facts, **({"count": "x" * WIDTHS["count"]} if "{count}" in sentence.one else {}))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_a_component_is_longer_than_discord_takes(language: str) -> None:
    too_long = [
        f"{use.where}: {len(text)} of {use.most}: {text}"
        for use in USES
        for text in spoken(language, use.sentence)
        if len(text) > use.most
    ]
    assert too_long == []


def test_texts_of_components_are_found_in_every_place_where_code_puts_them() -> None:
    found = {use.sentence.one for use in USES}
    assert {
        "Nominations and voting",  # a modal's title, and a menu's option
        "Nominations per member",  # a label of a form
        "Every two weeks",  # an option that a function returns
        "Take out of the order…",  # a placeholder
        "Clear queue",  # a button
        "Newer",  # a button that is made in a loop
        "Do not collect my posts",  # a button whose label is in a tuple of a loop
        "A card with cover and buttons",  # a choice of a command
        "Replace {title}",  # with a fact
    } <= found
    assert len(USES) > 150
