"""The commands with which a host keeps the database: backup, restore, rotate-key, migrate.

While a bot runs they ask it, since it has the one connection; otherwise they hold its lock themselves.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from bot.errors import StorageUnavailable
from bot.maintenance.control import ControlError, ask
from bot.maintenance.jobs import described, rotated, sealing_key_id
from bot.settings import FileSettings, KeySettings, SettingsError, load_only
from bot.storage import StorageStartupError, open_storage
from bot.storage.backup import PART, back_up, copy_unused, remove_part
from bot.storage.database import Database
from bot.storage.restore import Restored
from bot.storage.restore import restore as put_back
from bot.storage.rotation import rotate
from bot.storage.schema import Steps
from bot.storage.schema_status import is_in_use, steps_of
from bot.storage.vault import Vault, key_id

_Settings = TypeVar("_Settings", bound=FileSettings)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--without-key-check", is_flag=True, help="Leave out the value that shows whether a key is the right one."
)
@_as_json
def backup(file: Path | None, without_key_check: bool, as_json: bool) -> None:
    """Copy the database to one file, while the bot runs or not.

    Without FILE it goes to BACKUP_FOLDER, or beside the database. The copy is proved before it gets its name, and no
    file is ever overwritten. The keys are not in it: keep them elsewhere.

    Example: gatefold backup /mnt/usb/gatefold.backup
    """
    settings = _settings(FileSettings)
    path = settings.database_path
    if file is None:
        folder = settings.backup_folder or path.parent
        file = folder / f"gatefold-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
    target = file.absolute()

    async def make() -> dict[str, Any]:
        request = {"do": "backup", "file": str(target), "key_check": not without_key_check}
        if (result := await _asked(path, request)) is not None:
            return result

        async def copy_to(part: Path) -> None:
            await asyncio.to_thread(copy_unused, path, part)

        if settings.backup_folder is not None:
            settings.backup_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return described(await back_up(copy_to, target, key_check=not without_key_check))

    with _in_sentences():
        made = asyncio.run(make())
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"Backed up to {made['file']} ({made['bytes']:,} bytes).")
    click.echo(f"It holds {_contents(made['links'], made['requests'], made['pending'])}.")


@click.command()
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Also when there is a database already, which is kept aside.")
@_as_json
def restore(file: Path, replace: bool, as_json: bool) -> None:
    """Put a backup at DATABASE_PATH, while no bot runs.

    The file, its schema and the keys are proved before anything is changed. With - it comes from standard input.

    Example: gatefold restore /mnt/usb/gatefold.backup
    """
    settings = _settings(KeySettings)
    path = settings.database_path
    with _in_sentences(), _arrived(file, path) as backup:
        done = put_back(backup, path, settings.sealing_keys(), replace=replace, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(_restored(path, done)))
        return
    held = done.contents
    click.echo(f"Restored to {path.absolute()}: {_contents(held.links, held.requests, held.pending)}.")
    if done.aside is not None:
        click.echo(f"The database that was there is kept as {done.aside.absolute()}.")
    if done.unreadable:
        click.echo(f"{done.unreadable:,} of the links do not open with these keys; those members link again.")
    click.echo("Start the bot now. It goes on with what was waiting when the backup was made.")


@contextmanager
def _arrived(file: Path, database: Path) -> Iterator[Path]:
    """The file; what comes from standard input lies beside the database (0600) meanwhile."""
    if str(file) != "-":
        yield file
        return
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = database.with_name(f".{database.name}.arrived{PART}")
    remove_part(part)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target, 1 << 20)
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


@click.command("rotate-key")
@_as_json
def rotate_key(as_json: bool) -> None:
    """Seal everything anew with the first key, while the bot runs or not.

    The order: put the new key first and keep the old one behind it, restart the bot, run this, take away the old
    key that it names, restart the bot. Stopped half way, it goes on where it was when it is run again.

    Example: gatefold rotate-key
    """
    settings = _settings(KeySettings)
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

    with _in_sentences():
        result = asyncio.run(run())
    progress.end()
    report = _rotation(result, keys)
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"Sealed anew with the first key: {result['resealed']:,}.")
    if result["left"]:
        click.echo(f"Did not open, and were left: {result['left']:,}.")
    for position, id_ in report["not_needed"].items():
        click.echo(
            f"Key {position} ({id_}) is no longer needed by the database. Keep it elsewhere for as long as you keep "
            "backups made before this."
        )
    for position, id_ in report["still_needed"].items():
        click.echo(f"Key {position} ({id_}) is still named by something that did not open. Keep it.")
    if report["missing"]:
        click.echo(f"Something was sealed with a key that is not here: {', '.join(report['missing'])}.")


def _rotation(result: dict[str, Any], keys: Sequence[bytes]) -> dict[str, Any]:
    """What came of it, with the keys by their place in the settings."""
    ids = {position: key_id(key).hex() for position, key in enumerate(keys, 1)}
    old = {position: id_ for position, id_ in ids.items() if position > 1}
    return {
        "resealed": result["resealed"],
        "left": result["left"],
        "not_needed": {position: id_ for position, id_ in old.items() if id_ not in result["needed"]},
        "still_needed": {position: id_ for position, id_ in old.items() if id_ in result["needed"]},
        "missing": [id_ for id_ in result["needed"] if id_ not in ids.values()],
    }


@click.command()
@click.option("--check", is_flag=True, help="Only say what would be done: exit status 1 when there is something.")
@_as_json
def migrate(check: bool, as_json: bool) -> None:
    """Bring the database up to date, as the start of the bot does by itself.

    A copy is made beside it first.

    Example: gatefold migrate --check
    """
    path = _settings(FileSettings).database_path
    with _in_sentences():
        steps = steps_of(path)
        if not check and steps.pending and not steps.unknown:
            asyncio.run(_migrated(path))
    if as_json:
        click.echo(json.dumps({"pending": steps.pending, "unknown": steps.unknown}))
    else:
        click.echo(_schema(path, steps, check))
    if steps.unknown or (check and steps.pending):
        sys.exit(1)


def _schema(path: Path, steps: Steps, check: bool) -> str:
    pending = ", ".join(steps.pending)
    if steps.unknown:
        return f"{path} was written by a newer Gatefold: {', '.join(steps.unknown)}. Install that version again."
    if not steps.pending:
        return f"{path} is up to date."
    if not check:
        return f"{path} is up to date now. Done: {pending}."
    if not path.exists():
        return f"There is no database at {path} yet. The first start makes it: {pending}."
    return f"{path} waits for {pending}. The next start does it, or `gatefold migrate`."


async def _migrated(path: Path) -> None:
    await (await Database.open(path)).close()


async def _asked(
    path: Path, request: dict[str, Any], tell: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Any] | None:
    """What the bot that has this database answers; None when no bot runs, and the files are ours to open."""
    if (result := await ask(path, request, tell)) is not None:
        return result
    _refuse_unless_free(path)
    return None


def _refuse_unless_free(path: Path) -> None:
    if not path.exists():
        raise ControlError(f"There is no database at {path}. Set DATABASE_PATH.")
    if is_in_use(path):
        raise ControlError(
            f"A Gatefold is using {path} and does not listen for this. If it was started just now, try again in a "
            "moment; otherwise its log says why. With the bot stopped, this works without it."
        )


def _refuse_unless_current(path: Path) -> None:
    steps = steps_of(path)
    if steps.pending:
        raise ControlError(f"{path} is not up to date. Run `gatefold migrate` first.")


class _Progress:
    """Says how far it is: in one line on a terminal, else every few seconds."""

    def __init__(self, every_s: float = 2.0) -> None:
        self._every_s = every_s
        self._said_at: float | None = None
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if self._said_at is None or done == of or now - self._said_at >= (0.1 if self._is_terminal else self._every_s):
            self._said_at = now
            start = "\r" if self._is_terminal else ""
            click.echo(f"{start}{done:,} of {of:,}", err=True, nl=not self._is_terminal)

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal and self._said_at is not None:
            click.echo(err=True)


def _contents(links: int, requests: int, pending: int) -> str:
    return f"{links:,} links, {requests:,} requests, {pending:,} changes that wait"


def _settings(kind: type[_Settings]) -> _Settings:
    try:
        return load_only(kind)
    except SettingsError as error:
        _fail("These settings do not work:", *(f"- {problem}" for problem in error.problems))


@contextmanager
def _in_sentences() -> Iterator[None]:
    """What stands in the way ends the command with a sentence."""
    try:
        yield
    except (ControlError, StorageStartupError) as error:
        _fail(str(error))
    except StorageUnavailable as error:
        _fail(f"The database could not be read or written ({error}). Is the disk full?")
    except OSError as error:
        file = error.filename or "A file"
        _fail(f"{file} cannot be read or written ({error.strerror}). Run this as the user of the bot.")


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
