"""Processor instructions of one `/save`, counted by valgrind: the one figure that other work on the machine leaves alone.

Instructions of the kernel are not counted. Start and warm-up run without counting; then the counts of a short and of a
long run of saves are subtracted, so that what does not depend on the number of saves cancels out.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

from bench.figures import Line, compared
from bench.outside import Bot, Kind, Outside, outside
from bench.save import KNOWN
from bench.scale import Scale

RATIO = 1.4
"""The ratio that is allowed."""
WHAT = "one `/save` at 0 ms a call, instructions of the bot"
PAUSE_S = 0.3
"""After a run of saves: what the bot does after its last answer is counted, too."""
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


async def measure(scale: Scale) -> list[Line]:
    """Millions of instructions a save; without valgrind, a line that says so."""
    if shutil.which("valgrind") is None or shutil.which("vgdb") is None:
        return [Line(WHAT, "", "NOT MEASURED (valgrind is not installed)", "", f"≤ {RATIO:g}")]
    bare = await _millions("bare", scale)
    ours = await _millions("gatefold", scale)
    return [compared(WHAT, [bare], [ours], "million", RATIO)]


async def _millions(kind: Kind, scale: Scale) -> float:
    async with outside() as out:
        if kind == "gatefold":
            await out.link_all()
        counting = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out.folder}/counts")
        async with out.started(kind, under=counting) as bot:
            await out.greeted(bot)
            await _saves(out, max(scale.warm_saves, KNOWN))
            await _tell(bot, "instrumentation on")
            short, long = scale.counted_saves
            await _counted(out, bot, KNOWN)  # the first pass after counting began
            first = await _counted(out, bot, short)
            second = await _counted(out, bot, long)
    return (second - first) / (long - short) / 1e6


async def _counted(out: Outside, bot: Bot, saves: int) -> int:
    """The instructions of so many saves."""
    await _saves(out, saves)
    before = set(out.folder.glob("counts*"))
    await _tell(bot, "dump")
    (made,) = set(out.folder.glob("counts*")) - before
    return _total(made)


def _total(dump: Path) -> int:
    found = _TOTALS.search(dump.read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"valgrind wrote no total into {dump.name}")
    return int(found[1])


async def _saves(out: Outside, count: int) -> None:
    for number in range(count):
        out.clear_libraries()
        await (await out.save(0, out.albums[number % KNOWN])).message(30)
        if out.saved() != 1:
            raise RuntimeError("a save did not save the album, so nothing was measured")
    await asyncio.sleep(PAUSE_S)


async def _tell(bot: Bot, command: str) -> None:
    """Send a command to callgrind.

    https://valgrind.org/docs/manual/cl-manual.html#cl-manual.monitor-commands
    """
    process = await asyncio.create_subprocess_exec(
        "vgdb", f"--pid={bot.process.pid}", *command.split(), stdout=PIPE, stderr=PIPE
    )
    told, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"valgrind did not take {command!r}: {told.decode()}{errors.decode()}")
