"""The median's interval and grade."""

from math import comb

import pytest

from app.domain.distributions import median_error, median_rank, quality


def exact_ranks(last: int) -> dict[int, int]:
    """The largest r with 1 - 2 P(Bin(n, 1/2) < r) >= 0.95, for n from 6 on, in integers.

    P is kept as a numerator over 2^n and follows from n to n + 1 by Pascal's rule.
    """
    n, below = 6, 0
    term, total = 1, 1  # comb(n, below), and the sum of comb(n, k) for k <= below
    ranks = {}
    while n <= last:
        while (following := term * (n - below) // (below + 1)) and (total + following) * 40 <= 2**n:
            below, term, total = below + 1, following, total + following
        ranks[n] = below + 1
        total = 2 * total - term
        term = term * (n + 1) // (n + 1 - below)
        n += 1
    return ranks


def test_the_ranks_above_are_those_of_the_definition() -> None:
    for n, rank in exact_ranks(60).items():
        covered = [1 - 2 * sum(comb(n, k) for k in range(r)) / 2**n for r in (rank, rank + 1)]
        assert covered[0] >= 0.95 > covered[1]


def test_the_closed_form_is_exact() -> None:
    assert {n: median_rank(n) for n in range(6, 20_001)} == exact_ranks(20_000)


@pytest.mark.parametrize(
    ("count", "rank"),
    # Where the corrections decide, found by computing all counts up to 10,000,000.
    [(17, 5), (44, 16), (136_830, 68_053), (965_643, 481_858)],
)
def test_ranks_where_the_normal_quantile_alone_is_close(count: int, rank: int) -> None:
    assert median_rank(count) == rank


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_records_have_no_interval(count: int) -> None:
    assert median_rank(count) is None


@pytest.mark.parametrize(
    ("half_width", "grade"),
    [
        *((9_799, "A"), (9_801, "B"), (19_599, "B"), (19_601, "C")),
        *((29_399, "C"), (29_401, "D"), (48_999, "D"), (49_001, "E")),
    ],
)
def test_grades_follow_the_relative_error(half_width: int, grade: str) -> None:
    assert quality(100_000, 100_000 - half_width, 100_000 + half_width) == grade


def test_without_an_interval_the_grade_is_the_lowest() -> None:
    assert quality(100_000, None, None) == "E"
    assert quality(None, 1, 2) == "E"


def test_the_median_error_is_a_share_of_the_median() -> None:
    assert median_error(100.0, 90.2, 109.8) == pytest.approx(0.05)
