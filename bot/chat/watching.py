"""`/watch`: curators say in which channels posted albums are answered and collected."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import discord
from discord import app_commands

from bot.caller import Caller
from bot.chat.cards import Card, Kind, text_card
from bot.chat.club.answering import Curators, NotCurating
from bot.chat.club.names import paged
from bot.chat.collecting import stop_button
from bot.chat.components import Component
from bot.chat.crate_commands import Choices, Name, guild_of
from bot.chat.crates import CrateCards, refusal
from bot.chat.features import Feature, Listener, describe
from bot.chat.messages import Failure, Messages
from bot.chat.permissions import missing_permissions
from bot.chat.reply import Interaction, Reply, Visibility, Work, caller_of
from bot.chat.watched_posts import WatchedPosts
from bot.chat.words import Words, plain
from bot.storage.crates import DEFAULT, Crate, Crates, Refusal
from bot.storage.histories import Histories
from bot.storage.watches import Answers, Watch, Watches
from bot.text import Text, command_name, msg

STOPPED_MOST = 5
"""Buttons below the status."""
_CANNOT_SEE = (50001, 10003)
_MAY_NOT_SEND = 50013
"""Discord's codes of the permissions that are missing in a channel."""
ANSWERS = [
    app_commands.Choice(name=msg("A card with cover and buttons"), value=Answers.CARD.value),
    app_commands.Choice(name=msg("One line with a Save button"), value=Answers.BUTTON.value),
    app_commands.Choice(name=msg("Nothing: only collect"), value=Answers.SILENT.value),
]


