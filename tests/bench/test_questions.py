"""What is asked of the service and of its baselines is the same question."""

from datetime import date

import pytest

from bench.polling_bench import delays, percentile
from bench.questions import (
    ASKED,
    WIDE,
    Answer,
    Named,
    figures_of_answer,
    figures_of_rows,
    largest_error,
    window,
)

NAMED = Named(
    "dev",
    3,
    {"region": {1: "US", 2: "DE"}, "level": {5: "mid"}, "role": {3: "dev"}},
    date(2026, 10, 30),
)
BODY = (
    b'{"data": [{"region": "US", "level": "mid", "count": 4, "p10": 1.0, "p25": 2.0, "p50": 3.0,'
    b' "p75": 4.0, "p90": 5.0}, {"region": "DE", "level": "mid", "count": 0}], "meta": {}}'
)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_window_begins_with_neither_a_quarter_nor_a_year(month: int) -> None:
    first, last = window(date(2026, month, 28), 12)
    assert first.month % 3 == 2
    assert (last.year - first.year) * 12 + last.month - first.month == 11
    assert last <= date(2026, month, 28)


def test_both_sides_are_asked_about_the_same_months_and_the_same_role() -> None:
    for asked in ASKED:
        path, statement = asked.path(NAMED), asked.sql(NAMED, "count(*)")
        assert "to=2026-10" in path
        assert "observed_on < '2026-11-01'" in statement
        assert ("role=dev" in path) == ("role_id = 3" in statement) == asked.role


def test_figures_are_compared_group_by_group() -> None:
    ours = figures_of_answer(WIDE, Answer(200, BODY, 1.0))
    theirs = figures_of_rows(WIDE, NAMED, [(1, 5, 4, [1.0, 2.0, 3.0, 4.0, 5.0])])
    assert largest_error(ours, theirs) == 0
    other = figures_of_rows(WIDE, NAMED, [(1, 5, 4, [1.0, 2.0, 3.0, 4.0, 4.0])])
    assert largest_error(ours, other) == 0.25
    with pytest.raises(RuntimeError, match="groups differ"):
        largest_error(ours, {})


def test_an_answer_that_failed_is_not_taken_for_figures() -> None:
    with pytest.raises(RuntimeError, match="status 503"):
        Answer(503, b"{}", 1.0).rows()


def test_a_commit_is_seen_by_the_first_new_answer_before_the_next_commit() -> None:
    assert delays([1.0, 2.0, 3.0], [0.5, 1.25, 3.5]) == [250, 500]


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1000)], 0.99) == 990.0
    with pytest.raises(RuntimeError, match="nothing was measured"):
        percentile([], 0.99)
