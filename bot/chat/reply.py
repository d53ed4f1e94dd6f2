"""The one way to answer: once where the work is quick, deferred in time where it is not.

Discord waits 3 s for a first answer. Work that takes longer than `FAST_S` is announced first and its result
replaces the announcement. Whatever happens to the answer, the work goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

import discord
import structlog

from bot import logs
from bot.caller import Caller, GuildId, MemberId, RequestId
from bot.chat.cards import Card, Kind, text_card
from bot.chat.words import Words
from bot.errors import InternalError, Restarting, UserError

FAST_S = 1.5
"""What is done by then is answered with one call."""
DELIVER_S = 10.0
"""One call to Discord is given up after this: what it was to say is told by another way."""

_log = structlog.get_logger("gatefold.chat")
Interaction = discord.Interaction[Any]
Work = Coroutine[Any, Any, Sequence[Card]]
RECEIVED = "received"
"""Where an interaction keeps the moment at which it came, in monotonic time."""


def caller_of(interaction: Interaction) -> Caller:
    """Who used a command, a button or a modal. Only ever themselves: no command names another member."""
    guild_locale = interaction.guild_locale
    return Caller(
        member_id=MemberId(interaction.user.id),
        guild_id=None if interaction.guild_id is None else GuildId(interaction.guild_id),
        locale=str(interaction.locale),
        interaction_id=RequestId(interaction.id),
        interaction_token=interaction.token,
        guild_locale=None if guild_locale is None else str(guild_locale),
    )


class Visibility(Enum):
    """Who sees an answer. Each says so itself; an error is always private."""

    PRIVATE = "private"  # only the member who asked
    PUBLIC = "public"  # everybody in the channel


class Observe(Protocol):
    """Is told how each interaction went."""

    def __call__(self, command: str, outcome: str, first_s: float | None) -> None:
        """`outcome`: `answered` or an error's name. `first_s`: to the first answer; None: it did not arrive."""
        ...


class Reply:
    """Answers interactions. `words`: the sentences for a locale; `open`: how many are being answered now.

    `is_stopping`: the process stops, and nothing new is begun.
    """

    def __init__(self, words: Callable[[str | None], Words], observe: Observe) -> None:
        self.words = words
        self._observe = observe
        self.is_stopping = False
        self.open = 0
        self._quiet = asyncio.Event()

    def check_open(self) -> None:
        """Raise Restarting when the process is stopping."""
        if self.is_stopping:
            raise Restarting

    async def __call__(
        self,
        interaction: Interaction,
        work: Work,
        *,
        name: str,
        visibility: Visibility,
        held: Callable[[], UserError | None] = lambda: None,
    ) -> bool:
        """Answer with the cards that `work` makes; whether Discord took the answer.

        `held`: asked when `work` is done, why some of it is not, though it made cards.
        """
        is_private = visibility is Visibility.PRIVATE
        logs.serve(interaction.id)
        begun = time.monotonic()
        received: float = interaction.extras.get(RECEIVED, begun)
        first_s: float | None = None
        self.open += 1
        arrived, deferred, outcome = True, False, "cancelled"
        try:
            task = asyncio.ensure_future(self._safely(interaction, work, held, visibility))
            await asyncio.wait({task}, timeout=FAST_S)
            deferred = not task.done()
            if deferred:
                announced = interaction.response.defer(ephemeral=is_private, thinking=True)
                arrived = await _deliver(announced, name)
                first_s = time.monotonic() - received if arrived else None
            cards, outcome, may_be_public = await task
            is_private = is_private or not may_be_public
            if arrived:
                first: Coroutine[Any, Any, object]
                if deferred and is_private and visibility is Visibility.PUBLIC:
                    # what was announced to all is taken back, and the member alone reads what went wrong
                    first = _instead(interaction, cards[0])
                elif deferred:
                    first = interaction.edit_original_response(view=cards[0])
                else:
                    first = interaction.response.send_message(view=cards[0], ephemeral=is_private)
                arrived = await _deliver(first, name)
                if not deferred:
                    first_s = time.monotonic() - received if arrived else None
            for card in cards[1:] if arrived else ():
                await _deliver(interaction.followup.send(view=card, ephemeral=is_private), name)
        finally:
            self.open -= 1
            if not self.open:
                self._quiet.set()
            self._observe(name, outcome, first_s)
            _log.info(
                "interaction",
                id=interaction.id,
                name=name,
                outcome=outcome,
                arrived=arrived,
                deferred=deferred,
                ms=round((time.monotonic() - begun) * 1000, 1),
            )
        return arrived

    async def finish(self, seconds: float) -> None:
        """Let the answers that are under way go out, `seconds` at most."""
        self._quiet.clear()
        if self.open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), seconds)

    async def _safely(
        self, interaction: Interaction, work: Work, held: Callable[[], UserError | None], visibility: Visibility
    ) -> tuple[Sequence[Card], str, bool]:
        """The cards, a word for the log, of a small closed set, and whether others may see them.

        What went wrong becomes a card, too.
        """
        words = self.words(str(interaction.locale))
        try:
            cards, why = await work, held()
            if visibility is Visibility.PUBLIC and any(card.kind is Kind.PRIVATE for card in cards):
                raise ValueError("a private card in a public answer")
            return cards, "answered" if why is None else type(why).__name__, True
        except UserError as error:
            return [text_card(words.error(error))], type(error).__name__, False
        except Exception:
            broken = InternalError(logs.reference())
            _log.exception("a command broke")
            return [text_card(words.error(broken))], type(broken).__name__, False


async def _instead(interaction: Interaction, card: Card) -> None:
    await interaction.delete_original_response()
    await interaction.followup.send(view=card, ephemeral=True)


async def _deliver(call: Coroutine[Any, Any, Any], name: str) -> bool:
    """Send something; False when Discord does not take it (too late, gone, unreachable)."""
    try:
        # discord.py would sleep through a limit of an hour, and waits 5 minutes for an answer
        async with asyncio.timeout(DELIVER_S):
            await call
    except Exception as error:
        # Whatever it is (discord.py takes an answer of another shape for granted), the rest goes on. No traceback:
        # discord.py's errors may carry the address, and with it the interaction's token.
        code = error.code if isinstance(error, discord.HTTPException) else type(error).__name__
        _log.warning("an answer did not arrive", name=name, code=code)
        return False
    return True
