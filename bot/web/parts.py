"""Parts of the site: each brings its routes, its files and its own content security policy. `site.py` collects them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aiohttp import web
from msgspec import Struct, field

IDLE = web.AppKey("idle_s", float)
"""How long the site waits for a request that is not whole, body included."""
_STRICT = {
    # the pages need one style sheet and one drawing of ours, and nothing else
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def policy(directives: Mapping[str, str] = MappingProxyType({})) -> str:
    """A content security policy: the strict one, with these directives added or changed."""
    return "; ".join(f"{name} {value}" for name, value in (_STRICT | dict(directives)).items())


STRICT = policy()
"""What a page needs that only says something."""


class Part(Struct, frozen=True):
    """One part of the site.

    `policy`: of all its routes, errors included. `files`: its own files in `static/`, with their types.
    `takes_forms`: a POST may carry a body. `is_counted`: how often one address may ask for it is bounded.
    """

    name: str
    routes: Sequence[web.RouteDef]
    policy: str = STRICT
    files: Mapping[str, str] = field(default_factory=dict)
    takes_forms: bool = False
    is_counted: bool = False
