"""Downloads of attached files: from Discord's hosts alone, and never more than the limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from aiohttp import web

from bot.chat.attachments import Attachments, DownloadFailed
from bot.files.problems import FileTooLarge

LIMIT = 100_000


class FileHost:
    """A host of files: "/small", "/endless", and "/moved" to "/small". `sent`: how many bytes it has sent."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sent = 0
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        assert "Authorization" not in request.headers
        if request.path == "/moved":
            raise web.HTTPFound("/small")
        if request.path == "/cut":  # as HTTP/1.0 has it: the end of the connection is the end of the file
            request.protocol.transport.write(b"HTTP/1.0 200 OK\r\n\r\nsma")
            request.protocol.transport.close()
        if request.path == "/small":
            return web.Response(body=b"small")
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while self.sent < 100 * LIMIT:
                await response.write(b"x" * 10_000)
                self.sent += 10_000
        except ConnectionError:
            pass
        return response


async def running(host: FileHost) -> AsyncIterator[FileHost]:
    application = web.Application()
    application.router.add_get("/{path:.*}", host.serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield host
    await runner.cleanup()


@pytest.fixture
async def host() -> AsyncIterator[FileHost]:
    async for each in running(FileHost()):
        yield each


@pytest.fixture
async def other() -> AsyncIterator[FileHost]:
    async for each in running(FileHost()):
        yield each


@pytest.fixture
async def attachments(host: FileHost) -> AsyncIterator[Attachments]:
    async with aiohttp.ClientSession() as session:
        yield Attachments(session, [f"{host.url}/api/v10"])


def attached(url: str, size: int = 5) -> discord.Attachment:
    data: Any = {"id": "1", "filename": "x.txt", "size": size, "url": url, "proxy_url": url}
    state: Any = SimpleNamespace(http=None)
    return discord.Attachment(data=data, state=state)


async def test_a_file_is_read(host: FileHost, attachments: Attachments) -> None:
    assert await attachments.read(attached(f"{host.url}/small?ex=1"), LIMIT) == b"small"


async def test_a_file_that_is_larger_than_discord_says_is_not_read_to_its_end(
    host: FileHost, attachments: Attachments
) -> None:
    with pytest.raises(FileTooLarge):
        await attachments.read(attached(f"{host.url}/endless"), LIMIT)
    assert host.sent < 50 * LIMIT


async def test_a_file_that_was_cut_off_is_not_taken_for_the_whole(host: FileHost, attachments: Attachments) -> None:
    with pytest.raises(DownloadFailed):
        await attachments.read(attached(f"{host.url}/cut"), LIMIT)


async def test_a_file_that_is_too_large_is_not_asked_for(host: FileHost, attachments: Attachments) -> None:
    with pytest.raises(FileTooLarge):
        await attachments.read(attached(f"{host.url}/small", LIMIT + 1), LIMIT)
    assert host.asked == []


async def test_no_redirect_is_followed(host: FileHost, attachments: Attachments) -> None:
    with pytest.raises(DownloadFailed):
        await attachments.read(attached(f"{host.url}/moved"), LIMIT)
    assert host.asked == ["/moved"]


async def test_no_other_host_is_asked(host: FileHost, other: FileHost, attachments: Attachments) -> None:
    port = host.url.rpartition(":")[2]
    for url in (
        f"{other.url}/small",
        f"http://user@127.0.0.1:{port}/small",
        f"http://localhost:{port}/small",
        "file:///etc/passwd",
        "/small",
        "",
    ):
        with pytest.raises(DownloadFailed):
            await attachments.read(attached(url), LIMIT)
    assert host.asked + other.asked == []


async def test_the_address_of_a_file_is_in_no_error(host: FileHost, attachments: Attachments) -> None:
    with pytest.raises(DownloadFailed) as caught:
        await attachments.read(attached(f"{host.url}/moved?hm=secret"), LIMIT)
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None
