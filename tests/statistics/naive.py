"""The figures of a group, computed plainly with NumPy: independent of the service."""

from math import comb, sqrt
from typing import Any

import numpy as np


def figures(amounts: list[int], percentiles: list[str]) -> dict[str, Any]:
    """All measures of non-empty `amounts`."""
    values = np.sort(np.array(amounts, dtype=float))
    n = len(values)
    mean = values.mean()
    stddev = values.std(ddof=1) if n > 1 else None
    interval = median_interval(values)
    p50 = float(np.percentile(values, 50))
    return {
        "count": n,
        "mean": mean,
        "stddev": stddev,
        "rse": None if stddev is None else stddev / sqrt(n) / mean,
        "p50_low": interval[0],
        "p50_high": interval[1],
        "quality": grade(p50, *interval),
        **{name: float(np.percentile(values, float(name[1:]))) for name in percentiles},
    }


def median_interval(values: Any) -> tuple[float | None, float | None]:
    """x(r) and x(n + 1 - r) by summing the binomial."""
    n = len(values)
    if n < 6:
        return None, None
    r = max(r for r in range(n) if 2 * sum(comb(n, k) for k in range(r)) <= 0.05 * 2**n)
    return float(values[r - 1]), float(values[n - r])


def grade(p50: float, low: float | None, high: float | None) -> str:
    """A to E."""
    if low is None or high is None:
        return "E"
    error = (high - low) / 2 / 1.96 / p50
    limits = {"A": 0.05, "B": 0.10, "C": 0.15, "D": 0.25}
    return next((letter for letter, limit in limits.items() if error < limit), "E")