class Place(NamedTuple):
    """A text channel, or a thread in one: then `parent_id` is that channel. The bot keeps no list of them."""

    id: int
    parent_id: int | None

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread."""
        return self.parent_id is not None

    @property
    def shown(self) -> str:
        """As a link in Discord."""
        return f"<#{self.id}>"

    @property
    def needed(self) -> Sequence[str]:
        """The permissions that the bot needs to watch it."""
        return ("view_channel", self.sending, "read_message_history")

    @property
    def sending(self) -> str:
        """The permission to send messages there. Discord does not look at Send Messages in a thread."""
        return "send_messages_in_threads" if self.is_thread else "send_messages"


class TextChannel(app_commands.Transformer):
    """An option that takes a text channel or a thread."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """A channel."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """Those in which members write."""
        kinds = discord.ChannelType
        return [kinds.text, kinds.news, kinds.public_thread, kinds.news_thread]

    async def transform(self, interaction: Interaction, value: Any, /) -> Place:
        """What is known of it."""
        return Place(value.id, value.parent_id if isinstance(value, app_commands.AppCommandThread) else None)


TextPlace = app_commands.Transform[Place, TextChannel]


class Watching:
    """Answers curators. `is_allowed`: the host lets the bot read messages."""

    def __init__(
        self,
        watches: Watches,
        histories: Histories,
        crates: Crates,
        reply: Reply,
        *,
        is_allowed: bool,
        curators: Curators,
        now: Callable[[], datetime],
    ) -> None:
        self._watches = watches
        self._histories = histories
        self._crates = crates
        self._reply = reply
        self._is_allowed = is_allowed
        self._curators = curators
        self._now = now

    async def turn_on(
        self, interaction: Interaction, caller: Caller, place: Place, crate_name: str | None, answers: Answers
    ) -> Sequence[Card]:
        """Watch a channel, and say so there. A channel that is watched already is watched as is said now."""
        words = self._reply.words(caller.locale)
        t, guild = words.t, guild_of(interaction)
        if not self._is_allowed:
            return [text_card(not_allowed(t))]
        crate = await self._crates.find(guild, crate_name, self._now())
        if crate is None:
            return [text_card(refusal(t, Refusal.NO_CRATE, crate_name))]
        if crate.archived_at is not None:
            return [text_card(refusal(t, Refusal.ARCHIVED, crate_name))]
        if await self._watches.of_channel(place.id) is None:
            problem = await self._say_so(interaction, words, caller, place, crate, answers)
            if problem is not None:
                return [text_card(problem)]
        crate_id = None if crate.is_default else crate.id
        await self._watches.turn_on(guild, place.id, crate_id, answers, caller.guild_locale, self._now())
        lines = [_watched(t, answers, channel=place.shown, crate=plain(crate.name))]
        if not place.is_thread:
            lines.append(t("I am watching its threads, too."))
        lines.append(t("What was posted before is read by {command}.", command=words.command("watch collect")))
        return [text_card(t.sentences(lines))]

    async def _say_so(
        self, interaction: Interaction, words: Words, caller: Caller, place: Place, crate: Crate, answers: Answers
    ) -> str | None:
        """Tell the channel that it is read from now on; why that is not possible, None: it is."""
        if place.id == interaction.channel_id:
            missing = missing_permissions(words, interaction.app_permissions, place.needed)
            if missing:
                return _lacks(words.t, place, missing)
        messages = Messages(interaction.client)
        said = privacy(self._reply.words(caller.guild_locale), crate, answers, is_thread=place.is_thread)
        try:
            message_id = await messages.send(place.id, text_card(said, kind=Kind.PUBLIC), secrets.token_urlsafe(12))
            # Of another channel, Discord does not say what the bot may do there: its own message shows it.
            if not await messages.history(place.id, message_id - 1, 1):
                await messages.delete(place.id, message_id)
                return _lacks(words.t, place, missing_names(words, ("read_message_history",)))
        except Failure as failure:
            if names := _missing_by(failure, place):
                return _lacks(words.t, place, missing_names(words, names))
            return words.t("Discord did not take my message in {channel}. Try again.", channel=place.shown)
        return None

    async def turn_off(self, interaction: Interaction, caller: Caller, place: Place) -> Sequence[Card]:
        """Stop watching a channel. What was collected stays."""
        words = self._reply.words(caller.locale)
        t, channel, parent = words.t, place.shown, place.parent_id
        was_watched = await self._watches.turn_off(guild_of(interaction), place.id)
        if parent is not None and await self._watches.of_channel(parent) is not None:
            return [
                text_card(
                    t(
                        "I am watching {thread} because I am watching {channel} with its threads. {command} in {channel} stops both.",
                        thread=channel,
                        channel=f"<#{parent}>",
                        command=words.command("watch off"),
                    )
                )
            ]
        if not was_watched:
            return [text_card(t("I am not watching {channel}.", channel=channel))]
        return [text_card(t("I have stopped watching {channel}. The crate stays as it is.", channel=channel))]

    async def status(self, interaction: Interaction, caller: Caller) -> Sequence[Card]:
        """Which channels are watched, and how."""
        words = self._reply.words(caller.locale)
        t, guild = words.t, guild_of(interaction)
        lines = [] if self._is_allowed else [not_allowed(t)]
        watches = await self._watches.of_guild(guild)
        if not watches:
            lines.append(t("No channel is watched. {command} starts it.", command=words.command("watch on")))
        default = await self._crates.find(guild, None, self._now())
        lines += [_line(t, watch, DEFAULT if default is None else default.name) for watch in watches]
        running = await self._histories.running(guild)
        for history in running:
            facts = {"channel": f"<#{history.channel_id}>"}
            if not history.messages:
                lines.append(t("I am reading the history of {channel}.", **facts))
                continue
            lines.append(
                t.plural(
                    "I am reading the history of {channel}: {count} message so far.",
                    "I am reading the history of {channel}: {count} messages so far.",
                    history.messages,
                    **facts,
                )
            )
        if len(running) > STOPPED_MOST:
            lines.append(t("My message in each of these channels has a button that stops it."))
        *pages, last = paged(lines)
        stops = [stop_button(words, one.channel_id) for one in running[:STOPPED_MOST]]
        return [*(text_card("\n".join(page)) for page in pages), text_card("\n".join(last), *stops)]

    async def collect(
        self, interaction: Interaction, caller: Caller, place: Place, since: str | None
    ) -> Sequence[Card]:
        """Read what was posted in a channel before, into the crate that is filled from it."""
        words = self._reply.words(caller.locale)
        t, guild, channel = words.t, guild_of(interaction), place.shown
        if not self._is_allowed:
            return [text_card(not_allowed(t))]
        after_id = 1  # 0 would mean the newest messages to Discord
        if since is not None:
            on = _read_date(since)
            if on is None:
                return [text_card(t("I cannot read this date. Write it as 2026-03-31."))]
            after_id = max(discord.utils.time_snowflake(datetime(on.year, on.month, on.day, tzinfo=UTC)) - 1, 1)
        watch = await self._watches.of_channel(place.id)
        if watch is None and place.parent_id is not None:
            watch = await self._watches.of_channel(place.parent_id)
        crate = await self._crates.find(guild, None if watch is None else watch.crate, self._now())
        if crate is None or crate.archived_at is not None:
            return [text_card(refusal(t, Refusal.ARCHIVED, None))]
        problem = await self._cannot_read(interaction, words, place)
        if problem is not None:
            return [text_card(problem)]
        crate_id = None if crate.is_default else crate.id
        until_id = int(interaction.id)
        has_begun = await self._histories.begin(
            guild, place.id, crate_id, caller.guild_locale, after_id, until_id, self._now()
        )
        if not has_begun:
            stop = stop_button(words, place.id)
            return [text_card(t("I am already reading {channel}.", channel=channel), stop)]
        text = t(
            "I am reading what was posted in {channel}, and put the albums into the crate “{crate}”. A message there shows "
            "how far I am.",
            channel=channel,
            crate=plain(crate.name),
        )
        if not place.is_thread:
            text = t.sentences([text, t("Its threads are not read: name a thread to read it.")])
        return [text_card(text, stop_button(words, place.id))]

    async def stop(self, interaction: Interaction, caller: Caller, channel_id: int) -> Sequence[Card]:
        """Read no further in a channel. The button is seen by everybody, and works for curators."""
        words = self._reply.words(caller.locale)
        t = words.t
        try:
            self._curators.check(caller)
        except NotCurating:
            return [
                text_card(
                    t("Only a curator can stop this. Use {command} first.", command=words.command("watch status"))
                )
            ]
        if not await self._histories.stop(guild_of(interaction), channel_id, self._now()):
            return [text_card(t("I am not reading {channel}.", channel=f"<#{channel_id}>"))]
        return [text_card(t("Stopped. What I have found so far stays in the crate."))]

    async def _cannot_read(self, interaction: Interaction, words: Words, place: Place) -> str | None:
        """Why a channel's history cannot be read; None: it can."""
        if place.id == interaction.channel_id:
            missing = missing_permissions(words, interaction.app_permissions, place.needed)
            return _lacks(words.t, place, missing) if missing else None
        try:
            if not await Messages(interaction.client).history(place.id, 1, 1):
                return words.t(
                    "I see no message in {channel}. If there are any, I need this permission there: {permissions}.",
                    channel=place.shown,
                    permissions=missing_names(words, ("read_message_history",)),
                )
        except Failure as failure:
            if names := _missing_by(failure, place):
                return _lacks(words.t, place, missing_names(words, names))
            return words.t("Discord did not answer. Try again.")
        return None

    async def answer(self, interaction: Interaction, work: Work, name: str) -> None:
        """Answer the curator alone, who has used a command that only curators see."""
        self._curators.let_in(caller_of(interaction))
        await self._reply(interaction, work, name=name, visibility=Visibility.PRIVATE)


