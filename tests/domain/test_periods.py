"""Periods as numbers and labels."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.periods import (
    MONTHS,
    first_day,
    last_day,
    number_of_label,
    period_label,
    period_number,
    periods_per_year,
    year_before,
)

INTERVALS = st.sampled_from(sorted(MONTHS))
DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))


@pytest.mark.parametrize(
    ("day", "interval", "label"),
    [
        (date(2026, 1, 31), "month", "2026-01"),
        (date(2026, 12, 1), "month", "2026-12"),
        (date(2026, 3, 31), "quarter", "2026-Q1"),
        (date(2026, 10, 1), "quarter", "2026-Q4"),
        (date(2026, 7, 4), "year", 2026),
    ],
)
def test_labels_are_those_of_the_rows(day: date, interval: str, label: str | int) -> None:
    assert period_label(period_number(day, interval), interval) == label


@settings(max_examples=200, deadline=None)
@given(day=DAYS, interval=INTERVALS)
def test_periods_follow_each_other_without_gaps(day: date, interval: str) -> None:
    number = period_number(day, interval)
    assert first_day(number, interval) <= day <= last_day(number, interval)
    assert last_day(number, interval) + timedelta(days=1) == first_day(number + 1, interval)
    assert number_of_label(period_label(number, interval), interval) == number
    a_year_on = first_day(number + periods_per_year(interval), interval)
    assert year_before(a_year_on) == first_day(number, interval)


def test_a_year_before_a_leap_day_is_the_last_of_february() -> None:
    assert year_before(date(2024, 2, 29)) == date(2023, 2, 28)
    assert year_before(date(2025, 2, 28)) == date(2024, 2, 28)
