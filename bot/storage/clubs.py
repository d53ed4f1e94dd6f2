"""Clubs: their state, the rounds that are over, what was posted, and what curators did.

Ballots and ratings have stores of their own. Methods whose names end in `_in` run in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from bot.caller import GuildId, MemberId
from bot.curation.club import Club, Effect, Round
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.participation import forget, forget_in_round
from bot.curation.refusals import PastRound
from bot.storage.declarations import Declaration, Documents, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.frozen import from_json, to_json
from bot.storage.moments import to_moment, to_seconds
from bot.storage.names import name_key


class StoredClub(Struct, frozen=True):
    """A club, and where it lives. `locale`: of its public posts. `is_blocked`: its channel takes no messages."""

    id: ClubId
    guild_id: GuildId
    channel_id: int
    name: str
    started_by: MemberId | None
    locale: str | None
    is_blocked: bool
    club: Club


class Post(Struct, frozen=True):
    """A message in a club's channel. `message_id`: None until it has arrived."""

    subject: str
    club_id: ClubId
    number: RoundNumber
    step: str
    channel_id: int
    message_id: int | None
    thread_id: int | None


class LogEntry(Struct, frozen=True):
    """What a curator did. `member_id`: None once the curator is forgotten."""

    member_id: MemberId | None
    did: str
    facts: Mapping[str, Any]
    did_at: datetime


def origin_of(club_id: ClubId, number: RoundNumber) -> str:
    """The origin of a request that the card of a round led to."""
    return f"{club_id}:{number}"


def _club(row: Row) -> StoredClub:
    return StoredClub(
        ClubId(row["id"]),
        GuildId(row["guild_id"]),
        row["channel_id"],
        row["name"],
        row["started_by"],
        row["locale"],
        row["blocked_at"] is not None,
        from_json(Club, row["state"]),
    )


# -- what the JSON columns hold about a member


def _forget_in_clubs(c: Connection, member_id: int) -> int:
    rows = c.execute("SELECT * FROM clubs WHERE state LIKE ?", (f"%{member_id}%",)).fetchall()
    for row in rows:
        club = forget(_club(row).club, MemberId(member_id))
        c.execute("UPDATE clubs SET state = ? WHERE id = ?", (to_json(club), row["id"]))
    return len(rows)


def _forget_in_rounds(c: Connection, member_id: int) -> int:
    rows = c.execute("SELECT * FROM club_rounds WHERE state LIKE ?", (f"%{member_id}%",)).fetchall()
    for row in rows:
        round_ = forget_in_round(from_json(Round, row["state"]), MemberId(member_id))
        c.execute(
            "UPDATE club_rounds SET state = ? WHERE club_id = ? AND number = ?",
            (to_json(round_), row["club_id"], row["number"]),
        )
    return len(rows)


def _export_clubs(c: Connection, member_id: int) -> list[dict[str, Any]]:
    member, found = MemberId(member_id), []
    for row in c.execute("SELECT * FROM clubs WHERE state LIKE ?", (f"%{member_id}%",)):
        club = _club(row).club
        picked = club.picked_by(member)
        found.append(
            {
                "club_id": str(club.id),
                "takes_turns": member in club.order,
                "picked": None if picked is None else {"album": picked.album_id, "note": picked.note},
                "rounds": [_about(one, member) for one in (club.coming, club.listening) if one is not None],
            }
        )
    return found


def _export_rounds(c: Connection, member_id: int) -> list[dict[str, Any]]:
    return [
        {"club_id": str(row["club_id"]), **_about(from_json(Round, row["state"]), MemberId(member_id))}
        for row in c.execute("SELECT * FROM club_rounds WHERE state LIKE ?", (f"%{member_id}%",))
    ]


def _about(round_: Round, member: MemberId) -> dict[str, Any]:
    return {
        "round": round_.number,
        "nominated": [{"album": one.album_id, "note": one.note} for one in round_.by(member)],
        "album_was_theirs": round_.chosen_by == member,
    }


