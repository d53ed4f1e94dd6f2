"""A disk that is full, a file that is locked, read-only, or whose log was cut: the real process, and nothing is lost.

The database alone, in the same trouble: tests/storage/test_database.py.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from bot.settings import read_key
from bot.storage import open_storage
from tests.discord_wire import texts
from tests.process.harness import START_S, Outside, Running, sentences, until_said
from tests.world import ADA, BEN, FIRST, KEY, SECOND

ALBUMS = [album.id for album in synthetic(30, seed="disk")]
NOT_WRITTEN = "I could not store that, so nothing was changed."


@contextmanager
def _full(process: Running, *, leaves: int = 0) -> Iterator[None]:
    """No file of this process can be written beyond `leaves` bytes: a limit of the operating system."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system cannot limit another process")
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (leaves, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)


def _whole(out: Outside) -> None:
    """The file is sound, every request has its changes, and what ended has its outcome."""
    assert [row[0] for row in out.rows("PRAGMA integrity_check")] == ["ok"]
    assert out.rows("PRAGMA foreign_key_check") == []
    assert out.rows("SELECT id FROM change_requests WHERE id NOT IN (SELECT request_id FROM library_changes)") == []
    half = "SELECT 1 FROM change_requests JOIN library_changes ON id = request_id WHERE outcome IS NULL AND ended_at IS NOT NULL"
    assert out.rows(half) == []


async def test_a_full_disk_takes_nothing_new_and_says_so_and_keeps_what_it_has(out: Outside) -> None:
    out.spotify.client_secret, out.spotify.rotates = None, True  # a refresh token that is not stored is lost
    await out.link_all({ADA: "ada", BEN: "ben"})
    async with out.running(SPOTIFY_CLIENT_SECRET="") as process:
        out.spotify.fault(path="/v1/*", account="ada", times=None, **FAULTS["unavailable"])
        kept = await out.save(FIRST)
        await until_said(kept, "queued")
        # before that is noted, the message is not known to be there to edit, and a direct one tells instead
        async with asyncio.timeout(START_S):
            while [row["answer"] for row in out.rows("SELECT answer FROM change_requests")] != ["arrived"]:
                await asyncio.sleep(0.01)
        with _full(process):
            for action in (out.save, out.unsave):
                await until_said(await action(SECOND, BEN), NOT_WRITTEN)
            assert out.saved("ben") == []
            # what was accepted before is carried out, with a token that has to be refreshed
            out.spotify.expire_access_tokens("ada")
            out.spotify.clear_faults()
            async with asyncio.timeout(START_S):
                while FIRST not in out.saved("ada") and "/api/token" not in {call.path for call in out.spotify.calls}:
                    await asyncio.sleep(0.05)
            assert (await process.until_health(503))["database"] is False
            _whole(out)
        assert (await process.until_health(200))["database"] is True
        await until_said(kept, "Saved", START_S)
        assert out.saved("ada") == [FIRST]
        assert out.rows("SELECT broken FROM links WHERE broken IS NOT NULL") == []
        await until_said(await out.save(SECOND, BEN), "Saved")
        # the refresh token that came while the disk was full is there
        out.spotify.expire_access_tokens()
        await until_said(await out.save(SECOND), "Saved")
        assert len(out.rows("SELECT id FROM change_requests")) == 3
        assert out.discord.direct_messages.keys() == {out.discord.OWNER}  # the host, and no member
        _whole(out)
    assert "Traceback" not in process.stderr


