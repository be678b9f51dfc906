"""The periods that releases are divided by, as numbers: 2025 is a year, 20251 its first quarter.

0 is everything up to the end of a release, which is the end of a quarter.
"""

from calendar import monthrange
from datetime import date
from typing import Final

from app.domain.dates import Window

WHOLE_TIME: Final = 0
KINDS: Final = ("quarter", "year")
QUARTERS_FROM: Final = 10_000
"""Numbers below are years, from here on quarters."""


def period_of(day: date, kind: str) -> int:
    """The number of the quarter or year (`kind`) that a day lies in."""
    return day.year if kind == "year" else day.year * 10 + (day.month + 2) // 3


def days_of(period: int) -> tuple[date, date]:
    """The first and last day of a quarter or year."""
    if period < QUARTERS_FROM:
        return date(period, 1, 1), date(period, 12, 31)
    year, quarter = divmod(period, 10)
    last = quarter * 3
    return date(year, last - 2, 1), date(year, last, monthrange(year, last)[1])


def closed_through(today: date) -> date:
    """The last day of the last quarter that is over."""
    year, quarter = divmod(period_of(today, "quarter"), 10)
    return days_of((year - 1) * 10 + 4 if quarter == 1 else year * 10 + quarter - 1)[1]


def find_period(window: Window) -> int | None:
    """The number of the period that a window is, None where it is none."""
    if window.is_open:
        return WHOLE_TIME
    if window.first is None or window.last is None:
        return None
    for kind in KINDS:
        period = period_of(window.first, kind)
        if days_of(period) == (window.first, window.last):
            return period
    return None


def find_span(window: Window, kind: str) -> tuple[int, int] | None:
    """The first and last quarter or year of a window, None where it cuts one."""
    first, last = (1, QUARTERS_FROM - 1) if kind == "year" else (QUARTERS_FROM, 10 * QUARTERS_FROM)
    if window.first is not None:
        first = period_of(window.first, kind)
        if days_of(first)[0] != window.first:
            return None
    if window.last is not None:
        last = period_of(window.last, kind)
        if days_of(last)[1] != window.last:
            return None
    return first, last
