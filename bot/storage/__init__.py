"""SQLite: one file, one connection, one thread. Domain code sees typed rows and never a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct

from bot.errors import StorageUnavailable
from bot.storage import sqlite
from bot.storage.alerts import ToldAlerts
from bot.storage.apps import SpotifyApps
from bot.storage.attempts import LinkAttempts
from bot.storage.ballots import Ballots
from bot.storage.changes import LibraryChanges
from bot.storage.club_imports import ClubImports
from bot.storage.clubs import Clubs
from bot.storage.commands import RegisteredCommands
from bot.storage.crates import Crates
from bot.storage.database import SYNC, Database, StorageStartupError, Sync
from bot.storage.declarations import Declaration, export, forget
from bot.storage.engine import Connection
from bot.storage.guilds import Guilds, forget_removed
from bot.storage.histories import Histories
from bot.storage.imports import Imports
from bot.storage.keys import is_proof_current, is_proof_of_this_version, key_opens, put_proof
from bot.storage.links import Links
from bot.storage.outbox import Outbox
from bot.storage.preferences import MemberPreferences
from bot.storage.public_pages import PublicPages
from bot.storage.ratings import Ratings
from bot.storage.rotation import are_current, rotate
from bot.storage.seats import SeatRequests
from bot.storage.stores import ABOUT_SPOTIFY, DECLARED, LASTING, SEALED
from bot.storage.timers import Timers
from bot.storage.vault import Vault
from bot.storage.watches import Watches

_log = structlog.get_logger("gatefold.storage")


class Storage(Struct, frozen=True):
    """Everything that is kept, one store per kind of row."""

    database: Database
    vault: Vault
    apps: SpotifyApps
    links: Links
    seats: SeatRequests
    attempts: LinkAttempts
    changes: LibraryChanges
    commands: RegisteredCommands
    alerts: ToldAlerts
    timers: Timers
    outbox: Outbox
    preferences: MemberPreferences
    guilds: Guilds
    crates: Crates
    clubs: Clubs
    ballots: Ballots
    ratings: Ratings
    club_imports: ClubImports
    imports: Imports
    watches: Watches
    histories: Histories
    public_pages: PublicPages

    async def forget(self, member_id: int) -> dict[str, int]:
        """Delete or anonymise every row that concerns this member, and make the deletion real on the disk.

        Returned: how many rows, by table.
        """
        return await self._forget(DECLARED, member_id)

    async def unlink(self, member_id: int) -> dict[str, int]:
        """The same for what has to do with Spotify. What the member did in servers stays: crates, clubs, preferences."""
        return await self._forget(ABOUT_SPOTIFY, member_id)

    async def _forget(self, declared: Sequence[Declaration], member_id: int) -> dict[str, int]:
        counts = await self.database.write(lambda c: forget(c, declared, member_id), key=member_id)
        await self.database.truncate_log()
        return counts

    async def export(self, member_id: int) -> dict[str, list[dict[str, Any]]]:
        """Every row that concerns this member, by table, as values that JSON knows."""
        return await self.database.read(lambda c: export(c, DECLARED, self.vault, member_id))

    async def sweep(self, now: datetime) -> None:
        """Delete the rows of servers that removed the bot 30 days ago, and make what is deleted gone from the disk."""
        gone = await self.database.write(lambda c: forget_removed(c, DECLARED, now), key="guilds", durable=False)
        if gone:
            _log.info("rows of servers deleted", servers=len(gone))
            await self.database.truncate_log()
        await self.watches.sweep(now)
        await self.club_imports.sweep(now)
        await self.database.truncate_owed_log()

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        await self.database.close()


async def open_storage(
    path: Path, keys: Sequence[bytes], connect: sqlite.Connect = sqlite.CONNECT, sync: Sync = SYNC
) -> Storage:
    """Open (and where needed create or migrate) the database. StorageStartupError says why it can't be.

    `connect`: makes the one connection. `sync`: flushes an open file to the disk.
    """
    database = await Database.open(path, connect=connect, sync=sync)
    vault = Vault(keys)
    outbox = Outbox(database, vault)
    try:
        await _prove_keys(database, vault)
    except BaseException as error:
        await database.close()
        if isinstance(error, StorageUnavailable):
            raise StorageStartupError(f"{path} cannot be written ({error}). Is the disk full?") from None
        raise
    links = Links(database, vault)
    timers = Timers(database)
    clubs = Clubs(database)
    return Storage(
        database,
        vault,
        SpotifyApps(database),
        links,
        SeatRequests(database, vault),
        LinkAttempts(database, vault),
        LibraryChanges(database, vault, outbox, on_saved=clubs.count_save_in),
        RegisteredCommands(database),
        ToldAlerts(database),
        timers,
        outbox,
        MemberPreferences(database),
        Guilds(database),
        Crates(database),
        clubs,
        Ballots(vault),
        Ratings(),
        ClubImports(database, vault),
        Imports(database),
        Watches(database, outbox),
        Histories(database, outbox, timers),
        PublicPages(database, vault),
    )


async def _prove_keys(database: Database, vault: Vault) -> None:
    """Refuse a wrong key at the start: otherwise it would look as if everybody had been unlinked.

    What an earlier version of Gatefold sealed is sealed again here, once.
    """
    opens = await database.read(lambda c: key_opens(c, vault))
    if opens is False:
        raise StorageStartupError(
            f"The keys in TOKEN_KEYS do not open {database.path}. Put the key back with which it was "
            "written (as a further key, if you changed it)."
        )
    if await database.read(lambda c: not is_proof_of_this_version(c, vault) and not are_current(c, SEALED, vault)):
        again = await rotate(database, vault)
        _log.info("sealed again what an earlier version sealed", resealed=again.resealed, left=again.left)

    def renew_proof(c: Connection) -> None:
        if opens is None or (not is_proof_current(c, vault) and are_current(c, LASTING, vault)):
            put_proof(c, vault)

    await database.write(renew_proof, key="keys")


__all__ = ["Storage", "StorageStartupError", "open_storage"]
