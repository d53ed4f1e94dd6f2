"""`/link`, `/account` and `/unlink`: which Spotify account is whose, and what is pending."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from discord import ButtonStyle, app_commands

from bot.accounts.linking import Linking
from bot.accounts.renewals import KIND as RENEWAL
from bot.accounts.renewals import Renewals
from bot.accounts.tokens import Tokens, consent_ends_at
from bot.caller import Caller, MemberId
from bot.chat.cards import Card, text_card
from bot.chat.components import Audience, Component, CustomId, Handler
from bot.chat.delivery import Delivery, Postponed
from bot.chat.features import Feature
from bot.chat.own_app import OwnApp
from bot.chat.parts import Part, button
from bot.chat.reply import Interaction, Reply, Visibility, Work, caller_of
from bot.chat.words import Words
from bot.errors import NeedsRelink
from bot.library import NAMES, Library
from bot.library.resolver import AlbumResolver
from bot.text import command_name, msg

Draw = Callable[[Caller], Coroutine[Any, Any, Sequence[Card]]]


class Reminders(StrEnum):
    """Whether a member wants to be reminded that their consent ends."""

    ON = "on"
    OFF = "off"


class Account:
    """Answers about a member's own account."""

    def __init__(
        self,
        linking: Linking,
        renewals: Renewals,
        own_app: OwnApp,
        tokens: Tokens,
        library: Library,
        resolver: AlbumResolver,
        reply: Reply,
    ) -> None:
        self._linking = linking
        self._renewals = renewals
        self._own_app = own_app
        self._tokens = tokens
        self._library = library
        self._resolver = resolver
        self._reply = reply

    async def answer(self, interaction: Interaction, work: Work, name: str, *, edits: bool = False) -> None:
        """Answer the member alone. `edits`: on the card whose button was used."""
        await self._reply(interaction, work, name=name, visibility=Visibility.PRIVATE, edits=edits)

    def button(self, draw: Draw, name: str) -> Handler:
        """The handler of a button whose card becomes what `draw` makes."""

        async def handle(interaction: Interaction, caller: Caller, owner: MemberId) -> None:
            await self.answer(interaction, draw(caller), f"button {name}", edits=True)

        return handle

    async def link(self, caller: Caller) -> Sequence[Card]:
        """`/link`: what is asked for and stored, and the buttons that lead there."""
        words = self._reply.words(caller.locale)
        self._reply.check_open()
        account = await self._tokens.account(caller.member_id)
        label = words.t("Link Spotify")
        if account is None:
            text = words.link_offer()
        elif account.broken:
            text = words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
        else:
            text, label = words.relink_offer(account.account_name), words.t("Link again")
        ways = await self._own_app.ways(caller, label, all_=True)
        parts = [text, ways.note, words.consent()]
        return [text_card("\n".join(part for part in parts if part), *ways.buttons)]

    async def link_now(self, interaction: Interaction, caller: Caller) -> None:
        """A button in a direct message, which becomes what `/link` says."""
        await self.answer(interaction, self.link(caller), "button link-now", edits=True)

    async def remind(self, interaction: Interaction, caller: Caller, owner: MemberId, choice: Reminders) -> None:
        """Whether the member wants reminders."""

        async def set_() -> Sequence[Card]:
            await self._renewals.set_wanted(owner, choice is Reminders.ON)
            return await self.show(caller)

        await self.answer(interaction, set_(), "button remind", edits=True)

    async def draw_reminder(self, payload: Mapping[str, Any], words: Words) -> Sequence[Card]:
        """To the member: the consent ends soon. A message that is late, after a downtime or an outage, waits for the day."""
        ends_at = datetime.fromtimestamp(payload["ends_at"], UTC)
        if "member" in payload:  # older versions left it out
            member = MemberId(int(payload["member"]))
            if not await self._renewals.is_current(member, ends_at):
                return []
            if (until := self._renewals.quiet_until(member)) is not None:
                raise Postponed(until)
        text = words.consent_ends(ends_at)
        off = words.t("{account} turns these reminders off.", account=words.command("account"))
        renew = button(words.t("Renew"), CustomId("link-now"), ButtonStyle.primary)
        return [text_card(f"{text}\n-# {off}", renew)]

    async def show(self, caller: Caller, first: str = "") -> Sequence[Card]:
        """`/account`. `first`: what was just done, above the rest."""
        words, member = self._reply.words(caller.locale), caller.member_id
        account, pending = await self._tokens.account(member), await self._library.pending(member)
        count = await self._library.pending_count(member)
        buttons: list[Part] = []
        if account is None:
            text = words.not_linked()
            buttons.append(button(words.t("Link Spotify"), CustomId("link", member), ButtonStyle.primary))
        elif account.broken:
            text = words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
            buttons.append(button(words.t("Link again"), CustomId("link", member), ButtonStyle.primary))
        else:
            text = words.account(account.account_name, account.linked_at, consent_ends_at(account))
            buttons.append(button(words.t("Renew"), CustomId("link", member)))
            if await self._renewals.is_wanted(member):
                buttons.append(button(words.t("Stop reminders"), CustomId("remind", member, Reminders.OFF)))
            else:
                buttons.append(button(words.t("Remind me"), CustomId("remind", member, Reminders.ON)))
                text = f"{text} {words.t('I will not remind you.')}"
        known = {id_: album for w in pending if (id_ := w.album_id) and (album := self._resolver.known(id_))}
        names = [
            words.pending_name(change, known.get(change.album_id) if change.album_id else None)
            for change in pending[:NAMES]
        ]
        if pending:
            buttons.append(button(words.t("Clear queue"), CustomId("drop-ask", member)))
        if account is not None:
            buttons.append(button(words.t("Unlink"), CustomId("unlink-ask", member)))
        parts = [first, text, words.pending(count, names), words.stored()]
        return [text_card("\n\n".join(part for part in parts if part), *buttons)]

    async def ask_unlink(self, caller: Caller) -> Sequence[Card]:
        """`/unlink` asks once."""
        words, member = self._reply.words(caller.locale), caller.member_id
        account = await self._tokens.account(member)
        if account is None and not await self._library.pending_count(member):
            await self._linking.unlink(member)  # what was asked for lately, kept for Undo
            return [text_card(words.not_linked())]
        name = account.account_name if account is not None else None
        label = words.t("Unlink") if name else words.t("Delete")
        return [self._question(words, member, words.unlink_question(name), label, CustomId("unlink", member))]

    async def unlink(self, caller: Caller) -> Sequence[Card]:
        """The answer to that question."""
        await self._linking.unlink(caller.member_id)
        return [text_card(self._reply.words(caller.locale).unlinked())]

    async def ask_drop(self, caller: Caller) -> Sequence[Card]:
        """Whether to give up what is pending."""
        words, member = self._reply.words(caller.locale), caller.member_id
        if not (count := await self._library.pending_count(member)):
            return await self.show(caller)
        question = words.t.plural(
            "Take {count} album out of the queue? What has already been saved or removed stays that way.",
            "Take {count} albums out of the queue? What has already been saved or removed stays that way.",
            count,
        )
        return [self._question(words, member, question, words.t("Clear queue"), CustomId("drop", member))]

    async def drop(self, caller: Caller) -> Sequence[Card]:
        """The answer to that question."""
        dropped = await self._library.drop(caller.member_id)
        words = self._reply.words(caller.locale)
        return await self.show(caller, words.dropped(dropped.count, dropped.left, is_sure=dropped.is_sure))

    def _question(self, words: Words, member: MemberId, text: str, label: str, yes: CustomId) -> Card:
        """Asked once before something is deleted; Cancel leads back to the account."""
        cancel = button(words.t("Cancel"), CustomId("account", member))
        return text_card(text, button(label, yes, ButtonStyle.danger), cancel)


