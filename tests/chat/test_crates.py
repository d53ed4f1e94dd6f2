"""Crates: what a server's members do with their shared list, on the wire, most of them without a Spotify account."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.sandbox.catalogue import synthetic
from tests.discord_wire import Json, WireInteraction, buttons, texts
from tests.test_story import press, said
from tests.world import ADA, BEN, FIRST, SECOND, World

GUILD = GuildId(700_000_000_000_000_001)
NOW = datetime.now(UTC)
LINK = f"https://open.spotify.com/album/{FIRST}"


async def crate(world: World, what: str, member: int = ADA, **options: object) -> WireInteraction:
    """`/crate ...` in a server."""
    return await world.discord.slash(member, f"crate {what}", options, guild_id=GUILD)


async def message(interaction: WireInteraction) -> Json:
    """The newest version of the answer."""
    await interaction.message(5.0)
    return interaction.history[-1]


async def test_an_unlinked_member_adds_an_album_and_everybody_finds_it_with_who_and_why(world: World) -> None:
    assert "Added to the crate" in await said(
        await crate(world, "add", album=LINK, note="for **rainy** days @everyone")
    )
    shown = await crate(world, "show", member=BEN)
    text = await said(shown)
    album = world.spotify.catalogue.album(FIRST)
    assert album is not None
    assert album.title in text
    assert f"<@{ADA}>" in text
    assert "rainy" in text
    assert "@everyone" not in text
    assert (await message(shown))["flags"] & 64
    assert "on Spotify" in texts(await message(shown))[-1]


async def test_a_second_member_is_told_who_brought_the_album_first(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    again = await said(await crate(world, "add", member=BEN, album=LINK))
    assert f"<@{ADA}> brought this album" in again
    assert "1 album" in await said(await crate(world, "show"))


async def test_only_who_added_an_album_or_may_manage_messages_removes_it(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    assert "Somebody else added" in await said(await crate(world, "remove", member=BEN, album=LINK))
    assert "1 album" in await said(await crate(world, "show"))
    assert "Removed" in await said(await crate(world, "remove", album=LINK))
    assert "is empty" in await said(await crate(world, "show"))


async def test_a_crate_is_shown_to_everybody_only_if_asked_for(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    shown = await crate(world, "show", public=True)
    assert not (await message(shown))["flags"] & 64
    assert [b["label"] for b in buttons(await message(shown))] == []


async def test_pages_are_turned_by_buttons_and_hold_ten_albums(world: World) -> None:
    for album in synthetic(12):
        world.spotify.catalogue.add([album])
        await world.bot.storage.crates.add(GUILD, None, AlbumId(album.id), MemberId(ADA), "", NOW)
    shown = await crate(world, "show")
    assert (await said(shown)).count("\n- ") == 10
    assert "Page 1 of 2" in await said(shown)
    turned = await said(await press(world, shown, "Older"))
    assert turned.count("\n- ") == 2
    assert "Page 2 of 2" in turned


async def test_save_all_asks_once_with_the_number_that_is_missing_and_saves_that(world: World) -> None:
    await world.link(ADA)
    for id_ in (FIRST, SECOND):
        await said(await crate(world, "add", album=id_))
    world.spotify.accounts["ada"].saved[FIRST] = NOW
    shown = await crate(world, "show")
    await said(shown)
    question = await press(world, shown, "Save all")
    assert "Save 1 album to your library?" in await said(question)
    assert "Saved" in await said(await press(world, question, "Save 1"))
    assert set(world.saved()) == {FIRST, SECOND}


async def test_save_all_keeps_discord_waiting_while_it_looks_what_is_missing(world: World) -> None:
    await world.link(ADA)
    await said(await crate(world, "add", album=LINK))
    shown = await crate(world, "show")
    await said(shown)
    question = await press(world, shown, "Save all")
    await said(question)
    world.spotify.delay_s = 3.5
    answer = await press(world, question, "Save 1")
    assert "Saved" in "\n".join(texts(await answer.message(60)))
    assert answer.callback is not None
    assert answer.callback["type"] in (5, 6)
    assert world.saved() == [FIRST]


async def test_an_unlinked_member_who_wants_to_save_all_is_asked_to_link(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    shown = await crate(world, "show", member=BEN)
    await said(shown)
    assert "links yours in a minute" in await said(await press(world, shown, "Save all", member=BEN))


async def test_a_draw_takes_what_was_never_picked_and_says_how_many_were_in_it(world: World) -> None:
    for id_ in (FIRST, SECOND):
        await said(await crate(world, "add", album=id_))
    first = await crate(world, "pick")
    assert "2 albums in the draw" in await said(first)
    assert not (await message(first))["flags"] & 64
    second = await crate(world, "pick")
    assert "1 album in the draw" in await said(second)
    assert texts(await message(first))[0] != texts(await message(second))[0]


async def test_two_who_draw_at_the_same_time_do_not_draw_the_same_album(world: World) -> None:
    for id_ in (FIRST, SECOND):
        await said(await crate(world, "add", album=id_))
    draws = await asyncio.gather(crate(world, "pick"), crate(world, "pick", member=BEN))
    titles = [texts(await message(draw))[0] for draw in draws]
    assert titles[0] != titles[1]


async def test_what_a_member_shows_that_they_kept_is_named_under_the_album(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    shared = await message(await crate(world, "pick"))
    assert "sees that you kept" in await said(await world.discord.press(BEN, f"keep:{FIRST}", shared, guild_id=GUILD))
    assert f"kept by <@{BEN}>" in await said(await crate(world, "show"))


async def test_an_empty_crate_is_said_to_be_empty_and_not_exported(world: World) -> None:
    assert "**Crate** is empty." in await said(await crate(world, "export", format="csv"))


@pytest.mark.parametrize("format_", ["csv", "json"])
async def test_an_export_is_a_private_file_that_names_nobody(world: World, format_: str) -> None:
    await said(await crate(world, "add", album=LINK, note="=HYPERLINK"))
    sent = await message(await crate(world, "export", format=format_))
    assert sent["flags"] & 64
    ((name, data),) = next(request.files for request in world.discord.requests if request.files).items()
    assert name == f"crate.{format_}"
    assert FIRST in data.decode()
    assert str(ADA) not in data.decode()
    if format_ == "json":
        assert len(json.loads(data)["albums"]) == 1


@pytest.mark.parametrize(
    ("what", "options", "told"),
    [
        ("pick", {}, "is empty."),
        ("pick", {"crate": "Nowhere"}, "no crate called “Nowhere”"),
        ("show", {"crate": "Nowhere", "public": True}, "no crate called “Nowhere”"),
    ],
)
async def test_what_a_public_command_cannot_show_is_told_to_the_member_alone(
    world: World, what: str, options: dict[str, object], told: str
) -> None:
    answer = await crate(world, what, **options)
    assert told in await said(answer)
    assert (await message(answer))["flags"] & 64


async def test_a_crate_is_not_called_empty_because_one_member_added_nothing(world: World) -> None:
    await said(await crate(world, "add", album=LINK))
    text = await said(await crate(world, "show", by=str(BEN)))
    assert f"<@{BEN}> has not added anything" in text
    assert "empty" not in text


async def test_what_a_member_may_remove_is_suggested_and_nothing_else(world: World) -> None:
    titles = {album.id: album.title for album in world.spotify.catalogue.albums.values()}
    await said(await crate(world, "add", album=LINK))
    await said(await crate(world, "add", member=BEN, album=f"spotify:album:{SECOND}"))

    async def suggested(typed: str) -> list[str]:
        asked = await world.discord.autocomplete(ADA, "crate remove", "album", typed, guild_id=GUILD)
        await asked.answered()
        return [choice["value"] for choice in asked.choices]

    assert await suggested("") == [f"spotify:album:{FIRST}"]
    assert await suggested(titles[AlbumId(FIRST)][:4]) == [f"spotify:album:{FIRST}"]
    assert await suggested("no such words") == []


async def test_words_that_several_albums_match_mean_the_one_that_is_in_the_crate(world: World) -> None:
    title = "Slow Harbour"
    twins = [album.id for album in world.spotify.catalogue.albums.values() if album.title == title]
    assert len(twins) > 1
    await said(await crate(world, "add", album=f"spotify:album:{twins[1]}"))
    assert "Removed from the crate." in await said(await crate(world, "remove", album=title))


async def test_two_editions_in_a_crate_do_not_read_the_same(world: World) -> None:
    twins = [album.id for album in world.spotify.catalogue.albums.values() if album.title == "Slow Harbour"]
    for id_ in (*twins[:2], SECOND):
        await said(await crate(world, "add", album=f"spotify:album:{id_}"))
    lines = [line for line in (await said(await crate(world, "show"))).splitlines() if line.startswith("- ")]
    shown = [line.partition(">)")[2] for line in lines if "Slow Harbour" in line]
    assert len({*shown}) == 2, shown
    assert all("2011" in text for text in shown)
    assert lines[0].endswith("Junia Marrowby")
