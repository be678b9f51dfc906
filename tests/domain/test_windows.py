"""Windows a year apart, and periods that a window cuts."""

from datetime import date

import pytest

from app.domain.dates import ALL_TIME, Window
from app.domain.periods import number_of_label
from app.domain.windows import is_cut, year_earlier


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2025-01-01", "2025-12-31", ("2024-01-01", "2024-12-31")),
        # A month of a leap year is compared as a whole, in both directions.
        ("2025-02-01", "2025-02-28", ("2024-02-01", "2024-02-29")),
        ("2024-02-01", "2024-02-29", ("2023-02-01", "2023-02-28")),
        ("2024-02-29", "2024-03-15", ("2023-02-28", "2023-03-15")),
    ],
)
def test_a_year_earlier(first: str, last: str, before: tuple[str, str]) -> None:
    window = Window(date.fromisoformat(first), date.fromisoformat(last))
    assert year_earlier(window) == Window(*(date.fromisoformat(day) for day in before))


def test_open_sides_stay_open() -> None:
    assert year_earlier(ALL_TIME) == ALL_TIME
    assert year_earlier(Window(None, date(2025, 6, 30))) == Window(None, date(2024, 6, 30))


def test_periods_that_a_window_cuts() -> None:
    window = Window(date(2025, 2, 1), date(2025, 5, 15))
    cut = {
        label: is_cut(window, number_of_label(label, "quarter"), "quarter")
        for label in ("2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3")
    }
    assert cut == {"2024-Q4": False, "2025-Q1": True, "2025-Q2": True, "2025-Q3": False}
    assert not is_cut(window, number_of_label("2025-02", "month"), "month")
    assert is_cut(window, number_of_label("2025-05", "month"), "month")
    assert not is_cut(ALL_TIME, number_of_label(2025, "year"), "year")
