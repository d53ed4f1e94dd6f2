"""The gate's own speed: the calls of a drain once more, 32 in flight, and nothing else. `python -m bench.replay`

Standard input has JSON (`url`, `places`, `calls`: method, address below `url`, token, JSON body); standard output
gets `{"seconds"}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from yarl import URL


async def replay(given: dict[str, Any]) -> float:
    """Seconds for all calls."""
    calls = iter(given["calls"])
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def one(calls: Iterator[tuple[str, str, str, Any]]) -> None:
            for method, address, token, body in calls:
                headers = {"Authorization": f"Bearer {token}"}
                url = URL(given["url"] + address, encoded=True)
                async with session.request(method, url, headers=headers, json=body) as response:
                    await response.read()
                    assert response.status == 200, response.status

        begun = time.perf_counter()
        await asyncio.gather(*(one(calls) for _ in range(given["places"])))
        return time.perf_counter() - begun


if __name__ == "__main__":
    json.dump({"seconds": asyncio.run(replay(json.load(sys.stdin)))}, sys.stdout)
