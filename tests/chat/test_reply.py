"""Who sees an answer and where it appears: new or in place of a card, public or private, and what went wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.caller import Caller
from bot.chat.cards import Card, Kind, file_card, text_card
from bot.chat.components import Component
from bot.chat.features import Feature
from bot.chat.reply import RECEIVED, Beside, Interaction, Reply, Visibility
from bot.errors import Restarting
from tests.chat.reading import PRIVATE, text
from tests.chat.stage import CARD_ID, card, connected
from tests.discord_wire import Json, WireInteraction, flatten
from tests.world import ADA

SLOW_S = 1.7
"""Longer than the bot waits before it announces an answer."""
TIMES = pytest.mark.parametrize("slow", [False, True], ids=["at once", "announced"])
WRONG = pytest.mark.parametrize("kind", ["refused", "broken", "beside"])
SAID = {"refused": "I am ", "broken": "Something broke on our side", "beside": "for one alone"}


@asynccontextmanager
async def used(
    folder: Path, work: Any, *, visibility: Visibility, edits: bool = False, **more: Any
) -> AsyncIterator[tuple[WireInteraction, dict[str, Json]]]:
    """A button whose handler answers with `work`, once it was used; and all messages, by their ids."""

    def features(reply: Reply) -> list[Feature]:
        async def handler(interaction: Interaction, caller: Caller) -> None:
            await reply(interaction, work(), name="button test", visibility=visibility, edits=edits, **more)

        return [Feature("test", components=(Component("test", (), handler),))]

    async with connected(folder, features, progress_s=0.1) as stage:
        interaction = await stage.wire.press(ADA, "test", card())
        await stage.quiet()
        assert stage.wire.problems == []
        yield interaction, stage.wire.messages


@TIMES
@pytest.mark.parametrize("visibility", Visibility)
async def test_an_answer_is_seen_by_whom_it_says(tmp_path: Path, slow: bool, visibility: Visibility) -> None:
    async def work() -> Sequence[Card]:
        await asyncio.sleep(SLOW_S if slow else 0)
        kind = Kind.PUBLIC if visibility is Visibility.PUBLIC else Kind.PRIVATE
        return [text_card("first", kind=kind), text_card("second", kind=kind)]

    async with used(tmp_path, work, visibility=visibility) as (interaction, messages):
        assert [text(message) for message in messages.values()] == ["first", "second"]
        is_private = visibility is Visibility.PRIVATE
        assert all(bool(message["flags"] & PRIVATE) is is_private for message in messages.values())
        assert len(interaction.followups) == 1


def goes_wrong(kind: str, slow: bool) -> Any:
    """Work that ends with what only the member may see."""

    async def work() -> Sequence[Card] | Beside:
        await asyncio.sleep(SLOW_S if slow else 0)
        if kind == "refused":
            raise Restarting
        if kind == "broken":
            raise RuntimeError("what only the log may hold")
        return Beside([text_card("for one alone")])

    return work


@TIMES
@WRONG
async def test_what_went_wrong_with_a_public_answer_is_seen_by_the_member_alone(
    tmp_path: Path, slow: bool, kind: str
) -> None:
    async with used(tmp_path, goes_wrong(kind, slow), visibility=Visibility.PUBLIC) as (interaction, messages):
        (shown,) = messages.values()
        assert shown["flags"] & PRIVATE
        assert SAID[kind] in text(shown)
        assert interaction.deleted is slow


async def test_a_private_card_never_gets_into_a_public_answer(tmp_path: Path) -> None:
    async def work() -> Sequence[Card]:
        return [text_card("for one alone")]

    async with used(tmp_path, work, visibility=Visibility.PUBLIC) as (_, messages):
        (shown,) = messages.values()
        assert "Something broke on our side" in text(shown)
        assert shown["flags"] & PRIVATE


@TIMES
async def test_an_answer_that_edits_takes_the_place_of_the_card_whose_button_was_used(
    tmp_path: Path, slow: bool
) -> None:
    async def work() -> Sequence[Card]:
        await asyncio.sleep(SLOW_S if slow else 0)
        return [text_card("Undone."), text_card("second page")]

    async with used(tmp_path, work, visibility=Visibility.PRIVATE, edits=True) as (interaction, messages):
        assert text(messages[CARD_ID]) == "Undone."
        assert [text(message) for message in interaction.followups] == ["second page"]
        assert len(messages) == 2


@TIMES
@WRONG
async def test_what_went_wrong_with_an_edit_leaves_the_card_as_it_was(tmp_path: Path, slow: bool, kind: str) -> None:
    async with used(tmp_path, goes_wrong(kind, slow), visibility=Visibility.PUBLIC, edits=True) as (_, messages):
        shown = [message for message in messages.values() if message["id"] != CARD_ID]
        assert [bool(message["flags"] & PRIVATE) for message in shown] == [True]
        assert SAID[kind] in text(shown[0])
        assert text(messages.get(CARD_ID, card())) == ""


@TIMES
@pytest.mark.parametrize("edits", [False, True], ids=["new", "edited"])
async def test_a_file_goes_with_its_card(tmp_path: Path, slow: bool, edits: bool) -> None:
    async def work() -> Sequence[Card]:
        await asyncio.sleep(SLOW_S if slow else 0)
        return [file_card("Your albums.", "albums.csv", b"title,artist")]

    async with used(tmp_path, work, visibility=Visibility.PRIVATE, edits=edits) as (interaction, _):
        parts = [*flatten(interaction.history[-1]["components"])]
        assert [part["file"]["url"] for part in parts if part["type"] == 13] == ["attachment://albums.csv"]


async def test_an_answer_that_takes_long_tells_how_far_it_is(tmp_path: Path) -> None:
    done = 0

    async def work() -> Sequence[Card]:
        nonlocal done
        for _ in range(4):
            await asyncio.sleep(SLOW_S / 3)
            done += 1
        return [text_card("Done.")]

    def progress() -> Card | None:
        return text_card(f"{done} of 4") if done else None

    async with used(tmp_path, work, visibility=Visibility.PRIVATE, progress=progress) as (interaction, messages):
        seen = list(dict.fromkeys(text(message) for message in interaction.history))
        assert seen[-1] == "Done."
        assert set(seen[:-1]) & {"2 of 4", "3 of 4"}
        assert len(messages) == 1


async def test_nothing_is_sent_with_a_token_that_is_dead(tmp_path: Path) -> None:
    asked = asyncio.Event()
    taken: list[int] = []

    async def work() -> Sequence[Card]:
        await asyncio.sleep(SLOW_S)
        return [text_card("Done."), text_card("More.")]

    def progress() -> Card | None:
        asked.set()
        return text_card("still reading")

    def features(reply: Reply) -> list[Feature]:
        async def handler(interaction: Interaction, caller: Caller) -> None:
            visibility = Visibility.PRIVATE
            taken.append(await reply(interaction, work(), name="button test", visibility=visibility, progress=progress))

        return [Feature("test", components=(Component("test", (), handler),))]

    async with connected(tmp_path, features, progress_s=0.02, fast_s=0.05, token_life_s=0.1) as stage:
        interaction = await stage.wire.press(ADA, "test", card())
        await stage.quiet()
        assert (await interaction.answered(60))["type"] == 5
    assert taken == [0]
    assert not any(text(message) in ("Done.", "More.") for message in interaction.history)
    assert len(interaction.edits) <= 3  # those before it died


async def test_what_waited_its_turn_is_announced_as_if_it_had_been_begun_at_once(tmp_path: Path) -> None:
    was_announced = asyncio.Event()

    async def work() -> Sequence[Card]:
        await was_announced.wait()
        return [text_card("Done.")]

    def features(reply: Reply) -> list[Feature]:
        async def handler(interaction: Interaction, caller: Caller) -> None:
            interaction.extras[RECEIVED] -= 60.0
            await reply(interaction, work(), name="button test", visibility=Visibility.PRIVATE)

        return [Feature("test", components=(Component("test", (), handler),))]

    async with connected(tmp_path, features, fast_s=60.0) as stage:
        interaction = await stage.wire.press(ADA, "test", card())
        assert (await interaction.answered(60))["type"] == 5
        was_announced.set()
        await stage.quiet()
        assert text(interaction.history[-1]) == "Done."


async def test_a_reply_that_is_stopping_begins_nothing_new(tmp_path: Path) -> None:
    async with connected(tmp_path, lambda reply: []) as stage:
        stage.reply.check_open()
        stage.reply.is_stopping = True
        with pytest.raises(Restarting):
            stage.reply.check_open()
