"""`/curate import`: an earlier spreadsheet becomes past rounds of a club, and is taken back exactly."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.curation.club import Round
from bot.curation.ratings import Score
from bot.sandbox.faults import FAULTS
from bot.storage.club_imports import ImportState
from tests.club.stage import CURATOR, ONE, Server
from tests.discord_wire import Json, WireFile, WireInteraction, buttons, flatten, texts
from tests.world import ADA, BEN, CHLOE, World, made


def csv_file(*lines: str, name: str = "club.csv") -> WireFile:
    return WireFile(name, "\n".join(lines).encode())


async def sent(server: Server, file: WireFile, **options: Any) -> WireInteraction:
    """`/curate import` with a file, until its preview is there."""
    asked = await server.curate("import", file=file, **options)
    await asked.message(60.0)
    return asked


def message_of(server: Server, interaction: WireInteraction) -> Json:
    return server.world.discord.messages[interaction.original_id or ""]


def said(server: Server, interaction: WireInteraction) -> str:
    return "\n".join(texts(message_of(server, interaction)))


def rows_in(server: Server, interaction: WireInteraction) -> list[dict[str, str]]:
    """The rows of the file that hangs on a message."""
    message = message_of(server, interaction)
    (attachment,) = message["attachments"]
    content = next(file.content for path, file in server.world.discord.files.items() if f"/{attachment['id']}/" in path)
    return [*csv.DictReader(io.StringIO(content.decode("utf-8-sig")))]


async def until_said(server: Server, interaction: WireInteraction, words: str) -> str:
    async with asyncio.timeout(60):
        while words not in said(server, interaction):
            server.wake()
            await asyncio.sleep(0.02)
    return said(server, interaction)


async def begun(server: Server, file: WireFile) -> WireInteraction:
    """Send a file and start; the interaction whose message tells how far it is."""
    asked = await sent(server, file)
    started = await server.press(message_of(server, asked), "Start", CURATOR)
    await server.until(lambda: started.callback is not None, 60)
    return asked


async def imported(server: Server, *lines: str) -> str:
    """Send a file, start, and read what came of it."""
    asked = await begun(server, csv_file(*lines))
    async with asyncio.timeout(60):
        while "mported" not in said(server, asked):
            server.wake()
            await asyncio.sleep(0.02)
    return said(server, asked)


def title(server: Server, album: int) -> tuple[str, str]:
    found = server.world.spotify.catalogue.albums[server.albums[album]]
    return found.title, found.artists[0].name


async def rounds(server: Server) -> list[Round]:
    return await server.world.bot.clubs.over(ONE)


async def scores(server: Server) -> list[tuple[int | None, Score]]:
    return [(one.member_id, one.score) for one in await server.world.bot.clubs.ratings(ONE)]


async def test_columns_are_quoted_as_the_language_quotes(world: World) -> None:
    server = Server(world)
    await server.start()
    file = csv_file("Date;Album;Artist;Mood", f"2024-01-02;{title(server, 0)[0]};{title(server, 0)[1]};blue")
    asked = await world.discord.slash(CURATOR, "curate import", {"file": file}, locale="de", guild_locale="de")
    await asked.message(60.0)
    assert "„Date“" in said(server, asked)
    assert "„Mood“" in said(server, asked)
    assert "“Date”" not in said(server, asked)


async def test_a_spreadsheet_becomes_rounds_that_history_standings_and_the_repeats_rule_know(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.join(BEN, "ben")
    world.discord.join(CHLOE, "chloe")
    (blue, by), url = title(server, 0), f"https://open.spotify.com/album/{server.albums[1]}"
    file = csv_file(
        "Picked by;Album;Artist;Date;Ada's score;Chloe's score",
        f"Ben;{blue};{by};31.01.2024;4,5;3",
        f"Nobody Known;{url};;14.02.2024;5;",
        ";;;15.02.2024;;",
    )
    asked = await sent(server, file)
    preview = said(server, asked)
    assert "2 rows of “club.csv” become past rounds" in preview
    assert f"Ben → <@{BEN}>" in preview
    assert "Nobody Known" in preview
    assert "line 4: it names no album" in preview
    assert "1 album has no link, so I search" in preview
    assert [row["line"] for row in rows_in(server, asked)] == ["2", "3", "4"]
    assert await rounds(server) == []
    searches = len([call for call in world.calls() if "/search" in call[1]])

    await server.press(message_of(server, asked), "Start", CURATOR)
    assert "Imported 2 past rounds" in await until_said(server, asked, "Imported")
    assert len([call for call in world.calls() if "/search" in call[1]]) - searches <= 2

    assert [(one.album_id, one.chosen_by, one.picker_name) for one in await rounds(server)] == [
        (server.albums[0], BEN, ""),
        (server.albums[1], None, "Nobody Known"),
    ]
    assert {(member, str(score)) for member, score in await scores(server)} == {
        (None, "4.5"),
        (CHLOE, "3"),
        (None, "5"),
    }
    history = await server.said("history")
    assert f"picked by <@{BEN}>, 3.75 of 5, 2 ratings" in history
    assert "picked by Nobody Known, 5 of 5" in history
    assert "By picker" in await server.said("standings")
    assert "The club had" in await server.nominate(0)
    assert "I will add" not in await server.nominate(2)
    await world.link(ADA)
    assert "2 albums of this club are not in your library" in await server.said("catchup")
    assert "imported 2 past rounds" in await server.ordered("log")


async def test_imports_that_are_not_listed_are_counted(world: World) -> None:
    server = Server(world)
    await server.start()
    for n in range(12):
        await imported(server, "date,album", f"2020-01-{n + 1:02},spotify:album:{server.albums[n]}")
    listed = await server.curate("import")
    assert "2 earlier imports are listed when some of these are taken back." in await server.read(listed)
    assert len(buttons(listed.history[-1])) == 10


async def test_an_import_is_undone_exactly(world: World) -> None:
    server = Server(world)
    await server.start()
    await imported(server, "date,album,rating", f"2020-01-01,spotify:album:{server.albums[0]},7/10")
    before = await rounds(server), await scores(server)
    more = [f"2021-01-0{n},spotify:album:{server.albums[n]},{n}/5,Dance" for n in range(1, 4)]
    assert "Imported 3 past rounds" in await imported(server, "date,album,rating,theme", *more)
    assert len(await rounds(server)) == 4
    listed = await server.curate("import")
    assert "1. “club.csv”, 3 rounds" in await server.read(listed)
    asked = await server.press(listed.history[-1], "Undo 1", CURATOR)
    assert "Take back 3 rounds" in await server.read(asked)
    undone = await server.press(asked.history[-1], "Take back", CURATOR)
    assert "3 rounds are gone" in await server.read(undone)
    assert (await rounds(server), await scores(server)) == before
    themes = await world.bot.storage.database.read(lambda c: world.bot.storage.clubs.themes_in(c, ONE))
    assert themes == {}
    again = await world.discord.press(CURATOR, f"club-import-undone:{CURATOR}:{asked.id}", listed.history[-1])
    assert "Already undone" in await server.read(again)


async def test_the_same_spreadsheet_again_adds_only_what_is_missing(world: World) -> None:
    server = Server(world)
    await server.start()
    rows = [f"2020-01-0{n},spotify:album:{server.albums[n]}" for n in range(1, 3)]
    await imported(server, "date,album", *rows)
    assert "Nothing new" in await until_done(server, "date,album", *rows)
    said_now = await imported(server, "date,album", *rows, f"2020-01-05,spotify:album:{server.albums[5]}")
    assert "Imported 1 past round of" in said_now
    assert [one.album_id for one in await rounds(server)] == [server.albums[n] for n in (1, 2, 5)]


async def until_done(server: Server, *lines: str) -> str:
    asked = await begun(server, csv_file(*lines))
    return await until_said(server, asked, "Nothing new")


async def test_the_order_of_day_and_month_is_asked_only_if_no_row_decides_it(world: World) -> None:
    server = Server(world)
    await server.start()
    link = f"spotify:album:{server.albums[0]}"
    asked = await sent(server, csv_file("date,album", f"03/04/2021,{link}"))
    assert "the day or the month" in said(server, asked)
    chosen = await server.press(message_of(server, asked), "Month first", CURATOR)
    assert "becomes a past round" in await server.read(chosen)
    await server.press(message_of(server, chosen), "Start", CURATOR)
    await until_said(server, asked, "Imported")
    (one,) = await rounds(server)
    assert one.imported_at is not None
    assert (one.imported_at.month, one.imported_at.day) == (3, 4)
    decided = await sent(server, csv_file("date,album", f"03/04/2021,{link}", f"13/04/2021,{link}"))
    assert "2 rows of" in said(server, decided)


async def test_an_import_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        async with world.running():
            server = Server(world)
            await server.start()
            albums = [title(server, n) for n in range(12)]
            world.spotify.fault(path="/v1/search", times=None, **FAULTS["unavailable"])
            lines = [f"2020-01-{n + 1:02},{name},{by}" for n, (name, by) in enumerate(albums)]
            asked = await begun(server, csv_file("date,album,artist", *lines))
            await server.until(lambda: any("/search" in call[1] for call in world.calls()), 60)
        world.spotify.faults.clear()
        async with world.running():
            world.ahead += timedelta(minutes=2)
            assert "Imported 12 past rounds" in await until_said(server, asked, "Imported")
            assert len(await rounds(server)) == 12


async def test_an_import_can_be_stopped_and_then_nothing_of_it_is_there(world: World) -> None:
    server = Server(world)
    await server.start()
    world.spotify.fault(path="/v1/search", times=None, **FAULTS["unavailable"])
    asked = await begun(server, csv_file("date,album,artist", "2020-01-01,Blue,Joni"))
    stopped = await server.press(message_of(server, asked), "Stop", CURATOR)
    assert "Stopped" in await server.read(stopped)
    assert await rounds(server) == []
    (one,) = await world.bot.storage.database.read(lambda c: c.execute("SELECT state FROM club_imports").fetchall())
    assert one["state"] == ImportState.STOPPED


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"album,artist\nBlue,Joni\n", "no column for the date"),
        (b"", "empty"),
        (b"PK\x03\x04 xl/workbook", "Save it as CSV"),
        (b"date,album\nyesterday,Blue\n", "its date cannot be read"),
    ],
)
async def test_what_is_wrong_with_a_file_is_said(world: World, content: bytes, says: str) -> None:
    server = Server(world)
    await server.start()
    asked = await sent(server, WireFile("club.csv", content))
    assert says in said(server, asked)


async def test_only_a_curator_of_this_server_can_use_the_buttons(world: World) -> None:
    server = Server(world)
    await server.start()
    asked = await sent(server, csv_file("date,album", f"2020-01-01,spotify:album:{server.albums[0]}"))
    (start,) = [one["custom_id"] for one in buttons(message_of(server, asked)) if one["label"] == "Start"]
    other = await world.discord.press(ADA, start, message_of(server, asked))
    assert "belongs to somebody else" in await server.read(other)
    forged = await world.discord.press(ADA, start.replace(str(CURATOR), str(ADA)), message_of(server, asked))
    assert "expired" in await server.read(forged)
    assert await rounds(server) == []


async def test_hostile_cells_are_shown_as_they_are(world: World) -> None:
    server = Server(world)
    await server.start()
    link = f"spotify:album:{server.albums[0]}"
    picker = "@everyone **x** [y](https://evil.example) \u202e" + "z" * 500
    done = await imported(server, "date,album,picker,why", f'2020-01-01,{link},"{picker}","{"n" * 3900}"')
    assert "Imported 1" in done
    history = await server.said("history")
    assert "@everyone" not in history
    assert "](https://evil" not in history
    assert "\u202e" not in history


async def test_a_forgotten_picker_and_rater_are_nobody_in_the_imported_rounds(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.join(BEN, "ben")
    await imported(server, "date,album,picker,Ben", f"2020-01-01,spotify:album:{server.albums[0]},<@{BEN}>,4")
    (one,) = await rounds(server)
    assert one.chosen_by == BEN
    exported = await world.bot.storage.export(BEN)
    assert "ratings" in exported
    assert exported["club_imports"] == [{"club_id": "1", "your_name_in_it": "ben"}]
    await world.bot.storage.forget(BEN)
    (one,) = await rounds(server)
    assert (one.chosen_by, one.picker_name) == (None, "")
    assert [member for member, _ in await scores(server)] == [None]


async def test_a_long_history_has_pages_with_who_kept_what(world: World) -> None:
    server = Server(world)
    await server.start()
    ids = sorted(world.spotify.catalogue.albums)[:30]
    picker = "_*~`" * 15
    rows = [f"2020-01-{n:02},spotify:album:{id_},{picker},4" for n, id_ in enumerate(ids, 1)]
    assert "Imported 30 past rounds" in await imported(server, "date,album,picker,rating", *rows)
    guild = GuildId(world.discord.GUILD)
    for album in (ids[-1], ids[0]):
        for member in (ADA, BEN, CHLOE, CURATOR):
            await world.bot.storage.crates.keep(guild, AlbumId(album), MemberId(member), world.now())
    shown = await server.club("history")
    first = await server.read(shown)
    assert "Page 1 of 3" in first
    assert f"kept by <@{ADA}>, <@{BEN}>, <@{CHLOE}>, and 1 more" in first
    last = await server.press(shown.history[-1], "Older")
    await server.read(last)
    last = await server.press(last.history[-1], "Older")
    text = await server.read(last)
    assert "Page 3 of 3" in text
    await world.link(ADA)
    offer = await server.club("catchup")
    assert "30 albums of this club" in await server.read(offer)
    more = await server.press(offer.history[-1], "Older")
    assert "Page 2 of 2" in await server.read(more)
    (select,) = [part for part in flatten(more.history[-1]["components"]) if part["type"] == 3]
    assert {option["value"] for option in select["options"]} == {*ids[:5]}
    assert text.count("<t:") == 6
    assert f"kept by <@{ADA}>" in text


async def test_an_excel_workbook_is_read_and_a_planned_row_is_left_out(world: World) -> None:
    server = Server(world)
    await server.start()
    book, data = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    for row in (
        ("Week", "Album", "Artist", "Ada"),
        (date(2020, 1, 6), *title(server, 0), 4.5),
        (date(2099, 1, 6), *title(server, 1), None),
    ):
        sheet.append(row)
    book.save(data)
    asked = await sent(server, WireFile("club.xlsx", data.getvalue()))
    assert "its date is in the future" in said(server, asked)
    await server.press(message_of(server, asked), "Start", CURATOR)
    await until_said(server, asked, "Imported 1 past round")
    assert [str(score) for _, score in await scores(server)] == ["4.5"]


async def test_after_a_restart_the_buttons_of_previews_say_what_to_do(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            new = await server.curate("new", name="C", pick="vote", day="monday", time="20:00")
            await new.message(60.0)
            asked = await sent(server, csv_file("date,album", f"2020-01-01,spotify:album:{server.albums[0]}"))
        async with world.running():
            for preview in (message_of(server, new), message_of(server, asked)):
                pressed = await server.press(preview, "Start", CURATOR)
                assert "Use the command again" in await server.read(pressed)
            assert len(await world.bot.clubs.of_guild(GuildId(world.discord.GUILD))) == 1
            assert await rounds(server) == []


async def test_two_curators_who_import_the_same_spreadsheet_at_once_make_each_round_once(world: World) -> None:
    server = Server(world)
    await server.start()
    rows = [f"2020-01-{n + 1:02},spotify:album:{id_}" for n, id_ in enumerate(server.albums[:8])]
    asked = [
        await world.discord.slash(curator, "curate import", {"file": csv_file("date,album", *rows)})
        for curator in (CURATOR, CHLOE)
    ]
    for one, curator in zip(asked, (CURATOR, CHLOE), strict=True):
        await one.message(60.0)
        await server.press(message_of(server, one), "Start", curator)
    ends = [await until_said(server, one, "mported") for one in asked]
    assert sorted("Nothing new" in end for end in ends) == [False, True]
    assert [one.album_id for one in await rounds(server)] == server.albums[:8]


async def test_finishing_an_import_twice_makes_no_round_twice(world: World) -> None:
    server = Server(world)
    await server.start()
    asked = await begun(server, csv_file("date,album", f"2020-01-01,spotify:album:{server.albums[0]}"))
    await until_said(server, asked, "Imported 1 past round")
    # a process that was killed after the rounds were stored finds its timer still there
    await world.bot.storage.timers.set("club import", f"import {asked.id}", world.now())
    await server.quiet()
    assert len(await rounds(server)) == 1
    assert len(world.discord.direct_messages.get(CURATOR, [])) == 0


async def test_a_server_that_is_forgotten_takes_its_imports_with_it(world: World) -> None:
    server = Server(world)
    await server.start()
    await imported(server, "date,album,rating", f"2020-01-01,spotify:album:{server.albums[0]},4")
    storage = world.bot.storage
    guild = GuildId(world.discord.GUILD)
    await storage.database.write(lambda c: c.execute("DELETE FROM clubs WHERE guild_id = ?", (guild,)))
    tables = ("club_imports", "club_import_rows", "club_rounds", "ratings")
    left = await storage.database.read(
        lambda c: [c.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables]
    )
    assert left == [0, 0, 0, 0]


async def test_a_name_of_two_members_or_of_nobody_known_stays_text(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.join(BEN, "ben")
    world.discord.join(CHLOE, "chloe", nick="Ben")
    world.discord.join(ADA, "adalbert")
    link = f"spotify:album:{server.albums[0]}"
    asked = await sent(server, csv_file("date,album,picker", f"2020-01-01,{link},Ben", f"2020-01-02,{link},Ada"))
    assert "No single member goes by these names: Ben and Ada." in said(server, asked)
    refused = {"code": 50001, "message": "Missing Access"}
    world.discord.fault("GET", "/guilds/*/members/search", status=403, json=refused, times=9)
    asked = await sent(server, csv_file("date,album,picker", f"2020-01-01,{link},Chloe"))
    assert "No single member goes by these names: Chloe." in said(server, asked)


async def test_names_can_be_kept_as_text_although_members_have_them(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.join(BEN, "ben")
    asked = await sent(server, csv_file("date,album,picker", f"2020-01-01,spotify:album:{server.albums[0]},Ben"))
    assert f"<@{BEN}>" in said(server, asked)
    as_text = await server.press(message_of(server, asked), "Keep names as text", CURATOR)
    assert f"<@{BEN}>" not in await server.read(as_text)
    await server.press(message_of(server, as_text), "Start", CURATOR)
    await until_said(server, asked, "Imported 1")
    (one,) = await rounds(server)
    assert (one.chosen_by, one.picker_name) == (None, "Ben")


async def test_a_long_import_ends_with_a_direct_message(world: World) -> None:
    server = Server(world)
    await server.start()
    world.spotify.fault(path="/v1/search", times=None, **FAULTS["unavailable"])
    name, by = title(server, 0)
    asked = await begun(server, csv_file("date,album,artist", f"2020-01-01,{name},{by}"))
    await server.until(lambda: any("/search" in call[1] for call in world.calls()), 60)
    world.ahead += timedelta(minutes=20)
    world.spotify.faults.clear()
    server.wake()
    told = "\n".join(texts(await world.discord.direct_message(CURATOR, 60.0)))
    assert "Imported 1 past round" in told
    assert "Imported" not in said(server, asked)


async def test_without_any_access_to_a_search_only_links_are_imported_and_the_file_says_so(tmp_path: Path) -> None:
    async with made(tmp_path, spotify_client_secret="") as world, world.running():
        server = Server(world)
        await server.start()
        asked = await begun(
            server, csv_file("date,album", f"2020-01-01,spotify:album:{server.albums[0]}", "2020-01-02,Blue")
        )
        await until_said(server, asked, "Imported 1 past round")
        (row,) = rows_in(server, asked)
        assert "Link your account" in row["why"]
        assert row["at"] == "3"
