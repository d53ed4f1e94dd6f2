"""A restart with 100,000 pending changes: how long until it is ready, and how quickly they are carried out."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from urllib.parse import urlencode

import aiohttp

from bench.figures import Line, compared, spread
from bench.outside import ROOT, SPOTIFY_ID, Bot, Outside, outside
from bench.scale import Scale
from bot.spotify.gate import PLACES
from bot.storage.database import Connection

DELAY_S = 0.02
LATER_S = 2.0
ALBUMS = 500
DRAIN_S = 600.0
AT_THE_GATE = 1.2
"""What "at the gate's own speed" is taken to mean: as long as a client needs that only makes these calls."""
FIRST_REQUEST = 1_300_000_000_000_000_000
State = Literal["nothing pending", "gate open", "gate closed"]
STATES: tuple[State, ...] = ("nothing pending", "gate open", "gate closed")


class Drained(NamedTuple):
    """One drain. `in_flight`: calls at once, on average; `busy`: this process's share of its processor."""

    seconds: float
    calls: int
    in_flight: float
    floor_s: float
    busy: float
    bot_busy: float


async def measure(scale: Scale) -> list[Line]:
    """Seconds to ready in three states; then the drain, beside the same calls made by nobody's bot."""
    ready: dict[State, list[float]] = defaultdict(list)
    drains: list[Drained] = []
    count = scale.pending_members * scale.pending_each
    for round_ in range(scale.restarts):
        for state in STATES if round_ % 2 == 0 else STATES[::-1]:
            async with outside(members=scale.pending_members, albums=ALBUMS) as out:
                await out.link_all()
                await _fill(out, state, scale.pending_each)
                out.spotify.delay_s = DELAY_S
                begun, worked = time.monotonic(), time.process_time()
                async with out.started("gatefold") as bot:
                    ready[state].append(await _until_ready(bot, begun))
                    if state == "gate open":
                        drained = await _drained(out, count)
                        took = time.monotonic() - begun
                        busy = (time.process_time() - worked) / took
                        drains.append(drained._replace(busy=busy, bot_busy=bot.processor_s() / took))
                if state == "gate open":
                    drains[-1] = drains[-1]._replace(floor_s=await _replayed(out))
    none = statistics.median(ready["nothing pending"])
    changes = f"{count:,} pending changes"
    return [
        *(
            Line(
                f"restart with {changes}, {state}: ready (floor: with none)",
                spread(ready["nothing pending"], 2, "s"),
                spread(ready[state], 2, "s"),
                f"{statistics.median(ready[state]) - none:+.2f} s",
                f"≤ {LATER_S:g} s more",
                statistics.median(ready[state]) - none <= LATER_S,
            )
            for state in STATES[1:]
        ),
        compared(
            f"their drain at {DELAY_S * 1000:.0f} ms a call (floor: the same calls, {PLACES} at once, no more)",
            [drained.floor_s for drained in drains],
            [drained.seconds for drained in drains],
            "s",
            AT_THE_GATE,
        ),
        Line(
            "the same, calls a second",
            spread([drained.calls / drained.floor_s for drained in drains], 0),
            spread([drained.calls / drained.seconds for drained in drains], 0),
        ),
        Line(
            f"the same, calls at once on average (of {PLACES}); processor of the bot, of the stand-ins",
            "",
            f"{spread([drained.in_flight for drained in drains], 1)}; {drains[-1].bot_busy:.0%}, {drains[-1].busy:.0%}",
        ),
    ]


async def _fill(out: Outside, state: State, each: int) -> None:
    """One request an hour ago for each member, of so many albums, and nobody could be served until now."""
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


async def _drained(out: Outside, count: int) -> Drained:
    """From the first call to the last album in its library."""
    async with asyncio.timeout(DRAIN_S):
        while out.saved() < count:  # noqa: ASYNC110 - the stand-in's libraries have no event to wait for
            await asyncio.sleep(0.02)
    calls = [call for call in out.spotify.calls if call.path.startswith("/v1")]
    now = time.monotonic()
    begun = calls[0].started_at
    ended = max(call.ended_at or now for call in calls)
    under_way = sum((call.ended_at or now) - call.started_at for call in calls)
    return Drained(ended - begun, len(calls), under_way / (ended - begun), 0.0, 0.0, 0.0)


async def _replayed(out: Outside) -> float:
    """Seconds that the same calls take a client which does nothing else."""
    calls = [
        (
            call.method,
            call.path + (f"?{urlencode(call.query)}" if call.query else ""),
            call.headers["authorization"].removeprefix("Bearer "),
            call.body,
        )
        for call in out.spotify.calls
        if call.path.startswith("/v1")
    ]
    out.forget()
    out.clear_libraries()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.replay",
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    given = {"url": out.spotify.base_url, "places": PLACES, "calls": calls}
    answer, _ = await process.communicate(json.dumps(given).encode())
    if process.returncode:
        raise RuntimeError(f"the replay ended with {process.returncode}")
    return float(json.loads(answer)["seconds"])
