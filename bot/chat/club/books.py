"""`/curate book on`, `off` and `renew`: the public page of a club, which is off at first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.chat.cards import Card, text_card
from bot.chat.club.answering import Answering
from bot.chat.reply import Interaction, caller_of
from bot.chat.words import Words
from bot.clubs.channels import Curator
from bot.clubs.public_pages import PublicPages
from bot.storage.clubs import StoredClub

Change = Callable[[StoredClub, Curator], Awaitable[Callable[[Words], str]]]


class Books:
    """Takes curators' commands about the book."""

    def __init__(self, answering: Answering, pages: PublicPages) -> None:
        self._answering = answering
        self._pages = pages

    async def on(self, interaction: Interaction, named: str | None) -> None:
        """`/curate book on`."""

        async def change(stored: StoredClub, curator: Curator) -> Callable[[Words], str]:
            url = await self._pages.open_book(stored.id, curator)
            assert url is not None
            return lambda words: with_reach(
                words,
                self._pages,
                words.t(
                    "The club book: {url}\nEverybody who knows this address can read it, and {command} shows it to "
                    "members. It names only members who agreed to that in {mydata}; others are “a member”.",
                    url=url,
                    command=words.command("club now"),
                    mydata=words.command("mydata"),
                ),
            )

        await self._do(interaction, named, "book on", change)

    async def off(self, interaction: Interaction, named: str | None) -> None:
        """`/curate book off`."""

        async def change(stored: StoredClub, curator: Curator) -> Callable[[Words], str]:
            was_on = await self._pages.close_book(stored.id, curator)
            if was_on:
                return lambda words: words.t("The club book is off. Nobody can open its address any more.")
            return _is_off

        await self._do(interaction, named, "book off", change)

    async def renew(self, interaction: Interaction, named: str | None) -> None:
        """`/curate book renew`."""

        async def change(stored: StoredClub, curator: Curator) -> Callable[[Words], str]:
            url = await self._pages.open_book(stored.id, curator, renew=True)
            if url is None:
                return _is_off
            return lambda words: words.t(
                "The club book: {url}\nThis address is new, and nobody can open the old one any more. Whoever subscribed to "
                "the feed or the calendar has to do so again.",
                url=url,
            )

        await self._do(interaction, named, "book renew", change)

    async def _do(self, interaction: Interaction, named: str | None, did: str, change: Change) -> None:
        caller = caller_of(interaction)
        self._answering.curators.let_in(caller)

        async def make(words: Words) -> Sequence[Card]:
            stored = await self._answering.club(interaction, named)
            said = await change(stored, Curator(caller.member_id, did, {}))
            return [text_card(said(words))]

        await self._answering(interaction, make, name=f"curate {did}")


def with_reach(words: Words, pages: PublicPages, said: str) -> str:
    """The same, and who can open the page, where that is not everybody."""
    if not pages.is_local:
        return said
    local = words.t("At the moment, it can be opened only on the machine that runs this bot. The host can change that.")
    return f"{said}\n{local}"


def _is_off(words: Words) -> str:
    return words.t("The club book is off. Turn it on with {command}.", command=words.command("curate book on"))
