"""`gatefold split-settings`: the settings of `.env` in the form that systemd and containers use, one file per secret."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
import click

from bot.admin.wrapping import fitted
from bot.settings import Settings, SettingsError, ignored, load, secret_names
from bot.settings.sources import of_env_file, read_text
from bot.storage import vault

ENV_FILE = Path(".env")
PLACED = frozenset({"DATABASE_PATH", "TOKEN_KEYS_FILE"})
"""The unit and the image set these themselves, because their paths differ from those in this folder."""


@click.command("split-settings", short_help="Write .env as separate files for a service.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def split_settings(folder: Path) -> None:
    """Write the settings of .env to FOLDER: gatefold.env without secrets, and one file per secret in secrets/.

    Only you can open the folder secrets/. The files in it are readable by everyone, because the bot in a container is
    another user.

    \b
    Examples:
      gatefold split-settings /etc/gatefold
      gatefold split-settings .
    """
    settings = load(ENV_FILE)
    for sentence in ignored(ENV_FILE):
        click.echo(fitted(sentence, sys.stderr), err=True)
    plain, secrets = parts(settings, of_env_file(read_text(ENV_FILE)) if ENV_FILE.exists() else {})
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    inner = folder / "secrets"
    inner.mkdir(mode=0o700, exist_ok=True)
    inner.chmod(0o700)
    _write(folder / "gatefold.env", plain, 0o600)
    for name, text in secrets.items():
        _write(inner / name, text, 0o444)
    click.echo(f"Written: {folder / 'gatefold.env'}, and {len(secrets)} files in {inner}, which only you can open.")
    click.echo("When the bot runs with them, delete .env and the key file here. Keep a copy of the key somewhere else.")


@click.command("new-key", short_help="Print a new key for TOKEN_KEYS.")
def new_key() -> None:
    """Print a new key for TOKEN_KEYS or TOKEN_KEYS_FILE.

    A new key cannot decrypt what an old one encrypted: keep the old key behind it. docs/operations.md has the steps.

    \b
    Example:
      (umask 077; gatefold new-key > keys/gatefold.keys)
    """
    click.echo(vault.new_key())


def parts(settings: Settings, given: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The text of gatefold.env, and every secret by name (empty: not set). SettingsError if a value cannot be written."""
    hidden = set(secret_names())
    lines = []
    for name in attrs.fields_dict(Settings):
        value = given.get(name)
        if not value or name in hidden or name.upper() in PLACED:
            continue
        if not value.isprintable() or set(value) & set("'\"\\$`"):
            raise SettingsError(
                [f"{name.upper()}: contains a character that systemd and compose read differently. Remove it."]
            )
        lines.append(f"{name.upper()}='{value}'\n" if set(value) & set(" #;") else f"{name.upper()}={value}\n")
    found = {name: getattr(settings, name) for name in hidden}
    secrets = {name: "" if value is None else f"{value.get_secret_value()}\n" for name, value in found.items()}
    if settings.token_keys_file is not None:
        secrets["token_keys"] = read_text(settings.token_keys_file)
    return "".join(lines), dict(sorted(secrets.items()))


def _write(path: Path, text: str, mode: int) -> None:
    """Replace the file in one step, whatever mode it had."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(handle, "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), mode)
        target.write(text)
    os.replace(new, path)
