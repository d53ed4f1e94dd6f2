"""Spotify apps in memory: one object per client id, dropped when idle, and each one's trouble is its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.accounts.apps import IDLE_S, Apps, load_host_app
from bot.caller import MemberId
from bot.errors import AppRejected, PremiumLapsed, TryLater
from bot.spotify.app import App
from bot.spotify.wire import Endpoint
from bot.storage import Storage, open_storage
from bot.storage.links import Link
from tests.spotify.stage import CLIENT_ID, SECRET, Clock, Heard, made_app

ADA, BEN = MemberId(1), MemberId(2)
OWN = "b" * 32
QUOTA = TryLater.Cause.QUOTA


@dataclass
class Stage:
    """Apps with the real storage."""

    storage: Storage
    heard: Heard = field(default_factory=Heard)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.host = made_app(listener=self.heard)
        self.apps = Apps(self.storage.apps, self.host, monotonic=self.clock.monotonic)

    async def link(self, member: MemberId, client_id: str) -> App:
        """Link a member through their own app."""
        now = datetime.now(UTC)
        link = Link(member, client_id, f"acc-{member}", "Ada", now, now, None, is_own_app=True)
        await self.storage.links.put(link, "BQ", "AQ", now + timedelta(hours=1))
        return await self.apps.of(client_id, member)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    yield Stage(storage)
    await storage.close()


async def test_there_is_one_app_per_client_id_and_the_hosts_is_the_hosts(stage: Stage) -> None:
    assert await stage.apps.of(CLIENT_ID, ADA) is stage.host
    app = await stage.link(ADA, OWN)
    assert await stage.apps.of(OWN, ADA) is app
    assert (app.client_id, app.client_secret, app.member_id, app.is_own) == (OWN, None, ADA, True)
    assert not stage.host.is_own
    assert stage.apps.loaded == [stage.host, app]


async def test_an_idle_app_is_dropped_and_what_must_be_remembered_of_it_is_stored(stage: Stage) -> None:
    app = await stage.link(ADA, OWN)
    await app.gate.close(3600, QUOTA)
    await app.endpoint.worked(Endpoint.LIBRARY)
    stage.clock.now += IDLE_S
    other = await stage.link(BEN, "c" * 32)
    assert stage.apps.loaded == [stage.host, app, other]
    stage.clock.now += 1
    await stage.apps.of("c" * 32, BEN)
    assert stage.apps.loaded == [stage.host, other]
    first = id(app)
    del app
    gc.collect()
    again = await stage.apps.of(OWN, ADA)
    assert again.endpoint.current is Endpoint.LIBRARY
    closed = again.gate.closed()
    assert closed is not None
    assert closed.cause is QUOTA
    assert first  # only its id was kept


async def test_whoever_came_first_but_is_still_active_keeps_nobody_else_in_memory(stage: Stage) -> None:
    first, _ = await stage.link(ADA, OWN), await stage.link(BEN, "c" * 32)
    stage.clock.now += IDLE_S / 2
    assert await stage.apps.of(OWN, ADA) is first
    stage.clock.now += IDLE_S / 2 + 1
    third = await stage.apps.of("d" * 32, MemberId(3))
    assert stage.apps.loaded == [stage.host, first, third]


async def test_two_calls_at_once_get_the_same_app(stage: Stage) -> None:
    apps = Apps(stage.storage.apps, None)
    one, other = await asyncio.gather(apps.of(OWN, ADA), apps.of(OWN, ADA))
    assert one is other
    assert apps.loaded == [one]
    apps.forget(OWN)
    assert apps.loaded == []


async def test_an_idle_app_that_is_still_in_use_is_found_again(stage: Stage) -> None:
    app = await stage.link(ADA, OWN)
    stage.clock.now += IDLE_S + 1
    await stage.link(BEN, "c" * 32)
    assert await stage.apps.of(OWN, ADA) is app


async def test_500_own_apps_leave_memory_when_they_are_idle(stage: Stage) -> None:
    for number in range(500):
        await stage.apps.of(f"{number:032x}", MemberId(number))
    assert len(stage.apps.loaded) == 501
    stage.clock.now += IDLE_S + 1
    await stage.apps.of(OWN, ADA)
    gc.collect()
    assert len(stage.apps.loaded) == 2


async def test_an_id_that_changes_hands_starts_over(stage: Stage) -> None:
    app = await stage.link(ADA, OWN)
    await app.gate.close(3600, QUOTA)
    await stage.storage.forget(ADA)
    stage.apps.forget(OWN)
    fresh = await stage.link(BEN, OWN)
    assert fresh is not app
    assert fresh.member_id == BEN
    assert fresh.gate.closed() is None


async def test_a_members_own_app_alarms_nobody(stage: Stage) -> None:
    app = await stage.link(ADA, OWN)
    for problem in (PremiumLapsed(), AppRejected(), TryLater(QUOTA)):
        app.health.problem(problem)
    app.health.served()
    app.health.accepted()
    assert (stage.heard.problems, stage.heard.served, stage.heard.accepted) == ([], 0, 0)
    assert not stage.host.health.is_refused
    stage.host.health.problem(PremiumLapsed())
    assert len(stage.heard.problems) == 1


async def test_what_is_stored_of_the_hosts_app_is_loaded(stage: Stage) -> None:
    store, now = stage.storage.apps, datetime(2026, 11, 24, 12, tzinfo=UTC)
    until = now + timedelta(hours=2)
    await store.set_closed(CLIENT_ID, until, QUOTA)
    await store.set_endpoint(CLIENT_ID, "library")
    clock = stage.clock.monotonic
    app = await load_host_app(store, CLIENT_ID, SECRET, "auto", stage.heard, now=lambda: now, monotonic=clock)
    assert app is not None
    assert (app.client_id, app.client_secret, app.member_id) == (CLIENT_ID, SECRET, None)
    assert app.endpoint.current is Endpoint.LIBRARY
    assert app.gate.closed_for_s == pytest.approx(7200, abs=1)
    closed = app.gate.closed()
    assert closed is not None
    assert closed.cause is QUOTA
    await stage.link(ADA, OWN)
    await store.set_closed(OWN, until, QUOTA, ADA)
    own = await Apps(store, app, now=lambda: now, monotonic=clock).of(OWN, ADA)
    assert own.gate.closed_for_s == app.gate.closed_for_s
    stage.clock.now += 7201
    assert (app.gate.closed(), own.gate.closed()) == (None, None)
    app.health.problem(PremiumLapsed())
    assert len(stage.heard.problems) == 1
    assert await load_host_app(stage.storage.apps, "", None, "auto", stage.heard) is None
