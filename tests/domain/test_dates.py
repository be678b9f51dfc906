"""Dates with a precision, and windows."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dates import Interval, Window, last_window, parse_interval, parse_window

DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [
        ("2026-04-09", date(2026, 4, 9), date(2026, 4, 9), "day"),
        ("2026-04", date(2026, 4, 1), date(2026, 4, 30), "month"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "month"),
        ("2026", date(2026, 1, 1), date(2026, 12, 31), "year"),
    ],
)
def test_a_date_is_an_interval(text: str, first: date, last: date, precision: str) -> None:
    assert parse_interval(text) == Interval(first, last, precision)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a date"),
        ("26-04", "is not a date"),
        ("2026-4", "is not a date"),
        ("2026-04-09T00:00:00", "is not a date"),
        ("\uff12\uff10\uff12\uff16", "is not a date"),
        ("2026-13", "no month 13"),
        ("2026-00", "no month 00"),
        ("2025-02-29", "2025-02 has 28 days"),
        ("0024-01", "from 1900 to 2199"),
    ],
)
def test_what_is_no_date_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_interval(text)


def test_a_window_includes_both_ends() -> None:
    assert parse_window("2025-02", "2025-03") == Window(date(2025, 2, 1), date(2025, 3, 31))
    assert parse_window("2025-02-10", None) == Window(date(2025, 2, 10), None)
    assert parse_window(None, None).is_open


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="after to"):
        parse_window("2025-03", "2025-02")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1m", date(2026, 11, 1), date(2026, 11, 30)),
        ("12m", date(2025, 12, 1), date(2026, 11, 30)),
        ("4q", date(2026, 1, 1), date(2026, 12, 31)),
        ("1q", date(2026, 10, 1), date(2026, 12, 31)),
        ("2y", date(2025, 1, 1), date(2026, 12, 31)),
    ],
)
def test_last_counts_calendar_periods_with_the_current_one(
    text: str, first: date, last: date
) -> None:
    assert last_window(text, date(2026, 11, 22)) == Window(first, last)


@pytest.mark.parametrize("text", ["", "12", "0m", "12d", "-3m", "1.5y", "99999m", "1201m", "101y"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="12m"):
        last_window(text, date(2026, 11, 22))


@given(DAYS, st.integers(1, 400))
def test_last_months_end_with_the_month_of_today(today: date, months: int) -> None:
    if today.year * 12 + today.month - months < 12:
        return
    window = last_window(f"{months}m", today)
    assert window.first is not None
    assert window.last is not None
    assert window.first <= today <= window.last
    assert (window.last.year - window.first.year) * 12 + window.last.month - window.first.month == (
        months - 1
    )
