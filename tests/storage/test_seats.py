"""Seats of the host's app: who may sit, the first host gives one, and an address is kept no longer than needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import AppTaken, NoSeatFree
from bot.storage import Storage
from bot.storage.apps import KnownApp
from bot.storage.engine import Connection
from bot.storage.seats import REQUEST_LIFE, SEAT_FREED, Also, Given, SeatRequest
from tests.callers import caller
from tests.storage.rows import ADA, BEN, X, ask, at, execute, link, on_disk, put, rows

CHLOE = 200_000_000_000_000_003
HOUR = timedelta(hours=1)


def nothing(c: Connection) -> None:
    """Nothing else is stored along."""


async def sit(storage: Storage, member: int, seats: int, client_id: str = "client") -> None:
    """Link a member through an app with this many seats."""
    new = link(member, f"acc-{member}", client_id=client_id)
    await storage.links.put(new, "BQ", "AQ", at() + HOUR, seats=seats)


async def test_only_so_many_members_sit_as_there_are_seats(storage: Storage) -> None:
    await sit(storage, ADA, 1)
    with pytest.raises(NoSeatFree):
        await sit(storage, BEN, 1)
    assert await storage.links.get(BEN) is None
    await sit(storage, ADA, 1)  # whoever sits can link again
    await sit(storage, BEN, 2)
    await sit(storage, CHLOE, 0)  # no limit
    assert [each.member_id for each in await storage.links.sitting("client")] == [ADA, BEN, CHLOE]


async def test_an_own_app_takes_no_seat_and_needs_none(storage: Storage) -> None:
    await storage.seats.ask(caller(BEN), "Ben", "ben@example.org", at(), nothing)
    assert await storage.seats.give(BEN, "client", 1, at(), nothing) is Given.GIVEN
    own = link(ADA, client_id="Ada's app", is_own_app=True)
    await storage.links.put(own, "BQ", "AQ", at() + HOUR, seats=1)
    await sit(storage, BEN, 1)
    assert [each.member_id for each in await storage.links.sitting("client")] == [BEN]


async def test_a_freed_seat_is_free_and_its_member_keeps_what_is_pending(storage: Storage) -> None:
    await sit(storage, ADA, 1)
    await ask(storage, 1, X)
    assert await storage.links.free_seat(ADA, "client", nothing)
    assert not await storage.links.free_seat(ADA, "client", nothing)
    assert len(await storage.changes.pending(ADA)) == 1
    freed = await storage.links.get(ADA)
    assert freed is not None
    assert freed.broken == SEAT_FREED
    await sit(storage, BEN, 1)
    with pytest.raises(NoSeatFree):
        await sit(storage, ADA, 1)


def noting(noted: list[str]) -> Callable[[str], Also]:
    """What is stored along: a text that says when it was."""

    def also_of(text: str) -> Also:
        return lambda c: noted.append(text)

    return also_of


async def test_what_belongs_to_a_seat_is_stored_with_it_and_only_then(storage: Storage) -> None:
    noted: list[str] = []
    note = noting(noted)
    await sit(storage, ADA, 1)
    assert not await storage.links.free_seat(BEN, "client", note("no seat"))
    assert not await storage.links.free_seat(ADA, "another app", note("another app"))
    assert await storage.links.free_seat(ADA, "client", note("freed"))
    assert not await storage.links.free_seat(ADA, "client", note("freed again"))
    assert not await storage.seats.release(ADA, note("nothing is held"))
    await storage.seats.ask(caller(ADA), "Ada", "ada@example.org", at(), note("asked"))
    assert not await storage.seats.release(ADA, note("not given"))
    await storage.seats.give(BEN, "client", 1, at(), note("did not ask"))
    await storage.seats.give(ADA, "client", 1, at(), note("given"))
    assert await storage.seats.release(ADA, note("released"))
    await storage.seats.ask(caller(ADA), "Ada", "ada@example.org", at(), note("asked again"))
    await storage.seats.expire(ADA, at(), note("too early"))
    await storage.seats.expire(ADA, at() + REQUEST_LIFE, note("expired"))
    await storage.seats.expire(ADA, at() + REQUEST_LIFE, note("expired again"))
    assert noted == ["freed", "asked", "given", "released", "asked again", "expired"]


async def test_seats_are_listed_by_who_has_them_and_who_wants_them_the_first_one_first(storage: Storage) -> None:
    for place, member in enumerate((CHLOE, ADA, BEN)):
        linked_at = at() + min(place, 1) * HOUR
        await put(storage, link(member, f"acc-{member}", linked_at=linked_at, consented_at=linked_at))
    assert [each.member_id for each in await storage.links.sitting("client")] == [CHLOE, ADA, BEN]
    for place, member in enumerate((CHLOE, ADA, BEN)):
        await storage.seats.ask(caller(member), "name", "mail@example.org", at() + min(place, 1) * HOUR, nothing)
    asked = [(CHLOE, at()), (ADA, at() + HOUR), (BEN, at() + HOUR)]
    assert await storage.seats.open() == asked
    assert await storage.seats.held(at()) == []
    for member, given_at in asked:
        await storage.seats.give(member, "client", 0, given_at, nothing)
    assert await storage.seats.open() == []
    assert await storage.seats.held(at()) == asked
    assert await storage.seats.held(at() + REQUEST_LIFE) == asked[1:]


async def test_a_new_request_takes_the_place_of_an_earlier_one(storage: Storage) -> None:
    await storage.seats.ask(caller(ADA, locale="de"), "Ada", "ada@example.org", at(), nothing)
    await storage.seats.give(ADA, "client", 1, at(), nothing)
    await storage.seats.ask(caller(ADA, locale="ja"), "Ada B", "b@example.org", at() + HOUR, nothing)
    assert await storage.seats.get(ADA) == SeatRequest(ADA, "Ada B", "b@example.org", "ja", at() + HOUR, None)
    assert await storage.seats.get(BEN) is None


async def test_nothing_of_a_freed_members_tokens_is_left(storage: Storage, tmp_path: Path) -> None:
    await sit(storage, ADA, 1)
    before = (await rows(storage, "links"))[0]["refresh_sealed"]
    await storage.links.free_seat(ADA, "client", nothing)
    assert before not in on_disk(tmp_path)


async def test_a_refresh_that_ends_after_the_seat_was_freed_does_not_take_it_back(storage: Storage) -> None:
    await sit(storage, ADA, 1)
    old = await storage.links.get(ADA)
    assert old is not None
    await storage.links.free_seat(ADA, "client", nothing)
    assert not await storage.links.refreshed(old, "BQ-2", "AQ-2", at() + HOUR)
    assert not await storage.links.refused(old, "revoked")
    assert (await rows(storage, "links"))[0]["broken"] == SEAT_FREED


# -- asking for a seat


async def wants(storage: Storage, member: int = ADA) -> None:
    await storage.seats.ask(caller(member), "Ada Lovelace", "ada@example.org", at(), nothing)


async def test_a_request_is_sealed_and_in_no_repr(storage: Storage, tmp_path: Path) -> None:
    await wants(storage)
    request = await storage.seats.get(ADA)
    assert request is not None
    assert (request.name, request.email) == ("Ada Lovelace", "ada@example.org")
    assert "ada@" not in repr(request)
    assert b"ada@example" not in on_disk(tmp_path)
    assert b"Lovelace" not in on_disk(tmp_path)


async def test_of_many_hosts_the_first_gives_the_seat_and_the_address_is_gone(storage: Storage) -> None:
    await wants(storage)
    told: list[int] = []
    given = await asyncio.gather(
        *(storage.seats.give(ADA, "client", 1, at(), lambda c: told.append(1)) for _ in range(5))
    )
    assert sorted(given) == [Given.ALREADY] * 4 + [Given.GIVEN]
    assert told == [1]
    request = await storage.seats.get(ADA)
    assert request is not None
    assert (request.name, request.email, request.given_at) == (None, None, at())


async def test_once_a_seat_is_given_nothing_of_the_address_is_left_on_the_disk(
    storage: Storage, tmp_path: Path
) -> None:
    await wants(storage)
    [row] = await rows(storage, "seat_requests")
    assert row["email_sealed"] in on_disk(tmp_path)
    await storage.seats.give(ADA, "client", 1, at(), nothing)
    assert row["email_sealed"] not in on_disk(tmp_path)


async def test_a_request_without_its_address_as_a_backup_leaves_it_is_none(storage: Storage) -> None:
    await wants(storage)
    await execute(storage, "UPDATE seat_requests SET name_sealed = NULL, email_sealed = NULL")
    assert await storage.seats.open() == []
    assert await storage.seats.give(ADA, "client", 1, at(), nothing) is Given.ALREADY


async def test_without_a_free_seat_none_is_given_and_the_request_stays(storage: Storage) -> None:
    await sit(storage, BEN, 1)
    await wants(storage)
    assert await storage.seats.give(ADA, "client", 1, at(), nothing) is Given.NO_SEAT
    request = await storage.seats.get(ADA)
    assert request is not None
    assert request.email == "ada@example.org"


async def test_a_given_seat_is_held_for_its_member_for_14_days(storage: Storage) -> None:
    await wants(storage)
    await storage.seats.give(ADA, "client", 1, at(), nothing)
    for member, is_free in ((ADA, True), (BEN, False)):
        assert await storage.seats.is_free("client", 1, member, at() + REQUEST_LIFE - HOUR) is is_free
    assert await storage.seats.is_free("client", 1, BEN, at() + REQUEST_LIFE + HOUR)
    await sit(storage, ADA, 1)
    assert await rows(storage, "seat_requests") == []


async def test_a_host_who_has_fewer_seats_than_members_who_sit_gives_none(storage: Storage) -> None:
    await sit(storage, ADA, 2)
    await sit(storage, BEN, 2)
    for member, is_free in ((ADA, True), (BEN, True), (CHLOE, False)):
        assert await storage.seats.is_free("client", 1, member, at()) is is_free


@pytest.mark.parametrize("is_given", [False, True])
async def test_a_request_is_deleted_after_14_days(is_given: bool, storage: Storage, tmp_path: Path) -> None:
    await wants(storage)
    blob = (await rows(storage, "seat_requests"))[0]["email_sealed"]
    if is_given:
        await storage.seats.give(ADA, "client", 1, at(), nothing)
    assert await storage.seats.expire(ADA, at() + REQUEST_LIFE - HOUR, nothing) == at() + REQUEST_LIFE
    await storage.seats.ask(caller(BEN), "Ben", "ben@example.org", at() + HOUR, nothing)
    assert await storage.seats.expire(ADA, at() + REQUEST_LIFE, nothing) is None
    assert [row["member_id"] for row in await rows(storage, "seat_requests")] == [BEN]
    assert blob not in on_disk(tmp_path)
    assert await storage.seats.expire(ADA, at() + REQUEST_LIFE, nothing) is None


# -- members' own apps


async def test_an_app_of_ones_own_belongs_to_one_member(storage: Storage) -> None:
    own = {"client_id": "an app", "is_own_app": True}
    await put(storage, link(ADA, **own))
    assert await storage.links.is_app_taken("an app", BEN)
    assert not await storage.links.is_app_taken("another app", BEN)
    assert not await storage.links.is_app_taken("an app", ADA)
    with pytest.raises(AppTaken):
        await put(storage, link(BEN, "acc-ben", **own))
    await put(storage, link(ADA, **own))


async def test_changing_apps_keeps_what_is_pending_and_nothing_of_the_old_app(storage: Storage, tmp_path: Path) -> None:
    await put(storage, link(ADA, client_id="the first app", is_own_app=True))
    await storage.apps.set_closed("the first app", at(), "quota", ADA)
    await storage.attempts.begin(b"attempt", caller(ADA), at(), "the first app")
    await ask(storage, 1, X)
    await put(storage, link(ADA, client_id="the second app", is_own_app=True))
    assert len(await storage.changes.pending(ADA)) == 1
    assert await storage.apps.get("the first app") == await storage.apps.get("the second app") == KnownApp()
    await storage.database.truncate_log()
    assert b"the first app" not in on_disk(tmp_path)


async def test_after_unlinking_the_client_id_is_in_no_row_also_when_a_call_ends_later(
    storage: Storage, tmp_path: Path
) -> None:
    await put(storage, link(ADA, client_id="Ada's own app", is_own_app=True))
    await storage.apps.set_endpoint("Ada's own app", "library", ADA)
    await storage.attempts.begin(b"attempt", caller(ADA), at(), "Ada's own app")
    await storage.forget(ADA)
    await storage.apps.set_closed("Ada's own app", at(), "quota", ADA)
    await storage.database.truncate_log()
    assert b"Ada's own app" not in on_disk(tmp_path)
