"""Members' tokens: refreshed once, stored before use, never lost; a dead consent is told, a bad network is not one.

The way through the browser is tested in `tests/web`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.accounts.apps import Apps
from bot.accounts.seats import SeatKeeper
from bot.accounts.tokens import EARLY, STORE_AGAIN_S, Tokens
from bot.caller import MemberId
from bot.errors import AppRejected, NeedsRelink, NotLinked, Refused, Restarting, StorageUnavailable, TryLater
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.faults import FAULTS
from bot.sandbox.spotify_server import SpotifyServer
from bot.spotify.client import Spotify
from bot.spotify.gate import PATIENCE_S, Gate
from bot.spotify.wire import me
from bot.storage import Storage, open_storage
from bot.storage.links import Link, StoredTokens, link_row
from tests.accounts.stage import made_tokens
from tests.spotify.stage import made_app, unobserved

ADA, BEN = MemberId(200_000_000_000_000_001), MemberId(200_000_000_000_000_002)
CLIENT_ID, SECRET = "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d", "spotify-client-secret-of-the-tests"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REASON = NeedsRelink.Reason
CATALOGUE = Catalogue()


@dataclass
class Stage:
    """Tokens with the real storage before the strict stand-in, and one clock for all of them."""

    storage: Storage
    server: SpotifyServer
    session: aiohttp.ClientSession
    base: str
    secret: str | None
    now: datetime = NOW
    made: list[Tokens] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    unopenable: int = 0
    slept: list[float] = field(default_factory=list)

    def client(self) -> Spotify:
        return Spotify(
            self.session,
            api_url=f"{self.base}/v1",
            accounts_url=self.base,
            oembed_url=f"{self.base}/oembed",
            observe=unobserved,
            sleep=self.noted_sleep,
        )

    async def noted_sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def started(self, client_id: str = CLIENT_ID) -> Tokens:
        """The tokens as after a start."""

        apps = Apps(self.storage.apps, made_app(client_id, self.secret))

        def unopenable() -> None:
            self.unopenable += 1

        tokens = Tokens(
            self.storage.links,
            self.client(),
            apps,
            on_refresh=self.outcomes.append,
            on_unopenable=unopenable,
            now=lambda: self.now,
            sleep=self.noted_sleep,
        )
        self.made.append(tokens)
        return tokens

    @property
    def tokens(self) -> Tokens:
        return self.made[0] if self.made else self.started()

    async def link(self, member: MemberId = ADA, account: str = "ada", expires_in: timedelta | None = None) -> None:
        """Link a member; the access token is good for an hour unless said otherwise."""
        if account not in self.server.accounts:
            self.server.add_account(account, account_id=f"acc-{account}", display_name=account.title())
        access, refresh = self.server.issue_tokens(account)
        new = Link(member, CLIENT_ID, f"acc-{account}", account.title(), self.now, self.now, None)
        expires_at = self.now + (timedelta(hours=1) if expires_in is None else expires_in)
        await self.storage.links.put(new, access, refresh, expires_at)

    async def expired(self, member: MemberId = ADA, account: str = "ada") -> None:
        """Link a member whose access token is over."""
        await self.link(member, account, timedelta(0))

    async def stored(self, member: MemberId = ADA) -> StoredTokens:
        tokens = await self.storage.links.tokens(member)
        assert tokens is not None
        return tokens

    @property
    def refreshes(self) -> int:
        """How often the token endpoint was called."""
        return sum(call.path == "/api/token" for call in self.server.calls)

    async def works(self, token: str) -> bool:
        """Whether Spotify takes this access token."""
        async with self.session.get(f"{self.base}/v1/me", headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status == 200

    def fault(self, name: str, times: int | None = 1, **change: Any) -> None:
        self.server.fault(path="/api/token", times=times, **{**FAULTS[name], **change})


@asynccontextmanager
async def built(folder: Path, secret: str | None) -> AsyncIterator[Stage]:
    stage: Stage
    server = SpotifyServer(
        client_id=CLIENT_ID,
        client_secret=secret,
        redirect_uris=[],
        catalogue=CATALOGUE,
        clock=lambda: stage.now.timestamp(),
    )
    storage = await open_storage(folder / "gatefold.db", [b"k" * 32])
    async with server.running() as base, aiohttp.ClientSession() as session:
        stage = Stage(storage, server, session, base, secret)
        yield stage
    await storage.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """With a client secret: refresh tokens stay, and are left out of the answer."""
    async with built(tmp_path, SECRET) as stage:
        yield stage


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Stage]:
    """A public client: refresh tokens rotate, and each is good once."""
    async with built(tmp_path, None) as stage:
        yield stage


@asynccontextmanager
async def read_only(stage: Stage) -> AsyncIterator[None]:
    """A database that takes no write, as on a full disk."""

    async def pragma(text: str) -> None:
        await stage.storage.database.read(lambda c: c.execute(f"PRAGMA {text}").fetchall())

    await pragma("query_only = ON")
    try:
        yield
    finally:
        await pragma("query_only = OFF")


async def refused(stage: Stage, member: MemberId = ADA) -> NeedsRelink.Reason:
    with pytest.raises(NeedsRelink) as caught:
        await stage.tokens.access_token(member)
    return caught.value.reason


# -- a token that is good


async def test_a_good_token_is_given_without_a_call(stage: Stage) -> None:
    await stage.link()
    assert await stage.tokens.access_token(ADA) == (await stage.stored()).access_token
    assert stage.server.calls == []


async def test_whoever_is_not_linked_is_told(stage: Stage) -> None:
    with pytest.raises(NotLinked):
        await stage.tokens.access_token(ADA)


@pytest.mark.parametrize(("left_s", "refreshed"), [(61, False), (60, True), (59, True), (0, True), (-1000, True)])
async def test_a_token_is_refreshed_a_minute_early(left_s: int, refreshed: bool, stage: Stage) -> None:
    assert timedelta(seconds=60) == EARLY
    await stage.link(expires_in=timedelta(seconds=left_s))
    before = await stage.stored()
    token = await stage.tokens.access_token(ADA)
    assert (token != before.access_token) == refreshed
    assert stage.refreshes == refreshed
    assert await stage.works(token)


async def test_one_piece_of_work_goes_on_with_the_token_that_was_read_for_it(stage: Stage) -> None:
    await stage.link()
    access = await stage.tokens.access(ADA)
    before = (await stage.stored()).access_token
    await stage.link()
    assert await access.token.current() == before
    assert await access.token.renewed("another one") == before  # it has a later one than that already
    assert stage.server.calls == []


async def test_a_row_that_was_read_just_now_is_not_read_again(stage: Stage) -> None:
    await stage.link()
    before = (await stage.stored()).access_token
    row = await stage.storage.database.read(lambda c: link_row(c, ADA))
    await stage.link()
    assert await (await stage.tokens.access(ADA, row)).token.current() == before


async def test_a_token_that_is_over_is_sent_to_nobody(stage: Stage) -> None:
    await stage.expired()
    access = await stage.tokens.access(ADA)
    assert await stage.works(await access.token.current())
    assert stage.refreshes == 1


@pytest.mark.parametrize(
    ("closed_s", "client_id", "is_told"),
    [
        (PATIENCE_S + 1, CLIENT_ID, True),
        (PATIENCE_S, CLIENT_ID, False),  # that short, a call waits
        (0, CLIENT_ID, False),
        (PATIENCE_S + 1, "an app of a member's own", False),
    ],
)
async def test_why_the_hosts_app_is_closed_is_known_without_a_call(
    closed_s: float, client_id: str, is_told: bool, stage: Stage
) -> None:
    gate = Gate(monotonic=lambda: 1000.0, now=lambda: stage.now)
    tokens = made_tokens(stage.storage, stage.client(), Apps(stage.storage.apps, made_app(CLIENT_ID, gate=gate)))
    await gate.close(closed_s, TryLater.Cause.QUOTA)
    why = tokens.closed(client_id)
    assert (why is not None) == is_told
    if why is not None:
        assert (why.cause, why.until) == (TryLater.Cause.QUOTA, NOW + timedelta(seconds=closed_s))
    without = made_tokens(stage.storage, stage.client(), Apps(stage.storage.apps, None))
    assert without.closed(client_id) is None


# -- a refresh


async def test_a_new_token_is_stored_with_its_end(stage: Stage) -> None:
    await stage.expired()
    token = await stage.tokens.access_token(ADA)
    stored = await stage.stored()
    assert (stored.access_token, stored.expires_at) == (token, NOW + timedelta(hours=1))
    assert await stage.tokens.access_token(ADA) == token
    assert stage.refreshes == 1
    assert stage.outcomes == ["refreshed"]


async def test_refresh_keeps_the_old_refresh_token_when_none_comes(stage: Stage) -> None:
    await stage.expired()
    before = (await stage.stored()).refresh_token
    await stage.tokens.access_token(ADA)
    assert (await stage.stored()).refresh_token == before
    stage.now += timedelta(hours=2)
    assert await stage.works(await stage.tokens.access_token(ADA))


async def test_a_rotated_refresh_token_replaces_the_old_one(public: Stage) -> None:
    await public.expired()
    seen = {(await public.stored()).refresh_token}
    for _ in range(3):
        assert await public.works(await public.tokens.access_token(ADA))
        seen.add((await public.stored()).refresh_token)
        public.now += timedelta(hours=2)
    assert len(seen) == 4


async def test_a_refresh_does_not_lengthen_the_consent(stage: Stage) -> None:
    await stage.expired()
    stage.now += timedelta(days=30)
    await stage.tokens.access_token(ADA)
    account = await stage.tokens.account(ADA)
    assert account is not None
    assert (account.consented_at, account.linked_at) == (NOW, NOW)


async def test_however_many_wait_one_refresh_happens(public: Stage) -> None:
    await public.expired()
    public.server.delay_s = 0.005
    tokens = await asyncio.gather(*(public.tokens.access_token(ADA) for _ in range(50)))
    assert len(set(tokens)) == 1
    assert public.refreshes == 1
    assert await public.works(tokens[0])


async def test_however_many_were_rejected_one_refresh_happens(public: Stage) -> None:
    await public.link()
    old = (await public.stored()).access_token
    members = [(await public.tokens.access(ADA)).token for _ in range(20)]
    assert {await member.current() for member in members} == {old}
    public.server.expire_access_tokens()
    tokens = await asyncio.gather(*(member.renewed(old) for member in members))
    assert {*tokens, *[await member.current() for member in members]} == {tokens[0]}
    # one who comes late with the old token gets the new one without a call
    assert await public.tokens.access_token(ADA, old) == tokens[0]
    assert public.refreshes == 1


async def test_a_call_with_an_expired_token_refreshes_and_goes_on(stage: Stage) -> None:
    await stage.link()
    stage.server.expire_access_tokens()
    spotify = stage.client()
    calls = [spotify.call(me(), await stage.tokens.access(ADA), json.loads) for _ in range(20)]
    assert {profile["id"] for profile in await asyncio.gather(*calls)} == {"ada"}
    assert stage.refreshes == 1


async def test_two_members_refresh_side_by_side(stage: Stage) -> None:
    await stage.expired()
    await stage.expired(BEN, "ben")
    stage.server.delay_s = 0.005
    await asyncio.gather(stage.tokens.access_token(ADA), stage.tokens.access_token(BEN))
    assert stage.refreshes == stage.server.max_in_flight == 2


async def test_a_cancelled_waiter_does_not_lose_a_rotated_token(public: Stage) -> None:
    await public.expired()
    before = await public.stored()
    public.server.delay_s = 0.005
    waiting = [asyncio.create_task(public.tokens.access_token(ADA)) for _ in range(3)]
    while not public.refreshes:
        await asyncio.sleep(0.001)
    for task in waiting:
        task.cancel()
    assert all(isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*waiting, return_exceptions=True))
    await public.tokens.stop(1.0)
    after = await public.stored()
    assert after.refresh_token != before.refresh_token
    assert await public.works(after.access_token)
    assert await public.tokens.access_token(ADA) == after.access_token
    assert public.refreshes == 1


async def test_one_cancelled_waiter_does_not_disturb_the_others(stage: Stage) -> None:
    await stage.expired()
    stage.server.delay_s = 0.005
    first, second = (asyncio.create_task(stage.tokens.access_token(ADA)) for _ in range(2))
    while not stage.refreshes:
        await asyncio.sleep(0.001)
    first.cancel()
    assert await stage.works(await second)
    assert stage.refreshes == 1


async def test_a_rotated_token_that_could_not_be_stored_is_stored_later(public: Stage) -> None:
    await public.expired()

    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    token = await public.tokens.access_token(ADA)
    assert await public.works(token)
    assert (await public.stored()).access_token == token
    assert public.refreshes == 1  # the old refresh token is dead: a second refresh would have been refused


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"expires_in": "abc"},
        {"scope": "user-library-read"},
        {"scope": 7},
        {"error": "invalid_grant", "status": 400},
        {"error": "server_error", "status": 503},
    ],
    ids=repr,
)
async def test_a_rotated_token_is_stored_whatever_else_is_wrong_with_its_answer(
    change: dict[str, Any], public: Stage
) -> None:
    await public.expired()
    old = (await public.stored()).refresh_token
    new = public.server.issue_refresh("ada", "user-library-read user-library-modify", NOW.timestamp())
    status = change.pop("status", 200)
    answer = {"access_token": "BQ", "token_type": "Bearer", "expires_in": 3600, "refresh_token": new, **change}
    public.server.fault(path="/api/token", status=status, body=answer)
    public.server.revoke_refresh_token(old)  # which Spotify did when it made the new one
    with pytest.raises((TryLater, NeedsRelink)):
        await public.tokens.access_token(ADA)
    stored = await public.stored()
    assert (stored.refresh_token, stored.link.broken) == (new, None)
    assert await public.works(await public.tokens.access_token(ADA))


async def test_a_rotated_token_of_a_bad_answer_that_could_not_be_stored_is_not_taken_for_good(public: Stage) -> None:
    await public.expired()
    stored = await public.stored()
    new = public.server.issue_refresh("ada", "user-library-read user-library-modify", NOW.timestamp())
    public.server.revoke_refresh_token(stored.refresh_token)
    public.server.fault(path="/api/token", status=200, body={"refresh_token": new})
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    token = await public.tokens.access_token(ADA)
    assert token != stored.access_token
    assert await public.works(token)


# -- a stop


async def test_a_refresh_that_begins_while_the_bot_stops_is_waited_for(public: Stage) -> None:
    await public.expired()
    await public.expired(BEN, "ben")
    public.server.delay_s = 0.03
    first = asyncio.create_task(public.tokens.access_token(ADA))
    while not public.refreshes:
        await asyncio.sleep(0.001)
    stop = asyncio.create_task(public.tokens.stop(5.0))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(public.tokens.access_token(BEN))
    await stop
    for member, task in ((ADA, first), (BEN, second)):
        assert (await public.stored(member)).access_token == await task
    assert public.refreshes == 2


async def test_after_the_stop_no_refresh_begins(public: Stage) -> None:
    await public.expired()
    before = await public.stored()
    await public.tokens.stop(1.0)
    with pytest.raises(Restarting):
        await public.tokens.access_token(ADA)
    assert public.refreshes == 0
    assert (await public.stored()).refresh_token == before.refresh_token


async def test_a_refresh_that_takes_too_long_does_not_hold_up_the_stop(public: Stage) -> None:
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    await public.expired()
    public.server.delay_s = 5.0
    waiting = asyncio.create_task(public.tokens.access_token(ADA))
    while not public.server.in_flight:
        await asyncio.sleep(0.001)
    async with asyncio.timeout(2):
        await public.tokens.stop(0.05)
    assert public.outcomes == ["cancelled"]  # nothing goes on after it
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert trouble == []


async def test_a_refresh_that_takes_too_long_does_not_cost_others_what_is_only_in_memory(public: Stage) -> None:
    await public.expired()
    await public.expired(BEN, "ben")
    before = await public.stored()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    public.server.delay_s = 5.0
    waiting = asyncio.create_task(public.tokens.access_token(BEN))
    while not public.server.in_flight:
        await asyncio.sleep(0.001)
    await public.tokens.stop(0.05)
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await public.stored()).refresh_token != before.refresh_token


async def test_what_can_be_stored_at_the_stop_is_stored_without_a_pause(public: Stage) -> None:
    await public.expired()
    before = await public.stored()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    await public.tokens.stop(60.0)
    assert (await public.stored()).refresh_token != before.refresh_token
    assert public.slept == []


async def test_a_token_that_is_only_in_memory_is_stored_at_the_stop(public: Stage) -> None:
    await public.expired()
    before = await public.stored()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
        stop = asyncio.create_task(public.tokens.stop(60.0))
        await asyncio.sleep(0.02)  # it is tried while it cannot be stored, too
        assert not stop.done()
        assert set(public.slept) == {STORE_AGAIN_S}
    await stop
    assert (await public.stored()).refresh_token != before.refresh_token
    restarted = public.started()
    assert await public.works(await restarted.access_token(ADA))
    assert public.refreshes == 1


async def test_a_token_that_cannot_be_stored_does_not_hold_up_the_stop_for_ever(public: Stage) -> None:
    await public.expired()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
        async with asyncio.timeout(2):
            await public.tokens.stop(0.05)


async def test_a_member_who_unlinks_while_their_token_is_stored_disturbs_no_stop(public: Stage) -> None:
    await public.expired()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    stop = asyncio.create_task(public.tokens.stop(60.0))
    await asyncio.sleep(0)  # the database thread has its job, and has not said what came of it
    public.tokens.forget(ADA)
    await stop


async def test_a_token_that_is_only_in_memory_is_dropped_when_the_seat_is_freed(public: Stage) -> None:
    await public.expired()
    async with read_only(public):
        with pytest.raises(StorageUnavailable):
            await public.tokens.access_token(ADA)
    apps = Apps(public.storage.apps, made_app(CLIENT_ID, None))
    assert await SeatKeeper(public.storage, apps, public.tokens, 5).free(ADA)
    async with read_only(public), asyncio.timeout(5):
        await public.tokens.stop(3600.0)  # would wait until it can store what is only in memory


async def test_a_refresh_that_ends_after_a_new_link_does_not_overwrite_it(stage: Stage) -> None:
    await stage.expired()
    stage.server.delay_s = 0.01
    late = asyncio.create_task(stage.tokens.access_token(ADA))
    while not stage.refreshes:
        await asyncio.sleep(0.001)
    await stage.link(ADA, "other")
    mine = (await stage.stored()).access_token
    assert await late == mine
    stored = await stage.stored()
    assert (stored.link.account_id, stored.access_token) == ("acc-other", mine)


async def test_a_refresh_that_is_refused_after_a_new_link_does_not_break_it(stage: Stage) -> None:
    await stage.expired()
    stage.fault("refresh_revoked", delay_s=0.01)
    late = asyncio.create_task(stage.tokens.access_token(ADA))
    while not stage.refreshes:
        await asyncio.sleep(0.001)
    await stage.link(ADA, "other")
    assert await late == (await stage.stored()).access_token
    assert (await stage.stored()).link.broken is None


# -- what is no revocation


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("accounts_server_error", TryLater),
        ("accounts_unavailable", TryLater),
        ("accounts_rate_limited", TryLater),
        ("cut", TryLater),
        ("elsewhere", TryLater),
        ("ok_html", TryLater),
        ("ok_empty", TryLater),
        ("ok_half", TryLater),
        ("ok_huge", TryLater),
        ("ok_list", TryLater),
        ("token_bad_expiry", TryLater),
        ("token_short_scope", NeedsRelink),
        ("invalid_client", AppRejected),
    ],
)
async def test_trouble_with_a_refresh_touches_no_token(fault: str, error: type[Exception], stage: Stage) -> None:
    await stage.expired()
    before = await stage.stored()
    stage.fault(fault)
    with pytest.raises(error):
        await stage.tokens.access_token(ADA)
    after = await stage.stored()
    assert (after.link, after.access_token, after.refresh_token) == (
        before.link,
        before.access_token,
        before.refresh_token,
    )
    assert after.link.broken is None
    # and it heals by itself
    assert await stage.works(await stage.tokens.access_token(ADA))
    assert stage.outcomes == [error.__name__, "refreshed"]


async def test_a_wrong_secret_of_the_host_touches_nobodys_token(stage: Stage) -> None:
    await stage.expired()
    await stage.expired(BEN, "ben")
    stage.server.client_secret = "changed in the dashboard"
    for member in (ADA, BEN):
        with pytest.raises(AppRejected):
            await stage.tokens.access_token(member)
        assert (await stage.stored(member)).link.broken is None
    stage.server.client_secret = SECRET
    assert await stage.works(await stage.tokens.access_token(BEN))


async def test_a_network_that_is_gone_is_no_revocation(stage: Stage, unused_tcp_port: int) -> None:
    await stage.expired()
    stage.base = f"http://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(TryLater):
        await stage.tokens.access_token(ADA)
    assert (await stage.stored()).link.broken is None


async def test_all_who_wait_for_a_refresh_that_fails_are_told(stage: Stage) -> None:
    await stage.expired()
    stage.fault("accounts_unavailable", delay_s=0.005)
    results = await asyncio.gather(*(stage.tokens.access_token(ADA) for _ in range(10)), return_exceptions=True)
    assert {type(result) for result in results} == {TryLater}
    assert stage.refreshes == 1


async def test_an_odd_refusal_is_told_and_touches_no_token(stage: Stage) -> None:
    await stage.expired()
    stage.server.fault(path="/api/token", status=400, body={"error": "invalid_request"})
    with pytest.raises(Refused):
        await stage.tokens.access_token(ADA)
    assert (await stage.stored()).link.broken is None


# -- what is


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_a_dead_consent_marks_the_link_and_keeps_its_row(end: str, stage: Stage) -> None:
    await stage.expired()
    before = await sealed(stage)
    if end == "revoked":
        stage.server.revoke_consent("ada")
    else:
        stage.server.expire_consent("ada")
    assert await refused(stage) is REASON.REVOKED
    link = await stage.storage.links.get(ADA)
    assert link is not None
    assert (link.account_id, link.broken) == ("acc-ada", "revoked")
    assert await sealed(stage) == before
    # Spotify is not asked again
    assert await refused(stage) is REASON.REVOKED
    assert stage.refreshes == 1


async def sealed(stage: Stage, member: MemberId = ADA) -> tuple[bytes, bytes]:
    """The two blobs as they are stored."""
    query = "SELECT access_sealed, refresh_sealed FROM links WHERE member_id = ?"
    return tuple(await stage.storage.database.read(lambda c: c.execute(query, (member,)).fetchone()))


async def shown_as(tokens: Tokens) -> NeedsRelink.Reason | None:
    """Why Ada's link does not work, as /account and /link see it."""
    link = await tokens.account(ADA)
    assert link is not None
    return None if link.broken is None else REASON(link.broken)


