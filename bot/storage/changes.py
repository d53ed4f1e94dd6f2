"""Requests and their changes: on disk before anything else happens, and until the member was told.

Who tells is one stored fact. While `answer` is "awaited", the command that made the request tells. From then on the
outbox does: its message is stored in the transaction that ends the request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action, ChangeRequest, Kind, LibraryChange, Outcome
from bot.storage.declarations import Declaration, MemberRows
from bot.storage.engine import Connection, Engine, Row
from bot.storage.links import CLOSED, link_row
from bot.storage.moments import to_moment, to_seconds
from bot.storage.outbox import Address, Answer, Direct, Message, Outbox, State
from bot.storage.vault import SealedColumn, Vault

ANSWER = SealedColumn("change_requests", "interaction_token_sealed", "answer", ("id",))
Key = tuple[RequestId, int]
_KEY = "changes"
"""Of all jobs here that decide by what they read: commands, the worker and the outbox read what the others write."""
_T = TypeVar("_T")
_COLUMNS = "w.request_id, w.position, w.kind, w.reference, w.album_id, w.was_saved, w.outcome, w.detail, w.choices"
_SETTLED = {"saved", "already", "removed", "absent", "changed since", "superseded"}
_ALBUM = "COALESCE(album_id, reference)"
"""What tells albums apart when they are counted: one that several changes name is one album."""
CHUNK = 40
"""How many changes are carried out and stored at a time: what Spotify's calls take, so that none is half empty."""
LISTED = 1000
"""How many pending changes of a member are listed."""
OUTCOME_MESSAGE = "change outcome"
"""The kind of the message that tells what came of a request. Payload: `request`, its id."""
HELD_MESSAGE = "change held"
"""The kind of the message that tells why a request stays pending. Payload: `request`, and `reason` to link again."""


class UndoVerdict(StrEnum):
    """What an Undo button may do."""

    ACCEPTED = "accepted"
    USED = "used"
    BEING_USED = "being used"  # its Undo waits
    UNDER_WAY = "under way"  # the command itself is not done yet
    UNKNOWN = "unknown"  # older than 30 days, or never there
    NOT_YOURS = "not yours"


class NewChange(Struct, frozen=True):
    """A change to be accepted; `outcome` where it is known at once."""

    kind: Kind
    reference: str
    outcome: Outcome | None = None
    detail: str | None = None


class Pages(Struct, frozen=True):
    """Which messages of an answer arrived: the first `sent`. `notes`: characters about other requests in them."""

    sent: int
    notes: int = 0


class Ending(Struct, frozen=True):
    """What came of a change. `choices`: the albums that are offered.

    `album_id`: the album that it turned out to mean, None where that is stored already.
    """

    key: Key
    outcome: Outcome
    detail: str | None = None
    album_id: AlbumId | None = None
    choices: tuple[AlbumId, ...] = ()


class Accepted(Struct, frozen=True):
    """A request that was stored, and what carrying it out begins with.

    That is read along, since every job sent to the database thread costs more than what it does: `pending`, the first
    chunk of what is pending for this member now, and `link`, their row in `links`.
    `untold`: ended requests of which the member could not be told. The next answer tells.
    """

    request: ChangeRequest
    pending: list[LibraryChange]
    link: Row | None
    untold: tuple[RequestId, ...]


