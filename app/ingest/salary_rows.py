"""Salary rows: words, amounts and currencies judged, and pay made comparable."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from app.domain.currencies import CurrencyVerdict, Standing, judge_currencies
from app.domain.folding import fold
from app.domain.money import bounds_message
from app.domain.vocabulary import (
    EMPLOYMENT_TYPES,
    PAY_KINDS,
    PAY_PERIODS,
    UNSPECIFIED,
    WORK_MODES,
    word_of,
)
from app.ingest.checks import Checks, Explain, same
from app.ingest.meanings import Meanings, replaced, resolved
from app.ingest.numbers import check_number
from app.rates.pricing import RateTable, price

PERIODS: Final = {word: code for word, code in PAY_PERIODS.items() if word != UNSPECIFIED}
VOCABULARIES: Final = {
    "employment_type": EMPLOYMENT_TYPES,
    "work_mode": WORK_MODES,
    "pay_kind": PAY_KINDS,
    "pay_period": PERIODS,
}
CURRENCY_CODES: Final = {
    Standing.REDENOMINATED: "currency_redenominated",
    Standing.CEASED: "currency_ceased",
    Standing.UNKNOWN: "unknown_currency",
}


def check_salaries(checks: Checks, meanings: Meanings, rates: RateTable) -> None:
    """The rules of pay. Leaves priced rows; `amount_min`, `amount_max` and `fte` stay text."""
    for name, words in VOCABULARIES.items():
        check_word(checks, meanings, name, words)
    check_currency(checks)
    _check_amounts(checks)
    checks.drop_rejected()
    _price(checks, rates)


def check_word(checks: Checks, meanings: Meanings, name: str, words: Mapping[str, int]) -> None:
    """`name` as its code, 0 (or 'year') where not stated; an unknown word rejects the row."""

    def find(text: str) -> int | None:
        return words.get(fold(text).replace("-", "_").replace(" ", "_"))

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return meanings.explain_word(name, words, row[name])

    default = PERIODS["year"] if name == "pay_period" else 0
    if checks[name].null_count() == checks.frame.height:
        checks.add(**{name: pl.lit(default, dtype=pl.Int16)})
        return
    codes = resolved(checks[name], find, pl.Int16)
    checks.reject(codes.is_null() & checks[name].is_not_null(), name, explain)
    checks.add(**{name: codes.fill_null(default)})


def check_currency(checks: Checks) -> None:
    """`currency` as an ISO code that is money today, or was until the euro replaced it."""
    verdicts = judge_currencies(checks["currency"].drop_nulls().unique())

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        verdict: CurrencyVerdict = verdicts[row["currency"]]
        return CURRENCY_CODES[verdict.standing], f"{verdict.message}."

    known = {text: verdict.code for text, verdict in verdicts.items() if verdict.known}
    codes = replaced(checks["currency"], known, pl.String)
    checks.reject(codes.is_null() & checks["currency"].is_not_null(), "currency", explain)
    checks.add(currency=codes)


def _check_amounts(checks: Checks) -> None:
    for name in ("amount", "amount_min", "amount_max"):
        check_number(checks, name, positive=True)
    both = pl.col("amount").is_not_null() & (
        pl.col("amount_min").is_not_null() | pl.col("amount_max").is_not_null()
    )
    message = "State either amount, or amount_min and amount_max."
    checks.reject(checks.test(both), "amount", same("amount_and_range", message))
    reversed_ = pl.col("amount_min_number") > pl.col("amount_max_number")
    message = "amount_min is above amount_max."
    checks.reject(checks.test(reversed_), "amount_min", same("min_above_max", message))
    check_number(checks, "fte", positive=True)
    message = "The full-time equivalent must be more than 0 and at most 1."
    checks.reject(checks.test(pl.col("fte_number") > 1), "fte", same("invalid_fte", message))


def _price(checks: Checks, rates: RateTable) -> None:
    frame = checks.frame.with_columns(
        low_text=pl.coalesce("amount_min", "amount"),
        high_text=pl.coalesce("amount_max", "amount"),
        fte_text=pl.col("fte").fill_null("1"),
        fte=pl.col("fte_number"),
        amount_min=pl.coalesce("amount_min_number", "amount_number"),
        amount_max=pl.coalesce("amount_max_number", "amount_number"),
    )
    checks.frame = price(frame, rates)
    _reject_out_of_bounds(checks, rates)
    checks.drop_rejected()
    checks.add(
        amount_min=pl.col("low_text"), amount_max=pl.col("high_text"), fte=pl.col("fte_text")
    )


def _reject_out_of_bounds(checks: Checks, rates: RateTable) -> None:
    """Each row once, under the first of its fields that is outside."""
    outside = checks.test(pl.col("out_of_bounds"))
    if not outside.any():
        return
    low = checks.frame.with_columns(amount_max=pl.lit(None, dtype=pl.Float64))
    low_outside = price(low, rates)["out_of_bounds"]
    point = checks.test(pl.col("amount").is_not_null())
    for bad, name in (
        (outside & point, "amount"),
        (outside & ~point & low_outside, "amount_min"),
        (outside & ~point & ~low_outside, "amount_max"),
    ):
        checks.reject(bad, name, _explain_bounds(name))


def _explain_bounds(name: str) -> Explain:
    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        period = word_of(PAY_PERIODS, row["pay_period"])
        amount, fte = row[f"{name}_number"], row["fte"] or 1.0
        message = bounds_message(amount, period, fte, row["rate"] or 1.0)
        return "amount_out_of_bounds", f"{message}."

    return explain
