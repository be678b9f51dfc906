"""Exact decimal numbers in answers."""

from decimal import Decimal
from typing import Final

LARGEST_INTEGER: Final = 2**53
"""Beyond it clients that read numbers as doubles lose digits."""


def exact_number(value: Decimal | None) -> int | float | str | None:
    """A number that prints exactly as `value` does; its text where a double would lose digits.

    So a client reads 70000 or 37.85 as numbers, and nothing is ever rounded on the way out.
    """
    if value is None:
        return None
    if value == value.to_integral_value() and abs(value) <= LARGEST_INTEGER:
        return int(value)
    double = float(value)
    return double if Decimal(repr(double)) == value else format(value, "f")


def whole_number(value: float | None) -> int | float | None:
    """A count as a whole number; a share of one (an estimate) stays as it is."""
    if value is None or not value.is_integer():
        return value
    return int(value)
