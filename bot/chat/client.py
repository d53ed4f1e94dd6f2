"""The Discord client: a plain client and a command tree, only the intents that features need, no cache.

It also points discord.py at the configured addresses.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.caller import MemberId
from bot.chat.cards import Card, text_card
from bot.chat.features import Feature, Listener, Router
from bot.chat.groups import commands_of
from bot.chat.registration import Registration
from bot.chat.reply import MESSAGES, RECEIVED, Reply, Visibility
from bot.chat.translator import CatalogueTranslator
from bot.settings import Settings
from bot.storage.commands import RegisteredCommands
from bot.text import edition

# No voice here: nothing is missing.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

REMEMBERED = 2_000
"""How many interactions are known again: more than come in the minutes of which Discord repeats events."""

_log = structlog.get_logger("gatefold.chat")


def point_at(settings: Settings) -> None:
    """Let discord.py speak to the configured addresses (a proxy, or a stand-in)."""
    Route.BASE = settings.discord_api_url
    DiscordWebSocket.DEFAULT_GATEWAY = URL(settings.discord_gateway_url)


class LoginRefused(Exception):
    """Discord does not accept the bot's token."""


class IntentRefused(Exception):
    """Discord does not let the bot read messages: the switch for it in the developer portal is off."""


class Client(discord.Client):
    """Gatefold on Discord: it collects what the features bring.

    `on_connection`: is told when the gateway's connection comes and goes.
    `mentions`: gets the ids of the commands: see registration.py.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        reply: Reply,
        registered: RegisteredCommands,
        mentions: dict[str, int],
        dev_guild_id: int | None,
        on_connection: Callable[[bool], None],
        extra_hosts: Sequence[MemberId] = (),
        client_id: str | None = None,
    ) -> None:
        """`extra_hosts`: hosts besides those to whom the application belongs. `client_id`: DISCORD_CLIENT_ID."""
        super().__init__(
            intents=_intents(features),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            # servers are not kept: nothing to wait for before "ready"
            guild_ready_timeout=0.0,
            # A longer limit is an error to act on, not a sleep: the shortest that discord.py takes, in seconds.
            max_ratelimit_timeout=30.0,
            # Names of albums and people are shown as text: nobody is ever pinged.
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._reply = reply
        self._router = Router(features, reply)
        self._serving: set[asyncio.Task[None]] = set()
        self.has_commands = False
        self.is_connected = False
        self._on_connection = on_connection
        self._extra_hosts = extra_hosts
        self._client_id = client_id
        self.tree = app_commands.CommandTree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        for command in commands_of(features):
            self.tree.add_command(command)
        self._listen(features)
        self.tree.error(self._command_failed)
        self._registration = Registration(
            self.tree, registered, mentions, dev_guild_id, CatalogueTranslator(), edition()
        )
        parsers: dict[str, Callable[[Any], None]] = self._connection.parsers
        parsers["INTERACTION_CREATE"] = _sparing(_once(parsers["INTERACTION_CREATE"]))
        for event, name in _AS_SENT.items():
            parsers[event] = partial(self.dispatch, name)
        for event in _UNUSED:
            parsers[event] = _ignore

    # -- starting

    async def log_in(self, token: str) -> None:
        """Log in, and register the commands; an outage of Discord's is waited out. LoginRefused, GuildRefused."""
        for delay in _delays():
            try:
                await self.login(token)
                return
            except discord.LoginFailure:
                raise LoginRefused from None
            except _OUTAGE as error:
                if isinstance(error, discord.HTTPException) and error.status < 500 and error.status != 429:
                    raise
                if isinstance(error, discord.RateLimited):
                    delay = max(delay, error.retry_after)
                _log.warning("Discord cannot be reached", error=_code(error), next_try_s=delay)
            # login() makes a new session each time
            await self.http.close()
            self.http.connector = discord.utils.MISSING
            await asyncio.sleep(delay)

    async def stay_connected(self) -> None:
        """Hold the gateway's connection. LoginRefused when the token is refused meanwhile, IntentRefused."""
        for delay in _delays():
            try:
                await self.connect()
                return
            except discord.ConnectionClosed as error:
                if error.code == 4004:
                    raise LoginRefused from None
                raise
            except discord.PrivilegedIntentsRequired:
                if self.intents.message_content:
                    raise IntentRefused from None
                raise
            except AttributeError:
                # discord.py 2.7 cannot try again while there has been no connection that it could resume
                if getattr(self, "ws", None) is not None:
                    raise
                _log.warning("Discord's gateway cannot be reached", next_try_s=delay)
            await asyncio.sleep(delay)

    async def setup_hook(self) -> None:
        """Between login and the gateway: the commands."""
        assert self.application_id is not None
        if self._client_id not in (None, str(self.application_id)):
            _log.error(
                f"DISCORD_TOKEN belongs to the app {self.application_id}, but DISCORD_CLIENT_ID is {self._client_id}. "
                "Copy the token, the client id and the client secret from the same app, and restart the bot."
            )
        await self._registration.register(self.application_id)
        self.has_commands = True

    def _listen(self, features: Sequence[Feature]) -> None:
        """Hand events to the features that want them, in their order."""
        wanted: dict[str, list[Listener]] = defaultdict(list)
        for feature in features:
            for event, listener in feature.listeners.items():
                wanted[event].append(listener)
        for event, listeners in wanted.items():
            name = f"on_{event}"
            if hasattr(self, name):
                raise ValueError(f"the client itself listens to {event}")
            # as Client.event() does it, which takes the event's name from the function's
            setattr(self, name, _each(listeners))

    # -- events

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Hand an event on; of an interaction, note when it came."""
        if event == "interaction":
            # Not in the task that serves it: its wait for its turn is part of what is measured.
            args[0].extras[RECEIVED] = time.monotonic()
            _keep_messages(args[0])
            if args[0].type in _ROUTED:  # else the tree has it
                task = asyncio.create_task(self._serve(args[0]))
                self._serving.add(task)
                task.add_done_callback(self._serving.discard)
        elif event not in _UNHEARD:
            super().dispatch(event, *args, **kwargs)

    async def on_ready(self) -> None:
        """A new gateway session."""
        self._connected(True)
        self.dispatch("guilds_known", [guild.id for guild in self.guilds])
        _log.info("ready", user=str(self.user))

    async def on_resumed(self) -> None:
        """The same session goes on."""
        self._connected(True)

    async def on_disconnect(self) -> None:
        """The gateway is gone; discord.py connects again."""
        self._connected(False)

    def _connected(self, is_connected: bool) -> None:
        self.is_connected = is_connected
        self._on_connection(is_connected)

    async def _serve(self, interaction: discord.Interaction[Any]) -> None:
        """Buttons, select menus and modals."""
        try:
            await self._router.serve(interaction)
        except Exception:
            await self.on_error("interaction")

    async def _command_failed(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        """A command that the tree does not know or cannot read: an old one, or none of ours."""
        if interaction.type is discord.InteractionType.autocomplete:
            _log.warning("an autocomplete for no command of ours", error=type(error).__name__)
            return

        async def answer() -> Sequence[Card]:
            if isinstance(error, _OLD_COMMAND):
                return [text_card(self._reply.words(str(interaction.locale)).old_command())]
            raise error

        await self._reply(interaction, answer(), name="command unknown", visibility=Visibility.PRIVATE)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """What broke outside a command. The arguments are not logged: they hold tokens."""
        _log.exception("an event broke", event_name=event_method)

    def hosts(self) -> list[MemberId]:
        """The application's owner, or the members of its team, its owner first; then the extra hosts. Nobody before the login."""
        if self.application is None or self.is_closed():
            return []
        team = self.application.team
        if team is None:
            owners = [self.application.owner.id]
        else:
            # the application's owner is then a user that represents the team, and reads no messages
            members = [m.id for m in team.members if m.membership_state is discord.TeamMembershipState.accepted]
            owners = sorted(members, key=lambda id_: id_ != team.owner_id)
        return [*dict.fromkeys([*map(MemberId, owners), *self._extra_hosts])]


