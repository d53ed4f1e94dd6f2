"""Watched channels, on the wire: what is answered and collected, and what is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import StartError, run
from bot.caller import GuildId, MemberId
from bot.storage.crates import Entry
from bot.storage.watches import Answers
from tests.discord_wire import Json, buttons, texts
from tests.test_story import said
from tests.world import ADA, BEN, FIRST, SECOND, World, made

MESSAGE_CONTENT_ON = 1 << 19
GUILD_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 15
VIEW, SEND, HISTORY, SEND_IN_THREADS = 1 << 10, 1 << 11, 1 << 16, 1 << 38
LINK = f"https://open.spotify.com/album/{FIRST}"
OTHER = f"https://open.spotify.com/album/{SECOND}"


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[World]:
    """A bot whose host lets it read messages."""
    async with made(tmp_path, message_content=True) as world:
        allow(world)
        async with world.running():
            yield world
            assert world.discord.problems == []
            assert world.discord.unknown == []


def allow(world: World) -> None:
    """The portal's switch is on, and the bot has the permissions that it names."""
    world.discord.flags = MESSAGE_CONTENT_ON
    world.discord.app_permissions = str(VIEW | SEND | HISTORY)


async def watch(world: World, **options: object) -> str:
    """`/watch on` for the channel; what the curator reads."""
    channel = str(world.discord.CHANNEL)
    return await said(await world.discord.slash(ADA, "watch on", {"channel": channel, **options}))


def in_channel(world: World, channel_id: int = 0) -> list[Json]:
    """What the bot posted in the channel."""
    return world.discord.channel_messages.get(channel_id or world.discord.CHANNEL, [])


async def entries(world: World, count: int, name: str | None = None) -> list[Entry]:
    """What is in a crate, once there are this many albums."""
    guild = GuildId(world.discord.GUILD)
    async with asyncio.timeout(60):
        while True:
            crate = await world.bot.storage.crates.find(guild, name, world.now())
            assert crate is not None
            found = await world.bot.storage.crates.entries(crate)
            if len(found) == count:
                return found
            await asyncio.sleep(0.01)


async def settled(world: World) -> None:
    """Until everything that was posted so far is dealt with: events are served in their order."""
    await asyncio.sleep(0.2)
    await world.idle()


async def test_without_the_setting_the_command_says_what_the_host_has_to_do_and_no_message_is_asked_for(
    world: World,
) -> None:
    assert "MESSAGE_CONTENT=on" in await watch(world)
    assert "MESSAGE_CONTENT=on" in await said(await world.discord.slash(ADA, "watch status"))
    channel = str(world.discord.CHANNEL)
    assert "MESSAGE_CONTENT=on" in await said(await world.discord.slash(ADA, "watch collect", {"channel": channel}))
    assert in_channel(world) == []
    assert world.discord.identifies[-1]["intents"] & (GUILD_MESSAGES | MESSAGE_CONTENT) == 0


async def test_without_the_switch_in_the_portal_the_start_fails_with_what_to_do(tmp_path: Path) -> None:
    async with made(tmp_path, message_content=True) as world:
        with pytest.raises(StartError, match="Turn on Message Content Intent"):
            await asyncio.wait_for(run(world.settings), 10)


async def test_curators_alone_see_the_command(reading: World) -> None:
    (spec,) = [spec for specs in reading.discord.commands.values() for spec in specs if spec["name"] == "watch"]
    assert int(spec["default_member_permissions"]) == 1 << 5  # Manage Server


async def test_a_posted_link_is_answered_with_a_card_and_goes_into_the_crate_with_who_posted_it(reading: World) -> None:
    assert "I am watching" in await watch(reading)
    (privacy,) = in_channel(reading)
    assert "I look for links to albums" in texts(privacy)[0]
    assert "/privacy" in texts(privacy)[0]
    post = await reading.discord.post(BEN, f"listen to {LINK}?si=x today")
    (entry,) = await entries(reading, 1)
    assert (entry.album_id, entry.member_id) == (FIRST, BEN)
    await reading.idle()
    _, card = in_channel(reading)
    assert card["message_reference"]["message_id"] == post["id"]
    assert f"Shared by <@{BEN}>" in "\n".join(texts(card))
    assert [button["label"] for button in buttons(card)] == ["Save", "Add to crate", "Open in Spotify"]


async def test_whoever_uses_save_on_a_one_line_answer_changes_their_own_library(reading: World) -> None:
    await reading.link(ADA)
    await watch(reading, reply="button")
    await reading.discord.post(BEN, f"{LINK} and [that]({OTHER})")
    await entries(reading, 2)
    await reading.idle()
    _, answer = in_channel(reading)
    assert [button["label"] for button in buttons(answer)] == ["Save", "Save"]
    assert len(texts(answer)) == 2
    pressed = await reading.discord.press(ADA, buttons(answer)[1]["custom_id"], answer)
    assert "Saved to your library" in await said(pressed)
    assert reading.saved() == [SECOND]


