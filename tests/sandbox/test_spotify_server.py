"""The stand-in for Spotify, over real HTTP: it must be as strict as the notes on Spotify say it is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import string
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from bot.sandbox.catalogue import Catalogue, synthetic
from bot.sandbox.faults import FAULTS
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.spotify_server.state import months_later

REDIRECT = "http://127.0.0.1:8080/callback/spotify"
SCOPE = "user-library-read user-library-modify"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SECRET = "the-app's-secret"
CATALOGUE = Catalogue()
ALBUMS = list(CATALOGUE.albums)
SLOW_HARBOUR, ATTIC_WEATHER = "4aawyAB9vmqN3uQ7FjRGTy", "1uyf3l2d4XYwiEqAb7t7fX"
UNKNOWN = "0" * 22
MONTH_S = 30 * 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Harness:
    """A running server, a client, and one linked account."""

    def __init__(self, server: SpotifyServer, clock: Clock, base: str, http: aiohttp.ClientSession) -> None:
        self.server, self.clock, self.base, self.http = server, clock, base, http
        self.account = server.add_account("wren", display_name="Wren")
        self.access, self.refresh = server.issue_tokens("wren")

    async def call(
        self, method: str, path: str, token: str | None = "", **kwargs: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body (JSON where it is JSON) and headers. `token` None: no Authorization header."""
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.access}")
        async with self.http.request(
            method, self.base + path, headers=headers, allow_redirects=False, **kwargs
        ) as answer:
            text = await answer.text()
            body = json.loads(text) if answer.content_type == "application/json" else text
            return answer.status, body, answer.headers

    async def token_call(self, **fields: str) -> tuple[int, Any]:
        secret = self.server.client_secret
        auth = aiohttp.encode_basic_auth("app", secret) if secret else None
        if not secret:
            fields.setdefault("client_id", "app")
        headers = {"Authorization": auth} if auth else {}
        status, body, _ = await self.call("POST", "/api/token", None, data=fields, headers=headers)
        return status, body

    def authorize(self, **changes: str | None) -> str:
        """The authorize path; None takes a parameter out."""
        query: dict[str, str | None] = {
            "client_id": "app",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": "st&te=1",
            "show_dialog": "true",
            "code_challenge_method": "S256",
            "code_challenge": CHALLENGE,
            **changes,
        }
        return "/authorize?" + urlencode({k: v for k, v in query.items() if v is not None})

    async def decide(self, path: str, **fields: str) -> dict[str, str]:
        """What comes back at the callback."""
        status, _, headers = await self.call("POST", path, None, data=fields)
        assert status == 302
        assert headers["Location"].startswith(REDIRECT + "?")
        return dict(parse_qsl(urlsplit(headers["Location"]).query, strict_parsing=True))

    async def code(self, account: str = "wren", **changes: str | None) -> str:
        return (await self.decide(self.authorize(**changes), account=account, decision="agree"))["code"]

    async def redeem(self, code: str, **changes: str) -> tuple[int, Any]:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        return await self.token_call(**{**fields, "code_verifier": VERIFIER, **changes})

    async def refreshed(self, token: str) -> tuple[int, Any]:
        return await self.token_call(grant_type="refresh_token", refresh_token=token)


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[Harness]:
    clock = Clock()
    known: dict[str, Any] = {
        "client_id": "app",
        "client_secret": None,
        "redirect_uris": [REDIRECT],
        "catalogue": CATALOGUE,
        "clock": clock,
    }
    server = SpotifyServer(**{**known, **changes})
    async with server.running() as base, aiohttp.ClientSession() as http:
        yield Harness(server, clock, base, http)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    """A public client (PKCE)."""
    async with opened() as harness:
        yield harness


@pytest.fixture
async def secret_harness() -> AsyncIterator[Harness]:
    """A client with a secret."""
    async with opened(client_secret=SECRET) as harness:
        yield harness


async def until(done: Callable[[], bool]) -> None:
    """Let the server go on until this holds."""
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.001)


def api_error(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"status": status, "message": message}}


def grant_error(description: str, error: str = "invalid_grant") -> tuple[int, Any]:
    return 400, {"error": error, "error_description": description}


# -- the authorize page


async def test_the_consent_page_says_what_it_is_and_asks_in_plain_words(harness: Harness) -> None:
    harness.server.add_account("mina", display_name="<Mina>", allowlisted=False)
    status, text, headers = await harness.call("GET", harness.authorize(), None)
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert headers["Cache-Control"] == "no-store"
    shown = re.sub(r"<[^>]+>", " ", text[text.index("<body>") :])
    assert shown.strip().startswith("A stand-in for Spotify, on this machine.")
    assert "which albums you have saved" in shown
    assert "save albums, and take them out again" in shown
    assert "Wren" in shown
    assert "&lt;Mina&gt;" in shown
    assert "<script" not in text
    assert harness.access not in text


