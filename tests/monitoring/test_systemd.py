"""What systemd is told, on a socket like its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.monitoring.systemd import MORE_S, STARTING_S, Supervisor
from bot.storage.database import Database
from tests.log import restored


class Systemd:
    """The other end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """The datagrams since the last look."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        """Gone."""
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(str(tmp_path / "notify"))
    yield systemd
    systemd.close()


def of(systemd: Systemd, **more: str) -> Supervisor:
    """As it is started by this one."""
    return Supervisor.from_environment({"NOTIFY_SOCKET": systemd.address, **more})


class Sleep:
    """Lets each sleep of the watch end when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self._go = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self._go.acquire()

    def end(self) -> None:
        """The sleep is over."""
        self._go.release()


async def answers() -> None:
    """The database, well."""


def test_it_says_that_it_is_ready_how_it_is_and_that_it_stops(systemd: Systemd) -> None:
    supervisor = of(systemd)
    supervisor.status("Starting")
    supervisor.ready("Serving")
    supervisor.stopping("Going")
    assert systemd.heard() == ["STATUS=Starting", "READY=1\nSTATUS=Serving", "STOPPING=1\nSTATUS=Going"]


def test_a_start_that_takes_long_is_ready_at_last_once(systemd: Systemd) -> None:
    supervisor = of(systemd)
    supervisor.ready_at_last("Discord does not respond")
    supervisor.ready("Serving")
    supervisor.ready_at_last("Discord does not respond")
    assert systemd.heard() == ["READY=1\nSTATUS=Discord does not respond", "READY=1\nSTATUS=Serving"]


def test_an_abstract_address_is_reached(tmp_path: Path) -> None:
    systemd = Systemd(f"@gatefold-test-{os.getpid()}-{tmp_path.name}")
    of(systemd).ready("Serving")
    assert systemd.heard() == ["READY=1\nSTATUS=Serving"]
    systemd.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path"])
async def test_without_a_socket_nothing_happens(address: str) -> None:
    supervisor = Supervisor.from_environment({"NOTIFY_SOCKET": address} if address else {})
    supervisor.ready("Serving")
    await supervisor.watch(answers)  # it ends at once


def test_a_socket_that_is_gone_is_told_in_the_log_and_hurts_nobody(systemd: Systemd, tmp_path: Path) -> None:
    supervisor = Supervisor(str(tmp_path / "nowhere"))
    with restored() as start:
        stream = start()
        supervisor.ready("Serving")
    assert "systemd was not told" in stream.getvalue()


def test_children_do_not_inherit_what_would_let_them_speak_for_us(systemd: Systemd) -> None:
    environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "5", "WATCHDOG_PID": str(os.getpid()), "HOME": "/x"}
    Supervisor.from_environment(environ)
    assert environ == {"HOME": "/x"}


async def watched(supervisor: Supervisor, database: Database | None = None) -> tuple[asyncio.Task[None], Sleep]:
    """A watch that is under way."""
    sleep = Sleep()
    answer = database.is_answering if database is not None else answers
    return asyncio.create_task(supervisor.watch(answer, sleep=sleep)), sleep


async def test_the_watchdog_is_fed_at_half_its_time(systemd: Systemd) -> None:
    supervisor = of(systemd, WATCHDOG_USEC="20000000")
    supervisor.ready("Serving")
    task, sleep = await watched(supervisor)
    assert [await sleep.asked.get()] == [10.0]
    sleep.end()
    await sleep.asked.get()
    assert systemd.heard()[1:] == ["WATCHDOG=1", "WATCHDOG=1"]
    task.cancel()


async def test_a_watchdog_that_is_another_process_is_not_fed(systemd: Systemd) -> None:
    supervisor = of(systemd, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid() + 1))
    supervisor.ready("Serving")
    task, sleep = await watched(supervisor)
    await sleep.asked.get()
    assert systemd.heard()[1:] == []
    task.cancel()


async def test_while_it_starts_it_asks_for_more_time_and_no_longer(systemd: Systemd) -> None:
    supervisor = of(systemd)
    task, sleep = await watched(supervisor)
    assert await sleep.asked.get() == STARTING_S
    assert systemd.heard() == [f"EXTEND_TIMEOUT_USEC={int(MORE_S * 1e6)}"]
    supervisor.ready("Serving")
    sleep.end()
    await sleep.asked.get()
    assert systemd.heard() == ["READY=1\nSTATUS=Serving"]
    task.cancel()


async def test_the_watchdog_starves_while_the_database_thread_hangs_and_is_fed_again_after(
    systemd: Systemd, tmp_path: Path
) -> None:
    database = await Database.open(tmp_path / "gatefold.db")
    task, sleep = await watched(of(systemd, WATCHDOG_USEC="2000000"), database)
    await sleep.asked.get()
    assert "WATCHDOG=1" in systemd.heard()
    begun, go = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        begun.set()
        go.wait(20.0)

    hanging = asyncio.ensure_future(database.read(hang))
    await asyncio.to_thread(begun.wait, 20.0)
    sleep.end()
    for _ in range(100):
        await asyncio.sleep(0)
    assert systemd.heard() == []
    go.set()
    await hanging
    await sleep.asked.get()
    assert "WATCHDOG=1" in systemd.heard()
    task.cancel()
    await database.close()


async def test_a_database_that_answers_with_an_error_is_alive(systemd: Systemd, tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "gatefold.db")
    task, sleep = await watched(of(systemd, WATCHDOG_USEC="2000000"), database)
    await sleep.asked.get()
    systemd.heard()
    await database.close()
    assert not await database.is_answering()
    sleep.end()
    await sleep.asked.get()
    assert "WATCHDOG=1" in systemd.heard()  # a restart would not mend a full disk
    task.cancel()
