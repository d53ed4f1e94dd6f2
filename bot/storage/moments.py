"""Points in time: aware UTC datetimes outside the storage, whole seconds since 1970 in its rows."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def to_seconds(moment: datetime) -> int:
    """The second that `moment` lies in, as a row holds it."""
    return math.floor(moment.timestamp())


def to_moment(seconds: int) -> datetime:
    """The time that a row holds."""
    return datetime.fromtimestamp(seconds, UTC)
