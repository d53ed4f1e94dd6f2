"""Linking a member's Spotify account, and unlinking it.

The flow proves three things in one browser: that it opened the link, that it is logged in at Discord as the
member who asked (`discord_login.py`), and that it consented at Spotify. See docs/decisions/0003.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import structlog

from bot import logs
from bot.accounts.apps import Apps
from bot.accounts.tokens import Tokens
from bot.caller import Caller, MemberId
from bot.errors import (
    AppRejected,
    DiscordUnavailable,
    GrantRefused,
    InternalError,
    LinkDeclined,
    LinkExpired,
    Restarting,
    StorageUnavailable,
    TryLater,
    UserError,
    WrongBrowser,
    WrongDiscordAccount,
)
from bot.settings import Settings
from bot.spotify import oauth
from bot.spotify.app import Access, App, FixedToken
from bot.spotify.client import Spotify
from bot.storage import Storage
from bot.storage.attempts import Attempt, OAuthState
from bot.storage.links import Link

_log = structlog.get_logger("gatefold.linking")
_COOKIE = _STATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
DISCORD, SPOTIFY = "discord", "spotify"


@dataclass(frozen=True, slots=True)
class Linked:
    """A link was made. `before`: the link that it renewed or replaced."""

    link: Link
    before: Link | None
    discord_name: str


@dataclass(frozen=True, slots=True, repr=False)
class LinkNews:
    """What the member's private message is to say now. `interaction_token` None: it cannot be edited.

    `locale`: the member's, from the interaction that asked for the link.
    """

    member: MemberId
    interaction_token: str | None
    news: Linked | UserError
    locale: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Redirect:
    """Where the browser goes, and the cookie that it is to keep. No repr: both are secrets."""

    url: str
    cookie: str


class Linking:
    """The way through the browser to a link, and its end."""

    def __init__(
        self,
        storage: Storage,
        spotify: Spotify,
        apps: Apps,
        tokens: Tokens,
        settings: Settings,
        *,
        on_linked: Callable[[MemberId], None],
        on_unlinked: Callable[[MemberId], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_linked`: what waits can be carried out now. `on_unlinked`: what is known of the member is forgotten."""
        self._storage = storage
        self._spotify = spotify
        self._apps = apps
        self._tokens = tokens
        self._settings = settings
        self._now = now
        self._on_linked = on_linked
        self._on_unlinked = on_unlinked
        self._finishing: dict[asyncio.Task[Linked], MemberId] = {}
        self._unlinks = 0
        self.is_stopping = False
        # From app.py, until the outbox carries this news.
        self.tell: Callable[[LinkNews], Awaitable[None]]

    # -- the flow

    async def start_link(self, caller: Caller) -> str:
        """A short address of ours that begins the flow; good for 10 minutes, for this member alone."""
        link_id = secrets.token_urlsafe(24)
        await self._storage.attempts.begin(_hash(link_id), caller, self._seconds())
        return f"{self._settings.public_url}/link/{link_id}"

    async def open_link(self, link_id: str, cookie: str | None) -> Redirect:
        """Somebody opened a link: on to Discord, to say who they are. LinkExpired if there is no such link."""
        self._check_open()
        if not _LINK_ID.fullmatch(link_id):
            raise LinkExpired
        attempt = await self._storage.attempts.get(_hash(link_id), self._seconds())
        if attempt is None:
            raise LinkExpired
        # One value a browser, so that a link that was opened twice can be finished in either tab.
        if cookie is None or not _COOKIE.fullmatch(cookie):
            cookie = secrets.token_urlsafe(32)
        state = await self._add_state(attempt.id_hash, cookie, DISCORD)
        query = {
            "client_id": self._settings.discord_client_id,
            "response_type": "code",
            "redirect_uri": self._settings.redirect_to_discord,
            "scope": "identify",
            "state": state,
        }
        if await self._storage.links.get(attempt.member_id) is not None:
            query["prompt"] = "none"  # no second question for those who agreed before
        return Redirect(f"{self._settings.discord_authorize_url}?{urlencode(query)}", cookie)

    async def take_state(self, provider: str, state: str | None, cookie: str | None) -> OAuthState:
        """A browser came back from `provider`: use its state up, and see that it is the same browser.

        LinkExpired: the state is unknown, used, too old, or was made for the other provider.
        WrongBrowser: the cookie is missing or another one; the state is burnt all the same.
        """
        self._check_open()
        if state is None or not _STATE.fullmatch(state):
            raise LinkExpired
        oauth_state = await self._storage.attempts.take_state(_hash(state), self._seconds())
        if oauth_state is None or oauth_state.provider != provider:
            raise LinkExpired
        is_ours = cookie is not None and _COOKIE.fullmatch(cookie) is not None
        if cookie is None or not is_ours or not hmac.compare_digest(_hash(cookie), oauth_state.cookie_hash):
            raise WrongBrowser
        return oauth_state

    async def verify_discord_account(
        self, oauth_state: OAuthState, member_id: int, discord_name: str, cookie: str
    ) -> str:
        """The browser is `member_id`'s: the address of Spotify's consent page.

        WrongDiscordAccount when the link belongs to somebody else; its owner is told, once a link.
        """
        attempt = await self._storage.attempts.get(oauth_state.attempt_hash, self._seconds())
        if attempt is None:
            raise LinkExpired
        if attempt.member_id != member_id:
            error = WrongDiscordAccount()
            if await self._storage.attempts.warn_once(attempt.id_hash):
                await self._tell(attempt, error)
            raise error
        state = await self._add_state(attempt.id_hash, cookie, SPOTIFY, discord_name)
        return oauth.authorize_url(
            self._settings.spotify_accounts_url,
            client_id=self._app().client_id,
            redirect_uri=self._settings.redirect_to_spotify,
            state=state,
            code_challenge=oauth.challenge(_verifier(cookie, state)),
        )

    async def sweep(self) -> None:
        """Delete the links that nobody finished in time."""
        try:
            await self._storage.attempts.clear(self._seconds())
        except StorageUnavailable as error:
            _log.warning("old link attempts cannot be deleted", error=str(error))

    async def decline(self, oauth_state: OAuthState, error_code: str) -> UserError:
        """The person came back from `oauth_state.provider` without a code: why, as `error=` has it. The member is told.

        At Spotify it is the member who says no, which uses the link up. At Discord it may be anybody who has the
        link, so that it lives on, and its owner is told once of a no, and not of trouble.
        """
        error = _without_code(oauth_state.provider, error_code)
        attempts = self._storage.attempts
        if oauth_state.provider == SPOTIFY:
            attempt = await attempts.take(oauth_state.attempt_hash, self._seconds())
        elif isinstance(error, LinkDeclined) and await attempts.warn_once(oauth_state.attempt_hash):
            attempt = await attempts.get(oauth_state.attempt_hash, self._seconds())
        else:
            attempt = None
        if attempt is not None:
            await self._tell(attempt, error)
        return error

    async def finish_link(self, oauth_state: OAuthState, code: str, state: str, cookie: str) -> Linked:
        """The person agreed at Spotify: use the link up, exchange the code, look whose it is, store.

        Whatever goes wrong is told in the member's private message as well as raised.
        """
        unlinks = self._unlinks
        attempt = await self._storage.attempts.take(oauth_state.attempt_hash, self._seconds())
        if attempt is None or unlinks != self._unlinks:  # whoever unlinked meanwhile had nothing to cancel yet
            raise LinkExpired
        # A code can be exchanged once: a task of its own, so that a stop waits for it, and tells the member if it
        # can't wait longer.
        task = asyncio.create_task(self._finish(attempt, oauth_state, code, _verifier(cookie, state)))
        self._finishing[task] = MemberId(attempt.member_id)
        task.add_done_callback(self._finishing.pop)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise self._cut_short() from None
            raise

    async def _finish(self, attempt: Attempt, oauth_state: OAuthState, code: str, verifier: str) -> Linked:
        member = MemberId(attempt.member_id)
        try:
            link, before = await self._exchange(member, code, verifier)
        except UserError as error:
            await self._tell(attempt, error)
            raise
        except asyncio.CancelledError:
            await self._tell(attempt, self._cut_short())
            raise
        except Exception:
            broken = InternalError(logs.reference())
            _log.exception("linking broke", member=member, request=broken.reference)
            await self._tell(attempt, broken)
            raise broken from None
        linked = Linked(link, before, oauth_state.discord_name or "")
        _log.info("linked", member=member, renewed=before is not None)
        await self._tell(attempt, linked)
        self._on_linked(member)
        return linked

    def _cut_short(self) -> UserError:
        """Why a link that was being made is not: the process stops, or its member unlinked meanwhile."""
        return Restarting() if self.is_stopping else LinkExpired()

    async def _exchange(self, member: MemberId, code: str, verifier: str) -> tuple[Link, Link | None]:
        app = self._app()
        try:
            tokens = await self._spotify.exchange(app, code, self._settings.redirect_to_spotify, verifier)
        except GrantRefused:
            raise LinkExpired from None
        if tokens.refresh_token is None:
            raise TryLater(TryLater.Cause.UNAVAILABLE)
        # Also the first call that a member who is not on the app's list is refused.
        profile = await self._spotify.profile(Access(app, FixedToken(tokens.access_token)))
        now = self._now()
        link = Link(member, app.client_id, profile.account_id, profile.name, now, now, None)
        before = await self._storage.links.put(
            link,
            tokens.access_token,
            tokens.refresh_token,
            now + timedelta(seconds=tokens.expires_in_s),
        )
        return link, before

    def _app(self) -> App:
        """The app that a member links through."""
        if self._apps.host is None:
            raise AppRejected
        return self._apps.host

    async def _add_state(self, attempt_hash: bytes, cookie: str, provider: str, discord_name: str | None = None) -> str:
        state = secrets.token_urlsafe(32)
        lives = await self._storage.attempts.add_state(
            _hash(state), attempt_hash, _hash(cookie), provider, self._seconds(), discord_name
        )
        if not lives:
            raise LinkExpired
        return state

    async def _tell(self, attempt: Attempt, news: Linked | UserError) -> None:
        member = MemberId(attempt.member_id)
        try:
            await self.tell(LinkNews(member, attempt.interaction_token, news, attempt.locale))
        except Exception:
            # What happened has happened: the page says it, whether or not the message could be edited.
            _log.exception("a member could not be told", member=member)

    # -- unlinking

    async def unlink(self, member: MemberId) -> None:
        """Delete everything that names this member, at once; a link that is being made is not made."""
        self._unlinks += 1
        for task, whose in self._finishing.items():
            if whose == member:
                task.cancel()
        await self._storage.forget(member)
        self._tokens.forget(member)
        self._on_unlinked(member)
        _log.info("unlinked", member=member)

    def _check_open(self) -> None:
        # before anything is used up, so that the same page can be loaded again after the restart
        if self.is_stopping:
            raise Restarting

    async def finish_links(self, seconds: float) -> None:
        """Let links that are being made be made, `seconds` at most; of the others the members are told."""
        if self._finishing:
            _, late = await asyncio.wait([*self._finishing], timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)

    def _seconds(self) -> int:
        return int(self._now().timestamp())


def _without_code(provider: str, error_code: str) -> UserError:
    """What `error=` of a callback says. Anybody can write it there, so that it chooses among ours and no more.

    https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
    """
    if error_code == "access_denied":
        return LinkDeclined(provider)
    if provider == DISCORD:
        return DiscordUnavailable()
    if error_code in ("invalid_client", "invalid_request", "invalid_scope", "unauthorized_client"):
        return AppRejected()
    return TryLater(TryLater.Cause.UNAVAILABLE)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _verifier(cookie: str, state: str) -> str:
    """PKCE's verifier, from what only this browser holds: so it need not be stored."""
    digest = hashlib.sha256(f"gatefold pkce {cookie} {state}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
