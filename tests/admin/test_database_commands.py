"""The commands with which a host keeps the database, while no bot runs: what they do, say, and return."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import attrs
import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from bot.settings import Settings, read_key
from bot.storage import open_storage
from bot.storage.vault import key_id, new_key
from tests.storage.rows import ADA, X, ask, put, rows
from tests.world import KEY


class Host:
    """A host at a terminal, in a folder with a database and with the keys in the environment."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.database = folder / "data" / "gatefold.db"
        self._monkeypatch = monkeypatch
        for name in attrs.fields_dict(Settings):
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.chdir(folder)
        self.set(DATABASE_PATH=str(self.database), TOKEN_KEYS=KEY)

    def set(self, **env: str | None) -> None:
        for name, value in env.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, value)

    def run(self, *arguments: str, status: int = 0, input: IO[bytes] | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=input)
        assert result.exit_code == status, (result.output, result.exception)
        assert KEY not in result.output
        return result

    def json(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.run(*arguments, "--json", status=status).stdout)
        return read

    def fill(self) -> None:
        async def fill() -> None:
            storage = await open_storage(self.database, [read_key(KEY)])
            await put(storage)
            await ask(storage, 1, X)
            await storage.close()

        asyncio.run(fill())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_there_is_help_with_an_example_for_each(host: Host) -> None:
    for name in ("backup", "restore", "rotate-key", "migrate"):
        assert f"\n    gatefold {name}" in host.run(name, "--help").output
        assert name in host.run("--help").output


def test_without_a_database_each_says_so_and_makes_none(host: Host) -> None:
    for name in ("backup", "rotate-key"):
        assert f"There is no database at {host.database}" in host.run(name, status=1).stderr
    said = host.run("migrate", "--check", status=1).stdout
    assert "The first start creates it: " in said
    assert "steps, m001_first to m" in said
    assert not host.database.exists()


def test_a_backup_without_a_name_goes_beside_the_database_or_to_the_folder_for_backups(host: Host) -> None:
    host.fill()
    beside = Path(host.json("backup")["file"])
    assert beside.parent == host.database.parent
    host.set(BACKUP_FOLDER=str(host.folder / "kept"))
    assert Path(host.json("backup")["file"]).parent == host.folder / "kept"
    assert (host.folder / "kept").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("command", ["backup", "rotate-key", "migrate"])
def test_a_misspelled_setting_is_told_by_commands_that_would_have_used_it(host: Host, command: str) -> None:
    host.fill()
    (host.folder / ".env").write_text("BACKUP_FOLDR=/mnt/usb\n")
    done = host.run(command, "--json")
    assert ".env, line 1: BACKUP_FOLDR is not a setting. Did you mean BACKUP_FOLDER?\n" in done.stderr
    assert isinstance(json.loads(done.stdout), dict)


