"""How often pages ask Spotify for names: bounded, however many visitors come."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.albums import AlbumId
from bot.errors import AppRejected, NoSuchAlbum, TryLater
from bot.sandbox.catalogue import Album, Artist, Track
from bot.sandbox.faults import FAULTS
from bot.spotify.catalogue import KNOWN_S, Catalogue
from bot.web.album_names import AT_ONCE, BURST, EVERY_S, PAUSE_MOST_S, PAUSE_S, UNKNOWN_MOST, AlbumNames
from tests.spotify.stage import made_app
from tests.web.stage import SPOTIFY_ID, SPOTIFY_SECRET, Stage

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Names:
    """The names of pages, with a clock that stands still, before the stand-in."""

    stage: Stage
    now: float = 1000.0

    def __post_init__(self) -> None:
        host = made_app(SPOTIFY_ID, SPOTIFY_SECRET)
        self.catalogue = Catalogue(self.stage.client, host, monotonic=lambda: self.now)
        self.names = self.waiting(60.0)

    def waiting(self, wait_s: float) -> AlbumNames:
        return AlbumNames(self.catalogue, monotonic=lambda: self.now, wait_s=wait_s)

    @property
    def calls(self) -> int:
        return sum(call.path.startswith("/v1/albums/") for call in self.stage.spotify.calls)

    async def see(self, ids: list[AlbumId]) -> int:
        """A visitor, who waits as long as it takes; how many names they see."""
        return len(await self.names.of(ids))


@pytest.fixture
def names(stage: Stage) -> Names:
    return Names(stage)


def many(stage: Stage, count: int) -> list[AlbumId]:
    """So many albums."""
    ids = [f"{place:022}".replace("0", "Q") for place in range(count)]
    track = Track("t" * 22, "Song", 1, 1000)
    stage.spotify.catalogue.add(
        [Album(id_, "Title", (Artist("a" * 22, "Artist"),), "1999", "album", (track,)) for id_ in ids]
    )
    return [AlbumId(id_) for id_ in ids]


async def test_an_album_is_asked_for_once_a_day_however_many_visitors_come_at_once(names: Names) -> None:
    ids = many(names.stage, 5)
    assert await asyncio.gather(*(names.see(ids) for _ in range(200))) == [5] * 200
    assert names.calls == 5
    names.now += KNOWN_S - 1
    assert await names.see(ids) == 5
    assert names.calls == 5
    names.now += 2
    assert await names.see(ids) == 5
    assert names.calls == 10


async def test_an_album_for_which_many_visitors_wait_is_counted_once(names: Names) -> None:
    ids = many(names.stage, BURST)
    await asyncio.gather(*(names.see(ids[:5]) for _ in range(BURST)))
    assert await names.see(ids) == BURST


async def test_visitors_of_many_pages_use_up_no_more_than_the_pages_share(names: Names) -> None:
    ids = many(names.stage, BURST + 50)
    names.now += 1000 * EVERY_S  # a share that nobody uses does not grow
    for _ in range(3):
        assert await names.see(ids) == BURST
    assert names.calls == BURST
    assert names.names.to_come(ids) == 50
    names.now += 10 * EVERY_S
    assert await names.see(ids) == BURST + 10
    assert names.calls == BURST + 10


@pytest.mark.parametrize(
    ("fault", "pause_s"), [("quota", 3600.0), ("rate_limited", PAUSE_S), ("server_error", PAUSE_S)]
)
async def test_nothing_is_asked_while_spotify_wants_it_to_wait(names: Names, fault: str, pause_s: float) -> None:
    ids = many(names.stage, 40)
    names.stage.spotify.fault(path="/v1/albums/*", times=None, **FAULTS[fault])
    assert await names.see(ids) == 0
    before = names.calls
    assert before <= 24, "those under way, and their repetitions"
    assert await names.see(ids) == 0
    names.now += pause_s - 1
    assert await names.see(ids) == 0
    assert names.calls == before


async def test_a_page_does_not_wait_longer_than_it_may(names: Names) -> None:
    ids = many(names.stage, 3)
    names.stage.spotify.fault(path="/v1/albums/*", times=None, delay_s=30.0)
    impatient = names.waiting(0.01)
    async with asyncio.timeout(10):
        assert await impatient.of(ids) == {}
        assert impatient.to_come(ids + ids) == 3
        await impatient.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "album of a page"] == []


@dataclass
class Unknowing:
    """A Spotify that knows no album, after as long as it is held up."""

    says: Callable[[], Exception] = NoSuchAlbum
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    under_way: int = 0
    most_under_way: int = 0

    async def public_album(self, id_: AlbumId) -> Album:
        self.calls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.goes_on.wait()
        self.under_way -= 1
        raise self.says()


class Id(str):
    """The id of an album; it can be seen whether anything still holds it."""

    __slots__ = ("__weakref__",)


async def test_a_page_has_few_calls_under_way_and_what_has_no_name_is_asked_for_once_a_day() -> None:
    spotify: Any = Unknowing()
    now = 1000.0
    names = AlbumNames(Catalogue(spotify, None), monotonic=lambda: now, wait_s=60.0)
    ids = [AlbumId(f"{place:022}") for place in range(20)]
    reading = asyncio.create_task(names.of(ids))
    while spotify.calls < AT_ONCE:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert spotify.calls == AT_ONCE == 4
    assert names.to_come(ids) == 20
    spotify.goes_on.set()
    assert await reading == {}
    assert (spotify.calls, spotify.most_under_way) == (20, 4)
    assert names.to_come(ids) == 0, "they have no name"
    now += KNOWN_S - 1
    assert await names.of(ids) == {}
    assert spotify.calls == 20
    for _ in range(2):
        now += 1
        assert names.to_come(ids) == 20
    await names.of(ids)
    assert spotify.calls == 40


@pytest.mark.parametrize(
    ("until_s", "pause_s"),
    [(None, PAUSE_S), (-10, PAUSE_S), (59, PAUSE_S), (600, 600), (9 * 3600, PAUSE_MOST_S)],
)
async def test_nothing_is_asked_for_as_long_as_spotify_says_but_for_a_minute_at_least_and_an_hour_at_most(
    until_s: int | None, pause_s: float
) -> None:
    until = None if until_s is None else BEGIN + timedelta(seconds=until_s)
    await is_paused(lambda: TryLater(TryLater.Cause.RATE_LIMITED, until), pause_s)


async def test_after_any_other_refusal_nothing_is_asked_for_a_minute() -> None:
    await is_paused(AppRejected, PAUSE_S)


async def is_paused(says: Callable[[], Exception], pause_s: float) -> None:
    """After this answer of Spotify's, nothing is asked for so long, and then again."""
    spotify: Any = Unknowing(says)
    spotify.goes_on.set()
    now = 0.0
    names = AlbumNames(Catalogue(spotify, None), monotonic=lambda: now, now=lambda: BEGIN, wait_s=60.0)
    for asked_at, calls in ((0.0, 1), (pause_s - 1, 1), (pause_s, 2)):
        now = asked_at
        assert await names.of([AlbumId("x" * 22)]) == {}
        assert spotify.calls == calls
        assert names.to_come([AlbumId("x" * 22)]) == 1


