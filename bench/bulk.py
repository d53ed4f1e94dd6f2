"""One member's `/save` while another member imports many albums, beside the same `/save` on an idle bot."""

from __future__ import annotations

import asyncio

from bench.figures import Line, compared, p50
from bench.outside import MEMBER, Outside, outside
from bench.save import KNOWN, PAUSE_S
from bench.scale import Scale
from tests.discord_wire import WireFile, buttons

DELAY_S = 0.05
"""The delay of a call, in seconds: about that of a real network."""
RATIO = 1.3
"""The ratio that is allowed."""


async def measure(scale: Scale) -> list[Line]:
    """p50 of the saves that were answered while the import ran."""
    floor, ours, during = [], [], []
    for _ in range(scale.rounds):
        async with outside(members=2, albums=scale.imported) as out, out.running("gatefold"):
            for number in range(KNOWN):
                await _save(out, number)
            out.spotify.delay_s = DELAY_S
            floor.append(p50([await _save(out, number) for number in range(KNOWN)]))
            await start_import(out, 1)
            times: list[float] = []
            while len(out.spotify.accounts["m1"].saved) < scale.imported:
                times.append(await _save(out, len(times)))
            ours.append(p50(times))
            during.append(len(times))
    what = f"one `/save` at {DELAY_S * 1000:.0f} ms a call while another member imports {scale.imported:,} albums"
    return [
        compared(f"{what}, p50 (floor: idle)", floor, ours, "ms", RATIO),
        Line("the same, saves answered during the import", "", f"{min(during)} at least in a round"),
    ]


async def start_import(out: Outside, number: int) -> str:
    """`/import` of all synthetic albums by a member, confirmed; the id of the message that tells how it goes."""
    text = "\n".join(f"https://open.spotify.com/album/{album}" for album in out.synthetic)
    asked = await out.discord.slash(MEMBER + number, "import", {"file": WireFile("albums.txt", text.encode())})
    message = await asked.message(30)
    if not (offered := [each["custom_id"] for each in buttons(message) if each["custom_id"].startswith("import:")]):
        message = await asked.message(30, version=2)
        offered = [each["custom_id"] for each in buttons(message) if each["custom_id"].startswith("import:")]
    await out.discord.press(MEMBER + number, offered[0], message)
    return str(message["id"])


async def _save(out: Outside, number: int) -> float:
    """Milliseconds from the event to the answer, of an album that member 0 does not have."""
    out.spotify.accounts["m0"].saved.clear()
    sent = await out.save(0, out.albums[number % KNOWN])
    await sent.message(30)
    assert sent.shown_at is not None
    await asyncio.sleep(PAUSE_S)
    return (sent.shown_at - sent.sent_at) * 1000
