"""What `gatefold run` does."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import structlog

from bot import app, logs
from bot.settings import ignored, load

ENV_FILE = Path(".env")


def run() -> None:
    """Read the settings, and run the bot until it is stopped."""
    # All modules are loaded by now, and stay: the collector need not traverse them again and again.
    gc.freeze()
    gc.enable()
    settings = load()
    logs.configure(settings.log_level, settings.log_format, settings.secrets(), is_final=True)
    for sentence in ignored(ENV_FILE):
        structlog.get_logger("gatefold.settings").warning("setting ignored", reason=sentence)
    app.serve(settings)


def run_or_say_why_not() -> None:
    """The same for a process that does nothing else: an error becomes sentences and exit status 1."""
    try:
        run()
    except Exception as error:
        from bot.admin.sentences import sentences

        for line in sentences(error):
            print(line, file=sys.stderr)
        sys.exit(1)
