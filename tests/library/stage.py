"""A library with everything below it: the real database, a strict Spotify, and clocks that are handed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from bot.accounts.apps import Apps
from bot.accounts.tokens import Tokens
from bot.albums import AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import Action, Kind
from bot.library import Library, Report
from bot.library.resolver import AlbumResolver
from bot.library.runner import OnProgress
from bot.sandbox.catalogue import Catalogue, synthetic
from bot.sandbox.faults import FAULTS
from bot.sandbox.spotify_server import SpotifyServer
from bot.spotify.catalogue import Catalogue as Names
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.storage import Storage, open_storage
from bot.storage.changes import NewChange, UndoVerdict
from bot.storage.links import Link
from tests.accounts.stage import made_tokens
from tests.callers import caller
from tests.faults.disk import Disk
from tests.postman import Postman
from tests.spotify.stage import made_app, unobserved
from tests.world import ADA, FIRST, SPOTIFY_ID, SPOTIFY_SECRET

MEMBER = MemberId(ADA)
WRITE = "/v1/me/albums"


@dataclass
class Stage:
    """A library whose clocks stand still until they are moved; what it told."""

    storage: Storage
    server: SpotifyServer
    library: Library
    postman: Postman
    gate: Gate
    tokens: Tokens
    spotify: Spotify
    resolver: AlbumResolver
    names: Names
    disk: Disk
    time: float = 1000.0
    ahead: timedelta = timedelta()
    last: int = 0
    pauses: list[float] = field(default_factory=list)

    async def save(self, album: str, *, answered: bool = True) -> Report:
        """A command, and its answer."""
        self.last += 1
        id_ = RequestId(self.last)
        report = await self.library.change(caller(MEMBER, id_, f"token {id_}"), Action.SAVE, album)
        if answered:
            await self.library.answered(report, arrived=True)
        return report

    async def save_many(self, ids: list[AlbumId], on_progress: OnProgress | None = None) -> Report:
        """A large request."""
        self.last += 1
        made = caller(MEMBER, self.last)
        report = await self.library.change_albums(made, Action.SAVE, ids, on_progress)
        await self.library.answered(report, arrived=True)
        return report

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC) + self.ahead

    async def another(self, account: str, number: int = 1, client_id: str = SPOTIFY_ID) -> MemberId:
        """Another linked member. `client_id`: of an app of their own."""
        member = MemberId(MEMBER + number)
        self.server.add_account(account, account_id=f"acc-{account}", display_name=account.title())
        if client_id != SPOTIFY_ID:
            self.server.register_app(client_id, redirect_uris=[], allowlist=[account])
        now, is_own = self.now(), client_id != SPOTIFY_ID
        link = Link(member, client_id, f"acc-{account}", account.title(), now, now, None, is_own_app=is_own)
        tokens = self.server.issue_tokens(account, client_id=client_id)
        await self.storage.links.put(link, *tokens, now + timedelta(days=365))
        return member

    async def left_pending(self, member: MemberId, album: AlbumId = FIRST) -> None:
        """What a process that was killed left: a request that nobody carries out."""
        self.last += 1
        new = [NewChange(Kind.ALBUM, album)]
        await self.storage.changes.accept(caller(member, self.last), Action.SAVE, new, self.now())

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The worker, until the end of the block."""
        worker = asyncio.create_task(self.library.work())
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def until_idle(self) -> None:
        """Until nobody's changes are being carried out."""
        async with asyncio.timeout(60):
            while not self.library.is_idle:
                await asyncio.sleep(0.005)

    def albums(self, count: int) -> list[AlbumId]:
        """Albums that Spotify has."""
        new = synthetic(count)
        self.server.catalogue.add(new)
        return [AlbumId(album.id) for album in new]

    async def undo(self, of: Report) -> Report | UndoVerdict:
        """Its Undo."""
        self.last += 1
        return await self.library.undo(caller(MEMBER, self.last), of.request.id)

    async def pending(self) -> int:
        """How many changes wait."""
        return len(await self.library.pending(MEMBER))

    @property
    def told(self) -> list[Report]:
        """What was told after the command."""
        return self.postman.told

    @property
    def saved(self) -> list[str]:
        """The library at Spotify."""
        return list(self.server.accounts["ada"].saved)


@asynccontextmanager
async def made(folder: Path, secret: str | None = SPOTIFY_SECRET) -> AsyncIterator[Stage]:
    """`secret` None: the host's app has none, so that it has no access of its own."""
    server = SpotifyServer(client_id=SPOTIFY_ID, client_secret=secret, redirect_uris=[], catalogue=Catalogue())
    disk = Disk()
    storage = await open_storage(folder / "gatefold.db", [b"k" * 32], disk.connect, disk.sync)

    def now() -> datetime:
        return datetime.now(UTC) + stage.ahead

    async def noted_sleep(seconds: float) -> None:
        stage.pauses.append(seconds)
        await asyncio.sleep(0.01)

    async def gate_sleep(seconds: float) -> None:
        stage.time += seconds

    async def no_sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    async with server.running() as url, aiohttp.ClientSession() as session:
        spotify = Spotify(
            session,
            api_url=f"{url}/v1",
            accounts_url=url,
            oembed_url=f"{url}/oembed",
            short_link_url=url,
            observe=unobserved,
            sleep=no_sleep,
        )
        gate = Gate(now=now, monotonic=lambda: stage.time, sleep=gate_sleep)
        apps = Apps(storage.apps, made_app(SPOTIFY_ID, secret, gate=gate))
        tokens = made_tokens(storage, spotify, apps, now)
        names = Names(spotify, apps.host)
        resolver = AlbumResolver(spotify, names, tokens)
        library = Library(
            storage.changes,
            tokens,
            resolver,
            spotify,
            now=now,
            monotonic=lambda: stage.time,
            sleep=noted_sleep,
        )
        postman = Postman(storage.outbox, library, now)
        stage = Stage(storage, server, library, postman, gate, tokens, spotify, resolver, names, disk)
        server.add_account("ada", account_id="acc-ada", display_name="Ada")
        link = Link(MEMBER, SPOTIFY_ID, "acc-ada", "Ada", now(), now(), None)
        # good for a year, so that the calendar of a test moves no token
        await storage.links.put(link, *server.issue_tokens("ada"), now() + timedelta(days=365))
        try:
            async with postman.working():
                yield stage
        finally:
            await library.stop(2.0)
            await library.finish_notes()
            await storage.close()


def down(stage: Stage) -> None:
    stage.server.fault(path="/v1/*", times=None, **FAULTS["unavailable"])


async def until(stage: Stage, count: int) -> None:
    async with asyncio.timeout(60):
        while len(stage.told) < count:
            await asyncio.sleep(0.01)
