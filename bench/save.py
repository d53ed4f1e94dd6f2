"""One `/save`, from the event to the first answer, one after another."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack

from bench.figures import Line, compared, p50, p99
from bench.outside import KINDS, Kind, Outside, bots_time, in_turn, outside
from bench.scale import Scale

KNOWN = 20
"""The number of albums that are saved again and again. After the warm-up both bots know their names."""
PAUSE_S = 0.01
"""A pause after each answer, so that what a bot still does then does not delay the next one."""
BOUNDS = {0: 1.6, 50: 1.05}


async def measure(scale: Scale) -> list[Line]:
    """p50 and p99 at 0 and at 50 ms a call, without the time of the stand-ins (see `bots_time`), and processor time."""
    found: dict[tuple[int, Kind], list[list[float]]] = defaultdict(list)
    worked: dict[Kind, list[float]] = defaultdict(list)
    for _ in range(scale.rounds):
        async with AsyncExitStack() as stack:
            # Both bots run, and are asked in turn: what the machine does besides falls on both alike.
            outs = {kind: await stack.enter_async_context(outside(clock=bots_time)) for kind in KINDS}
            bots = {kind: await stack.enter_async_context(out.running(kind)) for kind, out in outs.items()}
            await _saves(outs, max(scale.warm_saves, 1))
            for delay_ms, count in ((0, scale.saves), (50, scale.slow_saves)):
                for out in outs.values():
                    out.spotify.delay_s = delay_ms / 1000
                    out.forget()
                before = {kind: bot.processor_s() for kind, bot in bots.items()}
                for kind, times in (await _saves(outs, count)).items():
                    found[delay_ms, kind].append(times)
                    if delay_ms == 0:
                        worked[kind].append((bots[kind].processor_s() - before[kind]) / count * 1000)
    lines = [
        compared(
            f"one `/save` at {delay_ms} ms a call, {name}",
            [figure(times) for times in found[delay_ms, "bare"]],
            [figure(times) for times in found[delay_ms, "gatefold"]],
            "ms",
            most,
        )
        for delay_ms, most in BOUNDS.items()
        for name, figure in (("p50", p50), ("p99", p99))
    ]
    what = "one `/save` at 0 ms a call, processor time of the bot"
    return [*lines, compared(what, worked["bare"], worked["gatefold"], "ms", BOUNDS[0])]


async def _saves(outs: Mapping[Kind, Outside], count: int) -> dict[Kind, list[float]]:
    """Milliseconds from the sending of the event to the arrival of the answer."""
    times: dict[Kind, list[float]] = {kind: [] for kind in outs}
    for number in range(count):
        for kind in in_turn(number):
            out = outs[kind]
            out.clear_libraries()
            interaction = await out.save(0, out.albums[number % KNOWN])
            await interaction.message(10)
            assert interaction.answered_at is not None
            times[kind].append((interaction.answered_at - interaction.sent_at) * 1000)
            await asyncio.sleep(PAUSE_S)
    return times
