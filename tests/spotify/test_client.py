"""The client: the error table through canned answers and over real HTTP, its tries, and many albums at once."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import aiohttp
import pytest
from aioresponses import aioresponses

from bot.albums import AlbumId, AlbumRef, NotAnAlbum, ShortLink, TrackRef
from bot.changes import Action
from bot.errors import (
    AppRejected,
    BadRequest,
    EndpointClosed,
    GrantRefused,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    TryLater,
)
from bot.sandbox.faults import FAULTS, Answer, Fault
from bot.sandbox.spotify_server import Call
from bot.spotify import oauth, wire
from bot.spotify.app import Access
from bot.spotify.client import TIMEOUT_S, TRIES, TRYING_S, Spotify
from bot.spotify.gate import PLACES, Gate
from bot.spotify.wire import Endpoint, Request
from tests.spotify.responses import Canned
from tests.spotify.stage import SECRET, Clock, Served, Tokens, leaks, made_app, unobserved

RATE_LIMITED, QUOTA, UNAVAILABLE = TryLater.Cause.RATE_LIMITED, TryLater.Cause.QUOTA, TryLater.Cause.UNAVAILABLE
ALBUMS, LIBRARY = Endpoint.ALBUMS, Endpoint.LIBRARY
ID = AlbumId("4aawyAB9vmqN3uQ7FjRGTy")
CONTAINS, WRITE = wire.contains(ALBUMS, [ID]), wire.write(ALBUMS, Action.SAVE, [ID])
ALBUM, PROFILE = wire.album(ID), wire.me()
FIRST_TOKEN, FRESH_TOKEN = "BQ-first-token-of-the-member", "BQ-fresh-token-of-the-member"
CANNED = "https://api.spotify.test"


@dataclass
class Peer:
    """A client, and a Spotify that answers every call with one fault."""

    spotify: Spotify
    access: Access
    tokens: Tokens
    clock: Clock
    calls: Callable[[], list[tuple[str, str]]]
    meet: Callable[[Answer], None]
    sent: Callable[[], list[str]]
    answers: Canned = field(default_factory=Canned)


@asynccontextmanager
async def canned(session: aiohttp.ClientSession) -> AsyncIterator[Peer]:
    """A Spotify of canned answers."""
    clock, tokens = Clock(), Tokens(FIRST_TOKEN, [FRESH_TOKEN])
    gate = Gate(sleep=clock.sleep, monotonic=clock.monotonic)
    spotify = Spotify(
        session,
        api_url=f"{CANNED}/v1",
        accounts_url=CANNED,
        oembed_url=f"{CANNED}/oembed",
        observe=unobserved,
        sleep=clock.sleep,
        monotonic=clock.monotonic,
    )
    with Canned() as answers:

        def meet(answer: Answer) -> None:
            options: dict[str, Any] = {"repeat": True, "headers": dict(answer.get("headers", {}))}
            if answer.get("cut"):
                options["exception"] = aiohttp.ClientPayloadError("Response payload is not completed")
            else:
                fault = Fault(path="*", body=answer["body"])
                options |= {"status": answer["status"], "body": fault.content()[0]}
            for method in ("GET", "PUT", "DELETE", "POST"):
                answers.add(re.compile(re.escape(CANNED)), method, **options)

        def calls() -> list[tuple[str, str]]:
            return [(method, url.path) for (method, url), made in answers.requests.items() for _ in made]

        def sent() -> list[str]:
            made = [call for calls in answers.requests.values() for call in calls]
            return [call.kwargs["headers"]["Authorization"] for call in made]

        yield Peer(spotify, Access(made_app(gate=gate), tokens), tokens, clock, calls, meet, sent, answers)


@asynccontextmanager
async def served_peer(served: Served) -> AsyncIterator[Peer]:
    """The strict stand-in over real HTTP."""

    def meet(answer: Answer) -> None:
        served.server.fault(path="/*", times=None, **answer)

    def calls() -> list[tuple[str, str]]:
        return [(call.method, call.path) for call in served.server.calls]

    def sent() -> list[str]:
        return [call.headers["authorization"] for call in served.server.calls]

    yield Peer(served.spotify, served.access, served.tokens, served.clock, calls, meet, sent)


@pytest.fixture(params=["canned", "served"])
async def peer(request: pytest.FixtureRequest, session: aiohttp.ClientSession, served: Served) -> AsyncIterator[Peer]:
    """Either way: what holds for canned answers holds over real HTTP."""
    async with canned(session) if request.param == "canned" else served_peer(served) as peer:
        yield peer


async def failed(call: Awaitable[object], *secrets: str) -> Exception:
    """The error of a call, which gives nothing away."""
    with pytest.raises(Exception) as caught:
        await call
    assert leaks(caught.value, *secrets) == []
    return caught.value


# -- the error table


@dataclass(frozen=True)
class Row:
    """What one answer must lead to. `tries`: calls made, all with one token but for a 401."""

    request: Request
    fault: str
    error: type[Exception]
    tries: int = 1
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.request.name}-{self.fault}"


def later(cause: TryLater.Cause, *, may_have_applied: bool = False, until_s: float | None = None) -> dict[str, Any]:
    return {"cause": cause, "may_have_applied": may_have_applied, "until": until_s}


def rows() -> Iterator[Row]:
    for request in (CONTAINS, WRITE, ALBUM, PROFILE):
        for name in ("expired_token", "invalid_token", "token_missing"):
            yield Row(request, name, TryLater, 2, later(UNAVAILABLE))
        yield Row(request, "insufficient_scope", NeedsRelink, 1, {"reason": NeedsRelink.Reason.SCOPE})
        for name in ("not_registered_text", "not_registered_json", "check_settings_text", "check_settings_json"):
            yield Row(request, name, NotAllowlisted)
        for name in ("premium", "premium_text"):
            yield Row(request, name, PremiumLapsed)
        for name in ("server_error", "bad_gateway", "unavailable", "html"):
            yield Row(request, name, TryLater, 3, later(UNAVAILABLE, may_have_applied=True))
        yield Row(request, "elsewhere", TryLater, 3, later(UNAVAILABLE))
        yield Row(request, "cut", TryLater, 3, later(UNAVAILABLE, may_have_applied=True))
        # a short one is waited for, twice; /v1/me goes past a closed gate and is told at once
        for name in ("rate_limited", "too_many_requests", "rate_limited_text"):
            yield Row(request, name, TryLater, 3 if request.waits else 1, later(RATE_LIMITED, until_s=1))
        for name in ("rate_limited_no_header", "rate_limited_bad_header", "rate_limited_negative_header"):
            yield Row(request, name, TryLater, 1, later(RATE_LIMITED, until_s=5))
        yield Row(request, "rate_limited_huge_header", TryLater, 1, later(RATE_LIMITED, until_s=86_400))
        yield Row(request, "quota", TryLater, 1, later(QUOTA, until_s=82_661))
        yield Row(request, "quota_longest", TryLater, 1, later(QUOTA, until_s=86_207))
        yield Row(request, "quota_no_header", TryLater, 1, later(QUOTA, until_s=3600))
    for request in (CONTAINS, WRITE):
        yield Row(request, "forbidden", EndpointClosed)
        for name, message in (
            ("too_many_ids", "Too many ids requested"),
            ("too_many_uris", "Too many uris requested"),
            ("missing_ids", "Missing required field: ids"),
            ("missing_uris", "Missing required field: uris"),
        ):
            yield Row(request, name, BadRequest, 1, {"status": 400, "message": message})
        yield Row(request, "uri_too_long", BadRequest, 1, {"status": 414, "message": ""})
    for request in (CONTAINS, WRITE, ALBUM):
        for name in ("invalid_id", "invalid_id_older", "invalid_uri"):
            yield Row(request, name, NoSuchAlbum)
    for name in ("not_found", "non_existing"):
        yield Row(ALBUM, name, NoSuchAlbum)
        for request in (CONTAINS, WRITE):
            yield Row(request, name, TryLater, 3, later(UNAVAILABLE, may_have_applied=request is WRITE))
    for request in (ALBUM, PROFILE):
        yield Row(request, "forbidden", Refused, 2, {"status": 403, "message": "Forbidden"})


def meanings() -> list[Row]:
    """The first row of each meaning: rows that lead to the same error, after as many tries, are one."""
    found: dict[str, Row] = {}
    for row in rows():
        found.setdefault(f"{row.error} {row.tries} {row.facts}", row)
    return [*found.values()]


@pytest.mark.parametrize("row", [*rows()], ids=str)
async def test_every_row_of_the_error_table_is_its_own_error(row: Row, session: aiohttp.ClientSession) -> None:
    async with canned(session) as peer:
        await leads_to_its_error(row, peer)


@pytest.mark.parametrize("row", meanings(), ids=str)
async def test_each_meaning_of_the_error_table_is_the_same_over_http(row: Row, served: Served) -> None:
    async with served_peer(served) as peer:
        await leads_to_its_error(row, peer)


async def leads_to_its_error(row: Row, peer: Peer) -> None:
    peer.meet(FAULTS[row.fault])
    first = peer.tokens.token
    error = await failed(peer.spotify.call(row.request, peer.access, bytes), first, peer.tokens.fresh[0], SECRET)
    assert type(error) is row.error
    assert {name: in_seconds(getattr(error, name), peer.clock) for name in row.facts} == row.facts
    assert peer.calls() == [(row.request.method, f"/v1{row.request.path}")] * row.tries
    is_401 = FAULTS[row.fault]["status"] == 401 if "status" in FAULTS[row.fault] else False
    assert peer.tokens.rejected == ([first] if is_401 else [])
    assert peer.sent()[0] == f"Bearer {first}"
    assert peer.access.app.gate.in_flight == 0


def in_seconds(fact: Any, clock: Clock) -> Any:
    """A time as whole seconds from now: the wall clock stands still but for what the test itself takes."""
    return round((fact - datetime.now(UTC)).total_seconds() + 0.4) if isinstance(fact, datetime) else fact


@dataclass(frozen=True)
class TokenRow:
    """The same of the token endpoint, which is always called once."""

    fault: str
    error: type[Exception]
    facts: dict[str, Any] = field(default_factory=dict)


TOKEN_ROWS = (
    *(
        TokenRow(name, GrantRefused)
        for name in ("refresh_revoked", "refresh_expired", "refresh_invalid", "code_invalid")
    ),
    TokenRow("invalid_client", AppRejected),
    TokenRow("accounts_rate_limited", TryLater, later(RATE_LIMITED)),
    TokenRow("accounts_server_error", TryLater, later(UNAVAILABLE)),
    TokenRow("accounts_unavailable", TryLater, later(UNAVAILABLE)),
    *(
        TokenRow(name, TryLater, later(UNAVAILABLE))
        for name in ("ok_html", "ok_empty", "ok_half", "ok_list", "elsewhere")
    ),
    TokenRow("token_bad_expiry", TryLater, later(UNAVAILABLE)),
    TokenRow("token_short_scope", NeedsRelink, {"reason": NeedsRelink.Reason.SCOPE}),
    TokenRow("cut", TryLater, later(UNAVAILABLE, may_have_applied=True)),
)


@pytest.mark.parametrize("row", TOKEN_ROWS, ids=lambda row: row.fault)
@pytest.mark.parametrize("kind", ["refresh", "exchange"])
async def test_every_answer_of_the_token_endpoint_is_its_own_error(
    row: TokenRow, kind: Literal["refresh", "exchange"], peer: Peer
) -> None:
    peer.meet(FAULTS[row.fault])
    secret = "AQ-refresh-or-code"
    if kind == "refresh":
        error = (await peer.spotify.refresh(peer.access.app, secret)).outcome
        assert isinstance(error, Exception)
        assert leaks(error, secret, SECRET, "BQ-not-a-real-token") == []
    else:
        call = peer.spotify.exchange(peer.access.app, secret, "http://127.0.0.1/cb", "v" * 43)
        error = await failed(call, secret, SECRET, "v" * 43, "BQ-not-a-real-token")
    assert type(error) is row.error
    assert {name: getattr(error, name) for name in row.facts} == row.facts
    assert peer.calls() == [("POST", "/api/token")]
    assert peer.clock.slept == []


@pytest.mark.parametrize(
    ("exception", "may_have_applied"),
    [
        (aiohttp.ClientConnectorError(connection_key=None, os_error=OSError(111, "refused")), False),  # type: ignore[arg-type]
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientOSError(104, "reset by peer"), True),
        (aiohttp.ClientPayloadError(), True),
        (aiohttp.ServerTimeoutError(), True),
        (TimeoutError(), True),
        (OSError(5, "input/output error"), True),
        (aiohttp.InvalidURL("https://x"), True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_every_failure_of_the_network_is_trouble_without_aiohttps_error(
    exception: Exception, may_have_applied: bool, session: aiohttp.ClientSession
) -> None:
    async with canned(session) as peer:
        peer.answers.put(re.compile(".*"), exception=exception, repeat=True)
        error = await failed(peer.spotify.call(WRITE, peer.access, bytes), FIRST_TOKEN)
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (UNAVAILABLE, may_have_applied)


async def test_a_call_is_given_up_after_ten_seconds_and_follows_no_redirect(session: aiohttp.ClientSession) -> None:
    async with canned(session) as peer:
        peer.answers.put(re.compile(".*"))
        await peer.spotify.call(WRITE, peer.access, bytes)
        [[call]] = peer.answers.requests.values()
    assert call.kwargs["timeout"].total == TIMEOUT_S == 10
    assert call.kwargs["allow_redirects"] is False


async def test_the_shim_is_still_needed(session: aiohttp.ClientSession) -> None:
    with aioresponses() as answers:
        answers.get(CANNED)
        with pytest.raises(TypeError, match="stream_writer"):
            await session.get(CANNED)


# -- the network, over real HTTP


async def test_a_refused_connection_certainly_did_nothing(served: Served, unused_tcp_port: int) -> None:
    spotify = served.client(api_url=f"http://127.0.0.1:{unused_tcp_port}/v1")
    error = await failed(spotify.call(WRITE, served.access, bytes), served.tokens.token)
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (UNAVAILABLE, False)
    assert len(served.clock.slept) == TRIES - 1


OK = b"HTTP/1.1 200 OK\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/9.9 twohundred\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        OK + b"Content-Length: many\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        OK + b"no colon\r\n\r\n",
        OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        OK + b"Content-Length: 100\r\n\r\nshort",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n",
        GZIP + b"this is no gzip at all",
        GZIP + gzip.compress(bytes(50_000_000)),
    ],
    ids=lambda answer: repr(answer[:60])[2:-1],
)
async def test_whatever_comes_over_the_wire_is_trouble_without_aiohttps_error(answer: bytes, served: Served) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        error = await failed(served.client(api_url=url).call(CONTAINS, served.access, bytes), served.tokens.token)
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (UNAVAILABLE, True)


async def test_a_write_that_was_cut_off_may_have_been_carried_out(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["cut_after_work"])
    [(_, error)] = (await served.spotify.write(served.access, Action.SAVE, [ID])).items()
    assert isinstance(error, TryLater)
    assert error.may_have_applied
    assert list(served.account.saved) == [ID]


async def test_a_doubt_from_an_earlier_try_is_kept(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", **FAULTS["server_error_after_work"])
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["elsewhere"])
    error = await failed(served.spotify.call(WRITE, served.access, bytes))
    assert isinstance(error, TryLater)
    assert error.may_have_applied


async def test_a_doubt_is_kept_when_the_token_is_rejected_after_it(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", **FAULTS["server_error_after_work"])
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["expired_token"])
    error = await failed(served.spotify.call(WRITE, served.access, bytes))
    assert isinstance(error, TryLater)
    assert error.may_have_applied


async def test_a_redirect_is_never_followed(served: Served) -> None:
    served.server.fault(
        path="/v1/albums/*", status=302, body="", headers={"Location": f"{served.base}/v1/me"}, times=None
    )
    await failed(served.spotify.album(served.access, ID))
    assert {call.path for call in served.calls()} == {f"/v1/albums/{ID}"}


@pytest.mark.parametrize(
    ("request_", "largest"), [(WRITE, 64 * 1024), (ALBUM, 8 * 1024 * 1024)], ids=["write", "album"]
)
async def test_an_answer_larger_than_the_cap_is_trouble(request_: Request, largest: int, served: Served) -> None:
    served.server.fault(path="/v1/*", status=200, body=b" " * largest)
    assert await served.spotify.call(request_, served.access, bytes) == b" " * largest
    served.server.fault(path="/v1/*", status=200, body=b" " * (largest + 1), times=None)
    error = await failed(served.spotify.call(request_, served.access, bytes))
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (UNAVAILABLE, True)


async def test_a_huge_answer_of_the_token_endpoint_is_trouble(served: Served) -> None:
    served.server.fault(path="/api/token", **FAULTS["ok_huge"])
    answer = await served.spotify.refresh(served.app, served.refresh)
    assert isinstance(answer.outcome, TryLater)
    assert leaks(answer.outcome, served.refresh) == []


@pytest.mark.parametrize("cut", [False, True])
async def test_a_new_refresh_token_arrives_with_an_answer_that_fails(cut: bool, served: Served) -> None:
    # a cut answer ends in its middle
    body = '{"refresh_token": "AQ-new", "access_token": "' + "x" * 100
    served.server.fault(path="/api/token", status=200, body=body, cut=cut)
    answer = await served.spotify.refresh(served.app, served.refresh)
    assert isinstance(answer.outcome, TryLater)
    assert answer.refresh_token == "AQ-new"


@asynccontextmanager
async def one_answer_a_connection() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that keeps a connection unless it is asked not to, and closes it at its second request.

    Its address, and what it answered.
    """
    answered: list[str] = []
    tokens = b'{"access_token": "BQ-new"}'

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"content-length: (\d+)", head.lower()):
            await reader.readexactly(int(length[1]))
        method = head.split()[0].decode()
        answered.append(method)
        body = {"GET": b"[true]", "POST": tokens}.get(method, b"")
        is_last = b"connection: close" in head.lower()
        ends = b"Connection: close\r\n" if is_last else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), ends, body))
        await (writer.drain() if is_last else reader.read(1))
        if is_last:
            writer.close()
            return
        writer.transport.abort()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answered


