"""Browsers on their way out to a consent page and back: each is known by its cookie, each way is good once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime

from bot.errors import LinkExpired, WrongBrowser
from bot.private import Private
from bot.storage.attempts import LinkAttempts, OAuthState

DISCORD, SPOTIFY = "discord", "spotify"
LINK = "link"
"""The purpose of the ways out that belong to linking; other parts of the site have their own."""
_COOKIE = _STATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Redirect(Private, frozen=True):
    """Where the browser goes, and the cookie that it is to keep. No repr: both are secrets."""

    url: str
    cookie: str


class Browsers:
    """Sends browsers out, and knows them again. Only hashes of cookies and states are stored."""

    def __init__(self, attempts: LinkAttempts, *, now: Callable[[], datetime]) -> None:
        self._attempts = attempts
        self._now = now

    def cookie(self, given: str | None) -> str:
        """The browser's cookie, a new one where it has none.

        One value per browser, so that a page that was opened twice can be finished in either tab.
        """
        return given if given is not None and _COOKIE.fullmatch(given) else secrets.token_urlsafe(32)

    async def send(
        self,
        provider: str,
        purpose: str,
        cookie: str,
        attempt_hash: bytes | None = None,
        discord_name: str | None = None,
    ) -> str:
        """The state of a new way out to `provider`. LinkExpired when the attempt that it belongs to is gone."""
        state = secrets.token_urlsafe(32)
        is_stored = await self._attempts.add_state(
            hash_of(state), attempt_hash, hash_of(cookie), provider, purpose, self._now(), discord_name
        )
        if not is_stored:
            raise LinkExpired
        return state

    async def returned(self, provider: str, state: str | None, cookie: str | None) -> OAuthState:
        """A browser came back from `provider`: use its state up, and see that it is the same browser.

        LinkExpired: the state is unknown, used, too old, or was made for the other provider.
        WrongBrowser: the cookie is missing or another one; the state is used up all the same.
        """
        if state is None or not _STATE.fullmatch(state):
            raise LinkExpired
        oauth_state = await self._attempts.take_state(hash_of(state), self._now())
        if oauth_state is None or oauth_state.provider != provider:
            raise LinkExpired
        if (
            cookie is None
            or not _COOKIE.fullmatch(cookie)
            or not hmac.compare_digest(hash_of(cookie), oauth_state.cookie_hash)
        ):
            raise WrongBrowser
        return oauth_state


def hash_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()
