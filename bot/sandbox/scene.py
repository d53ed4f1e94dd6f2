"""What the demo's page shows beside the chat: the members, their libraries and messages, and the world. Plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any

import simcord

from bot.sandbox.components import Json, flatten
from bot.sandbox.reading import Reader
from bot.sandbox.spotify_server.state import Account
from bot.sandbox.stage import CURATOR, Stage
from bot.sandbox.switches import Switches
from bot.storage.links import Link

SHELF = 24
"""How many albums of a library are shown."""
MESSAGES = 12
"""How many messages of a member, or of a thread, are shown."""
_ROW, _BUTTON, _LINK_STYLE = 1, 2, 5


class Scene:
    """Reads the stage. `passing`: what the clock is doing, if it is being moved."""

    def __init__(self, stage: Stage, switches: Switches) -> None:
        self._stage = stage
        self._switches = switches
        self._run = token_hex(4)
        self.passing: str | None = None
        self._links: Mapping[int, Link] = {}

    async def look(self) -> None:
        """See who is linked now: what the bot says, and not what Spotify allows it."""
        links = self._stage.services.storage.links
        found = [await links.get(member.id) for member in self._stage.members.values()]
        self._links = {link.member_id: link for link in found if link is not None}

    def state(self) -> Json:
        """Everything that can change. `run`: another one after a restart of the demo."""
        return {
            "run": self._run,
            "clock": self.clock(),
            "passing": self.passing,
            "mood": self._switches.mood.value,
            "members": [self._member(name, member) for name, member in self._stage.members.items()],
            "threads": [*self._threads()],
        }

    def clock(self) -> str:
        """The time in the demo, in UTC."""
        now = self._stage.clock.now()
        return f"{now:%a} {now.day} {now:%b %Y, %H:%M} UTC"

    def _member(self, name: str, member: simcord.MemberActor) -> Json:
        link = self._links.get(member.id)
        account = self._account(name, link)
        shelf = self._stage.spotify.shelf(account)
        return {
            "id": str(member.id),
            "name": name,
            "account": account.name,
            "accountId": account.id,
            "curates": name == CURATOR,
            "linked": link is not None,
            "broken": link is not None and link.broken is not None,
            "listed": self._switches.is_listed(account.id),
            "takesMessages": self._switches.takes_messages(member),
            "count": len(shelf),
            "albums": [
                {
                    "id": album.id,
                    "title": album.title,
                    "by": album.by,
                    "year": album.release_date[:4],
                    "cover": album.cover,
                }
                for album, _ in shelf[:SHELF]
            ],
            "messages": self._direct_messages(member),
        }

    def _account(self, name: str, link: Link | None) -> Account:
        """The account that a member linked, else the one with their name."""
        accounts = self._stage.spotify.accounts
        linked = (each for each in accounts.values() if link is not None and each.account_id == link.account_id)
        return next(linked, accounts[name.lower()])

    def _direct_messages(self, member: simcord.MemberActor) -> list[Json]:
        channel = self._stage.env.backend.dm_channels.get(member.id)
        return [] if channel is None else self._messages(channel, member.id)

    def _threads(self) -> Iterator[Json]:
        """The threads of the channel, the oldest first."""
        backend = self._stage.env.backend
        for channel in sorted(backend.channels.values(), key=lambda each: each.id):
            if channel.is_thread and channel.parent_id == self._stage.channel.id:
                yield {"id": str(channel.id), "name": channel.name or "", "messages": self._messages(channel.id, None)}

    def _messages(self, channel: int, viewer: int | None) -> list[Json]:
        """The last messages of a channel, the newest first."""
        messages = sorted(self._stage.env.backend.messages.get(channel, {}).values(), key=lambda each: -each.id)
        seen = [message for message in messages if message.visible_to(viewer)]
        return [self._message(message) for message in seen[:MESSAGES]]

    def _message(self, message: Any) -> Json:
        reader = self._reader()
        lines = [*reader.lines(_without_buttons(message.components))]
        if message.content:
            lines = [*(reader.text(line) for line in message.content.splitlines()), *lines]
        author = self._names().get(message.author_id, "somebody")
        return {
            "id": str(message.id),
            "by": author,
            "at": message.timestamp[11:16],
            "lines": [line for line in lines if line],
            "buttons": [
                {"label": part["label"], "url": part.get("url"), "customId": part.get("custom_id")}
                for part in flatten(message.components)
                if part.get("type") == _BUTTON and part.get("label") and not part.get("disabled")
            ],
        }

    def _reader(self) -> Reader:
        return Reader(self._names(), self._stage.clock.now())

    def _names(self) -> Mapping[int, str]:
        backend = self._stage.env.backend
        people = {user.id: user.global_name or user.name for user in backend.users.values()}
        channels = {channel.id: channel.name or "" for channel in backend.channels.values()}
        return people | channels


def _without_buttons(components: Sequence[Json]) -> list[Json]:
    """The same without rows of buttons and buttons beside a text: the page draws them itself."""
    kept = []
    for part in components:
        if part.get("type") == _ROW:
            continue
        copy = {name: value for name, value in part.items() if name != "accessory"}
        if "components" in copy:
            copy["components"] = _without_buttons(copy["components"])
        kept.append(copy)
    return kept
