"""`/curate settings`: a private panel. A menu names what can be set, and opens a form for it."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from msgspec.structs import replace

from bot.albums import Album
from bot.caller import Caller, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, text_card
from bot.chat.club.answering import Answering
from bot.chat.club.dates import next_club_hour, paused
from bot.chat.club.fields import Day, Topic
from bot.chat.club.names import name_of
from bot.chat.club.setting_forms import (
    BadSetting,
    calendar_of,
    counting_of,
    form,
    methods,
    posts_of,
    rounds_of,
    rules_of,
    scales,
)
from bot.chat.club.starting import cannot_live_here, day_names, how_it_picks, rhythm_names
from bot.chat.club.turns import takes_turns
from bot.chat.components import CustomId, Form
from bot.chat.menus import OPTIONS_MOST, Choice, menu
from bot.chat.parts import button
from bot.chat.permissions import missing_permissions
from bot.chat.reply import Beside, Interaction, caller_of
from bot.chat.words import Words, plain
from bot.clubs.channels import Curator
from bot.curation import curators, turns
from bot.curation.choice import Facts
from bot.curation.club import Club, Outcome
from bot.curation.curators import Applies, applies_from
from bot.curation.ids import ClubId
from bot.curation.refusals import Reason, Refused
from bot.storage.clubs import StoredClub


class Settings:
    """Shows and changes a club's settings."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def show(self, interaction: Interaction, named: str | None) -> None:
        """`/curate settings`."""
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            return [await self._panel(words, caller.member_id, stored, interaction)]

        await self._answering(interaction, make, name="curate settings")

    async def open(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, topics: tuple[Topic, ...]
    ) -> None:
        """The menu opens the form of a topic."""
        words = self._answering.reply.words(caller.locale)
        stored = next((one for one in await self._clubs(caller) if one.id == club_id), None)
        if stored is None or len(topics) != 1:

            async def make(words: Words) -> Sequence[Card] | Beside:
                await self._answering.own_club(caller, club_id)
                return []

            await self._answering(interaction, make, name="menu curate-set", edits=True)
            return
        modal = form(words, owner, stored, topics[0])
        await self._answering.reply.show(interaction, modal, name="menu curate-set")

    async def _clubs(self, caller: Caller) -> list[StoredClub]:
        return [] if caller.guild_id is None else await self._answering.clubs.of_guild(caller.guild_id)

    async def apply(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, topic: Topic, filled: Form
    ) -> None:
        """A filled-in form."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            try:
                news = await self._apply(words, caller.member_id, stored, topic, filled)
            except BadSetting as bad:
                return Beside([text_card(bad.said)])
            stored = await self._answering.clubs.get(club_id)
            return [await self._panel(words, owner, stored, interaction, news)]

        await self._answering(interaction, make, name="modal curate-apply", edits=True)

    async def _apply(self, words: Words, member: MemberId, stored: StoredClub, topic: Topic, filled: Form) -> list[str]:
        if topic is Topic.STAND_IN:
            text, album = filled.text("album"), None
            if text.strip():
                album = await self._answering.album(member, text)
            return await self._set_stand_in(words, member, stored, album)
        if topic is Topic.CLOCK:
            calendar = calendar_of(words, stored.club.calendar, filled)
            curator = Curator(member, "clock", {})
            await self._answering.clubs.apply(
                stored.id,
                lambda c, now, facts: curators.change_calendar(now.club, calendar, facts.now),
                curator=curator,
            )
            return [words.t("The club meets at another time from now on.")]
        read = {Topic.ROUNDS: rounds_of, Topic.COUNTING: counting_of, Topic.RULES: rules_of, Topic.POSTS: posts_of}
        change = read[topic](words, filled)
        found: dict[str, Applies] = {}

        def event(c: object, now: StoredClub, facts: Facts) -> Outcome | Refused:
            new = replace(now.club.settings, **change)
            found.update(applies_from(now.club, new))
            return curators.change_settings(now.club, new, facts.now)

        try:
            await self._answering.clubs.apply(stored.id, event, curator=Curator(member, "settings", {"topic": topic}))
        except ValueError:
            raise BadSetting(words.t("The first year must not be after the last one.")) from None
        return applied(words, found)

    async def _set_stand_in(self, words: Words, member: MemberId, stored: StoredClub, album: Album | None) -> list[str]:
        id_ = None if album is None else album.id
        curator = Curator(member, "stand-in", {} if id_ is None else {"album": id_})
        await self._answering.clubs.apply(
            stored.id, lambda c, now, facts: curators.set_stand_in(now.club, id_), curator=curator
        )
        if album is None:
            return [words.t("There is no stand-in any more.")]
        return [words.t("{album} is the stand-in now.", album=words.album(album, 60))]

    async def move(self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId) -> None:
        """The button that moves the club to the channel of the panel."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            if (why_not := cannot_live_here(words, interaction)) is not None:
                return Beside([text_card(why_not)])
            assert interaction.channel_id is not None
            await self._answering.clubs.channels.move(
                club_id, interaction.channel_id, Curator(caller.member_id, "move", {})
            )
            stored = await self._answering.clubs.get(club_id)
            news = [words.t("The club lives in this channel now.")]
            return [await self._panel(words, owner, stored, interaction, news)]

        await self._answering(interaction, make, name="button curate-move", edits=True)

    async def order(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, page: int
    ) -> None:
        """The panel with another page of the order of turns."""

        async def make(words: Words) -> Sequence[Card]:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            return [await self._panel(words, owner, stored, interaction, page=page)]

        await self._answering(interaction, make, name="button curate-order", edits=True)

    async def take_out(
        self, interaction: Interaction, caller: Caller, owner: MemberId, club_id: ClubId, chosen: tuple[MemberId, ...]
    ) -> None:
        """The menu that takes a member out of the order of turns, such as one who left the server."""

        async def make(words: Words) -> Sequence[Card] | Beside:
            self._answering.curators.check(caller)
            stored = await self._answering.own_club(caller, club_id)
            order, member = stored.club.order, chosen[0]
            page = order.index(member) // OPTIONS_MOST if member in order else 0
            curator = Curator(caller.member_id, "taken out", {})
            outcome = await self._answering.clubs.apply(
                club_id, lambda c, now, facts: turns.leave(now.club, member), curator=curator
            )
            if isinstance(outcome, Refused):
                return Beside([await self._answering.refused(words, Refused(Reason.ALREADY), stored)])
            stored = await self._answering.clubs.get(club_id)
            news = [words.t("{member} no longer takes turns in this club.", member=f"<@{member}>")]
            return [await self._panel(words, owner, stored, interaction, news, page)]

        await self._answering(interaction, make, name="menu curate-out", edits=True)

    async def _panel(
        self,
        words: Words,
        owner: MemberId,
        stored: StoredClub,
        interaction: Interaction,
        news: Sequence[str] = (),
        page: int = 0,
    ) -> Card:
        """The settings, and a page of the order of turns."""
        albums = await self._answering.names.of([stored.club.stand_in])
        stand_in = name_of(words, albums, stored.club.stand_in) if stored.club.stand_in else words.t("none")
        lines = [f"### {plain(stored.name, 80)}", *settings_lines(words, stored.club, stand_in)]
        if stored.is_blocked:
            lines.append(words.t("I can't post in <#{channel}> at the moment.", channel=str(stored.channel_id)))
        lines += missing_lines(words, stored, interaction.app_permissions, interaction.channel_id)
        order = stored.club.order if takes_turns(stored.club) else ()
        last = max(len(order) - 1, 0) // OPTIONS_MOST
        begin = min(page, last) * OPTIONS_MOST
        shown = [*enumerate(order, 1)][begin : begin + OPTIONS_MOST]
        if shown:
            lines.append(words.t("Members take turns in this order:"))
            lines += [f"{place}. <@{member}>" for place, member in shown]
        if last:
            figures = {"first": words.t.number(shown[0][0]), "last": words.t.number(shown[-1][0])}
            lines.append(words.t("Places {first} to {last} of {count}", **figures, count=words.t.number(len(order))))
        lines += [f"**{line}**" for line in news]
        items = [
            parts.text("\n".join(lines)),
            menu(CustomId("curate-set", owner, stored.id), words.t("Change…"), topics(words)),
        ]
        if shown:
            # an option cannot show who a member is
            places = [
                Choice(str(member), words.t("Place {number}", number=words.t.number(place))) for place, member in shown
            ]
            items.append(menu(CustomId("curate-out", owner, stored.id), words.t("Take out of the order…"), places))
        turns_of_pages = [(words.t("Back"), page - 1), (words.t("Next"), page + 1)]
        pages = [
            button(label, CustomId("curate-order", owner, stored.id, number))
            for label, number in turns_of_pages
            if 0 <= number <= last
        ]
        if pages:
            items.append(parts.row(*pages))
        if interaction.channel_id != stored.channel_id:
            items.append(parts.row(button(words.t("Move the club here"), CustomId("curate-move", owner, stored.id))))
        return Card(*items, kind=Kind.PRIVATE)


