"""One HTTP request to the outside, and one short reason for each way in which it can fail."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

TIMEOUT_S = 10.0
LARGEST = 256 * 1024


class Unreachable(Exception):
    """No answer came; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `ahead_s`: by how many seconds, at least, our clock is ahead of theirs (negative: behind); None: unknown."""

    status: int
    body: bytes
    ahead_s: float | None

    def data(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}


class HttpProbe:
    """Sends requests, follows no redirect, and reads a limited amount of each answer."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`tls`: whose certificates are trusted; None: what this machine trusts. `now`: seconds since 1970."""
        self._session = session
        self._tls = tls if tls is not None else True
        self._now = now

    async def ask(
        self, method: str, url: str, *, authorization: str | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, whatever its status. Unreachable if there is none."""
        sent_at = self._now()
        try:
            async with self._session.request(
                method,
                url,
                data=form,
                headers={} if authorization is None else {"Authorization": authorization},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                ssl=self._tls,
            ) as response:
                body = bytearray()
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > LARGEST:
                        break
                date = response.headers.get("Date", "")
                return Answer(response.status, bytes(body), _ahead_s(date, sent_at, self._now()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = _reason(error)
        # Raised outside of the handler, with the reason only: aiohttp's errors contain the Authorization header.
        raise Unreachable(reason)


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"there was no answer within {TIMEOUT_S:.0f} s"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as why):
            return f"its certificate is not valid ({why.verify_message.rstrip('.')})"
        case aiohttp.ClientSSLError():
            return "a secure connection could not be established"
        case aiohttp.ClientConnectorDNSError():
            return "its host name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"the connection failed ({os.strerror(error.errno) if error.errno else 'refused'})"
        case aiohttp.ClientError() | OSError():
            return "the connection broke"
        case _:
            return "the request cannot be sent, because a setting contains characters that a header or an address cannot have"


def _ahead_s(date: str, sent_at: float, received_at: float) -> float | None:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    # Their time is cut to whole seconds, and was taken between our sending and our receiving.
    if sent_at > theirs + 1:
        return sent_at - theirs - 1
    return min(0.0, received_at - theirs)
