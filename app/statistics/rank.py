"""Where an amount stands among what is paid: its rank, with its error, and its ratio to the median.

Amounts that are asked about are somebody's pay: they are bound to statements, never written into
them, and no message quotes one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from app.core.errors import Refused, UnknownValue
from app.domain.money import (
    MAX_ANNUAL,
    MIN_ANNUAL,
    PERIODS_PER_YEAR,
    in_bounds,
    plausible_periods,
    whole,
)
from app.domain.proportions import share_below, wilson_interval
from app.domain.ranks import rank_among
from app.rates.current import output_rate
from app.statistics.cell_reading import exactly, keeping
from app.statistics.grouping import NO_GROUPS
from app.statistics.measures import (
    PERCENTILE,
    RELEASED_MEASURES,
    Measure,
    Unit,
    get_measure,
)
from app.statistics.queries import OK, Totals, find_statistics
from app.statistics.reading import Reading
from app.statistics.shape import Shape
from app.statistics.statement import MONEY_DECIMALS
from app.statistics.thresholds import count_amounts

EMPTY: Final = "empty"
ABSENT: Final = "absent"
NO_INDEX: Final = "no_index"
_AMOUNT: Final = re.compile(r"\d{1,15}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_LARGEST: Final = 10**15
_SHARE_DECIMALS: Final = 12
"""Of the interval of a rank: without the last bits, so that the upper end of 1 is 1."""

FIGURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("amount", "Amount", Unit.MONEY, "The amount that was asked about.", "amount"),
        Measure(
            "rank",
            "Rank",
            Unit.RATIO,
            "Share of the records below the amount; those that equal it count half. Of a release: "
            "interpolated between its percentiles, null beyond the outermost.",
            "rank",
        ),
        Measure(
            "n",
            "Records",
            Unit.RECORDS,
            "Records with a defined amount; null where a release shows none.",
            "n",
        ),
        Measure(
            "rank_low",
            "Rank, lower bound",
            Unit.RATIO,
            "Lower end of the 95 % interval of the rank (Wilson). Of a release: the next "
            "percentile below.",
            "rank_low",
        ),
        Measure(
            "rank_high",
            "Rank, upper bound",
            Unit.RATIO,
            "Upper end of the 95 % interval of the rank (Wilson). Of a release: the next "
            "percentile above.",
            "rank_high",
        ),
        Measure("p50", "Median", Unit.MONEY, "The median of the records.", "p50"),
        Measure("compa_ratio", "Compa-ratio", Unit.RATIO, "amount / p50.", "compa_ratio"),
    )
}
COLUMNS: Final = (
    *("amount", "currency", "pay_period", "rank", "n", "rank_low", "rank_high"),
    *("p50", "compa_ratio", "status"),
)
_LIVE: Final = Shape(NO_GROUPS, (get_measure("count"), get_measure("p50")))
_RELEASED: Final = Shape(
    NO_GROUPS,
    tuple(
        measure
        for measure in RELEASED_MEASURES
        if measure.name == "count" or PERCENTILE.fullmatch(measure.name)
    ),
)


@dataclass(frozen=True, slots=True)
class Ranks:
    """A row of COLUMNS for each amount, in the order asked, and what they were made of."""

    rows: list[dict[str, Any]]
    totals: Totals


def parse_amount(text: str) -> Fraction:
    """The amount that `text` states, to as many decimals as money is shown with.

    So an amount that a client computed (5940.110000000001) meets the one that it means. Raises
    Refused (422).
    """
    usable = _AMOUNT.fullmatch(text) is not None
    amount = round(Fraction(Decimal(text)), MONEY_DECIMALS) if usable else Fraction(0)
    if not 0 < amount <= _LARGEST:
        raise Refused(
            "amount is a number above zero such as 85000 or 42.5: without currency sign and "
            "thousands separators, with at most 15 digits before the point.",
            code="invalid_amount",
            parameter="amount",
        )
    return amount


async def check_amounts(reading: Reading, amounts: Sequence[Fraction]) -> list[Refused | None]:
    """For each amount the error about one that is no pay in its currency and period, else None.

    The bounds are those of records. Not judged where the currency has no exchange rate.
    """
    conversion, base = reading.conversion, reading.base_currency
    rate = conversion.rate or 1.0
    if conversion.unconverted and conversion.currency != base:
        try:
            on = min(reading.filters.window.last or reading.today, reading.today)
            rate, _ = await output_rate(reading.session, base, conversion.currency, on)
        except UnknownValue:
            return [None for _ in amounts]
    return [implausible(amount, conversion.pay_period, rate) for amount in amounts]


def implausible(amount: Fraction, pay_period: str, rate: float) -> Refused | None:
    """The error about an amount outside the bounds of records, None for one inside.

    `rate` is units of the amount's currency for one of the base currency.
    """
    annual = float(amount) * PERIODS_PER_YEAR[pay_period] / rate
    if in_bounds(whole(Decimal(annual))):
        return None
    message = (
        f"amount is outside {MIN_ANNUAL:,} to {MAX_ANNUAL:,} a year in the base currency when it "
        f"is taken as pay per {pay_period}"
    )
    if likely := plausible_periods(float(amount), pay_period, rate=1 / rate):
        message += f"; it looks like pay per {likely[0]}: state pay_period={likely[0]}"
    return Refused(f"{message}.", code="amount_out_of_bounds", parameter="amount", nearest=likely)


async def find_ranks(reading: Reading, amounts: Sequence[Fraction]) -> Ranks:
    """The ranks of `amounts`, which are in the currency and pay period of the reading.

    What they are made of is read once, however many amounts there are; ranks are exact. Raises
    UnknownValue for codes that are not known, Refused for what a release does not have (422).
    """
    if reading.release is not None:
        return await _released_ranks(reading, amounts)
    reading = keeping(exactly(reading))
    answer = await find_statistics(reading, _LIVE)
    if not answer.totals.records:
        status = NO_INDEX if answer.totals.no_index else EMPTY
        return Ranks(
            [_row(reading, amount, {"status": status}) for amount in amounts], answer.totals
        )
    count, p50 = answer.rows[0][:2]
    thresholds = sorted(set(amounts))
    counts = await count_amounts(reading, thresholds)
    found = {}
    for place, amount in enumerate(thresholds):
        rank = share_below(counts.below[place], counts.equal[place], count)
        low, high = (round(end, _SHARE_DECIMALS) for end in wilson_interval(rank, count))
        found[amount] = {"rank": rank, "n": count, "rank_low": low, "rank_high": high, "p50": p50}
    return Ranks([_row(reading, amount, found[amount]) for amount in amounts], answer.totals)


async def _released_ranks(reading: Reading, amounts: Sequence[Fraction]) -> Ranks:
    answer = await find_statistics(reading, _RELEASED)
    if not answer.rows:
        # A release does not tell hidden groups from empty ones: it is not said that one is empty.
        absent = {"n": None, "status": ABSENT}
        return Ranks([_row(reading, amount, absent) for amount in amounts], answer.totals)
    node = dict(zip(answer.columns, answer.rows[0], strict=False))
    published = {
        float(name[1:]) / 100: at
        for name, at in node.items()
        if PERCENTILE.fullmatch(name) and at is not None
    }
    rows = []
    for amount in amounts:
        rank = rank_among(float(amount), published)
        ends = {"rank": rank.share, "rank_low": rank.low, "rank_high": rank.high}
        rows.append(_row(reading, amount, {**ends, "n": node["count"], "p50": node["p50"]}))
    return Ranks(rows, answer.totals)


def _row(reading: Reading, amount: Fraction, found: Mapping[str, Any]) -> dict[str, Any]:
    p50 = found.get("p50")
    row = {
        **dict.fromkeys(COLUMNS),
        "amount": float(amount),
        "currency": reading.conversion.currency,
        "pay_period": reading.conversion.pay_period,
        "n": 0,
        "compa_ratio": float(amount) / p50 if p50 else None,
        "status": OK,
    }
    return {**row, **found}
