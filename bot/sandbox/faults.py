"""Faults on demand: what a stand-in does instead of answering as it should. Pure.

`FAULTS` has one ready-made fault for every row of the error tables, to be used as
`server.fault(path="/v1/me/albums", **FAULTS["rate_limited"])`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypedDict

Body = bytes | str | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. `path` and `method` are patterns as for file names ("/v1/me/*").

    `account`: only for calls with a token, code or refresh token of this account; None: whoever calls.

    Without `status` and `body` the call is answered as usual (late, if there is a `delay_s`). `carried_out`:
    the call takes effect all the same. `cut`: the connection breaks in the middle of the answer. `hang`: no
    answer comes until the server stops or the caller goes away. `times`: for how many calls; None: for all.
    """

    path: str
    method: str = "*"
    status: int | None = None
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    carried_out: bool = False
    cut: bool = False
    delay_s: float = 0.0
    hang: bool = False
    account: str | None = None

    @property
    def answers(self) -> bool:
        """Whether it has an answer of its own."""
        return self.status is not None or self.body is not None or (self.cut and not self.carried_out)

    def matches(self, method: str, path: str, account: str | None) -> bool:
        """Whether this call is meant."""
        is_theirs = self.account is None or self.account == account
        return is_theirs and fnmatchcase(path, self.path) and fnmatchcase(method, self.method)

    def content(self) -> tuple[bytes, str]:
        """The bytes of its answer and their type."""
        if isinstance(self.body, Mapping):
            return json.dumps(self.body).encode(), "application/json; charset=utf-8"
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        text = self.body or ""
        kind = "text/html" if text.lstrip().startswith("<") else "text/plain"
        return text.encode(), f"{kind}; charset=utf-8"


class Faults:
    """The faults that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, list[int]]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, fault: Fault) -> None:
        """Let this go wrong from the next matching call on, after the faults that wait already."""
        self._waiting.append((fault, [fault.times or 0]))

    def clear(self, account: str | None = None) -> None:
        """Nothing goes wrong any more; with `account`, nothing that is meant for this one alone."""
        self._waiting = [each for each in self._waiting if account not in (None, each[0].account)]

    def take(self, method: str, path: str, account: str | None = None) -> Fault | None:
        """The fault that this call meets, or None."""
        for number, (fault, left) in enumerate(self._waiting):
            if fault.matches(method, path, account):
                left[0] -= 1
                if fault.times is not None and left[0] <= 0:
                    del self._waiting[number]
                return fault
        return None


class Answer(TypedDict, total=False):
    """The part of a fault that says how it looks; path, method and times are the caller's to say."""

    status: int
    body: Body
    headers: Mapping[str, str]
    carried_out: bool
    cut: bool
    delay_s: float
    hang: bool


def api(status: int, message: str, *, reason: str | None = None, retry_after: str | None = None) -> Answer:
    """An error as Spotify's Web API writes it."""
    error: dict[str, object] = {"status": status, "message": message}
    if reason is not None:
        error["reason"] = reason
    answer: Answer = {"status": status, "body": {"error": error}}
    if retry_after is not None:
        answer["headers"] = {"Retry-After": retry_after}
    return answer


def accounts(status: int, error: str, description: str | None = None) -> Answer:
    """An error as Spotify's accounts service (and OAuth in general) writes it."""
    body = {"error": error} if description is None else {"error": error, "error_description": description}
    return {"status": status, "body": body}


def text(status: int, message: str) -> Answer:
    """A bare text or page."""
    return {"status": status, "body": message}


_NOT_REGISTERED = "User not registered in the Developer Dashboard"
_CHECK_SETTINGS = "Check settings on developer.spotify.com/dashboard, the user may not be registered."
_PREMIUM = "Active premium subscription required for the owner of the app"
_PAGE = "<!doctype html><title>Error</title><h1>{}</h1>"
_TOKEN = {
    "access_token": "BQ-not-a-real-token",
    "token_type": "Bearer",
    "scope": "user-library-read user-library-modify",
    "expires_in": 3600,
}

