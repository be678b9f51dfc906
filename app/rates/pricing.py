"""Pay in any currency and period to whole yearly amounts in the base currency, by columns.

Which rate holds on a day:

- the rate of that day or the last one before it, if that is at most 31 days older;
- a day after the currency's newest loaded rate is not known yet, be it a weekend;
- a currency that the euro replaced keeps its last rate to the euro, so that its later days follow
  the euro's rate to the base;
- otherwise there is none: the record is `rate_pending` until rates arrive.

This module loads polars and numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from app.domain.currencies import REPLACED_ON
from app.domain.money import (
    FTE_FREE_PERIODS,
    MAX_ANNUAL,
    MIN_ANNUAL,
    PERIODS_PER_YEAR,
    ROUNDING_DECIMALS,
)
from app.domain.vocabulary import PAY_PERIODS

MAX_AGE_DAYS: Final = 31
EURO: Final = "EUR"
EPOCH: Final = date(1970, 1, 1)

Days = npt.NDArray[np.int64]
"""Days since 1970-01-01."""
Quotes = tuple[Days, npt.NDArray[np.float64]]
"""Days in order, and units of the currency for one euro on each."""


@dataclass(frozen=True, eq=False)
class RateTable:
    """Rates to `base` for every currency and day, as one flat column each.

    Row 0 of places belongs to currencies without rates, row i to those of `rows`; a row has one
    place per day from `first_day` (before any rate) on, the last place stands for all later days.
    Some 10,000 days of 43 currencies take 5 MB.
    """

    base: str
    first_day: int
    days: int
    rows: Mapping[str, int]
    rate: pl.Series
    rate_on: pl.Series

    def find(self, currency: str, on: date) -> tuple[float, date | None] | None:
        """Base units for one unit, and the day of that rate; None where there is none.

        The base currency itself gives (1.0, None).
        """
        if currency == self.base:
            return 1.0, None
        rate, rate_on = self.columns(pl.Series([currency]), pl.Series([on]))
        return None if rate[0] is None else (rate[0], rate_on[0])

    def columns(self, currency: pl.Series, observed_on: pl.Series) -> tuple[pl.Series, pl.Series]:
        """`rate` (Float64) and `rate_on` (Date) for equally long columns; null where none."""
        row = currency.cast(pl.String).replace_strict(
            dict(self.rows), default=0, return_dtype=pl.Int32
        )
        day = (observed_on.to_physical() - self.first_day).clip(0, self.days - 1)
        place = (row * self.days + day).cast(pl.UInt32)
        return self.rate.gather(place).alias("rate"), self.rate_on.gather(place).alias("rate_on")


def build_rate_table(base: str, quotes: Mapping[str, Quotes]) -> RateTable:
    """The table of all days from the ECB's quotes per currency (the euro is not among them)."""
    series = _to_base(base, quotes)
    all_days = np.concatenate([days for days, _ in series.values()] or [np.zeros(1, np.int64)])
    first_day = int(all_days.min()) - 1
    # One day past the newest: the place of all that is not known yet.
    asked = np.arange(first_day, int(all_days.max()) + 2)
    found = [_found(asked, *series[code]) for code in sorted(series)]
    nothing = (np.full(len(asked), np.nan), np.zeros(len(asked), np.int64))
    rate = pl.Series(np.concatenate([nothing[0], *(rates for rates, _ in found)]))
    rate_on = pl.Series(np.concatenate([nothing[1], *(days for _, days in found)]))
    known = rate.is_not_nan()
    frame = pl.DataFrame({"rate": rate, "rate_on": rate_on.cast(pl.Int32).cast(pl.Date)})
    frame = frame.select(pl.when(known).then(pl.all()))
    rows = {code: row for row, code in enumerate(sorted(series), start=1)}
    return RateTable(base, first_day, len(asked), rows, frame["rate"], frame["rate_on"])


def _to_base(base: str, quotes: Mapping[str, Quotes]) -> dict[str, Quotes]:
    """Per currency the days on which it and the base are quoted, and base units for one unit."""
    everywhere = np.unique(np.concatenate([days for days, _ in quotes.values()] or [_none()]))
    lasting = {code: _lasting(code, series, everywhere) for code, series in quotes.items()}
    quoted = {**lasting, EURO: (everywhere, np.ones(len(everywhere)))}
    base_days, per_eur_of_base = quoted.get(base, (_none(), np.zeros(0)))
    found = {}
    for code, (days, per_eur) in quoted.items():
        both, in_base, in_code = np.intersect1d(base_days, days, return_indices=True)
        if code != base and len(both):
            found[code] = (both, per_eur_of_base[in_base] / per_eur[in_code])
    return found


