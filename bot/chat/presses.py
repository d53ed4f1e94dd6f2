"""Buttons: a `custom_id` is `verb:argument` and holds all that a press needs.

Every press comes here, also those of old, forged or foreign buttons. It is visible and replayable what a
`custom_id` says, so who pressed is always checked on our side. See docs/decisions/0004.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, cast

from bot.albums import AlbumId
from bot.caller import RequestId
from bot.changes import Action
from bot.chat.cards import Card, text_card
from bot.chat.commands import Desk
from bot.chat.reply import Interaction, caller_of
from bot.library import Report

_ALBUM = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)

Own = Callable[[Interaction], Coroutine[Any, Any, Sequence[Card]]]


async def press(desk: Desk, interaction: Interaction) -> None:
    """Serve the press of a button."""
    data = cast(Mapping[str, Any], interaction.data or {})
    custom_id = str(data.get("custom_id", ""))
    verb, _, argument = custom_id.partition(":")
    own: dict[str, Own] = {"drop": desk.drop, "unlink-ask": desk.ask_unlink, "unlink": desk.unlink}
    if verb in ("save", "unsave") and _ALBUM.fullmatch(argument):
        action = Action.SAVE if verb == "save" else Action.REMOVE
        await desk.report(
            interaction,
            lambda: desk.library.change_album(caller_of(interaction), action, AlbumId(argument)),
            name=f"button {verb}",
        )
    elif verb == "undo" and _NUMBER.fullmatch(argument) and int(argument) < 2**63:
        of = RequestId(int(argument))
        await desk.report(interaction, lambda: _undo(desk, interaction, of), name="button undo")
    elif verb in own and _NUMBER.fullmatch(argument):
        if int(argument) == caller_of(interaction).member_id:
            await desk.reply(interaction, own[verb](interaction), name=f"button {verb}")
        else:
            await _say(desk, interaction, desk.words.not_yours(), "button of another")
    else:
        await _say(desk, interaction, desk.words.too_old(), "button unknown")


async def _undo(desk: Desk, interaction: Interaction, of: RequestId) -> Report | str:
    result = await desk.library.undo(caller_of(interaction), of)
    return result if isinstance(result, Report) else desk.words.undo(result)


async def _say(desk: Desk, interaction: Interaction, text: str, name: str) -> None:
    async def cards() -> Sequence[Card]:
        return [text_card(text)]

    await desk.reply(interaction, cards(), name=name)
