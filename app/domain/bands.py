"""Pay bands: two percentiles rounded outward to a step, the form of published pay tables."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from app.domain.money import PERIODS_PER_YEAR

YEARLY_STEP: Final = 5_000
"""The usual step of a band, for pay per year."""

_EXACT: Final = Context(prec=60)
_ROUND_DIGITS: Final = (1, 2, 5, 10)


def round_outward(low: float, high: float, step: float) -> tuple[float, float]:
    """The multiples of `step` at or below `low` and at or above `high`, in its currency and period.

    Computed in decimals of the numbers as they are written, so that binary fractions move no edge:
    0.3 is three steps of 0.1. `step` is positive.
    """
    return round_down(low, step), round_up(high, step)


def round_down(amount: float, step: float) -> float:
    """The multiple of `step` at or below `amount`, as `round_outward`; NaN for NaN."""
    return _round(amount, step, ROUND_FLOOR)


def round_up(amount: float, step: float) -> float:
    """The multiple of `step` at or above `amount`, as `round_outward`; NaN for NaN."""
    return _round(amount, step, ROUND_CEILING)


def _round(amount: float, step: float, rounding: str) -> float:
    width = Decimal(repr(step))
    return float((_exact(amount) / width).to_integral_value(rounding, _EXACT) * width)


def usual_step(pay_period: str) -> int:
    """The step for pay per `pay_period`: 5,000 a year, as the nearest 1, 2 or 5 times ten's power.

    500 a month, 200 a fortnight, 100 a week, 20 a day, 2 an hour. Raises KeyError for an unknown
    period.
    """
    share = YEARLY_STEP / PERIODS_PER_YEAR[pay_period]
    power = int("1".ljust(len(str(int(share))), "0"))
    return min((digit * power for digit in _ROUND_DIGITS), key=lambda step: abs(step - share))


def _exact(amount: float) -> Decimal:
    return Decimal(repr(amount))
