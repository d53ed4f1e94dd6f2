"""A flush that fails, and a wall clock that jumps a day: the library in this process, with both handed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.accounts.apps import Apps
from bot.accounts.tokens import Tokens
from bot.caller import MemberId, RequestId
from bot.changes import Action, Outcome
from bot.errors import StorageUnavailable, TryLater
from bot.library import Library, Report
from bot.library.resolver import AlbumResolver
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.faults import FAULTS
from bot.sandbox.spotify_server import SpotifyServer
from bot.spotify.catalogue import Catalogue as Names
from bot.spotify.client import Spotify
from bot.spotify.gate import Gate
from bot.storage import Storage, open_storage
from bot.storage.links import Link
from tests.accounts.stage import made_tokens
from tests.callers import caller
from tests.faults.disk import Disk
from tests.postman import Postman
from tests.spotify.stage import made_app, unobserved
from tests.world import ADA, FIRST, SECOND, SPOTIFY_ID, SPOTIFY_SECRET

MEMBER = MemberId(ADA)
DAY = timedelta(days=1)


@dataclass
class House:
    """The library with everything below it, and what it told."""

    storage: Storage
    server: SpotifyServer
    library: Library
    tokens: Tokens
    disk: Disk
    postman: Postman
    ahead: timedelta = timedelta()
    last: int = 0

    async def save(self, album: str, action: Action = Action.SAVE) -> Report:
        """A command, and its answer."""
        self.last += 1
        id_ = RequestId(self.last)
        report = await self.library.change(caller(MEMBER, id_, f"token {id_}"), action, album)
        await self.library.answered(report, arrived=True)
        return report

    async def outcomes(self, id_: int) -> list[Outcome | None]:
        """How the changes of a request stand on disk; empty if there is none."""
        request = await self.storage.changes.get(RequestId(id_))
        return [change.outcome for change in request.changes] if request is not None else []

    async def until_told(self, count: int = 1) -> None:
        """Until this many requests were told after their command."""
        await _until(lambda: len(self.told) >= count)

    @property
    def told(self) -> list[Report]:
        """What was told after the command."""
        return self.postman.told

    @property
    def saved(self) -> list[str]:
        """The library at Spotify."""
        return list(self.server.accounts["ada"].saved)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _open(folder: Path, secret: str | None = SPOTIFY_SECRET) -> AsyncIterator[House]:
    server = SpotifyServer(client_id=SPOTIFY_ID, client_secret=secret, redirect_uris=[], catalogue=Catalogue())
    disk = Disk()
    storage = await open_storage(folder / "gatefold.db", [b"k" * 32], disk.connect, disk.sync)
    async with server.running() as url, aiohttp.ClientSession() as session:

        def now() -> datetime:
            return datetime.now(UTC) + house.ahead

        spotify = Spotify(
            session, api_url=f"{url}/v1", accounts_url=url, oembed_url=f"{url}/oembed", observe=unobserved
        )
        gate = Gate(now=now, on_close=lambda until, cause: storage.apps.set_closed(SPOTIFY_ID, until, cause))
        apps = Apps(storage.apps, made_app(SPOTIFY_ID, secret, gate=gate))
        tokens = made_tokens(storage, spotify, apps, now)
        library = Library(
            storage.changes, tokens, AlbumResolver(spotify, Names(spotify, apps.host), tokens), spotify, now=now
        )
        postman = Postman(storage.outbox, library, now)
        house = House(storage, server, library, tokens, disk, postman)

        server.add_account("ada", account_id="acc-ada", display_name="Ada")
        access, refresh = server.issue_tokens("ada")
        link = Link(MEMBER, SPOTIFY_ID, "acc-ada", "Ada", now(), now(), None)
        await storage.links.put(link, access, refresh, now() + timedelta(hours=1))
        worker = asyncio.create_task(library.work())
        try:
            async with postman.working():
                yield house
        finally:
            disk.fails = False
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await library.stop(2.0)
            await library.finish_notes()
            await storage.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """With a client secret."""
    async with _open(tmp_path) as house:
        yield house


# -- a flush that fails


async def test_what_could_not_be_flushed_is_refused_and_is_not_done_behind_the_members_back(house: House) -> None:
    house.disk.fails = True
    with pytest.raises(StorageUnavailable):
        await house.save(FIRST)
    assert house.disk.failures
    assert not any(call.method == "PUT" for call in house.server.calls)  # nothing was written before it was safe
    # "Nothing was changed. Try again": and so it stays
    assert await house.outcomes(1) == []
    house.disk.fails = False
    assert Outcome.SAVED in await house.outcomes((await house.save(SECOND)).request.id)
    assert house.saved == [SECOND]
    assert await house.library.pending(MEMBER) == []
    assert house.told == []
    assert Outcome.SAVED in await house.outcomes((await house.save(FIRST)).request.id)


async def test_what_can_neither_be_flushed_nor_taken_back_is_kept_and_told_so(house: House) -> None:
    house.disk.fails = house.disk.is_full = True
    report = await house.save(FIRST)
    assert isinstance(report.held, StorageUnavailable)  # "I could not store the result. Your album is queued."
    house.disk.fails = house.disk.is_full = False
    await house.until_told()
    assert house.saved == [FIRST]


async def test_a_flush_that_fails_for_another_members_change_does_not_deny_what_was_done(house: House) -> None:
    other = MemberId(ADA + 1)
    house.server.fault(path="/v1/me/albums", method="PUT", delay_s=0.5)
    saving = asyncio.create_task(house.save(FIRST))
    await _until(lambda: any(call.method == "PUT" for call in house.server.calls))
    house.disk.fails = True
    with pytest.raises(StorageUnavailable):
        await house.library.change(caller(other, 1000), Action.SAVE, SECOND)
    report = await saving
    assert [change.outcome for change in report.request.changes] == [Outcome.SAVED]
    assert house.saved == [FIRST]


async def test_a_kept_change_outlives_flushes_that_fail_meanwhile(house: House) -> None:
    house.server.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    assert isinstance((await house.save(FIRST)).held, TryLater)
    house.disk.fails = True
    house.server.clear_faults()
    house.server.expire_access_tokens()  # so that a token has to be stored, too
    await _until(lambda: house.disk.failures >= 1)
    house.disk.fails = False
    await house.until_told()
    assert house.saved == [FIRST]
    assert await house.outcomes(1) == [Outcome.SAVED]


async def test_a_kept_change_outlives_the_flush_that_failed_for_another_members(house: House) -> None:
    house.server.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    assert isinstance((await house.save(FIRST)).held, TryLater)
    house.disk.fails = True
    with pytest.raises(StorageUnavailable):
        await house.library.change(caller(ADA + 1, 1000), Action.SAVE, SECOND)
    house.disk.fails = False
    house.server.clear_faults()
    await house.until_told()  # with no further command of anybody's
    assert house.saved == [FIRST]


async def test_a_rotated_refresh_token_outlives_a_flush_that_fails(tmp_path: Path) -> None:
    async with _open(tmp_path, secret=None) as house:
        house.server.expire_access_tokens()
        house.disk.fails = True
        with pytest.raises(StorageUnavailable):
            await house.tokens.access_token(MEMBER, rejected=(await _access(house)))
        house.disk.fails = False
        assert Outcome.SAVED in await house.outcomes((await house.save(FIRST)).request.id)
        house.server.expire_access_tokens()
        assert Outcome.SAVED in await house.outcomes((await house.save(SECOND)).request.id)
        account = await house.tokens.account(MEMBER)
        assert account is not None
        assert account.broken is None


async def _access(house: House) -> str:
    tokens = await house.storage.links.tokens(MEMBER)
    assert tokens is not None
    return tokens.access_token


# -- a wall clock that jumps


async def _both_ways(folder: Path, story: Callable[[House, timedelta], Awaitable[None]]) -> None:
    """The same with a clock that jumps ahead and with one that jumps back, side by side."""

    async def one(jump: timedelta) -> None:
        async with _open(folder / str(jump.days)) as house:
            await story(house, jump)

    await asyncio.gather(one(DAY), one(-DAY))


async def test_what_waits_is_carried_out_when_the_wall_clock_jumps_a_day(tmp_path: Path) -> None:
    await _both_ways(tmp_path, _carried_out)


async def _carried_out(house: House, jump: timedelta) -> None:
    house.server.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    assert isinstance((await house.save(FIRST)).held, TryLater)
    house.ahead = jump
    house.server.clear_faults()
    await house.until_told()
    assert house.saved == [FIRST]
    assert await house.outcomes(1) == [Outcome.SAVED]
    # a token of before the jump, and one of after it
    for album in (SECOND, FIRST):
        house.ahead = timedelta()
        house.server.expire_access_tokens()
        report = await house.save(album, Action.REMOVE if album == FIRST else Action.SAVE)
        assert report.request.ended
        house.ahead = jump
    assert house.saved == [SECOND]


async def test_a_limit_ends_when_its_seconds_are_over_whatever_the_wall_clock_says(tmp_path: Path) -> None:
    await _both_ways(tmp_path, _limited)


async def _limited(house: House, jump: timedelta) -> None:
    house.server.fault(path="/v1/me/albums", method="PUT", **FAULTS["rate_limited_no_header"])  # 5 seconds
    held = (await house.save(FIRST)).held
    assert isinstance(held, TryLater)
    assert held.cause is TryLater.Cause.RATE_LIMITED
    house.ahead = jump
    await house.until_told()
    assert house.saved == [FIRST]


async def test_undo_works_across_a_jump_of_the_wall_clock(tmp_path: Path) -> None:
    await _both_ways(tmp_path, _undone)


async def _undone(house: House, jump: timedelta) -> None:
    saved = await house.save(FIRST)
    house.ahead = jump
    undone = await house.library.undo(caller(MEMBER, 500), saved.request.id)
    assert isinstance(undone, Report)
    assert house.saved == []