class LibraryChanges:
    """Two tables: one row per request, one row per change."""

    declares = Declaration(
        tables=("change_requests", "library_changes"),
        member_rows=(
            MemberRows(
                "library_changes",
                where="request_id IN (SELECT id FROM change_requests WHERE member_id = ?)",
                exports=(
                    "request_id",
                    "position",
                    "member_id",
                    "kind",
                    "reference",
                    "album_id",
                    "outcome",
                    "detail",
                    "choices",
                ),
                withholds=("was_saved",),
            ),
            MemberRows(
                "change_requests",
                exports=(
                    "id",
                    "member_id",
                    "in_server",
                    "action",
                    "undoes",
                    "origin",
                    "locale",
                    "created_at",
                    "ended_at",
                    "told",
                ),
                withholds=("interaction_token_sealed", "undone_by", "answer"),
            ),
        ),
        sealed=(ANSWER,),
        omits=("change_requests.interaction_token_sealed",),
    )

    def __init__(
        self, database: Engine, vault: Vault, outbox: Outbox, *, on_saved: Callable[[Connection, str], None]
    ) -> None:
        """`on_saved`: is called in the transaction in which a request ends that saved something, with its origin."""
        self._database = database
        self._on_saved = on_saved
        self._vault = vault
        self._outbox = outbox
        self._flush: asyncio.Future[None] | None = None
        self._told: list[RequestId] = []
        outbox.settles(OUTCOME_MESSAGE, _told_in)

    async def accept(
        self,
        caller: Caller,
        action: Action,
        changes: Sequence[NewChange],
        now: datetime,
        also: Callable[[Connection], None] | None = None,
        origin: str | None = None,
    ) -> Accepted:
        """Store a request; a second time with the same id changes nothing.

        `origin`: the card that it came from, if that counts who saved the album.
        `also`: what is stored in the same transaction; what it raises stores nothing.

        It outlives the process at once, and a power cut after `on_disk()`: wait for that before the first write
        to Spotify and before the member is answered.
        """
        id_, member = caller.interaction_id, caller.member_id
        sealed = self._vault.seal(caller.interaction_token, member, ANSWER)
        at = to_seconds(now)
        ended_at = at if all(change.outcome for change in changes) else None
        is_in_server = int(caller.guild_id is not None)
        request = _new_request(caller, action, changes, now)
        told = self._take_told()

        def write(c: Connection) -> Accepted:
            if also is not None:
                also(c)
            if told:
                _note_told(c, told)
            cursor = c.execute(
                "INSERT INTO change_requests"
                " (id, member_id, in_server, action, interaction_token_sealed, locale, created_at, ended_at, origin)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (id_, member, is_in_server, str(action), sealed, caller.locale, at, ended_at, origin),
            )
            if cursor.rowcount:
                _insert(c, id_, member, changes)
            pending = [change for change in request.changes if change.outcome is None][:CHUNK]
            if not cursor.rowcount or _has_pending_beside(c, member, id_):
                pending = _pending(c, member, CHUNK)
            return Accepted(request, pending, link_row(c, member), self._untold_in(c, member, now))

        accepted = await self._noting(told, self._database.write(write, key=_KEY, durable=also is not None))
        self._flush = self._database.flush()
        return accepted

    async def on_disk(self) -> None:
        """What was accepted so far outlives a power cut."""
        if self._flush is None:
            return
        if self._flush.done() and (self._flush.cancelled() or self._flush.exception()):
            self._flush = self._database.flush()  # one that failed says nothing of the disk as it is now
        await asyncio.shield(self._flush)

    async def withdraw(self, id_: RequestId) -> bool:
        """Forget a request that could not be made safe; False, and nothing, when some of it may be carried out."""

        def write(c: Connection) -> bool:
            cursor = c.execute(
                "DELETE FROM change_requests WHERE id = ? AND NOT EXISTS (SELECT 1 FROM library_changes WHERE request_id = ?"
                " AND (was_saved IS NOT NULL OR outcome IN ('saved', 'removed')))",
                (id_, id_),
            )
            return cursor.rowcount > 0

        # The disk does not flush: that is why it is withdrawn.
        return await self._database.write(write, key=_KEY, durable=False)

    async def accept_undo(
        self, caller: Caller, of: RequestId, now: datetime
    ) -> tuple[UndoVerdict, ChangeRequest | None]:
        """Accept the undoing of a request, once: exactly what it changed, less what was changed since.

        With ACCEPTED comes the request that undoes it.
        """
        id_, member = caller.interaction_id, caller.member_id
        sealed = self._vault.seal(caller.interaction_token, member, ANSWER)
        at = to_seconds(now)

        def write(c: Connection) -> UndoVerdict:
            row = c.execute("SELECT * FROM change_requests WHERE id = ?", (of,)).fetchone()
            if row is None:
                return UndoVerdict.UNKNOWN
            if row["member_id"] != member:
                return UndoVerdict.NOT_YOURS
            if row["undone_by"] == CLOSED:
                return UndoVerdict.UNKNOWN
            if row["ended_at"] is None:
                return UndoVerdict.UNDER_WAY
            earlier = c.execute(
                "SELECT outcome FROM library_changes WHERE request_id = ?", (row["undone_by"],)
            ).fetchall()
            if any(change["outcome"] is None for change in earlier):
                return UndoVerdict.BEING_USED
            if any(change["outcome"] in _SETTLED for change in earlier):
                return UndoVerdict.USED
            changed = c.execute(
                "SELECT album_id, EXISTS (SELECT 1 FROM library_changes AS later WHERE later.member_id = w.member_id"
                "  AND later.album_id = w.album_id AND later.request_id > w.request_id"
                "  AND (later.outcome IS NULL OR later.outcome IN ('saved', 'removed'))) AS since"
                " FROM library_changes AS w WHERE request_id = ? AND outcome IN ('saved', 'removed') ORDER BY position",
                (of,),
            ).fetchall()
            changes = [
                NewChange(Kind.ALBUM, album["album_id"], Outcome.CHANGED_SINCE if album["since"] else None)
                for album in changed
            ]
            c.execute("UPDATE change_requests SET undone_by = ? WHERE id = ?", (id_, of))
            c.execute(
                "INSERT INTO change_requests"
                " (id, member_id, action, undoes, interaction_token_sealed, locale, created_at, ended_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id_,
                    member,
                    Action(row["action"]).opposite,
                    of,
                    sealed,
                    caller.locale,
                    at,
                    at if all(change.outcome for change in changes) else None,
                ),
            )
            _insert(c, id_, member, changes)
            return UndoVerdict.ACCEPTED

        def accept(c: Connection) -> tuple[UndoVerdict, ChangeRequest | None]:
            verdict = write(c)
            return verdict, self._request(c, id_) if verdict is UndoVerdict.ACCEPTED else None

        return await self._database.write(accept, key=_KEY)

    async def pending(self, member: MemberId) -> list[LibraryChange]:
        """The member's pending changes, the oldest first, `LISTED` at most."""
        return await self._database.read(lambda c: _pending(c, member, LISTED))

    async def pending_count(self, member: MemberId) -> int:
        """How many albums are pending for the member, each once."""

        def read(c: Connection) -> int:
            query = f"SELECT COUNT(DISTINCT {_ALBUM}) FROM library_changes WHERE member_id = ? AND outcome IS NULL"  # noqa: S608 - a constant
            count: int = c.execute(query, (member,)).fetchone()[0]
            return count

        return await self._database.read(read)

    async def chunk(self, member: MemberId, after: Key, request: RequestId | None = None) -> list[LibraryChange]:
        """The first pending changes after this one, in the order of the interactions, `CHUNK` at most.

        `request`: only those of this request.
        """
        return await self._database.read(lambda c: _pending(c, member, CHUNK, after, request))

    async def waiting(self) -> tuple[int, datetime | None]:
        """How many changes are pending, of all members, and since when the oldest: one cheap look for the metrics."""

        def read(c: Connection) -> tuple[int, datetime | None]:
            # the index of what is pending leads there; ids are the interactions', so that the least is the oldest
            count, oldest = c.execute(
                "SELECT COUNT(*), MIN(request_id) FROM library_changes WHERE outcome IS NULL"
            ).fetchone()
            row = c.execute("SELECT created_at FROM change_requests WHERE id = ?", (oldest,)).fetchone()
            return count, None if row is None else to_moment(row["created_at"])

        return await self._database.read(read)

    async def begin(self, seen: Iterable[tuple[Key, AlbumId | None, bool]]) -> dict[Key, Outcome]:
        """Note, before the write, which album a change means (None: that is stored already) and whether it was saved.

        What an earlier attempt noted stays, since that attempt may have been carried out. Returned: the changes
        that must not be carried out, and why: DROPPED, they ended meanwhile or are gone; DUPLICATE, their request names
        the album before; SUPERSEDED, a later change for the opposite exists, or what they undo can't be undone any
        more. They are still to be ended.
        """
        rows = list(seen)
        albums = [(album, *key) for key, album, _ in rows if album is not None]

        def write(c: Connection) -> dict[Key, Outcome]:
            _mean(c, albums)
            unwanted = {key: why for key, *_ in rows if (why := _why_unwanted(c, *key)) is not None}
            c.executemany(
                "UPDATE library_changes SET was_saved = COALESCE(was_saved, ?) WHERE request_id = ? AND position = ?",
                [(int(was_saved), *key) for key, _, was_saved in rows if key not in unwanted],
            )
            return unwanted

        # Lost in a power cut, these cost a word ("was there already"), never a change.
        return await self._database.write(write, key=_KEY, durable=False)

    async def not_carried_out(self, keys: Iterable[Key]) -> None:
        """Forget what was noted before a write that certainly did not happen."""
        rows = list(keys)
        await self._database.write(
            lambda c: c.executemany(
                "UPDATE library_changes SET was_saved = NULL WHERE request_id = ? AND position = ? AND outcome IS NULL",
                rows,
            ),
            # Lost in a power cut, it costs a word: see begin().
            durable=False,
        )

    async def end(self, endings: Iterable[Ending], now: datetime) -> list[ChangeRequest]:
        """Note what came of changes; the requests that are ended by it, whole."""
        ended = list(endings)
        rows = [
            (str(end.outcome), end.detail, json.dumps(end.choices) if end.choices else None, *end.key) for end in ended
        ]
        albums = [(end.album_id, *end.key) for end in ended if end.album_id is not None]

        def write(c: Connection) -> list[ChangeRequest]:
            _mean(c, albums)
            c.executemany(
                "UPDATE library_changes SET outcome = ?, detail = ?, choices = ?"
                " WHERE request_id = ? AND position = ? AND outcome IS NULL",
                rows,
            )
            return self._ended_in(c, {id_ for *_, id_, _ in rows}, now)

        # Lost in a power cut, it is done again, which changes nothing.
        return await self._database.write(write, key=_KEY, durable=False)

    async def drop(
        self, member: MemberId, now: datetime, *, is_busy: bool, request: RequestId | None = None
    ) -> tuple[int, int, list[ChangeRequest]]:
        """End the pending changes of a member; how many albums it was, how many were left, and the requests that ended.

        `request`: only those of this one. `is_busy`: leave those that are noted for a write, which may be on its way.
        """

        def write(c: Connection) -> tuple[int, int, list[ChangeRequest]]:
            rows = c.execute(
                "UPDATE library_changes SET outcome = 'dropped' WHERE member_id = ? AND outcome IS NULL"  # noqa: S608 - a constant
                f" AND (was_saved IS NULL OR ? = 0) AND (request_id = ? OR ? IS NULL) RETURNING request_id, {_ALBUM} AS album",
                (member, int(is_busy), request, request),
            ).fetchall()
            left = c.execute(
                f"SELECT COUNT(DISTINCT {_ALBUM}) FROM library_changes WHERE member_id = ? AND outcome IS NULL"  # noqa: S608 - a constant
                " AND (request_id = ? OR ? IS NULL)",
                (member, request, request),
            ).fetchone()[0]
            return (
                len({row["album"] for row in rows}),
                left,
                self._ended_in(c, {row["request_id"] for row in rows}, now),
            )

        return await self._database.write(write, key=_KEY)

    async def give_up(
        self,
        before: datetime,
        now: datetime,
        busy: Iterable[MemberId] = (),
        *,
        waiting_before: datetime | None = None,
    ) -> list[ChangeRequest]:
        """End the changes that have been pending since before `before`; the requests that ended.

        `waiting_before`: the same for members who must link again first, such as those whose consent ended, and for
        those who have done so since `before`.
        `busy`: members whose changes are being carried out. Theirs that are noted for a write are left.
        """
        being_written = set(busy)

        def write(c: Connection) -> list[ChangeRequest]:
            rows = c.execute(
                # from the index of what is pending, so that what ended long ago is not read
                "SELECT w.request_id, w.position, w.member_id, w.was_saved FROM library_changes AS w"
                " JOIN change_requests AS r ON r.id = w.request_id"
                " WHERE w.outcome IS NULL AND r.created_at < ? AND r.ended_at IS NULL"
                " AND (r.created_at < ? OR NOT EXISTS"
                " (SELECT 1 FROM links WHERE links.member_id = r.member_id"
                " AND (links.broken IS NOT NULL OR links.consented_at >= ?)))",
                (to_seconds(before), to_seconds(waiting_before or before), to_seconds(before)),
            ).fetchall()
            given_up = [
                (row["request_id"], row["position"])
                for row in rows
                if row["was_saved"] is None or row["member_id"] not in being_written
            ]
            c.executemany(
                "UPDATE library_changes SET outcome = 'given up' WHERE request_id = ? AND position = ?", given_up
            )
            return self._ended_in(c, {id_ for id_, _ in given_up}, now)

        return await self._database.write(write, key=_KEY)

    async def purge(self, before: datetime) -> None:
        """Delete the requests that ended before `before`: from then on there is no Undo for them."""
        await self._database.write(
            lambda c: c.execute("DELETE FROM change_requests WHERE ended_at < ?", (to_seconds(before),))
        )

    async def get(self, id_: RequestId) -> ChangeRequest | None:
        """A request with its changes."""
        return await self._database.read(lambda c: self._request(c, id_))

    # -- what the member is told

    async def answered(
        self,
        id_: RequestId,
        now: datetime,
        *,
        arrived: bool,
        tells_end: bool,
        pages: Pages | None = None,
        tells_held: str | None = None,
    ) -> None:
        """The command has answered, so the outbox tells from now on what the answer did not.

        `arrived`: its message is there; `tells_end`: it said what came of the whole request; `tells_held`: why the
        member must link again first. `pages`: which of its messages arrived, None: all.
        """

        def write(c: Connection) -> None:
            is_over = int(arrived and tells_end and pages is None)
            rows = c.execute(
                "UPDATE change_requests SET told = CASE WHEN ? = 1 THEN 'yes' ELSE told END,"
                " interaction_token_sealed = CASE WHEN ? = 1 THEN NULL ELSE interaction_token_sealed END,"
                " answer = CASE WHEN ? = 1 OR answer = 'arrived' THEN 'arrived' ELSE 'lost' END"
                " WHERE id = ? RETURNING ended_at, told",
                (is_over, is_over, int(arrived), id_),
            ).fetchall()
            if rows and rows[0]["ended_at"] is not None and rows[0]["told"] is None:
                self._tell_in(c, id_, now, pages if arrived and tells_end else None)
            elif rows and arrived and tells_held is not None:
                self._tell_held_in(c, id_, tells_held, now, is_told=True)

        await self._database.write(write, key=_KEY, durable=False)

    async def tell_held(self, id_: RequestId, reason: str, now: datetime) -> None:
        """Store a message that says why a request stays pending, once for a link; nothing when it has ended."""
        await self._database.write(lambda c: self._tell_held_in(c, id_, reason, now), key=_KEY)

    def _tell_held_in(
        self, c: Connection, id_: RequestId, reason: str, now: datetime, *, is_told: bool = False
    ) -> None:
        row = c.execute("SELECT * FROM change_requests WHERE id = ?", (id_,)).fetchone()
        if row is None or row["ended_at"] is not None:
            return
        link = link_row(c, row["member_id"])
        subject = f"{id_}:{reason}:{0 if link is None else link['consented_at']}"
        address = self._address(row, or_directly=True)
        message = Message(HELD_MESSAGE, subject, address, {"request": id_, "reason": reason}, row["locale"])
        self._outbox.put(c, message, now, is_told=is_told)

    async def address(self, id_: RequestId) -> Address | None:
        """Where the member is told about a request now; None: it is gone."""

        def read(c: Connection) -> Address | None:
            row = c.execute("SELECT * FROM change_requests WHERE id = ?", (id_,)).fetchone()
            return None if row is None else self._address(row, or_directly=True)

        return await self._database.read(read)

    async def still_untold(self, ids: Sequence[RequestId]) -> list[RequestId]:
        """Of these, those whose members no answer has told meanwhile."""
        query = "SELECT 1 FROM change_requests WHERE id = ? AND told = 'refused'"
        return await self._database.read(lambda c: [id_ for id_ in ids if c.execute(query, (id_,)).fetchone()])

    def told_by_answer(self, id_: RequestId) -> None:
        """The answer to a request that has ended told everything: noted with the next request, or by `note_answers`."""
        self._told.append(id_)

    async def note_answers(self) -> None:
        """Note what answers told, unless that was done with a request."""
        while told := self._take_told():  # again for what is told while this is stored
            # Lost in a power cut, the outbox edits the answer, which changes nothing that it says.
            await self._noting(told, self._database.write(lambda c: _note_told(c, told), durable=False))

    async def told(self, ids: Sequence[RequestId]) -> None:
        """A later answer told the member what came of these."""
        await self._database.write(lambda c: _note_told(c, ids))

    def _take_told(self) -> list[RequestId]:
        told, self._told = self._told, []
        return told

    async def _noting(self, told: list[RequestId], write: Awaitable[_T]) -> _T:
        """What a job returns that notes what was told. Where it fails, that is still to be noted."""
        try:
            return await write
        except BaseException:
            self._told += told
            raise

    async def tell_again(self, ids: Sequence[RequestId], now: datetime) -> None:
        """The answer that was to tell of these did not arrive: the outbox tries it once more."""

        def write(c: Connection) -> None:
            for id_ in ids:
                row = c.execute(
                    "UPDATE change_requests SET told = NULL WHERE id = ? AND told = 'refused' RETURNING 1", (id_,)
                ).fetchone()
                if row is not None:
                    self._outbox.forget_in(c, OUTCOME_MESSAGE, str(id_))
                    self._tell_in(c, id_, now)

        await self._database.write(write, key=_KEY)

    async def recover(self, now: datetime) -> None:
        """At a start: the commands of the process before answer no more, so the outbox tells."""

        def write(c: Connection) -> None:
            # Some of the answers may have arrived. An edit shows that, and changes nothing that was said.
            rows = c.execute(
                "UPDATE change_requests SET answer = 'arrived' WHERE told IS NULL AND answer = 'awaited'"
                " RETURNING id, ended_at"
            ).fetchall()
            for row in sorted(rows, key=lambda row: row["id"]):
                if row["ended_at"] is not None:
                    self._tell_in(c, row["id"], now)

        await self._database.write(write, key=_KEY)

    async def members_pending(self, after: MemberId, limit: int) -> list[tuple[MemberId, str | None]]:
        """Members with pending changes, by their ids, from after this one on.

        Each with the client id of the app that they are linked through; None: they are not linked.
        """

        def read(c: Connection) -> list[tuple[MemberId, str | None]]:
            rows = c.execute(
                "SELECT m.member_id, links.client_id FROM (SELECT DISTINCT member_id FROM library_changes"
                "  WHERE outcome IS NULL AND member_id > ? ORDER BY member_id LIMIT ?) AS m"
                " LEFT JOIN links ON links.member_id = m.member_id ORDER BY m.member_id",
                (after, limit),
            ).fetchall()
            return [(row["member_id"], row["client_id"]) for row in rows]

        return await self._database.read(read)

    def _tell_in(self, c: Connection, id_: RequestId, now: datetime, sent: Pages | None = None) -> None:
        """Let the outbox tell what came of a request. `sent`: what the answer told of it already."""
        row = c.execute("SELECT * FROM change_requests WHERE id = ?", (id_,)).fetchone()
        is_dropped = not c.execute(
            "SELECT EXISTS (SELECT 1 FROM library_changes WHERE request_id = ?"
            " AND outcome NOT IN ('dropped', 'duplicate', 'ignored'))",
            (id_,),
        ).fetchone()[0]
        # Whoever dropped it knows. Only the promise in its message has to go.
        address = self._address(row, or_directly=not is_dropped)
        if is_dropped and isinstance(address, Direct):
            _told_in(c, str(id_), State.CONFIRMED)
            return
        payload = {"request": id_} if sent is None else {"request": id_, "notes": sent.notes}
        pages_sent = 0 if sent is None else sent.sent
        message = Message(OUTCOME_MESSAGE, str(id_), address, payload, row["locale"], pages_sent=pages_sent)
        self._outbox.put(c, message, now)

    def _address(self, row: Row, *, or_directly: bool) -> Address:
        """Where the member is told about a request."""
        member, sealed = MemberId(row["member_id"]), row["interaction_token_sealed"]
        token = None if sealed is None else self._vault.opened(sealed, member, ANSWER)
        if token is None or row["answer"] != "arrived":
            return Direct(member)
        return Answer(member, token, to_moment(row["created_at"]), or_directly)

    def _untold_in(self, c: Connection, member: MemberId, now: datetime) -> tuple[RequestId, ...]:
        """What the next answer tells: what no direct message could, and what waits for another attempt to send it."""
        rows = c.execute(
            "SELECT id, told FROM change_requests WHERE told = 'refused' AND member_id = ?"
            " UNION ALL SELECT id, told FROM change_requests WHERE told IS NULL AND member_id = ?"
            "  AND ended_at IS NOT NULL AND answer <> 'awaited' ORDER BY id",
            (member, member),
        ).fetchall()
        untold = []
        for row in rows:
            if row["told"] is None:
                if not self._outbox.take_over_in(c, OUTCOME_MESSAGE, str(row["id"]), now):
                    continue
                c.execute("UPDATE change_requests SET told = 'refused' WHERE id = ?", (row["id"],))
            untold.append(RequestId(row["id"]))
        return tuple(untold)

    # -- keeping

    def _ended_in(self, c: Connection, ids: Iterable[RequestId], now: datetime) -> list[ChangeRequest]:
        ended = []
        for id_ in sorted(ids):
            cursor = c.execute(
                "UPDATE change_requests SET ended_at = ? WHERE id = ? AND ended_at IS NULL"
                " AND NOT EXISTS (SELECT 1 FROM library_changes AS w WHERE w.member_id = change_requests.member_id"
                "  AND w.request_id = change_requests.id AND w.outcome IS NULL)",
                (to_seconds(now), id_),
            )
            if not cursor.rowcount:
                continue
            row = c.execute("SELECT * FROM change_requests WHERE id = ?", (id_,)).fetchone()
            ended.append(request := _whole(c, row))
            origin = row["origin"]
            if origin is not None and any(change.outcome is Outcome.SAVED for change in request.changes):
                self._on_saved(c, origin)
            if row["answer"] != "awaited":
                self._tell_in(c, id_, now)
        return ended

    def _request(self, c: Connection, id_: RequestId) -> ChangeRequest | None:
        row = c.execute("SELECT * FROM change_requests WHERE id = ?", (id_,)).fetchone()
        return None if row is None else _whole(c, row)


