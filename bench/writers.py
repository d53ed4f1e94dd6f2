"""Who saves many albums for one member, the writes alone: `python -m bench.writers NAME`, a process of its own.

Standard input has JSON (`url`, `token`, `ids`, `generation`); standard output gets `{"seconds"}` of the writes,
without the start and with a connection that is open already, or `{"refused"}` with what the library said.
Everybody chunks as their own documentation shows.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

SPOTIPY_MOST = 40
"""spotipy does not chunk: its caller does, by the 40 URIs that its endpoint takes."""
TEKORE_QUERY = 20
"""So many ids Spotify documents for the query, where tekore writes them; tekore itself chunks by 50."""


def gatefold(given: dict[str, Any]) -> float:
    """`Spotify.write`, as the road calls it."""
    import aiohttp

    from bot import logs
    from bot.changes import Action
    from bot.spotify.client import Spotify
    from bot.spotify.gate import Gate

    logs.configure("INFO", "console", ())  # as the bot does

    class Token:
        async def current(self) -> str:
            return str(given["token"])

        async def renewed(self, rejected: str) -> str:
            return rejected

    async def write() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            spotify = Spotify(
                session,
                api_url=f"{given['url']}/v1",
                accounts_url=given["url"],
                client_id="bench-app",
                client_secret=None,
                gate=Gate(),
                endpoint=given["generation"],
            )
            token = Token()
            await spotify.profile(token)
            begun = time.perf_counter()
            answers = await spotify.write(token, Action.SAVE, given["ids"])
            took = time.perf_counter() - begun
            assert not any(answers.values()), answers
            return took

    return asyncio.run(write())


def spotipy(given: dict[str, Any]) -> float:
    """spotipy: `current_user_saved_albums_add`, a slice at a time."""
    import spotipy

    client = spotipy.Spotify(auth=given["token"])
    client.prefix = f"{given['url']}/v1/"
    client.current_user_saved_albums(limit=1)
    ids = given["ids"]
    begun = time.perf_counter()
    for start in range(0, len(ids), SPOTIPY_MOST):
        client.current_user_saved_albums_add(ids[start : start + SPOTIPY_MOST])
    return time.perf_counter() - begun


def tekore(given: dict[str, Any]) -> float:
    """tekore: `saved_albums_add` with `chunked_on`."""
    client = _tekore(given)
    begun = time.perf_counter()
    client.saved_albums_add(given["ids"])
    return time.perf_counter() - begun


def tekore_async(given: dict[str, Any]) -> float:
    """The same with tekore's asynchronous sender: its chunks go one after another, too."""

    async def write() -> float:
        client = _tekore(given, is_async=True)
        await client.saved_albums_contains(given["ids"][:1])
        begun = time.perf_counter()
        await client.saved_albums_add(given["ids"])
        took = time.perf_counter() - begun
        await client.close()
        return took

    return asyncio.run(write())


def tekore_in_20s(given: dict[str, Any]) -> float:
    """tekore with slices that Spotify's documentation allows, made by the caller."""
    client, ids = _tekore(given), given["ids"]
    begun = time.perf_counter()
    for start in range(0, len(ids), TEKORE_QUERY):
        client.saved_albums_add(ids[start : start + TEKORE_QUERY])
    return time.perf_counter() - begun


def _tekore(given: dict[str, Any], *, is_async: bool = False) -> Any:
    import tekore

    class Pointed(tekore.AsyncSender if is_async else tekore.SyncSender):  # type: ignore[misc]
        """To the stand-in: tekore's own address is fixed."""

        def send(self, request: Any) -> Any:
            request.url = request.url.replace("https://api.spotify.com", given["url"])
            return super().send(request)

    spotify = tekore.Spotify(given["token"], sender=Pointed(), chunked_on=True)
    if not is_async:
        spotify.saved_albums_contains(given["ids"][:1])
    return spotify


WRITERS: dict[str, Callable[[dict[str, Any]], float]] = {
    "gatefold": gatefold,
    "spotipy": spotipy,
    "tekore": tekore,
    "tekore-async": tekore_async,
    "tekore-in-20s": tekore_in_20s,
}


def main() -> None:
    """Write once, and tell how long it took."""
    given = json.load(sys.stdin)
    try:
        answer: dict[str, object] = {"seconds": WRITERS[sys.argv[1]](given)}
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("bot", "bench"):
            raise
        answer = {"missing": error.name}
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("spotipy", "tekore"):
            raise
        answer = {"refused": str(error).splitlines()[-1][:100]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
