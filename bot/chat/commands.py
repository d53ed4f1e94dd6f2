"""The slash commands: check, await one use case, draw, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import discord
from discord import app_commands

from bot.accounts.linking import Linking
from bot.accounts.tokens import Tokens, consent_ends_at
from bot.albums import Album, SearchText, read
from bot.caller import MemberId
from bot.changes import Action, LibraryChange, Outcome
from bot.chat import cards
from bot.chat.cards import Card, button, link_button, text_card
from bot.chat.reply import Interaction, Reply, caller_of
from bot.chat.words import Words
from bot.errors import (
    NeedsRelink,
    NotAllowlisted,
    NotLinked,
    PremiumLapsed,
    Refused,
    Restarting,
    StorageUnavailable,
    UserError,
)
from bot.library import Library, Report
from bot.library.resolver import AlbumResolver

AUTOCOMPLETE_S = 0.9
"""An autocomplete that takes longer is answered with an empty list."""
CHOICES = 25
NOTES_MOST = 2000
"""Characters of an answer that tell of earlier commands; what does not fit comes with the next."""

Work = Callable[[], Awaitable[Report | str]]
Albums = app_commands.Range[str, 1, 6000]
"""6,000 characters are Discord's limit, and the only one: about 260 ids."""


@dataclass(slots=True)
class Desk:
    """What commands and buttons need. Their bodies are its methods, so that both take the same road."""

    linking: Linking
    tokens: Tokens
    library: Library
    resolver: AlbumResolver
    words: Words
    reply: Reply
    is_stopping: bool = False
    _typing: dict[MemberId, asyncio.Task[list[Album]]] = field(default_factory=dict)

    # -- libraries

    async def change(self, interaction: Interaction, action: Action, text: str) -> None:
        """`/save` and `/unsave`."""
        caller = caller_of(interaction)
        await self.report(
            interaction,
            lambda: self.library.change(caller, action, text),
            name="save" if action is Action.SAVE else "unsave",
        )

    async def report(self, interaction: Interaction, work: Work, *, name: str) -> None:
        """Answer with what comes of `work`: a report, or a sentence where there is nothing to report."""
        caller = caller_of(interaction)
        report: Report | None = None
        earlier: list[Report] = []
        is_drawn = False

        async def draw() -> Sequence[Card]:
            nonlocal report, earlier, is_drawn
            self.check_open()
            result = await work()
            if not isinstance(result, Report):
                return [text_card(result)]
            report = result
            earlier = await self.library.untold(report)
            link_url = None
            if isinstance(report.held, NotLinked | NeedsRelink):
                link_url = await self.linking.start_link(caller)
            earlier, notes = self._notes(earlier)
            drawn = cards.report(self.words, report, link_url=link_url, notes=notes)
            is_drawn = True
            return drawn

        def held() -> UserError | None:
            return None if report is None else report.held or _refusal(report.request.changes)

        arrived = False
        try:
            arrived = await self.reply(interaction, draw(), name=name, held=held) and is_drawn
        finally:
            if report is not None:
                # what cannot be noted (the process is stopping) is told once more by the next start
                with suppress(StorageUnavailable):
                    await self.library.answered(report, arrived=arrived)
        if earlier and arrived:
            await self.library.told(earlier)

    def check_open(self) -> None:
        """Raise when the process is stopping: nothing new is taken then."""
        if self.is_stopping:
            raise Restarting

    def _notes(self, earlier: list[Report]) -> tuple[list[Report], list[str]]:
        """What could not be told when it happened: as many reports as fit, and their text."""
        told: list[Report] = []
        lines = [self.words.earlier()]
        for report in earlier:
            changes = report.request.distinct
            one = changes[0] if len(changes) == 1 else None
            album = report.albums.get(one.album_id) if one is not None and one.album_id else None
            line = self.words.single(one, album) if one is not None else self.words.summary(changes)
            if sum(map(len, lines)) + len(line) > NOTES_MOST:
                break
            lines.append(line)
            told.append(report)
        return told, ["\n".join(lines)] if told else []

    async def suggest(self, interaction: Interaction, action: Action, text: str) -> list[app_commands.Choice[str]]:
        """Albums to pick while somebody types; an empty list where Spotify is too slow or says no."""
        member = caller_of(interaction).member_id
        if (older := self._typing.pop(member, None)) is not None:
            older.cancel()
        task = asyncio.create_task(self._suggestions(member, action, text))
        self._typing[member] = task
        done, _ = await asyncio.wait({task}, timeout=AUTOCOMPLETE_S)
        if not done:
            task.cancel()
        if self._typing.get(member) is task:
            del self._typing[member]
        if not done or task.cancelled() or task.exception() is not None:
            return []
        return [_choice(album) for album in task.result()[:CHOICES]]

    async def _suggestions(self, member: MemberId, action: Action, text: str) -> list[Album]:
        references = read(text)
        words = references[0] if references else None
        if isinstance(words, SearchText):
            text = words.text
        elif references or action is Action.SAVE:
            return []  # a link was pasted, or nothing was typed yet
        return await self.resolver.suggestions(member, await self.tokens.access(member), action, text)

    # -- accounts

    async def link(self, interaction: Interaction) -> Sequence[Card]:
        """`/link`."""
        caller = caller_of(interaction)
        self.check_open()
        url = await self.linking.start_link(caller)
        account = await self.tokens.account(caller.member_id)
        label = "Link Spotify"
        if account is None:
            text = self.words.link_offer()
        elif account.broken:
            text = self.words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
        else:
            text, label = self.words.relink_offer(account.account_name), "Link again"
        return [text_card(f"{text}\n{self.words.consent()}", link_button(url, label))]

    async def account(self, interaction: Interaction) -> Sequence[Card]:
        """`/account`."""
        caller = caller_of(interaction)
        member = caller.member_id
        account, pending = await self.tokens.account(member), await self.library.pending(member)
        url = await self.linking.start_link(caller)
        buttons: list[discord.ui.Button[discord.ui.LayoutView]] = []
        if account is None:
            text = self.words.not_linked()
            buttons.append(link_button(url))
        elif account.broken:
            text = self.words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
            buttons.append(link_button(url))
        else:
            text = self.words.account(account.account_name, account.linked_at, consent_ends_at(account))
            buttons.append(link_button(url, "Renew"))
        known = {id_: album for w in pending if (id_ := w.album_id) and (album := self.resolver.known(id_))}
        names = [
            self.words.pending_name(change, known.get(change.album_id) if change.album_id else None)
            for change in pending[:10]
        ]
        if pending:
            buttons.append(button("Drop all", f"drop:{member}"))
        if account is not None:
            buttons.append(button("Unlink", f"unlink-ask:{member}"))
        waiting = self.words.pending(len(pending), names)
        return [text_card(f"{text}\n\n{waiting}\n\n{self.words.consent()}", *buttons)]

    async def ask_unlink(self, interaction: Interaction) -> Sequence[Card]:
        """`/unlink` asks once."""
        member = caller_of(interaction).member_id
        account = await self.tokens.account(member)
        if account is None and not await self.library.pending(member):
            await self.linking.unlink(member)  # what was asked for lately, kept for Undo
            return [text_card(self.words.not_linked())]
        name = account.account_name if account is not None else None
        yes = button("Unlink" if name else "Delete", f"unlink:{member}", discord.ButtonStyle.danger)
        return [text_card(self.words.unlink_question(name), yes)]

    async def unlink(self, interaction: Interaction) -> Sequence[Card]:
        """The answer to the question."""
        await self.linking.unlink(caller_of(interaction).member_id)
        return [text_card(self.words.unlinked())]

    async def drop(self, interaction: Interaction) -> Sequence[Card]:
        """Drop what waits."""
        return [text_card(self.words.dropped(await self.library.drop(caller_of(interaction).member_id)))]

    async def help(self, interaction: Interaction) -> Sequence[Card]:
        """`/help`."""
        return [text_card(self.words.help())]


