"""What Prometheus reads: counters that other packages increase as they work, and gauges that are read at a scrape.

Labels take their values from small sets in the code. None contains an id, a name or anybody's text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from bot import __version__
from bot.errors import StorageUnavailable
from bot.spotify.gate import Gate
from bot.storage.changes import LibraryChanges
from bot.storage.database import Database

# Discord gives up on an interaction that has no first answer after 3 s.
ANSWER_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
CALL_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LAG_EVERY_S = 0.5
PATIENCE_S = 2.0
"""A scrape waits this long for the database, and then leaves out what only the database knows."""
_NAMED = (400, 401, 403, 404, 429)
"""Statuses of Spotify's that have a meaning of their own."""


class Metrics:
    """Everything that is measured, in a registry of its own."""

    def __init__(
        self,
        gates: Callable[[], Sequence[Gate]],
        database: Database,
        changes: LibraryChanges,
        parts: Callable[[], Awaitable[Mapping[str, bool]]],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`gates`: those of the Spotify apps in memory, the host's first. `parts`: which parts work, as in /readyz."""
        self._gates = gates
        self._database = database
        self._changes = changes
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._patience_s = patience_s
        self._parts_of = parts

        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"gatefold_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"gatefold_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"gatefold_{name}", text, labels, buckets=buckets, registry=registry)

        self._interactions = counter("interactions", "Commands and buttons served.", "command", "outcome")
        self._lost = counter("answers_lost", "First answers that Discord did not accept.", "command")
        self._first_answer = histogram(
            "first_answer_seconds", "From an interaction to its first answer at Discord.", ANSWER_S, "command"
        )
        self._calls = counter("spotify_calls", "Calls to Spotify.", "call", "outcome")
        self._call_s = histogram("spotify_call_seconds", "How long calls to Spotify took.", CALL_S, "call")
        self._refreshes = counter("refreshes", "Refreshes of members' tokens at Spotify.", "outcome")
        self._lag = histogram("loop_lag_seconds", "How late the event loop was.", LAG_S)
        self._closed = gauge("gate_closed_seconds", "How long Spotify still says to wait.")
        self._in_flight = gauge("spotify_calls_in_flight", "Calls to Spotify in progress.")
        self._pending = gauge("pending_changes", "Albums that wait to be saved or removed.")
        self._oldest = gauge("pending_oldest_seconds", "How long the oldest of them has waited.")
        self._jobs = gauge("database_jobs_waiting", "Jobs in the database's queue.")
        self._answer_s = gauge("database_answer_seconds", "How long the database took to respond to this scrape.")
        self._parts = gauge("part_ready", "Whether this part works: 1 or 0.", "part")
        gauge("build_info", "The version that runs.", "version").labels(__version__).set(1)
        ProcessCollector(registry=registry)

    # -- reported by other packages as they work

    def answered(self, command: str, outcome: str, first_s: float | None) -> None:
        """An interaction was served. `first_s`: seconds until its first answer, None if Discord accepted none."""
        self._interactions.labels(command, outcome).inc()
        if first_s is None:
            self._lost.labels(command).inc()
        else:
            self._first_answer.labels(command).observe(first_s)

    def called(self, call: str, outcome: int | str, seconds: float) -> None:
        """A call to Spotify ended with this status, or with the name of an error."""
        self._calls.labels(call, _kind(outcome)).inc()
        if outcome != "cancelled":
            self._call_s.labels(call).observe(seconds)

    def refreshed(self, outcome: str) -> None:
        """A member's token was refreshed: `refreshed`, or the name of an error."""
        self._refreshes.labels(outcome).inc()

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        while True:
            due = self._monotonic() + LAG_EVERY_S
            await self._sleep(LAG_EVERY_S)
            self._lag.observe(max(0.0, self._monotonic() - due))

    # -- read at a scrape

    async def scrape(self) -> bytes:
        """Everything in Prometheus' text format, also while the database does not respond."""
        gates = self._gates()
        self._closed.set(gates[0].closed_for_s if gates else 0.0)
        self._in_flight.set(sum(gate.in_flight for gate in gates))
        self._jobs.set(self._database.waiting)
        await self._ask_database()
        await self._ask_parts()
        return generate_latest(_Plain(self._registry))

    async def _ask_database(self) -> None:
        begun = self._monotonic()
        try:
            async with asyncio.timeout(self._patience_s):
                count, since = await self._changes.waiting()
        except (StorageUnavailable, TimeoutError):
            # a missing figure is a gap in the graph; an old one would look as if all were well
            for gauge in (self._pending, self._oldest, self._answer_s):
                gauge.set(float("nan"))
            return
        self._answer_s.set(self._monotonic() - begun)
        self._pending.set(count)
        self._oldest.set(0.0 if since is None else max(0.0, (self._now() - since).total_seconds()))

    async def _ask_parts(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                parts = await self._parts_of()
        except TimeoutError:
            self._parts.clear()
            return
        for part, works in parts.items():
            self._parts.labels(part).set(works)


def _kind(outcome: int | str) -> str:
    """The outcome of a call as one of about fifteen words, whatever status Spotify sends."""
    if isinstance(outcome, int):
        if 200 <= outcome < 300:
            return "ok"
        return str(outcome) if outcome in _NAMED else f"{min(max(outcome // 100, 1), 5)}xx"
    if outcome == "cancelled":
        return outcome
    return "timeout" if "Timeout" in outcome else "no answer"


class _Plain:
    """A registry without the library's `_created` series, which can only be turned off for the whole process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        """Everything else."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
