"""Ranks among published percentiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranks import Rank, rank_among

PUBLISHED = {0.1: 60_000.0, 0.25: 70_000.0, 0.5: 80_000.0, 0.75: 100_000.0, 0.9: 120_000.0}


@pytest.mark.parametrize(
    ("amount", "share", "low", "high"),
    [
        (80_000, 0.5, 0.5, 0.5),
        (90_000, 0.625, 0.5, 0.75),
        (61_000, 0.115, 0.1, 0.25),
        (119_999, 0.8999925, 0.75, 0.9),
        (59_999, None, 0.0, 0.1),
        (120_001, None, 0.9, 1.0),
        (60_000, 0.1, 0.1, 0.1),
    ],
)
def test_between_percentiles(amount: float, share: float | None, low: float, high: float) -> None:
    found = rank_among(amount, PUBLISHED)
    assert (found.low, found.high) == (low, high)
    assert found.share == (None if share is None else pytest.approx(share))


def test_equal_percentiles_give_their_middle() -> None:
    flat = {0.25: 70_000.0, 0.5: 70_000.0, 0.75: 70_000.0}
    assert rank_among(70_000, flat) == Rank(0.5, 0.25, 0.75)
    assert rank_among(69_000, flat) == Rank(None, 0.0, 0.25)
    assert rank_among(71_000, flat) == Rank(None, 0.75, 1.0)


def test_the_median_alone() -> None:
    assert rank_among(90_000, {0.5: 80_000.0}) == Rank(None, 0.5, 1.0)


def test_nothing_published() -> None:
    with pytest.raises(ValueError, match="no percentiles"):
        rank_among(1, {})


@given(
    st.lists(st.integers(1, 50), min_size=5, max_size=5).map(sorted),
    st.lists(st.floats(0, 60), min_size=2).map(sorted),
)
def test_more_pay_is_no_lower_rank(at: list[int], amounts: list[float]) -> None:
    published = dict(zip(PUBLISHED, map(float, at), strict=True))
    found = [rank_among(amount, published) for amount in amounts]
    assert all(rank.low <= rank.high for rank in found)
    assert [rank.low for rank in found] == sorted(rank.low for rank in found)
    shares = [rank.share for rank in found if rank.share is not None]
    assert shares == sorted(shares)
