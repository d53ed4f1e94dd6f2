"""`/curate new`: a private preview of the next three rounds, then Start, Change or Cancel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

import discord
from msgspec import Struct

from bot.caller import Caller, GuildId, MemberId, RequestId
from bot.chat import parts
from bot.chat.cards import Card, Kind, text_card
from bot.chat.club.answering import Answering
from bot.chat.club.fields import NAME_MOST, Day
from bot.chat.components import CustomId, Form
from bot.chat.menus import Choice
from bot.chat.modals import Modal, select_input, text_input
from bot.chat.parts import Part, button
from bot.chat.permissions import missing_permissions
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, date, plain
from bot.clubs import NameTaken
from bot.curation.calendar import FIRST_AHEAD, Calendar, Rhythm, parse_clock, parse_timezone, preview
from bot.curation.club import ClubSettings, Pick
from bot.storage.clubs import StoredClub
from bot.storage.names import name_key

DRAFTS_KEPT = 500


class Draft(Struct, frozen=True):
    """A club that somebody is about to start."""

    name: str
    pick: Pick
    day: Day
    clock: time
    timezone: str
    rhythm: Rhythm
    channel_id: int


class Starting:
    """Previews clubs and starts them."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        # In memory: the private preview itself does not outlive a restart of the member's Discord.
        self._drafts: dict[RequestId, Draft] = {}

    async def preview(
        self,
        interaction: Interaction,
        name: str,
        pick: Pick,
        day: Day,
        clock: str,
        timezone: str | None,
        rhythm: Rhythm,
    ) -> None:
        """`/curate new`."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            if (why_not := cannot_live_here(words, interaction)) is not None:
                return [text_card(why_not)]
            draft = self._drafted(words, interaction, name, pick, day, clock, timezone, rhythm)
            if isinstance(draft, str):
                return [text_card(draft)]
            if (taken := await self._taken(words, caller, draft)) is not None:
                return [text_card(taken)]
            return [self._keep(words, caller.member_id, caller.interaction_id, draft)]

        await self._answering(interaction, make, name="curate new")

    def _drafted(
        self,
        words: Words,
        interaction: Interaction,
        name: str,
        pick: Pick,
        day: Day,
        clock: str,
        timezone: str | None,
        rhythm: Rhythm,
    ) -> Draft | str:
        """The draft, or what is wrong with it."""
        t = words.t
        name = " ".join(name.split())[:NAME_MOST]
        parsed = parse_clock(clock)
        if parsed is None:
            return t("I can't read “{typed}” as a time of day. Write it as 19:30 or 7:30 pm.", typed=plain(clock, 40))
        zone = parse_timezone(timezone or "UTC")
        if zone is None:
            return t(
                "I don't know the timezone “{typed}”. Pick one from the suggestions, such as Europe/Berlin.",
                typed=plain(timezone or "", 40),
            )
        if not name:
            return t("A club needs a name.")
        assert interaction.channel_id is not None
        return Draft(name, pick, day, parsed, zone, rhythm, interaction.channel_id)

    async def _taken(self, words: Words, caller: Caller, draft: Draft) -> str | None:
        """Why the club cannot have its name: another club of the server has it. None: it can."""
        clubs = [] if caller.guild_id is None else await self._answering.clubs.of_guild(caller.guild_id)
        if all(name_key(one.name) != name_key(draft.name) for one in clubs):
            return None
        return _name_taken(words)

    def _keep(self, words: Words, owner: MemberId, asked: RequestId, draft: Draft) -> Card:
        while len(self._drafts) >= DRAFTS_KEPT:
            del self._drafts[next(iter(self._drafts))]
        self._drafts[asked] = draft
        return preview_card(words, owner, asked, draft, self._dates(words, draft))

    def _calendar(self, draft: Draft) -> Calendar:
        earliest = self._answering.now() + FIRST_AHEAD
        return Calendar.starting(draft.day.weekday, draft.clock, draft.timezone, draft.rhythm, earliest)

    def _dates(self, words: Words, draft: Draft) -> list[str]:
        t = words.t
        lines = []
        settings = ClubSettings(pick=draft.pick)
        for place, dates in enumerate(preview(self._calendar(draft), self._answering.now(), settings.voting), 1):
            line = {
                "number": t.number(place),
                "opens": date(dates.nominations_at),
                "votes": date(dates.voting_at),
                "announced": date(dates.club_hour_at),
                "summary": date(dates.summary_at),
            }
            if draft.pick is Pick.VOTE:
                lines.append(
                    t(
                        "**Round {number}**\nNominations open {opens}\nVoting opens {votes}\nAlbum announced {announced}\n"
                        "Summary {summary}",
                        **line,
                    )
                )
            else:
                del line["votes"]
                lines.append(
                    t("**Round {number}**\nOpens {opens}\nAlbum announced {announced}\nSummary {summary}", **line)
                )
        return lines

    # -- buttons

    async def start(self, interaction: Interaction, caller: Caller, owner: MemberId, asked: RequestId) -> None:
        """The Start button."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            draft = self._drafts.pop(asked, None)
            if draft is None or caller.guild_id is None:
                return Beside([_expired(words)])
            if (why_not := cannot_live_here(words, interaction)) is not None:
                self._drafts[asked] = draft
                return [text_card(why_not, _start_button(words, owner, asked))]
            try:
                stored = await self._start(caller, caller.guild_id, draft)
            except NameTaken:
                self._drafts[asked] = draft
                change = button(words.t("Change"), CustomId("curate-change", owner, asked))
                return [text_card(_name_taken(words), change)]
            said = words.t(
                "{club} has started, and its first message is in this channel. Change its settings with {command}.",
                club=f"**{plain(stored.name, NAME_MOST)}**",
                command=words.command("curate settings"),
            )
            return [text_card(said)]

        await self._answering(interaction, make, name="button curate-start", edits=True)

    async def _start(self, caller: Caller, guild_id: GuildId, draft: Draft) -> StoredClub:
        locale = caller.guild_locale or caller.locale
        order = (caller.member_id,) if draft.pick is Pick.TURNS else ()
        return await self._answering.clubs.start(
            lambda club: StoredClub(
                club.id, guild_id, draft.channel_id, draft.name, caller.member_id, locale, is_blocked=False, club=club
            ),
            ClubSettings(pick=draft.pick),
            self._calendar(draft),
            order,
        )

    async def cancel(self, interaction: Interaction, caller: Caller, owner: MemberId, asked: RequestId) -> None:
        """The Cancel button."""

        async def make(words: Words) -> Sequence[Card]:
            self._drafts.pop(asked, None)
            return [text_card(words.t("Cancelled. No club was started."))]

        await self._answering(interaction, make, name="button curate-cancel", edits=True)

    async def change(self, interaction: Interaction, caller: Caller, owner: MemberId, asked: RequestId) -> None:
        """The Change button opens a form."""
        words = self._answering.reply.words(caller.locale)
        draft = self._drafts.get(asked)
        if draft is None:

            async def make(words: Words) -> Sequence[Card]:
                return [_expired(words)]

            await self._answering(interaction, make, name="button curate-change", edits=True)
            return
        await self._answering.reply.show(
            interaction, draft_modal(words, owner, asked, draft), name="button curate-change"
        )

    async def changed(
        self, interaction: Interaction, caller: Caller, owner: MemberId, asked: RequestId, form: Form
    ) -> None:
        """The form, filled in."""

        async def make(words: Words) -> Sequence[Card]:
            self._answering.curators.check(caller)
            before = self._drafts.get(asked)
            if before is None:
                return [_expired(words)]
            draft = self._drafted(
                words,
                interaction,
                form.text("name"),
                before.pick,
                Day(form.text("day")) if form.text("day") in {*Day} else before.day,
                form.text("time"),
                form.text("timezone"),
                Rhythm(form.text("rhythm")) if form.text("rhythm") in {*Rhythm} else before.rhythm,
            )
            again = button(words.t("Change"), CustomId("curate-change", owner, asked))
            if isinstance(draft, str):
                return [text_card(draft, again)]
            if (taken := await self._taken(words, caller, draft)) is not None:
                return [text_card(taken, again)]
            return [self._keep(words, owner, asked, draft)]

        await self._answering(interaction, make, name="modal curate-changed", edits=True)


