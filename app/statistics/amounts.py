"""Which amount of a record a figure is about, as SQL."""

from typing import Final

from app.domain.money import FTE_FREE_PERIODS, PERIODS_PER_YEAR, ROUNDING_DECIMALS
from app.domain.vocabulary import PAY_PERIODS

_ANNUAL: Final = {"mid": "r.annual_amount", "low": "r.annual_low", "high": "r.annual_high"}
_PAID: Final = {
    "mid": "(r.amount_min + r.amount_max) / 2",
    "low": "r.amount_min",
    "high": "r.amount_max",
}
# Pay whose rate is pending counts as paid; what was out of bounds once it was priced does not.
_WITHIN_BOUNDS: Final = "(r.rate_pending OR coalesce(r.annual_low, r.annual_high) IS NOT NULL)"


def amount_sql(bound: str, *, native: bool) -> str:
    """The yearly full-time amount at `bound` (mid, low, high), null if undefined.

    In the base currency and whole as it is stored, or (`native`) in the currency of the record,
    unconverted: then computed here as `app.domain.money.annual_amount` does, and not made whole,
    so that 25.49 an hour, asked per hour, are 25.49. Records are called `r`.
    """
    if not native:
        return _ANNUAL[bound]
    periods = " ".join(
        f"WHEN {PAY_PERIODS[word]} THEN {number}" for word, number in PERIODS_PER_YEAR.items()
    )
    free = ", ".join(str(PAY_PERIODS[word]) for word in sorted(FTE_FREE_PERIODS))
    full_time = f"CASE WHEN r.pay_period IN ({free}) THEN 1 ELSE r.fte END"
    yearly = f"{_PAID[bound]} * CASE r.pay_period {periods} END / {full_time}"
    # As floating point: amounts in small currencies exceed 32 bits, absurd ones 64.
    return f"CASE WHEN {_WITHIN_BOUNDS} THEN round({yearly}, {ROUNDING_DECIMALS})::float8 END"
