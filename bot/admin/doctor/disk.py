"""Checks of this machine's disk: who can read the files, how much space is free, what is in the database."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bot.admin.doctor.check_result import CheckResult, failed, ok, skipped, warning
from bot.admin.wrapping import counted
from bot.settings import Settings
from bot.storage.snapshot import Snapshot

LEAST_FREE = 100 * 1024**2
"""Bytes below which writes may soon fail."""
LITTLE_FREE = 500 * 1024**2

Free = Callable[[Path], int]
"""How many bytes are free where this folder is."""


def check_files(settings: Settings, env_file: Path | None) -> list[CheckResult]:
    """Nobody else on this machine may read secrets, or what members asked for."""
    database = _followed(settings.database_path)
    folders = [database.parent, *([settings.backup_folder] if settings.backup_folder else [])]
    try:
        files = [*_files(database, folders), *([env_file] if env_file is not None else [])]
        open_ = [file for file in files if file.is_file() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
        # whoever can write to the folder can replace a file in it
        shared = [each for each in folders if each.is_dir() and _is_anybodys(each.stat().st_mode)]
    except OSError as error:
        return [_unseen("files", error)]
    if open_ or shared:
        to_do = [f"chmod 600 {' '.join(map(str, open_))}"] if open_ else []
        to_do += [f"chmod o-w {' '.join(map(str, shared))}"] if shared else []
        return [
            failed(
                "files",
                f"Other users of this machine can read or write {', '.join(map(str, [*open_, *shared]))}.",
                "; ".join(to_do),
            )
        ]
    return [ok("files", "Only their owner can read the settings, the database and its copies.")]


def _followed(path: Path) -> Path:
    """Where symbolic links lead, also in a circle, which other checks report."""
    return Path(os.path.realpath(path))


def _is_anybodys(mode: int) -> bool:
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _files(database: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """The database, SQLite's files beside it, the lock, and the copies that the bot or its commands made."""
    yield from (Path(f"{database}{end}") for end in ("", "-wal", "-shm", ".lock"))
    for folder in folders:
        yield from sorted({*folder.glob(f"{database.name}.*.backup"), *folder.glob("gatefold-*.backup")})


def check_disk(settings: Settings, free: Free) -> CheckResult:
    """Space for the database, and for the copy of it that an update makes."""
    database = settings.database_path
    try:
        folder = _existing(_followed(database).parent)
        left = free(folder)
        size = database.stat().st_size if database.exists() else 0
    except OSError as error:
        return _unseen("disk", error)
    sentence = f"{_in_words(left)} are free at {folder}."
    if left < LEAST_FREE:
        return failed("disk", sentence, "Free some space. On a full disk the bot cannot accept any change.")
    if left < max(LITTLE_FREE, 3 * size):
        return warning("disk", sentence, "Free some space soon. Every update first makes a copy of the database.")
    return ok("disk", sentence)


def check_backups(settings: Settings) -> CheckResult:
    """Whether the bot can write its backups."""
    folder = settings.backup_folder
    if folder is None:
        return skipped(
            "backups",
            "Scheduled backups are off.",
            "Set BACKUP_FOLDER to turn them on, best to a folder on another disk.",
        )
    try:
        place = _existing(_followed(folder))
        if place.is_dir() and _can_write(place):
            return ok("backups", f"The bot can write its backups to {folder}.")
        reason = f"{place} is not a folder, or cannot be written"
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    return failed(
        "backups",
        f"The bot cannot write its backups to {folder} ({reason}).",
        "Set BACKUP_FOLDER to a folder that the bot's user can write to. docs/hosting.md says more for systemd.",
    )


def check_database(settings: Settings, look: Snapshot | None, trouble: str | None) -> list[CheckResult]:
    """Whether it can be read, whether the keys decrypt it, and whether its schema is this version's.

    `look`: None if there is no database yet, or if it cannot be read: then `trouble` says why.
    """
    path = settings.database_path
    if trouble is not None:
        return [
            failed(
                "database",
                trouble,
                "If the bot runs as another user, run the doctor as that user.",
            ),
            *(skipped(name, "Skipped: the database cannot be read.") for name in ("keys", "migrations")),
        ]
    if look is None:
        folder = _existing(_followed(path).parent)
        return [
            ok("database", f"{path} does not exist yet. The first start creates it.")
            if _can_write(folder)
            else failed(
                "database", f"{path} cannot be created, because {folder} cannot be written to.", "Set DATABASE_PATH."
            ),
            ok("keys", "The keys can be read. There is nothing to decrypt yet."),
            skipped("migrations", "Skipped: there is no database yet."),
        ]
    can_write = _can_write(path) and _can_write(_followed(path).parent)
    return [
        ok("database", f"{path} can be read.")
        if can_write
        else failed(
            "database",
            f"The user who runs the doctor cannot write to {path} or its folder.",
            "If the bot runs as another user, run the doctor as that user. Otherwise, give the files to the bot's user.",
        ),
        _keys(look),
        _migrations(look),
    ]


def _keys(look: Snapshot) -> CheckResult:
    if look.key_opens is False:
        return failed(
            "keys",
            "The keys do not belong to this database, so the bot will not start.",
            "Add the key that the database was written with. After a new key, it goes in second place.",
        )
    if look.unreadable:
        return warning(
            "keys",
            f"The tokens of {counted(look.unreadable, 'member')} were encrypted with a key that is missing.",
            "Add that key after the others. Otherwise these members are asked to link again.",
        )
    if look.key_opens is None:
        return skipped("keys", "Skipped: the database contains nothing yet that the keys could decrypt.")
    return ok("keys", "The keys belong to this database.")


def _migrations(look: Snapshot) -> CheckResult:
    if look.steps.unknown:
        return failed(
            "migrations",
            f"The database was written by a newer Gatefold (step {look.steps.unknown[-1]}).",
            "Install that version again, or restore the copy that was made before the update.",
        )
    if look.steps.pending:
        return warning(
            "migrations",
            f"The database needs an update ({counted(len(look.steps.pending), 'step')}).",
            "The next start of the bot does that, after making a copy.",
        )
    return ok("migrations", "The database schema is up to date.")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _unseen(name: str, error: OSError) -> CheckResult:
    return failed(
        name,
        f"The files cannot be read ({error.strerror}).",
        "Check DATABASE_PATH, and run the doctor as the bot's user.",
    )


def _in_words(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size // 1024**2} MiB"