def cannot_live_here(words: Words, interaction: Interaction) -> str | None:
    """Why a club cannot live in this channel; None: it can."""
    t, channel = words.t, interaction.channel
    if channel is not None and channel.type not in (discord.ChannelType.text, discord.ChannelType.news):
        return t("A club lives in a text channel. Use this command in the channel where it should post.")
    missing = missing_permissions(words, interaction.app_permissions, _NEEDED)
    if missing:
        return t(
            "I can't post here: I need these permissions in this channel: {permissions}. Ask whoever manages the "
            "server, then try again.",
            permissions=missing,
        )
    return None


# The history decides, after a crash, whether something was posted already.
_NEEDED = ("view_channel", "send_messages", "read_message_history")


def preview_card(words: Words, owner: MemberId, asked: RequestId, draft: Draft, dates: Sequence[str]) -> Card:
    """The next three rounds, with Start, Change and Cancel."""
    t = words.t
    lines = [f"### {plain(draft.name, NAME_MOST)}", how_it_picks(words, draft.pick), *dates]
    lines.append(f"-# {t('Club hours keep their time of day in {timezone}.', timezone=draft.timezone)}")
    return Card(
        parts.text("\n".join(lines)),
        parts.row(
            _start_button(words, owner, asked),
            button(t("Change"), CustomId("curate-change", owner, asked)),
            button(t("Cancel"), CustomId("curate-cancel", owner, asked)),
        ),
        kind=Kind.PRIVATE,
    )


