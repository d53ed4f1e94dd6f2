"""Discord's REST, and what people do there, before its gateway."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import count
from secrets import token_hex
from typing import Any, Literal, Unpack
from urllib.parse import parse_qsl

from aiohttp import BasicAuth, web

from bot.sandbox.components import flatten
from tests.discord_wire.gateway import GUILD_MESSAGES, MESSAGE_CONTENT, PRIVILEGED_INTENTS, Gateway
from tests.discord_wire.messages import (
    BUTTON,
    COMPONENTS_V2,
    FILE,
    MESSAGE,
    Json,
    choice_flaws,
    message_flaws,
    modal_flaws,
    numbered,
)
from tests.discord_wire.records import Bell, Fault, Place, Refused, Where, WireFile, WireInteraction, WireRequest

Answer = tuple[int, Any] | None
Stage = Literal["before", "after"]
_dump = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode

ANSWER_WITHIN_S, TOKEN_LIVES_S, NONCE_LIVES_S = 3.0, 900.0, 120.0
SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 6, 1 << 7, 1 << 12

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
# Which callbacks each kind of interaction takes.
CALLBACKS = {COMMAND: {4, 5, 9, 12}, COMPONENT: {4, 5, 6, 7, 9, 12}, AUTOCOMPLETE: {8}, MODAL: {4, 5, 6, 7}}

# fmt: off
MEMBER: Json = {
    "roles": [], "flags": 0, "nick": None, "avatar": None, "permissions": "2248473465835073",
    "pending": False, "joined_at": "2024-01-01T00:00:00+00:00", "premium_since": None, "deaf": False,
    "mute": False,
}
# fmt: on


class DiscordWire(Gateway):
    """One Discord with one bot. What it saw is in its public attributes; `problems` should stay empty."""

    GUILD, CHANNEL, GROUP = 613425648685547541, 613425648685547545, 613425648685547549
    OWNER, TEAM = 1, 2

    def __init__(
        self,
        application_id: int,
        bot_token: str,
        *,
        client_secret: str = "wire-client-secret",
        shards: int = 1,
        clock: Callable[[], float] = time.monotonic,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        """`answer_within_s`: more than Discord allows where a bot runs under an instrument that slows it down."""
        self._users: dict[int, Json] = {}
        bot = self._user(application_id, "gatefold") | {"bot": True, "global_name": None}
        super().__init__(application_id, bot_token, bot)
        self.guilds = {self.GUILD}
        self.shards, self._clock, self._client_secret = shards, clock, client_secret
        self._answer_within_s = answer_within_s
        self.api_url = self.cdn_url = ""
        # what is kept at the file host, by its path: files of members and of the bot
        self.files: dict[str, WireFile] = {}
        self.downloads: list[str] = []
        self.secrets: set[str] = {bot_token, client_secret}
        self.requests: list[WireRequest] = []
        self.unknown: list[WireRequest] = []
        self.problems: list[str] = []
        self.invalid_requests = 0
        # what the developer portal has about the app
        self.redirect_uris: list[str] = []
        self.interactions_endpoint_url: str | None = None
        self.installs: Json = {
            "0": {"oauth2_install_params": {"scopes": ["applications.commands", "bot"], "permissions": "0"}},
            "1": {"oauth2_install_params": {"scopes": ["applications.commands"], "permissions": "0"}},
        }
        self.commands: dict[int | None, list[Json]] = {}
        self.interactions: dict[str, WireInteraction] = {}
        self.messages: dict[str, Json] = {}
        self.direct_messages: dict[int, list[Json]] = {}
        self.channel_messages: dict[int, list[Json]] = {}
        self.refuses_direct_messages: set[int] = set()
        # Threads by their ids, which are those of the messages that they hang under.
        self.threads: dict[str, Json] = {}
        # Threads that members opened: the channel of each.
        self.member_threads: dict[int, int] = {}
        # The server's events by their ids.
        self.scheduled_events: dict[str, Json] = {}
        # Channels in which the bot can do nothing, and Discord's code for why: 10003, 50001 or 50013.
        self.closed_channels: dict[int, int] = {}
        # Channels in which it lacks Read Message History: their history is then empty.
        self.without_history: set[int] = set()
        # Servers that removed the bot.
        self.left: set[int] = set()
        # The ids of a server's roles, beside the one that everybody has.
        self.roles: set[int] = set()
        # How far Discord's wall clock was moved: ids hold the time, and nonces are forgotten.
        self.ahead_s = 0.0
        # What the bot may do in the channel of an interaction.
        self.app_permissions = "2252349570927680"
        # Members of the team that owns the application, the team's owner first; empty: it is OWNER's alone.
        self.team: list[int] = []
        # Told of each request before it is carried out, and again before it is answered. True: it is cut off there.
        self.on_request: Callable[[WireRequest, Stage], Awaitable[bool]] | None = None
        # Members of the server that can be searched for, and the nicknames that they have there.
        self.members: set[int] = set()
        self.nicks: dict[int, str] = {}
        self._faults: list[Fault] = []
        self._places: dict[str, Place] = {}
        self._direct_channels: dict[int, int] = {}
        self._direct_users: dict[int, int] = {}
        self._handed_out: dict[int, int] = {}
        self._codes: dict[str, tuple[int, str]] = {}
        self._nonces: dict[str, tuple[float, str]] = {}
        self._bearers: dict[str, int] = {}
        self._mail = Bell()
        self._last_id = 0

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[DiscordWire]:
        """Serve until the block ends; entered again (same port: an outage is over) it knows all it knew."""
        application = web.Application(client_max_size=32 * 1024 * 1024)
        application.router.add_get("/gateway/", self.serve_gateway)
        application.router.add_get("/attachments/{channel}/{id}/{name}", self._cdn)
        application.router.add_route("*", "/{path:.*}", self._rest)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            port = runner.addresses[0][1]
            self.cdn_url = f"http://{host}:{port}"
            self.api_url, self.gateway_url = f"http://{host}:{port}/api/v10", f"ws://{host}:{port}/gateway/"
            yield self
        finally:
            await self.close_sockets(1001)
            await runner.cleanup()

    def fault(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        delay_s: float = 0.0,
        applied: bool = False,
        user_id: int | None = None,
    ) -> None:
        """The next `times` requests that match (`fnmatch` on the path after `/api/v10`) go wrong.

        `user_id`: only answers to this member's interactions, and messages in their direct channel.

        `status` None: only late; 0: the connection breaks; 429: complete, with `Via` (`headers={"Via": ""}`:
        the ban, which has none). `json`: bytes are sent as they are. `applied`: it is carried out all the same, only the answer is replaced.
        """
        body, lines = {"message": f"{status}: fault", "code": 0}, {}
        if status == 429:
            body = {"message": "You are being rate limited.", "retry_after": 0.01, "global": False}
            lines = {"Via": "1.1 google", "Retry-After": "1", "X-RateLimit-Scope": "user"}
        body, lines = body if json is None else json, lines | dict(headers or {})
        self._faults.append(Fault(method, path, status, body, lines, [None] * times, delay_s, applied, user_id))

    def oauth_code(self, user_id: int, redirect_uri: str, *, user_name: str = "") -> str:
        """The single-use code (`identify`) that Discord hands to `redirect_uri` once the member agreed."""
        self._user(user_id, user_name)
        self._codes[code := token_hex(15)] = (user_id, redirect_uri)
        self.secrets.add(code)
        return code

    def forget(self) -> None:
        """For soaks: drop recorded requests, interactions (their tokens die) and messages; the rest stays."""
        self.secrets -= self.interactions.keys()
        self.requests, self.interactions, self.messages = [], {}, {}
        self.direct_messages, self.channel_messages, self._handed_out = {}, {}, {}
        self._nonces = {}

    # ---------------------------------------------------------------- what people do

    def join(self, user_id: int, name: str, nick: str | None = None) -> None:
        """Somebody becomes a member of the server."""
        self._user(user_id, name)
        self.members.add(user_id)
        if nick is not None:
            self.nicks[user_id] = nick

    async def slash(
        self, user_id: int, name: str, options: Mapping[str, Any] | None = None, **where: Unpack[Where]
    ) -> WireInteraction:
        """`/name`, sub-commands after a space. LookupError if commands were synced, but not this one."""
        data = self._command(name, options or {}, where)
        return await self.interact(COMMAND, data, user_id, f"/{name}", **where)

    async def autocomplete(
        self,
        user_id: int,
        name: str,
        option: str,
        value: str,
        options: Mapping[str, Any] | None = None,
        **where: Unpack[Where],
    ) -> WireInteraction:
        """What typing `value` into `option` causes; `options`: the others, already filled in."""
        data = self._command(name, {**(options or {}), option: value}, where, option)
        return await self.interact(AUTOCOMPLETE, data, user_id, f"autocomplete of /{name}", **where)

    async def press(
        self,
        user_id: int,
        custom_id: str,
        message: Json,
        *,
        values: Sequence[str] = (),
        **where: Unpack[Where],
    ) -> WireInteraction:
        """Press a button, or pick `values` of a select, in the newest version of a message."""
        message = self.messages.get(message["id"], message)
        kinds = [part["type"] for part in flatten(message["components"]) if part.get("custom_id") == custom_id]
        data = {"custom_id": custom_id, "component_type": kinds[0] if kinds else BUTTON}
        if values:
            data["values"] = list(values)
        return await self.interact(COMPONENT, data, user_id, f"press of {custom_id}", message, **where)

    async def message_command(self, user_id: int, name: str, message: Json, **where: Unpack[Where]) -> WireInteraction:
        """A command in the context menu of a message. LookupError if it was not synced."""
        synced = [spec for specs in self.commands.values() for spec in specs]
        spec = next((spec for spec in synced if (spec["type"], spec["name"]) == (3, name)), None)
        if spec is None:
            raise LookupError(f"no message command {name!r} was synced")
        target = {"content": "", "author": self._user(user_id), **MESSAGE, **message}
        data = {"id": spec["id"], "name": name, "type": 3, "target_id": message["id"]}
        data["resolved"] = {"messages": {message["id"]: target}}
        return await self.interact(COMMAND, data, user_id, f"message command {name}", **where)

    async def submit(
        self, user_id: int, opened: WireInteraction, values: Mapping[str, str | Sequence[str]], **where: Unpack[Where]
    ) -> WireInteraction:
        """Fill the modal that `opened` was answered with, inputs by their custom ids, and submit it."""
        modal = (opened.callback or {}).get("data") or {}
        labels = []
        for label in modal["components"]:
            part = label.get("component") or label
            name, kind = part.get("custom_id"), part["type"]
            filled: Json = {"type": kind, "custom_id": name}
            if kind == 4:
                filled["value"] = values.get(name, part.get("value") or "")
            else:
                filled["values"] = list(values.get(name, ()))
            labels.append({"type": label["type"], "component": filled})
        data = {"custom_id": modal["custom_id"], "components": labels}
        source = opened.payload.get("message")
        return await self.interact(MODAL, data, user_id, f"modal {modal['custom_id']}", source, **where)

    async def post(self, user_id: int, content: str, *, is_bot: bool = False, **where: Unpack[Where]) -> Json:
        """A member, or another bot, writes in a channel of a server. What the bot sees of it depends on its intents."""
        user = self._user(user_id, where.get("user_name", "")) | ({"bot": True} if is_bot else {})
        place = Place(where.get("guild_id") or self.GUILD, where.get("channel_id", self.CHANNEL), 0)
        self._places[str(place.channel_id)] = place
        message = self._blank(None, place.channel_id) | {"author": user, "content": content}
        self.messages[message["id"]] = message
        await self.announce(message)
        return message

    async def announce(self, message: Json) -> None:
        """MESSAGE_CREATE for a message of a server."""
        place = self._places[message["channel_id"]]
        session = self.session_for(place.guild_id)
        if session.intents & GUILD_MESSAGES:
            shown = self._seen(message, is_readable=bool(session.intents & MESSAGE_CONTENT))
            event = shown | {"guild_id": str(place.guild_id), "member": MEMBER, "channel_type": 0}
            await self.dispatch(session, "MESSAGE_CREATE", event)

    async def edit(self, message: Json, content: str | None = None) -> None:
        """A member edits what they wrote. Without new content, Discord only adds the preview of a link."""
        if content is not None:
            edited_at = datetime.fromtimestamp(time.time() + self.ahead_s, UTC)
            message |= {"content": content, "edited_timestamp": edited_at.isoformat()}
        place = self._places[message["channel_id"]]
        session = self.session_for(place.guild_id)
        if session.intents & GUILD_MESSAGES:
            shown = self._seen(message, is_readable=bool(session.intents & MESSAGE_CONTENT))
            event = shown | {"guild_id": str(place.guild_id), "member": MEMBER, "channel_type": 0}
            await self.dispatch(session, "MESSAGE_UPDATE", event)

    async def delete(self, *messages: Json) -> None:
        """Somebody deletes messages of one channel: one, or several at once."""
        for message in messages:
            del self.messages[message["id"]]
        channel_id = messages[0]["channel_id"]
        guild_id = self._places[channel_id].guild_id
        session = self.session_for(guild_id)
        if session.intents & GUILD_MESSAGES:
            ids = [message["id"] for message in messages]
            which: Json = {"id": ids[0]} if len(ids) == 1 else {"ids": ids}
            event = "MESSAGE_DELETE" if len(ids) == 1 else "MESSAGE_DELETE_BULK"
            await self.dispatch(session, event, which | {"channel_id": channel_id, "guild_id": str(guild_id)})

    # ---------------------------------------------------------------- what happens to servers

    def guild(self, guild_id: int) -> Json:
        """A server as GUILD_CREATE shows it: without the channels that the bot cannot view."""
        known = [
            *(int(channel_id) for channel_id, place in self._places.items() if place.guild_id == guild_id),
            *(channel_id for channel_id in self.channel_messages if channel_id not in self._direct_users),
            *([self.CHANNEL] if guild_id == self.GUILD else []),
        ]
        visible = [
            channel_id
            for channel_id in dict.fromkeys(known)
            if str(channel_id) not in self.threads and self.closed_channels.get(channel_id) not in (10003, 50001)
        ]
        place = Place(guild_id, 0, 0)
        return {
            "id": str(guild_id),
            "name": "Records",
            "owner_id": str(self.OWNER),
            "unavailable": False,
            "member_count": 3,
            "large": False,
            "joined_at": datetime.now(UTC).isoformat(),
            "features": [],
            "channels": [self._channel(place._replace(channel_id=channel_id), {}) for channel_id in visible],
            "threads": [*self.threads.values()],
            "roles": [self._role(role) for role in (guild_id, *self.roles)],
            "members": [MEMBER | {"user": self._bot}],
            "emojis": [],
            "stickers": [],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [*self.scheduled_events.values()],
        }

    @staticmethod
    def _role(role_id: int) -> Json:
        return {"id": str(role_id), "name": "role", "permissions": "0", "position": 1, "color": 0, "hoist": False}

    async def remove_bot(self, guild_id: int = GUILD) -> None:
        """A server removes the bot."""
        self.guilds.discard(guild_id)
        self.left.add(guild_id)
        await self.tell(guild_id, "GUILD_DELETE", {"id": str(guild_id)})

    async def invite_bot(self, guild_id: int = GUILD) -> None:
        """Somebody invites the bot to a server."""
        self.guilds.add(guild_id)
        self.left.discard(guild_id)
        await self.tell(guild_id, "GUILD_CREATE", self.guild(guild_id))

    async def close_channel(self, channel_id: int, code: int) -> None:
        """A channel is deleted (10003), hidden from the bot (50001), or the bot may not write there (50013)."""
        self.closed_channels[channel_id] = code
        channel = self._channel(Place(self.GUILD, channel_id, 0), {})
        if code == 10003:
            await self.tell(self.GUILD, "CHANNEL_DELETE", channel)
            return
        if code == 50001:  # all that is left of it since November 2026
            channel = {"id": channel["id"], "type": 0, "guild_id": channel["guild_id"]}
            channel |= {"name": "___hidden___", "flags": 1 << 17, "permission_overwrites": []}
        await self.tell(self.GUILD, "CHANNEL_UPDATE", channel)

    async def open_channel(self, channel_id: int) -> None:
        """The bot may write in a channel again, by a change of the channel's own permissions."""
        self.closed_channels.pop(channel_id, None)
        await self.tell(self.GUILD, "CHANNEL_UPDATE", self._channel(Place(self.GUILD, channel_id, 0), {}))

    async def change_role(self, role_id: int) -> None:
        """A role's permissions change."""
        await self.tell(self.GUILD, "GUILD_ROLE_UPDATE", {"guild_id": str(self.GUILD), "role": self._role(role_id)})

    async def give_bot_role(self, role_id: int) -> None:
        """The bot gets a role. Of members, bots are told only about themselves without the intent for that."""
        member = MEMBER | {"user": self._bot, "roles": [str(role_id)], "guild_id": str(self.GUILD)}
        await self.tell(self.GUILD, "GUILD_MEMBER_UPDATE", member)

    async def delete_role(self, role_id: int) -> None:
        """A role is deleted."""
        self.roles.discard(role_id)
        await self.tell(self.GUILD, "GUILD_ROLE_DELETE", {"guild_id": str(self.GUILD), "role_id": str(role_id)})

    async def delete_thread(self, thread_id: str) -> None:
        """A thread is deleted, with its messages."""
        thread = self.threads.pop(thread_id)
        self.closed_channels[int(thread_id)] = 10003
        gone = {key: thread[key] for key in ("id", "guild_id", "parent_id", "type")}
        await self.tell(self.GUILD, "THREAD_DELETE", gone)

    def _seen(self, message: Json, *, is_readable: bool) -> Json:
        """What the bot sees of a message: of those that are not its own, the content only where it may read it."""
        is_own = message["author"]["id"] == str(self.application_id)
        if is_own or is_readable or any(user["id"] == str(self.application_id) for user in message["mentions"]):
            return message
        return message | {"content": "", "embeds": [], "attachments": [], "components": []}

    async def direct_message(self, user_id: int, timeout: float = 60.0) -> Json:
        """The member's next message from the bot that this method did not hand out yet."""
        read = self._handed_out.get(user_id, 0)
        found = await self._mail.until(
            lambda: self.direct_messages.get(user_id, [])[read:],
            timeout,
            lambda: f"no direct message to {user_id}",
        )
        self._handed_out[user_id] = read + 1
        return found[0]

    async def interact(
        self,
        kind: int,
        data: Json,
        user_id: int,
        what: str,
        message: Json | None = None,
        **where: Unpack[Where],
    ) -> WireInteraction:
        """Any INTERACTION_CREATE (modals and context menus too); the methods above are shorter."""
        place, user = self._place(user_id, message, where), self._user(user_id, where.get("user_name", ""))
        number, owners = self.snowflake(), {"0": str(place.guild_id or 0)}
        if where.get("user_install") or place.context == 2:
            owners = {"1": str(user_id)}
        token = urlsafe_b64encode(f"interaction:{number}:{token_hex(24)}".encode()).decode().rstrip("=")
        payload: Json = {
            "id": str(number),
            "application_id": str(self.application_id),
            "type": kind,
            "token": token,
            "version": 1,
            "data": data,
            "context": place.context,
            "locale": where.get("locale", "en-US"),
            "channel_id": str(place.channel_id),
            "channel": self._channel(place, user, where.get("thread_of")),
            "app_permissions": self.app_permissions,
            "authorizing_integration_owners": owners,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "attachment_size_limit": 10 * 1024 * 1024,
        }
        if place.guild_id:
            guild = {"id": str(place.guild_id), "locale": where.get("guild_locale", "en-US"), "features": []}
            payload |= {"guild_id": guild["id"], "guild": guild, "guild_locale": guild["locale"]}
            payload["member"] = MEMBER | {"user": user}
        else:
            payload["user"] = user
        if message is not None:
            payload["message"] = message
        self.secrets.add(token)
        interaction = WireInteraction(number, token, kind, what, payload, self._clock())
        self.interactions[token] = interaction
        await self.dispatch(self.session_for(place.guild_id), "INTERACTION_CREATE", payload)
        return interaction

    def snowflake(self) -> int:
        """A Discord id of now, larger than all before."""
        self._last_id = max(self._last_id + 1, (int((time.time() + self.ahead_s) * 1000) - 1_420_070_400_000) << 22)
        return self._last_id

    def _user(self, user_id: int, name: str = "") -> Json:
        known = self._users.get(user_id)
        if known is None or (name and name != known["username"]):
            name = name or "ada"
            known = {"id": str(user_id), "username": name, "global_name": name.capitalize(), "avatar": None}
            known |= {"discriminator": "0", "public_flags": 0, "flags": 0, "primary_guild": None}
            self._users[user_id] = known
        return known

    def _place(self, user_id: int, message: Json | None, where: Where) -> Place:
        known = self._places.get(message["channel_id"]) if message else None
        guild_id, channel_id, before = known or (self.GUILD, self.CHANNEL, 0)
        guild_id = where.get("guild_id", guild_id)
        context = where.get("context", 1 if "guild_id" in where and guild_id is None else before)
        if context != before:
            channel_id = (self.CHANNEL, self._direct_channel(user_id), self.GROUP)[context]
        channel_id = where.get("channel_id", channel_id)
        place = Place(None if context else guild_id or self.GUILD, channel_id, context)
        self._places[str(channel_id)] = place
        return place

    def _channel(self, place: Place, user: Json, thread_of: int | None = None) -> Json:
        channel: Json = {"id": str(place.channel_id), "type": (0, 1, 3)[place.context], "flags": 0}
        if place.context:
            return channel | {"name": None, "recipients": [user], "last_message_id": None}
        channel |= {"guild_id": str(place.guild_id), "name": "records", "position": 0, "nsfw": False}
        thread_of = thread_of or self.member_threads.get(place.channel_id)
        if thread_of is not None:
            about = {"archived": False, "auto_archive_duration": 1440, "archive_timestamp": "2026-11-27T12:00:00+00:00"}
            channel |= {"type": 11, "owner_id": str(self.application_id), "thread_metadata": about | {"locked": False}}
            channel |= {"message_count": 0, "member_count": 1, "total_message_sent": 0, "rate_limit_per_user": 0}
            return channel | {"permissions": MEMBER["permissions"], "parent_id": str(thread_of)}
        return channel | {"permissions": MEMBER["permissions"], "parent_id": None, "topic": None}

    def _direct_channel(self, user_id: int) -> int:
        if user_id not in self._direct_channels:
            channel_id = self._direct_channels[user_id] = self.snowflake()
            self._direct_users[channel_id] = user_id
            self._places[str(channel_id)] = Place(None, channel_id, 1)
        return self._direct_channels[user_id]

    def _command(self, name: str, options: Mapping[str, Any], where: Where, focused: str = "") -> Json:
        root, *below = name.split(" ")
        guild_id = None if where.get("context") else where.get("guild_id", self.GUILD)
        synced = (self.commands.get(guild_id, []) if guild_id else []) + self.commands.get(None, [])
        found = [spec for spec in synced if spec["name"] == root and spec["type"] == 1]
        if self.commands and not found:
            raise LookupError(f"no command {root!r} was synced")
        spec: Json = found[0] if found else {"id": "1"}
        data: Json = {"id": spec["id"], "name": root, "type": 1}
        if "guild_id" in spec:
            data["guild_id"] = spec["guild_id"]
        leaf = data
        for word in below:
            spec = next((o for o in spec.get("options") or () if o["name"] == word), {"type": 1})
            leaf["options"] = [{"name": word, "type": spec["type"]}]
            leaf = leaf["options"][0]
        kinds = {option["name"]: option["type"] for option in spec.get("options") or ()}
        leaf["options"] = [{"name": key, "type": kinds.get(key, 3), "value": value} for key, value in options.items()]
        place, resolved = Place(guild_id, 0, 0), dict[str, Json]()
        for option in leaf["options"]:
            key, value = str(option["value"]), option["value"]
            if option["name"] == focused:
                option["focused"] = True
            if option["type"] == 6:
                resolved.setdefault("users", {})[key] = self._user(int(value))
                resolved.setdefault("members", {})[key] = MEMBER
            elif isinstance(value, WireFile):
                if option["type"] != 11:
                    raise LookupError(f"the option {option['name']!r} takes no file")
                kept = self._keep(value)
                option["value"] = kept["id"]
                resolved.setdefault("attachments", {})[kept["id"]] = kept
            elif option["type"] == 7:
                channel = self._channel(place._replace(channel_id=int(value)), {})
                resolved.setdefault("channels", {})[key] = channel
        return data | {"resolved": resolved} if resolved else data

    def _keep(self, file: WireFile) -> Json:
        """Keep a file at the file host; Discord's description of it."""
        number = self.snowflake()
        path = f"/attachments/{self.CHANNEL}/{number}/{file.name}"
        self.files[path] = file
        url = f"{self.cdn_url}{path}?ex=1&is=1&hm=1&"
        size = len(file.content) if file.size is None else file.size
        about = {"id": str(number), "filename": file.name, "size": size, "url": url, "proxy_url": url}
        return about | {"ephemeral": True, "content_type": "application/octet-stream"}

    async def _cdn(self, request: web.Request) -> web.Response:
        """Discord's file host: the address alone opens a file, and no token belongs there."""
        file = self.files.get(request.path)
        self.downloads.append(request.path)
        if "Authorization" in request.headers:
            self.problems.append(f"a token was sent to the file host: {request.path}")
        if file is None or file.status != 200:
            return web.Response(status=404 if file is None else file.status)
        return web.Response(body=file.content, content_type="application/octet-stream")

    # ---------------------------------------------------------------- REST

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/api").removeprefix("/v10")
        record = WireRequest(request.method, path, dict(request.query), request.headers, self._clock())
        self.requests.append(record)
        fault = self._take_fault(record) if self._faults else None
        # Exactly this: discord.py compares it, and a charset breaks the login.
        headers = {"Content-Type": "application/json"}
        body: Any
        try:
            await self._read(request, record)
            if fault and fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            status, body = 0, None
            if await self._is_cut_off(request, record, "before"):
                return web.Response(status=500)
            if fault is None or fault.status is None or fault.applied:
                answer = self._route(record, path.strip("/").split("/"))
                if answer is None:
                    self.unknown.append(record)
                status, body = answer or (404, {"message": "404: Not Found", "code": 0})
            if await self._is_cut_off(request, record, "after"):
                return web.Response(status=500)
        except Refused as refused:
            self.problems += refused.problems
            status, body = refused.status, {"message": str(refused), "code": refused.code}
            if refused.code == 50035:
                errors = [{"code": "INVALID", "message": problem} for problem in refused.problems]
                body["errors"] = {"data": {"_errors": errors}}
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self.problems.append(f"50035 {record.method}: malformed body, {error!r}")
            status, body = 400, {"message": "Invalid Form Body", "code": 50035}
        if fault and fault.status is not None:
            status, body, headers = fault.status, fault.body, headers | fault.headers
        record.status = status
        self.invalid_requests += status in (401, 403, 429)
        if status == 0 and request.transport:
            request.transport.abort()
        if status in (0, 204):
            return web.Response(status=status or 500)
        return web.Response(
            status=status, body=body if isinstance(body, bytes) else _dump(body).encode(), headers=headers
        )

    async def _is_cut_off(self, request: web.Request, record: WireRequest, stage: Stage) -> bool:
        if self.on_request is None or not await self.on_request(record, stage):
            return False
        if request.transport:
            request.transport.abort()
        return True

    def _take_fault(self, record: WireRequest) -> Fault | None:
        for fault in self._faults:
            is_meant = fault.method == record.method and fnmatchcase(record.path, fault.path)
            if fault.left and is_meant and fault.user_id in (None, self._user_of(record.path)):
                fault.left.pop()
                return fault
        return None

    def _user_of(self, path: str) -> int | None:
        """Whose interaction or direct channel a path is about."""
        match path.strip("/").split("/"):
            case ["interactions" | "webhooks", _, token, *_] if token in self.interactions:
                payload = self.interactions[token].payload
                return int((payload.get("user") or payload["member"]["user"])["id"])
            case ["channels", number, *_] if number.isdecimal():
                return self._direct_users.get(int(number))
        return None

    @staticmethod
    async def _read(request: web.Request, record: WireRequest) -> None:
        if request.content_type == "application/json":
            record.body = json.loads(await request.read())
        elif request.content_type == "application/x-www-form-urlencoded":
            record.body = dict(parse_qsl(await request.text(), keep_blank_values=True))
        elif request.content_type == "multipart/form-data":
            form = await request.post()
            record.body = json.loads(str(form["payload_json"]))
            parts = [part for part in form.values() if isinstance(part, web.FileField)]
            record.files = {part.filename: part.file.read() for part in parts}

    def _route(self, record: WireRequest, parts: list[str]) -> Answer:
        authorization = record.headers.get("Authorization", "")
        match (record.method, *parts):
            case ("POST", "interactions", number, token, "callback"):
                return self._callback(record, number, token)
            case (_, "webhooks", application_id, token, *rest):
                return self._webhook(record, application_id, token, rest)
            case ("POST", "oauth2", "token"):
                return self._oauth_token(record)
            case ("GET", "gateway"):
                return 200, {"url": self.gateway_url}
            case ("GET", "users", "@me") if authorization.removeprefix("Bearer ") in self._bearers:
                user = self._user(self._bearers[authorization.removeprefix("Bearer ")])
                return 200, user | {"mfa_enabled": False, "locale": "en-US"}
        if authorization != f"Bot {self._bot_token}":
            raise Refused(401, 0, "401: Unauthorized")
        match (record.method, *parts):
            case ("GET", "users", "@me"):
                return 200, self._bot | {"mfa_enabled": True, "locale": "en-US"}
            case ("GET", "oauth2", "applications", "@me") | ("GET", "applications", "@me"):
                about: Json = {
                    "id": str(self.application_id),
                    "name": "Gatefold",
                    "icon": None,
                    "description": "",
                }
                about |= {
                    "bot_public": True,
                    "bot_require_code_grant": False,
                    "verify_key": "0" * 64,
                    "flags": self.flags,
                    "redirect_uris": self.redirect_uris,
                    "interactions_endpoint_url": self.interactions_endpoint_url,
                    "integration_types_config": self.installs,
                }
                return 200, about | {"bot": self._bot} | self._owners()
            case ("GET", "gateway", "bot"):
                start = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 16}
                return 200, {"url": self.gateway_url, "shards": self.shards, "session_start_limit": start}
            case ("PUT", "applications", _, "commands"):
                return self._sync(record, None)
            case ("PUT" | "GET", "applications", _, "guilds", guild_id, "commands") if int(guild_id) != self.GUILD:
                raise Refused(403, 50001, "Missing Access")
            case ("PUT", "applications", _, "guilds", guild_id, "commands"):
                return self._sync(record, int(guild_id))
            case ("GET", "applications", _, "guilds", guild_id, "commands"):
                return 200, self.commands.get(int(guild_id), [])
            case ("POST", "users", "@me", "channels"):
                user_id = int(record.body["recipient_id"])
                place = Place(None, self._direct_channel(user_id), 1)
                return 200, self._channel(place, self._user(user_id))
            case ("GET", "guilds", _, "members", "search"):
                return 200, self._search_members(record.query)
            case ("GET", "guilds", _, "scheduled-events"):
                return 200, [*self.scheduled_events.values()]
            case ("POST", "guilds", guild_id, "scheduled-events"):
                return self._schedule_event(record, guild_id)
            case (_, "guilds", _, "scheduled-events", event_id):
                return self._scheduled_event(record, event_id)
            case (_, "guilds", guild_id, *_) if int(guild_id) in self.left:
                raise Refused(403, 50001, "Missing Access")
            case (_, "channels", channel_id, *_) if self._is_left(channel_id):
                raise Refused(403, 50001, "Missing Access")
            case (_, "channels", channel_id, *_) if int(channel_id) in self.closed_channels:
                code = self.closed_channels[int(channel_id)]
                said = {10003: "Unknown Channel", 50001: "Missing Access", 50013: "Missing Permissions"}[code]
                raise Refused(404 if code == 10003 else 403, code, said)
            case ("GET", "channels", channel_id):
                return 200, self.threads.get(channel_id) or self._channel(self._places[channel_id], {})
            case ("POST", "channels", channel_id, "messages"):
                return self._post(record, int(channel_id))
            case ("POST", "channels", channel_id, "messages", message_id, "threads"):
                return self._start_thread(record, channel_id, message_id)
            case ("GET", "channels", channel_id, "messages"):
                return 200, self._history(record, channel_id)
            case (_, "channels", channel_id, "messages", message_id):
                message = self.messages.get(message_id)
                if message is None or message["channel_id"] != channel_id or message["flags"] & EPHEMERAL:
                    raise Refused(404, 10008, "Unknown Message")
                return self._message(record, message, None)
        return None

    def _search_members(self, query: Mapping[str, str]) -> list[Json]:
        """Those whose username or nickname begins so. https://discord.com/developers/docs/resources/guild#search-guild-members"""
        begins, found = query["query"].casefold(), []
        for user_id, user in self._users.items():
            nick = self.nicks.get(user_id)
            names = (user["username"], user["global_name"], nick)
            if user_id in self.members and any(name and name.casefold().startswith(begins) for name in names):
                found.append(MEMBER | {"user": user, "nick": nick})
        return found[: int(query.get("limit", 1))]

    def _owners(self) -> Json:
        if not self.team:
            return {"owner": self._user(self.OWNER), "team": None}
        members = [
            {"user": self._user(id_), "team_id": str(self.TEAM), "membership_state": 2, "role": "admin"}
            for id_ in sorted(self.team)
        ]
        team = {"id": str(self.TEAM), "name": "the shop", "icon": None, "members": members}
        # Discord makes up a user for the team; nobody reads its messages.
        return {
            "owner": self._user(self.TEAM, f"team{self.TEAM}"),
            "team": team | {"owner_user_id": str(self.team[0])},
        }

    def _callback(self, record: WireRequest, number: str, token: str) -> Answer:
        interaction, body = self.interactions.get(token), record.body
        if interaction is None or str(interaction.id) != number:
            raise Refused(404, 10062, "Unknown interaction", f"10062 no interaction {number}")
        what, source = interaction.what, interaction.payload.get("message")
        if interaction.callback is not None:
            problem = f"40060 {what} answered twice"
            raise Refused(400, 40060, "Interaction has already been acknowledged.", problem)
        if (age := self._clock() - interaction.sent_at) > self._answer_within_s:
            raise Refused(404, 10062, "Unknown interaction", f"10062 {what} answered after {age:.1f} s")
        kind, data = body["type"], body.get("data") or {}
        if kind not in CALLBACKS[interaction.kind] or (kind in (6, 7) and source is None):
            self._refuse(interaction, [f"answer of type {kind}"])
        message: Json | None = None
        if kind == 8:
            self._refuse(interaction, list(choice_flaws(data.get("choices") or ())))
        elif kind == 9:
            self._refuse(interaction, list(modal_flaws(data)))
        elif kind == 4:
            message = self._merged(self._blank(interaction), record, data, interaction, new=True)
        elif kind == 5:  # of a defer only the ephemeral flag is kept
            message = self._blank(interaction) | {"flags": LOADING | (data.get("flags") or 0) & EPHEMERAL}
        elif kind in (6, 7) and source is not None:
            current: Json = self.messages.get(source["id"]) or source
            message = current if kind == 6 else self._merged(current, record, data, interaction)
        interaction.callback, interaction.answered_at = body, self._clock()
        about: Json = {"id": number, "type": interaction.kind}
        reply: Json = {"interaction": about}
        if message is not None:
            interaction.original_id = message["id"]
            self._store(message, interaction, shown=kind in (4, 7))
            flags, about["response_message_id"] = message["flags"], message["id"]
            about["response_message_loading"] = bool(flags & LOADING)
            about["response_message_ephemeral"] = bool(flags & EPHEMERAL)
            if kind in (4, 7):
                reply["resource"] = {"type": kind, "message": message}
        interaction._bell.ring()
        return (200, reply) if record.query.get("with_response", "").lower() in ("1", "true") else (204, None)

    def _webhook(self, record: WireRequest, application_id: str, token: str, rest: list[str]) -> Answer:
        interaction = self.interactions.get(token)
        if interaction is None or application_id != str(self.application_id):
            raise Refused(401, 50027, "Invalid Webhook Token", "50027 unknown interaction token")
        if (age := self._clock() - interaction.sent_at) > TOKEN_LIVES_S:
            problem = f"50027 token of {interaction.what} used after {age:.0f} s"
            raise Refused(401, 50027, "Invalid Webhook Token", problem)
        if interaction.callback is None:
            problem = f"10015 {record.method} before {interaction.what} was answered"
            raise Refused(404, 10015, "Unknown Webhook", problem)
        original = self.messages.get(interaction.original_id)
        if record.method == "POST" and not rest:
            if original is not None and original["flags"] & LOADING:
                return self._message(record, original, interaction)
            message = self._merged(self._blank(interaction), record, record.body, interaction, new=True)
            self._store(message, interaction, shown=False)
            interaction.followups.append(message)
            interaction._bell.ring()
            return 200, message
        if len(rest) != 2 or rest[0] != "messages" or record.method == "POST":
            return None
        own = {followup["id"]: followup for followup in interaction.followups}
        found = original if rest[1] in ("@original", interaction.original_id) else own.get(rest[1])
        if found is None or found["id"] not in self.messages:
            raise Refused(404, 10008, "Unknown Message")
        return self._message(record, found, interaction)

    def _message(self, record: WireRequest, message: Json, interaction: WireInteraction | None) -> Answer:
        """GET, PATCH (or the follow-up that fills a deferred answer) or DELETE of one message."""
        original = interaction is not None and message["id"] == interaction.original_id
        if record.method == "GET":
            return 200, message
        if record.method == "DELETE":
            del self.messages[message["id"]]
            for shown in self.channel_messages.values():
                shown[:] = [kept for kept in shown if kept["id"] != message["id"]]
            if interaction is not None and original:
                interaction.deleted = True
            return 204, None
        if record.method not in ("PATCH", "POST"):
            return None
        merged = self._merged(message, record, record.body, interaction)
        if interaction is not None and original:
            interaction.edits.append(record.body)
        self._store(merged, interaction, shown=original)
        return 200, merged

    def _post(self, record: WireRequest, channel_id: int) -> Answer:
        user_id = self._direct_users.get(channel_id)
        if user_id in self.refuses_direct_messages:
            raise Refused(403, 50007, "Cannot send messages to this user")
        nonce = record.body.get("nonce")
        if nonce is not None and (not isinstance(nonce, int | str) or len(str(nonce)) > 25):
            self._refuse(None, ["a nonce of more than 25 characters"])
        if nonce is not None and record.body.get("enforce_nonce"):
            sent_at, known = self._nonces.get(str(nonce), (float("-inf"), ""))
            if self._clock() + self.ahead_s - sent_at < NONCE_LIVES_S and known in self.messages:
                return 200, self.messages[known] | {"nonce": nonce}
        message = self._merged(self._blank(None, channel_id), record, record.body, None, new=True)
        if (reference := record.body.get("message_reference")) is not None:
            self._reply_to(reference, channel_id, message)
        self._nonces[str(nonce)] = self._clock() + self.ahead_s, message["id"]
        self._store(message, None, shown=False)
        if user_id is None:
            self.channel_messages.setdefault(channel_id, []).append(message)
        else:
            self.direct_messages.setdefault(user_id, []).append(message)
        self._mail.ring()
        return 200, message

    def _reply_to(self, reference: Json, channel_id: int, message: Json) -> None:
        """Make a message a reply. Ids are text; a message that is gone is no error only if that was said."""
        if not isinstance(reference["message_id"], str):
            self._refuse(None, ["a message_id that is a number"])
        if not self.can_read_history(channel_id):
            raise Refused(403, 160002, "Cannot reply without permission to read message history")
        target = self.messages.get(reference["message_id"])
        if target is not None and target["channel_id"] == str(channel_id):
            about = {"type": 0, "message_id": target["id"], "channel_id": target["channel_id"]}
            about["guild_id"] = str(self._places[target["channel_id"]].guild_id)
            message |= {"type": 19, "message_reference": about, "referenced_message": target}
        elif reference.get("fail_if_not_exists", True):
            self._refuse(None, ["message_reference: unknown message"])

    def can_read_history(self, channel_id: int) -> bool:
        """Whether the bot has Read Message History in a channel."""
        return channel_id not in self.without_history

    def _start_thread(self, record: WireRequest, channel_id: str, message_id: str) -> Answer:
        """A thread under a message has the message's id. There is only one."""
        message = self.messages.get(message_id)
        if message is None or message["channel_id"] != channel_id or message["flags"] & EPHEMERAL:
            raise Refused(404, 10008, "Unknown Message")
        if message_id in self.threads:
            raise Refused(400, 160004, "A thread has already been created for this message")
        name, minutes = record.body["name"], record.body.get("auto_archive_duration")
        flaws = [] if 1 <= len(name) <= 100 else [f"a thread's name of {len(name)} characters"]
        if minutes not in (None, 60, 1440, 4320, 10080):
            flaws.append(f"auto_archive_duration {minutes}")
        self._refuse(None, flaws)
        thread = {"id": message_id, "type": 11, "name": name, "parent_id": channel_id, "guild_id": str(self.GUILD)}
        thread |= {"owner_id": str(self.application_id), "message_count": 0, "member_count": 1, "flags": 0}
        metadata = {"archived": False, "auto_archive_duration": minutes or 1440, "locked": False}
        metadata["archive_timestamp"] = datetime.now(UTC).isoformat()
        self.threads[message_id] = thread | {"thread_metadata": metadata}
        self._places[message_id] = Place(self.GUILD, int(message_id), 0)
        return 201, self.threads[message_id]

    def _schedule_event(self, record: WireRequest, guild_id: str) -> Answer:
        """A new event; one outside Discord needs an end and a place."""
        self._check_event(record.body)
        number = str(self.snowflake())
        event = {"description": None, "channel_id": None, "image": None, "recurrence_rule": None} | record.body
        event |= {"id": number, "guild_id": guild_id, "creator_id": str(self.application_id), "status": 1}
        self.scheduled_events[number] = event | {
            "entity_id": None,
            "user_count": 0,
            "guild_scheduled_event_exceptions": [],
        }
        return 200, self.scheduled_events[number]

    def _scheduled_event(self, record: WireRequest, event_id: str) -> Answer:
        event = self.scheduled_events.get(event_id)
        if event is None:
            raise Refused(404, 10070, "Unknown Guild Scheduled Event")
        if record.method == "DELETE":
            del self.scheduled_events[event_id]
            return 204, None
        if record.method == "PATCH":
            self._check_event(event | record.body)
            event |= record.body
        return 200, event

    def _check_event(self, event: Json) -> None:
        flaws = []
        if not 1 <= len(event["name"]) <= 100 or len(event.get("description") or "") > 1000:
            flaws.append("an event's name or description is too long, or its name is empty")
        start, now = (
            datetime.fromisoformat(event["scheduled_start_time"]),
            datetime.now(UTC) + timedelta(seconds=self.ahead_s),
        )
        if start <= now:
            flaws.append("an event in the past")
        if event["entity_type"] == 3:
            if event.get("channel_id") is not None or not 1 <= len(event["entity_metadata"]["location"]) <= 100:
                flaws.append("an event outside Discord needs a place, and no channel")
            if not event.get("scheduled_end_time") or datetime.fromisoformat(event["scheduled_end_time"]) <= start:
                flaws.append("an event outside Discord needs an end after its start")
        if event["privacy_level"] != 2:
            flaws.append("privacy_level")
        self._refuse(None, flaws)

    def _history(self, record: WireRequest, channel_id: str) -> list[Json]:
        """The messages of a channel, the newest first; `after` an id: those that follow it. No nonce is in them."""
        limit, after = int(record.query.get("limit", 50)), int(record.query.get("after", 0))
        if not self.can_read_history(int(channel_id)):
            return []
        found = [
            message
            for message in self.messages.values()
            if message["channel_id"] == channel_id and int(message["id"]) > after and not message["flags"] & EPHEMERAL
        ]
        found.sort(key=lambda message: int(message["id"]))
        is_readable = bool(self.flags & PRIVILEGED_INTENTS[MESSAGE_CONTENT])
        found = [self._seen(message, is_readable=is_readable) for message in found]
        return [*reversed(found[:limit] if after else found[-limit:])]

    def _is_left(self, channel_id: str) -> bool:
        place = self._places.get(channel_id)
        return place is not None and place.guild_id in self.left

    def _refuse(self, interaction: WireInteraction | None, flaws: list[str]) -> None:
        if flaws:
            what = interaction.what if interaction else "a channel message"
            problems = [f"50035 {what}: {flaw}" for flaw in flaws]
            if interaction:
                interaction.refusals += problems
            raise Refused(400, 50035, "Invalid Form Body", *problems)

    def _blank(self, interaction: WireInteraction | None, channel_id: int = 0) -> Json:
        message = MESSAGE | {"id": str(self.snowflake()), "channel_id": str(channel_id), "author": self._bot}
        message |= {"timestamp": datetime.now(UTC).isoformat(), "mention_everyone": False}
        if interaction is not None:
            payload = interaction.payload
            about = {key: payload[key] for key in ("id", "type", "authorizing_integration_owners")}
            about["user"] = payload.get("user") or payload["member"]["user"]
            message |= {"channel_id": payload["channel_id"], "interaction_metadata": about}
            message |= {"webhook_id": payload["application_id"], "application_id": payload["application_id"]}
            if interaction.kind == COMMAND and interaction.callback is None:
                message["type"] = 20
        return message

    def _merged(
        self,
        old: Json,
        record: WireRequest,
        body: Json,
        interaction: WireInteraction | None,
        *,
        new: bool = False,
    ) -> Json:
        """A new version of the message with the body's fields, checked whole."""
        settable, flags = SUPPRESS_EMBEDS | COMPONENTS_V2, body.get("flags") or 0
        if new:
            settable |= SUPPRESS_NOTIFICATIONS | (EPHEMERAL if interaction else 0)
        flaws = [f"flags {flags} hold what a bot cannot set"] if new and flags & ~settable else []
        merged = old | {"flags": old["flags"] & ~LOADING | flags & settable}
        for key, empty in (("content", ""), ("embeds", []), ("components", []), ("poll", None)):
            if key in body:
                merged[key] = body[key] or empty
        if body.get("attachments") is not None:
            kept = {str(attachment["id"]) for attachment in body["attachments"]}
            merged["attachments"] = [attachment for attachment in old["attachments"] if attachment["id"] in kept]
        for name, content in record.files.items():
            merged["attachments"] = [*merged["attachments"], self._keep(WireFile(name, content))]
        # a file component names a file of the message, and each file is in one
        named = {part["file"]["url"] for part in flatten(merged["components"]) if part["type"] == FILE}
        if new or record.files or "components" in body:
            kept_names = {attachment["filename"] for attachment in merged["attachments"]}
            flaws += [
                f"{url} is no file of the message"
                for url in named
                if url.removeprefix("attachment://") not in kept_names
            ]
            if merged["flags"] & COMPONENTS_V2:
                hidden = kept_names - {url.removeprefix("attachment://") for url in named}
                flaws += [f"the file {name} is in no component" for name in sorted(hidden)]
        self._refuse(interaction, flaws + list(message_flaws(merged)))
        if not any(merged.get(key) for key in ("content", "embeds", "components", "attachments", "poll")):
            raise Refused(400, 50006, "Cannot send an empty message", "50006 empty message")
        taken = {part.get("id") for part in flatten(merged["components"])}
        merged["components"] = numbered(merged["components"], (n for n in count(1) if n not in taken))
        if not new and not old["flags"] & LOADING:
            merged["edited_timestamp"] = datetime.now(UTC).isoformat()
        return merged

    def _store(self, message: Json, interaction: WireInteraction | None, *, shown: bool) -> None:
        # The object in `messages` stays the same through all versions: mailboxes and follow-ups hold it too.
        self.messages.setdefault(message["id"], message).update(message)
        if interaction is not None and shown:
            interaction.history.append(dict(message))
            interaction.shown_at = interaction.shown_at or self._clock()
            interaction._bell.ring()

    def _sync(self, record: WireRequest, guild_id: int | None) -> Answer:
        ids = {(old["name"], old["type"]): old["id"] for old in self.commands.get(guild_id, ())}
        fixed = {"application_id": str(self.application_id)} | ({"guild_id": str(guild_id)} if guild_id else {})
        commands = self.commands[guild_id] = []
        for new in record.body:
            number, kind = str(self.snowflake()), new.get("type", 1)
            defaults = {"description": "", "default_member_permissions": None, "version": number}
            known = {"type": kind, "id": ids.get((new["name"], kind), number)}
            commands.append(defaults | new | fixed | known)
        return 200, commands

    def _oauth_token(self, record: WireRequest) -> Answer:
        form, header = record.body, record.headers.get("Authorization")
        if not record.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return 400, {"error": "invalid_request"}
        who = (form.get("client_id"), form.get("client_secret"))
        if header:
            basic = BasicAuth.decode(header)
            who = (basic.login, basic.password)
        if who != (str(self.application_id), self._client_secret):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type"}
        user_id, redirect_uri = self._codes.pop(form.get("code", ""), (0, ""))
        if not user_id or redirect_uri != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant", "error_description": 'Invalid "code" in request.'}
        access, refresh = token_hex(15), token_hex(15)
        self._bearers[access] = user_id
        self.secrets |= {access, refresh}
        tokens = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer"}
        return 200, tokens | {"expires_in": 604800, "scope": "identify"}
