"""What members and hosts do, so that every kind of request leaves the bot at least once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import attrs

from bot.accounts.linking import LinkNews
from bot.admin.doctor.examination import examine
from bot.caller import MemberId
from bot.errors import WrongDiscordAccount
from bot.sandbox.catalogue import synthetic
from bot.sandbox.components import flatten
from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, buttons, texts
from tests.leaks import Trail
from tests.world import ADA, BEN, FIRST, SECOND, World

SELECT = 3
"""The type of a select menu."""
MISSING = [f"{number:022d}" for number in range(200)]
"""Well-formed ids of no album."""


async def all_of_them(world: World) -> None:
    """Every story, the bot's start included."""
    async with world.running():
        await linking(world)
        await world.link(BEN, "ben")
        for generation in ("albums", "library"):
            world.spotify.generations = {generation, "library"}
            await saving(world)
            await many(world)
        await typing(world)
        await bad_days(world)
        await doctor(world)
        await leaving(world)
    await registering(world)


async def linking(world: World) -> None:
    """A change that waits for the link, the way through both consent pages, a stranger in it, and a renewal."""
    waiting = await world.save(FIRST)
    await said(waiting, "Link your Spotify account once")
    await Trail().link(world.discord, world.spotify, ADA, "ada")
    await said(waiting, "Saved")
    stranger = await world.discord.slash(ADA, "link", {})
    await stranger.message()
    await world.bot.linking.tell(LinkNews(MemberId(ADA), stranger.token, WrongDiscordAccount()))
    await stranger.followup()
    await Trail().link(world.discord, world.spotify, ADA, "ada")


async def saving(world: World) -> None:
    """One album and two, their Undo; a track link and a short one; words that fit one album, several or none."""
    album, catalogue = world.spotify.catalogue.albums[FIRST], world.spotify.catalogue.albums.values()
    twin = next(a for a in catalogue if sum(b.title == a.title for b in catalogue) > 1)
    short = world.spotify.short_link(f"https://open.spotify.com/album/{SECOND}").rsplit("/", 1)[-1]
    saved = await world.save(FIRST)
    await said(saved, "library")
    await said(await world.unsave(FIRST), "Removed")
    for text in (f"spotify:track:{album.tracks[0].id}", f"https://spotify.link/{short}", f"{FIRST} {SECOND}"):
        await said(await world.save(text), "aved")
        await said(await world.unsave(f"{FIRST} {SECOND}"), "emoved")
    again = await world.save(f"https://open.spotify.com/album/{FIRST} https://open.spotify.com/s/{short}")
    await said(again, "Saved 2 albums")
    await said(await press(world, again, "Undo"), "removed 2 albums")
    await said(await world.save("nothing of the kind"), "")
    offer = await world.save(twin.title)
    await said(offer, "Which one do you mean?")
    menu = next(part for part in flatten(offer.history[-1]["components"]) if part["type"] == SELECT)
    first = [menu["options"][0]["value"]]
    chosen = await world.discord.press(ADA, menu["custom_id"], offer.history[-1], values=first)
    await said(chosen, "Saved")
    await said(await world.unsave(twin.title), "Removed")
    await said(await world.save(f"{MISSING[0]} https://open.spotify.com/playlist/{FIRST}"), "")


async def many(world: World) -> None:
    """As many albums as the limits split, out again, and an answer that goes on in follow-ups."""
    albums = synthetic(120)
    world.spotify.catalogue.add(albums)
    ids = " ".join(album.id for album in albums)
    await said(await world.save(ids), "Saved 120 albums")
    await said(await world.unsave(ids), "Removed 120 albums")
    long = await world.save(" ".join(MISSING))
    await said(long, "200 could not be found")
    await long.followup()
    await world.idle()


