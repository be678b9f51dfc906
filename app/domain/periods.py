"""Months, quarters and years as whole numbers that follow each other.

The number of a period counts from year 0, so that periods can be added, compared and listed. A
label is what rows show: `2026-01`, `2026-Q1`, and the year 2026 as a number.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

Label = str | int

MONTHS: Final[Mapping[str, int]] = MappingProxyType({"month": 1, "quarter": 3, "year": 12})
"""The intervals, and the months that each of their periods has."""


def periods_per_year(interval: str) -> int:
    """How many periods of `interval` (month, quarter, year) a year has."""
    return 12 // MONTHS[interval]


def period_number(day: date, interval: str) -> int:
    """The period that a day is in."""
    return (day.year * 12 + day.month - 1) // MONTHS[interval]


def first_day(number: int, interval: str) -> date:
    """The first day of a period."""
    month = number * MONTHS[interval]
    return date(month // 12, month % 12 + 1, 1)


def last_day(number: int, interval: str) -> date:
    """The last day of a period."""
    month = (number + 1) * MONTHS[interval] - 1
    year, place = month // 12, month % 12 + 1
    return date(year, place, monthrange(year, place)[1])


def period_label(number: int, interval: str) -> Label:
    """What rows show of a period."""
    per_year = periods_per_year(interval)
    year, place = number // per_year, number % per_year + 1
    if interval == "year":
        return year
    return f"{year:04}-Q{place}" if interval == "quarter" else f"{year:04}-{place:02}"


def number_of_label(label: Label, interval: str) -> int:
    """The period of a label that `period_label` or the database gave."""
    if interval == "year":
        return int(label)
    year, _, place = str(label).partition("-")
    return int(year) * periods_per_year(interval) + int(place.removeprefix("Q")) - 1


def year_before(day: date) -> date:
    """The same day a year earlier; the 28th for the 29th of February."""
    day = day.replace(day=28) if (day.month, day.day) == (2, 29) else day
    return day.replace(year=day.year - 1)
