"""The checks of this machine: files, disk, database, port, address, certificate. Each seen failing."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bot.admin.doctor import CheckEnvironment
from bot.admin.doctor.disk import LEAST_FREE, LITTLE_FREE
from bot.sandbox.standin import free_port
from bot.settings import read_key
from bot.storage import open_storage
from bot.storage.schema_status import is_in_use
from bot.storage.vault import new_key
from tests.admin.doctor.stage import FAILED, OK, SKIPPED, WARNING, Authority, Practice, proxied
from tests.world import ADA, KEY

# -- files and disk


@pytest.mark.parametrize(
    "name",
    [
        "gatefold.db",
        "gatefold.db-wal",
        "gatefold.db.lock",
        "gatefold.db.before-x.backup",
        "gatefold.db.replaced-x.backup",
    ],
)
@pytest.mark.parametrize("mode", [0o640, 0o602])
async def test_a_file_that_others_can_read_or_write_fails(practice: Practice, name: str, mode: int) -> None:
    await practice.used()
    assert (await practice.one("files")).verdict is OK
    file = practice.database.with_name(name)
    file.touch()
    file.chmod(mode)
    files = await practice.one("files")
    assert files.verdict is FAILED
    assert files.to_do == f"chmod 600 {file}"


async def test_the_files_are_looked_at_where_a_symbolic_link_leads(practice: Practice, tmp_path: Path) -> None:
    await practice.used()
    link = tmp_path / "link" / "current.db"
    link.parent.mkdir(mode=0o700)
    link.symlink_to(practice.database)
    assert (await practice.one("files", database_path=link)).verdict is OK
    lock = practice.database.with_name(f"{practice.database.name}.lock")
    lock.chmod(0o644)
    practice.database.parent.chmod(0o777)
    files = await practice.one("files", database_path=link)
    assert (files.verdict, files.to_do) == (FAILED, f"chmod 600 {lock}; chmod o-w {practice.database.parent}")


async def test_a_folder_that_anybody_can_write_to_and_a_backup_that_they_can_read_fail(
    practice: Practice, tmp_path: Path
) -> None:
    await practice.used()
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    backup = kept / "gatefold-scheduled-20261101T000000Z.backup"
    backup.touch(0o600)
    assert (await practice.one("files", backup_folder=kept)).verdict is OK
    kept.chmod(0o777)
    backup.chmod(0o644)
    files = await practice.one("files", backup_folder=kept)
    assert (files.verdict, files.to_do) == (FAILED, f"chmod 600 {backup}; chmod o-w {kept}")


async def test_an_env_file_that_others_can_read_fails(practice: Practice, tmp_path: Path) -> None:
    practice.env_file = tmp_path / ".env"
    assert (await practice.one("files")).verdict is OK
    practice.env_file.touch(0o644)
    assert (await practice.one("files")).verdict is FAILED


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(LITTLE_FREE, OK), (LITTLE_FREE - 1, WARNING), (LEAST_FREE, WARNING), (LEAST_FREE - 1, FAILED)],
)
async def test_little_room_on_the_disk_is_told(practice: Practice, free: int, verdict: object) -> None:
    practice.environment = CheckEnvironment(free=lambda folder: free)
    assert (await practice.one("disk")).verdict is verdict


async def test_a_backup_folder_that_the_bot_cannot_write_fails(practice: Practice, tmp_path: Path) -> None:
    assert (await practice.one("backups", backup_folder=tmp_path / "not" / "yet")).verdict is OK
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "kept", tmp_path / "file", tmp_path / ("x" * 300)):
        found = await practice.one("backups", backup_folder=folder)
        assert found.verdict is FAILED, folder
        assert str(folder) in found.sentence


# -- the database


async def test_keys_that_do_not_open_the_database_fail(practice: Practice) -> None:
    await practice.used(keys=new_key())
    assert (await practice.one("keys")).verdict is FAILED


async def test_a_key_that_some_members_still_need_is_told(practice: Practice) -> None:
    await practice.used("ada")
    with closing(sqlite3.connect(practice.database)) as c, c:
        # sealed with a key that nobody has: its id is part of the blob
        c.execute("UPDATE links SET access_sealed = CAST(x'01' || x'00000000' || substr(access_sealed, 6) AS BLOB)")
    keys = await practice.one("keys")
    assert keys.verdict is WARNING
    assert "1 member" in keys.sentence


async def test_a_database_of_a_newer_version_fails(practice: Practice) -> None:
    await practice.used("ada")
    steps(practice.database, "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', 'm999_later')")
    found = await practice.found()
    assert found["migrations"].verdict is FAILED
    assert "m999_later" in found["migrations"].sentence


async def test_a_database_of_an_older_version_is_a_warning(practice: Practice) -> None:
    await practice.used("ada")
    last = "(SELECT max(id) FROM _sqlite_migrations)"
    steps(practice.database, f"UPDATE _sqlite_migrations SET migration_set = 'not ours' WHERE id = {last}")
    assert (await practice.one("migrations")).verdict is WARNING


def steps(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as c, c:
        c.execute(statement)


async def test_what_is_no_database_fails(practice: Practice) -> None:
    practice.database.parent.mkdir(mode=0o700)
    practice.database.write_bytes(b"no database" * 1000)
    practice.database.chmod(0o600)
    found = await practice.found()
    assert found["database"].verdict is FAILED
    assert found["keys"].verdict is SKIPPED


async def test_a_folder_that_is_a_file_fails(practice: Practice, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (await practice.one("database", database_path=tmp_path / "file" / "gatefold.db")).verdict is FAILED


async def test_a_place_that_cannot_be_looked_at_is_told_by_every_check_of_it(
    practice: Practice, tmp_path: Path
) -> None:
    # too long a name: root, too, is refused that
    found = await practice.found(database_path=tmp_path / ("x" * 300) / "gatefold.db")
    assert {found[name].verdict for name in ("files", "disk", "database")} == {FAILED}
    assert found["discord-token"].verdict is OK


async def test_the_lock_tells_whether_a_bot_runs(practice: Practice) -> None:
    assert not is_in_use(practice.database)
    storage = await open_storage(practice.database, [read_key(KEY)])
    assert is_in_use(practice.database)
    await storage.close()
    assert not is_in_use(practice.database)


async def test_a_log_that_a_crash_left_is_read_too(practice: Practice) -> None:
    storage = await open_storage(practice.database, [read_key(KEY)])
    copies = {end: Path(f"{practice.database}{end}") for end in ("", "-wal")}
    await storage.apps.set_endpoint(practice.world.settings.spotify_client_id, "library")
    # as a crash would leave it; the reading handle is closed before anybody else uses these files
    crashed = practice.database.parent.parent / "crashed"
    crashed.mkdir(mode=0o700)
    contents = {end: file.read_bytes() for end, file in copies.items()}
    await storage.close()
    for end, held in contents.items():
        (crashed / f"gatefold.db{end}").write_bytes(held)
        (crashed / f"gatefold.db{end}").chmod(0o600)
    assert contents["-wal"]
    endpoint = await practice.one("spotify-endpoint", database_path=crashed / "gatefold.db")
    assert "library" in endpoint.sentence
    assert (crashed / "gatefold.db-wal").read_bytes() == contents["-wal"]
    assert (crashed / "gatefold.db").read_bytes() == contents[""]


# -- the port and the address


async def test_a_port_that_another_program_has_fails(practice: Practice) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", practice.world.settings.web_port))
        taken.listen()
        site = await practice.one("site")
    assert site.verdict is FAILED
    assert "WEB_PORT" in site.to_do


async def test_a_host_that_is_not_this_machine_fails(practice: Practice) -> None:
    site = await practice.one("site", web_host="192.0.2.1")
    assert site.verdict is FAILED
    assert "WEB_HOST" in site.to_do


async def test_an_address_with_another_port_fails(practice: Practice) -> None:
    address = await practice.one("address", public_url=f"http://127.0.0.1:{free_port()}")
    assert address.verdict is FAILED
    assert str(practice.world.settings.web_port) in address.to_do


@pytest.mark.parametrize("status", [200, 301, 404, 502])
async def test_something_else_at_the_address_fails(practice: Practice, status: int) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"database": "mine"}, status=status, headers={"Location": "http://elsewhere.example/"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        address = await practice.one("address", public_url=f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
    assert address.verdict is FAILED
    assert {200: "Another program", 301: "redirects", 404: "Another program", 502: "cannot reach"}[
        status
    ] in address.sentence


async def test_a_bot_that_listens_elsewhere_than_the_settings_say_fails(practice: Practice) -> None:
    async with practice.world.running():
        found = await practice.found(web_port=free_port())
    assert found["site"].verdict is FAILED
    assert "restart the bot" in found["site"].to_do


async def test_a_bot_of_which_a_part_does_not_work_fails_and_is_still_found(practice: Practice) -> None:
    async with practice.world.running():
        await practice.world.discord.drop_gateway(None, forget=True)
        practice.world.discord._bot_token = "changed while it runs"
        found = await practice.found()
    assert found["site"].verdict is FAILED
    assert "gateway" in found["site"].sentence
    assert "leads to the bot" in found["address"].sentence


async def test_a_forgotten_port_is_skipped(practice: Practice) -> None:
    assert (await practice.one("address", web_port=0)).verdict is SKIPPED


# -- https


@pytest.mark.parametrize(
    ("lives", "certificate", "address"),
    [
        (timedelta(days=60), OK, OK),
        (timedelta(days=5), WARNING, OK),
        (timedelta(days=-1), FAILED, FAILED),
    ],
)
async def test_a_certificate_is_judged_by_its_dates(
    practice: Practice, tmp_path: Path, lives: timedelta, certificate: object, address: object
) -> None:
    authority = Authority(tmp_path)
    practice.environment = CheckEnvironment(tls=authority.trusted)
    async with proxied(authority.serves(lives), practice.world.settings.web_port) as url:
        found = await practice.found(public_url=url)
    assert found["certificate"].verdict is certificate
    assert found["address"].verdict is address


async def test_a_certificate_for_another_name_and_one_that_nobody_trusts_fail(
    practice: Practice, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with proxied(authority.serves(timedelta(days=60)), practice.world.settings.web_port) as url:
        assert (await practice.one("certificate", public_url=url)).verdict is FAILED
    practice.environment = CheckEnvironment(tls=authority.trusted)
    async with proxied(authority.serves(timedelta(days=60), "192.0.2.1"), practice.world.settings.web_port) as url:
        found = await practice.found(public_url=url)
    assert found["certificate"].verdict is FAILED
    assert found["address"].verdict is FAILED
    assert [
        name for name in ("certificate", "address") if ".." in found[name].sentence or ".)" in found[name].sentence
    ] == []


async def test_a_bot_behind_https_is_recognised_through_the_proxy(practice: Practice, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    practice.environment = CheckEnvironment(tls=authority.trusted)
    async with practice.world.running():
        await practice.world.link(ADA)
        async with proxied(authority.serves(timedelta(days=60)), practice.world.settings.web_port) as url:
            address = await practice.one("address", public_url=url)
    assert address.verdict is OK
    assert "as seen from this machine" in address.sentence


async def test_https_with_nobody_there_fails(practice: Practice) -> None:
    found = await practice.found(public_url=f"https://127.0.0.1:{free_port()}")
    assert found["address"].verdict is FAILED
    assert "Connection refused" in found["address"].sentence
    assert "Some routers" in found["address"].to_do
    assert found["certificate"].verdict is SKIPPED
