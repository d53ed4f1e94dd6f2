"""What a crowd of connections does to the real process: they are closed, and the bot goes on answering."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.web.site import MOST_OPEN
from tests.process.harness import Outside, Running, until_said
from tests.web.reading import raw
from tests.web.stage import Stage
from tests.world import ADA, FIRST, SECOND

HALF_OPEN = 2_000
# What a service usually gets, of systemd as of a shell.
LIMITED = ("sh", "-c", f'ulimit -Sn 1024; exec "{sys.executable}" -m bot run')
BEGINNINGS = (b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nX-Slow: ", b"POST /callback/spotify HT")
REFUSED = "This request is not valid."


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may open a socket for each of theirs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < HALF_OPEN + 500:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HALF_OPEN + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Visitor:
    """One connection to the site, bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, process: Running) -> Visitor:
        return cls(*await asyncio.open_connection("127.0.0.1", urlsplit(process.url).port))

    async def send(self, data: bytes) -> None:
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the site hangs up."""
        read = bytearray()
        with suppress(ConnectionError):
            while data := await self.reader.read(65536):
                read += data
        self.writer.close()
        return bytes(read)


async def test_2000_half_open_connections_are_closed_within_10_s_while_the_bot_goes_on_answering(
    out: Outside, many_files: None
) -> None:
    """With 1,024 open files, as is usual. Takes about 10 s: the site waits for 8 s before it hangs up."""
    await out.link(ADA, "ada")
    process = await out.start(command=LIMITED)
    memory = memory_kb(process)
    crowd = [await half_open(process, BEGINNINGS[number % len(BEGINNINGS)]) for number in range(HALF_OPEN)]
    closed = [asyncio.create_task(visitor.rest()) for visitor in crowd]
    dripping = asyncio.create_task(drip(process))
    # the files that calls to Spotify and Discord need are left
    assert open_files(process) < MOST_OPEN + 100
    await until_said(await out.save(f"{FIRST} {SECOND}"), "Saved 2 albums")
    served = asyncio.create_task(goes_on(process))
    async with asyncio.timeout(10.0):
        assert set(await asyncio.gather(*closed)) == {b""}
        await dripping
    assert not served.done()
    served.cancel()
    await asyncio.gather(served, return_exceptions=True)
    assert "Traceback" not in process.stderr
    assert "system resource" not in process.stderr
    assert memory_kb(process) - memory < 40_000
    await process.terminate()


async def half_open(process: Running, beginning: bytes) -> Visitor:
    """A connection that begins and then says nothing more."""
    visitor = await Visitor.of(process)
    await visitor.send(beginning)
    return visitor


async def drip(process: Running) -> None:
    """One that sends a letter now and then is no better."""
    visitor = await half_open(process, b"GET / HTTP/1.1\r\nX-Slow: ")
    closed = asyncio.create_task(visitor.rest())
    while not closed.done():
        await visitor.send(b"a")
        await asyncio.wait({closed}, timeout=0.5)


async def goes_on(process: Running) -> None:
    """Pages come all the while, each on a connection of its own."""
    while True:
        async with asyncio.timeout(3.0):
            assert (await process.health() or (0, {}))[0] == 200
        await asyncio.sleep(0.1)


async def test_lines_and_bodies_without_end_are_refused_while_the_bot_goes_on_answering(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    memory = memory_kb(process)
    address = b"POST /callback/spotify HTTP/1.1\r\nHost: x\r\n"
    small, large = b"x" * 100, b"x" * 10_000_000
    sent = {
        "a request line of 9 kB": (b"GET /callback/spotify?state=" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 400),
        "a body of 10 MB": (address + b"Connection: close\r\nContent-Length: 10000000\r\n\r\n" + large, 413),
        "10 MB in chunks": (address + b"Transfer-Encoding: chunked\r\n\r\n989680\r\n" + large, 413),
        "a body that never ends": (address + b"Content-Length: 1000000000\r\n\r\n" + small, 413),
        "a chunk that never ends": (address + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + small, 413),
        "a chunk of no size": (address + b"Transfer-Encoding: chunked\r\n\r\nmarked\r\n", 400),
    }
    visitors = [(name, await Visitor.of(process), *what) for name, what in sent.items() for _ in range(20)]

    async def refused(name: str, visitor: Visitor, request: bytes, status: int) -> None:
        begun = asyncio.create_task(visitor.send(request))
        answer = (await visitor.rest()).decode()
        # who goes on sending may find the connection closed before there is an answer to read
        assert not answer or (answer.split()[1], REFUSED in answer) == (str(status), True), name
        if "never" in name:
            assert answer, name
        await begun

    async with asyncio.timeout(10.0):
        refusals = asyncio.gather(*(refused(*visitor) for visitor in visitors))
        assert "Saved" in await until_said(await out.save(FIRST), "library")
        await refusals
    assert await process.health() is not None
    assert "Traceback" not in process.stderr
    assert "marked" not in process.stderr
    assert memory_kb(process) - memory < 40_000
    # one at the start, which checks the secret
    assert [call.path for call in out.spotify.calls].count("/api/token") <= 1
    await process.terminate()


async def test_a_crowd_does_not_push_out_who_is_being_served(stage: Stage) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> dict[str, bool]:
        inside.set()
        await go_on.wait()
        return {"database": True}

    stage.health = slow
    # no browser, which would ask once more when it is pushed out
    page = asyncio.create_task(raw(stage, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    await inside.wait()
    crowd = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(MOST_OPEN + 50)]
    async with asyncio.timeout(5.0):
        gone = [await reader.read() for reader, _ in crowd[:50]]  # the oldest of them
    go_on.set()
    assert (await page).startswith(b"HTTP/1.1 200 ")
    assert gone == [b""] * 50
    for _, writer in crowd:
        writer.close()


@pytest.mark.parametrize(
    "first",
    [b"GET /healthz HTTP/1.1", b"GET /nothing HTTP/1.1", b"DELETE / HTTP/1.1", b"GET / HTTP/1.1\r\nExpect: x"],
    ids=["a page", "no page", "no method", "odd"],
)
async def test_a_connection_is_served_one_request_however_many_are_sent(stage: Stage, first: bytes) -> None:
    asked = 0

    async def health() -> dict[str, bool]:
        nonlocal asked
        asked += 1
        return {"database": True}

    stage.health = health
    second = b"GET /healthz HTTP/1.1"
    answers = await raw(stage, b"".join(line + b"\r\nHost: x\r\n\r\n" for line in (first, second, second)))
    assert answers.count(b"HTTP/1.1 ") == 1
    assert asked == (first == second)


def open_files(process: Running) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def memory_kb(process: Running) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
