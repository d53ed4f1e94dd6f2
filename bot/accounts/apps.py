"""The Spotify apps that serve members: the host's, and members' own ones, which are loaded when they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from bot.caller import MemberId
from bot.errors import TryLater
from bot.settings import AlbumEndpointChoice
from bot.spotify.app import AlbumEndpoint, App, Health, HealthListener
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint
from bot.storage.apps import KnownApp, SpotifyApps

IDLE_S = 900.0
"""An own app that nobody used for this long is dropped from memory; what must be remembered of it is stored."""


async def load_host_app(
    store: SpotifyApps,
    client_id: str,
    client_secret: str | None,
    choice: AlbumEndpointChoice,
    listener: HealthListener | None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> App | None:
    """The host's app with what is stored of it; None when the host has none."""
    if not client_id:
        return None
    known = await store.get(client_id)
    return make_app(store, client_id, known, client_secret, choice, listener, now=now, monotonic=monotonic)


def make_app(
    store: SpotifyApps,
    client_id: str,
    known: KnownApp,
    client_secret: str | None,
    choice: AlbumEndpointChoice,
    listener: HealthListener | None,
    member_id: MemberId | None = None,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> App:
    """An app that remembers its closed gate and its album endpoint in `store`. `member_id`: whose own it is."""
    return App(
        client_id,
        client_secret,
        Gate(
            closed_until=known.closed_until,
            closed_by=TryLater.Cause(known.closed_by) if known.closed_by else None,
            on_close=lambda until, cause: store.set_closed(client_id, until, cause, member_id),
            now=now,
            monotonic=monotonic,
        ),
        AlbumEndpoint(
            choice,
            known=Endpoint(known.album_endpoint) if known.album_endpoint else None,
            remember=lambda endpoint: store.set_endpoint(client_id, endpoint, member_id),
        ),
        Health(listener),
        member_id,
    )


class Apps:
    """One `App` per client id at any time. Idle own apps are dropped; one that is still in use is found again."""

    def __init__(
        self,
        store: SpotifyApps,
        host: App | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` None: the host has no Spotify app, and every member brings their own."""
        self.host = host
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._alive: WeakValueDictionary[str, App] = WeakValueDictionary()
        self._recent: dict[str, tuple[float, App]] = {}  # the longest unused first

    def is_hosts(self, client_id: str) -> bool:
        """Whether it is the host's app."""
        return self.host is not None and client_id == self.host.client_id

    async def of(self, client_id: str, member_id: MemberId) -> App:
        """The app through which a member is linked: the host's, else the member's own."""
        if self.host is not None and client_id == self.host.client_id:
            return self.host
        app = self._alive.get(client_id)
        if app is None or app.member_id != member_id:
            known = await self._store.get(client_id)
            app = self._alive.get(client_id)  # another call may have been quicker
            if app is None or app.member_id != member_id:
                app = make_app(
                    self._store,
                    client_id,
                    known,
                    None,
                    "auto",
                    None,
                    member_id,
                    now=self._now,
                    monotonic=self._monotonic,
                )
                self._alive[client_id] = app
        self._recent.pop(client_id, None)
        self._recent[client_id] = (self._monotonic(), app)
        self._drop_idle()
        return app

    def forget(self, client_id: str) -> None:
        """A member's own app is used no more."""
        self._recent.pop(client_id, None)

    @property
    def loaded(self) -> list[App]:
        """The apps in memory, the host's first."""
        own = [app for _, app in self._recent.values()]
        return own if self.host is None else [self.host, *own]

    def _drop_idle(self) -> None:
        oldest = self._monotonic() - IDLE_S
        for client_id, (used_at, _) in [*self._recent.items()]:
            if used_at >= oldest:
                break
            del self._recent[client_id]
