"""The request id: one short id in all that is logged for a request, and the number that people read when it breaks."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from bot import logs
from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, texts
from tests.log import Start, restored
from tests.world import ADA, FIRST, SECOND, World, made

NUMBER = re.compile(r"\(([a-z2-7]{8})\)")


@pytest.fixture
def start() -> Iterator[Start]:
    with restored() as start:
        yield partial(start, "json")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def about(stream: io.StringIO, interaction: WireInteraction) -> dict[str, Any]:
    """An interaction's own line."""
    [line] = [line for line in lines(stream) if line["event"] == "interaction" and line["id"] == int(interaction.id)]
    return line


async def told(interaction: WireInteraction, words: str) -> str:
    async with asyncio.timeout(60):
        while not interaction.history or words not in (text := "\n".join(texts(interaction.history[-1]))):
            await asyncio.sleep(0.005)
    return text


async def quiet(world: World) -> None:
    """Until nobody is being answered any more."""
    async with asyncio.timeout(60):
        while world.bot.reply.open:
            await asyncio.sleep(0.005)


async def break_at(world: World, when: str) -> None:
    """A mistake of our own, as the code meets it: a rule of the database that is broken."""
    trigger = f"CREATE TRIGGER fault BEFORE {when} BEGIN SELECT RAISE(ABORT, 'a fault'); END"
    await world.bot.storage.database.write(lambda c: c.execute(trigger))


async def test_all_that_is_logged_while_a_command_is_served_has_its_id(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await world.link(ADA)
        world.spotify.expire_access_tokens()
        saving, helping = await world.save(FIRST), await world.discord.slash(ADA, "help", {})
        await told(saving, "Saved")
        await world.idle()
        first, second = about(stream, saving), about(stream, helping)
        assert re.fullmatch(r"[a-z2-7]{8}", first["request"])
        assert first["request"] != second["request"]
        calls = [line for line in lines(stream) if line["event"] == "spotify"]
        assert {call["call"] for call in calls} == {"contains", "album", "token", "write"}
        assert {call["request"] for call in calls} == {first["request"]}


async def test_two_members_at_once_keep_their_ids_apart(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        members = {ADA + number: f"m{number}" for number in range(6)}
        for member, account in members.items():
            await world.link(member, account)
        saving = [await world.save(FIRST, member) for member in members]
        for interaction in saving:
            await told(interaction, "Saved")
            await world.idle()
        ids = [about(stream, interaction)["request"] for interaction in saving]
        assert len(set(ids)) == len(ids)
        writes = [line["request"] for line in lines(stream) if line.get("call") == "write"]
        assert sorted(writes) == sorted(ids)


async def test_the_same_interaction_has_the_same_id_at_any_time(start: Start) -> None:
    stream = start()
    for interaction in (10**18, 10**18 + 1, 10**18):

        async def serve(number: int = interaction) -> None:
            logs.serve(number)
            structlog.get_logger("gatefold.test").info("served")

        await asyncio.create_task(serve())
    first, second, again = [line["request"] for line in lines(stream)]
    assert first == again
    assert first != second


async def test_what_is_logged_outside_of_requests_has_no_id(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await (await world.discord.slash(ADA, "help", {})).answered()
        await world.idle()
        structlog.get_logger("gatefold.test").info("something else")
    without = {line["event"] for line in lines(stream) if "request" not in line}
    assert {"commands registered", "ready", "something else"} <= without


@pytest.mark.parametrize(
    ("when", "event"),
    [
        ("INSERT ON change_requests", "a command broke"),
        ("UPDATE OF was_saved ON library_changes", "a change could not be carried out"),
    ],
)
async def test_the_number_that_a_member_reads_finds_the_cause(
    tmp_path: Path, start: Start, when: str, event: str
) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await world.link(ADA)
        await break_at(world, when)
        saving = await world.save(FIRST)
        number = NUMBER.search(await told(saving, "Something broke on our side"))
        assert number is not None
        await quiet(world)
        found = [line for line in lines(stream) if line.get("request") == number[1]]
        assert {event, "interaction"} <= {line["event"] for line in found}
        assert [line for line in found if "a fault" in line.get("exception", "")]
        assert about(stream, saving)["outcome"] == "InternalError"


async def test_a_change_that_breaks_when_it_is_tried_again_has_a_number_in_the_log(
    tmp_path: Path, start: Start
) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await world.link(ADA)
        world.spotify.fault(path="/v1/me/albums", method="PUT", times=None, **FAULTS["unavailable"])
        await told(await world.save(FIRST), "queued")
        await break_at(world, "UPDATE OF was_saved ON library_changes")
        world.spotify.clear_faults()
        async with asyncio.timeout(60):
            while not (
                broke := [line for line in lines(stream) if line["event"] == "a change could not be carried out"]
            ):
                await asyncio.sleep(0.02)
        assert re.fullmatch(r"[a-z2-7]{8}", broke[0]["request"])


async def test_each_request_of_a_page_has_an_id_of_its_own(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running(), aiohttp.ClientSession() as browser:
        for _ in range(2):  # over one connection
            async with browser.get(f"{world.settings.public_url}/link/{'x' * 32}") as page:
                assert page.status == 400
                text = await page.text()
    first, second = [line["request"] for line in lines(stream) if line["event"] == "refused"]
    assert re.fullmatch(r"[a-z2-7]{8}", first)
    assert first != second
    assert second not in text


async def test_ordinary_answers_show_no_id(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await world.link(ADA)
        interactions = [
            await world.save(FIRST),
            await world.discord.slash(ADA, "help", {}),
            await world.save(FIRST, ADA + 1),
        ]
        for interaction in interactions:
            await interaction.answered()
        await quiet(world)
        for interaction in interactions:
            assert about(stream, interaction)["request"] not in json.dumps(interaction.history)


async def test_the_line_of_an_interaction_holds_nothing_that_the_member_wrote(tmp_path: Path, start: Start) -> None:
    stream = start()
    async with made(tmp_path) as world, world.running():
        await world.link(ADA)
        saving = await world.save(f"https://open.spotify.com/album/{SECOND}")
        await told(saving, "Saved")
        typed = [await world.save(text) for text in ("my own words", f"https://open.spotify.com/playlist/{FIRST}")]
        pressed = await world.discord.press(ADA, "my-own-verb:my-own-words", saving.history[-1])
        for interaction in (*typed, pressed):
            await interaction.answered()
        await world.idle()
        for interaction in (saving, *typed, pressed):
            line = about(stream, interaction)
            fields = {
                "event",
                "level",
                "logger",
                "timestamp",
                "request",
                "id",
                "name",
                "outcome",
                "arrived",
                "deferred",
            }
            assert set(line) == fields | {"ms"}
            assert not re.search(f"my.own|{FIRST}|{SECOND}|{ADA}", json.dumps(line))
