"""A Discord event for the next club hour, where the club wants one: made, moved and taken away.

An event carries no nonce. So the server's events are read first, and the club's own is known by who made it, its
name and its place: doing this twice makes one event.
https://discord.com/developers/docs/resources/guild-scheduled-event
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import discord
import structlog

from bot.chat.messages import Failure, Messages
from bot.chat.words import AllWords
from bot.clubs import AlbumClubs, NoSuchClub
from bot.curation.ids import ClubId
from bot.schedule import NotYet
from bot.storage.clubs import StoredClub

LENGTH = timedelta(hours=1)
EXTERNAL, SERVER_ONLY = 3, 2
_log = structlog.get_logger("gatefold.chat")


class Events:
    """Keeps the clubs' events in step with their club hours."""

    def __init__(
        self,
        clubs: AlbumClubs,
        client: discord.Client,
        messages: Messages,
        words: AllWords,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._clubs = clubs
        self._client = client
        self._messages = messages
        self._words = words
        self._now = now

    async def show(self, key: str, due_at: datetime) -> None:
        """Let the server's event of a club say when its next club hour is. NotYet: it is tried again."""
        club_id, _, left = key.partition(":")
        try:
            stored = await self._clubs.get(ClubId(int(club_id)))
        except NoSuchClub:
            return
        places = {_place(stored.guild_id, stored.channel_id)}
        if left:
            places.add(_place(stored.guild_id, int(left)))
        try:
            await self._show(stored, places)
        except Failure as failure:
            if not failure.is_final:
                raise NotYet(failure.code, failure.retry_s) from None
            _log.warning("an event was not made", error=failure.code)
            await self._clubs.channels.refused(stored, "event")

    async def _show(self, stored: StoredClub, places: Collection[str]) -> None:
        http, guild_id = self._client.http, stored.guild_id
        listed = await self._messages.call(lambda: http.get_scheduled_events(guild_id, with_user_count=False))
        ours = [event for event in listed if self._is_ours(event, stored.name, places)]
        club = stored.club
        is_wanted = club.settings.event and club.paused_at is None and club.club_hour_at > self._now()
        for event in ours[1:] if is_wanted else ours:
            await self._messages.call(partial(http.delete_scheduled_event, guild_id, event["id"]))
        if not is_wanted:
            return
        facts = self._facts(stored)
        if not ours:
            await self._messages.call(lambda: http.create_guild_scheduled_event(guild_id, **facts))
        elif (datetime.fromisoformat(ours[0]["scheduled_start_time"]), _place_of(ours[0])) != (
            club.club_hour_at,
            _place(guild_id, stored.channel_id),
        ):
            await self._messages.call(lambda: http.edit_scheduled_event(guild_id, ours[0]["id"], **facts))

    def _is_ours(self, event: Mapping[str, Any], name: str, places: Collection[str]) -> bool:
        is_ours = self._client.user is not None and str(event.get("creator_id")) == str(self._client.user.id)
        # status 1: it has not begun
        return is_ours and event.get("status") == 1 and event["name"] == name and _place_of(event) in places

    def _facts(self, stored: StoredClub) -> dict[str, Any]:
        t, hour = self._words(stored.locale).t, stored.club.club_hour_at
        return {
            "name": stored.name,
            "description": t("The club hour: what you thought of the last album, and the next one."),
            "scheduled_start_time": hour.isoformat(),
            "scheduled_end_time": (hour + LENGTH).isoformat(),
            "privacy_level": SERVER_ONLY,
            "entity_type": EXTERNAL,
            "entity_metadata": {"location": _place(stored.guild_id, stored.channel_id)},
        }


def _place(guild_id: int, channel_id: int) -> str:
    return f"https://discord.com/channels/{guild_id}/{channel_id}"


def _place_of(event: Mapping[str, Any]) -> str | None:
    place: str | None = (event.get("entity_metadata") or {}).get("location")
    return place