# Comes with everything that the gateway sends, and after every command. discord.py would look for who listens.
_UNHEARD = ("socket_event_type", "app_command_completion")
_ROUTED = (discord.InteractionType.component, discord.InteractionType.modal_submit)
_OLD_COMMAND = (
    app_commands.CommandNotFound,
    app_commands.CommandSignatureMismatch,
    app_commands.TransformerError,
)
# discord.py would build objects for every message, to be thrown away, and keep one for every channel, role and thread
# of every server: see docs/decisions/0023-the-guilds-intent.md.
_AS_SENT = {
    "MESSAGE_CREATE": "message_posted",
    "MESSAGE_UPDATE": "message_edited",
    "GUILD_CREATE": "server_seen",
    "GUILD_DELETE": "server_gone",
    "CHANNEL_CREATE": "channel_seen",
    "CHANNEL_UPDATE": "channel_seen",
    "CHANNEL_DELETE": "channel_gone",
    "THREAD_DELETE": "thread_gone",
    "GUILD_ROLE_UPDATE": "role_seen",
    "GUILD_ROLE_DELETE": "role_gone",
    "GUILD_MEMBER_UPDATE": "member_seen",
}
_UNUSED = (
    "GUILD_UPDATE",
    "GUILD_ROLE_CREATE",
    "CHANNEL_PINS_UPDATE",
    "THREAD_CREATE",
    "THREAD_UPDATE",
    "THREAD_LIST_SYNC",
    "THREAD_MEMBER_UPDATE",
    "THREAD_MEMBERS_UPDATE",
    "STAGE_INSTANCE_CREATE",
    "STAGE_INSTANCE_UPDATE",
    "STAGE_INSTANCE_DELETE",
)
_OUTAGE = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError)


