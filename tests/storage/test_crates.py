"""Crates: which one is meant, what fits in, what may be taken out, and who is shown to have kept an album."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.curation.draw import CrateEntry
from bot.storage import Storage
from bot.storage.crates import (
    CRATES_MOST,
    DEFAULT,
    ENTRIES_MOST,
    Added,
    Crate,
    Entry,
    Refusal,
    add_entry,
    count_pick,
    crate_with_entries,
    drawable,
    remove_entries_of_message,
)
from tests.storage.rows import ADA, BEN, NOW, X, Y, Z, at, execute

HERE, THERE = GuildId(1), GuildId(2)


async def default(storage: Storage, guild: GuildId = HERE) -> Crate:
    found = await storage.crates.find(guild, None, at())
    assert found is not None
    return found


async def add(
    storage: Storage, album: AlbumId, member: MemberId = ADA, crate: str | None = None, now: int = NOW
) -> Added | Refusal:
    return await storage.crates.add(HERE, crate, album, member, f"note of {member}", at(now))


async def albums(storage: Storage, crate: Crate, by: MemberId | None = None) -> list[AlbumId]:
    return [entry.album_id for entry in await storage.crates.entries(crate, by)]


# -- crates


async def test_every_server_has_a_crate_from_the_start_and_others_by_their_names(storage: Storage) -> None:
    first = await default(storage)
    assert (first.name, first.is_default, first.archived_at, first.guild_id) == (DEFAULT, True, None, HERE)
    assert await default(storage) == first
    assert (await default(storage, THERE)).id != first.id
    made = await storage.crates.new(HERE, "Rainy  Days", at())
    assert isinstance(made, Crate)
    assert not made.is_default
    for name in ("Rainy Days", "rainy days ", "RAINY DAYS"):
        assert await storage.crates.find(HERE, name, at()) == made
        assert await storage.crates.new(HERE, name, at()) is Refusal.NAME_TAKEN
    assert await storage.crates.find(THERE, "rainy days", at()) is None
    assert await storage.crates.by_id(HERE, made.id) == made
    assert await storage.crates.by_id(THERE, made.id) is None
    assert isinstance(await storage.crates.new(THERE, "rainy days", at()), Crate)


async def test_crates_are_listed_the_default_one_first_and_archived_ones_last(storage: Storage) -> None:
    for name in ("Zydeco", "Ambient", "Blues"):
        await storage.crates.new(HERE, name, at())
    archived = await storage.crates.archive(HERE, "ambient", at(NOW + 5))
    assert isinstance(archived, Crate)
    listed = await storage.crates.all(HERE, at())
    assert [crate.name for crate in listed] == [DEFAULT, "Blues", "Zydeco", "Ambient"]
    assert listed[-1].archived_at == at(NOW + 5)
    assert [crate.name for crate in await storage.crates.all(THERE, at())] == [DEFAULT]


async def test_a_server_has_so_many_crates_and_no_more(storage: Storage) -> None:
    made = [await storage.crates.new(HERE, str(number), at()) for number in range(CRATES_MOST)]
    assert [isinstance(one, Crate) for one in made] == [True] * (CRATES_MOST - 1) + [False]
    assert made[-1] is Refusal.TOO_MANY
    assert isinstance(await storage.crates.new(THERE, "a crate", at()), Crate)


async def test_a_crate_takes_another_name_unless_it_is_taken(storage: Storage) -> None:
    for name in ("Jazz", "Blues"):
        await storage.crates.new(HERE, name, at())
    assert await storage.crates.rename(HERE, "jazz", "BLUES", at()) is Refusal.NAME_TAKEN
    assert await storage.crates.rename(HERE, "nothing", "Folk", at()) is Refusal.NO_CRATE
    before = await storage.crates.rename(HERE, "jazz", "JAZZ", at())
    assert isinstance(before, Crate)
    assert before.name == "Jazz"
    await storage.crates.new(THERE, "Ours", at())
    await storage.crates.rename(HERE, None, "Ours", at())
    assert await storage.crates.find(HERE, DEFAULT, at()) is None
    assert await storage.crates.find(HERE, "ours", at()) == await default(storage)
    assert (await default(storage)).name == "Ours"
    assert [crate.name for crate in await storage.crates.all(HERE, at())] == ["Ours", "Blues", "JAZZ"]


async def test_an_archived_crate_takes_nothing_and_can_be_read(storage: Storage) -> None:
    await storage.crates.new(HERE, "Jazz", at())
    await add(storage, X, crate="jazz")
    assert isinstance(await storage.crates.archive(HERE, "jazz", at()), Crate)
    assert await storage.crates.archive(HERE, "jazz", at()) is Refusal.ARCHIVED
    assert await storage.crates.archive(HERE, "nothing", at()) is Refusal.NO_CRATE
    assert await storage.crates.archive(HERE, DEFAULT, at()) is Refusal.IS_DEFAULT
    assert await add(storage, Y, crate="jazz") is Refusal.ARCHIVED
    found = await storage.crates.find(HERE, "jazz", at())
    assert found is not None
    assert await albums(storage, found) == [X]


# -- entries


async def test_an_album_is_in_a_crate_once_with_who_brought_it_first(storage: Storage) -> None:
    added = await add(storage, X, ADA)
    assert isinstance(added, Added)
    assert added.earlier is None
    again = await add(storage, X, BEN, now=NOW + 60)
    assert isinstance(again, Added)
    assert again.earlier is not None
    assert (again.earlier.member_id, again.earlier.note) == (ADA, f"note of {ADA}")
    assert (again.earlier.added_at, again.earlier.picks) == (at(), 0)
    assert await add(storage, X, crate="nothing") is Refusal.NO_CRATE


async def test_a_crate_that_is_full_takes_no_more(storage: Storage) -> None:
    crate = await default(storage)
    await storage.crates.new(HERE, "Another", at())
    await storage.database.write(
        lambda c: c.executemany(
            "INSERT INTO crate_entries (crate_id, album_id, member_id, added_at) VALUES (?, ?, ?, ?)",
            [(crate.id, f"{number:022}", ADA, NOW) for number in range(ENTRIES_MOST - 1)],
        )
    )
    assert isinstance(await add(storage, X), Added)
    assert await add(storage, Y) is Refusal.FULL
    assert isinstance(await add(storage, X), Added), "it is in it already"
    assert isinstance(await add(storage, Y, crate="another"), Added)


async def test_entries_are_listed_the_newest_first_and_by_member(storage: Storage) -> None:
    for place, (album, member) in enumerate(((X, ADA), (Z, BEN), (Y, BEN))):
        await add(storage, album, member, now=NOW + 60 * min(place, 1))
    crate = await default(storage)
    assert await albums(storage, crate) == [Y, Z, X]
    assert await albums(storage, crate, BEN) == [Y, Z]
    found = await storage.database.read(lambda c: crate_with_entries(c, crate.id))
    assert found is not None
    assert found[:2] == (crate, at())
    assert [entry.album_id for entry in found[2]] == [Y, Z, X]
    assert await storage.database.read(lambda c: crate_with_entries(c, 99)) is None


async def test_members_take_out_what_they_brought_and_curators_what_anybody_did(storage: Storage) -> None:
    async def remove(album: AlbumId, member: MemberId, crate: str | None = None, *, anyones: bool = False) -> object:
        return await storage.crates.remove(HERE, crate, album, member, at(), anyones=anyones)

    await storage.crates.new(HERE, "Another", at())
    for album in (X, Y):
        await add(storage, album, ADA)
        await add(storage, album, ADA, crate="another")
    assert await remove(X, BEN) is Refusal.NOT_YOURS
    assert await remove(Z, ADA) is Refusal.NOT_THERE
    assert await remove(X, ADA, "nothing") is Refusal.NO_CRATE
    removed = await remove(X, ADA)
    assert isinstance(removed, Entry)
    assert (removed.album_id, removed.member_id) == (X, ADA)
    assert await albums(storage, await default(storage)) == [Y]
    await remove(Y, BEN, anyones=True)
    assert await albums(storage, await default(storage)) == []
    another = await storage.crates.find(HERE, "another", at())
    assert another is not None
    assert await albums(storage, another) == [X, Y]


async def test_a_deleted_message_takes_out_what_it_brought_lately_and_nothing_else(storage: Storage) -> None:
    async def brought(album: AlbumId, message: int, channel: int = 7, now: int = NOW) -> None:
        await storage.database.write(
            lambda c: add_entry(c, HERE, None, album, ADA, "", at(now), channel_id=channel, message_id=message)
        )

    old, elsewhere, other = (AlbumId(letter * 22) for letter in "oeb")
    await brought(X, 1)
    await brought(Y, 1)
    await brought(old, 1, now=NOW - 1)
    await brought(elsewhere, 1, channel=8)
    await brought(other, 2)
    gone = await storage.database.write(lambda c: remove_entries_of_message(c, 7, 1, at(), {Y}))
    assert gone == [X]
    assert set(await albums(storage, await default(storage))) == {Y, old, elsewhere, other}
    assert await storage.database.write(lambda c: remove_entries_of_message(c, 7, 1, at())) == [Y]


# -- drawing


async def test_a_club_draws_from_the_default_crate_of_its_server(storage: Storage) -> None:
    await storage.crates.new(HERE, "Another", at())
    for album, crate in ((X, None), (Y, None), (X, "another"), (Z, "another")):
        await add(storage, album, crate=crate)
    await storage.crates.add(THERE, None, X, ADA, "", at())
    await storage.database.write(lambda c: count_pick(c, HERE, X))
    for guild, picks in ((HERE, {(X, 1), (Y, 0)}), (THERE, {(X, 0)})):
        drawn = await storage.database.read(lambda c, guild=guild: drawable(c, guild))  # type: ignore[misc]
        assert {(entry.album_id, entry.picks) for entry in drawn} == picks
        assert all(isinstance(entry, CrateEntry) for entry in drawn)
    another = await storage.crates.find(HERE, "another", at())
    assert another is not None
    assert {entry.picks for entry in await storage.crates.entries(another)} == {0}


async def test_of_two_who_draw_an_album_at_once_one_does(storage: Storage) -> None:
    await add(storage, X)
    await add(storage, Y)
    crate = await default(storage)
    assert await storage.crates.picked(crate, X, 0)
    assert not await storage.crates.picked(crate, X, 0)
    assert await storage.crates.picked(crate, X, 1)
    assert not await storage.crates.picked(crate, Z, 0)
    assert {entry.album_id: entry.picks for entry in await storage.crates.entries(crate)} == {X: 2, Y: 0}


# -- kept by


async def test_who_kept_an_album_is_shown_on_their_server_in_order(storage: Storage) -> None:
    await add(storage, X)
    await add(storage, Y)
    assert await storage.crates.keep(HERE, X, BEN, at())
    assert not await storage.crates.keep(HERE, X, BEN, at(NOW - 60))
    await storage.crates.keep(HERE, X, ADA, at(NOW + 60))
    await storage.crates.keep(THERE, Y, ADA, at())
    await storage.crates.keep(HERE, Z, ADA, at())
    kept = {entry.album_id: entry.kept_by for entry in await storage.crates.entries(await default(storage))}
    assert kept == {X: (BEN, ADA), Y: ()}
    assert await storage.crates.kept_by(HERE, [X, Y, Z]) == {X: (BEN, ADA), Y: (), Z: (ADA,)}
    assert await storage.crates.kept_by(THERE, [X, Y]) == {X: (), Y: (ADA,)}


@pytest.mark.parametrize(("albums", "left"), [(None, []), ([X], [Y]), ([], [Y, X])])
async def test_a_member_can_stop_showing_what_they_kept(
    albums: list[AlbumId] | None, left: list[AlbumId], storage: Storage
) -> None:
    for number, (guild, album) in enumerate(((HERE, X), (THERE, X), (HERE, Y))):
        await storage.crates.keep(guild, album, ADA, at() + timedelta(seconds=number))
    await storage.crates.keep(HERE, X, BEN, at())
    assert await storage.crates.shown_by(ADA) == [Y, X]
    await storage.crates.stop_showing(ADA, albums)
    assert await storage.crates.shown_by(ADA) == left
    assert await storage.crates.shown_by(BEN) == [X]


async def test_an_entry_outlives_the_member_who_brought_it_without_their_name(storage: Storage) -> None:
    await add(storage, X)
    await storage.crates.keep(HERE, X, ADA, at())
    await execute(storage, "UPDATE crate_entries SET picks = 3")
    await storage.forget(ADA)
    [entry] = await storage.crates.entries(await default(storage))
    assert (entry.album_id, entry.member_id, entry.note, entry.picks, entry.kept_by) == (X, None, "", 3, ())
