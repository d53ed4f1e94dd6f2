"""The stand-in for Discord's login, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from bot.sandbox.discord_login import DiscordLogin
from bot.sandbox.faults import FAULTS

REDIRECT = "https://bot.example/callback/discord"
SECRET = "discord-secret"
WREN, MINA = 100000000000000001, 100000000000000002
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
DENIED = "The resource owner or authorization server denied the request"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Harness:
    """A running login and a client."""

    def __init__(self, login: DiscordLogin, clock: Clock, base: str, http: aiohttp.ClientSession) -> None:
        self.login, self.clock, self.base, self.http = login, clock, base, http

    async def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any, Mapping[str, str]]:
        async with self.http.request(method, self.base + path, allow_redirects=False, **kwargs) as answer:
            text = await answer.text()
            body = json.loads(text) if answer.content_type == "application/json" else text
            return answer.status, body, answer.headers

    def authorize(self, **changes: str | None) -> str:
        query: dict[str, str | None] = {
            "client_id": "app",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "identify",
            "state": "st&te=1",
            "prompt": "none",
            **changes,
        }
        return "/oauth2/authorize?" + urlencode({k: v for k, v in query.items() if v is not None})

    def back(self, headers: Mapping[str, str]) -> dict[str, str]:
        assert headers["Location"].startswith(REDIRECT + "?")
        return dict(parse_qsl(urlsplit(headers["Location"]).query, strict_parsing=True))

    async def decide(self, path: str, **fields: str) -> dict[str, str]:
        status, _, headers = await self.call("POST", path, data=fields)
        assert status == 302
        return self.back(headers)

    async def code(self, user: int = WREN, **changes: str | None) -> str:
        return (await self.decide(self.authorize(**changes), user=str(user)))["code"]

    async def redeem(self, code: str, **changes: str) -> tuple[int, Any]:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **changes}
        headers = {"Authorization": aiohttp.encode_basic_auth("app", SECRET)}
        status, body, _ = await self.call("POST", "/api/v10/oauth2/token", data=fields, headers=headers)
        return status, body

    async def me(self, token: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        status, body, _ = await self.call("GET", "/api/v10/users/@me", headers=headers)
        return status, body


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    clock = Clock()
    login = DiscordLogin(
        client_id="app",
        client_secret=SECRET,
        redirect_uris=[REDIRECT],
        users={WREN: "Wren", MINA: "<Mina>"},
        clock=clock,
    )
    async with login.running() as base, aiohttp.ClientSession() as http:
        yield Harness(login, clock, base, http)


async def test_the_page_says_what_it_is_and_offers_every_member(harness: Harness) -> None:
    status, text, headers = await harness.call("GET", harness.authorize())
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    shown = re.sub(r"<[^>]+>", "", text[text.index("<body>") :])
    assert shown.startswith("A stand-in for Discord, on this machine.")
    assert "Continue as Wren" in shown
    assert "Continue as &lt;Mina&gt;" in shown
    assert re.findall(r'name="user" value="(\d+)"', text) == [str(WREN), str(MINA)]
    assert "<script" not in text


async def test_a_member_who_comes_later_is_offered_too(harness: Harness) -> None:
    harness.login.users[7] = "Tobias"
    assert "Tobias" in (await harness.call("GET", harness.authorize()))[1]


async def test_continuing_gives_a_code_and_the_state_as_it_was(harness: Harness) -> None:
    back = await harness.decide(harness.authorize(), user=str(WREN))
    assert back.keys() == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == ("st&te=1", "https://discord.com")


async def test_cancelling_gives_access_denied(harness: Harness) -> None:
    back = await harness.decide(harness.authorize(), decision="cancel")
    assert back == {
        "error": "access_denied",
        "error_description": DENIED,
        "state": "st&te=1",
        "iss": "https://discord.com",
    }


async def test_nobody_is_remembered(harness: Harness) -> None:
    await harness.code()
    status, _, headers = await harness.call("GET", harness.authorize())
    assert (status, "Set-Cookie" in headers) == (200, False)


async def test_with_an_auto_user_the_browser_goes_straight_back(harness: Harness) -> None:
    harness.login.auto_user = MINA
    status, _, headers = await harness.call("GET", harness.authorize())
    assert status == 302
    _, tokens = await harness.redeem(harness.back(headers)["code"])
    assert (await harness.me(tokens["access_token"]))[1]["id"] == str(MINA)


@pytest.mark.parametrize("auto_user", [None, WREN])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_id": "another"}, "Unknown application"),
        ({"client_id": None}, "Unknown application"),
        ({"redirect_uri": None}, "Invalid OAuth2 redirect_uri"),
        ({"redirect_uri": REDIRECT + "/"}, "Invalid OAuth2 redirect_uri"),
        ({"redirect_uri": "https://evil.example/cb"}, "Invalid OAuth2 redirect_uri"),
        ({"prompt": "sometimes"}, "Invalid prompt"),
    ],
)
async def test_a_wrong_address_is_refused_and_nobody_is_sent_anywhere(
    harness: Harness, method: str, changes: dict[str, str | None], problem: str, auto_user: int | None
) -> None:
    harness.login.auto_user = auto_user
    data = {"user": str(WREN)} if method == "POST" else None
    status, text, headers = await harness.call(method, harness.authorize(**changes), data=data)
    assert (status, problem in text, "Location" in headers) == (400, True, False)


async def test_a_parameter_that_comes_twice_is_refused(harness: Harness) -> None:
    status, text, _ = await harness.call("GET", harness.authorize() + "&state=2")
    assert (status, "Duplicate parameter: state" in text) == (400, True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "identify email"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
async def test_what_is_asked_wrongly_goes_back_as_an_error(
    harness: Harness, changes: dict[str, str | None], error: str
) -> None:
    status, _, headers = await harness.call("GET", harness.authorize(**changes))
    back = harness.back(headers)
    assert (status, back["error"], back["state"]) == (302, error, "st&te=1")


@pytest.mark.parametrize("fields", [{"user": "7"}, {"user": "x"}, {"user": ""}, {"decision": "agree"}])
async def test_only_a_known_member_can_be_chosen(harness: Harness, fields: dict[str, str]) -> None:
    status, _, headers = await harness.call("POST", harness.authorize(), data=fields)
    assert (status, "Location" in headers) == (400, False)


async def test_the_whole_way_tells_who_it_is(harness: Harness) -> None:
    status, tokens = await harness.redeem(await harness.code())
    assert status == 200
    assert tokens.keys() == {"token_type", "access_token", "expires_in", "refresh_token", "scope"}
    assert (tokens["token_type"], tokens["scope"], tokens["expires_in"]) == ("Bearer", "identify", 604_800)
    status, me = await harness.me(tokens["access_token"])
    assert (status, me["id"], me["global_name"], me["username"]) == (200, str(WREN), "Wren", "wren")
    assert (me["discriminator"], me["avatar"]) == ("0", None)


async def test_credentials_may_stand_in_the_form(harness: Harness) -> None:
    fields = {"grant_type": "authorization_code", "code": await harness.code(), "redirect_uri": REDIRECT}
    both = {**fields, "client_id": "app", "client_secret": SECRET}
    status, _, _ = await harness.call("POST", "/api/v10/oauth2/token", data=both)
    assert status == 200


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({}, {}),
        ({}, {"client_id": "app"}),
        ({}, {"client_id": "app", "client_secret": "wrong"}),
        ({"Authorization": aiohttp.encode_basic_auth("app", "wrong")}, {}),
        ({"Authorization": "Basic ???"}, {"client_id": "app", "client_secret": SECRET}),
    ],
)
async def test_wrong_credentials_are_refused(harness: Harness, headers: dict[str, str], fields: dict[str, str]) -> None:
    code = await harness.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **fields}
    status, body, _ = await harness.call("POST", "/api/v10/oauth2/token", data=form, headers=headers)
    assert (status, body) == (401, {"error": "invalid_client"})
    assert (await harness.redeem(code))[0] == 200


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"code": "never"}, ("invalid_grant", 'Invalid "code" in request.')),
        (
            {"redirect_uri": "https://bot.example/other"},
            ("invalid_grant", 'Invalid "redirect_uri" in request.'),
        ),
        ({"grant_type": "password"}, ("unsupported_grant_type", "Grant type password is not supported")),
    ],
)
async def test_a_wrong_exchange_is_refused(harness: Harness, changes: dict[str, str], answer: tuple[str, str]) -> None:
    status, body = await harness.redeem(**{"code": await harness.code(), **changes})
    assert (status, body) == (400, {"error": answer[0], "error_description": answer[1]})


async def test_the_token_endpoint_takes_forms_only(harness: Harness) -> None:
    status, _, _ = await harness.call("POST", "/api/v10/oauth2/token", json={"code": await harness.code()})
    assert status == 415


async def test_a_code_is_good_once(harness: Harness) -> None:
    code = await harness.code()
    answers = await asyncio.gather(*(harness.redeem(code) for _ in range(10)))
    assert sorted(status for status, _ in answers) == [200] + [400] * 9


async def test_a_code_dies_after_ten_minutes(harness: Harness) -> None:
    code = await harness.code()
    harness.clock.now += 600
    assert (await harness.redeem(code))[0] == 400


async def test_a_challenge_must_be_answered(harness: Harness) -> None:
    pkce: dict[str, Any] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert (await harness.redeem(await harness.code(**pkce), code_verifier=VERIFIER))[0] == 200
    assert (await harness.redeem(await harness.code(**pkce), code_verifier="w" * 64))[0] == 400
    assert (await harness.redeem(await harness.code(**pkce)))[0] == 400
    assert VERIFIER in harness.login.secrets


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer never", "Bot never", "Basic YTpi"])
async def test_an_unknown_token_tells_nothing(harness: Harness, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    status, body, _ = await harness.call("GET", "/api/v10/users/@me", headers=headers)
    assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_a_token_ends_after_a_week_or_when_it_is_given_back(harness: Harness) -> None:
    _, first = await harness.redeem(await harness.code())
    _, second = await harness.redeem(await harness.code())
    headers = {"Authorization": aiohttp.encode_basic_auth("app", SECRET)}
    form = {"token": first["access_token"]}
    assert (await harness.call("POST", "/api/v10/oauth2/token/revoke", data=form))[0] == 401
    assert (await harness.call("POST", "/api/v10/oauth2/token/revoke", data=form, headers=headers))[0] == 200
    assert (await harness.me(first["access_token"]))[0] == 401
    assert (await harness.me(second["access_token"]))[0] == 200
    harness.clock.now += 604_800
    assert (await harness.me(second["access_token"]))[0] == 401


async def test_secrets_hold_every_code_and_token(harness: Harness) -> None:
    code = await harness.code()
    _, tokens = await harness.redeem(code)
    assert harness.login.secrets == {code, tokens["access_token"], tokens["refresh_token"]}


async def test_calls_are_written_down_with_the_member(harness: Harness) -> None:
    code = await harness.code()
    _, tokens = await harness.redeem(code)
    await harness.me(tokens["access_token"])
    rows = [(call.method, call.path, call.status, call.account) for call in harness.login.calls]
    assert rows == [
        ("POST", "/oauth2/authorize", 302, None),
        ("POST", "/api/v10/oauth2/token", 200, str(WREN)),
        ("GET", "/api/v10/users/@me", 200, str(WREN)),
    ]
    assert harness.login.max_in_flight == 1
    assert code not in repr(harness.login.calls)


async def test_it_fails_on_demand(harness: Harness) -> None:
    code = await harness.code()
    harness.login.fault(path="/api/v10/oauth2/token", **FAULTS["html"])
    assert (await harness.redeem(code))[0] == 503
    status, tokens = await harness.redeem(code)
    assert status == 200
    harness.login.fault(path="/api/*", status=500, body={"message": "500: Internal Server Error", "code": 0})
    assert (await harness.me(tokens["access_token"]))[0] == 500
    harness.login.fault(path="*", cut=True, times=None)
    with pytest.raises(aiohttp.ClientPayloadError):
        await harness.me(tokens["access_token"])
    harness.login.clear_faults()
    assert (await harness.me(tokens["access_token"]))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v10/users/1", 404), ("GET", "/api/v10/oauth2/token", 405), ("GET", "/", 404)],
)
async def test_unknown_routes_get_json(harness: Harness, method: str, path: str, status: int) -> None:
    got, body, _ = await harness.call(method, path)
    assert (got, body["code"]) == (status, 0)
