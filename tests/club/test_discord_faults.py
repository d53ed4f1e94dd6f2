"""Discord in trouble at every kind of request that a club makes: everything is posted once, in order, later."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.club.stage import CHANNEL, CURATOR, Server
from tests.club.test_curators import changed
from tests.discord_wire import texts
from tests.world import ADA, BEN, CHLOE, World

DAY = timedelta(days=1)
REQUESTS = (
    ("POST", f"/channels/{CHANNEL}/messages"),
    ("PATCH", f"/channels/{CHANNEL}/messages/*"),
    ("POST", "/channels/*/threads"),
    ("POST", "/users/@me/channels"),
    ("GET", "/guilds/*/scheduled-events"),
    ("PATCH", "/guilds/*/scheduled-events/*"),
)
FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "503 after it was carried out": {"status": 503, "applied": True},
    "cut": {"status": 0},
    "cut after it was carried out": {"status": 0, "applied": True},
    "429 for a moment": {"status": 429, "json": {"message": "slow", "retry_after": 0.3, "global": False}},
    # longer than discord.py waits: its own business is to give up, ours to come back when Discord says
    "429 for 2 minutes": {
        "status": 429,
        "json": {"message": "slow", "retry_after": 120.0, "global": False},
        "headers": {"Retry-After": "120"},
    },
    "429 without a body that can be read": {"status": 429, "json": "<html>", "headers": {"Via": ""}},
}


async def done(server: Server) -> None:
    """Until nothing is due and no message waits; the clock is moved on to their next tries."""
    query = (
        "SELECT (SELECT COUNT(*) FROM timers WHERE kind LIKE 'club %' AND kind <> 'club heartbeat' AND due_at <= ?)"
        " + (SELECT COUNT(*) FROM outbox WHERE state IN ('stored', 'sending'))"
    )
    world, bot = server.world, server.world.bot
    async with asyncio.timeout(120):
        while True:
            now = int(world.now().timestamp()) + 1  # timers are set for full seconds
            waiting = await bot.storage.database.read(lambda c, now=now: c.execute(query, (now,)).fetchone()[0])
            if not waiting and bot.delivery.is_idle:
                return
            if bot.delivery.is_idle:
                world.ahead += timedelta(seconds=3)
            server.wake()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", FAULTS)
async def test_each_request_of_a_round_that_fails_once_is_made_good(world: World, name: str) -> None:
    server, discord = Server(world), world.discord
    await server.start()
    await changed(server, "posts", {"event": ["yes"]})
    await server.said("remind", CHLOE, reminders="on")
    await server.nominate(0, ADA, note="Side two.")
    await server.nominate(1, BEN)
    await server.quiet()
    club = await server.state()
    hour = club.club_hour_at
    for moment in (club.vote_at - DAY, club.vote_at, hour - DAY, hour):
        discord._faults.clear()
        for method, path in REQUESTS:
            discord.fault(method, path, **FAULTS[name])
        await server.skip_to(moment + timedelta(seconds=2))
        await done(server)
        if moment == club.vote_at:
            assert "Only you can see it" in await server.vote(ADA, 0)
    posts = ["\n".join(texts(post)) for post in server.posts]
    says = ("Nominations are open", "Voting is over", "Nominated by", "Nominations are open")
    assert [post for post, words in zip(posts, says, strict=True) if words not in post] == [], posts
    assert "with 1 ballot" in posts[2]
    announced = server.posts[2]["id"]
    assert [*discord.threads] == [announced]
    assert [texts(note)[0] for note in discord.channel_messages[int(announced)]] == ["> Side two."]
    reminders = ["\n".join(texts(message)) for message in discord.direct_messages[CHLOE]]
    assert ["opens" in reminders[0], "ends" in reminders[1], len(reminders)] == [True, True, 2], reminders
    assert CURATOR not in discord.direct_messages
    (event,) = discord.scheduled_events.values()
    assert datetime.fromisoformat(event["scheduled_start_time"]) == (await server.state()).club_hour_at
    assert discord.problems == []
