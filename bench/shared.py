"""A press of Save on a shared card, beside the same member's `/save` of the same album."""

from __future__ import annotations

import asyncio

from bench.figures import Line, compared, p50
from bench.outside import MEMBER, bots_time, outside
from bench.save import KNOWN, PAUSE_S
from bench.scale import Scale
from tests.discord_wire import WireInteraction

RATIO = 1.1
"""The ratio that is allowed."""


async def measure(scale: Scale) -> list[Line]:
    """p50 at 0 ms a call, without the time of the stand-ins: see `bots_time`."""
    floor, ours = [], []
    for _ in range(scale.rounds):
        async with outside(clock=bots_time) as out, out.running("gatefold"):
            albums = out.albums[:KNOWN]
            cards = {
                id_: await (await out.discord.slash(MEMBER, "share", {"album": id_})).message(10) for id_ in albums
            }
            commands: list[float] = []
            presses: list[float] = []
            for number in range(scale.warm_saves + scale.saves):
                album = albums[number % KNOWN]
                for is_press in (False, True) if number % 2 == 0 else (True, False):
                    out.clear_libraries()
                    if is_press:
                        sent = await out.discord.press(MEMBER, f"save:{album}", cards[album])
                    else:
                        sent = await out.save(0, album)
                    took = await _answered(sent)
                    if out.saved() != 1:
                        raise RuntimeError(f"{sent.what} did not save the album, so nothing was measured")
                    if number >= scale.warm_saves:
                        (presses if is_press else commands).append(took)
                    await asyncio.sleep(PAUSE_S)
            floor.append(p50(commands))
            ours.append(p50(presses))
    return [compared("Save on a shared card at 0 ms a call, p50 (floor: Gatefold's `/save`)", floor, ours, "ms", RATIO)]


async def _answered(sent: WireInteraction) -> float:
    """Milliseconds from the event to the answer."""
    await sent.message(10)
    assert sent.shown_at is not None
    return (sent.shown_at - sent.sent_at) * 1000