async def typing(world: World) -> None:
    """Autocomplete of both commands."""
    await said(await world.save(" ".join([*world.spotify.catalogue.albums][:60])), "Saved")
    for command, text in (("save", "the"), ("save", "x" * 400), ("unsave", ""), ("unsave", "s")):
        typed = await world.discord.autocomplete(ADA, command, "albums", text)
        await typed.answered()
        assert typed.choices or len(text) > 100, f"/{command} offers nothing"


async def bad_days(world: World) -> None:
    """Tokens that ended, a slow Spotify and one that is down, told by edit; lost answers, told directly."""
    world.spotify.expire_access_tokens()  # Spotify says so
    await said(await world.save(FIRST), "library")
    await world.link(BEN, "ben", age=timedelta(hours=2))  # our clock says so
    await said(await world.save(FIRST, BEN), "library")
    world.spotify.fault(path="/v1/me/library", delay_s=2.0)
    slow = await world.unsave(FIRST)
    await said(slow, "Removed")
    for text in (FIRST, " ".join(MISSING)):
        world.spotify.fault(path="/v1/me/library*", times=None, **FAULTS["unavailable"])
        kept = await world.save(text)
        await said(kept, "queued")
        await said(await world.discord.slash(ADA, "account", {}), "queued")
        world.spotify.clear_faults()
        await said(kept, "Saved" if text == FIRST else "could not be found")
        await world.idle()
    world.spotify.fault(path="/v1/me/library*", times=None, **FAULTS["unavailable"])
    dropped = await world.unsave(FIRST)
    await said(dropped, "queued")
    await said(await world.discord.press(ADA, f"drop:{ADA}", dropped.history[-1]), "out of the queue")
    world.spotify.clear_faults()
    for number, closed in enumerate((set(), {ADA}), 1):
        world.discord.refuses_direct_messages = closed
        world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown"})
        await world.save(SECOND)
        async with asyncio.timeout(60):
            while [request.path for request in world.discord.requests].count("/users/@me/channels") < number:
                await asyncio.sleep(0.01)
        await world.idle()
    await said(await world.unsave(SECOND), "Finished since your last command")
    world.spotify.expire_access_tokens()
    world.spotify.fault(path="/api/token", **FAULTS["invalid_client"])
    await said(await world.save(SECOND), "")
    await world.discord.direct_message(world.discord.OWNER, 8)
    await said(await world.save(SECOND), "library")


async def doctor(world: World) -> None:
    """`gatefold doctor`, which asks both platforms."""
    async for _ in examine(lambda: world.settings, None):
        pass


async def leaving(world: World) -> None:
    """The commands about accounts, and the way out."""
    for command in ("help", "account", "link"):
        await (await world.discord.slash(ADA, command, {})).message()
    asked = await world.discord.slash(ADA, "unlink", {})
    await asked.message()
    await said(await press(world, asked, "Unlink"), "spotify.com/account/apps")


async def registering(world: World) -> None:
    """The commands move into a server for development, and back to everywhere."""
    everywhere = world.settings
    world.settings = attrs.evolve(everywhere, dev_guild_id=world.discord.GUILD)
    async with world.running():
        assert world.discord.commands[world.discord.GUILD]
        assert not world.discord.commands[None]
    world.settings = everywhere
    async with world.running():
        assert world.discord.commands[None]
        assert not world.discord.commands[world.discord.GUILD]


async def said(interaction: WireInteraction, words: str) -> None:
    """Wait until the answer holds these words."""
    seen = ""
    try:
        async with asyncio.timeout(60):
            while not interaction.history or words not in seen:
                await asyncio.sleep(0.01)
                seen = "\n".join(text for message in interaction.history[-1:] for text in texts(message))
    except TimeoutError:
        raise TimeoutError(f"{interaction.what[:60]} did not say {words!r}, but {seen[:300]!r}") from None


async def press(world: World, interaction: WireInteraction, label: str) -> WireInteraction:
    """Press the first button whose label begins so."""
    message = interaction.history[-1]
    ids = (b["custom_id"] for b in buttons(message) if "custom_id" in b and b.get("label", "").startswith(label))
    return await world.discord.press(ADA, next(ids), message)
