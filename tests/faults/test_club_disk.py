"""A club whose step meets a full disk, on a real process: it is done once, when the disk has room again."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import repeat

import pytest

from tests.club.stage import CHANNEL
from tests.discord_wire import Stage, WireRequest, texts
from tests.faults.test_disk import _full
from tests.process.club_season import Blow, Season
from tests.process.harness import START_S, Outside

pytestmark = pytest.mark.slow


async def until(season: Season, words: str) -> None:
    """Until the process has logged this."""
    assert season.process is not None
    async with asyncio.timeout(3 * START_S):
        while words not in season.process.stderr:
            await asyncio.sleep(0.05)


async def at_the_vote(season: Season) -> None:
    """The club's process, running, a few seconds before its vote opens."""
    await season.begin()
    club = (await season.server.stored()).club
    season.ahead = club.vote_at - datetime.now(UTC) - timedelta(seconds=6)
    await (await season.start()).until_health(200)


def posts(out: Outside) -> list[str]:
    return ["\n".join(texts(post)) for post in out.discord.channel_messages[CHANNEL]]


@pytest.fixture
def season(out: Outside) -> Season:
    return Season(out, repeat(Blow("before", timedelta())))


async def test_a_step_that_cannot_be_stored_is_done_once_when_the_disk_has_room(out: Outside, season: Season) -> None:
    await at_the_vote(season)
    assert season.process is not None
    with _full(season.process):
        await until(season, "timers cannot be read")  # it cannot be claimed
        assert len(posts(out)) == 1
    async with asyncio.timeout(3 * START_S):
        while len(posts(out)) < 2:
            await asyncio.sleep(0.05)
    await season.until_quiet()
    assert ["Voting is open" in post for post in posts(out)] == [False, True]
    await season.process.terminate()
    assert "Traceback" not in season.process.stderr


async def test_a_post_whose_arrival_cannot_be_noted_is_posted_once(out: Outside, season: Season) -> None:
    await at_the_vote(season)
    process, full = season.process, ExitStack()
    assert process is not None

    async def fill(request: WireRequest, stage: Stage) -> bool:
        if request.method == "POST" and request.path == f"/channels/{CHANNEL}/messages" and stage == "after":
            full.enter_context(_full(process))
        return False

    out.discord.on_request = fill
    await until(season, "it could not be noted what became of a message")
    await process.kill()
    with suppress(ProcessLookupError):  # the process is gone, and its limit with it
        full.close()
    out.discord.on_request = None
    season.ahead += timedelta(minutes=5)  # by now Discord has forgotten the nonce
    await (await season.start()).until_health(200)
    await season.until_quiet()
    assert ["Voting is open" in post for post in posts(out)] == [False, True]
    await season.end()