async def test_linking_again_mends_it(stage: Stage) -> None:
    await stage.expired()
    stage.server.revoke_consent("ada")
    await refused(stage)
    await stage.link()
    assert await stage.works(await stage.tokens.access_token(ADA))


@pytest.mark.parametrize(
    "damage",
    [
        "access_sealed = (SELECT access_sealed FROM links AS b WHERE b.account_id = 'acc-ben')",
        "refresh_sealed = (SELECT refresh_sealed FROM links AS b WHERE b.account_id = 'acc-ben')",
        "refresh_sealed = access_sealed",
        "access_sealed = substr(access_sealed, 1, 20)",
        "refresh_sealed = x''",
    ],
)
async def test_a_row_that_does_not_open_asks_to_link_again_and_the_others_go_on(damage: str, stage: Stage) -> None:
    await stage.link()
    await stage.expired(BEN, "ben")

    def change(c: sqlite3.Connection) -> None:
        c.execute(f"UPDATE links SET {damage} WHERE member_id = ?", (ADA,))

    await stage.storage.database.write(change)
    assert await shown_as(stage.tokens) is REASON.UNREADABLE  # also before it is used
    assert stage.unopenable == 0
    for _ in range(2):
        assert await refused(stage) is REASON.UNREADABLE
    assert stage.unopenable == 2
    link = await stage.storage.links.get(ADA)
    assert link is not None
    assert link.broken == REASON.UNREADABLE
    assert await shown_as(stage.tokens) is REASON.UNREADABLE
    assert await stage.works(await stage.tokens.access_token(BEN))


