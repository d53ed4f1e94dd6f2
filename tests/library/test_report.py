"""Which albums of a request a report names, and what that may cost."""

from __future__ import annotations

import asyncio

from bot.albums import AlbumId
from bot.caller import MemberId
from bot.changes import Action, Outcome
from bot.errors import NotLinked
from bot.library.report import NAMES, Reports
from bot.library.resolver import AlbumResolver
from bot.spotify.catalogue import Catalogue
from tests.callers import caller
from tests.library.stage import MEMBER, Stage
from tests.world import FIRST, SECOND

GONE = AlbumId("0" * 22)


def restarted(stage: Stage) -> tuple[Reports, Catalogue]:
    """Reports as after a start, when no name is known, and where they keep names."""
    names = Catalogue(stage.spotify, None)
    stage.server.calls.clear()
    return Reports(stage.tokens, AlbumResolver(stage.spotify, names, stage.tokens)), names


def asked(stage: Stage) -> list[str]:
    return [call.path.rpartition("/")[2] for call in stage.server.calls]


async def test_the_first_ten_albums_are_named_with_one_call_each_and_then_with_none(stage: Stage) -> None:
    ids = stage.albums(NAMES + 2)
    request = (await stage.save_many(ids)).request
    reports, _ = restarted(stage)
    for _ in range(2):
        report = await reports.report(request)
        assert [*report.albums] == ids[:NAMES]
        assert (report.request, report.held) == (request, None)
        assert sorted(asked(stage)) == sorted(ids[:NAMES])


async def test_nobody_is_asked_for_names_where_that_may_not_be_or_while_the_request_is_held_up(stage: Stage) -> None:
    request = (await stage.save(FIRST)).request
    reports, names = restarted(stage)
    why = NotLinked()
    assert (await reports.report(request, may_ask=False)).albums == {}
    held = await reports.report(request, why)
    assert (held.albums, held.held) == ({}, why)
    assert asked(stage) == []
    await names.album(await stage.tokens.access(MEMBER), FIRST)
    assert [*(await reports.report(request, why)).albums] == [FIRST]


async def test_what_is_no_album_is_not_looked_up(stage: Stage) -> None:
    request = (await stage.save(f"spotify:album:{GONE} spotify:album:{FIRST}")).request
    assert [change.outcome for change in request.changes] == [Outcome.NO_ALBUM, Outcome.SAVED]
    reports, _ = restarted(stage)
    assert [*(await reports.report(request)).albums] == [FIRST]
    assert asked(stage) == [FIRST]


async def test_albums_that_are_offered_are_named(stage: Stage) -> None:
    album = stage.server.catalogue.album(FIRST)
    assert album is not None
    request = (await stage.library.change(caller(MEMBER, 1), Action.SAVE, album.title)).request
    choices = request.changes[0].choices
    assert FIRST in choices
    reports, _ = restarted(stage)
    assert [*(await reports.report(request)).albums] == [*choices]


async def test_names_that_are_under_way_are_waited_for_unless_the_request_is_held_up(stage: Stage) -> None:
    request = (await stage.save(FIRST)).request
    reports, names = restarted(stage)
    stage.server.delay_s = 0.1
    looking = asyncio.create_task(names.album(await stage.tokens.access(MEMBER), FIRST))
    while not stage.server.in_flight:
        await asyncio.sleep(0.001)
    assert (await reports.report(request, NotLinked())).albums == {}
    assert not looking.done()
    assert [*(await reports.report(request, may_ask=False)).albums] == [FIRST]
    await looking


async def test_names_that_cannot_be_had_are_left_out(stage: Stage) -> None:
    reports, _ = restarted(stage)
    found = await reports.names(MEMBER, [FIRST, GONE, FIRST, SECOND])
    assert [*found] == [FIRST, SECOND]
    assert sorted(set(asked(stage))) == sorted([FIRST, GONE, SECOND])
    assert await reports.names(MemberId(MEMBER + 7), [FIRST]) == {}
