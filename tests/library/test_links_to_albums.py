"""Tracks and short links that members save, and what is suggested to members whose link stopped working."""

from __future__ import annotations

import pytest

from bot.changes import Action, Outcome
from bot.errors import NeedsRelink
from tests.callers import caller
from tests.library.stage import MEMBER, Stage
from tests.world import FIRST, SECOND


def track(stage: Stage) -> str:
    return stage.server.catalogue.albums[SECOND].tracks[0].id


async def meant(stage: Stage, text: str) -> list[tuple[str | None, Outcome | None, str | None]]:
    """What became of each thing in a text that was saved: album, outcome, and what is known beside it."""
    stage.last += 1
    report = await stage.library.change(caller(MEMBER, stage.last), Action.SAVE, text)
    return [(change.album_id, change.outcome, change.detail) for change in report.request.changes]


async def test_a_track_means_its_album_whose_name_costs_no_call(stage: Stage) -> None:
    assert await meant(stage, f"https://open.spotify.com/track/{track(stage)}") == [(SECOND, Outcome.SAVED, None)]
    assert not [call for call in stage.server.calls if call.path.startswith("/v1/albums/")]
    album = stage.resolver.known(SECOND)
    assert album is not None
    assert album.title


async def test_a_track_that_does_not_exist_means_no_album(stage: Stage) -> None:
    assert await meant(stage, f"https://open.spotify.com/track/{'0' * 22}") == [(None, Outcome.NO_ALBUM, None)]
    assert stage.saved == []


async def test_a_short_link_means_what_it_leads_to(stage: Stage) -> None:
    pages = {"one": f"album/{FIRST}", "two": f"track/{track(stage)}", "three": "playlist/37i9dQZF1DXcBWIGoYBM5M"}
    stage.server.short_links.update({code: f"https://open.spotify.com/{page}" for code, page in pages.items()})
    assert await meant(stage, " ".join(f"https://spotify.link/{code}" for code in (*pages, "four"))) == [
        (FIRST, Outcome.SAVED, None),
        (SECOND, Outcome.SAVED, None),
        (None, Outcome.NOT_ALBUM, "playlist"),
        (None, Outcome.NO_ALBUM, None),
    ]


@pytest.mark.parametrize("is_known", [True, False])
async def test_whose_link_stopped_working_is_still_offered_the_catalogue(is_known: bool, stage: Stage) -> None:
    album = stage.server.catalogue.album(FIRST)
    assert album is not None
    if is_known:
        await stage.storage.links.mark_broken(MEMBER, "revoked")
    else:  # it shows when the token is renewed
        await stage.storage.database.write(lambda c: c.execute("UPDATE links SET access_expires_at = 0"))
        stage.server.revoke_consent("ada")
    offered = await stage.resolver.suggestions(MEMBER, Action.SAVE, album.title)
    assert FIRST in [each.id for each in offered]
    with pytest.raises(NeedsRelink):
        await stage.resolver.suggestions(MEMBER, Action.REMOVE, album.title)


async def test_no_album_is_offered_twice(stage: Stage) -> None:
    album = stage.server.catalogue.album(FIRST)
    assert album is not None
    stage.last += 1
    report = await stage.library.change(caller(MEMBER, stage.last), Action.SAVE, album.title)
    choices = report.request.changes[0].choices
    assert len(set(choices)) == len(choices) > 1


@pytest.mark.parametrize("order", [1, -1])
async def test_an_album_that_does_not_exist_is_told_once_however_often_it_is_named(order: int, stage: Stage) -> None:
    gone = "0" * 22
    stage.server.short_links["one"] = f"https://open.spotify.com/album/{gone}"
    named = ["https://spotify.link/one", f"spotify:album:{gone}"][::order]
    assert await meant(stage, " ".join(named)) == [(gone, Outcome.NO_ALBUM, None), (gone, Outcome.DUPLICATE, None)]


async def test_an_album_that_does_not_exist_is_not_even_written(stage: Stage) -> None:
    gone = "0" * 22
    assert await meant(stage, f"spotify:album:{gone}") == [(gone, Outcome.NO_ALBUM, None)]
    assert "PUT" not in {call.method for call in stage.server.calls}