async def test_the_first_account_that_is_not_linked_is_chosen_beforehand(harness: Harness) -> None:
    harness.server.add_account("mina")
    _, text, _ = await harness.call("GET", harness.authorize(), None)
    assert re.findall(r'value="(\w+)" required( checked)?', text) == [("wren", ""), ("mina", " checked")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_id": None}, "Missing required parameter: client_id"),
        ({"client_id": "another"}, "INVALID_CLIENT: Invalid client"),
        ({"response_type": None}, "Missing required parameter: response_type"),
        ({"response_type": "token"}, "response_type must be code"),
        ({"redirect_uri": None}, "Missing required parameter: redirect_uri"),
        ({"redirect_uri": "https://evil.example/cb"}, "INVALID_CLIENT: Invalid redirect URI"),
        ({"redirect_uri": REDIRECT + "/"}, "INVALID_CLIENT: Invalid redirect URI"),
        ({"redirect_uri": REDIRECT.replace("8080", "8081")}, "INVALID_CLIENT: Invalid redirect URI"),
        ({"redirect_uri": "http://localhost:8080/cb"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": "http://bot.example/cb"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": "http://127.0.0.1.evil.example/cb"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": "http://["}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": "gatefold"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"scope": "user-library-read nonsense"}, "INVALID_SCOPE: Invalid scope"),
        ({"scope": "user-library-read,user-library-modify"}, "INVALID_SCOPE: Invalid scope"),
        ({"show_dialog": "yes"}, "show_dialog must be true or false"),
        ({"code_challenge_method": "plain"}, "code_challenge_method must be S256"),
        ({"code_challenge_method": None}, "code_challenge_method must be S256"),
        ({"code_challenge": None}, "Invalid code_challenge"),
        ({"code_challenge": CHALLENGE + "="}, "Invalid code_challenge"),
        ({"code_challenge": None, "code_challenge_method": None}, "code_challenge_method must be S256"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_wrong_authorize_address_is_refused_with_a_page(
    harness: Harness, method: str, changes: dict[str, str | None], problem: str
) -> None:
    fields = {"account": "wren", "decision": "agree"} if method == "POST" else None
    status, text, headers = await harness.call(method, harness.authorize(**changes), None, data=fields)
    assert status == 400
    assert problem in text
    assert "Location" not in headers
    assert not harness.server.codes


async def test_a_parameter_that_comes_twice_is_refused(harness: Harness) -> None:
    status, text, _ = await harness.call("GET", harness.authorize() + "&state=2", None)
    assert (status, "Duplicate parameter: state" in text) == (400, True)


@pytest.mark.parametrize(
    ("registered", "used"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:61999/cb"),
        ("http://[::1]/cb", "http://[::1]:5000/cb"),
        ("https://bot.example/cb", "https://bot.example/cb"),
        ("https://bot.example:8443/cb?x=1", "https://bot.example:8443/cb?x=1"),
    ],
)
async def test_a_good_redirect_uri_is_taken(harness: Harness, registered: str, used: str) -> None:
    harness.server.redirect_uris.add(registered)
    status, _, _ = await harness.call("GET", harness.authorize(redirect_uri=used), None)
    assert status == 200


@pytest.mark.parametrize(
    ("registered", "used"),
    [
        ("http://127.0.0.1:5000/cb", "http://127.0.0.1:5001/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/other"),
        ("http://127.0.0.1/cb", "http://[::1]:5000/cb"),
        ("https://bot.example/cb", "https://bot.example:8443/cb"),
        ("https://bot.example/cb", "https://BOT.example/cb"),
    ],
)
async def test_only_a_loopback_address_without_a_port_stands_for_every_port(
    harness: Harness, registered: str, used: str
) -> None:
    harness.server.redirect_uris.add(registered)
    status, text, _ = await harness.call("GET", harness.authorize(redirect_uri=used), None)
    assert (status, "Invalid redirect URI" in text) == (400, True)


async def test_registering_localhost_does_not_make_it_good(harness: Harness) -> None:
    harness.server.redirect_uris.add("http://localhost:8080/cb")
    status, text, _ = await harness.call("GET", harness.authorize(redirect_uri="http://localhost:8080/cb"), None)
    assert (status, "Insecure redirect URI" in text) == (400, True)


async def test_agreeing_gives_a_code_and_the_state_as_it_was(harness: Harness) -> None:
    back = await harness.decide(harness.authorize(), account="wren", decision="agree")
    assert back.keys() == {"code", "state"}
    assert back["state"] == "st&te=1"
    assert back["code"] in harness.server.secrets


async def test_without_a_state_none_comes_back(harness: Harness) -> None:
    assert (await harness.decide(harness.authorize(state=None), account="wren", decision="agree")).keys() == {"code"}


async def test_cancelling_gives_access_denied(harness: Harness) -> None:
    back = await harness.decide(harness.authorize(), account="wren", decision="cancel")
    assert back == {"error": "access_denied", "state": "st&te=1"}


async def test_the_redirect_uri_keeps_its_own_query(harness: Harness) -> None:
    harness.server.redirect_uris.add("https://bot.example/cb?a=b")
    path = harness.authorize(redirect_uri="https://bot.example/cb?a=b")
    _, _, headers = await harness.call("POST", path, None, data={"account": "wren", "decision": "cancel"})
    assert headers["Location"] == "https://bot.example/cb?a=b&error=access_denied&state=st%26te%3D1"


@pytest.mark.parametrize("fields", [{}, {"decision": "agree"}, {"decision": "agree", "account": "nobody"}])
async def test_a_decision_must_be_whole(harness: Harness, fields: dict[str, str]) -> None:
    status, _, headers = await harness.call("POST", harness.authorize(), None, data=fields)
    assert (status, "Location" in headers) in [(400, False), (415, False)]


# -- codes


async def test_a_public_client_exchanges_its_code(harness: Harness) -> None:
    code = await harness.code()
    status, body = await harness.redeem(code)
    assert status == 200
    assert body.keys() == {"access_token", "token_type", "scope", "expires_in", "refresh_token"}
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", SCOPE, 3600)
    assert {code, VERIFIER, body["access_token"], body["refresh_token"]} <= harness.server.secrets
    status, me, _ = await harness.call("GET", "/v1/me", body["access_token"])
    assert (status, me["id"]) == (200, "wren")


async def test_a_client_with_a_secret_exchanges_its_code(secret_harness: Harness) -> None:
    status, body = await secret_harness.redeem(await secret_harness.code())
    assert (status, "refresh_token" in body) == (200, True)


async def test_a_client_with_a_secret_needs_no_pkce(secret_harness: Harness) -> None:
    code = await secret_harness.code(code_challenge=None, code_challenge_method=None)
    status, _ = await secret_harness.redeem(code)
    assert status == 200


async def test_a_code_is_good_once(harness: Harness) -> None:
    code = await harness.code()
    await harness.redeem(code)
    assert await harness.redeem(code) == grant_error("Invalid authorization code")


async def test_of_many_exchanges_at_once_one_wins(harness: Harness) -> None:
    code = await harness.code()
    statuses = [status for status, _ in await asyncio.gather(*(harness.redeem(code) for _ in range(20)))]
    assert sorted(statuses) == [200] + [400] * 19


async def test_a_code_dies_after_ten_minutes(harness: Harness) -> None:
    early, late = await harness.code(), await harness.code()
    harness.clock.now += 599
    assert (await harness.redeem(early))[0] == 200
    harness.clock.now += 1
    assert await harness.redeem(late) == grant_error("Authorization code expired")


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"code": "AQ-never-issued"}, grant_error("Invalid authorization code")),
        ({"code": ""}, grant_error("code must be supplied", "invalid_request")),
        ({"redirect_uri": "https://bot.example/cb"}, grant_error("Invalid redirect URI")),
        ({"redirect_uri": ""}, grant_error("Invalid redirect URI")),
        ({"code_verifier": "w" * 64}, grant_error("code_verifier was incorrect")),
        ({"code_verifier": "short"}, grant_error("code_verifier was incorrect")),
        ({"code_verifier": ""}, grant_error("code_verifier must be supplied", "invalid_request")),
        ({"client_id": "another"}, grant_error("Invalid client", "invalid_client")),
        ({"client_id": ""}, grant_error("Invalid client", "invalid_client")),
        ({"grant_type": ""}, grant_error("grant_type parameter is missing", "unsupported_grant_type")),
        (
            {"grant_type": "password"},
            grant_error(
                "grant_type must be client_credentials, authorization_code or refresh_token",
                "unsupported_grant_type",
            ),
        ),
    ],
)
async def test_a_wrong_exchange_is_refused(harness: Harness, changes: dict[str, str], answer: object) -> None:
    assert await harness.redeem(**{"code": await harness.code(), **changes}) == answer


async def test_a_failed_exchange_uses_the_code_up(harness: Harness) -> None:
    code = await harness.code()
    await harness.redeem(code, code_verifier="w" * 64)
    assert await harness.redeem(code) == grant_error("Invalid authorization code")


async def test_a_wrong_verifier_is_a_secret_too(harness: Harness) -> None:
    await harness.redeem(await harness.code(), code_verifier="w" * 64)
    assert "w" * 64 in harness.server.secrets


# -- who calls the token endpoint


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("app", "wrong"),
        basic("another", SECRET),
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
    ],
)
@pytest.mark.parametrize("in_form", [{}, {"client_id": "app", "client_secret": SECRET}])
async def test_a_secret_counts_only_as_basic(
    secret_harness: Harness, headers: dict[str, str], in_form: dict[str, str]
) -> None:
    fields = {"grant_type": "refresh_token", "refresh_token": secret_harness.refresh, **in_form}
    status, body, _ = await secret_harness.call("POST", "/api/token", None, data=fields, headers=headers)
    assert (status, body["error"]) == (400, "invalid_client")


async def test_a_public_client_must_not_send_basic(harness: Harness) -> None:
    fields = {"grant_type": "refresh_token", "refresh_token": harness.refresh, "client_id": "app"}
    status, body, _ = await harness.call("POST", "/api/token", None, data=fields, headers=basic("app", ""))
    assert (status, body["error"]) == (400, "invalid_client")


async def test_the_token_endpoint_takes_forms_only(secret_harness: Harness) -> None:
    fields = {"grant_type": "refresh_token", "refresh_token": secret_harness.refresh}
    status, _, _ = await secret_harness.call("POST", "/api/token", None, json=fields, headers=basic("app", SECRET))
    assert status == 415
    status, body, _ = await secret_harness.call(
        "POST",
        "/api/token?" + urlencode(fields),
        None,
        headers={**basic("app", SECRET), "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (status, body) == grant_error("grant_type parameter is missing", "unsupported_grant_type")


async def test_a_field_that_comes_twice_is_refused(harness: Harness) -> None:
    fields = [("grant_type", "refresh_token"), ("refresh_token", harness.refresh), ("refresh_token", "x")]
    status, body, _ = await harness.call("POST", "/api/token", None, data=fields)
    assert (status, body) == grant_error("Duplicate parameter: refresh_token", "invalid_request")


async def test_the_token_endpoint_answers_post_only(harness: Harness) -> None:
    assert (await harness.call("GET", "/api/token", None))[0] == 405


async def test_an_app_can_get_a_token_of_its_own_that_opens_the_catalogue_only(secret_harness: Harness) -> None:
    status, body = await secret_harness.token_call(grant_type="client_credentials")
    assert (status, "refresh_token" in body) == (200, False)
    token = body["access_token"]
    assert (await secret_harness.call("GET", f"/v1/albums/{SLOW_HARBOUR}", token))[0] == 200
    answer = await secret_harness.call("GET", "/v1/me", token)
    assert answer[:2] == api_error(401, "Valid user authentication required")


# -- refreshing


async def test_with_a_secret_a_refresh_omits_the_refresh_token_and_keeps_it(secret_harness: Harness) -> None:
    for _ in range(3):
        status, body = await secret_harness.refreshed(secret_harness.refresh)
        assert status == 200
        assert body.keys() == {"access_token", "token_type", "scope", "expires_in"}
        assert body["access_token"] in secret_harness.server.secrets


async def test_without_a_secret_refresh_tokens_rotate_and_are_single_use(harness: Harness) -> None:
    status, body = await harness.refreshed(harness.refresh)
    assert status == 200
    assert body["refresh_token"] != harness.refresh
    assert body["refresh_token"] in harness.server.secrets
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token revoked")
    assert (await harness.refreshed(body["refresh_token"]))[0] == 200


async def test_of_many_refreshes_at_once_one_wins_where_tokens_rotate(harness: Harness) -> None:
    answers = await asyncio.gather(*(harness.refreshed(harness.refresh) for _ in range(10)))
    assert sorted(status for status, _ in answers) == [200] + [400] * 9


@pytest.mark.parametrize("rotates", [True, False])
async def test_rotation_can_be_turned_on_and_off(harness: Harness, rotates: bool) -> None:
    harness.server.rotates = rotates
    _, body = await harness.refreshed(harness.refresh)
    assert ("refresh_token" in body) == rotates


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        ("AQ-never-issued", grant_error("Invalid refresh token")),
        ("", grant_error("refresh_token must be supplied", "invalid_request")),
    ],
)
async def test_an_unknown_refresh_token_is_refused(harness: Harness, token: str, answer: object) -> None:
    assert await harness.refreshed(token) == answer


