"""Sentences for templates: everything is escaped but facts that are markup already."""

from __future__ import annotations

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
