"""Records that must not be shown: with a secret in them, or with what is for one person alone."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Private(Struct, frozen=True):
    """A record whose repr shows no field, so that none of them gets into a log or a traceback."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What the library rich shows in a traceback: nothing either."""
        return []
