"""The only socket to Spotify: one call, its time limits, its few tries, and the gate before it.

What a request looks like and what an answer means is `wire.py`'s and `oauth.py`'s. Every error of aiohttp is
turned into one of ours here, since aiohttp's carry the Authorization header in their repr.
"""

from __future__ import annotations

import asyncio
import html
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin

import aiohttp
import structlog
from yarl import URL

from bot.albums import Album, AlbumId, Reference, ShortLink, read_link
from bot.changes import Action
from bot.errors import (
    AppRejected,
    EndpointClosed,
    NoSuchAlbum,
    PremiumLapsed,
    Refused,
    StorageUnavailable,
    TokenRejected,
    TryLater,
    UserError,
)
from bot.settings import AlbumEndpointChoice
from bot.spotify import oauth, wire
from bot.spotify.gate import Gate
from bot.spotify.wire import Endpoint, Profile, Request

TIMEOUT_S = 10.0
"""A call is given up after this."""
TRIES = 3
TRYING_S = 12.0
"""No further try is begun later than this after the first."""
AT_ONCE = 4
"""Parts of one member's call that run side by side."""
SHORT_LINK_HOPS = 4
SHORT_LINK_TIMEOUT_S = 4.0

_log = structlog.get_logger("gatefold.spotify")
_T = TypeVar("_T")
Parts = list[tuple[Sequence[AlbumId], _T | UserError]]
Observe = Callable[[str, int | str, float], None]
"""Is told of each call: its name, the status or what went wrong, and how long it took in seconds."""
_OG_URL = re.compile(
    rb'<meta\s[^>]{0,300}?(?:property="og:url"\s[^>]{0,300}?content="([^"]{1,500})"'
    rb'|content="([^"]{1,500})"\s[^>]{0,300}?property="og:url")'
)


class TokenSource(Protocol):
    """Where a member's access token comes from."""

    async def current(self) -> str:
        """The access token to send."""
        ...

    async def renewed(self, rejected: str) -> str:
        """Another one, after Spotify rejected this."""
        ...


