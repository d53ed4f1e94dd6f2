"""The Web API as data: every form of a request, every row of the error table, every odd answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.albums import Album, AlbumId
from bot.changes import Action
from bot.errors import (
    BadRequest,
    EndpointClosed,
    GrantRefused,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    TokenRejected,
    TryLater,
)
from bot.sandbox.faults import FAULTS, Answer, Fault
from bot.sandbox.faults import api as faults_api
from bot.spotify import oauth, wire
from bot.spotify.wire import Endpoint, Profile, Request, SavedPage

ALBUMS, LIBRARY = Endpoint.ALBUMS, Endpoint.LIBRARY
RATE_LIMITED, QUOTA, UNAVAILABLE = TryLater.Cause.RATE_LIMITED, TryLater.Cause.QUOTA, TryLater.Cause.UNAVAILABLE
DEEP = b"[" * 200_000


def ids(count: int, start: int = 0) -> list[AlbumId]:
    return [AlbumId(f"{number:022d}") for number in range(start, start + count)]


def uris(wanted: list[AlbumId]) -> str:
    return ",".join(f"spotify:album:{id_}" for id_ in wanted)


# -- the album endpoints, in every form


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_albums_are_named_in_the_query(method: str, count: int) -> None:
    request = wire.albums_request(method, in_query=ids(count))
    assert (request.method, request.path, request.body) == (method, "/me/albums", None)
    assert request.query == (("ids", ",".join(ids(count))),)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_albums_are_named_in_the_body(method: str, count: int) -> None:
    request = wire.albums_request(method, in_body=ids(count))
    assert (request.method, request.path, request.query) == (method, "/me/albums", ())
    assert request.body is not None
    assert json.loads(request.body) == {"ids": ids(count)}  # a bare list is refused since October 2024


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("count", [1, 40])
def test_the_library_takes_uris_in_the_query_and_never_a_body(method: str, count: int) -> None:
    request = wire.library_request(method, ids(count))
    assert (request.method, request.path, request.body) == (method, "/me/library", None)
    assert request.query == (("uris", uris(ids(count))),)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_more_than_a_form_takes_is_never_built(method: str) -> None:
    with pytest.raises(ValueError):
        wire.albums_request(method, in_query=ids(21))
    with pytest.raises(ValueError):
        wire.albums_request(method, in_body=ids(51))
    with pytest.raises(ValueError):
        wire.library_request(method, ids(41))
    for endpoint in Endpoint:
        with pytest.raises(ValueError):
            wire.contains(endpoint, ids(wire.contains_size(endpoint) + 1))
        for action in Action:
            with pytest.raises(ValueError):
                wire.write(endpoint, action, ids(wire.write_size(endpoint, action) + 1))


@pytest.mark.parametrize(
    ("endpoint", "action", "size", "built"),
    [
        (ALBUMS, Action.SAVE, 50, wire.albums_request("PUT", in_body=ids(50))),
        (ALBUMS, Action.REMOVE, 20, wire.albums_request("DELETE", in_query=ids(20))),
        (LIBRARY, Action.SAVE, 40, wire.library_request("PUT", ids(40))),
        (LIBRARY, Action.REMOVE, 40, wire.library_request("DELETE", ids(40))),
    ],
)
def test_gatefold_writes_in_the_form_that_works(endpoint: Endpoint, action: Action, size: int, built: Request) -> None:
    assert wire.write_size(endpoint, action) == size
    assert wire.write(endpoint, action, ids(size)) == built


def test_contains_asks_each_generation_in_its_own_way() -> None:
    assert wire.contains_size(ALBUMS) == 20
    assert wire.contains(ALBUMS, ids(20)) == Request(
        "contains", "GET", "/me/albums/contains", (("ids", ",".join(ids(20))),)
    )
    assert wire.contains_size(LIBRARY) == 40
    assert wire.contains(LIBRARY, ids(40)) == Request(
        "contains", "GET", "/me/library/contains", (("uris", uris(ids(40))),)
    )


def test_each_generation_has_the_other_one() -> None:
    assert (ALBUMS.other, LIBRARY.other) == (LIBRARY, ALBUMS)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(1, 60))
def test_chunks_keep_order_lose_nothing_and_are_as_few_as_can_be(count: int, size: int) -> None:
    chunks = list(wire.chunks(ids(count), size))
    assert [id_ for chunk in chunks for id_ in chunk] == ids(count)
    assert all(0 < len(chunk) <= size for chunk in chunks)
    assert len(chunks) == -(-count // size)


def test_everything_else_is_asked_for_as_spotify_says() -> None:
    assert wire.album(ids(1)[0]).path == f"/albums/{ids(1)[0]}"
    assert wire.track("x" * 22).path == f"/tracks/{'x' * 22}"
    assert wire.search("slow & harbour").query == (("q", "slow & harbour"), ("type", "album"), ("limit", "10"))
    assert wire.saved_albums(100).query == (("limit", "50"), ("offset", "100"))
    assert {wire.album(ids(1)[0]).method, wire.track("x").method, wire.search("x").method} == {"GET"}


def test_a_search_is_cut_to_250_characters() -> None:
    assert dict(wire.search("é" * 300).query)["q"] == "é" * 250


def test_only_the_profile_passes_a_closed_gate() -> None:
    assert not wire.me().waits
    others = [wire.album(ids(1)[0]), wire.track("x"), wire.search("x"), wire.saved_albums(0)]
    others += [wire.contains(endpoint, ids(1)) for endpoint in Endpoint]
    others += [wire.write(endpoint, action, ids(1)) for endpoint in Endpoint for action in Action]
    assert all(request.waits for request in others)


# -- the error table

CONTAINS, WRITE = wire.contains(ALBUMS, ids(1)), wire.write(ALBUMS, Action.SAVE, ids(1))
ALBUM, TRACK, SEARCH, PROFILE = wire.album(ids(1)[0]), wire.track("x" * 22), wire.search("x"), wire.me()
EVERY = (CONTAINS, WRITE, ALBUM, TRACK, SEARCH, PROFILE)
NAMES = [request.name for request in EVERY]


def refused(request: Request, answer: Answer) -> Exception:
    """What an answer is read as."""
    fault = Fault(path="*", status=answer["status"], body=answer["body"])
    with pytest.raises(Exception) as caught:
        wire.check(request, answer["status"], fault.content()[0])
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>"])
def test_a_success_is_a_success_whatever_it_says(status: int, body: bytes) -> None:
    for request in EVERY:
        wire.check(request, status, body)


@pytest.mark.parametrize("request_", EVERY, ids=NAMES)
@pytest.mark.parametrize("fault", ["expired_token", "invalid_token", "token_missing"])
def test_every_401_says_that_the_call_did_not_happen(fault: str, request_: Request) -> None:
    assert type(refused(request_, FAULTS[fault])) is TokenRejected


@pytest.mark.parametrize("request_", EVERY, ids=NAMES)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("insufficient_scope", NeedsRelink),
        ("not_registered_text", NotAllowlisted),
        ("not_registered_json", NotAllowlisted),
        ("check_settings_text", NotAllowlisted),
        ("check_settings_json", NotAllowlisted),
        ("premium", PremiumLapsed),
        ("premium_text", PremiumLapsed),
    ],
)
def test_each_403_means_its_own(fault: str, kind: type[Exception], request_: Request) -> None:
    error = refused(request_, FAULTS[fault])
    assert type(error) is kind
    if isinstance(error, NeedsRelink):
        assert error.reason is NeedsRelink.Reason.SCOPE


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (CONTAINS, EndpointClosed),
        (WRITE, EndpointClosed),
        (ALBUM, Refused),
        (TRACK, Refused),
        (SEARCH, Refused),
        (PROFILE, Refused),
    ],
    ids=NAMES,
)
def test_the_bare_403_closes_only_the_album_endpoints(request_: Request, kind: type[Exception]) -> None:
    assert type(refused(request_, FAULTS["forbidden"])) is kind


@pytest.mark.parametrize("message", ["forbidden", "Forbidden.", "Forbidden for you", "", "Forbidden\nx"])
def test_a_403_that_says_more_than_forbidden_is_not_the_bare_one(message: str) -> None:
    error = refused(WRITE, {"status": 403, "body": {"error": {"status": 403, "message": message}}})
    assert type(error) is Refused
    assert (error.status, error.message) == (403, message)


@pytest.mark.parametrize("request_", [CONTAINS, WRITE, ALBUM, TRACK], ids=lambda request: request.name)
@pytest.mark.parametrize("fault", ["invalid_id", "invalid_id_older", "invalid_uri"])
def test_an_id_that_spotify_cannot_read_is_no_such_album(fault: str, request_: Request) -> None:
    assert type(refused(request_, FAULTS[fault])) is NoSuchAlbum


@pytest.mark.parametrize("fault", ["not_found", "non_existing"])
def test_a_404_says_that_there_is_no_album_only_where_one_is_looked_up(fault: str) -> None:
    for request in (ALBUM, TRACK):
        assert type(refused(request, FAULTS[fault])) is NoSuchAlbum
    for request in (CONTAINS, WRITE, SEARCH, PROFILE):
        error = refused(request, FAULTS[fault])
        assert isinstance(error, TryLater)
        assert (error.cause, error.may_have_applied) == (UNAVAILABLE, request is WRITE)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 407, 409, 410, 418, 421, 451])
@pytest.mark.parametrize(
    "body", [b"<html>Forbidden</html>", b"\n<!DOCTYPE html><title>404</title>", b"\xef\xbb\xbf<HTML>"]
)
def test_a_page_says_nothing_about_an_album_or_a_permission(status: int, body: bytes) -> None:
    for request in EVERY:
        with pytest.raises(TryLater) as caught:
            wire.check(request, status, body)
        assert caught.value.cause is UNAVAILABLE
    with pytest.raises(NoSuchAlbum):
        wire.check(wire.OEMBED, 404, body)


@pytest.mark.parametrize("status", [413, 414, 431])
def test_a_request_that_is_too_long_is_not_sent_again_although_a_page_says_so(status: int) -> None:
    with pytest.raises(Refused):
        wire.check(WRITE, status, b"<html>too long</html>")


def test_an_endpoint_that_is_gone_is_closed_and_a_thing_that_is_gone_is_none() -> None:
    gone = faults_api(410, "Gone")
    for request in (CONTAINS, WRITE):
        assert type(refused(request, gone)) is EndpointClosed
    for request in (ALBUM, TRACK):
        assert type(refused(request, gone)) is NoSuchAlbum


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b"[]", b"null", b'""', b"{ }\n", b"[\r\n]"])
def test_a_write_is_answered_with_nothing(body: bytes) -> None:
    wire.read_write(body)


@pytest.mark.parametrize("body", [b"<html>", b'{"error": 1}', b"[[]]", b"ok", b"false"])
def test_a_write_that_is_answered_with_something_may_have_been_carried_out(body: bytes) -> None:
    with pytest.raises(TryLater) as caught:
        wire.read_write(body)
    assert caught.value.may_have_applied


@pytest.mark.parametrize("status", [404, 408, 425])
def test_what_a_proxy_says_in_between_is_trouble(status: int) -> None:
    for request in (CONTAINS, WRITE, SEARCH, PROFILE):
        with pytest.raises(TryLater) as caught:
            wire.check(request, status, b"<html>")
        assert (caught.value.cause, caught.value.may_have_applied) == (UNAVAILABLE, request is WRITE)


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("too_many_ids", 400, "Too many ids requested"),
        ("too_many_uris", 400, "Too many uris requested"),
        ("missing_ids", 400, "Missing required field: ids"),
        ("missing_uris", 400, "Missing required field: uris"),
        ("query_too_long", 400, "Query exceeds maximum length of 250 characters"),
        ("uri_too_long", 414, ""),
    ],
)
def test_a_bad_request_keeps_spotifys_words(fault: str, status: int, message: str) -> None:
    for request in EVERY:
        error = refused(request, FAULTS[fault])
        assert isinstance(error, BadRequest)
        assert (error.status, error.message) == (status, message)


@pytest.mark.parametrize("request_", EVERY, ids=NAMES)
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        *((name, RATE_LIMITED) for name in FAULTS if name.startswith(("rate_limited", "too_many_requests"))),
        *((name, QUOTA) for name in FAULTS if name.startswith("quota")),
    ],
)
def test_every_429_is_busy_or_the_quota_and_did_nothing(fault: str, cause: TryLater.Cause, request_: Request) -> None:
    error = refused(request_, FAULTS[fault])
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (cause, False)


@pytest.mark.parametrize("request_", EVERY, ids=NAMES)
@pytest.mark.parametrize("fault", ["server_error", "bad_gateway", "unavailable", "html"])
def test_every_5xx_is_trouble_that_may_have_been_carried_out(fault: str, request_: Request) -> None:
    error = refused(request_, FAULTS[fault])
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied, error.until) == (UNAVAILABLE, True, None)


@pytest.mark.parametrize("status", [100, 101, 199, 300, 301, 302, 303, 304, 307, 308])
def test_what_is_no_answer_of_the_api_is_trouble_in_which_nothing_was_carried_out(status: int) -> None:
    error = refused(WRITE, {"status": status, "body": ""})
    assert isinstance(error, TryLater)
    assert (error.cause, error.may_have_applied) == (UNAVAILABLE, False)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"status": 418, "message": "teapot"}}', "teapot"),
        (b'{"error": {"status": 418, "message": "teapot", "reason": "SHORT"}}', "teapot"),
        (b'{"error": "invalid_grant", "error_description": "x"}', "invalid_grant"),
        (b'{"error": {"message": null}}', ""),
        (b'{"error": {"message": {"a": 1}, "reason": [1]}}', ""),
        (b'{"error": {}}', ""),
        (b'{"error": null}', '{"error": null}'),
        (b'{"error": [1]}', '{"error": [1]}'),
        (b'{"message": "teapot"}', '{"message": "teapot"}'),
        (b'["error"]', '["error"]'),
        (b"  teapot\n", "teapot"),
        (b"", ""),
        (b"\xff\xfe teapot", "\ufffd\ufffd teapot"),
        (b"<b>" + b"x" * 10_000, "<b>" + "x" * 497),
        (DEEP, "[" * 500),
        (b'{"error": ' + b'{"error": ' * 100_000, ('{"error": ' * 60)[:500]),
        (b'{"error": {"message": ' + b"9" * 10_000 + b"}}", ""),
        (b'\xef\xbb\xbf{"error": {"message": "teapot"}}', "teapot"),
        ('{"error": {"message": "teapot"}}'.encode("utf-16"), "teapot"),
        ('{"error": {"message": "Théière"}}'.encode("latin-1"), "Théière"),
    ],
)
def test_bodies_of_every_kind_give_a_message_of_bounded_length(body: bytes, message: str) -> None:
    with pytest.raises(Refused) as caught:
        wire.check(WRITE, 418, body)
    assert (caught.value.status, caught.value.message) == (418, message)


@settings(deadline=None)
@given(st.integers(300, 599), st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(EVERY))
def test_no_answer_makes_the_reading_of_errors_fail_otherwise(status: int, body: bytes, request: Request) -> None:
    known = (TokenRejected, NeedsRelink, NotAllowlisted, PremiumLapsed, EndpointClosed, NoSuchAlbum, Refused, TryLater)
    with pytest.raises(known):
        wire.check(request, status, body)


# -- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1", 1.0),
        (" 7 ", 7.0),
        ("82661", 82661.0),
        ("86400", 86400.0),
        ("1.5", 1.5),
        ("0.25", 0.25),
        ("99999999999999", 86400.0),
        ("9" * 5000, 86400.0),
        ("+3", 3.0),
        ("30s", 30.0),
        ("30 seconds", 30.0),
        ("3, 5", 3.0),
        ("7; reason=busy", 7.0),
    ],
)
def test_a_readable_retry_after_counts_up_to_a_day(value: str, seconds: float) -> None:
    for cause in (RATE_LIMITED, QUOTA):
        assert wire.retry_after_s({"Retry-After": value}, cause) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {},
        *(
            {"Retry-After": value}
            for value in ("", "-5", "soon", "1,5", ".5", "1.", "1e3", "inf", "nan", "0x10", "1_0")
        ),
        *({"Retry-After": value} for value in ("\u0665", "\u00b2", "3 m", "-3", "Wed, 21 Oct 2026 07:28:00 GMT")),
    ],
    ids=repr,
)
def test_an_unreadable_retry_after_waits_as_long_as_is_usual(headers: dict[str, str]) -> None:
    assert wire.retry_after_s(headers, RATE_LIMITED) == 5.0
    assert wire.retry_after_s(headers, QUOTA) == 3600.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Fri, 21 Oct 2033 07:28:00 GMT", 86_400.0),
        ("Wed, 21 Oct 2026 25:28:00 GMT", 5.0),
        ("Wednesday, 21-Oct-26 07:28:20 GMT", 20.0),
        ("Wed Oct 21 07:28:20 2026", 20.0),
        ("Wed, 21 Oct 2026 09:28:20 +0200", 20.0),
    ],
)
def test_a_retry_after_that_is_a_date_counts_from_the_date_of_the_answer(value: str, seconds: float) -> None:
    headers = {"Retry-After": value, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert wire.retry_after_s(headers, RATE_LIMITED) == seconds


@settings(deadline=None)
@given(st.text(max_size=30))
def test_no_retry_after_makes_it_fail(value: str) -> None:
    assert 0 <= wire.retry_after_s({"Retry-After": value}, RATE_LIMITED) <= 86_400


# -- answers

FULL: dict[str, Any] = {
    "id": "4aawyAB9vmqN3uQ7FjRGTy",
    "name": "Slow Harbour",
    "artists": [{"name": "The Lantern Ferry"}, {"name": "Ada"}],
    "release_date": "2011-09-16",
    "total_tracks": 9,
    "images": [
        {"url": "https://i.scdn.co/image/large", "width": 640, "height": 640},
        {"url": "https://i.scdn.co/image/middle", "width": 300, "height": 300},
        {"url": "https://i.scdn.co/image/small", "width": 64, "height": 64},
    ],
    "label": "gone in development mode",
}
SLOW_HARBOUR = Album(
    AlbumId("4aawyAB9vmqN3uQ7FjRGTy"),
    "Slow Harbour",
    ("The Lantern Ferry", "Ada"),
    "2011",
    "https://i.scdn.co/image/middle",
    "2011-09-16",
    9,
    "https://i.scdn.co/image/large",
)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def cover(*images: dict[str, Any]) -> str | None:
    return wire.read_album(dumped({**FULL, "images": list(images)})).cover_url


def test_an_album_is_read_wherever_it_stands() -> None:
    assert wire.read_album(dumped(FULL)) == SLOW_HARBOUR
    assert wire.read_track(dumped({"id": "x", "album": FULL})) == SLOW_HARBOUR
    assert wire.read_search(dumped({"albums": {"items": [None, FULL, None]}})) == [SLOW_HARBOUR]
    assert wire.read_saved(dumped({"items": [{"added_at": "x", "album": FULL}]})).albums == [SLOW_HARBOUR]
    assert wire.read_search(dumped({"albums": {"items": []}})) == []
    assert wire.read_saved(dumped({"items": []})) == SavedPage([], is_last=True)


NO_ALBUMS: list[Any] = [
    None,
    7,
    "x",
    [],
    {},
    {**FULL, "id": None},
    {**FULL, "id": ""},
    {**FULL, "id": 7},
    {**FULL, "id": "None"},
    {**FULL, "id": f"spotify:album:{FULL['id']}"},
]


@pytest.mark.parametrize("row", NO_ALBUMS, ids=lambda row: str(row)[:40])
def test_a_row_that_is_no_album_is_left_out_alone(row: Any) -> None:
    assert wire.read_search(dumped({"albums": {"items": [row, FULL, row]}})) == [SLOW_HARBOUR]
    page = {"items": [{"album": row}, {"added_at": "x", "album": FULL}, {"album": row}]}
    assert wire.read_saved(dumped(page)).albums == [SLOW_HARBOUR]
    assert wire.read_saved(dumped({"items": [row, {"album": FULL}]})).albums == [SLOW_HARBOUR]
    for read, body in ((wire.read_album, row), (wire.read_track, {"album": row})):
        with pytest.raises(TryLater):
            read(dumped(body))


def test_one_id_is_one_album_in_every_list() -> None:
    again = {**FULL, "name": "Slow Harbour (saved elsewhere meanwhile)"}
    assert [a.id for a in wire.read_search(dumped({"albums": {"items": [FULL, again]}}))] == [FULL["id"]]
    page = {"items": [{"album": FULL}, {"album": again}]}
    assert [a.id for a in wire.read_saved(dumped(page)).albums] == [FULL["id"]]


@pytest.mark.parametrize(("rows", "is_last"), [(0, True), (49, True), (50, False)])
def test_rows_that_are_no_albums_count_for_where_the_library_ends(rows: int, is_last: bool) -> None:
    assert wire.read_saved(dumped({"items": [None] * rows})) == SavedPage([], is_last)


@pytest.mark.parametrize(("rows", "is_last"), [(0, True), (1, False), (49, False), (50, False)])
def test_a_short_page_ends_the_library_only_when_spotify_names_no_next_one(rows: int, is_last: bool) -> None:
    page = {"items": [None] * rows, "next": "https://api.spotify.com/v1/me/albums?offset=50"}
    assert wire.read_saved(dumped(page)).is_last is is_last


@pytest.mark.parametrize("moment", [None, 7, "", "soon", "2026-01-31T12:00:00", "0001-01-01T00:00:00+23:00"])
def test_a_moment_that_cannot_be_is_left_out(moment: Any) -> None:
    assert wire.read_saved(dumped({"items": [{"added_at": moment, "album": FULL}]})).added_at == {}


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("2011-09-16", "2011"),
        ("2011-09", "2011"),
        ("2011", "2011"),
        ("", ""),
        (None, ""),
        ("0000", ""),
        ("0000-01-01", ""),
        ("20", ""),
        ("soon", ""),
        ("99999-01-01", ""),
        ("20111", ""),
        (2011, ""),
    ],
)
def test_a_year_is_as_much_as_is_known(date: Any, year: str) -> None:
    assert wire.read_album(dumped({**FULL, "release_date": date})).year == year


@pytest.mark.parametrize(
    "name",
    [
        *(None, "", "  ", "\u3000", "\u200b", " \u2060 \ufeff"),
        *("\u3164", "\u115f\u1160", "\uffa0", "\u2800 \u2800", "\ufe0f", "\U000e0041", "\u034f", "\u3164\u200b"),
    ],
)
def test_albums_and_artists_without_a_name_are_called_something(name: str | None) -> None:
    album = wire.read_album(dumped({**FULL, "name": name, "artists": [{"name": name}]}))
    assert (album.title, album.artists) == ("(untitled)", ("(unknown)",))
    assert wire.read_album(dumped({**FULL, "artists": []})).artists == ("(unknown)",)


def test_a_missing_date_and_missing_covers_are_no_trouble() -> None:
    album = wire.read_album(dumped({key: FULL[key] for key in ("id", "name", "artists")}))
    assert (album.year, album.cover_url) == ("", None)


@pytest.mark.parametrize(
    "widths",
    [("640", "300", "64"), (640.0, 300.0, 64.0), (640, "300", 64.0), (None, None, None), (0, 0, 0), (-1, True, 10**30)],
    ids=repr,
)
def test_the_large_cover_is_the_widest_however_widths_are_written_and_the_first_where_none_is(
    widths: tuple[Any, ...],
) -> None:
    images = [{**image, "width": width} for image, width in zip(FULL["images"], widths, strict=True)]
    assert wire.read_album(dumped({**FULL, "images": images})).large_cover_url == SLOW_HARBOUR.large_cover_url


def test_the_smallest_cover_that_is_still_sharp_is_taken() -> None:
    large, middle, small = FULL["images"]
    assert cover(small, large, middle) == middle["url"]
    assert cover(small, large) == large["url"]
    assert cover({"url": "https://a", "width": 64}, {"url": "https://b", "width": 100}) == "https://b"
    assert cover({"url": "https://a", "width": None}) == "https://a"
    assert cover({"url": "https://a"}) == "https://a"
    assert cover() is None


@pytest.mark.parametrize(
    "url",
    [
        *("http://i.scdn.co/x", "javascript:alert(1)", "data:image/png,x", "//i.scdn.co/x", ""),
        *(
            "https://",
            "https:// i.scdn.co",
            "https://i.scdn.co/x y",
            "https://i.scdn.co/x\ny",
            "https://i.scdn.co/\u00fc",
        ),
        "https://i.scdn.co/" + "x" * 2048,
    ],
)
def test_a_cover_that_no_message_can_show_is_no_cover(url: str) -> None:
    assert wire.read_oembed(ids(1)[0], dumped({"title": "x", "thumbnail_url": url})).cover_url is None
    assert cover({"url": url, "width": 300}) is None


@pytest.mark.parametrize(
    ("profile", "read"),
    [
        ({"account_id": "acc", "id": "ada", "display_name": "Ada"}, Profile("acc", "Ada")),
        ({"account_id": "acc", "id": "ada", "display_name": None}, Profile("acc", "ada")),
        ({"account_id": "acc", "id": "ada", "display_name": ""}, Profile("acc", "ada")),
        ({"account_id": "acc", "id": "ada"}, Profile("acc", "ada")),
        ({"account_id": "acc", "display_name": None}, Profile("acc", "acc")),
        ({"id": "ada", "display_name": "Ada"}, Profile("ada", "Ada")),
        ({"account_id": None, "id": "ada", "display_name": None}, Profile("ada", "ada")),
        ({"account_id": "acc", "id": "ada", "display_name": " \u200b"}, Profile("acc", "ada")),
        ({"account_id": "acc", "id": 7, "display_name": {"x": 1}}, Profile("acc", "acc")),
    ],
)
def test_an_account_is_known_by_its_account_id_and_always_has_a_name(profile: dict[str, Any], read: Profile) -> None:
    assert wire.read_profile(dumped(profile)) == read


def test_contains_is_read_in_order() -> None:
    assert wire.read_contains(ids(3), b"[true, false, true]") == dict(zip(ids(3), (True, False, True), strict=True))


READERS: dict[str, Callable[[bytes], object]] = {
    "contains": lambda body: wire.read_contains(ids(2), body),
    "album": wire.read_album,
    "track": wire.read_track,
    "search": wire.read_search,
    "saved": wire.read_saved,
    "profile": wire.read_profile,
}
ODD = [
    b"",
    b"null",
    b"true",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b"[null, null]",
    b"[[[]]]",
    b"<html>",
    b"{",
    b"\xff\xfe",
    b"NaN",
    b"9" * 10_000,
    DEEP,
    b'{"a":' * 100_000,
    b'{"id": null, "account_id": null, "display_name": "x"}',
    b'{"id": 7}',
    b'{"account_id": "\\ud800"}',
    b'{"account_id": "a\\u0000"}',
    b'{"account_id": " "}',
    b'{"album": null, "albums": null, "items": null}',
    b'{"albums": {"items": {"a": 1}}, "items": {"a": 1}}',
    b'{"albums": {"items": 7}, "items": "text", "album": []}',
]


# Two albums of which Spotify does not say whether they are saved.
UNKNOWN = ("contains", b"[null, null]")


@pytest.mark.parametrize(
    ("reader", "body"),
    [pair for pair in product(READERS, ODD) if pair != UNKNOWN],
    ids=lambda part: part if isinstance(part, str) else repr(part[:30]),
)
def test_an_answer_of_another_shape_is_trouble(reader: str, body: bytes) -> None:
    with pytest.raises(TryLater) as caught:
        READERS[reader](body)
    assert caught.value.cause is UNAVAILABLE
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_null_among_the_answers_is_unknown_and_the_others_count() -> None:
    assert wire.read_contains(ids(3), b"[true, null, false]") == dict(zip(ids(3), (True, None, False), strict=True))


@pytest.mark.parametrize("odd", ["1", '"true"', "{}", "[false]", "9" * 5000])
def test_an_odd_answer_is_unknown_and_the_others_count(odd: str) -> None:
    body = f"[true, {odd}, false]".encode()
    assert wire.read_contains(ids(3), body) == dict(zip(ids(3), (True, None, False), strict=True))


@pytest.mark.parametrize("body", [b"[true]", b"[true, true, true]", b'{"a": true}', b'"ab"'])
def test_a_contains_of_another_length_or_type_is_trouble(body: bytes) -> None:
    with pytest.raises(TryLater):
        wire.read_contains(ids(2), body)


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"name": 7}, {"title": "(untitled)"}),
        ({"name": "Slow\ud800"}, {"title": "Slow?"}),
        ({"total_tracks": 10**400}, {"tracks": 0}),
        ({"total_tracks": -1}, {"tracks": 0}),
        ({"artists": None}, {"artists": ("(unknown)",)}),
        ({"artists": "x"}, {"artists": ("(unknown)",)}),
        ({"artists": [None]}, {"artists": ("(unknown)",)}),
        ({"artists": [None, {"name": "Ada"}]}, {"artists": ("Ada",)}),
        ({"artists": [{}, {"name": "Ada"}]}, {"artists": ("(unknown)", "Ada")}),
        ({"artists": [{"name": "Ada"}, {"name": "Ben"}, {"name": "Ada"}]}, {"artists": ("Ada", "Ben")}),
        ({"total_tracks": "12"}, {"tracks": 12}),
        ({"total_tracks": 12.0}, {"tracks": 12}),
        ({"total_tracks": "many"}, {"tracks": 0}),
        ({"total_tracks": "1_0"}, {"tracks": 0}),
        ({"total_tracks": True}, {"tracks": 0}),
        ({"release_date": "0000-00-00"}, {"year": "", "released": ""}),
        ({"release_date": "16.09.2011"}, {"year": "", "released": ""}),
        ({"images": 7}, {"cover_url": None, "large_cover_url": None}),
        ({"images": [None]}, {"cover_url": None, "large_cover_url": None}),
        ({"images": [{}]}, {"cover_url": None, "large_cover_url": None}),
        (
            {"images": [{"width": 300}, {"url": "https://a"}]},
            {"cover_url": "https://a", "large_cover_url": "https://a"},
        ),
        (
            {"images": [{"url": 7}, {"url": "https://a", "width": "wide"}]},
            {"cover_url": "https://a", "large_cover_url": "https://a"},
        ),
        ({"images": [{"url": "https://a", "width": [1]}]}, {"cover_url": "https://a", "large_cover_url": "https://a"}),
    ],
    ids=repr,
)
def test_of_an_odd_field_only_that_field_is_left_out(change: dict[str, Any], read: dict[str, Any]) -> None:
    assert wire.read_album(dumped({**FULL, **change})) == replace(SLOW_HARBOUR, **read)


@pytest.mark.parametrize("width", ["Infinity", "-Infinity", "NaN", "1e400"])
def test_a_width_that_is_no_number_is_no_trouble(width: str) -> None:
    body = dumped(FULL).replace(b"640", width.encode())
    assert wire.read_album(body) == replace(SLOW_HARBOUR, large_cover_url="https://i.scdn.co/image/middle")


def test_a_number_too_long_to_be_read_costs_only_itself() -> None:
    body = dumped(FULL).replace(b"640", b"9" * 5000)
    assert wire.read_album(body) == replace(SLOW_HARBOUR, large_cover_url="https://i.scdn.co/image/middle")


WRITTEN = {
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Latin-1": lambda text: text.encode("latin-1"),
    "CRLF around it": lambda text: f"\r\n{text}\r\n".encode(),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_answer_is_read_however_it_is_written(written: str) -> None:
    album = {**FULL, "name": "Zoë"}
    read = replace(SLOW_HARBOUR, title="Zoë")
    assert wire.read_album(WRITTEN[written](json.dumps(album, ensure_ascii=False))) == read
    assert wire.read_contains(ids(2), WRITTEN[written]("[true, false]")) == dict(
        zip(ids(2), (True, False), strict=True)
    )
    wire.read_write(WRITTEN[written]("{}"))
    tokens = json.dumps({"access_token": "a", "scope": "user-library-read user-library-modify", "x": "ë"})
    assert oauth.read_tokens(200, WRITTEN[written](tokens)).access_token == "a"
    refusal = json.dumps({"error": "invalid_grant", "error_description": "Zoë"}, ensure_ascii=False)
    with pytest.raises(GrantRefused):
        oauth.read_tokens(400, WRITTEN[written](refusal))


@pytest.mark.parametrize(
    ("written", "title"),
    [
        (b"Slow \xff Zo\xc3\xab", "Slow \ufffd Zoë"),
        (b"Slow\tHarbour", "Slow\tHarbour"),
        (b"Slow \x01 Harbour", "Slow \x01 Harbour"),
    ],
)
def test_a_character_that_cannot_be_read_costs_only_itself(written: bytes, title: str) -> None:
    body = dumped(FULL).replace(b"Slow Harbour", written)
    assert wire.read_album(body) == replace(SLOW_HARBOUR, title=title)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FULL, "items", "albums", "album", "url", "width", "account_id"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(READERS)), json_values)
def test_no_answer_makes_a_reader_fail_otherwise(reader: str, value: Any) -> None:
    with suppress(TryLater):
        READERS[reader](dumped(value))
