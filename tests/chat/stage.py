"""The real client with features of a test's own, at a wire-level Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import attrs

from bot.chat.client import Client, point_at
from bot.chat.features import Feature
from bot.chat.first_answers import Endpoint, FirstAnswers
from bot.chat.reply import FAST_S, Reply
from bot.chat.words import AllWords
from bot.settings import from_values
from bot.storage import open_storage
from tests.discord_wire import DiscordWire, Json
from tests.discord_wire.messages import COMPONENTS_V2, MESSAGE
from tests.world import APP, BOT_TOKEN, DISCORD_SECRET, KEY, SPOTIFY_ID

CARD_ID = "1"


def card() -> Json:
    """A message of ours, as far as using a button of it needs one."""
    return {**MESSAGE, "id": CARD_ID, "channel_id": str(DiscordWire.CHANNEL), "flags": COMPONENTS_V2}


@dataclass
class Stage:
    """A Discord, the client, and what was observed of each interaction."""

    wire: DiscordWire
    client: Client
    reply: Reply
    observed: list[tuple[str, str]] = field(default_factory=list)

    async def quiet(self) -> None:
        """Until every interaction was observed to its end."""
        async with asyncio.timeout(60):
            while len(self.observed) < len(self.wire.interactions):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(
    folder: Path,
    features: Callable[[Reply], list[Feature]],
    *,
    progress_s: float = 2.0,
    fast_s: float = FAST_S,
    token_life_s: float = 600.0,
) -> AsyncIterator[Stage]:
    """A client with these features, connected."""
    storage = await open_storage(folder / "gatefold.db", [b"k" * 32])
    wire = DiscordWire(application_id=APP, bot_token=BOT_TOKEN)
    observed: list[tuple[str, str]] = []
    is_connected = asyncio.Event()
    async with wire.running(), aiohttp.ClientSession() as session:
        reply = Reply(
            AllWords("https://gatefold.example/privacy"),
            lambda command, outcome, first_s: observed.append((command, outcome)),
            FirstAnswers(Endpoint(session, wire.api_url)),
            progress_s=progress_s,
            fast_s=fast_s,
            token_life_s=token_life_s,
        )
        settings = from_values(
            discord_token=BOT_TOKEN,
            discord_client_id=str(APP),
            discord_client_secret=DISCORD_SECRET,
            spotify_client_id=SPOTIFY_ID,
            public_url="http://127.0.0.1:8080",
            token_keys=KEY,
        )
        point_at(attrs.evolve(settings, discord_api_url=wire.api_url, discord_gateway_url=wire.gateway_url))
        client = Client(features(reply), reply, storage.commands, {}, None, lambda is_up: is_connected.set())
        async with client:
            await client.log_in(BOT_TOKEN)
            gateway = asyncio.create_task(client.stay_connected())
            await asyncio.wait_for(is_connected.wait(), 10)
            try:
                yield Stage(wire, client, reply, observed)
            finally:
                gateway.cancel()
                await asyncio.gather(gateway, return_exceptions=True)
    await storage.close()
