"""The catalogue: what is remembered and how long, and what is told to whoever is not linked."""

from __future__ import annotations

import asyncio

import pytest

from bot.albums import AlbumId
from bot.errors import AppRejected, NoSuchAlbum, TryLater
from bot.sandbox.faults import FAULTS
from bot.spotify.catalogue import EARLY_S, KNOWN_S, Catalogue
from tests.spotify.stage import SECRET, Served
from tests.world import FIRST, SECOND

ID, OTHER = AlbumId(FIRST), AlbumId(SECOND)


def made(served: Served, secret: str | None = SECRET) -> Catalogue:
    """The catalogue of a host whose app has this secret."""
    return Catalogue(served.spotify, served.made_app(client_secret=secret), monotonic=served.clock.monotonic)


def tokens_asked_for(served: Served) -> int:
    return sum(call.path == "/api/token" for call in served.calls())


# -- the app's own access


async def test_the_app_looks_albums_up_and_searches_without_any_member(served: Served) -> None:
    catalogue = made(served)
    access = catalogue.access()
    assert access is not None
    assert (await catalogue.album(access, ID)).title == "Slow Harbour"
    assert ID in [album.id for album in await catalogue.search(access, "slow harbour")]
    assert {call.account for call in served.calls()} == {None}
    assert tokens_asked_for(served) == 1


async def test_the_apps_token_is_renewed_once_a_minute_before_it_ends(served: Served) -> None:
    catalogue = made(served)
    access = catalogue.access()
    assert access is not None
    first = await access.token.current()
    served.clock.now += 3600 - EARLY_S - 1
    assert await access.token.current() == first
    served.clock.now += 1
    second, third = await asyncio.gather(access.token.current(), access.token.current())
    assert second == third != first
    assert tokens_asked_for(served) == 2


async def test_an_app_token_that_was_rejected_is_renewed_once(served: Served) -> None:
    access = made(served).access()
    assert access is not None
    first = await access.token.current()
    served.server.access_tokens[first].expires_at = 0
    await asyncio.gather(*(served.spotify.album(access, id_) for id_ in (ID, OTHER)))
    assert tokens_asked_for(served) == 2


async def test_without_a_secret_or_an_app_there_is_no_access(served: Served) -> None:
    assert made(served, None).access() is None
    assert Catalogue(served.spotify, None).access() is None


async def test_a_secret_that_spotify_refuses_is_the_apps_problem(served: Served) -> None:
    access = made(served, "wrong").access()
    assert access is not None
    with pytest.raises(AppRejected):
        await access.token.current()
    assert [type(problem) for problem in served.health.problems] == [AppRejected]


# -- what everybody may know


async def test_without_a_secret_title_and_cover_are_known_and_no_artist(served: Served) -> None:
    album = await made(served, None).public_album(ID)
    known = served.server.catalogue.albums[ID]
    assert (album.id, album.title, album.artists, album.year) == (ID, "Slow Harbour", (), "")
    assert album.cover_url in {image.url for image in known.images}
    assert [(call.path, call.param("url")) for call in served.calls()] == [
        ("/oembed", f"https://open.spotify.com/album/{ID}")
    ]
    assert "authorization" not in served.calls()[0].headers


async def test_with_a_secret_the_whole_album_is_known_to_everybody(served: Served) -> None:
    assert (await made(served).public_album(ID)).by == "The Lantern Ferry"


async def test_what_oembed_leaves_out_is_looked_up_for_members(served: Served) -> None:
    catalogue = made(served, None)
    await catalogue.public_album(ID)
    assert catalogue.known(ID) is None
    assert (await catalogue.album(served.access, ID)).by == "The Lantern Ferry"
    assert (await catalogue.public_album(ID)).by == "The Lantern Ferry"


async def test_a_public_name_is_kept_for_a_day(served: Served) -> None:
    catalogue = made(served, None)
    for passed, calls in ((0, 1), (KNOWN_S - 1, 1), (2, 2)):
        served.clock.now += passed
        await catalogue.public_album(ID)
        assert len(served.calls()) == calls
    assert KNOWN_S == 24 * 3600


async def test_an_id_of_no_album_is_told_without_a_secret_too(served: Served) -> None:
    with pytest.raises(NoSuchAlbum):
        await made(served, None).public_album(AlbumId("0" * 22))


@pytest.mark.parametrize("fault", ["unavailable", "rate_limited", "ok_html", "ok_list", "cut", "elsewhere"])
async def test_trouble_with_a_public_name_is_trouble_and_closes_no_gate(fault: str, served: Served) -> None:
    served.server.fault(path="/oembed", **FAULTS[fault])
    with pytest.raises(TryLater):
        await made(served, None).public_album(ID)
    assert served.app.gate.closed() is None
