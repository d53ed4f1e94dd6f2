"""Drawing pages: a template, in the language of whoever reads it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from bot.text import Text
from bot.web.html_text import HtmlText, text_of
from bot.web.pages import Page

if TYPE_CHECKING:
    from jinja2 import Environment


class Templates:
    """All templates. Jinja is loaded with the first page, because the bot is ready sooner and smaller without it."""

    def __init__(self, root: str) -> None:
        """`root`: a proxy may serve us below a path of its own, and strip that path."""
        self._root = root

    def render(self, template: str, t: Text, **facts: object) -> str:
        """A page's HTML."""
        return self._environment.get_template(template).render(t=HtmlText(t), **facts)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        made = Environment(
            loader=PackageLoader("bot.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        made.globals["root"] = self._root
        return made


TEMPLATES = web.AppKey("templates", Templates)


def draw(template: str, request: web.Request, **facts: object) -> web.Response:
    """A page from its own template."""
    return web.Response(text=rendered(template, request, **facts), content_type="text/html", charset="utf-8")


def rendered(template: str, request: web.Request, **facts: object) -> str:
    """A text that is no page, from its own template."""
    return request.app[TEMPLATES].render(template, text_of(request), **facts)


def show(request: web.Request, page: Page) -> web.Response:
    """A page that only says something."""
    response = draw("page.html", request, page=page)
    response.set_status(page.status)
    return response
