"""Which rollups add up to a window: years where it covers them, quarters and months at its ends.

This module loads numpy with those it imports: import it where it is used.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from app.cells.rollup_reading import Tile
from app.cells.rollups import SPANS
from app.domain.dates import Window
from app.domain.periods import first_day, period_number

_FINER: Final[Mapping[str, str | None]] = MappingProxyType(
    {"year": "quarter", "quarter": "month", "month": None}
)


def is_of_months(window: Window) -> bool:
    """Whether a window begins and ends with a month, as far as it is bounded."""
    begins = window.first is None or window.first.day == 1
    return begins and (window.last is None or (window.last + timedelta(days=1)).day == 1)


def tiles_of(window: Window, coarsest: str = "year") -> tuple[Tile, ...]:
    """The fewest periods no longer than `coarsest` that together are a window of whole months, and
    the years that it touches, for records whose date is a year."""
    year = _YEARLY if window.is_open else _touched(window)
    return (*_cover(coarsest, window), year)


_YEARLY: Final = Tile(SPANS["yearly"])


def _touched(window: Window) -> Tile:
    first, last = window.first, window.last
    return Tile(
        SPANS["yearly"],
        None if first is None else first.replace(month=1, day=1),
        None if last is None else last.replace(month=1, day=1),
    )


def _cover(interval: str, window: Window) -> Iterator[Tile]:
    """Whole periods in the middle, finer ones before and after."""
    finer = _FINER[interval]
    begin = None if window.first is None else _ceiling(window.first, interval)
    end = None if window.last is None else _floor(window.last + timedelta(days=1), interval)
    if begin is not None and end is not None and begin >= end:
        if finer is not None:
            yield from _cover(finer, window)
        return
    last = None if end is None else first_day(period_number(end, interval) - 1, interval)
    yield Tile(SPANS[interval], begin, last)
    if finer is None:
        return
    if begin is not None and window.first != begin:
        yield from _cover(finer, Window(window.first, begin - timedelta(days=1)))
    if end is not None and window.last is not None and window.last >= end:
        yield from _cover(finer, Window(end, window.last))


def _floor(day: date, interval: str) -> date:
    """The first day of the period that a day is in."""
    return first_day(period_number(day, interval), interval)


def _ceiling(day: date, interval: str) -> date:
    """The first day of the first period that begins on a day or after it."""
    number = period_number(day, interval)
    return day if first_day(number, interval) == day else first_day(number + 1, interval)
