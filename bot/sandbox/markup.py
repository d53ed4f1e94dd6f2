"""The little HTML that the stand-ins' pages need. Pure; everything from outside is escaped by the caller."""

from __future__ import annotations

from html import escape

from aiohttp import web

__all__ = ["document", "escape", "page"]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def document(title: str, style: str, body: str, refresh_s: int | None = None) -> str:
    """A whole page. `title` is text; `style` and `body` are CSS and HTML, ready made."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}'
        f'<link rel="icon" href="data:,"><style>{style}</style></head><body>{body}</body></html>'
    )


def page(html: str, status: int = 200) -> web.Response:
    """The answer that shows a page to a browser."""
    return web.Response(text=html, status=status, content_type="text/html", headers=_HEADERS)