@pytest.mark.parametrize("reply", ["card", "button"])
async def test_a_post_of_more_albums_than_are_answered_is_collected_whole_and_says_so(
    reading: World, reply: str
) -> None:
    await watch(reading, reply=reply)
    ids = sorted(reading.spotify.catalogue.albums)[:37]
    await reading.discord.post(BEN, "\n".join(f"https://open.spotify.com/album/{id_}" for id_ in ids))
    await entries(reading, 37)
    await reading.idle()
    _, *answers = in_channel(reading)
    assert "32 more albums of this post are in the crate." in "\n".join(texts(answers[-1]))
    assert len(answers) == (5 if reply == "card" else 1)


async def test_the_status_of_hundreds_of_channels_takes_several_messages(reading: World) -> None:
    watches, guild = reading.bot.storage.watches, GuildId(reading.discord.GUILD)
    for place in range(60):
        await watches.turn_on(guild, 10**17 + place, None, Answers.CARD, "en-US", reading.now())
    status = await reading.discord.slash(ADA, "watch status")
    first = await said(status)
    read = "\n".join([first, *("\n".join(texts(one)) for one in [await status.followup()])])
    assert [place for place in range(60) if f"<#{10**17 + place}>" in read] == [*range(60)]


@pytest.mark.parametrize("reply", ["card", "button"])
async def test_whose_post_was_answered_can_remove_the_answer_and_others_cannot(reading: World, reply: str) -> None:
    await watch(reading, reply=reply)
    await reading.discord.post(BEN, LINK)
    await entries(reading, 1)
    await reading.idle()
    answer = in_channel(reading)[1]
    refused = await reading.discord.message_command(ADA, "Remove card", answer)
    assert "Only the member who shared this card" in await said(refused)
    assert len(in_channel(reading)) == 2
    await reading.discord.message_command(BEN, "Remove card", answer)
    async with asyncio.timeout(60):
        while len(in_channel(reading)) > 1:
            await asyncio.sleep(0.01)


async def test_a_silent_channel_is_collected_into_the_crate_that_was_named(reading: World) -> None:
    await said(await reading.discord.slash(ADA, "curate crate new", {"name": "Winter"}))
    await watch(reading, reply="silent", crate="winter")
    await reading.discord.post(BEN, LINK)
    await entries(reading, 1, "Winter")
    await settled(reading)
    assert len(in_channel(reading)) == 1
    await said(await reading.discord.slash(ADA, "curate crate rename", {"crate": "Winter", "name": "Snow"}))
    assert "“Snow”" in await said(await reading.discord.slash(ADA, "watch status"))


async def test_the_same_album_within_a_day_is_not_answered_twice(reading: World) -> None:
    await watch(reading)
    await reading.discord.post(BEN, LINK)
    await entries(reading, 1)
    await reading.discord.post(ADA, LINK)
    await settled(reading)
    assert len(in_channel(reading)) == 2
    reading.ahead = timedelta(hours=25)
    await reading.discord.post(ADA, LINK)
    await settled(reading)
    assert len(in_channel(reading)) == 3
    reading.ahead = timedelta(hours=20)  # the clock was wrong
    await reading.discord.post(ADA, LINK)
    await settled(reading)
    assert len(in_channel(reading)) == 4


async def test_bots_our_own_cards_and_other_channels_are_ignored(reading: World) -> None:
    await watch(reading)
    await reading.discord.post(9, LINK, is_bot=True)
    await reading.discord.post(BEN, LINK, channel_id=77)
    await reading.discord.post(BEN, OTHER)
    assert [entry.album_id for entry in await entries(reading, 1)] == [SECOND]
    await reading.idle()
    await reading.discord.announce(in_channel(reading)[1])
    await settled(reading)
    assert len(in_channel(reading)) == 2


async def test_a_member_who_does_not_want_it_is_neither_collected_nor_answered(reading: World) -> None:
    await watch(reading)
    await reading.bot.storage.preferences.set_posts_collected(MemberId(BEN), False)
    await reading.discord.post(BEN, LINK)
    await reading.discord.post(ADA, OTHER)
    assert [entry.member_id for entry in await entries(reading, 1)] == [ADA]
    await settled(reading)
    assert len(in_channel(reading)) == 2


