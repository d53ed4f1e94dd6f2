"""One album by what a member typed, for members who are linked and for those who are not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.albums import Album, AlbumId
from bot.caller import MemberId
from bot.changes import Outcome
from bot.errors import NeedsRelink, NoSearch
from bot.library.finder import NAMES_AT_ONCE, AlbumFinder, NotFound
from bot.library.resolver import AlbumResolver
from bot.sandbox.catalogue import synthetic
from tests.library.stage import Stage
from tests.library.stage import made as made_library
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


# -- before the library's stage, where members' tokens are at hand


def of(stage: Stage) -> AlbumFinder:
    return AlbumFinder(stage.spotify, stage.names, stage.tokens, stage.resolver)


def track(stage: Stage) -> str:
    return stage.server.catalogue.albums[SECOND].tracks[0].id


async def found_id(stage: Stage, text: str, member: MemberId = MEMBER) -> str | NotFound:
    found = await of(stage).find(member, text)
    return found.id if isinstance(found, Album) else found


async def test_a_track_names_its_album_which_is_known_then(stage: Stage) -> None:
    assert await found_id(stage, f"https://open.spotify.com/track/{track(stage)}") == SECOND
    calls = len(stage.server.calls)
    assert await found_id(stage, SECOND) == SECOND
    assert len(stage.server.calls) == calls


async def test_a_short_link_is_followed_to_whatever_it_names(stage: Stage) -> None:
    pages = {"one": f"album/{FIRST}", "two": f"track/{track(stage)}", "three": "playlist/37i9dQZF1DXcBWIGoYBM5M"}
    stage.server.short_links.update({code: f"https://open.spotify.com/{page}" for code, page in pages.items()})
    stage.server.short_links["five"] = f"https://open.spotify.com/album/{'0' * 22}"
    found = [await found_id(stage, f"https://spotify.link/{code}") for code in (*pages, "four", "five")]
    assert found[:2] == [FIRST, SECOND]
    playlist, nothing, gone = found[2:]
    assert gone == NotFound(Outcome.NO_ALBUM, "https://spotify.link/five")
    assert isinstance(playlist, NotFound)
    assert (playlist.outcome, playlist.kind) == (Outcome.NOT_ALBUM, "playlist")
    assert isinstance(nothing, NotFound)
    assert nothing.outcome is Outcome.NO_ALBUM


async def test_a_word_that_could_be_an_id_is_searched_when_it_is_none(stage: Stage) -> None:
    (album,) = synthetic(1)
    stage.server.catalogue.add([replace(album, title="Supercalifragilisticex")])
    assert await found_id(stage, "supercalifragilisticex") == album.id
    nothing = await found_id(stage, "abcdefghijklmnopqrstuv")
    assert nothing == NotFound(Outcome.NO_MATCH, "abcdefghijklmnopqrstuv")


async def test_two_albums_in_one_text_are_not_one(stage: Stage) -> None:
    text = f"spotify:album:{FIRST} spotify:album:{SECOND}"
    assert await found_id(stage, text) == NotFound(Outcome.UNREADABLE, text)
    assert stage.server.calls == []


async def test_what_is_no_album_says_what_it_is(stage: Stage) -> None:
    found = await found_id(stage, "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M")
    assert isinstance(found, NotFound)
    assert (found.outcome, found.kind) == (Outcome.NOT_ALBUM, "playlist")
    assert "37i9dQZF1DXcBWIGoYBM5M" in found.typed


async def test_names_come_once_each_in_order_a_few_at_a_time_and_without_those_that_are_not_known(
    stage: Stage,
) -> None:
    ids = stage.albums(3 * NAMES_AT_ONCE)
    gone = AlbumId("0" * 22)
    stage.server.delay_s = 0.02
    found = await of(stage).names(MEMBER, [*ids[::-1], gone, *ids], seconds=30.0)
    assert [*found] == ids[::-1]
    assert [album.id for album in found.values()] == ids[::-1]
    albums = [call.path for call in stage.server.calls if call.path.startswith("/v1/albums/")]
    assert len(albums) <= len(ids) + 2  # that there is none is asked twice
    assert NAMES_AT_ONCE - 3 <= stage.server.max_in_flight <= NAMES_AT_ONCE
    calls = len(stage.server.calls)
    assert [*await of(stage).names(MEMBER, ids)] == ids
    assert len(stage.server.calls) == calls


async def test_names_that_take_too_long_are_left_out(stage: Stage) -> None:
    await of(stage).album(MEMBER, FIRST)  # now the host's access is at hand
    stage.server.delay_s = 5.0
    async with asyncio.timeout(3):
        assert [*await of(stage).names(MEMBER, [SECOND, FIRST], seconds=0.05)] == [FIRST]
    stage.server.delay_s, before = 0.1, len(stage.server.calls)
    assert await of(stage).names(MEMBER, stage.albums(3 * NAMES_AT_ONCE), seconds=0.05) == {}
    await asyncio.sleep(0.3)
    assert len(stage.server.calls) - before <= NAMES_AT_ONCE  # for the others nobody waits


async def test_what_the_library_does_not_have_is_said_in_the_order_that_was_asked(stage: Stage) -> None:
    stage.server.accounts["ada"].saved[FIRST] = stage.now()
    other = stage.albums(1)[0]
    assert await of(stage).not_saved(MEMBER, [SECOND, FIRST, other]) == [SECOND, other]


async def test_without_an_access_of_the_hosts_the_members_own_is_used_and_else_what_is_public(tmp_path: Path) -> None:
    stranger = MemberId(MEMBER + 7)
    async with made_library(tmp_path, secret=None) as stage:
        public = await of(stage).find(stranger, FIRST)
        assert isinstance(public, Album)
        assert (public.id, public.artists) == (FIRST, ())
        assert (await of(stage).album(stranger, FIRST)).artists == ()
        for text in ("some words", f"spotify:track:{track(stage)}"):
            with pytest.raises(NoSearch):
                await of(stage).find(stranger, text)
        own = await of(stage).find(MEMBER, FIRST)
        assert isinstance(own, Album)
        assert own.artists
        assert await found_id(stage, f"spotify:track:{track(stage)}") == SECOND
        await stage.storage.database.write(lambda c: c.execute("UPDATE links SET access_expires_at = 0"))
        stage.server.revoke_consent("ada")  # which shows when the token is renewed
        third = stage.albums(1)[0]
        assert await found_id(stage, third) == third
        assert (await of(stage).album(MEMBER, third)).artists == ()
        with pytest.raises(NeedsRelink):
            await of(stage).find(MEMBER, "some words")
