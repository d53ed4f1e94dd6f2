"""`gatefold split-settings`: the settings of `.env` as systemd and containers take them, a file for each secret."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
import click

from bot.settings import Settings, SettingsError, load, secret_names
from bot.settings.sources import of_env_file, read_text

ENV_FILE = Path(".env")
PLACED = frozenset({"DATABASE_PATH", "TOKEN_KEYS_FILE"})
"""What the unit and the image say for themselves: their paths are not those of this folder."""


@click.command("split-settings")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def split_settings(folder: Path) -> None:
    """Write the settings of .env into FOLDER: gatefold.env without secrets, and secrets/ with a file for each.

    The files of secrets can be read by everybody who reaches them, since a container may be another user. What keeps
    people from them is their folder, which is open to you alone.

    Example: gatefold split-settings /etc/gatefold
    """
    try:
        settings = load(ENV_FILE)
        plain, secrets = parts(settings, of_env_file(read_text(ENV_FILE)) if ENV_FILE.exists() else {})
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        inner = folder / "secrets"
        inner.mkdir(mode=0o700, exist_ok=True)
        inner.chmod(0o700)
        _write(folder / "gatefold.env", plain, 0o600)
        for name, text in secrets.items():
            _write(inner / name, text, 0o444)
    except SettingsError as error:
        click.echo("\n".join(error.problems), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename} cannot be written ({error.strerror}).", err=True)
        sys.exit(1)
    click.echo(f"Written: {folder / 'gatefold.env'}, and {len(secrets)} files in {inner}, which is open to you alone.")
    click.echo("When all runs from there, delete .env and the key file here, but keep a copy of the key elsewhere.")


def parts(settings: Settings, given: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The text of gatefold.env, and every secret by its name; an empty one is not set. SettingsError: it cannot be."""
    hidden = set(secret_names())
    lines = []
    for name in attrs.fields_dict(Settings):
        value = given.get(name)
        if not value or name in hidden or name.upper() in PLACED:
            continue
        if not value.isprintable() or set(value) & set("'\"\\$`"):
            raise SettingsError([f"{name.upper()}: holds a character that not every reader of such files takes alike."])
        lines.append(f"{name.upper()}='{value}'\n" if set(value) & set(" #;") else f"{name.upper()}={value}\n")
    found = {name: getattr(settings, name) for name in hidden}
    secrets = {name: "" if value is None else f"{value.get_secret_value()}\n" for name, value in found.items()}
    if settings.token_keys_file is not None:
        secrets["token_keys"] = settings.token_keys_file.read_text(encoding="ascii")
    return "".join(lines), dict(sorted(secrets.items()))


def _write(path: Path, text: str, mode: int) -> None:
    """In one step, whatever the file's mode was."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(handle, "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), mode)
        target.write(text)
    os.replace(new, path)
