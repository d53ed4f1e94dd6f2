"""`/import` of a large file: how many calls it takes, how long, and how much memory."""

from __future__ import annotations

import asyncio
import time

from bench.bulk import DELAY_S, start_import
from bench.figures import Line
from bench.outside import Bot, Outside, outside
from bench.scale import Scale
from tests.discord_wire import texts

CHUNK, CALLS = 40, 3
"""How many albums one call to Spotify's library endpoint takes, and how many calls these need at least.

One says which are saved already, one saves, and one looks again, because Spotify's 200 is no proof.
"""
SPARE = 1.1
"""The share of calls that is allowed, the names of the first albums included."""
GROWTH = 0.02
"""How much more memory a third import may take than the second one, as a share."""
EVERY_S = 0.05


async def measure(scale: Scale) -> list[Line]:
    """Calls and seconds of one import, and the most memory of three in a row by three members."""
    # own apps, because these have the library endpoint alone, like every app since February 2026
    async with outside(members=3, own_apps=3, albums=scale.transferred) as out, out.running("gatefold") as bot:
        out.spotify.delay_s = DELAY_S
        rest = bot.memory_mb()
        out.spotify.calls.clear()
        begun = time.monotonic()
        peaks = [await _imported(out, bot, 0)]
        took, calls = time.monotonic() - begun, len(out.spotify.calls)
        out.spotify.delay_s = 0.0
        for number in (1, 2):
            peaks.append(await _imported(out, bot, number))
    what = f"`/import` of {scale.transferred:,} albums at {DELAY_S * 1000:.0f} ms a call"
    least = CALLS * -(-scale.transferred // CHUNK)
    growth = peaks[2] / peaks[1] - 1
    return [
        Line(
            f"{what}: calls to Spotify",
            f"{least:,}",
            f"{calls:,}",
            f"{calls / least:.2f}",
            f"≤ {SPARE:g}",
            calls <= least * SPARE,
        ),
        Line(f"{what}: total", "", f"{took:.1f} s", f"{took / scale.transferred * 1000:.1f} ms an album"),
        Line("the same: the most memory while it ran", f"{rest:.1f} MiB at rest", f"{peaks[0]:.1f} MiB"),
        Line(
            "the same: its growth from the second such import to the third",
            f"{peaks[1]:.1f} MiB",
            f"{peaks[2]:.1f} MiB",
            f"{growth:+.1%}",
            f"≤ {GROWTH:.0%}",
            growth <= GROWTH,
        ),
    ]


async def _imported(out: Outside, bot: Bot, number: int) -> float:
    """The most memory that the bot held while a member's import ran, in MiB."""
    message, peak = await start_import(out, number), bot.memory_mb()
    while not any("import is done" in text for text in texts(out.discord.messages[message])):
        await asyncio.sleep(EVERY_S)
        peak = max(peak, bot.memory_mb())
    if len(out.spotify.accounts[f"m{number}"].saved) < len(out.synthetic):
        raise RuntimeError("not all albums were saved, so nothing was measured")
    return peak
