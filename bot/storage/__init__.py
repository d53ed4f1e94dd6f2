"""SQLite: one file, one connection, one thread. Domain code sees typed rows and never a connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StorageUnavailable
from bot.storage.alerts import ToldAlerts
from bot.storage.apps import SpotifyApps
from bot.storage.attempts import LinkAttempts
from bot.storage.changes import LibraryChanges
from bot.storage.commands import RegisteredCommands
from bot.storage.database import Connect, Connection, Database, StorageStartupError
from bot.storage.links import Links
from bot.storage.outbox import Outbox
from bot.storage.timers import Timers
from bot.storage.vault import CHECK_OWNER, PROOF, Vault


@dataclass(frozen=True, slots=True)
class Storage:
    """Everything that is kept, one store per kind of row."""

    database: Database
    apps: SpotifyApps
    links: Links
    attempts: LinkAttempts
    changes: LibraryChanges
    commands: RegisteredCommands
    alerts: ToldAlerts
    timers: Timers
    outbox: Outbox

    async def forget(self, member_id: int) -> None:
        """Delete everything that names this member, and make the deletion real on the disk."""

        def delete(connection: Connection) -> None:
            for store in (self.links, self.attempts, self.changes, self.outbox):
                store.delete_in(connection, member_id)

        await self.database.write(delete)
        await self.database.truncate_log()

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        await self.database.close()


async def open_storage(path: Path, keys: Sequence[bytes], connect: Connect = sqlite3.connect) -> Storage:
    """Open (and where needed create or migrate) the database. StorageStartupError says why it can't be.

    `connect`: makes the one connection.
    """
    database = await Database.open(path, connect=connect)
    vault = Vault(keys)
    links = Links(database, vault)
    try:
        await _prove_keys(database, vault, links)
    except BaseException as error:
        await database.close()
        if isinstance(error, StorageUnavailable):
            raise StorageStartupError(f"{path} cannot be written ({error}). Is the disk full?") from None
        raise
    return Storage(
        database,
        SpotifyApps(database),
        links,
        LinkAttempts(database, vault),
        LibraryChanges(database, vault, links),
        RegisteredCommands(database),
        ToldAlerts(database),
        Timers(database),
        Outbox(database, vault),
    )


async def _prove_keys(database: Database, vault: Vault, links: Links) -> None:
    """Refuse a wrong key at the start: otherwise it would look as if everybody had been unlinked."""

    def prove(c: Connection) -> None:
        row = c.execute("SELECT proof_sealed FROM key_check").fetchone()
        if row is not None:
            if vault.opened(row["proof_sealed"], CHECK_OWNER, PROOF) is None:
                raise StorageStartupError(
                    f"The keys in TOKEN_KEYS do not open {database.path}. Put the key back with which it was "
                    "written (as a further key, if you changed it)."
                )
            # The proof stays with the oldest key that is still needed, so that nobody takes that one away.
            if vault.is_current(row["proof_sealed"]) or not links.all_current_in(c):
                return
        proof = vault.seal("gatefold", CHECK_OWNER, PROOF)
        c.execute("INSERT OR REPLACE INTO key_check (id, proof_sealed) VALUES (1, ?)", (proof,))

    await database.write(prove)


__all__ = ["Storage", "StorageStartupError", "open_storage"]
