"""The front page and the privacy page: what people read before they link."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from aiohttp import web

from bot.web.drawing import draw
from bot.web.html_text import text_of
from bot.web.parts import Part

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def part(contact: str) -> Part:
    """`contact`: how to reach the host, as they wrote it; empty where they did not."""

    async def privacy(request: web.Request) -> web.Response:
        title, text = _privacy(text_of(request).language)
        return draw("privacy.html", request, title=title, text=text, contact=contact, contact_url=_url_of(contact))

    return Part("reading", [web.get("/", _front), web.get("/privacy", privacy)])


async def _front(request: web.Request) -> web.Response:
    return draw("front.html", request)


def _url_of(contact: str) -> str:
    """Where a contact leads to; empty where it is only text, such as a name on Discord."""
    if contact.startswith("https://") and " " not in contact:
        return contact
    return f"mailto:{contact}" if _EMAIL.fullmatch(contact) else ""


@cache
def _privacy(language: str) -> tuple[str, str]:
    """The title and the HTML of the privacy page in one of our languages."""
    from markdown_it import MarkdownIt  # here, because few ever ask for this page and every start would wait for it

    source = _privacy_text(language)
    # raw HTML in the text would be shown, not run
    text: str = MarkdownIt("commonmark", {"html": False}).render(source)
    return source.splitlines()[0].removeprefix("# "), text


def _privacy_text(language: str) -> str:
    """`docs/privacy.md` or a translation: beside the templates in an installed package, else in the repository."""
    name = "privacy.md" if language == "en" else f"privacy.{language}.md"
    inside = Path(__file__).with_name(name)
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[2] / "docs" / name).read_text(encoding="utf-8")
