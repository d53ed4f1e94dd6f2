"""`gatefold doctor`: shows what the checks find."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import click

from bot import logs
from bot.admin.doctor import INDENTS, CheckResult, Verdict, as_json, as_lines, examine, is_well, summary
from bot.admin.wrapping import fitted
from bot.settings import load


@click.command(short_help="Check what usually goes wrong.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
def doctor(is_json: bool) -> None:
    """Check what usually goes wrong, and say what to do about it. Nothing is changed.

    The exit status is 1 if a check failed, and 0 if there are only warnings.

    \b
    Examples:
      gatefold doctor
      gatefold doctor --json
    """
    sys.exit(asyncio.run(examined(is_json)))


async def examined(is_json: bool) -> int:
    """Run and show all checks; the exit status."""
    logs.configure("ERROR", "console", ())
    results = []
    waiting = _Waiting("Checking ...")
    if not is_json:
        waiting.show()
    async for result in examine(load, Path(".env")):
        results.append(result)
        if not is_json:
            waiting.clear()
            _show(result)
            waiting.show()
    waiting.clear()
    click.echo(json.dumps(as_json(results), indent=2) if is_json else f"\n{summary(results)}")
    return 0 if is_well(results) else 1


class _Waiting:
    """A line at the end of a terminal that says that more is to come."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._is_shown = False

    def show(self) -> None:
        if self._is_terminal:
            click.echo(self._text, nl=False)
            self._is_shown = True

    def clear(self) -> None:
        if self._is_shown:
            click.echo(f"\r{' ' * len(self._text)}\r", nl=False)
            self._is_shown = False


_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red", Verdict.SKIPPED: None}


def _show(result: CheckResult) -> None:
    first, *more = (fitted(line, indent=indent) for line, indent in zip(as_lines(result), INDENTS, strict=False))
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        # The word says the same as the colour.
        word, rest = first[: len(result.verdict)], first[len(result.verdict) :]
        first = click.style(word, fg=_COLOURS[result.verdict], bold=result.verdict is Verdict.FAILED) + rest
    for line in (first, *more):
        click.echo(line)
