"""Periods of releases: numbers, days, windows."""

from datetime import date

import pytest

from app.domain.closed_periods import (
    closed_through,
    days_of,
    find_period,
    find_span,
    period_of,
)
from app.domain.dates import ALL_TIME, Window


@pytest.mark.parametrize(
    ("today", "through"),
    [
        ("2026-01-01", "2025-12-31"),
        ("2026-03-31", "2025-12-31"),
        ("2026-04-01", "2026-03-31"),
        ("2026-09-30", "2026-06-30"),
        ("2026-11-22", "2026-09-30"),
        ("2026-12-31", "2026-09-30"),
    ],
)
def test_the_last_quarter_that_is_over(today: str, through: str) -> None:
    assert closed_through(date.fromisoformat(today)) == date.fromisoformat(through)


def test_every_day_lies_in_its_quarter_and_year() -> None:
    for month in range(1, 13):
        day = date(2024, month, 29)
        quarter = period_of(day, "quarter")
        assert quarter == 20241 + (month - 1) // 3
        first, last = days_of(quarter)
        assert first <= day <= last
        assert ((last - first).days + 1) in {90, 91, 92}
        assert period_of(day, "year") == 2024
    assert days_of(2024) == (date(2024, 1, 1), date(2024, 12, 31))
    assert days_of(20244) == (date(2024, 10, 1), date(2024, 12, 31))


def test_windows_that_are_periods() -> None:
    assert find_period(ALL_TIME) == 0
    assert find_period(Window(date(2025, 1, 1), date(2025, 12, 31))) == 2025
    assert find_period(Window(date(2025, 1, 1), date(2025, 3, 31))) == 20251
    assert find_period(Window(date(2025, 4, 1), date(2025, 6, 30))) == 20252
    for window in (
        Window(date(2025, 1, 1), date(2025, 3, 30)),
        Window(date(2025, 1, 1), date(2025, 6, 30)),
        Window(date(2025, 1, 2), date(2025, 3, 31)),
        Window(date(2024, 1, 1), date(2025, 12, 31)),
        Window(date(2025, 1, 1), None),
        Window(None, date(2025, 12, 31)),
    ):
        assert find_period(window) is None, window


def test_spans_of_periods() -> None:
    assert find_span(Window(date(2024, 4, 1), date(2025, 9, 30)), "quarter") == (20242, 20253)
    assert find_span(Window(date(2024, 1, 1), date(2025, 12, 31)), "year") == (2024, 2025)
    assert find_span(Window(date(2024, 4, 1), None), "year") is None
    assert find_span(Window(None, date(2025, 9, 29)), "quarter") is None
    first, last = find_span(ALL_TIME, "quarter") or (0, 0)
    assert first < 19001 < 21994 < last
    first, last = find_span(ALL_TIME, "year") or (0, 0)
    assert first < 1900 < 2199 < last < 19001
