"""What is known of a Spotify app: which album endpoint serves it, and until when Spotify said to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.storage.declarations import Declaration
from bot.storage.engine import Connection, Engine


@dataclass(frozen=True, slots=True)
class KnownApp:
    """`album_endpoint`: albums or library; `closed_by`: busy or quota. None: nothing is known."""

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


class SpotifyApps:
    """One row a client id."""

    declares = Declaration(tables=("spotify_apps",))

    def __init__(self, database: Engine) -> None:
        self._database = database

    async def get(self, client_id: str) -> KnownApp:
        """What is known of this app."""
        return await self._database.read(lambda c: known_app(c, client_id))

    async def set_endpoint(self, client_id: str, endpoint: str) -> None:
        """Remember which generation serves this app."""
        await self._set(client_id, "album_endpoint = ?", endpoint)

    async def set_closed(self, client_id: str, until: datetime, cause: str) -> None:
        """Remember until when Spotify said to wait."""
        await self._set(client_id, "closed_until = ?, closed_by = ?", int(until.timestamp()) + 1, cause)

    async def _set(self, client_id: str, assignment: str, *values: object) -> None:
        def write(c: Connection) -> None:
            c.execute(
                "INSERT INTO spotify_apps (client_id) VALUES (?) ON CONFLICT (client_id) DO NOTHING", (client_id,)
            )
            c.execute(f"UPDATE spotify_apps SET {assignment} WHERE client_id = ?", (*values, client_id))  # noqa: S608 - both texts stand above

        await self._database.write(write)
