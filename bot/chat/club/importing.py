"""`/curate import`: a club's earlier spreadsheet becomes past rounds of the club, and can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import discord
from discord import ButtonStyle
from msgspec.structs import replace

from bot.caller import Caller, GuildId, MemberId, RequestId
from bot.chat import parts
from bot.chat.attachments import Attachments, DownloadFailed
from bot.chat.cards import Card, file_card, progress_card, text_card
from bot.chat.club import import_words
from bot.chat.club.answering import Answering
from bot.chat.components import CustomId
from bot.chat.messages import Failure, Messages
from bot.chat.parts import Part, button
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, date, plain
from bot.clubs.past_rounds import PastRounds
from bot.curation.imported import name_key, names_in
from bot.files.club_rows import ClubSheet
from bot.files.dates import DateOrder
from bot.files.exports import ImportFailure, SheetRow, write_csv
from bot.files.problems import FileProblem
from bot.storage.club_imports import ClubImport, ClubImports, ImportState
from bot.storage.clubs import StoredClub

ROUNDS_MOST = 1000
"""Rounds of one import: a weekly club has them after 19 years. Each costs one search at Spotify at most."""
NAMES_MOST, NAMES_AT_ONCE, NAMES_S = 60, 4, 20.0
"""Names of one file that are looked up in the server, how many at the same time, and for how long."""
LISTED = 10
"""Imports that can be taken back from the list."""
_reading = asyncio.Semaphore(2)


async def read(one: ClubImport) -> ClubSheet:
    """Read the file of an import beside the event loop. FileProblem."""
    async with _reading:
        return await asyncio.to_thread(_read, one)


def _read(one: ClubImport) -> ClubSheet:
    from bot.files.club_sheet import read_club_sheet  # here, because few servers ever import a spreadsheet

    order = None if one.date_order is None else DateOrder(one.date_order)
    # a day later than now somewhere on earth
    until = (one.asked_at + timedelta(days=1)).date()
    return read_club_sheet(one.file or b"", order, until=until)


class Importing:
    """Takes spreadsheets, shows what they would become, and starts, lists and undoes imports."""

    def __init__(
        self, answering: Answering, imports: ClubImports, past_rounds: PastRounds, attachments: Attachments
    ) -> None:
        self._answering = answering
        self._imports = imports
        self._past_rounds = past_rounds
        self._attachments = attachments

    async def command(self, interaction: Interaction, file: discord.Attachment | None, named: str | None) -> None:
        """`/curate import`: with a file, a preview; without one, what can be taken back."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            if file is None:
                return [await self._list(words, caller, stored)]
            try:
                data = await self._attachments.read(file)
                new = ClubImport.of_file(caller, stored.id, file.filename, data, self._answering.now())
                sheet = await read(new)
            except FileProblem as error:
                return [text_card(import_words.problem(words, error))]
            except DownloadFailed:
                return [text_card(words.t("I could not get that file from Discord. Send it again."))]
            if len(sheet.rounds) > ROUNDS_MOST:
                limit = words.t.number(ROUNDS_MOST)
                said = words.t(
                    "That file has more than {limit} rounds, which is the most that I import at once. Split it into "
                    "several files.",
                    limit=limit,
                )
                return [text_card(said)]
            people = await self._members(interaction, stored.guild_id, names_in(sheet))
            new = replace(new, people=people)
            await self._imports.ask(new)
            return [_question_card(words, caller.member_id, stored, new, sheet)]

        await self._answering(interaction, make, name="curate import")

    async def _members(self, interaction: Interaction, guild_id: GuildId, names: Sequence[str]) -> dict[str, MemberId]:
        """Which names are those of exactly one member of the server. None are, where Discord does not say."""
        found: dict[str, MemberId] = {}
        places = asyncio.Semaphore(NAMES_AT_ONCE)
        messages = Messages(interaction.client)

        async def look_up(name: str) -> None:
            async with places:
                try:
                    members = await messages.find_members(guild_id, name)
                except Failure:
                    return
                key = name_key(name)
                fitting = {int(one["user"]["id"]) for one in members if key in _names_of(one)}
                if len(fitting) == 1:
                    found[key] = MemberId(fitting.pop())

        wanted = [name for name in (name.lstrip("@").strip() for name in names) if 2 <= len(name) <= 32]
        tasks = [asyncio.create_task(look_up(name)) for name in wanted[:NAMES_MOST]]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=NAMES_S)
            for task in late:
                task.cancel()
        return found

    async def _list(self, words: Words, caller: Caller, stored: StoredClub) -> Card:
        t = words.t
        imports = await self._imports.of_club(stored.id)
        if not imports:
            return text_card(import_words.how_to(words))
        lines, buttons = [t("Imports of {club}:", club=f"**{plain(stored.name, 60)}**")], list[Part]()
        for one in imports[:LISTED]:
            who = f"<@{one.member_id}>" if one.member_id is not None else t("a former curator")
            facts = {"file": plain(one.name, 60), "when": date(one.ended_at or one.asked_at), "member": who}
            place = len(lines)
            if one.state is ImportState.RUNNING:
                lines.append(f"{place}. {t('“{file}”, by {member}: it is being imported.', **facts)}")
                buttons.append(_stop_button(words, caller.member_id, one.id))
                continue
            lines.append(
                f"{place}. "
                + t.plural(
                    "“{file}”, {count} round, by {member}, {when}",
                    "“{file}”, {count} rounds, by {member}, {when}",
                    one.rounds,
                    **facts,
                )
            )
            label = t("Undo {number}", number=t.number(place))
            buttons.append(button(label, CustomId("club-import-undo", caller.member_id, one.id)))
        if (more := len(imports) - LISTED) > 0:
            lines.append(
                t.plural(
                    "{count} earlier import is listed when one of these is taken back.",
                    "{count} earlier imports are listed when some of these are taken back.",
                    more,
                )
            )
        lines.append(f"-# {import_words.how_to(words)}")
        return text_card("\n".join(lines), *buttons)

    # -- the buttons of a preview

    async def order(
        self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId, order: DateOrder
    ) -> None:
        """The curator says whether the day or the month comes first."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            return await self._changed(words, caller, id_, order=order)

        await self._answering(interaction, make, name="button club-import-order", edits=True)

    async def as_text(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """Names in the file are no members: all of them stay text."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            return await self._changed(words, caller, id_, people={})

        await self._answering(interaction, make, name="button club-import-text", edits=True)

    async def _changed(
        self,
        words: Words,
        caller: Caller,
        id_: RequestId,
        *,
        order: DateOrder | None = None,
        people: Mapping[str, MemberId] | None = None,
    ) -> Sequence[Card] | Beside:
        """The preview of a file that is read in another way."""
        asked = await self._asked(caller, id_)
        if asked is None:
            return Beside([_over(words)])
        stored, one = asked
        one = replace(one, date_order=order or one.date_order, people=one.people if people is None else people)
        if one.file is None or not await self._imports.change(id_, one.date_order, one.people):
            return Beside([_over(words)])
        return [_question_card(words, caller.member_id, stored, one, await read(one))]

    async def start(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The Start button; its message then shows how far the import is."""
        has_begun = False

        async def make(words: Words) -> Sequence[Card] | Beside:
            nonlocal has_begun
            asked = await self._asked(caller, id_)
            if asked is None or not await self._past_rounds.begin(caller, id_):
                return Beside([_over(words)])
            has_begun = True
            return [text_card(_doing(words), _stop_button(words, owner, id_))]

        await self._answering(interaction, make, name="button club-import-start", edits=True)
        if has_begun:
            # Not before the answer, which would overwrite what the import says.
            await self._past_rounds.hurry(id_)

    async def cancel(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The Cancel button."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            if not await self._imports.cancel(id_):
                return Beside([_over(words)])
            return [text_card(words.t("Cancelled. Nothing was imported, and I have deleted your file."))]

        await self._answering(interaction, make, name="button club-import-cancel", edits=True)

    async def _asked(self, caller: Caller, id_: RequestId) -> tuple[StoredClub, ClubImport] | None:
        """The import of a button that waits for an answer, and its club. NotCurating, NoSuchClub."""
        self._answering.curators.check(caller)
        one = await self._imports.get(id_)
        if one is None or one.state is not ImportState.ASKED:
            return None
        return await self._answering.own_club(caller, one.club_id), one

    # -- later

    async def stop(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The Stop button of an import that runs: of who started it, or of a curator with the list."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            one = await self._imports.get(id_)
            if one is not None and one.member_id != caller.member_id:
                self._answering.curators.check(caller)
                await self._answering.own_club(caller, one.club_id)
            if not await self._past_rounds.stop(id_):
                return Beside([_over(words)])
            return [text_card(words.t("Stopped. Nothing was imported."))]

        await self._answering(interaction, make, name="button club-import-stop", edits=True)

    async def ask_undo(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The Undo button of the list asks once."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            t, one = words.t, await self._done(caller, id_)
            if one is None:
                return Beside([text_card(t("Already undone."))])
            said = t.plural(
                "Take back {count} round that came from “{file}”? Its scores go, too. Everything else in the club stays.",
                "Take back {count} rounds that came from “{file}”? Their scores go, too. Everything else in the club "
                "stays.",
                one.rounds,
                file=plain(one.name, 60),
            )
            yes = button(t("Take back"), CustomId("club-import-undone", owner, id_), ButtonStyle.danger)
            return [text_card(said, yes, button(t("Cancel"), CustomId("club-import-keep", owner, id_)))]

        await self._answering(interaction, make, name="button club-import-undo", edits=True)

    async def undo(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """The rounds of an import go."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            t, one = words.t, await self._done(caller, id_)
            gone = None if one is None else await self._past_rounds.undo(id_, caller.member_id)
            if gone is None:
                return Beside([text_card(t("Already undone."))])
            return [text_card(t.plural("Undone: {count} round is gone.", "Undone: {count} rounds are gone.", gone))]

        await self._answering(interaction, make, name="button club-import-undone", edits=True)

    async def keep(self, interaction: Interaction, caller: Caller, owner: MemberId, id_: RequestId) -> None:
        """Cancel: the rounds stay."""

        async def make(words: Words) -> Sequence[Card]:
            return [text_card(words.t("Nothing was changed."))]

        await self._answering(interaction, make, name="button club-import-keep", edits=True)

    async def _done(self, caller: Caller, id_: RequestId) -> ClubImport | None:
        """An import of this server's that is done. NotCurating, NoSuchClub."""
        self._answering.curators.check(caller)
        one = await self._imports.get(id_)
        if one is None:
            return None
        await self._answering.own_club(caller, one.club_id)
        return one if one.state is ImportState.DONE else None


def progress(words: Words, one: ClubImport, done: int, total: int) -> Card:
    """How far an import is."""
    stop = [] if one.member_id is None else [_stop_button(words, one.member_id, one.id)]
    return progress_card(words, _doing(words), done, total, None, *stop)


def report(words: Words, club: str, one: ClubImport, rounds: int, failures: Sequence[ImportFailure]) -> Card:
    """What came of an import, with a file of what is missing."""
    t = words.t
    name = f"**{plain(club, 60)}**"
    lines = [
        t.plural(
            "Imported {count} past round of {club}: see {history}.",
            "Imported {count} past rounds of {club}: see {history}.",
            rounds,
            club=name,
            history=words.command("club history"),
        )
        if rounds
        else t("Nothing new was imported.")
    ]
    if rounds:
        lines.append(t("To take them back, use {command} without a file.", command=words.command("curate import")))
    if not failures:
        return text_card(t.sentences(lines))
    lines.append(
        t.plural(
            "{count} row did not become a round; the file says why. When you have corrected it, import the whole spreadsheet "
            "again: what is there already is left out.",
            "{count} rows did not become rounds; the file says why. When you have corrected them, import the whole "
            "spreadsheet again: what is there already is left out.",
            len(failures),
        )
    )
    return file_card(t.sentences(lines), "not-imported.csv", write_csv(ImportFailure, failures))


def _doing(words: Words) -> str:
    return words.t("Looking up the albums in your spreadsheet. The rounds are stored when that is done.")


def _question_card(words: Words, owner: MemberId, stored: StoredClub, one: ClubImport, sheet: ClubSheet) -> Card:
    """A preview, or the question that has to be answered first."""
    t = words.t
    cancel = button(t("Cancel"), CustomId("club-import-cancel", owner, one.id))
    if sheet.unclear is not None:
        orders = [(DateOrder.DAY_FIRST, t("Day first")), (DateOrder.MONTH_FIRST, t("Month first"))]
        buttons = [button(label, CustomId("club-import-order", owner, one.id, order)) for order, label in orders]
        return text_card(import_words.question(words, sheet.unclear), *buttons, cancel)
    buttons = [button(t("Start"), CustomId("club-import-start", owner, one.id), ButtonStyle.primary)]
    if one.people:
        buttons.append(button(t("Keep names as text"), CustomId("club-import-text", owner, one.id)))
    data = write_csv(SheetRow, import_words.preview_rows(words, sheet))
    said = import_words.preview(words, stored.name, one.name, sheet, one.people)
    return file_card(said, "preview.csv", data, parts.row(*buttons, cancel))


def _stop_button(words: Words, owner: MemberId, id_: RequestId) -> Part:
    return button(words.t("Stop"), CustomId("club-import-stop", owner, id_))


def _over(words: Words) -> Card:
    said = words.t("This import was already started, stopped or cancelled, or it is too old. Send the file again.")
    return text_card(said)


def _names_of(member: Mapping[str, Any]) -> set[str]:
    """The names that a member of a server goes by, as they are compared."""
    user = member["user"]
    return {name_key(name) for name in (member.get("nick"), user.get("global_name"), user.get("username")) if name}
