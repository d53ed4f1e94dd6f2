"""200 clubs whose club hour is the same second: each announces an album, opens a thread and calls for nominations."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from bench.figures import Line
from bench.outside import MEMBER, Outside, outside
from bench.scale import Scale
from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs import AlbumClubs
from bot.curation.calendar import Calendar
from bot.curation.club import ClubSettings, Nomination
from bot.storage.clubs import StoredClub
from tests.discord_wire import DiscordWire

AHEAD_S, AHEAD_EACH_S = 10.0, 0.05
"""Until the club hour: the bot has started by then, and posted each club's first call."""
WITHIN_S, PER_SECOND = 120, 50
CHANNELS = 10_000


async def measure(scale: Scale) -> list[Line]:
    """Seconds from the club hour to the last post, and the most calls to Discord within one second."""
    async with outside() as out:
        await out.link_all()
        hour = (datetime.now(UTC) + timedelta(seconds=AHEAD_S + AHEAD_EACH_S * scale.clubs)).replace(microsecond=0)
        await _start_clubs(out, scale.clubs, hour)
        async with out.running("gatefold"):
            await _until(out, scale.clubs, 0)
            if (left := (hour - datetime.now(UTC)).total_seconds()) < 0:
                raise RuntimeError(f"the bot was ready {-left:.0f} s after the club hour, so nothing was measured")
            first = len(out.discord.requests)
            await asyncio.sleep(left)
            begun = time.monotonic()
            await _until(out, 3 * scale.clubs, scale.clubs)
            took = time.monotonic() - begun
            calls = [request.at for request in out.discord.requests[first:]]
    most = max(Counter(int(at - begun) for at in calls).values())
    posts = {len(found) for channel, found in out.discord.channel_messages.items() if channel < 2 * CHANNELS}
    if posts != {3}:
        raise RuntimeError(f"the clubs have {posts} posts each, so nothing was measured")
    what = f"{scale.clubs} clubs due in the same second"
    return [
        Line(f"{what}: until all is posted", "", f"{took:.1f} s", "", f"≤ {WITHIN_S} s", took <= WITHIN_S),
        Line("the same, most calls to Discord in a second", "", str(most), "", f"≤ {PER_SECOND}", most <= PER_SECOND),
    ]


async def _start_clubs(out: Outside, clubs: int, hour: datetime) -> None:
    """Clubs that began 6 days before this club hour, with a nomination each."""
    began_at = hour - timedelta(days=6)
    calendar = Calendar(hour.date(), hour.time(), "UTC")
    async with out.storage() as storage:
        service = AlbumClubs(storage, now=lambda: began_at)
        for place in range(clubs):
            stored = await service.start(
                lambda club, place=place: StoredClub(  # type: ignore[misc]
                    club.id,
                    GuildId(DiscordWire.GUILD),
                    CHANNELS + place,
                    f"Club {place}",
                    MemberId(MEMBER),
                    None,
                    False,
                    club,
                ),
                ClubSettings(),
                calendar,
            )
            one = Nomination(AlbumId(out.albums[place % len(out.albums)]), MemberId(MEMBER), "", began_at)
            await service.nominate(stored.id, one, year=None)


async def _until(out: Outside, posts: int, threads: int) -> None:
    """Until the clubs have posted this much, and opened this many threads."""
    async with asyncio.timeout(2 * WITHIN_S):
        while True:
            posted = sum(
                len(found) for channel, found in out.discord.channel_messages.items() if channel < 2 * CHANNELS
            )
            if posted >= posts and len(out.discord.threads) >= threads:
                return
            await asyncio.sleep(0.02)