async def test_a_connection_that_is_closed_just_before_it_is_used_again_costs_nothing(served: Served) -> None:
    async with one_answer_a_connection() as (base, answered):
        client = served.client(api_url=base)
        for _ in range(3):
            assert await client.contains(served.access, [ID]) == {ID: True}
            assert await client.write(served.access, Action.SAVE, [ID]) == {ID: None}
    assert answered == ["GET", "PUT"] * 3
    assert served.clock.slept == []


async def test_a_token_call_that_is_made_once_never_meets_a_connection_that_is_being_closed(served: Served) -> None:
    async with one_answer_a_connection() as (base, answered):
        client = served.client(accounts_url=base)
        for _ in range(3):
            assert isinstance((await client.refresh(served.app, served.refresh)).outcome, oauth.Tokens)
    assert answered == ["POST"] * 3


# -- tries


async def test_trouble_that_passes_costs_only_a_moment(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=2, **FAULTS["unavailable"])
    await served.spotify.call(WRITE, served.access, bytes)
    first, second = served.clock.slept
    assert 0.16 <= first <= 0.24
    assert 0.48 <= second <= 0.72


async def test_no_try_begins_long_after_the_first_one(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["unavailable"])

    class Slow(Tokens):
        async def current(self) -> str:
            served.clock.now += TRYING_S / 2 + 1  # as if each try took so long
            return self.token

    await failed(served.spotify.call(WRITE, Access(served.app, Slow(served.tokens.token)), bytes))
    assert len(served.calls()) == 2


