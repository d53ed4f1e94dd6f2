"""Spreadsheets that become past rounds of a club: the file, what was found in it, and taking its rounds back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.caller import MemberId, RequestId
from bot.curation.club import Round, State
from bot.curation.ids import ClubId, RoundNumber
from bot.curation.ratings import Scale, Score
from bot.storage import Storage
from bot.storage.club_imports import FILE_KEPT, ClubImport, FoundAlbum, ImportState
from bot.storage.outbox import TOKEN_LIFE, Answer
from bot.storage.ratings import Rating
from tests.callers import caller
from tests.storage.clubs import BEGIN, add, new_club
from tests.storage.rows import ADA, BEN, X, Y, Z, execute, rows

CLUB, OTHER_CLUB = ClubId(1), ClubId(2)
SECOND = timedelta(seconds=1)


async def asked(
    storage: Storage,
    id_: int,
    club_id: ClubId = CLUB,
    member: MemberId = ADA,
    people: Mapping[str, MemberId] | None = None,
) -> ClubImport:
    """A file that a curator sent, in a club that is made for it."""
    if await storage.clubs.get(club_id) is None:
        await add(storage, new_club(club_id), ADA)
    new = ClubImport.of_file(caller(member, id_), club_id, "club.csv", b"date;album", BEGIN)
    new = replace(new, people=people or {})
    await storage.club_imports.ask(new)
    return new


async def begin(storage: Storage, one: ClubImport) -> bool:
    return await storage.database.write(
        lambda c: storage.club_imports.begin_in(c, one.id, one.member_id or ADA, "a-token", BEGIN + SECOND)
    )


async def end(storage: Storage, one: ClubImport, state: ImportState = ImportState.DONE, rounds: int = 0) -> None:
    await storage.database.write(lambda c: storage.club_imports.end_in(c, one.id, state, rounds, BEGIN + 2 * SECOND))


# -- the file


async def test_a_file_replaces_the_one_that_its_curator_was_asked_about_in_this_club(storage: Storage) -> None:
    started, of_ben, elsewhere = (
        await asked(storage, 1),
        await asked(storage, 2, member=BEN),
        await asked(storage, 3, OTHER_CLUB),
    )
    assert await begin(storage, started)
    replaced, last = await asked(storage, 4), await asked(storage, 5, people={"ann": ADA})
    assert await storage.club_imports.get(last.id) == last
    assert await storage.club_imports.get(replaced.id) is None
    for other in (started, of_ben, elsewhere):
        assert await storage.club_imports.get(other.id) is not None


async def test_how_a_file_is_read_can_be_changed_until_it_is_started(storage: Storage) -> None:
    new, other = await asked(storage, 1, people={"ann": ADA}), await asked(storage, 2, member=BEN)
    assert await storage.club_imports.change(new.id, "day first", {"ann": BEN})
    changed = replace(new, date_order="day first", people={"ann": BEN})
    assert await storage.club_imports.get(new.id) == changed
    assert await begin(storage, new)
    assert not await storage.club_imports.change(new.id, None, {})
    assert not await storage.club_imports.change(RequestId(9), None, {})
    running = replace(changed, state=ImportState.RUNNING, begun_at=BEGIN + SECOND)
    assert await storage.club_imports.get(new.id) == running
    assert await storage.club_imports.get(other.id) == other


async def test_a_file_is_started_once_or_cancelled(storage: Storage) -> None:
    started, cancelled = await asked(storage, 1), await asked(storage, 2, member=BEN)
    assert await begin(storage, started)
    assert not await begin(storage, started)
    assert not await storage.club_imports.cancel(started.id)
    assert await storage.club_imports.cancel(cancelled.id)
    assert not await begin(storage, cancelled)
    assert [row["id"] for row in await rows(storage, "club_imports")] == [started.id]


async def test_an_import_that_is_over_says_how_it_ended(storage: Storage) -> None:
    one, other = await asked(storage, 1), await asked(storage, 2, member=BEN)
    await begin(storage, one)
    await end(storage, one, rounds=3)
    ended_at = BEGIN + 2 * SECOND
    assert await storage.club_imports.get(one.id) == replace(
        one, state=ImportState.DONE, begun_at=BEGIN + SECOND, ended_at=ended_at, rounds=3
    )
    assert await storage.club_imports.get(other.id) == other


async def test_the_imports_of_a_club_are_those_that_run_or_are_done_the_latest_first(storage: Storage) -> None:
    for id_, state in enumerate(ImportState, 1):
        one = await asked(storage, id_, member=MemberId(id_))
        if state is not ImportState.ASKED:
            await begin(storage, one)
        if state not in (ImportState.ASKED, ImportState.RUNNING):
            await end(storage, one, state, rounds=3)
    await begin(storage, await asked(storage, 9, OTHER_CLUB))
    await begin(storage, nothing_new := await asked(storage, 10))
    await end(storage, nothing_new, rounds=0)
    found = await storage.club_imports.of_club(CLUB)
    assert [(one.state, one.file) for one in found] == [(ImportState.DONE, None), (ImportState.RUNNING, None)]
    assert found[0].name == "club.csv"


async def test_a_file_is_deleted_after_a_day_unless_its_import_runs(storage: Storage) -> None:
    asked_, running, over = [await asked(storage, id_, people={"ann": ADA}, member=MemberId(id_)) for id_ in (1, 2, 3)]
    for one in (running, over):
        await begin(storage, one)
        await storage.club_imports.note(one.id, {2: FoundAlbum(X)})
    await end(storage, over, rounds=1)

    async def kept(after: timedelta) -> dict[int, tuple[bool, bool, bool]]:
        await storage.sweep(BEGIN + FILE_KEPT + after)
        return {
            row["id"]: (
                row["file"] is not None,
                row["people"] != "{}",
                bool(await storage.club_imports.found(row["id"])),
            )
            for row in await rows(storage, "club_imports")
        }

    whole = {running.id: (True, True, True), over.id: (True, True, True)}
    assert await kept(0 * SECOND) == {asked_.id: (True, True, False), **whole}
    assert await kept(SECOND) == await kept(2 * SECOND) == whole
    assert await kept(3 * SECOND) == {**whole, over.id: (False, False, False)}


# -- the message that shows how far it is


@pytest.mark.parametrize("or_directly", [True, False])
async def test_the_message_of_an_import_is_known_while_it_runs_and_can_be_edited(
    storage: Storage, or_directly: bool
) -> None:
    async def answer(after: timedelta, id_: RequestId) -> Answer | None:
        now = BEGIN + SECOND + after
        return await storage.database.read(
            lambda c: storage.club_imports.answer_in(c, id_, now, or_directly=or_directly)
        )

    other, one = await asked(storage, 1, member=BEN), await asked(storage, 2)
    assert await answer(SECOND, one.id) is None
    assert await answer(SECOND, RequestId(9)) is None
    await begin(storage, one)
    found = await answer(TOKEN_LIFE - SECOND, one.id)
    assert found is not None
    assert (found.member_id, found.token, found.asked_at) == (ADA, "a-token", BEGIN + SECOND)
    assert found.or_directly is or_directly
    assert await answer(SECOND, other.id) is None
    assert await answer(TOKEN_LIFE, one.id) is None
    await end(storage, one)
    assert await answer(SECOND, one.id) is None


async def test_a_message_whose_token_does_not_open_cannot_be_edited(storage: Storage) -> None:
    one = await asked(storage, 1)
    await begin(storage, one)
    await execute(storage, "UPDATE club_imports SET interaction_token_sealed = x'00'")
    assert await storage.database.read(lambda c: storage.club_imports.answer_in(c, one.id, BEGIN + SECOND)) is None


# -- albums


async def test_what_was_found_is_noted_once_for_each_line_while_the_import_runs(storage: Storage) -> None:
    one, other = await asked(storage, 1), await asked(storage, 2, member=BEN)
    await storage.club_imports.note(one.id, {2: FoundAlbum(X)})
    assert await storage.club_imports.found(one.id) == {}
    for each in (one, other):
        await begin(storage, each)
    found = {2: FoundAlbum(X), 3: FoundAlbum(None, "not found")}
    await storage.club_imports.note(one.id, found)
    await storage.club_imports.note(one.id, {2: FoundAlbum(Y), 4: FoundAlbum(Z)})
    assert await storage.club_imports.found(one.id) == {**found, 4: FoundAlbum(Z)}
    assert await storage.club_imports.found(other.id) == {}
    await end(storage, one)
    await storage.club_imports.note(one.id, {5: FoundAlbum(Y)})
    assert await storage.club_imports.found(one.id) == {**found, 4: FoundAlbum(Z)}


# -- rounds


async def test_the_numbers_of_past_rounds_go_down_from_one(storage: Storage) -> None:
    one = await asked(storage, 1)

    async def lowest() -> int:
        return await storage.database.read(lambda c: storage.club_imports.lowest_in(c, CLUB))

    assert await lowest() == 1
    for number, expected in ((2, 1), (0, 0), (-1, -1), (1, -1)):
        await add_round(storage, one, number, X)
        assert await lowest() == expected
    await add_round(storage, await asked(storage, 2, OTHER_CLUB), -7, X)
    assert await lowest() == -1


async def test_taking_an_import_back_takes_its_rounds_with_ratings_and_themes_and_no_others(storage: Storage) -> None:
    one, other = await asked(storage, 1), await asked(storage, 2, member=BEN)
    for of, number, album in ((one, 0, X), (one, -1, None), (other, -2, Y)):
        await add_round(storage, of, number, album)
        rating = Rating(RoundNumber(number), ADA, Score(Scale.TEN, 7), "", is_named=False)
        await storage.database.write(lambda c, rating=rating: storage.ratings.put_in(c, CLUB, rating, BEGIN))
        theme = RoundNumber(number), f"theme of {number}"
        await storage.database.write(lambda c, theme=theme: storage.clubs.set_theme_in(c, CLUB, *theme))
    assert await storage.club_imports.albums_of(one.id) == {X}
    removed = await storage.database.write(lambda c: storage.club_imports.remove_rounds_in(c, one.id))
    assert sorted(removed) == [-1, 0]
    assert await storage.club_imports.albums_of(one.id) == set()
    for table in ("club_rounds", "ratings", "club_themes"):
        assert [row["number"] for row in await rows(storage, table)] == [-2], table
    assert await storage.club_imports.albums_of(other.id) == {Y}
    assert await storage.database.write(lambda c: storage.club_imports.remove_rounds_in(c, one.id)) == []


async def add_round(storage: Storage, of: ClubImport, number: int, album: AlbumId | None) -> None:
    club = new_club(of.club_id)
    past: Round = replace(club.coming, number=RoundNumber(number), state=State.ENDED, album_id=album)
    await storage.database.write(lambda c: storage.club_imports.add_round_in(c, of.id, of.club_id, past))


# -- members


async def test_a_member_is_told_only_their_own_name_in_a_file_and_it_alone_is_forgotten(storage: Storage) -> None:
    one = await asked(storage, 1, member=MemberId(7), people={"ann": ADA, "ben": BEN, "benny": BEN})
    exported = await storage.export(BEN)
    assert exported["club_imports"] == [{"club_id": "1", "your_name_in_it": name} for name in ("ben", "benny")]
    assert await storage.forget(BEN) == {"club_imports": 1}
    found = await storage.club_imports.get(one.id)
    assert found is not None
    assert found.people == {"ann": ADA}