class Clubs:
    """One row per club, and rows for all that belongs to one."""

    declares = Declaration(
        tables=(
            "clubs",
            "club_rounds",
            "club_posts",
            "club_saves",
            "club_themes",
            "club_reminders",
            "curator_log",
            "heartbeat",
        ),
        member_rows=(
            MemberRows(
                "clubs",
                member="started_by",
                exports=("id", "guild_id", "name", "started_by", "started_at"),
                withholds=("channel_id", "locale", "state", "blocked_at"),
                clears=("started_by",),
            ),
            MemberRows("club_reminders", exports=("club_id", "member_id", "locale")),
            MemberRows(
                "curator_log",
                exports=("club_id", "member_id", "did", "facts", "did_at"),
                withholds=("id",),
                clears=("member_id",),
            ),
        ),
        documents=(
            Documents("clubs", _forget_in_clubs, _export_clubs),
            Documents("club_rounds", _forget_in_rounds, _export_rounds),
        ),
        guild_rows=("clubs",),
    )

    def __init__(self, database: Engine) -> None:
        self._database = database

    # -- clubs

    def next_id_in(self, c: Connection) -> ClubId:
        """An id for a new club."""
        (highest,) = c.execute("SELECT MAX(id) FROM clubs").fetchone()
        return ClubId((highest or 0) + 1)

    def has_name_in(self, c: Connection, guild_id: GuildId, name: str) -> bool:
        """Whether a club of this server has this name, upper and lower case alike."""
        return any(name_key(one.name) == name_key(name) for one in self.of_guild_in(c, guild_id))

    def add_in(self, c: Connection, club: StoredClub, now: datetime) -> None:
        """Store a new club."""
        c.execute(
            "INSERT INTO clubs (id, guild_id, channel_id, name, started_by, started_at, locale, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                club.id,
                club.guild_id,
                club.channel_id,
                club.name,
                club.started_by,
                to_seconds(now),
                club.locale,
                to_json(club.club),
            ),
        )

    def put_in(self, c: Connection, club: Club) -> None:
        """Store what a club has become."""
        c.execute("UPDATE clubs SET state = ? WHERE id = ?", (to_json(club), club.id))

    def get_in(self, c: Connection, club_id: ClubId) -> StoredClub | None:
        """A club."""
        row = c.execute("SELECT * FROM clubs WHERE id = ?", (club_id,)).fetchone()
        return None if row is None else _club(row)

    async def get(self, club_id: ClubId) -> StoredClub | None:
        """A club."""
        return await self._database.read(lambda c: self.get_in(c, club_id))

    async def of_guild(self, guild_id: GuildId) -> list[StoredClub]:
        """The clubs of a server, the oldest first."""
        return await self._database.read(lambda c: self.of_guild_in(c, guild_id))

    def of_guild_in(self, c: Connection, guild_id: GuildId) -> list[StoredClub]:
        """The same."""
        query = "SELECT * FROM clubs WHERE guild_id = ? ORDER BY id"
        return [_club(row) for row in c.execute(query, (guild_id,))]

    def guilds_in(self, c: Connection) -> set[GuildId]:
        """The servers that have a club."""
        return {GuildId(row["guild_id"]) for row in c.execute("SELECT DISTINCT guild_id FROM clubs")}

    def block_in(self, c: Connection, club_id: ClubId, now: datetime) -> bool:
        """Note that the channel takes no messages. False: that was known."""
        cursor = c.execute(
            "UPDATE clubs SET blocked_at = ? WHERE id = ? AND blocked_at IS NULL", (to_seconds(now), club_id)
        )
        return cursor.rowcount == 1

    def unblock_in(self, c: Connection, club_id: ClubId) -> None:
        """Note that the channel takes messages again."""
        c.execute("UPDATE clubs SET blocked_at = NULL WHERE id = ? AND blocked_at IS NOT NULL", (club_id,))

    def move_in(self, c: Connection, club_id: ClubId, channel_id: int) -> None:
        """Let the club live in another channel."""
        c.execute("UPDATE clubs SET channel_id = ? WHERE id = ?", (channel_id, club_id))

    # -- rounds that are over

    def close_in(self, c: Connection, club_id: ClubId, round_: Round) -> None:
        """Store a round that is over."""
        c.execute(
            "INSERT INTO club_rounds (club_id, number, state) VALUES (?, ?, ?)",
            (club_id, round_.number, to_json(round_)),
        )

    def past_in(self, c: Connection, club_id: ClubId) -> list[PastRound]:
        """The rounds that are over and had an album."""
        return [
            PastRound(one.number, one.album_id, one.chosen_by, one.imported_at)
            for one in self.over_in(c, club_id)
            if one.album_id is not None
        ]

    def round_in(self, c: Connection, club: Club, number: RoundNumber) -> Round | None:
        """A round of a club, in whatever state."""
        for current in (club.coming, club.listening):
            if current is not None and current.number == number:
                return current
        row = c.execute("SELECT state FROM club_rounds WHERE club_id = ? AND number = ?", (club.id, number)).fetchone()
        return None if row is None else from_json(Round, row["state"])

    def over_in(self, c: Connection, club_id: ClubId) -> list[Round]:
        """The rounds that are over, the first one first."""
        query = "SELECT state FROM club_rounds WHERE club_id = ?"
        rounds = [from_json(Round, row["state"]) for row in c.execute(query, (club_id,))]
        return sorted(rounds, key=lambda one: (one.opened_at, one.number))  # imported ones are in no order of numbers

    # -- posts

    def expect_post_in(self, c: Connection, effect: Effect, channel_id: int) -> None:
        """Note that a message will be posted."""
        c.execute(
            "INSERT INTO club_posts (subject, club_id, number, step, channel_id) VALUES (?, ?, ?, ?, ?)",
            (effect.key, effect.club_id, effect.round, effect.step.value, channel_id),
        )

    def posted_in(self, c: Connection, subject: str, message_id: int | None) -> Post | None:
        """Note that a message has arrived."""
        c.execute("UPDATE club_posts SET message_id = ? WHERE subject = ?", (message_id, subject))
        return self.post_in(c, subject)

    def post_in(self, c: Connection, subject: str) -> Post | None:
        """A message by its subject."""
        row = c.execute("SELECT * FROM club_posts WHERE subject = ?", (subject,)).fetchone()
        return None if row is None else Post(**dict(row))

    def post_of_thread_in(self, c: Connection, thread_id: int) -> Post | None:
        """The message that a thread hangs under."""
        row = c.execute("SELECT * FROM club_posts WHERE thread_id = ?", (thread_id,)).fetchone()
        return None if row is None else Post(**dict(row))

    def posts_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> list[Post]:
        """The messages of a round."""
        query = "SELECT * FROM club_posts WHERE club_id = ? AND number = ?"
        return [Post(**dict(row)) for row in c.execute(query, (club_id, number))]

    def opened_thread_in(self, c: Connection, subject: str, thread_id: int) -> None:
        """Note the thread under a message."""
        c.execute("UPDATE club_posts SET thread_id = ? WHERE subject = ?", (thread_id, subject))

    # -- small things

    def count_save_in(self, c: Connection, origin: str) -> None:
        """Count that somebody saved the album of a round with the button of its card. `origin`: see `origin_of`."""
        club_id, number = origin.split(":")
        c.execute(
            "INSERT INTO club_saves (club_id, number, saves) SELECT id, ?, 1 FROM clubs WHERE id = ?"
            " ON CONFLICT (club_id, number) DO UPDATE SET saves = club_saves.saves + 1",
            (int(number), int(club_id)),
        )

    def saves_in(self, c: Connection, club_id: ClubId, number: RoundNumber) -> int:
        """How many saved the album of a round with the button of its card."""
        row = c.execute("SELECT saves FROM club_saves WHERE club_id = ? AND number = ?", (club_id, number)).fetchone()
        return 0 if row is None else row["saves"]

    def set_theme_in(self, c: Connection, club_id: ClubId, number: RoundNumber, theme: str) -> None:
        """Set the theme of a round; an empty one takes it away."""
        c.execute("DELETE FROM club_themes WHERE club_id = ? AND number = ?", (club_id, number))
        if theme:
            c.execute("INSERT INTO club_themes (club_id, number, theme) VALUES (?, ?, ?)", (club_id, number, theme))

    def themes_in(self, c: Connection, club_id: ClubId) -> dict[RoundNumber, str]:
        """The themes, by round."""
        query = "SELECT number, theme FROM club_themes WHERE club_id = ? ORDER BY number"
        return {RoundNumber(row["number"]): row["theme"] for row in c.execute(query, (club_id,))}

    async def remind(self, club_id: ClubId, member_id: MemberId, locale: str | None, *, is_on: bool) -> None:
        """Turn a member's reminders on or off."""

        def write(c: Connection) -> None:
            c.execute("DELETE FROM club_reminders WHERE club_id = ? AND member_id = ?", (club_id, member_id))
            if is_on:
                c.execute(
                    "INSERT INTO club_reminders (club_id, member_id, locale) VALUES (?, ?, ?)",
                    (club_id, member_id, locale),
                )

        await self._database.write(write)

    def reminded_in(self, c: Connection, club_id: ClubId) -> list[tuple[MemberId, str | None]]:
        """Who wants to be reminded, and in which language."""
        query = "SELECT member_id, locale FROM club_reminders WHERE club_id = ? ORDER BY member_id"
        return [(MemberId(row["member_id"]), row["locale"]) for row in c.execute(query, (club_id,))]

    def log_in(
        self, c: Connection, club_id: ClubId, member_id: MemberId, did: str, facts: Mapping[str, Any], now: datetime
    ) -> None:
        """Note what a curator did."""
        c.execute(
            "INSERT INTO curator_log (club_id, member_id, did, facts, did_at) VALUES (?, ?, ?, ?, ?)",
            (club_id, member_id, did, json.dumps(facts), to_seconds(now)),
        )

    async def log(self, club_id: ClubId, most: int) -> list[LogEntry]:
        """What curators did, the latest first."""
        query = "SELECT * FROM curator_log WHERE club_id = ? ORDER BY id DESC LIMIT ?"

        def read(c: Connection) -> list[LogEntry]:
            return [
                LogEntry(row["member_id"], row["did"], json.loads(row["facts"]), to_moment(row["did_at"]))
                for row in c.execute(query, (club_id, most))
            ]

        return await self._database.read(read)

    def beat_in(self, c: Connection, now: datetime) -> None:
        """Note that the bot runs."""
        c.execute(
            "INSERT INTO heartbeat (id, beat_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at",
            (to_seconds(now),),
        )

    async def last_beat(self) -> datetime | None:
        """When the bot was last known to run."""
        row = await self._database.read(lambda c: c.execute("SELECT beat_at FROM heartbeat").fetchone())
        return None if row is None else to_moment(row["beat_at"])