async def test_an_access_token_is_no_refresh_token(harness: Harness) -> None:
    assert await harness.refreshed(harness.access) == grant_error("Invalid refresh token")


async def test_refresh_tokens_can_be_revoked(harness: Harness) -> None:
    harness.server.revoke_refresh_token(harness.refresh)
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token revoked")


async def test_a_consent_can_be_revoked_for_one_account_alone(harness: Harness) -> None:
    harness.server.add_account("mina")
    _, other = harness.server.issue_tokens("mina")
    harness.server.revoke_consent("wren")
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token revoked")
    assert (await harness.refreshed(other))[0] == 200
    assert not harness.server.is_linked("wren")


async def test_refresh_tokens_can_be_expired(harness: Harness) -> None:
    harness.server.expire_refresh_token(harness.refresh)
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token expired")


async def test_a_consent_can_be_expired(harness: Harness) -> None:
    harness.server.expire_consent("wren")
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token expired")


async def test_a_refresh_token_dies_six_months_after_consent_however_often_it_was_used(harness: Harness) -> None:
    end = months_later(harness.clock.now, 6)
    token = harness.refresh
    while harness.clock.now + MONTH_S < end:
        harness.clock.now += MONTH_S
        status, body = await harness.refreshed(token)
        assert status == 200
        token = body["refresh_token"]
    harness.clock.now = end
    assert await harness.refreshed(token) == grant_error("Refresh token expired")


async def test_a_refresh_keeps_the_scope(harness: Harness) -> None:
    _, refresh = harness.server.issue_tokens("wren", "user-library-read")
    _, body = await harness.refreshed(refresh)
    assert body["scope"] == "user-library-read"
    answer = await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}", body["access_token"])
    assert answer[:2] == api_error(403, "Insufficient client scope")


# -- access tokens


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer BQ-never-issued"},
        {"Authorization": "Basic YXBwOmFwcA=="},
    ],
)
async def test_a_missing_or_unknown_access_token_is_refused(harness: Harness, headers: dict[str, str]) -> None:
    answer = await harness.call("GET", "/v1/me", None, headers=headers)
    assert answer[:2] == api_error(401, "Missing/invalid/expired access token")


async def test_a_refresh_token_opens_nothing(harness: Harness) -> None:
    assert (await harness.call("GET", "/v1/me", harness.refresh))[0] == 401


async def test_an_access_token_expires_after_its_life(harness: Harness) -> None:
    harness.clock.now += 3599
    assert (await harness.call("GET", "/v1/me"))[0] == 200
    harness.clock.now += 1
    assert (await harness.call("GET", "/v1/me"))[:2] == api_error(401, "The access token expired")


async def test_the_life_of_a_token_can_be_set() -> None:
    async with opened(token_life_s=5) as harness:
        _, body = await harness.refreshed(harness.refresh)
        assert body["expires_in"] == 5
        harness.clock.now += 5
        assert (await harness.call("GET", "/v1/me", body["access_token"]))[0] == 401


async def test_all_access_tokens_can_be_expired_at_once(harness: Harness) -> None:
    harness.server.add_account("mina")
    other, _ = harness.server.issue_tokens("mina")
    harness.server.expire_access_tokens("mina")
    assert (await harness.call("GET", "/v1/me", other))[0] == 401
    assert (await harness.call("GET", "/v1/me"))[0] == 200
    harness.server.expire_access_tokens()
    assert (await harness.call("GET", "/v1/me"))[:2] == api_error(401, "The access token expired")


ROUTES = [
    ("GET", "/v1/me/albums", "user-library-read"),
    ("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}", "user-library-modify"),
    ("DELETE", f"/v1/me/albums?ids={SLOW_HARBOUR}", "user-library-modify"),
    ("GET", f"/v1/me/albums/contains?ids={SLOW_HARBOUR}", "user-library-read"),
    ("PUT", f"/v1/me/library?uris=spotify:album:{SLOW_HARBOUR}", "user-library-modify"),
    ("DELETE", f"/v1/me/library?uris=spotify:album:{SLOW_HARBOUR}", "user-library-modify"),
    ("GET", f"/v1/me/library/contains?uris=spotify:album:{SLOW_HARBOUR}", "user-library-read"),
]
OPEN_ROUTES = ["/v1/me", f"/v1/albums/{SLOW_HARBOUR}", "/v1/search?q=home&type=album"]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_every_route_asks_for_its_scope(harness: Harness, method: str, path: str, scope: str) -> None:
    has, _ = harness.server.issue_tokens("wren", scope)
    assert (await harness.call(method, path, has))[0] == 200
    lacks, _ = harness.server.issue_tokens("wren", SCOPE.replace(scope, "").strip())
    assert (await harness.call(method, path, lacks))[:2] == api_error(403, "Insufficient client scope")
    assert not harness.account.saved or method == "PUT"


@pytest.mark.parametrize("path", OPEN_ROUTES)
async def test_the_catalogue_and_the_profile_need_no_scope(harness: Harness, path: str) -> None:
    token, _ = harness.server.issue_tokens("wren", "")
    assert (await harness.call("GET", path, token))[0] == 200


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in ROUTES] + [("GET", path) for path in OPEN_ROUTES])
async def test_a_member_who_is_not_on_the_allowlist_is_refused_everywhere(
    harness: Harness, method: str, path: str
) -> None:
    harness.account.allowlisted = False
    status, body, _ = await harness.call(method, path)
    assert (status, body) == (403, "User not registered in the Developer Dashboard")
    assert not harness.account.saved


async def test_a_member_who_is_not_on_the_allowlist_completes_oauth(harness: Harness) -> None:
    harness.account.allowlisted = False
    assert (await harness.redeem(await harness.code()))[0] == 200


async def test_without_the_owners_premium_the_web_api_refuses_and_the_token_endpoint_answers(
    harness: Harness,
) -> None:
    harness.server.premium = False
    answer = await harness.call("GET", "/v1/me")
    assert answer[:2] == api_error(403, "Active premium subscription required for the owner of the app")
    assert (await harness.refreshed(harness.refresh))[0] == 200


# -- two generations


@pytest.mark.parametrize(
    ("generation", "path"),
    [("albums", "/v1/me/albums"), ("library", "/v1/me/library")],
)
@pytest.mark.parametrize(("method", "tail"), [("PUT", ""), ("DELETE", ""), ("GET", "/contains")])
async def test_a_closed_generation_answers_a_bare_403(
    harness: Harness, generation: str, path: str, method: str, tail: str
) -> None:
    harness.server.generations -= {generation}
    thing = f"ids={SLOW_HARBOUR}" if generation == "albums" else f"uris=spotify:album:{SLOW_HARBOUR}"
    answer = await harness.call(method, f"{path}{tail}?{thing}")
    assert answer[:2] == api_error(403, "Forbidden")
    assert not harness.account.saved


async def test_listing_stays_open_when_the_albums_generation_is_closed(harness: Harness) -> None:
    harness.server.generations.clear()
    assert (await harness.call("GET", "/v1/me/albums"))[0] == 200


class Form:
    """One way of naming albums in a call. `most`: how many fit."""

    def __init__(self, name: str, path: str, most: int, too_many: str) -> None:
        self.name, self.path, self.most, self.too_many = name, path, most, too_many

    def __repr__(self) -> str:
        return self.name

    async def send(self, harness: Harness, method: str, ids: list[str]) -> tuple[int, Any, Mapping[str, str]]:
        if self.name == "body":
            return await harness.call(method, self.path, json={"ids": ids})
        if self.name == "query":
            return await harness.call(method, f"{self.path}?ids={','.join(ids)}")
        uris = ",".join(f"spotify:album:{id_}" for id_ in ids)
        return await harness.call(method, f"{self.path}?{urlencode({'uris': uris})}")