def _whole(c: Connection, row: Row) -> ChangeRequest:
    """A request with its changes."""
    action = Action(row["action"])
    changes = c.execute(
        f"SELECT {_COLUMNS} FROM library_changes AS w WHERE request_id = ? ORDER BY position",  # noqa: S608 - a constant
        (row["id"],),
    )
    return ChangeRequest(
        id=row["id"],
        member=row["member_id"],
        action=action,
        undoes=row["undoes"],
        undone=row["undone_by"] is not None,
        undone_by=row["undone_by"] or None,  # CLOSED is nobody
        created_at=to_moment(row["created_at"]),
        ended=row["ended_at"] is not None,
        changes=tuple([_change(action, *change) for change in changes]),
        locale=row["locale"],
        in_server=bool(row["in_server"]),
    )


def _new_request(caller: Caller, action: Action, changes: Sequence[NewChange], now: datetime) -> ChangeRequest:
    return ChangeRequest(
        id=caller.interaction_id,
        member=caller.member_id,
        action=action,
        undoes=None,
        undone=False,
        created_at=to_moment(to_seconds(now)),
        ended=all(change.outcome for change in changes),
        changes=tuple(
            LibraryChange(
                request_id=caller.interaction_id,
                position=position,
                action=action,
                kind=change.kind,
                reference=change.reference,
                album_id=AlbumId(change.reference) if change.kind is Kind.ALBUM else None,
                outcome=change.outcome,
                detail=change.detail,
            )
            for position, change in enumerate(changes)
        ),
        locale=caller.locale,
        in_server=caller.guild_id is not None,
    )