def _intents(features: Sequence[Feature]) -> discord.Intents:
    """What the features ask for, and nothing else: no event comes that nobody wants."""
    intents = discord.Intents.none()
    for feature in features:
        intents |= feature.intents
    return intents


def _each(listeners: Sequence[Listener]) -> Listener:
    async def event(*args: Any) -> None:
        for listener in listeners:
            try:
                await listener(*args)
            except Exception:
                # one feature's trouble is not another's; the arguments may hold tokens
                _log.exception("a listener broke")

    return event


def _once(parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same, but what comes again is passed over: Discord may repeat events when a connection is resumed.

    It would be refused as answered already, and its outcome told a second time by a direct message.
    """
    seen: dict[Any, None] = {}  # the oldest first

    def parse_new(data: Any) -> None:
        id_ = data.get("id")
        if id_ in seen:
            _log.info("an interaction came again", id=id_)
            return
        seen[id_] = None
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
        parse(data)

    return parse_new


def _keep_messages(interaction: discord.Interaction[Any]) -> None:
    """Leave discord.py no more of the message that a command is used on than where it is.

    It takes for granted that it knows each part of a message: a poll without an end, or whatever Discord adds next,
    would leave the command unanswered.
    """
    data: Any = interaction.data or {}
    resolved = data.get("resolved") or {}
    if not (messages := resolved.get("messages")):
        return
    interaction.extras[MESSAGES] = messages
    resolved["messages"] = {
        id_: {"id": id_, "channel_id": message.get("channel_id") or interaction.channel_id, "type": 0, "content": ""}
        for id_, message in messages.items()
    }


def _sparing(parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same, but one interaction that discord.py cannot read does not end the connection for all others."""

    def parse_or_log(data: Any) -> None:
        try:
            parse(data)
        except Exception:
            _log.exception("an interaction could not be read")

    return parse_or_log


def _ignore(data: Any) -> None:
    """An event that comes with an intent, and that nobody wants."""


def _delays() -> Iterator[float]:
    """Seconds between tries: the first soon, then ever fewer."""
    yield from (1.0, 2.0, 4.0, 8.0, 15.0)
    yield from repeat(30.0)


def _code(error: Exception) -> int | str:
    """What is logged of an error of discord.py's: never its text, which may hold an address with a token."""
    return error.code if isinstance(error, discord.HTTPException) else type(error).__name__


class _LateAutocomplete(logging.Filter):
    """An answer to an autocomplete that came too late is usual: the person typed on."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, discord.NotFound)


logging.getLogger("discord.app_commands.tree").addFilter(_LateAutocomplete())
