"""`gatefold run`."""

from __future__ import annotations

from pathlib import Path

import click
import structlog

from bot import app, logs
from bot.settings import ignored, load

ENV_FILE = Path(".env")


@click.command(short_help="Run the bot.")
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
    app.serve(settings)
