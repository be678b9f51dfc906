"""Changes between periods, as fractions: 0.05 is 5 % more."""

from collections.abc import Mapping
from typing import Final

DECIMALS: Final = 6
"""Of fractions: finer than any of them is meant."""

SMOOTHED_PERIODS: Final = 3
"""Periods in the average of composition-adjusted growth."""

MIN_CELL_COUNT: Final = 5
"""Records that a cell needs in both years to enter composition-adjusted growth."""


def change(now: float | None, before: float | None) -> float | None:
    """now / before - 1; None where either is missing or `before` is 0."""
    if now is None or before is None or before == 0:
        return None
    return round(now / before - 1, DECIMALS)


def trailing_average(
    figures: Mapping[int, float], number: int, periods: int = SMOOTHED_PERIODS
) -> float | None:
    """The mean of a period's figure and those of the `periods` - 1 before it.

    Trailing, so that a figure does not change when later periods arrive. Periods without a figure
    are left out of the mean; None where the period itself has none.
    """
    if number not in figures:
        return None
    found = [
        figures[place] for place in range(number - periods + 1, number + 1) if place in figures
    ]
    return round(sum(found) / len(found), DECIMALS)