async def test_a_short_429_is_waited_for_at_the_gate(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", **FAULTS["rate_limited"])
    await served.spotify.call(WRITE, served.access, bytes)
    assert served.clock.slept == [pytest.approx(1.0)]
    assert len(served.calls()) == 2


async def test_a_long_429_holds_up_everybody_but_not_profile_and_tokens(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", **FAULTS["quota"])
    await failed(served.spotify.call(WRITE, served.access, bytes))
    for request in (CONTAINS, WRITE, ALBUM, wire.search("x"), wire.saved_albums(0), wire.track(ID)):
        error = await failed(served.spotify.call(request, served.access, bytes))
        assert isinstance(error, TryLater)
        assert error.cause is QUOTA
    assert len(served.calls()) == 1
    assert (await served.spotify.profile(served.access)).name == "Ada"
    assert isinstance((await served.spotify.refresh(served.app, served.refresh)).outcome, oauth.Tokens)
    assert served.clock.slept == []


async def test_a_429_of_the_token_endpoint_which_closes_no_gate_is_not_asked_again_at_once(served: Served) -> None:
    class Busy(Tokens):
        async def current(self) -> str:
            raise TryLater(RATE_LIMITED)

    await failed(served.spotify.call(WRITE, Access(served.app, Busy(served.tokens.token)), bytes))
    assert len(served.clock.slept) == TRIES - 1
    assert min(served.clock.slept) > 0.1


async def test_a_page_in_place_of_nothing_is_no_proof_of_a_write(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["ok_html"])
    answers = await served.spotify.write(served.access, Action.SAVE, [ID])
    assert isinstance(error := answers[ID], TryLater)
    assert error.may_have_applied


NO_ANSWERS = {
    "a page": (200, "<!DOCTYPE html><title>Hi</title>"),
    "nothing": (200, ""),
    "204": (204, ""),
    "a part": (206, '{"id": "'),
    "another shape": (200, '{"status": "ok"}'),
    "304": (304, ""),
    "a page of a proxy": (407, "<html>Log in</html>"),
}


@pytest.mark.parametrize("odd", NO_ANSWERS)
async def test_a_single_answer_that_makes_no_sense_costs_only_a_moment(odd: str, served: Served) -> None:
    status, body = NO_ANSWERS[odd]
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: served.spotify.contains(served.access, [ID]),
        lambda: served.spotify.album(served.access, ID),
        lambda: served.spotify.search(served.access, "Slow Harbour"),
        lambda: served.spotify.saved(served.access, 0),
        lambda: served.spotify.profile(served.access),
    ]
    for call in calls:
        served.server.fault(path="/v1/*", status=status, body=body)
        before = len(served.calls())
        await call()
        assert len(served.calls()) == before + 2


async def test_a_write_that_a_page_answers_is_repeated(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", **FAULTS["ok_html"])
    assert await served.spotify.write(served.access, Action.SAVE, [ID]) == {ID: None}
    assert list(served.account.saved) == [ID]


async def test_an_album_that_spotify_gives_by_another_id_is_known_by_the_one_that_was_asked_for(
    served: Served,
) -> None:
    [other_id] = served.albums(1)
    other = await served.spotify.album(served.access, other_id)
    body = {"id": other_id, "name": other.title, "artists": [{"name": other.by}]}
    served.server.fault(path=f"/v1/albums/{ID}", status=200, body=json.dumps(body))
    album = await served.spotify.album(served.access, ID)
    assert (album.id, album.title) == (ID, other.title)


async def test_a_401_refreshes_once_and_repeats_once(served: Served) -> None:
    old, fresh = served.tokens.token, served.tokens.fresh[0]
    served.server.access_tokens[old].expires_at = 0
    await served.spotify.call(WRITE, served.access, bytes)
    assert served.tokens.rejected == [old]
    assert [call.headers["authorization"] for call in served.calls()] == [f"Bearer {old}", f"Bearer {fresh}"]
    assert list(served.account.saved) == [ID]


async def test_an_error_of_the_refresh_is_the_calls_error(served: Served) -> None:
    class Dead(Tokens):
        async def renewed(self, rejected: str) -> str:
            raise NeedsRelink(NeedsRelink.Reason.REVOKED)

    served.server.expire_access_tokens()
    error = await failed(
        served.spotify.call(WRITE, Access(served.app, Dead(served.tokens.token)), bytes), served.tokens.token
    )
    assert isinstance(error, NeedsRelink)


async def test_a_cancelled_call_gives_its_place_back(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["hang"])
    task = asyncio.create_task(served.spotify.call(WRITE, served.access, bytes))
    while not served.calls():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert served.app.gate.in_flight == 0


# -- what the calls give, over real HTTP


async def test_albums_tracks_searches_and_profiles_are_read(served: Served) -> None:
    spotify, access = served.spotify, served.access
    album = await spotify.album(access, ID)
    assert (album.id, album.title, album.by, album.year) == (ID, "Slow Harbour", "The Lantern Ferry", "2011")
    assert album.cover_url is not None
    known = served.server.catalogue.album(ID)
    assert known is not None
    assert await spotify.album_of_track(access, known.tracks[0].id) == album
    assert album in await spotify.search(access, "slow harbour")
    assert len(await spotify.search(access, "the")) <= 10
    profile = await spotify.profile(access)
    assert (profile.account_id, profile.name) == (served.account.account_id, "Ada")


async def test_an_account_without_a_name_is_called_by_its_id(served: Served) -> None:
    served.account.display_name = None
    assert (await served.spotify.profile(served.access)).name == "ada"


async def test_a_page_of_the_library_is_read_newest_first(served: Served) -> None:
    for id_ in (wanted := served.albums(60)):
        served.server.save(served.account, id_)
    page = await served.spotify.saved(served.access, 0)
    assert [album.id for album in page.albums] == wanted[:9:-1]
    last = await served.spotify.saved(served.access, 50)
    assert [album.id for album in last.albums] == wanted[9::-1]
    assert (page.is_last, last.is_last) == (False, True)


async def test_a_single_404_for_an_album_is_not_believed(served: Served) -> None:
    served.server.fault(path=f"/v1/albums/{ID}", **FAULTS["not_found"])
    assert (await served.spotify.album(served.access, ID)).id == ID
    track = served.server.catalogue.albums[ID].tracks[0].id
    served.server.fault(path=f"/v1/tracks/{track}", **FAULTS["non_existing"])
    assert (await served.spotify.album_of_track(served.access, track)).id == ID


async def test_a_second_404_for_an_album_is_believed(served: Served) -> None:
    unknown = AlbumId("0" * 22)
    assert isinstance(await failed(served.spotify.album(served.access, unknown)), NoSuchAlbum)
    assert [call.status for call in served.calls()] == [404, 404]


async def test_a_single_404_at_contains_is_asked_again(served: Served) -> None:
    served.server.fault(path="*/contains", **FAULTS["not_found"])
    assert await served.spotify.contains(served.access, [ID]) == {ID: False}


async def test_a_long_search_is_cut_and_not_refused(served: Served) -> None:
    assert await served.spotify.search(served.access, "é" * 6000) == []
    assert len(served.calls()[0].param("q") or "") == 250


@pytest.mark.parametrize("secret", [SECRET, None], ids=["secret", "public"])
async def test_codes_and_refresh_tokens_are_turned_in_as_the_app_must(secret: str | None, served: Served) -> None:
    served.server.client_secret, served.server.rotates = secret, secret is None
    app = served.made_app(client_secret=secret)
    scope = "user-library-read user-library-modify"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    code = served.server.issue_code("ada", "http://127.0.0.1/cb", challenge, scope)
    tokens = await served.spotify.exchange(
        app, code, "http://127.0.0.1/cb", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert tokens.refresh_token is not None
    answer = await served.spotify.refresh(app, tokens.refresh_token)
    again = answer.outcome
    assert isinstance(again, oauth.Tokens)
    assert answer.refresh_token == again.refresh_token
    assert (again.refresh_token is None) == (secret is not None)
    assert (again.expires_in_s, again.scope) == (3600, scope)
    assert all(("authorization" in call.headers) == (secret is not None) for call in served.calls())


# -- many albums, two generations


def named(call: Call) -> list[str]:
    """The albums that a call names."""
    if (uris := call.param("uris")) is not None:
        return [uri.removeprefix("spotify:album:") for uri in uris.split(",")]
    if (given := call.param("ids")) is not None:
        return given.split(",")
    assert isinstance(call.body, dict)
    return list(call.body["ids"])


def sizes(calls: Sequence[Call]) -> list[int]:
    return sorted((len(named(call)) for call in calls), reverse=True)


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("over", [-1, 0, 1, 70])
async def test_writes_reach_every_album_in_as_few_calls_as_can_be(
    endpoint: Endpoint, action: Action, over: int, served: Served
) -> None:
    size = wire.write_size(endpoint, action)
    wanted = served.albums(size + over)
    for id_ in wanted if action is Action.REMOVE else ():
        served.server.save(served.account, id_)
    access = served.through(served.made_app(endpoint=endpoint.value))
    assert await served.spotify.write(access, action, wanted) == dict.fromkeys(wanted)
    assert sorted(served.account.saved) == (sorted(wanted) if action is Action.SAVE else [])
    assert len(served.calls()) == -(-len(wanted) // size)
    method = wire.METHODS[action]
    assert {(call.method, call.path) for call in served.calls()} == {(method, f"/v1/me/{endpoint}")}
    assert sorted(id_ for call in served.calls() for id_ in named(call)) == sorted(wanted)


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("count", [1, 20, 21, 40, 41, 120])
async def test_contains_asks_for_every_album_in_as_few_calls_as_can_be(
    endpoint: Endpoint, count: int, served: Served
) -> None:
    wanted = served.albums(count)
    for id_ in wanted[::2]:
        served.server.save(served.account, id_)
    access = served.through(served.made_app(endpoint=endpoint.value))
    assert await served.spotify.contains(access, wanted) == {id_: n % 2 == 0 for n, id_ in enumerate(wanted)}
    assert len(served.calls()) == -(-count // wire.contains_size(endpoint))


async def test_no_albums_are_no_call(served: Served) -> None:
    assert await served.spotify.contains(served.access, []) == {}
    assert await served.spotify.write(served.access, Action.SAVE, []) == {}
    assert served.calls() == []


@pytest.mark.parametrize("works", list(Endpoint))
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("count", [1, 20, 45, 260])
async def test_the_bare_403_changes_the_generation_in_the_middle_of_a_write(
    works: Endpoint, action: Action, count: int, served: Served
) -> None:
    wanted = served.albums(count)
    for id_ in wanted if action is Action.REMOVE else ():
        served.server.save(served.account, id_)
    served.server.generations = {works.value}
    access = served.through(served.made_app(works=works.other))
    assert await served.spotify.write(access, action, wanted) == dict.fromkeys(wanted)
    assert sorted(served.account.saved) == (sorted(wanted) if action is Action.SAVE else [])
    assert access.app.endpoint.current is works
    assert served.found == [works]
    refused = [call for call in served.calls() if call.status == 403]
    assert 1 <= len(refused) <= 4
    assert served.server.max_in_flight <= 4


@pytest.mark.parametrize("works", list(Endpoint))
async def test_the_bare_403_changes_the_generation_in_a_contains(works: Endpoint, served: Served) -> None:
    wanted = served.albums(120)
    served.server.generations = {works.value}
    access = served.through(served.made_app(works=works.other))
    assert await served.spotify.contains(access, wanted) == dict.fromkeys(wanted, False)
    assert served.found == [works]


async def test_what_works_is_known_from_then_on(served: Served) -> None:
    served.server.generations = {"library"}
    await served.spotify.write(served.access, Action.SAVE, [ID])
    assert [call.status for call in served.calls()] == [403, 200]
    await served.spotify.contains(served.access, [ID])
    restarted = served.through(served.made_app(works=served.found[0]))
    await served.spotify.write(restarted, Action.REMOVE, [ID])
    assert [call.status for call in served.calls()] == [403, 200, 200, 200]
    assert served.found == [LIBRARY]


@pytest.mark.parametrize("status", [403, 406, 410, 421, 451])
async def test_a_single_refusal_for_no_known_reason_is_asked_once_more(status: int, served: Served) -> None:
    calls = {
        "/v1/search": lambda: served.spotify.search(served.access, "slow harbour"),
        "/v1/me": lambda: served.spotify.profile(served.access),
        "/v1/me/albums": lambda: served.spotify.saved(served.access, 0),
        "/v1/me/albums/contains": lambda: served.spotify.contains(served.access, [ID]),
    }
    for path, call in calls.items():
        served.server.fault(path=path, status=status, body="no")
        await call()
    served.server.fault(path="/v1/me/albums", method="PUT", status=status, body="no")
    assert await served.spotify.write(served.access, Action.SAVE, [ID]) == {ID: None}
    assert [*served.account.saved] == [ID]


async def test_an_app_that_may_use_both_keeps_the_original_one(served: Served) -> None:
    await served.spotify.write(served.access, Action.SAVE, [ID])
    assert served.app.endpoint.current is ALBUMS
    assert served.found == []


async def test_when_both_generations_are_closed_it_is_refused(served: Served) -> None:
    wanted = served.albums(120)
    served.server.generations = set()
    answers = await served.spotify.write(served.access, Action.SAVE, wanted)
    assert list(answers) == wanted
    for error in answers.values():
        assert isinstance(error, Refused)
        assert (error.status, error.message) == (403, "Forbidden")
    assert isinstance(await failed(served.spotify.contains(served.access, wanted)), Refused)
    assert served.found == []


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_a_generation_that_the_host_set_is_never_changed(endpoint: Endpoint, served: Served) -> None:
    served.server.generations = {endpoint.other.value}
    access = served.through(served.made_app(endpoint=endpoint.value, works=endpoint.other))
    answers = await served.spotify.write(access, Action.SAVE, [ID])
    assert isinstance(answers[ID], Refused)
    assert isinstance(await failed(served.spotify.contains(access, [ID])), Refused)
    assert (access.app.endpoint.current, served.found) == (endpoint, [])
    assert [call.status for call in served.calls()] == [403, 403]


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("action", list(Action))
async def test_one_bad_id_is_found_by_halving_and_the_others_are_served(
    endpoint: Endpoint, action: Action, served: Served
) -> None:
    wanted = served.albums(wire.write_size(endpoint, action) - 1)
    for id_ in wanted if action is Action.REMOVE else ():
        served.server.save(served.account, id_)
    bad = AlbumId("no-base62-at-all")
    access = served.through(served.made_app(endpoint=endpoint.value))
    answers = await served.spotify.write(access, action, [*wanted[:7], bad, *wanted[7:]])
    assert isinstance(answers.pop(bad), NoSuchAlbum)
    assert answers == dict.fromkeys(wanted)
    assert sorted(served.account.saved) == (sorted(wanted) if action is Action.SAVE else [])
    assert len(served.calls()) <= 1 + 2 * 6  # two for each halving of at most 50


async def test_contains_asks_again_only_for_an_album_of_which_spotify_does_not_say(served: Served) -> None:
    wanted = served.albums(3)
    served.server.save(served.account, wanted[1])
    served.server.fault(path="*/contains", body=b"[true, null, false]")
    assert await served.spotify.contains(served.access, wanted) == dict(zip(wanted, (True, True, False), strict=True))
    _, again = served.calls()
    assert (again.param("ids") or again.param("uris") or "").endswith(wanted[1])
    assert "," not in (again.param("ids") or again.param("uris") or "")
    served.server.fault(path="*/contains", body=b"[null]", times=2)
    assert await served.spotify.contains(served.access, wanted[:1]) == {wanted[0]: None}


async def test_contains_leaves_out_an_id_that_spotify_cannot_read(served: Served) -> None:
    wanted = served.albums(19)
    bad = AlbumId("no-base62-at-all")
    assert await served.spotify.contains(served.access, [bad, *wanted]) == dict.fromkeys(wanted, False)
    assert await served.spotify.contains(served.access, [bad]) == {}


async def test_contains_that_fails_in_one_part_fails_whole(served: Served) -> None:
    wanted = served.albums(120)
    served.server.fault(path="*/contains", **FAULTS["premium"])
    assert isinstance(await failed(served.spotify.contains(served.access, wanted)), PremiumLapsed)


async def test_at_most_four_parts_of_one_command_run_side_by_side(served: Served) -> None:
    served.server.delay_s = 0.005
    await served.spotify.write(served.access, Action.REMOVE, served.albums(200))
    assert len(served.calls()) == 10
    assert served.server.max_in_flight == 4


async def test_at_most_48_calls_are_in_flight_over_all_members(served: Served) -> None:
    served.server.delay_s = 0.005
    wanted = served.albums(120)
    for number in range(20):
        served.server.add_account(f"member-{number}")
    members = [served.tokens_of(f"member-{number}") for number in range(20)]
    looks = [served.spotify.album(served.access, id_) for id_ in wanted[:20]]
    refreshes = [served.spotify.refresh(served.app, served.refresh) for _ in range(5)]
    await asyncio.gather(
        *(served.spotify.write(Access(served.app, tokens), Action.REMOVE, wanted) for tokens in members),
        *looks,
        *refreshes,
    )
    assert len(served.calls()) == 20 * 6 + 20 + 5
    assert served.server.max_in_flight == PLACES == 48


async def test_after_a_refusal_no_further_part_begins_and_what_did_not_begin_is_not_in_doubt(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["server_error_after_work"])
    wanted = served.albums(500)
    answers = await served.spotify.write(served.access, Action.SAVE, wanted)
    assert list(answers) == wanted
    assert all(isinstance(error, TryLater) for error in answers.values())
    in_doubt = {id_ for id_, error in answers.items() if isinstance(error, TryLater) and error.may_have_applied}
    assert in_doubt == set(served.account.saved)
    assert len(in_doubt) <= 4 * 50


async def test_a_refusal_in_the_middle_keeps_what_was_written(served: Served) -> None:
    served.server.fault(path="/v1/me/albums", times=4)
    served.server.fault(path="/v1/me/albums", times=None, **FAULTS["not_registered_text"])
    wanted = served.albums(500)
    answers = await served.spotify.write(served.access, Action.SAVE, wanted)
    assert {id_ for id_, error in answers.items() if error is None} == set(served.account.saved)
    assert {type(error) for error in answers.values()} == {type(None), NotAllowlisted}
    assert len(served.account.saved) == 200


# -- short links


def short(served: Served, target: str, host: str = "spotify.link") -> ShortLink:
    """A short link to somewhere."""
    code = served.server.short_link(target).rsplit("/", 1)[-1]
    return ShortLink(host, f"/s/{code}" if host == "open.spotify.com" else f"/{code}")


def chained(served: Served, hops: int, target: str) -> ShortLink:
    """A short link that takes this many hops."""
    link = short(served, target)
    for _ in range(hops - 1):
        link = short(served, f"https://spotify.link{link.path}")
    return link


@pytest.mark.parametrize("host", ["spotify.link", "spotify.app.link", "open.spotify.com"])
@pytest.mark.parametrize(
    ("target", "found"),
    [
        (f"https://open.spotify.com/album/{ID}?si=1&utm=2", AlbumRef(ID)),
        (f"https://open.spotify.com/intl-de/album/{ID}", AlbumRef(ID)),
        (f"spotify:album:{ID}", AlbumRef(ID)),
        (f"https://open.spotify.com/track/{ID}", TrackRef(ID)),
    ],
)
async def test_a_short_link_is_followed(host: str, target: str, found: object, served: Served) -> None:
    assert await served.spotify.expand(short(served, target, host)) == found


async def test_a_short_link_to_a_playlist_says_so(served: Served) -> None:
    found = await served.spotify.expand(short(served, f"https://open.spotify.com/playlist/{ID}"))
    assert isinstance(found, NotAnAlbum)
    assert found.kind == "playlist"


async def test_four_hops_are_followed_and_not_a_fifth(served: Served) -> None:
    target = f"https://open.spotify.com/album/{ID}"
    assert await served.spotify.expand(chained(served, 4, target)) == AlbumRef(ID)
    assert len(served.calls()) == 4
    assert isinstance(await failed(served.spotify.expand(chained(served, 5, target))), NoSuchAlbum)
    assert len(served.calls()) == 4 + 4


async def test_a_loop_ends(served: Served) -> None:
    served.server.short_links["loop"] = "https://spotify.link/loop"
    assert isinstance(await failed(served.spotify.expand(ShortLink("spotify.link", "/loop"))), NoSuchAlbum)
    assert len(served.calls()) == 4


FOREIGN = (
    "https://evil.example/album/" + ID,
    "https://evil.example/abc",
    "https://spotify.link.evil.example/abc",
    "https://spotify.link@evil.example/abc",
    "http://169.254.169.254/latest/meta-data",
    "//evil.example/abc",
    "\\\\evil.example\\abc",
    "/../../v1/me",
    "file:///etc/passwd",
    "http://[",
    "https://[::1",
    "",
    "   ",
    f"https://evil.example/ https://open.spotify.com/album/{ID}",
)


@pytest.mark.parametrize("target", FOREIGN)
@pytest.mark.parametrize("how", ["redirect", "page"])
async def test_a_short_link_is_never_followed_elsewhere(target: str, how: str, served: Served) -> None:
    if how == "redirect":
        served.server.fault(path="/abc", status=302, body="", headers={"Location": target})
    else:
        served.server.fault(path="/abc", status=200, body=f'<meta property="og:url" content="{target}">')
    try:
        found = await served.spotify.expand(ShortLink("spotify.link", "/abc"))
    except NoSuchAlbum:
        found = None
    assert not isinstance(found, AlbumRef | TrackRef | ShortLink)
    assert {call.path for call in served.calls()} == {"/abc"}


@pytest.mark.parametrize(
    "page",
    [
        '<html><head><meta property="og:url" content="{}"/></head>',
        '<meta content="{}" property="og:url">',
        '<meta charset="utf-8"><meta data-x="1" property="og:url" data-y="2" content="{}" data-z>',
        '<meta property="og:title" content="x"><meta property="og:url" content="{}">',
        "\xff" * 1000 + '<meta property="og:url" content="{}">',
    ],
)
async def test_a_page_names_its_target(page: str, served: Served) -> None:
    target = f"https://open.spotify.com/album/{ID}?si=1&amp;x=2"
    served.server.fault(path="/abc", status=200, body=page.format(target).encode("latin-1"))
    assert await served.spotify.expand(ShortLink("spotify.link", "/abc")) == AlbumRef(ID)


@pytest.mark.parametrize(
    "page", ["", "<html>", '<meta property="og:url">', '<meta property="og:url" content="">', "<meta " * 30_000]
)
async def test_a_page_that_names_nothing_is_no_album(page: str, served: Served) -> None:
    served.server.fault(path="/abc", status=200, body=page)
    assert isinstance(await failed(served.spotify.expand(ShortLink("spotify.link", "/abc"))), NoSuchAlbum)


async def test_of_a_long_page_the_beginning_is_enough(served: Served) -> None:
    page = f'<meta property="og:url" content="https://open.spotify.com/album/{ID}">' + "x" * 2_000_000
    served.server.fault(path="/abc", status=200, body=page)
    assert await served.spotify.expand(ShortLink("spotify.link", "/abc")) == AlbumRef(ID)


@pytest.mark.parametrize("answer", ["rate_limited", "unavailable", "cut"])
async def test_trouble_with_a_short_link_is_trouble(answer: str, served: Served) -> None:
    served.server.fault(path="/abc", **FAULTS[answer])
    error = await failed(served.spotify.expand(ShortLink("spotify.link", "/abc")))
    assert isinstance(error, TryLater)
    assert error.cause is UNAVAILABLE


async def test_an_unknown_short_link_is_no_album(served: Served) -> None:
    assert isinstance(await failed(served.spotify.expand(ShortLink("spotify.link", "/gone"))), NoSuchAlbum)


async def test_no_token_travels_with_a_short_link(served: Served) -> None:
    await served.spotify.expand(chained(served, 2, f"https://open.spotify.com/album/{ID}"))
    assert all("authorization" not in call.headers for call in served.calls())


async def test_without_a_setting_short_links_are_asked_at_their_own_hosts(served: Served) -> None:
    spotify = served.client(short_link_url=None)
    with Canned() as answers:
        answers.get("https://spotify.link/abc", status=307, headers={"Location": "https://open.spotify.com/s/xyz"})
        answers.get("https://open.spotify.com/s/xyz", status=302, headers={"Location": "https://spotify.app.link/def"})
        answers.get(
            "https://spotify.app.link/def", body=f'<meta property="og:url" content="open.spotify.com/album/{ID}">'
        )
        assert await spotify.expand(ShortLink("spotify.link", "/abc")) == AlbumRef(ID)
