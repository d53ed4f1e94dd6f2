"""What members' own Spotify apps cost: memory for each, and what is left when nobody uses them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench.figures import Line, spread
from bench.memory import AT_ONCE
from bench.outside import MEMBER, outside
from bench.scale import Scale
from bot.accounts.apps import IDLE_S, Apps
from bot.caller import MemberId
from bot.settings import read_key
from bot.storage import open_storage
from bot.storage.vault import new_key

SAVES = 2
"""How many albums each member saves before the memory is read."""
KIB_EACH = 16.0
"""How much memory an own app may take more than a member on the host's app, in KiB."""


async def measure(scale: Scale) -> list[Line]:
    """KiB for each own app in the bot's process, and how many are in memory before and after they were idle."""
    each = [(await _used(scale.apps, scale.apps) - await _used(scale.apps, 0)) * 1024 / scale.apps for _ in range(2)]
    loaded, left = await _idle(scale.apps)
    return [
        Line(
            f"memory for each of {scale.apps} own apps, beside as many members on the host's app",
            "",
            spread(each, 1, "KiB"),
            "",
            f"≤ {KIB_EACH:g} KiB",
            min(each) <= KIB_EACH,
        ),
        Line(
            f"own apps in memory after {IDLE_S / 60:.0f} minutes in which one of them was used",
            f"{loaded} before",
            f"{left}",
            "",
            "1",
            left == 1,
        ),
    ]


async def _used(members: int, own_apps: int) -> float:
    """The memory of a bot, in MiB, through which each member saved albums."""
    async with outside(members=members, own_apps=own_apps) as out, out.running("gatefold") as bot:
        numbers = iter(range(SAVES * members))

        async def one() -> None:
            for number in numbers:
                await (await out.save(number % members, out.albums[number // members])).message(10)

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))
        return bot.memory_mb()


async def _idle(count: int) -> tuple[int, int]:
    """How many apps are in memory after each was used, and after the time in which idle ones are dropped."""
    now = 0.0
    with tempfile.TemporaryDirectory(prefix="gatefold-bench-") as folder:
        storage = await open_storage(Path(folder) / "gatefold.db", [read_key(new_key())])
        try:
            apps = Apps(storage.apps, None, monotonic=lambda: now)
            for number in range(count):
                await apps.of(f"{number:032x}", MemberId(MEMBER + number))
            loaded = len(apps.loaded)
            now = IDLE_S + 1
            await apps.of(f"{0:032x}", MemberId(MEMBER))
            return loaded, len(apps.loaded)
        finally:
            await storage.close()
