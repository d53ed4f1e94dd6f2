"""Watched channels: what a post puts into a crate, how often an album is answered, and what an edit takes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.storage import Storage
from bot.storage.crates import Crate
from bot.storage.watches import ONCE_IN, POSTED, TAKEN_BACK_WITHIN, Answers, Post, Watch
from tests.storage.rows import ADA, BEN, X, Y, Z, at, rows

GUILD, CHANNEL, OTHER = GuildId(1), 7, 8
SECOND = timedelta(seconds=1)


async def watched(storage: Storage, channel: int = CHANNEL, answers: Answers = Answers.CARD) -> None:
    await storage.watches.turn_on(GUILD, channel, None, answers, "de", at())


def post(
    id_: int, *albums: AlbumId, member: MemberId = ADA, channel: int = CHANNEL, posted_at: datetime | None = None
) -> Post:
    return Post(channel, id_, member, albums, posted_at or at())


async def take(storage: Storage, *posts: Post, now: datetime | None = None) -> None:
    for one in posts:
        await storage.watches.take(one, now or at())


async def collected(storage: Storage, crate: str | None = None) -> set[AlbumId]:
    found = await storage.crates.find(GUILD, crate, at())
    assert found is not None
    return {entry.album_id for entry in await storage.crates.entries(found)}


async def answers(storage: Storage) -> list[Sequence[AlbumId]]:
    """The albums of each answer that was stored."""
    return [json.loads(row["payload"])["albums"] for row in await rows(storage, "outbox") if row["kind"] == POSTED]


# -- how channels are watched


async def test_a_channel_is_watched_as_was_said_last_until_it_is_turned_off(storage: Storage) -> None:
    crate = await storage.crates.new(GUILD, "Jazz", at())
    assert isinstance(crate, Crate)
    await watched(storage)
    await storage.watches.turn_on(GUILD, OTHER, crate.id, Answers.SILENT, None, at() + SECOND)
    first = Watch(CHANNEL, GUILD, None, Answers.CARD, "de", at())
    second = Watch(OTHER, GUILD, "Jazz", Answers.SILENT, None, at() + SECOND)
    assert await storage.watches.of_guild(GUILD) == [first, second]
    await storage.watches.turn_on(GUILD, 1, None, Answers.CARD, None, at() + SECOND)
    await storage.watches.turn_on(GUILD, 9, None, Answers.CARD, None, at() - SECOND)
    assert [watch.channel_id for watch in await storage.watches.of_guild(GUILD)] == [9, CHANNEL, 1, OTHER]
    assert await storage.watches.of_guild(GuildId(2)) == []
    await storage.watches.turn_on(GUILD, CHANNEL, crate.id, Answers.BUTTON, "ja", at() + 9 * SECOND)
    assert await storage.watches.of_channel(CHANNEL) == Watch(CHANNEL, GUILD, "Jazz", Answers.BUTTON, "ja", at())
    assert not await storage.watches.turn_off(GuildId(2), CHANNEL)
    assert await storage.watches.turn_off(GUILD, CHANNEL)
    assert not await storage.watches.turn_off(GUILD, CHANNEL)
    assert await storage.watches.of_channel(CHANNEL) is None
    assert await storage.watches.of_channel(OTHER) == second


# -- posts


async def test_a_post_is_collected_and_answered_once(storage: Storage) -> None:
    await watched(storage)
    await take(storage, post(1, Y, X), post(1, Y, X), post(2, Z, channel=99))
    assert await collected(storage) == {X, Y}
    assert await answers(storage) == [[Y, X]]
    assert await storage.watches.answered(CHANNEL, 1) == (ADA, [Y, X])
    assert await storage.watches.answered(CHANNEL, 2) is None
    assert await storage.watches.answered(OTHER, 1) is None
    [row] = await rows(storage, "outbox")
    assert (row["channel_id"], row["subject"], row["locale"]) == (CHANNEL, "1", "de")
    assert json.loads(row["payload"]) == {"channel": CHANNEL, "message": 1, "albums": [Y, X], "answers": "card"}


async def test_an_entry_is_as_old_as_its_post(storage: Storage) -> None:
    await watched(storage)
    await take(storage, post(1, X, posted_at=at() - SECOND))
    crate = await storage.crates.find(GUILD, None, at())
    assert crate is not None
    [entry] = await storage.crates.entries(crate)
    assert (entry.member_id, entry.added_at, entry.note) == (ADA, at() - SECOND, "")


async def test_a_silent_channel_is_collected_and_not_answered(storage: Storage) -> None:
    await watched(storage, answers=Answers.SILENT)
    await take(storage, post(1, X))
    assert await collected(storage) == {X}
    assert await answers(storage) == []
    assert await storage.watches.answered(CHANNEL, 1) is None


async def test_nothing_is_kept_of_members_who_do_not_want_it(storage: Storage) -> None:
    await watched(storage)
    await storage.preferences.set_posts_collected(ADA, False)
    await take(storage, post(1, X), post(2, Y, member=BEN))
    assert await collected(storage) == {Y}
    assert await answers(storage) == [[Y]]


async def test_an_album_is_answered_once_a_day_in_each_channel(storage: Storage) -> None:
    await watched(storage)
    await watched(storage, OTHER)
    await take(storage, post(1, X), post(2, X, Y, member=BEN), post(3, X, channel=OTHER))
    assert await answers(storage) == [[X], [Y], [X]]
    await take(storage, post(4, X), now=at() + ONCE_IN - SECOND)
    assert len(await answers(storage)) == 3
    await take(storage, post(5, X, member=BEN), now=at() + ONCE_IN)
    assert (await answers(storage))[3:] == [[X]]
    assert await storage.watches.answered(CHANNEL, 5) == (BEN, [X])
    assert await storage.watches.answered(CHANNEL, 1) is None


# -- what is taken back


async def test_a_deleted_post_takes_its_albums_back_for_an_hour(storage: Storage) -> None:
    await watched(storage)
    await take(storage, post(1, X), post(2, Y), post(3, Z))
    assert await storage.watches.take_back(CHANNEL, [1], at() + TAKEN_BACK_WITHIN) == [X]
    assert await storage.watches.answered(CHANNEL, 2) == (ADA, [Y])
    assert await storage.watches.take_back(CHANNEL, [1, 3], at()) == [Z]
    assert await storage.watches.take_back(CHANNEL, [2], at() + TAKEN_BACK_WITHIN + SECOND) == []
    assert await collected(storage) == {Y}
    assert [await storage.watches.answered(CHANNEL, id_) for id_ in (1, 2, 3)] == [None] * 3


async def test_an_edited_post_is_collected_and_answered_as_it_is_now(storage: Storage) -> None:
    await watched(storage)
    await watched(storage, OTHER)
    await take(storage, post(1, X, Y), post(2, AlbumId("o" * 22)), post(4, X, channel=OTHER))
    await storage.watches.edited(post(1, Y, Z), at() + SECOND, at() + TAKEN_BACK_WITHIN)
    assert await collected(storage) == {Y, Z, "o" * 22}
    assert await answers(storage) == [[X, Y], ["o" * 22], [X], [Z]]
    assert await storage.watches.answered(OTHER, 4) == (ADA, [X])
    await take(storage, post(3, X))
    assert (await answers(storage))[4:] == [[X]], "nobody sees an answer to it any more"
    await storage.watches.edited(post(1, Y), at() + 2 * SECOND, at() + TAKEN_BACK_WITHIN + SECOND)
    assert await collected(storage) == {X, Y, Z, "o" * 22}, "an hour later it stays"


async def test_what_was_answered_is_forgotten_after_a_day(storage: Storage) -> None:
    await watched(storage)
    await take(storage, post(1, X))
    await take(storage, post(2, Y), now=at() + SECOND)
    await storage.sweep(at() + ONCE_IN)
    assert [row["album_id"] for row in await rows(storage, "watch_answers")] == [Y]
