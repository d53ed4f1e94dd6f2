"""`/watch collect` on the wire: a channel's history is read once, in pages, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.caller import MemberId
from tests.chat.test_watching import LINK, OTHER, allow, entries, in_channel, reading, watch
from tests.discord_wire import Json, buttons, texts
from tests.test_story import said
from tests.world import ADA, BEN, CHLOE, FIRST, SECOND, World, made

__all__ = ["reading"]


async def collect(world: World, **options: object) -> str:
    """`/watch collect` for the channel; what the curator reads."""
    channel = str(world.discord.CHANNEL)
    return await said(await world.discord.slash(ADA, "watch collect", {"channel": channel, **options}))


async def told(world: World, words: str) -> Json:
    """The message in the channel, once it says this."""
    async with asyncio.timeout(60):
        while True:
            for message in in_channel(world):
                if words in "\n".join(texts(world.discord.messages[message["id"]])):
                    return message
            await asyncio.sleep(0.02)


def pages(world: World) -> int:
    """How many pages of history were asked for."""
    asked = [r for r in world.discord.requests if (r.method, r.path.rsplit("/", 1)[-1]) == ("GET", "messages")]
    return len([request for request in asked if request.query.get("limit") == "100"])


def album(number: int) -> str:
    """A link to one of many albums."""
    return f"https://open.spotify.com/album/{number:022d}"


async def test_what_was_posted_before_goes_into_the_crate_with_who_posted_it_first_and_when(reading: World) -> None:
    await reading.discord.post(BEN, LINK)
    await reading.discord.post(ADA, f"{LINK} {OTHER}")
    await reading.discord.post(9, album(1), is_bot=True)
    assert "I am reading" in await collect(reading)
    await told(reading, "I have read what was posted in this channel. 3 messages read. 2 new albums in")
    first = {entry.album_id: entry for entry in await entries(reading, 2)}
    assert first[FIRST].member_id == BEN  # type: ignore[index]
    assert first[SECOND].member_id == ADA  # type: ignore[index]
    assert len(in_channel(reading)) == 1


async def test_a_curator_stops_it_and_what_was_found_stays(reading: World) -> None:
    for number in range(1500):
        await reading.discord.post(BEN, album(number) if number % 100 == 0 else "hello")
    await collect(reading)
    progress = await told(reading, "I am reading what was posted")
    (stop,) = buttons(progress)
    refused = await said(await reading.discord.press(CHLOE, stop["custom_id"], progress))
    assert "Only a curator can stop this" in refused
    assert "What I have found so far stays" in await said(await reading.discord.press(ADA, stop["custom_id"], progress))
    stopped = await told(reading, "A curator stopped this before I had read everything.")
    assert buttons(reading.discord.messages[stopped["id"]]) == []
    before = pages(reading)
    reading.bot.schedule.wake()
    await reading.idle()
    assert pages(reading) <= before + 1
    assert "I am not reading" in await said(await reading.discord.press(ADA, stop["custom_id"], progress))
    assert "I am reading" in await collect(reading)
    await told(reading, "I have read what was posted in this channel.")


async def test_a_history_without_messages_or_albums_says_so(reading: World) -> None:
    await collect(reading, since=(reading.now() + timedelta(days=1)).date().isoformat())
    await told(reading, "There were no messages. No new albums in the crate “Crate”.")
    await reading.discord.post(BEN, "hello")
    await collect(reading)
    await told(reading, "messages read. No new albums in the crate “Crate”.")


async def test_a_history_of_many_pages_is_read_in_pages_of_100(reading: World) -> None:
    for number in range(230):
        await reading.discord.post(BEN, album(number) if number % 10 == 0 else "hello")
    await collect(reading)
    await told(reading, "230 messages read. 23 new albums in")
    assert pages(reading) == 3
    await entries(reading, 23)


async def test_after_a_restart_it_goes_on_where_it_was_and_posts_no_second_message(tmp_path: Path) -> None:
    async with made(tmp_path, message_content=True) as world:
        allow(world)
        async with world.running():
            for number in range(250):
                await world.discord.post(BEN, album(number))
            await collect(world)
            async with asyncio.timeout(60):
                while pages(world) < 1:
                    await asyncio.sleep(0.001)
        async with world.running():
            await told(world, "250 messages read. 250 new albums in")
            assert len(in_channel(world)) == 1
            await entries(world, 250)
            assert pages(world) <= 5  # only a page that was under way is read again


async def test_only_what_was_posted_since_a_date_is_read(reading: World) -> None:
    await reading.discord.post(BEN, LINK)
    reading.ahead = timedelta(days=30)
    await reading.discord.post(BEN, OTHER)
    since = (reading.now() - timedelta(days=7)).date().isoformat()
    assert "cannot read this date" in await collect(reading, since="a while ago")
    await collect(reading, since=since)
    await told(reading, "1 message read.")
    assert [entry.album_id for entry in await entries(reading, 1)] == [SECOND]


async def test_posts_of_members_who_do_not_want_it_are_left_out(reading: World) -> None:
    await reading.bot.storage.preferences.set_posts_collected(MemberId(BEN), False)
    await reading.discord.post(BEN, LINK)
    await reading.discord.post(ADA, OTHER)
    await collect(reading)
    await told(reading, "2 messages read. 1 new album in")
    assert [entry.member_id for entry in await entries(reading, 1)] == [ADA]


async def test_the_crate_of_a_watched_channel_is_the_one_that_is_filled(reading: World) -> None:
    await said(await reading.discord.slash(ADA, "curate crate new", {"name": "Winter"}))
    await reading.discord.post(BEN, LINK)
    await watch(reading, crate="Winter", reply="silent")
    await collect(reading)
    await entries(reading, 1, "Winter")


async def test_it_says_what_it_lacks_and_what_runs_already(reading: World) -> None:
    reading.discord.closed_channels = {77: 50001}
    assert "View Channel" in await collect(reading, channel="77")
    assert "Read Message History" in await collect(reading, channel="78")
    await reading.discord.post(BEN, LINK)
    reading.discord.fault("GET", "/channels/*/messages", status=502, times=20)
    await collect(reading)
    assert "already" in await collect(reading)
    status = await said(await reading.discord.slash(ADA, "watch status"))
    assert "I am reading the history" in status
