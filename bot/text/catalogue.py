"""Sentences in one language. The English sentence is the key; a sentence without a translation is shown in English.

A `.po` file is read when its language is first asked for, so there is no build step and no compiled file in the
repository. Babel is loaded with the first number, date or list. See docs/decisions/0013-the-message-catalogue.md.
"""

from __future__ import annotations

import datetime
import gettext
import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

from bot.text.languages import LANGUAGES, PSEUDO, match
from bot.text.po import PoTranslations
from bot.text.pseudo import PseudoTranslations

COMMAND_NAME = "command name"
"""The context of names of commands and their options in the catalogue."""


class Text:
    """Sentences in one language. `t = texts(locale)`, then `t("Saved to your library.")`.

    The sentence is a literal, so that `make messages` finds it. Facts are strings and have names; one that comes
    from outside is escaped by the caller.
    """

    def __init__(self, language: str, conventions: str, translations: gettext.NullTranslations) -> None:
        """`conventions`: the locale whose dates, numbers and lists are used, as Babel names it."""
        self.language = language
        self.conventions = conventions
        self._translations = translations

    def __repr__(self) -> str:
        return f"<Text {self.language} {self.conventions}>"

    @property
    def html_lang(self) -> str:
        """The language for the `lang` attribute of a page, such as "pt-BR"."""
        return self.language.replace("_", "-")

    def __call__(self, sentence: str, /, **facts: str) -> str:
        """A sentence."""
        return self._translations.gettext(sentence).format(**facts)

    def unfilled(self, sentence: str, /) -> str:
        """A sentence with its placeholders still in it, for `str.format` of another type such as markup."""
        return self._translations.gettext(sentence)

    def plural(self, one: str, many: str, count: int, /, **facts: str) -> str:
        """A sentence with a count, in the form that this language has for it. `{count}` is the formatted count."""
        return self.unfilled_plural(one, many, count).format(count=self.number(count), **facts)

    def unfilled_plural(self, one: str, many: str, count: int, /) -> str:
        """The same with its placeholders still in it."""
        return self._translations.ngettext(one, many, count)

    def context(self, context: str, sentence: str, /, **facts: str) -> str:
        """A sentence, mostly one word, that has another translation elsewhere: `t.context("button", "Save")`."""
        return self._translations.pgettext(context, sentence).format(**facts)

    def command(self, name: str) -> str:
        """A command's name as clients in this language show it, without the slash: "club start"."""
        return " ".join(self._translations.pgettext(COMMAND_NAME, part) for part in name.split())

    def number(self, value: int | float) -> str:
        """A number with this language's separators."""
        return _decimal(value, None, self.conventions)

    def fixed(self, value: float, places: int) -> str:
        """A number with this many decimals."""
        return _decimal(value, "#,##0." + "0" * places, self.conventions)

    def date(self, day: datetime.date) -> str:
        """A date without a time, such as "27 November 2026". In Discord use its timestamps instead."""
        return _day(day, self.conventions)

    def sentences(self, sentences: Sequence[str]) -> str:
        """Whole sentences, one after another."""
        return ("" if self.language == "ja" else " ").join(sentences)

    def list(self, items: Sequence[str], most: int | None = None) -> str:
        """Several things in one phrase: "a, b, and c"; of more than `most`, the first ones and how many more."""
        if most is not None and (more := len(items) - most) > 0:
            shown = ("、" if self.language == "ja" else ", ").join(items[:most])
            return self.plural("{names} and {count} more", "{names} and {count} more", more, names=shown)
        from babel.lists import format_list

        return format_list(items, locale=self.conventions)


@lru_cache(4096)  # Babel takes 0.1 ms for each, and a page of a club has hundreds
def _decimal(value: int | float, pattern: str | None, conventions: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(value, format=pattern, locale=conventions)


@lru_cache(4096)
def _day(day: datetime.date, conventions: str) -> str:
    from babel.dates import format_date

    return format_date(day, "long", locale=conventions)


def msg(sentence: str) -> str:
    """The sentence itself, marked for translation later: `DESCRIPTION = msg("Save albums")`, then `t(DESCRIPTION)`."""
    return sentence


def command_name(name: str) -> str:
    """The name of a command or of an option itself, marked for translation."""
    return name


@lru_cache(64)
def texts(locale: str | None) -> Text:
    """The sentences for a locale of Discord's such as "de" or "es-419"; English for None and for unknown ones."""
    return _text(*match(locale))


@cache
def _text(language: str, conventions: str) -> Text:
    return Text(language, conventions, _translations(language))


@cache
def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    if language == PSEUDO:
        return PseudoTranslations()
    with _file(language).open("rb") as file:
        return PoTranslations(file)


def edition() -> str:
    """A hash of all translations, without reading them: whether one of them changed."""
    together = hashlib.sha256()
    for language in LANGUAGES[1:]:
        together.update(_file(language).read_bytes())
    return together.hexdigest()


def _file(language: str) -> Path:
    return Path(__file__).with_name(f"{language}.po")
