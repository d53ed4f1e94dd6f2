"""`/link`, `/account` and `/unlink`: which Spotify account is whose, and what is pending."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import app_commands

from bot.accounts.linking import Linking
from bot.accounts.tokens import Tokens, consent_ends_at
from bot.caller import Caller, MemberId
from bot.chat.cards import Card, button, link_button, text_card
from bot.chat.components import Audience, Component, CustomId
from bot.chat.features import Feature
from bot.chat.reply import Interaction, Reply, Visibility, Work, caller_of
from bot.errors import NeedsRelink
from bot.library import Library
from bot.library.resolver import AlbumResolver
from bot.text import command_name, msg


class Account:
    """Answers about a member's own account."""

    def __init__(
        self, linking: Linking, tokens: Tokens, library: Library, resolver: AlbumResolver, reply: Reply
    ) -> None:
        self._linking = linking
        self._tokens = tokens
        self._library = library
        self._resolver = resolver
        self._reply = reply

    async def answer(self, interaction: Interaction, work: Work, name: str) -> None:
        """Answer the member alone."""
        await self._reply(interaction, work, name=name, visibility=Visibility.PRIVATE)

    async def link(self, caller: Caller) -> Sequence[Card]:
        """`/link`."""
        words = self._reply.words(caller.locale)
        self._reply.check_open()
        url = await self._linking.start_link(caller)
        account = await self._tokens.account(caller.member_id)
        label = words.t("Link Spotify")
        if account is None:
            text = words.link_offer()
        elif account.broken:
            text = words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
        else:
            text, label = words.relink_offer(account.account_name), words.t("Link again")
        return [text_card(f"{text}\n{words.consent()}", link_button(url, label))]

    async def show(self, caller: Caller) -> Sequence[Card]:
        """`/account`."""
        words, member = self._reply.words(caller.locale), caller.member_id
        account, pending = await self._tokens.account(member), await self._library.pending(member)
        url = await self._linking.start_link(caller)
        buttons: list[discord.ui.Button[discord.ui.LayoutView]] = []
        if account is None:
            text = words.not_linked()
            buttons.append(link_button(url, words.t("Link Spotify")))
        elif account.broken:
            text = words.error(NeedsRelink(NeedsRelink.Reason(account.broken)))
            buttons.append(link_button(url, words.t("Link Spotify")))
        else:
            text = words.account(account.account_name, account.linked_at, consent_ends_at(account))
            buttons.append(link_button(url, words.t("Renew")))
        known = {id_: album for w in pending if (id_ := w.album_id) and (album := self._resolver.known(id_))}
        names = [
            words.pending_name(change, known.get(change.album_id) if change.album_id else None)
            for change in pending[:10]
        ]
        if pending:
            buttons.append(button(words.t("Clear queue"), CustomId("drop", member)))
        if account is not None:
            buttons.append(button(words.t("Unlink"), CustomId("unlink-ask", member)))
        waiting = words.pending(len(pending), names)
        return [text_card(f"{text}\n\n{waiting}\n\n{words.consent()}", *buttons)]

    async def ask_unlink(self, caller: Caller) -> Sequence[Card]:
        """`/unlink` asks once."""
        words, member = self._reply.words(caller.locale), caller.member_id
        account = await self._tokens.account(member)
        if account is None and not await self._library.pending(member):
            await self._linking.unlink(member)  # what was asked for lately, kept for Undo
            return [text_card(words.not_linked())]
        name = account.account_name if account is not None else None
        label = words.t("Unlink") if name else words.t("Delete")
        yes = button(label, CustomId("unlink", member), discord.ButtonStyle.danger)
        return [text_card(words.unlink_question(name), yes)]

    async def unlink(self, caller: Caller) -> Sequence[Card]:
        """The answer to the question."""
        await self._linking.unlink(caller.member_id)
        return [text_card(self._reply.words(caller.locale).unlinked())]

    async def drop(self, caller: Caller) -> Sequence[Card]:
        """Drop what is pending."""
        return [text_card(self._reply.words(caller.locale).dropped(await self._library.drop(caller.member_id)))]

    # -- buttons

    async def press_ask_unlink(self, interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        """The button that begins unlinking."""
        await self.answer(interaction, self.ask_unlink(caller), "button unlink-ask")

    async def press_unlink(self, interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        """The button that confirms it."""
        await self.answer(interaction, self.unlink(caller), "button unlink")

    async def press_drop(self, interaction: Interaction, caller: Caller, owner: MemberId) -> None:
        """The button that drops what is pending."""
        await self.answer(interaction, self.drop(caller), "button drop")


def feature(linking: Linking, tokens: Tokens, library: Library, resolver: AlbumResolver, reply: Reply) -> Feature:
    """The commands and buttons of this module."""
    account = Account(linking, tokens, library, resolver, reply)

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
        description=msg("Unlink your Spotify account and delete everything stored about you"),
    )
    async def unlink(interaction: Interaction) -> None:
        await account.answer(interaction, account.ask_unlink(caller_of(interaction)), "unlink")

    components = (
        Component("unlink-ask", (MemberId,), account.press_ask_unlink, Audience.OWNER),
        Component("unlink", (MemberId,), account.press_unlink, Audience.OWNER),
        Component("drop", (MemberId,), account.press_drop, Audience.OWNER),
    )
    return Feature("account", (link, show, unlink), components)
