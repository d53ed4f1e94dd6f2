"""The commands and buttons about crates: `/crate`, and `/curate crate` for curators."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord
from discord import app_commands

from bot.albums import AlbumId
from bot.caller import Caller, GuildId, MemberId
from bot.changes import Action
from bot.chat.components import Component
from bot.chat.crate_pages import CratePages, PageAction
from bot.chat.crates import CrateCards, Format, Page, Sort, View
from bot.chat.editions import labels
from bot.chat.features import Feature, describe
from bot.chat.groups import CURATE
from bot.chat.reply import Interaction, Reply, Visibility, Work, caller_of
from bot.chat.saving import Saving
from bot.library.matching import matching
from bot.storage.crates import NAME_MOST, NOTE_MOST, CrateId
from bot.text import command_name, msg

Name = app_commands.Range[str, 1, NAME_MOST]
Note = app_commands.Range[str, 1, NOTE_MOST]
AlbumText = app_commands.Range[str, 1, 500]
Choices = list[app_commands.Choice[str]]
Subcommand = app_commands.Command[Any, ..., Any]
# Not from the enumerations themselves: Discord would show the names of their members.
SORTS = [
    app_commands.Choice(name=msg("The newest first"), value=Sort.DATE.value),
    app_commands.Choice(name=msg("By artist"), value=Sort.ARTIST.value),
    app_commands.Choice(name=msg("Kept by most first"), value=Sort.KEPT.value),
]
ACTIONS = [
    app_commands.Choice(name=msg("On"), value=PageAction.ON.value),
    app_commands.Choice(name=msg("Off"), value=PageAction.OFF.value),
    app_commands.Choice(name=msg("Another address"), value=PageAction.RENEW.value),
]
FORMATS = [
    app_commands.Choice(name=msg("CSV"), value=Format.CSV.value),
    app_commands.Choice(name=msg("JSON"), value=Format.JSON.value),
]


class Handlers:
    """What the buttons of crates do."""

    def __init__(self, cards: CrateCards, saving: Saving, reply: Reply) -> None:
        self._cards = cards
        self._saving = saving
        self._reply = reply

    async def answer(
        self,
        interaction: Interaction,
        work: Work,
        name: str,
        visibility: Visibility = Visibility.PRIVATE,
        *,
        edits: bool = False,
        album: str = "",
    ) -> None:
        """Answer with cards."""
        await self._reply(interaction, work, name=name, visibility=visibility, edits=edits, album=album)

    async def page(
        self, interaction: Interaction, caller: Caller, id_: CrateId, sort: Sort, by: MemberId, number: int, view: View
    ) -> None:
        """Another page. A page that all see is turned privately, so that nobody else loses theirs."""
        crate = await self._cards.crate(guild_of(interaction), id_)
        if crate is None:
            await self.answer(interaction, self._gone(caller), "button crate-page")
            return
        work = self._cards.turn(caller, crate, Page(sort, by, number, View.PRIVATE))
        await self.answer(interaction, work, "button crate-page", edits=view is View.PRIVATE)

    async def ask_to_save(self, interaction: Interaction, caller: Caller, id_: CrateId, by: MemberId) -> None:
        """**Save all I don't have** asks once, with the number."""
        crate = await self._cards.crate(guild_of(interaction), id_)
        work = self._gone(caller) if crate is None else self._cards.ask_to_save(caller, crate, by)
        await self.answer(interaction, work, "button crate-save")

    async def save_all(self, interaction: Interaction, caller: Caller, id_: CrateId, by: MemberId) -> None:
        """Save what the caller does not have."""
        crate = await self._cards.crate(guild_of(interaction), id_)
        if crate is None:
            await self.answer(interaction, self._gone(caller), "button crate-save-all")
            return
        missing = partial(self._cards.missing, caller, crate, by)
        await self._saving.save_found(interaction, caller, missing, "button crate-save-all", edits=True)

    async def cancel(self, interaction: Interaction, caller: Caller) -> None:
        """Save nothing."""
        await self.answer(interaction, self._cards.cancelled(caller), "button crate-cancel", edits=True)

    async def keep(self, interaction: Interaction, caller: Caller, album: AlbumId) -> None:
        """**Show that I kept this**."""
        await self.answer(interaction, self._cards.keep(caller, guild_of(interaction), album), "button keep")

    async def _gone(self, caller: Caller) -> Any:
        return await self._cards.gone(caller)


