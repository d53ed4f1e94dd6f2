"""Files that members attach to a command: the one place that downloads from Discord's file host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import aiohttp
import discord
from yarl import URL

from bot.errors import UserError
from bot.files.problems import MAX_BYTES, FileTooLarge

DOWNLOAD_S = 30.0
"""How long a download may take."""
_CHUNK = 64 * 1024


class DownloadFailed(UserError):
    """Discord's file host did not give the file."""


class Attachments:
    """Downloads attachments. `hosts`: addresses of Discord's; nothing is fetched from another host."""

    def __init__(self, session: aiohttp.ClientSession, hosts: Iterable[str]) -> None:
        self._session = session
        self._origins = {URL(host).origin() for host in hosts}

    async def read(self, attachment: discord.Attachment, max_bytes: int = MAX_BYTES) -> bytes:
        """A file's content. FileTooLarge; DownloadFailed."""
        if attachment.size > max_bytes:
            raise FileTooLarge(attachment.size, max_bytes)
        url = self._checked(attachment.url)
        data = bytearray()
        try:
            async with (
                asyncio.timeout(DOWNLOAD_S),
                self._session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
            ):
                if response.status != 200:
                    raise DownloadFailed
                async for chunk in response.content.iter_chunked(_CHUNK):
                    data += chunk
                    if len(data) > max_bytes:
                        raise FileTooLarge(len(data), max_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise DownloadFailed from None  # aiohttp's errors hold the address, which opens the file to anybody
        if len(data) < attachment.size:
            raise DownloadFailed  # cut off where nothing in the answer says how long it is
        return bytes(data)

    def _checked(self, address: str) -> URL:
        try:
            url = URL(address)
            if url.origin() in self._origins and url.user is None:
                return url
        except ValueError:
            pass  # no address, or one without a host
        raise DownloadFailed
