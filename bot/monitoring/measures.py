"""What other packages report as they work, where nobody reads it."""

from __future__ import annotations


class Unmeasured:
    """Takes the place of `Metrics` (metrics.py), which is loaded only where the host set a port for it."""

    def answered(self, command: str, outcome: str, first_s: float | None) -> None:
        """An interaction was served."""

    def called(self, call: str, outcome: int | str, seconds: float) -> None:
        """A call to Spotify ended."""

    def refreshed(self, outcome: str) -> None:
        """A member's token was refreshed."""