FORMS = [
    Form("query", "/v1/me/albums", 20, "Too many ids requested"),
    Form("body", "/v1/me/albums", 50, "Too many ids requested"),
    Form("uris", "/v1/me/library", 40, "Too many uris requested"),
]
each_form = pytest.mark.parametrize("form", FORMS, ids=repr)


@each_form
async def test_saving_and_removing_answer_200_and_nothing(harness: Harness, form: Form) -> None:
    for method, saved in (("PUT", True), ("PUT", True), ("DELETE", False), ("DELETE", False)):
        status, body, headers = await form.send(harness, method, [SLOW_HARBOUR, ATTIC_WEATHER])
        assert (status, body, headers["Content-Length"]) == (200, "", "0")
        assert (set(harness.account.saved) == {SLOW_HARBOUR, ATTIC_WEATHER}) == saved


@each_form
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_as_many_as_fit_are_taken_and_one_more_is_not(harness: Harness, form: Form, method: str) -> None:
    status, _, _ = await form.send(harness, method, ALBUMS[: form.most])
    assert status == 200
    assert len(harness.account.saved) == (form.most if method == "PUT" else 0)
    harness.account.saved.clear()
    answer = await form.send(harness, method, ALBUMS[: form.most + 1])
    assert answer[:2] == api_error(400, form.too_many)
    assert not harness.account.saved


@each_form
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("bad", ["short", UNKNOWN + "0", "!" * 22, "ä" * 22, ""])
async def test_one_bad_id_spoils_the_call(harness: Harness, form: Form, method: str, bad: str) -> None:
    answer = await form.send(harness, method, [SLOW_HARBOUR, bad])
    text = "Invalid Spotify URI" if form.name == "uris" else "Invalid base62 id"
    assert answer[:2] == api_error(400, text)
    assert not harness.account.saved


@each_form
async def test_a_well_formed_id_of_no_album_is_accepted_and_saves_nothing(harness: Harness, form: Form) -> None:
    status, body, _ = await form.send(harness, "PUT", [UNKNOWN, SLOW_HARBOUR])
    assert (status, body) == (200, "")
    assert set(harness.account.saved) == {SLOW_HARBOUR}


@each_form
async def test_saving_again_does_not_move_an_album(harness: Harness, form: Form) -> None:
    await form.send(harness, "PUT", [SLOW_HARBOUR])
    before = dict(harness.account.saved)
    harness.clock.now += 60
    await form.send(harness, "PUT", [SLOW_HARBOUR])
    assert harness.account.saved == before


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "Missing required field: ids"),
        ({"json": [SLOW_HARBOUR]}, "Missing required field: ids"),
        ({"json": {"uris": [SLOW_HARBOUR]}}, "Missing required field: ids"),
        ({"json": {"ids": SLOW_HARBOUR}}, "Missing required field: ids"),
        ({"json": {"ids": []}}, "Missing required field: ids"),
        ({"json": {"ids": [1]}}, "Invalid base62 id"),
        ({"json": "ids"}, "Missing required field: ids"),
        ({"data": {"ids": SLOW_HARBOUR}}, "Missing required field: ids"),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, "Error parsing JSON."),
        ({"params": {"ids": ""}}, "Missing required field: ids"),
    ],
)
async def test_a_call_without_ids_is_refused(
    harness: Harness, method: str, kwargs: dict[str, Any], message: str
) -> None:
    answer = await harness.call(method, "/v1/me/albums", **kwargs)
    assert answer[:2] == api_error(400, message)


@pytest.mark.parametrize("body", [{"ids": [ATTIC_WEATHER]}, {"ids": ALBUMS[:51]}, [ATTIC_WEATHER]])
async def test_ids_in_the_query_make_the_body_ignored(harness: Harness, body: Any) -> None:
    status, _, _ = await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}", json=body)
    assert (status, list(harness.account.saved)) == (200, [SLOW_HARBOUR])


async def test_delete_with_a_body_can_fail_as_in_the_wild_while_the_query_works() -> None:
    async with opened(delete_body_works=False) as harness:
        harness.server.save(harness.account, SLOW_HARBOUR)
        answer = await harness.call("DELETE", "/v1/me/albums", json={"ids": [SLOW_HARBOUR]})
        assert answer[0] == 400
        assert harness.account.saved
        assert (await harness.call("DELETE", f"/v1/me/albums?ids={SLOW_HARBOUR}"))[0] == 200
        assert not harness.account.saved
        assert (await harness.call("PUT", "/v1/me/albums", json={"ids": [SLOW_HARBOUR]}))[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "kwargs", [{}, {"json": {"uris": [f"spotify:album:{SLOW_HARBOUR}"]}}, {"params": {"ids": SLOW_HARBOUR}}]
)
async def test_the_library_ignores_bodies_and_wants_uris(harness: Harness, method: str, kwargs: dict[str, Any]) -> None:
    answer = await harness.call(method, "/v1/me/library", **kwargs)
    assert answer[:2] == api_error(400, "Missing required field: uris")


@pytest.mark.parametrize(
    "uri",
    [
        SLOW_HARBOUR,
        f"spotify:albums:{SLOW_HARBOUR}",
        f"spotify:artist:{SLOW_HARBOUR}",
        f"spotify:album:{SLOW_HARBOUR}:x",
        f"Spotify:album:{SLOW_HARBOUR}",
        f"https://open.spotify.com/album/{SLOW_HARBOUR}",
        f" spotify:album:{SLOW_HARBOUR}",
        "spotify:album:",
        "spotify:user:",
    ],
)
async def test_only_uris_of_things_to_save_are_taken(harness: Harness, uri: str) -> None:
    answer = await harness.call("PUT", "/v1/me/library", params={"uris": uri})
    assert answer[:2] == api_error(400, "Invalid Spotify URI")


@pytest.mark.parametrize("kind", ["track", "show", "episode", "audiobook", "playlist", "user"])
async def test_other_things_are_accepted_and_are_no_albums(harness: Harness, kind: str) -> None:
    uri = f"spotify:{kind}:{SLOW_HARBOUR}"
    assert (await harness.call("PUT", "/v1/me/library", params={"uris": uri}))[0] == 200
    assert not harness.account.saved


@pytest.mark.parametrize(("method", "tail"), [("PUT", ""), ("DELETE", ""), ("GET", "/contains")])
@pytest.mark.parametrize("count", [100, 300, 1000])
async def test_a_hundred_uris_are_too_long_an_address(harness: Harness, method: str, tail: str, count: int) -> None:
    uris = ",".join(["spotify:album:" + SLOW_HARBOUR] * count)
    status, body, _ = await harness.call(method, f"/v1/me/library{tail}", params={"uris": uris})
    assert (status, body) == (414, "")
    assert not harness.account.saved


async def test_ninety_nine_uris_are_too_many(harness: Harness) -> None:
    uris = ",".join(["spotify:album:" + SLOW_HARBOUR] * 99)
    answer = await harness.call("PUT", "/v1/me/library", params={"uris": uris})
    assert answer[:2] == api_error(400, "Too many uris requested")


@pytest.mark.parametrize("form", [FORMS[0], FORMS[2]], ids=repr)
async def test_contains_tells_album_by_album(harness: Harness, form: Form) -> None:
    harness.server.save(harness.account, SLOW_HARBOUR)
    contains = Form(form.name, form.path + "/contains", form.most, form.too_many)
    asked = [ATTIC_WEATHER, SLOW_HARBOUR, UNKNOWN, SLOW_HARBOUR]
    assert (await contains.send(harness, "GET", asked))[:2] == (200, [False, True, False, True])
    assert (await contains.send(harness, "GET", ALBUMS[: form.most]))[0] == 200
    answer = await contains.send(harness, "GET", ALBUMS[: form.most + 1])
    assert answer[:2] == api_error(400, form.too_many)
    answer = await contains.send(harness, "GET", ["bad"])
    assert answer[0] == 400


@pytest.mark.parametrize(("path", "field"), [("/v1/me/albums/contains", "ids"), ("/v1/me/library/contains", "uris")])
async def test_contains_wants_its_query(harness: Harness, path: str, field: str) -> None:
    for body in (None, {field: [SLOW_HARBOUR]}):
        answer = await harness.call("GET", path, json=body)
        assert answer[:2] == api_error(400, f"Missing required field: {field}")


async def test_members_have_libraries_of_their_own(harness: Harness) -> None:
    other = harness.server.add_account("mina")
    token, _ = harness.server.issue_tokens("mina")
    await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}", token)
    assert (list(other.saved), list(harness.account.saved)) == ([SLOW_HARBOUR], [])


