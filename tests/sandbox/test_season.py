"""The season of an album club that `make demo SCRIPT=season` plays."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
import pytest_asyncio

from bot.sandbox import season
from bot.sandbox.season import CLUB, ROUNDS, Season
from bot.sandbox.transcript import WIDTH

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def played() -> tuple[Season, list[str]]:
    """The season, played once for all tests."""
    lines: list[str] = []
    async with season.raised(lines.append) as played:
        await season.play_on(played)
    return played, lines


def posts(season: Season, holds: str) -> list[str]:
    """The posts in the channel that say this, each as one text."""
    texts = ["\n".join(post.lines) for post in season.tells.posts]
    return [text for text in texts if holds in text]


async def test_every_round_has_one_summary_one_announcement_and_one_call(played: tuple[Season, list[str]]) -> None:
    season, _ = played
    summaries = [text.splitlines()[0] for text in posts(season, "what you thought of")]
    assert summaries == [f"{CLUB}: what you thought of round {number}" for number in range(1, ROUNDS + 1)]
    assert [text.splitlines()[0] for text in posts(season, "Listen and rate it")] == [
        f"{CLUB}, round {number}" for number in range(1, ROUNDS + 1)
    ]
    # the ninth is skipped by a curator, and the tenth is called for at the hour of the last summary
    calls = Counter(text.splitlines()[0] for text in posts(season, "It is announced") + posts(season, "are open"))
    assert calls == Counter(f"{CLUB}, round {number}" for number in range(1, ROUNDS + 3))


async def test_club_hours_are_a_week_apart_and_only_the_restart_is_late(played: tuple[Season, list[str]]) -> None:
    season, _ = played
    at = [post.at for post in season.tells.posts if "what you thought of" in post.lines[0]]
    gaps = [round((later - earlier) / timedelta(minutes=1)) for earlier, later in pairwise(at)]
    week = 7 * 24 * 60
    assert gaps == [week + 40, week - 40, *[week] * 5]
    assert len(posts(season, "This is late")) == 3


async def test_an_album_is_found_in_each_way(played: tuple[Season, list[str]]) -> None:
    season, lines = played
    announced = posts(season, "Listen and rate it")
    assert ["chosen by vote" in text for text in announced] == [True] * 3 + [False] * 5
    assert "It was the only nomination" in announced[3]
    assert "Picked by @Ada" in announced[4]
    assert "Picked by @Ben, whose turn came early" in announced[5]
    assert "Picked by @Ada" in announced[6]
    assert "out of 2 albums" in announced[7]
    assert any("The lot order, drawn before" in line for line in lines)


async def test_the_member_who_linked_has_what_they_saved_and_nobody_else_has(played: tuple[Season, list[str]]) -> None:
    season, _ = played
    titles = {
        name: [season.spotify.catalogue.albums[id_].title for id_ in account.saved]
        for name, account in season.spotify.accounts.items()
    }
    assert sorted(titles.pop("chloe")) == ["Attic Weather", "Gravity Is a Rumour", "Zimowy atlas"]
    assert not any(titles.values())


async def test_nobody_hears_of_what_did_not_happen(played: tuple[Season, list[str]]) -> None:
    _, lines = played
    direct = [line for line in lines if "┊ to " in line]
    assert any("to Ben: Tuesday Club: voting ends in 1 day" in line for line in direct)
    assert not any("removed from the server" in line or "can't post" in line for line in lines)


async def test_whoever_links_after_pressing_save_is_counted(played: tuple[Season, list[str]]) -> None:
    season, _ = played
    assert "1 member saved it with the button of its card." in posts(season, "what you thought of")[0]


async def test_it_is_told_without_markup_in_lines_that_fit(played: tuple[Season, list[str]]) -> None:
    _, lines = played
    assert len(lines) < 420
    for line in lines:
        assert len(line) <= WIDTH
        assert not any(mark in line for mark in ("**", "<t:", "<@", "](", "</", "-# ", "###")), line
