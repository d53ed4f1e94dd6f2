"""Linking a member's Spotify account, and unlinking it.

The flow proves three things in one browser: that it opened the link, that it is logged in at Discord as the
member who asked (`discord_login.py`), and that it consented at Spotify. See docs/decisions/0003. A member links
through the host's Spotify app, or through one of their own, of which only the client id is needed (PKCE).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot import logs
from bot.accounts.apps import Apps
from bot.accounts.browser import DISCORD, LINK, SPOTIFY, Browsers, Redirect, hash_of
from bot.accounts.discord_login import DiscordLogin
from bot.accounts.renewals import Renewals
from bot.accounts.seats import ASKED, Closed, close_messages_in
from bot.accounts.tokens import Tokens
from bot.caller import Caller, MemberId
from bot.errors import (
    AppRejected,
    AppTaken,
    DiscordUnavailable,
    GrantRefused,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NoHostApp,
    NoSeatFree,
    NotAClientId,
    Restarting,
    StorageUnavailable,
    TryLater,
    UserError,
    WrongDiscordAccount,
)
from bot.private import Private
from bot.settings import Settings
from bot.spotify import oauth
from bot.spotify.app import Access, App, FixedToken
from bot.spotify.client import Spotify
from bot.storage import Storage
from bot.storage.attempts import Attempt, OAuthState
from bot.storage.engine import Connection
from bot.storage.links import Link

_log = structlog.get_logger("gatefold.linking")
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_CLIENT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Linked(Struct, frozen=True):
    """A link was made. `before`: the link that it renewed or replaced. `waiting`: how many changes are done now."""

    link: Link
    before: Link | None
    discord_name: str
    waiting: int = 0


class LinkNews(Private, frozen=True):
    """What the member's private message is to say now. `interaction_token` None: it cannot be edited.

    `locale`: the member's, from the interaction that asked for the link. `id`: the same news is told only once.
    """

    member: MemberId
    interaction_token: str | None
    news: Linked | UserError
    locale: str | None = None
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class LinkOffer(Private, frozen=True):
    """What is open to a member, for 10 minutes. No repr: the addresses are secrets.

    `host_url`: links through the host's app; None when all its seats are taken, or when there is none. `own_app_url`: the
    guide that ends with the client id of an app of the member's own. `has_host_app`: whether the host has an app at all,
    so that the member can ask for a seat. `renew_url`: links again through the member's own app, if they have one.
    """

    host_url: str | None
    own_app_url: str
    has_host_app: bool
    renew_url: str | None = None


class _Finish(Struct, eq=False):
    """A link that is being made."""

    member: MemberId
    task: asyncio.Task[Linked] | None = None
    is_unlinked: bool = False


class Linking:
    """The way through the browser to a link, and its end."""

    def __init__(
        self,
        storage: Storage,
        spotify: Spotify,
        apps: Apps,
        tokens: Tokens,
        renewals: Renewals,
        browsers: Browsers,
        login: DiscordLogin,
        settings: Settings,
        *,
        on_linked: Callable[[MemberId], None],
        on_unlinked: Callable[[MemberId], None],
        tell: Callable[[LinkNews], Awaitable[None]],
        put: Callable[[Connection, LinkNews], None],
        now: Callable[[], datetime],
    ) -> None:
        """`on_linked`: what waits can be carried out now. `on_unlinked`: what is known of the member is forgotten.

        `tell`: says what came of a link in the private message of the command that offered it; `put` stores that with
        the link, so that it is told whatever happens to the process.
        """
        self._storage = storage
        self._spotify = spotify
        self._apps = apps
        self._tokens = tokens
        self._renewals = renewals
        self._browsers = browsers
        self._login = login
        self._settings = settings
        self._on_linked = on_linked
        self._on_unlinked = on_unlinked
        self._now = now
        self._finishing: set[_Finish] = set()
        self._returning = self._taking = 0
        self._unlinked: set[MemberId] = set()  # while attempts are being taken
        self.is_stopping = False
        self._is_stopped = False
        self.tell = tell
        self._put = put

    # -- what a member can begin

    async def offer(self, caller: Caller) -> LinkOffer:
        """What is open to a member: the host's app while it has seats, and an app of their own."""
        link_id = await self._begin(caller, None)
        is_open = await self._is_host_open(caller.member_id)
        link = await self._storage.links.get(caller.member_id)
        renew_url = None
        if link is not None and link.is_own_app and not self._apps.is_hosts(link.client_id):
            renew_url = self._link_url(await self._begin(caller, link.client_id))
        host_url = self._link_url(link_id) if is_open else None
        return LinkOffer(host_url, self._guide_url(link_id), self._has_host_app, renew_url)

    async def start_link(self, caller: Caller) -> str:
        """A short address of ours that begins the flow; good for 10 minutes, for this member alone.

        Whoever is linked through an app of their own renews that. Where the host's app has no seat, it is the guide to
        an app of one's own.
        """
        offer = await self.offer(caller)
        return offer.renew_url or offer.host_url or offer.own_app_url

    async def start_own_app(self, caller: Caller, client_id: str) -> str:
        """The same through an app of the member's own, whose client id they entered in Discord.

        NotAClientId, UnknownApp, RedirectMissing, AppTaken, NoSeatFree (the id is the host's), TryLater. Nothing is
        stored then.
        """
        own = await self._checked(caller.member_id, client_id)
        return self._link_url(await self._begin(caller, own))

    async def check_link(self, link_id: str) -> str | None:
        """The locale of the link's member. LinkExpired: no such link. Changes nothing: scanners open links, too."""
        self.check_open()
        return (await self._attempt(link_id)).locale

    async def use_own_app(self, link_id: str, client_id: str) -> str:
        """The person who follows the guide entered their client id: the address at which the flow goes on.

        The same errors as `start_own_app`; LinkExpired also after too many tries.
        """
        self.check_open()
        attempt = await self._attempt(link_id)
        if not await self._storage.attempts.count_probe(attempt.id_hash, self._now()):
            raise LinkExpired
        own = await self._checked(MemberId(attempt.member_id), client_id)
        if not await self._storage.attempts.use_app(attempt.id_hash, own, self._now()):
            raise LinkExpired
        return self._link_url(link_id)

    @property
    def redirect_uri(self) -> str:
        """What the owner of a Spotify app must add to its redirect URIs, character by character."""
        return self._settings.redirect_to_spotify

    async def _checked(self, member: MemberId, client_id: str) -> str | None:
        """The client id of an app of the member's own that works here; None when it is the host's."""
        client_id = client_id.strip().casefold()
        if not _CLIENT_ID.fullmatch(client_id):
            raise NotAClientId
        if self._apps.is_hosts(client_id):
            if not await self._is_host_open(member):
                raise NoSeatFree
            return None
        if await self._storage.links.is_app_taken(client_id, member):
            raise AppTaken
        await self._spotify.probe(client_id, self._settings.redirect_to_spotify)
        return client_id

    async def _begin(self, caller: Caller, client_id: str | None) -> str:
        link_id = secrets.token_urlsafe(24)
        await self._storage.attempts.begin(hash_of(link_id), caller, self._now(), client_id)
        return link_id

    def _link_url(self, link_id: str) -> str:
        return f"{self._settings.public_url}/link/{link_id}"

    def _guide_url(self, link_id: str) -> str:
        return f"{self._settings.public_url}/guide/own-app?link={link_id}"

    @property
    def _has_host_app(self) -> bool:
        return self._apps.host is not None

    async def _is_host_open(self, member: MemberId) -> bool:
        host = self._apps.host
        if host is None:
            return False
        seats = self._settings.spotify_seats
        return await self._storage.seats.is_free(host.client_id, seats, member, self._now())

    # -- the way through the browser

    async def open_link(self, link_id: str, cookie: str | None) -> Redirect:
        """Somebody opened a link: on to Discord, to say who they are.

        LinkExpired if there is no such link. NoHostApp, NoSeatFree: it needs an app of the member's own.
        """
        self.check_open()
        attempt = await self._attempt(link_id)
        if attempt.client_id is None and not await self._is_host_open(MemberId(attempt.member_id)):
            raise NoSeatFree if self._has_host_app else NoHostApp
        # no second question for those who agreed before
        is_known = await self._storage.links.get(attempt.member_id) is not None
        return await self._login.begin(LINK, cookie, attempt_hash=attempt.id_hash, is_known=is_known)

    async def take_state(self, provider: str, state: str | None, cookie: str | None) -> OAuthState:
        """A browser came back from `provider`: see `Browsers.returned`."""
        return await self._browsers.returned(provider, state, cookie)

    async def verify_discord_account(
        self, oauth_state: OAuthState, member_id: int, discord_name: str, cookie: str
    ) -> str:
        """The browser is `member_id`'s: the address of Spotify's consent page.

        WrongDiscordAccount when the link belongs to somebody else; its owner is told, once a link.
        """
        attempt = await self._attempt_of(oauth_state)
        if attempt.member_id != member_id:
            error = WrongDiscordAccount()
            if await self._storage.attempts.warn_once(attempt.id_hash):
                await self._tell(attempt, error)
            raise error
        app = await self._app(attempt)
        state = await self._browsers.send(SPOTIFY, LINK, cookie, attempt.id_hash, discord_name)
        return oauth.authorize_url(
            self._settings.spotify_accounts_url,
            client_id=app.client_id,
            redirect_uri=self._settings.redirect_to_spotify,
            state=state,
            code_challenge=oauth.challenge(_verifier(cookie, state)),
        )

    async def decline(self, oauth_state: OAuthState, error_code: str) -> UserError:
        """The person came back from `oauth_state.provider` without a code: why, as `error=` has it. The member is told.

        At Spotify it is the member who says no, which uses the link up. At Discord it may be anybody who has the
        link, so that it lives on, and its owner is told once of a no, and not of trouble.
        """
        error = _without_code(oauth_state.provider, error_code)
        attempts, attempt_hash = self._storage.attempts, oauth_state.attempt_hash
        attempt = None
        if attempt_hash is None:
            pass
        elif oauth_state.provider == SPOTIFY:
            attempt = await attempts.take(attempt_hash, self._now())
        elif isinstance(error, LinkDeclined) and await attempts.warn_once(attempt_hash):
            attempt = await attempts.get(attempt_hash, self._now())
        if attempt is not None:
            await self._tell(attempt, error)
        return error

    async def finish_link(self, oauth_state: OAuthState, code: str, state: str, cookie: str) -> Linked:
        """The person agreed at Spotify: use the link up, exchange the code, look whose it is, store.

        Whatever goes wrong is told in the member's private message as well as raised.
        """
        if self._is_stopped:
            raise Restarting  # nobody would wait until the link is stored
        finish = await self._taken(oauth_state, code, _verifier(cookie, state))
        task = finish.task
        assert task is not None
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise _cut_short(finish) from None
            raise

    async def _taken(self, oauth_state: OAuthState, code: str, verifier: str) -> _Finish:
        if oauth_state.attempt_hash is None:
            raise LinkExpired
        self._taking += 1
        try:
            attempt = await self._storage.attempts.take(oauth_state.attempt_hash, self._now())
            # whoever unlinked just now had nothing to cancel yet
            if attempt is None or attempt.member_id in self._unlinked:
                raise LinkExpired
            if self._is_stopped:  # the stop waited as long as it could
                await self._tell(attempt, Restarting())
                raise Restarting
            finish = _Finish(MemberId(attempt.member_id))
            # A code can be exchanged once: a task of its own, so that a stop waits for it, and tells the member if it
            # can't wait longer.
            finish.task = asyncio.create_task(self._finish(finish, attempt, oauth_state, code, verifier))
            self._finishing.add(finish)
            finish.task.add_done_callback(lambda _: self._finishing.discard(finish))
        finally:
            self._taking -= 1
            if not self._taking:
                self._unlinked.clear()
        return finish

    async def _finish(
        self, finish: _Finish, attempt: Attempt, oauth_state: OAuthState, code: str, verifier: str
    ) -> Linked:
        member = finish.member
        try:
            linked = await self._exchange(attempt, code, verifier, oauth_state.discord_name or "")
            if finish.is_unlinked:
                raise LinkExpired  # what was stored is deleted already
        except UserError as error:
            await self._tell(attempt, error)
            raise
        except asyncio.CancelledError:
            await self._tell(attempt, _cut_short(finish))
            raise
        except Exception:
            broken = InternalError(logs.reference())
            _log.exception("linking broke", member=member, request=broken.reference)
            await self._tell(attempt, broken)
            raise broken from None
        _log.info("linked", member=member, renewed=linked.before is not None, own_app=linked.link.is_own_app)
        try:
            linked = replace(linked, waiting=await self._waiting(member))
            await self._tell(attempt, linked)
        except asyncio.CancelledError:
            pass  # The link is stored, so the page must say so; the message is stored, too.
        if finish.is_unlinked:
            raise LinkExpired  # it was deleted meanwhile
        self._on_linked(member)
        return linked

    async def _waiting(self, member: MemberId) -> int:
        try:
            return await self._storage.changes.pending_count(member)
        except StorageUnavailable:
            return 0  # the link is stored all the same

    async def _exchange(self, attempt: Attempt, code: str, verifier: str, discord_name: str) -> Linked:
        app = await self._app(attempt)
        try:
            tokens = await self._spotify.exchange(app, code, self._settings.redirect_to_spotify, verifier)
        except GrantRefused:
            raise LinkExpired from None
        if tokens.refresh_token is None:
            raise TryLater(TryLater.Cause.UNAVAILABLE)
        # Also the first call that a member who is not on the app's list is refused.
        profile = await self._spotify.profile(Access(app, FixedToken(tokens.access_token)))
        now = self._now()
        link = Link(
            attempt.member_id,
            app.client_id,
            profile.account_id,
            profile.name,
            now,
            now,
            None,
            is_own_app=app.is_own,
            locale=attempt.locale,
        )

        def also(c: Connection, before: Link | None) -> None:
            self._renewals.schedule_in(c, link)
            self._put(c, _news(attempt, Linked(link, before, discord_name)))

        storing = asyncio.ensure_future(
            self._storage.links.put(
                link,
                tokens.access_token,
                tokens.refresh_token,
                now + timedelta(seconds=tokens.expires_in_s),
                seats=self._settings.spotify_seats,
                also=also,
            )
        )
        try:
            before = await asyncio.shield(storing)
        except asyncio.CancelledError:
            before = await storing  # it is stored all the same, which nobody may deny
        return Linked(link, before, discord_name)

    async def _app(self, attempt: Attempt) -> App:
        """The app that a member links through."""
        if attempt.client_id is not None:
            return await self._apps.of(attempt.client_id, MemberId(attempt.member_id))
        if self._apps.host is None:
            raise NoHostApp
        return self._apps.host

    async def _attempt(self, link_id: str) -> Attempt:
        if not _LINK_ID.fullmatch(link_id):
            raise LinkExpired
        attempt = await self._storage.attempts.get(hash_of(link_id), self._now())
        if attempt is None:
            raise LinkExpired
        return attempt

    async def _attempt_of(self, oauth_state: OAuthState) -> Attempt:
        attempt = None
        if oauth_state.attempt_hash is not None:
            attempt = await self._storage.attempts.get(oauth_state.attempt_hash, self._now())
        if attempt is None:
            raise LinkExpired
        return attempt

    async def _tell(self, attempt: Attempt, news: Linked | UserError) -> None:
        try:
            await self.tell(_news(attempt, news))
        except Exception:
            # What happened has happened: the page says it, whether or not the message could be edited.
            _log.exception("a member could not be told", member=attempt.member_id)

    # -- unlinking

    async def unlink(self, member: MemberId) -> None:
        """Delete all that has to do with this member's Spotify account; a link that is being made is not made."""
        await self._unlink(member, self._storage.unlink)

    async def forget(self, member: MemberId) -> dict[str, int]:
        """Unlink, and delete or anonymise everything else that concerns this member; how many rows, by table."""
        return await self._unlink(member, self._storage.forget)

    async def _unlink(self, member: MemberId, forget: Callable[[int], Awaitable[dict[str, int]]]) -> dict[str, int]:
        if self._taking:
            self._unlinked.add(member)
        for finish in self._finishing:
            if finish.member == member:
                finish.is_unlinked = True
                if finish.task is not None:
                    finish.task.cancel()
        link = await self._storage.links.get(member)
        if await self._storage.outbox.has(ASKED, f"{member}:"):
            now = self._now()
            await self._storage.database.write(
                lambda c: close_messages_in(c, self._storage.outbox, member, Closed.WITHDRAWN, now)
            )
        counts = await forget(member)
        self._tokens.forget(member)
        if link is not None:
            self._apps.forget(link.client_id)
        self._on_unlinked(member)
        _log.info("unlinked", member=member)
        return counts

    # -- old attempts, and a stop

    async def sweep(self) -> None:
        """Delete the links that nobody finished in time."""
        try:
            await self._storage.attempts.clear(self._now())
        except StorageUnavailable as error:
            _log.warning("old link attempts cannot be deleted", error=str(error))

    def check_open(self) -> None:
        """Restarting when the process stops, before anything is used up: the same page can be loaded again later."""
        if self.is_stopping:
            raise Restarting

    @contextmanager
    def returning(self) -> Iterator[None]:
        """A browser has come back, which uses up its state: a stop waits for it. Restarting, before anything is used up."""
        self.check_open()
        self._returning += 1
        try:
            yield
        finally:
            self._returning -= 1

    async def finish_links(self, seconds: float) -> None:
        """Let links that are being made be made, and browsers that are back go on, `seconds` at most.

        Of the others the members are told; none begins afterwards.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and (self._finishing or self._taking or self._returning):
            if tasks := self._tasks():
                await asyncio.wait(tasks, timeout=left)
            else:
                await asyncio.sleep(min(left, 0.01))
        self._is_stopped = True
        late = self._tasks()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    def _tasks(self) -> list[asyncio.Task[Linked]]:
        return [finish.task for finish in self._finishing if finish.task is not None]


def _news(attempt: Attempt, news: Linked | UserError) -> LinkNews:
    """An attempt leads to one link at most, of which its member is told once."""
    id_ = attempt.id_hash.hex()[:16] if isinstance(news, Linked) else secrets.token_hex(8)
    return LinkNews(MemberId(attempt.member_id), attempt.interaction_token, news, attempt.locale, id_)


def _cut_short(finish: _Finish) -> UserError:
    """Why a link that was being made is not: its member unlinked meanwhile, or the process stops."""
    return LinkExpired() if finish.is_unlinked else Restarting()


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


def _verifier(cookie: str, state: str) -> str:
    """PKCE's verifier, from what only this browser holds: so it need not be stored."""
    digest = hashlib.sha256(f"gatefold pkce {cookie} {state}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
