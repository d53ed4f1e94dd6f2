"""The commands for the database: backup, restore, rotate-key, migrate.

While a bot runs, they ask it, because it has the only connection. Otherwise they take its lock themselves.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from bot.admin.wrapping import counted, fitted
from bot.maintenance.control import ControlError, ask
from bot.maintenance.jobs import described, rotated, sealing_key_id
from bot.settings import FileSettings, KeySettings, ignored, load_only
from bot.storage import open_storage
from bot.storage.backup import back_up, copy_unused
from bot.storage.database import Database, followed
from bot.storage.files import PART, remove_part
from bot.storage.restore import Restored
from bot.storage.restore import restore as put_back
from bot.storage.rotation import rotate
from bot.storage.schema import Steps
from bot.storage.schema_status import is_in_use, steps_of
from bot.storage.vault import Vault, key_id

_Some = TypeVar("_Some", bound=FileSettings)
EVERY_S = 2.0
"""How often long work says how far it is."""
MOST_NAMED = 5
"""With more steps of the schema, a sentence that names each is hard to read."""


def _loaded(kind: type[_Some]) -> _Some:
    """The settings that a command needs. Lines of `.env` that set nothing are told: one may have been meant."""
    settings = load_only(kind)
    for sentence in ignored():
        click.echo(fitted(sentence, sys.stderr), err=True)
    return settings


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")


@click.command(short_help="Copy the database to one file.")
@click.argument("file", required=False, type=click.Path(readable=False, path_type=Path))
@click.option("--without-key-check", is_flag=True, help="Leave out the value that shows whether a key is right.")
@_as_json
def backup(file: Path | None, without_key_check: bool, as_json: bool) -> None:
    """Copy the database to FILE, whether the bot runs or not.

    Without FILE, the copy goes to BACKUP_FOLDER, or to the database's folder. FILE can also be a folder. The copy is
    verified before it gets its name, and no file is overwritten. It does not contain the keys: keep them somewhere else.

    \b
    Examples:
      gatefold backup
      gatefold backup /mnt/usb
      gatefold backup /mnt/usb/gatefold.backup
    """
    settings = _loaded(FileSettings)
    path = settings.database_path
    if file is None:
        folder = settings.backup_folder or followed(path).parent
        if settings.backup_folder is not None:  # a bot that was just started may not have made it yet
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise ControlError(f"{folder} is not a folder. Set BACKUP_FOLDER to one.") from None
        file = folder
    if file.is_dir():
        file /= f"gatefold-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
    target = file.absolute()

    async def make() -> dict[str, Any]:
        request = {"do": "backup", "file": str(target), "key_check": not without_key_check}
        if (result := await _asked(path, request)) is not None:
            return result

        async def copy_to(part: Path) -> None:
            await asyncio.to_thread(copy_unused, path, part)

        return described(await back_up(copy_to, target, key_check=not without_key_check))

    with patience("Copying the database"):
        made = asyncio.run(make())
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"Backed up to {made['file']} ({made['bytes']:,} bytes).")
    click.echo(f"It contains {_contents(made['links'], made['requests'], made['pending'])}.")


@click.command(short_help="Replace the database with a backup.")
@click.argument("file", type=click.Path(readable=False, allow_dash=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace an existing database, which is kept under another name.")
@_as_json
def restore(file: Path, replace: bool, as_json: bool) -> None:
    """Put the backup FILE at DATABASE_PATH, while no bot runs.

    The file, its schema and the keys are verified before anything is changed. FILE can be - for standard input.

    \b
    Examples:
      gatefold restore /mnt/usb/gatefold.backup
      gatefold restore /mnt/usb/gatefold.backup --replace
    """
    settings = _loaded(KeySettings)
    path = settings.database_path
    with patience("Restoring the database"), _arrived(file, path) as backup:
        called = "The backup from standard input" if backup != file else str(file)
        done = put_back(backup, path, settings.sealing_keys(), replace=replace, now=datetime.now(UTC), called=called)
    if as_json:
        click.echo(json.dumps(_restored(path, done)))
        return
    held = done.contents
    click.echo(f"Restored to {path.absolute()}: {_contents(held.links, held.requests, held.pending)}.")
    if done.aside is not None:
        click.echo(f"The database that was there is kept as {done.aside.absolute()}.")
    if done.unreadable:
        click.echo(
            f"These keys cannot decrypt {counted(done.unreadable, 'link')}. Whoever it belongs to has to link again."
        )
    click.echo("Start the bot now. It continues with the changes that were pending when the backup was made.")


@contextmanager
def _arrived(file: Path, database: Path) -> Iterator[Path]:
    """The file. What comes from standard input is kept in the database's folder (0600) meanwhile."""
    if str(file) != "-":
        yield file
        return
    database = followed(database)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = database.with_name(f".{database.name}.arrived{PART}")
    remove_part(part)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target, 1 << 20)
        if not part.stat().st_size:
            raise ControlError("Nothing came from standard input. Check that the backup is there and can be read.")
        yield part
    finally:
        remove_part(part)


def _restored(path: Path, done: Restored) -> dict[str, Any]:
    held = done.contents
    return {
        "file": str(path.absolute()),
        "links": held.links,
        "requests": held.requests,
        "pending": held.pending,
        "unreadable": done.unreadable,
        "aside": None if done.aside is None else str(done.aside.absolute()),
    }


