"""Clubs, ballots and ratings on the disk."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bot.caller import GuildId, MemberId
from bot.curation.club import ClubSettings, Pick
from bot.curation.ids import ClubId, RoleId, RoundNumber
from bot.curation.ratings import Scale
from bot.storage import Storage
from bot.storage.club_imports import FILE_KEPT
from bot.storage.clubs import origin_of
from bot.storage.vault import Unopenable
from tests.storage.clubs import BEGIN, GUILD, ONE, add, new_club, of_member
from tests.storage.rows import ADA, BEN, X, Y, Z, at, execute, on_disk, rows

SETTINGS = ClubSettings(
    pick=Pick.TURNS, scale=Scale.TEN, sealed=True, released_from=1970, ping_role_id=RoleId(7), event=True
)


async def test_a_club_comes_back_as_it_was_stored(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA, BEN, settings=SETTINGS)
    stored = await add(storage, club, ADA)
    assert await storage.clubs.get(club.id) == stored
    assert await storage.clubs.of_guild(GUILD) == [stored]
    assert await storage.clubs.of_guild(GuildId(1)) == []


async def test_a_club_that_an_older_version_stored_takes_the_defaults_of_new_settings(storage: Storage) -> None:
    club = new_club(ClubId(1), ADA)
    await add(storage, club, ADA)
    await execute(storage, "UPDATE clubs SET state = json_remove(state, '$.settings.event', '$.told')")
    found = await storage.clubs.get(club.id)
    assert found is not None
    assert found.club == club


async def test_the_file_does_not_show_who_voted_for_what(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    assert (await rows(storage, "ballots"))[0]["member_id"] == ADA
    folder = storage.database.path.parent
    assert X.encode() in on_disk(folder)  # it was nominated
    assert Y.encode() not in on_disk(folder)  # it is on the ballot alone
    cast = await storage.database.read(lambda c: storage.ballots.of_member_in(c, stored.id, ONE, ADA))
    assert cast == (X, Y)


@pytest.mark.parametrize("moved", ["number = 2", f"member_id = {BEN}", "club_id = 2"])
async def test_a_ballot_that_was_copied_to_another_round_member_or_club_does_not_open(
    storage: Storage, moved: str
) -> None:
    stored = await of_member(storage, ADA)
    await add(storage, new_club(ClubId(2)), ADA)
    await execute(storage, f"UPDATE ballots SET {moved}")
    (row,) = await rows(storage, "ballots")
    with pytest.raises(Unopenable):
        await storage.database.read(lambda c: storage.ballots.open_in(c, row["club_id"], row["number"]))
    assert stored.id == 1


async def test_a_second_ballot_replaces_the_first(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    voters = await storage.database.write(lambda c: storage.ballots.cast_in(c, stored.id, ONE, ADA, (Z,)))
    assert voters == 1
    assert await storage.database.read(lambda c: storage.ballots.open_in(c, stored.id, ONE)) == ((Z,),)


async def test_a_counted_vote_keeps_the_ballots_and_forgets_who_voted(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    for member, ballot in ((BEN, (Z,)), (MemberId(7), (X, Z))):
        await storage.database.write(lambda c, m=member, b=ballot: storage.ballots.cast_in(c, stored.id, ONE, m, b))
    await storage.database.write(lambda c: storage.ballots.forget_voters_in(c, stored.id, ONE))
    assert await rows(storage, "ballots") == []
    counted = await storage.database.read(lambda c: storage.ballots.counted_in(c, stored.id, ONE))
    assert counted == ((X, Y), (X, Z), (Z,))  # sorted, so that the order tells nothing
    assert await storage.database.read(lambda c: storage.ballots.number_in(c, stored.id, ONE)) == 3
    assert "member_id" not in (await rows(storage, "counted_ballots"))[0]


async def test_the_scores_of_a_forgotten_member_stay_without_name_and_review(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    await storage.forget(ADA)
    (rating,) = await storage.database.read(lambda c: storage.ratings.of_round_in(c, stored.id, ONE))
    assert (rating.member_id, rating.score.steps, rating.review) == (None, 8, "")
    (over,) = await storage.database.read(lambda c: storage.clubs.over_in(c, stored.id))
    assert (over.album_id, over.chosen_by) == (X, None)


async def test_everything_of_a_club_goes_with_its_server(storage: Storage) -> None:
    await of_member(storage, ADA)
    await storage.guilds.joined(GUILD)
    await storage.guilds.removed(GUILD, at())
    await storage.sweep(at() + timedelta(days=31))
    for table in ("clubs", "club_rounds", "ballots", "ratings", "club_reminders", "curator_log"):
        assert await rows(storage, table) == [], table


async def test_saves_are_counted_for_each_round_and_only_of_clubs_that_exist(storage: Storage) -> None:
    stored = await of_member(storage, ADA)
    for club_id in (stored.id, stored.id, ClubId(99)):
        origin = origin_of(club_id, ONE)
        await storage.database.write(lambda c, origin=origin: storage.clubs.count_save_in(c, origin))
    saves = [
        await storage.database.read(lambda c, n=n: storage.clubs.saves_in(c, stored.id, n))
        for n in (ONE, RoundNumber(2))
    ]
    assert saves == [2, 0]


async def test_the_last_heartbeat_is_known(storage: Storage) -> None:
    assert await storage.clubs.last_beat() is None
    for moment in (BEGIN, BEGIN + timedelta(minutes=1)):
        await storage.database.write(lambda c, moment=moment: storage.clubs.beat_in(c, moment))
    assert await storage.clubs.last_beat() == BEGIN + timedelta(minutes=1)


async def test_a_day_after_an_import_its_file_its_names_and_its_albums_are_deleted(storage: Storage) -> None:
    await of_member(storage, ADA)
    ended_at = int(BEGIN.timestamp())
    await execute(storage, "UPDATE club_imports SET state = 'done', ended_at = ?", ended_at)
    [row] = await rows(storage, "club_imports")
    await execute(storage, "INSERT INTO club_import_rows (import_id, line, album_id) VALUES (?, 1, ?)", row["id"], X)
    await storage.club_imports.sweep(BEGIN + FILE_KEPT)
    assert [(row["file"], row["people"]) for row in await rows(storage, "club_imports")] == [
        (b"date", json.dumps({"ann": ADA}))
    ]
    assert len(await rows(storage, "club_import_rows")) == 1
    await storage.club_imports.sweep(BEGIN + FILE_KEPT + timedelta(seconds=1))
    assert [(row["file"], row["people"]) for row in await rows(storage, "club_imports")] == [(None, "{}")]
    assert await rows(storage, "club_import_rows") == []


async def test_a_file_that_nobody_imports_is_deleted_after_a_day(storage: Storage) -> None:
    await of_member(storage, ADA)
    await execute(storage, "UPDATE club_imports SET state = 'asked', begun_at = NULL")
    await storage.club_imports.sweep(BEGIN + FILE_KEPT)
    assert len(await rows(storage, "club_imports")) == 1
    await storage.club_imports.sweep(BEGIN + FILE_KEPT + timedelta(seconds=1))
    assert await rows(storage, "club_imports") == []
