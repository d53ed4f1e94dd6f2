"""Who serves a member, and with which token: the only place that answers that, and the only one that refreshes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from msgspec.structs import replace

from bot.accounts.apps import Apps
from bot.caller import MemberId
from bot.errors import GrantRefused, NeedsRelink, NotLinked, Restarting, StorageUnavailable, TryLater
from bot.spotify import oauth
from bot.spotify.app import Access, App
from bot.spotify.client import Spotify
from bot.spotify.gate import PATIENCE_S
from bot.storage.engine import Row
from bot.storage.links import Link, Links, StoredTokens
from bot.storage.vault import Unopenable

EARLY = timedelta(seconds=60)
"""An access token is refreshed this long before it ends."""
STORE_AGAIN_S = 0.5
"""At a stop, a token that could not be stored is tried again this often."""

_log = structlog.get_logger("gatefold.tokens")


def consent_ends_at(link: Link) -> datetime:
    """When Spotify asks for the member's consent again."""
    return link.consented_at + timedelta(days=oauth.CONSENT_DAYS)


class Tokens:
    """Members' tokens. However many need a refresh, it happens once, and its result is stored before it is used."""

    def __init__(
        self,
        links: Links,
        spotify: Spotify,
        apps: Apps,
        *,
        on_refresh: Callable[[str], None],
        on_unopenable: Callable[[], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`on_refresh`: is told how each refresh ended. `on_unopenable`: a stored token could not be decrypted."""
        self._links = links
        self._spotify = spotify
        self._apps = apps
        self._on_refresh = on_refresh
        self._on_unopenable = on_unopenable
        self._now = now
        self._sleep = sleep
        self._refreshing: dict[MemberId, asyncio.Task[str]] = {}
        self._unstored: dict[MemberId, StoredTokens] = {}
        self._is_stopped = False

    async def access(self, member: MemberId, row: Row | None = None) -> Access:
        """Through which app a member is served, and with which token. NotLinked, NeedsRelink.

        `row`: theirs in `links`, if it was read just now.
        """
        stored = await self._opened(member, row)
        app = await self._apps.of(stored.link.client_id, member)
        return Access(app, MemberToken(self, member, stored.access_token if self._is_fresh(stored) else None))

    def closed(self, client_id: str) -> TryLater | None:
        """Why Spotify takes nothing of the host's app for a while; None where it does, and for members' own apps."""
        host = self._apps.host
        if host is None or host.client_id != client_id or host.gate.closed_for_s <= PATIENCE_S:
            return None
        return host.gate.closed()

    async def account(self, member: MemberId) -> Link | None:
        """The member's link; `broken` says why it would not work now."""
        try:
            stored = await self._links.tokens(member)
        except Unopenable:
            link = await self._links.get(member)
            return None if link is None else replace(link, broken=NeedsRelink.Reason.UNREADABLE)
        return None if stored is None else self._judged(stored.link)

    def forget(self, member: MemberId) -> None:
        """The member unlinked: what is still to be stored for them is dropped."""
        self._unstored.pop(member, None)

    async def access_token(self, member: MemberId, rejected: str | None = None) -> str:
        """An access token that is good for a minute at least, and is not `rejected`.

        NotLinked, NeedsRelink, AppRejected, TryLater. A refresh goes on when those who wait for it are cancelled:
        a rotated refresh token must not be lost.
        """
        token = await self._usable(member, rejected)
        if token is not None:
            return token
        task = self._refreshing.get(member)
        if task is None:
            if self._is_stopped:
                raise Restarting  # nobody would wait until its token is stored
            task = asyncio.create_task(self._refresh(member, rejected))
            self._refreshing[member] = task
            task.add_done_callback(lambda _: self._refreshing.pop(member, None))
        return await asyncio.shield(task)

    async def stop(self, seconds: float) -> None:
        """Let refreshes end, `seconds` at most, those included that begin meanwhile; none begins afterwards.

        Tokens that could not be stored when they came are tried again: they may be the only ones.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and (self._refreshing or self._unstored):
            if self._refreshing:
                await asyncio.wait([*self._refreshing.values()], timeout=left)
            elif await self._store_all():
                await self._sleep(min(STORE_AGAIN_S, left))
        self._is_stopped = True
        late = [*self._refreshing.values()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if await self._store_all():
            _log.error("renewed access could not be stored: these members must link again", count=len(self._unstored))

    async def _store_all(self) -> bool:
        """Store what could not be stored before; whether some of it still cannot."""
        for member in [*self._unstored]:
            try:
                await self._store_late(member)
            except StorageUnavailable:
                return True
        return False

    def _is_fresh(self, stored: StoredTokens) -> bool:
        return stored.expires_at - EARLY > self._now()

    async def _usable(self, member: MemberId, rejected: str | None) -> str | None:
        stored = await self._opened(member)
        if rejected is None:
            return stored.access_token if self._is_fresh(stored) else None
        return stored.access_token if stored.access_token != rejected else None

    async def _opened(self, member: MemberId, row: Row | None = None) -> StoredTokens:
        try:
            stored = await self._links.tokens(member) if row is None else self._links.opened(row)
        except Unopenable:
            _log.warning("a stored token does not open: this member must link again", member=member)
            self._on_unopenable()
            await self._links.mark_broken(member, NeedsRelink.Reason.UNREADABLE)
            raise NeedsRelink(NeedsRelink.Reason.UNREADABLE) from None
        if stored is None:
            raise NotLinked
        if (why := self._judged(stored.link).broken) is not None:
            raise NeedsRelink(NeedsRelink.Reason(why))
        return stored

    def _judged(self, link: Link) -> Link:
        is_others = not link.is_own_app and not self._apps.is_hosts(link.client_id)
        return replace(link, broken=NeedsRelink.Reason.OTHER_APP) if is_others and not link.broken else link

    async def _refresh(self, member: MemberId, rejected: str | None) -> str:
        await self._store_late(member)
        # Look again: another task may have refreshed between our look and this one's turn.
        if (token := await self._usable(member, rejected)) is not None:
            return token
        stored = await self._opened(member)
        answer = await self._ask_anew(await self._apps.of(stored.link.client_id, member), stored.refresh_token)
        outcome, refresh_token = answer.outcome, answer.refresh_token or stored.refresh_token
        if isinstance(outcome, oauth.Tokens):
            expires_at = self._now() + timedelta(seconds=outcome.expires_in_s)
            self._unstored[member] = StoredTokens(stored.link, outcome.access_token, refresh_token, expires_at)
            await self._store_late(member)
            # another one, when the member linked anew (another account, maybe) while Spotify answered
            return (await self._opened(member)).access_token
        if answer.refresh_token is not None:
            # The old refresh token may be dead now, whatever else is wrong with the answer.
            kept = StoredTokens(stored.link, stored.access_token, refresh_token, stored.expires_at)
            self._unstored[member] = kept
            await self._store_late(member)
            if isinstance(outcome, GrantRefused):
                raise TryLater(TryLater.Cause.UNAVAILABLE)
        if isinstance(outcome, GrantRefused):
            if await self._links.refused(stored.link, NeedsRelink.Reason.REVOKED):
                raise NeedsRelink(NeedsRelink.Reason.REVOKED)
            return (await self._opened(member)).access_token
        raise outcome

    async def _ask_anew(self, app: App, refresh_token: str) -> oauth.RefreshAnswer:
        outcome = "cancelled"
        try:
            answer = await self._spotify.refresh(app, refresh_token)
            is_refreshed = isinstance(answer.outcome, oauth.Tokens)
            outcome = "refreshed" if is_refreshed else type(answer.outcome).__name__
        finally:
            self._on_refresh(outcome)
        return answer

    async def _store_late(self, member: MemberId) -> None:
        """Store what a refresh gave, also one whose storing failed: a rotated refresh token is the only one."""
        fresh = self._unstored.get(member)
        if fresh is None:
            return
        await self._links.refreshed(fresh.link, fresh.access_token, fresh.refresh_token, fresh.expires_at)
        if self._unstored.get(member) is fresh:
            del self._unstored[member]


class MemberToken:
    """One member's token through one piece of work: read once, renewed when Spotify rejects it."""

    def __init__(self, tokens: Tokens, member: MemberId, token: str | None) -> None:
        """`token`: the member's access token, if it is still good."""
        self._tokens = tokens
        self._member = member
        self._token = token

    async def current(self) -> str:
        """The access token to send."""
        if self._token is None:
            self._token = await self._tokens.access_token(self._member)
        return self._token

    async def renewed(self, rejected: str) -> str:
        """Another one, after Spotify rejected this."""
        if self._token is None or self._token == rejected:
            self._token = await self._tokens.access_token(self._member, rejected)
        return self._token
