"""Periods, rounding and bounds of pay; currency codes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.currencies import (
    REPLACED_ON,
    Standing,
    judge_currencies,
    judge_currency,
    known_currencies,
)
from app.domain.money import (
    FTE_FREE_PERIODS,
    PERIODS_PER_YEAR,
    annual_amount,
    bounds_message,
    in_bounds,
    plausible_periods,
    whole,
)
from app.domain.vocabulary import PAY_PERIODS, UNSPECIFIED

AMOUNTS = st.decimals("0.01", "1000000", places=2)
FTES = st.decimals("0.05", "1", places=2)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("year", 100),
        ("month", 1_200),
        ("fortnight", 2_600),
        ("week", 5_200),
        ("day", 26_000),
        ("hour", 208_000),
    ],
)
def test_a_hundred_per_period(period: str, expected: int) -> None:
    assert annual_amount(Decimal(100), period) == expected


def test_every_period_of_the_vocabulary_has_a_factor() -> None:
    assert set(PERIODS_PER_YEAR) == set(PAY_PERIODS) - {UNSPECIFIED}


def test_part_time_is_scaled_up_where_pay_depends_on_time_worked() -> None:
    half = Decimal("0.5")
    assert annual_amount(Decimal(30_000), "year", half) == 60_000
    assert annual_amount(Decimal(40), "hour", half) == annual_amount(Decimal(40), "hour")
    assert annual_amount(Decimal(400), "day", half) == annual_amount(Decimal(400), "day")


def test_an_unknown_period_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        annual_amount(Decimal(1), "decade")


@given(AMOUNTS, st.sampled_from(sorted(PERIODS_PER_YEAR)), FTES)
def test_a_yearly_amount_goes_back_to_its_period(
    amount: Decimal, period: str, fte: Decimal
) -> None:
    full_time = Decimal(1) if period in FTE_FREE_PERIODS else fte
    back = annual_amount(amount, period, fte) * full_time / PERIODS_PER_YEAR[period]
    assert abs(back - amount) < Decimal("1e-15")


@given(AMOUNTS, st.decimals("0.0001", "1000", places=4))
def test_a_rate_and_its_inverse_give_the_amount_back(amount: Decimal, rate: Decimal) -> None:
    there = annual_amount(amount, "year", rate=rate)
    back = annual_amount(there, "year", rate=1 / rate)
    assert abs(back - amount) < Decimal("1e-15")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("0.5", 1),
        ("1.5", 2),
        ("2.5", 3),
        ("-0.5", -1),
        ("2.4999", 2),
        # What a binary product makes of a half still counts as one.
        ("2.49999999999", 3),
        ("78728.0000000001", 78_728),
    ],
)
def test_halves_go_away_from_zero(amount: str, expected: int) -> None:
    assert whole(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("annual", "expected"),
    [(999, False), (1_000, True), (10_000_000, True), (10_000_001, False)],
)
def test_bounds_are_inclusive(annual: int, expected: bool) -> None:
    assert in_bounds(annual) is expected


def test_an_hourly_wage_given_as_a_year_is_recognised() -> None:
    assert plausible_periods(37.85, "year") == ["hour"]
    assert "looks like pay per hour" in bounds_message(37.85, "year")


def test_a_yearly_salary_given_as_an_hour_is_recognised() -> None:
    assert plausible_periods(85_000, "hour")[0] == "year"


def test_a_hint_counts_in_the_base_currency() -> None:
    """3,000 yen are an hour's pay, though 3,000 dollars are a month's."""
    assert plausible_periods(3_000, "year", rate=0.0067) == ["hour"]
    assert plausible_periods(3_000, "year")[0] in {"fortnight", "month"}


def test_no_hint_where_no_period_makes_sense() -> None:
    assert plausible_periods(1e308, "year") == []
    assert "looks like" not in bounds_message(0.0001, "year")


@pytest.mark.parametrize("code", ["USD", "EUR", "CLP", "XOF", "CLF", *REPLACED_ON])
def test_currencies_that_are_accepted(code: str) -> None:
    verdict = judge_currency(code)
    assert verdict.known
    assert verdict.code == code
    assert verdict.message == ""


def test_case_and_white_space_do_not_count() -> None:
    assert judge_currency(" usd ").code == "USD"


@pytest.mark.parametrize(
    ("code", "successor"),
    [
        ("TRL", "TRY"),
        ("ROL", "RON"),
        ("MXP", "MXN"),
        ("PLZ", "PLN"),
        ("RUR", "RUB"),
        ("BRC", "BRL"),
    ],
)
def test_redenominated_currencies_name_their_successor(code: str, successor: str) -> None:
    verdict = judge_currency(code)
    assert verdict.standing is Standing.REDENOMINATED
    assert verdict.nearest == (successor,)
    assert successor in verdict.message


@pytest.mark.parametrize("code", ["DEM", "FRF", "ITL", "XEU"])
def test_currencies_that_ended_before_there_were_rates_name_the_euro(code: str) -> None:
    verdict = judge_currency(code)
    assert verdict.standing is Standing.CEASED
    assert verdict.nearest == ("EUR",)


def test_a_currency_pair_is_not_a_currency() -> None:
    verdict = judge_currency("AUD/NZD")
    assert verdict.standing is Standing.UNKNOWN
    assert verdict.message == "'AUD/NZD' is not one currency: state either AUD or NZD"


@pytest.mark.parametrize(
    "text", ["XXX", "XTS", "XAU", "", "US", "dollars", "\x00", "\ud800", "§" * 500]
)
def test_what_is_no_money_is_unknown_and_has_a_short_message(text: str) -> None:
    verdict = judge_currency(text)
    assert verdict.standing is Standing.UNKNOWN
    assert verdict.nearest
    assert len(verdict.message) < 300


def test_a_typo_names_what_was_meant() -> None:
    assert "USD" in judge_currency("USDD").nearest


def test_every_successor_is_accepted_itself() -> None:
    gone = ["TRL", "ROL", "BGL", "HRD", "ZWL", "ANG", "CSD", "DEM", "VEF", "SLL", "CUC", "ECS"]
    successors = {judge_currency(code).nearest[0] for code in gone}
    assert successors <= known_currencies()
    assert not known_currencies() & set(gone)


def test_one_verdict_per_distinct_code() -> None:
    verdicts = judge_currencies(["USD", "USD", "TRL"])
    assert {code: verdict.known for code, verdict in verdicts.items()} == {
        "USD": True,
        "TRL": False,
    }
