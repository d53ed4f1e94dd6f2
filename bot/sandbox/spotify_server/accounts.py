"""The accounts service of the stand-in: consent, codes and tokens, as strict as the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox import oauth
from bot.sandbox.markup import page
from bot.sandbox.oauth import OAuthError
from bot.sandbox.spotify_server import pages
from bot.sandbox.spotify_server.state import RegisteredApp, State

_SCOPES = (
    "app-remote-control playlist-modify-private playlist-modify-public playlist-read-collaborative "
    "playlist-read-private streaming ugc-image-upload user-follow-modify user-follow-read "
    "user-library-modify user-library-read user-modify-playback-state user-read-currently-playing "
    "user-read-email user-read-playback-position user-read-playback-state user-read-private "
    "user-read-recently-played user-top-read"
)
SCOPES = frozenset(_SCOPES.split(" "))


class RefusedConsent(Exception):
    """The authorize address is wrong: the text that the page shows instead of asking."""


@dataclass(frozen=True)
class Asked:
    """A checked request for consent."""

    app: RegisteredApp
    redirect_uri: str
    scope: str
    state: str | None
    challenge: str | None


class AccountsService:
    """`/authorize` and `/api/token`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """Where it is served."""
        return [
            web.get("/authorize", self._ask, allow_head=False),
            web.post("/authorize", self._decide),
            web.post("/api/token", self._token),
        ]

    # -- consent

    async def _ask(self, request: web.Request) -> web.Response:
        try:
            asked = self._check(request)
        except RefusedConsent as refusal:
            return page(pages.refusal(str(refusal)), 400)
        accounts = [(account, self._state.is_linked(account.id)) for account in self._state.accounts.values()]
        return page(pages.consent(asked.app.name, asked.scope.split(), accounts, asked.redirect_uri))

    async def _decide(self, request: web.Request) -> web.Response:
        """The form posts to the address it was shown at, so everything is checked once more."""
        try:
            asked = self._check(request)
            fields = oauth.form(request.content_type, await request.read())
        except RefusedConsent as refusal:
            return page(pages.refusal(str(refusal)), 400)
        except OAuthError as refusal:
            return page(pages.refusal(refusal.description or refusal.error), refusal.status)
        answer: dict[str, str | None]
        match fields.get("decision"):
            case "cancel":
                answer = {"error": "access_denied"}
            case "agree":
                account = self._state.accounts.get(fields.get("account", ""))
                if account is None:
                    return page(pages.refusal("Unknown account"), 400)
                code = self._state.issue_code(
                    account.id, asked.redirect_uri, asked.challenge, asked.scope, asked.app.client_id
                )
                answer = {"code": code}
            case _:
                return page(pages.refusal("Missing required parameter: decision"), 400)
        target = oauth.with_query(asked.redirect_uri, {**answer, "state": asked.state})
        return web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})

    def _check(self, request: web.Request) -> Asked:
        query = request.query
        if name := oauth.repeated(name for name, _ in query.items()):
            raise RefusedConsent(f"Duplicate parameter: {name}")  # likely
        for name in ("client_id", "response_type", "redirect_uri"):
            if not query.get(name):
                raise RefusedConsent(f"Missing required parameter: {name}")
        app = self._state.apps.get(query["client_id"])
        if app is None:
            raise RefusedConsent("INVALID_CLIENT: Invalid client")
        redirect_uri = query["redirect_uri"]
        if not oauth.is_secure(redirect_uri):
            raise RefusedConsent("INVALID_CLIENT: Insecure redirect URI")
        if not oauth.is_registered(redirect_uri, app.redirect_uris):
            raise RefusedConsent("INVALID_CLIENT: Invalid redirect URI")
        if query["response_type"] != "code":
            raise RefusedConsent("response_type must be code")
        scope = query.get("scope", "")
        if any(part not in SCOPES for part in scope.split(" ") if scope):
            raise RefusedConsent("INVALID_SCOPE: Invalid scope")
        if query.get("show_dialog", "true") not in ("true", "false"):
            raise RefusedConsent("show_dialog must be true or false")  # likely
        return Asked(app, redirect_uri, scope, query.get("state"), self._challenge(app, query))

    def _challenge(self, app: RegisteredApp, query: Mapping[str, str]) -> str | None:
        challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
        if challenge is None and method is None and app.client_secret is not None:
            return None
        if method != "S256":
            raise RefusedConsent("code_challenge_method must be S256")
        if challenge is None or not oauth.is_challenge(challenge):
            raise RefusedConsent("Invalid code_challenge")
        return challenge

    # -- tokens

    async def _token(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store"}
        try:
            answer = await self._grant(request)
        except OAuthError as refusal:
            problem = {"error": refusal.error, "error_description": refusal.description}
            body = {name: value for name, value in problem.items() if value is not None}
            return web.json_response(body, status=refusal.status, headers=headers)
        return web.json_response(answer, headers=headers)

    async def _grant(self, request: web.Request) -> dict[str, object]:
        fields = oauth.form(request.content_type, await request.read())
        if verifier := fields.get("code_verifier"):
            self._state.remember(verifier)
        grant = fields.get("grant_type")
        if not grant:
            raise OAuthError("unsupported_grant_type", "grant_type parameter is missing")
        app = self._identified(request.headers.get("Authorization"), fields)
        match grant:
            case "authorization_code":
                return self._redeem(app, fields)
            case "refresh_token":
                return self._refresh(app, fields)
            case "client_credentials" if app.client_secret is not None:
                return self._tokens(self._state.issue_access(None, "", app.client_id), "")
            case _:
                raise OAuthError(
                    "unsupported_grant_type",
                    "grant_type must be client_credentials, authorization_code or refresh_token",
                )

    def _identified(self, authorization: str | None, fields: Mapping[str, str]) -> RegisteredApp:
        """Which app it is. With a secret: Basic, and nothing else. Without: the client id in the form, and no Basic."""
        basic = oauth.basic(authorization)
        client_id = fields.get("client_id") if basic is None else basic[0]
        app = self._state.apps.get(client_id or "")
        if app is None:
            raise OAuthError("invalid_client", None if authorization is not None else "Invalid client")
        if app.client_secret is not None:
            if basic != (app.client_id, app.client_secret):
                raise OAuthError("invalid_client", "Invalid client" if authorization is None else None)
            if fields.get("client_id", app.client_id) != app.client_id:
                raise OAuthError("invalid_client", "Invalid client")
        elif authorization is not None or fields.get("client_id") != app.client_id:
            raise OAuthError("invalid_client", "Invalid client")
        return app

    def _redeem(self, app: RegisteredApp, fields: Mapping[str, str]) -> dict[str, object]:
        if not fields.get("code"):
            raise OAuthError("invalid_request", "code must be supplied")
        code = self._state.codes.pop(fields["code"], None)  # used up, whatever comes of it
        if code is None or code.client_id != app.client_id:
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if self._state.clock() >= code.expires_at:
            raise OAuthError("invalid_grant", "Authorization code expired")
        if fields.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "Invalid redirect URI")
        if code.challenge is not None:
            verifier = fields.get("code_verifier")
            if not verifier:
                raise OAuthError("invalid_request", "code_verifier must be supplied")
            if not oauth.answers_challenge(verifier, code.challenge):
                raise OAuthError("invalid_grant", "code_verifier was incorrect")
        access, refresh = self._state.issue_tokens(code.account, code.scope, app.client_id)
        return self._tokens(access, code.scope, refresh)

    def _refresh(self, app: RegisteredApp, fields: Mapping[str, str]) -> dict[str, object]:
        name = fields.get("refresh_token")
        if not name:
            raise OAuthError("invalid_request", "refresh_token must be supplied")
        old = self._state.refresh_tokens.get(name)
        if old is None or old.client_id != app.client_id:
            raise OAuthError("invalid_grant", "Invalid refresh token")
        if old.revoked:
            raise OAuthError("invalid_grant", "Refresh token revoked")
        if old.is_expired(self._state.clock()):
            raise OAuthError("invalid_grant", "Refresh token expired")
        access = self._state.issue_access(old.account, old.scope, app.client_id)
        if not app.rotates:
            return self._tokens(access, old.scope)
        old.revoked = True
        refresh = self._state.issue_refresh(old.account, old.scope, old.consented_at, app.client_id)
        return self._tokens(access, old.scope, refresh)

    def _tokens(self, access: str, scope: str, refresh: str | None = None) -> dict[str, object]:
        answer: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self._state.token_life_s,
            "scope": scope,
        }
        if refresh is not None:
            answer["refresh_token"] = refresh
        return answer
