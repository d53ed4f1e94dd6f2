"""Sentences for templates: everything is escaped but facts that are markup already."""

from __future__ import annotations

import datetime

from aiohttp import web
from markupsafe import Markup, escape

from bot.text import Text, from_accept_language, texts


class HtmlText:
    """A page's language in its template: `{{ t("What is stored, and for how long") }}`."""

    def __init__(self, t: Text) -> None:
        self._t = t
        self.html_lang = t.html_lang

    def __call__(self, sentence: str, /, **facts: str) -> Markup:
        """A sentence. A fact that is markup (`"<b>/link</b>"|safe`) stays so."""
        return escape(self._t.unfilled(sentence)).format(**facts)

    def plural(self, one: str, many: str, count: int, /, **facts: str) -> Markup:
        """A sentence with a count, in the form that this language has for it."""
        sentence = self._t.unfilled_plural(one, many, count)
        return escape(sentence).format(count=self._t.number(count), **facts)

    def fixed(self, value: float, places: int) -> str:
        """A number with this many decimals, so that a column of them is aligned."""
        return self._t.fixed(value, places)

    def number(self, value: int | float) -> str:
        """A number with this language's separators."""
        return self._t.number(value)

    def date(self, day: datetime.date) -> str:
        """A date without a time."""
        return self._t.date(day)

    def command(self, name: str) -> str:
        """A command as it is typed in Discord."""
        return f"/{self._t.command(name)}"


_TEXT = web.RequestKey("text", Text)


def text_of(request: web.BaseRequest) -> Text:
    """The language of the member where it is known, else the one that this browser prefers."""
    return request.get(_TEXT) or texts(from_accept_language(request.headers.get("Accept-Language")))


def set_locale(request: web.BaseRequest, locale: str | None) -> None:
    """Whoever is in front of this browser is a member with this locale."""
    if locale is not None:
        request[_TEXT] = texts(locale)
