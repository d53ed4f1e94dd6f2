"""What is known of a Spotify app: which album endpoint serves it, and until when Spotify said to wait."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine


class KnownApp(Struct, frozen=True):
    """`album_endpoint`: albums or library; `closed_by`: rate_limited or quota. None: nothing is known."""

    album_endpoint: str | None = None
    closed_until: datetime | None = None
    closed_by: str | None = None


def known_app(c: Connection, client_id: str) -> KnownApp:
    """What is known of this app."""
    row = c.execute("SELECT * FROM spotify_apps WHERE client_id = ?", (client_id,)).fetchone()
    if row is None:
        return KnownApp()
    until = row["closed_until"]
    return KnownApp(
        row["album_endpoint"],
        None if until is None else datetime.fromtimestamp(until, UTC),
        row["closed_by"],
    )


def forget_other_apps(c: Connection, member_id: int, client_id: str) -> None:
    """Delete what is known of a member's own apps, except for this one."""
    c.execute("DELETE FROM spotify_apps WHERE member_id = ? AND client_id <> ?", (member_id, client_id))


class SpotifyApps:
    """One row per client id. `member_id`: whose own app it is, None for the host's."""

    declares = Declaration(
        tables=("spotify_apps",),
        member_rows=(
            MemberRows(
                "spotify_apps", exports=("client_id", "member_id", "album_endpoint", "closed_until", "closed_by")
            ),
        ),
    )

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def get(self, client_id: str) -> KnownApp:
        """What is known of this app."""
        return await self._database.read(lambda c: known_app(c, client_id))

    async def set_endpoint(self, client_id: str, endpoint: str, member_id: int | None = None) -> None:
        """Remember which generation serves this app."""
        await self._set(client_id, member_id, "album_endpoint = ?", endpoint)

    async def set_closed(self, client_id: str, until: datetime, cause: str, member_id: int | None = None) -> None:
        """Remember until when Spotify said to wait."""
        await self._set(client_id, member_id, "closed_until = ?, closed_by = ?", int(until.timestamp()) + 1, cause)

    async def _set(self, client_id: str, member_id: int | None, assignment: str, *values: object) -> None:
        def write(c: Connection) -> None:
            if member_id is not None and not _is_linked(c, client_id, member_id):
                return  # unlinked meanwhile: the id must be in no row
            c.execute(
                "INSERT INTO spotify_apps (client_id, member_id) VALUES (?, ?) ON CONFLICT (client_id) DO NOTHING",
                (client_id, member_id),
            )
            c.execute(f"UPDATE spotify_apps SET {assignment} WHERE client_id = ?", (*values, client_id))  # noqa: S608 - both texts are above

        await self._database.write(write, key=client_id)


def _is_linked(c: Connection, client_id: str, member_id: int) -> bool:
    query = "SELECT 1 FROM links WHERE client_id = ? AND member_id = ?"
    return c.execute(query, (client_id, member_id)).fetchone() is not None