def _refusal(changes: Sequence[LibraryChange]) -> UserError | None:
    """Why Spotify refused some of them for good, for the log and the metrics."""
    for change in changes:
        match change.outcome:
            case Outcome.NO_SEAT:
                return NotAllowlisted()
            case Outcome.NO_PREMIUM:
                return PremiumLapsed()
            case Outcome.REFUSED:
                return Refused(0, change.detail or "")
    return None


def _choice(album: Album) -> app_commands.Choice[str]:
    year = f" ({album.year})" if album.year else ""
    name = f"{album.title} by {album.by}"
    most = 100 - len(year)
    return app_commands.Choice(
        name=(name if len(name) <= most else name[: most - 1] + "…") + year, value=f"spotify:album:{album.id}"
    )


def install(tree: app_commands.CommandTree[Any], desk: Desk) -> None:
    """Put the commands into the tree."""

    @tree.command(name="save", description="Save albums to your Spotify library")
    @app_commands.describe(albums="Links, several at once, or a title: pick from the list while you type")
    async def save(interaction: Interaction, albums: Albums) -> None:
        await desk.change(interaction, Action.SAVE, albums)

    @tree.command(name="unsave", description="Take albums out of your Spotify library")
    @app_commands.describe(albums="Links, several at once, or a title: pick from your own albums")
    async def unsave(interaction: Interaction, albums: Albums) -> None:
        await desk.change(interaction, Action.REMOVE, albums)

    @save.autocomplete("albums")
    async def suggest_to_save(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await desk.suggest(interaction, Action.SAVE, text)

    @unsave.autocomplete("albums")
    async def suggest_to_remove(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await desk.suggest(interaction, Action.REMOVE, text)

    @tree.command(name="link", description="Link your Spotify account, renew it, or change to another one")
    async def link(interaction: Interaction) -> None:
        await desk.reply(interaction, desk.link(interaction), name="link")

    @tree.command(name="account", description="See which Spotify account is linked, and what waits")
    async def account(interaction: Interaction) -> None:
        await desk.reply(interaction, desk.account(interaction), name="account")

    @tree.command(name="unlink", description="Unlink your Spotify account and delete what is kept about you")
    async def unlink(interaction: Interaction) -> None:
        await desk.reply(interaction, desk.ask_unlink(interaction), name="unlink")

    @tree.command(name="help", description="What this bot does, and where to begin")
    async def help_(interaction: Interaction) -> None:
        await desk.reply(interaction, desk.help(interaction), name="help")
