"""Past rounds of a club from its earlier spreadsheet: those of an import come at once, and go at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bot.albums import AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.curation.imported import imported
from bot.files.club_rows import ClubSheet
from bot.storage import Storage
from bot.storage.club_imports import ClubImport, FoundAlbum, ImportState
from bot.storage.clubs import StoredClub
from bot.storage.engine import Connection
from bot.storage.outbox import Answer, Direct, Message
from bot.storage.ratings import Rating

IMPORT = "club import"
"""The kind of the timers that go on with an import, and of the messages that tell how far it is."""
ALREADY, NOT_SEARCHED = "already had", "not searched"
"""Why a row becomes nothing: the club has had this album; nobody's access to Spotify was at hand."""
FIRST_STEP = timedelta(seconds=15)
"""When an import begins in any case. Mostly it begins once the answer to the Start button has arrived."""


class PastRounds:
    """Starts, finishes and undoes imports."""

    def __init__(self, storage: Storage, now: Callable[[], datetime]) -> None:
        self._storage = storage
        self._imports = storage.club_imports
        self._now = now

    async def begin(self, caller: Caller, id_: RequestId) -> bool:
        """Begin an import that was asked about; False: it was answered before, or is gone."""

        def write(c: Connection) -> bool:
            now = self._now()
            begins = self._imports.begin_in(c, id_, caller.member_id, caller.interaction_token, now)
            if begins:
                self._storage.timers.put(c, IMPORT, key_of(id_), now + FIRST_STEP)
            return begins

        return await self._storage.database.write(write, key="clubs")

    async def hurry(self, id_: RequestId) -> None:
        """Let an import that runs go on now."""

        def write(c: Connection) -> None:
            if self._storage.timers.get_in(c, IMPORT, key_of(id_)) is not None:
                self._storage.timers.put(c, IMPORT, key_of(id_), self._now())

        await self._storage.database.write(write, key="clubs", durable=False)

    async def stop(self, id_: RequestId) -> bool:
        """Stop an import that runs. No round has come of it yet. False: it does not run."""

        def write(c: Connection) -> bool:
            one = self._imports.get_in(c, id_)
            if one is None or one.state is not ImportState.RUNNING:
                return False
            self._imports.end_in(c, id_, ImportState.STOPPED, 0, self._now())
            self._storage.timers.remove(c, IMPORT, key_of(id_))
            return True

        return await self._storage.database.write(write, key="clubs")

    async def note(self, one: ClubImport, found: Mapping[int, FoundAlbum], done: int, total: int) -> None:
        """Note the albums of rows, and let the message show how far the import is: `done` of `total` rows."""
        await self._imports.note(one.id, found)

        def write(c: Connection) -> None:
            address = self._imports.answer_in(c, one.id, self._now())
            if address is not None:
                payload = {"import": one.id, "done": done, "total": total}
                message = Message(IMPORT, f"{one.id}:{done}", address, payload, one.locale)
                self._storage.outbox.put(c, message, self._now())

        await self._storage.database.write(write, key="clubs", durable=False)

    async def finish(self, id_: RequestId, sheet: ClubSheet) -> None:
        """All albums were looked for: the rounds are stored, and the curator is told. Doing it again changes nothing."""

        def write(c: Connection) -> None:
            now, one = self._now(), self._imports.get_in(c, id_)
            stored = None if one is None else self._storage.clubs.get_in(c, one.club_id)
            if one is None or stored is None or one.state is not ImportState.RUNNING:
                return
            albums = self._new_albums_in(c, stored, self._imports.found_in(c, id_))
            rounds = [*imported(sheet, albums, one.people, self._imports.lowest_in(c, stored.id))]
            for each in rounds:
                number = each.round.number
                self._imports.add_round_in(c, id_, stored.id, each.round)
                if each.theme:
                    self._storage.clubs.set_theme_in(c, stored.id, number, each.theme)
                for member, score in each.scores:
                    rating = Rating(number, member, score, "", is_named=False)
                    self._storage.ratings.put_in(c, stored.id, rating, each.round.opened_at)
            # before the token is deleted
            self._tell_end_in(c, one, len(rounds), now)
            self._imports.end_in(c, id_, ImportState.DONE, len(rounds), now)
            if one.member_id is not None and rounds:
                self._storage.clubs.log_in(c, stored.id, one.member_id, "import", {"rounds": len(rounds)}, now)

        await self._storage.database.write(write, key="clubs")

    async def undo(self, id_: RequestId, curator: MemberId) -> int | None:
        """Delete the rounds of an import with their scores, and nothing else; how many, None: it was undone before."""

        def write(c: Connection) -> int | None:
            now, one = self._now(), self._imports.get_in(c, id_)
            if one is None or one.state is not ImportState.DONE:
                return None
            gone = len(self._imports.remove_rounds_in(c, id_))
            self._imports.end_in(c, id_, ImportState.UNDONE, one.rounds, now)
            self._storage.clubs.log_in(c, one.club_id, curator, "import undone", {"rounds": gone}, now)
            return gone

        gone = await self._storage.database.write(write, key="clubs")
        if gone:
            await self._storage.database.truncate_log()
        return gone

    def _new_albums_in(self, c: Connection, stored: StoredClub, found: Mapping[int, FoundAlbum]) -> dict[int, AlbumId]:
        """The albums that the club has not had. An album may come on several days of one spreadsheet."""
        had = {one.album_id for one in self._storage.clubs.past_in(c, stored.id)}
        if stored.club.listening is not None and stored.club.listening.album_id is not None:
            had.add(stored.club.listening.album_id)
        return {line: one.album_id for line, one in found.items() if one.album_id and one.album_id not in had}

    def _tell_end_in(self, c: Connection, one: ClubImport, rounds: int, now: datetime) -> None:
        if one.member_id is None:
            return
        address: Answer | Direct = self._imports.answer_in(c, one.id, now, or_directly=True) or Direct(one.member_id)
        payload = {"import": one.id, "rounds": rounds}
        self._storage.outbox.put(c, Message(IMPORT, f"{one.id}:end", address, payload, one.locale), now)


def key_of(id_: RequestId) -> str:
    """The key of an import's timer: no bare number, since such keys are ids of members."""
    return f"import {id_}"


def id_of(key: str) -> RequestId:
    """The import that a timer's key names."""
    return RequestId(int(key.removeprefix("import ")))
