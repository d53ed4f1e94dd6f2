"""Crates: a server's shared lists of albums, and which albums members show that they kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NewType

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.curation.draw import CrateEntry
from bot.storage.database import Database
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.names import name_key

CrateId = NewType("CrateId", int)
NAME_MOST, NOTE_MOST = 40, 300
"""Characters of a crate's name and of an entry's note."""
CRATES_MOST, ENTRIES_MOST = 50, 5000
"""Crates per server, and entries per crate."""
DEFAULT = "Crate"
"""The name of the crate that every server has from the start."""


class Crate(Struct, frozen=True):
    """A server's list. `archived_at`: it can be read, and takes no new albums."""

    id: CrateId
    guild_id: GuildId
    name: str
    is_default: bool
    archived_at: datetime | None


class Entry(Struct, frozen=True):
    """An album of a crate. `member_id` None: who added it asked to be forgotten. `kept_by`: who shows that they kept it.

    `picks`: how often it was drawn.
    """

    album_id: AlbumId
    member_id: MemberId | None
    added_at: datetime
    note: str
    picks: int
    kept_by: tuple[MemberId, ...]


class Refusal(StrEnum):
    """Why a crate stays as it is."""

    NO_CRATE = "no crate"
    ARCHIVED = "archived"
    NAME_TAKEN = "name taken"
    FULL = "full"
    TOO_MANY = "too many"
    NOT_THERE = "not there"
    NOT_YOURS = "not yours"
    IS_DEFAULT = "is default"


class Added(Struct, frozen=True):
    """An album was added, or `earlier` has who brought it first."""

    crate: Crate
    earlier: Entry | None


