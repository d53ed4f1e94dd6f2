"""The client collects what features bring: listeners and intents as well as commands and components."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest
from discord import app_commands

from bot.chat.cards import Card, text_card
from bot.chat.features import Feature
from bot.chat.reply import MESSAGES, Interaction, Reply, Visibility
from tests.chat.reading import said, text
from tests.chat.stage import connected
from tests.world import ADA


async def test_without_features_that_want_events_none_are_asked_for(tmp_path: Path) -> None:
    async with connected(tmp_path, lambda reply: [Feature("one")]) as stage:
        assert stage.wire.identifies[0]["intents"] == 0


async def test_events_reach_every_feature_that_listens_though_one_of_them_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[tuple[str, int]] = []
    both = asyncio.Event()

    async def break_(payload: discord.RawMessageDeleteEvent) -> None:
        heard.append(("first", payload.message_id))
        raise RuntimeError("broken")

    async def listen(payload: discord.RawMessageDeleteEvent) -> None:
        heard.append(("second", payload.message_id))
        both.set()

    intents = discord.Intents(guild_messages=True)
    features = [
        Feature(name, listeners={"raw_message_delete": it}, intents=intents)
        for name, it in (("first", break_), ("second", listen))
    ]
    async with connected(tmp_path, lambda reply: features) as stage:
        assert stage.wire.identifies[0]["intents"] == intents.value
        event = {"id": "7", "channel_id": "8", "guild_id": str(stage.wire.GUILD)}
        await stage.wire.dispatch(stage.wire.session_for(stage.wire.GUILD), "MESSAGE_DELETE", event)
        await asyncio.wait_for(both.wait(), 5)
    assert heard == [("first", 7), ("second", 7)]
    assert "a listener broke" in capsys.readouterr().out


async def test_a_feature_cannot_take_an_event_away_from_the_client(tmp_path: Path) -> None:
    async def listen() -> None: ...

    with pytest.raises(ValueError, match="itself listens to ready"):
        async with connected(tmp_path, lambda reply: [Feature("one", listeners={"ready": listen})]):
            pass


async def test_message_commands_and_subcommands_are_served(tmp_path: Path) -> None:
    def features(reply: Reply) -> list[Feature]:
        async def answer(interaction: Interaction, words: str) -> None:
            async def work() -> list[Card]:
                return [text_card(words)]

            await reply(interaction, work(), name="test", visibility=Visibility.PRIVATE)

        async def save_albums(interaction: Interaction, message: discord.Message) -> None:
            sent = interaction.extras[MESSAGES][str(message.id)]  # discord.py gets no more than where it is
            await answer(interaction, f"read {sent['content']}")

        group = app_commands.Group(name="club", description="The album club")

        @group.command(name="start", description="Begin a round")
        async def start(interaction: Interaction, days: int) -> None:
            await answer(interaction, f"{days} days")

        return [Feature("test", (group, app_commands.ContextMenu(name="Save albums", callback=save_albums)))]

    async with connected(tmp_path, features) as stage:
        message = {"id": "9", "channel_id": str(stage.wire.CHANNEL), "content": "https://open.spotify.com/album/x"}
        read = await stage.wire.message_command(ADA, "Save albums", message)
        assert await said(read) == "read https://open.spotify.com/album/x"
        started = await stage.wire.slash(ADA, "club start", {"days": 7})
        assert text(await started.message()) == "7 days"
