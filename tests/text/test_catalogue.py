"""Languages, plurals and formats, and what `make messages` finds."""

from __future__ import annotations

import gettext
import importlib.util
from datetime import date
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.text import LANGUAGES, edition, from_accept_language, texts
from bot.text.languages import PSEUDO
from bot.text.po import PoTranslations
from bot.text.pseudo import pseudo

ROOT = Path(__file__).resolve().parents[2]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages_tool", ROOT / ".ci" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


messages = _tool()


# -- locales


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("fr", "fr"),
        ("es-ES", "es"),
        ("es-419", "es"),
        ("pt-BR", "pt_BR"),
        ("ja", "ja"),
        ("en-GB", "en"),
        ("en-US", "en"),
        ("ko", "en"),
        ("../../etc", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_each_locale_of_discord_has_one_of_our_languages(locale: str | None, language: str) -> None:
    assert texts(locale).language == language


def test_a_language_is_read_once() -> None:
    assert texts("es-ES") is texts("es")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-CH, en;q=0.5", "de"),
        ("ko, ja;q=0.4, fr;q=0.8", "fr"),
        ("en;q=0.3, pt-PT;q=0.9", "pt_BR"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("de;q=x, fr;q=0.1", "fr"),
        ("de;q=99, fr", "fr"),
        ("de;q=nan, fr;q=0.1", "fr"),
        (PSEUDO, "en"),
        ("", "en"),
        (None, "en"),
        ("," * 100_000 + "de", "en"),
    ],
)
def test_a_browser_gets_the_language_it_likes_best(header: str | None, language: str) -> None:
    assert texts(from_accept_language(header)).language == language


# -- formats


@pytest.mark.parametrize(
    ("locale", "number", "day", "several"),
    [
        ("en-US", "1,234,567", "November 27, 2026", "a, b, and c"),
        ("en-GB", "1,234,567", "27 November 2026", "a, b and c"),
        ("de", "1.234.567", "27. November 2026", "a, b und c"),
        ("fr", "1\u202f234\u202f567", "27 novembre 2026", "a, b et c"),
        ("es-ES", "1.234.567", "27 de noviembre de 2026", "a, b y c"),
        ("es-419", "1,234,567", "27 de noviembre de 2026", "a, b y c"),
        ("pt-BR", "1.234.567", "27 de novembro de 2026", "a, b e c"),
        ("ja", "1,234,567", "2026年11月27日", "a、b、c"),
    ],
)
def test_numbers_dates_and_lists_follow_the_locale(locale: str, number: str, day: str, several: str) -> None:
    t = texts(locale)
    assert t.number(1_234_567) == number
    assert t.date(date(2026, 11, 27)) == day
    assert t.list(["a", "b", "c"]) == several


@pytest.mark.parametrize(
    ("locale", "several"),
    [("en-US", "a, b and 1 more"), ("de", "a, b und noch 1"), ("fr", "a, b et 1 autre"), ("ja", "a、b、ほか1件")],
)
def test_a_list_with_a_limit_says_how_many_more_there_are(locale: str, several: str) -> None:
    t = texts(locale)
    assert t.list(["a", "b", "c"], 2) == several
    assert t.list(["a", "b", "c"], 3) == t.list(["a", "b", "c"])


def test_a_count_has_the_form_and_the_separators_of_its_language() -> None:
    t = texts("en-US")
    assert t.plural("Saved {count} album.", "Saved {count} albums.", 1) == "Saved 1 album."
    assert t.plural("Saved {count} album.", "Saved {count} albums.", 1200) == "Saved 1,200 albums."


def test_a_fact_with_braces_is_shown_as_it_is() -> None:
    assert texts("en")("Saved {title}.", title="{0.__class__}") == "Saved {0.__class__}."


# -- the made-up language


def test_the_made_up_language_is_longer_and_keeps_placeholders_and_links() -> None:
    sentence = "Saved {title}. [Read more]({url}) about `/save` at <t:{at}:R>."
    made_up = pseudo(sentence)
    assert len(made_up) >= 1.4 * len(sentence)
    assert messages.placeholders(made_up) == {"title", "url", "at"}
    assert "]({url})" in made_up
    assert texts(PSEUDO)("Saved {title}.", title="Abc").startswith("⟦Såvéd Abc.")


