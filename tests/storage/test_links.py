"""Links: one account a member, one member an account, and tokens that open only where they belong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.caller import MemberId, RequestId
from bot.changes import Outcome
from bot.errors import AccountTaken, StorageUnavailable
from bot.storage import Storage, open_storage
from bot.storage.changes import Ending, UndoVerdict
from bot.storage.engine import Connection
from bot.storage.vault import Unopenable
from tests.callers import caller
from tests.faults.disk import Disk
from tests.storage.rows import ADA, BEN, KEY, NOW, X, ask, at, execute, link, on_disk, put, rows


async def test_a_link_and_its_tokens_come_back_as_they_were_stored(storage: Storage) -> None:
    assert await put(storage) is None
    assert await storage.links.get(ADA) == link()
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.link, tokens.access_token, tokens.refresh_token) == (link(), "BQ-1", "AQ-1")
    assert tokens.expires_at == at() + timedelta(hours=1)
    assert await storage.links.get(BEN) is None
    assert await storage.links.tokens(BEN) is None


async def test_no_token_is_on_the_disk_nor_in_a_repr(storage: Storage, tmp_path: Path) -> None:
    await put(storage, access="BQ-very-secret", refresh="AQ-very-secret")
    tokens = await storage.links.tokens(ADA)
    assert "very-secret" not in repr(tokens)
    assert b"very-secret" not in on_disk(tmp_path)
    assert b"acc-ada" in on_disk(tmp_path)  # it was looked for where things are


async def test_one_spotify_account_belongs_to_one_member(storage: Storage) -> None:
    await put(storage)
    with pytest.raises(AccountTaken):
        await put(storage, link(BEN), "BQ-2", "AQ-2")
    assert await storage.links.get(BEN) is None
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert tokens.access_token == "BQ-1"


async def test_of_two_members_who_take_an_account_at_once_one_gets_it(storage: Storage) -> None:
    results = await asyncio.gather(put(storage), put(storage, link(BEN)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), AccountTaken]


async def test_an_account_that_was_given_up_can_be_taken(storage: Storage) -> None:
    await put(storage)
    await put(storage, link(account="acc-other"))
    await put(storage, link(BEN, "acc-ada"))
    assert (await storage.links.get(BEN)) == link(BEN, "acc-ada")


async def test_renewing_keeps_the_day_of_linking_and_sets_a_new_day_of_consent(storage: Storage) -> None:
    await put(storage)
    later = at(NOW + 86_400)
    before = await put(storage, link(linked_at=later, consented_at=later), "BQ-2", "AQ-2")
    assert before == link()
    assert await storage.links.get(ADA) == link(consented_at=later)


async def test_another_account_begins_a_new_day_of_linking(storage: Storage) -> None:
    await put(storage)
    later = at(NOW + 86_400)
    before = await put(storage, link(account="acc-other", linked_at=later, consented_at=later))
    assert before == link()
    assert await storage.links.get(ADA) == link(account="acc-other", linked_at=later, consented_at=later)


async def test_another_account_keeps_what_waits_but_not_what_was_noted_of_the_old_one(storage: Storage) -> None:
    await put(storage)
    await ask(storage, 1, X)
    await storage.changes.begin([((1, 0), X, True)])
    await put(storage, link(account="acc-other"))
    [change] = await storage.changes.pending(ADA)
    assert change.was_saved is None


async def test_renewing_keeps_what_was_noted_and_what_can_be_undone(storage: Storage) -> None:
    await put(storage)
    await ask(storage, 1, X)
    await storage.changes.end([Ending((RequestId(1), 0), Outcome.SAVED)], at())
    await ask(storage, 2, X)
    await storage.changes.begin([((RequestId(2), 0), X, True)])
    await put(storage, link(consented_at=at(NOW + 5)))
    [change] = await storage.changes.pending(ADA)
    assert change.was_saved is True
    verdict, _ = await storage.changes.accept_undo(caller(ADA, 3), RequestId(1), at())
    assert verdict is UndoVerdict.ACCEPTED


async def test_a_link_is_stored_with_what_belongs_to_it_or_not_at_all(storage: Storage) -> None:
    noted: list[int] = []

    def note(c: Connection, before: object) -> None:
        noted.append(len(c.execute("SELECT * FROM links").fetchall()))
        if len(noted) == 1:
            raise RuntimeError

    for stored in (0, 1):
        with pytest.raises(RuntimeError) if not stored else nullcontext():
            await storage.links.put(link(), "BQ-1", "AQ-1", at(), also=note)
        assert len(await rows(storage, "links")) == stored
    assert noted == [1, 1]


async def test_a_refresh_replaces_both_tokens(storage: Storage) -> None:
    await put(storage)
    assert await storage.links.refreshed(link(), "BQ-2", "AQ-2", at(NOW + 7200))
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.access_token, tokens.refresh_token, tokens.expires_at) == ("BQ-2", "AQ-2", at(NOW + 7200))


@pytest.mark.parametrize(
    "newer",
    [None, link(account="acc-other"), link(consented_at=at(NOW + 60)), replace(link(), client_id="1" * 32)],
    ids=["none", "other", "renewed", "another app"],
)
async def test_a_refresh_of_a_link_that_is_gone_changes_nothing(newer: object, storage: Storage) -> None:
    await put(storage)
    if newer is None:
        await storage.forget(ADA)
    else:
        await put(storage, newer, "BQ-new", "AQ-new")  # type: ignore[arg-type]
    assert not await storage.links.refreshed(link(), "BQ-late", "AQ-late", at())
    assert not await storage.links.refused(link(), "revoked")
    tokens = await storage.links.tokens(ADA)
    assert (None if tokens is None else tokens.access_token) == (None if newer is None else "BQ-new")
    assert tokens is None or tokens.link.broken is None


async def test_a_broken_link_keeps_its_row_but_gives_no_token(storage: Storage) -> None:
    await put(storage)
    assert await storage.links.refused(link(), "revoked")
    assert await storage.links.get(ADA) == link(broken="revoked")
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.link.broken, tokens.access_token, tokens.refresh_token) == ("revoked", "", "")
    assert tokens.expires_at == at(0), "it is of no use"
    assert len((await rows(storage, "links"))[0]["refresh_sealed"]) > 20


async def test_linking_again_mends_a_broken_link(storage: Storage) -> None:
    await put(storage)
    await storage.links.mark_broken(ADA, "revoked")
    await put(storage, access="BQ-2")
    assert await storage.links.get(ADA) == link()


@pytest.mark.parametrize(
    "damage",
    [
        "refresh_sealed = access_sealed",
        "access_sealed = refresh_sealed",
        "access_sealed = (SELECT access_sealed FROM links WHERE account_id = 'acc-ben')",
        "refresh_sealed = substr(refresh_sealed, 1, 30)",
        "access_sealed = x''",
        "access_sealed = zeroblob(60)",
    ],
)
async def test_a_damaged_row_does_not_open_and_the_others_do(damage: str, storage: Storage) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"), "BQ-ben", "AQ-ben")
    await execute(storage, f"UPDATE links SET {damage} WHERE member_id = ?", ADA)
    with pytest.raises(Unopenable):
        await storage.links.tokens(ADA)
    tokens = await storage.links.tokens(BEN)
    assert tokens is not None
    assert tokens.access_token == "BQ-ben"


async def test_a_link_that_was_unreadable_opens_again_when_its_row_is_whole_again(storage: Storage) -> None:
    await put(storage)
    await storage.links.mark_broken(ADA, "unreadable")
    tokens = await storage.links.tokens(ADA)
    assert tokens is not None
    assert (tokens.access_token, tokens.link.broken) == ("BQ-1", None)


async def test_a_link_that_is_marked_broken_is_no_longer_used_and_no_other_is(storage: Storage) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    await storage.links.mark_broken(ADA, "revoked")
    seen = [await storage.links.get(member) for member in (ADA, BEN)]
    assert [one.broken for one in seen if one is not None] == ["revoked", None]


async def test_only_the_link_that_was_refused_is_marked(storage: Storage) -> None:
    await put(storage)
    await put(storage, link(BEN, "acc-ben"))
    assert not await storage.links.refused(link(consented_at=at(NOW - 1)), "revoked"), "linked anew meanwhile"
    assert await storage.links.refused(link(), "revoked")
    assert [row["broken"] for row in await rows(storage, "links")] == ["revoked", None]


async def test_a_members_language_is_that_of_their_link(storage: Storage) -> None:
    await put(storage, link(locale="ja"))
    await put(storage, link(BEN, "acc-ben"))
    assert [await storage.links.locale_of(member) for member in (ADA, BEN, MemberId(1))] == ["ja", None, None]


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[Storage]:
    """Storage that may read all links, which happens once in a process."""
    storage = await open_storage(tmp_path / "started.db", [KEY])
    yield storage
    await storage.close()


async def test_a_language_that_cannot_be_read_now_is_not_known(started: Storage) -> None:
    await put(started, link(locale="ja"))
    await started.close()
    assert await started.links.locale_of(ADA) is None


async def test_members_without_a_timer_of_a_kind_are_found(started: Storage) -> None:
    await put(started)
    await put(started, link(BEN, "acc-ben"))
    await started.timers.set("kind", str(ADA), at())
    await started.timers.set("another kind", str(BEN), at())
    assert [one.member_id for one in await started.links.without_timer("kind")] == [BEN]


# -- reminders


async def refuse_reminder(storage: Storage, member: int = ADA) -> None:
    await storage.database.write(lambda c: storage.links.reminder_refused(c, member))


async def test_a_reminder_that_could_not_be_sent_comes_with_one_answer(started: Storage) -> None:
    await put(started)
    await put(started, link(BEN, "acc-ben"))
    take = started.links.take_untold_reminder
    for _ in range(2):
        assert not await take(ADA)
        await refuse_reminder(started)
        assert not await take(BEN)
        assert [await take(ADA), await take(ADA)] == [True, False]
        await started.links.put_reminder_back(ADA)
        assert [await take(ADA), await take(ADA)] == [True, False], "the answer did not arrive"


async def test_a_reminder_that_could_not_be_sent_outlives_a_restart(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    await put(storage)
    await refuse_reminder(storage)
    await storage.close()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY])
    assert [await storage.links.take_untold_reminder(ADA) for _ in range(2)] == [True, False]
    await storage.close()


async def test_whoever_wants_no_reminders_gets_none(started: Storage) -> None:
    await put(started)
    assert await started.links.is_reminded(ADA)
    await refuse_reminder(started)
    await started.links.set_reminded(ADA, False)
    assert not await started.links.is_reminded(ADA)
    assert not await started.links.take_untold_reminder(ADA)
    await refuse_reminder(started)
    assert not await started.links.take_untold_reminder(ADA)
    await started.links.set_reminded(ADA, True)
    assert await started.links.is_reminded(ADA)
    assert not await started.links.is_reminded(BEN)


async def test_a_reminder_stays_untold_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    disk = Disk()
    storage = await open_storage(tmp_path / "gatefold.db", [KEY], disk.connect, disk.sync)
    await put(storage)
    await refuse_reminder(storage)
    disk.fails = True
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await storage.links.take_untold_reminder(ADA)
    disk.fails = False
    assert await storage.links.take_untold_reminder(ADA)
    await storage.close()


async def test_an_answer_asks_the_database_for_no_reminder_where_there_is_none(started: Storage) -> None:
    await put(started)
    await refuse_reminder(started)
    assert await started.links.take_untold_reminder(ADA)
    statements: list[str] = []
    await started.database.read(lambda c: c.set_trace_callback(statements.append))  # type: ignore[attr-defined]
    assert not await started.links.take_untold_reminder(ADA)
    assert not await started.links.take_untold_reminder(BEN)
    assert statements == []
