"""A look at what the database holds, from another process, while the bot runs or not. It changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.storage import sqlite
from bot.storage.apps import KnownApp, known_app
from bot.storage.keys import key_opens
from bot.storage.links import ACCESS
from bot.storage.schema import Steps
from bot.storage.schema_status import opened_to_look, our_steps_in
from bot.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a database holds. The rows are looked at only where its schema is this version's.

    `key_opens`: None when there is no check value yet. `access`: access tokens that are good for a while.
    """

    steps: Steps = field(default_factory=Steps)
    key_opens: bool | None = None
    app: KnownApp = field(default_factory=KnownApp)
    linked: int = 0
    linked_elsewhere: int = 0
    unreadable: int = 0
    access: tuple[str, ...] = field(default=(), repr=False)


def read_snapshot(path: Path, keys: Sequence[bytes], client_id: str, good_until: datetime) -> Snapshot:
    """Look at an existing database; `access` are this app's that live beyond `good_until`. StorageStartupError: why not."""
    with opened_to_look(path) as c:
        return _look(c, Vault(keys), client_id, good_until)


def _look(c: sqlite.Connection, vault: Vault, client_id: str, good_until: datetime) -> Snapshot:
    steps = our_steps_in(c)
    if steps.unknown or not steps.applied:
        return Snapshot(steps)
    if steps.pending:  # the tables may have other names and columns yet, but the check value has always been there
        return Snapshot(steps, key_opens=key_opens(c, vault))
    rows = c.execute("SELECT * FROM links").fetchall()
    ours = [row for row in rows if row["client_id"] == client_id]
    fresh = [row for row in ours if row["broken"] is None and row["access_expires_at"] > good_until.timestamp()]
    fresh.sort(key=lambda row: -int(row["access_expires_at"]))
    opened = [vault.opened(row["access_sealed"], row["member_id"], ACCESS) for row in fresh]
    return Snapshot(
        steps,
        key_opens=key_opens(c, vault),
        app=known_app(c, client_id),
        linked=len(ours),
        linked_elsewhere=sum(row["client_id"] != client_id and not row["is_own_app"] for row in rows),
        unreadable=sum(not vault.knows(row["access_sealed"]) for row in rows),
        access=tuple(token for token in opened if token is not None),
    )