# -- what is shown


def topics(words: Words) -> list[Choice]:
    """What the menu offers."""
    t = words.t
    return [
        Choice(
            Topic.ROUNDS, t("Nominations and voting"), t("How albums are found, days for voting, sealed nominations")
        ),
        Choice(Topic.COUNTING, t("Counting and ratings"), t("How votes are counted, and the scale of ratings")),
        Choice(Topic.RULES, t("House rules"), t("Past winners, own nominations, years of release")),
        Choice(Topic.POSTS, t("Posts"), t("Reminders, whom to ping, threads and events")),
        Choice(Topic.CLOCK, t("Day and time"), t("When the club meets, and how often")),
        Choice(Topic.STAND_IN, t("Stand-in"), t("The album for a round without nominations")),
    ]


def settings_lines(words: Words, club: Club, stand_in: str) -> list[str]:
    """All settings, one line each."""
    t, settings, calendar = words.t, club.settings, club.calendar
    yes_no = {True: t("yes"), False: t("no")}
    role = f"<@&{settings.ping_role_id}>" if settings.ping_role_id is not None else t("nobody")
    released = t("any year")
    if settings.released_from and settings.released_until:
        released = t("{first} to {last}", first=str(settings.released_from), last=str(settings.released_until))
    elif settings.released_from:
        released = t("from {first} on", first=str(settings.released_from))
    elif settings.released_until:
        released = t("up to {last}", last=str(settings.released_until))
    rounds = t.plural("{count} round", "{count} rounds", settings.no_past_winner_rounds)
    return [
        how_it_picks(words, settings.pick),
        t(
            "{rhythm}, {day} at {time} ({timezone})",
            rhythm=rhythm_names(words)[calendar.rhythm],
            day=day_names(words)[[*Day][calendar.anchor.weekday()]],
            time=f"{calendar.clock:%H:%M}",
            timezone=calendar.timezone,
        ),
        *(next_club_hour(words, club) or [paused(words)]),
        t.plural("Voting is open for {count} day.", "Voting is open for {count} days.", settings.voting_days),
        t.plural("{count} nomination per member", "{count} nominations per member", settings.nominations_per_member),
        t("Sealed nominations: {value}", value=yes_no[settings.sealed]),
        t("Counting: {method}", method=methods(words)[settings.method]),
        t("Ratings: {scale}", scale=scales(words)[settings.scale]),
        t("Past winners wait: {rounds}", rounds=rounds if settings.no_past_winner_rounds else t("no")),
        t("Voting first for your own nomination: {value}", value=yes_no[not settings.not_own_first]),
        t("Released: {years}", years=released),
        t("Reminders: {value}", value=yes_no[settings.reminders]),
        t("Pinged: {role}", role=role),
        t("A thread under each announcement: {value}", value=yes_no[settings.thread]),
        t("A Discord event for each club hour: {value}", value=yes_no[settings.event]),
        t("Stand-in: {album}", album=stand_in),
    ]


