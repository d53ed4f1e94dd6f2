"""Every way in which Discord can fail to take an answer: the change is carried out, and told once by another way.

Each cell is a member of its own in one real process: which call meets what, and where the member is told at last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, texts
from tests.faults.rules import kind_of
from tests.process.harness import Outside, Running, outside
from tests.world import ADA

PATIENCE_S = 40.0
LIBRARY_S = 2.0
"""So slow Spotify is where an answer is to be announced first."""
REQUESTS_MOST = 12
"""This many requests about one interaction are not too many: discord.py tries five times, and there are two ways."""

CALLBACK, EDIT, DIRECT = ("POST", "/interactions/*"), ("PATCH", "/webhooks/*"), ("POST", "/channels/*")
UNKNOWN_INTERACTION = {"status": 404, "json": {"code": 10062, "message": "Unknown interaction"}}
UNKNOWN_MESSAGE = {"status": 404, "json": {"code": 10008, "message": "Unknown Message"}}
DEAD_TOKEN = {"status": 401, "json": {"code": 50027, "message": "Invalid Webhook Token"}}
CLOSED = {"status": 403, "json": {"code": 50007, "message": "Cannot send messages to this user"}}
LONG_LIMIT = {"status": 429, "json": {"message": "limited", "retry_after": 3600.0, "global": False}}
BAN = {"status": 429, "headers": {"Via": ""}}
CUT = {"status": 0}

Fault = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """`phase`: the call that goes wrong; `told`: where the member learns at last that it is saved."""

    name: str
    phase: str
    fault: Fault
    told: str


CELLS = [
    # the answer itself, while Spotify is quick
    Cell("limited for a moment", "answer", {"status": 429}, "message"),
    Cell("500 once", "answer", {"status": 500}, "message"),
    Cell("503 once", "answer", {"status": 503}, "message"),
    Cell("slow", "answer", {"delay_s": 1.5}, "message"),
    Cell("unknown interaction", "answer", UNKNOWN_INTERACTION, "direct"),
    Cell("banned", "answer", BAN, "direct"),
    Cell("limited for an hour", "answer", LONG_LIMIT, "direct"),
    Cell("cut", "answer", CUT, "message"),
    Cell("cut twice", "answer", {**CUT, "times": 2}, "direct"),
    Cell("500, and taken", "answer", {"status": 500, "applied": True}, "message"),
    Cell("502 again and again", "answer", {"status": 502, "times": 9}, "direct"),
    Cell("never answered", "answer", {"delay_s": 300.0}, "direct"),
    Cell("taken, and the answer lost", "answer", {**CUT, "applied": True}, "message"),
    Cell("taken, and both answers lost", "answer", {**CUT, "applied": True, "times": 2}, "message and direct"),
    Cell("200 in another shape", "answer", {"status": 200, "json": []}, "direct"),
    # the announcement, while Spotify is slow
    Cell("unknown interaction", "announcement", UNKNOWN_INTERACTION, "direct"),
    Cell("banned", "announcement", BAN, "direct"),
    Cell("cut", "announcement", CUT, "message"),
    Cell("cut twice", "announcement", {**CUT, "times": 2}, "direct"),
    Cell("limited for a moment", "announcement", {"status": 429}, "message"),
    Cell("200 in another shape", "announcement", {"status": 200, "json": {}}, "direct"),
    # the edit that replaces the announcement
    Cell("limited for a moment", "edit", {"status": 429}, "message"),
    Cell("500 once", "edit", {"status": 500}, "message"),
    Cell("message deleted", "edit", UNKNOWN_MESSAGE, "direct"),
    Cell("dead token", "edit", DEAD_TOKEN, "direct"),
    Cell("banned", "edit", BAN, "direct"),
    Cell("cut", "edit", CUT, "direct"),
    Cell("limited for an hour", "edit", LONG_LIMIT, "direct"),
    Cell("503 again and again", "edit", {"status": 503, "times": 9}, "direct"),
    # the edit that tells of what was kept
    Cell("500 once", "news", {"status": 500}, "message"),
    Cell("message deleted", "news", UNKNOWN_MESSAGE, "direct"),
    Cell("dead token", "news", DEAD_TOKEN, "direct"),
    Cell("cut", "news", CUT, "message"),
    Cell("limited for an hour", "news", LONG_LIMIT, "message"),
    # no answer, and the direct message does not go at first, or never
    Cell("direct messages closed", "direct", CLOSED, "next"),
    Cell("503", "direct", {"status": 503}, "direct"),
    Cell("500 once", "direct", {"status": 500}, "direct"),
    Cell("cut", "direct", CUT, "direct"),
    Cell("taken, and the answer lost", "direct", {**CUT, "applied": True}, "direct"),
    Cell("limited for a moment", "direct", {"status": 429}, "direct"),
    Cell("limited for an hour", "direct", LONG_LIMIT, "next"),
    Cell("never answered", "direct", {"delay_s": 300.0}, "direct"),
]
ALBUMS = synthetic(2 * len(CELLS) + 10, seed="discord")


@asynccontextmanager
async def _running(folder: Path, members: Mapping[int, str]) -> AsyncIterator[tuple[Outside, Running]]:
    """A process with these members linked, which ends without a traceback."""
    async with outside(folder) as out:
        out.spotify.catalogue.add(ALBUMS)
        await out.link_all(members)
        process = await out.start()
        yield out, process
        await process.terminate()
        assert "Traceback" not in process.stderr, process.stderr
        assert [secret for secret in out.secrets() if secret in process.stderr] == []
        assert out.discord.unknown == []


def _strike(out: Outside, cell: Cell, member: int) -> None:
    account = f"d{member % 1000}"
    match cell.phase:
        case "answer":
            calls = CALLBACK
        case "announcement":
            calls = CALLBACK
            out.spotify.fault(path="/v1/me/*/contains", account=account, delay_s=LIBRARY_S)
        case "edit":
            calls = EDIT
            out.spotify.fault(path="/v1/me/*/contains", account=account, delay_s=LIBRARY_S)
        case "news":
            calls = EDIT
            out.spotify.fault(path="/v1/me/*/contains", account=account, times=3, **FAULTS["unavailable"])
        case _:
            calls = DIRECT
            out.discord.fault(*CALLBACK, user_id=member, **UNKNOWN_INTERACTION)
    out.discord.fault(*calls, user_id=member, **cell.fault)


async def _play(out: Outside, cell: Cell, member: int, album: str, another: str) -> None:
    _strike(out, cell, member)
    given = await out.save(album, member)
    told = "waits" if cell.told == "next" else "yes"
    await _until(lambda: _told(out, given) == told, lambda: f"told {told} on disk, but {_told(out, given)}")
    assert out.saved(f"d{member % 1000}") == [album]
    assert out.rows("SELECT outcome FROM library_changes WHERE request_id = ?", given.id)[0]["outcome"] == "saved"
    heard = [where for where in ("message", "direct") if _said(out, given, member, where)]
    assert heard == [] if cell.told == "next" else heard == cell.told.split(" and "), f"told by {heard}"
    about = [request for request in out.discord.requests if given.token in request.path]
    assert len(about) <= REQUESTS_MOST, f"{len(about)} requests about one interaction"
    if cell.told == "next":
        later = await out.save(another, member)
        await later.message(PATIENCE_S)
        assert "\n".join(texts(later.history[-1])).count("Saved ") == 2, "the next answer does not tell it"
        await _until(lambda: _told(out, given) == "yes", lambda: "told with the next answer, and not noted")
        again = await out.unsave(another, member)
        await again.message(PATIENCE_S)
        assert "Saved " not in "\n".join(texts(again.history[-1])), "told twice"


def _told(out: Outside, given: WireInteraction) -> str | None:
    """Whether the member was told: "yes"; "waits": for their next command; None: not yet."""
    rows = out.rows(
        "SELECT told, state, tries FROM change_requests AS r"
        " LEFT JOIN outbox ON kind = 'change outcome' AND subject = r.id WHERE r.id = ?",
        given.id,
    )
    for row in rows:
        if row["told"] == "refused" or (row["told"] is None and row["state"] == "stored" and row["tries"]):
            return "waits"
        found: str | None = row["told"]
        return found
    return None


def _said(out: Outside, given: WireInteraction, member: int, where: str) -> bool:
    """Whether the member was told there that it is saved; never twice."""
    messages = given.history if where == "message" else out.discord.direct_messages.get(member, [])
    saved = [message for message in messages if kind_of("\n".join(texts(message))) == "saved"]
    assert len(saved) <= 1, f"told {len(saved)} times by {where}"
    return bool(saved)


async def _until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what()}") from None


async def test_an_answer_that_discord_does_not_take_is_told_once_by_another_way(tmp_path: Path) -> None:
    members = {ADA + 100 + number: f"d{(ADA + 100 + number) % 1000}" for number in range(len(CELLS))}
    wrong: list[str] = []
    async with _running(tmp_path, members) as (out, process):

        async def one(cell: Cell, member: int, album: str, another: str) -> None:
            try:
                await _play(out, cell, member, album, another)
            except (AssertionError, TimeoutError, IndexError) as error:
                wrong.append(f"{cell.name} at the {cell.phase}: {error or type(error).__name__}")

        ids = [album.id for album in ALBUMS]
        await asyncio.gather(
            *(one(*each) for each in zip(CELLS, members, ids[::2], ids[1::2], strict=False)),
        )
        assert not wrong, f"{len(wrong)} of {len(CELLS)} cells:\n" + "\n".join(wrong)
        assert process.stderr.count("an answer did not arrive") <= len(CELLS) + 1  # logged once each
        # it may object to an answer that came too late because Discord was slow, and to one that it had taken already
        assert [problem for problem in out.discord.problems if not problem.startswith(("10062", "40060"))] == []


# -- the gateway


Hurt = Callable[[Outside], Awaitable[None]]


HURTS: dict[str, Hurt] = {
    "closed": lambda out: out.discord.drop_gateway(4000),
    "cut": lambda out: out.discord.drop_gateway(None),
    "told to resume": lambda out: out.discord.request_reconnect(),
    "session invalid": lambda out: out.discord.invalid_session(False),
}


async def test_commands_that_are_under_way_when_the_gateway_goes_are_answered_once(tmp_path: Path) -> None:
    await asyncio.gather(*(_answered_once(hurt, tmp_path / name) for name, hurt in HURTS.items()))


async def _answered_once(hurt: Hurt, folder: Path) -> None:
    members = {ADA + 100 + number: f"d{number}" for number in range(4)}
    async with _running(folder, members) as (out, process):
        out.spotify.delay_s = 0.3
        given = [await out.save(album.id, member) for album, member in zip(ALBUMS, members, strict=False)]
        async with asyncio.timeout(PATIENCE_S):
            while out.spotify.in_flight < len(members):
                await asyncio.sleep(0.01)
        before = len(out.discord.identifies)
        await hurt(out)
        for interaction in given:
            assert kind_of("\n".join(texts(await interaction.message(PATIENCE_S)))) == "saved"
        await process.until_health(200)
        later = await out.save(ALBUMS[-1].id, ADA + 100)
        assert kind_of("\n".join(texts(await later.message(PATIENCE_S)))) == "saved"
        for interaction in [*given, later]:
            about = [request for request in out.discord.requests if interaction.token in request.path]
            assert len(about) == 1, [request.method for request in about]
        assert len(out.discord.identifies) - before <= 1
        assert out.discord.direct_messages == {}
        assert out.discord.problems == []
