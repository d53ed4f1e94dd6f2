"""The sandbox's clock: what is due while it is moved happens, at its time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.sandbox.faults import FAULTS
from bot.sandbox.stage import set_up
from tests.sandbox.linking import link

pytest.importorskip("simcord")

ALBUM = "4aawyAB9vmqN3uQ7FjRGTy"


async def test_each_timer_runs_at_its_own_time_while_a_week_passes() -> None:
    async with set_up() as stage:
        ran: list[tuple[str, timedelta]] = []

        async def handler(key: str, due_at: datetime) -> datetime | None:
            ran.append((key, stage.clock.now() - due_at))
            return due_at + timedelta(days=2) if len(ran) < 3 else None

        stage.services.schedule.register("of the test", handler)
        began_at = stage.clock.now()
        await stage.services.schedule.at("of the test", "one", began_at + timedelta(days=1))
        await stage.services.schedule.at("of the test", "other", began_at + timedelta(days=6, hours=12))
        await stage.pass_time(timedelta(days=7))
        assert [key for key, _ in ran] == ["one", "one", "one", "other"]
        assert max(late for _, late in ran) < timedelta(minutes=5)
        assert stage.clock.now() - began_at >= timedelta(days=7)


async def test_discord_and_spotify_show_the_same_time_as_the_bot() -> None:
    async with set_up() as stage:
        await stage.pass_time(timedelta(hours=1))
        now = stage.clock.now()
        assert abs(stage.env.now() - now) < timedelta(minutes=1)
        assert abs(stage.spotify.now() - now) < timedelta(minutes=1)


async def test_the_daily_limit_ends_when_a_day_has_passed() -> None:
    async with set_up() as stage:
        ada, spotify = stage.members["Ada"], stage.spotify
        await link(stage, "Ada")
        spotify.fault(path="/v1/*", times=None, **FAULTS["quota"])
        answer = await ada.slash(stage.channel, "save", albums=ALBUM)
        assert "daily limit" in str(answer.response.components)
        spotify.clear_faults()
        await stage.pass_time(timedelta(hours=20))
        assert not spotify.accounts["ada"].saved
        await stage.pass_time(timedelta(hours=4))
        assert [*spotify.accounts["ada"].saved] == [ALBUM]
