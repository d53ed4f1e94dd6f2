"""When the club meets. Pure.

A club hour is a wall-clock time in the club's timezone and stays there when the clocks change. A time that does not
exist (clocks go forward) moves forward by the hour that is missing: 02:30 becomes 03:30.
A time that exists twice (clocks go back) is the first of the two. Both are RFC 5545's rules, section 3.3.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cache

from msgspec import Struct

from bot.patterns import pattern

FIRST_AHEAD = timedelta(days=5)
"""The first club hour is at least this far ahead, so that there is time to nominate and to vote."""

_DAY = timedelta(days=1)


class Rhythm(StrEnum):
    """How often the club meets. Monthly: on the same weekday of the month (the second Tuesday)."""

    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    MONTHLY = "monthly"


class Calendar(Struct, frozen=True):
    """The club hours.

    `anchor` is the local date of one of them: it fixes the weekday, which of two weeks, and which week of the month.
    `clock`: the wall-clock time, naive. `timezone`: a key of the IANA database.
    """

    anchor: date
    clock: time
    timezone: str
    rhythm: Rhythm = Rhythm.WEEKLY

    @classmethod
    def starting(cls, weekday: int, clock: time, timezone: str, rhythm: Rhythm, earliest: datetime) -> Calendar:
        """The calendar whose first club hour is the first `weekday` (Monday is 0) at `earliest` or later."""
        zone = _zone(timezone)
        day = earliest.astimezone(zone).date() - _DAY
        while day.weekday() != weekday or _instant(day, clock, zone) < earliest:
            day += _DAY
        return cls(day, clock, timezone, rhythm)

    @property
    def zone(self) -> tzinfo:
        """The time zone itself."""
        return _zone(self.timezone)

    def starting_from(self, earliest: datetime) -> Calendar:
        """The same hours, with the first one at `earliest` or later: other weeks, where not every week has one."""
        return Calendar.starting(self.anchor.weekday(), self.clock, self.timezone, self.rhythm, earliest)

    def next_after(self, instant: datetime) -> datetime:
        """The first club hour after `instant`, in UTC."""
        return next(hour for hour in self._hours(instant) if hour > instant)

    def first_from(self, instant: datetime) -> datetime:
        """The first club hour at `instant` or later, in UTC."""
        return next(hour for hour in self._hours(instant) if hour >= instant)

    def between(self, after: datetime, until: datetime) -> tuple[datetime, ...]:
        """The club hours after `after`, up to and including `until`."""
        found: list[datetime] = []
        for hour in self._hours(after):
            if hour > until:
                break
            if hour > after:
                found.append(hour)
        return tuple(found)

    def same_clock_from(self, instant: datetime) -> datetime:
        """The club's time of day, on whatever day comes first, at `instant` or later."""
        zone = self.zone
        day = instant.astimezone(zone).date() - _DAY
        while (hour := _instant(day, self.clock, zone)) < instant:
            day += _DAY
        return hour

    def _hours(self, instant: datetime) -> Iterator[datetime]:
        """All club hours, from a little before `instant`."""
        zone = self.zone
        # Two days: where a country crossed the date line, a club day may be resolved to the day after it.
        for day in self._days(instant.astimezone(zone).date() - 2 * _DAY):
            yield _instant(day, self.clock, zone)

    def _days(self, first: date) -> Iterator[date]:
        if self.rhythm is Rhythm.MONTHLY:
            month = first.replace(day=1)
            while True:
                if (day := self._in_month(month)) >= first:
                    yield day
                month = (month + 31 * _DAY).replace(day=1)
        length = 7 if self.rhythm is Rhythm.WEEKLY else 14
        day = first + (self.anchor - first).days % length * _DAY
        while True:
            yield day
            day += length * _DAY

    def _in_month(self, month: date) -> date:
        """The club day of a month, given by its first day. An anchor in a fifth week means the last week."""
        week = (self.anchor.day - 1) // 7
        day = month + (self.anchor.weekday() - month.weekday()) % 7 * _DAY + 7 * week * _DAY
        return day if day.month == month.month else day - 7 * _DAY


class RoundDates(Struct, frozen=True):
    """The dates of one round: nominations open, voting opens, the album is announced, the summary."""

    nominations_at: datetime
    voting_at: datetime
    club_hour_at: datetime
    summary_at: datetime


def preview(calendar: Calendar, now: datetime, voting: timedelta, rounds: int = 3) -> tuple[RoundDates, ...]:
    """The dates of the next rounds of a club that starts now."""
    found: list[RoundDates] = []
    opens, hour = now, calendar.first_from(now + FIRST_AHEAD)
    for _ in range(rounds):
        following = calendar.next_after(hour)
        found.append(RoundDates(opens, voting_at(opens, hour, voting), hour, following))
        opens, hour = hour, following
    return tuple(found)


def voting_at(opens: datetime, hour: datetime, voting: timedelta) -> datetime:
    """When voting opens: `voting` before the club hour, but nominating gets a day, or a third of a short round."""
    return max(hour - voting, opens + min(_DAY, (hour - opens) / 3))


def parse_clock(text: str) -> time | None:
    """A time of day as people type it: "19:30", "19.30", "19h30", "1930", "7pm", "7:30 p.m.". None: not a time."""
    match = _CLOCK.fullmatch("".join(text.casefold().split()).replace(".m.", "m").replace(".m", "m"))
    if match is None:
        return None
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


_CLOCK = pattern(r"(?P<hour>\d{1,2})(?:[h:.]?(?P<minute>\d\d)|h)?(?P<half>am|pm)?", re.ASCII)


def parse_timezone(text: str) -> str | None:
    """The key of a timezone, as the IANA database spells it; a city's name will do. None: there is no such timezone."""
    key = text.strip().replace(" ", "_").casefold()
    found = (
        [_zones()[key]] if key in _zones() else [one for one in _zones().values() if one.casefold().endswith(f"/{key}")]
    )
    return found[0] if len(found) == 1 else None


def _zone(key: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # here, because a start without clubs can do without

    return ZoneInfo(key)


@cache
def _zones() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {key.casefold(): key for key in available_timezones()}


def _instant(day: date, clock: time, zone: tzinfo) -> datetime:
    # fold=0 means the offset before a change, which gives both rules of the module's docstring.
    return datetime.combine(day, clock, zone).astimezone(UTC)
