"""Edges of histograms: round, ascending, from the low end to beyond the high one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.bins import (
    MAX_BINS,
    count_bins,
    equal_bins,
    exact,
    least_step,
    round_bins,
    round_step,
    stepped_bins,
)

AMOUNTS = st.integers(0, 10**16).map(lambda n: n / 10**6) | st.integers(1_000, 10_000_000)
ENDS = st.tuples(AMOUNTS, AMOUNTS).map(sorted)


@pytest.mark.parametrize(
    ("low", "high", "step", "first", "last"),
    [
        (52_000, 198_000, 10_000, 50_000, 200_000),
        (50_000, 200_000, 10_000, 50_000, 210_000),  # the tail is what lies beyond 200,000
        (1_000, 10_000_000, 500_000, 0, 10_500_000),
        (25.0, 95.5, 2.5, 25, 97.5),
        (100_000, 100_000, 5_000, 100_000, 105_000),  # everybody earns the same
        (0.48, 0.48, 0.025, 0.475, 0.5),
        (0, 0, 0.05, 0, 0.05),
    ],
)
def test_round_edges(low: float, high: float, step: float, first: float, last: float) -> None:
    bins = round_bins(low, high)
    found = [float(bins.step or 0), float(bins.edges[0]), float(bins.edges[-1])]
    assert found == [step, first, last]


@pytest.mark.parametrize(
    ("width", "step"),
    [(1, 1), (1.4, 1), (1.42, 2), (2.2, 2), (2.3, 2.5), (3.6, 5), (7.1, 10), (0.03, 0.025)],
)
def test_the_nearest_round_step(width: float, step: float) -> None:
    assert round_step(exact(width)) == exact(step)
    assert round_step(exact(width) * 10**6) == exact(step) * 10**6


@given(ENDS)
def test_round_bins_are_few_and_enclose(ends: list[float]) -> None:
    low, high = ends
    bins = round_bins(low, high)
    assert bins.step
    assert bins.edges[0] <= exact(low) < bins.edges[1]
    assert bins.edges[-2] <= exact(high) < bins.edges[-1]
    assert len(bins.edges) <= 31
    digits = str(int(bins.step * 10**9)).rstrip("0")
    assert digits in {"1", "2", "25", "5"}
    assert all(edge % bins.step == 0 for edge in bins.edges)


@given(ENDS, st.integers(1, MAX_BINS))
def test_equal_bins_are_as_many_as_asked(ends: list[float], count: int) -> None:
    low, high = ends
    bins = equal_bins(low, high, count)
    assert len(bins.edges) == count
    assert bins.edges[0] <= exact(low)
    if count > 1:
        assert bins.edges[-1] > exact(high)
    widths = {after - before for before, after in zip(bins.edges, bins.edges[1:], strict=False)}
    assert widths == ({bins.step} if count > 1 else set())
    assert all((edge * 10**6).denominator == 1 for edge in bins.edges)


@given(ENDS, st.fractions(Fraction(1, 1000), 10**6))
def test_the_number_of_bins_is_known_before_they_are_made(
    ends: list[float], step: Fraction
) -> None:
    low, high = ends
    number = count_bins(low, high, step)
    if number <= 10 * MAX_BINS:
        assert len(stepped_bins(low, high, step).edges) == number


@given(ENDS)
def test_the_least_step_makes_few_enough_bins(ends: list[float]) -> None:
    low, high = ends
    assert count_bins(low, high, least_step(low, high)) <= MAX_BINS