# -- `make messages`


def project(folder: Path, code: str, template: str = "") -> Path:
    """A repository with this module and this page."""
    (folder / "bot" / "web" / "templates").mkdir(parents=True)
    (folder / "bot" / "text").mkdir()
    (folder / "bot" / "module.py").write_text(code, encoding="utf-8")
    (folder / "bot" / "web" / "templates" / "page.html").write_text(template, encoding="utf-8")
    return folder


CODE = """
t("A sentence " "in two literals.")
words.t("Queued until {when}.", when=when)
t.plural("{count} album", "{count} albums", count)
# Translators: on a button
t.context("button", "Save")
NAME, TEXT = command_name("save"), msg("Save albums")
t(TEXT)
"""


def test_every_way_to_name_a_sentence_is_collected(tmp_path: Path) -> None:
    page = '<p>{{ t("On a page") }} {{ t.plural("{count} round", "{count} rounds", count) }}</p>'
    catalog = messages.collect(project(tmp_path, CODE, page))
    assert {message.id for message in catalog if message.id} == {
        "A sentence in two literals.",
        "Queued until {when}.",
        ("{count} album", "{count} albums"),
        "Save",
        "save",
        "Save albums",
        "On a page",
        ("{count} round", "{count} rounds"),
    }
    assert catalog.get("Save", "button").auto_comments == ["on a button"]
    assert catalog.get("save", "command name") is not None


@pytest.mark.parametrize("call", ['t(f"Saved {title}.")', 't("Saved " + title)', 't.plural("a", f"{n} b", n)'])
def test_a_sentence_that_is_put_together_from_pieces_is_found(tmp_path: Path, call: str) -> None:
    assert messages.main(["--check"], project(tmp_path, call)) == 1


TRANSLATED = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Queued until {when}."
msgstr "TEXT"

msgid "{count} album"
msgid_plural "{count} albums"
msgstr[0] "ONE"
msgstr[1] "MANY"
"""


@pytest.mark.parametrize(
    ("text", "one", "many", "fits"),
    [
        ("Wartet bis {when}.", "ein Album", "{count} Alben", True),
        ("Wartet.", "ein Album", "{count} Alben", False),
        ("Wartet bis {wann}.", "ein Album", "{count} Alben", False),
        ("Wartet bis {when.", "ein Album", "{count} Alben", False),
        ("Wartet bis {when}.", "ein Album", "viele Alben", False),
        ("**Wartet** bis {when}.", "ein Album", "{count} Alben", False),
    ],
)
def test_a_translation_that_does_not_fit_its_sentence_fails_the_check(
    tmp_path: Path, text: str, one: str, many: str, fits: bool
) -> None:
    root = project(tmp_path, 't("Queued until {when}.", when=when)\nt.plural("{count} album", "{count} albums", n)')
    translated = TRANSLATED.replace("TEXT", text).replace("ONE", one).replace("MANY", many)
    (root / "bot" / "text" / "de.po").write_text(translated, encoding="utf-8")
    assert messages.main(["--check"], root, strict=False) == (0 if fits else 1)


def test_a_changed_sentence_keeps_its_translation_as_fuzzy_and_counts_as_missing(tmp_path: Path) -> None:
    root = project(tmp_path, 't("It is queued until {when}.", when=when)')
    (root / "bot" / "text" / "de.po").write_text(TRANSLATED.replace("TEXT", "Wartet bis {when}."), encoding="utf-8")
    assert messages.main([], root) == 0
    written = (root / "bot" / "text" / "de.po").read_text(encoding="utf-8")
    assert '#, fuzzy, python-brace-format\nmsgid "It is queued until {when}."\nmsgstr "Wartet bis {when}."' in written


@pytest.mark.parametrize(("strict", "status"), [(True, 1), (False, 0)])
def test_what_is_missing_or_outdated_fails_the_check_only_when_it_is_strict(
    tmp_path: Path, strict: bool, status: int
) -> None:
    root = project(tmp_path, CODE)
    assert messages.main(["--check"], root, strict=strict) == status
    assert list((root / "bot" / "text").iterdir()) == []


def test_the_files_are_the_same_after_a_second_run(tmp_path: Path) -> None:
    root = project(tmp_path, CODE)
    messages.main([], root)
    first = {path.name: path.read_text(encoding="utf-8") for path in (root / "bot" / "text").iterdir()}
    messages.main([], root)
    assert {path.name: path.read_text(encoding="utf-8") for path in (root / "bot" / "text").iterdir()} == first
    assert set(first) == {"gatefold.pot", *(f"{language}.po" for language in LANGUAGES[1:])}


def test_every_translation_of_ours_fits_and_once_strict_none_is_missing() -> None:
    assert messages.main(["--check"]) == 0


# -- the reader of `.po` files


def read_by_babel(file: BytesIO, language: str) -> gettext.GNUTranslations:
    """As gettext reads it from the compiled file that Babel writes."""
    compiled = BytesIO()
    write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_translation_is_read_as_babel_reads_it(language: str) -> None:
    content = (ROOT / "bot" / "text" / f"{language}.po").read_bytes()
    ours, theirs = PoTranslations(BytesIO(content)), read_by_babel(BytesIO(content), language)
    messages = [message for message in read_po(BytesIO(content), locale=language) if message.id]
    assert len(messages) > 500
    for message in messages:
        if isinstance(message.id, tuple):
            for count in (0, 1, 2, 5, 1_000_000):
                assert ours.ngettext(*message.id, count) == theirs.ngettext(*message.id, count)
        elif message.context:
            assert ours.pgettext(message.context, message.id) == theirs.pgettext(message.context, message.id)
        else:
            assert ours.gettext(message.id) == theirs.gettext(message.id)


ODD = rb"""
msgid ""
msgstr ""
"Language: de\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: bot/module.py
msgid "A \"quoted\" word,\n"
"a tab\tand a \\ backslash"
msgstr ""
"Ein \"Wort\",\n"
"ein Tab\tund ein \\ Zeichen"

