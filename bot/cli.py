"""The `gatefold` command."""

from __future__ import annotations

import asyncio
import gc
import sys
from importlib import import_module
from typing import NoReturn

import click

from bot import __version__
from bot.admin.sentences import sentences

PLACES = {
    "setup": "bot.admin.setup_command",
    "run": "bot.admin.run_command",
    "doctor": "bot.admin.doctor_command",
    "health": "bot.admin.health",
    "backup": "bot.admin.database_commands",
    "restore": "bot.admin.database_commands",
    "rotate-key": "bot.admin.database_commands",
    "migrate": "bot.admin.database_commands",
    "split-settings": "bot.admin.secret_files",
    "new-key": "bot.admin.secret_files",
    "sandbox": __name__,
}
"""Where each command is, in the order in which a host needs them. The others' modules are not loaded."""

_DEBUG = "gatefold.debug"
_debug = click.Option(
    ["--debug"],
    is_flag=True,
    expose_value=False,
    callback=lambda context, option, value: context.meta.update({_DEBUG: True}) if value else None,
    help="Show the traceback of an error.",
)


class _Commands(click.Group):
    """Loads the command that is asked for, and turns errors into sentences and exit status 1."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Also accept --debug behind the command."""
        cmd.params.append(_debug)
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a host needs them."""
        return list(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, from its module."""
        if cmd_name not in self.commands and cmd_name in PLACES:
            self.add_command(getattr(import_module(PLACES[cmd_name]), cmd_name.replace("-", "_")))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for; for a wrong name, the nearest one is told."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # here, since it is needed only where something is wrong

            near = get_close_matches(args[0], PLACES, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", error.ctx) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, EOFError):
            raise  # click handles these
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                raise
            _fail(*sentences(error))


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
    # The command's module is loaded by now, and stays: the collector need not traverse it again and again.
    gc.freeze()
    gc.enable()


@main.command(short_help="Try the bot in a browser, without any account.")
@click.option(
    "--script",
    is_flag=False,
    flag_value="story",
    type=click.Choice(["story", "season"]),
    help="Play a story, or a season of an album club, by itself; print it, and exit.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="any", metavar="N", help="Port of the page."
)
def sandbox(script: str | None, port: int) -> None:
    """Try the bot in a browser, with stand-ins for Discord and Spotify. You need no account.

    \b
    Examples:
      gatefold sandbox
      gatefold sandbox --script
      gatefold sandbox --script season
    """
    try:
        from bot.sandbox import demo, season, story
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bot"):
            raise
        _fail("The sandbox needs additional packages: pip install 'gatefold[sandbox]'")

    plays = {"story": story.play, "season": season.play}
    sys.exit(asyncio.run(plays[script]() if script else demo.show(port)))


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
