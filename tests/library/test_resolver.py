"""Which album is meant: what is remembered and for how long, what matches, and how few calls it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.changes import Action
from bot.library.resolver import AlbumResolver
from bot.sandbox.catalogue import Catalogue, made
from bot.sandbox.records import Record
from bot.sandbox.spotify_server import SpotifyServer
from bot.spotify.app import Access
from tests.spotify.stage import CLIENT_ID, SECRET, Clock, Served, Tokens
from tests.world import FIRST

ADA, BEN = MemberId(1), MemberId(2)
OWN, SEARCH = "/v1/me/albums", "/v1/search"


class Slow(Tokens):
    """Tokens that come when the test opens the door: until then, the call that needs one is under way."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens.token, tokens.fresh)
        self.door = asyncio.Event()

    async def current(self) -> str:
        await self.door.wait()
        return self.token


class Desk:
    """A finder before the strict stand-in."""

    def __init__(self, served: Served) -> None:
        self.served, self.access = served, served.access
        self.clock = Clock()
        self.resolver = AlbumResolver(served.spotify, monotonic=self.clock.monotonic)

    def save(self, ids: list[AlbumId]) -> None:
        """Save these at Spotify, one after the other."""
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        self.served.account.saved.update({id_: begun + timedelta(hours=place) for place, id_ in enumerate(ids)})

    def own(self, *records: tuple[str, str]) -> None:
        """Albums by title and artists, saved at Spotify, the newest first."""
        albums = [made(Record(title, artists, "2001", 1, "One")) for title, artists in reversed(records)]
        self.served.server.catalogue.add(albums)
        self.save([AlbumId(album.id) for album in albums])

    async def titles(self, text: str) -> list[str]:
        """What is offered to somebody who types this to remove something."""
        return [album.title for album in await self.resolver.suggestions(ADA, self.access, Action.REMOVE, text)]

    def calls(self, path: str) -> int:
        """How often Spotify was asked for this."""
        return sum(call.path == path for call in self.served.server.calls)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    server = SpotifyServer(client_id=CLIENT_ID, client_secret=SECRET, redirect_uris=[], catalogue=Catalogue())
    async with server.running() as base, aiohttp.ClientSession() as session:
        yield Desk(Served(session, server, base))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.005)


# -- what is remembered, and for how long


async def test_of_a_members_own_albums_the_newest_200_are_known(desk: Desk) -> None:
    ids = desk.served.albums(230)
    desk.save(ids)
    assert [album.id for album in await desk.resolver.own(ADA, desk.access)] == ids[:-201:-1]
    assert sorted(int(call.param("offset") or 0) for call in desk.served.calls()) == [0, 50, 100, 150]


async def test_a_library_that_fits_on_one_page_is_one_call(desk: Desk) -> None:
    desk.save(desk.served.albums(49))
    assert len(await desk.resolver.own(ADA, desk.access)) == 49
    assert desk.calls(OWN) == 1


async def test_a_members_own_albums_are_asked_for_anew_after_a_minute(desk: Desk) -> None:
    for passed, calls in ((0, 1), (59, 1), (2, 2)):
        desk.clock.now += passed
        await desk.resolver.own(ADA, desk.access)
        assert desk.calls(OWN) == calls


async def test_a_search_is_made_anew_after_a_minute_whatever_its_case_and_accents(desk: Desk) -> None:
    for words, passed, calls in (("Été", 0, 1), ("ete ", 59, 1), ("ÉTÉ", 2, 2)):
        desk.clock.now += passed
        await desk.resolver.search(desk.access, words)
        assert desk.calls(SEARCH) == calls


async def test_a_name_is_known_for_an_hour(desk: Desk) -> None:
    await desk.resolver.album(desk.access, AlbumId(FIRST))
    desk.clock.now += 3599
    assert desk.resolver.known(AlbumId(FIRST)) is not None
    desk.clock.now += 2
    assert desk.resolver.known(AlbumId(FIRST)) is None


async def test_own_albums_that_were_read_while_the_library_changed_are_not_remembered(desk: Desk) -> None:
    tokens = Slow(desk.served.tokens)
    slow = Access(desk.served.app, tokens)
    reading = asyncio.create_task(desk.resolver.own(ADA, slow))
    await asyncio.sleep(0)
    desk.resolver.forget_own(ADA)
    tokens.door.set()
    assert await reading == []
    desk.save([AlbumId(FIRST)])
    assert [album.id for album in await desk.resolver.own(ADA, desk.access)] == [FIRST]


# -- what matches


async def test_an_album_matches_when_its_title_and_artists_hold_all_the_words(desk: Desk) -> None:
    desk.own(("Quiet Rooms", "Anna Loom"), ("Rooms", "Bert Loom"), ("Quiet", "Carl Rum"))
    assert await desk.titles("loom rooms") == ["Quiet Rooms", "Rooms"]
    assert await desk.titles("anna quiet rooms") == ["Quiet Rooms"]
    assert await desk.titles("anna carl") == []
    assert await desk.titles("") == ["Quiet Rooms", "Rooms", "Quiet"]


async def test_case_and_accents_make_no_difference_to_a_match(desk: Desk) -> None:
    desk.own(("L’ÉTÉ à Brême", "Noël Dupré"))
    assert await desk.titles("ete NOEL") == ["L’ÉTÉ à Brême"]
    assert await desk.titles("Été bRéMe") == ["L’ÉTÉ à Brême"]


async def test_titles_that_begin_with_the_words_come_first_and_the_newest_first_among_equals(desk: Desk) -> None:
    desk.own(("The Rooms", "A"), ("Roomy", "B"), ("Blue", "Room"), ("Rooms Above", "C"))
    assert await desk.titles("room") == ["Roomy", "Rooms Above", "The Rooms", "Blue"]


# -- how few calls it costs


async def test_two_who_ask_for_one_album_at_once_make_one_call(desk: Desk) -> None:
    first, second = await asyncio.gather(*(desk.resolver.album(desk.access, AlbumId(FIRST)) for _ in range(2)))
    assert first == second
    assert desk.calls(f"/v1/albums/{FIRST}") == 1


async def test_a_look_up_that_nobody_waits_for_any_more_goes_on_and_is_remembered(desk: Desk) -> None:
    tokens = Slow(desk.served.tokens)
    slow = Access(desk.served.app, tokens)
    waiting = asyncio.create_task(desk.resolver.album(slow, AlbumId(FIRST)))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    tokens.door.set()
    await _until(lambda: desk.resolver.known(AlbumId(FIRST)) is not None)
    assert desk.calls(f"/v1/albums/{FIRST}") == 1


async def test_while_a_member_types_one_call_at_a_time_is_under_way_for_them(desk: Desk) -> None:
    desk.served.server.delay_s = 0.03
    typed = [desk.resolver.suggestions(ADA, desk.access, Action.SAVE, text) for text in ("q", "qu", "qui")]
    assert len(await asyncio.gather(*typed)) == 3
    assert desk.calls(SEARCH) == 3
    assert desk.served.server.max_in_flight == 1


async def test_another_member_who_types_waits_for_nobody(desk: Desk) -> None:
    tokens = Slow(desk.served.tokens)
    slow = Access(desk.served.app, tokens)
    typing = asyncio.create_task(desk.resolver.suggestions(ADA, slow, Action.SAVE, "quiet"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await desk.resolver.suggestions(BEN, desk.access, Action.SAVE, "rooms")
    tokens.door.set()
    await typing
