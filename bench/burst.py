"""500 members in one second: each sends one `/save`, 2 ms apart, whether or not the others were answered."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict

from bench.figures import Line, compared, spread
from bench.outside import Kind, Outside, in_turn, outside
from bench.scale import Scale

KNOWN = 20
LATEST_S = 3.0
BOUNDS = {0: 1.1, 20: 1.1, 50: 1.3}
"""The ratio that is allowed, by the delay of a call in ms. At 50 ms the limit on calls at once decides."""
APART_S = 1 / 500


async def measure(scale: Scale) -> list[Line]:
    """Seconds from the first event to the last answer, and the latest answer."""
    total: dict[tuple[int, Kind], list[float]] = defaultdict(list)
    latest: dict[tuple[int, Kind], list[float]] = defaultdict(list)
    busy: list[float] = []
    for round_ in range(scale.rounds):
        for kind in in_turn(round_):
            async with outside(members=scale.burst) as out, out.running(kind):
                for number in range(KNOWN):
                    await (await out.save(0, out.albums[number])).message(10)
                print(f"burst: {kind}", file=sys.stderr, flush=True)
                await burst_of(out, scale.burst)  # the connections
                for delay_ms in scale.bursts_at_ms:
                    await asyncio.sleep(0.2)
                    out.spotify.delay_s = delay_ms / 1000
                    took, last, share = await burst_of(out, scale.burst)
                    total[delay_ms, kind].append(took)
                    latest[delay_ms, kind].append(last)
                    busy.append(share)
    lines = []
    for delay_ms in scale.bursts_at_ms:
        what = f"{scale.burst} members in one second at {delay_ms} ms a call"
        lines.append(
            compared(f"{what}, total", total[delay_ms, "bare"], total[delay_ms, "gatefold"], "s", BOUNDS[delay_ms])
        )
        worst = max(latest[delay_ms, "gatefold"])
        lines.append(
            Line(
                f"{what}, the latest answer",
                spread(latest[delay_ms, "bare"], 2, "s"),
                spread(latest[delay_ms, "gatefold"], 2, "s"),
                "",
                f"< {LATEST_S:g} s",
                worst < LATEST_S,
            )
        )
    lines.append(Line("the same: the stand-ins' share of their processor", "", f"{max(busy):.0%} at most"))
    return lines


async def burst_of(out: Outside, count: int) -> tuple[float, float, float]:
    """One `/save` by each member: seconds in all, seconds of the latest answer, and how busy this process was."""
    out.forget()
    out.clear_libraries()
    begun, worked = time.monotonic(), time.process_time()
    sent = []
    for number in range(count):
        if (left := begun + number * APART_S - time.monotonic()) > 0:
            await asyncio.sleep(left)
        sent.append(await out.save(number, out.albums[number % KNOWN]))
    for interaction in sent:
        try:
            await interaction.message(30)
        except TimeoutError as error:
            left = [each for each in sent if not each.history]
            error.add_note(f"{len(left)} of {count} without an answer; refused: {left[0].refusals if left else []}")
            raise
    share = (time.process_time() - worked) / (time.monotonic() - begun)
    waits = [(i.shown_at or 0.0) - i.sent_at for i in sent]
    ended = max(i.shown_at or 0.0 for i in sent)
    return ended - sent[0].sent_at, max(waits), share
