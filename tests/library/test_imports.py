"""Imports and exports below the command: what is kept of a file, what came of it, and a whole library page by page."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.caller import MemberId
from bot.changes import Outcome
from bot.errors import ImportOver, ImportRunning
from bot.library.imports import PAGES_AT_ONCE, Failure, Importing
from bot.spotify.wire import MAX_PAGE
from tests.callers import caller
from tests.library.stage import MEMBER, WRITE, Stage
from tests.world import FIRST, SECOND

OTHER = MemberId(MEMBER + 1)
GONE = "0000000000000000000000"
FILE = f"""https://open.spotify.com/album/{FIRST}
https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M
https://open.spotify.com/album/{GONE}
https://open.spotify.com/album/{SECOND}
https://open.spotify.com/album/{SECOND}
""".encode()


@pytest.fixture
def importing(stage: Stage) -> Importing:
    return Importing(stage.storage.imports, stage.library, stage.tokens, stage.spotify, now=stage.now)


async def test_what_came_of_an_import_names_what_was_not_imported_in_the_files_order(
    stage: Stage, importing: Importing
) -> None:
    stage.server.accounts["ada"].saved[SECOND] = stage.now()
    read = await importing.read(caller(MEMBER, 1, locale="fr"), FILE, "albums.txt")
    assert (read.member_id, read.locale, read.repeated, read.unread_count) == (MEMBER, "fr", 1, 1)
    begun = await importing.confirm(caller(MEMBER, 2), read.id)
    await stage.until_idle()
    request = await stage.storage.changes.get(begun.id)
    assert request is not None
    outcome = await importing.outcome(request)
    assert outcome is not None
    assert outcome.request == request
    assert outcome.counts == {Outcome.SAVED: 1, Outcome.ALREADY: 1, Outcome.NO_ALBUM: 1}
    assert outcome.unread_count == 1
    playlist, gone = outcome.failures
    assert playlist == Failure(playlist.typed, 2, reason="not_an_album", detail="playlist")
    assert gone == Failure(gone.typed, 3, outcome=Outcome.NO_ALBUM)
    assert GONE in gone.typed


async def test_what_a_line_led_to_instead_of_an_album_is_named(stage: Stage, importing: Importing) -> None:
    stage.server.short_links["one"] = "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"
    read = await importing.read(caller(MEMBER, 1), b"https://spotify.link/one\n", "albums.txt")
    begun = await importing.confirm(caller(MEMBER, 2), read.id)
    await stage.until_idle()
    request = await stage.storage.changes.get(begun.id)
    assert request is not None
    outcome = await importing.outcome(request)
    assert outcome is not None
    assert outcome.failures == (Failure("https://spotify.link/one", 1, outcome=Outcome.NOT_ALBUM, detail="playlist"),)


async def test_what_came_of_another_request_is_no_import(stage: Stage, importing: Importing) -> None:
    assert await importing.outcome((await stage.save(FIRST)).request) is None


async def test_a_question_is_answered_once_and_by_its_member_alone(stage: Stage, importing: Importing) -> None:
    read = await importing.read(caller(MEMBER, 1), FILE, "albums.txt")
    with pytest.raises(ImportOver):
        await importing.confirm(caller(OTHER, 2), read.id)
    with pytest.raises(ImportOver):
        await importing.cancel(caller(OTHER, 3), read.id)
    answers = [importing.confirm(caller(MEMBER, number), read.id) for number in (4, 5)]
    begun = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(each) for each in begun].count(ImportOver) == 1
    for answer in (importing.confirm(caller(MEMBER, 6), read.id), importing.cancel(caller(MEMBER, 7), read.id)):
        with pytest.raises(ImportOver):
            await answer
    await stage.until_idle()
    assert (
        await stage.storage.database.read(lambda c: c.execute("SELECT COUNT(*) FROM change_requests").fetchone()[0])
        == 1
    )


async def test_a_cancelled_import_is_forgotten(stage: Stage, importing: Importing) -> None:
    read = await importing.read(caller(MEMBER, 1), FILE, "albums.txt")
    await importing.cancel(caller(MEMBER, 2), read.id)
    with pytest.raises(ImportOver):
        await importing.confirm(caller(MEMBER, 3), read.id)
    assert stage.saved == []


async def test_an_import_that_runs_is_stopped_by_its_member_alone_and_holds_off_the_next(
    stage: Stage, importing: Importing
) -> None:
    stage.server.fault(path=WRITE, method="PUT", status=503, times=None)
    read = await importing.read(caller(MEMBER, 1), FILE, "albums.txt")
    begun = await importing.confirm(caller(MEMBER, 2), read.id)
    await stage.until_idle()
    with pytest.raises(ImportRunning):
        await importing.read(caller(MEMBER, 3), FILE, "albums.txt")
    assert (await importing.stop(caller(OTHER, 4), begun.id)).count == 0
    stage.last = 10
    other = await stage.save(FIRST)
    assert (await importing.stop(caller(MEMBER, 5), other.request.id)).count == 0
    assert (await importing.stop(caller(MEMBER, 6), begun.id)).count == 2
    assert [change.request_id for change in await stage.library.pending(MEMBER)] == [other.request.id]
    await importing.read(caller(MEMBER, 7), FILE, "albums.txt")


@pytest.mark.parametrize(("hours", "is_there"), [(23, True), (25, False)])
async def test_a_question_waits_for_a_day(hours: int, is_there: bool, stage: Stage, importing: Importing) -> None:
    read = await importing.read(caller(MEMBER, 1), FILE, "albums.txt")
    stage.ahead = timedelta(hours=hours)
    await importing.sweep()
    assert (await stage.storage.imports.asked(read.id, MEMBER) is not None) == is_there


@pytest.mark.parametrize(("hours", "is_there"), [(23, True), (25, False)])
async def test_what_was_imported_is_kept_for_a_day_after_its_request_is_gone(
    hours: int, is_there: bool, stage: Stage, importing: Importing
) -> None:
    read = await importing.read(caller(MEMBER, 1), FILE, "albums.txt")
    begun = await importing.confirm(caller(MEMBER, 2), read.id)
    await stage.until_idle()
    stage.ahead = timedelta(hours=hours)
    await importing.sweep()
    assert await stage.storage.imports.of_request(begun.id) is not None
    await stage.storage.database.write(lambda c: c.execute("DELETE FROM change_requests"))
    await importing.sweep()
    assert (await stage.storage.imports.of_request(begun.id) is not None) == is_there


@pytest.mark.parametrize("pages", [0, 1, 2, 3, PAGES_AT_ONCE + 1, PAGES_AT_ONCE + 2, 2 * PAGES_AT_ONCE + 2])
@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_a_library_of_any_size_is_read_whole_without_needless_calls(
    pages: int, more: int, stage: Stage, importing: Importing
) -> None:
    count = max(pages * MAX_PAGE + more, 0)
    ids = stage.albums(count)
    stage.server.accounts["ada"].saved.update(
        {id_: stage.now() - timedelta(days=number) for number, id_ in enumerate(ids)}
    )
    seen: list[tuple[int, int | None]] = []
    stage.server.delay_s = 0.005
    found = await importing.saved(MEMBER, lambda done, total: seen.append((done, total)))
    assert [album.id for album in found] == ids
    assert all(album.title and album.artists and album.added_at for album in found)
    # a full page may be followed by another one, whatever the total says
    assert len(stage.server.calls) == count // MAX_PAGE + 1
    is_full = count > 0 and count % MAX_PAGE == 0
    reached = [*range(MAX_PAGE, count, PAGES_AT_ONCE * MAX_PAGE), *([count] if is_full else [])]
    assert seen == [(done, count) for done in reached]
    assert stage.server.max_in_flight <= PAGES_AT_ONCE


@pytest.mark.parametrize(
    ("total", "calls"),
    [
        (2, 2),
        (MAX_PAGE, 2),
        (2 * MAX_PAGE, 2),
        (2 * MAX_PAGE + 1, 3),
        (10**6, 1 + PAGES_AT_ONCE),
        (None, 1 + PAGES_AT_ONCE),
    ],
)
async def test_a_page_that_comes_again_and_again_ends_an_export_however_many_there_are_said_to_be(
    total: int | None, calls: int, stage: Stage, importing: Importing
) -> None:
    rows = [{"album": {"id": FIRST, "name": "Slow Tides", "artists": [{"name": "Mara Vey"}]}}]
    page = {"items": rows, "total": total, "next": "https://api.spotify.com/v1/me/albums?offset=50"}
    stage.server.fault(path=WRITE, times=None, status=200, body=page)
    async with asyncio.timeout(10):
        found = await importing.saved(MEMBER)
    assert [(album.id, album.added_at) for album in found] == [(FIRST, None)]
    assert len(stage.server.calls) == calls


async def test_an_album_that_comes_on_two_pages_is_exported_once(stage: Stage, importing: Importing) -> None:
    ids = stage.albums(MAX_PAGE + 1)
    saved = stage.server.accounts["ada"].saved
    saved.update({id_: stage.now() - timedelta(days=number) for number, id_ in enumerate(ids)})

    def save_elsewhere(done: int, total: int | None) -> None:
        saved[FIRST] = stage.now()

    found = await importing.saved(MEMBER, save_elsewhere)
    assert [album.id for album in found] == ids
