"""Link attempts and hops: used once, by one, within ten minutes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.storage import Storage
from bot.storage.attempts import LIFE_S, OAuthState
from tests.callers import caller
from tests.storage.rows import ADA, BEN, NOW, at, execute, on_disk, rows

LINK, STATE, COOKIE = b"hash of the link", b"hash of a state", b"hash of a cookie"


async def begun(storage: Storage, member: int = ADA, id_hash: bytes = LINK) -> None:
    await storage.attempts.begin(id_hash, caller(member, token="answer-token-of-the-link"), at(NOW))


async def hopped(storage: Storage, state: bytes = STATE, provider: str = "discord", now: int = NOW) -> bool:
    return await storage.attempts.add_state(state, LINK, COOKIE, provider, "link", at(now), "Ada")


async def test_a_link_can_be_looked_at_often_and_is_not_used_up_by_that(storage: Storage) -> None:
    await begun(storage)
    for _ in range(3):
        attempt = await storage.attempts.get(LINK, at(NOW))
        assert attempt is not None
        assert attempt.member_id == ADA
        assert attempt.interaction_token == "answer-token-of-the-link"
    assert await storage.attempts.get(b"another", at(NOW)) is None


async def test_the_interaction_token_is_sealed_and_in_no_repr(storage: Storage, tmp_path: Path) -> None:
    await begun(storage)
    assert "answer-token" not in repr(await storage.attempts.get(LINK, at(NOW)))
    assert b"answer-token" not in on_disk(tmp_path)


async def test_an_interaction_token_that_does_not_open_is_none(storage: Storage) -> None:
    await begun(storage)
    await begun(storage, BEN, b"Ben's")
    await execute(storage, "UPDATE link_attempts SET member_id = ? WHERE id_hash = ?", BEN, LINK)
    attempt = await storage.attempts.get(LINK, at(NOW))
    assert attempt is not None
    assert attempt.interaction_token is None
    others = await storage.attempts.get(b"Ben's", at(NOW))
    assert others is not None
    assert others.interaction_token is not None


@pytest.mark.parametrize(("age", "lives"), [(0, True), (LIFE_S - 1, True), (LIFE_S, False), (LIFE_S * 10, False)])
async def test_a_link_and_its_hops_live_ten_minutes(age: int, lives: bool, storage: Storage) -> None:
    await begun(storage)
    await hopped(storage)
    assert LIFE_S == 600
    assert (await storage.attempts.get(LINK, at(NOW + age)) is not None) == lives
    assert (await storage.attempts.take_state(STATE, at(NOW + age)) is not None) == lives
    assert (await storage.attempts.take(LINK, at(NOW + age)) is not None) == lives


async def test_a_hop_is_what_was_stored(storage: Storage) -> None:
    await begun(storage)
    assert await hopped(storage, provider="spotify")
    assert await storage.attempts.take_state(STATE, at(NOW)) == OAuthState(
        LINK, COOKIE, "spotify", "link", "Ada", "en-US"
    )


async def test_a_hop_has_the_language_of_its_own_link(storage: Storage) -> None:
    await storage.attempts.begin(b"Ben's", replace(caller(BEN), locale="de"), at(NOW))
    await begun(storage)
    await storage.attempts.add_state(b"of Ben's", b"Ben's", COOKIE, "discord", "link", at(NOW))
    await hopped(storage)
    for state, locale in ((STATE, "en-US"), (b"of Ben's", "de")):
        taken = await storage.attempts.take_state(state, at(NOW))
        assert taken is not None
        assert taken.locale == locale


async def test_of_fifty_that_take_a_hop_at_once_one_gets_it(storage: Storage) -> None:
    await begun(storage)
    await hopped(storage)
    taken = await asyncio.gather(*(storage.attempts.take_state(STATE, at(NOW)) for _ in range(50)))
    assert [oauth_state for oauth_state in taken if oauth_state is not None] == [
        OAuthState(LINK, COOKIE, "discord", "link", "Ada", "en-US")
    ]


async def test_of_fifty_that_take_a_link_at_once_one_gets_it(storage: Storage) -> None:
    await begun(storage)
    taken = await asyncio.gather(*(storage.attempts.take(LINK, at(NOW)) for _ in range(50)))
    assert sum(attempt is not None for attempt in taken) == 1


async def test_an_expired_hop_is_used_up_all_the_same(storage: Storage) -> None:
    await begun(storage)
    await hopped(storage)
    assert await storage.attempts.take_state(STATE, at(NOW + LIFE_S)) is None
    assert await storage.attempts.take_state(STATE, at(NOW)) is None


async def test_several_hops_of_one_link_live_side_by_side(storage: Storage) -> None:
    await begun(storage)
    await hopped(storage, b"one")
    await hopped(storage, b"two")
    assert await storage.attempts.take_state(b"one", at(NOW)) is not None
    assert await storage.attempts.take_state(b"two", at(NOW)) is not None


async def test_a_link_takes_its_hops_along(storage: Storage) -> None:
    await begun(storage)
    await hopped(storage)
    await storage.attempts.take(LINK, at(NOW))
    assert await storage.attempts.take_state(STATE, at(NOW)) is None
    assert not await hopped(storage, b"late")
    assert await rows(storage, "oauth_states") == []


async def test_a_new_link_clears_away_what_is_too_old_or_from_a_clock_that_was_wrong(storage: Storage) -> None:
    for number, created in enumerate((NOW - LIFE_S - 1, NOW - 1, NOW + LIFE_S + 1)):
        await begun(storage, id_hash=b"%d" % number)
        await execute(storage, "UPDATE link_attempts SET created_at = ? WHERE id_hash = ?", created, b"%d" % number)
        await storage.attempts.add_state(b"s%d" % number, b"%d" % number, COOKIE, "discord", "link", at(created))
    await begun(storage)
    assert {row["id_hash"] for row in await rows(storage, "link_attempts")} == {b"1", LINK}
    assert {row["state_hash"] for row in await rows(storage, "oauth_states")} == {b"s1"}


async def test_of_a_members_links_the_newest_ten_live(storage: Storage) -> None:
    for number in range(15):
        await storage.attempts.begin(b"%02d" % number, caller(ADA), at(NOW + number))
    await storage.attempts.begin(b"Ben's", caller(BEN), at(NOW))
    left = {row["id_hash"] for row in await rows(storage, "link_attempts")}
    assert left == {b"Ben's", *(b"%02d" % number for number in range(5, 15))}


async def test_of_a_links_ways_out_the_newest_twenty_live(storage: Storage) -> None:
    await begun(storage)
    await begun(storage, BEN, b"Ben's")
    await storage.attempts.add_state(b"Ben's", b"Ben's", COOKIE, "discord", "link", at(NOW))
    for number in range(30):
        await hopped(storage, b"%02d" % number, now=NOW + number)
    left = {row["state_hash"] for row in await rows(storage, "oauth_states")}
    assert left == {b"Ben's", *(b"%02d" % number for number in range(10, 30))}


async def test_a_login_without_a_link_is_bounded_per_browser_and_goes_when_it_is_old(storage: Storage) -> None:
    for number in range(30):
        await storage.attempts.add_state(b"%02d" % number, None, COOKIE, "discord", "club book", at(NOW + number))
    assert len(await rows(storage, "oauth_states")) == 20
    taken = await storage.attempts.take_state(b"29", at(NOW + 30))
    assert taken == OAuthState(None, COOKIE, "discord", "club book", None, None)
    await storage.attempts.add_state(b"new", None, b"another", "discord", "club book", at(NOW + LIFE_S + 60))
    assert [row["state_hash"] for row in await rows(storage, "oauth_states")] == [b"new"]


@pytest.mark.parametrize(("age", "lives"), [(LIFE_S - 1, True), (LIFE_S, False)])
async def test_an_app_is_named_and_tried_only_while_the_link_lives(age: int, lives: bool, storage: Storage) -> None:
    await begun(storage)
    assert await storage.attempts.use_app(LINK, "an app", at(NOW + age)) == lives
    assert await storage.attempts.count_probe(LINK, at(NOW + age)) == lives
    attempt = await storage.attempts.get(LINK, at(NOW))
    assert attempt is not None
    assert attempt.client_id == ("an app" if lives else None)
    assert not await storage.attempts.use_app(b"gone", "an app", at(NOW))


async def test_what_nobody_finished_is_deleted_when_it_is_too_old(storage: Storage) -> None:
    await begun(storage)
    await hopped(storage)
    await storage.attempts.clear(at(NOW + LIFE_S))
    assert len(await rows(storage, "link_attempts")) == len(await rows(storage, "oauth_states")) == 1
    await storage.attempts.clear(at(NOW + LIFE_S + 1))
    assert await rows(storage, "link_attempts") == await rows(storage, "oauth_states") == []


async def test_a_client_id_is_tried_twenty_times_with_one_link(storage: Storage) -> None:
    await begun(storage)
    tried = [await storage.attempts.count_probe(LINK, at(NOW)) for _ in range(22)]
    assert tried == [True] * 20 + [False] * 2
    assert not await storage.attempts.count_probe(b"gone", at(NOW))


async def test_a_stranger_at_a_link_is_warned_of_once(storage: Storage) -> None:
    await begun(storage)
    warned = await asyncio.gather(*(storage.attempts.warn_once(LINK) for _ in range(10)))
    assert sorted(warned) == [False] * 9 + [True]
    assert not await storage.attempts.warn_once(b"gone")
