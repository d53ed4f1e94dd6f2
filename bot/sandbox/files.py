"""Discord's file host in the sandbox: members' pictures, and the files that they attach."""

from __future__ import annotations

from typing import Any

from simcord.backend.cdn import CDN_BASE, CdnStore
from simcord.backend.models import User

_PICTURE = "drawn"


class Files(CdnStore):
    """SimCord's file host, with attachments at addresses of a stand-in, from which the bot can download them.

    `files`: their content by address, which the stand-in serves.
    """

    def __init__(self, base_url: str, files: dict[str, bytes]) -> None:
        super().__init__()
        self._base_url = base_url
        self._files = files

    def get(self, url: str) -> bytes | None:
        """The content of a file, or None."""
        return self._files.get(url) or super().get(url)

    def set_picture(self, user: User, png: bytes) -> None:
        """Give somebody a picture."""
        user.avatar = _PICTURE
        self._files[f"{CDN_BASE}/avatars/{user.id}/{_PICTURE}.png"] = png

    def store_attachment(
        self, attachment_id: int, channel_id: int, filename: str, data: bytes, description: str | None
    ) -> dict[str, Any]:
        """Keep an attachment; what Discord tells of it."""
        stored = super().store_attachment(attachment_id, channel_id, filename, data, description)
        url = f"{self._base_url}/attachments/{channel_id}/{attachment_id}/{filename}"
        self._files[url] = data
        return {**stored, "url": url, "proxy_url": url}
