"""Pay as yearly full-time amounts: periods, bounds, rounding.

`annual_amount` is the exact reference in decimal arithmetic; `app.rates.pricing.price` does the
same for whole columns and is tested against it.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from math import log
from types import MappingProxyType
from typing import Final

PERIODS_PER_YEAR: Final[Mapping[str, int]] = MappingProxyType(
    {"year": 1, "month": 12, "fortnight": 26, "week": 52, "day": 260, "hour": 2080}
)
"""260 days of work, 2080 hours: 52 weeks of 5 days of 8 hours."""

FTE_FREE_PERIODS: Final = frozenset({"hour", "day"})
"""Periods whose pay does not depend on how many of them are worked: `fte` leaves them alone."""

MIN_ANNUAL: Final = 1_000
MAX_ANNUAL: Final = 10_000_000

ROUNDING_DECIMALS: Final = 6
"""Products are rounded to this many decimals first: binary noise then decides no half."""

TYPICAL_LOW: Final = 12_000
TYPICAL_HIGH: Final = 600_000
TYPICAL: Final = 60_000
"""Where most yearly pay lies, in dollars or euros: good enough to guess what was meant."""

_EXACT: Final = Context(prec=60)


def annual_amount(
    amount: Decimal, pay_period: str, fte: Decimal = Decimal(1), rate: Decimal = Decimal(1)
) -> Decimal:
    """`amount` per `pay_period` as a yearly full-time amount, unrounded.

    `rate` is base currency units for one unit of the amount's currency. Raises KeyError for an
    unknown period and decimal.DivisionByZero for an `fte` of 0: both are refused before.
    """
    yearly = _EXACT.multiply(amount, Decimal(PERIODS_PER_YEAR[pay_period]))
    if pay_period not in FTE_FREE_PERIODS:
        yearly = _EXACT.divide(yearly, fte)
    return _EXACT.multiply(yearly, rate)


def whole(amount: Decimal) -> int:
    """`amount` as a whole number: to 6 decimals first, then halves away from zero.

    Away from zero, because that is what `round(numeric)` of PostgreSQL does and what a reader
    expects of 0.5; the usual alternative (to even) would make 0.5 and 1.5 go different ways.
    """
    steady = amount.quantize(Decimal(1).scaleb(-ROUNDING_DECIMALS), ROUND_HALF_UP, _EXACT)
    return int(steady.quantize(Decimal(1), ROUND_HALF_UP, _EXACT))


def in_bounds(annual: int) -> bool:
    """Whether a whole yearly amount in the base currency is one that is accepted."""
    return MIN_ANNUAL <= annual <= MAX_ANNUAL


def plausible_periods(amount: float, pay_period: str, fte: float = 1, rate: float = 1) -> list[str]:
    """Other periods with which `amount` would be ordinary pay, the likeliest first.

    Arguments as in `annual_amount`, in floating point: this is a hint, not a figure.
    """
    found = {}
    for period, periods in PERIODS_PER_YEAR.items():
        full_time = 1 if period in FTE_FREE_PERIODS or fte <= 0 else fte
        yearly = amount * periods / full_time * rate
        if period != pay_period and TYPICAL_LOW <= yearly <= TYPICAL_HIGH:
            found[period] = abs(log(yearly / TYPICAL))
    return sorted(found, key=found.__getitem__)


def bounds_message(amount: float, pay_period: str, fte: float = 1, rate: float = 1) -> str:
    """What to tell about an amount that is out of bounds, with a hint where there is one."""
    message = (
        f"{amount:.15g} a {pay_period} is outside {MIN_ANNUAL:,} to {MAX_ANNUAL:,} a year "
        "in the base currency"
    )
    likely = plausible_periods(amount, pay_period, fte, rate)
    if not likely:
        return message
    return f"{message}; it looks like pay per {likely[0]}: state pay_period={likely[0]}"
