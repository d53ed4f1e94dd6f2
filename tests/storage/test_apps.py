"""What is kept of a Spotify app, and which commands are registered at Discord."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from bot.storage import Storage
from bot.storage.apps import KnownApp
from bot.storage.commands import EVERYWHERE, CommandKey, Registered
from tests.storage.rows import at


async def test_of_an_unknown_app_nothing_is_known(storage: Storage) -> None:
    assert await storage.apps.get("client") == KnownApp(None, None, None)


async def test_endpoint_and_closing_are_kept_side_by_side_per_app(storage: Storage) -> None:
    await storage.apps.set_endpoint("one", "albums")
    await storage.apps.set_closed("two", at(), "rate_limited")
    await storage.apps.set_closed("one", at(), "quota")
    await storage.apps.set_endpoint("one", "library")
    one, two = await storage.apps.get("one"), await storage.apps.get("two")
    assert (one.album_endpoint, one.closed_by) == ("library", "quota")
    assert (two.album_endpoint, two.closed_by) == (None, "rate_limited")


async def test_a_closing_is_never_stored_shorter_than_it_is(storage: Storage) -> None:
    until = datetime(2026, 11, 25, 11, 0, 0, 999_999, tzinfo=UTC)
    await storage.apps.set_closed("client", until, "quota")
    stored = (await storage.apps.get("client")).closed_until
    assert stored is not None
    assert until < stored <= until + timedelta(seconds=1)


async def test_nonsense_is_refused_by_the_schema(storage: Storage) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await storage.apps.set_endpoint("client", "tracks")
    with pytest.raises(sqlite3.IntegrityError):
        await storage.apps.set_closed("client", at(), "lunch")
    assert await storage.apps.get("client") == KnownApp()


async def test_registered_commands_are_kept_per_application_and_place(storage: Storage) -> None:
    first, second = (
        Registered("a" * 64, {CommandKey(1, "save"): 1, CommandKey(3, "save"): 2}),
        Registered("b" * 64, {CommandKey(1, "save"): 3}),
    )
    await storage.commands.put(10, EVERYWHERE, first)
    await storage.commands.put(10, 77, second)
    await storage.commands.put(20, EVERYWHERE, second)
    assert await storage.commands.get(10) == {EVERYWHERE: first, 77: second}
    await storage.commands.put(10, EVERYWHERE, second)
    await storage.commands.delete(10, 77)
    await storage.commands.delete(10, 78)
    assert await storage.commands.get(10) == {EVERYWHERE: second}
    assert await storage.commands.get(20) == {EVERYWHERE: second}
    assert await storage.commands.get(30) == {}