class Crates:
    """Crates, their entries, and what members kept."""

    declares = Declaration(
        tables=("crates", "crate_entries", "kept_albums"),
        member_rows=(
            MemberRows(
                "crate_entries",
                exports=("crate_id", "album_id", "member_id", "note", "added_at"),
                withholds=("picks", "channel_id", "message_id"),
                # the album stays in the server's list, without a name
                clears=("member_id", "note"),
            ),
            MemberRows("kept_albums", exports=("guild_id", "album_id", "member_id", "kept_at")),
        ),
        guild_rows=("crates", "kept_albums"),
    )

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- crates

    async def all(self, guild_id: GuildId, now: datetime) -> list[Crate]:
        """The server's crates, the default one first. The default crate is made when a server is first seen."""

        def write(c: Connection) -> list[Crate]:
            _default(c, guild_id, now)
            rows = c.execute(
                "SELECT * FROM crates WHERE guild_id = ? ORDER BY archived_at IS NOT NULL, is_default DESC, name_key",
                (guild_id,),
            )
            return [_crate(row) for row in rows]

        return await self._database.write(write, key=guild_id)

    async def find(self, guild_id: GuildId, name: str | None, now: datetime) -> Crate | None:
        """A crate by its name, upper and lower case alike; None as a name: the default one."""
        return await self._database.write(lambda c: _found(c, guild_id, name, now), key=guild_id)

    async def by_id(self, guild_id: GuildId, id_: CrateId) -> Crate | None:
        """A crate of this server by its id."""

        def read(c: Connection) -> Crate | None:
            row = c.execute("SELECT * FROM crates WHERE id = ? AND guild_id = ?", (id_, guild_id)).fetchone()
            return None if row is None else _crate(row)

        return await self._database.read(read)

    async def new(self, guild_id: GuildId, name: str, now: datetime) -> Crate | Refusal:
        """Make a crate."""

        def write(c: Connection) -> Crate | Refusal:
            _default(c, guild_id, now)
            (count,) = c.execute("SELECT COUNT(*) FROM crates WHERE guild_id = ?", (guild_id,)).fetchone()
            if count >= CRATES_MOST:
                return Refusal.TOO_MANY
            row = c.execute(
                "INSERT INTO crates (guild_id, name, name_key, created_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (guild_id, name_key) DO NOTHING RETURNING *",
                (guild_id, name, name_key(name), to_seconds(now)),
            ).fetchall()
            return _crate(row[0]) if row else Refusal.NAME_TAKEN

        return await self._database.write(write, key=guild_id)

    async def rename(self, guild_id: GuildId, crate: str | None, name: str, now: datetime) -> Crate | Refusal:
        """Give a crate another name."""

        def write(c: Connection) -> Crate | Refusal:
            found = _found(c, guild_id, crate, now)
            if found is None:
                return Refusal.NO_CRATE
            taken = c.execute(
                "SELECT 1 FROM crates WHERE guild_id = ? AND name_key = ? AND id <> ?",
                (guild_id, name_key(name), found.id),
            ).fetchone()
            if taken is not None:
                return Refusal.NAME_TAKEN
            c.execute("UPDATE crates SET name = ?, name_key = ? WHERE id = ?", (name, name_key(name), found.id))
            return found

        return await self._database.write(write, key=guild_id)

    async def archive(self, guild_id: GuildId, crate: str, now: datetime) -> Crate | Refusal:
        """Let a crate take no new albums. It can still be read. The default crate cannot be archived."""

        def write(c: Connection) -> Crate | Refusal:
            found = _found(c, guild_id, crate, now)
            if found is None:
                return Refusal.NO_CRATE
            if found.is_default:
                return Refusal.IS_DEFAULT
            if found.archived_at is not None:
                return Refusal.ARCHIVED
            c.execute("UPDATE crates SET archived_at = ? WHERE id = ?", (to_seconds(now), found.id))
            return found

        return await self._database.write(write, key=guild_id)

    # -- entries

    async def add(
        self, guild_id: GuildId, crate: str | None, album_id: AlbumId, member_id: MemberId, note: str, now: datetime
    ) -> Added | Refusal:
        """Put an album into a crate. What is in it already stays as it is, with who brought it first."""
        return await self._database.write(
            lambda c: add_entry(c, guild_id, crate, album_id, member_id, note, now), key=guild_id
        )

    async def remove(
        self,
        guild_id: GuildId,
        crate: str | None,
        album_id: AlbumId,
        member_id: MemberId,
        now: datetime,
        *,
        anyones: bool,
    ) -> Entry | Refusal:
        """Take an album out of a crate. `anyones`: also what somebody else added."""

        def write(c: Connection) -> Entry | Refusal:
            found = _found(c, guild_id, crate, now)
            if found is None:
                return Refusal.NO_CRATE
            entry = _entry_of(c, found, album_id)
            if entry is None:
                return Refusal.NOT_THERE
            if entry.member_id != member_id and not anyones:
                return Refusal.NOT_YOURS
            c.execute("DELETE FROM crate_entries WHERE crate_id = ? AND album_id = ?", (found.id, album_id))
            return entry

        return await self._database.write(write, key=guild_id)

    async def entries(self, crate: Crate, by: MemberId | None = None) -> list[Entry]:
        """All entries, the newest first. `by`: only those of this member."""

        def read(c: Connection) -> list[Entry]:
            kept: dict[str, list[MemberId]] = {}
            for row in c.execute(
                "SELECT k.album_id, k.member_id FROM kept_albums AS k"
                " JOIN crate_entries AS e ON e.album_id = k.album_id AND e.crate_id = ?"
                " WHERE k.guild_id = ? ORDER BY k.kept_at, k.member_id",
                (crate.id, crate.guild_id),
            ):
                kept.setdefault(row["album_id"], []).append(MemberId(row["member_id"]))
            rows = c.execute(
                "SELECT * FROM crate_entries WHERE crate_id = ? AND (? IS NULL OR member_id = ?)"
                " ORDER BY added_at DESC, album_id",
                (crate.id, by, by),
            )
            return [_entry(row, kept.get(row["album_id"], ())) for row in rows]

        return await self._database.read(read)

    async def picked(self, crate: Crate, album_id: AlbumId, picks: int) -> bool:
        """Count that this album was drawn. False: it is gone, or was drawn more often than `picks` meanwhile."""
        query = "UPDATE crate_entries SET picks = picks + 1 WHERE crate_id = ? AND album_id = ? AND picks = ?"
        return await self._database.write(lambda c: c.execute(query, (crate.id, album_id, picks)).rowcount == 1)

    # -- kept by

    async def keep(self, guild_id: GuildId, album_id: AlbumId, member_id: MemberId, now: datetime) -> bool:
        """Show on this server that a member kept an album; False: it was shown already."""
        return await self._database.write(
            lambda c: (
                c.execute(
                    "INSERT INTO kept_albums (guild_id, album_id, member_id, kept_at) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (guild_id, album_id, member_id) DO NOTHING",
                    (guild_id, album_id, member_id, to_seconds(now)),
                ).rowcount
                == 1
            )
        )

    async def kept_by(self, guild_id: GuildId, album_ids: Sequence[AlbumId]) -> dict[AlbumId, tuple[MemberId, ...]]:
        """Who shows on this server that they kept these albums, the first one first."""

        def read(c: Connection) -> dict[AlbumId, tuple[MemberId, ...]]:
            return {
                album_id: tuple(
                    MemberId(row["member_id"])
                    for row in c.execute(
                        "SELECT member_id FROM kept_albums WHERE guild_id = ? AND album_id = ?"
                        " ORDER BY kept_at, member_id",
                        (guild_id, album_id),
                    )
                )
                for album_id in album_ids
            }

        return await self._database.read(read)

    async def stop_showing(self, member_id: MemberId, album_ids: Iterable[AlbumId] | None) -> None:
        """Show nowhere any more what this member kept, or only that they kept these albums."""

        def write(c: Connection) -> None:
            if album_ids is None:
                c.execute("DELETE FROM kept_albums WHERE member_id = ?", (member_id,))
            else:
                rows = [(member_id, album_id) for album_id in album_ids]
                c.executemany("DELETE FROM kept_albums WHERE member_id = ? AND album_id = ?", rows)

        await self._database.write(write)

    async def shown_by(self, member_id: MemberId) -> list[AlbumId]:
        """The albums that this member shows that they kept, the latest first."""
        query = "SELECT album_id FROM kept_albums WHERE member_id = ? GROUP BY album_id ORDER BY MAX(kept_at) DESC"
        return await self._database.read(lambda c: [AlbumId(row["album_id"]) for row in c.execute(query, (member_id,))])


