"""What a member learns of what is stored about them, and how it goes, on the wire."""

from __future__ import annotations

import asyncio
import json
import re

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.chat.own_data import LABELS
from bot.storage.stores import DECLARED
from tests.chat.test_crates import LINK, crate
from tests.discord_wire import DiscordWire, WireInteraction, flatten
from tests.test_story import press, said
from tests.world import ADA, BEN, FIRST, SECOND, World

GUILD = GuildId(DiscordWire.GUILD)


async def mydata(world: World, member: int = ADA) -> WireInteraction:
    interaction = await world.discord.slash(member, "mydata", {})
    await said(interaction)
    async with asyncio.timeout(60):
        while not any(request.files for request in world.discord.requests):
            await asyncio.sleep(0.01)
    return interaction


async def test_mydata_sends_every_row_that_concerns_the_member_and_no_secret(world: World) -> None:
    await world.link(ADA)
    await said(await world.save(FIRST))
    await world.idle()
    await said(await crate(world, "add", album=LINK, note="why not"))
    await said(await crate(world, "add", member=BEN, album=LINK))
    interaction = await mydata(world)
    assert re.search(
        r"What I store about you\W+- Your linked Spotify account: 1(\n- .+)+\n\n\S+ deletes all of it\.",
        await said(interaction),
    )
    (data,) = [content for request in world.discord.requests for content in request.files.values()]
    found = json.loads(data)
    assert found["links"][0]["account_name"] == "Ada"
    assert found["crate_entries"][0]["note"] == "why not"
    assert str(BEN) not in data.decode()
    for token in world.spotify.secrets:
        assert token not in data.decode()


async def test_where_nothing_is_stored_nothing_is_said_to_be_deletable(world: World) -> None:
    text = await said(await mydata(world))
    assert "Nothing." in text
    assert "deletes all of it" not in text


async def test_a_choice_is_changed_on_the_card_itself(world: World) -> None:
    interaction = await world.discord.slash(ADA, "mydata", {})
    await said(interaction)
    assert "call you “a member”" in await said(interaction)
    changed = await press(world, interaction, "Name me on public pages")
    assert "Public pages of clubs and crates call you Ada." in await said(changed)
    assert (await world.bot.storage.preferences.get(ADA)).is_named  # type: ignore[arg-type]


async def test_forget_asks_once_and_leaves_nothing_that_names_the_member(world: World) -> None:
    await world.link(ADA)
    await said(await world.save(FIRST))
    await world.idle()
    await said(await crate(world, "add", album=LINK, note="a note of mine"))
    question = await world.discord.slash(ADA, "forget", {})
    assert "cannot be undone" in await said(question)
    assert "Your linked Spotify account: 1" in await said(await press(world, question, "Forget me"))
    assert await world.bot.storage.export(ADA) == {}
    text = await said(await crate(world, "show", member=BEN))
    assert "1 album" in text
    assert str(ADA) not in text
    assert "a note of mine" not in text


async def test_unlinking_leaves_what_the_member_did_in_the_server(world: World) -> None:
    await world.link(ADA)
    await said(await crate(world, "add", album=LINK))
    question = await world.discord.slash(ADA, "unlink", {})
    await said(question)
    assert "Unlinked" in await said(await press(world, question, "Unlink"))
    assert [*await world.bot.storage.export(ADA)] == ["crate_entries"]


async def test_what_one_kept_is_shown_until_one_takes_it_back_all_of_it_or_some(world: World) -> None:
    crates = world.bot.storage.crates
    for album in (FIRST, SECOND):
        await crates.keep(GUILD, AlbumId(album), MemberId(ADA), world.now())
        await crates.keep(GUILD, AlbumId(album), MemberId(BEN), world.now())
    data = await world.discord.slash(ADA, "mydata", {})
    assert "Servers see which albums you kept." in await said(data)
    (select,) = [part for part in flatten(data.history[-1]["components"]) if part["type"] == 3]
    assert {option["value"] for option in select["options"]} == {FIRST, SECOND}
    await said(await world.discord.press(ADA, select["custom_id"], data.history[-1], values=[FIRST]))
    shown = await crates.kept_by(GUILD, [AlbumId(FIRST), AlbumId(SECOND)])
    assert shown == {FIRST: (BEN,), SECOND: (ADA, BEN)}
    assert "Servers see" not in await said(await press(world, data, "Stop showing them"))
    assert await crates.kept_by(GUILD, [AlbumId(SECOND)]) == {SECOND: (BEN,)}


async def test_a_menu_that_cannot_hold_all_that_one_kept_says_so(world: World) -> None:
    ids = sorted(world.spotify.catalogue.albums)[:27]
    for album in ids:
        await world.bot.storage.crates.keep(GUILD, AlbumId(album), MemberId(ADA), world.now())
    data = await world.discord.slash(ADA, "mydata", {})
    assert "The menu has the latest 25 of 27 albums." in await said(data)
    (select,) = [part for part in flatten(data.history[-1]["components"]) if part["type"] == 3]
    chosen = [option["value"] for option in select["options"]]
    assert len(chosen) == 25
    await said(await world.discord.press(ADA, select["custom_id"], data.history[-1], values=chosen))
    assert {*await world.bot.storage.crates.shown_by(MemberId(ADA))} == {*ids} - {*chosen}


def test_each_table_that_holds_something_about_a_member_has_a_name_for_them() -> None:
    held = [*(each.member_rows for each in DECLARED), *(each.documents for each in DECLARED)]
    assert {rows.table for several in held for rows in several} == set(LABELS)


async def test_a_new_name_is_taken_over_the_next_time_the_member_looks(world: World) -> None:
    await world.bot.storage.preferences.set_named(MemberId(ADA), "An older name")
    assert "call you Ada." in await said(await world.discord.slash(ADA, "mydata", {}))
    assert (await world.bot.storage.preferences.get(MemberId(ADA))).shown_name == "Ada"
