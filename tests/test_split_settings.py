"""`gatefold split-settings`: what it writes is what the bot reads, and no secret stands where it should not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from bot.admin.secret_files import secret_names
from bot.cli import main
from bot.settings import Settings, load
from bot.storage.vault import new_key

KEY = new_key()
ENV = f"""
# the token
DISCORD_TOKEN='the-token'
DISCORD_CLIENT_ID=1100000000000000001
DISCORD_CLIENT_SECRET=the-secret
SPOTIFY_CLIENT_ID="5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d"
SPOTIFY_CLIENT_SECRET=
PUBLIC_URL=https://gatefold.example.org
DATABASE_PATH=data/gatefold.db
log_level=debug
BACKUP_FOLDER="my backups"
SOMETHING_ELSE=1
TOKEN_KEYS={KEY}
"""
MODES = {"discord_token", "discord_client_secret", "spotify_client_secret", "token_keys"}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host's folder with a `.env`, and none of our names in the environment."""
    for name in [name for name in os.environ if name.lower() in attrs.fields_dict(Settings)]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(ENV)
    return tmp_path


def split(status: int = 0) -> str:
    done = CliRunner().invoke(main, ["split-settings", "out"])
    assert done.exit_code == status, done.output
    assert "the-token" not in done.output
    assert KEY not in done.output
    return done.output


def plain(folder: Path) -> dict[str, str]:
    lines = (folder / "out/gatefold.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_secrets_are_those_that_settings_hide() -> None:
    assert set(secret_names()) == MODES


def test_the_bot_reads_the_same_from_what_was_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load()
    split()
    (folder / ".env").unlink()
    for name, value in plain(folder).items():
        monkeypatch.setenv(name, value.strip("'"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "out/secrets"))
    monkeypatch.setenv("DATABASE_PATH", "data/gatefold.db")
    assert vars(load()) == vars(before)


def test_no_secret_is_in_the_env_file_and_no_path_that_the_unit_says_itself(folder: Path) -> None:
    split()
    assert plain(folder) == {
        "DISCORD_CLIENT_ID": "1100000000000000001",
        "SPOTIFY_CLIENT_ID": "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d",
        "PUBLIC_URL": "https://gatefold.example.org",
        "LOG_LEVEL": "debug",
        "BACKUP_FOLDER": "'my backups'",
    }


def test_nobody_else_reaches_a_secret_and_a_container_reads_each(folder: Path) -> None:
    split()
    split()  # and again, over what is there
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "out").rglob("*")}
    assert modes == {"gatefold.env": 0o600, "secrets": 0o700} | dict.fromkeys(MODES, 0o444)
    assert (folder / "out/secrets/spotify_client_secret").read_text() == ""  # there, or no unit could name it


def test_a_folder_for_secrets_that_was_open_to_others_is_closed_to_them(folder: Path) -> None:
    secrets = folder / "out/secrets"
    secrets.mkdir(parents=True)
    secrets.chmod(0o755)
    split()
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


def test_keys_are_taken_from_their_file_all_of_them(folder: Path) -> None:
    text = f"{KEY}\n{new_key()}\n"
    (folder / "keys").mkdir()
    (folder / "keys/gatefold.keys").write_text(text)
    (folder / "keys/gatefold.keys").chmod(0o600)
    (folder / ".env").write_text(ENV.replace(f"TOKEN_KEYS={KEY}", "TOKEN_KEYS_FILE=keys/gatefold.keys"))
    split()
    assert (folder / "out/secrets/token_keys").read_text() == text
    assert "TOKEN_KEYS_FILE" not in plain(folder)


def test_a_key_file_with_a_byte_order_mark_is_taken_without_it(folder: Path) -> None:
    (folder / "keys").mkdir()
    (folder / "keys/gatefold.keys").write_bytes(b"\xef\xbb\xbf" + f"{KEY}\r\n".encode())
    (folder / "keys/gatefold.keys").chmod(0o600)
    (folder / ".env").write_text(ENV.replace(f"TOKEN_KEYS={KEY}", "TOKEN_KEYS_FILE=keys/gatefold.keys"))
    split()
    assert (folder / "out/secrets/token_keys").read_text().strip() == KEY


def test_a_line_that_is_not_taken_over_is_told(folder: Path) -> None:
    (folder / ".env").write_text(f"{ENV}BACKUP_KEPT=2\n")
    said = split()
    assert "SOMETHING_ELSE is not a setting." in said
    assert "BACKUP_KEPT is not a setting. Did you mean BACKUP_KEEP?" in said


def test_settings_that_do_not_work_are_not_written(folder: Path) -> None:
    (folder / ".env").write_text(ENV.replace("PUBLIC_URL", "#"))
    assert "PUBLIC_URL: missing" in split(1)
    assert not (folder / "out").exists()


def test_a_value_that_readers_of_such_files_take_differently_is_refused(folder: Path) -> None:
    (folder / ".env").write_text(ENV.replace("my backups", "my $HOME"))
    assert "BACKUP_FOLDER: " in split(1)
    assert not (folder / "out").exists()


def test_a_folder_that_cannot_be_made_is_told_without_a_traceback(folder: Path) -> None:
    (folder / "out").symlink_to("/proc/1/nowhere")
    split(1)
