"""Spotify's Web API as requests to build and answers to read. Pure: no socket, no clock.

Two generations of the album endpoints exist side by side. The rules stand at
https://developer.spotify.com/documentation/web-api/reference/save-albums-user (albums) and
https://developer.spotify.com/documentation/web-api/reference/save-library-items (library, since February 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from bot.albums import MAX_QUERY, UNSEEN, Album, AlbumId
from bot.changes import Action
from bot.errors import (
    BadRequest,
    EndpointClosed,
    NeedsRelink,
    NoSuchAlbum,
    NotAllowlisted,
    PremiumLapsed,
    Refused,
    TokenRejected,
    TryLater,
)
from bot.spotify.bodies import is_page, read_json

MAX_IDS_IN_QUERY = 20
MAX_IDS_IN_BODY = 50
MAX_URIS = 40
MAX_SEARCH = 10
MAX_PAGE = 50

RATE_LIMITED_DEFAULT_S = 5.0
"""How long a 429 without a readable `Retry-After` holds the app up, in seconds."""
QUOTA_DEFAULT_S = 3600.0
"""The same when the day's quota is out."""
RETRY_AFTER_MAX_S = 86_400.0
"""Longer than any `Retry-After` that makes sense (seen: 24 hours)."""

SMALL = 64 * 1024
LARGE = 8 * 1024 * 1024

_ID = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)
_YEAR = re.compile(r"(?!0000)[0-9]{4}(?![0-9])", re.ASCII)
_COVER = re.compile(r"https://[0-9A-Za-z][!-~]{0,1000}")
"""Discord refuses a whole message for an address with another character in it, or a longer one."""
_SECONDS = re.compile(r"\+?([0-9]+)(?:\.([0-9]{1,9}))?\s?(?:s|secs?|seconds?)?(?:[,;]\s.*)?", re.ASCII | re.IGNORECASE)
_MOST = 100_000
"""No album has more tracks, and no cover is wider, in pixels."""
# Beside those, what changes how another character looks, and Braille without a dot.
_BLANK = re.compile(rf"[\s\u2800\ufe00-\ufe0f{UNSEEN}]*")
_ANSWERS = msgspec.json.Decoder(list[bool | None])

LOOKING_UP = ("album", "track", "oembed")
"""The calls that look one thing up by its id, so that Spotify may say that there is no such thing."""
NAMING = (*LOOKING_UP, "contains", "write")
"""The calls that name albums or tracks, so that Spotify may say that it cannot read an id."""

_PLAIN = (401, 413, 414, 429, 431)
"""What these mean is clear also when a page comes along: the token, the length of the request, too many requests."""

METHODS = {Action.SAVE: "PUT", Action.REMOVE: "DELETE"}


class Endpoint(StrEnum):
    """The two generations of the album endpoints."""

    ALBUMS = "albums"
    LIBRARY = "library"

    @property
    def other(self) -> Endpoint:
        """The other generation."""
        return Endpoint.LIBRARY if self is Endpoint.ALBUMS else Endpoint.ALBUMS


class Request(Struct, frozen=True):
    """One request to the Web API. `path` is below the API's address, `query` not yet encoded.

    `name` labels it in the log; `waits` tells whether a closed gate holds it up; `max_bytes` is how much of
    an answer is read. `body` is JSON, None: there is none.
    """

    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    waits: bool = True
    max_bytes: int = SMALL


# -- the album endpoints, in every form


def albums_request(method: str, *, in_query: Sequence[AlbumId] = (), in_body: Sequence[AlbumId] = ()) -> Request:
    """`PUT` or `DELETE /me/albums` with the ids in the query (at most 20) or in the body (at most 50).

    With both, Spotify would ignore the body. ValueError when a limit is passed.
    """
    if len(in_query) > MAX_IDS_IN_QUERY or len(in_body) > MAX_IDS_IN_BODY:
        raise ValueError("Too many ids requested")
    return Request(
        name="write",
        method=method,
        path="/me/albums",
        query=(("ids", ",".join(in_query)),) if in_query else (),
        body=msgspec.json.encode({"ids": in_body}) if in_body else None,
    )


