"""Dates with a precision, and windows of time.

Every date here is an interval of whole days, first and last included: a day, a month or a year.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_QUARTER: Final = re.compile(r"(\d{4})-?[Qq]([1-4])", re.ASCII)
_LAST: Final = re.compile(r"([1-9]\d{0,3})([mqy])", re.ASCII)
_MONTHS: Final = {"m": 1, "q": 3, "y": 12}
MAX_LAST_MONTHS: Final = 1200


@dataclass(frozen=True, slots=True)
class Interval:
    """The days from `first` to `last`; `precision` says what was written: day, month or year."""

    first: date
    last: date
    precision: str


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `first` to `last`, both included; None leaves that side open."""

    first: date | None = None
    last: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether neither side is bounded: all time."""
        return self.first is None and self.last is None


ALL_TIME: Final = Window()


def parse_interval(text: str) -> Interval:
    """The days that `2026-04-09`, `2026-04` or `2026` mean.

    Raises ValueError saying what is wrong, for years outside 1900 to 2199 as well.
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a date: write 2026-04-09, 2026-04 or 2026")
    year, month, day = (int(part) if part else None for part in match.groups())
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"{text[:40]!r}: the year must be from {FIRST_YEAR} to {LAST_YEAR}")
    if month is None:
        return Interval(date(year, 1, 1), date(year, 12, 31), "year")
    if not 1 <= month <= 12:
        raise ValueError(f"{text[:40]!r}: there is no month {month:02}")
    days = monthrange(year, month)[1]
    if day is None:
        return Interval(date(year, month, 1), date(year, month, days), "month")
    if not 1 <= day <= days:
        raise ValueError(f"{text[:40]!r}: {year}-{month:02} has {days} days")
    return Interval(date(year, month, day), date(year, month, day), "day")


def parse_period(text: str) -> Interval:
    """The days of a date, month, year, or quarter such as 2024-Q1 (precision 'quarter').

    Raises ValueError saying what is wrong.
    """
    quarter = _QUARTER.fullmatch(text)
    if quarter is None:
        return parse_interval(text)
    year, month = parse_interval(quarter[1]).first.year, 3 * int(quarter[2])
    last = date(year, month, monthrange(year, month)[1])
    return Interval(date(year, month - 2, 1), last, "quarter")


def parse_window(first: str | None, last: str | None) -> Window:
    """The window from the first day of `first` to the last day of `last`.

    Raises ValueError for what is no date, and where the window would end before it begins.
    """
    window = Window(
        parse_interval(first).first if first is not None else None,
        parse_interval(last).last if last is not None else None,
    )
    if window.first is not None and window.last is not None and window.first > window.last:
        raise ValueError(f"from {first} is after to {last}: swap them")
    return window


def last_window(text: str, today: date) -> Window:
    """`12m`, `4q` or `2y`: that many calendar months, quarters or years, the current one included.

    The window ends with the last day of the current month, quarter or year, so that a record of
    'this month' lies inside. Raises ValueError for any other text.
    """
    match = _LAST.fullmatch(text.strip())
    months = int(match[1]) * _MONTHS[match[2]] if match else 0
    if match is None or months > MAX_LAST_MONTHS:
        raise ValueError(
            f"{text[:40]!r} is no length of time: write 12m (months), 4q (quarters) or 2y (years), "
            f"at most {MAX_LAST_MONTHS} months"
        )
    unit = _MONTHS[match[2]]
    end = _month_number(today) // unit * unit + unit
    final = end - 1
    last_day = monthrange(final // 12, final % 12 + 1)[1]
    return Window(_month_start(end - months), date(final // 12, final % 12 + 1, last_day))


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month_start(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
