"""The `gatefold` command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from bot import __version__, logs
from bot.admin.database_commands import backup, migrate, restore, rotate_key
from bot.admin.doctor import CheckResult, Verdict, as_json, as_lines, examine, is_well, summary
from bot.admin.health import health
from bot.admin.secret_files import split_settings
from bot.admin.setup import CannotAsk, Question, Setup, SetupError
from bot.app import StartError
from bot.app import run as run_bot
from bot.errors import StorageUnavailable
from bot.settings import SettingsError, load
from bot.storage import StorageStartupError
from bot.storage.vault import new_key as make_key

ENV_FILE = Path(".env")
"""In the folder where the bot starts."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gatefold")
def main() -> None:
    """Gatefold: a Discord bot with which members save albums to their own Spotify library."""


for _command in (backup, restore, rotate_key, migrate, health, split_settings):
    main.add_command(_command)


@main.command()
@click.option("--debug", is_flag=True, help="Show the traceback when it cannot start.")
def run(debug: bool) -> None:
    """Run the bot, with the settings of the environment and of .env.

    Example: gatefold run
    """
    try:
        settings = load()
        logs.configure(settings.log_level, settings.log_format, settings.secrets())
        asyncio.run(run_bot(settings))
    except SettingsError as error:
        _fail("Gatefold cannot start with these settings:", *(f"- {problem}" for problem in error.problems))
    except (StartError, StorageStartupError) as error:
        if debug:
            raise
        _fail(str(error))
    except StorageUnavailable as error:
        if debug:
            raise
        _fail(f"The database could not be read or written ({error}). Is the disk full?")


@main.command()
def setup() -> None:
    """Ask for the settings that are missing, write them into .env, and look at everything with the doctor.

    Example: gatefold setup
    """
    conversation = Setup(ENV_FILE, _ask, click.echo)
    try:
        conversation.run()
    except CannotAsk:
        _fail("This is missing, and there is no terminal to ask at:", *conversation.problems().values())
    except (SetupError, OSError) as error:
        _fail(str(error))
    click.echo()
    sys.exit(asyncio.run(_examined(is_json=False)))


@main.command()
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead, for scripts.")
def doctor(is_json: bool) -> None:
    """Check everything that goes wrong in practice, and say what to do. It changes nothing.

    The exit status is 1 when something failed, and 0 when there are warnings at most.

    Example: gatefold doctor
    """
    sys.exit(asyncio.run(_examined(is_json)))


@main.command("new-key")
def new_key() -> None:
    """Print a new key for TOKEN_KEYS.

    Example: (umask 077; gatefold new-key > keys/gatefold.keys)
    """
    click.echo(make_key())


@main.command()
@click.option("--script", is_flag=True, help="Play the story without a person, print each step, and exit.")
@click.option("--port", default=0, show_default="any", help="The port of the page that begins it.")
def sandbox(script: bool, port: int) -> None:
    """Try the bot in a browser, with stand-ins for Discord and Spotify. No account is needed.

    Example: gatefold sandbox
    """
    try:
        from bot.sandbox import stage, story
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bot"):
            raise
        _fail("The sandbox is an extra: pip install 'gatefold[sandbox]'")

    sys.exit(asyncio.run(story.play() if script else stage.show(port)))


def _ask(question: Question) -> str:
    if not sys.stdin.isatty():
        raise CannotAsk
    answer: str = click.prompt(
        question.name,
        hide_input=question.is_secret,
        default="" if question.is_optional else None,
        show_default=False,
    )
    return answer


async def _examined(is_json: bool) -> int:
    logs.configure("ERROR", "console", ())
    results = []
    async for result in examine(load, ENV_FILE):
        results.append(result)
        if not is_json:
            _show(result)
    click.echo(json.dumps(as_json(results), indent=2) if is_json else f"\n{summary(results)}")
    return 0 if is_well(results) else 1


_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red", Verdict.SKIPPED: None}


def _show(result: CheckResult) -> None:
    first, *more = as_lines(result)
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        # the word says it, too
        word, rest = first[: len(result.verdict)], first[len(result.verdict) :]
        first = click.style(word, fg=_COLOURS[result.verdict], bold=result.verdict is Verdict.FAILED) + rest
    for line in (first, *more):
        click.echo(line)


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
