"""Windows of time a year apart."""

from calendar import monthrange
from datetime import date, timedelta

from app.domain.dates import Window
from app.domain.periods import first_day, year_before


def year_earlier(window: Window) -> Window:
    """The window a year before; where it ends with a month, so does the earlier one.

    A side that is open stays open.
    """
    first = None if window.first is None else year_before(window.first)
    return Window(first, None if window.last is None else _last_year_before(window.last))


def _last_year_before(day: date) -> date:
    before = year_before(day)
    if day.day < monthrange(day.year, day.month)[1]:
        return before
    return before.replace(day=monthrange(before.year, before.month)[1])


def is_cut(window: Window, number: int, interval: str) -> bool:
    """Whether the window begins or ends within a period, and so covers it in part."""
    first, last = first_day(number, interval), first_day(number + 1, interval) - timedelta(days=1)
    begins = window.first is not None and first < window.first <= last
    return begins or (window.last is not None and first <= window.last < last)
