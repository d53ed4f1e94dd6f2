"""Spotify's OAuth as data: the address, the forms, and every answer of the token endpoint."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import AppRejected, GrantRefused, NeedsRelink, Refused, TryLater, UserError
from bot.sandbox.faults import FAULTS, Fault
from bot.spotify import oauth

GOOD: dict[str, Any] = {
    "access_token": "BQ-access",
    "token_type": "Bearer",
    "scope": "user-library-read user-library-modify",
    "expires_in": 3600,
    "refresh_token": "AQ-refresh",
}
RATE_LIMITED, UNAVAILABLE = TryLater.Cause.RATE_LIMITED, TryLater.Cause.UNAVAILABLE


def read(status: int = 200, **change: Any) -> oauth.Tokens:
    """The answer `GOOD` with changes; a field that is `...` is missing."""
    fields = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    return oauth.read_tokens(status, json.dumps(fields).encode())


def is_trouble(status: int, body: bytes) -> bool:
    with pytest.raises(TryLater) as caught:
        oauth.read_tokens(status, body)
    return caught.value.cause is UNAVAILABLE


# -- the way out


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_consent_page_is_asked_for_as_spotify_says() -> None:
    url = oauth.authorize_url(
        "https://accounts.spotify.com",
        client_id="app",
        redirect_uri="http://127.0.0.1:8080/callback/spotify",
        state="st&te =",
        code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "accounts.spotify.com", "/authorize")
    assert sorted(parse_qsl(parts.query, strict_parsing=True)) == [
        ("client_id", "app"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http://127.0.0.1:8080/callback/spotify"),
        ("response_type", "code"),
        ("scope", "user-library-read user-library-modify"),
        ("show_dialog", "true"),
        ("state", "st&te ="),
    ]


# -- the forms


def test_a_code_is_turned_in_with_its_redirect_uri_and_verifier() -> None:
    assert oauth.exchange_form("code", "https://x.example/callback/spotify", "verifier") == {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": "https://x.example/callback/spotify",
        "code_verifier": "verifier",
    }


def test_a_refresh_sends_the_refresh_token_and_nothing_else() -> None:
    assert oauth.refresh_form("AQ") == {"grant_type": "refresh_token", "refresh_token": "AQ"}


def test_with_a_secret_the_app_is_named_by_basic_alone() -> None:
    form, headers = oauth.authenticate({"a": "b"}, "app", "s3cret:with:colons")
    assert form == {"a": "b"}
    kind, _, value = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(value)) == ("Basic", b"app:s3cret:with:colons")
    assert list(headers) == ["Authorization"]


def test_a_public_client_names_itself_in_the_form() -> None:
    assert oauth.authenticate({"a": "b"}, "app", None) == ({"a": "b", "client_id": "app"}, {})


# -- answers that can be used


def test_a_good_answer_is_read_whole() -> None:
    tokens = read()
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_in_s) == ("BQ-access", "AQ-refresh", 3600)
    assert tokens.scope == "user-library-read user-library-modify"


@pytest.mark.parametrize("refresh", [..., None, ""])
def test_a_missing_refresh_token_is_none(refresh: Any) -> None:
    assert read(refresh_token=refresh).refresh_token is None


@pytest.mark.parametrize("scope", [..., None])
def test_without_a_scope_it_is_what_was_asked_for(scope: Any) -> None:
    # https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    assert read(scope=scope).scope == "user-library-read user-library-modify"


def test_more_scopes_than_asked_for_are_no_trouble() -> None:
    assert read(scope="streaming user-library-modify  user-library-read").access_token == "BQ-access"


def test_a_life_in_a_string_is_a_number_so_that_the_new_refresh_token_is_not_lost() -> None:
    tokens = read(expires_in="1800")
    assert (tokens.expires_in_s, tokens.refresh_token) == (1800, "AQ-refresh")
    body = json.dumps({"access_token": "BQ-app", "expires_in": "1800"}).encode()
    assert oauth.read_app_token(200, body) == oauth.AppToken("BQ-app", 1800)


@pytest.mark.parametrize("life", [3600.0, 3600.9])
def test_a_life_with_a_fraction_counts_its_whole_seconds(life: float) -> None:
    assert read(expires_in=life).expires_in_s == 3600


@pytest.mark.parametrize("life", [None, ...])
def test_without_a_life_it_is_as_usual(life: object) -> None:
    assert read(expires_in=life).expires_in_s == 3600


def test_tokens_do_not_show_in_a_repr() -> None:
    assert "BQ-access" not in repr(read())
    assert "AQ-refresh" not in repr(read())


# -- answers that cannot


@pytest.mark.parametrize(
    "scope", ["", "user-library-read", "user-library-modify", "user-library-readuser-library-modify", "x"]
)
def test_a_shorter_scope_asks_to_link_again(scope: str) -> None:
    with pytest.raises(NeedsRelink) as caught:
        read(scope=scope)
    assert caught.value.reason is NeedsRelink.Reason.SCOPE


@pytest.mark.parametrize(
    "change",
    [
        {"expires_in": "abc"},
        {"expires_in": "-3600"},
        {"expires_in": "0"},
        {"expires_in": "1" * 5000},
        {"expires_in": True},
        {"expires_in": -1},
        {"expires_in": 0},
        {"expires_in": 0.5},
        {"expires_in": 10**12},
        {"expires_in": float("inf")},
        {"expires_in": []},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 7},
        {"access_token": ...},
        {"access_token": "x" * 4097},
        {"access_token": "BQ\r\nHost: evil.example"},
        {"access_token": "BQ \x00"},
        {"access_token": "BQ\ud800"},
        {"access_token": "BQ\u202e"},
        {"refresh_token": 7},
        {"refresh_token": ["AQ"]},
        {"refresh_token": "x" * 4097},
        {"refresh_token": "AQ\ud800"},
        {"refresh_token": "AQ\n"},
        {"scope": ["user-library-read", "user-library-modify"]},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_an_answer_that_makes_no_sense_is_trouble(change: dict[str, Any]) -> None:
    with pytest.raises(TryLater) as caught:
        read(**change)
    assert caught.value.cause is UNAVAILABLE


@pytest.mark.parametrize("fault", ["ok_html", "ok_empty", "ok_half", "ok_huge", "ok_list", "token_bad_expiry"])
def test_a_200_that_is_no_answer_is_trouble(fault: str) -> None:
    assert is_trouble(200, Fault(path="*", body=FAULTS[fault]["body"]).content()[0])


@pytest.mark.parametrize("body", [b"null", b"7", b'"x"', b"{}", b"\xff", b"[" * 200_000, b"9" * 10_000], ids=repr)
def test_a_200_of_another_shape_is_trouble(body: bytes) -> None:
    assert is_trouble(200, body)


@pytest.mark.parametrize("fault", ["refresh_revoked", "refresh_expired", "refresh_invalid", "code_invalid"])
@pytest.mark.parametrize("status", [400, 401])
def test_invalid_grant_is_final(fault: str, status: int) -> None:
    with pytest.raises(GrantRefused):
        oauth.read_tokens(status, Fault(path="*", body=FAULTS[fault]["body"]).content()[0])


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_app_is_the_hosts_trouble(error: str, status: int) -> None:
    with pytest.raises(AppRejected):
        oauth.read_tokens(status, json.dumps({"error": error}).encode())


def test_a_401_without_words_is_the_hosts_trouble() -> None:
    with pytest.raises(AppRejected):
        oauth.read_tokens(401, b"")


@pytest.mark.parametrize("status", [101, 400, 401, 403, 404, 407])
@pytest.mark.parametrize("body", [b"<!DOCTYPE html><title>Log in</title>", b"\n<HTML>", b"<?xml version='1.0'?><html>"])
def test_a_page_of_a_proxy_says_nothing_about_an_app_or_a_token(status: int, body: bytes) -> None:
    for read in (oauth.read_tokens, oauth.read_app_token):
        with pytest.raises(TryLater) as caught:
            read(status, body)
        assert caught.value.cause is UNAVAILABLE


@pytest.mark.parametrize("body", [b"", b"Too many requests", b'{"error": "slow_down"}', b"<html>"])
def test_a_429_is_busy(body: bytes) -> None:
    with pytest.raises(TryLater) as caught:
        oauth.read_tokens(429, body)
    assert caught.value.cause is RATE_LIMITED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 301, 302, 307])
@pytest.mark.parametrize("body", [b"", b'{"error": "server_error"}', b"<html>", b'{"error": {"message": "x"}}'])
def test_5xx_and_redirects_are_trouble(status: int, body: bytes) -> None:
    assert is_trouble(status, body)


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "unauthorized_client", "invalid_request"])
@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
def test_an_outage_says_nothing_about_a_token_or_an_app(error: str, status: int) -> None:
    with pytest.raises(TryLater):
        oauth.read_tokens(status, json.dumps({"error": error}).encode())


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_an_error_that_says_that_it_passes_is_trouble(error: str) -> None:
    # https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
    assert is_trouble(400, json.dumps({"error": error}).encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}"])
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_4xx_that_says_nothing_is_trouble(status: int, body: bytes) -> None:
    assert is_trouble(status, body)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"error": "invalid_request", "error_description": "code must be supplied"}, "code must be supplied"),
        ({"error": "invalid_scope"}, "invalid_scope"),
    ],
)
def test_another_refusal_is_told_in_spotifys_words(fields: dict[str, str], message: str) -> None:
    with pytest.raises(Refused) as caught:
        oauth.read_tokens(400, json.dumps(fields).encode())
    assert (caught.value.status, caught.value.message) == (400, message)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.text())


@settings(deadline=None)
@given(
    st.integers(200, 599),
    st.dictionaries(st.sampled_from([*GOOD, "error", "error_description"]), json_values),
    st.booleans(),
)
def test_no_answer_makes_it_fail_otherwise(status: int, fields: dict[str, Any], is_like_a_good_one: bool) -> None:
    body = json.dumps({**GOOD, **fields} if is_like_a_good_one else fields).encode()
    try:
        tokens = oauth.read_tokens(status, body)
    except (UserError, GrantRefused):
        return
    assert status < 300
    assert tokens.expires_in_s > 0
    assert f"{tokens.access_token}{tokens.refresh_token}".encode("ascii")


# -- a new refresh token, in whatever answer it comes


@pytest.mark.parametrize(
    "received",
    [
        json.dumps(GOOD),
        json.dumps({"refresh_token": "AQ-refresh"}),
        json.dumps({**GOOD, "expires_in": "abc", "scope": 7, "access_token": None}),
        json.dumps({"error": "server_error", "refresh_token": "AQ-refresh"}),
        '{"refresh_token":"AQ-refresh","access_tok',
        '{"access_token": "BQ", "refresh_token" : "AQ-refresh"',
        '<html>{"refresh_token": "AQ-refresh"}',
        '{"refresh_token": "AQ\\u002drefresh", ',
    ],
)
def test_a_new_refresh_token_is_found_whatever_else_is_wrong(received: str) -> None:
    assert oauth.find_refresh_token(received.encode()) == "AQ-refresh"


@pytest.mark.parametrize(
    "received",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"refresh_token": null}',
        '{"refresh_token": ""}',
        '{"refresh_token": 7}',
        '{"refresh_token": ["AQ"]}',
        '{"refresh_token": "AQ\\nHost: x"}',
        '{"refresh_token": "AQ-ref',
        '{"refresh_token": "' + "x" * 4097 + '"}',
        '{"refresh_token": "AQ\\ud800"',
        '"refresh_token": "\\q"',
        '"refresh_token"' + " " * 100_000,
    ],
)
def test_half_a_refresh_token_or_none_is_not_found(received: str) -> None:
    assert oauth.find_refresh_token(received.encode()) is None


# -- the app's own token, and what the consent page says before a login


def test_the_apps_own_token_needs_no_scope() -> None:
    body = json.dumps({"access_token": "BQ-app", "token_type": "Bearer", "expires_in": 3600}).encode()
    assert oauth.app_form() == {"grant_type": "client_credentials"}
    assert oauth.read_app_token(200, body) == oauth.AppToken("BQ-app", 3600)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_client"}', AppRejected),
        (400, b'{"error": "unsupported_grant_type"}', Refused),
        (429, b"Too many requests", TryLater),
        (503, b"", TryLater),
        (200, b"<html>", TryLater),
        (200, b'{"access_token": "BQ\\r\\nX: y"}', TryLater),
    ],
)
def test_without_a_token_of_its_own_it_is_told_why(status: int, body: bytes, error: type[UserError]) -> None:
    with pytest.raises(error):
        oauth.read_app_token(status, body)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b"<p>INVALID_CLIENT: Invalid redirect URI</p>", "Invalid redirect URI"),
        (400, b"INVALID_CLIENT: Insecure redirect URI", "Insecure redirect URI"),
        (400, b"INVALID_CLIENT: Invalid client", "Invalid client"),
        (400, b"Bad request", None),
        (200, b"INVALID_CLIENT: Invalid redirect URI", None),
        (303, b"", None),
        (503, b"INVALID_CLIENT: Invalid client", None),
        (400, b"\xff\x00", None),
    ],
)
def test_the_consent_page_says_what_is_wrong_with_the_app(status: int, body: bytes, said: str | None) -> None:
    assert oauth.read_consent_page(status, body) == said