def guild_of(interaction: Interaction) -> GuildId:
    """The server that a command or a button was used in; 0 outside of one, where no crate is."""
    return GuildId(interaction.guild_id or 0)


def feature(cards: CrateCards, pages: CratePages, saving: Saving, reply: Reply) -> Feature:
    """The commands and buttons of this module."""
    handlers = Handlers(cards, saving, reply)
    group = app_commands.Group(
        name=command_name("crate"), description=msg("The albums that this server collects"), guild_only=True
    )

    @group.command(name=command_name("add"), description=msg("Put an album into a crate"))
    @app_commands.rename(album=command_name("album"), note=command_name("note"), crate=command_name("crate"))
    @describe(
        album=msg("A link, or a title: pick from the suggestions"),
        note=msg("Why this album"),
        crate=msg("Which crate; the first one if you leave this out"),
    )
    async def add(
        interaction: Interaction, album: AlbumText, note: Note | None = None, crate: Name | None = None
    ) -> None:
        caller = caller_of(interaction)
        work = cards.add(caller, guild_of(interaction), album, note or "", crate)
        await handlers.answer(interaction, work, "crate add", album=album)

    @group.command(name=command_name("show"), description=msg("Look through a crate"))
    @app_commands.rename(
        crate=command_name("crate"), by=command_name("by"), sort=command_name("sort"), public=command_name("public")
    )
    @describe(
        crate=msg("Which crate; the first one if you leave this out"),
        by=msg("Only what this member added"),
        sort=msg("The order of the albums"),
        public=msg("Show it to everybody in this channel"),
    )
    @app_commands.choices(sort=SORTS)
    async def show(
        interaction: Interaction,
        crate: Name | None = None,
        by: discord.User | None = None,
        sort: str = Sort.DATE,
        public: bool = False,
    ) -> None:
        caller = caller_of(interaction)
        view = View.PUBLIC if public else View.PRIVATE
        page = Page(Sort(sort), MemberId(by.id) if by is not None else MemberId(0), 0, view)
        visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
        await handlers.answer(
            interaction, cards.show(caller, guild_of(interaction), crate, page), "crate show", visibility
        )

    @group.command(name=command_name("remove"), description=msg("Take an album out of a crate"))
    @app_commands.rename(album=command_name("album"), crate=command_name("crate"))
    @describe(
        album=msg("A link, or a title: pick from the suggestions"),
        crate=msg("Which crate; the first one if you leave this out"),
    )
    async def remove(interaction: Interaction, album: AlbumText, crate: Name | None = None) -> None:
        caller = caller_of(interaction)
        anyones = interaction.permissions.manage_messages
        work = cards.remove(caller, guild_of(interaction), album, crate, anyones=anyones)
        await handlers.answer(interaction, work, "crate remove", album=album)

    @group.command(name=command_name("pick"), description=msg("Draw an album at random for everybody to see"))
    @app_commands.rename(crate=command_name("crate"))
    @describe(crate=msg("Which crate; the first one if you leave this out"))
    async def pick(interaction: Interaction, crate: Name | None = None) -> None:
        caller = caller_of(interaction)
        work = cards.pick(caller, guild_of(interaction), crate)
        await handlers.answer(interaction, work, "crate pick", Visibility.PUBLIC)

    @group.command(name=command_name("export"), description=msg("Get a crate as a file"))
    @app_commands.rename(crate=command_name("crate"), format=command_name("format"))
    @describe(
        crate=msg("Which crate; the first one if you leave this out"), format=msg("CSV for spreadsheets, or JSON")
    )
    @app_commands.choices(format=FORMATS)
    async def export(interaction: Interaction, crate: Name | None = None, format: str = Format.CSV) -> None:
        caller = caller_of(interaction)
        work = cards.export(caller, guild_of(interaction), crate, Format(format))
        await handlers.answer(interaction, work, "crate export")

    curate = app_commands.Group(
        name=command_name("crate"), description=msg("Make, rename and archive crates, and give them pages")
    )

    @curate.command(name=command_name("new"), description=msg("Make a crate"))
    @app_commands.rename(name=command_name("name"))
    @describe(name=msg("What it is called"))
    async def new(interaction: Interaction, name: Name) -> None:
        caller = caller_of(interaction)
        await handlers.answer(interaction, cards.new(caller, guild_of(interaction), name), "curate crate new")

    @curate.command(name=command_name("rename"), description=msg("Give a crate another name"))
    @app_commands.rename(crate=command_name("crate"), name=command_name("name"))
    @describe(crate=msg("Which crate"), name=msg("What it is called from now on"))
    async def rename(interaction: Interaction, crate: Name, name: Name) -> None:
        caller = caller_of(interaction)
        work = cards.rename(caller, guild_of(interaction), crate, name)
        await handlers.answer(interaction, work, "curate crate rename")

    @curate.command(name=command_name("archive"), description=msg("Let a crate take no new albums"))
    @app_commands.rename(crate=command_name("crate"))
    @describe(crate=msg("Which crate"))
    async def archive(interaction: Interaction, crate: Name) -> None:
        caller = caller_of(interaction)
        await handlers.answer(interaction, cards.archive(caller, guild_of(interaction), crate), "curate crate archive")

    @curate.command(name=command_name("page"), description=msg("A public page with all albums of a crate"))
    @app_commands.rename(action=command_name("action"), crate=command_name("crate"))
    @describe(
        action=msg("Turn it on, off, or give it another address"),
        crate=msg("Which crate; the first one if you leave this out"),
    )
    @app_commands.choices(action=ACTIONS)
    async def page(interaction: Interaction, action: str, crate: Name | None = None) -> None:
        caller, guild = caller_of(interaction), guild_of(interaction)
        match PageAction(action):
            case PageAction.OFF:
                work = pages.close(caller, guild, crate)
            case wanted:
                work = pages.open(caller, guild, crate, renew=wanted is PageAction.RENEW)
        await handlers.answer(interaction, work, "curate crate page")

    async def crates(interaction: Interaction, text: str) -> Choices:
        names = await cards.suggest(guild_of(interaction), text)
        return [app_commands.Choice(name=name, value=name) for name in names[:25]]

    async def albums(interaction: Interaction, text: str) -> Choices:
        return await saving.suggest(interaction, Action.SAVE, text)

    with_crate: tuple[Subcommand, ...] = (add, show, remove, pick, export, rename, archive, page)
    for command in with_crate:
        command.autocomplete("crate")(crates)
    add.autocomplete("album")(albums)

    @remove.autocomplete("album")
    async def removable(interaction: Interaction, text: str) -> Choices:
        caller, guild = caller_of(interaction), guild_of(interaction)
        anyones = interaction.permissions.manage_messages
        all_ = await cards.removable(caller, guild, interaction.namespace.crate, anyones=anyones)
        found = matching(all_, text)[:25]
        return [
            app_commands.Choice(name=label, value=f"spotify:album:{album.id}")
            for album, label in zip(found, labels(reply.words(caller.locale).t, found), strict=True)
        ]

    components = (
        Component("crate-page", (CrateId, Sort, MemberId, int, View), handlers.page),
        Component("crate-save", (CrateId, MemberId), handlers.ask_to_save),
        Component("crate-save-all", (CrateId, MemberId), handlers.save_all),
        Component("crate-cancel", (), handlers.cancel),
        Component("keep", (AlbumId,), handlers.keep),
    )
    return Feature("crates", (group,), components, subcommands={CURATE: (curate,)})
