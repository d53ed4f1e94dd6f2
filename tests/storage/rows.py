"""What the tests of the storage put into it, and how they look at what came of it."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.changes import Action, Kind
from bot.storage import Storage
from bot.storage.changes import Accepted, NewChange
from bot.storage.links import Link
from tests.callers import caller

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ADA, BEN = MemberId(200_000_000_000_000_001), MemberId(200_000_000_000_000_002)
NOW = 1_795_521_600
X, Y, Z = AlbumId("x" * 22), AlbumId("y" * 22), AlbumId("z" * 22)
SAVE, REMOVE = Action.SAVE, Action.REMOVE


def at(seconds: int = NOW) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def link(member: int = ADA, account: str = "acc-ada", **change: Any) -> Link:
    """A link made now."""
    values = {"client_id": "client", "linked_at": at(), "consented_at": at(), "broken": None, **change}
    return Link(member_id=member, account_id=account, account_name=f"{account}'s music", **values)


async def put(storage: Storage, new: Link | None = None, access: str = "BQ-1", refresh: str = "AQ-1") -> Link | None:
    """Store a link."""
    return await storage.links.put(new or link(), access, refresh, at() + timedelta(hours=1))


async def ask(
    storage: Storage,
    id_: int,
    *albums: AlbumId,
    action: Action = SAVE,
    member: MemberId = ADA,
    token: str = "answer-token",
    now: int = NOW,
) -> Accepted:
    """A command for these albums."""
    changes = [NewChange(Kind.ALBUM, album) for album in albums]
    return await storage.changes.accept(caller(member, id_, token), action, changes, at(now))


async def rows(storage: Storage, table: str) -> list[dict[str, Any]]:
    """A whole table."""
    return await storage.database.read(lambda c: [dict(row) for row in c.execute(f"SELECT * FROM {table}")])


async def execute(storage: Storage, statement: str, *values: object) -> None:
    """Change rows behind the storage's back."""
    await storage.database.write(lambda c: c.execute(statement, values))


def on_disk(folder: Path) -> bytes:
    """Every byte of every file, as a thief would read them."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def open_in(folder: Path) -> list[str]:
    """The files in this folder that this process has open, and the folder itself."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(os.readlink(handle))
    return sorted(name for name in found if name.startswith(str(folder)))
