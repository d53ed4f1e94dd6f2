"""The log of a test: set up as in production, written into a stream, and put back afterwards."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from bot.logs import configure

Start = Callable[..., io.StringIO]


@contextmanager
def restored() -> Iterator[Start]:
    """A function that configures the log and gives its stream; it may be called more than once."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    named = {name: logging.getLogger(name).level for name in ("discord", "aiohttp.access", "asyncio", "discord.state")}

    def start(style: str = "console", *, level: str = "DEBUG", secrets: tuple[str, ...] = ()) -> io.StringIO:
        stream = io.StringIO()
        configure(level, style, secrets, stream)
        return stream

    try:
        yield start
    finally:
        structlog.reset_defaults()
        root.handlers[:], root.level = handlers, level
        for name, before in named.items():
            logging.getLogger(name).setLevel(before)