# -- the catalogue


GONE = {"label", "popularity", "available_markets", "album_group"}


async def test_an_album_has_the_fields_that_are_left(harness: Harness) -> None:
    status, body, _ = await harness.call("GET", f"/v1/albums/{SLOW_HARBOUR}?market=SE")
    assert status == 200
    assert not GONE & body.keys()
    assert body["id"] == SLOW_HARBOUR
    assert body["uri"] == f"spotify:album:{SLOW_HARBOUR}"
    assert body["external_urls"] == {"spotify": f"https://open.spotify.com/album/{SLOW_HARBOUR}"}
    assert (body["name"], body["album_type"], body["type"]) == ("Slow Harbour", "album", "album")
    assert (body["release_date"], body["release_date_precision"]) == ("2011-09-16", "day")
    assert [artist["name"] for artist in body["artists"]] == ["The Lantern Ferry"]
    assert [image["width"] for image in body["images"]] == [640, 300, 64]
    assert body["total_tracks"] == body["tracks"]["total"] == len(body["tracks"]["items"]) == 10
    assert body["tracks"]["items"][0]["name"] == "Tide Table"


async def test_a_track_names_its_album(harness: Harness) -> None:
    track = CATALOGUE.albums[SLOW_HARBOUR].tracks[1]
    status, body, _ = await harness.call("GET", f"/v1/tracks/{track.id}")
    assert (status, body["name"], body["album"]["id"]) == (200, "Lamps Along the Mole", SLOW_HARBOUR)
    assert not GONE & (body.keys() | body["album"].keys())


@pytest.mark.parametrize("kind", ["albums", "tracks"])
async def test_what_does_not_exist_is_a_404_and_what_is_no_id_a_400(harness: Harness, kind: str) -> None:
    assert (await harness.call("GET", f"/v1/{kind}/{UNKNOWN}"))[:2] == api_error(404, "Resource not found")
    assert (await harness.call("GET", f"/v1/{kind}/nope"))[:2] == api_error(400, "Invalid base62 id")


async def test_several_albums_at_once_are_gone(harness: Harness) -> None:
    answer = await harness.call("GET", f"/v1/albums?ids={SLOW_HARBOUR}")
    assert answer[:2] == api_error(403, "Forbidden")


async def test_search_gives_five_unless_told(harness: Harness) -> None:
    status, body, _ = await harness.call("GET", "/v1/search", params={"q": "a", "type": "album"})
    found = body["albums"]
    assert (status, len(found["items"]), found["limit"], found["offset"]) == (200, 5, 5, 0)
    assert found["total"] > 10
    assert found["previous"] is None
    assert not GONE & found["items"][0].keys()
    assert "tracks" not in found["items"][0]


async def test_searches_can_be_followed_page_by_page(harness: Harness) -> None:
    seen: list[str] = []
    path: str | None = "/v1/search?q=a&type=album&limit=10"
    total = 0
    while path:
        _, body, _ = await harness.call("GET", path.removeprefix(harness.base))
        seen += [item["id"] for item in body["albums"]["items"]]
        path, total = body["albums"]["next"], body["albums"]["total"]
    assert len(seen) == len(set(seen)) == total


async def test_search_answers_for_every_type_asked_for(harness: Harness) -> None:
    _, body, _ = await harness.call("GET", "/v1/search", params={"q": "home", "type": "album,track"})
    assert (body["albums"]["total"], body["tracks"]["total"]) == (3, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": None}, "No search query"),
        ({"q": "  "}, "No search query"),
        ({"q": "x" * 251}, "Query exceeds maximum length of 250 characters"),
        ({"q": "海" * 251}, "Query exceeds maximum length of 250 characters"),
        ({"type": None}, "Missing parameter type"),
        ({"type": "record"}, "Bad search type field"),
        ({"limit": "11"}, "Invalid limit"),
        ({"limit": "0"}, "Invalid limit"),
        ({"limit": "ten"}, "Invalid limit"),
        ({"limit": "-1"}, "Invalid limit"),
        ({"offset": "-1"}, "Invalid offset"),
        ({"offset": "1001"}, "Invalid offset"),
        ({"offset": "996"}, "Invalid offset"),
    ],
)
async def test_a_wrong_search_is_refused(harness: Harness, changes: dict[str, str | None], message: str) -> None:
    query = {"q": "home", "type": "album", **changes}
    answer = await harness.call("GET", "/v1/search", params={k: v for k, v in query.items() if v is not None})
    assert answer[:2] == api_error(400, message)


async def test_the_longest_search_and_the_last_page_are_answered(harness: Harness) -> None:
    params = {"q": "海" * 250, "type": "album", "limit": "10", "offset": "990"}
    status, body, _ = await harness.call("GET", "/v1/search", params=params)
    assert (status, body["albums"]["items"]) == (200, [])


# -- the member


async def test_the_profile_has_an_account_id_and_perhaps_a_name(harness: Harness) -> None:
    status, body, _ = await harness.call("GET", "/v1/me")
    assert status == 200
    assert (body["id"], body["display_name"], body["type"]) == ("wren", "Wren", "user")
    assert body["account_id"] == harness.account.account_id != "wren"
    assert not {"email", "country", "product"} & body.keys()
    harness.account.display_name = None
    assert (await harness.call("GET", "/v1/me"))[1]["display_name"] is None


async def test_an_account_id_can_be_given_and_is_else_always_the_same(harness: Harness) -> None:
    assert harness.server.add_account("a", account_id="given").account_id == "given"
    assert harness.server.add_account("b").account_id == harness.server.add_account("b").account_id


async def test_saved_albums_come_newest_first_and_in_pages(harness: Harness) -> None:
    for album_id in ALBUMS[:45]:
        harness.server.save(harness.account, album_id)
        harness.clock.now += 1
    status, body, _ = await harness.call("GET", "/v1/me/albums")
    assert (status, body["limit"], body["offset"], body["total"]) == (200, 20, 0, 45)
    assert [row["album"]["id"] for row in body["items"]] == ALBUMS[44:24:-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["items"][0]["added_at"])
    assert not GONE & body["items"][0]["album"].keys()
    seen = []
    path: str | None = "/v1/me/albums?limit=50"
    while path:
        _, body, _ = await harness.call("GET", path.removeprefix(harness.base))
        seen += [row["album"]["id"] for row in body["items"]]
        path = body["next"]
    assert seen == ALBUMS[44::-1]
    _, body, _ = await harness.call("GET", "/v1/me/albums?limit=20&offset=40")
    assert (len(body["items"]), body["next"], body["previous"] is None) == (5, None, False)


async def test_of_albums_saved_in_one_call_the_last_comes_first(harness: Harness) -> None:
    await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR},{ATTIC_WEATHER}")
    _, body, _ = await harness.call("GET", "/v1/me/albums")
    assert [row["album"]["id"] for row in body["items"]] == [ATTIC_WEATHER, SLOW_HARBOUR]


@pytest.mark.parametrize("query", ["limit=51", "limit=0", "limit=x", "offset=-1"])
async def test_a_page_beyond_the_limits_is_refused(harness: Harness, query: str) -> None:
    answer = await harness.call("GET", f"/v1/me/albums?{query}")
    assert answer[:2] == api_error(400, f"Invalid {query.split('=')[0]}")


async def test_a_thousand_albums_can_be_saved_and_read() -> None:
    albums = synthetic(1000)
    async with opened(catalogue=Catalogue(albums)) as harness:
        for at in range(0, 1000, 40):
            uris = ",".join(f"spotify:album:{album.id}" for album in albums[at : at + 40])
            assert (await harness.call("PUT", "/v1/me/library", params={"uris": uris}))[0] == 200
        assert len(harness.account.saved) == 1000
        _, body, _ = await harness.call("GET", "/v1/me/albums?limit=50&offset=950")
        assert (body["total"], len(body["items"]), body["next"]) == (1000, 50, None)


# -- what does not exist, and what comes twice


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/me/tracks", 404),
        ("POST", "/v1/me", 405),
        ("PUT", "/v1/me/albums/contains", 405),
        ("POST", "/v1/me/library", 405),
        ("PATCH", "/v1/me/albums", 405),
        ("HEAD", "/v1/me", 405),
    ],
)
async def test_unknown_routes_and_methods_get_json(harness: Harness, method: str, path: str, status: int) -> None:
    got, body, headers = await harness.call(method, path) if method != "HEAD" else await _head(harness, path)
    assert got == status
    assert headers["Content-Type"].startswith("application/json")
    if method != "HEAD":
        assert body["error"]["status"] == status


