"""Link attempts, and the OAuth states of a browser. Only hashes of what travels are stored."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bot.caller import Caller
from bot.private import Private
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.moments import to_seconds
from bot.storage.vault import SealedColumn, Vault

ANSWER = SealedColumn("link_attempts", "interaction_token_sealed", "answer", ("id_hash",))
LIFE_S = 600
"""A link, and each OAuth state of it, lives 10 minutes."""
ATTEMPTS_MAX = 10
"""The newest links of a member that stay alive."""
STATES_MAX = 20
"""The newest ways out to consent pages that stay alive for a link, or for a purpose that has no link."""
PROBES_MAX = 20
"""How often a client id may be tried with one link."""


class Attempt(Private, frozen=True):
    """One link that was given to one member. `interaction_token` None: it does not open. No repr: a secret.

    `locale`: the member's when they asked for the link. `client_id`: the member's own app to link through; None: the
    host's.
    """

    id_hash: bytes
    member_id: int
    interaction_token: str | None
    locale: str | None
    client_id: str | None


class OAuthState(Struct, frozen=True):
    """One way out to a consent page, to be used once.

    `purpose`: the part of the site that sent the browser there. `attempt_hash` None: not for a link.
    `locale`: the member's, while their attempt lives.
    """

    attempt_hash: bytes | None
    cookie_hash: bytes
    provider: str
    purpose: str
    discord_name: str | None
    locale: str | None


def forget_other_attempts(c: Connection, member_id: int, client_id: str) -> None:
    """Delete what the member began through an app of their own that they no longer use."""
    c.execute("DELETE FROM link_attempts WHERE member_id = ? AND client_id <> ?", (member_id, client_id))


class LinkAttempts:
    """Attempts and OAuth states: small, short-lived."""

    declares = Declaration(
        tables=("link_attempts", "oauth_states"),
        member_rows=(
            # the OAuth states go with their attempt
            MemberRows(
                "link_attempts",
                exports=("member_id", "locale", "client_id", "created_at"),
                withholds=("id_hash", "interaction_token_sealed", "warned", "probes"),
            ),
        ),
        sealed=(ANSWER,),
        omits=("oauth_states", "link_attempts"),
    )

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def begin(self, id_hash: bytes, caller: Caller, now: datetime, client_id: str | None = None) -> None:
        """Store a new attempt; what is too old goes, and of the member's older ones all but the newest few."""
        member_id = caller.member_id
        sealed = self._vault.seal(caller.interaction_token, member_id, ANSWER)

        def write(c: Connection) -> None:
            _clear(c, now)
            c.execute(
                "DELETE FROM link_attempts WHERE member_id = ? AND id_hash NOT IN (SELECT id_hash FROM link_attempts"
                " WHERE member_id = ? ORDER BY created_at DESC, id_hash LIMIT ?)",
                (member_id, member_id, ATTEMPTS_MAX - 1),
            )
            c.execute(
                "INSERT INTO link_attempts (id_hash, member_id, interaction_token_sealed, locale, client_id, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (id_hash, member_id, sealed, caller.locale, client_id, to_seconds(now)),
            )

        await self._database.write(write, key=member_id)

    async def use_app(self, id_hash: bytes, client_id: str | None, now: datetime) -> bool:
        """Link through this app of the member's own (None: the host's) from now on; False when the attempt is gone."""

        def write(c: Connection) -> bool:
            cursor = c.execute(
                "UPDATE link_attempts SET client_id = ? WHERE id_hash = ? AND created_at > ?",
                (client_id, id_hash, to_seconds(now) - LIFE_S),
            )
            return cursor.rowcount == 1

        return await self._database.write(write)

    async def count_probe(self, id_hash: bytes, now: datetime) -> bool:
        """Count that a client id is tried; False when the attempt is gone, or has tried too many."""

        def write(c: Connection) -> bool:
            cursor = c.execute(
                "UPDATE link_attempts SET probes = probes + 1 WHERE id_hash = ? AND created_at > ? AND probes < ?",
                (id_hash, to_seconds(now) - LIFE_S, PROBES_MAX),
            )
            return cursor.rowcount == 1

        return await self._database.write(write, durable=False)

    async def clear(self, now: datetime) -> None:
        """Delete what is too old: unfinished attempts and OAuth states."""
        await self._database.write(lambda c: _clear(c, now), durable=False)

    async def get(self, id_hash: bytes, now: datetime) -> Attempt | None:
        """The attempt, if it lives. Changes nothing: scanners open links, too."""
        row = await self._database.read(
            lambda c: c.execute(
                "SELECT * FROM link_attempts WHERE id_hash = ? AND created_at > ?", (id_hash, to_seconds(now) - LIFE_S)
            ).fetchone()
        )
        return None if row is None else self._attempt(row)

    async def add_state(
        self,
        state_hash: bytes,
        attempt_hash: bytes | None,
        cookie_hash: bytes,
        provider: str,
        purpose: str,
        now: datetime,
        discord_name: str | None = None,
    ) -> bool:
        """Store a way out to `provider`; False when the attempt is gone. Of many, the newest few stay alive.

        `attempt_hash` None: the way out is for no link.
        """

        def write(c: Connection) -> bool:
            if attempt_hash is None:
                _clear(c, now)
            elif c.execute("SELECT 1 FROM link_attempts WHERE id_hash = ?", (attempt_hash,)).fetchone() is None:
                return False
            # whose: of the link, else of the browser
            whose, value = ("cookie_hash", cookie_hash) if attempt_hash is None else ("attempt_hash", attempt_hash)
            c.execute(
                f"DELETE FROM oauth_states WHERE {whose} = ? AND state_hash NOT IN (SELECT state_hash FROM oauth_states"  # noqa: S608 - the names are above
                f" WHERE {whose} = ? ORDER BY created_at DESC, state_hash LIMIT ?)",
                (value, value, STATES_MAX - 1),
            )
            c.execute(
                "INSERT INTO oauth_states"
                " (state_hash, attempt_hash, cookie_hash, provider, purpose, discord_name, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (state_hash, attempt_hash, cookie_hash, provider, purpose, discord_name, to_seconds(now)),
            )
            return True

        return await self._database.write(write, key=attempt_hash.hex() if attempt_hash is not None else None)

    async def take_state(self, state_hash: bytes, now: datetime) -> OAuthState | None:
        """Use an OAuth state up: of many that come at once, one gets it."""

        def write(c: Connection) -> OAuthState | None:
            rows = c.execute("DELETE FROM oauth_states WHERE state_hash = ? RETURNING *", (state_hash,)).fetchall()
            of = rows[0]["attempt_hash"] if rows else b""
            # for one that is unknown, too: neither the time nor the statements tell whether it was
            attempt = c.execute("SELECT locale FROM link_attempts WHERE id_hash = ?", (of,)).fetchone()
            if not rows or rows[0]["created_at"] <= to_seconds(now) - LIFE_S:
                return None
            row = rows[0]
            locale = None if attempt is None else attempt["locale"]
            return OAuthState(of, row["cookie_hash"], row["provider"], row["purpose"], row["discord_name"], locale)

        return await self._database.write(write)

    async def take(self, id_hash: bytes, now: datetime) -> Attempt | None:
        """Use an attempt up, with all its OAuth states: of many that come at once, one gets it."""

        def write(c: Connection) -> Attempt | None:
            rows = c.execute("DELETE FROM link_attempts WHERE id_hash = ? RETURNING *", (id_hash,)).fetchall()
            if not rows or rows[0]["created_at"] <= to_seconds(now) - LIFE_S:
                return None
            return self._attempt(rows[0])

        return await self._database.write(write)

    async def warn_once(self, id_hash: bytes) -> bool:
        """Whether the member is to be warned of a stranger at their link: the first time only."""

        def write(c: Connection) -> bool:
            cursor = c.execute("UPDATE link_attempts SET warned = 1 WHERE id_hash = ? AND warned = 0", (id_hash,))
            return cursor.rowcount == 1

        return await self._database.write(write)

    def _attempt(self, row: Row) -> Attempt:
        token = self._vault.opened(row["interaction_token_sealed"], row["member_id"], ANSWER)
        return Attempt(row["id_hash"], row["member_id"], token, row["locale"], row["client_id"])


def _clear(c: Connection, now: datetime) -> None:
    # a clock that jumped back must not let them live for ever
    for table in ("link_attempts", "oauth_states"):
        c.execute(
            f"DELETE FROM {table} WHERE created_at NOT BETWEEN ? AND ?",  # noqa: S608 - the names stand above
            (to_seconds(now) - LIFE_S, to_seconds(now) + LIFE_S),
        )
