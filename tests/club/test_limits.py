"""The longest names and the fullest lists, in every language, within what Discord takes."""

from __future__ import annotations

import pytest

from bot.sandbox.catalogue import Album, Artist, Track
from tests.club.stage import CURATOR, Server
from tests.club.test_curators import changed
from tests.discord_wire import WireFile, flatten, texts
from tests.world import ADA, World

MEMBERS = [300_000_000_000_000_000 + place for place in range(25)]


def longest(place: int) -> Album:
    """An album whose names are as long as Spotify has them, of characters that must be escaped."""
    name = "*_[" * 80
    track = Track(f"{place:022}", "Song", 1, 1000)
    return Album(f"{place:022}".replace("0", "Z"), name, (Artist(f"{place:022}", name),), "1999", "album", (track,))


@pytest.mark.parametrize("locale", ["en-US", "de", "fr", "es-ES", "pt-BR", "ja"])
async def test_25_albums_with_the_longest_names_can_be_voted_on_and_shown(world: World, locale: str) -> None:
    server = Server(world)
    world.spotify.catalogue.add([longest(place) for place in range(25)])
    server.albums = [longest(place).id for place in range(25)]
    preview = await world.discord.slash(
        200_000_000_000_000_009,
        "curate new",
        {"name": "*" * 60, "pick": "vote", "day": "tuesday", "time": "20:00"},
        locale=locale,
        guild_locale=locale,
    )
    await preview.message(8.0)
    start = next(part["custom_id"] for part in flatten(preview.history[-1]["components"]) if part.get("custom_id"))
    await world.discord.press(200_000_000_000_000_009, start, preview.history[-1], locale=locale, guild_locale=locale)
    await server.post()
    for place, member in enumerate(MEMBERS):
        said = await world.discord.slash(
            member, "club nominate", {"album": server.albums[place], "note": "|" * 500}, locale=locale
        )
        await said.message(8.0)
    await (await world.discord.slash(ADA, "club nominations", {}, locale=locale)).message(8.0)
    await server.to_vote()
    vote = await server.post()
    assert len("\n".join(texts(vote))) < 4000
    for member in MEMBERS[:5]:
        await server.vote(member, *range(5))
    await server.to_club_hour()
    await server.post()
    await server.post()
    for member in MEMBERS:
        await server.rate(member, "3", review="|" * 1000)
    await (await world.discord.slash(ADA, "club result", {}, locale=locale)).message(8.0)
    await server.to_club_hour()
    await server.post()
    for what in ("club now", "club history", "club standings", "curate log", "curate settings"):
        await (await world.discord.slash(ADA, what, {}, locale=locale)).message(8.0)
    await server.quiet()


async def test_approval_takes_all_25_albums_on_one_ballot(world: World) -> None:
    server = Server(world)
    await server.start()
    await changed(server, "counting", {"method": ["approval"]})
    ids = sorted(world.spotify.catalogue.albums)[:25]
    for member, id_ in zip(MEMBERS, ids, strict=True):
        await server.said("nominate", member, album=id_)
    await server.to_vote()
    await server.post()
    opened = await server.club("vote", ADA)
    await server.until(lambda: opened.callback is not None)
    receipt = await server.read(await world.discord.submit(ADA, opened, {"approved": ids}))
    assert receipt.count("\n- ") == 25


@pytest.mark.parametrize("locale", ["en-US", "de", "ja"])
async def test_the_fullest_preview_of_a_spreadsheet_is_within_what_discord_takes(world: World, locale: str) -> None:
    server = Server(world)
    await server.start("*" * 60)
    long = "*_[`" * 20
    people = [f"{'*_' * 12}{place:02}" for place in range(30)]
    for place, name in enumerate(people):
        if place % 2:
            world.discord.join(MEMBERS[0] + 100 + place, name)
    columns = [
        "Date",
        "Album",
        "Picker",
        *(f"Score {name}" for name in people),
        *(f"Year {long}{n}" for n in range(20)),
    ]
    rows = [[f"2020-01-{n:02}", f"{long}{n}", people[n % 30], *["4"] * 30, *["x"] * 20] for n in range(1, 29)]
    rows += [["", f"{long}{n}", "", *[long] * 50] for n in range(20)]
    text = "\n".join(";".join(row) for row in [columns, *rows])
    file = WireFile(f"{'_' * 200}.csv", text.encode())
    asked = await world.discord.slash(CURATOR, "curate import", {"file": file}, locale=locale)
    assert f"<@{MEMBERS[0] + 101}>" in "\n".join(texts(await asked.message(60.0)))
    for broken in (";".join([long] * 90) + "\n1;2", "Date,Album\n" + "03/04/2021,x\n"):
        asked = await world.discord.slash(
            CURATOR, "curate import", {"file": WireFile(file.name, broken.encode())}, locale=locale
        )
        await asked.message(60.0)
