"""The benchmark: every row runs, its floor does the same as the bot and no more, and a missed bound is told."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import instructions, table
from bench.figures import Line, compared
from bench.outside import KINDS, Kind, outside
from bench.scale import QUICK

ROOT = Path(__file__).resolve().parents[2]


async def test_every_row_runs_with_tiny_numbers_and_writes_nothing() -> None:
    before = table.DOCUMENT.read_bytes()
    # Without valgrind, which takes a minute more: see the next test.
    environment = {**os.environ, "PATH": str(ROOT / "no programs")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench",
        "--quick",
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(300):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    told = output.decode()
    for row in (
        "one `/save` at 0 ms a call, p50",
        "one `/save` at 50 ms a call, p99",
        "one `/save` at 0 ms a call, processor time of the bot",
        "Save on a shared card at 0 ms a call, p50",
        "while another member imports 30 albums, p50",
        "`/import` of 90 albums at 50 ms a call: calls to Spotify",
        "its growth from the second such import to the third",
        "members in one second at 0 ms a call, total",
        "12 members at once at 20 ms a call, 4 of them with an app of their own, total",
        "memory for each of 6 own apps",
        "own apps in memory after 15 minutes in which one of them was used | 6 before | 1 |",
        "10 ballots, 50 a second, receipt, p99",
        "`/crate show` of 30 entries, first page: calls to Spotify, names known |  | 0 |",
        "4 clubs due in the same second: until all is posted",
        "memory at rest",
        "memory after 40 interactions",
        "start to ready",
        "pending changes, gate open: ready",
        "pending changes, gate closed: ready",
    ):
        assert row in told
    assert told.count("NOT MEASURED (valgrind is not installed)") == 2
    assert table.DOCUMENT.read_bytes() == before


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
async def test_instructions_are_counted_and_a_save_costs_millions() -> None:
    save, press = await instructions.measure(replace(QUICK, warm_saves=10, counted_saves=(2, 12)))
    figures = [float(cell.split()[0]) for cell in (save.floor, save.ours, press.ours)]
    assert all(1 < figure < 20 for figure in figures)


async def test_the_floor_makes_the_same_calls_and_sends_the_same_card() -> None:
    calls: dict[Kind, list[object]] = {}
    cards: dict[Kind, Any] = {}
    for kind in KINDS:
        async with outside() as out, out.running(kind):  # the first /save: the album is not known yet
            calls[kind] = sorted(
                (call.method, call.path, call.query, str(call.body))
                for call in out.spotify.calls
                if "client_credentials" not in str(call.body)  # the check of the app's secret at the start
            )
            out.forget()
            out.clear_libraries()
            interaction = await out.save(0, out.albums[0])
            answer = await interaction.answered(10)
            calls[kind] += [(call.method, call.path, call.query, str(call.body)) for call in out.spotify.calls]
            cards[kind] = json.loads(json.dumps(answer).replace(str(interaction.id), "ID"))
    assert calls["bare"] == calls["gatefold"]
    assert len(calls["bare"]) == 5
    assert _told(cards["bare"]) == _told(cards["gatefold"])


def _told(thing: Any) -> Any:
    """What a person gets, without fields that say nothing."""
    if isinstance(thing, dict):
        return {key: _told(value) for key, value in thing.items() if value not in (None, False, [], 0, "")}
    return [_told(value) for value in thing] if isinstance(thing, list) else thing


def test_the_floor_imports_nothing_of_ours() -> None:
    look = "import sys, bench.bare; print([name for name in sys.modules if name.split('.')[0] == 'bot'])"
    told = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert told.stdout.decode().strip() == "[]", told.stderr.decode()


def test_a_bound_is_held_against_the_median_of_the_rounds_ratios() -> None:
    floor, ours = [10.0, 20.0, 30.0], [13.0, 24.0, 30.0]
    line = compared("a figure", floor, ours, "ms", 1.2)
    assert line == Line(
        "a figure", "20.00 (10.00 to 30.00) ms", "24.00 (13.00 to 30.00) ms", "1.20 (1.00 to 1.30)", "≤ 1.2", True
    )
    assert compared("a figure", floor, [10.0, 25.0, 90.0], "ms", 1.2).reached is False
    assert compared("a figure", floor, ours, "ms", None).reached is None


def test_the_table_takes_the_place_of_the_old_one_and_of_nothing_else() -> None:
    document = f"# Title\n\nbefore\n\n{table.BEGIN}\n\nthe old table\n\n{table.END}\n\nafter\n"
    new = table.written(document, [Line("what", "1", "2", "2.0", "≤ 1", False)], "conditions")
    assert new.startswith("# Title\n\nbefore\n")
    assert new.endswith(f"| what | 1 | 2 | 2.0 | ≤ 1 | **no** |\n\n{table.END}\n\nafter\n")
    assert "the old table" not in new
    assert "conditions" in new
    assert table.written(new, [Line("what", "1", "2", "2.0", "≤ 1", False)], "conditions") == new


def test_a_document_that_lost_its_marks_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="marks"):
        table.written(f"# Title\n\n{table.END}\n{table.BEGIN}\n", [], "conditions")


def test_the_document_holds_the_marks() -> None:
    assert "| what |" in table.written(table.DOCUMENT.read_text(encoding="utf-8"), [], "conditions")
