"""Processor instructions of one `/save`, counted by valgrind: the one figure that other work on the machine leaves alone.

Instructions of the kernel are not counted. Start and warm-up run without counting; then the counts of a short and of a
long run of saves are subtracted, so that what does not depend on the number of saves cancels out.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from bench.figures import Line, compared
from bench.outside import MEMBER, Bot, Kind, Outside, outside
from bench.save import KNOWN
from bench.scale import Scale
from bot.albums import AlbumId
from tests.discord_wire import WireInteraction

RATIO, PRESS_RATIO = 1.4, 1.1
"""The ratios that are allowed."""
SAVE = "one `/save` at 0 ms a call, instructions of the bot"
PRESS = "Save on a shared card at 0 ms a call, instructions (floor: Gatefold's `/save`)"
PATIENCE_S = 60.0
"""How long an answer may take: valgrind slows a bot down about 50 times."""
PAUSE_S = 0.3
"""After a run of saves: what the bot does after its last answer is counted, too."""
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
Send = Callable[[AlbumId], Awaitable[WireInteraction]]


async def measure(scale: Scale) -> list[Line]:
    """Millions of instructions a save; without valgrind, lines that say so."""
    if shutil.which("valgrind") is None or shutil.which("vgdb") is None:
        missing = "NOT MEASURED (valgrind is not installed)"
        return [Line(what, "", missing, "", f"≤ {most:g}") for what, most in ((SAVE, RATIO), (PRESS, PRESS_RATIO))]
    async with outside(answer_within_s=PATIENCE_S) as out, _counting(out, "bare") as bot:
        bare = await _millions(out, bot, partial(out.save, 0), scale)
    async with outside(answer_within_s=PATIENCE_S) as out, _counting(out, "gatefold") as bot:
        ours = await _millions(out, bot, partial(out.save, 0), scale)
        cards = {
            id_: await (await out.discord.slash(MEMBER, "share", {"album": id_})).message(PATIENCE_S)
            for id_ in known(out)
        }
        press = await _millions(out, bot, lambda id_: out.discord.press(MEMBER, f"save:{id_}", cards[id_]), scale)
    return [
        compared(SAVE, [bare], [ours], "million", RATIO),
        compared(PRESS, [ours], [press], "million", PRESS_RATIO),
    ]


def known(out: Outside) -> list[AlbumId]:
    """The albums that are saved again and again."""
    return out.albums[:KNOWN]


@asynccontextmanager
async def _counting(out: Outside, kind: Kind) -> AsyncIterator[Bot]:
    """A bot under valgrind that knows the albums, and whose instructions are counted from now on."""
    if kind == "gatefold":
        await out.link_all()
    callgrind = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out.folder}/counts")
    async with out.started(kind, under=callgrind) as bot:
        await out.greeted(bot)
        await _saves(out, partial(out.save, 0), KNOWN)
        await _tell(bot, "instrumentation on")
        yield bot


async def _millions(out: Outside, bot: Bot, send: Send, scale: Scale) -> float:
    """Of one save, in millions."""
    await _saves(out, send, max(scale.warm_saves, 1))
    await _tell(bot, "zero")
    short, long = scale.counted_saves
    first = await _counted(out, bot, send, short)
    second = await _counted(out, bot, send, long)
    return (second - first) / (long - short) / 1e6


async def _counted(out: Outside, bot: Bot, send: Send, saves: int) -> int:
    """The instructions of this many saves."""
    await _saves(out, send, saves)
    before = set(out.folder.glob("counts*"))
    await _tell(bot, "dump")
    (made,) = set(out.folder.glob("counts*")) - before
    return _total(made)


def _total(dump: Path) -> int:
    found = _TOTALS.search(dump.read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"valgrind wrote no total into {dump.name}")
    return int(found[1])


async def _saves(out: Outside, send: Send, count: int) -> None:
    for number in range(count):
        out.clear_libraries()
        await (await send(known(out)[number % KNOWN])).message(PATIENCE_S)
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
