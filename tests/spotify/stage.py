"""What the tests of the client share: a clock that never waits, tokens, and a client before a stand-in."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.sandbox.catalogue import synthetic
from bot.sandbox.spotify_server import Call, SpotifyServer
from bot.settings import AlbumEndpointChoice
from bot.spotify.app import Access, AlbumEndpoint, App, AppProblem, Health, HealthListener
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint

CLIENT_ID, SECRET = "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d", "spotify-client-secret-of-the-tests"


@dataclass
class Clock:
    """A clock that goes on only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Tokens:
    """A member's tokens: `token` is sent, `fresh` are those that refreshes give, `rejected` those that were refused."""

    token: str
    fresh: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    async def current(self) -> str:
        return self.token

    async def renewed(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.token = self.fresh.pop(0)
        return self.token


@dataclass
class Heard:
    """What an app's health was said to be."""

    problems: list[AppProblem] = field(default_factory=list)
    served: int = 0
    accepted: int = 0

    def app_problem(self, problem: AppProblem) -> None:
        self.problems.append(problem)

    def app_served(self) -> None:
        self.served += 1

    def app_accepted(self) -> None:
        self.accepted += 1


async def forgotten(endpoint: Endpoint) -> None:
    """For an app whose endpoint is stored nowhere."""


def unobserved(call: str, outcome: int | str, seconds: float) -> None:
    """For calls that nobody counts."""


def made_app(
    client_id: str = CLIENT_ID,
    client_secret: str | None = SECRET,
    *,
    gate: Gate | None = None,
    endpoint: AlbumEndpointChoice = "auto",
    works: Endpoint | None = None,
    on_endpoint: Callable[[Endpoint], Awaitable[None]] = forgotten,
    listener: HealthListener | None = None,
    member_id: MemberId | None = None,
) -> App:
    """A Spotify app."""
    memory = AlbumEndpoint(endpoint, known=works, remember=on_endpoint)
    return App(client_id, client_secret, gate or Gate(), memory, Health(listener), member_id)


class Served:
    """A client before the strict stand-in, with an app and a linked account."""

    def __init__(self, session: aiohttp.ClientSession, server: SpotifyServer, base: str) -> None:
        self.session, self.server, self.base = session, server, base
        self.clock = Clock()
        self.found: list[Endpoint] = []
        self.health = Heard()
        self.account = server.add_account("ada", display_name="Ada")
        self.access_token, self.refresh = server.issue_tokens("ada")
        self.tokens = self.tokens_of("ada")
        self.spotify = self.client()
        self.app = self.made_app()
        self.access = Access(self.app, self.tokens)

    def client(self, **options: Any) -> Spotify:
        """Another client."""
        return Spotify(
            self.session,
            **{
                "api_url": f"{self.base}/v1",
                "accounts_url": self.base,
                "oembed_url": f"{self.base}/oembed",
                "short_link_url": self.base,
                "observe": unobserved,
                "sleep": self.clock.sleep,
                "monotonic": self.clock.monotonic,
                **options,
            },
        )

    def made_app(self, **options: Any) -> App:
        """Another app of the same client id."""

        async def on_endpoint(endpoint: Endpoint) -> None:
            self.found.append(endpoint)

        gate = Gate(sleep=self.clock.sleep, monotonic=self.clock.monotonic)
        return made_app(**{"gate": gate, "on_endpoint": on_endpoint, "listener": self.health, **options})

    def through(self, app: App) -> Access:
        """The same member's access through another app."""
        return Access(app, self.tokens)

    def tokens_of(self, account: str) -> Tokens:
        """Tokens that work, and one fresh one."""
        return Tokens(self.server.issue_tokens(account)[0], [self.server.issue_tokens(account)[0]])

    def albums(self, count: int) -> list[AlbumId]:
        """This many albums that exist."""
        albums = synthetic(count)
        self.server.catalogue.add(albums)
        return [AlbumId(album.id) for album in albums]

    def calls(self, *kinds: str) -> list[Call]:
        """The calls so far; `kinds`: of these methods alone."""
        return [call for call in self.server.calls if not kinds or call.method in kinds]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error with everything that hangs on it, whether a traceback would show it or not."""
    if error is None:
        return
    yield error
    yield from chain(error.__cause__)
    yield from chain(error.__context__)
    for inner in getattr(error, "exceptions", ()):
        yield from chain(inner)


def leaks(error: BaseException, *secrets: str) -> list[str]:
    """What an error gives away: exceptions of aiohttp, and secrets in whatever could be printed of it."""
    found = [type(part).__name__ for part in chain(error) if type(part).__module__.startswith("aiohttp")]
    for part in chain(error):
        text = "\n".join((repr(part), str(part), repr(part.args), repr(vars(part)), *traceback.format_exception(part)))
        text += repr(ExceptionGroup("several", [part]) if isinstance(part, Exception) else part)
        found += [f"{secret[:6]}... in {type(part).__name__}" for secret in secrets if secret in text]
    return found
