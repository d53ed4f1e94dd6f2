"""When the club meets: rhythms, summer time, times that do not exist or exist twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.curation.calendar import (
    FIRST_AHEAD,
    Calendar,
    Rhythm,
    parse_clock,
    parse_timezone,
    preview,
    voting_at,
)

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
DAY = timedelta(days=1)
TUESDAY, SUNDAY = 1, 6


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(calendar: Calendar, after: datetime, number: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(number):
        after = calendar.next_after(after)
        found.append(after)
    return found


def local(instants: list[datetime], timezone: str) -> list[str]:
    return [f"{instant.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M}" for instant in instants]


def test_a_weekly_club_keeps_its_wall_clock_time_when_the_clocks_change() -> None:
    calendar = Calendar(date(2026, 3, 17), time(20), BERLIN)

    found = hours(calendar, utc("2026-03-17T00:00"), 3)

    assert local(found, BERLIN) == ["Tue 2026-03-17 20:00", "Tue 2026-03-24 20:00", "Tue 2026-03-31 20:00"]
    assert [instant.hour for instant in found] == [19, 19, 18]


def test_a_time_that_does_not_exist_is_an_hour_later() -> None:
    # On 29 March 2026 clocks in Berlin go from 02:00 to 03:00.
    calendar = Calendar(date(2026, 3, 22), time(2, 30), BERLIN)

    found = hours(calendar, utc("2026-03-20T00:00"), 3)

    assert local(found, BERLIN) == ["Sun 2026-03-22 02:30", "Sun 2026-03-29 03:30", "Sun 2026-04-05 02:30"]


def test_a_time_that_exists_twice_is_the_first_of_the_two() -> None:
    # On 1 November 2026 clocks in New York go from 02:00 back to 01:00; 01:30 is at 05:30 and at 06:30 UTC.
    calendar = Calendar(date(2026, 10, 25), time(1, 30), NEW_YORK)

    found = hours(calendar, utc("2026-10-24T00:00"), 3)

    assert found == [utc("2026-10-25T05:30"), utc("2026-11-01T05:30"), utc("2026-11-08T06:30")]


def test_a_time_that_exists_twice_is_one_club_hour() -> None:
    calendar = Calendar(date(2026, 10, 25), time(1, 30), NEW_YORK)

    assert calendar.next_after(utc("2026-11-01T05:30")) == utc("2026-11-08T06:30")
    assert calendar.between(utc("2026-10-31T00:00"), utc("2026-11-02T00:00")) == (utc("2026-11-01T05:30"),)


def test_a_day_that_a_country_left_out_moves_the_club_to_the_next_one() -> None:
    # Samoa had no 30 December 2011.
    calendar = Calendar(date(2011, 12, 23), time(20), "Pacific/Apia")

    found = hours(calendar, utc("2011-12-22T00:00"), 3)

    assert local(found, "Pacific/Apia") == ["Fri 2011-12-23 20:00", "Sat 2011-12-31 20:00", "Fri 2012-01-06 20:00"]


def test_midnight_that_does_not_exist_stays_on_its_day() -> None:
    # Clocks in Cairo went forward at midnight on Friday, 26 April 2024.
    calendar = Calendar(date(2024, 4, 19), time(0), "Africa/Cairo")

    assert local(hours(calendar, utc("2024-04-20T00:00"), 1), "Africa/Cairo") == ["Fri 2024-04-26 01:00"]


def test_a_biweekly_club_keeps_its_weeks() -> None:
    calendar = Calendar(date(2026, 3, 17), time(20), BERLIN, Rhythm.BIWEEKLY)

    assert local(hours(calendar, utc("2026-03-18T00:00"), 2), BERLIN) == [
        "Tue 2026-03-31 20:00",
        "Tue 2026-04-14 20:00",
    ]
    # Also asked about from before its first hour, and from a day in its other week.
    assert local(hours(calendar, utc("2026-03-04T00:00"), 1), BERLIN) == ["Tue 2026-03-17 20:00"]


def test_a_monthly_club_keeps_its_week_of_the_month() -> None:
    calendar = Calendar(date(2026, 1, 13), time(20), BERLIN, Rhythm.MONTHLY)

    assert local(hours(calendar, utc("2026-01-14T00:00"), 3), BERLIN) == [
        "Tue 2026-02-10 20:00",
        "Tue 2026-03-10 20:00",
        "Tue 2026-04-14 20:00",
    ]


def test_a_monthly_club_of_a_fifth_week_meets_in_the_last_one() -> None:
    calendar = Calendar(date(2026, 3, 31), time(20), BERLIN, Rhythm.MONTHLY)

    assert local(hours(calendar, utc("2026-04-01T00:00"), 3), BERLIN) == [
        "Tue 2026-04-28 20:00",
        "Tue 2026-05-26 20:00",
        "Tue 2026-06-30 20:00",
    ]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-03-19T18:59", "2026-03-24"),  # exactly 5 days and a minute ahead
        ("2026-03-19T19:00", "2026-03-24"),  # exactly 5 days ahead
        ("2026-03-19T19:01", "2026-03-31"),
    ],
)
def test_the_first_club_hour_is_at_least_five_days_ahead(now: str, first: str) -> None:
    calendar = Calendar.starting(TUESDAY, time(20), BERLIN, Rhythm.WEEKLY, utc(now) + FIRST_AHEAD)

    assert calendar.anchor == date.fromisoformat(first)


def test_the_preview_shows_the_next_three_rounds() -> None:
    now = utc("2026-03-18T12:00")
    calendar = Calendar.starting(TUESDAY, time(20), BERLIN, Rhythm.WEEKLY, now + FIRST_AHEAD)

    rounds = preview(calendar, now, 3 * DAY)

    assert [dates.nominations_at for dates in rounds] == [now, utc("2026-03-24T19:00"), utc("2026-03-31T18:00")]
    assert [dates.club_hour_at for dates in rounds] == [
        utc("2026-03-24T19:00"),
        utc("2026-03-31T18:00"),
        utc("2026-04-07T18:00"),
    ]
    assert all(dates.club_hour_at - dates.voting_at == 3 * DAY for dates in rounds)
    assert rounds[0].summary_at == rounds[1].club_hour_at


def test_voting_leaves_a_day_to_nominate_or_a_third_of_a_short_round() -> None:
    opens = utc("2026-03-18T12:00")

    assert voting_at(opens, opens + 7 * DAY, 3 * DAY) == opens + 4 * DAY
    assert voting_at(opens, opens + 7 * DAY, 7 * DAY) == opens + DAY
    assert voting_at(opens, opens + DAY, 3 * DAY) == opens + DAY / 3


def test_a_moved_club_hour_is_at_the_same_time_of_day() -> None:
    calendar = Calendar(date(2026, 3, 17), time(20), BERLIN)

    assert calendar.same_clock_from(utc("2026-03-28T19:00")) == utc("2026-03-28T19:00")
    assert calendar.same_clock_from(utc("2026-03-28T19:01")) == utc("2026-03-29T18:00")


CALENDARS = st.builds(
    Calendar,
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia", "UTC"]),
    st.sampled_from(Rhythm),
)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=150, deadline=None)
@given(CALENDARS, INSTANTS)
def test_club_hours_go_on_in_the_clubs_rhythm(calendar: Calendar, instant: datetime) -> None:
    found = hours(calendar, instant, 12)

    spans = {Rhythm.WEEKLY: (6.9, 7.1), Rhythm.BIWEEKLY: (13.9, 14.1), Rhythm.MONTHLY: (27.9, 35.1)}
    shortest, longest = spans[calendar.rhythm]
    assert found[0] > instant
    assert found[0] - instant <= longest * DAY
    assert all(shortest * DAY < after - before < longest * DAY for before, after in pairwise(found))
    assert calendar.between(instant, found[-1]) == tuple(found)
    zone = ZoneInfo(calendar.timezone)
    for hour in found:
        assert hour.astimezone(zone).weekday() == calendar.anchor.weekday()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 6),
    st.times(),
    st.sampled_from([BERLIN, NEW_YORK, "Pacific/Kiritimati"]),
    st.sampled_from(Rhythm),
    INSTANTS,
)
def test_a_club_can_start_at_any_moment(
    weekday: int, clock: time, timezone: str, rhythm: Rhythm, now: datetime
) -> None:
    calendar = Calendar.starting(weekday, clock, timezone, rhythm, now + FIRST_AHEAD)
    first = calendar.first_from(now + FIRST_AHEAD)

    assert calendar.anchor.weekday() == weekday
    assert FIRST_AHEAD <= first - now <= FIRST_AHEAD + 7 * DAY + timedelta(hours=1)
    assert first.astimezone(ZoneInfo(timezone)).date() == calendar.anchor


@pytest.mark.parametrize(
    ("typed", "clock"),
    [
        ("19:30", time(19, 30)),
        ("19.30", time(19, 30)),
        ("19h30", time(19, 30)),
        ("19h", time(19)),
        ("1930", time(19, 30)),
        ("930", time(9, 30)),
        ("9:05", time(9, 5)),
        ("19", time(19)),
        ("7pm", time(19)),
        ("7 PM", time(19)),
        ("7:30 p.m.", time(19, 30)),
        ("12am", time(0)),
        ("12 pm", time(12)),
        ("0:00", time(0)),
        ("24:00", None),
        ("13pm", None),
        ("0am", None),
        ("19:60", None),
        ("7:5", None),
        ("noon", None),
        ("", None),
        ("1" * 5000, None),
    ],
)
def test_a_time_is_read_as_people_type_it(typed: str, clock: time | None) -> None:
    assert parse_clock(typed) == clock


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Europe/Berlin", BERLIN),
        (" europe/berlin ", BERLIN),
        ("America/New York", NEW_YORK),
        ("utc", "UTC"),
        ("Middle-earth/Shire", None),
        ("../../etc/passwd", None),
        ("/etc/localtime", None),
        ("", None),
    ],
)
def test_a_timezone_is_found_by_its_key(typed: str, key: str | None) -> None:
    assert parse_timezone(typed) == key