async def test_a_post_that_is_deleted_within_an_hour_takes_its_albums_back_and_later_does_not(reading: World) -> None:
    await watch(reading, reply="silent")
    soon = await reading.discord.post(BEN, LINK)
    late = await reading.discord.post(BEN, OTHER)
    await entries(reading, 2)
    await reading.discord.delete(soon)
    assert [entry.album_id for entry in await entries(reading, 1)] == [SECOND]
    reading.ahead = timedelta(minutes=61)
    await reading.discord.delete(late)
    await settled(reading)
    await entries(reading, 1)


async def test_a_post_that_is_deleted_while_it_is_being_read_leaves_nothing(reading: World) -> None:
    await watch(reading)
    post = await reading.discord.post(BEN, LINK)
    await reading.discord.delete(post)
    await settled(reading)
    await entries(reading, 0)
    assert len(in_channel(reading)) == 1


async def test_posts_that_are_deleted_at_once_take_their_albums_back(reading: World) -> None:
    await watch(reading, reply="silent")
    posts = [await reading.discord.post(BEN, link) for link in (LINK, OTHER)]
    await entries(reading, 2)
    await reading.discord.delete(*posts)
    await entries(reading, 0)


async def test_an_edit_takes_back_what_is_gone_and_answers_what_is_new(reading: World) -> None:
    await watch(reading)
    post = await reading.discord.post(BEN, LINK)
    await entries(reading, 1)
    await reading.idle()
    await reading.discord.edit(post)
    await reading.discord.edit(post, f"no, this one: {OTHER}")
    async with asyncio.timeout(60):
        while [entry.album_id for entry in await entries(reading, 1)] != [SECOND]:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        while len(in_channel(reading)) < 3:
            await asyncio.sleep(0.01)
    _, first, second = in_channel(reading)
    assert FIRST in str(first)
    assert SECOND in str(second)
    assert FIRST not in str(second)
    await reading.discord.edit(post, f"both: {LINK} {OTHER}")
    async with asyncio.timeout(60):
        while len(in_channel(reading)) < 4:
            await asyncio.sleep(0.01)


async def test_an_edit_after_an_hour_or_without_the_link_in_time_changes_only_what_it_may(reading: World) -> None:
    await watch(reading, reply="silent")
    post = await reading.discord.post(BEN, LINK)
    await reading.discord.edit(post, "never mind")
    await settled(reading)
    await entries(reading, 0)
    late = await reading.discord.post(BEN, OTHER)
    await entries(reading, 1)
    reading.ahead = timedelta(minutes=61)
    await reading.discord.edit(late, LINK)
    await settled(reading)
    assert [entry.album_id for entry in await entries(reading, 1)] == [SECOND]


def thread_in(world: World, channel_id: int = 0, number: int = 7) -> int:
    """A public thread that a member opened in a channel."""
    thread = world.discord.CHANNEL + number
    world.discord.member_threads[thread] = channel_id or world.discord.CHANNEL
    return thread


async def test_a_thread_can_be_watched_without_its_channel(reading: World) -> None:
    specs = {spec["name"]: spec for found in reading.discord.commands.values() for spec in found}
    on = next(option for option in specs["watch"]["options"] if option["name"] == "on")
    assert {0, 11} <= set(on["options"][0]["channel_types"])
    thread = thread_in(reading)
    answer = await watch(reading, channel=str(thread))
    assert "I am watching" in answer
    assert "its threads" not in answer
    assert "From now on, I watch this thread." in texts(in_channel(reading, thread)[0])[0]
    await reading.discord.post(BEN, LINK)
    await reading.discord.post(BEN, OTHER, channel_id=thread)
    (entry,) = await entries(reading, 1)
    assert entry.album_id == OTHER.rpartition("/")[2]
    await settled(reading)
    assert buttons(in_channel(reading, thread)[-1])


async def test_a_channel_is_watched_with_its_threads_and_other_threads_are_not(reading: World) -> None:
    assert "I am watching its threads, too." in await watch(reading)
    assert "this channel and its threads" in texts(in_channel(reading)[0])[0]
    elsewhere = thread_in(reading, reading.discord.CHANNEL + 1, 8)
    await reading.discord.post(BEN, OTHER, channel_id=elsewhere)
    await settled(reading)
    await entries(reading, 0)
    thread = thread_in(reading)
    post = await reading.discord.post(BEN, LINK, channel_id=thread)
    await entries(reading, 1)
    await settled(reading)
    (answer,) = in_channel(reading, thread)
    assert answer["message_reference"]["message_id"] == post["id"]
    assert len(in_channel(reading)) == 1

    await reading.discord.edit(post, f"{LINK} {OTHER}")
    await entries(reading, 2)
    await reading.discord.delete(post)
    await entries(reading, 0)
    await reading.discord.post(BEN, OTHER, channel_id=thread)
    await entries(reading, 1)
    asked = [one for one in reading.discord.requests if one.path == f"/channels/{thread}"]
    assert len(asked) == 1


