"""Imports of members' files: asked once, confirmed once, and kept until their summaries can be drawn no more."""

from __future__ import annotations

from datetime import timedelta

from bot.caller import MemberId, RequestId
from bot.changes import Outcome
from bot.storage import Storage
from bot.storage.changes import Ending
from bot.storage.imports import Import, ImportRow, Running, UnreadLine
from tests.storage.rows import ADA, BEN, X, Y, ask, at, rows

SECOND = timedelta(seconds=1)


def asked(id_: int, member: MemberId = ADA, seconds: int = 0) -> Import:
    return Import(
        RequestId(id_),
        member,
        "de",
        at() + seconds * SECOND,
        (ImportRow("album", X, "Slow Harbour", 2), ImportRow("search", "the tide", "The Tide", 5)),
        3,
        (UnreadLine("???", "no album", "", 4),),
        7,
        {"playlists": 2},
    )


async def confirm(storage: Storage, id_: int, request: int, member: MemberId = ADA) -> bool:
    return await storage.database.write(
        lambda c: storage.imports.confirm_in(c, RequestId(id_), member, RequestId(request))
    )


async def test_an_import_comes_back_as_it_was_stored_to_whom_it_belongs(storage: Storage) -> None:
    assert await storage.imports.ask(asked(1))
    assert await storage.imports.asked(RequestId(1), ADA) == asked(1)
    assert await storage.imports.asked(RequestId(1), BEN) is None
    assert await storage.imports.asked(RequestId(2), ADA) is None


async def test_a_member_is_asked_about_one_file_at_a_time(storage: Storage) -> None:
    await storage.imports.ask(asked(1))
    await storage.imports.ask(asked(2, BEN))
    await storage.imports.ask(asked(3))
    assert [row["id"] for row in await rows(storage, "imports")] == [2, 3]
    assert not await storage.imports.cancel(RequestId(3), BEN)
    assert await storage.imports.cancel(RequestId(3), ADA)
    assert not await storage.imports.cancel(RequestId(3), ADA)
    assert [row["id"] for row in await rows(storage, "imports")] == [2]


async def test_an_import_is_confirmed_once_and_then_runs_until_its_request_ends(storage: Storage) -> None:
    await storage.imports.ask(asked(1))
    await storage.imports.ask(asked(2, BEN))
    await ask(storage, 10, X, Y)
    assert not await confirm(storage, 1, 10, BEN)
    assert await confirm(storage, 1, 10)
    assert not await confirm(storage, 1, 11)
    assert not await storage.imports.cancel(RequestId(1), ADA)
    assert await storage.imports.asked(RequestId(1), ADA) is None
    assert await storage.imports.running() == [10]
    assert not await storage.imports.ask(asked(3)), "one is running"
    assert await storage.imports.progress(RequestId(10)) == Running(ADA, "de", {None: 2}, None)
    await storage.imports.put_progress(RequestId(10), 7, 1234)
    await storage.changes.end([Ending((RequestId(10), 0), Outcome.SAVED)], at())
    assert await storage.imports.progress(RequestId(10)) == Running(ADA, "de", {None: 1, "saved": 1}, (7, 1234))
    await storage.changes.end([Ending((RequestId(10), 1), Outcome.SAVED)], at())
    assert await storage.imports.progress(RequestId(10)) is None
    assert await storage.imports.running() == []
    found = await storage.imports.of_request(RequestId(10))
    assert found is not None
    assert (found.id, found.request_id, found.progress) == (1, 10, (7, 1234))
    assert await storage.imports.of_request(RequestId(11)) is None
    assert await storage.imports.ask(asked(3))
    assert [row["id"] for row in await rows(storage, "imports")] == [1, 2, 3]


async def test_what_nobody_answered_and_what_has_no_request_any_more_is_deleted(storage: Storage) -> None:
    await ask(storage, 10, X)
    for id_, member, seconds, request in (
        (1, 1, 9, None),
        (2, 2, 10, None),
        (3, 3, 4, 99),
        (4, 4, 5, 98),
        (5, 5, 0, 10),
    ):
        await storage.imports.ask(asked(id_, MemberId(member), seconds))
        if request is not None:
            await confirm(storage, id_, request, MemberId(member))
    await storage.imports.purge(at() + 10 * SECOND, at() + 5 * SECOND)
    assert [row["id"] for row in await rows(storage, "imports")] == [2, 4, 5]