def _none() -> Days:
    return np.zeros(0, np.int64)


def _lasting(code: str, quotes: Quotes, everywhere: Days) -> Quotes:
    """The quotes of a replaced currency, its last one repeated on all later days of the others.

    Not where the loaded rates stop before the replacement, or its own stop long before it.
    """
    days, per_eur = quotes
    replaced_on = REPLACED_ON.get(code)
    if replaced_on is None or not len(days):
        return quotes
    later = everywhere[everywhere >= (replaced_on - EPOCH).days]
    if not len(later) or (replaced_on - EPOCH).days - days[-1] > MAX_AGE_DAYS:
        return quotes
    later = later[later > days[-1]]
    return np.concatenate([days, later]), np.concatenate(
        [per_eur, np.repeat(per_eur[-1], len(later))]
    )


def _found(
    asked: Days, days: Days, rates: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], Days]:
    """For each day asked: the rate (NaN for none) and its day."""
    last = np.searchsorted(days, asked, side="right") - 1
    at = np.maximum(last, 0)
    known = (last >= 0) & (asked - days[at] <= MAX_AGE_DAYS) & (asked <= days[-1])
    return np.where(known, rates[at], np.nan), days[at]


def price(frame: pl.DataFrame, rates: RateTable) -> pl.DataFrame:
    """`frame` with what its amounts are a year, full-time, in the base currency of `rates`.

    Takes `currency` (ISO code), `pay_period` (word or stored code), `fte` (null: 1),
    `amount_min` and `amount_max` (null: no such bound; a point has both) and `observed_on`
    (Date). Adds or replaces

    - `rate` (Float64) and `rate_on` (Date): both null for the base currency and while pending;
    - `rate_pending` (Boolean);
    - `annual_low`, `annual_high` and `annual_amount`, the middle (Int32): null where the bound is
      absent, the rate is pending, the period is unknown or an amount is out of bounds;
    - `out_of_bounds` (Boolean): a yearly bound is outside of what is accepted.
    """
    rate, rate_on = rates.columns(frame["currency"], frame["observed_on"])
    priced = frame.with_columns(rate, rate_on).with_columns(
        rate_pending=pl.col("currency").ne_missing(rates.base) & pl.col("rate").is_null()
    )
    factor = _per_year(priced.schema["pay_period"]) * pl.when(
        pl.col("currency") == rates.base
    ).then(1.0).otherwise(pl.col("rate"))
    low, high = pl.col("amount_min") * factor, pl.col("amount_max") * factor
    bounds = priced.select(_low=low, _high=high, _middle=(low + high) / 2).select(_whole(pl.all()))
    outside = pl.any_horizontal(
        ~pl.col(name).is_between(MIN_ANNUAL, MAX_ANNUAL).fill_null(True)
        for name in ("_low", "_high")
    )
    return (
        priced.hstack(bounds)
        .with_columns(out_of_bounds=outside)
        .with_columns(
            _kept("_low").alias("annual_low"),
            _kept("_high").alias("annual_high"),
            _kept("_middle").alias("annual_amount"),
        )
        .drop("_low", "_high", "_middle")
    )


def _per_year(dtype: pl.DataType) -> pl.Expr:
    """What an amount is multiplied with for a year of full-time work; null: unknown period."""
    words = dict(PERIODS_PER_YEAR)
    coded = {PAY_PERIODS[word]: periods for word, periods in words.items()}
    period = pl.col("pay_period")
    if dtype.is_integer():
        periods = period.replace_strict(coded, default=None, return_dtype=pl.Float64)
        free = period.is_in([PAY_PERIODS[word] for word in FTE_FREE_PERIODS])
    else:
        periods = period.replace_strict(words, default=None, return_dtype=pl.Float64)
        free = period.is_in(sorted(FTE_FREE_PERIODS))
    return periods / pl.when(free).then(1.0).otherwise(pl.col("fte").cast(pl.Float64).fill_null(1))


def _whole(amount: pl.Expr) -> pl.Expr:
    """As `app.domain.money.whole`."""
    return amount.round(ROUNDING_DECIMALS).round(0, mode="half_away_from_zero")


def _kept(name: str) -> pl.Expr:
    return pl.when(~pl.col("out_of_bounds")).then(pl.col(name)).cast(pl.Int32)