def _insert(c: Connection, id_: RequestId, member: MemberId, changes: Sequence[NewChange]) -> None:
    c.executemany(
        "INSERT INTO library_changes (request_id, position, member_id, kind, reference, album_id, outcome, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                id_,
                position,
                member,
                # sqlite3 takes far longer for a subclass of str
                str(change.kind),
                change.reference,
                change.reference if change.kind is Kind.ALBUM else None,
                change.outcome and str(change.outcome),
                change.detail,
            )
            for position, change in enumerate(changes)
        ],
    )


def _mean(c: Connection, albums: Sequence[tuple[AlbumId, RequestId, int]]) -> None:
    """Note which albums changes mean."""
    if albums:  # mostly they are known from the start
        c.executemany(
            "UPDATE library_changes SET album_id = ? WHERE request_id = ? AND position = ? AND outcome IS NULL", albums
        )


def _why_unwanted(c: Connection, id_: RequestId, position: int) -> Outcome | None:
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM library_changes AS later JOIN change_requests AS theirs ON theirs.id = later.request_id"
        "  WHERE later.member_id = library_changes.member_id AND later.album_id = library_changes.album_id"
        "  AND later.request_id > library_changes.request_id AND theirs.action <> mine.action"
        "  AND (later.outcome IS NULL OR later.outcome IN ('saved', 'already', 'removed', 'absent')))"
        " OR EXISTS (SELECT 1 FROM change_requests AS undone WHERE undone.id = mine.undoes AND undone.undone_by <> mine.id),"
        " EXISTS (SELECT 1 FROM library_changes AS twin WHERE twin.member_id = library_changes.member_id"
        "  AND twin.album_id = library_changes.album_id AND twin.request_id = library_changes.request_id"
        "  AND twin.position < library_changes.position)"
        " FROM library_changes JOIN change_requests AS mine ON mine.id = library_changes.request_id"
        " WHERE request_id = ? AND position = ? AND outcome IS NULL",
        (id_, position),
    ).fetchone()
    if row is None:
        return Outcome.DROPPED
    if row[1]:
        return Outcome.DUPLICATE
    return Outcome.SUPERSEDED if row[0] else None


