"""The outbox: every message that does not answer an interaction directly, from the fact that it tells to its arrival.

A message is stored in the transaction of the fact it tells. `bot/chat/delivery.py` takes it from here, sends it
and confirms it. Messages to one member, or to one channel, form a queue and leave in order.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any

import msgspec
from msgspec import Struct

from bot.caller import MemberId
from bot.private import Private
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.vault import SealedColumn, Vault

TOKEN = SealedColumn("outbox", "interaction_token_sealed", "answer", ("id",))
TOKEN_LIFE = timedelta(minutes=14, seconds=30)
"""An interaction token works for 15 minutes. A later attempt counts towards a ban of the address."""
_OPEN = "state IN ('stored', 'sending')"


class Way(StrEnum):
    """How a message leaves."""

    ANSWER = "answer"  # edits the private message of an interaction
    FOLLOW_UP = "follow-up"  # a further private message of an interaction
    DIRECT = "direct"  # a direct message
    CHANNEL = "channel"  # a new message in a channel
    EDIT = "edit"  # edits a message that the outbox sent to a channel, or directly
    HOSTS = "hosts"  # a direct message to each host


class State(StrEnum):
    """Where a message is. The last three are final."""

    STORED = "stored"
    SENDING = "sending"  # an attempt has begun; until it is confirmed, it may have arrived
    CONFIRMED = "confirmed"
    REFUSED = "refused"  # the member accepts no direct messages
    GIVEN_UP = "given up"


class Answer(Private, frozen=True):
    """The private message of an interaction. `or_directly`: send a direct message when it cannot be edited."""

    member_id: MemberId
    token: str
    asked_at: datetime
    or_directly: bool = True


class FollowUp(Private, frozen=True):
    """A further private message of an interaction, which exists only while the token works."""

    member_id: MemberId
    token: str
    asked_at: datetime


class Direct(Struct, frozen=True):
    """A member's direct messages."""

    member_id: MemberId


class Channel(Struct, frozen=True):
    """A new message in a channel."""

    channel_id: int


class Edit(Struct, frozen=True):
    """The message in this channel that was stored with this kind and subject. It is replaced as a whole."""

    channel_id: int
    kind: str
    subject: str


class DirectEdit(Struct, frozen=True):
    """The direct message to this member that was stored with this kind and subject. It is replaced as a whole."""

    member_id: MemberId
    kind: str
    subject: str


class Hosts(Struct, frozen=True):
    """Every host: the owner of the Discord application, or its team, and those whom HOSTS names."""


Address = Answer | FollowUp | Direct | Channel | Edit | DirectEdit | Hosts


class Message(Struct, frozen=True):
    """A message to store.

    `kind`: whose drawer makes its cards. `subject`: the fact; one kind tells one subject only once.
    `payload`: what the drawer needs, JSON. `locale`: its language. `due_at`: not before this; None: now.
    `pages_sent`: how many of its cards have arrived already.
    """

    kind: str
    subject: str
    address: Address
    payload: Mapping[str, Any] = msgspec.field(default_factory=dict)
    locale: str | None = None
    due_at: datetime | None = None
    pages_sent: int = 0


class Queued(Private, frozen=True):
    """A stored message that is due.

    `way`: how it leaves now; a direct message where an answer can no longer be edited. `page`: the card that is
    next. `nonce`: tells Discord that two attempts are one message; see `nonce_of`. `sending_at`: when the first
    attempt to send this page began, None: surely it has not been sent. `edits`: the id of the message to edit.
    """

    id: int
    queue: str
    kind: str
    subject: str
    way: Way
    member_id: MemberId | None
    channel_id: int | None
    token: str | None
    token_until: datetime | None
    or_directly: bool
    payload: Mapping[str, Any]
    locale: str | None
    nonce: str
    created_at: datetime
    tries: int
    page: int
    sending_at: datetime | None
    edits: int | None

    def nonce_of(self, page: int) -> str:
        """The nonce of one page: at most 25 characters."""
        return f"{self.nonce}-{page}"


Settle = Callable[[Connection, str, State], None]
"""Called in the transaction that ends a message, with its subject and its final state."""


