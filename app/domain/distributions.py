"""What a sample says about its median: an interval without assumptions, and a grade."""

from math import floor, sqrt
from typing import Final

MIN_INTERVAL_COUNT: Final = 6
"""Below it no two order statistics enclose the median with 95 %."""

NORMAL_QUANTILE: Final = 1.9599639845400545
"""The 97.5 % quantile of the normal distribution."""

LATTICE_CORRECTION: Final = (NORMAL_QUANTILE**3 - NORMAL_QUANTILE) / 12
"""Second term of the Cornish-Fisher expansion of the binomial (n, 1/2), times n."""

ERRORS_IN_HALF_WIDTH: Final = 1.96
"""By definition: the standard errors in the half-width of a 95 % interval."""

GRADES: Final = (("A", 0.05), ("B", 0.10), ("C", 0.15), ("D", 0.25))
"""Grade, and the relative error of the median below which it is given; E beyond the last."""

LOWEST_GRADE: Final = "E"


def median_rank(count: int) -> int | None:
    """The largest r with 1 - 2 P(Bin(count, 1/2) < r) >= 0.95; None below 6 records.

    x(r) and x(count + 1 - r) enclose the median. The closed form is the normal quantile with a
    continuity correction and the next term of its expansion (Cornish and Fisher, 1938). It equals
    the sum over the exact binomial for every count from 6 to 10,000,000: computed in integer
    arithmetic; a test repeats that for 6 to 20,000 (docs/decisions/0004-percentiles-in-sql.md).
    """
    if count < MIN_INTERVAL_COUNT:
        return None
    quantile = NORMAL_QUANTILE - LATTICE_CORRECTION / count
    return floor((count + 1) / 2 - sqrt(count) / 2 * quantile)


def median_error(p50: float, low: float, high: float) -> float:
    """Relative standard error of the median, from its 95 % interval."""
    return (high - low) / 2 / ERRORS_IN_HALF_WIDTH / p50


def quality(p50: float | None, low: float | None, high: float | None) -> str:
    """A to E by the median's relative error; E where there is no interval."""
    if p50 is None or low is None or high is None or p50 <= 0:
        return LOWEST_GRADE
    error = median_error(p50, low, high)
    return next((grade for grade, limit in GRADES if error < limit), LOWEST_GRADE)
