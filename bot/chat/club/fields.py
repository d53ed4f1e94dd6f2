"""What the club's commands and forms take: the names of their fields, and their limits."""

from __future__ import annotations

from enum import StrEnum

NAME_MOST, NOTE_MOST, REVIEW_MOST, THEME_MOST = 60, 500, 1000, 200
"""In characters."""
RANKS = ("first", "second", "third", "fourth", "fifth")
APPROVED = "approved"
SCORE, REVIEW, NAMED = "score", "review", "named"


class Day(StrEnum):
    """A day of the week, in the order in which Python counts them."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def weekday(self) -> int:
        """0 for Monday."""
        return [*Day].index(self)


class Topic(StrEnum):
    """What one form of settings sets."""

    ROUNDS = "rounds"
    COUNTING = "counting"
    RULES = "rules"
    POSTS = "posts"
    CLOCK = "clock"
    STAND_IN = "stand-in"


SETTINGS = (
    *("pick", "days", "most", "sealed", "method", "scale", "past", "own", "from", "until"),
    *("reminders", "role", "thread", "event", "day", "time", "timezone", "rhythm", "album"),
)
"""The names of all fields of these forms."""
