"""Votes that nobody saw: what is judged by when the bot went down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs import AlbumClubs
from bot.clubs.album_clubs import STEP
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import ClubSettings, Nomination, State
from bot.settings import read_key
from bot.storage import Storage, open_storage
from bot.storage.clubs import StoredClub
from tests.club.stage import ONE
from tests.world import KEY

BEGIN = datetime(2026, 1, 8, 12, tzinfo=UTC)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await open_storage(tmp_path / "gatefold.db", [read_key(KEY)])
    yield storage
    await storage.close()


class Clock:
    """A wall clock that does not advance until it is set."""

    at = BEGIN

    def __call__(self) -> datetime:
        return self.at


async def with_an_open_vote(storage: Storage, clock: Clock) -> StoredClub:
    """A club whose vote opened half a minute after the last sign of life, and has not been seen by anybody."""
    clubs = AlbumClubs(storage, now=clock)
    await clubs.begin()
    calendar = Calendar.starting(1, time(20), "Europe/Berlin", Rhythm.WEEKLY, BEGIN)
    stored = await clubs.start(
        lambda club: StoredClub(club.id, GuildId(1), 2, "The Club", MemberId(3), None, False, club),
        ClubSettings(),
        calendar,
    )
    for member in (1, 2):
        one = Nomination(AlbumId(f"{member:022}"), MemberId(member), "", clock())
        await clubs.nominate(ONE, one, year=None)
    clock.at = stored.club.vote_at - timedelta(seconds=30)
    await clubs.beat()
    clock.at = stored.club.vote_at
    await clubs.step(str(ONE), clock())
    return await clubs.get(ONE)


@pytest.mark.parametrize("starts", [1, 2, 3])
async def test_a_vote_that_nobody_saw_is_held_anew_however_often_the_start_after_it_is_killed(
    storage: Storage, starts: int
) -> None:
    clock = Clock()
    stored = await with_an_open_vote(storage, clock)
    assert stored.club.coming.state is State.VOTING
    hour = stored.club.club_hour_at
    clock.at = hour + timedelta(days=1)
    for _ in range(starts):  # all but the last are killed before the step
        clubs = AlbumClubs(storage, now=clock)
        await clubs.begin()
        await clubs.beat()
        clock.at += timedelta(minutes=1)
    due_at = await storage.database.read(lambda c: storage.timers.get_in(c, STEP, str(ONE)))
    assert due_at is not None
    assert due_at <= hour
    await clubs.step(str(ONE), due_at)
    coming = (await clubs.get(ONE)).club.coming
    assert (coming.number, coming.state) == (1, State.VOTING)
    await clubs.beat()
    assert await storage.clubs.last_beat() == clock().replace(microsecond=0)


async def test_a_start_that_did_what_was_due_and_lived_a_moment_more_is_a_sign_of_life(storage: Storage) -> None:
    clock = Clock()
    stored = await with_an_open_vote(storage, clock)
    hour = stored.club.club_hour_at
    clock.at = hour - timedelta(hours=3)  # what is due by now: the reminder to vote
    clubs = AlbumClubs(storage, now=clock)
    await clubs.begin()
    await clubs.beat()
    due_at = await storage.database.read(lambda c: storage.timers.get_in(c, STEP, str(ONE)))
    assert due_at is not None
    await clubs.step(str(ONE), due_at)
    clock.at = hour + timedelta(minutes=5)
    clubs = AlbumClubs(storage, now=clock)
    await clubs.begin()
    await clubs.step(str(ONE), hour)
    assert (await clubs.get(ONE)).club.coming.number == 2  # members have had the vote before them, so it is counted
