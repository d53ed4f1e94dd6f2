"""Which keys are still needed: as long as one token is sealed with an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.storage import StorageStartupError, open_storage
from bot.storage.links import ACCESS, REFRESH
from bot.storage.vault import SealedColumn, Vault
from tests.storage.rows import ADA, KEY, OTHER_KEY, execute, put


@pytest.mark.parametrize("column", [ACCESS, REFRESH], ids=lambda column: column.kind)
async def test_a_key_is_needed_until_both_tokens_are_sealed_anew(column: SealedColumn, tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    storage = await open_storage(path, [KEY])
    await put(storage)
    await execute(storage, f"UPDATE links SET {column.column} = ?", Vault([OTHER_KEY]).seal("token", ADA, column))
    await storage.close()
    await (await open_storage(path, [OTHER_KEY, KEY])).close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [OTHER_KEY])


async def test_a_key_with_which_nothing_that_lasts_is_sealed_is_not_needed_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "gatefold.db"
    await (await open_storage(path, [KEY])).close()
    await (await open_storage(path, [OTHER_KEY, KEY])).close()
    await (await open_storage(path, [OTHER_KEY])).close()
    with pytest.raises(StorageStartupError, match="TOKEN_KEYS do not open"):
        await open_storage(path, [KEY])
