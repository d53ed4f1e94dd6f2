"""200 clubs that are due in the same minute."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from bot.caller import GuildId, MemberId
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import ClubSettings
from bot.storage.clubs import StoredClub
from tests.club.stage import Server
from tests.discord_wire import DiscordWire
from tests.world import ADA, World

CLUBS = 200


async def test_200_clubs_that_are_due_at_once_post_within_2_minutes_and_within_discords_limit(world: World) -> None:
    server = Server(world)
    for place in range(CLUBS):
        calendar = Calendar.starting(
            1, server.world.now().time().replace(hour=20, minute=0), "UTC", Rhythm.WEEKLY, world.now()
        )
        await world.bot.clubs.start(
            lambda club, place=place: StoredClub(
                club.id, GuildId(DiscordWire.GUILD), 10_000 + place, f"Club {place}", MemberId(ADA), None, False, club
            ),
            ClubSettings(),
            calendar,
        )
    await server.until(lambda: posts(world) == CLUBS, 60)
    first = len(world.discord.requests)
    hour = (await server.state()).club_hour_at
    began = time.monotonic()
    await server.skip_to(hour + timedelta(seconds=1))
    await server.until(lambda: posts(world) == 3 * CLUBS, 120)
    assert time.monotonic() - began < 120
    per_second = Counter(int(request.at) for request in world.discord.requests[first:])
    assert max(per_second.values()) <= 50
    channels = world.discord.channel_messages
    assert {len(channels[10_000 + place]) for place in range(CLUBS)} == {3}


def posts(world: World) -> int:
    return sum(map(len, world.discord.channel_messages.values()))
