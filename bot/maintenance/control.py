"""The control socket, through which `gatefold backup` and `gatefold rotate-key` reach the running bot.

Only one connection to the database may be open, and the bot has it (docs/decisions/0008). The Unix socket is beside the
database, for its owner only. A request is one line of JSON; the answer is lines of progress, and one line with the
result or an error.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from bot.errors import StorageUnavailable
from bot.storage.control_socket import beside, short_address
from bot.storage.database import followed

PATIENCE_S = 5.0
"""How long the bot waits for a request after a connection."""

Tell = Callable[[int, int], Awaitable[None]]
"""Reports progress: how many are done, of how many."""
Job = Callable[[Mapping[str, Any], Tell], Awaitable[dict[str, Any]]]
"""Does what a request asks for. ControlError says why it was not done."""

_log = structlog.get_logger("gatefold.control")


class ControlError(Exception):
    """A request was not carried out; the text says why and what to do."""


def socket_of(database: Path) -> Path:
    """The socket of the bot that uses this database."""
    return beside(followed(database))


@asynccontextmanager
async def listening(database: Path, jobs: Mapping[str, Job]) -> AsyncIterator[None]:
    """Serve requests until the end, when those in progress are stopped. The caller must hold the database's lock.

    If the socket cannot be created, the log says so, and the bot works without it.
    """
    path = socket_of(database)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await _serve(reader, writer, jobs)
        finally:
            serving.discard(task)
            writer.close()

    try:
        server = await asyncio.start_unix_server(serve, sock=_bound(path))
    except OSError as error:
        _log.warning("no control socket", path=str(path), reason=error.strerror or str(error))
        yield
        return
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def _bound(path: Path) -> socket.socket:
    # We hold the lock, so an existing socket was left behind by a process that was killed.
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(path) as address:
            bound.bind(address)
        # Nobody can connect in between: it does not listen yet.
        os.chmod(path, 0o600)
    except BaseException:
        bound.close()
        raise
    return bound


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, jobs: Mapping[str, Job]) -> None:
    async def tell(done: int, of: int) -> None:
        # If the command has ended, this fails, and the job ends.
        writer.write(_line({"done": done, "of": of}))
        await writer.drain()

    answer: dict[str, Any]
    try:
        async with asyncio.timeout(PATIENCE_S):
            request = json.loads(await reader.readline())
        answer = {"result": await jobs[request["do"]](request, tell)}
    except ConnectionError:
        return
    except ControlError as error:
        answer = {"error": str(error)}
    except StorageUnavailable as error:
        answer = {"error": f"The database cannot be read or written ({error}). Check the space on the disk."}
    except (TimeoutError, ValueError, KeyError, TypeError):
        answer = {
            "error": "The bot does not understand this request. It may be of another version than this command: restart the bot."
        }
    except Exception:
        _log.exception("control request failed")
        answer = {"error": "Something broke in the bot. Its log has the reason."}
    with suppress(ConnectionError):
        writer.write(_line(answer))
        await writer.drain()


async def ask(database: Path, request: Mapping[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any] | None:
    """The result of a request to the bot that uses this database; None if no bot listens. ControlError says why not."""
    try:
        with short_address(socket_of(database)) as address:
            reader, writer = await asyncio.open_unix_connection(address)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        if socket_of(database).exists():
            raise ControlError(
                f"{socket_of(database)} cannot be reached ({error.strerror}). Run this as the bot's user."
            ) from None
        return None
    try:
        writer.write(_line(request))
        while line := await reader.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise ControlError(answer["error"])
            if "result" in answer:
                result: dict[str, Any] = answer["result"]
                return result
            tell(answer["done"], answer["of"])
    except ConnectionError:
        pass
    finally:
        writer.close()
    raise ControlError("The bot stopped before this was done. Start it and run this again.")


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
