"""`gatefold run` with a wall clock that is ahead: weeks pass between two starts. The argument: by how many seconds."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from bot import logs
from bot.app import run
from bot.settings import load


def main() -> None:
    """Run until SIGTERM."""
    ahead = timedelta(seconds=float(sys.argv[1]))
    settings = load()
    logs.configure(settings.log_level, settings.log_format, settings.secrets())
    asyncio.run(run(settings, now=lambda: datetime.now(UTC) + ahead))


if __name__ == "__main__":
    main()
