"""The metrics: what they count, what they never hold, and the papers that tell of them."""

from __future__ import annotations

import asyncio
import json
import math
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import prometheus_client
import pytest

from bot import app
from bot.chat import help
from bot.chat.first_answers import FirstAnswers
from bot.chat.reply import RECEIVED, Visibility
from bot.monitoring.metrics import LAG_EVERY_S, Metrics
from bot.sandbox.faults import FAULTS
from bot.sandbox.standin import free_port
from bot.spotify.gate import Gate
from bot.web import ops
from tests.discord_wire import WireInteraction, texts
from tests.scrape import PARTS, Scrape
from tests.world import ADA, BEN, FIRST, SECOND, World, made

ROOT = Path(__file__).resolve().parents[2]
WRITE, CONTAINS = "/v1/me/albums", "/v1/me/albums/contains"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The bot with its metrics."""
    async with made(tmp_path, metrics_port=free_port()) as world, world.running():
        yield world
        assert world.discord.problems == []


def metrics_of(world: World) -> Metrics:
    assert world.bot.metrics is not None
    return world.bot.metrics


async def scraped(world: World) -> Scrape:
    """A scrape, once nobody is being answered any more."""
    async with asyncio.timeout(60):
        while world.bot.reply.open:
            await asyncio.sleep(0.005)
    return Scrape((await metrics_of(world).scrape()).decode())


async def until_said(interaction: WireInteraction, words: str) -> None:
    async with asyncio.timeout(60):
        while not interaction.history or words not in "\n".join(texts(interaction.history[-1])):
            await asyncio.sleep(0.005)


# -- what is counted


async def test_interactions_are_counted_by_command_and_outcome(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    await until_said(saving, "Saved")
    await until_said(await world.discord.press(BEN, f"unlink:{ADA}", saving.history[-1]), "somebody else")
    await (await world.save(FIRST, BEN)).answered()
    scrape = await scraped(world)
    assert scrape("interactions_total", command="save", outcome="answered") == 1
    assert scrape("interactions_total", command="save", outcome="NotLinked") == 1
    assert scrape("interactions_total", command="button of another", outcome="answered") == 1


async def test_what_spotify_refuses_for_good_is_counted_as_that(world: World) -> None:
    await world.link(ADA)
    for fault in ("premium", "not_registered_json", "too_many_ids"):
        world.spotify.fault(path="/v1/me/albums/contains", **FAULTS[fault])
        await (await world.save(FIRST)).message()
    await world.idle()
    scrape = await scraped(world)
    for outcome in ("PremiumLapsed", "NotAllowlisted", "Refused"):
        assert scrape("interactions_total", command="save", outcome=outcome) == 1


async def test_the_first_answer_is_timed_when_discord_took_it_and_else_counted_as_lost(world: World) -> None:
    await until_said(await world.discord.slash(ADA, "help", {}), "library")
    world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown interaction"})
    await world.discord.slash(BEN, "help", {})
    async with asyncio.timeout(60):
        while (scrape := await scraped(world))("answers_lost_total", command="help") is None:
            await asyncio.sleep(0.01)
    assert scrape("answers_lost_total", command="help") == 1
    assert scrape("first_answer_seconds_count", command="help") == 1
    assert scrape("interactions_total", command="help", outcome="answered") == 2
    took = scrape("first_answer_seconds_sum", command="help")
    assert took is not None
    assert 0 < took < 3


async def test_a_slow_answer_is_timed_at_its_announcement(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=CONTAINS, delay_s=2.6)
    await until_said(await world.save(FIRST), "Saved")
    scrape = await scraped(world)
    assert scrape("first_answer_seconds_bucket", command="save", le="1.0") == 0
    assert scrape("first_answer_seconds_bucket", command="save", le="2.5") == 1


@dataclass
class Waited:
    """An interaction that came a while ago, as far as answering it needs one."""

    extras: dict[str, float]
    id: int = 1
    token: str = "token"
    type: None = None
    data: None = None
    locale: str = "en-US"


async def taken(*_: object) -> None:
    """Discord takes it."""


async def test_the_time_counts_from_the_arrival_and_not_from_the_command_s_turn(world: World) -> None:
    waited = Waited({})
    world.bot.client.dispatch("interaction", waited)
    assert waited.extras[RECEIVED] <= time.monotonic()
    waited.extras[RECEIVED] -= 7.0
    work = help.draw(world.bot.reply.words(None))
    world.bot.reply.first_answers = FirstAnswers(taken)
    await world.bot.reply(cast(Any, waited), work, name="help", visibility=Visibility.PRIVATE)
    took = (await scraped(world))("first_answer_seconds_sum", command="help")
    assert took is not None
    assert took >= 7.0


async def test_an_outage_of_spotify_shows_in_calls_outcomes_and_what_waits(world: World) -> None:
    await world.link(ADA)
    before = await scraped(world)
    assert (before("pending_changes"), before("pending_oldest_seconds")) == (0, 0)
    world.spotify.fault(path=WRITE, method="PUT", times=None, **FAULTS["unavailable"])
    await until_said(await world.save(f"{FIRST} {SECOND}"), "queued")
    scrape = await scraped(world)
    assert scrape("spotify_calls_total", call="write", outcome="5xx") == 3
    assert scrape("spotify_calls_total", call="contains", outcome="ok") == 1
    assert scrape("spotify_call_seconds_count", call="write") == 3
    assert scrape("interactions_total", command="save", outcome="TryLater") == 1
    assert scrape("pending_changes") == 2
    oldest = scrape("pending_oldest_seconds")
    assert oldest is not None
    assert 0 <= oldest < 60


async def test_a_429_shows_how_long_the_gate_is_closed(world: World) -> None:
    await world.link(ADA)
    assert (await scraped(world))("gate_closed_seconds") == 0
    world.spotify.fault(path=CONTAINS, **FAULTS["quota"])
    await until_said(await world.save(FIRST), "queued")
    scrape = await scraped(world)
    assert scrape("spotify_calls_total", call="contains", outcome="429") == 1
    closed = scrape("gate_closed_seconds")
    assert closed is not None
    assert 82_000 < closed <= 82_661


async def test_calls_under_way_are_counted_while_they_are(world: World) -> None:
    gate = world.app.gate
    await gate.enter(waits=False)
    assert (await scraped(world))("spotify_calls_in_flight") == 1
    gate.leave()
    assert (await scraped(world))("spotify_calls_in_flight") == 0


async def test_refreshes_are_counted_by_outcome(world: World) -> None:
    await world.link(ADA)
    world.spotify.expire_access_tokens()
    await until_said(await world.save(FIRST), "Saved")
    world.spotify.expire_access_tokens()
    world.spotify.revoke_consent("ada")
    await until_said(await world.save(SECOND), "no longer connected")
    scrape = await scraped(world)
    assert scrape("refreshes_total", outcome="refreshed") == 1
    assert scrape("refreshes_total", outcome="GrantRefused") == 1
    assert scrape("spotify_calls_total", call="token", outcome="400") == 1


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        *[(200, "ok"), (204, "ok"), (302, "3xx"), (404, "404"), (418, "4xx"), (503, "5xx"), (999, "5xx"), (0, "1xx")],
        *[("ServerTimeoutError", "timeout"), ("ClientOSError", "no answer"), ("cancelled", "cancelled")],
    ],
)
async def test_whatever_comes_of_a_call_is_one_of_few_words(world: World, outcome: int | str, word: str) -> None:
    metrics_of(world).called("album", outcome, 0.1)
    assert (await scraped(world))("spotify_calls_total", call="album", outcome=word) == 1


async def test_parts_are_those_of_readyz(world: World) -> None:
    world.app.health.is_refused = True
    scrape = await scraped(world)
    assert {part: scrape("part_ready", part=part) for part in PARTS} == {
        **dict.fromkeys(PARTS, 1.0),
        "spotify_app": 0.0,
    }


async def test_a_loop_that_comes_back_late_is_seen(world: World) -> None:
    clock = [100.0]
    late = iter((0.0, 0.3, 4.0))

    async def sleep(seconds: float) -> None:
        assert seconds == LAG_EVERY_S
        if (more := next(late, None)) is None:
            raise asyncio.CancelledError
        clock[0] += seconds + more

    metrics = of_its_own(world, monotonic=lambda: clock[0], sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await metrics.watch_loop()
    scrape = Scrape((await metrics.scrape()).decode())
    buckets = {le: scrape("loop_lag_seconds_bucket", le=le) for le in ("0.002", "0.25", "0.5", "2.5", "+Inf")}
    assert buckets == {"0.002": 1, "0.25": 1, "0.5": 2, "2.5": 2, "+Inf": 3}


async def test_a_database_that_hangs_costs_its_figures_and_not_the_scrape(world: World) -> None:
    metrics = of_its_own(world, patience_s=0.05)
    assert Scrape((await metrics.scrape()).decode())("pending_changes") == 0
    go_on = threading.Event()
    hanging = asyncio.ensure_future(world.bot.storage.database.read(lambda _: go_on.wait(10)))
    more = [asyncio.ensure_future(world.bot.storage.database.is_answering()) for _ in range(3)]
    try:
        await asyncio.sleep(0)  # they are in the queue now
        async with asyncio.timeout(5):
            scrape = Scrape((await metrics.scrape()).decode())
    finally:
        go_on.set()
        await asyncio.gather(hanging, *more)
    for name in ("pending_changes", "pending_oldest_seconds", "database_answer_seconds"):
        assert math.isnan(scrape(name) or 0.0), name
    jobs = scrape("database_jobs_waiting")
    assert jobs is not None
    assert jobs >= 3
    assert scrape("part_ready", part="database") is None
    assert scrape("gate_closed_seconds") == 0


def of_its_own(world: World, **how: Any) -> Metrics:
    """Metrics of the running bot with other clocks; nothing is told to them."""
    storage = world.bot.storage
    return Metrics(lambda: [Gate()], storage.database, storage.changes, world.bot.readiness, **how)


# -- what they never hold


async def test_no_label_holds_what_somebody_sent(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    await until_said(saving, "Saved")
    for custom_id in (f"undo:{ADA}", "save:" + SECOND, "drop:123", "secret-verb:1", f'x"{{}}\n{ADA}', "unlink-ask:1"):
        pressed = await world.discord.press(ADA, custom_id, saving.history[-1])
        await pressed.answered()
    for text in ("secret words", "https://spotify.link/AbCdEf", "https://open.spotify.com/playlist/" + FIRST):
        await (await world.save(text)).answered()
    for fault in ("server_error", "invalid_id", "not_registered_text"):
        world.spotify.fault(path="/v1/*", times=3, **FAULTS[fault])
        await (await world.save(SECOND)).answered()
    scrape = await scraped(world)
    assert scrape.strange() == []
    for word in ("secret", str(ADA), FIRST, SECOND, "AbCdEf", world.settings.spotify_client_id, str(saving.id)):
        assert word not in scrape.text
    for secret in world.spotify.secrets | world.discord.secrets | set(world.settings.secrets()):
        assert secret not in scrape.text


async def test_our_own_fault_is_counted_without_its_number(world: World) -> None:
    await world.link(ADA)
    await world.bot.storage.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER fault BEFORE INSERT ON change_requests BEGIN SELECT RAISE(ABORT, 'a fault'); END"
        )
    )
    await until_said(await world.save(FIRST), "Something broke on our side")
    scrape = await scraped(world)
    assert scrape("interactions_total", command="save", outcome="InternalError") == 1
    assert scrape.strange() == []


async def test_nothing_is_in_the_librarys_own_registry_and_no_series_says_when_it_was_made(world: World) -> None:
    assert b"gatefold" not in prometheus_client.generate_latest()
    await (await world.discord.slash(ADA, "help", {})).answered()
    assert "_created" not in (await scraped(world)).text


# -- where they are served


async def get(url: str) -> tuple[int, str, Mapping[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text(), response.headers


async def test_they_are_served_at_their_own_port_alone(tmp_path: Path) -> None:
    port = free_port()
    async with made(tmp_path, metrics_port=port) as world, world.running() as services, app.measuring(services):
        status, text, headers = await get(f"http://127.0.0.1:{port}/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert Scrape(text)("part_ready", part="gateway") == 1
        assert (await get(f"{world.settings.public_url}/metrics"))[0] == 404
        for path in ("/", "/healthz", "/privacy"):
            assert (await get(f"http://127.0.0.1:{port}{path}"))[0] == 404


async def test_a_connection_that_asks_nothing_is_closed() -> None:
    async def scrape() -> bytes:
        return b""

    port = free_port()
    async with ops.serving_metrics(scrape, "127.0.0.1", port, idle_s=0.2), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_they_are_off_and_on_loopback_unless_a_host_says_otherwise(tmp_path: Path) -> None:
    async with made(tmp_path) as world, world.running() as services:
        assert (world.settings.metrics_port, world.settings.metrics_host) == (0, "127.0.0.1")
        assert services.metrics is None
        before = asyncio.all_tasks()
        async with app.measuring(services):
            assert not [task for task in asyncio.all_tasks() - before if task.get_name() == "loop watch"]


# -- the papers


async def test_the_table_in_the_reference_names_exactly_what_is_scraped(world: World) -> None:
    section = (ROOT / "docs/reference.md").read_text(encoding="utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \|([^|]*)\| (.+) \|$", section, re.MULTILINE)
    shown = {name: {label.strip(" `") for label in labels.split(",")} - {""} for name, labels, _ in rows}
    assert len(shown) == len(rows)
    scrape = await exercised(world)
    assert set(shown) == scrape.names
    for family in scrape.families:
        name = family.name + ("_total" if family.type == "counter" else "")
        found = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert shown[name] == found, name


async def test_the_dashboard_shows_every_metric_and_no_other(world: World) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert queries
    named = {name for query in queries for name in re.findall(r"\b(?:gatefold|process)_[a-z_]+", query)}
    scrape = await exercised(world)
    samples = {sample.name: family for family in scrape.families for sample in family.samples}
    assert named - set(samples) == set()
    shown = {samples[name].name for name in named}
    assert {family.name for family in scrape.families} - shown == set()
    for query in queries:
        for labels in re.findall(r"by \(([^)]*)\)", query):
            used = [samples[name] for name in re.findall(r"\b(?:gatefold|process)_[a-z_]+", query)]
            known = {label for family in used for sample in family.samples for label in sample.labels}
            assert {label.strip() for label in labels.split(",")} <= known, query


def test_the_dashboard_asks_for_its_source_and_its_panels_have_a_place_of_their_own() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text(encoding="utf-8"))
    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
            assert all('instance=~"$instance"' in target["expr"] for target in panel["targets"])


async def exercised(world: World) -> Scrape:
    """A scrape after everything happened once that a metric tells of."""
    await world.link(ADA)
    world.spotify.expire_access_tokens()
    await until_said(await world.save(FIRST), "Saved")
    metrics_of(world).answered("help", "cancelled", None)
    return await scraped(world)
