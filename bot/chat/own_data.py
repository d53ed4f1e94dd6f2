"""`/mydata` and `/forget`: what is stored about a member, what others may see of it, and its deletion."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import discord
from discord import app_commands

from bot.accounts.linking import Linking
from bot.albums import AlbumId
from bot.caller import Caller, MemberId
from bot.chat import editions, parts
from bot.chat.cards import Card, Kind, attribution, file_card, text_card
from bot.chat.components import Audience, Component, CustomId
from bot.chat.features import Feature
from bot.chat.menus import OPTIONS_MOST, menu
from bot.chat.parts import Part, button
from bot.chat.reply import Interaction, Reply, Visibility, Work, caller_of
from bot.chat.words import Words, plain
from bot.library.finder import AlbumFinder
from bot.storage import Storage
from bot.storage.preferences import Preferences
from bot.text import Text, command_name, msg

LABELS: dict[str, str] = {
    "links": msg("Your linked Spotify account"),
    "link_attempts": msg("Links that you have not finished"),
    "change_requests": msg("Commands of the last 30 days, kept for Undo"),
    "library_changes": msg("Albums that you asked to save or remove"),
    "outbox": msg("Messages to you, sent or on their way"),
    "timers": msg("Reminders that are due later"),
    "spotify_apps": msg("Your own Spotify app"),
    "seat_requests": msg("Your request for a seat"),
    "imports": msg("Files that you asked me to import"),
    "member_preferences": msg("Your choices"),
    "crate_entries": msg("Albums that you added to crates"),
    "watch_answers": msg("Albums that you posted in watched channels within a day"),
    "kept_albums": msg("Albums that you show that you kept"),
    "clubs": msg("Clubs that you started"),
    "club_reminders": msg("Clubs that remind you"),
    "club_rounds": msg("Rounds that you picked or nominated for"),
    "ballots": msg("Your votes that are not counted yet"),
    "ratings": msg("Your ratings and reviews"),
    "curator_log": msg("What you did as a curator"),
    "club_imports": msg("Spreadsheets of clubs that you imported or that name you"),
}
"""What each table holds about a member, in the order in which it is told."""


class Switch(StrEnum):
    """What a member can turn on and off."""

    NAMED = "named"
    COLLECTED = "collected"


class OwnData:
    """Answers about what is stored. Everything is private, and about the caller alone."""

    def __init__(self, storage: Storage, linking: Linking, finder: AlbumFinder, reply: Reply) -> None:
        self._storage = storage
        self._finder = finder
        self._linking = linking
        self._reply = reply

    async def show(self, caller: Caller, name: str) -> Sequence[Card]:
        """A summary with the member's choices, and every row as JSON. `name`: what Discord calls the member now."""
        words = self._reply.words(caller.locale)
        t = words.t
        chosen = await self._storage.preferences.get(caller.member_id)
        if chosen.is_named and chosen.shown_name != name:
            await self._storage.preferences.set_named(caller.member_id, name)
            chosen = await self._storage.preferences.get(caller.member_id)
        found = await self._storage.export(caller.member_id)
        lines = [f"- {_label(t, table)}: {t.number(len(found[table]))}" for table in _ordered(found)]
        text = [t("**What I store about you**"), *(lines or [t("Nothing.")])]
        if lines:
            # After a blank line, since it would be part of the last point otherwise.
            text += ("", t("{command} deletes all of it.", command=words.command("forget")))
        kept = await self._kept(words, caller.member_id) if "kept_albums" in found else []
        summary = Card(parts.text("\n".join(text)), *_switches(t, caller.member_id, chosen), *kept, kind=Kind.PRIVATE)
        data = json.dumps(found, ensure_ascii=False, indent=1).encode()
        return [summary, file_card(t("Every row that concerns you, as JSON."), "mydata.json", data)]

    async def switch(self, caller: Caller, what: Switch, is_on: int, name: str) -> Sequence[Card]:
        """Turn one of the member's choices on or off; the card shows how they are now."""
        preferences = self._storage.preferences
        match what:
            case Switch.NAMED:
                await preferences.set_named(caller.member_id, name if is_on else None)
            case Switch.COLLECTED:
                await preferences.set_posts_collected(caller.member_id, bool(is_on))
        return (await self.show(caller, name))[:1]

    async def _kept(self, words: Words, member: MemberId) -> list[Part]:
        """What the member shows that they kept, to take all or some of it back."""
        t = words.t
        stop = button(t("Stop showing them"), CustomId("kept-none", member))
        shown = await self._storage.crates.shown_by(member)
        ids = shown[:OPTIONS_MOST]
        said = t("Servers see which albums you kept.")
        if len(shown) > len(ids):
            latest = t.plural(
                "The menu has the latest of {count} album.",
                "The menu has the latest {most} of {count} albums.",
                len(shown),
                most=t.number(len(ids)),
            )
            said = t.sentences([said, latest])
        albums = await self._finder.names(member, ids)
        choices = editions.choices(words.t, albums, ids)
        return [
            parts.section(said, stop),
            menu(CustomId("kept-not", member), t("Stop showing some of them"), choices, most=len(choices)),
            *attribution(words, [*albums.values()]),
        ]

    async def stop_showing(self, caller: Caller, name: str, albums: Sequence[AlbumId] | None = None) -> Sequence[Card]:
        """Show nowhere any more what the member kept, or only that they kept these albums."""
        await self._storage.crates.stop_showing(caller.member_id, albums)
        return (await self.show(caller, name))[:1]

    async def ask_forget(self, caller: Caller) -> Sequence[Card]:
        """`/forget` asks once."""
        t = self._reply.words(caller.locale).t
        text = t(
            "Forget you? I unlink your Spotify account and delete everything I store about you. Albums that you added to "
            "crates and your part in past club rounds stay without your name. This cannot be undone. What has been saved or "
            "removed in your Spotify library stays that way."
        )
        yes = button(t("Forget me"), CustomId("forget", caller.member_id), discord.ButtonStyle.danger)
        return [text_card(text, yes, button(t("Cancel"), CustomId("forget-cancel", caller.member_id)))]

    async def forget(self, caller: Caller) -> Sequence[Card]:
        """The answer to that question: what was deleted or lost its name."""
        t = self._reply.words(caller.locale).t
        counts = await self._linking.forget(caller.member_id)
        lines = [f"- {_label(t, table)}: {t.number(counts[table])}" for table in _ordered(counts)]
        done = t("Done. I know nothing about you any more. This is what I deleted or made anonymous:")
        if not lines:
            return [text_card(t("I had stored nothing about you."))]
        apps = t(
            "To withdraw the permission at Spotify too, remove this bot at <https://www.spotify.com/account/apps/>."
        )
        return [text_card("\n".join([done, *lines, apps]))]

    async def cancelled(self, caller: Caller) -> Sequence[Card]:
        """The answer to Cancel."""
        return [text_card(self._reply.words(caller.locale).t("Nothing was deleted."))]


