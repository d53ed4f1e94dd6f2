"""`/save` and `/unsave`, the albums offered while somebody types, the buttons to choose an album, and Undo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import structlog
from discord import app_commands

from bot.accounts.renewals import Renewals
from bot.albums import Album, AlbumId
from bot.caller import Caller, MemberId, RequestId
from bot.changes import Action, LibraryChange
from bot.chat import library_cards
from bot.chat.cards import Card, progress_card, text_card
from bot.chat.components import Component
from bot.chat.editions import labels
from bot.chat.features import Feature, describe
from bot.chat.menus import cut
from bot.chat.own_app import OwnApp, Ways
from bot.chat.reply import Beside, Interaction, Reply, Visibility, caller_of
from bot.chat.words import Words, refusal_of
from bot.errors import (
    NeedsRelink,
    NotLinked,
    StorageUnavailable,
    UserError,
)
from bot.library import NAMES, Library, Progress, Report
from bot.library.resolver import AlbumResolver
from bot.library.runner import OnProgress
from bot.storage.changes import Pages
from bot.text import Text, command_name, msg

AUTOCOMPLETE_S = 0.9
"""An autocomplete that takes longer is answered with an empty list."""
CHOICES = 25
LINK_FIRST = "/link"
"""The value of the hint to link first where nothing is typed yet: a choice needs one."""
NOTES_MOST = 2000
"""Characters of an answer that tell of earlier commands; what does not fit comes with the next."""

_log = structlog.get_logger("gatefold.chat")
Work = Callable[[OnProgress], Awaitable[Report | str]]
Find = Callable[[], Awaitable[Sequence[AlbumId]]]
Albums = app_commands.Range[str, 1, 6000]
"""6,000 characters are Discord's limit, and the only one: about 260 ids."""