def deliver(account: Account, delivery: Delivery) -> None:
    """Let reminders be drawn."""
    delivery.register(RENEWAL, account.draw_reminder)


def feature(account: Account) -> Feature:
    """The commands and buttons of this module."""

    @app_commands.command(
        name=command_name("link"), description=msg("Link your Spotify account, renew it, or change to another one")
    )
    async def link(interaction: Interaction) -> None:
        await account.answer(interaction, account.link(caller_of(interaction)), "link")

    @app_commands.command(
        name=command_name("account"), description=msg("See which Spotify account is linked, and what is queued")
    )
    async def show(interaction: Interaction) -> None:
        await account.answer(interaction, account.show(caller_of(interaction)), "account")

    @app_commands.command(
        name=command_name("unlink"),
        description=msg("Unlink your Spotify account and delete what is stored about it"),
    )
    async def unlink(interaction: Interaction) -> None:
        await account.answer(interaction, account.ask_unlink(caller_of(interaction)), "unlink")

    buttons: dict[str, Draw] = {
        "account": account.show,
        "link": account.link,
        "unlink-ask": account.ask_unlink,
        "unlink": account.unlink,
        "drop-ask": account.ask_drop,
        "drop": account.drop,
    }
    components = [
        Component(verb, (MemberId,), account.button(draw, verb), Audience.OWNER) for verb, draw in buttons.items()
    ]
    components += [
        Component("link-now", (), account.link_now),
        Component("remind", (MemberId, Reminders), account.remind, Audience.OWNER),
    ]
    return Feature("account", (link, show, unlink), components)
