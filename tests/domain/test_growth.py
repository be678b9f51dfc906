"""Changes and averages on small examples, by hand."""

import pytest

from app.domain.growth import change, trailing_average


@pytest.mark.parametrize(
    ("now", "before", "fraction"),
    [
        (110.0, 100.0, 0.1),
        (90.0, 120.0, -0.25),
        (100.0, 300.0, -0.666667),
        (100.0, 0.0, None),
        (None, 100.0, None),
        (100.0, None, None),
    ],
)
def test_a_change_is_a_fraction_of_what_was_before(
    now: float | None, before: float | None, fraction: float | None
) -> None:
    assert change(now, before) == fraction


def test_the_average_is_of_a_period_and_the_two_before() -> None:
    figures = {1: 0.03, 2: 0.06, 3: 0.09, 5: 0.01, 9: 0.02}
    averages = {number: trailing_average(figures, number) for number in range(1, 10)}
    assert averages == {
        1: 0.03,
        2: 0.045,
        3: 0.06,
        4: None,
        5: 0.05,  # 4 is missing: of 3 and 5
        6: None,
        7: None,
        8: None,
        9: 0.02,
    }