@click.command("rotate-key", short_help="Re-encrypt everything with the first key.")
@_as_json
def rotate_key(as_json: bool) -> None:
    """Re-encrypt everything with the first key, whether the bot runs or not.

    Put the new key first and keep the old one behind it, restart the bot, run this, remove the old key that it names,
    and restart the bot again. If this is interrupted, run it again: it continues where it stopped.

    \b
    Example:
      gatefold rotate-key
    """
    settings = _loaded(KeySettings)
    path, keys = settings.database_path, settings.sealing_keys()
    progress = _Progress()

    async def run() -> dict[str, Any]:
        request = {"do": "rotate-key", "sealing_key_id": sealing_key_id(keys)}
        if (result := await _asked(path, request, progress)) is not None:
            return result
        _refuse_unless_current(path)
        storage = await open_storage(path, keys)
        try:

            async def tell(done: int, of: int) -> None:
                progress(done, of)

            return rotated(await rotate(storage.database, Vault(keys), tell))
        finally:
            await storage.close()

    result = asyncio.run(run())
    progress.end()
    report = _rotation(result, keys)
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"Re-encrypted {counted(result['resealed'], 'record')} with the first key.")
    if result["left"]:
        click.echo(f"Left {counted(result['left'], 'record')} that could not be decrypted.")
    for position, id_ in report["not_needed"].items():
        click.echo(
            f"The database no longer needs key {position} ({id_}). Keep that key somewhere else for as long as you keep "
            "backups from before."
        )
    for position, id_ in report["still_needed"].items():
        click.echo(f"Keep key {position} ({id_}): records that could not be decrypted name it.")
    if report["missing"]:
        click.echo(f"Some records were encrypted with a key that is missing here: {', '.join(report['missing'])}.")


def _rotation(result: dict[str, Any], keys: Sequence[bytes]) -> dict[str, Any]:
    """The result, with each key by its position in the settings."""
    ids = {position: key_id(key).hex() for position, key in enumerate(keys, 1)}
    old = {position: id_ for position, id_ in ids.items() if position > 1}
    return {
        "resealed": result["resealed"],
        "left": result["left"],
        "not_needed": {position: id_ for position, id_ in old.items() if id_ not in result["needed"]},
        "still_needed": {position: id_ for position, id_ in old.items() if id_ in result["needed"]},
        "missing": [id_ for id_ in result["needed"] if id_ not in ids.values()],
    }


@click.command(short_help="Update the database's schema.")
@click.option("--check", is_flag=True, help="Only say what is pending. Exit status 1 if anything is.")
@_as_json
def migrate(check: bool, as_json: bool) -> None:
    """Update the database's schema, as the bot does by itself when it starts. A copy is made first.

    \b
    Examples:
      gatefold migrate
      gatefold migrate --check
    """
    path = _loaded(FileSettings).database_path
    with patience("Updating the database"):
        is_new = not path.exists()
        steps = steps_of(path)
        if not check and steps.pending and not steps.unknown:
            asyncio.run(_migrated(path))
    if as_json:
        click.echo(json.dumps({"pending": steps.pending, "unknown": steps.unknown}))
    else:
        click.echo(_schema(path, steps, check, is_new=is_new))
    if steps.unknown or (check and steps.pending):
        sys.exit(1)


def _schema(path: Path, steps: Steps, check: bool, *, is_new: bool) -> str:
    pending = _named(steps.pending)
    if steps.unknown:
        return f"{path} was written by a newer Gatefold: {', '.join(steps.unknown)}. Install that version again."
    if not steps.pending:
        return f"{path} is up to date."
    if not check and is_new:
        return f"There was no database at {path}, so an empty one was created: {pending}."
    if not check:
        return f"{path} was updated: {pending}."
    if is_new:
        return f"There is no database at {path} yet. The first start creates it: {pending}."
    return f"{path} needs an update: {pending}. The next start does it, or `gatefold migrate`."


def _named(steps: Sequence[str]) -> str:
    """Steps by name, where there are few."""
    return ", ".join(steps) if len(steps) <= MOST_NAMED else f"{len(steps)} steps, {steps[0]} to {steps[-1]}"


async def _migrated(path: Path) -> None:
    await (await Database.open(path)).close()


async def _asked(
    path: Path, request: dict[str, Any], tell: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Any] | None:
    """The answer of the bot that uses this database; None if no bot runs, so that we may open the files."""
    if (result := await ask(path, request, tell)) is not None:
        return result
    _refuse_unless_free(path)
    return None


def _refuse_unless_free(path: Path) -> None:
    if not path.exists():
        raise ControlError(
            f"There is no database at {path}. Change to the folder of the bot's .env, or set DATABASE_PATH."
        )
    if is_in_use(path):
        raise ControlError(
            f"A bot is using {path} and does not respond. If it was started just now, try again in a moment. Otherwise "
            "its log says why. This also works while the bot is stopped."
        )


def _refuse_unless_current(path: Path) -> None:
    steps = steps_of(path)
    if steps.pending:
        raise ControlError(f"{path} is not up to date. Run `gatefold migrate` first.")


@contextmanager
def patience(what: str) -> Iterator[None]:
    """Say on standard error that this takes a while, and for how long already, until it is done."""
    done = threading.Event()

    def say() -> None:
        begun = time.monotonic()
        while not done.wait(EVERY_S):
            click.echo(f"{what}: {time.monotonic() - begun:.0f} s ...", err=True)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Progress:
    """Shows progress: in one line on a terminal, otherwise every few seconds."""

    def __init__(self) -> None:
        self._said_at: float | None = None
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if self._said_at is None or done == of or now - self._said_at >= (0.1 if self._is_terminal else EVERY_S):
            self._said_at = now
            start = "\r" if self._is_terminal else ""
            click.echo(f"{start}{done:,} of {of:,}", err=True, nl=not self._is_terminal)

    def end(self) -> None:
        """Leave the progress line."""
        if self._is_terminal and self._said_at is not None:
            click.echo(err=True)


def _contents(links: int, requests: int, pending: int) -> str:
    return f"{counted(links, 'link')}, {counted(requests, 'request')}, {counted(pending, 'pending change')}"
