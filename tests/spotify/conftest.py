"""The client to Spotify, and what stands at its other end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.catalogue import Catalogue
from bot.sandbox.spotify_server import SpotifyServer
from tests.spotify.stage import CLIENT_ID, SECRET, Served

# It takes 10 ms to draw up, and tests only ever add to it.
CATALOGUE = Catalogue()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as `bot/app.py` makes it: the gate counts, not the connector."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def served(session: aiohttp.ClientSession) -> AsyncIterator[Served]:
    """The strict stand-in over real HTTP, with one linked account."""
    server = SpotifyServer(
        client_id=CLIENT_ID, client_secret=SECRET, redirect_uris={"http://127.0.0.1/cb"}, catalogue=CATALOGUE
    )
    async with server.running() as base:
        yield Served(session, server, base)