def not_allowed(t: Text) -> str:
    """What the host has to do before the bot can read messages."""
    return t(
        "I am not allowed to read messages here. The person who hosts this bot can allow it: turn on Message Content Intent on the "
        "Bot page of Discord's developer portal, set `MESSAGE_CONTENT=on`, and restart the bot."
    )


def privacy(words: Words, crate: Crate, answers: Answers, *, is_thread: bool) -> str:
    """What members of a channel or a thread are told when it is watched from now on."""
    t = words.t
    lines = [
        t("From now on, I watch this thread.")
        if is_thread
        else t("From now on, I watch this channel and its threads."),
        t(
            "I look for links to albums in what is posted here, and put these albums into the crate “{crate}”, with who "
            "posted them and when.",
            crate=plain(crate.name),
        ),
    ]
    if answers is not Answers.SILENT:
        lines.append(t("I answer with a button that saves the album to your own Spotify library."))
    lines += [
        t("I store nothing else of your messages."),
        t("If you delete a message within an hour, or take a link out of it, its albums leave the crate."),
        t("If you do not want your posts collected, use {command}.", command=words.command("mydata")),
    ]
    return words.with_privacy(t.sentences(lines))


def _watched(t: Text, answers: Answers, *, channel: str, crate: str) -> str:
    match answers:
        case Answers.CARD:
            return t(
                "I am watching {channel}: each album is answered with a card, and goes into the crate “{crate}”.",
                channel=channel,
                crate=crate,
            )
        case Answers.BUTTON:
            return t(
                "I am watching {channel}: each album is answered with a Save button, and goes into the crate “{crate}”.",
                channel=channel,
                crate=crate,
            )
        case Answers.SILENT:
            return t("I am watching {channel}: each album goes into the crate “{crate}”.", channel=channel, crate=crate)


def _line(t: Text, watch: Watch, default: str) -> str:
    facts = {"channel": f"<#{watch.channel_id}>", "crate": plain(watch.crate or default)}
    return _watched(t, watch.answers, **facts)