def add_entry(
    c: Connection,
    guild_id: GuildId,
    crate: str | None,
    album_id: AlbumId,
    member_id: MemberId,
    note: str,
    now: datetime,
    *,
    channel_id: int | None = None,
    message_id: int | None = None,
) -> Added | Refusal:
    """Put an album into a crate, for jobs that write other rows along. `message_id`: the message that named it."""
    found = _found(c, guild_id, crate, now)
    if found is None:
        return Refusal.NO_CRATE
    if found.archived_at is not None:
        return Refusal.ARCHIVED
    if (earlier := _entry_of(c, found, album_id)) is not None:
        return Added(found, earlier)
    (count,) = c.execute("SELECT COUNT(*) FROM crate_entries WHERE crate_id = ?", (found.id,)).fetchone()
    if count >= ENTRIES_MOST:
        return Refusal.FULL
    c.execute(
        "INSERT INTO crate_entries (crate_id, album_id, member_id, note, added_at, channel_id, message_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (found.id, album_id, member_id, note, to_seconds(now), channel_id, message_id),
    )
    return Added(found, None)


def drawable(c: Connection, guild_id: GuildId) -> tuple[CrateEntry, ...]:
    """What a club may draw: the albums of the server's default crate, and how often each was drawn."""
    query = (
        "SELECT e.album_id, e.picks FROM crate_entries AS e JOIN crates AS cr ON cr.id = e.crate_id"
        " WHERE cr.guild_id = ? AND cr.is_default = 1"
    )
    return tuple(CrateEntry(AlbumId(row["album_id"]), row["picks"]) for row in c.execute(query, (guild_id,)))


