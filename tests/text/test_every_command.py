"""The running bot, used by somebody whose Discord is in the made-up language: every command, and every button of it.

Features that are added later are found by themselves. What needs a state that no command makes at once (a club in the
middle of a round) has its cards drawn in the tests of its feature.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from bot.text.languages import PSEUDO
from tests.discord_wire import Json, WireInteraction
from tests.text.reading import flaws
from tests.world import ADA, BEN, FIRST, SECOND, World

WHERE: dict[str, Any] = {"locale": PSEUDO, "guild_locale": PSEUDO}
MOST = 300
"""Interactions; the same kind of button is pressed once on each kind of card."""
# Values for options by their type: text, integer, truth, member, channel, role, mentionable, number.
VALUES: dict[int, Any] = {3: FIRST, 4: 1, 5: True, 6: str(BEN), 8: "1", 9: str(BEN), 10: 1.0}


def leaves(spec: Json, name: str = "") -> Iterator[tuple[str, list[Json]]]:
    """Every command that can be used, subcommands included, with its options."""
    name = f"{name} {spec['name']}".strip()
    options = spec.get("options") or []
    below = [option for option in options if option["type"] in (1, 2)]
    if not below:
        yield name, options
    for option in below:
        yield from leaves(option, name)


def filled(option: Json, world: World) -> Any:
    """A value that an option takes."""
    if option.get("choices"):
        return option["choices"][0]["value"]
    if option["type"] == 7:
        return str(world.discord.CHANNEL)
    return option.get("min_value", VALUES.get(option["type"]))


def parts(thing: Any) -> Iterator[Json]:
    """Every component below."""
    if isinstance(thing, dict):
        yield thing
        for value in thing.values():
            yield from parts(value)
    elif isinstance(thing, list):
        for item in thing:
            yield from parts(item)


class Crawl:
    """Uses everything that it finds, and keeps what it read."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.facts = {"Ada", "Ben", "gatefold", "records", FIRST, SECOND}
        for album in world.spotify.catalogue.albums.values():
            self.facts |= {album.title, *(artist.name for artist in album.artists)}
        self.flaws: dict[str, list[str]] = {}
        self.used: set[tuple[str, str]] = set()
        self.todo: deque[tuple[str, Json]] = deque()

    async def see(self, interaction: WireInteraction) -> None:
        """Read all that came of an interaction, and note its buttons for later."""
        try:
            answer = await interaction.answered(8.0)
        except TimeoutError:
            self.flaws[interaction.what] = ["no answer"]
            return
        if answer["type"] == 9:
            self.read(interaction.what, answer["data"])
            fields = {part["custom_id"]: "1" for part in parts(answer["data"]["components"]) if part.get("type") == 4}
            await self.see(await self.world.discord.submit(ADA, interaction, fields, **WHERE))
            return
        if answer["type"] == 5:
            await interaction.message(8.0)
        await asyncio.sleep(0.05)
        for message in [*interaction.history[-1:], *interaction.followups]:
            self.read(interaction.what, message["components"])
            self.todo += [(interaction.what.partition(":")[0], message)]

    def read(self, what: str, shown: Any) -> None:
        """Note what is wrong with something that was shown."""
        if found := flaws(shown, self.facts):
            self.flaws.setdefault(what, []).extend(found)

    async def press_all(self) -> None:
        """Press what was not pressed yet, once of each kind; what deletes comes last."""
        while self.todo and len(self.used) < MOST:
            what, message = self.todo.popleft()
            for part in [part for part in parts(message["components"]) if part.get("custom_id")]:
                kind = (what, part["custom_id"].partition(":")[0])
                if kind in self.used or kind[1] == "unlink":
                    continue
                self.used.add(kind)
                values = [option["value"] for option in part.get("options", ())][:1]
                pressed = self.world.discord.press(ADA, part["custom_id"], message, values=values, **WHERE)
                await self.see(await pressed)


async def test_everything_that_a_member_can_reach_is_from_the_catalogue(world: World) -> None:
    await world.link(ADA)
    crawl = Crawl(world)
    for text in (FIRST, f"{FIRST} {SECOND}", "the", "https://open.spotify.com/playlist/" + FIRST, "0" * 22):
        await crawl.see(await world.discord.slash(ADA, "save", {"albums": text}, **WHERE))
    for spec in [spec for specs in world.discord.commands.values() for spec in specs]:
        if spec["type"] == 1:
            for name, options in leaves(spec):
                values = {option["name"]: filled(option, world) for option in options if option.get("required")}
                if None not in values.values():
                    await crawl.see(await world.discord.slash(ADA, name, values, **WHERE))
        elif spec["type"] == 3:
            link = {"id": "1", "channel_id": str(world.discord.CHANNEL), "timestamp": "2026-11-27T12:00:00+00:00"}
            link["content"] = f"https://open.spotify.com/album/{FIRST}"
            await crawl.see(await world.discord.message_command(ADA, spec["name"], link, **WHERE))
    await crawl.press_all()
    await crawl.see(await world.discord.slash(world.discord.OWNER, "seats", {}, **WHERE))
    asked = await world.discord.slash(ADA, "unlink", {}, **WHERE)
    confirm = await asked.message(8.0)
    await crawl.see(await world.discord.press(ADA, f"unlink:{ADA}", confirm, **WHERE))
    for name in ("save", "link", "account", "unlink"):
        values = {"albums": FIRST} if name == "save" else {}
        await crawl.see(await world.discord.slash(ADA, name, values, **WHERE))
    for message in [message for channel in world.discord.channel_messages.values() for message in channel]:
        crawl.read("a channel's message", message["components"])
    assert crawl.flaws == {}
    assert len(crawl.used) >= 4
