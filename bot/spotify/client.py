"""The only socket to Spotify: one call, its time limits, its few tries, and its app's gate before it.

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
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

import aiohttp
import structlog
from msgspec import structs
from yarl import URL

from bot.albums import Album, AlbumId, Reference, ShortLink, album_url
from bot.changes import Action
from bot.errors import (
    AppRejected,
    BadRequest,
    EndpointClosed,
    GrantRefused,
    NoSuchAlbum,
    PremiumLapsed,
    Refused,
    TokenRejected,
    TryLater,
    UserError,
)
from bot.links import read_link
from bot.spotify import oauth, wire
from bot.spotify.app import Access, App, TokenSource
from bot.spotify.wire import Endpoint, Profile, Request

TIMEOUT_S = 10.0
"""A call is given up after this."""
_TIMEOUT = aiohttp.ClientTimeout(total=TIMEOUT_S)
TRIES = 3
TRYING_S = 12.0
"""No further try is begun later than this after the first."""
ASK_AGAIN_S = 0.2
"""How long after a 404, or a refusal for no known reason, it is asked again."""
AT_ONCE = 4
"""Parts of one member's call that run side by side."""
PAGES_AT_ONCE = 32
"""Public pages (short links, consent pages) that are read side by side. They count against no app."""
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


class Spotify:
    """Calls Spotify. Each call says through which app and with whose token: see `Access`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        accounts_url: str,
        oembed_url: str,
        short_link_url: str | None = None,
        observe: Observe,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._api_url = api_url
        self._accounts_url = accounts_url
        self._oembed_url = oembed_url
        self._short_link_url = short_link_url
        self._observe = observe
        self._sleep = sleep
        self._monotonic = monotonic
        self._pages = asyncio.Semaphore(PAGES_AT_ONCE)

    # -- a member's library

    async def contains(self, access: Access, ids: Sequence[AlbumId]) -> dict[AlbumId, bool | None]:
        """Which of these albums are saved. An id that Spotify cannot read is missing from the answer.

        None: Spotify does not say of this one, also when it is asked again.
        """
        found = await self._contains(access, ids)
        if unclear := [id_ for id_, is_saved in found.items() if is_saved is None]:
            found |= await self._contains(access, unclear)
        return found

    async def _contains(self, access: Access, ids: Sequence[AlbumId]) -> dict[AlbumId, bool | None]:
        async def call(endpoint: Endpoint, part: Sequence[AlbumId]) -> dict[AlbumId, bool | None]:
            return await self.call(wire.contains(endpoint, part), access, lambda body: wire.read_contains(part, body))

        found: dict[AlbumId, bool | None] = {}
        for _, answer in await self._in_parts(access.app, ids, wire.contains_size, call):
            if isinstance(answer, UserError):
                if isinstance(answer, NoSuchAlbum):
                    continue
                raise answer
            found.update(answer)
        return found

    async def write(self, access: Access, action: Action, ids: Sequence[AlbumId]) -> dict[AlbumId, UserError | None]:
        """Save or remove these albums: for each, None when Spotify took it, else why not."""

        async def call(endpoint: Endpoint, part: Sequence[AlbumId]) -> None:
            await self.call(wire.write(endpoint, action, part), access, wire.read_write)

        parts = await self._in_parts(access.app, ids, lambda endpoint: wire.write_size(endpoint, action), call)
        return {id_: answer for part, answer in parts for id_ in part}

    async def saved(self, access: Access, offset: int) -> wire.SavedPage:
        """Up to 50 of the member's saved albums, newest first."""
        return await self.call(wire.saved_albums(offset), access, wire.read_saved)

    # -- albums and people

    async def album(self, access: Access, id_: AlbumId) -> Album:
        """One album. NoSuchAlbum if there is none."""
        album = await self._looked_up(wire.album(id_), access, wire.read_album)
        # One that Spotify gives by another id is known by the id that was asked for, which the library has, too.
        return album if album.id == id_ else structs.replace(album, id=id_)

    async def album_of_track(self, access: Access, id_: str) -> Album:
        """The album that a track belongs to. NoSuchAlbum if there is no such track."""
        return await self._looked_up(wire.track(id_), access, wire.read_track)

    async def _looked_up(self, request: Request, access: Access, read: Callable[[bytes], _T]) -> _T:
        try:
            return await self.call(request, access, read)
        except NoSuchAlbum:
            # A single 404 has been wrong; "no such album" is final for whoever asked, so it is asked once more.
            await self._sleep(ASK_AGAIN_S)
            return await self.call(request, access, read)

    async def search(self, access: Access, words: str) -> list[Album]:
        """Up to ten albums, best first."""
        return await self.call(wire.search(words), access, wire.read_search)

    async def profile(self, access: Access) -> Profile:
        """Whose token this is."""
        return await self.call(wire.me(), access, wire.read_profile)

    # -- tokens

    async def exchange(self, app: App, code: str, redirect_uri: str, verifier: str) -> oauth.Tokens:
        """Turn a code into tokens; codes are single use, so this is tried once. See `oauth.read_tokens`."""
        return await self._tokens(app, oauth.exchange_form(code, redirect_uri, verifier), oauth.read_tokens)

    async def refresh(self, app: App, refresh_token: str) -> oauth.RefreshAnswer:
        """A new access token. Tried once: a rotated refresh token must not be sent twice.

        Errors are part of the answer, since a new refresh token may have come along with them.
        """
        received = bytearray()
        outcome: oauth.Tokens | UserError | GrantRefused
        try:
            outcome = await self._tokens(app, oauth.refresh_form(refresh_token), oauth.read_tokens, received)
        except (UserError, GrantRefused) as error:
            outcome = error
        return oauth.RefreshAnswer(oauth.find_refresh_token(bytes(received)), outcome)

    async def app_token(self, app: App) -> oauth.AppToken:
        """A token of the app itself, for the catalogue alone. Only an app with a secret gets one."""
        return await self._tokens(app, oauth.app_form(), oauth.read_app_token)

    async def _tokens(
        self, app: App, form: dict[str, str], read: Callable[[int, bytes], _T], received: bytearray | None = None
    ) -> _T:
        form, headers = oauth.authenticate(form, app.client_id, app.client_secret)
        # Never on a connection that was used before: Spotify may be closing it, and this call is not made twice.
        headers["Connection"] = "close"
        await app.gate.enter(waits=False)
        try:
            status, _, body = await self._exchange(
                "token",
                "POST",
                URL(f"{self._accounts_url}/api/token"),
                headers=headers,
                received=received,
                data=form,
            )
        finally:
            app.gate.leave()
        try:
            tokens = read(status, body)
        except UserError as error:
            error.is_own_app = app.is_own
            if isinstance(error, AppRejected):
                # it holds until Spotify gives a token again
                app.health.problem(error)
            raise
        app.health.accepted()
        return tokens

    async def probe(self, client_id: str, redirect_uri: str) -> None:
        """Ask the consent page whether it knows this client id and this redirect URI. Nobody is redirected.

        UnknownApp, RedirectMissing; TryLater when Spotify does not say.
        """
        oauth.check_consent_page(redirect_uri, *await self._consent_page(client_id, redirect_uri))

    async def consent_refused(self, client_id: str, redirect_uri: str) -> str | None:
        """Why the consent page refuses this client id or redirect URI, as far as it says so before a login."""
        return oauth.read_consent_page(*await self._consent_page(client_id, redirect_uri))

    async def _consent_page(self, client_id: str, redirect_uri: str) -> tuple[int, bytes]:
        url = oauth.authorize_url(
            self._accounts_url,
            client_id=client_id,
            redirect_uri=redirect_uri,
            state="gatefold-probe",
            code_challenge=oauth.challenge("gatefold-probe"),
        )
        # the head of the page has it, and no member is there to log in
        status, _, body = await self._page("consent", URL(url, encoded=True))
        return status, body

    # -- one call

    async def call(self, request: Request, access: Access, read: Callable[[bytes], _T]) -> _T:
        """Make one call, with its few tries; what `read` makes of a success, else one of `bot/errors.py`.

        A success that `read` refuses with TryLater is tried again as any other trouble is.
        """
        try:
            return await self._tried(request, access, read)
        except UserError as error:
            error.is_own_app = access.app.is_own
            raise

    async def _tried(self, request: Request, access: Access, read: Callable[[bytes], _T]) -> _T:
        begun, tries, may_have_applied, is_asked_again = self._monotonic(), 0, False, False
        sent = rejected = None
        while True:
            is_sent = False
            try:
                sent = await _token(access.token, rejected)
                is_sent = True
                return read(await self._once(request, access.app, sent))
            except TokenRejected:
                if rejected is not None:
                    # A fresh token was rejected: a fault at Spotify (seen in July 2026), not the member's.
                    raise TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=may_have_applied) from None
                rejected = sent
            except Refused as error:
                # As with a 404 of a look-up: what is final for the member is asked once more. Each of these calls may be
                # repeated, but a refresh must not.
                if not is_sent or is_asked_again or isinstance(error, BadRequest):
                    raise
                is_asked_again = True
                await self._sleep(ASK_AGAIN_S)
            except TryLater as error:
                tries += 1
                error.may_have_applied = may_have_applied = may_have_applied or error.may_have_applied
                hopeless = error.cause is TryLater.Cause.QUOTA or not (request.waits or _is_trouble(error))
                if hopeless or tries == TRIES or self._monotonic() - begun > TRYING_S:
                    raise
                if _is_trouble(error) or not access.app.gate.closed_for_s:
                    # after a 429 the gate does the waiting, unless it was the token endpoint's
                    await self._sleep(0.2 * 3 ** (tries - 1) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def _once(self, request: Request, app: App, token: str) -> bytes:
        query = f"?{urlencode(request.query, safe=',:/')}" if request.query else ""
        url = URL(f"{self._api_url}{request.path}{query}", encoded=True)
        sent = {"Authorization": f"Bearer {token}"}
        if request.body is not None:
            sent["Content-Type"] = "application/json"
        await app.gate.enter(waits=request.waits)
        try:
            status, headers, body = await self._exchange(
                request.name, request.method, url, headers=sent, max_bytes=request.max_bytes, data=request.body
            )
        finally:
            app.gate.leave()
        try:
            wire.check(request, status, body)
        except PremiumLapsed as error:
            app.health.problem(error)
            raise
        except TryLater as error:
            if error.cause is TryLater.Cause.UNAVAILABLE:
                raise
            closed = await app.gate.close(wire.retry_after_s(headers, error.cause), error.cause)
            if closed.cause is TryLater.Cause.QUOTA:
                app.health.problem(closed)
            raise closed from None
        app.health.served()
        return body

    async def _exchange(
        self,
        name: str,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        max_bytes: int = wire.SMALL,
        is_head_enough: bool = False,
        received: bytearray | None = None,
        **body: Any,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request; no redirect is followed, no more than `max_bytes` is read.

        `received`: collects what arrives of the answer, also when it is cut off.
        """
        received = bytearray() if received is None else received
        begun = time.monotonic()
        outcome: int | str = "cancelled"
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                timeout=_TIMEOUT,
                **body,
            ) as response:
                outcome = response.status
                await _read(response, received, max_bytes, cut=is_head_enough)
                return response.status, response.headers, bytes(received)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = type(error).__name__
            # A connection that was never made carried nothing; of anything else we can't know.
            may_have_applied = not isinstance(error, aiohttp.ClientConnectorError)
            trouble = TryLater(TryLater.Cause.UNAVAILABLE, may_have_applied=may_have_applied)
        finally:
            seconds = time.monotonic() - begun
            self._observe(name, outcome, seconds)
            _log.debug("spotify", call=name, outcome=outcome, ms=round(seconds * 1000, 1))
        # Raised out here: else aiohttp's error would go along as its context.
        raise trouble

    async def _page(self, name: str, url: URL) -> tuple[int, Mapping[str, str], bytes]:
        """A public page, of which the head is enough."""
        async with self._pages:
            return await self._exchange(name, "GET", url, headers={}, is_head_enough=True)

    # -- many albums, two generations

    async def _in_parts(
        self,
        app: App,
        ids: Sequence[AlbumId],
        size: Callable[[Endpoint], int],
        call: Callable[[Endpoint, Sequence[AlbumId]], Awaitable[_T]],
    ) -> Parts[_T]:
        """Call for all `ids` in parts of `size`, a few side by side. After a refusal no further part begins."""
        parts = list(wire.chunks(ids, size(app.endpoint.current)))
        if len(parts) == 1:
            return await self._part(app, parts[0], size, call)
        places = asyncio.Semaphore(AT_ONCE)
        stopped: list[UserError] = []

        async def one(part: Sequence[AlbumId]) -> Parts[_T]:
            async with places:
                if stopped:
                    return [(part, stopped[0])]
                answers = await self._part(app, part, size, call)
            for _, answer in answers:
                if isinstance(answer, UserError) and not isinstance(answer, NoSuchAlbum):
                    # what was not begun was certainly not carried out
                    stopped.append(_not_begun(answer))
            return answers

        return [answer for answers in await asyncio.gather(*map(one, parts)) for answer in answers]

    async def _part(
        self,
        app: App,
        part: Sequence[AlbumId],
        size: Callable[[Endpoint], int],
        call: Callable[[Endpoint, Sequence[AlbumId]], Awaitable[_T]],
        closed: frozenset[Endpoint] = frozenset(),
    ) -> Parts[_T]:
        current = app.endpoint.current
        endpoint = current if current not in closed else current.other
        if len(part) > (most := size(endpoint)):
            # the generation changed, and this one takes fewer at a time
            smaller = [await self._part(app, few, size, call, closed) for few in wire.chunks(part, most)]
            return [answer for answers in smaller for answer in answers]
        try:
            answer = await call(endpoint, part)
        except EndpointClosed:
            closed |= {endpoint}
            if not app.endpoint.is_auto or len(closed) == len(Endpoint):
                return [(part, Refused(403, "Forbidden"))]
            app.endpoint.current = endpoint.other
            return await self._part(app, part, size, call, closed)
        except NoSuchAlbum as error:
            if len(part) == 1:
                return [(part, error)]
            # One unreadable id spoils a whole call: find it, so that the others are served.
            half = len(part) // 2
            return [
                *await self._part(app, part[:half], size, call, closed),
                *await self._part(app, part[half:], size, call, closed),
            ]
        except UserError as error:
            return [(part, error)]
        await app.endpoint.worked(endpoint)
        return [(part, answer)]

    # -- what is public

    async def public_album(self, id_: AlbumId) -> Album:
        """An album's title and cover as oEmbed gives them to everybody. NoSuchAlbum if there is none.

        https://developer.spotify.com/documentation/embeds/reference/oembed
        """
        url = URL(self._oembed_url).with_query(url=album_url(id_))
        status, _, body = await self._page("oembed", url)
        wire.check(wire.OEMBED, status, body)
        return wire.read_oembed(id_, body)

    async def expand(self, link: ShortLink) -> Reference:
        """Follow a short link, hop by hop, to what it leads to. NoSuchAlbum if it leads nowhere we know."""
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
        status, headers, body = await self._page("short link", URL(base + link.path))
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


async def _read(response: aiohttp.ClientResponse, received: bytearray, max_bytes: int, *, cut: bool) -> None:
    """Read the body into `received`; when it is larger than `max_bytes`, its beginning, or ValueError unless `cut`."""
    while chunk := await response.content.readany():
        received += chunk
        if len(received) > max_bytes:
            if cut:
                break
            raise ValueError("too large")