def library_request(method: str, ids: Sequence[AlbumId]) -> Request:
    """`PUT` or `DELETE /me/library`: URIs in the query (at most 40), never a body."""
    if len(ids) > MAX_URIS:
        raise ValueError("Too many uris requested")
    return Request(name="write", method=method, path="/me/library", query=(("uris", _uris(ids)),))


def write_size(endpoint: Endpoint, action: Action) -> int:
    """How many albums one write takes in the form that Gatefold sends."""
    if endpoint is Endpoint.LIBRARY:
        return MAX_URIS
    return MAX_IDS_IN_BODY if action is Action.SAVE else MAX_IDS_IN_QUERY


def write(endpoint: Endpoint, action: Action, ids: Sequence[AlbumId]) -> Request:
    """One write of at most `write_size` albums, in the form that Gatefold sends.

    `DELETE /me/albums` names them in the query: with a body it has been answered 400 since 2022.
    """
    if endpoint is Endpoint.LIBRARY:
        return library_request(METHODS[action], ids)
    if action is Action.SAVE:
        return albums_request(METHODS[action], in_body=ids)
    return albums_request(METHODS[action], in_query=ids)


def contains_size(endpoint: Endpoint) -> int:
    """How many albums one `contains` takes."""
    return MAX_URIS if endpoint is Endpoint.LIBRARY else MAX_IDS_IN_QUERY


def contains(endpoint: Endpoint, ids: Sequence[AlbumId]) -> Request:
    """Which of these albums are saved? The answer is a list of booleans in the same order."""
    if len(ids) > contains_size(endpoint):
        raise ValueError("Too many ids requested")
    if endpoint is Endpoint.LIBRARY:
        return Request("contains", "GET", "/me/library/contains", (("uris", _uris(ids)),))
    return Request("contains", "GET", "/me/albums/contains", (("ids", ",".join(ids)),))


def _uris(ids: Sequence[AlbumId]) -> str:
    return ",".join(f"spotify:album:{id_}" for id_ in ids)


def chunks(ids: Sequence[AlbumId], size: int) -> Iterator[Sequence[AlbumId]]:
    """`ids` in runs of at most `size`."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


# -- everything else


def album(id_: AlbumId) -> Request:
    """One album by its id."""
    return Request("album", "GET", f"/albums/{id_}", max_bytes=LARGE)


def track(id_: str) -> Request:
    """One track by its id; it names its album."""
    return Request("track", "GET", f"/tracks/{id_}", max_bytes=LARGE)


def search(words: str, limit: int = MAX_SEARCH) -> Request:
    """Albums by words; `words` is cut to the 250 characters that Spotify takes."""
    query = (("q", words[:MAX_QUERY]), ("type", "album"), ("limit", str(limit)))
    return Request("search", "GET", "/search", query, max_bytes=LARGE)


def saved_albums(offset: int) -> Request:
    """A page of the member's saved albums, newest first."""
    return Request("saved", "GET", "/me/albums", (("limit", str(MAX_PAGE)), ("offset", str(offset))), max_bytes=LARGE)


def me() -> Request:
    """Whose token this is. No quota holds it up."""
    return Request("profile", "GET", "/me", waits=False)


OEMBED = Request("oembed", "GET", "")
"""What public pages are checked as: an oEmbed look-up has no path below the API's address."""


# -- answers


