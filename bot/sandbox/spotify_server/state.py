"""What the stand-in knows: the apps that are registered, the accounts, and every code and token. Pure."""

from __future__ import annotations

import calendar
import hashlib
import math
import secrets
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from bot.sandbox.catalogue import Album, Catalogue, new_id

Generation = Literal["albums", "library"]

LIBRARY_ONLY: tuple[Generation, ...] = ("library",)
"""What serves an app that is registered today."""

READ = "user-library-read"
MODIFY = "user-library-modify"
CODE_LIFE_S = 600
CONSENT_LIFE_MONTHS = 6
DEVELOPMENT_USERS = 5
"""How many accounts an app in development mode serves."""


@dataclass
class Account:
    """A Spotify account. `id` is how the stand-in calls it, `account_id` is what accounts are linked on."""

    id: str
    account_id: str
    display_name: str | None
    allowlisted: bool = True
    saved: dict[str, datetime] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a page calls it."""
        return self.display_name or self.id

    def newest(self) -> list[tuple[str, datetime]]:
        """What is saved, the newest first."""
        rows = list(self.saved.items())
        rows.reverse()  # of those saved in one moment, the last one comes first
        rows.sort(key=lambda row: row[1], reverse=True)
        return rows


@dataclass(eq=False)
class RegisteredApp:
    """An app as its owner registered it in the dashboard. What Spotify counts and decides per app is kept here.

    `client_secret`: None for an app that uses PKCE alone. `allowlist`: the ids of the accounts that it may serve; None:
    those that are `allowlisted`. `premium`: whether its owner has Premium. `per_30s`, `quota`: calls in any 30 seconds
    and in a day.
    """

    client_id: str
    client_secret: str | None
    redirect_uris: set[str]
    name: str
    generations: set[Generation]
    allowlist: set[str] | None = None
    premium: bool = True
    rotates: bool = True
    quota: int | None = None
    per_30s: int | None = None
    recent: deque[float] = field(default_factory=deque)
    day_began_at: float = -math.inf
    calls_of_day: int = 0

    def serves(self, account: Account) -> bool:
        """Whether the account is on the app's list."""
        return account.allowlisted if self.allowlist is None else account.id in self.allowlist


@dataclass(frozen=True)
class Code:
    """An authorization code. It is good once, for this app, this redirect URI and this challenge."""

    client_id: str
    account: str
    redirect_uri: str
    challenge: str | None
    scope: str
    expires_at: float


@dataclass
class AccessToken:
    """What an access token allows. `account` is None for an app's own token."""

    account: str | None
    scope: str
    expires_at: float
    client_id: str

    def allows(self, scope: str) -> bool:
        """Whether the member agreed to this."""
        return scope in self.scope.split()


@dataclass
class RefreshToken:
    """A refresh token. It ends six months after the consent, however often it was used or replaced."""

    account: str
    scope: str
    consented_at: float
    client_id: str
    revoked: bool = False

    def is_expired(self, now: float) -> bool:
        """Whether the six months are over."""
        return now >= months_later(self.consented_at, CONSENT_LIFE_MONTHS)


def _of_first_app(name: str) -> Any:
    """An attribute of the first app, as one of the state."""
    return property(lambda state: getattr(state.app, name), lambda state, value: setattr(state.app, name, value))


