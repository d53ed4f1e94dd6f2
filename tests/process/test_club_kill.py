"""SIGKILL at every step of a club's rounds: nothing is posted twice, and nothing is left out.

The steady season kills the bot at each request that it makes for the first time, once before and once after Discord
has carried it out. `make soak` adds `GATEFOLD_SEASONS` seasons with kills at random requests and moments.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest

from tests.process.club_season import Blow, Season
from tests.process.harness import outside

SEASONS = int(os.environ.get("GATEFOLD_SEASONS", "0"))
SEED = int(os.environ.get("GATEFOLD_SEED", "0")) or random.randrange(1, 10**6)
SOON, LATE = timedelta(), timedelta(minutes=5)
"""Within what Discord remembers of a nonce, and after it: then the channel's history decides."""


async def played(folder: Path, blows: Iterator[Blow], kills_after_s: Iterator[float] | None = None) -> Season:
    async with outside(folder) as out:
        season = Season(out, blows)
        try:
            await season.play(kills_after_s)
            await season.judge()
        except BaseException as error:
            error.add_note("killed at:\n" + "\n".join(season.strikes_at))
            error.add_note(out.started[-1].stderr if out.started else "")
            raise
        return season


@pytest.mark.slow
async def test_a_kill_at_every_request_of_a_season_posts_nothing_twice_and_leaves_nothing_out(tmp_path: Path) -> None:
    plans = (
        [Blow("after", LATE), Blow("before", SOON)],
        [Blow("before", LATE), Blow("after", SOON)],
    )
    async with asyncio.timeout(600):
        seasons = await asyncio.gather(
            *(played(tmp_path / str(number), cycle(plan)) for number, plan in enumerate(plans))
        )
    for season in seasons:
        assert len(season.strikes_at) > 15, season.strikes_at


def at_random(rng: random.Random) -> Iterator[Blow]:
    while True:
        yield Blow(rng.choice(("before", "after")), rng.choice((SOON, timedelta(seconds=70), LATE)))


@pytest.mark.slow
@pytest.mark.skipif(SEASONS < 1, reason="only in make soak")
async def test_kills_at_random_moments_of_seasons_post_nothing_twice_and_leave_nothing_out(tmp_path: Path) -> None:
    kills = 0
    for number in range(SEASONS):
        rng = random.Random(SEED + number)
        moments = (rng.uniform(0.3, 4.0) for _ in range(rng.randint(3, 12)))
        async with asyncio.timeout(600):
            try:
                season = await played(tmp_path / str(number), at_random(rng), moments)
            except BaseException as error:
                error.add_note(f"season {number} of GATEFOLD_SEED={SEED}")
                raise
        kills += len(season.strikes_at)
    print(f"GATEFOLD_SEED={SEED}: {SEASONS} seasons, {kills} kills")
