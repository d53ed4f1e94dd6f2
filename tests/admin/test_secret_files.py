"""Settings as files: how systemd (LoadCredential=) and containers (/run/secrets) hand secrets in."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from bot.settings import KeySettings, Settings, SettingsError, from_values, load, load_only
from bot.storage.vault import new_key

KEY = new_key()
PLAIN = {
    "DISCORD_CLIENT_ID": "1100000000000000001",
    "SPOTIFY_CLIENT_ID": "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d",
    "PUBLIC_URL": "https://gatefold.example.org",
}
SECRET = {
    "discord_token": "the-token",
    "discord_client_secret": "the-secret",
    "spotify_client_secret": "the-other-secret",
    "token_keys": KEY,
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of credentials, with the secrets in it; what is not secret is in the environment."""
    for name in [name for name in os.environ if name.lower() in attrs.fields_dict(Settings)]:
        monkeypatch.delenv(name)
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, value in SECRET.items():
        (folder / name).write_text(f"{value}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_setting_may_come_as_a_file_named_like_it(given: Path) -> None:
    (given / "web_port").write_text("9090")
    settings = load()
    assert settings.discord_token.get_secret_value() == "the-token"
    assert settings.discord_client_secret.get_secret_value() == "the-secret"
    assert settings.spotify_secret == "the-other-secret"
    assert settings.web_port == 9090
    assert load_only(KeySettings).sealing_keys() == settings.sealing_keys()
    assert set(SECRET.values()) <= set(settings.secrets())


def test_a_files_name_may_be_in_capitals(given: Path) -> None:
    (given / "discord_token").rename(given / "DISCORD_TOKEN")
    assert load().discord_token.get_secret_value() == "the-token"


def test_a_file_of_keys_may_hold_one_a_line(given: Path) -> None:
    (given / "token_keys").write_text(f"{KEY}\n{new_key()}\n")
    assert len(load().sealing_keys()) == 2


def test_the_environment_and_the_env_file_come_before_a_file(
    given: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN=of-the-env-file\nDISCORD_CLIENT_SECRET=\n")
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "of-the-environment")
    settings = load()
    assert settings.discord_token.get_secret_value() == "of-the-env-file"
    assert settings.discord_client_secret.get_secret_value() == "the-secret"  # an empty line hides nothing
    assert settings.spotify_secret == "of-the-environment"


def test_an_empty_file_counts_as_not_there(given: Path) -> None:
    (given / "spotify_client_secret").write_text("\n")
    (given / "web_port").write_text("")
    settings = load()
    assert settings.spotify_secret is None
    assert settings.web_port == 8080
    (given / "discord_token").write_text(" \n")
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: missing"):
        load()


def test_a_file_that_is_no_text_says_which_and_shows_nothing_of_it(given: Path) -> None:
    (given / "discord_token").write_bytes(b"secret\xff")
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.problems == [
        f"DISCORD_TOKEN: its secret file {given / 'discord_token'} is not saved as UTF-8; save it as UTF-8."
    ]


def test_a_folder_that_is_not_there_is_no_trouble(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given / "nowhere"))
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: missing"):
        load()


def test_values_that_are_handed_in_ignore_the_files(given: Path) -> None:
    (given / "web_port").write_text("9090")
    values = {name.lower(): value for name, value in PLAIN.items()} | SECRET
    assert from_values(**values).web_port == 8080
