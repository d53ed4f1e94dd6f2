"""The switches of the demo's world: how Spotify does, who is on the app's list, and whose messages are closed."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import simcord

from bot.sandbox.faults import FAULTS, api
from bot.sandbox.spotify_server import SpotifyServer

_DAY_S = 86_400
_LATER = api(429, "API rate limit exceeded", retry_after="300")


class Mood(StrEnum):
    """How Spotify answers."""

    WORKS = "works"
    DOWN = "down"
    LATER = "later"
    LIMIT = "limit"


class Switches:
    """What a person can change in the demo's world while the bot runs."""

    def __init__(self, env: simcord.Env, spotify: SpotifyServer) -> None:
        self._env = env
        self._spotify = spotify
        self._closed: dict[int, dict[str, Any]] = {}
        self.mood = Mood.WORKS

    def set_mood(self, mood: Mood) -> None:
        """Let Spotify work, be down, ask for patience, or say that the app's calls of the day are used up."""
        spotify, app = self._spotify, self._spotify.app
        spotify.clear_faults()
        app.quota = None
        self.mood = mood
        match mood:
            case Mood.DOWN:
                for path in ("/v1*", "/api/*"):
                    spotify.fault(path=path, times=None, **FAULTS["unavailable"])
            case Mood.LATER:
                spotify.fault(path="/v1*", times=None, **_LATER)
            case Mood.LIMIT:
                if self._is_new_day():
                    app.day_began_at, app.calls_of_day = spotify.clock(), 0
                app.quota = app.calls_of_day

    def look(self) -> None:
        """After the clock moved: a new day ends the daily limit."""
        if self.mood is Mood.LIMIT and self._is_new_day():
            self.set_mood(Mood.WORKS)

    def list_account(self, account: str, is_listed: bool) -> None:
        """Put an account on the app's list, or take it off."""
        self._spotify.accounts[account].allowlisted = is_listed

    def is_listed(self, account: str) -> bool:
        """Whether Spotify serves this account through the app."""
        return self._spotify.accounts[account].allowlisted

    def open_messages(self, member: simcord.MemberActor, is_open: bool) -> None:
        """Let a member take direct messages from the bot, or refuse them."""
        faults = self._env.backend.faults
        if is_open and (fault := self._closed.pop(member.id, None)) is not None:
            faults[:] = [each for each in faults if each is not fault]
        elif not is_open and member.id not in self._closed:
            channel = self._env.backend.get_dm_channel(member.id)
            self._env.inject_error(
                "POST",
                f"/channels/{channel.id}/messages",
                status=403,
                code=50007,
                message="Cannot send messages to this user",
                times=None,
            )
            self._closed[member.id] = faults[-1]

    def takes_messages(self, member: simcord.MemberActor) -> bool:
        """Whether the bot can write to a member directly."""
        return member.id not in self._closed

    def _is_new_day(self) -> bool:
        began_at = self._spotify.app.day_began_at
        return not math.isfinite(began_at) or self._spotify.clock() >= began_at + _DAY_S
