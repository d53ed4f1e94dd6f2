"""For the host: whether everything works, whether it can serve now, and the metrics at a port of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from bot.web.parts import Part

Parts = Callable[[], Awaitable[Mapping[str, bool]]]
"""Says which parts work."""
IDLE_S = 8.0
"""A connection to the metrics that sends no whole request for this long is closed."""
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/"""


def part(health: Parts, readiness: Parts) -> Part:
    """`/healthz` and `/readyz`."""
    return Part("health", [parts_route("/healthz", health), parts_route("/readyz", readiness)])


def parts_route(path: str, parts: Parts) -> web.RouteDef:
    """`GET <path>`: 200 when every part works, else 503; the parts as JSON."""

    async def show(request: web.Request) -> web.Response:
        found = await parts()
        return web.json_response(dict(found), status=200 if all(found.values()) else 503)

    return web.get(path, show)


@asynccontextmanager
async def serving_metrics(
    scrape: Callable[[], Awaitable[bytes]], host: str, port: int, *, idle_s: float = IDLE_S
) -> AsyncIterator[None]:
    """`GET /metrics`, and nothing else, at a port of its own. OSError when it cannot listen there."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=await scrape(), headers={"Content-Type": TEXT_FORMAT})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    # keepalive_timeout counts from the start, so that it closes half-open connections, too
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=idle_s)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
