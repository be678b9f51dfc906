"""From yearly amounts as they are stored to the currency and pay period that were asked."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.money import PERIODS_PER_YEAR
from app.rates.current import find_output_rate
from app.statistics.basis import Basis
from app.statistics.filters import Filters


@dataclass(frozen=True, slots=True)
class Conversion:
    """What figures are multiplied with, and why.

    `rate` is units of `currency` for one unit of the base currency, of the day `rate_on`; both are
    None where nothing was converted. `unconverted` says that amounts are as they were paid.
    """

    currency: str
    pay_period: str
    rate: float | None
    rate_on: date | None
    unconverted: bool

    @property
    def factor(self) -> float:
        """From yearly amounts in the base or native currency to the figures shown."""
        return (self.rate or 1.0) / PERIODS_PER_YEAR[self.pay_period]


async def find_conversion(
    session: AsyncSession, stamp: str, base: str, filters: Filters, basis: Basis, today: date
) -> Conversion:
    """The conversion of an answer: one rate, of the end of the window or the last one before.

    So figures of a closed window stay what they are. `stamp` is the epoch's in the session's
    snapshot. Raises UnknownValue (422) for currencies without a rate.
    """
    currency = basis.currency or base
    as_paid = filters.paid_in == (currency,)
    rate, rate_on = None, None
    if currency != base and not as_paid:
        on = min(filters.window.last or today, today)
        rate, rate_on = await find_output_rate(session, stamp, base, currency, on)
    return Conversion(currency, basis.pay_period, rate, rate_on, as_paid)
