"""One Spotify app, which is one client id: how it identifies itself, its limits, its album endpoint, its health.

Everything that Spotify counts or decides per app is kept here, so that one app's trouble never holds up another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from bot.caller import MemberId
from bot.errors import AppRejected, PremiumLapsed, StorageUnavailable, TryLater
from bot.private import Private
from bot.settings import AlbumEndpointChoice
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint

AppProblem = PremiumLapsed | AppRejected | TryLater
"""What is wrong with an app as a whole. TryLater: its daily quota is used up."""


class HealthListener(Protocol):
    """Is told what Spotify's answers say about one app."""

    def app_problem(self, problem: AppProblem) -> None:
        """An answer showed a problem that no member can solve."""
        ...

    def app_served(self) -> None:
        """A call succeeded: neither Premium nor the quota is in the way."""
        ...

    def app_accepted(self) -> None:
        """The token endpoint took the client id and the secret."""
        ...


class Health:
    """What Spotify's answers say about one app. `listener` None: nobody is alerted, as for a member's own app."""

    def __init__(self, listener: HealthListener | None) -> None:
        self._listener = listener
        self.is_refused = False
        """Whether Spotify refused the client id or the secret when they were last sent."""

    def problem(self, problem: AppProblem) -> None:
        """An answer showed a problem."""
        if isinstance(problem, AppRejected):
            self.is_refused = True
        if self._listener is not None:
            self._listener.app_problem(problem)

    def served(self) -> None:
        """A call to the Web API succeeded."""
        if self._listener is not None:
            self._listener.app_served()

    def accepted(self) -> None:
        """The token endpoint took the client id and the secret."""
        self.is_refused = False
        if self._listener is not None:
            self._listener.app_accepted()


class AlbumEndpoint:
    """Which generation of the album endpoints serves an app; found out by trying, unless the host chose one."""

    def __init__(
        self,
        choice: AlbumEndpointChoice,
        *,
        known: Endpoint | None,
        remember: Callable[[Endpoint], Awaitable[None]],
    ) -> None:
        """`known`: the generation that served this app before; `remember` stores a newly found one."""
        self.is_auto = choice == "auto"
        self._known = known or Endpoint.ALBUMS
        self._remember = remember
        self.current = self._known if choice == "auto" else Endpoint(choice)

    async def worked(self, endpoint: Endpoint) -> None:
        """A call to this generation succeeded."""
        if self.is_auto and endpoint is not self._known:
            self._known = endpoint
            # not remembered, it is found out once more: no reason to fail a call that worked
            with suppress(StorageUnavailable):
                await self._remember(endpoint)


@dataclass(eq=False, slots=True, weakref_slot=True)
class App:
    """A Spotify app. `member_id`: whose own it is, None for the host's.

    A member's own app serves that member alone, and has no secret.
    """

    client_id: str
    client_secret: str | None = field(repr=False)
    gate: Gate = field(repr=False)
    endpoint: AlbumEndpoint = field(repr=False)
    health: Health = field(repr=False)
    member_id: MemberId | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is a member's own."""
        return self.member_id is not None


class TokenSource(Protocol):
    """Where an access token comes from."""

    async def current(self) -> str:
        """The access token to send."""
        ...

    async def renewed(self, rejected: str) -> str:
        """Another one, after Spotify rejected this."""
        ...


class Access(Private, frozen=True):
    """The right to call Spotify: through which app, and with whose token."""

    app: App
    token: TokenSource


class FixedToken(Private, frozen=True):
    """A token that is sent as it is and never renewed: after the exchange it has no row yet."""

    token: str

    async def current(self) -> str:
        """The token."""
        return self.token

    async def renewed(self, rejected: str) -> str:
        """The same token: there is no other."""
        return rejected
