"""`/help`: what the bot does, in one screen."""

from __future__ import annotations

from collections.abc import Sequence

from discord import app_commands

from bot.chat.cards import Card, text_card
from bot.chat.features import Feature
from bot.chat.reply import Interaction, Reply, Visibility, caller_of
from bot.chat.words import Words
from bot.text import command_name, msg


def feature(reply: Reply) -> Feature:
    """The command of this module."""

    @app_commands.command(name=command_name("help"), description=msg("What this bot does, and how to start"))
    async def show(interaction: Interaction) -> None:
        words = reply.words(caller_of(interaction).locale)
        await reply(interaction, draw(words), name="help", visibility=Visibility.PRIVATE)

    return Feature("help", (show,))


async def draw(words: Words) -> Sequence[Card]:
    """The card of `/help`."""
    return [text_card(words.help())]