async def _head(harness: Harness, path: str) -> tuple[int, Any, Mapping[str, str]]:
    async with harness.http.head(harness.base + path) as answer:
        return answer.status, None, answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}&ids={ATTIC_WEATHER}"),
        ("PUT", f"/v1/me/library?uris=spotify:album:{SLOW_HARBOUR}&uris=spotify:album:{ATTIC_WEATHER}"),
        ("GET", "/v1/search?q=a&q=b&type=album"),
    ],
)
async def test_a_query_parameter_that_comes_twice_gets_400(harness: Harness, method: str, path: str) -> None:
    status, body, _ = await harness.call(method, path)
    assert (status, body["error"]["status"]) == (400, 400)
    assert not harness.account.saved


# -- limits


async def test_the_rate_limit_is_a_rolling_window_over_all_members(harness: Harness) -> None:
    harness.server.rate_limit(3)
    harness.server.add_account("mina")
    other, _ = harness.server.issue_tokens("mina")
    for token in (harness.access, other, harness.access):
        assert (await harness.call("GET", "/v1/me", token))[0] == 200
        harness.clock.now += 5
    status, body, headers = await harness.call("GET", "/v1/me", other)
    assert (status, body) == api_error(429, "API rate limit exceeded")
    assert headers["Retry-After"] == "15"
    harness.clock.now += 15
    assert (await harness.call("GET", "/v1/me"))[0] == 200
    assert (await harness.call("GET", "/v1/me"))[0] == 429
    harness.server.rate_limit(None)
    assert (await harness.call("GET", "/v1/me"))[0] == 200


async def test_the_rate_limit_spares_the_token_endpoint(harness: Harness) -> None:
    harness.server.rate_limit(0)
    assert (await harness.call("GET", "/v1/me"))[0] == 429
    assert (await harness.refreshed(harness.refresh))[0] == 200