class Saving:
    """Changes members' libraries by commands and buttons."""

    def __init__(
        self, own_app: OwnApp, renewals: Renewals, library: Library, resolver: AlbumResolver, reply: Reply
    ) -> None:
        self._own_app = own_app
        self._renewals = renewals
        self._library = library
        self._resolver = resolver
        self._reply = reply
        self._typing: dict[MemberId, asyncio.Task[list[Album]]] = {}

    async def change(self, interaction: Interaction, action: Action, text: str) -> None:
        """`/save` and `/unsave`."""
        caller = caller_of(interaction)
        name = "save" if action is Action.SAVE else "unsave"
        if text.strip() == LINK_FIRST:
            work = self._link_first(caller, action)
            await self._reply(interaction, work, name=name, visibility=Visibility.PRIVATE)
            return
        await self._answer(interaction, caller, partial(self._library.change, caller, action, text), name, action)

    async def _link_first(self, caller: Caller, action: Action) -> Sequence[Card]:
        """The answer to a hint that was picked before anything was typed. NotLinked, NeedsRelink."""
        await self._resolver.suggestions(caller.member_id, Action.REMOVE, "")
        return [text_card(self._reply.words(caller.locale).no_albums(action))]

    async def save_album(self, interaction: Interaction, caller: Caller, album: AlbumId) -> None:
        """A button on a card that others see, too: whoever uses it saves the album to their own library."""
        await self._change_album(interaction, caller, Action.SAVE, album, "button save", edits=False)

    async def save_counted(
        self, interaction: Interaction, caller: Caller, album: AlbumId, name: str, origin: str
    ) -> None:
        """The same, on a card that counts for how many the album was new, also of those who link first."""

        async def work(_: OnProgress) -> Report:
            return await self._library.change_album(caller, Action.SAVE, album, origin=origin)

        await self._answer(interaction, caller, work, name, Action.SAVE)

    async def save_chosen(self, interaction: Interaction, caller: Caller, albums: Sequence[AlbumId]) -> None:
        """Albums that were chosen from a menu, in the fewest writes."""
        await self.save_albums(interaction, caller, albums, "menu save-chosen", edits=False)

    async def unsave_album(self, interaction: Interaction, caller: Caller, album: AlbumId) -> None:
        """The same, to remove it."""
        await self._change_album(interaction, caller, Action.REMOVE, album, "button unsave", edits=False)

    async def save_albums(
        self, interaction: Interaction, caller: Caller, albums: Sequence[AlbumId], name: str, *, edits: bool
    ) -> None:
        """Save several albums, in the fewest writes. `edits`: the card whose button was used says what came of it."""
        work = partial(self._library.change_albums, caller, Action.SAVE, albums)
        await self._answer(interaction, caller, work, name, Action.SAVE, edits=edits)

    async def save_found(self, interaction: Interaction, caller: Caller, find: Find, name: str, *, edits: bool) -> None:
        """The same, of albums that take a while to find: Discord waits 3 s for the first answer."""

        async def work(on_progress: OnProgress) -> Report:
            return await self._library.change_albums(caller, Action.SAVE, await find(), on_progress)

        await self._answer(interaction, caller, work, name, Action.SAVE, edits=edits)

    async def save_text(self, interaction: Interaction, caller: Caller, text: str, name: str) -> None:
        """Save what a text names."""
        work = partial(self._library.change, caller, Action.SAVE, text)
        await self._answer(interaction, caller, work, name, Action.SAVE)

    async def pick(self, interaction: Interaction, caller: Caller, action: Action, album: AlbumId) -> None:
        """The one album that a search offered: the offer becomes what came of it."""
        await self._change_album(interaction, caller, action, album, "button pick", edits=True)

    async def choose(
        self, interaction: Interaction, caller: Caller, action: Action, place: int, albums: Sequence[AlbumId]
    ) -> None:
        """A choice from a menu of albums. `place` 0: there is only that menu, and it becomes what came of the choice."""
        await self._change_album(interaction, caller, action, albums[0], "menu choose", edits=place == 0)

    async def _change_album(
        self, interaction: Interaction, caller: Caller, action: Action, album: AlbumId, name: str, *, edits: bool
    ) -> None:
        async def work(_: OnProgress) -> Report:
            return await self._library.change_album(caller, action, album)

        await self._answer(interaction, caller, work, name, action, edits=edits)

    async def undo(self, interaction: Interaction, caller: Caller, of: RequestId) -> None:
        """A button that takes back what a request changed: its own card says so then."""

        async def work(on_progress: OnProgress) -> Report | str:
            result = await self._library.undo(caller, of, on_progress)
            return result if isinstance(result, Report) else self._reply.words(caller.locale).undo(result)

        await self._answer(interaction, caller, work, "button undo", None, edits=True)

    async def _answer(
        self,
        interaction: Interaction,
        caller: Caller,
        work: Work,
        name: str,
        action: Action | None,
        *,
        edits: bool = False,
    ) -> None:
        """Answer with what comes of `work`: a report, or a sentence where there is nothing to report.

        `action`: what is done to the albums, None: undone.
        `edits`: the report takes the place of the card whose button was used.
        """
        words = self._reply.words(caller.locale)
        report: Report | None = None
        earlier: list[Report] = []
        notes: list[str] = []
        ends_at: datetime | None = None
        drawn: Sequence[Card] | None = None
        latest: Progress | None = None

        def on_progress(progress: Progress) -> None:
            nonlocal latest
            latest = progress

        def progress() -> Card | None:
            if latest is None:
                return None
            done = sum(latest.counts.values())
            if done + latest.left <= NAMES:
                return None  # few albums are named, and a bar would only flash by
            return progress_card(words, _doing(words.t, action), done, done + latest.left, latest.left_s)

        async def draw() -> Sequence[Card] | Beside:
            nonlocal report, earlier, notes, drawn, ends_at
            self._reply.check_open()
            result = await work(on_progress)
            if not isinstance(result, Report):
                return Beside([text_card(result)])
            report = result
            # The request is kept, so nothing that fails from here on may say that it is not.
            ways: Ways | None = None
            try:
                earlier = await self._library.untold(report)
                if isinstance(report.held, NotLinked | NeedsRelink):
                    ways = await self._own_app.ways(caller, words.t("Link Spotify"))
                else:
                    ends_at = await self._renewals.take_untold(caller.member_id)
            except StorageUnavailable as error:
                _log.warning("an answer says less than it could", error=str(error))
            earlier, notes = notes_of(words, earlier)
            if ends_at is not None:
                renew = words.t("{link} renews it.", link=words.command("link"))
                notes.append(words.t.sentences([words.consent_ends(ends_at), renew]))
            drawn = library_cards.report(words, report, ways=ways, notes=notes)
            return drawn

        def held() -> UserError | None:
            return None if report is None else report.held or _refusal(report.request.changes)

        count = 0
        try:
            count = await self._reply(
                interaction, draw(), name=name, visibility=Visibility.PRIVATE, edits=edits, held=held, progress=progress
            )
        finally:
            if report is not None:
                is_shown = drawn is not None
                has_all = drawn is None or count == len(drawn)
                pages = None if has_all else Pages(count, sum(map(len, notes)))
                await self._library.answered(report, arrived=count > 0, shows_report=is_shown, pages=pages)
                has_told = count > 0 and is_shown
                await self._library.told(report, earlier if has_told else (), arrived=count > 0)
                if ends_at is not None and not has_told:
                    await self._renewals.put_back(caller.member_id)

    # -- while somebody types

    async def suggest(self, interaction: Interaction, action: Action, text: str) -> list[app_commands.Choice[str]]:
        """Albums to pick while somebody types; an empty list where Spotify is too slow or says no.

        Who has to link first is told so. Picking that sends what was typed, which is answered with the way to link.
        """
        caller = caller_of(interaction)
        member, t = caller.member_id, self._reply.words(caller.locale).t
        if (older := self._typing.pop(member, None)) is not None:
            older.cancel()
        task = asyncio.create_task(self._suggestions(member, action, text))
        self._typing[member] = task
        done, _ = await asyncio.wait({task}, timeout=AUTOCOMPLETE_S)
        if not done:
            task.cancel()
        if self._typing.get(member) is task:
            del self._typing[member]
        if not done or task.cancelled():
            return []
        if isinstance(task.exception(), NotLinked | NeedsRelink):
            hint = t("Link your Spotify account first: {command}", command=f"/{t.command('link')}")
            return [app_commands.Choice(name=cut(hint, 100), value=text.strip()[:100] or LINK_FIRST)]
        if task.exception() is not None:
            return []
        albums = task.result()[:CHOICES]
        return [
            app_commands.Choice(name=label, value=f"spotify:album:{album.id}")
            for album, label in zip(albums, labels(t, albums), strict=True)
        ]

    async def _suggestions(self, member: MemberId, action: Action, text: str) -> list[Album]:
        return await self._resolver.suggestions(member, action, text)


