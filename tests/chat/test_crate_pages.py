"""`/curate crate page` on the wire: on, another address, off, and where members find it."""

from __future__ import annotations

import re
from typing import Any

import aiohttp

from tests.test_story import said
from tests.world import ADA, FIRST, World


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


def address(text: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/crate/[\w-]{32}", text)
    assert found is not None, text
    return found[0]


async def page(world: World, action: str, **options: Any) -> str:
    return await said(await world.discord.slash(ADA, "curate crate page", {"action": action, **options}))


async def shown(world: World) -> str:
    return await said(await world.discord.slash(ADA, "crate show", {}))


async def test_the_page_of_a_crate_is_off_at_first_and_can_be_turned_on_renewed_and_off(world: World) -> None:
    await said(await world.discord.slash(ADA, "crate add", {"album": FIRST}))
    assert "/crate/" not in await shown(world)
    assert "is off. Turn it on with" in await page(world, "renew")
    assert "is off. Turn it on with" in await page(world, "off")
    first = address(await page(world, "on"))
    assert address(await page(world, "on")) == first
    assert address(await shown(world)) == first
    assert await status_of(first) == 200
    second = address(await page(world, "renew"))
    assert await status_of(first) == 404
    assert await status_of(second) == 200
    assert address(await shown(world)) == second
    assert "Nobody can open its address any more" in await page(world, "off")
    assert await status_of(second) == 404
    assert "/crate/" not in await shown(world)


async def test_a_crate_that_is_not_there_has_no_page(world: World) -> None:
    for action in ("on", "off", "renew"):
        assert "There is no crate called “Nothing” here" in await page(world, action, crate="Nothing")
