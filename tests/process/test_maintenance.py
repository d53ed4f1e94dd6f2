"""Backups, restoring and the change of the key, with the real process and the real commands."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.maintenance.control import socket_of
from bot.sandbox.catalogue import synthetic
from bot.settings import read_key
from bot.storage import open_storage
from bot.storage.changes import ANSWER
from bot.storage.vault import Vault, key_id, new_key
from tests.process.harness import ROOT, Outside, bare_environment, until_said
from tests.world import ADA, BEN, FIRST, KEY, SECOND

MEMBERS = {ADA: "ada", BEN: "ben", ADA + 10: "cem", ADA + 11: "dina"}
KEY_ID = key_id(read_key(KEY))


async def gatefold(out: Outside, *arguments: str, **env: str) -> tuple[int, str, str]:
    """A command, as a host types it: exit status, what it printed, what it said beside that."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=out.folder,
        env=bare_environment(str(ROOT)) | out.env | env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        printed, said = await process.communicate()
    for secret in out.secrets():
        assert secret.encode() not in printed + said
    assert process.returncode is not None
    return process.returncode, printed.decode(), said.decode()


def held(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as c:
        return c.execute(query).fetchall()


async def test_a_file_that_may_not_be_looked_at_is_told_in_one_sentence(out: Outside) -> None:
    await out.link(ADA, "ada")
    too_long = str(out.folder / ("long" * 100))  # for root, too, the system refuses even to look
    whole = str(out.folder / "whole.backup")
    assert (await gatefold(out, "backup", whole))[0] == 0
    commands: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("backup", whole + "2"), {"DATABASE_PATH": too_long}),
        (("backup",), {"BACKUP_FOLDER": too_long}),
        (("rotate-key",), {"DATABASE_PATH": too_long}),
        (("migrate", "--check"), {"DATABASE_PATH": too_long}),
        (("migrate",), {"DATABASE_PATH": too_long}),
        (("restore", too_long), {}),
        (("restore", whole), {"DATABASE_PATH": too_long}),
    ]
    for (status, printed, said), (command, _) in zip(
        await asyncio.gather(*(gatefold(out, *command, **env) for command, env in commands)), commands, strict=True
    ):
        assert (status, printed, said.count("\n")) == (1, "", 1), (command, said)
        assert "Traceback" not in said
        assert "File name too long" in said


async def test_a_folder_instead_of_the_database_is_told_by_every_command(out: Outside) -> None:
    folder = out.folder / "some"
    folder.mkdir()
    commands = (("backup", str(out.folder / "x")), ("rotate-key",), ("migrate",), ("migrate", "--check"))
    for status, printed, said in await asyncio.gather(
        *(gatefold(out, *command, DATABASE_PATH=str(folder)) for command in commands)
    ):
        assert (status, printed) == (1, "")
        assert said == f"{folder} is a folder. Set DATABASE_PATH to a file in it.\n"


# -- backups


async def test_a_backup_amid_commands_is_whole_and_no_command_suffers(out: Outside) -> None:
    for member, account in MEMBERS.items():
        await out.link(member, account)
    albums = synthetic(12, seed="backup")
    out.spotify.catalogue.add(albums)
    async with out.running():
        early = await out.save(FIRST)
        await until_said(early, "Saved")
        interactions = []

        async def burst() -> None:
            for album in albums:
                for member in MEMBERS:
                    interactions.append(await out.save(album.id, member))
                    await asyncio.sleep(0.01)

        saving = asyncio.create_task(burst())
        copies = [out.folder / f"{number}.backup" for number in range(3)]
        for copy in copies:
            status, printed, said = await gatefold(out, "backup", str(copy))
            assert (status, said) == (0, ""), said
            assert printed.startswith(f"Backed up to {copy} (")
        await saving
        for interaction in interactions:
            await until_said(interaction, "Saved")
        assert [path.name for path in out.folder.glob("*.part*")] == []
    for copy in copies:
        assert held(copy, "PRAGMA integrity_check") == [("ok",)]
        assert held(copy, "PRAGMA foreign_key_check") == []
        assert (int(early.id),) in held(copy, "SELECT id FROM change_requests")
        assert held(copy, "SELECT COUNT(*) FROM change_requests WHERE interaction_token_sealed IS NOT NULL") == [(0,)]
        assert len(held(copy, "SELECT * FROM links")) == len(MEMBERS)
    assert copies[0].stat().st_mode & 0o777 == 0o600


