"""What the bot tells systemd (`Type=notify`): that it is ready, its status, that it is stopping, that it is alive.

The protocol is lines of text in a datagram, https://www.freedesktop.org/software/systemd/man/sd_notify.html. No
dependency is worth it: `sdnotify` was last released in 2017 and has no watchdog, and systemd's own bindings need its C
headers. Without NOTIFY_SOCKET nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping

import structlog

STARTING_S = 15.0
"""While the bot starts, it says this often that it is still starting: updating a large database takes time."""
MORE_S = 60.0
"""Each time it says so, it may take this much longer."""

_log = structlog.get_logger("gatefold.systemd")


class Supervisor:
    """systemd, if it started us. `address`: empty if it did not; `watchdog_s`: 0 for no watchdog."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._is_ready = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Supervisor:
        """As the environment says. The variables are removed from it, so that no child process speaks for us."""
        address = environ.pop("NOTIFY_SOCKET", "")
        usec = environ.pop("WATCHDOG_USEC", "")
        pid = environ.pop("WATCHDOG_PID", "")
        is_ours = not pid or pid == str(os.getpid())
        watchdog_s = int(usec) / 1_000_000 if usec.isdecimal() and is_ours else 0.0
        # there are others (vsock), for virtual machines
        return cls(address if address[:1] in ("/", "@") else "", watchdog_s)

    def ready(self, status: str) -> None:
        """The bot serves (again)."""
        self._is_ready = True
        self._send("READY=1", f"STATUS={status}")

    def ready_at_last(self, status: str) -> None:
        """It runs, although it does not serve yet. Says nothing if it was ready before."""
        if not self._is_ready:
            self.ready(status)

    def status(self, text: str) -> None:
        """One line about the state of the bot."""
        self._send(f"STATUS={text}")

    def stopping(self, status: str) -> None:
        """The bot was asked to stop, and is stopping."""
        self._send("STOPPING=1", f"STATUS={status}")

    async def watch(
        self, answer: Callable[[], Awaitable[object]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Report that the bot is alive, each time after `answer` returned, until cancelled.

        `answer` asks what must not hang. That this runs at all shows that the event loop does not hang either.
        """
        while self._address:
            await answer()
            if self._watchdog_s:
                self._send("WATCHDOG=1")
            if not self._is_ready:
                self._send(f"EXTEND_TIMEOUT_USEC={int(MORE_S * 1_000_000)}")
            await sleep(min(self._watchdog_s / 2 or STARTING_S, STARTING_S))

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.warning("systemd was not told", what=lines[0], reason=error.strerror)
