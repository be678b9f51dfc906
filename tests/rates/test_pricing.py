"""Pricing of columns: which rate holds, and that it equals the exact reference."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import PERIODS_PER_YEAR, annual_amount, in_bounds, whole
from app.domain.vocabulary import PAY_PERIODS
from app.rates.pricing import EPOCH, Quotes, RateTable, build_rate_table, price

FRIDAY = date(2023, 3, 31)


def quotes(*pairs: tuple[date, float]) -> Quotes:
    days = np.array([(day - EPOCH).days for day, _ in pairs], np.int64)
    return days, np.array([per_eur for _, per_eur in pairs], np.float64)


def table(base: str = "USD") -> RateTable:
    """Dollar and pound daily to a Friday, krona with a hole, kuna until it was replaced."""
    every_day = [FRIDAY - timedelta(days=back) for back in range(199, -1, -1)]
    working = [day for day in every_day if day.weekday() < 5]
    return build_rate_table(
        base,
        {
            "USD": quotes(*((day, 1.25) for day in working)),
            "GBP": quotes(*((day, 0.8 + place / 10_000) for place, day in enumerate(working))),
            "ISK": quotes((working[0], 150.0), (working[-1], 140.0)),
            "HRK": quotes(*((day, 7.5) for day in working if day < date(2022, 12, 31))),
        },
    )


RATES = table()


@pytest.mark.parametrize(
    ("currency", "day", "rate_on"),
    [
        ("EUR", FRIDAY, FRIDAY),
        ("GBP", date(2023, 3, 26), date(2023, 3, 24)),  # a Sunday has the Friday's
        ("HRK", date(2022, 12, 31), date(2022, 12, 30)),  # the weekend before it was replaced
        ("HRK", date(2023, 1, 1), date(2022, 12, 30)),
        ("HRK", FRIDAY, FRIDAY),  # fixed to the euro, whose own rate goes on
    ],
)
def test_the_rate_of_the_day_or_the_last_one_before(
    currency: str, day: date, rate_on: date
) -> None:
    found = RATES.find(currency, day)
    assert found is not None
    assert found[1] == rate_on


@pytest.mark.parametrize(
    ("currency", "day"),
    [
        ("EUR", FRIDAY + timedelta(days=1)),  # the weekend after the newest rate is not known yet
        ("EUR", FRIDAY + timedelta(days=4_000)),
        ("EUR", date(2022, 9, 1)),  # before the first rate
        ("EUR", date(1, 1, 1)),
        ("ISK", date(2022, 12, 1)),  # in a hole of more than 31 days
        ("CLP", FRIDAY),  # no rates at all
        ("HRK", date(2022, 9, 1)),
        ("HRK", date(2040, 1, 1)),  # what the euro will be worth then is not known yet
    ],
)
def test_days_without_a_rate(currency: str, day: date) -> None:
    assert RATES.find(currency, day) is None


def test_a_hole_of_31_days_is_bridged_and_not_of_32() -> None:
    first = date(2023, 1, 2)
    last = first + timedelta(days=60)
    rates = build_rate_table(
        "USD", {"USD": quotes((first, 1.0), (last, 1.0)), "ISK": quotes((first, 9.0), (last, 8.0))}
    )
    assert rates.find("ISK", first + timedelta(days=31)) == (1 / 9, first)
    assert rates.find("ISK", first + timedelta(days=32)) is None


def test_a_currency_that_will_be_replaced_is_an_ordinary_one_until_then() -> None:
    """Rates that end in June 2022 do not say what the kuna's last rate will be."""
    june = date(2022, 6, 30)
    rates = build_rate_table("USD", {"USD": quotes((june, 1.0)), "HRK": quotes((june, 7.5))})
    assert rates.find("HRK", june) is not None
    assert rates.find("HRK", date(2022, 7, 1)) is None
    assert rates.find("HRK", date(2024, 1, 1)) is None


def test_a_replaced_currency_follows_the_euro() -> None:
    last, later = date(2022, 12, 30), date(2025, 6, 2)
    rates = build_rate_table(
        "USD", {"USD": quotes((last, 1.0), (later, 1.2)), "HRK": quotes((last, 7.5))}
    )
    assert rates.find("HRK", last) == (1.0 / 7.5, last)
    assert rates.find("HRK", later) == (1.2 / 7.5, later)


def test_a_replaced_currency_whose_rates_stop_early_has_no_last_rate() -> None:
    rates = build_rate_table(
        "USD",
        {
            "USD": quotes((date(2022, 6, 30), 1.0), (date(2023, 6, 30), 1.0)),
            "HRK": quotes((date(2022, 6, 30), 7.5)),
        },
    )
    assert rates.find("HRK", date(2023, 6, 30)) is None


def test_rates_cross_through_the_euro() -> None:
    assert RATES.find("EUR", FRIDAY) == (1.25, FRIDAY)
    euro = table("EUR").find("USD", FRIDAY)
    assert euro == (0.8, FRIDAY)
    pound = RATES.find("GBP", FRIDAY)
    back = table("GBP").find("USD", FRIDAY)
    assert pound is not None
    assert back is not None
    assert pound[0] * back[0] == pytest.approx(1)


