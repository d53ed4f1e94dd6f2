"""What another process sees of a database, while the bot runs or not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.caller import MemberId
from bot.storage import Storage, StorageStartupError
from bot.storage.apps import KnownApp
from bot.storage.links import ACCESS
from bot.storage.snapshot import Snapshot, read_snapshot
from bot.storage.vault import Vault
from tests.storage.rows import ADA, BEN, KEY, OTHER_KEY, at, execute, link, put

CORA, DORA = MemberId(200_000_000_000_000_003), MemberId(200_000_000_000_000_004)
HOUR = timedelta(hours=1)


def look(storage: Storage, *keys: bytes, good_for: timedelta = timedelta(0)) -> Snapshot:
    return read_snapshot(storage.database.path, keys or [KEY], "client", at() + good_for)


async def test_links_are_counted_by_whether_they_are_with_this_app_another_of_the_hosts_or_a_members_own(
    storage: Storage,
) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    await put(storage, link(CORA, "acc-cora", client_id="the app before"))
    await put(storage, link(DORA, "acc-dora", client_id="an app of their own", is_own_app=True))
    seen = look(storage)
    assert (seen.linked, seen.linked_elsewhere, seen.unreadable) == (2, 1, 0)
    assert seen.steps.applied
    assert seen.steps.pending == seen.steps.unknown == ()


async def test_what_is_known_of_the_app_is_seen_and_not_what_is_known_of_another(storage: Storage) -> None:
    await storage.apps.set_endpoint("client", "library")
    await storage.apps.set_endpoint("another", "albums")
    assert look(storage).app == KnownApp("library")


async def test_access_tokens_of_this_app_that_are_good_for_long_enough_are_handed_out_the_longest_lived_first(
    storage: Storage,
) -> None:
    for member, lives in ((ADA, 1), (BEN, 3), (CORA, 2)):
        await storage.links.put(link(member, f"acc-{member}"), f"BQ-{lives}", "AQ", at() + lives * HOUR)
    await storage.links.put(
        link(DORA, "acc-dora", client_id="own", is_own_app=True), "BQ-of-her-app", "AQ", at() + 4 * HOUR
    )
    assert look(storage).access == ("BQ-3", "BQ-2", "BQ-1")
    assert look(storage, good_for=HOUR).access == ("BQ-3", "BQ-2")  # one that ends in this second is good for nothing
    assert look(storage, good_for=3 * HOUR).access == ()
    await storage.links.refused(link(BEN, f"acc-{BEN}"), "revoked")
    assert look(storage).access == ("BQ-2", "BQ-1")
    assert "BQ-" not in repr(look(storage))


async def test_links_that_no_key_opens_are_counted_and_hand_out_nothing(storage: Storage) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"), access="BQ-ben")
    foreign = Vault([OTHER_KEY]).seal("BQ-foreign", ADA, ACCESS)
    await execute(storage, "UPDATE links SET access_sealed = ? WHERE member_id = ?", foreign, ADA)
    seen = look(storage)
    assert (seen.linked, seen.unreadable, seen.access) == (2, 1, ("BQ-ben",))


async def test_whether_the_keys_open_the_check_value_is_seen(storage: Storage) -> None:
    assert look(storage).key_opens is True
    assert look(storage, OTHER_KEY).key_opens is False
    await execute(storage, "DELETE FROM key_check")
    assert look(storage, OTHER_KEY).key_opens is None


async def test_of_a_database_that_a_newer_version_wrote_only_its_steps_are_looked_at(storage: Storage) -> None:
    await execute(storage, "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('gatefold', 'm999_later')")
    await execute(storage, "ALTER TABLE links RENAME TO connections")
    seen = look(storage)
    assert seen == Snapshot(seen.steps)
    assert seen.steps.unknown == ("m999_later",)


async def test_of_a_database_that_waits_for_an_update_the_check_value_is_looked_at_as_well(storage: Storage) -> None:
    await execute(storage, "DELETE FROM _sqlite_migrations WHERE name = (SELECT MAX(name) FROM _sqlite_migrations)")
    await execute(storage, "ALTER TABLE links RENAME TO older_links")
    seen = look(storage)
    assert len(seen.steps.pending) == 1
    assert seen == Snapshot(seen.steps, key_opens=True)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "another.db"
    with closing(sqlite3.connect(path)) as c:
        c.execute("CREATE TABLE links (id INTEGER PRIMARY KEY)")
    with pytest.raises(StorageStartupError, match="is a database of another program"):
        read_snapshot(path, [KEY], "client", at())


def test_in_an_empty_file_nothing_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    path.touch()
    seen = read_snapshot(path, [KEY], "client", at())
    assert seen == Snapshot(seen.steps)
    assert seen.steps.applied == ()
    assert seen.steps.pending
