"""`make bench`: the table of `docs/performance.md`, measured on this machine."""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from bench import (
    ballots,
    bulk,
    burst,
    clubs,
    crate,
    crowd,
    instructions,
    memory,
    own_apps,
    restart,
    save,
    shared,
    start,
    table,
    transfer,
)
from bench.figures import Line
from bench.scale import FULL, QUICK, USUAL, Scale

ROWS: dict[str, Callable[[Scale], Awaitable[list[Line]]]] = {
    "save": save.measure,
    "instructions": instructions.measure,
    "shared": shared.measure,
    "bulk": bulk.measure,
    "import": transfer.measure,
    "burst": burst.measure,
    "server": crowd.measure,
    "own apps": own_apps.measure,
    "ballots": ballots.measure,
    "crate": crate.measure,
    "clubs": clubs.measure,
    "memory": memory.measure,
    "start": start.measure,
    "restart": restart.measure,
}


@click.command()
@click.option("--quick", is_flag=True, help="Tiny numbers: does every row run? The figures mean nothing.")
@click.option("--full", is_flag=True, help="100,000 interactions for the memory, where the usual run has 20,000.")
@click.option("--only", multiple=True, type=click.Choice([*ROWS]), help="Only this row; may be given again.")
def main(quick: bool, full: bool, only: tuple[str, ...]) -> None:
    """Measure, print the table, and write it into docs/performance.md (not with --quick or --only)."""
    if quick and full:
        raise click.UsageError("--quick or --full, not both")
    scale = QUICK if quick else FULL if full else USUAL
    # The stand-ins live here: none of their pauses may fall into somebody's answer. See Outside.forget().
    gc.disable()
    begun = time.monotonic()
    lines = asyncio.run(_measure(scale, only or tuple(ROWS)))
    conditions = table.conditions(scale, Path(tempfile.gettempdir()), time.monotonic() - begun)
    click.echo(f"\n{conditions}\n\n{table.rendered(lines)}")
    if not (quick or only):
        document = table.DOCUMENT.read_text(encoding="utf-8")
        table.DOCUMENT.write_text(table.written(document, lines, conditions), encoding="utf-8")
        click.echo(
            f"Written into docs/{table.DOCUMENT.name}. Where a bound was missed, that page says why: look it over."
        )


async def _measure(scale: Scale, rows: tuple[str, ...]) -> list[Line]:
    lines = []
    for name in rows:
        begun = time.monotonic()
        lines += await ROWS[name](scale)
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return lines


if __name__ == "__main__":
    main()
