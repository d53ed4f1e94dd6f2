"""`gatefold health`: what an image's health check goes by."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bot.admin.health import asked
from bot.sandbox.standin import free_port
from tests.process.harness import ROOT, bare_environment


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """A server at whose /healthz this answers; its port."""
    app = web.Application()
    app.router.add_get("/healthz", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
async def test_a_bot_that_works_is_well(host: str) -> None:
    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"gateway": True, "database": True})

    async with served(healthz) as port:
        assert await asyncio.to_thread(asked, host, port, 5.0) == (
            True,
            "Everything works.",
            {"gateway": True, "database": True},
        )


async def test_what_does_not_work_is_named() -> None:
    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"commands": False, "gateway": False, "database": True}, status=503)

    async with served(healthz) as port:
        assert await asyncio.to_thread(asked, "127.0.0.1", port, 5.0) == (
            False,
            "These parts do not work: commands, gateway.",
            {"commands": False, "gateway": False, "database": True},
        )


@pytest.mark.parametrize(("text", "status"), [("<html>", 200), ("", 502), ("[1]", 503), ('"x"', 404)])
async def test_another_program_at_the_port_is_not_taken_for_the_bot(text: str, status: int) -> None:
    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    async with served(healthz) as port:
        is_well, sentence, _ = await asyncio.to_thread(asked, "127.0.0.1", port, 5.0)
    assert not is_well
    assert sentence


async def test_a_bot_that_hangs_is_not_waited_for() -> None:
    gone = asyncio.Event()

    async def healthz(request: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    async with served(healthz) as port:
        is_well, sentence, _ = await asyncio.to_thread(asked, "127.0.0.1", port, 0.2)
        gone.set()
    assert (is_well, sentence) == (
        False,
        f"No bot responds at 127.0.0.1:{port} (TimeoutError). Start it, or correct WEB_HOST and WEB_PORT.",
    )


def test_the_exit_status_says_it_and_neither_secrets_nor_a_proxy_are_needed(tmp_path: Path) -> None:
    port = free_port()
    for command in (["-m", "bot.admin.health"], ["-m", "bot", "health"]):
        done = subprocess.run(
            [sys.executable, *command],
            env=bare_environment(str(ROOT)) | {"WEB_PORT": str(port), "http_proxy": "http://127.0.0.1:1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"No bot responds at 127.0.0.1:{port} (ConnectionRefusedError). Start it")


def test_a_port_that_is_not_known_and_one_that_is_none_are_told(tmp_path: Path) -> None:
    for value, words in (("0", "WEB_PORT is 0"), ("x", "WEB_PORT: ")):
        done = subprocess.run(
            [sys.executable, "-m", "bot.admin.health"],
            env=bare_environment(str(ROOT)) | {"WEB_PORT": value},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(words)