def how_it_picks(words: Words, pick: Pick) -> str:
    """How a club finds its albums."""
    t = words.t
    return {
        Pick.VOTE: t("Members nominate albums and vote."),
        Pick.TURNS: t("Members take turns to pick an album."),
        Pick.CRATE: t("Albums are drawn from the server's crate."),
    }[pick]


def day_names(words: Words) -> dict[Day, str]:
    """The days of the week."""
    t = words.t
    return {
        Day.MONDAY: t("Monday"),
        Day.TUESDAY: t("Tuesday"),
        Day.WEDNESDAY: t("Wednesday"),
        Day.THURSDAY: t("Thursday"),
        Day.FRIDAY: t("Friday"),
        Day.SATURDAY: t("Saturday"),
        Day.SUNDAY: t("Sunday"),
    }


def rhythm_names(words: Words) -> dict[Rhythm, str]:
    """How often a club meets."""
    t = words.t
    return {
        Rhythm.WEEKLY: t("Every week"),
        Rhythm.BIWEEKLY: t("Every two weeks"),
        Rhythm.MONTHLY: t("Every month"),
    }


def draft_modal(words: Words, owner: MemberId, asked: RequestId, draft: Draft) -> Modal:
    """What can be changed before the start."""
    t = words.t
    days = [Choice(day, name, None, day is draft.day) for day, name in day_names(words).items()]
    rhythms = [Choice(one, name, None, one is draft.rhythm) for one, name in rhythm_names(words).items()]
    return Modal(
        CustomId("curate-changed", owner, asked),
        t("Change the club"),
        text_input("name", t("Name"), text=draft.name, most=NAME_MOST),
        select_input("day", t("Day"), days),
        text_input("time", t("Time of day"), text=f"{draft.clock:%H:%M}", most=20),
        text_input("timezone", t("Timezone"), text=draft.timezone, most=60),
        select_input("rhythm", t("How often"), rhythms),
    )


def _start_button(words: Words, owner: MemberId, asked: RequestId) -> Part:
    return button(words.t("Start"), CustomId("curate-start", owner, asked), discord.ButtonStyle.primary)


def _name_taken(words: Words) -> str:
    return words.t("There is a club with this name already. Choose another name.")


def _expired(words: Words) -> Card:
    return text_card(words.t("This preview has expired. Use {command} again.", command=words.command("curate new")))