class Spotify:
    """Calls Spotify for members, each call with that member's access token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        accounts_url: str,
        client_id: str,
        client_secret: str | None,
        gate: Gate,
        endpoint: AlbumEndpointChoice = "auto",
        works: Endpoint | None = None,
        on_endpoint: Callable[[Endpoint], Awaitable[None]] | None = None,
        short_link_url: str | None = None,
        observe: Observe = lambda call, outcome, seconds: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`works`: the generation that is known to serve this app; `on_endpoint` stores a newly found one."""
        self._session = session
        self._api_url = api_url
        self._accounts_url = accounts_url
        self.client_id = client_id
        self._client_secret = client_secret
        self.gate = gate
        self._is_auto = endpoint == "auto"
        self._known = works or Endpoint.ALBUMS
        self.endpoint = self._known if endpoint == "auto" else Endpoint(endpoint)
        self._on_endpoint = on_endpoint
        self._short_link_url = short_link_url
        self._observe = observe
        self.is_app_refused = False
        # What an answer says about the app itself: an error that only the host can mend, or that there is none.
        # From app.py, as are both others.
        self.on_trouble: Callable[[PremiumLapsed | AppRejected | TryLater], None] = lambda error: None
        self.on_success: Callable[[], None] = lambda: None
        self.on_token: Callable[[], None] = lambda: None
        self._sleep = sleep
        self._monotonic = monotonic

    # -- a member's library

    async def contains(self, token: TokenSource, ids: Sequence[AlbumId]) -> dict[AlbumId, bool]:
        """Which of these albums are saved. An id that Spotify cannot read is missing from the answer."""

        async def call(endpoint: Endpoint, part: Sequence[AlbumId]) -> dict[AlbumId, bool]:
            return wire.read_contains(part, await self.call(wire.contains(endpoint, part), token))

        found: dict[AlbumId, bool] = {}
        for _, answer in await self._in_parts(ids, wire.contains_size, call):
            if isinstance(answer, UserError):
                if isinstance(answer, NoSuchAlbum):
                    continue
                raise answer
            found.update(answer)
        return found

    async def write(
        self, token: TokenSource, action: Action, ids: Sequence[AlbumId]
    ) -> dict[AlbumId, UserError | None]:
        """Save or remove these albums: for each, None when Spotify took it, else why not."""

        async def call(endpoint: Endpoint, part: Sequence[AlbumId]) -> None:
            wire.read_write(await self.call(wire.write(endpoint, action, part), token))

        parts = await self._in_parts(ids, lambda endpoint: wire.write_size(endpoint, action), call)
        return {id_: answer for part, answer in parts for id_ in part}

    async def saved(self, token: TokenSource, offset: int) -> list[Album]:
        """Up to 50 of the member's saved albums, newest first."""
        return wire.read_saved(await self.call(wire.saved_albums(offset), token))

    # -- albums and people

    async def album(self, token: TokenSource, id_: AlbumId) -> Album:
        """One album. NoSuchAlbum if there is none."""
        return wire.read_album(await self.call(wire.album(id_), token))

    async def album_of_track(self, token: TokenSource, id_: str) -> Album:
        """The album that a track belongs to. NoSuchAlbum if there is no such track."""
        return wire.read_track(await self.call(wire.track(id_), token))

    async def search(self, token: TokenSource, words: str) -> list[Album]:
        """Up to ten albums, best first."""
        return wire.read_search(await self.call(wire.search(words), token))

    async def profile(self, token: TokenSource) -> Profile:
        """Whose token this is."""
        return wire.read_profile(await self.call(wire.me(), token))

    # -- tokens

    async def exchange(self, code: str, redirect_uri: str, verifier: str) -> oauth.Tokens:
        """Turn a code into tokens; codes are single use, so this is tried once. See `oauth.read_tokens`."""
        return await self._token(oauth.exchange_form(code, redirect_uri, verifier))

    async def refresh(self, refresh_token: str) -> oauth.Tokens:
        """A new access token. Tried once: a rotated refresh token must not be sent twice."""
        return await self._token(oauth.refresh_form(refresh_token))

    async def app_token(self) -> str:
        """A token of the app itself, for the catalogue alone. Only an app with a secret gets one."""
        return oauth.read_app_token(*await self._ask_for_token(oauth.app_form()))

    async def _token(self, form: dict[str, str]) -> oauth.Tokens:
        answer = await self._ask_for_token(form)
        try:
            tokens = oauth.read_tokens(*answer)
        except AppRejected as error:
            # the host's mistake and no member's: it holds until Spotify gives a token again
            self.is_app_refused = True
            self.on_trouble(error)
            raise
        self.is_app_refused = False
        self.on_token()
        return tokens

    async def _ask_for_token(self, form: dict[str, str]) -> tuple[int, bytes]:
        form, headers = oauth.authenticate(form, self.client_id, self._client_secret)
        status, _, body = await self._exchange(
            "token", "POST", URL(f"{self._accounts_url}/api/token"), data=form, headers=headers
        )
        return status, body

    async def consent_refused(self, redirect_uri: str) -> str | None:
        """Why the consent page refuses this redirect URI (or the app), as far as it says so to nobody in particular."""
        url = oauth.authorize_url(
            self._accounts_url,
            client_id=self.client_id,
            redirect_uri=redirect_uri,
            state="gatefold-doctor",
            code_challenge=oauth.challenge("gatefold-doctor"),
        )
        # the head of the page has it, and no member is there to log in
        status, _, body = await self._exchange(
            "consent", "GET", URL(url, encoded=True), headers={}, is_head_enough=True
        )
        return oauth.read_consent_page(status, body)

    # -- one call

    async def call(self, request: Request, token: TokenSource) -> bytes:
        """Make one call, with its few tries; the body of a success, else one of `bot/errors.py`."""
        begun, tries, may_have_applied = self._monotonic(), 0, False
        sent = rejected = None
        while True:
            try:
                sent = await _token(token, rejected)
                return await self._once(request, sent)
            except TokenRejected:
                if rejected is not None:
                    # A fresh token was rejected: a fault at Spotify (seen in July 2026), not the member's.
                    raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=may_have_applied) from None
                rejected = sent
            except TryLater as error:
                tries += 1
                error.may_have_applied = may_have_applied = may_have_applied or error.may_have_applied
                hopeless = error.cause is TryLater.Cause.QUOTA or not (request.waits or _is_trouble(error))
                if hopeless or tries == TRIES or self._monotonic() - begun > TRYING_S:
                    raise
                if _is_trouble(error) or not self.gate.closed_for_s:
                    # after a 429 the gate does the waiting, unless it was the token endpoint's
                    await self._sleep(0.2 * 3 ** (tries - 1) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def _once(self, request: Request, token: str) -> bytes:
        url = URL(self._api_url + request.path)
        if request.query:
            url = url.with_query(request.query)
        status, headers, body = await self._exchange(
            request.name,
            request.method,
            url,
            json=request.json,
            headers={"Authorization": f"Bearer {token}"},
            waits=request.waits,
            max_bytes=request.max_bytes,
        )
        try:
            wire.check(request, status, body)
        except PremiumLapsed as error:
            self.on_trouble(error)
            raise
        except TryLater as error:
            if error.cause is TryLater.Cause.UNAVAILABLE:
                raise
            closed = await self.gate.close(wire.retry_after_s(headers, error.cause), error.cause)
            if closed.cause is TryLater.Cause.QUOTA:
                self.on_trouble(closed)
            raise closed from None
        self.on_success()
        return body

    async def _exchange(
        self,
        name: str,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        waits: bool = False,
        max_bytes: int = wire.SMALL,
        is_head_enough: bool = False,
        **body: Any,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request through the gate; no redirect is followed, no more than `max_bytes` is read."""
        await self.gate.enter(waits=waits)
        begun = time.monotonic()
        outcome: int | str = "cancelled"
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                **body,
            ) as response:
                outcome = response.status
                return response.status, response.headers, await _read(response, max_bytes, cut=is_head_enough)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = type(error).__name__
            # A connection that was never made carried nothing; of anything else we can't know.
            may_have_applied = not isinstance(error, aiohttp.ClientConnectorError)
            trouble = TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=may_have_applied)
        finally:
            self.gate.leave()
            seconds = time.monotonic() - begun
            self._observe(name, outcome, seconds)
            _log.debug("spotify", call=name, outcome=outcome, ms=round(seconds * 1000, 1))
        # Raised out here: else aiohttp's error would go along as its context.
        raise trouble

    # -- many albums, two generations

    async def _in_parts(
        self,
        ids: Sequence[AlbumId],
        size: Callable[[Endpoint], int],
        call: Callable[[Endpoint, Sequence[AlbumId]], Awaitable[_T]],
    ) -> Parts[_T]:
        """Call for all `ids` in parts of `size`, a few side by side. After a refusal no further part begins."""
        parts = list(wire.chunks(ids, size(self.endpoint)))
        if len(parts) == 1:
            return await self._part(parts[0], size, call)
        places = asyncio.Semaphore(AT_ONCE)
        stopped: list[UserError] = []

        async def one(part: Sequence[AlbumId]) -> Parts[_T]:
            async with places:
                if stopped:
                    return [(part, stopped[0])]
                answers = await self._part(part, size, call)
            for _, answer in answers:
                if isinstance(answer, UserError) and not isinstance(answer, NoSuchAlbum):
                    # what was not begun was certainly not carried out
                    stopped.append(_not_begun(answer))
            return answers

        return [answer for answers in await asyncio.gather(*map(one, parts)) for answer in answers]

    async def _part(
        self,
        part: Sequence[AlbumId],
        size: Callable[[Endpoint], int],
        call: Callable[[Endpoint, Sequence[AlbumId]], Awaitable[_T]],
        closed: frozenset[Endpoint] = frozenset(),
    ) -> Parts[_T]:
        endpoint = self.endpoint if self.endpoint not in closed else self.endpoint.other
        if len(part) > (most := size(endpoint)):
            # the generation changed, and this one takes fewer at a time
            smaller = [await self._part(few, size, call, closed) for few in wire.chunks(part, most)]
            return [answer for answers in smaller for answer in answers]
        try:
            answer = await call(endpoint, part)
        except EndpointClosed:
            closed |= {endpoint}
            if not self._is_auto or len(closed) == len(Endpoint):
                return [(part, Refused(403, "Forbidden"))]
            self.endpoint = endpoint.other
            return await self._part(part, size, call, closed)
        except NoSuchAlbum as error:
            if len(part) == 1:
                return [(part, error)]
            # One unreadable id spoils a whole call: find it, so that the others are served.
            half = len(part) // 2
            return [
                *await self._part(part[:half], size, call, closed),
                *await self._part(part[half:], size, call, closed),
            ]
        except UserError as error:
            return [(part, error)]
        if self._is_auto and endpoint is not self._known:
            self._known = endpoint
            if self._on_endpoint is not None:
                # not remembered, it is found out once more: no reason to fail a call that worked
                with suppress(StorageUnavailable):
                    await self._on_endpoint(endpoint)
        return [(part, answer)]

    # -- short links

    async def expand(self, link: ShortLink) -> Reference:
        """Follow a short link, hop by hop, to what it stands for. NoSuchAlbum if it leads nowhere we know."""
        try:
            async with asyncio.timeout(SHORT_LINK_TIMEOUT_S):
                for _ in range(SHORT_LINK_HOPS):
                    found = await self._hop(link)
                    if not isinstance(found, ShortLink):
                        return found
                    link = found
        except TimeoutError:
            raise TryLater(TryLater.Cause.UNAVAILABLE) from None
        raise NoSuchAlbum

    async def _hop(self, link: ShortLink) -> Reference:
        base = self._short_link_url or f"https://{link.host}"
        # of a page, the head is enough
        status, headers, body = await self._exchange(
            "short link", "GET", URL(base + link.path), headers={}, is_head_enough=True
        )
        if status >= 500 or status == 429:
            raise TryLater(TryLater.Cause.UNAVAILABLE)
        if 300 <= status < 400:
            try:
                target = urljoin(f"https://{link.host}{link.path}", headers.get("Location", ""))
            except ValueError:  # half an IPv6 address, say
                raise NoSuchAlbum from None
        elif match := _OG_URL.search(body):
            target = html.unescape((match[1] or match[2]).decode("utf-8", "replace"))
        else:
            raise NoSuchAlbum
        found = read_link(target)
        if found is None:
            raise NoSuchAlbum
        return found


async def _token(token: TokenSource, rejected: str | None) -> str:
    """The token to send, another one once `rejected` was."""
    try:
        return await (token.current() if rejected is None else token.renewed(rejected))
    except TryLater as error:
        error.may_have_applied = False  # whatever came of a refresh, it touched no album
        raise


def _is_trouble(error: TryLater) -> bool:
    return error.cause is TryLater.Cause.UNAVAILABLE


def _not_begun(error: UserError) -> UserError:
    return TryLater(error.cause, error.until) if isinstance(error, TryLater) else error


async def _read(response: aiohttp.ClientResponse, max_bytes: int, *, cut: bool) -> bytes:
    """The body; when it is larger than `max_bytes`, its beginning, or ValueError unless `cut`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            if cut:
                break
            raise ValueError("too large")
    return bytes(body)