async def test_a_backup_that_is_restored_into_a_new_folder_serves_the_next_save(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with out.running():
        await until_said(await out.save(FIRST), "Saved")
        status, printed, _ = await gatefold(out, "backup", "one.backup", "--without-key-check", "--json")
        assert status == 0
        made = json.loads(printed)
        assert made["file"] == str(out.folder / "one.backup")
        assert (made["links"], made["requests"], made["pending"]) == (1, 1, 0)
        assert held(out.folder / "one.backup", "SELECT * FROM key_check") == []
        status, _, said = await gatefold(out, "restore", "one.backup", "--replace")
        assert (status, said) == (1, f"Another Gatefold is using {out.database}. Stop that one first.\n")
        Path(f"{out.database}.lock").unlink()  # it looks like something that was left behind
        status, _, said = await gatefold(out, "restore", "one.backup", "--replace")
        assert (status, said) == (1, f"Another Gatefold is using {out.database}. Stop that one first.\n")
    elsewhere = str(out.folder / "elsewhere" / "gatefold.db")
    status, printed, said = await gatefold(out, "restore", "one.backup", DATABASE_PATH=elsewhere)
    assert (status, said) == (0, "")
    assert printed.startswith(f"Restored to {elsewhere}: 1 link, 1 request")
    out.env["DATABASE_PATH"] = elsewhere
    async with out.running():
        await until_said(await out.save(SECOND), "Saved")
        await until_said(await out.save(FIRST), "already")
    assert set(out.saved()) == {FIRST, SECOND}
    assert len(out.rows("SELECT * FROM key_check")) == 1  # a new one


async def test_scheduled_backups_are_made_in_time_also_across_restarts(out: Outside) -> None:
    folder = out.folder / "kept"
    out.env |= {"BACKUP_FOLDER": str(folder), "BACKUP_KEEP": "1"}
    await out.link(ADA, "ada")

    def files() -> list[Path]:
        return sorted(folder.glob("gatefold-scheduled-*.backup"))

    async def until(is_so: Any) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.02)

    async with out.running():
        await until(files)
    (first,) = files()
    assert held(first, "SELECT COUNT(*) FROM links") == [(1,)]
    async with out.running():
        pass  # it is young
    assert files() == [first]
    shutil.rmtree(folder)
    async with out.running():  # the folder need not be there yet when somebody asks for a backup
        await until(files)
        first, copy = files()[0], folder.parent / first.name
        first.rename(copy)
        folder.rmdir()
        assert (await gatefold(out, "backup"))[0] == 0
    (asked,) = folder.iterdir()
    asked.unlink()
    first = copy.rename(first)
    old = folder / f"gatefold-scheduled-{datetime.now(UTC) - timedelta(hours=25):%Y%m%dT%H%M%SZ}.backup"
    first.rename(old)
    async with out.running():
        await until(lambda: files() and old not in files())
    (second,) = files()
    assert held(second, "PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in folder.iterdir()] == [second.name]


async def test_a_scheduled_backup_that_fails_is_in_the_log_and_nobody_else_notices(out: Outside) -> None:
    (out.folder / "file").write_text("in the way")
    out.env["BACKUP_FOLDER"] = str(out.folder / "file" / "kept")
    await out.link(ADA, "ada")
    async with out.running() as process:
        await until_said(await out.save(FIRST), "Saved")
        async with asyncio.timeout(60):
            while "backup failed" not in process.stderr:
                await asyncio.sleep(0.02)
    assert "Traceback" not in process.stderr


# -- the key


async def many_answers(out: Outside, count: int) -> None:
    """This many more rows that are sealed with the old key, as a very busy hour would leave them."""
    vault = Vault([read_key(KEY)])
    storage = await open_storage(out.database, [read_key(KEY)])

    def insert(c: sqlite3.Connection) -> None:
        c.executemany(
            "INSERT INTO change_requests (id, member_id, action, interaction_token_sealed, created_at, answer, ended_at, told)"
            " VALUES (?, ?, 'save', ?, ?, 'arrived', ?, 'yes')",
            [
                (number, BEN, vault.seal(f"answer-{number}", BEN, ANSWER), 0, 2_000_000_000)
                for number in range(1, count + 1)
            ],
        )

    await storage.database.write(insert)
    await storage.close()


def sealed_with(out: Outside) -> set[bytes]:
    """The ids of the keys with which the requests are sealed."""
    rows = out.rows(
        "SELECT DISTINCT substr(interaction_token_sealed, 2, 4) FROM change_requests WHERE interaction_token_sealed IS NOT NULL"
    )
    return {row[0] for row in rows}


async def killed_in_the_middle(out: Outside, key: str) -> None:
    """A bot whose rotation to this key has begun, and a SIGKILL."""
    process = await out.start()
    reader, writer = await asyncio.open_unix_connection(str(socket_of(out.database)))
    writer.write(json.dumps({"do": "rotate-key", "sealing_key_id": key_id(read_key(key)).hex()}).encode() + b"\n")
    async with asyncio.timeout(60):
        while json.loads(await reader.readline())["done"] < 400:
            pass
    await process.kill()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_rotation_that_is_killed_goes_on_where_it_was_and_the_new_key_alone_is_enough(out: Outside) -> None:
    await out.link(ADA, "ada")
    await many_answers(out, 30_000)
    keys = [KEY]
    for _ in range(5):  # on a very busy machine it may be done before it is killed: then once more, with another key
        keys.insert(0, new_key())
        out.env["TOKEN_KEYS"] = ",".join(keys)
        await killed_in_the_middle(out, keys[0])
        if len(sealed_with(out)) == 2:
            break
    new, old = keys[0], key_id(read_key(keys[1]))
    assert sealed_with(out) == {old, key_id(read_key(new))}
    (said,) = (line for line in (await out.refused(TOKEN_KEYS=new)).splitlines() if "TOKEN_KEYS" in line)
    assert "Put the key back" in said  # taken away too early

    async with out.running():
        rotating = asyncio.create_task(gatefold(out, "rotate-key"))
        await until_said(await out.save(FIRST), "Saved")  # commands go on meanwhile
        status, printed, progress = await rotating
        assert status == 0, progress
        assert " of " in progress
        assert f"no longer needs key 2 ({old.hex()})" in printed
        assert old not in out.database.read_bytes()
        assert old not in Path(f"{out.database}-wal").read_bytes()
    async with out.running(TOKEN_KEYS=new):
        await until_said(await out.save(SECOND), "Saved")
    assert set(out.saved()) == {FIRST, SECOND}


async def test_a_bot_that_was_not_restarted_says_so_before_anything_is_sealed_anew(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with out.running():
        status, _, said = await gatefold(out, "rotate-key", TOKEN_KEYS=f"{new_key()},{KEY}")
        assert status == 1
        assert "Restart the bot" in said
    row = out.rows("SELECT refresh_sealed FROM links")[0]
    assert row["refresh_sealed"][1:5] == KEY_ID
