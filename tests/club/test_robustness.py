"""The schedule cannot slip: restarts at every step, downtimes, closed channels, and members who are not there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.curation.club import State
from tests.club.stage import CHANNEL, CURATOR, Server
from tests.discord_wire import texts
from tests.world import ADA, BEN, World, made

POST = f"/channels/{CHANNEL}/messages"


def written(server: Server) -> list[str]:
    """What stands in the channel, without what is the same in every round."""
    return ["\n".join(texts(message)) for message in server.posts]


async def to_listening(server: Server) -> None:
    """The first round up to its album."""
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.post()
    await server.vote(ADA, 0)
    await server.to_club_hour()
    await server.post()
    await server.post()
    await server.quiet()


@pytest.mark.parametrize("wait_s", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "unheard"])
async def test_a_restart_at_any_step_posts_everything_once_and_in_order(
    tmp_path: Path, wait_s: float, is_lost: bool
) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.nominate(0, ADA)
            await server.nominate(1, BEN)
            club = await server.state()
        for moment in (club.vote_at, club.club_hour_at, club.calendar.next_after(club.club_hour_at)):
            world.ahead += moment - timedelta(minutes=2) - world.now()
            async with world.running():
                await server.quiet()
                if is_lost:
                    # the next post arrives, and the bot never hears of it
                    world.discord.fault("POST", POST, status=0, applied=True)
                await server.skip_to(moment + timedelta(seconds=1))
                await asyncio.sleep(wait_s)
            # by then Discord has forgotten the nonce
            world.ahead += timedelta(minutes=5)
            async with world.running():
                await server.quiet()
        firsts = [(text.splitlines()[0], text.splitlines()[-2:]) for text in written(server)]
        assert [heading for heading, _ in firsts] == [
            *["### The Club, round 1"] * 3,
            "### The Club, round 2",
            "### The Club: what you thought of round 1",
            "### The Club, round 2",
            "### The Club, round 3",
        ], written(server)
        assert world.discord.problems == []


async def test_posts_that_are_late_say_so_and_a_vote_that_nobody_saw_is_held_anew(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.nominate(0, ADA)
            await server.nominate(1, BEN)
            await server.quiet()
            club = await server.state()
        world.ahead += club.club_hour_at + timedelta(days=15) - world.now()
        async with world.running():
            anew = "\n".join(texts(await server.post()))
            assert "so it is held now" in anew
            assert "This is late" in anew
            missed = await server.says()
            assert missed.count("<t:") == 2
            assert (await server.state()).coming.state is State.VOTING
            await server.vote(ADA, 1)
            await server.to_club_hour()
            assert "chosen by vote, with 1 ballot" in await server.says()


async def test_a_short_restart_long_before_the_end_holds_no_vote_anew(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.nominate(0, ADA)
            await server.nominate(1, BEN)
            await server.to_vote()
            await server.until(lambda: len(server.posts) == 2)
        async with world.running():
            server.seen = 2
            await server.vote(ADA, 0)
            await server.to_club_hour()
            assert "chosen by vote" in await server.says()


@pytest.mark.parametrize("code", [10003, 50001, 50013])
async def test_a_channel_that_takes_no_messages_is_told_once_and_gets_them_when_it_can(world: World, code: int) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    world.discord.closed_channels[CHANNEL] = code
    await server.to_vote()
    told = "\n".join(texts(await world.discord.direct_message(CURATOR, 8.0)))
    assert "I can't post in" in told
    await server.to_club_hour()
    for _ in range(3):
        world.ahead += timedelta(minutes=61)
        server.wake()
        await asyncio.sleep(0.1)
    assert len(world.discord.direct_messages[CURATOR]) == 1
    assert len(server.posts) == 1
    del world.discord.closed_channels[CHANNEL]
    world.ahead += timedelta(minutes=61)
    server.wake()
    # the vote is over by now, so it is not posted any more
    assert "album is announced" not in (announced := await server.says())
    assert "Listen and rate it" in announced
    assert "Nominations are open" in await server.says()


async def test_a_command_in_a_channel_that_is_open_again_brings_what_waited_at_once(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.closed_channels[CHANNEL] = 50013
    await server.to_club_hour()
    await world.discord.direct_message(CURATOR, 8.0)
    del world.discord.closed_channels[CHANNEL]
    await server.said("now")
    assert "skipped" in await server.says()


async def test_a_club_whose_channel_is_gone_moves_to_another_one(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.closed_channels[CHANNEL] = 10003
    await server.to_club_hour()
    await world.discord.direct_message(CURATOR, 8.0)
    other = CHANNEL + 1
    panel = await world.discord.slash(CURATOR, "curate settings", {}, channel_id=other)
    await panel.message(8.0)
    moved = await server.press(panel.history[-1], "Move the club here", CURATOR)
    said = await server.read(moved)
    assert "lives in this channel now" in said
    assert "I can't post" not in said
    await server.until(lambda: len(world.discord.channel_messages.get(other, [])) == 2)


async def test_a_thread_that_may_not_be_opened_is_told_and_holds_up_nothing(world: World) -> None:
    server = Server(world)
    refused = {"status": 403, "json": {"code": 50013, "message": "Missing Permissions"}}
    world.discord.fault("POST", "/channels/*/threads", **refused)
    await to_listening(server)
    assert "Create Public Threads" in "\n".join(texts(await world.discord.direct_message(CURATOR, 8.0)))
    await server.rate(BEN, "4")
    await server.to_club_hour()
    assert "4 of 5" in (await server.says()).replace("*", "")


async def test_a_thread_that_was_opened_unheard_is_opened_once(world: World) -> None:
    server = Server(world)
    world.discord.fault("POST", "/channels/*/threads", status=500, applied=True)
    await server.start()
    await server.nominate(0, ADA, note="First words")
    await server.to_club_hour()
    announced = await server.post()
    world.ahead += timedelta(minutes=2)
    server.wake()
    await server.until(lambda: bool(world.discord.channel_messages.get(int(announced["id"]))))
    await server.quiet()
    assert len(world.discord.threads) == 1
    assert len(world.discord.channel_messages[int(announced["id"])]) == 1
