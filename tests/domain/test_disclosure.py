"""What a group's facts allow it to show."""

import numpy as np
import pytest

from app.domain.disclosure import (
    Facts,
    Policy,
    is_safe,
    meets_minimum,
    rounded,
    shows_quartiles,
    shows_tails,
    too_alike,
    why_hidden,
)

POLICY = Policy()


def facts(*groups: tuple[int, int, int]) -> Facts:
    return Facts(*np.array(groups, dtype=np.int64).T)


def test_the_minimum_is_records_employers_and_share() -> None:
    groups = facts((5, 5, 1), (4, 4, 1), (5, 4, 1), (8, 5, 2), (9, 5, 3), (0, 0, 0))
    assert meets_minimum(groups, POLICY).tolist() == [True, False, False, True, False, False]
    assert is_safe(groups, POLICY).tolist() == [True, False, False, True, False, True]
    assert why_hidden(groups, POLICY).tolist() == [
        "", "few_records", "few_employers", "", "one_employer_dominates", "few_records",
    ]  # fmt: skip


def test_more_records_show_more() -> None:
    groups = facts((9, 9, 1), (10, 5, 2), (20, 9, 2), (19, 19, 1), (20, 10, 2))
    assert shows_quartiles(groups, POLICY).tolist() == [False, True, True, True, True]
    assert shows_tails(groups, POLICY).tolist() == [False, False, False, False, True]


def test_every_number_is_the_policys() -> None:
    strict = Policy(min_records=10, min_employers=3, max_share=0.5, quartile_records=12)
    groups = facts((9, 9, 1), (10, 3, 5), (12, 3, 6))
    assert meets_minimum(groups, strict).tolist() == [False, True, True]
    assert shows_quartiles(groups, strict).tolist() == [False, False, True]


def test_rounding_takes_halves_up() -> None:
    assert rounded(np.array([2.0, 3.0, 7.0, 8.0, 12.5]), 5).tolist() == [0, 5, 5, 10, 15]
    assert rounded(np.array([60_499.9, 60_500.0]), 1000).tolist() == [60_000, 61_000]


@pytest.mark.parametrize(
    ("percentiles", "alike"),
    [
        ((None, None, 60, None, None), False),  # nothing to compare
        ((None, 60, 60, 70, None), False),  # a quarter of the records between equal figures
        ((None, 60, 61, 62, None), True),
        ((None, 60, 61, 63, None), False),  # exactly 5 % apart
        ((50, 60, 62, 64, 66), False),
        ((60, 60, 62, 80, 90), True),  # from p10 to p50
        ((40, 50, 60, 61, 62), True),  # from p50 to p90
    ],
)
def test_percentiles_that_enclose_many_records_narrowly(
    percentiles: tuple[int | None, ...], alike: bool
) -> None:
    values = np.array([[np.nan if p is None else 1000.0 * p for p in percentiles]])
    assert too_alike(values, POLICY).tolist() == [alike]