def _switches(t: Text, member: MemberId, chosen: Preferences) -> list[Part]:
    """A sentence about each choice with the button that changes it."""
    rows = (
        (
            Switch.NAMED,
            chosen.is_named,
            t("Public pages of clubs and crates call you {name}.", name=plain(chosen.shown_name or "", 80))
            if chosen.is_named
            else t("Public pages call you “a member”."),
            t("Stop naming me") if chosen.is_named else t("Name me on public pages"),
        ),
        (
            Switch.COLLECTED,
            chosen.posts_collected,
            t("Albums that you post in watched channels go into the server's crate.")
            if chosen.posts_collected
            else t("Albums that you post in watched channels are not collected."),
            t("Do not collect my posts") if chosen.posts_collected else t("Collect my posts"),
        ),
    )
    items: list[Part] = []
    for what, is_on, sentence, label in rows:
        accessory = button(label, CustomId("choice", member, what, int(not is_on)))
        items.append(parts.section(sentence, accessory))
    return items


def _name(interaction: Interaction) -> str:
    """What Discord calls the member everywhere, not on one server."""
    return interaction.user.global_name or interaction.user.name


def _ordered(found: dict[str, Any]) -> list[str]:
    order = [*LABELS]
    return sorted(found, key=lambda table: order.index(table) if table in order else len(order))


def _label(t: Text, table: str) -> str:
    return t(LABELS[table])


def feature(own: OwnData, reply: Reply) -> Feature:
    """The commands and buttons of this module."""

    async def answer(interaction: Interaction, work: Work, name: str, *, edits: bool = False) -> None:
        await reply(interaction, work, name=name, visibility=Visibility.PRIVATE, edits=edits)

    @app_commands.command(name=command_name("mydata"), description=msg("See everything that is stored about you"))
    async def mydata(interaction: Interaction) -> None:
        await answer(interaction, own.show(caller_of(interaction), _name(interaction)), "mydata")

    @app_commands.command(name=command_name("forget"), description=msg("Delete everything that is stored about you"))
    async def forget(interaction: Interaction) -> None:
        await answer(interaction, own.ask_forget(caller_of(interaction)), "forget")

    async def switch(interaction: Interaction, caller: Caller, _: MemberId, what: Switch, is_on: int) -> None:
        await answer(interaction, own.switch(caller, what, is_on, _name(interaction)), "button choice", edits=True)

    async def stop_showing(interaction: Interaction, caller: Caller, _: MemberId) -> None:
        work = own.stop_showing(caller, _name(interaction))
        await answer(interaction, work, "button kept none", edits=True)

    async def stop_some(interaction: Interaction, caller: Caller, _: MemberId, albums: tuple[AlbumId, ...]) -> None:
        work = own.stop_showing(caller, _name(interaction), albums)
        await answer(interaction, work, "menu kept not", edits=True)

    def plain_button(draw: Callable[[Caller], Any], name: str) -> Callable[..., Any]:
        async def handle(interaction: Interaction, caller: Caller, _: MemberId) -> None:
            await answer(interaction, draw(caller), name, edits=True)

        return handle

    owner = Audience.OWNER
    components = (
        Component("choice", (MemberId, Switch, int), switch, owner),
        Component("kept-none", (MemberId,), stop_showing, owner),
        Component("kept-not", (MemberId,), stop_some, owner, values=AlbumId),
        Component("forget", (MemberId,), plain_button(own.forget, "button forget"), owner),
        Component("forget-cancel", (MemberId,), plain_button(own.cancelled, "button forget cancel"), owner),
    )
    return Feature("own data", (mydata, forget), components)