@pytest.mark.parametrize("base", ["USD", "EUR", "CLP"])
def test_the_base_currency_needs_no_rate(base: str) -> None:
    assert table(base).find(base, date(1900, 1, 1)) == (1.0, None)
    assert build_rate_table(base, {}).find("GBP", FRIDAY) is None


def frame(**columns: Any) -> pl.DataFrame:
    row = {
        "currency": "USD",
        "pay_period": "year",
        "fte": 1.0,
        "amount_min": 50_000.0,
        "amount_max": 50_000.0,
        "observed_on": FRIDAY,
    }
    return pl.DataFrame(
        [row | columns],
        schema_overrides={"amount_min": pl.Float64, "amount_max": pl.Float64, "fte": pl.Float64},
    )


def priced(**columns: Any) -> dict[str, Any]:
    return price(frame(**columns), RATES).row(0, named=True)


def test_a_point_in_the_base_currency() -> None:
    row = priced(extra="kept")
    assert (row["annual_low"], row["annual_high"], row["annual_amount"]) == (50_000,) * 3
    assert (row["rate"], row["rate_on"]) == (None, None)
    assert not row["rate_pending"]
    assert not row["out_of_bounds"]
    assert row["extra"] == "kept"


def test_the_middle_is_of_the_unrounded_bounds() -> None:
    row = priced(amount_min=10_000.3, amount_max=10_001.3)
    assert (row["annual_low"], row["annual_high"]) == (10_000, 10_001)
    assert row["annual_amount"] == 10_001  # 10,000.8


def test_a_range_with_one_bound_has_no_middle() -> None:
    row = priced(amount_max=None)
    assert (row["annual_low"], row["annual_high"], row["annual_amount"]) == (50_000, None, None)
    assert not row["out_of_bounds"]


def test_a_pending_record_has_no_annual_amounts_and_is_not_out_of_bounds() -> None:
    row = priced(currency="CLP", amount_min=1e300)
    assert row["rate_pending"]
    assert not row["out_of_bounds"]
    assert (row["annual_low"], row["annual_amount"], row["rate"]) == (None, None, None)


@pytest.mark.parametrize(
    "amount", [999.49, 10_000_000.5, 0.0, -5e4, 1e308, float("inf"), float("nan")]
)
def test_out_of_bounds(amount: float) -> None:
    row = priced(amount_min=amount)
    assert row["out_of_bounds"]
    assert (row["annual_low"], row["annual_high"], row["annual_amount"]) == (None,) * 3


@pytest.mark.parametrize("amount", [999.5, 10_000_000.4])
def test_bounds_are_those_of_the_whole_amount(amount: float) -> None:
    assert not priced(amount_min=amount, amount_max=amount)["out_of_bounds"]


def test_an_fte_of_nothing_is_out_of_bounds_and_a_missing_one_is_full_time() -> None:
    assert priced(fte=0.0)["out_of_bounds"]
    assert priced(fte=None)["annual_amount"] == 50_000


def test_stored_codes_price_as_words_do() -> None:
    words = pl.concat([frame(pay_period=word, amount_min=90.0) for word in PERIODS_PER_YEAR])
    codes = words.with_columns(
        pl.col("pay_period").replace_strict(dict(PAY_PERIODS), return_dtype=pl.Int16)
    )
    drop = pl.exclude("pay_period")
    assert price(words, RATES).select(drop).equals(price(codes, RATES).select(drop))


def test_no_rows_are_no_rows() -> None:
    assert price(frame().clear(), RATES).height == 0


def test_binary_noise_decides_no_half() -> None:
    """1,290 euro at 1.15 are 1,483.5 dollars, and in floating point 1,483.4999999999998."""
    rates = build_rate_table("USD", {"USD": quotes((FRIDAY, 1.15))})
    euros = frame(currency="EUR", amount_min=1_290.0, amount_max=1_290.0)
    assert price(euros, rates)["annual_amount"].to_list() == [1_484]


@given(
    amount=st.decimals("0.01", "2000000", places=2),
    width=st.decimals("0", "1000", places=2),
    period=st.sampled_from(sorted(PERIODS_PER_YEAR)),
    fte=st.decimals("0.05", "1", places=2),
    currency=st.sampled_from(["USD", "EUR", "GBP", "HRK", "CLP"]),
    back=st.integers(0, 150),
)
def test_columns_equal_the_exact_reference(
    amount: Decimal, width: Decimal, period: str, fte: Decimal, currency: str, back: int
) -> None:
    day = FRIDAY - timedelta(days=back)
    row = price(
        frame(
            currency=currency,
            pay_period=period,
            fte=float(fte),
            amount_min=float(amount),
            amount_max=float(amount + width),
            observed_on=day,
        ),
        RATES,
    ).row(0, named=True)
    found = RATES.find(currency, day)
    assert row["rate_pending"] == (found is None)
    if found is None:
        return
    rate = Decimal(found[0])
    low = annual_amount(amount, period, fte, rate)
    high = annual_amount(amount + width, period, fte, rate)
    outside = not (in_bounds(whole(low)) and in_bounds(whole(high)))
    assert row["out_of_bounds"] == outside
    if not outside:
        expected = [whole(low), whole(high), whole((low + high) / 2)]
        assert [row["annual_low"], row["annual_high"], row["annual_amount"]] == expected