def feature(saving: Saving) -> Feature:
    """The commands and buttons of this module."""

    @app_commands.command(name=command_name("save"), description=msg("Save albums to your Spotify library"))
    @app_commands.rename(albums=command_name("albums"))
    @describe(albums=msg("One or several links, or a title: pick from the suggestions"))
    async def save(interaction: Interaction, albums: Albums) -> None:
        await saving.change(interaction, Action.SAVE, albums)

    @app_commands.command(name=command_name("unsave"), description=msg("Remove albums from your Spotify library"))
    @app_commands.rename(albums=command_name("albums"))
    @describe(albums=msg("One or several links, or a title: pick from your own albums"))
    async def unsave(interaction: Interaction, albums: Albums) -> None:
        await saving.change(interaction, Action.REMOVE, albums)

    @save.autocomplete("albums")
    async def suggest_to_save(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await saving.suggest(interaction, Action.SAVE, text)

    @unsave.autocomplete("albums")
    async def suggest_to_remove(interaction: Interaction, text: str) -> list[app_commands.Choice[str]]:
        return await saving.suggest(interaction, Action.REMOVE, text)

    components = (
        Component("save", (AlbumId,), saving.save_album),
        Component("unsave", (AlbumId,), saving.unsave_album),
        Component("save-chosen", (), saving.save_chosen, values=AlbumId),
        Component("pick", (Action, AlbumId), saving.pick),
        Component("choose", (Action, int), saving.choose, values=AlbumId),
        Component("undo", (RequestId,), saving.undo),
    )
    return Feature("saving", (save, unsave), components)


def notes_of(words: Words, earlier: list[Report]) -> tuple[list[Report], list[str]]:
    """What could not be told when it happened: as many reports as fit, and their text."""
    told: list[Report] = []
    lines = [words.earlier()]
    for report in earlier:
        changes = report.request.distinct
        one = changes[0] if len(changes) == 1 else None
        album = report.albums.get(one.album_id) if one is not None and one.album_id else None
        line = words.single(one, album) if one is not None else words.summary(changes)
        if sum(map(len, lines)) + len(line) > NOTES_MOST:
            break
        lines.append(line)
        told.append(report)
    return told, ["\n".join(lines)] if told else []


def _doing(t: Text, action: Action | None) -> str:
    match action:
        case Action.SAVE:
            return t("Saving albums.")
        case Action.REMOVE:
            return t("Removing albums.")
    return t("Undoing the changes.")


def _refusal(changes: Sequence[LibraryChange]) -> UserError | None:
    """Why Spotify refused some of them for good, for the log and the metrics."""
    for change in changes:
        if change.outcome in library_cards.REFUSALS:
            return refusal_of(change.outcome, change.detail)
    return None
