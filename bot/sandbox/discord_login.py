"""A stand-in for the small part of Discord's OAuth that linking uses: who is it that sits at this browser?

Only the `identify` scope, authorization codes, and `GET /users/@me`. Errors are written as Discord does.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox import oauth
from bot.sandbox.markup import document, escape, page
from bot.sandbox.oauth import OAuthError
from bot.sandbox.standin import StandIn

CODE_LIFE_S = 600
TOKEN_LIFE_S = 604_800
ISSUER = "https://discord.com"

_AUTHORIZE = "/oauth2/authorize"
_API = "/api/v10"
_DENIED = "The resource owner or authorization server denied the request"

_STYLE = """
:root { --blurple: #4752c4; --ground: #e8e9f3; --card: #fff; --text: #1e1f27; --quiet: #55586a;
  --line: #d7d9e4; --hover: #eef0fb; }
@media (prefers-color-scheme: dark) { :root { --ground: #1a1b22; --card: #2b2d36; --text: #f3f4f8;
  --quiet: #b7bac8; --line: #40424f; --hover: #353846; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); line-height: 1.5; color-scheme: light dark;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.note { background: #3b2f00; color: #ffe28a; text-align: center; padding: .6rem 1rem; font-size: .9375rem; }
main { width: min(27rem, 100% - 2rem); margin: clamp(1rem, 7vh, 5rem) auto 2rem; background: var(--card);
  border-radius: .75rem; overflow: hidden; box-shadow: 0 .5rem 2rem rgb(0 0 0 / .18); }
header { background: var(--blurple); color: #fff; padding: 1.5rem; text-align: center; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0; }
header p { margin: .25rem 0 0; }
.body { padding: 1.25rem 1.5rem 1.5rem; }
.body p { margin: 0 0 1rem; }
.quiet { color: var(--quiet); font-size: .9375rem; }
ul { margin: 0 0 1.25rem; padding: .75rem 0; list-style: none; border-block: 1px solid var(--line); }
form { display: grid; gap: .6rem; }
button { font: inherit; font-weight: 600; padding: .7rem 1rem; border-radius: .5rem; cursor: pointer;
  text-align: left; background: var(--card); color: inherit; border: 1px solid var(--line);
  overflow-wrap: anywhere; }
button:hover { background: var(--hover); }
:focus-visible { outline: 3px solid var(--blurple); outline-offset: 2px; }
button b { color: inherit; }
.cancel { text-align: center; font-weight: 500; border-color: transparent; }
"""
_NOTE = '<div class="note" role="note"><b>A stand-in for Discord, on this machine.</b> {}</div>'


@dataclass(frozen=True)
class _Code:
    user: int
    redirect_uri: str
    challenge: str | None
    expires_at: float


@dataclass(frozen=True)
class _Token:
    user: int
    expires_at: float


class DiscordLogin(StandIn):
    """Discord's login on this machine. `users` may be changed at any time.

    Point `discord_authorize_url` at `{base}/oauth2/authorize`, the API's address at `{base}/api/v10`. A
    person is chosen by posting `user=<id>` (or `decision=cancel`) to the authorize address. With
    `auto_user` nobody is asked: the browser goes straight back as that user.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        redirect_uris: Collection[str],
        users: Mapping[int, str] | None = None,
        clock: Callable[[], float] = time.time,
        auto_user: int | None = None,
        delay_s: float = 0.0,
        app_name: str = "Gatefold",
    ) -> None:
        super().__init__(delay_s=delay_s)
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uris = set(redirect_uris)
        self.users: dict[int, str] = dict(users or {})
        self.clock = clock
        self.auto_user = auto_user
        self.app_name = app_name
        self.files: dict[str, bytes] = {}
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything that it serves."""
        return [
            web.get(_AUTHORIZE, self._ask, allow_head=False),
            web.post(_AUTHORIZE, self._decide),
            web.post(f"{_API}/oauth2/token", self._token),
            web.post(f"{_API}/oauth2/token/revoke", self._revoke),
            web.get(f"{_API}/users/@me", self._me, allow_head=False),
            web.get("/attachments/{tail:.*}", self._file),
        ]

    def is_counted(self, path: str) -> bool:
        """What the bot itself calls."""
        return path.startswith("/api/")

    def caller(self, request: web.Request, body: object) -> str | None:
        """The user's id, by the bearer token or the code."""
        token = self._tokens.get(_bearer(request))
        if token is not None:
            return str(token.user)
        code = self._codes.get(str(body.get("code"))) if isinstance(body, dict) else None
        return None if code is None else str(code.user)

    def unrouted(self, request: web.Request, refusal: web.HTTPException) -> web.StreamResponse:
        """Discord's shape for what does not exist."""
        return _problem(refusal.status, f"{refusal.status}: {refusal.reason}")

    # -- consent

    async def _ask(self, request: web.Request) -> web.Response:
        if (wrong := self._wrong(request)) is not None:
            return wrong
        if self.auto_user is not None:
            return self._agreed(request, self.auto_user)
        buttons = "".join(
            f'<button name="user" value="{user}">Continue as <b>{escape(name)}</b></button>'
            for user, name in self.users.items()
        )
        name = escape(self.app_name)
        body = (
            _NOTE.format("No real account is used.")
            + f"<main><header><h1>{name}</h1><p>wants to know who you are</p></header>"
            + f'<div class="body"><p>This lets {name}:</p>'
            + "<ul><li>See your user name and your picture</li></ul>"
            + f'<form method="post">{buttons or "<p>There is no member yet.</p>"}'
            + '<button class="cancel" name="decision" value="cancel">Cancel</button></form></div></main>'
        )
        return page(document(f"{self.app_name} wants to know who you are", _STYLE, body))

    async def _decide(self, request: web.Request) -> web.Response:
        """The form posts to the address it was shown at, so everything is checked once more."""
        if (wrong := self._wrong(request)) is not None:
            return wrong
        try:
            fields = oauth.form(request.content_type, await request.read())
        except OAuthError as refusal:
            return _refused(refusal.description or refusal.error)
        if fields.get("decision") == "cancel":
            return _back(request, {"error": "access_denied", "error_description": _DENIED})
        chosen = fields.get("user", "")
        if not chosen.isdecimal() or int(chosen) not in self.users:
            return _refused("Unknown user")
        return self._agreed(request, int(chosen))

    def _agreed(self, request: web.Request, user: int) -> web.Response:
        code = self._secret()
        redirect_uri, challenge = request.query["redirect_uri"], request.query.get("code_challenge")
        self._codes[code] = _Code(user, redirect_uri, challenge, self.clock() + CODE_LIFE_S)
        return _back(request, {"code": code})

    def _wrong(self, request: web.Request) -> web.Response | None:
        """The answer to a wrong authorize address, or None. Nobody is sent to an unknown address."""
        query = request.query
        if name := oauth.repeated(name for name, _ in query.items()):
            return _refused(f"Duplicate parameter: {name}")
        if query.get("client_id") != self.client_id:
            return _refused("Unknown application")
        if query.get("redirect_uri") not in self.redirect_uris:
            return _refused("Invalid OAuth2 redirect_uri")
        if query.get("response_type") != "code":
            return _back(request, {"error": "unsupported_response_type"})
        if query.get("scope") != "identify":
            return _back(request, {"error": "invalid_scope"})
        if query.get("prompt", "consent") not in ("consent", "none"):
            return _refused("Invalid prompt")
        if "code_challenge" in query and (
            query.get("code_challenge_method") != "S256" or not oauth.is_challenge(query["code_challenge"])
        ):
            return _back(request, {"error": "invalid_request", "error_description": "Invalid code_challenge"})
        return None

    # -- tokens

    async def _token(self, request: web.Request) -> web.Response:
        try:
            fields = oauth.form(request.content_type, await request.read())
            self._identify(request, fields)
            return web.json_response(self._redeem(fields), headers={"Cache-Control": "no-store"})
        except OAuthError as refusal:
            problem = {"error": refusal.error, "error_description": refusal.description}
            body = {name: value for name, value in problem.items() if value is not None}
            return web.json_response(body, status=refusal.status)

    async def _revoke(self, request: web.Request) -> web.Response:
        try:
            fields = oauth.form(request.content_type, await request.read())
            self._identify(request, fields)
        except OAuthError as refusal:
            return web.json_response({"error": refusal.error}, status=refusal.status)
        self._tokens.pop(fields.get("token", ""), None)
        return web.json_response({})

    def _identify(self, request: web.Request, fields: Mapping[str, str]) -> None:
        if (header := request.headers.get("Authorization")) is not None:
            given = oauth.basic(header)
        else:
            given = fields.get("client_id", ""), fields.get("client_secret", "")
        if given != (self.client_id, self.client_secret):
            raise OAuthError("invalid_client", status=401)

    def _redeem(self, fields: Mapping[str, str]) -> dict[str, object]:
        if verifier := fields.get("code_verifier"):
            self.secrets.add(verifier)
        if (grant := fields.get("grant_type")) != "authorization_code":
            raise OAuthError("unsupported_grant_type", f"Grant type {grant} is not supported")
        code = self._codes.pop(fields.get("code", ""), None)  # used up, whatever comes of it
        if code is None or self.clock() >= code.expires_at:
            raise OAuthError("invalid_grant", 'Invalid "code" in request.')
        if fields.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", 'Invalid "redirect_uri" in request.')
        if code.challenge is not None and not oauth.answers_challenge(verifier or "", code.challenge):
            raise OAuthError("invalid_grant", 'Invalid "code_verifier" in request.')
        token = self._secret()
        self._tokens[token] = _Token(code.user, self.clock() + TOKEN_LIFE_S)
        return {
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": TOKEN_LIFE_S,
            "refresh_token": self._secret(),
            "scope": "identify",
        }

    def _secret(self) -> str:
        secret = secrets.token_urlsafe(24)
        self.secrets.add(secret)
        return secret

    # -- files

    async def _file(self, request: web.Request) -> web.Response:
        """A file that somebody attached to a command, as Discord's file host gives it."""
        data = self.files.get(f"{self.base_url}{request.path}")
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data, content_type="application/octet-stream")

    # -- who it is

    async def _me(self, request: web.Request) -> web.Response:
        token = self._tokens.get(_bearer(request))
        if token is None or self.clock() >= token.expires_at or token.user not in self.users:
            return _problem(401, "401: Unauthorized")
        name = self.users[token.user]
        return web.json_response(
            {
                "id": str(token.user),
                "username": "".join(c for c in name.lower() if c.isalnum()) or "member",
                "discriminator": "0",
                "global_name": name,
                "avatar": None,
                "public_flags": 0,
                "flags": 0,
                "mfa_enabled": False,
                "locale": "en-US",
            }
        )


def _bearer(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value if kind.lower() == "bearer" else ""


def _back(request: web.Request, values: Mapping[str, str]) -> web.Response:
    # Since October 2026 the redirect names who sends it: https://www.rfc-editor.org/rfc/rfc9207
    answer = {**values, "state": request.query.get("state"), "iss": ISSUER}
    target = oauth.with_query(request.query["redirect_uri"], answer)
    return web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "code": 0}, status=status)


def _refused(text: str) -> web.Response:
    body = (
        _NOTE.format("")
        + "<main><header><h1>This request is wrong</h1></header>"
        + f'<div class="body"><p class="quiet">{escape(text)}</p></div></main>'
    )
    return page(document(text, _STYLE, body), 400)
