"""What Discord tells of servers, channels, roles and threads that clubs live in, and what the bot does at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.caller import GuildId
from bot.storage.guilds import KEPT
from tests.club.stage import CHANNEL, CURATOR, Server
from tests.club.test_curators import changed
from tests.club.test_robustness import to_listening
from tests.discord_wire import DiscordWire, texts
from tests.world import ADA, BEN, World, made

GUILD = DiscordWire.GUILD
ROLE = 300_000_000_000_000_007


async def told(world: World, member: int = CURATOR) -> str:
    return "\n".join(texts(await world.discord.direct_message(member, 60.0)))


def direct(world: World, member: int = CURATOR) -> int:
    """How many direct messages a member has."""
    return len(world.discord.direct_messages.get(member, []))


async def settled(server: Server) -> None:
    """Some time for what the gateway just said; messages for a closed channel go on waiting."""
    await asyncio.sleep(0.3)
    await server.until(lambda: server.world.bot.delivery.is_idle, 60)


async def with_a_post_that_waits(server: Server, code: int = 50013) -> None:
    """A club whose channel was closed without a word, which was noticed at the club hour."""
    await server.start()
    server.world.discord.closed_channels[CHANNEL] = code
    await server.to_club_hour()
    assert "I can't post in" in await told(server.world)
    assert len(server.posts) == 1


async def test_a_channel_that_opens_again_gets_what_waited_at_once(world: World) -> None:
    server = Server(world)
    await with_a_post_that_waits(server)
    await world.discord.open_channel(CHANNEL)
    assert "skipped" in await server.says()
    assert "Nominations are open" in await server.says()
    await server.quiet()
    assert not (await server.stored()).is_blocked
    assert direct(world) == 1


@pytest.mark.parametrize("way", ["role changes", "bot gets a role"])
async def test_a_role_that_lets_the_bot_post_again_brings_what_waited_at_once(world: World, way: str) -> None:
    server = Server(world)
    await with_a_post_that_waits(server)
    del world.discord.closed_channels[CHANNEL]
    if way == "role changes":
        await world.discord.change_role(ROLE)
    else:
        await world.discord.give_bot_role(ROLE)
    assert "skipped" in await server.says()


async def test_a_change_that_does_not_help_is_not_told_again(world: World) -> None:
    server = Server(world)
    await with_a_post_that_waits(server)
    for _ in range(3):
        await world.discord.change_role(ROLE)
        await world.discord.close_channel(CHANNEL, 50013)
        await settled(server)
    assert direct(world) == 1
    assert (await server.stored()).is_blocked


@pytest.mark.parametrize("code", [10003, 50001], ids=["deleted", "hidden"])
async def test_a_channel_that_is_deleted_or_hidden_is_told_at_once_and_only_once(world: World, code: int) -> None:
    server = Server(world)
    await server.start()
    await world.discord.close_channel(CHANNEL, code)
    assert "I can't post in" in await told(world)
    await world.discord.close_channel(CHANNEL, code)
    await server.to_club_hour()
    await settled(server)
    assert direct(world) == 1


async def test_a_hidden_channel_that_is_shown_again_before_anything_was_due_is_told_when_it_is_hidden_again(
    world: World,
) -> None:
    server = Server(world)
    await server.start()
    for _ in range(2):
        await world.discord.close_channel(CHANNEL, 50001)
        assert "I can't post in" in await told(world)
        await world.discord.open_channel(CHANNEL)
        async with asyncio.timeout(60):
            while (await server.stored()).is_blocked:
                await asyncio.sleep(0.02)
        world.ahead += timedelta(minutes=1)


async def test_another_channel_of_the_server_changes_nothing(world: World) -> None:
    server = Server(world)
    await server.start()
    await world.discord.close_channel(CHANNEL + 5, 10003)
    await settled(server)
    assert direct(world) == 0
    assert not (await server.stored()).is_blocked


async def test_a_channel_that_was_deleted_while_the_bot_was_down_is_told_at_the_start(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.quiet()
        world.discord.closed_channels[CHANNEL] = 10003
        async with world.running():
            assert "I can't post in" in await told(world)
            await settled(server)
        async with world.running():
            await settled(server)
        assert direct(world) == 1


async def test_a_role_that_was_deleted_is_no_longer_mentioned_and_the_starter_is_told_once(world: World) -> None:
    server = Server(world)
    world.discord.roles.add(ROLE)
    await server.start()
    await changed(server, "posts", {"role": [str(ROLE)]})
    assert (await server.state()).settings.ping_role_id == ROLE
    await world.discord.delete_role(ROLE + 1)
    await world.discord.delete_role(ROLE)
    assert "was deleted, so nobody is mentioned now" in await told(world)
    assert (await server.state()).settings.ping_role_id is None
    await world.discord.delete_role(ROLE)
    await server.to_club_hour()
    await server.quiet()
    assert f"<@&{ROLE}>" not in "\n".join(texts(server.posts[-1]))
    assert direct(world) == 1


async def test_a_role_that_was_deleted_during_a_downtime_is_noticed_at_the_start(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        world.discord.roles.add(ROLE)
        async with world.running():
            await server.start()
            await changed(server, "posts", {"role": [str(ROLE)]})
            await server.quiet()
        async with world.running():
            await settled(server)
            assert (await server.state()).settings.ping_role_id == ROLE
        world.discord.roles.clear()
        async with world.running():
            assert "was deleted, so nobody is mentioned now" in await told(world)


async def test_a_thread_that_was_deleted_is_told_once_and_the_next_album_gets_a_new_one(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    (thread,) = world.discord.threads
    await world.discord.delete_thread(thread)
    assert "The thread about the current album" in await told(world)
    await server.nominate(2, ADA)
    await server.to_club_hour()
    await server.until(lambda: len(world.discord.threads) == 1, 60)
    await server.quiet()
    assert direct(world) == 1


async def test_a_thread_of_an_earlier_album_may_be_deleted(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    (thread,) = world.discord.threads
    await server.to_club_hour()
    await server.quiet()
    await world.discord.delete_thread(thread)
    await settled(server)
    assert direct(world) == 0


async def test_an_announcement_that_was_deleted_at_once_gets_no_thread_and_nobody_is_told_of_permissions(
    world: World,
) -> None:
    server = Server(world)
    gone = {"status": 404, "json": {"code": 10008, "message": "Unknown Message"}}
    world.discord.fault("POST", "/channels/*/threads", **gone)
    await to_listening(server)
    assert [texts(one) for one in world.discord.direct_messages.get(CURATOR, [])] == []


async def test_a_bot_that_is_removed_and_invited_again_within_30_days_goes_on(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await world.discord.remove_bot()
    assert "I was removed from the server of **The Club**" in await told(world)
    await server.to_club_hour()
    await settled(server)
    assert len(server.posts) == 1
    assert direct(world) == 1
    world.ahead += timedelta(days=2)
    await world.discord.invite_bot()
    assert "It was the only nomination" in await server.says()
    assert "Nominations are open" in await server.says()
    await server.nominate(1, BEN)
    assert await world.bot.storage.guilds.removed_at(GuildId(GUILD)) is None
    assert direct(world) == 1


async def test_an_outage_of_discord_is_not_taken_for_a_removal(world: World) -> None:
    server = Server(world)
    await server.start()
    await world.discord.tell(GUILD, "GUILD_DELETE", {"id": str(GUILD), "unavailable": True})
    await settled(server)
    assert direct(world) == 0
    assert await world.bot.storage.guilds.removed_at(GuildId(GUILD)) is None


async def test_a_bot_that_was_removed_while_it_was_down_says_so_and_after_30_days_the_club_is_gone(
    tmp_path: Path,
) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.quiet()
        world.discord.guilds.clear()
        world.discord.left.add(GUILD)
        async with world.running():
            assert "I was removed from the server" in await told(world)
        world.ahead += KEPT + timedelta(hours=1)
        async with world.running():
            async with asyncio.timeout(60):
                while await world.bot.clubs.of_guild(GuildId(GUILD)):
                    await asyncio.sleep(0.02)
            await world.discord.invite_bot()
            assert "This server has no album club yet" in await server.said("now")
            await settled(server)
            assert len(server.posts) == 1
        assert direct(world) == 1
        assert world.discord.problems == []


async def test_a_vote_in_a_channel_that_the_club_has_left_holds_up_nothing_when_that_channel_goes(world: World) -> None:
    server = Server(world)
    await server.start()
    for album, member in enumerate((ADA, BEN)):
        await server.nominate(album, member)
    await server.to_vote()
    await server.quiet()
    other = CHANNEL + 1
    panel = await world.discord.slash(CURATOR, "curate settings", {}, channel_id=other)
    await panel.message(60)
    moved = await server.press(panel.history[-1], "Move the club here", CURATOR)
    assert "lives in this channel now" in await server.read(moved)
    await world.discord.close_channel(CHANNEL, 10003)
    await server.vote(ADA, 0)
    await server.to_club_hour()
    await server.until(lambda: len(world.discord.channel_messages.get(other, [])) == 2, 60)
    await server.quiet()
    assert direct(world) == 0
    assert not (await server.stored()).is_blocked