#, python-brace-format, fuzzy
msgid "fuzzy"
msgstr "waits for a translator"

msgctxt "button"
msgid "Save"
msgstr "Sichern"

msgid "Save"
msgstr "Speichern"

msgid "untranslated"
msgstr ""

msgid "{count} album"
msgid_plural "{count} albums"
msgstr[0] "{count} Album"
msgstr[1] "{count} Alben"

#~ msgid "obsolete"
#~ msgstr "gone"
"""


def test_what_a_po_file_can_hold_is_read_as_babel_reads_it() -> None:
    ours, theirs = PoTranslations(BytesIO(ODD)), read_by_babel(BytesIO(ODD), "de")
    quoted = 'A "quoted" word,\na tab\tand a \\ backslash'
    assert ours.gettext(quoted) == theirs.gettext(quoted) == 'Ein "Wort",\nein Tab\tund ein \\ Zeichen'
    for sentence in ("fuzzy", "untranslated", "obsolete"):
        assert ours.gettext(sentence) == theirs.gettext(sentence) == sentence
    assert ours.gettext("Save") == theirs.gettext("Save") == "Speichern"
    assert ours.pgettext("button", "Save") == theirs.pgettext("button", "Save") == "Sichern"
    for count, form in ((1, "{count} Album"), (2, "{count} Alben")):
        assert ours.ngettext("{count} album", "{count} albums", count) == form


def test_the_edition_changes_with_a_translation(tmp_path: Path) -> None:
    for language in LANGUAGES[1:]:
        (tmp_path / f"{language}.po").write_bytes((ROOT / "bot" / "text" / f"{language}.po").read_bytes())
    code = tmp_path / "catalogue.py"
    code.write_bytes((ROOT / "bot" / "text" / "catalogue.py").read_bytes())
    spec = importlib.util.spec_from_file_location("catalogue_elsewhere", code)
    assert spec is not None
    assert spec.loader is not None
    elsewhere = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elsewhere)
    assert elsewhere.edition() == edition()
    (tmp_path / "ja.po").write_bytes(ODD)
    assert elsewhere.edition() != edition()
