"""What earlier versions sealed with AES-256-GCM opens, and is sealed again at the first start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bot.storage import Storage, StorageStartupError, open_storage
from bot.storage.backup import back_up
from bot.storage.links import REFRESH
from bot.storage.restore import restore
from bot.storage.rotation import BATCH, rotate
from bot.storage.stores import SEALED
from bot.storage.vault import SealedColumn, Unopenable, Vault, key_id
from tests.callers import caller
from tests.storage.earlier_seals import made_earlier, sealed_by_version_1, sealed_by_version_2
from tests.storage.rows import BEN, KEY, OTHER_KEY, X, ask, at, link, on_disk, put, rows

ROOT = Path(__file__).resolve().parents[2]
NEW = b"n" * 32
AES = b"\x02" + key_id(KEY)
"""How each blob of version 2 begins."""
VAULT = Vault([KEY])
MADE = {
    1: bytes.fromhex("0125178e7595010822c8d06b65d4c1dfdf2b1e85027608432c5c2abfdfef25c4f668a4f8d3f51f6b3eaf"),
    2: bytes.fromhex("0225178e750a6d73684b9642012db17be71b2dccfc4bf511196a20516ba82033a6aa815f8cbd9a1282a1"),
}
"""Blobs that those versions made: "AQ-secret" of member 1 in links.refresh_sealed, under KEY."""


def opens(blob: bytes, owner: int | str = 1, column: SealedColumn = REFRESH, vault: Vault = VAULT) -> bool:
    try:
        vault.open(blob, owner, column)
    except Unopenable:
        return False
    return True


@pytest.mark.parametrize("version", MADE)
def test_what_an_earlier_version_made_opens_in_its_own_place_and_is_sealed_again(version: int) -> None:
    old = MADE[version]
    assert VAULT.open(old, 1, REFRESH) == "AQ-secret"
    assert not opens(old, owner=2)
    assert not opens(old, owner="1") or version == 1  # version 1 did not tell a number from its digits
    assert not opens(old, column=SealedColumn("links", "access_sealed", "access", ("member_id",)))
    assert not opens(old, vault=Vault([OTHER_KEY]))
    assert VAULT.is_earlier(old)
    assert not VAULT.is_current(old)
    again = VAULT.reseal(old, 1, REFRESH)
    assert VAULT.is_current(again)
    assert VAULT.open(again, 1, REFRESH) == "AQ-secret"
    for earlier in (b"\x01", b"\x02"):
        assert not opens(earlier + again[1:])  # nobody makes an older version of it


def test_version_2_was_bound_to_the_table() -> None:
    other = SealedColumn("link_attempts", "refresh_sealed", "refresh", ("member_id",))
    assert not opens(MADE[2], column=other)


@pytest.mark.parametrize("version", MADE)
def test_an_earlier_blob_that_was_cut_or_changed_does_not_open(version: int) -> None:
    old = MADE[version]
    for length in range(len(old)):
        assert not opens(old[:length])
    for place in range(len(old)):
        changed = bytearray(old)
        changed[place] ^= 1
        assert not opens(bytes(changed))


def test_the_stand_in_for_version_2_makes_what_version_2_made() -> None:
    assert len(sealed_by_version_2("AQ-secret", 1, REFRESH)) == len(MADE[2])
    assert VAULT.open(sealed_by_version_2("AQ-secret", 1, REFRESH), 1, REFRESH) == "AQ-secret"
    assert VAULT.open(sealed_by_version_1("AQ-secret", 1, "refresh"), 1, REFRESH) == "AQ-secret"


async def filled(path: Path, key: bytes = KEY) -> dict[str, list[str]]:
    """A database as version 2 left it, with a link, a request that waits and a link attempt; its secrets."""
    storage = await open_storage(path, [key])
    await put(storage)
    await ask(storage, 1, X, token="answer-token-of-a-request")
    await storage.attempts.begin(b"attempt", caller(BEN, token="answer-token-of-an-attempt"), at())
    secrets = await made_earlier(storage, key)
    await storage.close()
    return secrets


async def opened(storage: Storage, key: bytes = KEY) -> dict[str, list[str]]:
    """All secrets of a database, each of which this version sealed with this key."""
    vault = Vault([key])
    found: dict[str, list[str]] = {}
    for column in SEALED:
        query = f"SELECT {column.owner}, {column.column} FROM {column.table} WHERE {column.column} IS NOT NULL"
        for owner, blob in await storage.database.read(lambda c, query=query: c.execute(query).fetchall()):  # type: ignore[misc]
            assert vault.is_current(blob), column
            found.setdefault(f"{column.table}.{column.column}", []).append(vault.open(blob, owner, column))
    return found


async def test_a_start_seals_everything_again_and_leaves_nothing_of_it_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    secrets = await filled(path)
    assert sorted(secrets) == [
        "change_requests.interaction_token_sealed",
        "key_check.proof_sealed",
        "link_attempts.interaction_token_sealed",
        "links.access_sealed",
        "links.refresh_sealed",
    ]
    assert AES in on_disk(tmp_path)
    storage = await open_storage(path, [KEY])
    assert await opened(storage) == secrets
    before = await rows(storage, "links")
    await storage.close()
    assert AES not in on_disk(tmp_path)
    again = await open_storage(path, [KEY])
    assert await rows(again, "links") == before  # the second start has nothing to do
    await again.close()


async def test_a_start_with_a_new_key_seals_everything_with_that_one(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    secrets = await filled(path)
    storage = await open_storage(path, [NEW, KEY])
    assert await opened(storage, NEW) == secrets
    await storage.close()
    await (await open_storage(path, [NEW])).close()


async def test_a_wrong_key_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await filled(path)
    before = on_disk(tmp_path)
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [OTHER_KEY])
    assert on_disk(tmp_path) == before
    await (await open_storage(path, [KEY])).close()


async def test_a_start_that_was_killed_meanwhile_is_continued_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    for member in range(1, BATCH + 10):
        await put(storage, link(member, f"acc-{member}"))
    secrets = await made_earlier(storage)

    async def killed(done: int, of: int) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await rotate(storage.database, VAULT, killed)
    versions = {row["access_sealed"][:1] for row in await rows(storage, "links")}
    assert versions == {b"\x02", b"\x03"}
    await storage.close()
    again = await open_storage(path, [KEY])
    assert await opened(again) == secrets
    await again.close()


@pytest.mark.parametrize("key_check", [True, False])
async def test_a_backup_of_an_earlier_version_is_restored_and_sealed_again(key_check: bool, tmp_path: Path) -> None:
    path, kept = tmp_path / "new" / "gatefold.db", tmp_path / "one.backup"
    old = await open_storage(tmp_path / "old" / "gatefold.db", [KEY])
    await put(old)
    await made_earlier(old)
    await back_up(old.database.backup, kept, key_check=key_check)
    await old.close()
    with pytest.raises(StorageStartupError, match="the keys in TOKEN_KEYS"):
        restore(kept, path, [OTHER_KEY], replace=False, now=at())
    assert restore(kept, path, [KEY], replace=False, now=at()).unreadable == 0
    storage = await open_storage(path, [KEY])
    assert (await opened(storage))["links.refresh_sealed"] == ["AQ-1"]
    await storage.close()


def test_the_library_for_it_is_loaded_only_where_a_database_has_something_of_it(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    asyncio.run(filled(path))
    script = """
import asyncio, pathlib, sys
from bot.storage import open_storage
from tests.storage.rows import KEY

async def start():
    await (await open_storage(pathlib.Path(sys.argv[1]), [KEY])).close()
    print("cryptography" in sys.modules)

asyncio.run(start())
"""
    command = [sys.executable, "-c", script, str(path)]
    first, second = (subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60) for _ in range(2))
    assert (first.stdout.split()[-1:], second.stdout.split()[-1:]) == (["True"], ["False"]), (
        first.stderr + second.stderr
    )