async def test_an_outcome_that_the_full_disk_does_not_take_is_written_later_and_told_once(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with out.running() as process:
        out.spotify.fault(path="/v1/me/albums", method="PUT", delay_s=1.0)
        saving = await out.save(FIRST)
        async with asyncio.timeout(START_S):
            while ("PUT", "/v1/me/albums") not in {(call.method, call.path) for call in out.spotify.calls}:
                await asyncio.sleep(0.01)
        with _full(process):
            await until_said(saving, "queued")
            assert out.saved() == [FIRST]
            assert [row["outcome"] for row in out.rows("SELECT outcome FROM library_changes")] == [None]
        await until_said(saving, "Saved", START_S)
        async with asyncio.timeout(START_S):
            while [row["told"] for row in out.rows("SELECT told FROM change_requests WHERE ended_at IS NOT NULL")] != [
                "yes"
            ]:
                await asyncio.sleep(0.05)
        assert [row["outcome"] for row in out.rows("SELECT outcome FROM library_changes")] == ["saved"]
        _whole(out)
    assert "Traceback" not in process.stderr


async def test_a_lock_of_somebody_elses_is_waited_for_or_told_and_nothing_is_half_written(out: Outside) -> None:
    """Somebody looks at the database with a tool, and keeps it locked for longer than we wait."""
    await out.link_all({ADA: "ada", BEN: "ben"})
    async with out.running() as process:
        holder = sqlite3.connect(out.database, isolation_level=None, check_same_thread=False)
        with closing(holder):
            holder.execute("BEGIN IMMEDIATE")
            first, second = await out.save(FIRST), await out.save(SECOND, BEN)
            await until_said(first, NOT_WRITTEN, 12.0)
            holder.execute("ROLLBACK")
            await until_said(second, "Saved", 12.0)
        assert out.saved("ada") == []
        await until_said(await out.save(FIRST), "Saved")
        assert len(out.rows("SELECT id FROM change_requests")) == 2
        _whole(out)
    assert "Traceback" not in process.stderr
    assert out.discord.problems == []  # all were announced in time
    # whoever looks with a tool knows: the host is not told that the disk is in trouble
    assert out.discord.direct_messages.keys() & {out.discord.OWNER} == set()


async def test_a_place_where_nothing_can_be_written_is_told_in_one_sentence(out: Outside) -> None:
    # refused to root, too
    for folder in ("/sys", "/proc"):
        (said,) = sentences(await out.refused(DATABASE_PATH=f"{folder}/gatefold.db"))
        assert f"{folder}/gatefold.db" in said


async def test_a_folder_instead_of_a_file_is_told_in_one_sentence(out: Outside) -> None:
    folder = out.folder / "some"
    folder.mkdir()
    (said,) = sentences(await out.refused(DATABASE_PATH=str(folder)))
    assert f"{folder} is a folder. Set DATABASE_PATH to a file in it." in said
    assert [*folder.parent.glob("some*")] == [folder]


async def test_a_database_on_a_read_only_disk_is_told_in_one_sentence_and_is_left_as_it_is(out: Outside) -> None:
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not await asyncio.to_thread(_works, [*mount, "true"]):
        pytest.skip("this system lets nobody mount")
    await out.link(ADA, "ada")
    before = out.database.read_bytes()
    folder = out.database.parent
    script = f'mount --bind "{folder}" "{folder}" && mount -o remount,ro,bind "{folder}" && exec "$0" -m bot run'
    process = await out.start(ready=False, command=[*mount, script, sys.executable])
    assert await process.ended(START_S) == 1, process.stderr
    (said,) = sentences(process.stderr)
    assert str(out.database) in said
    assert "Traceback" not in process.stderr
    assert out.database.read_bytes() == before
    async with out.running():
        await until_said(await out.save(FIRST), "Saved")


def _works(command: list[str]) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


# -- a log that was cut


async def _killed_with_changes(out: Outside) -> tuple[bytes, bytes]:
    """The file and the log of a process that was killed with 12 accepted changes."""
    await out.link(ADA, "ada")
    out.spotify.catalogue.add(synthetic(30, seed="disk"))
    process = await out.start()
    out.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    for given in [await out.save(album) for album in ALBUMS[:12]]:
        await until_said(given, "queued")
    await process.kill()
    wal = out.database.with_name(f"{out.database.name}-wal")
    return out.database.read_bytes(), wal.read_bytes()


def _cuts(log: bytes) -> dict[str, bytes]:
    """The log cut, or spoiled, at every kind of place: a header of 32 bytes, frames of 24 bytes and a page."""
    page = int.from_bytes(log[8:12], "big")
    frame = 24 + page
    count = (len(log) - 32) // frame
    middle = 32 + count // 2 * frame
    return {
        "whole": log,
        "gone": b"",
        "in the header": log[:20],
        "after the header": log[:32],
        "in a frame's header": log[: middle + 12],
        "in a page": log[: middle + 24 + page // 2],
        "between two frames": log[:middle],
        "the last byte": log[:-1],
        "a bit in the middle": log[:middle] + bytes([log[middle] ^ 1]) + log[middle + 1 :],
        "zeros at the end": log[:middle] + bytes(len(log) - middle),
    }


async def test_after_a_kill_the_file_is_sound_whatever_is_left_of_the_log_and_only_what_was_done_is_told(
    out: Outside, tmp_path: Path
) -> None:
    database, log = await _killed_with_changes(out)
    found: dict[str, int] = {}
    for number, (name, cut) in enumerate(_cuts(log).items()):
        copy = tmp_path / f"cut{number}.db"
        copy.write_bytes(database)
        copy.with_name(f"{copy.name}-wal").write_bytes(cut)
        storage = await open_storage(copy, [read_key(KEY)])
        pending = await storage.changes.pending(ADA)
        whole = await storage.database.read(lambda c: [row[0] for row in c.execute("PRAGMA integrity_check")])
        await storage.close()
        assert whole == ["ok"], name
        # the oldest ones, without a gap, each as it was asked for
        assert [change.album_id for change in pending] == ALBUMS[: len(pending)], name
        found[name] = len(pending)
    assert found["whole"] == 12
    assert found["gone"] == found["in the header"] == found["after the header"]
    assert 0 < found["in a page"] < 12
    assert found["in a page"] == found["between two frames"] == found["a bit in the middle"]

    # and the real process, with the log that was cut in the middle
    out.database.write_bytes(database)
    out.database.with_name(f"{out.database.name}-wal").write_bytes(_cuts(log)["in a page"])
    out.spotify.clear_faults()
    async with out.running() as process:
        async with asyncio.timeout(START_S):
            while out.rows("SELECT 1 FROM change_requests WHERE told IS NULL"):
                await asyncio.sleep(0.05)
        done = [row["album_id"] for row in out.rows("SELECT album_id FROM library_changes WHERE outcome = 'saved'")]
        assert sorted(out.saved()) == sorted(done)
        assert len(done) == found["in a page"]
        told = [
            "\n".join(texts(message))
            for given in out.discord.interactions.values()
            for message in (*given.history[-1:], *out.discord.direct_messages.get(ADA, []))
        ]
        assert sum("Saved" in text for text in told) >= len(done)
        said = [given for given in out.discord.interactions.values() if "Saved" in "\n".join(texts(given.history[-1]))]
        assert {str(given.payload["data"]["options"][0]["value"]) for given in said} <= set(done)
        _whole(out)
    assert "Traceback" not in process.stderr