def _missing_by(failure: Failure, place: Place) -> Sequence[str]:
    """Which permissions are missing, as an error of Discord's says; none: it says something else."""
    if failure.code in _CANNOT_SEE:
        return ("view_channel",)
    return (place.sending,) if failure.code == _MAY_NOT_SEND else ()


def place_of(interaction: Interaction) -> Place:
    """Where a command is used."""
    channel = interaction.channel
    return Place(interaction.channel_id or 0, channel.parent_id if isinstance(channel, discord.Thread) else None)


def _lacks(t: Text, place: Place, permissions: str) -> str:
    return t(
        "I cannot watch {channel}: I need these permissions there: {permissions}. Ask whoever manages the server, then "
        "try again.",
        channel=place.shown,
        permissions=permissions,
    )


def missing_names(words: Words, names: Sequence[str]) -> str:
    """Permissions by the names that Discord's settings use."""
    return missing_permissions(words, discord.Permissions.none(), names)


def feature(watching: Watching, posts: WatchedPosts, crates: CrateCards, reply: Reply, *, is_allowed: bool) -> Feature:
    """The commands and events of this module. Messages are asked for only where the host allows it."""
    # Who is a curator is decided in the server's settings, under Integrations; this is what holds at first.
    group = app_commands.Group(
        name=command_name("watch"),
        description=msg("Collect the albums that are posted in a channel"),
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    @group.command(name=command_name("on"), description=msg("Watch a channel: answer and collect posted albums"))
    @app_commands.rename(channel=command_name("channel"), crate=command_name("crate"), reply=command_name("reply"))
    @describe(
        channel=msg("Which channel"),
        crate=msg("Which crate the albums go into; the first one if you leave this out"),
        reply=msg("How posted albums are answered"),
    )
    @app_commands.choices(reply=ANSWERS)
    async def on(
        interaction: Interaction, channel: TextPlace, crate: Name | None = None, reply: str = Answers.CARD
    ) -> None:
        work = watching.turn_on(interaction, caller_of(interaction), channel, crate, Answers(reply))
        await watching.answer(interaction, work, "watch on")

    @group.command(name=command_name("off"), description=msg("Stop watching a channel"))
    @app_commands.rename(channel=command_name("channel"))
    @describe(channel=msg("Which channel; this one if you leave this out"))
    async def off(interaction: Interaction, channel: TextPlace | None = None) -> None:
        work = watching.turn_off(interaction, caller_of(interaction), channel or place_of(interaction))
        await watching.answer(interaction, work, "watch off")

    @group.command(name=command_name("status"), description=msg("See which channels are watched"))
    async def status(interaction: Interaction) -> None:
        await watching.answer(interaction, watching.status(interaction, caller_of(interaction)), "watch status")

    @group.command(name=command_name("collect"), description=msg("Collect the albums that were posted in a channel"))
    @app_commands.rename(channel=command_name("channel"), since=command_name("since"))
    @describe(
        channel=msg("Which channel"),
        since=msg("From this date on, such as 2026-03-31; everything if you leave this out"),
    )
    async def collect(
        interaction: Interaction, channel: TextPlace, since: app_commands.Range[str, 1, 40] | None = None
    ) -> None:
        work = watching.collect(interaction, caller_of(interaction), channel, since)
        await watching.answer(interaction, work, "watch collect")

    @on.autocomplete("crate")
    async def names(interaction: Interaction, text: str) -> Choices:
        found = await crates.suggest(guild_of(interaction), text)
        return [app_commands.Choice(name=name, value=name) for name in found[:25]]

    async def stop(interaction: Interaction, caller: Caller, channel_id: int) -> None:
        work = watching.stop(interaction, caller, channel_id)
        await reply(interaction, work, name="button collect-stop", visibility=Visibility.PRIVATE)

    components = (Component("collect-stop", (int,), stop),)
    if not is_allowed:
        return Feature("watching", (group,), components)
    listeners: dict[str, Listener] = {
        "message_posted": posts.posted,
        "message_edited": posts.edited,
        "raw_message_delete": posts.deleted,
        "raw_bulk_message_delete": posts.deleted_many,
    }
    intents = discord.Intents(guild_messages=True, message_content=True)
    return Feature("watching", (group,), components, listeners=listeners, intents=intents)


def _read_date(text: str) -> date | None:
    from bot.files.dates import DateOrder, read_date  # here, because a start can do without

    typed = read_date(text)
    return None if typed is None else typed.on(DateOrder.UNCLEAR)
