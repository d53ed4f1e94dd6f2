"""`gatefold setup`: the conversation at a terminal."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import click

from bot import logs
from bot.admin.doctor_command import examined
from bot.admin.setup import CannotAsk, Setup, SetupError, Tried, live, terminal, to_invite
from bot.admin.wrapping import fitted
from bot.settings import Settings

ENV_FILE = Path(".env")


UNCHANGED = "Stopped. Nothing was changed."


@click.command(short_help="Ask for the settings and write .env.")
def setup() -> None:
    """Ask for the settings, check each answer, and write .env in this folder.

    Asks for what is missing, and lets you keep or change what is set. Nothing is written before the end, so Ctrl-C is
    safe. It ends with the doctor's checks, the links that add the bot to a server, and the command that starts it.

    \b
    Example:
      gatefold setup
    """
    logs.configure("ERROR", "console", ())
    conversation = Setup(ENV_FILE, terminal.ask if sys.stdin.isatty() else None, _say, try_=_tried)
    try:
        settings = conversation.run()
    except CannotAsk:
        missing = ["These settings are missing, and there is no terminal to ask at:", *conversation.problems().values()]
        raise SetupError("\n".join(missing)) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo()
        _say(
            f"Stopped. The settings are written. {_program()} doctor checks them."
            if conversation.is_written
            else UNCHANGED
        )
        sys.exit(1)
    click.echo()
    status = asyncio.run(examined(is_json=False))
    click.echo()
    for line in (*to_invite(settings), "Start the bot:", f"  cd {Path.cwd()} && {_program()} run"):
        click.echo(line)
    sys.exit(status)


def _say(line: str) -> None:
    click.echo(fitted(line))


def _tried(name: str, settings: Settings) -> Tried:
    return asyncio.run(live.tried(name, settings))


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m bot"
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else str(called.absolute())
