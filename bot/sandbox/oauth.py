"""What both stand-ins need of OAuth: redirect URIs, PKCE, Basic, form bodies. Pure, strict."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LOOPBACK = ("127.0.0.1", "::1")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(Exception):
    """The token endpoint refuses: `error` and `description` as they go into the answer."""

    def __init__(self, error: str, description: str | None = None, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def is_secure(uri: str) -> bool:
    """Spotify's rule: https, or http on a loopback IP literal; never `localhost`.

    https://developer.spotify.com/documentation/web-api/concepts/redirect_uri
    """
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or host == "localhost" or host.endswith(".localhost"):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def is_registered(uri: str, registered: Collection[str]) -> bool:
    """Whether it is one of these, letter by letter; a loopback one without a port matches every port."""
    if uri in registered:
        return True
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        return False
    host = "[::1]" if parts.hostname == "::1" else parts.hostname
    return urlunsplit(parts._replace(netloc=host)) in registered


def is_challenge(text: str) -> bool:
    """Whether it can be an S256 challenge."""
    return _CHALLENGE.fullmatch(text) is not None


def answers_challenge(verifier: str, challenge: str) -> bool:
    """Whether this verifier is well formed and is the one that the challenge was made from."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


def with_query(uri: str, values: Mapping[str, str | None]) -> str:
    """A redirect URI with these added to its query; None is left out."""
    parts = urlsplit(uri)
    added = urlencode({name: value for name, value in values.items() if value is not None})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))


def basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret of an Authorization header, or None if it is not a good Basic one."""
    kind, _, value = (header or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, secret = text.partition(":")
    return (name, secret) if colon else None


def form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form. OAuthError if it is none, or if a field comes twice."""
    if content_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "Content-Type must be application/x-www-form-urlencoded", 415)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    except ValueError:
        raise OAuthError("invalid_request", "Malformed form") from None
    if name := repeated(name for name, _ in pairs):
        raise OAuthError("invalid_request", f"Duplicate parameter: {name}")
    return dict(pairs)


def repeated(names: Iterable[str]) -> str | None:
    """The first name that comes twice, or None. From `items()`: a multidict's `keys()` hides doubles."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
