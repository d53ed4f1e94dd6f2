"""Dates as people type them, and the order of day and month over a whole column."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.files.dates import DateOrder, judge, read_date, read_day

LAST_OF_JANUARY = date(2024, 1, 31)


@pytest.mark.parametrize(
    "cell",
    [
        *("2024-01-31", "2024/1/31", "2024.01.31", "2024 01 31", "20240131", "2024年1月31日", "2024-01-31T20:00:00Z"),
        *(
            "31/01/2024",
            "31.01.2024",
            "31. 1. 2024",
            "31-1-24",
            "31 1 2024",
            "1/31/2024",
            "01-31-24",
            "1/31/24 8:00 PM",
        ),
        *("31 Jan 2024", "31-Jan-24", "Jan 31, 2024", "January 31st, 2024", "Wed, 31 January 2024", "2024 Jan 31"),
        *("Mittwoch, 31. Januar 2024", "31. Jän. 2024", "mer. 31 janv. 2024", "31 de enero de 2024", "31 gennaio 2024"),
        *("31 de janeiro de 2024", "31 januari 2024", "31 stycznia 2024", "31 января 2024", "  31 JAN 2024 "),
    ],
)
def test_the_usual_forms_of_a_date_are_read(cell: str) -> None:
    typed = read_date(cell)

    assert typed is not None
    assert not typed.is_ambiguous
    assert typed.on(DateOrder.CERTAIN) == LAST_OF_JANUARY


@pytest.mark.parametrize(
    ("cell", "month"), [("mar. 5 mars 2024", 3), ("martes 5 de mayo de 2024", 5), ("5 Mai 2024", 5)]
)
def test_weekdays_are_not_taken_for_months(cell: str, month: int) -> None:
    typed = read_date(cell)

    assert typed is not None
    assert typed.day_first == date(2024, month, 5)


@pytest.mark.parametrize("cell", ["March 2024", "März 2024", "2024-03", "03/2024"])
def test_a_month_alone_is_its_first_day_and_says_so(cell: str) -> None:
    typed = read_date(cell)

    assert typed is not None
    assert (typed.day_first, typed.has_day) == (date(2024, 3, 1), False)


@pytest.mark.parametrize(
    "cell",
    [
        *("", "Low", "May", "2024", "45322", "31 Jan", "31/12", "30/02/2024", "2024-13-01", "0/0/2024", "13/13/2024"),
        *(
            "Jan Feb 2024",
            "1 2 3 4",
            "\u0663\u0661/\u0660\u0661/\u0662\u0660\u0662\u0664",
            "31 Jan 99999",
            "12/2024/31",
            "1" * 5000,
        ),
    ],
)
def test_what_is_no_date_with_a_year_is_none(cell: str) -> None:
    assert read_date(cell) is None


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["2024-01-02", "5 May 2024"], DateOrder.CERTAIN),
        (["03/03/2024", "2024-02-01"], DateOrder.CERTAIN),
        (["31/01/2024", "02/01/2024"], DateOrder.DAY_FIRST),
        (["02/01/2024", "02/13/2024"], DateOrder.MONTH_FIRST),
        (["02/01/2024", "03/04/2024"], DateOrder.UNCLEAR),
        (["31/01/2024", "01/31/2024", "02/03/2024"], DateOrder.UNCLEAR),
        (["31/01/2024", "01/31/2024"], DateOrder.CERTAIN),
        (["02.01.2024", "03.04.2024"], DateOrder.DAY_FIRST),
        (["02.01.2024", "03/04/2024"], DateOrder.UNCLEAR),
        (["02.01.2024", "02.13.2024"], DateOrder.MONTH_FIRST),
        ([], DateOrder.CERTAIN),
    ],
)
def test_the_order_is_judged_over_the_whole_column(cells: list[str], order: DateOrder) -> None:
    dates = [typed for cell in cells if (typed := read_date(cell))]

    assert len(dates) == len(cells)
    assert judge(dates) is order


def test_an_ambiguous_date_has_no_value_until_the_order_is_known() -> None:
    typed = read_date("03/04/2024")

    assert typed is not None
    assert typed.on(DateOrder.UNCLEAR) is None
    assert typed.on(DateOrder.DAY_FIRST) == date(2024, 4, 3)
    assert typed.on(DateOrder.MONTH_FIRST) == date(2024, 3, 4)


FORMS = ["%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y/%m/%d", "%a, %d %b %Y"]


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.sampled_from(FORMS))
def test_every_date_written_without_a_question_is_read_as_itself(on: date, form: str) -> None:
    typed = read_date(on.strftime(form))

    assert typed is not None
    assert typed.on(DateOrder.UNCLEAR) == on


@given(st.lists(st.dates(date(2000, 1, 1), date(2060, 12, 31)), min_size=1), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]))
def test_a_column_in_one_order_is_read_in_it_or_asked_about(days: list[date], form: str) -> None:
    typed = [read_date(day.strftime(form)) for day in days]
    dates = [one for one in typed if one]
    order = judge(dates)

    assert len(dates) == len(days)
    if order is not DateOrder.UNCLEAR:
        assert [one.on(order) for one in dates] == days


@given(st.text(max_size=80))
def test_no_text_makes_the_reader_of_dates_fail(cell: str) -> None:
    typed = read_date(cell)
    assert typed is None or typed.day_first or typed.month_first


def test_a_cell_with_a_long_gap_is_read_in_linear_time() -> None:
    began = time.thread_time()
    assert read_day(f"May{' ' * 60_000}2024?") is None
    assert time.thread_time() - began < 10