async def test_an_album_is_answered_in_a_thread_although_it_was_answered_in_the_channel(reading: World) -> None:
    await watch(reading)
    thread = thread_in(reading)
    await reading.discord.post(BEN, LINK)
    await settled(reading)
    await reading.discord.post(BEN, LINK, channel_id=thread)
    await settled(reading)
    assert (len(in_channel(reading)), len(in_channel(reading, thread))) == (2, 1)


async def test_a_thread_of_which_discord_does_not_say_the_channel_is_asked_about_again(reading: World) -> None:
    await watch(reading)
    thread = thread_in(reading)
    reading.discord.fault("GET", f"/channels/{thread}", status=400)
    await reading.discord.post(BEN, LINK, channel_id=thread)
    await settled(reading)
    await entries(reading, 0)
    await reading.discord.post(BEN, LINK, channel_id=thread)
    await entries(reading, 1)


async def test_a_thread_of_a_watched_channel_is_not_said_to_be_unwatched(reading: World) -> None:
    await watch(reading)
    thread = thread_in(reading)
    where = {"channel_id": thread, "thread_of": reading.discord.CHANNEL}
    answer = await said(await reading.discord.slash(ADA, "watch off", **where))
    assert f"I am watching <#{thread}> because I am watching <#{reading.discord.CHANNEL}> with its threads." in answer
    answer = await said(await reading.discord.slash(ADA, "watch off", {"channel": str(thread)}))
    assert "because I am watching" in answer


async def test_a_channel_that_is_no_longer_watched_is_left_alone(reading: World) -> None:
    await watch(reading)
    assert "I have stopped watching" in await said(await reading.discord.slash(ADA, "watch off"))
    await reading.discord.post(BEN, LINK)
    await settled(reading)
    await entries(reading, 0)
    assert "No channel is watched" in await said(await reading.discord.slash(ADA, "watch status"))
    assert "I am not watching" in await said(await reading.discord.slash(ADA, "watch off"))


async def test_what_was_watched_before_a_restart_is_watched_after_it(tmp_path: Path) -> None:
    async with made(tmp_path, message_content=True) as world:
        allow(world)
        async with world.running():
            await watch(world)
        async with world.running():
            await world.discord.post(BEN, LINK)
            await entries(world, 1)
            await world.idle()
            assert len(in_channel(world)) == 2


async def test_missing_permissions_are_named_and_nothing_is_watched(reading: World) -> None:
    reading.discord.app_permissions = str(VIEW | SEND)
    assert "Read Message History" in await watch(reading)
    reading.discord.closed_channels = {77: 50001, 78: 50013}
    reading.discord.without_history = {79}
    for channel, name in (("77", "View Channel"), ("78", "Send Messages"), ("79", "Read Message History")):
        assert name in await watch(reading, channel=channel)
    assert in_channel(reading, 79) == []
    thread = thread_in(reading)
    reading.discord.closed_channels[thread] = 50013
    assert "Send Messages in Threads" in await watch(reading, channel=str(thread))
    assert "No channel is watched" in await said(await reading.discord.slash(ADA, "watch status"))


async def test_in_a_thread_the_permission_to_send_in_threads_counts_and_not_that_to_send(reading: World) -> None:
    thread = thread_in(reading)

    async def watch_thread() -> str:
        return await said(await reading.discord.slash(ADA, "watch on", {"channel": str(thread)}, channel_id=thread))

    reading.discord.app_permissions = str(VIEW | SEND | HISTORY)
    assert "Send Messages in Threads" in await watch_thread()
    reading.discord.app_permissions = str(VIEW | SEND_IN_THREADS | HISTORY)
    assert "I am watching" in await watch_thread()


async def test_a_crate_that_is_not_there_is_named(reading: World) -> None:
    assert "no crate called “Sommer”" in await watch(reading, crate="Sommer")
    assert in_channel(reading) == []


async def test_a_post_with_no_album_of_spotifys_is_ignored(reading: World) -> None:
    await watch(reading)
    await reading.discord.post(BEN, "https://open.spotify.com/album/0000000000000000000000")
    await reading.discord.post(BEN, "abcdefghijklmnopqrstuv")  # as long as an id, and a word
    await reading.discord.post(BEN, LINK)
    assert [entry.album_id for entry in await entries(reading, 1)] == [FIRST]
    await settled(reading)
    assert [entry.album_id for entry in await entries(reading, 1)] == [FIRST]
    assert len(in_channel(reading)) == 2