def missing_lines(words: Words, stored: StoredClub, has: discord.Permissions, channel_id: int | None) -> list[str]:
    """Which permissions the settings need that are missing, as far as can be seen from this channel."""
    if channel_id != stored.channel_id:
        return []
    needed = ["view_channel", "send_messages", "read_message_history"]
    if stored.club.settings.thread:
        needed += ["create_public_threads", "send_messages_in_threads"]
    if stored.club.settings.event:
        needed.append("create_events")
    missing = missing_permissions(words, has, needed)
    return [words.t("I need these permissions in this channel: {permissions}.", permissions=missing)] if missing else []


def applied(words: Words, found: dict[str, Applies]) -> list[str]:
    """From when changed settings apply."""
    t, when = words.t, set(found.values())
    lines = [t("Changed, from now on.")] if when == {Applies.NOW} else []
    if Applies.NEXT_CALL in when:
        lines.append(t("Somebody has already nominated an album, so how albums are found changes with the next call."))
    if Applies.NEXT_VOTE in when:
        lines.append(t("A vote is open, so how it is counted changes with the next vote."))
    if Applies.NEXT_ALBUM in when:
        lines.append(
            t("The current album is rated on the scale that was announced. The next one is rated on the new scale.")
        )
    return lines or [t("Nothing was changed.")]
