"""Memory at rest, and after many interactions that change a library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bench.figures import Line, compared
from bench.outside import KINDS, Kind, Outside, in_turn, outside
from bench.scale import Scale

MEMBERS = 50
AT_ONCE = 16
REST_S = 1.0
WARM_SHARE = 0.2
ALBUMS = 400
"""All of them are met within the warm-up, so that what is remembered of albums is full by then."""
RATIO, GROWTH = 1.5, 0.02


async def measure(scale: Scale) -> list[Line]:
    """MiB (VmRSS) at rest, after the warm-up and at the end; only the rest is measured in several rounds."""
    found = {kind: await _grown(kind, scale.interactions) for kind in KINDS}
    rest: dict[Kind, list[float]] = {kind: [found[kind][0]] for kind in KINDS}
    for round_ in range(1, scale.rounds):
        for kind in in_turn(round_):
            rest[kind].append((await _grown(kind, 0))[0])
    (_, bare_warm, bare_end), (_, warm, end) = found["bare"], found["gatefold"]
    what = f"memory after {scale.interactions:,} interactions"
    warm_up, growth = round(scale.interactions * WARM_SHARE), end / warm - 1
    return [
        compared("memory at rest", rest["bare"], rest["gatefold"], "MiB", RATIO, digits=1),
        compared(what, [bare_end], [end], "MiB", RATIO, digits=1),
        Line(
            f"its growth after the first {warm_up:,} of them",
            f"{bare_end / bare_warm - 1:+.1%}",
            f"{growth:+.1%}",
            "",
            f"≤ {GROWTH:.0%}",
            growth <= GROWTH,
        ),
    ]


async def _grown(kind: Kind, count: int) -> tuple[float, float, float]:
    async with outside(members=MEMBERS, albums=ALBUMS) as out, out.running(kind) as bot:
        await asyncio.sleep(REST_S)
        rest = bot.memory_mb()
        warm = round(count * WARM_SHARE)
        await _interactions(out, 0, warm)
        warmed = bot.memory_mb()
        await _interactions(out, warm, count)
        return rest, warmed, bot.memory_mb()


async def _interactions(out: Outside, first: int, end: int) -> None:
    """Saves by all members in turn, some at once, each of an album that its member does not have."""
    for begin in range(first, end, ALBUMS):
        out.clear_libraries()
        numbers = iter(range(begin, min(begin + ALBUMS, end)))

        async def one(numbers: Iterator[int]) -> None:
            for number in numbers:
                interaction = await out.save(number % MEMBERS, out.albums[number % ALBUMS])
                await interaction.message(10)

        await asyncio.gather(*(one(numbers) for _ in range(AT_ONCE)))
        out.forget()