FAULTS: Mapping[str, Answer] = {
    # 401: the call did not happen
    "expired_token": api(401, "The access token expired"),
    "invalid_token": api(401, "Missing/invalid/expired access token"),
    "token_missing": api(401, "Access token missing"),
    # 403
    "insufficient_scope": api(403, "Insufficient client scope"),
    "not_registered_text": text(403, _NOT_REGISTERED),
    "not_registered_json": api(403, _NOT_REGISTERED),
    "check_settings_text": text(403, _CHECK_SETTINGS),
    "check_settings_json": api(403, _CHECK_SETTINGS),
    "premium": api(403, _PREMIUM),
    "premium_text": text(403, _PREMIUM),
    "forbidden": api(403, "Forbidden"),
    # 400, 404, 414
    "not_found": api(404, "Resource not found"),
    "non_existing": api(404, "Non existing id: spotify:album:0000000000000000000000"),
    "invalid_id": api(400, "Invalid base62 id"),
    "invalid_id_older": api(400, "invalid id"),
    "invalid_uri": api(400, "Invalid Spotify URI"),
    "too_many_ids": api(400, "Too many ids requested"),
    "too_many_uris": api(400, "Too many uris requested"),
    "missing_ids": api(400, "Missing required field: ids"),
    "missing_uris": api(400, "Missing required field: uris"),
    "query_too_long": api(400, "Query exceeds maximum length of 250 characters"),
    "uri_too_long": text(414, ""),
    # 429
    "rate_limited": api(429, "API rate limit exceeded", retry_after="1"),
    "too_many_requests": api(429, "Too many requests", retry_after="1"),
    "rate_limited_text": {**text(429, "Too many requests"), "headers": {"Retry-After": "1"}},
    "rate_limited_no_header": api(429, "API rate limit exceeded"),
    "rate_limited_bad_header": api(429, "API rate limit exceeded", retry_after="soon"),
    "rate_limited_negative_header": api(429, "API rate limit exceeded", retry_after="-5"),
    "rate_limited_huge_header": api(429, "API rate limit exceeded", retry_after="99999999999999"),
    "quota": api(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after="82661"),
    "quota_longest": api(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after="86207"),
    "quota_no_header": api(429, "Too many requests", reason="QUOTA_EXCEEDED"),
    # 5xx
    "server_error": api(500, "Server error."),
    "bad_gateway": api(502, "Something went wrong"),
    "unavailable": api(503, "Service unavailable"),
    "html": text(503, _PAGE.format("503 Service Unavailable")),
    # the accounts service
    "refresh_revoked": accounts(400, "invalid_grant", "Refresh token revoked"),
    "refresh_expired": accounts(400, "invalid_grant", "Refresh token expired"),
    "refresh_invalid": accounts(400, "invalid_grant", "Invalid refresh token"),
    "code_invalid": accounts(400, "invalid_grant", "Invalid authorization code"),
    "invalid_client": accounts(400, "invalid_client", "Invalid client"),
    "accounts_rate_limited": {**text(429, "Too many requests"), "headers": {"Retry-After": "1"}},
    "accounts_server_error": accounts(500, "server_error"),
    "accounts_unavailable": text(503, _PAGE.format("503 Service Unavailable")),
    # answers that no client should trust
    "ok_html": text(200, _PAGE.format("Welcome")),
    "ok_empty": text(200, ""),
    "ok_half": text(200, '{"access_token": "BQ-not-a-re'),
    "ok_huge": text(200, " " * 2_000_000),
    "ok_list": text(200, "[[[]]]"),
    "token_bad_expiry": {"status": 200, "body": {**_TOKEN, "expires_in": "abc"}},
    "token_no_scope": {"status": 200, "body": {k: v for k, v in _TOKEN.items() if k != "scope"}},
    "token_short_scope": {"status": 200, "body": {**_TOKEN, "scope": "user-library-read"}},
    "elsewhere": {"status": 302, "body": "", "headers": {"Location": "https://elsewhere.example/"}},
    # the network
    "cut": {"cut": True},
    "cut_after_work": {"cut": True, "carried_out": True},
    "hang": {"hang": True},
    "hang_after_work": {"hang": True, "carried_out": True},
    "server_error_after_work": {**api(500, "Server error."), "carried_out": True},
}
