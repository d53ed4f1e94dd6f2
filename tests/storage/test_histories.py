"""How far a channel's history is read: each page counts once, and a channel is read once at a time."""

from __future__ import annotations

import pytest

from bot.albums import AlbumId
from bot.caller import GuildId
from bot.storage import Storage
from bot.storage.crates import Crate
from bot.storage.histories import READ, key_of
from bot.storage.watches import Post
from tests.storage.rows import ADA, BEN, X, Y, Z, at, execute, rows

GUILD, CHANNEL = GuildId(1), 7


async def begin(storage: Storage, until_id: int = 1000) -> bool:
    """Read the channel up to a message."""
    return await storage.histories.begin(GUILD, CHANNEL, None, None, 1, until_id, at())


async def read_page(storage: Storage, page: int, *, is_last: bool = False) -> None:
    current = await storage.histories.of_channel(CHANNEL)
    assert current is not None
    await storage.histories.add(current, [], page, 100, at(), is_last=is_last)


async def subjects(storage: Storage) -> list[str]:
    """The subjects of the edits that tell how far it is."""
    return [row["subject"] for row in await rows(storage, "outbox") if row["way"] == "edit"]


async def test_a_page_that_is_stored_again_after_a_crash_counts_once(storage: Storage) -> None:
    await begin(storage)
    before = await storage.histories.of_channel(CHANNEL)
    assert before is not None
    for _ in range(2):
        post = Post(CHANNEL, 500, ADA, [AlbumId(X)], at())
        await storage.histories.add(before, [post], 500, 100, at(), is_last=False)
    now = await storage.histories.of_channel(CHANNEL)
    assert now is not None
    assert (now.after_id, now.pages, now.messages, now.added) == (500, 1, 100, 1)


async def test_a_page_of_a_server_that_was_forgotten_meanwhile_counts_for_nothing(storage: Storage) -> None:
    await begin(storage)
    before = await storage.histories.of_channel(CHANNEL)
    assert before is not None
    await execute(storage, "DELETE FROM histories")
    await storage.histories.add(before, [Post(CHANNEL, 500, ADA, [X], at())], 500, 100, at(), is_last=True)
    assert await storage.histories.of_channel(CHANNEL) is None
    assert await rows(storage, "crate_entries") == []


async def test_only_albums_that_are_new_in_the_crate_are_counted(storage: Storage) -> None:
    crate = await storage.crates.new(GUILD, "Jazz", at())
    assert isinstance(crate, Crate)
    await storage.crates.add(GUILD, "jazz", X, ADA, "", at())
    await storage.preferences.set_posts_collected(BEN, False)
    await storage.histories.begin(GUILD, CHANNEL, crate.id, None, 1, 1000, at())
    posts = [
        Post(CHANNEL, 500, BEN, [Z], at()),
        Post(CHANNEL, 501, ADA, [X, Y], at()),
        Post(CHANNEL, 502, ADA, [Y], at()),
    ]
    for after_id, added in ((600, 1), (700, 1)):
        history = await storage.histories.of_channel(CHANNEL)
        assert history is not None
        await storage.histories.add(history, posts, after_id, 3, at(), is_last=False)
        history = await storage.histories.of_channel(CHANNEL)
        assert history is not None
        assert (history.crate, history.added) == ("Jazz", added)
        await storage.crates.archive(GUILD, "jazz", at())
        posts = [Post(CHANNEL, 600, ADA, [Z], at())]


async def test_a_channel_is_read_once_at_a_time_and_again_when_that_is_done(storage: Storage) -> None:
    assert await begin(storage)
    assert not await begin(storage, 2000)
    first = await storage.histories.of_channel(CHANNEL)
    assert first is not None
    await storage.histories.add(first, [], 900, 3, at(), is_last=True)
    assert await storage.histories.running(GUILD) == []
    assert await begin(storage, 2000)
    again = await storage.histories.of_channel(CHANNEL)
    assert again is not None
    assert (again.after_id, again.until_id, again.messages, again.ended_at) == (1, 2000, 0, None)


async def test_a_reading_its_timer_and_its_message_are_stored_together(storage: Storage) -> None:
    await begin(storage)
    assert [(row["kind"], row["key"]) for row in await rows(storage, "timers")] == [(READ, key_of(CHANNEL))]
    assert [row["channel_id"] for row in await rows(storage, "outbox")] == [CHANNEL]


async def test_how_far_it_is_is_told_every_ten_pages_and_at_the_end(storage: Storage) -> None:
    await begin(storage)
    told = []
    for page in range(1, 23):
        before = len(await rows(storage, "outbox"))
        await read_page(storage, page, is_last=page == 22)
        if len(await rows(storage, "outbox")) > before:
            told.append(page)
    assert told == [10, 20, 22]
    assert await subjects(storage) == [f"{CHANNEL}-1000-{page}" for page in told]


@pytest.mark.parametrize("is_refused", [True, False])
async def test_an_end_right_after_a_page_that_was_told_is_told_too(storage: Storage, is_refused: bool) -> None:
    await begin(storage)
    for page in range(1, 11):
        await read_page(storage, page)
    current = await storage.histories.of_channel(CHANNEL)
    assert current is not None
    if is_refused:
        await storage.histories.refuse(current, at())
    else:
        await storage.histories.stop(GUILD, CHANNEL, at())
    assert await subjects(storage) == [f"{CHANNEL}-1000-10", f"{CHANNEL}-1000-11"]


async def test_a_curator_stops_what_is_read_on_their_server_and_it_is_read_no_further(storage: Storage) -> None:
    await begin(storage)
    history = await storage.histories.of_channel(CHANNEL)
    assert history is not None
    assert await storage.histories.running(GUILD) == [history]
    assert await storage.histories.running(GuildId(2)) == []
    assert not await storage.histories.stop(GuildId(2), CHANNEL, at())
    assert not await storage.histories.stop(GUILD, CHANNEL + 1, at())
    assert await storage.histories.stop(GUILD, CHANNEL, at())
    assert not await storage.histories.stop(GUILD, CHANNEL, at())
    stopped = await storage.histories.of_channel(CHANNEL)
    assert stopped is not None
    assert (stopped.ended_at, stopped.is_stopped, stopped.is_refused) == (at(), True, False)
    assert await storage.histories.running(GUILD) == await rows(storage, "timers") == []
    assert len(await rows(storage, "outbox")) == 2, "how far it is, and that it stopped"
    await storage.histories.add(history, [Post(CHANNEL, 500, ADA, [AlbumId(X)], at())], 500, 100, at(), is_last=False)
    assert await storage.histories.of_channel(CHANNEL) == stopped


async def test_what_discord_does_not_let_the_bot_read_is_told_and_not_an_earlier_reading(storage: Storage) -> None:
    await begin(storage)
    first = await storage.histories.of_channel(CHANNEL)
    assert first is not None
    await storage.histories.stop(GUILD, CHANNEL, at())
    await begin(storage, 2000)
    await storage.histories.refuse(first, at())
    second = await storage.histories.of_channel(CHANNEL)
    assert second is not None
    assert second.ended_at is None
    await storage.histories.refuse(second, at())
    refused = await storage.histories.of_channel(CHANNEL)
    assert refused is not None
    assert (refused.ended_at, refused.is_refused, refused.is_stopped) == (at(), True, False)
    edits = {row["edits_subject"] for row in await rows(storage, "outbox") if row["way"] == "edit"}
    assert edits == {f"{CHANNEL}-1000", f"{CHANNEL}-2000"}
