"""How often pages ask Spotify for names: bounded, however many visitors come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from bot.albums import AlbumId
from bot.sandbox.catalogue import Album, Artist, Track
from bot.sandbox.faults import FAULTS
from bot.spotify.catalogue import KNOWN_S, Catalogue
from bot.web.album_names import BURST, EVERY_S, PAUSE_S, AlbumNames
from tests.spotify.stage import made_app
from tests.web.stage import SPOTIFY_ID, SPOTIFY_SECRET, Stage

MINUTE = 60.0


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


async def test_visitors_of_many_pages_use_up_no_more_than_the_pages_share(names: Names) -> None:
    ids = many(names.stage, BURST + 50)
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
    assert await impatient.of(ids) == {}
    assert impatient.to_come(ids) == 3
    await impatient.stop()
