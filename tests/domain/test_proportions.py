"""The interval of a share, against the equation that defines it and against repeated sampling."""

from math import isclose, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.proportions import share_below, wilson_interval

Z = 1.959963984540054


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_the_ends_solve_the_score_equation(count: int, share: float) -> None:
    """|share - p| = z sqrt(p (1 - p) / n) at both ends p."""
    for end in wilson_interval(share, count):
        assert 0 <= end <= 1
        error = Z * sqrt(end * (1 - end) / count)
        assert isclose(abs(share - end), error, rel_tol=1e-5, abs_tol=1e-8)


def test_known_values() -> None:
    """Newcombe, 'Two-sided confidence intervals for the single proportion', table I (1998)."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize("count", [10, 50, 500])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_it_covers_the_true_share_about_as_often_as_it_says(count: int, share: float) -> None:
    drawn = np.random.default_rng(20_261_122).binomial(count, share, 4_000)
    covered = np.mean([low <= share <= high for low, high in _intervals(drawn, count)])
    assert 0.92 < covered < 0.98


def _intervals(
    drawn: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int
) -> list[tuple[float, float]]:
    known = {int(k): wilson_interval(int(k) / count, count) for k in set(drawn)}
    return [known[int(k)] for k in drawn]


def test_ties_count_half() -> None:
    assert share_below(3, 0, 4) == 0.75
    assert share_below(0, 4, 4) == 0.5
    assert share_below(1, 1, 3) == 0.5
