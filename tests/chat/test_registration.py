"""Commands at Discord: registered by type and name, again only when something in them changed, and mentioned by id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.chat.features import Feature
from bot.chat.registration import Registration
from bot.chat.words import AllWords
from bot.storage import Storage, open_storage
from tests.discord_wire import DiscordWire

APP, TOKEN = 1_100_000_000_000_000_001, "token-of-the-tests"


class German(app_commands.Translator):
    """Puts one word before everything."""

    def __init__(self, word: str) -> None:
        self.word = word

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """German alone."""
        is_text = context.location is app_commands.TranslationContextLocation.command_description
        return f"{self.word} {string.message}" if locale is discord.Locale.german and is_text else None


@pytest.fixture
async def wire() -> AsyncIterator[DiscordWire]:
    wire = DiscordWire(application_id=APP, bot_token=TOKEN)
    async with wire.running():
        yield wire


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    yield storage
    await storage.close()


def curation(description: str = "Begin a round") -> Feature:
    """A group with a subcommand, and a slash command and a message command of one name."""
    club = app_commands.Group(name="club", description="The album club")

    @club.command(name="start", description=description)
    async def start(interaction: discord.Interaction[Any]) -> None: ...

    @app_commands.command(name="save", description="Save albums")
    async def save(interaction: discord.Interaction[Any]) -> None: ...

    async def save_message(interaction: discord.Interaction[Any], message: discord.Message) -> None: ...

    return Feature("curation", (club, save, app_commands.ContextMenu(name="save", callback=save_message)))


async def registered(
    wire: DiscordWire,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    feature: Feature,
    *,
    word: str = "Deutsch:",
) -> dict[str, int]:
    """One start of a bot with this feature; what it can mention then."""
    monkeypatch.setattr(discord.http.Route, "BASE", wire.api_url)
    mentions: dict[str, int] = {"gone": 7}
    async with discord.Client(intents=discord.Intents.none()) as client:
        tree: app_commands.CommandTree[Any] = app_commands.CommandTree(client)
        for command in feature.commands:
            tree.add_command(command)
        await client.login(TOKEN)
        await Registration(tree, storage.commands, mentions, None, German(word), word).register(APP)
    return mentions


def syncs(wire: DiscordWire) -> int:
    return len([request for request in wire.requests if request.method == "PUT"])


async def test_subcommands_are_mentioned_with_the_id_of_their_group(
    wire: DiscordWire, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentions = await registered(wire, storage, monkeypatch, curation())
    ids = {(spec["type"], spec["name"]): int(spec["id"]) for spec in wire.commands[None]}
    assert mentions == {"club": ids[1, "club"], "club start": ids[1, "club"], "save": ids[1, "save"]}
    words = AllWords("")
    words.command_ids.update(mentions)
    assert words(None).command("club start") == f"</club start:{ids[1, 'club']}>"


async def test_a_message_command_and_a_slash_command_of_one_name_keep_their_own_ids_over_a_restart(
    wire: DiscordWire, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await registered(wire, storage, monkeypatch, curation())
    again = await registered(wire, storage, monkeypatch, curation())
    assert syncs(wire) == 1
    assert first == again
    kept = (await storage.commands.get(APP))[0].ids
    assert {key.type for key in kept if key.name == "save"} == {1, 3}
    assert len({id_ for key, id_ in kept.items() if key.name == "save"}) == 2


async def test_the_order_of_commands_is_no_change(
    wire: DiscordWire, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(wire, storage, monkeypatch, curation())
    feature = curation()
    await registered(wire, storage, monkeypatch, Feature("curation", [*feature.commands][::-1]))
    assert syncs(wire) == 1


async def test_a_changed_subcommand_or_translation_is_registered_again(
    wire: DiscordWire, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(wire, storage, monkeypatch, curation())
    await registered(wire, storage, monkeypatch, curation("Start a round"))
    assert syncs(wire) == 2
    await registered(wire, storage, monkeypatch, curation("Start a round"), word="Bitte")
    assert syncs(wire) == 3
    await registered(wire, storage, monkeypatch, curation("Start a round"), word="Los")
    assert syncs(wire) == 4
    await registered(wire, storage, monkeypatch, curation("Start a round"), word="Los")
    assert syncs(wire) == 4
