"""Checks on this machine's disk: who can read the files, how much room is left, what the database holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped, warning
from bot.monitoring.disk import free_bytes
from bot.settings import Settings
from bot.storage.snapshot import Snapshot

LEAST_FREE = 100 * 1024**2
"""Bytes below which writes may soon fail."""
LITTLE_FREE = 500 * 1024**2

Free = Callable[[Path], int]
"""How many bytes are free where this folder is."""


def check_files(settings: Settings, env_file: Path | None) -> list[CheckResult]:
    """Nobody else on this machine may read what holds secrets, or what members asked for."""
    folders = [settings.database_path.parent, *([settings.backup_folder] if settings.backup_folder else [])]
    try:
        files = [*_files(settings.database_path, folders), *([env_file] if env_file is not None else [])]
        open_ = [file for file in files if file.is_file() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
        # whoever can write to the folder can put another file in the place of one
        shared = [each for each in folders if each.is_dir() and _is_anybodys(each.stat().st_mode)]
    except OSError as error:
        return [_unseen("files", error)]
    if open_ or shared:
        mend = [f"chmod 600 {' '.join(map(str, open_))}"] if open_ else []
        mend += [f"chmod o-w {' '.join(map(str, shared))}"] if shared else []
        return [
            failed(
                "files",
                f"Other people of this machine can read or write {', '.join(map(str, [*open_, *shared]))}.",
                "; ".join(mend),
            )
        ]
    return [ok("files", "The settings, the database and its copies are for their owner alone.")]


def _is_anybodys(mode: int) -> bool:
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _files(database: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """The database, what SQLite keeps beside it, the lock, and the copies that the bot or its commands made."""
    yield from (Path(f"{database}{end}") for end in ("", "-wal", "-shm", ".lock"))
    for folder in folders:
        yield from sorted({*folder.glob(f"{database.name}.*.backup"), *folder.glob("gatefold-*.backup")})


def check_disk(settings: Settings, free: Free = free_bytes) -> CheckResult:
    """Room for the database, and for the copy of it that an update makes."""
    database = settings.database_path
    try:
        folder = _existing(database.resolve().parent)
        left = free(folder)
        size = database.stat().st_size if database.exists() else 0
    except OSError as error:
        return _unseen("disk", error)
    sentence = f"{_in_words(left)} are free at {folder}."
    if left < LEAST_FREE:
        return failed("disk", sentence, "Make room: a full disk means that no change can be accepted.")
    if left < max(LITTLE_FREE, 3 * size):
        return warning("disk", sentence, "Make room soon: every update first makes a copy of the database.")
    return ok("disk", sentence)


def check_backups(settings: Settings) -> CheckResult:
    """Whether the bot can make its backups where it shall."""
    folder = settings.backup_folder
    if folder is None:
        return skipped("backups", "The bot makes no backups by itself.", "Set BACKUP_FOLDER, best on another disk.")
    try:
        place = _existing(folder.resolve())
        if place.is_dir() and _can_write(place):
            return ok("backups", f"The bot can make its backups in {folder}.")
        reason = f"{place} is no folder, or cannot be written"
    except OSError as error:
        reason = error.strerror or "it cannot be looked at"
    return failed(
        "backups",
        f"The bot can make no backups in {folder} ({reason}).",
        "Set BACKUP_FOLDER to a folder that the bot's user can write; docs/hosting.md says more for the systemd unit.",
    )


def check_database(settings: Settings, look: Snapshot | None, trouble: str | None) -> list[CheckResult]:
    """Whether it can be read, whether the keys open it, and whether its schema is this version's.

    `look`: None when there is no database yet, or when it cannot be read: then `trouble` says why.
    """
    path = settings.database_path
    if trouble is not None:
        return [
            failed(
                "database",
                trouble,
                "Run the doctor as the user as whom the bot runs. If the file is damaged, restore a backup.",
            ),
            *(skipped(name, "The database cannot be read.") for name in ("keys", "migrations")),
        ]
    if look is None:
        folder = _existing(path.resolve().parent)
        return [
            ok("database", f"There is no {path} yet: the first start makes it.")
            if _can_write(folder)
            else failed("database", f"{path} cannot be made: {folder} cannot be written.", "Set DATABASE_PATH."),
            ok("keys", "The keys can be read; there is nothing yet that they must open."),
            skipped("migrations", "There is no database yet."),
        ]
    can_write = _can_write(path) and _can_write(path.parent)
    return [
        ok("database", f"{path} can be read.")
        if can_write
        else failed(
            "database",
            f"{path} or its folder cannot be written by whom the doctor runs as.",
            "If the bot runs as another user, run the doctor as that one; else give the files to the bot's user.",
        ),
        _keys(look),
        _migrations(look),
    ]


def _keys(look: Snapshot) -> CheckResult:
    if look.key_opens is False:
        return failed(
            "keys",
            "The keys do not open the database: the bot will not start.",
            "Put the key back with which it was written (as a further key, if you changed it).",
        )
    if look.unreadable:
        return warning(
            "keys",
            f"The access of {look.unreadable} members was sealed with a key that is not among yours.",
            "Put that key back as a further one; otherwise these members are asked to link again.",
        )
    if look.key_opens is None:
        return skipped("keys", "The database holds nothing yet with which the keys can be tried.")
    return ok("keys", "The keys open the database.")


def _migrations(look: Snapshot) -> CheckResult:
    if look.steps.unknown:
        return failed(
            "migrations",
            f"The database was written by a newer Gatefold (step {look.steps.unknown[-1]}).",
            "Install that version again, or restore the backup that it made before the update.",
        )
    if look.steps.pending:
        return warning(
            "migrations",
            f"The database waits for {len(look.steps.pending)} steps of this version.",
            "The next start of the bot takes them, after making a copy.",
        )
    return ok("migrations", "The database has the schema of this version.")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _unseen(name: str, error: OSError) -> CheckResult:
    return failed(
        name,
        f"This cannot be seen ({error.strerror}).",
        "Look at DATABASE_PATH, and run the doctor as the user as whom the bot runs.",
    )


def _in_words(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size // 1024**2} MiB"
