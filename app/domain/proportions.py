"""What a sample says about a share of its population."""

from math import sqrt

from app.domain.distributions import NORMAL_QUANTILE


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion, from the `share` of `count` >= 1 observations.

    Wilson, 'Probable inference, the law of succession, and statistical inference', Journal of the
    American Statistical Association 22 (1927). Unlike share +- 1.96 standard errors it stays
    within 0 and 1, and it says something at 0 and 1 (Brown, Cai and DasGupta, 'Interval estimation
    for a binomial proportion', Statistical Science 16, 2001).
    """
    square = NORMAL_QUANTILE**2
    middle = share + square / (2 * count)
    half = NORMAL_QUANTILE * sqrt(share * (1 - share) / count + square / (4 * count**2))
    whole = 1 + square / count
    # The ends are exact at 0 and 1, but for the last bit.
    return max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0)


def share_below(below: int, equal: int, count: int) -> float:
    """The share of `count` observations that lie below a value; those that equal it count half."""
    return (below + equal / 2) / count