async def test_the_days_quota_ends_for_hours_and_comes_back() -> None:
    async with opened(quota=2) as harness:
        for _ in range(2):
            assert (await harness.call("GET", "/v1/me"))[0] == 200
        harness.clock.now += 600
        harness.access, _ = harness.server.issue_tokens("wren")
        status, body, headers = await harness.call("GET", "/v1/me")
        assert status == 429
        assert body == {"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}}
        assert headers["Retry-After"] == str(86_400 - 600)
        harness.clock.now += 86_400 - 600
        harness.access, _ = harness.server.issue_tokens("wren")
        assert (await harness.call("GET", "/v1/me"))[0] == 200


# -- faults


async def test_every_ready_made_fault_answers_as_it_says(harness: Harness) -> None:
    for name, answer in FAULTS.items():
        if answer.get("cut") or answer.get("hang"):
            continue
        harness.server.fault(path="/v1/me", **answer)
        status, body, headers = await harness.call("GET", "/v1/me")
        assert status == answer["status"], name
        if isinstance(answer["body"], str):
            assert body == answer["body"], name
        else:
            assert body == answer["body"], name
            assert headers["Content-Type"] == "application/json; charset=utf-8"
        for header, value in answer.get("headers", {}).items():
            assert headers[header] == value, name
        assert (await harness.call("GET", "/v1/me"))[0] == 200, name


@pytest.mark.parametrize(
    ("status", "texts"),
    [
        (
            401,
            ["The access token expired", "Missing/invalid/expired access token", "Access token missing"],
        ),
        (
            403,
            [
                "Insufficient client scope",
                "User not registered in the Developer Dashboard",
                "Check settings on developer.spotify.com/dashboard, the user may not be registered.",
                "Active premium subscription required for the owner of the app",
                "Forbidden",
            ],
        ),
        (404, ["Resource not found", "Non existing id: spotify:album:0000000000000000000000"]),
        (429, ["API rate limit exceeded", "Too many requests"]),
        (500, ["Server error."]),
        (502, ["Something went wrong"]),
        (503, ["Service unavailable"]),
    ],
)
def test_there_is_a_ready_made_fault_for_every_row_of_the_error_table(status: int, texts: list[str]) -> None:
    known = set()
    for answer in FAULTS.values():
        body = answer.get("body")
        if answer.get("status") == status and isinstance(body, Mapping):
            error = body["error"]
            known.add(error["message"] if isinstance(error, Mapping) else error)
    assert known >= set(texts)


def test_there_is_a_ready_made_fault_for_every_word_of_the_accounts_service() -> None:
    texts = {json.dumps(answer.get("body")) for answer in FAULTS.values() if answer.get("status") == 400}
    for words in (
        "Refresh token revoked",
        "Refresh token expired",
        "Invalid refresh token",
        "invalid_client",
    ):
        assert any(words in text for text in texts), words


async def test_a_fault_strikes_as_often_as_it_says(harness: Harness) -> None:
    harness.server.fault(path="/v1/me", **FAULTS["server_error"], times=2)
    statuses = [(await harness.call("GET", "/v1/me"))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert len(harness.server.faults) == 0


async def test_a_fault_can_strike_always_until_it_is_cleared(harness: Harness) -> None:
    harness.server.fault(path="*", **FAULTS["unavailable"], times=None)
    assert [(await harness.call("GET", "/v1/me"))[0] for _ in range(5)] == [503] * 5
    assert (await harness.refreshed(harness.refresh))[0] == 503
    harness.server.clear_faults()
    assert (await harness.call("GET", "/v1/me"))[0] == 200


async def test_faults_strike_by_path_and_method(harness: Harness) -> None:
    harness.server.fault(path="/v1/me/*", method="PUT", **FAULTS["server_error"], times=None)
    assert (await harness.call("GET", "/v1/me/albums"))[0] == 200
    assert (await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}"))[0] == 500
    assert (await harness.call("PUT", f"/v1/me/library?uris=spotify:album:{SLOW_HARBOUR}"))[0] == 500
    assert not harness.account.saved


async def test_a_fault_can_be_meant_for_one_account_alone(harness: Harness) -> None:
    harness.server.add_account("other")
    theirs, refresh = harness.server.issue_tokens("other")
    for path in ("/v1/me", "/api/token"):
        harness.server.fault(path=path, account="other", **FAULTS["unavailable"], times=None)
    harness.server.fault(path="/v1/me", **FAULTS["bad_gateway"])
    assert (await harness.call("GET", "/v1/me"))[0] == 502
    assert [(await harness.call("GET", "/v1/me"))[0], (await harness.call("GET", "/v1/me", theirs))[0]] == [200, 503]
    assert [(await harness.refreshed(harness.refresh))[0], (await harness.refreshed(refresh))[0]] == [200, 503]
    harness.server.clear_faults("other")
    assert (await harness.call("GET", "/v1/me", theirs))[0] == 200


async def test_faults_come_in_the_order_in_which_they_were_asked_for(harness: Harness) -> None:
    harness.server.fault(path="/v1/me", **FAULTS["rate_limited"])
    harness.server.fault(path="*", **FAULTS["bad_gateway"])
    assert [(await harness.call("GET", "/v1/me"))[0] for _ in range(3)] == [429, 502, 200]


async def test_a_fault_after_the_work_leaves_the_work_done(harness: Harness) -> None:
    harness.server.fault(path="/v1/me/albums", **FAULTS["server_error_after_work"])
    assert (await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}"))[0] == 500
    assert list(harness.account.saved) == [SLOW_HARBOUR]


async def test_a_refresh_that_is_lost_after_the_work_has_rotated_the_token(harness: Harness) -> None:
    harness.server.fault(path="/api/token", status=503, carried_out=True)
    assert (await harness.refreshed(harness.refresh))[0] == 503
    assert await harness.refreshed(harness.refresh) == grant_error("Refresh token revoked")


@pytest.mark.parametrize(("name", "saved"), [("cut", []), ("cut_after_work", [SLOW_HARBOUR])])
async def test_an_answer_can_be_cut_in_the_middle(harness: Harness, name: str, saved: list[str]) -> None:
    harness.server.fault(path="/v1/me/albums", **FAULTS[name])
    with pytest.raises(aiohttp.ClientPayloadError):
        await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}")
    assert list(harness.account.saved) == saved


async def test_half_of_the_real_answer_comes_when_it_is_cut(harness: Harness) -> None:
    harness.server.fault(path="/v1/me", cut=True, carried_out=True)
    seen = b""
    headers = {"Authorization": f"Bearer {harness.access}"}
    async with harness.http.get(harness.base + "/v1/me", headers=headers) as answer:
        assert answer.status == 200
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async for chunk in answer.content.iter_any():
                seen += chunk
    assert seen.startswith(b'{"account_id"')
    assert len(seen) < (answer.content_length or 0)


@pytest.mark.parametrize(("name", "saved"), [("hang", []), ("hang_after_work", [SLOW_HARBOUR])])
async def test_a_call_can_hang_until_the_caller_gives_up(harness: Harness, name: str, saved: list[str]) -> None:
    harness.server.fault(path="/v1/me/albums", **FAULTS[name])
    with pytest.raises(TimeoutError):
        await harness.call("PUT", f"/v1/me/albums?ids={SLOW_HARBOUR}", timeout=aiohttp.ClientTimeout(total=0.03))
    assert list(harness.account.saved) == saved
    await until(lambda: harness.server.in_flight == 0)
    assert harness.server.calls[-1].path == "/v1/me/albums"


async def test_a_hanging_call_ends_when_the_server_stops() -> None:
    async with aiohttp.ClientSession() as http:
        server = SpotifyServer(client_id="a", client_secret=None, redirect_uris=[], catalogue=CATALOGUE)
        async with server.running() as base:
            server.fault(path="/v1/me", **FAULTS["hang"])
            waiting = asyncio.ensure_future(http.get(base + "/v1/me"))
            await until(lambda: server.in_flight == 1)
            assert server.calls[0].status is None
        with pytest.raises(aiohttp.ClientError):
            await waiting


async def test_a_fault_can_only_delay(harness: Harness) -> None:
    harness.server.fault(path="/v1/me", delay_s=0.02)
    assert (await harness.call("GET", "/v1/me"))[0] == 200
    call = harness.server.calls[-1]
    assert call.ended_at is not None
    assert call.ended_at - call.started_at >= 0.02


# -- what is written down


async def test_calls_tell_all_about_a_call(harness: Harness) -> None:
    await harness.call("PUT", "/v1/me/albums?market=SE", json={"ids": [SLOW_HARBOUR]}, headers={"X-Trace": "7"})
    (call,) = harness.server.calls
    assert (call.method, call.path, call.query) == ("PUT", "/v1/me/albums", (("market", "SE"),))
    assert call.param("market") == "SE"
    assert call.param("ids") is None
    assert call.body == {"ids": [SLOW_HARBOUR]}
    assert call.headers["authorization"] == f"Bearer {harness.access}"
    assert call.headers["x-trace"] == "7"
    assert (call.status, call.account) == (200, "wren")
    assert call.ended_at is not None
    assert call.ended_at >= call.started_at


async def test_calls_to_the_token_endpoint_are_written_down_with_their_form(harness: Harness) -> None:
    code = await harness.code()
    harness.server.calls.clear()
    _, body = await harness.redeem(code)
    await harness.refreshed(body["refresh_token"])
    redeemed, refreshed = harness.server.calls
    assert redeemed.body == {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "client_id": "app",
    }
    assert (redeemed.account, refreshed.account) == ("wren", "wren")


async def test_refused_calls_are_written_down_too(harness: Harness) -> None:
    await harness.call("GET", "/v1/me", "BQ-unknown")
    await harness.call("GET", "/v1/nothing")
    harness.server.fault(path="/v1/me", **FAULTS["server_error"])
    await harness.call("GET", "/v1/me")
    assert [(call.status, call.account) for call in harness.server.calls] == [
        (401, None),
        (404, "wren"),
        (500, "wren"),
    ]


async def test_a_call_shows_no_secret_when_it_is_printed(harness: Harness) -> None:
    await harness.redeem(await harness.code())
    await harness.call("GET", "/v1/me")
    shown = repr(harness.server.calls)
    assert not [secret for secret in harness.server.secrets if secret in shown]


async def test_in_flight_counts_calls_under_way() -> None:
    async with opened(delay_s=0.01) as harness:
        await asyncio.gather(*(harness.call("GET", "/v1/me") for _ in range(8)))
        assert (harness.server.in_flight, harness.server.max_in_flight) == (0, 8)
        assert len(harness.server.calls) == 8


async def test_pages_are_neither_counted_nor_is_the_library_written_down(harness: Harness) -> None:
    await harness.call("GET", "/library", None)
    await harness.call("GET", harness.authorize(), None)
    assert [call.path for call in harness.server.calls] == ["/authorize"]
    assert harness.server.max_in_flight == 0


async def test_secrets_hold_everything_that_was_issued(harness: Harness) -> None:
    code = await harness.code()
    _, body = await harness.redeem(code)
    assert {harness.access, harness.refresh, code, VERIFIER, body["access_token"], body["refresh_token"]} == (
        harness.server.secrets
    )


async def test_secrets_look_as_spotifys_do_and_never_repeat(harness: Harness) -> None:
    tokens = [token for _ in range(20) for token in harness.server.issue_tokens("wren")]
    assert len(set(tokens)) == 40
    allowed = set(string.ascii_letters + string.digits + "-_")
    assert all(set(token) <= allowed and len(token) > 100 for token in tokens)


def test_tokens_are_issued_to_known_accounts_only() -> None:
    server = SpotifyServer(client_id="a", client_secret=None, redirect_uris=[], catalogue=CATALOGUE)
    with pytest.raises(KeyError):
        server.issue_tokens("nobody")


async def test_the_server_can_be_stopped_and_started_on_the_same_port() -> None:
    async with opened() as harness:
        harness.server.save(harness.account, SLOW_HARBOUR)
        port = urlsplit(harness.base).port
        assert port is not None
    async with harness.server.running(port=port) as base, aiohttp.ClientSession() as http:
        assert base == harness.base == harness.server.base_url
        headers = {"Authorization": f"Bearer {harness.access}"}
        async with http.get(base + "/v1/me/albums", headers=headers) as answer:
            assert (await answer.json())["total"] == 1


# -- short links


async def test_a_short_link_on_open_spotify_redirects_everybody(harness: Harness) -> None:
    target = f"https://open.spotify.com/album/{SLOW_HARBOUR}?si=x"
    path = harness.server.short_link(target)
    assert re.fullmatch(r"/s/[0-9A-Za-z]{7}", path)
    for method in ("GET", "HEAD"):
        status, _, headers = await harness.call(method, path, None)
        assert (status, headers["Location"]) == (302, target)


@pytest.mark.parametrize(
    ("method", "agent", "redirected"),
    [
        ("HEAD", "Mozilla/5.0", True),
        ("HEAD", "curl/8.1", True),
        ("HEAD", "Gatefold/0.1", False),
        ("GET", "Mozilla/5.0", False),
        ("GET", "Gatefold/0.1", False),
    ],
)
async def test_spotify_link_redirects_only_head_of_some_agents_and_else_names_its_target_on_a_page(
    harness: Harness, method: str, agent: str, redirected: bool
) -> None:
    target = f"https://open.spotify.com/album/{SLOW_HARBOUR}?si=x&utm=y"
    path = harness.server.short_link(target).removeprefix("/s")
    status, text, headers = await harness.call(method, path, None, headers={"User-Agent": agent})
    if redirected:
        assert (status, headers["Location"]) == (307, target)
    else:
        assert (status, headers["Content-Type"].startswith("text/html")) == (200, True)
        assert method == "HEAD" or f'property="og:url" content="{target.replace("&", "&amp;")}"' in text


async def test_short_links_can_lead_to_short_links(harness: Harness) -> None:
    last = f"https://open.spotify.com/album/{SLOW_HARBOUR}"
    first = harness.server.short_link(harness.base + harness.server.short_link(last))
    async with harness.http.get(harness.base + first, allow_redirects=False) as answer:
        hop = answer.headers["Location"]
    async with harness.http.get(hop, allow_redirects=False) as answer:
        assert answer.headers["Location"] == last


@pytest.mark.parametrize("path", ["/s/unknown", "/unknown", "/"])
async def test_an_unknown_short_link_is_not_found(harness: Harness, path: str) -> None:
    assert (await harness.call("GET", path, None))[0] == 404


# -- the library page


async def test_the_library_page_shows_every_account_newest_first_and_looks_again(harness: Harness) -> None:
    harness.server.add_account("mina", display_name="<b>Mina")
    harness.server.save(harness.account, SLOW_HARBOUR)
    harness.clock.now += 60
    harness.server.save(harness.account, ATTIC_WEATHER)
    status, text, _ = await harness.call("GET", "/library", None)
    assert status == 200
    assert '<meta http-equiv="refresh" content="2">' in text
    assert text.index("Attic Weather") < text.index("Slow Harbour")
    assert "&lt;b&gt;Mina" in text
    assert "2 albums" in text
    assert text.count("just now") == 1
    assert "<script" not in text
    assert "http" not in "".join(re.findall(r'(?:src|href)="([^"]*)"', text))


async def test_the_library_page_serves_its_own_covers(harness: Harness) -> None:
    harness.server.save(harness.account, SLOW_HARBOUR)
    _, text, _ = await harness.call("GET", "/library", None)
    (path,) = re.findall(r'src="([^"]+)"', text)
    async with harness.http.get(harness.base + path) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        png = await answer.read()
    assert CATALOGUE.cover(CATALOGUE.albums[SLOW_HARBOUR].images[0].url) == png
    assert (await harness.call("GET", "/cover/nothing.png", None))[0] == 404


async def test_a_large_library_is_shown_in_part() -> None:
    async with opened(catalogue=Catalogue(synthetic(200))) as harness:
        for album_id in harness.server.catalogue.albums:
            harness.server.save(harness.account, album_id)
        _, text, _ = await harness.call("GET", "/library", None)
        assert text.count("<img") == 60
        assert "and 140 more" in text


async def test_a_whole_link_and_save_goes_through(harness: Harness) -> None:
    mina = harness.server.add_account("mina", display_name=None)
    status, _, headers = await harness.call(
        "POST", harness.authorize(), None, data={"account": "mina", "decision": "agree"}
    )
    assert status == 302
    code = parse_qs(urlsplit(headers["Location"]).query)["code"][0]
    _, tokens = await harness.redeem(code)
    uri = f"spotify:album:{SLOW_HARBOUR}"
    token = tokens["access_token"]
    await harness.call("PUT", "/v1/me/library", token, params={"uris": uri})
    answer = await harness.call("GET", "/v1/me/library/contains", token, params={"uris": uri})
    assert answer[:2] == (200, [True])
    assert list(mina.saved) == [SLOW_HARBOUR]


# -- many apps


OWN, REDIRECT_OF_OWN = "b" * 32, "http://127.0.0.1/own"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@asynccontextmanager
async def two_apps() -> AsyncIterator[tuple[SpotifyServer, aiohttp.ClientSession, str]]:
    """The host's app, and one of a member's own that serves Ada alone."""
    server = SpotifyServer(
        client_id="a" * 32, client_secret="secret", redirect_uris={"http://127.0.0.1/cb"}, catalogue=Catalogue()
    )
    server.register_app(OWN, redirect_uris={REDIRECT_OF_OWN}, allowlist=["ada"])
    for account in ("ada", "ben"):
        server.add_account(account)
    async with server.running() as base, aiohttp.ClientSession() as session:
        yield server, session, base


async def asked(session: aiohttp.ClientSession, base: str, **change: str) -> tuple[int, str]:
    query = {
        "client_id": OWN,
        "response_type": "code",
        "redirect_uri": REDIRECT_OF_OWN,
        "scope": "user-library-read",
        "code_challenge_method": "S256",
        "code_challenge": CHALLENGE,
        **change,
    }
    async with session.get(f"{base}/authorize", params=query) as answer:
        return answer.status, await answer.text()


async def token(session: aiohttp.ClientSession, base: str, **fields: str) -> tuple[int, dict[str, object]]:
    async with session.post(f"{base}/api/token", data=fields) as answer:
        return answer.status, await answer.json()


async def me(session: aiohttp.ClientSession, base: str, access: str) -> int:
    async with session.get(f"{base}/v1/me", headers={"Authorization": f"Bearer {access}"}) as answer:
        return answer.status


async def test_each_app_has_its_own_redirect_uris_and_an_unknown_one_is_refused() -> None:
    async with two_apps() as (_, session, base):
        assert (await asked(session, base))[0] == 200
        for change, text in (
            ({"redirect_uri": "http://127.0.0.1/cb"}, "INVALID_CLIENT: Invalid redirect URI"),
            ({"client_id": "a" * 32}, "INVALID_CLIENT: Invalid redirect URI"),
            ({"client_id": "c" * 32}, "INVALID_CLIENT: Invalid client"),
        ):
            status, page = await asked(session, base, **change)
            assert (status, text in page) == (400, True)


async def test_a_public_app_needs_pkce_while_another_has_a_secret() -> None:
    async with (
        two_apps() as (_, session, base),
        session.get(
            f"{base}/authorize",
            params={"client_id": OWN, "response_type": "code", "redirect_uri": REDIRECT_OF_OWN},
        ) as answer,
    ):
        assert answer.status == 400


async def test_codes_and_refresh_tokens_belong_to_the_app_that_got_them() -> None:
    async with two_apps() as (server, session, base):
        code = server.issue_code("ada", REDIRECT_OF_OWN, CHALLENGE, "user-library-read", OWN)
        fields = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_OF_OWN, "code_verifier": VERIFIER}
        basic = {"Authorization": aiohttp.encode_basic_auth("a" * 32, "secret")}
        async with session.post(f"{base}/api/token", data={**fields, "code": code}, headers=basic) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")
        code = server.issue_code("ada", REDIRECT_OF_OWN, CHALLENGE, "user-library-read", OWN)
        status, tokens = await token(session, base, **fields, code=code, client_id=OWN)
        assert status == 200
        refresh = {"grant_type": "refresh_token", "refresh_token": str(tokens["refresh_token"])}
        async with session.post(f"{base}/api/token", data=refresh, headers=basic) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")
        status, fresh = await token(session, base, **refresh, client_id=OWN)
        assert (status, "refresh_token" in fresh) == (200, True)
        assert (await token(session, base, **refresh, client_id=OWN))[1]["error_description"] == "Refresh token revoked"


