"""What hosts do about the seats of their Spotify app: `/seats`, the requests for one, and what members are told.

Discord hides `/seats` from other people by default. Whether somebody is a host is checked here, at every use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from discord import ButtonStyle, app_commands

from bot.accounts.seats import ASKED, FREED, GIVEN, Closed, HeldSeat, Seat, SeatKeeper
from bot.caller import Caller, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, text_card
from bot.chat.components import Component, CustomId
from bot.chat.delivery import Delivery
from bot.chat.features import Feature
from bot.chat.parts import Part, button
from bot.chat.reply import Beside, Interaction, Reply, Visibility, Work, caller_of
from bot.chat.words import Words, date, soon
from bot.storage.seats import Given
from bot.text import command_name, msg

PAGE = 11
"""Requests and seats shown at a time; each takes three of the 40 components that a message may have."""
DASHBOARD = "https://developer.spotify.com/dashboard"


class Hosting:
    """Answers hosts."""

    def __init__(self, seats: SeatKeeper, reply: Reply) -> None:
        self._seats = seats
        self._reply = reply

    async def answer(
        self, interaction: Interaction, caller: Caller, work: Callable[[], Work], name: str, *, edits: bool
    ) -> None:
        """Answer a host with `work`, and anybody else with a refusal."""
        is_host = caller.member_id in interaction.client.hosts()
        await self._reply(
            interaction,
            work() if is_host else self._refusal(caller),
            name=name,
            visibility=Visibility.PRIVATE,
            edits=edits,
        )

    async def _refusal(self, caller: Caller) -> Beside:
        words = self._reply.words(caller.locale)
        text = words.t(
            "Only the host of this bot can do that. {help} shows what you can do.", help=words.command("help")
        )
        return Beside([text_card(text)])

    # -- /seats

    async def show(self, interaction: Interaction, caller: Caller, page: int = 0, *, edits: bool = True) -> None:
        """`/seats`, and its pages."""
        await self.answer(interaction, caller, lambda: self._page(caller, page), "seats", edits=edits)

    async def ask_free(self, interaction: Interaction, caller: Caller, member: MemberId, page: int) -> None:
        """Whether to free a member's seat."""

        async def ask() -> Sequence[Card]:
            t = self._reply.words(caller.locale).t
            question = t(
                "Free the seat of {member}? I tell them, and what they have queued stays queued. Then remove them from "
                "your app's users in [Spotify's dashboard]({url}).",
                member=f"<@{member}>",
                url=DASHBOARD,
            )
            yes = button(t("Free seat"), CustomId("seat-free", member, page), ButtonStyle.danger)
            return [text_card(question, yes, button(t("Cancel"), CustomId("seats", page)))]

        await self.answer(interaction, caller, ask, "button seat-ask-free", edits=True)

    async def free(self, interaction: Interaction, caller: Caller, member: MemberId, page: int) -> None:
        """The answer to that question."""

        async def free() -> Sequence[Card]:
            await self._seats.free(member)
            return await self._page(caller, page)

        await self.answer(interaction, caller, free, "button seat-free", edits=True)

    async def _page(self, caller: Caller, page: int) -> Sequence[Card]:
        t = self._reply.words(caller.locale).t
        seats = await self._seats.seats()
        count = len(seats.taken)
        if seats.total:
            head = t.plural(
                "**{taken} of {count} seat is taken**",
                "**{taken} of {count} seats are taken**",
                seats.total,
                taken=t.number(count),
            )
        elif count:
            head = t.plural("**{count} seat is taken**", "**{count} seats are taken**", count)
        else:
            head = f"**{t('No seat is taken')}**"
        # first those who wait for the host
        rows: list[Seat | HeldSeat | tuple[MemberId, datetime]] = [*seats.asked, *seats.taken]
        page = max(min(page, (len(rows) - 1) // PAGE), 0)
        items: list[Part] = [parts.text(head)]
        for row in rows[page * PAGE : (page + 1) * PAGE]:
            if isinstance(row, tuple):
                member, asked_at = row
                line = t("{member} asked for a seat {when}", member=f"<@{member}>", when=date(asked_at))
                press = button(t("Send again"), CustomId("seat-again", member, page))
            else:
                line = self._line(caller, row)
                press = button(t("Free seat"), CustomId("seat-ask-free", row.member_id, page))
            items.append(parts.section(line, press))
        turns = []
        if page:
            turns.append(button(t("Back"), CustomId("seats", page - 1)))
        if (page + 1) * PAGE < len(rows):
            turns.append(button(t("Next"), CustomId("seats", page + 1)))
        if turns:
            items.append(parts.row(*turns))
        return [Card(*items, kind=Kind.PRIVATE)]

    def _line(self, caller: Caller, seat: Seat | HeldSeat) -> str:
        t, who = self._reply.words(caller.locale).t, f"<@{seat.member_id}>"
        if isinstance(seat, HeldSeat):
            added = t("{member}, added {when}, not linked yet", member=who, when=date(seat.since))
            return f"{added}\n{t('Held until {when}', when=date(seat.until))}"
        since = t("{member}, linked {when}", member=who, when=date(seat.since))
        if seat.is_broken:
            return f"{since}\n{t('Must link again')}"
        return f"{since}\n{t('Consent ends {when}', when=soon(seat.consent_ends_at))}"

    # -- requests

    async def give(self, interaction: Interaction, caller: Caller, member: MemberId) -> None:
        """Done: the member is on the list."""

        async def give() -> Sequence[Card] | Beside:
            words = self._reply.words(caller.locale)
            match await self._seats.give(member):
                case Given.NO_SEAT:
                    text = words.t(
                        "No seat is free. Free one with {seats} first, then press Done again.",
                        seats=words.command("seats"),
                    )
                    return Beside([text_card(text)])
                case Given.GIVEN:
                    return [text_card(closed(words, member, Closed.GIVEN))]
            return [text_card(words.t("This request has already been answered."))]

        await self.answer(interaction, caller, give, "button seat-done", edits=True)

    async def send_again(self, interaction: Interaction, caller: Caller, member: MemberId, page: int) -> None:
        """Send the host a request once more, as a direct message: only such a message is edited when it ends."""

        async def again() -> Beside:
            await self._seats.send_again(member, caller)
            t = self._reply.words(caller.locale).t
            text = t(
                "I am sending you the request as a direct message. If it does not arrive, allow direct messages from "
                "members of this server."
            )
            return Beside([text_card(text)])

        await self.answer(interaction, caller, again, "button seat-again", edits=True)

    # -- messages

    async def draw_request(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """To a host: who asks, with name and address ready to copy. Once the request has ended, without them."""
        how = Closed(payload["closed"]) if "closed" in payload else None
        if how is Closed.WITHDRAWN:  # nothing names the member any more
            return [
                text_card(words.t("The member who asked for a seat has deleted what is stored about their request."))
            ]
        member = MemberId(int(payload["member_id"]))
        if how is not None:
            return [text_card(closed(words, member, how))]
        request = await self._seats.request(member)
        if request is None or request.name is None or request.email is None:
            return []  # answered before this message left
        return [self._request(words, member, request.name, request.email)]

    def _request(self, words: Words, member: MemberId, name: str, email: str) -> Card:
        t = words.t
        text = t(
            "{member} asks for a seat in this bot's Spotify app. Add them to the app's users in [Spotify's "
            "dashboard]({url}), under User Management, then press Done. I will then ask them to link.",
            member=f"<@{member}>",
            url=DASHBOARD,
        )
        small = t("Both are deleted from this message when you press Done, or after 14 days.")
        return text_card(
            f"{text}\n```\n{_in_block(name)}\n```\n```\n{_in_block(email)}\n```\n-# {small}",
            button(t("Done"), CustomId("seat-done", member), ButtonStyle.primary),
        )

    async def draw_given(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """To the member: there is a seat."""
        t = words.t
        text = t(
            "The host has added you to the list of this bot's Spotify app. Link your account within 14 days: the seat "
            "is held for you until then. What you have queued is done right after."
        )
        return [text_card(text, button(t("Link Spotify"), CustomId("link-now"), ButtonStyle.primary))]

    async def draw_freed(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """To the member: the seat is gone."""
        t = words.t
        if payload.get("was_held"):
            text = t(
                "The host no longer holds a seat in this bot's Spotify app for you. What you have queued stays queued. "
                "Link through your own Spotify app, or ask the host for a seat."
            )
            return [text_card(text, button(t("Link Spotify"), CustomId("link-now"), ButtonStyle.primary))]
        text = t(
            "The host has freed your seat in this bot's Spotify app, so I can no longer reach your library. What you "
            "have queued stays queued. Link again through your own Spotify app, or ask the host for a seat."
        )
        return [text_card(text, button(t("Link again"), CustomId("link-now"), ButtonStyle.primary))]


def closed(words: Words, member: MemberId, how: Literal[Closed.GIVEN, Closed.REPLACED, Closed.EXPIRED]) -> str:
    """What a host's message says in place of the name and the address."""
    t, who = words.t, f"<@{member}>"
    match how:
        case Closed.GIVEN:
            return t("{member} has a seat and was told to link. Their name and e-mail address are deleted.", member=who)
        case Closed.REPLACED:
            return t("{member} has asked again: see the newer message.", member=who)
        case Closed.EXPIRED:
            return t("The request of {member} is over 14 days old, and was deleted.", member=who)


def _in_block(text: str) -> str:
    """Text in a block of code, which only a backtick could end."""
    return text.replace("`", "'")


def deliver(hosting: Hosting, delivery: Delivery) -> None:
    """Let the messages about seats be drawn."""
    delivery.register(ASKED, hosting.draw_request)
    delivery.register(GIVEN, hosting.draw_given)
    delivery.register(FREED, hosting.draw_freed)


def feature(hosting: Hosting) -> Feature:
    """The command and the buttons of this module."""

    @app_commands.command(
        name=command_name("seats"), description=msg("For the host: who has a seat in this bot's Spotify app")
    )
    @app_commands.default_permissions()
    async def seats(interaction: Interaction) -> None:
        await hosting.show(interaction, caller_of(interaction), edits=False)

    components = (
        Component("seats", (int,), hosting.show),
        Component("seat-ask-free", (MemberId, int), hosting.ask_free),
        Component("seat-free", (MemberId, int), hosting.free),
        Component("seat-again", (MemberId, int), hosting.send_again),
        Component("seat-done", (MemberId,), hosting.give),
    )
    return Feature("hosting", (seats,), components)