class Profile(Struct, frozen=True):
    """Whose account it is. `account_id` is what accounts are linked on; `name` is never empty."""

    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page of a member's saved albums, newest first. `is_last`: no page follows.

    `added_at`: when each was saved, where Spotify says so. `total`: how many there are, None: Spotify did not say.
    """

    albums: list[Album]
    is_last: bool
    added_at: Mapping[AlbumId, datetime] = field(default_factory=dict, compare=False)
    total: int | None = field(default=None, compare=False)


def check(request: Request, status: int, body: bytes) -> None:
    """Return when the answer is a success, else raise what the answer means (see `bot/errors.py`).

    The rows stand in the order of Spotify's error table. Bodies may be JSON, plain text or nothing.
    """
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in _PLAIN and request is not OEMBED and is_page(body):
        # a page is a proxy's, which knows nothing of albums and permissions
        raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=request.name == "write")
    message, reason = _message(body)
    said = message.casefold()
    match status:
        case 401:
            raise TokenRejected
        case 403 if "insufficient client scope" in said:
            raise NeedsRelink(NeedsRelink.Reason.SCOPE)
        case 403 if "not registered" in said or "not be registered" in said:
            raise NotAllowlisted
        case 403 if "premium" in said and "owner" in said:
            raise PremiumLapsed
        case 403 if message == "Forbidden" and request.name in ("write", "contains"):
            raise EndpointClosed
        case 410 if request.name in ("write", "contains"):
            raise EndpointClosed
        case 404 | 410 if request.name in LOOKING_UP:
            raise NoSuchAlbum
        case 404 | 408 | 425:
            # The others never say so about an id: an unknown one is answered with false, or accepted and ignored.
            raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=request.name == "write")
        case 400 if "invalid" in said and (" id" in said or "uri" in said) and request.name in NAMING:
            raise NoSuchAlbum  # "Invalid base62 id": 22 characters that are no number of Spotify's
        case 400 | 414:
            raise BadRequest(status, message)
        case 429:
            raise TryLater(TryLater.Cause.QUOTA if reason == "QUOTA_EXCEEDED" else TryLater.Cause.RATE_LIMITED)
        case _ if status >= 500 or status < 400:
            raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=status >= 500)
    raise Refused(status, message)


def retry_after_s(headers: Mapping[str, str], cause: TryLater.Cause) -> float:
    """Seconds to wait after a 429. The header may be missing, negative, a date, words or absurd."""
    value = headers.get("Retry-After", "").strip()
    if seconds := _SECONDS.fullmatch(value):
        return min(float(f"{seconds[1][:12]}.{seconds[2] or 0}"), RETRY_AFTER_MAX_S)
    if (until := _http_date(value)) and (now := _http_date(headers.get("Date", ""))):
        # by Spotify's clock, since ours may be wrong
        return min(max((until - now).total_seconds(), 0.0), RETRY_AFTER_MAX_S)
    return QUOTA_DEFAULT_S if cause is TryLater.Cause.QUOTA else RATE_LIMITED_DEFAULT_S


def _http_date(value: str) -> datetime | None:
    """A date in one of the three forms that HTTP has for it (RFC 9110, 5.6.7), or as an e-mail writes it."""
    try:
        moment = parsedate_to_datetime(value)
        # without a zone, it is UTC
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _message(body: bytes) -> tuple[str, str]:
    """The message and the reason of an error body; the text itself where it is no JSON."""
    try:
        error = read_json(body)["error"]
        if isinstance(error, str):  # the accounts service's shape
            return error, ""
        said = (error.get("message"), error.get("reason"))
        message, reason = (value if isinstance(value, str) else "" for value in said)
        return message, reason
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return body.decode("utf-8", "replace").strip()[:500], ""


@contextmanager
def _expecting() -> Iterator[None]:
    """An answer of another shape than Spotify's is trouble of Spotify's, not of ours."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise TryLater(TryLater.Cause.UNAVAILABLE) from None


def read_write(body: bytes) -> None:
    """A write is answered with nothing. A page, say, is a proxy's: then nobody knows what came of it."""
    if body.strip() and not _is_nothing(body):
        raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=True)


def _is_nothing(body: bytes) -> bool:
    try:
        return read_json(body) in (None, {}, [], "")
    except (ValueError, RecursionError):
        return False


def read_contains(ids: Sequence[AlbumId], body: bytes) -> dict[AlbumId, bool | None]:
    """Which of `ids` are saved. None: Spotify does not say, or says something odd."""
    try:
        answers = _ANSWERS.decode(body)
    except ValueError:
        with _expecting():
            answers = [answer if isinstance(answer, bool) else None for answer in _listed(read_json(body))]
    with _expecting():
        return dict(zip(ids, answers, strict=True))


def read_album(body: bytes) -> Album:
    """One album."""
    with _expecting():
        return _there(_album(read_json(body)))


def read_track(body: bytes) -> Album:
    """The album that a track belongs to."""
    with _expecting():
        return _there(_album(read_json(body)["album"]))


def read_search(body: bytes) -> list[Album]:
    """The albums of a search, best first. Rows that are null or no album are left out."""
    with _expecting():
        return _albums(_listed(read_json(body)["albums"]["items"]))


