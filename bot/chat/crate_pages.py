"""`/curate crate page`: the public page of a crate, which is off at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from bot.caller import Caller, GuildId
from bot.chat.cards import Card, text_card
from bot.chat.club.books import with_reach
from bot.chat.crates import refusal
from bot.chat.reply import Reply
from bot.chat.words import Words, plain
from bot.clubs.public_pages import PublicPages
from bot.storage.crates import Crate, Crates, Refusal


class PageAction(StrEnum):
    """What a curator does with the public page of a crate."""

    ON = "on"
    OFF = "off"
    RENEW = "renew"


class CratePages:
    """Answers to curators about the pages of crates."""

    def __init__(
        self,
        crates: Crates,
        pages: PublicPages,
        reply: Reply,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._crates = crates
        self._pages = pages
        self._reply = reply
        self._now = now

    async def open(self, caller: Caller, guild: GuildId, name: str | None, *, renew: bool) -> Sequence[Card]:
        """Turn the public page of a crate on, or give it another address."""
        words = self._reply.words(caller.locale)
        t = words.t
        crate = await self._crates.find(guild, name, self._now())
        if crate is None:
            return [text_card(refusal(t, Refusal.NO_CRATE, name))]
        url = await self._pages.open_crate(crate, renew=renew)
        if url is None:
            return [text_card(_page_is_off(words, crate))]
        if renew:
            return [
                text_card(
                    t(
                        "The page of “{crate}”: {url}\nThis address is new, and nobody can open the old one any more.",
                        crate=plain(crate.name),
                        url=url,
                    )
                )
            ]
        text = t(
            "The page of “{crate}”: {url}\nEverybody who knows this address can read it, and {command} shows it to "
            "members. It names only members who agreed to that in {mydata}; others are “a member”.",
            crate=plain(crate.name),
            url=url,
            command=words.command("crate show"),
            mydata=words.command("mydata"),
        )
        return [text_card(with_reach(words, self._pages, text))]

    async def close(self, caller: Caller, guild: GuildId, name: str | None) -> Sequence[Card]:
        """Turn the public page of a crate off."""
        words = self._reply.words(caller.locale)
        t = words.t
        crate = await self._crates.find(guild, name, self._now())
        if crate is None:
            return [text_card(refusal(t, Refusal.NO_CRATE, name))]
        if not await self._pages.close_crate(crate):
            return [text_card(_page_is_off(words, crate))]
        off = t("The page of “{crate}” is off. Nobody can open its address any more.", crate=plain(crate.name))
        return [text_card(off)]


def _page_is_off(words: Words, crate: Crate) -> str:
    return words.t(
        "The page of “{crate}” is off. Turn it on with {command}.",
        crate=plain(crate.name),
        command=words.command("curate crate page"),
    )
