"""Reading what the bot said, and waiting for things that can be seen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.discord_wire import Json, WireInteraction, buttons, texts
from tests.world import ADA, World

PATIENCE_S = 8.0
PRIVATE = 1 << 6
"""The flag of a message that only one person sees."""


async def until(is_so: Callable[[], object]) -> None:
    """Until something can be seen."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.01)


def text(message: Json) -> str:
    """What a person reads."""
    return "\n".join(texts(message))


def labels(message: Json) -> list[str]:
    """The buttons of a message, in order."""
    return [button["label"] for button in buttons(message)]


async def said(interaction: WireInteraction) -> str:
    """The text of an answer, once it is there."""
    return text(await interaction.message(PATIENCE_S))


async def until_said(interaction: WireInteraction, words: str) -> str:
    """The text of an answer, once it holds these words."""
    await until(lambda: interaction.history and words in text(interaction.history[-1]))
    return text(interaction.history[-1])


async def press(world: World, interaction: WireInteraction, label: str, member: int = ADA) -> WireInteraction:
    """Press a button of an answer."""
    message = interaction.history[-1]
    button = next(button for button in buttons(message) if button["label"] == label)
    return await world.discord.press(member, button["custom_id"], message)
