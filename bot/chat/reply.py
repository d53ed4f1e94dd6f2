"""The one way to answer: once where the work is quick, deferred in time where it is not.

Discord waits 3 s for a first answer. Work that takes longer than `FAST_S` is announced first and its result
replaces the announcement. Whatever happens to the answer, the work goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Protocol

import discord
import structlog
from msgspec import Struct

from bot import logs
from bot.caller import Caller, GuildId, MemberId, RequestId
from bot.chat.cards import Card, Kind, text_card
from bot.chat.first_answers import FirstAnswers
from bot.chat.modals import Modal
from bot.chat.words import Words
from bot.errors import InternalError, Restarting, UserError
from bot.storage.outbox import TOKEN_LIFE

FAST_S = 1.5
"""What is done by then is answered with one call."""
DELIVER_S = 10.0
"""One call to Discord is given up after this: what it was to say is told by another way."""

_log = structlog.get_logger("gatefold.chat")
Interaction = discord.Interaction[Any]
PROGRESS_S = 2.0
"""An answer that takes long tells how far it is this often."""
RECEIVED = "received"
"""Where an interaction keeps the moment at which it came, in monotonic time."""
MESSAGES = "messages"
"""Where an interaction keeps the messages that it is about as Discord sent them, by their ids."""


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


class Beside(Struct, frozen=True):
    """Cards for the member alone, although the answer was to edit a card or to be public: "Already undone."."""

    cards: Sequence[Card]


Work = Coroutine[Any, Any, Sequence[Card] | Beside]
"""What makes an answer. It goes on whatever happens to the answer."""


class _Made(Struct, frozen=True):
    cards: Sequence[Card]
    outcome: str  # for the log and the metrics: a small closed set
    is_beside: bool


class _Seen(Struct):
    """How an interaction goes. `first_s`: from its arrival to the first answer; None: that did not arrive."""

    received: float
    first_s: float | None = None
    arrived: bool = True
    is_deferred: bool = False
    outcome: str = "cancelled"
    _has_first: bool = False

    def first(self, arrived: bool) -> None:
        """An answer was sent, or the announcement of one."""
        self.arrived = arrived
        if not self._has_first:
            self._has_first = True
            self.first_s = time.monotonic() - self.received if arrived else None


class Observe(Protocol):
    """Is told how each interaction went."""

    def __call__(self, command: str, outcome: str, first_s: float | None) -> None:
        """`outcome`: `answered` or an error's name. `first_s`: to the first answer; None: it did not arrive."""
        ...