def read_saved(body: bytes) -> SavedPage:
    """A page of the library. Rows that are null or no album are left out."""
    with _expecting():
        page = read_json(body)
        rows = _listed(page["items"])
        albums = _albums(row.get("album") if isinstance(row, dict) else None for row in rows)
        added_at = {
            AlbumId(row["album"]["id"]): moment
            for row in rows
            if isinstance(row, dict) and isinstance(row.get("album"), dict) and isinstance(row["album"].get("id"), str)
            if (moment := _moment(row.get("added_at"))) is not None
        }
        total = page.get("total")
        is_count = isinstance(total, int) and not isinstance(total, bool) and total >= 0
        # A page may be short although others follow.
        is_last = not rows or (len(rows) < MAX_PAGE and not isinstance(page.get("next"), str))
        return SavedPage(albums, is_last, added_at, total if is_count else None)


def _moment(value: object) -> datetime | None:
    """A point in time as Spotify writes it ("2026-01-31T12:00:00Z")."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def read_oembed(id_: AlbumId, body: bytes) -> Album:
    """What oEmbed tells of an album: title and cover, neither artists nor year."""
    with _expecting():
        data = read_json(body)
        cover = _text(data.get("thumbnail_url"))
        return Album(id_, _text(data.get("title")) or "(untitled)", (), "", cover if _COVER.fullmatch(cover) else None)


def read_profile(body: bytes) -> Profile:
    """Whose account a token is. `display_name` may be null: then the account's id is the name."""
    with _expecting():
        data = read_json(body)
        account_id = data.get("account_id") or data["id"]
        if not isinstance(account_id, str) or not account_id.isprintable() or not account_id.strip():
            raise ValueError
        return Profile(account_id, _text(data.get("display_name")) or _text(data.get("id")) or account_id)


def _there(album: Album | None) -> Album:
    if album is None:
        raise ValueError
    return album


def _listed(items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise TypeError
    return items


def _albums(rows: Iterable[Any]) -> list[Album]:
    """The albums of these rows, each once: while a library is paged, an album that is saved shifts the pages."""
    albums = (_album(row) for row in rows)
    return [*{album.id: album for album in albums if album is not None}.values()]


def _album(data: Any) -> Album | None:
    """An album, or None where there is none in it. A field of it that is null or odd is left out alone."""
    if not isinstance(data, dict) or not isinstance(id_ := data.get("id"), str) or not _ID.fullmatch(id_):
        return None
    artists = [_text(row.get("name")) for row in _rows(data.get("artists"))]
    released = date if _YEAR.match(date := _text(data.get("release_date"))) else ""
    covers = _covers(_rows(data.get("images")))
    return Album(
        id=AlbumId(id_),
        # Spotify has albums without a title, and artists without a name
        title=_text(data.get("name")) or "(untitled)",
        artists=tuple(dict.fromkeys(name or "(unknown)" for name in artists)) or ("(unknown)",),
        year=released[:4],
        cover_url=_thumbnail(covers),
        released=released,
        tracks=_number(data.get("total_tracks")),
        large_cover_url=_largest(covers),
    )


def _covers(images: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Widths and addresses; width 0: unknown."""
    return [
        (_number(image.get("width")), url)
        for image in images
        if isinstance(url := image.get("url"), str) and _COVER.fullmatch(url)
    ]


def _thumbnail(covers: list[tuple[int, str]]) -> str | None:
    """The smallest that still looks sharp as a thumbnail, else the largest."""
    sharp = [cover for cover in covers if cover[0] >= 200]
    return min(sharp)[1] if sharp else _largest(covers)


def _largest(covers: list[tuple[int, str]]) -> str | None:
    """The first of the widest: Spotify lists the widest first."""
    return max(covers, key=lambda cover: cover[0])[1] if covers else None


def _number(value: Any) -> int:
    """A number of tracks or pixels, also as a float or a text; 0: unknown."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,6}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return 0
    return int(value)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A text of which something can be seen, or none. Half a character can be neither stored nor sent."""
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    return text if not _BLANK.fullmatch(text) and any(c.isprintable() and not c.isspace() for c in text) else ""
