"""Addresses of public pages: found by a hash, shown again with the key, and bound to what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.caller import GuildId
from bot.storage import Storage, open_storage
from bot.storage.public_pages import PageKind, Subject
from bot.storage.rotation import rotate
from bot.storage.vault import Vault
from tests.storage.rows import KEY, OTHER_KEY, at, execute, on_disk, rows

CLUB, CRATE = Subject(PageKind.CLUB, 1), Subject(PageKind.CRATE, 1)
GUILD = GuildId(500_000_000_000_000_001)


async def opened(storage: Storage, subject: Subject) -> str:
    return await storage.database.write(lambda c: storage.public_pages.open_in(c, subject, GUILD, at()))


async def found(storage: Storage, kind: PageKind, address: str) -> int | None:
    return await storage.database.read(lambda c: storage.public_pages.find_in(c, kind, address))


async def test_an_address_is_found_until_there_is_a_new_one(storage: Storage) -> None:
    first = await opened(storage, CLUB)
    assert await found(storage, PageKind.CLUB, first) == 1
    assert await found(storage, PageKind.CRATE, first) is None
    assert await storage.public_pages.address(CLUB) == first
    assert await storage.public_pages.address(CRATE) is None
    second = await opened(storage, CLUB)
    assert second != first
    assert await found(storage, PageKind.CLUB, first) is None
    assert await storage.public_pages.address(CLUB) == second
    assert len(await rows(storage, "public_pages")) == 1


async def test_each_club_and_a_crate_with_the_id_of_one_have_pages_of_their_own(storage: Storage) -> None:
    club, crate = await opened(storage, CLUB), await opened(storage, CRATE)
    other = await opened(storage, Subject(PageKind.CLUB, 2))
    assert await storage.public_pages.address(Subject(PageKind.CLUB, 2)) == other
    assert await storage.database.write(lambda c: storage.public_pages.close_in(c, CLUB))
    assert await found(storage, PageKind.CLUB, club) is None
    assert await found(storage, PageKind.CRATE, crate) == 1
    assert await found(storage, PageKind.CLUB, other) == 2
    assert not await storage.database.write(lambda c: storage.public_pages.close_in(c, CLUB))


async def test_an_encrypted_address_in_another_row_is_not_shown(storage: Storage) -> None:
    await opened(storage, CLUB)
    await opened(storage, CRATE)
    (blob,) = [row["address_sealed"] for row in await rows(storage, "public_pages") if row["kind"] == "club"]
    await execute(storage, "UPDATE public_pages SET address_sealed = ? WHERE kind = 'crate'", blob)
    assert await storage.public_pages.address(CRATE) is None
    assert await storage.public_pages.address(CLUB) is not None


async def test_an_address_outlives_a_change_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    address = await opened(storage, CLUB)
    await storage.close()
    storage = await open_storage(path, [OTHER_KEY, KEY])

    async def untold(done: int, total: int) -> None:
        pass

    await rotate(storage.database, Vault([OTHER_KEY, KEY]), untold)
    await storage.close()
    storage = await open_storage(path, [OTHER_KEY])
    assert await storage.public_pages.address(CLUB) == address
    await storage.close()
    assert address.encode() not in on_disk(tmp_path)


@pytest.mark.parametrize("address", ["", "x", "é" * 100, "\udcff", "a" * 100_000])
async def test_whatever_is_asked_for_is_only_not_found(storage: Storage, address: str) -> None:
    await opened(storage, CLUB)
    assert await found(storage, PageKind.CLUB, address) is None
