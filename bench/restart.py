"""A restart with 100,000 pending changes: how long until it is ready, and what that costs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Literal

import aiohttp

from bench.figures import Line, compared, spread
from bench.outside import SPOTIFY_ID, Bot, Outside, outside
from bench.scale import Scale
from bot.storage.engine import Connection

DELAY_S = 0.02
LATER_S = 2.0
ALBUMS = 500
BUSY = 1.5
"""How much more processor time a start with everything pending may take."""
FIRST_REQUEST = 1_300_000_000_000_000_000
State = Literal["nothing pending", "gate open", "gate closed"]
STATES: tuple[State, ...] = ("nothing pending", "gate open", "gate closed")


async def measure(scale: Scale) -> list[Line]:
    """Seconds to ready, and the processor time of the start, beside a start with nothing pending."""
    ready: dict[State, list[float]] = defaultdict(list)
    busy: dict[State, list[float]] = defaultdict(list)
    for round_ in range(scale.restarts):
        for state in STATES if round_ % 2 == 0 else STATES[::-1]:
            async with outside(members=scale.pending_members, albums=ALBUMS) as out:
                await out.link_all()
                await _fill(out, state, scale.pending_each)
                out.spotify.delay_s = DELAY_S
                begun = time.monotonic()
                async with out.started("gatefold") as bot:
                    ready[state].append(await _until_ready(bot, begun))
                    busy[state].append(bot.processor_s())
    none = statistics.median(ready["nothing pending"])
    changes = f"{scale.pending_members * scale.pending_each:,} pending changes"
    lines = []
    for state in STATES[1:]:
        later = statistics.median(ready[state]) - none
        lines.append(
            Line(
                f"restart with {changes}, {state}: ready (floor: with none)",
                spread(ready["nothing pending"], 2, "s"),
                spread(ready[state], 2, "s"),
                f"{later:+.2f} s",
                f"≤ {LATER_S:g} s more",
                later <= LATER_S,
            )
        )
    lines.append(
        compared(
            f"restart with {changes}, gate closed: processor time (floor: with none)",
            busy["nothing pending"],
            busy["gate closed"],
            "s",
            BUSY,
        )
    )
    return lines


async def _fill(out: Outside, state: State, each: int) -> None:
    """One request for each member, made an hour ago with `albums` albums, that could not be carried out until now."""
    asked_at = datetime.now(UTC) - timedelta(hours=1)
    created = int(asked_at.timestamp())
    members = [] if state == "nothing pending" else [*out.tokens]
    requests = [(FIRST_REQUEST + number, member, "save", created) for number, member in enumerate(members)]
    changes = [
        (FIRST_REQUEST + number, place, member, "album", out.synthetic[(number * 7 + place) % ALBUMS])
        for number, member in enumerate(members)
        for place in range(each)
    ]

    def write(c: Connection) -> None:
        c.executemany("INSERT INTO change_requests (id, member_id, action, created_at) VALUES (?, ?, ?, ?)", requests)
        c.executemany(
            "INSERT INTO library_changes (request_id, position, member_id, kind, reference) VALUES (?, ?, ?, ?, ?)",
            changes,
        )

    async with out.storage() as storage:
        await storage.database.write(write)
        if state == "gate closed":
            await storage.apps.set_closed(SPOTIFY_ID, datetime.now(UTC) + timedelta(hours=5), "quota")


async def _until_ready(bot: Bot, begun: float) -> float:
    """Seconds until /healthz says that everything works."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            try:
                async with session.get(f"{bot.url}/healthz") as response:
                    if response.status == 200:
                        return time.monotonic() - begun
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.01)
