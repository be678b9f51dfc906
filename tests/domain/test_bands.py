"""Bands rounded outward, and the step that is usual for a pay period."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.bands import round_outward, usual_step


@pytest.mark.parametrize(
    ("low", "high", "step", "band"),
    [
        (71_250.0, 84_900.0, 5_000, (70_000, 85_000)),
        (70_000.0, 85_000.0, 5_000, (70_000, 85_000)),
        (69_999.999999, 85_000.000001, 5_000, (65_000, 90_000)),
        (23.4, 41.01, 2, (22, 42)),
        (0.3, 0.7, 0.1, (0.3, 0.7)),
        (999, 1_001, 1, (999, 1_001)),
        (4_000, 4_000, 5_000, (0, 5_000)),
    ],
)
def test_a_band_is_rounded_outward(
    low: float, high: float, step: float, band: tuple[float, float]
) -> None:
    assert round_outward(low, high, step) == band


@settings(max_examples=200, deadline=None)
@given(
    low=st.integers(0, 10**13),
    width=st.integers(0, 10**12),
    step=st.integers(1, 10**6),
)
def test_a_band_holds_both_ends_and_no_whole_step_more(low: int, width: int, step: int) -> None:
    first, last = Fraction(low, 10**6), Fraction(low + width, 10**6)
    bottom, top = round_outward(low / 10**6, (low + width) / 10**6, step)
    assert bottom % step == 0
    assert top % step == 0
    assert bottom <= first < bottom + step
    assert top - step < last <= top


def test_the_usual_step_follows_the_pay_period() -> None:
    periods = ("year", "month", "fortnight", "week", "day", "hour")
    assert [usual_step(period) for period in periods] == [5_000, 500, 200, 100, 20, 2]