class Reply:
    """Answers interactions. `words`: the sentences for a locale; `open`: how many are being answered now.

    `is_stopping`: the process stops, and nothing new is begun.
    """

    def __init__(
        self,
        words: Callable[[str | None], Words],
        observe: Observe,
        first_answers: FirstAnswers,
        *,
        progress_s: float = PROGRESS_S,
        fast_s: float = FAST_S,
        token_life_s: float = TOKEN_LIFE.total_seconds(),
    ) -> None:
        self.words = words
        self._token_life_s = token_life_s
        self._progress_s = progress_s
        self._fast_s = fast_s
        self._observe = observe
        self.first_answers = first_answers
        self.is_stopping = False
        self.open = 0
        self._quiet = asyncio.Event()

    def public_words(self, caller: Caller) -> Words:
        """The words for what everybody in a server reads: in the server's language, else the member's."""
        return self.words(caller.guild_locale or caller.locale)

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
        edits: bool = False,
        held: Callable[[], UserError | None] | None = None,
        progress: Callable[[], Card | None] | None = None,
        album: str = "",
    ) -> int:
        """Answer with the cards that `work` makes; how many of them Discord took. None once the token is dead.

        `edits`: the first card takes the place of the one whose button was used. What went wrong, and a `Beside`,
        leaves that one as it is.
        `held`: asked when `work` is done, why some of it is not, though it made cards.
        `progress`: asked every 2 s while `work` takes long, for a card that tells how far it is.
        `album`: the text in which an album was named. What was ignored in it is told to the member alone.
        """
        with self._observed(interaction, name) as seen:
            task = asyncio.ensure_future(self._safely(interaction, work, held, visibility))
            # Discord's 3 s run since it sent the event, which may have waited its turn in a burst
            await asyncio.wait({task}, timeout=max(self._fast_s - (time.monotonic() - seen.received), 0.0))
            if not task.done():
                seen.is_deferred = True
                announcement = self.first_answers.announce(
                    interaction, is_private=visibility is Visibility.PRIVATE, edits=edits
                )
                seen.first(await _deliver(announcement, name))
            while not task.done():
                await asyncio.wait({task}, timeout=self._progress_s)
                if progress is None or task.done() or not seen.arrived or self._is_too_late(seen):
                    continue
                if (card := progress()) is not None:
                    await _deliver(interaction.edit_original_response(view=card.view()), name)
            made = await task
            seen.outcome = made.outcome
            if seen.arrived and self._is_too_late(seen):
                _log.warning("an answer came too late", name=name)
                seen.arrived = False
            is_private = visibility is Visibility.PRIVATE or made.is_beside
            if seen.arrived:
                first: Coroutine[Any, Any, object]
                if not seen.is_deferred and edits and not made.is_beside:
                    first = self.first_answers.edit(interaction, made.cards[0])
                elif not seen.is_deferred:
                    first = self.first_answers.message(interaction, made.cards[0], is_private=is_private)
                elif made.is_beside and edits:
                    first = interaction.followup.send(ephemeral=True, **_content(made.cards[0]))
                elif made.is_beside and visibility is Visibility.PUBLIC:
                    # what was announced to all is taken back, and the member alone reads what went wrong
                    first = _instead(interaction, made.cards[0])
                else:
                    first = interaction.edit_original_response(**_edited(made.cards[0]))
                seen.first(await _deliver(first, name))
            count = int(seen.arrived)
            for card in made.cards[1:] if seen.arrived else ():
                if not await _deliver(interaction.followup.send(ephemeral=is_private, **_content(card)), name):
                    break  # the rest is sent later, in order
                count += 1
            ignored = album and seen.arrived and self.words(str(interaction.locale)).ignored_in(album)
            if ignored and not made.is_beside:
                await _deliver(interaction.followup.send(ephemeral=True, view=text_card(ignored).view()), name)
        return count

    def _is_too_late(self, seen: _Seen) -> bool:
        """Whether the interaction's token is dead, so that its answer can be edited no more."""
        return time.monotonic() - seen.received >= self._token_life_s

    async def show(self, interaction: Interaction, modal: Modal, *, name: str) -> bool:
        """Open a modal: only possible as the first answer, so it takes no work; whether Discord took it."""
        with self._observed(interaction, name) as seen:
            seen.first(await _deliver(interaction.response.send_modal(modal), name))
            seen.outcome = "answered"
        return seen.arrived

    @contextmanager
    def _observed(self, interaction: Interaction, name: str) -> Iterator[_Seen]:
        """Log and measure how an interaction goes."""
        logs.serve(interaction.id)
        begun = time.monotonic()
        seen = _Seen(interaction.extras.get(RECEIVED, begun))
        self.open += 1
        try:
            yield seen
        finally:
            self.open -= 1
            if not self.open:
                self._quiet.set()
            self._observe(name, seen.outcome, seen.first_s)
            _log.info(
                "interaction",
                id=interaction.id,
                name=name,
                outcome=seen.outcome,
                arrived=seen.arrived,
                deferred=seen.is_deferred,
                ms=round((time.monotonic() - begun) * 1000, 1),
            )

    async def finish(self, seconds: float) -> None:
        """Let the answers that are under way go out, `seconds` at most."""
        self._quiet.clear()
        if self.open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), seconds)

    async def _safely(
        self, interaction: Interaction, work: Work, held: Callable[[], UserError | None] | None, visibility: Visibility
    ) -> _Made:
        """What `work` made; what went wrong becomes a card, too, which the member alone sees."""
        words = self.words(str(interaction.locale))
        try:
            result = await work
            why = None if held is None else held()
            is_beside = isinstance(result, Beside)
            cards = result.cards if isinstance(result, Beside) else result
            if visibility is Visibility.PUBLIC and not is_beside and any(card.kind is Kind.PRIVATE for card in cards):
                raise ValueError("a private card in a public answer")
            return _Made(cards, "answered" if why is None else type(why).__name__, is_beside)
        except UserError as error:
            return _Made([text_card(words.error(error))], type(error).__name__, is_beside=True)
        except Exception:
            broken = InternalError(logs.reference())
            _log.exception("a command broke")
            return _Made([text_card(words.error(broken))], type(broken).__name__, is_beside=True)


def _content(card: Card) -> dict[str, Any]:
    """What a new message is made of."""
    made: dict[str, Any] = {"view": card.view()}
    return made | {"files": files} if (files := card.uploads()) else made


def _edited(card: Card) -> dict[str, Any]:
    """What a message becomes. A file that it had goes: Discord refuses one that no component shows."""
    return {"view": card.view(), "attachments": card.uploads()}


async def _instead(interaction: Interaction, card: Card) -> None:
    await interaction.delete_original_response()
    await interaction.followup.send(view=card.view(), ephemeral=True)


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
        _log.warning("an answer did not arrive", name=name, error=code)
        return False
    return True
