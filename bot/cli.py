"""The `gatefold` command."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click
import structlog

from bot import __version__, logs
from bot.admin.database_commands import backup, migrate, restore, rotate_key
from bot.admin.doctor import CheckResult, Verdict, as_json, as_lines, examine, is_well, summary
from bot.admin.health import health
from bot.admin.secret_files import split_settings
from bot.admin.setup import CannotAsk, Setup, SetupError, Tried, to_invite
from bot.app import StartError
from bot.app import run as run_bot
from bot.errors import StorageUnavailable
from bot.maintenance.control import ControlError
from bot.settings import Settings, SettingsError, ignored, load
from bot.storage import StorageStartupError
from bot.storage.vault import new_key as make_key

ENV_FILE = Path(".env")
"""In the folder where the bot starts."""

_DEBUG = "gatefold.debug"
_debug = click.Option(
    ["--debug"],
    is_flag=True,
    expose_value=False,
    callback=lambda context, option, value: context.meta.update({_DEBUG: True}) if value else None,
    help="Show the traceback of an error.",
)


class _Commands(click.Group):
    """Lists its commands in the order in which a host needs them, and turns errors into sentences and exit status 1."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Also accept --debug behind the command."""
        cmd.params.append(_debug)
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, EOFError):
            raise  # click handles these
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                raise
            _fail(*_sentences(error))


def _sentences(error: Exception) -> list[str]:
    match error:
        case SettingsError(is_not_set_up=True):
            there = "there is no .env here" if not ENV_FILE.exists() else "its .env has none of the required settings"
            return [
                f"Gatefold is not set up in {Path.cwd()}: {there}.",
                *ignored(ENV_FILE),
                "Run `gatefold setup` in this folder, or change to the folder that has your .env.",
            ]
        case SettingsError(problems=problems):
            told = [f"- {problem}" for problem in [*problems, *ignored(ENV_FILE)]]
            return ["These settings do not work:", *told, "`gatefold setup` asks for what is missing or wrong."]
        case ControlError() | StartError() | StorageStartupError() | SetupError():
            return [str(error)]
        case StorageUnavailable():
            return [f"The database cannot be read or written ({error}). Check the space on the disk."]
        case OSError(filename=str() | bytes() | Path() as file):
            return [f"{os.fsdecode(file)} cannot be read or written ({error.strerror}). Run this as the bot's user."]
        case _:
            return [f"Something broke ({type(error).__name__}). Run this again with --debug, and report the traceback."]


@click.group(cls=_Commands, params=[_debug], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gatefold")
def main() -> None:
    """Gatefold, a Discord bot for saving albums to members' own Spotify libraries.

    \b
    Examples:
      gatefold setup      create .env, step by step
      gatefold run        run the bot with it
      gatefold doctor     find out why something does not work

    Exit status: 0 success, 1 failure, 2 wrong use.
    """


@main.command(short_help="Ask for the settings and write .env.")
def setup() -> None:
    """Ask for the settings, check each answer, and write .env in this folder.

    Asks for what is missing, and lets you keep or change what is set. Nothing is written before the end, so Ctrl-C is
    safe. It ends with the doctor's checks, the links that add the bot to a server, and the command that starts it.

    \b
    Example:
      gatefold setup
    """
    from bot.admin.setup import terminal

    logs.configure("ERROR", "console", ())
    conversation = Setup(ENV_FILE, terminal.ask, click.echo, try_=_tried)
    try:
        settings = conversation.run()
    except CannotAsk:
        _fail("These settings are missing, and there is no terminal to ask at:", *conversation.problems().values())
    click.echo()
    status = asyncio.run(_examined(is_json=False))
    click.echo()
    for line in (*to_invite(settings), "Start the bot:", f"  cd {Path.cwd()} && {_program()} run"):
        click.echo(line)
    sys.exit(status)


@main.command(short_help="Run the bot.")
def run() -> None:
    """Run the bot until it gets SIGTERM or Ctrl-C.

    Settings come from the environment, from .env in this folder, and from secret files. The log goes to standard error.

    \b
    Examples:
      gatefold run
      LOG_LEVEL=DEBUG gatefold run
    """
    settings = load()
    logs.configure(settings.log_level, settings.log_format, settings.secrets())
    for sentence in ignored(ENV_FILE):
        structlog.get_logger("gatefold.settings").warning("setting ignored", reason=sentence)
    asyncio.run(run_bot(settings))


@main.command(short_help="Check what usually goes wrong.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for scripts.")
def doctor(is_json: bool) -> None:
    """Check what usually goes wrong, and say what to do about it. Nothing is changed.

    The exit status is 1 if a check failed, and 0 if there are only warnings.

    \b
    Examples:
      gatefold doctor
      gatefold doctor --json
    """
    sys.exit(asyncio.run(_examined(is_json)))


for _command in (health, backup, restore, rotate_key, migrate, split_settings):
    main.add_command(_command)


@main.command("new-key", short_help="Print a new key for TOKEN_KEYS.")
def new_key() -> None:
    """Print a new key for TOKEN_KEYS or TOKEN_KEYS_FILE.

    A new key cannot decrypt what an old one encrypted: keep the old key behind it. docs/operations.md has the steps.

    \b
    Example:
      (umask 077; gatefold new-key > keys/gatefold.keys)
    """
    click.echo(make_key())


@main.command(short_help="Try the bot in a browser, without any account.")
@click.option("--script", is_flag=True, help="Play the story by itself, print each step, and exit.")
@click.option("--port", default=0, show_default="any", help="Port of the first page.")
def sandbox(script: bool, port: int) -> None:
    """Try the bot in a browser, with stand-ins for Discord and Spotify. You need no account.

    \b
    Examples:
      gatefold sandbox
      gatefold sandbox --script
    """
    try:
        from bot.sandbox import stage, story
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bot"):
            raise
        _fail("The sandbox needs additional packages: pip install 'gatefold[sandbox]'")

    sys.exit(asyncio.run(story.play() if script else stage.show(port)))


def _tried(name: str, settings: Settings) -> Tried:
    from bot.admin.setup import live

    return asyncio.run(live.tried(name, settings))


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m bot"
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else str(called.absolute())


async def _examined(is_json: bool) -> int:
    logs.configure("ERROR", "console", ())
    results = []
    waiting = _Waiting("Checking ...")
    if not is_json:
        waiting.show()
    async for result in examine(load, ENV_FILE):
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
    first, *more = as_lines(result)
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        # The word says the same as the colour.
        word, rest = first[: len(result.verdict)], first[len(result.verdict) :]
        first = click.style(word, fg=_COLOURS[result.verdict], bold=result.verdict is Verdict.FAILED) + rest
    for line in (first, *more):
        click.echo(line)


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
