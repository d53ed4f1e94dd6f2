"""The real process, scraped: what it counts, what it says of being ready, and the port at which it does."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp

from bot.sandbox.faults import FAULTS
from bot.sandbox.standin import free_port
from tests.process.harness import START_S, Outside, Running, sentences, until_said
from tests.scrape import PARTS, Scrape
from tests.world import ADA, BEN, FIRST, SECOND

WRITE = "/v1/me/albums"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def ready(process: Running) -> tuple[int, dict[str, bool]]:
    status, text = await get(f"{process.url}/readyz")
    return status, json.loads(text)


async def until_counted(port: int, name: str, **labels: str) -> Scrape:
    """The first scrape in which this sample is, and is not 0."""
    async with asyncio.timeout(START_S):
        while not (scrape := Scrape((await get(f"http://127.0.0.1:{port}/metrics"))[1]))(name, **labels):
            await asyncio.sleep(0.02)
    return scrape


async def test_a_save_an_outage_and_a_refresh_are_counted_and_nothing_secret_is(out: Outside) -> None:
    port = free_port()
    await out.link(ADA, "ada")
    async with out.running(METRICS_PORT=str(port)) as process:
        out.spotify.expire_access_tokens()
        first = await out.save(FIRST)
        await until_said(first, "Saved")
        out.spotify.fault(path=WRITE, method="PUT", times=None, **FAULTS["unavailable"])
        await until_said(second := await out.save(SECOND), "queued")
        scrape = await until_counted(port, "interactions_total", command="save", outcome="TryLater")
        assert scrape("interactions_total", command="save", outcome="answered") == 1
        assert scrape("first_answer_seconds_count", command="save") == 2
        assert scrape("refreshes_total", outcome="refreshed") == 1
        assert (
            scrape("spotify_calls_total", call="token", outcome="ok") == 2
        )  # the refresh, and the check of the secret at the start
        assert scrape("spotify_calls_total", call="write", outcome="ok") == 1
        assert scrape("pending_changes") == 1
        assert {part: scrape("part_ready", part=part) for part in PARTS} == dict.fromkeys(PARTS, 1.0)
        scrape = await until_counted(port, "loop_lag_seconds_count")
        memory = next(family for family in scrape.families if family.name == "process_resident_memory_bytes")
        assert memory.samples[0].value > 10_000_000

        # an outage of Spotify's does not make it unready
        assert await ready(process) == (200, dict.fromkeys(PARTS, True))
        out.spotify.clear_faults()
        await until_said(second, "Saved")

        assert scrape.strange() == []
        for word in (*out.secrets(), str(ADA), FIRST, SECOND, str(first.id), str(out.folder)):
            assert word not in scrape.text
        assert (await get(f"{process.url}/metrics"))[0] == 404
        assert (await get(f"http://127.0.0.1:{port}/readyz"))[0] == 404


async def test_it_is_unready_while_spotify_refuses_the_app_and_ready_after_the_next_success(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with out.running() as process:
        out.spotify.expire_access_tokens()
        out.spotify.fault(path="/api/token", times=None, **FAULTS["invalid_client"])
        await until_said(await out.save(FIRST), "host")
        assert await ready(process) == (503, {**dict.fromkeys(PARTS, True), "spotify_app": False})
        health = await process.health()
        assert health is not None
        assert health[0] == 200
        out.spotify.clear_faults()
        await until_said(await out.save(SECOND), "Saved")
        assert (await ready(process))[0] == 200


async def test_it_is_unready_from_sigterm_on_while_what_is_in_flight_finishes(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    assert (await ready(process))[0] == 200
    out.spotify.fault(path=f"{WRITE}/contains", delay_s=3.0)
    saving = await out.save(FIRST)
    await until_called(out, f"{WRITE}/contains")
    stopping = asyncio.create_task(process.terminate())
    async with asyncio.timeout(60):
        while (answer := await ready(process))[0] == 200:
            await asyncio.sleep(0.02)
    assert answer == (503, {**dict.fromkeys(PARTS, True), "accepting": False})
    await stopping
    await until_said(saving, "Saved")


async def until_called(out: Outside, path: str) -> None:
    """Until a call to this path of Spotify's has arrived."""
    async with asyncio.timeout(60):
        while not [call for call in out.spotify.calls if call.path == path]:
            await asyncio.sleep(0.01)


async def test_it_is_unready_before_discord_is_there(out: Outside) -> None:
    await out.go_offline()
    process = await out.start(ready=False)
    await process.until_health(503)
    status, parts = await ready(process)
    assert (status, parts["commands"], parts["gateway"], parts["database"]) == (503, False, False, True)
    await process.terminate()


async def test_a_metrics_port_in_use_is_told_in_one_sentence(out: Outside) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (said,) = sentences(await out.refused(METRICS_PORT=str(port)))
    assert said == (
        f"Another program already listens at 127.0.0.1:{port}. Stop that program, or set another METRICS_PORT."
    )


async def test_members_at_once_are_each_counted_once(out: Outside) -> None:
    port = free_port()
    members = {ADA + number: f"m{number}" for number in range(5)} | {BEN + 100: "ben"}
    for member, account in members.items():
        await out.link(member, account)
    async with out.running(METRICS_PORT=str(port)):
        for interaction in [await out.save(FIRST, member) for member in members]:
            await until_said(interaction, "Saved")
        async with asyncio.timeout(60):
            while True:
                scrape = await until_counted(port, "interactions_total", command="save", outcome="answered")
                if scrape("interactions_total", command="save", outcome="answered") == len(members):
                    break
                await asyncio.sleep(0.02)
        assert scrape("first_answer_seconds_count", command="save") == len(members)