def test_everything_lies_beside_the_database_itself_and_not_beside_a_link_to_it(host: Host) -> None:
    host.fill()
    link = host.folder / "link" / "current.db"
    link.parent.mkdir()
    link.symlink_to(host.database)
    host.set(DATABASE_PATH=str(link))
    file = Path(host.json("backup")["file"])
    assert file.parent == host.database.parent
    seen: list[str] = []

    class Input(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.extend(part.name for part in link.parent.iterdir() if part != link)
            return super().read(size)

    host.run("restore", "-", "--replace", input=Input(file.read_bytes()))
    assert seen == []
    assert link.is_symlink()


def test_a_link_that_leads_in_a_circle_is_told_by_each(host: Host) -> None:
    circle = host.folder / "circle.db"
    circle.symlink_to(circle)
    host.set(DATABASE_PATH=str(circle))
    (host.folder / "one.backup").touch()
    for command in (
        ["backup"],
        ["backup", "two.backup"],
        ["restore", "one.backup"],
        ["rotate-key"],
        ["migrate"],
        ["migrate", "--check"],
    ):
        said = host.run(*command, status=1).stderr
        assert f"{circle} is a symbolic link that leads to no file" in said, command


def test_a_backup_needs_no_key(host: Host) -> None:
    host.fill()
    host.set(TOKEN_KEYS=None)
    assert host.json("backup", "one.backup")["links"] == 1


def test_backup_and_restore_tell_what_they_did(host: Host) -> None:
    host.fill()
    said = host.run("backup", "one.backup").stdout
    assert f"Backed up to {host.folder / 'one.backup'} (" in said
    assert "1 link, 1 request, 1 pending change" in said
    assert "never overwrites" in host.run("backup", "one.backup", status=1).stderr
    assert "--replace" in host.run("restore", "one.backup", status=1).stderr
    said = host.run("restore", "one.backup", "--replace").stdout
    assert f"Restored to {host.database}" in said
    assert f"kept as {host.database}.replaced-" in said
    host.set(TOKEN_KEYS=new_key())
    assert (
        "cannot be decrypted with the keys in TOKEN_KEYS"
        in host.run("restore", "one.backup", "--replace", status=1).stderr
    )


def test_two_restores_within_a_second_keep_both_old_databases(host: Host) -> None:
    host.fill()
    host.run("backup", "one.backup")
    kept = {host.json("restore", "one.backup", "--replace")["aside"] for _ in range(3)}
    assert len(kept) == 3
    assert all(Path(aside).stat().st_size for aside in kept)


def test_a_damaged_backup_from_standard_input_is_not_called_by_the_name_of_a_temporary_file(host: Host) -> None:
    said = host.run("restore", "-", status=1, input=io.BytesIO(b"no database")).stderr
    assert said == (
        "The backup from standard input could not be restored: it is not a SQLite database. "
        "Name a file that `gatefold backup` made.\n"
    )


def test_standard_input_that_brings_nothing_is_told(host: Host) -> None:
    said = host.run("restore", "-", status=1, input=io.BytesIO(b"")).stderr
    assert said == "Nothing came from standard input. Check that the backup is there and can be read.\n"
    assert not host.database.exists()


def test_a_backup_may_name_a_folder(host: Host) -> None:
    host.fill()
    (host.folder / "usb").mkdir()
    assert Path(host.json("backup", "usb")["file"]).parent == host.folder / "usb"


def test_a_folder_for_backups_that_is_a_file_is_told(host: Host) -> None:
    host.fill()
    (host.folder / "kept").touch()
    host.set(BACKUP_FOLDER=str(host.folder / "kept"))
    said = host.run("backup", status=1).stderr
    assert said == f"{host.folder / 'kept'} is not a folder. Set BACKUP_FOLDER to one.\n"


def test_a_database_below_a_file_is_told(host: Host) -> None:
    (host.folder / "data").touch()
    for command in (["migrate"], ["restore", "one.backup"]):
        (host.folder / "one.backup").write_text("x")
        said = host.run(*command, status=1).stderr
        assert said == (
            f"{host.database} cannot be used, because {host.database.parent} is not a folder. Set DATABASE_PATH.\n"
        )


@pytest.mark.parametrize("command", [["backup"], ["rotate-key"], ["migrate"], ["migrate", "--check"]])
def test_a_database_of_another_program_is_told_by_each_and_stays_as_it_is(host: Host, command: list[str]) -> None:
    host.database.parent.mkdir()
    with closing(sqlite3.connect(host.database)) as c:
        c.execute("CREATE TABLE dashboards (id)")
    before = host.database.read_bytes()
    said = host.run(*command, status=1).stderr
    assert "is a database of another program" in said
    assert "Set DATABASE_PATH to the bot's database" in said
    assert host.database.read_bytes() == before


@pytest.mark.parametrize("command", ["run", "backup", "migrate", "split-settings"])
def test_a_file_of_settings_that_cannot_be_read_is_not_left_to_setup_which_cannot_read_it(
    host: Host, command: str
) -> None:
    (host.folder / ".env").mkdir()
    said = host.run(command, *(["out"] if command == "split-settings" else []), status=1).stderr
    assert said == "These settings do not work:\n- .env is a folder; put the file in its place.\n"
    (host.folder / ".env").rmdir()
    (host.folder / ".env").write_bytes("WEB_PORT=1".encode("utf-16"))
    said = host.run(command, *(["out"] if command == "split-settings" else []), status=1).stderr
    assert said.endswith("save it as UTF-8.\n")


def test_a_restore_needs_the_keys(host: Host) -> None:
    host.set(TOKEN_KEYS=None)
    said = host.run("restore", "one.backup", status=1).stderr
    assert said.startswith("These settings do not work:\n- TOKEN_KEYS or TOKEN_KEYS_FILE")


def test_the_key_is_changed_and_the_old_one_is_named(host: Host) -> None:
    host.fill()
    new, old_id = new_key(), key_id(read_key(KEY)).hex()
    host.set(TOKEN_KEYS=f"{new},{KEY}")
    said = host.run("rotate-key")
    # two of the link, one of the request, and the check value
    assert "Re-encrypted 4 records with the first key." in said.stdout
    assert f"The database no longer needs key 2 ({old_id})." in said.stdout
    assert "4 of 4" in said.stderr
    assert host.json("rotate-key") == {
        "resealed": 0,
        "left": 0,
        "not_needed": {"2": old_id},
        "still_needed": {},
        "missing": [],
    }
    host.set(TOKEN_KEYS=new)
    assert host.json("rotate-key")["not_needed"] == {}


def test_what_does_not_open_is_told_with_its_key(host: Host) -> None:
    host.fill()

    async def spoil() -> None:
        storage = await open_storage(host.database, [read_key(KEY)])
        await storage.database.write(
            lambda c: c.execute("UPDATE links SET access_sealed = ?", (bytes.fromhex("01aabbccdd") + bytes(40),))
        )
        assert len(await rows(storage, "links")) == 1
        await storage.close()

    asyncio.run(spoil())
    host.set(TOKEN_KEYS=f"{new_key()},{KEY}")
    said = host.run("rotate-key").stdout
    assert "Left 1 record that could not be decrypted." in said
    assert "a key that is missing here: aabbccdd" in said


def test_migrate_says_when_it_made_an_empty_database(host: Host) -> None:
    assert f"There was no database at {host.database}, so an empty one was created" in host.run("migrate").stdout


def test_migrate_says_what_is_pending_and_does_it(host: Host) -> None:
    made = host.json("migrate")
    assert made["pending"][0] == "m001_first"
    assert "is up to date." in host.run("migrate", "--check").stdout
    assert host.json("migrate", "--check") == {"pending": [], "unknown": []}
    assert "is up to date." in host.run("migrate").stdout


def test_what_a_newer_gatefold_wrote_is_told_and_refused(host: Host) -> None:
    host.fill()
    with closing(sqlite3.connect(host.database)) as c:
        c.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', 'm999_later')")
        c.commit()
    before = host.database.read_bytes()
    for arguments in (["migrate"], ["migrate", "--check"]):
        assert "newer Gatefold: m999_later" in host.run(*arguments, status=1).stdout
    for arguments in (["backup", "one.backup"], ["rotate-key"]):
        assert "newer Gatefold" in host.run(*arguments, status=1).stderr
    assert host.database.read_bytes() == before
    assert not (host.folder / "one.backup").exists()


def test_a_database_that_waits_for_its_update_is_backed_up_as_it_is_and_not_rotated(host: Host) -> None:
    host.fill()
    with closing(sqlite3.connect(host.database)) as c:
        ((newest,),) = c.execute(
            "DELETE FROM _sqlite_migrations WHERE id = (SELECT MAX(id) FROM _sqlite_migrations) RETURNING name"
        )
        c.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('another set', 'x')")
        c.commit()
    assert host.json("migrate", "--check", status=1)["pending"] == [newest]
    assert host.json("backup", "one.backup")["links"] == 1
    assert "Run `gatefold migrate` first" in host.run("rotate-key", status=1).stderr
    with closing(sqlite3.connect(host.folder / "one.backup")) as c:
        assert c.execute("SELECT member_id FROM links").fetchall() == [(ADA,)]