class State:
    """The stand-in's memory. All of it may be looked at and changed while the server runs."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str | None,
        redirect_uris: Collection[str],
        catalogue: Catalogue,
        generations: Collection[Generation],
        clock: Callable[[], float],
        token_life_s: int,
        quota: int | None,
        delete_body_works: bool,
        app_name: str,
        secrets_seen: set[str],
    ) -> None:
        self.app = RegisteredApp(
            client_id,
            client_secret,
            set(redirect_uris),
            app_name,
            set(generations),
            rotates=client_secret is None,
            quota=quota,
        )
        self.apps: dict[str, RegisteredApp] = {client_id: self.app}
        self.catalogue = catalogue
        self.clock = clock
        self.token_life_s = token_life_s
        self.delete_body_works = delete_body_works
        self.base_url = ""
        self.accounts: dict[str, Account] = {}
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.short_links: dict[str, str] = {}
        self.short_link_agents: tuple[str, ...] = ("mozilla/*", "curl/*")
        self._seen = secrets_seen

    # -- apps

    def register_app(
        self,
        client_id: str,
        *,
        redirect_uris: Collection[str],
        allowlist: Collection[str] = (),
        client_secret: str | None = None,
        generations: Collection[Generation] = LIBRARY_ONLY,
        quota: int | None = None,
        name: str = "My own app",
    ) -> RegisteredApp:
        """Another app, as a member registers one: in development mode, so that it serves the library endpoint alone.

        Without a secret it is a public client, whose refresh tokens rotate. At most 5 accounts are on its list.
        """
        if len(set(allowlist)) > DEVELOPMENT_USERS:
            raise ValueError(f"an app in development mode serves {DEVELOPMENT_USERS} accounts")
        app = RegisteredApp(
            client_id,
            client_secret,
            set(redirect_uris),
            name,
            set(generations),
            set(allowlist),
            rotates=client_secret is None,
            quota=quota,
        )
        self.apps[client_id] = app
        return app

    # The first app is the host's; most tests know no other.
    client_id = _of_first_app("client_id")
    client_secret = _of_first_app("client_secret")
    redirect_uris = _of_first_app("redirect_uris")
    generations = _of_first_app("generations")
    quota = _of_first_app("quota")
    app_name = _of_first_app("name")
    premium = _of_first_app("premium")
    rotates = _of_first_app("rotates")

    # -- accounts

    def add_account(
        self,
        id: str,
        *,
        account_id: str | None = None,
        display_name: str | None = None,
        allowlisted: bool = True,
    ) -> Account:
        """A new account. Without `account_id` it gets one that is always the same for this id."""
        account = Account(id, account_id or new_id(f"account:{id}")[-10:], display_name, allowlisted)
        self.accounts[id] = account
        return account

    def save(self, account: Account, album_id: str) -> None:
        """Save an album. One that does not exist is accepted and forgotten, one already there stays."""
        if self.catalogue.album(album_id) is not None and album_id not in account.saved:
            account.saved[album_id] = self.now()

    def shelf(self, account: Account) -> list[tuple[Album, datetime]]:
        """The saved albums, the newest first."""
        rows = ((self.catalogue.album(album_id), added_at) for album_id, added_at in account.newest())
        return [(album, added_at) for album, added_at in rows if album is not None]

    def now(self) -> datetime:
        """The clock as a time in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    # -- codes and tokens

    def remember(self, secret: str) -> str:
        """Note a secret, for those who look whether a log shows it."""
        self._seen.add(secret)
        return secret

    def issue_code(
        self, account: str, redirect_uri: str, challenge: str | None, scope: str, client_id: str | None = None
    ) -> str:
        """A code for this consent, good for ten minutes. `client_id`: the app, the first one unless given."""
        code = self.remember("AQ" + secrets.token_urlsafe(120))
        self.codes[code] = Code(
            client_id or self.app.client_id, account, redirect_uri, challenge, scope, self.clock() + CODE_LIFE_S
        )
        return code

    def issue_access(self, account: str | None, scope: str, client_id: str | None = None) -> str:
        """An access token."""
        token = self.remember("BQ" + secrets.token_urlsafe(120))
        self.access_tokens[token] = AccessToken(
            account, scope, self.clock() + self.token_life_s, client_id or self.app.client_id
        )
        return token

    def issue_refresh(self, account: str, scope: str, consented_at: float, client_id: str | None = None) -> str:
        """A refresh token for a consent given then."""
        token = self.remember("AQ" + secrets.token_urlsafe(96))
        self.refresh_tokens[token] = RefreshToken(account, scope, consented_at, client_id or self.app.client_id)
        return token

    def issue_tokens(
        self, account: str, scope: str = f"{READ} {MODIFY}", client_id: str | None = None
    ) -> tuple[str, str]:
        """An access token and a refresh token as after a consent just now, without the flow."""
        if account not in self.accounts:
            raise KeyError(account)
        return (
            self.issue_access(account, scope, client_id),
            self.issue_refresh(account, scope, self.clock(), client_id),
        )

    def expire_access_tokens(self, account: str | None = None) -> None:
        """Every access token (or every one of this account) has expired."""
        for token in self.access_tokens.values():
            if account in (None, token.account):
                token.expires_at = self.clock()

    def revoke_refresh_token(self, token: str) -> None:
        """This refresh token is answered with `Refresh token revoked` from now on."""
        self.refresh_tokens[token].revoked = True

    def expire_refresh_token(self, token: str) -> None:
        """Its six months are over."""
        self.refresh_tokens[token].consented_at = self.clock() - 190 * 86_400

    def revoke_consent(self, account: str) -> None:
        """The member took the app's access away: all refresh tokens of the account are revoked."""
        for token in self.refresh_tokens.values():
            token.revoked = token.revoked or token.account == account

    def expire_consent(self, account: str) -> None:
        """Six months have passed since this account's consents."""
        for name, token in self.refresh_tokens.items():
            if token.account == account:
                self.expire_refresh_token(name)

    def is_linked(self, account: str) -> bool:
        """Whether a refresh token of this account still works."""
        return any(
            token.account == account and not token.revoked and not token.is_expired(self.clock())
            for token in self.refresh_tokens.values()
        )

    # -- short links

    def short_link(self, target_url: str) -> str:
        """A short link to this address, as a path ("/s/XXXXXXX"); the same code serves as "/XXXXXXX"."""
        code = new_id(f"short:{target_url}")[-7:]
        self.short_links[code] = target_url
        return f"/s/{code}"


def months_later(moment: float, months: int) -> float:
    """The same day a number of months later, or the last day of a shorter month."""
    then = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(then.year * 12 + then.month - 1 + months, 12)
    day = min(then.day, calendar.monthrange(year, month + 1)[1])
    return then.replace(year=year, month=month + 1, day=day).timestamp()


def fingerprint(text: str) -> str:
    """A short stable number for what needs one (barcodes, revisions)."""
    return hashlib.sha256(text.encode()).hexdigest()