def count_pick(c: Connection, guild_id: GuildId, album_id: AlbumId) -> None:
    """Count that a club drew this album."""
    c.execute(
        "UPDATE crate_entries SET picks = picks + 1 WHERE album_id = ?"
        " AND crate_id IN (SELECT id FROM crates WHERE guild_id = ? AND is_default = 1)",
        (album_id, guild_id),
    )


def remove_entries_of_message(
    c: Connection, channel_id: int, message_id: int, since: datetime, but: Collection[AlbumId] = ()
) -> list[AlbumId]:
    """Take out what this message put into crates since then, but these albums; which albums that were."""
    rows = c.execute(
        "SELECT crate_id, album_id FROM crate_entries WHERE channel_id = ? AND message_id = ? AND added_at >= ?",
        (channel_id, message_id, to_seconds(since)),
    ).fetchall()
    gone = [(row["crate_id"], row["album_id"]) for row in rows if row["album_id"] not in but]
    c.executemany("DELETE FROM crate_entries WHERE crate_id = ? AND album_id = ?", gone)
    return [AlbumId(album_id) for _, album_id in gone]


def crate_with_entries(c: Connection, id_: int) -> tuple[Crate, datetime, list[Entry]] | None:
    """A crate, when it was made, and its entries, the newest first, without who kept them. For pages, whose address names the crate."""
    row = c.execute("SELECT * FROM crates WHERE id = ?", (id_,)).fetchone()
    if row is None:
        return None
    rows = c.execute("SELECT * FROM crate_entries WHERE crate_id = ? ORDER BY added_at DESC, album_id", (id_,))
    return _crate(row), to_moment(row["created_at"]), [_entry(each, ()) for each in rows]


def _default(c: Connection, guild_id: GuildId, now: datetime) -> Crate:
    query = "SELECT * FROM crates WHERE guild_id = ? AND is_default = 1"
    row = c.execute(query, (guild_id,)).fetchone()
    if row is None:
        c.execute(
            "INSERT INTO crates (guild_id, name, name_key, is_default, created_at) VALUES (?, ?, ?, 1, ?)",
            (guild_id, DEFAULT, name_key(DEFAULT), to_seconds(now)),
        )
        row = c.execute(query, (guild_id,)).fetchone()
    return _crate(row)


def _found(c: Connection, guild_id: GuildId, name: str | None, now: datetime) -> Crate | None:
    default = _default(c, guild_id, now)
    if name is None:
        return default
    row = c.execute("SELECT * FROM crates WHERE guild_id = ? AND name_key = ?", (guild_id, name_key(name))).fetchone()
    return None if row is None else _crate(row)


def _entry_of(c: Connection, crate: Crate, album_id: AlbumId) -> Entry | None:
    row = c.execute("SELECT * FROM crate_entries WHERE crate_id = ? AND album_id = ?", (crate.id, album_id)).fetchone()
    return None if row is None else _entry(row, ())


def _crate(row: Row) -> Crate:
    archived_at = row["archived_at"]
    return Crate(
        CrateId(row["id"]),
        GuildId(row["guild_id"]),
        row["name"],
        bool(row["is_default"]),
        None if archived_at is None else to_moment(archived_at),
    )


def _entry(row: Row, kept_by: Iterable[MemberId]) -> Entry:
    return Entry(
        AlbumId(row["album_id"]),
        row["member_id"],
        to_moment(row["added_at"]),
        row["note"] or "",
        row["picks"],
        tuple(kept_by),
    )
