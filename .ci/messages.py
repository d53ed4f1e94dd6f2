"""`make messages`: bring the message catalogue up to date with the code, and say what is not translated.

It collects the sentences of `bot/` into `bot/text/gatefold.pot`, updates each language's `.po` file, and reports.
With --check nothing is written: exit status 1 when a translation does not fit its sentence, and, once STRICT is on,
when the files are outdated or a translation is missing.
"""

from __future__ import annotations

import ast
import string
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from bot.text.catalogue import COMMAND_NAME
from bot.text.languages import LANGUAGES

# Missing translations and outdated files fail, too.
STRICT = True

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "bot/text"
TEMPLATE = "gatefold.pot"
KEYWORDS = {"t": None, "msg": None, "plural": (1, 2), "context": ((1, "c"), 2)}
# A sentence that is marked with one of these is a literal; another expression would never be translated.
MARKS = {"t", "_t", "msg", "command_name"}
METHODS = {"plural": 2, "context": 2}
HEADER = "# What people read in Gatefold, in {name}. `make messages` keeps this file; see docs/translating.md."


# -- collecting


def collect(root: Path) -> Catalog:
    """Every sentence in the code and the templates."""
    catalog = Catalog(fuzzy=False)
    catalog.header_comment = HEADER.format(name="English: the template for the translations")
    for path in sorted([*(root / "bot").rglob("*.py"), *(root / "bot").rglob("templates/*.html")]):
        name = path.relative_to(root).as_posix()
        if name.startswith("bot/sandbox/"):
            continue  # what is drawn there comes from the bot; the frame around it is for developers
        for context, messages, comments in _sentences(path):
            catalog.add(messages, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalog


def _sentences(path: Path) -> Iterator[tuple[str | None, str | tuple[str, ...], list[str]]]:
    # Babel's own extraction knows comments for translators. Before Python 3.12 it cannot see calls inside f-strings.
    methods = ("python", _of_code) if path.suffix == ".py" else (_of_template,)
    with path.open("rb") as file:
        for method in methods:
            file.seek(0)
            for _, messages, comments, context in extract(
                method, file, KEYWORDS, ("Translators:",), strip_comment_tags=True
            ):
                yield context, messages, comments
            file.seek(0)
            for _, messages, comments, _ in extract(method, file, {"command_name": None}, ("Translators:",)):
                yield COMMAND_NAME, messages, comments


def _of_code(
    file: BinaryIO, keywords: dict[str, object], comment_tags: object, options: object
) -> Iterator[tuple[int, str, object, list[str]]]:
    """Calls in Python code, also those inside f-strings."""
    for call in ast.walk(ast.parse(file.read())):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
        if name in keywords:
            found = [
                argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None
                for argument in call.args
            ]
            yield call.lineno, name, found if len(found) > 1 else (found or [None])[0], []


def _of_template(
    file: BinaryIO, keywords: dict[str, object], comment_tags: object, options: object
) -> Iterator[tuple[int, str, object, list[str]]]:
    """Calls in a Jinja template. Jinja's own extraction knows `t(...)`, and no methods such as `t.plural(...)`."""
    for call in Environment(autoescape=True).parse(file.read().decode()).find_all(nodes.Call):
        name = getattr(call.node, "attr", None) or getattr(call.node, "name", None)
        if name in keywords:
            found = [argument.value if isinstance(argument, nodes.Const) else None for argument in call.args]
            yield call.lineno, name, found if len(found) > 1 else (found or [None])[0], []


def unmarked(root: Path) -> list[str]:
    """Sentences that are put together from pieces (f-strings, `+`, `%`) where a literal is needed."""
    flaws = []
    for path in sorted((root / "bot").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            count = 1 if name in MARKS else METHODS.get(name, 0)
            if any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in node.args[:count]):
                flaws.append(f"{path.relative_to(root)}:{node.lineno}: the sentence is not a literal")
    return flaws


# -- files


def updated(template: Catalog, old: str | None, language: str) -> Catalog:
    """The catalogue of a language with today's sentences. A sentence that changed keeps its translation, marked fuzzy."""
    catalog = Catalog(locale=language) if old is None else read_po(BytesIO(old.encode()), locale=language)
    catalog.update(template)
    catalog.fuzzy = False
    catalog.header_comment = HEADER.format(name=catalog.locale.english_name)
    return catalog


def written(catalog: Catalog) -> str:
    """A catalogue as the text of its file: sorted and without dates, so that two branches rarely touch the same line."""
    file = BytesIO()
    write_po(file, catalog, width=120, sort_output=True, include_lineno=False, ignore_obsolete=True)
    lines = file.getvalue().decode().splitlines(keepends=True)
    unwanted = (
        '"Project-Id',
        '"POT-Creation-Date',
        '"PO-Revision-Date',
        '"Last-Translator',
        '"Language-Team',
        '"Report-Msgid',
        '"Generated',
    )
    return "".join(line for line in lines if not line.startswith(unwanted))


# -- checking


def flaws(catalog: Catalog) -> list[str]:
    """Translations that do not fit their sentence: other placeholders, or other markup."""
    used = (message for message in catalog if message.id and not message.fuzzy)
    return [f"{sentence(message)}: {flaw}" for message in used for flaw in _flaws(message)]


def _flaws(message: Message) -> Iterator[str]:
    sources = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    translations = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    known = set().union(*map(placeholders, sources))
    for place, translation in enumerate(translations):
        if not translation:
            continue
        try:
            found = placeholders(translation)
        except ValueError as error:
            yield f"“{translation}” cannot be read: {error}"
            continue
        # One form may say "an album" in place of {count}; the last form counts.
        needed = placeholders(sources[-1])
        if place < len(translations) - 1:
            needed = (needed & placeholders(sources[0])) - {"count"}
        if found - known:
            yield f"“{translation}” has an unknown placeholder: {', '.join(sorted(found - known))}"
        if needed - found:
            yield f"“{translation}” lacks a placeholder: {', '.join(sorted(needed - found))}"
        for mark in ("**", "`", "](", "\n", "<"):
            if translation.count(mark) != sources[-1].count(mark):
                yield f"“{translation}” has another number of {mark!r} than the sentence"


def placeholders(text: str) -> set[str]:
    """The names in braces. ValueError where a brace is not closed."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def missing(catalog: Catalog) -> list[str]:
    """Sentences without a translation, or with one that is marked fuzzy."""
    return [sentence(message) for message in catalog if message.id and (message.fuzzy or not _is_whole(message))]


def _is_whole(message: Message) -> bool:
    return bool(message.string) if isinstance(message.string, str) else bool(message.string) and all(message.string)


def sentence(message: Message) -> str:
    """A message as it is named in reports."""
    text = message.id if isinstance(message.id, str) else message.id[-1]
    return f"({message.context}) {text}" if message.context else text


def main(arguments: list[str], root: Path = ROOT, *, strict: bool = STRICT) -> int:
    """Returns the exit status."""
    check, every = "--check" in arguments, "--all" in arguments
    if set(arguments) - {"--check", "--all"}:
        print(__doc__, file=sys.stderr)
        return 2
    folder = root / FOLDER
    template = collect(root)
    wrong, late = unmarked(root), []
    files = {TEMPLATE: written(template)}
    for language in LANGUAGES[1:]:  # the first is English
        path = folder / f"{language}.po"
        catalog = updated(template, path.read_text(encoding="utf-8") if path.exists() else None, language)
        files[path.name] = written(catalog)
        wrong += [f"{language}: {flaw}" for flaw in flaws(catalog)]
        absent = missing(catalog)
        print(f"{language}: {len(template) - len(absent)} of {len(template)} sentences are translated")
        for line in absent if every else absent[:3]:
            print(f"    missing: {line}")
        if len(absent) > 3 and not every:
            print(f"    and {len(absent) - 3} more (--all lists them)")
        late += [f"{language}: {len(absent)} translations are missing"] if absent else []
    for name, text in files.items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            late.append(f"{FOLDER}/{name} is outdated: run `make messages`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {FOLDER}/{name}")
    for line in [*wrong, *late]:
        print(line, file=sys.stderr)
    return 1 if wrong or (check and strict and late) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
