"""Imports at work: the albums of a spreadsheet are looked for, a few at a time, until its rounds can be stored.

What was found is stored, so a restart goes on where it was. A row costs no call to Spotify if it has an album's link,
and one search (rarely two) if it has words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.albums import Album, AlbumRef, SearchText, fold
from bot.caller import MemberId, RequestId
from bot.changes import Outcome
from bot.chat.cards import Card
from bot.chat.club import import_words
from bot.chat.club.importing import progress, read, report
from bot.chat.sharing import as_text
from bot.chat.words import Words
from bot.clubs.past_rounds import ALREADY, NOT_SEARCHED, PastRounds, id_of
from bot.errors import Refused, StorageUnavailable, TryLater, UserError
from bot.files.club_rows import ClubSheet, SheetRound
from bot.files.exports import ImportFailure
from bot.library.finder import AlbumFinder, NotFound
from bot.storage.club_imports import ClubImport, ClubImports, FoundAlbum, ImportState
from bot.storage.clubs import Clubs

AT_A_TIME, PAUSE_S = 10, 2.0
"""Albums that are looked for at a time, and the pause after them, in which others are served."""
RETRY_S = 30.0
"""The pause after Spotify did not answer."""
NOBODY = MemberId(0)

_log = structlog.get_logger("gatefold.chat")


class ImportSteps:
    """Goes on with imports, and draws how far they are."""

    def __init__(
        self,
        imports: ClubImports,
        clubs: Clubs,
        past_rounds: PastRounds,
        finder: AlbumFinder,
        now: Callable[[], datetime],
    ) -> None:
        self._imports = imports
        self._clubs = clubs
        self._past_rounds = past_rounds
        self._finder = finder
        self._now = now
        # The file that was read last: it may take a second, and is needed for every few albums.
        self._last: tuple[RequestId, ClubSheet] | None = None

    async def step(self, key: str, due_at: datetime) -> datetime | None:
        """Look for a few albums; when to go on, None: it is over."""
        one = await self._imports.get(id_of(key))
        if one is None or one.state is not ImportState.RUNNING:
            return None
        if one.file is None:  # restored from a backup, which leaves files out
            await self._past_rounds.stop(one.id)
            return None
        sheet = await self._sheet(one)
        found = await self._imports.found(one.id)
        new: dict[int, FoundAlbum] = {}
        same = {row.reference: found[row.line] for row in sheet.rounds if row.line in found}
        rows = [row for row in sheet.rounds if row.line not in found]
        next_at = self._now() + timedelta(seconds=PAUSE_S)
        searched = 0
        for row in rows:
            if searched >= AT_A_TIME:
                break
            if row.reference not in same:
                searched += not isinstance(row.reference, AlbumRef)
                try:
                    same[row.reference] = await self._album(one.member_id or NOBODY, row)
                except TryLater as error:
                    next_at = max(self._now() + timedelta(seconds=RETRY_S), error.until or self._now())
                    break
            new[row.line] = same[row.reference]
        if len(new) < len(rows):
            await self._past_rounds.note(one, new, len(found) + len(new), len(sheet.rounds))
            return next_at
        await self._imports.note(one.id, new)
        await self._past_rounds.finish(one.id, sheet)
        return None

    async def _sheet(self, one: ClubImport) -> ClubSheet:
        if self._last is None or self._last[0] != one.id:
            self._last = (one.id, await read(one))
        return self._last[1]

    async def _album(self, member: MemberId, row: SheetRound) -> FoundAlbum:
        """The album of a row. TryLater."""
        reference = row.reference
        if isinstance(reference, AlbumRef) and not reference.words:
            return FoundAlbum(reference.id)
        text = reference.text if isinstance(reference, SearchText) else as_text(reference)
        try:
            album = await self._finder.find(member, text)
        except (TryLater, StorageUnavailable):
            raise
        except Refused:
            return FoundAlbum(None, Outcome.NO_ALBUM)
        except UserError as error:  # nobody is linked, or Spotify does not serve the app
            _log.info("an album of a spreadsheet was not looked up", error=type(error).__name__)
            return FoundAlbum(None, NOT_SEARCHED)
        if isinstance(album, NotFound):
            return _edition(album)
        return FoundAlbum(album.id)

    async def draw(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """How far an import is, or what came of it. No cards: it is gone, or was stopped."""
        one = await self._imports.get(RequestId(payload["import"]))
        stored = None if one is None else await self._clubs.get(one.club_id)
        if one is None or stored is None:
            return []
        if "done" in payload:
            is_shown = one.state is ImportState.RUNNING
            return [progress(words, one, payload["done"], payload["total"])] if is_shown else []
        failures = [] if one.file is None else await self._failures(words, one, await self._sheet(one))
        self._last = None
        return [report(words, stored.name, one, payload["rounds"], failures)]

    async def _failures(self, words: Words, one: ClubImport, sheet: ClubSheet) -> list[ImportFailure]:
        """The rows that became no rounds, in the file's order."""
        found = await self._imports.found(one.id)
        imported = await self._imports.albums_of(one.id)
        failures = [
            ImportFailure(row.text[:300], row.why, import_words.why_not(words, row.why), row.line)
            for row in sheet.skipped
        ]
        for row in sheet.rounds:
            what = found.get(row.line)
            if what is None or what.album_id in imported:
                continue
            why = what.why or ALREADY
            failures.append(
                ImportFailure(row.typed, why.replace(" ", "_"), import_words.not_found(words, why), row.line)
            )
        return sorted(failures, key=lambda failure: failure.at)


def _edition(found: NotFound) -> FoundAlbum:
    """Of several editions of one album the first, which Spotify thinks the likeliest; else why there is none."""
    titles = {(_plain_title(album), fold(album.artists[0]) if album.artists else "") for album in found.offers}
    if found.outcome is Outcome.OFFERED and len(titles) == 1:
        return FoundAlbum(found.offers[0].id)
    return FoundAlbum(None, found.outcome)


def _plain_title(album: Album) -> str:
    """A title without what tells editions apart: "Blue (Remastered)", "Blue [Deluxe]", "Blue - 2021 Remaster"."""
    title = fold(album.title)
    for mark in (" (", " [", " - "):
        title = title.partition(mark)[0]
    return title
