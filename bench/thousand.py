"""1,000 albums for one member at 20 ms a call: the writes alone beside two libraries, and all calls."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from aiohttp import web

from bench.figures import Line, compared, spread
from bench.outside import MEMBER, ROOT, Outside, outside
from bench.scale import Scale
from bot.sandbox.spotify_server import SpotifyServer

DELAY_S = 0.02
COMMANDS = 4
"""Discord lets one `/save` hold about 260 ids, so all calls takes four of them, sent at once."""
A_THIRD = 1 / 3


class Generous(SpotifyServer):
    """Takes 50 ids in the query, where 20 are documented: there tekore is quicker than the strict one lets it be."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.put("/v1/me/albums", self._save_any), *super().routes()]

    async def _save_any(self, request: web.Request) -> web.Response:
        account = self.accounts[self.caller(request, None) or ""]
        ids = request.query["ids"].split(",") if "ids" in request.query else (await request.json())["ids"]
        for album_id in ids:
            self.save(account, album_id)
        return web.Response()


class Written(NamedTuple):
    """What one writer did. `said`: why it could not."""

    seconds: float = 0.0
    calls: int = 0
    said: str = ""


async def measure(scale: Scale) -> list[Line]:
    """Seconds and calls, beside the quicker library of each generation of the endpoint."""
    found: dict[str, list[Written]] = defaultdict(list)
    whole: list[Written] = []
    async with outside(albums=scale.albums) as strict, outside(albums=scale.albums, server=Generous) as generous:
        for round_ in range(scale.rounds):
            runs = [
                ("library, Gatefold", "gatefold", "library", strict),
                ("library, spotipy", "spotipy", "library", strict),
                ("albums, Gatefold", "gatefold", "albums", generous),
                ("albums, tekore", "tekore", "albums", generous),
                ("albums, tekore async", "tekore-async", "albums", generous),
                ("strict, tekore", "tekore", "albums", strict),
                ("strict, tekore in 20s", "tekore-in-20s", "albums", strict),
            ]
            for label, writer, generation, out in runs if round_ % 2 == 0 else reversed(runs):
                found[label].append(await _written(out, writer, generation))
    for _ in range(scale.rounds):
        async with outside(albums=scale.albums) as out:
            whole.append(await _executor(out))
    what = f"{scale.albums:,} albums at {DELAY_S * 1000:.0f} ms a call"
    calls = round(sum(run.calls for run in whole) / len(whole))
    return [
        *_beside(f"{what}, the writes, `/me/library` (floor: spotipy)", found, "library", ["spotipy"]),
        *_beside(f"{what}, the writes, `/me/albums` (floor: tekore)", found, "albums", ["tekore", "tekore async"]),
        Line("the same, where 20 ids fit into a query: tekore", _told(found["strict, tekore"]), ""),
        Line("the same, tekore with slices of 20", _told(found["strict, tekore in 20s"]), ""),
        Line(
            f"{what}, all calls ({COMMANDS} commands)",
            "",
            f"{spread([run.seconds for run in whole], 2, 's')}, {calls} calls",
        ),
    ]


def _beside(what: str, found: dict[str, list[Written]], generation: str, floors: list[str]) -> list[Line]:
    """Two lines: the time, and the calls, beside the quickest of these floors."""
    ours = found[f"{generation}, Gatefold"]
    theirs = {name: found[f"{generation}, {name}"] for name in floors}
    if said := next((run.said for runs in theirs.values() for run in runs if run.said), ""):
        return [Line(what, said, _told(ours))]
    best = min(theirs.values(), key=lambda runs: sum(run.seconds for run in runs))
    times = compared(what, [run.seconds for run in best], [run.seconds for run in ours], "s", None, digits=3)
    # each writes its calls one after another: that is where a third is asked for
    ratios = sorted(mine.seconds / floor.seconds for mine, floor in zip(ours, best, strict=True))
    reached = ratios[len(ratios) // 2] <= A_THIRD
    calls, most = ours[0].calls, best[0].calls
    return [
        Line(times.what, times.floor, times.ours, times.ratio, "≤ 1/3", reached),
        Line("the same, calls", f"{most}", f"{calls}", "", "≤ floor", calls <= most),
    ]


def _told(runs: list[Written]) -> str:
    if said := next((run.said for run in runs if run.said), ""):
        return said
    return f"{spread([run.seconds for run in runs], 3, 's')}, {runs[0].calls} calls"


async def _written(out: Outside, writer: str, generation: str) -> Written:
    """Let one writer save all the albums, in a process of its own."""
    out.forget()
    out.clear_libraries()
    out.spotify.delay_s = DELAY_S
    given = {
        "url": out.spotify.base_url,
        "token": out.tokens[MEMBER][0],
        "ids": out.synthetic,
        "generation": generation,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.writers",
        writer,
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate(json.dumps(given).encode())
    if process.returncode:
        raise RuntimeError(f"{writer} ended with {process.returncode}")
    told = json.loads(answer)
    if "missing" in told:
        return Written(said=f"{told['missing']} is not installed")
    if "refused" in told:
        return Written(said=f"refused: {told['refused']}")
    if out.saved() != len(out.synthetic):
        raise RuntimeError(f"{writer} saved {out.saved()} of {len(out.synthetic)} albums")
    return Written(told["seconds"], sum(call.method == "PUT" for call in out.spotify.calls))


async def _executor(out: Outside) -> Written:
    """From the first command to the last answer that says what came of it."""
    async with out.running("gatefold"):
        out.forget()
        out.clear_libraries()
        out.spotify.delay_s = DELAY_S
        size = -(-len(out.synthetic) // COMMANDS)
        texts = [" ".join(out.synthetic[start : start + size]) for start in range(0, len(out.synthetic), size)]
        begun = time.monotonic()
        sent = [await out.save(0, text) for text in texts]
        for interaction in sent:
            await interaction.message(60)
        took = time.monotonic() - begun
        if out.saved() != len(out.synthetic):
            raise RuntimeError(f"the road saved {out.saved()} of {len(out.synthetic)} albums")
        return Written(took, len(out.spotify.calls))
