"""Connections to the site: few at a time, none that only waits, and none that is left when the site stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.web.site import MOST_OPEN
from tests.web.reading import parsed, raw
from tests.web.stage import Stage, raised

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Connection:
    """One connection, bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def rest(self) -> bytes:
        """Everything until the site hangs up."""
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""

    async def is_open(self) -> bool:
        """Whether the site has not hung up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await self.rest()
            return False
        return True


@asynccontextmanager
async def connections(stage: Stage, count: int) -> AsyncIterator[list[Connection]]:
    """This many, opened one after the other."""
    opened = [Connection(*await asyncio.open_connection("127.0.0.1", stage.port)) for _ in range(count)]
    try:
        yield opened
    finally:
        for one in opened:
            one.writer.close()


class Slow:
    """A page that takes as long as it is held up."""

    def __init__(self) -> None:
        self.served = 0
        self.goes_on = asyncio.Event()

    async def __call__(self) -> dict[str, bool]:
        self.served += 1
        await self.goes_on.wait()
        return {"database": True}

    async def until_served(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.served < count:
                await asyncio.sleep(0.01)


async def test_of_one_too_many_the_one_that_waits_longest_goes(stage: Stage) -> None:
    async with connections(stage, MOST_OPEN) as crowd:
        assert await crowd[0].is_open()
        async with connections(stage, 2) as more:
            async with asyncio.timeout(5):
                assert [await one.rest() for one in crowd[:2]] == [b""] * 2
            assert all([await one.is_open() for one in (crowd[2], crowd[-1], *more)])


async def test_of_many_too_many_that_come_at_once_as_many_go(stage: Stage) -> None:
    async with connections(stage, MOST_OPEN) as crowd:
        assert await crowd[0].is_open()
        more = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", stage.port) for _ in range(20)))
        async with asyncio.timeout(5):
            assert [await one.rest() for one in crowd[:20]] == [b""] * 20
        assert all([await one.is_open() for one in (crowd[20], crowd[-1])])
        for _, writer in more:
            writer.close()


async def test_where_all_are_served_nobody_else_is(stage: Stage) -> None:
    stage.health = slow = Slow()
    async with connections(stage, MOST_OPEN) as crowd:
        for one in crowd:
            one.writer.write(GET)
        await slow.until_served(MOST_OPEN)
        async with connections(stage, 1) as [late], asyncio.timeout(5):
            assert await late.rest() == b""
        slow.goes_on.set()
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(one.rest() for one in crowd))
        assert {parsed(answer)[0] for answer in answers} == {200}


async def test_a_connection_that_sends_no_whole_request_is_closed_and_one_that_is_served_is_not(tmp_path: Path) -> None:
    async with raised(tmp_path, idle_s=0.5) as stage:
        stage.health = slow = Slow()
        async with connections(stage, 4) as [silent, half, served, body]:
            half.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            served.writer.write(GET)
            body.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            await slow.until_served(1)
            async with asyncio.timeout(5):
                assert [await silent.rest(), await half.rest()] == [b"", b""]
                assert parsed(await body.rest())[0] == 413
            slow.goes_on.set()
            assert parsed(await served.rest())[0] == 200


async def test_at_a_stop_nobody_holds_the_site_up(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with raised(tmp_path) as stage:
        stage.health = slow = Slow()
        crowd = [Connection(*await asyncio.open_connection("127.0.0.1", stage.port)) for _ in range(3)]
        crowd[0].writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        crowd[1].writer.write(GET)
        await slow.until_served(1)
        assert all([await one.is_open() for one in crowd])
        began = loop.time()
    assert loop.time() - began < 5
    async with asyncio.timeout(5):
        assert [await one.rest() for one in crowd] == [b""] * 3
    for one in crowd:
        one.writer.close()
    with pytest.raises(OSError, match="Connect"):
        await raw(stage, GET)
