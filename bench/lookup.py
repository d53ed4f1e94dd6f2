"""The look-up of a member's tokens (the row, and both tokens opened) among few members and among very many."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.figures import Line, compared
from bench.outside import MEMBER, insert_links, link_row, sealed_row
from bench.scale import Scale
from bot.settings import read_key
from bot.storage import Storage, open_storage
from bot.storage.vault import Vault, new_key

ACCESS, REFRESH = "BQ" + "a" * 160, "AQ" + "r" * 128
"""As long as Spotify's."""
BLOCK, FEW = 50_000, 20


async def measure(scale: Scale) -> list[Line]:
    """Microseconds a look-up, one after another, of members in no order."""
    found: dict[int, list[float]] = {scale.few_members: [], scale.many_members: []}
    with tempfile.TemporaryDirectory(prefix="gatefold-bench-") as folder:
        key = new_key()
        opened: dict[int, tuple[Storage, list[int]]] = {}
        try:
            for count in found:
                storage = await open_storage(Path(folder) / str(count) / "gatefold.db", [read_key(key)])
                opened[count] = storage, random.Random(count).choices(range(count), k=scale.lookups)
                await _fill(storage, count, Vault([read_key(key)]), set(opened[count][1]))
            for round_ in range(-1, scale.rounds):  # the first one warms
                took = dict.fromkeys(found, 0.0)
                # A few at a time, in turn: what the machine does besides falls on both alike.
                for start in range(0, scale.lookups, FEW):
                    for count in found if start // FEW % 2 == 0 else reversed(found):
                        storage, members = opened[count]
                        took[count] += await _look_up(storage, members[start : start + FEW])
                for count, seconds in took.items() if round_ >= 0 else ():
                    found[count].append(seconds / scale.lookups * 1e6)
        finally:
            for storage, _ in opened.values():
                await storage.close()
    few, many = found.values()
    what = f"token look-up with {scale.many_members:,} members (floor: itself with {scale.few_members:,})"
    return [compared(what, few, many, "µs", 1.2, digits=0)]


async def _look_up(storage: Storage, members: list[int]) -> float:
    """Seconds for these members."""
    begun = time.perf_counter()
    for number in members:
        stored = await storage.links.tokens(MEMBER + number)
        assert stored is not None
        assert stored.access_token == ACCESS
    return time.perf_counter() - begun


async def _fill(storage: Storage, count: int, vault: Vault, looked_up: set[int]) -> None:
    """So many links; those that are looked up are sealed for real, the others are as long."""
    access, refresh = vault.seal(ACCESS, 0, "access"), vault.seal(REFRESH, 0, "refresh")

    def rows(block: range) -> Iterator[tuple[object, ...]]:
        for number in block:
            member, account = MEMBER + number, f"acc-{number:07}"
            if number in looked_up:
                yield link_row(vault, member, account, ACCESS, REFRESH)
            else:
                yield sealed_row(member, account, os.urandom(len(access)), os.urandom(len(refresh)))

    for start in range(0, count, BLOCK):
        block = range(start, min(start + BLOCK, count))
        await storage.database.write(partial(insert_links, rows=rows(block)))
    await storage.database.truncate_log()
