"""Who sees an answer: what was asked for in public, and what went wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bot.chat.cards import Card, Kind, text_card
from bot.chat.reply import Reply, Visibility
from bot.errors import Restarting
from tests.chat.reading import PRIVATE, text
from tests.discord_wire import WireInteraction
from tests.world import ADA, World

DEFERRED_S = 1.7


async def answer(
    world: World, monkeypatch: pytest.MonkeyPatch, work: Any, visibility: Visibility = Visibility.PUBLIC
) -> WireInteraction:
    """An interaction that is answered with `work` in place of what its command does."""
    served = asyncio.Event()

    async def serve(interaction: Any) -> None:
        await world.bot.reply(interaction, work(), name="test", visibility=visibility)
        served.set()

    monkeypatch.setattr(world.bot.client, "on_interaction", serve)
    interaction = await world.discord.interact(3, {"custom_id": "test", "component_type": 2}, ADA, "a test", CARD)
    async with asyncio.timeout(8):
        await served.wait()
    return interaction


CARD: dict[str, Any] = {"id": "1", "channel_id": "613425648685547545", "components": [], "flags": 0}


@pytest.mark.parametrize("slow", [False, True], ids=["at once", "announced"])
@pytest.mark.parametrize("visibility", Visibility)
async def test_an_answer_is_seen_by_whom_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch, slow: bool, visibility: Visibility
) -> None:
    async def work() -> Sequence[Card]:
        await asyncio.sleep(DEFERRED_S if slow else 0)
        kind = Kind.PUBLIC if visibility is Visibility.PUBLIC else Kind.PRIVATE
        return [text_card("first", kind=kind), text_card("second", kind=kind)]

    interaction = await answer(world, monkeypatch, work, visibility)
    messages = [interaction.history[-1], *interaction.followups]
    assert [text(message) for message in messages] == ["first", "second"]
    assert all(bool(message["flags"] & PRIVATE) is (visibility is Visibility.PRIVATE) for message in messages)


@pytest.mark.parametrize("slow", [False, True], ids=["at once", "announced"])
@pytest.mark.parametrize("kind", ["refused", "broken", "private card"])
async def test_what_went_wrong_with_a_public_answer_is_seen_by_the_member_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, slow: bool, kind: str
) -> None:
    async def work() -> Sequence[Card]:
        await asyncio.sleep(DEFERRED_S if slow else 0)
        if kind == "refused":
            raise Restarting
        if kind == "broken":
            raise RuntimeError("secret of a member")
        return [text_card("for one alone")]

    interaction = await answer(world, monkeypatch, work)
    seen = [message for message in world.discord.messages.values() if message["id"] != CARD["id"]]
    assert all(message["flags"] & PRIVATE for message in seen)
    (shown,) = seen
    expected = "I am restarting" if kind == "refused" else "Something broke on our side"
    assert expected in text(shown)
    assert interaction.deleted is slow
    assert world.discord.problems == []


def test_a_reply_that_is_stopping_begins_nothing_new() -> None:
    reply = Reply(lambda locale: None, lambda command, outcome, first_s: None)  # type: ignore[arg-type,return-value]
    reply.check_open()
    reply.is_stopping = True
    with pytest.raises(Restarting):
        reply.check_open()
