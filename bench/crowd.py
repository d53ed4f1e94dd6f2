"""A whole server in one second: most members on the host's app, some with a Spotify app of their own each."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from bench.burst import LATEST_S, burst_of
from bench.figures import Line, compared, spread
from bench.outside import outside
from bench.scale import Scale

DELAY_S = 0.02
RATIO = 1.1
"""How much longer it may take than with all members on the host's app."""
ROUNDS = 3
"""More would take more than two minutes."""
WARM_ROUNDS = 2
"""The first one opens connections, and finds out which album endpoint each own app has."""


async def measure(scale: Scale) -> list[Line]:
    """Seconds from the first event to the last answer, and the latest answer, beside all members on the host's app."""
    total: dict[int, list[float]] = defaultdict(list)
    latest: dict[int, list[float]] = defaultdict(list)
    apart = (0, scale.own_apps)
    for round_ in range(min(scale.rounds, ROUNDS)):
        for own_apps in apart if round_ % 2 == 0 else apart[::-1]:
            async with outside(members=scale.members, own_apps=own_apps) as out, out.running("gatefold"):
                out.spotify.delay_s = DELAY_S
                for _ in range(WARM_ROUNDS):
                    await burst_of(out, scale.members)
                    await asyncio.sleep(0.2)
                took, last, _ = await burst_of(out, scale.members)
                if out.saved() != scale.members:
                    raise RuntimeError(f"{out.saved()} of {scale.members} albums were saved, so nothing was measured")
                total[own_apps].append(took)
                latest[own_apps].append(last)
    what = (
        f"{scale.members} members at once at {DELAY_S * 1000:.0f} ms a call, "
        f"{scale.own_apps} of them with an app of their own"
    )
    ours = latest[scale.own_apps]
    return [
        compared(f"{what}, total (floor: all on the host's app)", total[0], total[scale.own_apps], "s", RATIO),
        Line(
            f"{what}, the latest answer",
            spread(latest[0], 2, "s"),
            spread(ours, 2, "s"),
            "",
            f"< {LATEST_S:g} s",
            max(ours) < LATEST_S,
        ),
    ]
