"""What tests of several packages share of the accounts: tokens before a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from bot.accounts.apps import Apps
from bot.accounts.tokens import Tokens
from bot.spotify.client import Spotify
from bot.storage import Storage


def made_tokens(
    storage: Storage, spotify: Spotify, apps: Apps, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Tokens:
    """Members' tokens, for tests that do not look at how refreshes end."""
    return Tokens(storage.links, spotify, apps, on_refresh=lambda outcome: None, on_unopenable=lambda: None, now=now)
