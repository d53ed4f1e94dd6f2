"""From the start of the process to the first answered `/save`: a restart, as every start but the first of all is."""

from __future__ import annotations

import time
from collections import defaultdict

from bench.figures import Line, compared
from bench.outside import Kind, in_turn, outside
from bench.scale import Scale

RATIO = 1.5
"""The ratio that is allowed."""


async def measure(scale: Scale) -> list[Line]:
    """Seconds; the first answer comes about 10 ms after the gateway's READY."""
    answered: dict[Kind, list[float]] = defaultdict(list)
    for round_ in range(scale.starts):
        for kind in in_turn(round_):
            async with outside() as out:
                await out.prepare(kind)
                begun = time.monotonic()
                async with out.started(kind) as bot:
                    await out.ready(bot)
                    answered[kind].append(time.monotonic() - begun)
    return [
        compared("start to ready: the first `/save` is answered", answered["bare"], answered["gatefold"], "s", RATIO)
    ]
