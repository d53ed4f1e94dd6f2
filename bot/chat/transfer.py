"""`/import` and `/export`: many albums at once, from a file and into one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import discord
import structlog
from discord import ButtonStyle, app_commands

from bot.accounts.tokens import Tokens
from bot.caller import Caller, MemberId, RequestId
from bot.changes import ChangeRequest, Outcome
from bot.chat import file_words, parts
from bot.chat.attachments import Attachments, DownloadFailed
from bot.chat.cards import Card, Kind, file_card, progress_card, text_card
from bot.chat.components import Audience, Component, CustomId
from bot.chat.features import Feature, describe
from bot.chat.import_progress import card_of
from bot.chat.messages import Failure, Messages
from bot.chat.parts import Part, button
from bot.chat.reply import Beside, Interaction, Reply, Visibility, caller_of
from bot.chat.words import Words, plain
from bot.errors import ImportOver, ImportRunning, NotLinked
from bot.files.exports import ImportFailure, SavedAlbum, write_csv, write_json
from bot.files.problems import FileProblem
from bot.library import Library, Report
from bot.library.imports import Importing, ImportOutcome
from bot.storage.imports import Import
from bot.text import command_name, msg

_log = structlog.get_logger("gatefold.chat")
NAMED = 5
"""How many unread lines the question shows."""


class Format(StrEnum):
    """What kind of file `/export` makes."""

    CSV = "csv"
    JSON = "json"


class Transfer:
    """Imports and exports of members' libraries."""

    def __init__(
        self,
        importing: Importing,
        library: Library,
        tokens: Tokens,
        attachments: Attachments,
        watch: Callable[[RequestId], None],
        reply: Reply,
    ) -> None:
        """`watch`: shows how far an import's request is."""
        self._importing = importing
        self._library = library
        self._tokens = tokens
        self._attachments = attachments
        self._watch = watch
        self._reply = reply

    async def ask(self, interaction: Interaction, file: discord.Attachment) -> None:
        """`/import`: read the file, say what it holds, and ask once whether to save it."""
        caller = caller_of(interaction)
        words = self._reply.words(caller.locale)

        async def work() -> Sequence[Card]:
            self._reply.check_open()
            if await self._tokens.account(caller.member_id) is None:
                link = button(words.t("Link Spotify"), CustomId("link", caller.member_id), ButtonStyle.primary)
                return [text_card(words.error(NotLinked()), link)]
            try:
                data = await self._attachments.read(file)
                return [_question(words, await self._importing.read(caller, data, file.filename), file.filename)]
            except FileProblem as error:
                return [text_card(file_words.problem(words, error))]
            except DownloadFailed:
                return [text_card(words.t("I could not get that file from Discord. Send it again."))]
            except ImportRunning:
                return [text_card(words.t("Your last import is still running. Import the next file when it is done."))]

        await self._reply(interaction, work(), name="import", visibility=Visibility.PRIVATE)

    async def confirm(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The button that saves what was read; its card shows how far that is."""
        words = self._reply.words(caller.locale)
        request: ChangeRequest | None = None

        async def work() -> Sequence[Card] | Beside:
            nonlocal request
            self._reply.check_open()
            try:
                request = await self._importing.confirm(caller, id_)
            except ImportOver:
                return Beside([text_card(_over(words))])
            return [card_of(words, owner, request.id, 0, len(request.changes), None)]

        count = 0
        try:
            count = await self._reply(
                interaction, work(), name="button import", visibility=Visibility.PRIVATE, edits=True
            )
        finally:
            if request is not None:
                # Its end comes by the outbox, which waits for this: it would be told before it has begun.
                self._watch(request.id)
                await self._library.answered(Report(request, {}), arrived=count > 0, shows_report=False)

    async def stop(self, interaction: Interaction, caller: Caller, owner: MemberId, request: RequestId) -> None:
        """The button that stops an import. What is saved stays, and the summary comes as always."""
        words = self._reply.words(caller.locale)

        async def work() -> Sequence[Card]:
            dropped = await self._importing.stop(caller, request)
            if not dropped.count and not dropped.left:
                return [text_card(words.t("There is nothing left to stop."))]
            said = [words.t("Stopped. What was saved stays in your library.")] if dropped.count else []
            return [text_card(words.t.sentences([*said, *([words.too_late(dropped.left)] if dropped.left else [])]))]

        # a message of its own: the summary may be in the other one already
        await self._reply(interaction, work(), name="button import-stop", visibility=Visibility.PRIVATE)

    async def cancel(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The button that forgets what was read."""
        words = self._reply.words(caller.locale)

        async def work() -> Sequence[Card] | Beside:
            try:
                await self._importing.cancel(caller, id_)
            except ImportOver:
                return Beside([text_card(_over(words))])
            return [text_card(words.t("Nothing was saved. I have deleted what I read from your file."))]

        await self._reply(interaction, work(), name="button import-cancel", visibility=Visibility.PRIVATE, edits=True)

    async def export(self, interaction: Interaction, format_: Format) -> None:
        """`/export`: the member's saved albums as a file."""
        caller = caller_of(interaction)
        words = self._reply.words(caller.locale)
        read: tuple[int, int | None] = 0, None

        def on_page(done: int, total: int | None) -> None:
            nonlocal read
            read = done, total

        made: list[Callable[[], Card]] = []

        async def work() -> Sequence[Card]:
            self._reply.check_open()
            albums = await self._importing.saved(caller.member_id, on_page)
            if not albums:
                return [text_card(words.t("There are no saved albums in your library."))]
            now = datetime.now(UTC)
            name = f"albums-{now:%Y-%m-%d}.{format_}"
            data = await asyncio.to_thread(_file, format_, albums, now)
            text = words.t.plural("Your {count} saved album.", "Your {count} saved albums.", len(albums))
            source = f"-# [{words.t('on Spotify')}](https://open.spotify.com/)"
            made.append(lambda: file_card(text, name, data, parts.text(source)))
            return [made[0]()]

        def progress() -> Card | None:
            done, total = read
            return None if not total else progress_card(words, words.t("Reading your library."), done, total, None)

        count = await self._reply(interaction, work(), name="export", visibility=Visibility.PRIVATE, progress=progress)
        if made and not count:
            # Spotify took longer than the answer can be edited
            await _send_directly(interaction, caller, made[0]())


async def _send_directly(interaction: Interaction, caller: Caller, card: Card) -> None:
    messages = Messages(interaction.client)
    try:
        channel = await messages.open_direct(caller.member_id)
        await messages.send(channel, card, f"e{interaction.id}")
    except Failure as failure:
        _log.warning("an export did not arrive", error=failure.code)


def _file(format_: Format, albums: Sequence[SavedAlbum], now: datetime) -> bytes:
    if format_ is Format.CSV:
        return write_csv(SavedAlbum, albums)
    return write_json(SavedAlbum, albums, {"exported_at": now.isoformat(timespec="seconds")})


def _question(words: Words, found: Import, name: str) -> Card:
    """What a file holds, and whether to save it."""
    t, count = words.t, len(found.rows)
    lines = [
        t.sentences(
            [
                t.plural(
                    "“{file}” names {count} album.", "“{file}” names {count} albums.", count, file=plain(name, 60)
                ),
                *_more(words, found),
            ]
        )
    ]
    if found.unread_count:
        lines.append(t.plural("{count} line names no album:", "{count} lines name no album:", found.unread_count))
        lines += [f"- {plain(line.text, 60)}" for line in found.unread[:NAMED]]
        if found.unread_count > NAMED:
            lines.append(f"- {words.more(found.unread_count - min(NAMED, len(found.unread)))}")
    lines.append(t("Save them to your library?"))
    save = button(
        t("Save {count}", count=t.number(count)), CustomId("import", found.member_id, found.id), ButtonStyle.primary
    )
    cancel = button(t("Cancel"), CustomId("import-cancel", found.member_id, found.id))
    return text_card("\n".join(lines), save, cancel)


def _more(words: Words, found: Import) -> list[str]:
    t = words.t
    more = []
    if found.repeated:
        more.append(
            t.plural(
                "{count} more line names an album that was named before.",
                "{count} more lines name albums that were named before.",
                found.repeated,
            )
        )
    return [*more, *file_words.left_out(t, found.left_out)]


def _over(words: Words) -> str:
    return words.t("This import was already started or cancelled, or it is too old. Send the file again to start over.")


def summary(words: Words, outcome: ImportOutcome) -> list[Card]:
    """What came of an import: counts, and a file of what was not imported and why."""
    t, counts = words.t, outcome.counts
    undo: list[Part] = []
    if counts.get(Outcome.SAVED) and not outcome.request.undone:
        undo.append(parts.row(button(t("Undo"), CustomId("undo", outcome.request.id))))
    saved = counts.get(Outcome.SAVED, 0)
    is_unsure = any(change.is_unsure for change in outcome.request.changes)
    if counts.get(Outcome.DROPPED) and not saved and is_unsure:
        first = t("Your import was stopped.")
    elif counts.get(Outcome.DROPPED) and not saved:
        first = t("Your import was stopped before anything was saved.")
    elif counts.get(Outcome.DROPPED):
        first = t.plural(
            "Your import was stopped: saved {count} album.", "Your import was stopped: saved {count} albums.", saved
        )
    elif saved:
        first = t.plural(
            "Your import is done: saved {count} album.", "Your import is done: saved {count} albums.", saved
        )
    else:
        first = t("Your import is done.")
    sentences = [first, words.have_a_look()] if is_unsure else [first]
    if already := counts.get(Outcome.ALREADY, 0):
        sentences.append(
            t.plural("{count} was already in your library.", "{count} were already in your library.", already)
        )
    missing = sum(1 for failure in outcome.failures if failure.outcome) + outcome.unread_count
    if missing:
        sentences.append(
            t.plural(
                "{count} line was not imported; the file says why.",
                "{count} lines were not imported; the file says why.",
                missing,
            )
        )
        rows = [
            ImportFailure(failure.typed, file_words.code(failure), file_words.why(words, failure), failure.at)
            for failure in outcome.failures
        ]
        name = "not-imported.csv"
        return [file_card(t.sentences(sentences), name, write_csv(ImportFailure, rows), *undo)]
    return [Card(parts.text(t.sentences(sentences)), *undo, kind=Kind.PRIVATE)]


def feature(
    importing: Importing,
    library: Library,
    tokens: Tokens,
    attachments: Attachments,
    watch: Callable[[RequestId], None],
    reply: Reply,
) -> Feature:
    """The commands and buttons of this module."""
    transfer = Transfer(importing, library, tokens, attachments, watch, reply)

    @app_commands.command(
        name=command_name("import"), description=msg("Save the albums that a text, CSV or JSON file names")
    )
    @app_commands.rename(file=command_name("file"))
    @describe(file=msg("A list of albums or links, or Spotify's YourLibrary.json; up to 5 MB"))
    async def import_(interaction: Interaction, file: discord.Attachment) -> None:
        await transfer.ask(interaction, file)

    @app_commands.command(name=command_name("export"), description=msg("Get your saved albums as a file"))
    @app_commands.rename(format_=command_name("format"))
    @describe(format_=msg("CSV for spreadsheet programs, JSON for other programs"))
    @app_commands.choices(
        format_=[app_commands.Choice(name=msg("CSV"), value="csv"), app_commands.Choice(name=msg("JSON"), value="json")]
    )
    async def export(interaction: Interaction, format_: str) -> None:
        await transfer.export(interaction, Format(format_))

    components = (
        Component("import", (MemberId, RequestId), transfer.confirm, Audience.OWNER),
        Component("import-stop", (MemberId, RequestId), transfer.stop, Audience.OWNER),
        Component("import-cancel", (MemberId, RequestId), transfer.cancel, Audience.OWNER),
    )
    return Feature("transfer", (import_, export), components)
