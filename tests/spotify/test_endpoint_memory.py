"""What is found out about the app's album endpoint, when it cannot be written down."""

from __future__ import annotations

from bot.albums import AlbumId
from bot.changes import Action
from bot.errors import StorageUnavailable
from bot.spotify.wire import Endpoint
from tests.spotify.stage import Served
from tests.world import FIRST


async def test_a_write_that_worked_is_no_trouble_when_the_disk_is_full(served: Served) -> None:
    told: list[Endpoint] = []

    async def full(endpoint: Endpoint) -> None:
        told.append(endpoint)
        raise StorageUnavailable("database or disk is full")

    served.server.generations = {"library"}
    access = served.through(served.made_app(on_endpoint=full))
    assert await served.spotify.write(access, Action.SAVE, [AlbumId(FIRST)]) == {FIRST: None}
    assert told == [Endpoint.LIBRARY]
    assert list(served.account.saved) == [FIRST]
