"""The thread under an announcement. Opening one twice gives the same thread, so a restart opens no second one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from bot.chat import parts
from bot.chat.cards import Card, Kind
from bot.chat.club.names import Names, note_of, short_name
from bot.chat.messages import Failure, Messages
from bot.chat.parts import Part
from bot.chat.words import AllWords, Words
from bot.clubs import AlbumClubs
from bot.curation.ids import ClubId, RoundNumber
from bot.schedule import NotYet

_GONE = {10003, 10008}
"""Somebody deleted the channel, or the announcement: there is nothing to open a thread under."""
_log = structlog.get_logger("gatefold.chat")


class Threads:
    """Opens threads, and draws their first message."""

    def __init__(self, clubs: AlbumClubs, names: Names, messages: Messages, words: AllWords) -> None:
        self._clubs = clubs
        self._names = names
        self._messages = messages
        self._words = words

    async def open(self, subject: str, due_at: datetime) -> None:
        """Open the thread under a post; the nominator's note is its first message. NotYet: it is tried again."""
        found = await self._clubs.channels.announcement(subject)
        if found is None:
            return
        post, view = found
        if post.message_id is None or view.round.album_id is None:
            return
        words = self._words(view.stored.locale)
        albums = await self._names.of([view.round.album_id])
        name = short_name(words, albums, view.round.album_id, 100)
        try:
            thread_id = await self._messages.open_thread(post.channel_id, post.message_id, name)
        except Failure as failure:
            if not failure.is_final:
                raise NotYet(failure.code, failure.retry_s) from None
            _log.warning("a thread was not opened", error=failure.code)
            if failure.code not in _GONE:
                await self._clubs.channels.refused(view.stored, "thread")
            return
        await self._clubs.channels.opened_thread(post, thread_id, view)

    async def draw_note(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """The first message of a thread: the picker's or nominator's note; none without one."""
        view = await self._clubs.view(ClubId(payload["club"]), RoundNumber(payload["round"]))
        note = "" if view is None else note_of(view.round.note)
        if view is None or not note:
            return []
        items: list[Part] = [parts.text(note)]
        if view.round.chosen_by is not None:
            items.append(parts.text(f"-# <@{view.round.chosen_by}>"))
        return [Card(*items, kind=Kind.CLUB)]
