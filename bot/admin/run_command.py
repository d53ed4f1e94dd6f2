"""`gatefold run`."""

from __future__ import annotations

import click

from bot.admin import running


@click.command(short_help="Run the bot.")
def run() -> None:
    """Run the bot until it gets SIGTERM or Ctrl-C.

    Settings come from the environment, from .env in this folder, and from secret files. The log goes to standard error.

    \b
    Examples:
      gatefold run
      LOG_LEVEL=DEBUG gatefold run
    """
    running.run()
