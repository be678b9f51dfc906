"""The difference of two medians with its interval.

Interval: Bonett and Price (2002), Statistical inference for a linear function of medians,
Psychological Methods 7(3), 370-383, doi:10.1037/1082-989X.7.3.370. Standard error of a median:
Price and Bonett (2001), Estimating the variance of the sample median, Journal of Statistical
Computation and Simulation 68(3), 295-305. Distribution-free; samples are independent, ties rare.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, hypot, lgamma, log
from statistics import NormalDist
from typing import Final

from app.domain.distributions import NORMAL_QUANTILE, median_rank

CONFIDENCE: Final = 0.95
_NORMAL: Final = NormalDist()
_NEGLIGIBLE: Final = 1e-17


@dataclass(frozen=True, slots=True)
class Median:
    """A sample's median and the order statistics x(r), x(count + 1 - r) around it.

    r is `median_rank(count)`; `low` and `high` are None below 6 records.
    """

    count: int
    p50: float
    low: float | None = None
    high: float | None = None


def standard_error(sample: Median) -> float | None:
    """Of the median: (high - low) / (2 z), with z from the interval's exact binomial coverage.

    None where there are no order statistics.
    """
    rank = median_rank(sample.count)
    if rank is None or sample.low is None or sample.high is None:
        return None
    return (sample.high - sample.low) / (2 * _quantile(sample.count, rank))


def difference_interval(a: Median, b: Median) -> tuple[float, float] | None:
    """The 95 % interval of the median of `b` minus that of `a`; None without either error."""
    error_a, error_b = standard_error(a), standard_error(b)
    if error_a is None or error_b is None:
        return None
    half = NORMAL_QUANTILE * hypot(error_a, error_b)
    return b.p50 - a.p50 - half, b.p50 - a.p50 + half


def half_binomial_below(count: int, rank: int) -> float:
    """P(Bin(count, 1/2) < rank), for 1 <= rank <= count / 2.

    The terms from the largest down, each from the one before; they fall fast enough that some
    multiples of sqrt(count) of them are enough.
    """
    place = rank - 1
    largest = exp(
        lgamma(count + 1) - lgamma(place + 1) - lgamma(count - place + 1) - count * log(2)
    )
    total = term = 1.0
    while place > 0 and term > _NEGLIGIBLE * total:
        term *= place / (count - place + 1)
        total += term
        place -= 1
    return largest * total


@lru_cache(maxsize=1024)
def _quantile(count: int, rank: int) -> float:
    """The normal quantile that leaves the binomial tail above it."""
    return -_NORMAL.inv_cdf(half_binomial_below(count, rank))
