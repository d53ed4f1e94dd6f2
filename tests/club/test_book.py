"""The club book as curators and members see it on the wire."""

from __future__ import annotations

import re

import aiohttp

from tests.club.stage import Server
from tests.world import ADA, BEN, World


async def opened(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


def address(text: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/club/[\w-]{32}", text)
    assert found is not None, text
    return found[0]


async def test_a_curator_turns_the_book_on_renews_it_and_turns_it_off(world: World) -> None:
    server = Server(world)
    await server.start()
    assert "/club/" not in await server.said("now")
    assert "The club book is off" in await server.ordered("book off")
    assert "The club book is off" in await server.ordered("book renew")

    said = await server.ordered("book on")
    assert "only on the machine that runs this bot" in said
    first = address(said)
    assert address(await server.said("now", BEN)) == first
    assert (await opened(first))[0] == 200

    second = address(await server.ordered("book renew"))
    assert second != first
    assert (await opened(first))[0] == 404
    assert address(await server.said("now", BEN)) == second

    assert "Nobody can open its address any more" in await server.ordered("book off")
    assert (await opened(second))[0] == 404
    assert "/club/" not in await server.said("now")
    log = await server.ordered("log")
    for did in ("turned the club book on", "gave the club book another address", "turned the club book off"):
        assert log.count(did) == 1


async def test_a_member_is_named_in_the_book_after_they_say_so_in_mydata_and_not_before(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA, note="Side two.")
    await server.to_club_hour()
    await server.quiet()
    url = address(await server.ordered("book on"))
    _, page = await opened(url)
    assert "Nominated by a member. It was the only nomination." in page
    assert "Side two." in page

    data = await world.discord.slash(ADA, "mydata", {})
    await data.message(8.0)
    changed = await server.press(data.history[-1], "Name me on public pages", ADA)
    assert "Public pages of clubs and crates call you" in await server.read(changed)
    _, page = await opened(url)
    chosen = await world.bot.storage.preferences.get(ADA)  # type: ignore[arg-type]
    assert chosen.shown_name
    assert f"Nominated by <bdi>{chosen.shown_name}</bdi>." in page


async def test_ratings_are_in_the_book_from_the_summary_on(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.to_club_hour()
    await server.quiet()
    url = address(await server.ordered("book on"))
    await server.rate(ADA, "4.5", review="It grows on you.")
    await server.rate(BEN, "4")
    assert "It grows on you." not in (await opened(url))[1]
    await server.to_club_hour()
    await server.quiet()
    _, page = await opened(url)
    assert "It grows on you." in page
    assert "<dd>4.25 <small>of 5</small></dd>" in page