class Outbox:
    """One row per message. Created inside a running event loop."""

    declares = Declaration(
        tables=("outbox",),
        member_rows=(
            MemberRows(
                "outbox",
                exports=("member_id", "kind", "way", "payload", "locale", "created_at", "due_at", "state", "ended_at"),
                withholds=(
                    "id",
                    "subject",
                    "queue",
                    "channel_id",
                    "interaction_token_sealed",
                    "token_until",
                    "or_directly",
                    "edits_kind",
                    "edits_subject",
                    "nonce",
                    "tries",
                    "page",
                    "sending_at",
                    "message_id",
                ),
            ),
        ),
        sealed=(TOKEN,),
        omits=("outbox.interaction_token_sealed",),
    )

    def __init__(self, database: Engine, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._settles: dict[str, Settle] = {}
        self._bell = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def settles(self, kind: str, settle: Settle) -> None:
        """Let a store note the end of its messages in the same transaction."""
        self._settles[kind] = settle

    # -- storing

    def put(self, c: Connection, message: Message, now: datetime, *, is_told: bool = False) -> bool:
        """Store a message in the caller's transaction. False: its subject has been stored before.

        `is_told`: an answer has told it already, so it is not sent.
        """
        address = message.address
        member_id = address.member_id if isinstance(address, Answer | FollowUp | Direct | DirectEdit) else None
        channel_id = address.channel_id if isinstance(address, Channel | Edit) else None
        sealed = until = None
        if isinstance(address, Answer | FollowUp):
            sealed = self._vault.seal(address.token, address.member_id, TOKEN)
            until = int((address.asked_at + TOKEN_LIFE).timestamp())
        cursor = c.execute(
            "INSERT INTO outbox (kind, subject, queue, way, member_id, channel_id, interaction_token_sealed,"
            " token_until, or_directly, edits_kind, edits_subject, payload, locale, nonce, created_at, due_at, page)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, subject) DO NOTHING",
            (
                message.kind,
                message.subject,
                _queue(member_id, channel_id),
                _WAYS[type(address)],
                member_id,
                channel_id,
                sealed,
                until,
                int(isinstance(address, Answer) and address.or_directly),
                address.kind if isinstance(address, Edit | DirectEdit) else None,
                address.subject if isinstance(address, Edit | DirectEdit) else None,
                json.dumps(message.payload),
                message.locale,
                secrets.token_urlsafe(12),
                int(now.timestamp()),
                int(now.timestamp()) if message.due_at is None else ceil(message.due_at.timestamp()),
                message.pages_sent,
            ),
        )
        if is_told and cursor.rowcount:
            c.execute(
                "UPDATE outbox SET state = 'confirmed', ended_at = ?, payload = '{}', interaction_token_sealed = NULL"
                " WHERE kind = ? AND subject = ?",
                (int(now.timestamp()), message.kind, message.subject),
            )
        self._ring_soon()
        return cursor.rowcount == 1

    def _ring_soon(self) -> None:
        # The delivery reads in a later job of this thread: by then, this transaction has ended.
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._bell.set)

    async def add(self, message: Message, now: datetime) -> bool:
        """Store a message in a transaction of its own."""
        return await self._database.write(lambda c: self.put(c, message, now))

    async def end_of(self, message: Message) -> State | None:
        """How a stored message ended; None: it is still to arrive."""
        query = f"SELECT state FROM outbox WHERE kind = ? AND subject = ? AND NOT {_OPEN}"  # noqa: S608 - the condition is a constant
        values = (message.kind, message.subject)
        row = await self._database.read(lambda c: c.execute(query, values).fetchone())
        return None if row is None else State(row["state"])

    # -- sending

    async def wait(self, timeout_s: float | None) -> None:
        """Until a message is stored, or `ring`, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    def ring(self) -> None:
        """Let `wait` return."""
        self._bell.set()

    async def due(self, now: datetime, limit: int) -> tuple[list[Queued], datetime | None]:
        """The first due message of each queue, and when the next one is due.

        What was stored at a later time than now is due, since the clock was set back.
        """
        seconds = int(now.timestamp())

        def read(c: Connection) -> tuple[list[Queued], datetime | None]:
            rows = c.execute(
                "SELECT m.*, (SELECT message_id FROM outbox AS posted WHERE posted.kind = m.edits_kind"  # noqa: S608 - the condition is a constant
                "  AND posted.subject = m.edits_subject) AS edits"
                f" FROM outbox AS m WHERE m.{_OPEN} AND (m.due_at <= ? OR m.created_at > ?)"
                " AND NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.queue = m.queue AND earlier.id < m.id"
                f"  AND earlier.{_OPEN} AND (earlier.tries > 0 OR earlier.due_at <= ? OR earlier.created_at > ?))"
                " ORDER BY m.due_at, m.id LIMIT ?",
                (seconds, seconds, seconds, seconds, limit),
            ).fetchall()
            (next_at,) = c.execute(
                f"SELECT MIN(due_at) FROM outbox WHERE {_OPEN} AND due_at > ?",  # noqa: S608 - the same
                (seconds,),
            ).fetchone()
            return [self._queued(row) for row in rows], None if next_at is None else _at(next_at)

        return await self._database.read(read)

    async def begin(self, message: Queued, way: Way, page: int, now: datetime, *, durable: bool) -> datetime | None:
        """Note that an attempt to send a page begins; since when it may have arrived, None: it has not.

        `durable`: outlives a power cut, for what must not be sent twice.
        """

        def write(c: Connection) -> datetime | None:
            row = c.execute("SELECT way, page, sending_at FROM outbox WHERE id = ?", (message.id,)).fetchone()
            if row is None:
                raise Gone
            is_same = row["way"] == way and row["page"] == page and row["sending_at"] is not None
            c.execute(
                "UPDATE outbox SET state = 'sending', way = ?, page = ?, sending_at = ? WHERE id = ?",
                (way, page, row["sending_at"] if is_same else int(now.timestamp()), message.id),
            )
            return _at(row["sending_at"]) if is_same else None

        return await self._database.write(write, key=message.id, durable=durable)

    async def hurry(self, now: datetime, beyond: datetime) -> None:
        """Try now what waits for its next try until after `beyond`: the clock was set back."""
        values = int(now.timestamp()), int(beyond.timestamp())
        await self._database.write(
            lambda c: c.execute(
                f"UPDATE outbox SET due_at = ? WHERE {_OPEN} AND tries > 0 AND due_at > ?",  # noqa: S608 - the condition is a constant
                values,
            ),
            durable=False,
        )

    async def later(self, message: Queued, due_at: datetime, *, may_have_arrived: bool) -> None:
        """The attempt failed: try again at `due_at`."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE outbox SET tries = tries + 1, due_at = ?, state = CASE WHEN ? = 1 THEN state ELSE 'stored' END,"
                " sending_at = CASE WHEN ? = 1 THEN sending_at ELSE NULL END WHERE id = ?",
                (ceil(due_at.timestamp()), int(may_have_arrived), int(may_have_arrived), message.id),
            ),
            durable=False,
        )

    async def postpone(self, message: Queued, due_at: datetime) -> None:
        """Send the message at `due_at`, and what waits behind it before."""
        await self._database.write(
            lambda c: c.execute(
                "UPDATE outbox SET due_at = ?, tries = 0 WHERE id = ?", (ceil(due_at.timestamp()), message.id)
            ),
            durable=False,
        )

    async def settle(self, message: Queued, state: State, now: datetime, message_id: int | None = None) -> None:
        """End a message; its store notes it in the same transaction. `message_id`: of the first card, if it can be edited."""

        def write(c: Connection) -> None:
            c.execute(
                "UPDATE outbox SET state = ?, ended_at = ?, message_id = ?, payload = '{}', sending_at = NULL,"
                " interaction_token_sealed = NULL WHERE id = ?",
                (state, int(now.timestamp()), message_id, message.id),
            )
            if (settle := self._settles.get(message.kind)) is not None:
                settle(c, message.subject, state)

        await self._database.write(write)

    def message_id_in(self, c: Connection, kind: str, subject: str) -> int | None:
        """The id of a message that has arrived in a channel."""
        row = c.execute("SELECT message_id FROM outbox WHERE kind = ? AND subject = ?", (kind, subject)).fetchone()
        return None if row is None else row["message_id"]

    async def has(self, kind: str, subject_begins: str) -> bool:
        """Whether a message is kept whose subject begins so."""
        query = "SELECT 1 FROM outbox WHERE kind = ? AND substr(subject, 1, ?) = ?"
        values = (kind, len(subject_begins), subject_begins)
        return await self._database.read(lambda c: c.execute(query, values).fetchone()) is not None

    def edit_direct_in(
        self, c: Connection, kind: str, subject_begins: str, payload: Mapping[str, Any], now: datetime
    ) -> None:
        """Replace all direct messages of a kind whose subjects begin so, with what its drawer makes of `payload`."""
        rows = c.execute(
            "SELECT subject, member_id, locale FROM outbox WHERE kind = ? AND way = 'direct' AND substr(subject, 1, ?) = ?",
            (kind, len(subject_begins), subject_begins),
        ).fetchall()
        for row in rows:
            address = DirectEdit(MemberId(row["member_id"]), kind, row["subject"])
            self.put(c, Message(kind, f"{row['subject']}:edit", address, payload, row["locale"]), now)

    def withdraw_direct_in(
        self, c: Connection, kind: str, subject_begins: str, payload: Mapping[str, Any], now: datetime
    ) -> None:
        """The same, and keep nothing of these subjects: what has not been sent is not sent any more."""
        where = "kind = ? AND substr(subject, 1, ?) = ?"
        values = (kind, len(subject_begins), subject_begins)
        c.execute(f"DELETE FROM outbox WHERE {where} AND (way = 'edit' OR state = 'stored')", values)  # noqa: S608 - the condition is a constant
        for row in c.execute(f"SELECT id FROM outbox WHERE {where}", values).fetchall():  # noqa: S608 - the same
            subject = f"withdrawn:{secrets.token_hex(8)}"
            c.execute(
                "UPDATE outbox SET subject = ?, payload = ? WHERE id = ?", (subject, json.dumps(payload), row["id"])
            )
            self.edit_direct_in(c, kind, subject, payload, now)

    def hurry_in(self, c: Connection, channel_id: int, now: datetime) -> None:
        """Send what waits for its next try in a channel now."""
        c.execute(
            f"UPDATE outbox SET due_at = ? WHERE channel_id = ? AND tries > 0 AND due_at > ? AND {_OPEN}",  # noqa: S608 - the condition is a constant
            (int(now.timestamp()), channel_id, int(now.timestamp())),
        )
        self._ring_soon()

    def is_waiting_in(self, c: Connection, channel_id: int) -> bool:
        """Whether a message waits for its next try in a channel."""
        query = f"SELECT 1 FROM outbox WHERE channel_id = ? AND tries > 0 AND {_OPEN}"  # noqa: S608 - the same
        return c.execute(query, (channel_id,)).fetchone() is not None

    def move_in(self, c: Connection, kind: str, channel_id: int, to: int, now: datetime) -> None:
        """Send what has not arrived in a channel to another one."""
        c.execute(
            "UPDATE outbox SET channel_id = ?, queue = ?, due_at = ?, sending_at = NULL, state = 'stored'"  # noqa: S608 - the condition is a constant
            f" WHERE kind = ? AND channel_id = ? AND {_OPEN}",
            (to, _queue(None, to), int(now.timestamp()), kind, channel_id),
        )
        self._ring_soon()

    def take_over_in(self, c: Connection, kind: str, subject: str, now: datetime) -> bool:
        """Let the answer that is being made tell it: False when it may have arrived, or is being sent."""
        cursor = c.execute(
            "UPDATE outbox SET state = 'refused', ended_at = ?, payload = '{}', interaction_token_sealed = NULL"
            " WHERE kind = ? AND subject = ? AND state = 'stored' AND tries > 0",
            (int(now.timestamp()), kind, subject),
        )
        return cursor.rowcount == 1

    def forget_in(self, c: Connection, kind: str, subject: str) -> None:
        """Forget a message, so that its subject can be stored again."""
        c.execute("DELETE FROM outbox WHERE kind = ? AND subject = ?", (kind, subject))

    # -- keeping and deleting

    async def open_count(self) -> int:
        """How many messages have not arrived yet."""
        count: int = await self._database.read(
            lambda c: c.execute(f"SELECT COUNT(*) FROM outbox WHERE {_OPEN}").fetchone()[0]  # noqa: S608 - the same
        )
        return count

    async def purge(self, before: datetime) -> None:
        """Delete what ended before this, but what can be edited: messages in channels stay."""
        await self._database.write(
            lambda c: c.execute(
                "DELETE FROM outbox WHERE ended_at < ? AND way <> 'channel'", (int(before.timestamp()),)
            )
        )

    def _queued(self, row: Row) -> Queued:
        sealed, member_id = row["interaction_token_sealed"], row["member_id"]
        return Queued(
            id=row["id"],
            queue=row["queue"],
            kind=row["kind"],
            subject=row["subject"],
            way=Way(row["way"]),
            member_id=member_id,
            channel_id=row["channel_id"],
            token=None if sealed is None else self._vault.opened(sealed, member_id, TOKEN),
            token_until=None if row["token_until"] is None else _at(row["token_until"]),
            or_directly=bool(row["or_directly"]),
            payload=json.loads(row["payload"]),
            locale=row["locale"],
            nonce=row["nonce"],
            created_at=_at(row["created_at"]),
            tries=row["tries"],
            page=row["page"],
            sending_at=None if row["sending_at"] is None else _at(row["sending_at"]),
            edits=row["edits"],
        )


class Gone(Exception):
    """The message was deleted, with all that is kept about its member."""


_WAYS = {
    Answer: Way.ANSWER,
    FollowUp: Way.FOLLOW_UP,
    Direct: Way.DIRECT,
    Channel: Way.CHANNEL,
    Edit: Way.EDIT,
    DirectEdit: Way.EDIT,
    Hosts: Way.HOSTS,
}


def _queue(member_id: int | None, channel_id: int | None) -> str:
    if member_id is not None:
        return f"member {member_id}"
    return "hosts" if channel_id is None else f"channel {channel_id}"


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
