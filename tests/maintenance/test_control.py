"""The control socket: who reaches it, what comes back, and what happens when one side goes away."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StorageUnavailable
from bot.maintenance.control import ControlError, Tell, ask, listening, socket_of


def silent(done: int, of: int) -> None:
    pass


async def count(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    for number in range(1, request["to"] + 1):
        await tell(number, request["to"])
    return {"counted": request["to"]}


async def test_a_request_is_answered_with_progress_and_a_result(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    database = tmp_path / "gatefold.db"
    async with listening(database, {"count": count}):
        result = await ask(database, {"do": "count", "to": 3}, lambda done, of: told.append((done, of)))
    assert result == {"counted": 3}
    assert told == [(1, 3), (2, 3), (3, 3)]


async def test_without_a_bot_there_is_no_answer_also_where_a_killed_one_left_its_socket(tmp_path: Path) -> None:
    database = tmp_path / "gatefold.db"
    assert await ask(database, {"do": "count", "to": 1}, silent) is None
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(socket_of(database)))
    left.close()
    assert await ask(database, {"do": "count", "to": 1}, silent) is None
    async with listening(database, {"count": count}):  # and it is in nobody's way
        assert await ask(database, {"do": "count", "to": 1}, silent) == {"counted": 1}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_it_is_for_its_owner_alone(umask: int, tmp_path: Path) -> None:
    database = tmp_path / "gatefold.db"
    before = os.umask(umask)
    try:
        async with listening(database, {}):
            assert stat.S_IMODE(socket_of(database).stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def test_a_database_that_lies_very_deep_is_reached_too(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-folder-with-a-rather-long-name"] * 6)
    folder.mkdir(parents=True)
    database = folder / "gatefold.db"
    assert len(os.fsencode(database)) > 200
    async with listening(database, {"count": count}):
        assert socket_of(database).is_socket()
        assert await ask(database, {"do": "count", "to": 1}, silent) == {"counted": 1}
    assert list(folder.iterdir()) == []


async def test_where_no_socket_can_be_made_all_else_goes_on(tmp_path: Path) -> None:
    database = tmp_path / f"{'n' * 120}.db"
    async with listening(database, {"count": count}):
        assert await ask(database, {"do": "count", "to": 1}, silent) is None
    async with listening(tmp_path / "no folder" / "gatefold.db", {"count": count}):
        pass


async def test_refusals_and_mistakes_come_back_as_sentences(tmp_path: Path) -> None:
    async def refuse(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        raise ControlError("Not today.")

    async def full(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        raise StorageUnavailable("database or disk is full")

    async def mistake(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        raise AssertionError("a mistake")

    database = tmp_path / "gatefold.db"
    said = {
        "refuse": "Not today.",
        "full": "database or disk is full",
        "mistake": "log has the reason",
        "no such thing": "another version",
    }
    async with listening(database, {"refuse": refuse, "full": full, "mistake": mistake}):
        for what, words in said.items():
            with pytest.raises(ControlError, match=words):
                await ask(database, {"do": what}, silent)


@pytest.mark.parametrize("line", [b"\n", b"no json\n", b"[]\n", b"{}\n", b"x" * 70_000 + b"\n", b"\xff\xfe\n", b"7\n"])
async def test_whatever_else_is_sent_is_refused(line: bytes, tmp_path: Path) -> None:
    database = tmp_path / "gatefold.db"
    async with listening(database, {"count": count}):
        reader, writer = await asyncio.open_unix_connection(str(socket_of(database)))
        writer.write(line)
        async with asyncio.timeout(4):
            assert b"error" in await reader.readline()
        writer.close()
        assert await ask(database, {"do": "count", "to": 1}, silent) == {"counted": 1}


async def test_a_job_ends_when_whoever_asked_goes_away(tmp_path: Path) -> None:
    database = tmp_path / "gatefold.db"
    ended: asyncio.Future[type[BaseException]] = asyncio.get_running_loop().create_future()

    async def endless(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        try:
            while True:
                await tell(1, 2)
                await asyncio.sleep(0)
        except BaseException as error:
            ended.set_result(type(error))
            raise

    async with listening(database, {"endless": endless}):
        reader, writer = await asyncio.open_unix_connection(str(socket_of(database)))
        writer.write(b'{"do": "endless"}\n')
        await reader.readline()
        writer.close()
        async with asyncio.timeout(5):
            assert issubclass(await ended, ConnectionError)


async def test_a_stop_ends_what_is_under_way_and_says_so(tmp_path: Path) -> None:
    database = tmp_path / "gatefold.db"
    begun = asyncio.Event()

    async def waiting(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    async with listening(database, {"wait": waiting}):
        asked = asyncio.create_task(ask(database, {"do": "wait"}, silent))
        await begun.wait()
    with pytest.raises(ControlError, match="stopped before this was done"):
        await asked
