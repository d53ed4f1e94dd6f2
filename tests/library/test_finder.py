"""One album by what a member typed, for members who are linked and for those who are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.albums import Album
from bot.caller import MemberId
from bot.changes import Outcome
from bot.errors import NoSearch
from bot.library.finder import AlbumFinder, NotFound
from bot.library.resolver import AlbumResolver
from tests.world import ADA, FIRST, SECOND, World, made

MEMBER = MemberId(ADA)


def finder(world: World) -> AlbumFinder:
    bot = world.bot
    resolver = AlbumResolver(bot.spotify, bot.catalogue, bot.tokens)
    return AlbumFinder(bot.spotify, bot.catalogue, bot.tokens, resolver)


@pytest.mark.parametrize("form", ["{id}", "spotify:album:{id}", "look: https://open.spotify.com/album/{id}?si=1"])
async def test_a_member_who_is_not_linked_names_an_album_by_its_link(world: World, form: str) -> None:
    found = await finder(world).find(MEMBER, form.format(id=FIRST))
    assert isinstance(found, Album)
    assert (found.id, bool(found.artists)) == (FIRST, True)


async def test_an_exact_title_is_found_and_several_editions_are_offered(world: World) -> None:
    (one,) = [each for each in world.spotify.catalogue.albums.values() if each.id == SECOND]
    found = await finder(world).find(MEMBER, one.title)
    assert isinstance(found, Album)
    assert found.id == SECOND
    several = world.spotify.catalogue.album(FIRST)
    assert several is not None
    offered = await finder(world).find(MEMBER, several.title)
    assert isinstance(offered, NotFound)
    assert offered.outcome is Outcome.OFFERED
    assert FIRST in [album.id for album in offered.offers]


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [
        ("https://open.spotify.com/album/0000000000000000000000", Outcome.NO_ALBUM),
        ("https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M", Outcome.NOT_ALBUM),
        ("https://example.com/spotify.com", Outcome.UNREADABLE),
        ("zzzz qqqq xxxx", Outcome.NO_MATCH),
        ("", Outcome.UNREADABLE),
    ],
)
async def test_what_is_no_album_says_why(world: World, typed: str, outcome: Outcome) -> None:
    found = await finder(world).find(MEMBER, typed)
    assert isinstance(found, NotFound)
    assert found.outcome is outcome


async def test_without_a_secret_a_link_is_enough_and_only_a_search_needs_somebodys_access(tmp_path: Path) -> None:
    async with made(tmp_path, spotify_client_secret="") as world, world.running():
        found = await finder(world).find(MEMBER, FIRST)
        assert isinstance(found, Album)
        assert found.title
        with pytest.raises(NoSearch):
            await finder(world).find(MEMBER, "some words")