async def test_what_is_not_asked_during_a_pause_is_not_counted_either() -> None:
    spotify: Any = Unknowing(AppRejected)
    spotify.goes_on.set()
    now = 0.0
    names = AlbumNames(Catalogue(spotify, None), monotonic=lambda: now, wait_s=60.0)
    ids = [AlbumId(f"{place:022}") for place in range(BURST)]
    await names.of(ids[:1])
    await names.of(ids[1:])
    assert spotify.calls == 1
    now, spotify.says = PAUSE_S, NoSuchAlbum
    await names.of(ids[1:])
    assert spotify.calls == BURST


async def test_of_albums_that_have_no_name_only_so_many_are_remembered() -> None:
    spotify: Any = Unknowing()
    spotify.goes_on.set()
    now = 0.0
    names = AlbumNames(Catalogue(spotify, None), monotonic=lambda: now, wait_s=60.0)
    first = Id("x" * 22)
    seen = weakref.ref(first)
    await names.of([AlbumId(first)])
    del first
    ids = [AlbumId(f"{place:022}") for place in range(UNKNOWN_MOST)]
    for begin in range(0, UNKNOWN_MOST, BURST):
        gc.collect()
        assert seen() is not None
        now += BURST * EVERY_S
        await names.of(ids[begin : begin + BURST])
    assert spotify.calls == UNKNOWN_MOST + 1
    gc.collect()
    assert seen() is None
