"""Spotify's OAuth: addresses, forms and answers. Pure.

Authorization code flow with PKCE (S256), with or without a client secret:
https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from typing import TypeGuard
from urllib.parse import urlencode

from bot.errors import (
    AppRejected,
    GrantRefused,
    NeedsRelink,
    RedirectMissing,
    Refused,
    TryLater,
    UnknownApp,
    UserError,
)
from bot.private import Private
from bot.spotify.bodies import is_page, read_json

SCOPES = ("user-library-read", "user-library-modify")
"""All that saving, removing, `contains` and listing need."""

CONSENT_DAYS = 182
"""A refresh token dies six months after the consent, and refreshing does not extend that."""


LIFE_S = 3600
"""How long an access token lives where the answer does not say, which it need not (RFC 6749, 5.1)."""


class Tokens(Private, frozen=True):
    """What the token endpoint gives. `refresh_token` None: keep the old one. No repr: these are secrets."""

    access_token: str
    refresh_token: str | None
    expires_in_s: int
    scope: str


class RefreshAnswer(Private, frozen=True):
    """What a refresh led to. `refresh_token`: the new one, if the answer held one, whatever else was wrong with it.

    No repr: these are secrets.
    """

    refresh_token: str | None
    outcome: Tokens | UserError | GrantRefused


class AppToken(Private, frozen=True):
    """A token of an app itself, without any member. No repr: it is a secret."""

    token: str
    expires_in_s: int


_REFRESH_TOKEN = re.compile(rb'"refresh_token"\s{0,9}:\s{0,9}("(?:[^"\\]|\\.){1,8192}")')


_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def challenge(verifier: str) -> str:
    """PKCE's S256 challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def authorize_url(accounts_url: str, *, client_id: str, redirect_uri: str, state: str, code_challenge: str) -> str:
    """The consent page's address. `show_dialog`: the member sees which account is about to be linked."""
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "show_dialog": "true",
        "code_challenge_method": "S256",
        "code_challenge": code_challenge,
    }
    return f"{accounts_url}/authorize?{urlencode(query)}"


def exchange_form(code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
    """The form that turns a code into tokens."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }


def refresh_form(refresh_token: str) -> dict[str, str]:
    """The form that turns a refresh token into a new access token."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def app_form() -> dict[str, str]:
    """The form that gives the app a token of its own, without any member: it proves id and secret."""
    return {"grant_type": "client_credentials"}


def authenticate(form: dict[str, str], client_id: str, secret: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """The form and headers that say which app asks: Basic with a secret, `client_id` in the form without."""
    if secret is None:
        return {**form, "client_id": client_id}, {}
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return form, {"Authorization": f"Basic {basic}"}


def read_tokens(status: int, body: bytes) -> Tokens:
    """Read the token endpoint's answer. Without `scope` it is what was asked for (RFC 6749, 5.1).

    GrantRefused: the code or refresh token is dead. AppRejected: the app itself is refused. NeedsRelink: a
    permission is missing. TryLater: trouble, or an answer that makes no sense.
    """
    data = _data(body)
    if 200 <= status < 300:
        return _tokens(data)
    raise _refusal(status, data, body)


def find_refresh_token(received: bytes) -> str | None:
    """The refresh token in as much of an answer as was received, also where the rest cannot be read.

    A public client's refresh token is good once: the old one is dead as soon as this one was made.
    """
    token = _data(received).get("refresh_token")
    if token is None and (found := _REFRESH_TOKEN.search(received)):
        try:
            token = json.loads(found[1])
        except ValueError:
            return None
    return token if _is_token(token) else None


def read_app_token(status: int, body: bytes) -> AppToken:
    """Read the answer to `app_form`. AppRejected: the app itself is refused. TryLater, Refused."""
    data = _data(body)
    token, expires = data.get("access_token"), _life(data)
    if not 200 <= status < 300:
        raise _refusal(status, data, body)
    if not _is_token(token) or not _is_life(expires):
        raise TryLater(TryLater.Cause.UNAVAILABLE)
    return AppToken(token, expires)


def read_consent_page(status: int, body: bytes) -> str | None:
    """Why the consent page refuses the app's address before anybody logs in, or None when it does not say.

    `INVALID_CLIENT: Insecure redirect URI` and the like, without the word before the colon.
    """
    if not 400 <= status < 500:
        return None
    said = re.search(r"INVALID_CLIENT: ([A-Za-z ]{1,60})", body.decode("utf-8", "replace"))
    return said[1].strip() if said else None


def check_consent_page(redirect_uri: str, status: int, body: bytes) -> None:
    """What the consent page says before anybody logs in. UnknownApp, RedirectMissing; TryLater when it does not say.

    A page that asks to log in (200, or a redirect to it) has nothing against the client id and the redirect URI.
    """
    if 200 <= status < 400:
        return
    if status >= 500 or status == 429:
        raise TryLater(TryLater.Cause.UNAVAILABLE)
    said = body.decode("utf-8", "replace").casefold()
    if "redirect" in said:
        raise RedirectMissing(redirect_uri)
    if "invalid_client" in said or "client" in said:
        raise UnknownApp
    raise TryLater(TryLater.Cause.UNAVAILABLE)


def _data(body: bytes) -> dict[str, object]:
    try:
        data = read_json(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _refusal(status: int, data: dict[str, object], body: bytes) -> UserError | GrantRefused:
    error = str(data.get("error", ""))
    if status == 429:
        return TryLater(TryLater.Cause.RATE_LIMITED)
    if (
        is_page(body)
        or status < 400
        or status >= 500
        or status in (408, 425)
        or error in ("server_error", "temporarily_unavailable")
    ):
        # whatever such an answer says of a token or an app: in an outage Spotify has called good ones bad
        return TryLater(TryLater.Cause.UNAVAILABLE)
    if error in ("invalid_client", "unauthorized_client") or (status == 401 and error != "invalid_grant"):
        return AppRejected()
    if error == "invalid_grant":
        return GrantRefused()
    if not error:
        return TryLater(TryLater.Cause.UNAVAILABLE)
    said = data.get("error_description") or data.get("error")
    if isinstance(said, dict):  # in the Web API's shape
        said = said.get("message")
    return Refused(status, said if isinstance(said, str) else "")


def _tokens(data: dict[str, object]) -> Tokens:
    access, expires, scope = data.get("access_token"), _life(data), data.get("scope")
    refresh = data.get("refresh_token") or None
    scope = " ".join(SCOPES) if scope is None else scope
    if (
        not _is_token(access)
        or not _is_life(expires)
        or not isinstance(scope, str)
        or not (refresh is None or _is_token(refresh))
    ):
        raise TryLater(TryLater.Cause.UNAVAILABLE)
    if not set(SCOPES) <= set(scope.split()):
        raise NeedsRelink(NeedsRelink.Reason.SCOPE)
    return Tokens(access, refresh, expires, scope)


def _life(data: dict[str, object]) -> object:
    """How long a token lives, in seconds. The number may come as text or with a fraction."""
    value = data.get("expires_in")
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and 0 < value < math.inf:
        return int(value)
    return LIFE_S if value is None else value


def _is_life(value: object) -> TypeGuard[int]:
    """Whether it can be how long a token lives, in seconds."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 86_400 * 366


def _is_token(value: object) -> TypeGuard[str]:
    """Whether it is a token as RFC 6749 (appendix A) has them: printable ASCII, fit for a header."""
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isascii() and value.isprintable()
