"""The place of the running bot's control socket: beside the database, so that whoever opens the file finds the bot."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 100
"""Maximum length of a socket's path in bytes; systems allow 103 to 107."""
PATIENCE_S = 1.0


def beside(file: Path) -> Path:
    """The socket of the bot that uses this database."""
    return file.with_name(f"{file.name}.control")


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for the socket that is short enough, however long the path of its folder is (on Linux)."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def is_served(file: Path) -> bool:
    """Whether a bot that uses this database listens. A killed one leaves a socket at which nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_S)
        try:
            with short_address(beside(file)) as address:
                client.connect(address)
        except TimeoutError:
            return True  # it is too busy to accept
        except OSError:
            return False
    return True
