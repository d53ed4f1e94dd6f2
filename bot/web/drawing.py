"""Drawing pages: a template, in the language of whoever reads it."""

from __future__ import annotations

import aiohttp_jinja2
from aiohttp import web

from bot.web.html_text import HtmlText, text_of
from bot.web.pages import Page


def draw(template: str, request: web.Request, **facts: object) -> web.Response:
    """A page from its own template."""
    return aiohttp_jinja2.render_template(template, request, {"t": HtmlText(text_of(request)), **facts})


def show(request: web.Request, page: Page) -> web.Response:
    """A page that only says something."""
    response = draw("page.html", request, page=page)
    response.set_status(page.status)
    return response
