"""Seats: who sits, how one is asked for, given and freed, and what is told to whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bot.accounts.apps import Apps
from bot.accounts.renewals import KIND as RENEWAL
from bot.accounts.renewals import Renewals
from bot.accounts.seats import ASKED, EXPIRY, FREED, GIVEN, HeldSeat, Seat, SeatKeeper
from bot.accounts.tokens import Tokens
from bot.caller import MemberId
from bot.errors import NeedsRelink, NoHostApp, NotAnAddress
from bot.spotify.app import App
from bot.storage import Storage, open_storage
from bot.storage.links import Link
from bot.storage.seats import Given
from tests.accounts.stage import made_tokens
from tests.callers import caller
from tests.spotify.stage import CLIENT_ID, made_app

ADA, BEN = MemberId(200_000_000_000_000_001), MemberId(200_000_000_000_000_002)
HOSTS = (MemberId(300_000_000_000_000_001), MemberId(300_000_000_000_000_002))
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Stage:
    """Seats with the real storage, and a clock."""

    storage: Storage
    now: datetime = NOW

    def keeper(self, total: int = 5, host: App | None = None, *, has_app: bool = True) -> SeatKeeper:
        """Who keeps this many seats."""
        apps = Apps(self.storage.apps, (host or made_app()) if has_app else None)
        self.tokens: Tokens = made_tokens(self.storage, None, apps, lambda: self.now)  # type: ignore[arg-type]
        return SeatKeeper(self.storage, apps, self.tokens, total, now=lambda: self.now)

    async def link(self, member: MemberId = ADA, client_id: str = CLIENT_ID) -> None:
        """Link a member through an app."""
        new = Link(member, client_id, f"acc-{member}", "Ada", self.now, self.now, None, client_id != CLIENT_ID, "fr")
        renewals = Renewals(self.storage, now=lambda: self.now)
        await self.storage.links.put(
            new, "BQ", "AQ", self.now + timedelta(hours=1), also=lambda c, _: renewals.schedule_in(c, new)
        )

    async def messages(self, kind: str) -> list[dict[str, Any]]:
        return await self.storage.database.read(
            lambda c: [dict(row) for row in c.execute("SELECT * FROM outbox WHERE kind = ? ORDER BY id", (kind,))]
        )

    async def timers(self) -> list[tuple[str, str]]:
        return await self.storage.database.read(
            lambda c: [(row["kind"], row["key"]) for row in c.execute("SELECT kind, key FROM timers ORDER BY kind")]
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    storage = await open_storage(tmp_path / "gatefold.db", [b"k" * 32])
    yield Stage(storage)
    await storage.close()


async def test_who_sits_is_listed_with_since_when_and_until_when(stage: Stage) -> None:
    keeper = stage.keeper(3)
    await stage.link()
    await stage.link(BEN, "b" * 32)  # an app of Ben's own
    seats = await keeper.seats()
    assert seats.total == 3
    [seat] = seats.taken
    assert (seat.member_id, seat.since, seat.is_broken) == (ADA, NOW, False)
    assert seat.consent_ends_at == NOW + timedelta(days=182)


async def test_a_seat_that_is_given_is_held_until_its_member_links_or_for_14_days(stage: Stage) -> None:
    keeper = stage.keeper(3)
    for member in (ADA, BEN):
        await keeper.ask(caller(member), "Ada", "ada@example.org", HOSTS)
    assert (await keeper.seats()).asked == ((ADA, NOW), (BEN, NOW))
    stage.now += timedelta(days=1)
    given_at = stage.now
    assert await keeper.give(ADA) is Given.GIVEN
    seats = await keeper.seats()
    assert seats.taken == (HeldSeat(ADA, given_at, given_at + timedelta(days=14)),)
    assert seats.asked == ((BEN, NOW),)
    stage.now += timedelta(days=14)
    assert (await keeper.seats()).taken == ()


async def test_whoever_sits_already_is_listed_once(stage: Stage) -> None:
    keeper = stage.keeper(3)
    await stage.link()
    await stage.storage.links.mark_broken(ADA, "revoked")
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    await keeper.give(ADA)
    [seat] = (await keeper.seats()).taken
    assert isinstance(seat, Seat)
    assert seat.is_broken


async def test_a_seat_that_is_held_is_freed_and_its_member_told_so(stage: Stage) -> None:
    keeper = stage.keeper()
    await keeper.ask(caller(ADA, locale="ja"), "Ada", "ada@example.org", HOSTS)
    assert not await keeper.free(ADA)  # nobody has given it yet
    await keeper.give(ADA)
    assert await keeper.free(ADA)
    assert not await keeper.free(ADA)
    [told] = await stage.messages(FREED)
    assert (told["member_id"], told["locale"], json.loads(told["payload"])) == (ADA, "ja", {"was_held": True})
    assert await stage.timers() == []
    assert await keeper.request(ADA) is None


async def test_freeing_a_seat_tells_its_member_once_and_ends_their_reminders(stage: Stage) -> None:
    keeper = stage.keeper()
    await stage.link()
    assert await stage.timers() == [(RENEWAL, str(ADA))]
    assert await keeper.free(ADA)
    assert not await keeper.free(ADA)
    assert not await keeper.free(BEN)
    [told] = await stage.messages(FREED)
    assert (told["member_id"], told["way"], told["locale"]) == (ADA, "direct", "fr")
    assert json.loads(told["payload"]) == {"was_held": False}
    assert await stage.timers() == []
    assert (await keeper.seats()).taken == ()
    with pytest.raises(NeedsRelink) as caught:
        await stage.tokens.access(ADA)
    assert caught.value.reason is NeedsRelink.Reason.SEAT_FREED


async def test_every_host_is_asked_without_the_address_in_the_message(stage: Stage) -> None:
    keeper = stage.keeper()
    await keeper.ask(caller(ADA, locale="ja"), "  Ada \n Lovelace ", " ada@example.org ", HOSTS)
    messages = await stage.messages(ASKED)
    assert [row["member_id"] for row in messages] == [*HOSTS]
    assert [json.loads(row["payload"]) for row in messages] == [{"member_id": str(ADA)}] * 2
    request = await keeper.request(ADA)
    assert request is not None
    assert (request.name, request.email, request.locale) == ("Ada Lovelace", "ada@example.org", "ja")


async def test_a_host_is_asked_in_their_own_language_or_that_of_the_server(stage: Stage) -> None:
    keeper = stage.keeper()
    await stage.link(HOSTS[0])
    await keeper.ask(replace(caller(ADA, locale="ja"), guild_locale="de"), "Ada", "ada@example.org", HOSTS)
    assert [row["locale"] for row in await stage.messages(ASKED)] == ["fr", "de"]


async def test_what_the_hosts_were_told_ends_with_the_request(stage: Stage) -> None:
    keeper = stage.keeper()

    async def closed() -> list[str]:
        """How the messages to the hosts are edited since this was asked last."""
        rows = await stage.messages(ASKED)
        await stage.storage.database.write(lambda c: c.execute("DELETE FROM outbox WHERE way = 'edit'"))
        payloads = [json.loads(row["payload"]) for row in rows if row["way"] == "edit"]
        assert all(payload["member_id"] == str(ADA) for payload in payloads)
        return [payload["closed"] for payload in payloads]

    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    assert await closed() == []
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS[:1])
    assert await closed() == ["replaced"] * 2
    await keeper.give(ADA)
    assert await closed() == ["given"] * 3
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", ())
    await closed()
    stage.now += timedelta(days=14)
    await keeper.expire(str(ADA), stage.now)
    assert await closed() == ["expired"] * 3


async def test_a_member_may_ask_again_after_an_hour_or_when_their_request_has_ended(stage: Stage) -> None:
    keeper = stage.keeper()
    assert await keeper.can_ask(ADA) is None
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    stage.now += timedelta(minutes=59)
    assert await keeper.can_ask(ADA) == NOW + timedelta(hours=1)
    await keeper.give(ADA)
    assert await keeper.can_ask(ADA) is None
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    stage.now += timedelta(hours=1)
    assert await keeper.can_ask(ADA) is None


async def test_an_address_may_be_as_long_as_addresses_may_be(stage: Stage) -> None:
    keeper = stage.keeper()
    email = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}"
    assert len(email) == 254
    await keeper.ask(caller(ADA), "A" * 80, email, HOSTS)
    request = await keeper.request(ADA)
    assert request is not None
    assert (request.name, request.email) == ("A" * 80, email)
    with pytest.raises(NotAnAddress):
        await keeper.ask(caller(ADA), "Ada", email + "d", HOSTS)
    await keeper.ask(caller(ADA), "A" * 81, email, HOSTS)
    request = await keeper.request(ADA)
    assert request is not None
    assert request.name == "A" * 80


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "ada@", "@example.org", "ada@example", "a b@example.org", "ada@exa mple.org", "ada@@example.org"),
        *("ada@example..org", "<ada@example.org>", "ada@example.org, ben@example.org", "a" * 250 + "@example.org"),
    ],
)
async def test_what_is_no_address_is_refused_and_nothing_is_stored(email: str, stage: Stage) -> None:
    keeper = stage.keeper()
    with pytest.raises(NotAnAddress):
        await keeper.ask(caller(ADA), "Ada", email, HOSTS)
    with pytest.raises(NotAnAddress):
        await keeper.ask(caller(ADA), " \n ", "ada@example.org", HOSTS)
    assert await keeper.request(ADA) is None
    assert await stage.messages(ASKED) == []


async def test_the_member_who_got_a_seat_is_told_once_in_their_language(stage: Stage) -> None:
    keeper = stage.keeper()
    await keeper.ask(caller(ADA, locale="ja"), "Ada", "ada@example.org", HOSTS)
    assert await keeper.give(ADA) is Given.GIVEN
    assert await keeper.give(ADA) is Given.ALREADY
    [told] = await stage.messages(GIVEN)
    assert (told["member_id"], told["locale"]) == (ADA, "ja")
    request = await keeper.request(ADA)
    assert request is not None
    assert request.email is None


async def test_a_host_is_asked_again_only_for_a_request_that_is_open(stage: Stage) -> None:
    keeper = stage.keeper()
    await keeper.send_again(ADA, caller(HOSTS[0], locale="fr"))
    assert await stage.messages(ASKED) == []
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    stage.now += timedelta(minutes=1)
    await keeper.send_again(ADA, caller(HOSTS[0], locale="fr"))
    assert [row["member_id"] for row in await stage.messages(ASKED)] == [*HOSTS, HOSTS[0]]
    assert (await stage.messages(ASKED))[-1]["locale"] == "fr"
    await keeper.give(ADA)
    stage.now += timedelta(minutes=1)
    before = len(await stage.messages(ASKED))
    await keeper.send_again(ADA, caller(HOSTS[0], locale="fr"))
    assert len(await stage.messages(ASKED)) == before


async def test_a_host_who_never_linked_is_asked_in_the_language_of_the_server(stage: Stage) -> None:
    asking = msgspec.structs.replace(caller(ADA, locale="ja"), guild_locale="de")
    await stage.keeper().ask(asking, "Ada", "ada@example.org", HOSTS)
    assert {row["locale"] for row in await stage.messages(ASKED)} == {"de"}


async def test_while_no_seat_is_free_none_is_given(stage: Stage) -> None:
    keeper = stage.keeper(1)
    await stage.link(BEN)
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    assert await keeper.give(ADA) is Given.NO_SEAT
    assert await stage.messages(GIVEN) == []
    await keeper.free(BEN)
    assert await keeper.give(ADA) is Given.GIVEN


async def test_a_request_is_forgotten_by_its_timer_after_14_days(stage: Stage) -> None:
    keeper = stage.keeper()
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    assert await stage.timers() == [(EXPIRY, str(ADA))]
    assert await stage.storage.timers.next_at([EXPIRY]) == NOW + timedelta(days=14)
    stage.now += timedelta(days=13)
    assert await keeper.expire(str(ADA), NOW) == NOW + timedelta(days=14)
    stage.now += timedelta(days=1)
    assert await keeper.expire(str(ADA), NOW) is None
    assert await keeper.request(ADA) is None
    await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
    stage.now += timedelta(days=1)
    await keeper.give(ADA)
    assert await stage.storage.timers.next_at([EXPIRY]) == stage.now + timedelta(days=14)


async def test_without_an_app_of_the_hosts_there_are_no_seats(stage: Stage) -> None:
    keeper = stage.keeper(has_app=False)
    with pytest.raises(NoHostApp):
        await keeper.seats()
    with pytest.raises(NoHostApp):
        await keeper.ask(caller(ADA), "Ada", "ada@example.org", HOSTS)
