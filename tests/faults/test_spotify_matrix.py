"""Every row of Spotify's error table, at every step of the road, in every way in which it can go wrong.

Each cell is a member of its own who uses one command of a real process and meets one fault. What must come of it
stands in `rules.py`. `GATEFOLD_MATRIX=full` plays all cells (`make soak`), otherwise all rows in all ways at the
write, all rows once and always at the other steps, and the rest for one row of each meaning.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.faults.cells import MODES, STEPS, Cell, Scene
from tests.faults.rules import MEANING, MEANINGS
from tests.process.harness import Outside, outside
from tests.world import ADA

FULL = os.environ.get("GATEFOLD_MATRIX") == "full"
AT_ONCE = 12
"""This many members use a command at the same time."""
LONG = {"busy for a day", "quota"}
LIMITS = {"rate_limited", "busy for long", *LONG}
EXAMPLES = {rows.split()[0] for rows in MEANINGS.values()}
HANGS = {"hang", "hang_after_work"}

Kind = tuple[str, str, str]
"""Row, step and mode."""


def kinds() -> Iterator[Kind]:
    """All cells that make sense."""
    for row, answer in FAULTS.items():
        for step in STEPS:
            for mode in MODES:
                is_main = step == "write" or (step != "remove" and mode in ("once", "always"))
                if not (FULL or is_main or row in EXAMPLES or row == "hang"):
                    continue
                if row in HANGS and mode not in ("once", "always", "too slow"):
                    continue
                if mode == "too slow" and row != "hang":
                    continue  # after the time-out nobody reads what it would have been
                if mode in ("after work", "cut") and (answer.get("cut") or answer.get("carried_out")):
                    continue  # it is that already
                if mode == "after work" and step not in ("write", "remove"):
                    continue  # what only reads has no effect; of the refresh there is a lane of its own
                if mode == "after work" and MEANING[row] in {"busy for long", *LONG}:
                    continue  # the first limit closes the gate for all: whose write got through is chance
                if row == "ok_empty" and step in ("write", "remove") and mode != "cut":
                    continue  # that is what a success looks like
                yield row, step, mode


def is_limit(kind: Kind, meanings: set[str]) -> bool:
    """Whether it closes the gate for the whole app, by a limit of these."""
    row, step, mode = kind
    return MEANING[row] in meanings and step != "refresh" and mode != "cut"


def cells(chosen: Sequence[Kind], *, rotates: bool = False) -> list[Cell]:
    """Each with a member and an album of its own."""
    albums = synthetic(len(chosen), seed="matrix")
    return [Cell(*kind, ADA + 1000 + number, albums[number].id, rotates) for number, kind in enumerate(chosen)]


@dataclass
class Lane:
    """One process of its own, and what did not end as it must."""

    out: Outside
    wrong: list[str]

    async def play(
        self, chosen: Sequence[Cell], pause: Callable[[], Awaitable[object]] | None = None, at_once: int = AT_ONCE
    ) -> None:
        """Play these cells side by side. `pause`: comes between the faults and their end, for all at once."""
        places = asyncio.Semaphore(at_once)
        met, over = 0, asyncio.Event()

        async def reached() -> None:
            nonlocal met
            met += 1
            if pause is not None and met == len(chosen):
                await pause()
                over.set()

        async def one(cell: Cell) -> None:
            scene = Scene(self.out, cell)
            try:
                try:
                    async with places:
                        await scene.meet()
                finally:
                    await reached()
                if pause is not None:
                    await over.wait()
                await scene.recover()
            except (AssertionError, TimeoutError, LookupError, TypeError) as error:
                self.wrong.append(f"{cell}: {error or type(error).__name__}")

        await asyncio.gather(*map(one, chosen))

    async def clear(self) -> None:
        """All faults end."""
        self.out.spotify.clear_faults()

    async def a_day_later(self) -> None:
        """The process's clock cannot be moved: what it wrote down is made a day older while it does not run."""
        await self.out.started[-1].terminate()
        self.out.spotify.clear_faults()
        with closing(sqlite3.connect(self.out.database)) as connection:
            connection.execute("UPDATE spotify_apps SET closed_until = closed_until - 90000")
            connection.commit()
        await self.out.start()


async def _lane(folder: Path, chosen: Sequence[Cell], over: str = "one by one") -> list[str]:
    """What went wrong. `over`: when the faults end: one by one, together, or row by row after a day."""
    begun = time.monotonic()
    async with outside(folder) as out:
        if any(cell.rotates for cell in chosen):
            out.spotify.client_secret, out.spotify.rotates = None, True
            out.env["SPOTIFY_CLIENT_SECRET"] = ""
        out.spotify.catalogue.add(synthetic(len(chosen), seed="matrix"))
        await out.link_all({cell.member: cell.account for cell in chosen if cell.step != "profile"})
        lane = Lane(out, [])
        await out.start()
        if over == "after a day":
            for row in dict.fromkeys(cell.row for cell in chosen):
                await lane.play([cell for cell in chosen if cell.row == row], lane.a_day_later)
        elif over == "together":
            await lane.play(chosen, lane.clear)
        else:
            # who hangs does nothing else meanwhile
            await lane.play(chosen, at_once=len(chosen) if chosen[0].row in HANGS else AT_ONCE)
        await out.started[-1].terminate()
        for each in out.started:
            if "Traceback" in each.stderr:
                lane.wrong.append(f"a traceback:\n{each.stderr[each.stderr.index('Traceback') - 500 :][:3000]}")
            lane.wrong += ["a secret is in the log" for secret in out.secrets() if secret in each.stderr]
        lane.wrong += out.discord.problems
        (check,) = out.rows("PRAGMA integrity_check")
        assert check[0] == "ok"
        print(f"{folder.name}: {len(chosen)} cells in {time.monotonic() - begun:.1f} s")
        return lane.wrong


def test_every_fault_of_the_stand_in_has_a_meaning() -> None:
    assert MEANING.keys() == FAULTS.keys()


async def test_every_cell_ends_as_the_rules_say(tmp_path: Path) -> None:
    begun = time.monotonic()
    every = list(kinds())
    hangs = [kind for kind in every if kind[0] in HANGS]
    plain = [kind for kind in every if not is_limit(kind, LIMITS) and kind not in hangs]
    lanes = {
        "plain 0": cells(plain[0::2]),
        "plain 1": cells(plain[1::2]),
        "rate_limited": cells([kind for kind in every if is_limit(kind, {"rate_limited"})]),
        "hangs": cells(hangs),
        "rotating": cells([(row, "refresh", "after work") for row in ROTATING], rotates=True),
    }
    long = cells([kind for kind in every if is_limit(kind, {"busy for long"})])
    days = cells([kind for kind in every if is_limit(kind, LONG)])
    results = await asyncio.gather(
        *(_lane(tmp_path / name, chosen) for name, chosen in lanes.items()),
        _lane(tmp_path / "busy for long", long, "together"),
        _lane(tmp_path / "days", days, "after a day"),
    )
    count = len(days) + len(long) + sum(map(len, lanes.values()))
    print(f"{count} cells in {time.monotonic() - begun:.0f} s")
    wrong = [problem for problems in results for problem in problems]
    assert not wrong, f"{len(wrong)} of {count} cells:\n" + "\n".join(wrong)


ROTATING = ("server_error", "unavailable", "ok_html", "cut", "accounts_rate_limited", "token_bad_expiry")
"""A public client's refresh token rotates: an answer that is lost is lost for good, and the member links again."""