async def test_a_row_that_does_not_open_and_goes_while_it_is_looked_at_is_no_link(stage: Stage) -> None:
    await stage.link()
    query = "UPDATE links SET access_sealed = x'' WHERE member_id = ?"
    await stage.storage.database.write(lambda c: c.execute(query, (ADA,)))
    looking = asyncio.create_task(stage.tokens.account(ADA))
    await asyncio.sleep(0)  # the database thread has its job, and has not said what came of it
    await stage.storage.unlink(ADA)
    assert await looking is None


async def test_a_key_that_was_put_back_makes_it_open_again(tmp_path: Path) -> None:
    async with built(tmp_path, SECRET) as stage:
        await stage.link()
        whole = await sealed(stage)

        async def put(*blobs: bytes) -> None:
            query = "UPDATE links SET access_sealed = ?, refresh_sealed = ? WHERE member_id = ?"
            await stage.storage.database.write(lambda c: c.execute(query, (*blobs, ADA)))

        await put(b"", b"")
        assert await refused(stage) is REASON.UNREADABLE
        await put(*whole)
        assert await shown_as(stage.tokens) is None  # also before it was used again
        assert await stage.works(await stage.tokens.access_token(ADA))


async def test_a_link_through_an_own_app_needs_no_app_of_the_hosts(stage: Stage) -> None:
    own = Link(ADA, "b" * 32, "acc-ada", "Ada", NOW, NOW, None, is_own_app=True)
    await stage.storage.links.put(own, "BQ", "AQ", NOW + timedelta(hours=1))
    assert await shown_as(stage.tokens) is None
    access = await stage.tokens.access(ADA)
    assert (access.app.client_id, access.app.is_own, await access.token.current()) == ("b" * 32, True, "BQ")


async def test_tokens_of_another_app_are_not_used(stage: Stage) -> None:
    await stage.link()
    other = stage.started(client_id="another-app")
    with pytest.raises(NeedsRelink) as caught:
        await other.access_token(ADA)
    assert caught.value.reason is REASON.OTHER_APP
    assert await shown_as(other) is REASON.OTHER_APP
    assert await shown_as(stage.started()) is None
    assert stage.server.calls == []
    # the row stays: with the old app it goes on
    assert await stage.started().access_token(ADA)
