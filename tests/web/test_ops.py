"""The port of the metrics: what it logs, and when it is free."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest

from bot.sandbox.standin import free_port
from bot.web.ops import serving_metrics


async def scrape() -> bytes:
    return b"up 1\n"


async def test_no_scrape_is_in_an_access_log(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    caplog.set_level(logging.DEBUG, "aiohttp.access")
    async with (
        serving_metrics(scrape, "127.0.0.1", port),
        aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as it,
    ):
        assert (it.status, await it.read()) == (200, b"up 1\n")
    assert [record.getMessage() for record in caplog.records if record.name == "aiohttp.access"] == []


async def test_a_port_that_is_taken_is_told_and_one_that_was_left_is_free() -> None:
    port = free_port()
    async with serving_metrics(scrape, "127.0.0.1", port):
        with pytest.raises(OSError, match="in use"):
            async with serving_metrics(scrape, "127.0.0.1", port):
                pass
    async with serving_metrics(scrape, "127.0.0.1", port):
        pass


async def test_at_a_stop_a_scrape_that_does_not_end_holds_nobody_up() -> None:
    began = asyncio.Event()

    async def endless() -> bytes:
        began.set()
        await asyncio.Event().wait()
        return b""

    port = free_port()
    async with asyncio.timeout(30):
        async with serving_metrics(endless, "127.0.0.1", port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await began.wait()
    writer.close()