def _note_told(c: Connection, ids: Iterable[RequestId]) -> None:
    c.executemany(
        "UPDATE change_requests SET told = 'yes', interaction_token_sealed = NULL WHERE id = ?",
        [(id_,) for id_ in ids],
    )


def _told_in(c: Connection, subject: str, state: State) -> None:
    """The outbox has ended the message about a request. GIVEN_UP: it was dropped, and its message is gone."""
    c.execute(
        "UPDATE change_requests SET told = ?, interaction_token_sealed = NULL WHERE id = ?",
        ("refused" if state is State.REFUSED else "yes", int(subject)),
    )


def _has_pending_beside(c: Connection, member: MemberId, request: RequestId) -> bool:
    """Whether changes of other requests of the member are pending."""
    query = "SELECT 1 FROM library_changes WHERE member_id = ? AND outcome IS NULL AND request_id <> ? LIMIT 1"
    return c.execute(query, (member, request)).fetchone() is not None


def _pending(
    c: Connection, member: MemberId, limit: int, after: tuple[int, int] = (0, -1), request: RequestId | None = None
) -> list[LibraryChange]:
    rows = c.execute(
        f"SELECT r.action, {_COLUMNS} FROM library_changes AS w JOIN change_requests AS r ON r.id = w.request_id"  # noqa: S608 - a constant
        " WHERE w.member_id = ? AND w.outcome IS NULL AND w.request_id BETWEEN ? AND ?"
        " AND (w.request_id, w.position) > (?, ?) ORDER BY w.request_id, w.position LIMIT ?",
        (member, after[0], 2**63 - 1 if request is None else request, *after, limit),
    )
    return [_change(Action(action), *columns) for action, *columns in rows]


def _change(
    action: Action,
    request_id: RequestId,
    position: int,
    kind: str,
    reference: str,
    album_id: AlbumId | None,
    was_saved: int | None,
    outcome: str | None,
    detail: str | None,
    choices: str | None,
) -> LibraryChange:
    """A change from `_COLUMNS`: by their places, since their names would have to be looked up."""
    return LibraryChange(
        request_id,
        position,
        action,
        Kind(kind),
        reference,
        album_id,
        None if was_saved is None else bool(was_saved),
        None if outcome is None else Outcome(outcome),
        detail,
        tuple(json.loads(choices)) if choices else (),
    )