async def test_without_a_secret_there_is_no_token_of_the_app_itself() -> None:
    async with two_apps() as (_, session, base):
        status, answer = await token(session, base, grant_type="client_credentials", client_id=OWN)
        assert (status, answer["error"]) == (400, "unsupported_grant_type")


async def test_each_app_has_its_own_list_quota_limit_and_premium() -> None:
    async with two_apps() as (server, session, base):
        hosts = {account: server.issue_tokens(account)[0] for account in ("ada", "ben")}
        own = {account: server.issue_tokens(account, client_id=OWN)[0] for account in ("ada", "ben")}
        assert [await me(session, base, own[account]) for account in ("ada", "ben")] == [200, 403]
        assert [await me(session, base, hosts[account]) for account in ("ada", "ben")] == [200, 200]
        server.apps[OWN].quota = 0
        assert [await me(session, base, tokens["ada"]) for tokens in (own, hosts)] == [429, 200]
        server.apps[OWN].quota, server.apps[OWN].per_30s = None, 0
        assert [await me(session, base, tokens["ada"]) for tokens in (own, hosts)] == [429, 200]
        server.apps[OWN].per_30s, server.apps[OWN].premium = None, False
        assert [await me(session, base, tokens["ada"]) for tokens in (own, hosts)] == [403, 200]
        server.apps[OWN].premium, server.app.quota = True, 0
        assert [await me(session, base, tokens["ada"]) for tokens in (own, hosts)] == [200, 429]


async def test_an_app_of_today_is_served_by_the_library_endpoint_alone() -> None:
    async with two_apps() as (server, session, base):
        headers = {"Authorization": f"Bearer {server.issue_tokens('ada', client_id=OWN)[0]}"}
        for path, status in (
            ("albums/contains?ids=" + "a" * 22, 403),
            ("library/contains?uris=spotify:album:" + "a" * 22, 200),
        ):
            async with session.get(f"{base}/v1/me/{path}", headers=headers) as answer:
                assert answer.status == status


def test_an_app_in_development_mode_has_five_users_at_most() -> None:
    server = SpotifyServer(client_id="a" * 32, client_secret=None, redirect_uris=[], catalogue=Catalogue())
    with pytest.raises(ValueError, match="5 accounts"):
        server.register_app(OWN, redirect_uris=[], allowlist=[f"member {number}" for number in range(6)])


# -- oEmbed


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://open.spotify.com/album/4aawyAB9vmqN3uQ7FjRGTy", 200),
        ("https://open.spotify.com/album/4aawyAB9vmqN3uQ7FjRGTy?si=1", 200),
        ("https://open.spotify.com/album/" + "0" * 22, 404),
        ("https://evil.example/album/4aawyAB9vmqN3uQ7FjRGTy", 404),
        ("", 404),
    ],
)
async def test_oembed_gives_title_and_cover_to_everybody(url: str, status: int) -> None:
    async with two_apps() as (server, session, base), session.get(f"{base}/oembed", params={"url": url}) as answer:
        assert answer.status == status
        if status == 200:
            known = server.catalogue.albums["4aawyAB9vmqN3uQ7FjRGTy"]
            body = await answer.json()
            assert (body["title"], body["thumbnail_width"]) == (known.title, 300)
            assert body["thumbnail_url"] in {image.url for image in known.images}
            assert not {"author_name", "artists"} & body.keys()
