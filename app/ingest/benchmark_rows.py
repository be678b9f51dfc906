"""Benchmark rows: published figures as they were published."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from app.domain.dates import Interval, parse_period
from app.ingest.checks import Checks, same
from app.ingest.demand_rows import array_text
from app.ingest.meanings import Meanings, replaced, resolved
from app.ingest.numbers import check_number
from app.ingest.salary_rows import PERIODS, check_currency, check_word

FIGURES: Final = ("low", "high", "mean", "p10", "p25", "p50", "p75", "p90")
SHARES: Final = ("rse", "employment")
SOC: Final = r"^[0-9]{2}-[0-9]{4}$"
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def check_benchmarks(checks: Checks, meanings: Meanings) -> None:
    """The rules of published figures. Figures stay text, `top_coded` becomes an array's text."""
    check_word(checks, meanings, "pay_period", PERIODS)
    check_currency(checks)
    _check_occupation(checks, meanings)
    _check_period(checks, meanings)
    for name in FIGURES:
        check_number(checks, name, positive=True)
    for name in SHARES:
        check_number(checks, name, positive=False)
    reversed_ = checks.test(pl.col("low_number") > pl.col("high_number"))
    checks.reject(reversed_, "low", same("min_above_max", "low is above high."))
    empty = checks.test(pl.all_horizontal(pl.col(*FIGURES, "employment", "top_coded").is_null()))
    checks.reject(empty, "mean", same("missing_value", "The row states no figure."))
    _check_flags(checks, meanings)
    checks.drop_rejected()
    checks.add(**{name: pl.col(f"{name}_number") for name in SHARES})


def _check_occupation(checks: Checks, meanings: Meanings) -> None:
    checks.add(role_id=resolved(checks["role"], meanings.role, pl.Int32))
    unknown = pl.col("role_id").is_null() & pl.col("role").is_not_null()

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return meanings.explain_word("role", meanings.catalogue.roles.by_code, row["role"])

    checks.reject(checks.test(unknown), "role", explain)
    message = "A SOC code is written like 15-1252."
    checks.reject(
        checks.test(~pl.col("soc").str.contains(SOC)), "soc", same("invalid_soc", message)
    )
    neither = pl.col("role").is_null() & pl.col("soc").is_null()
    message = "The row states no role and no soc."
    checks.reject(checks.test(neither), "role", same("missing_value", message))
    checks.add(role_id=pl.col("role_id").fill_null(0), soc=pl.col("soc").fill_null(""))


def _check_period(checks: Checks, meanings: Meanings) -> None:
    found = {text: _period(text) for text in checks["period"].drop_nulls().unique()}

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return "invalid_date", f"{found[row['period']]}."

    known = {text: days for text, days in found.items() if isinstance(days, Interval)}
    texts = checks["period"]
    checks.add(
        period_from=replaced(texts, {t: days.first for t, days in known.items()}, pl.Date),
        period_until=replaced(texts, {t: days.last for t, days in known.items()}, pl.Date),
    )
    wrong = pl.col("period_from").is_null() & pl.col("period").is_not_null()
    checks.reject(checks.test(wrong), "period", explain)
    future = same("date_in_future", f"The period begins after today ({meanings.today}, UTC).")
    checks.reject(checks.test(pl.col("period_from") > meanings.today), "period", future)
    checks.add(period=pl.col("period").str.to_uppercase())


def _period(text: str) -> Interval | str:
    """A date, month, year or quarter such as 2024-Q1; or what is wrong with it."""
    try:
        return parse_period(text)
    except ValueError as error:
        return str(error)


def _check_flags(checks: Checks, meanings: Meanings) -> None:
    known = set(FIGURES)

    def listed(text: str) -> str | None:
        names = {name.strip().lower() for name in text.split(";") if name.strip()}
        return array_text(";".join(sorted(names))) if names <= known else None

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return meanings.explain_word("top_coded", FIGURES, row["top_coded"])

    arrays = resolved(checks["top_coded"], listed, pl.String)
    checks.reject(arrays.is_null() & checks["top_coded"].is_not_null(), "top_coded", explain)
    truths = resolved(checks["open_ended"], lambda text: _TRUTHS.get(text.lower()), pl.Boolean)
    wrong = truths.is_null() & checks["open_ended"].is_not_null()
    message = "open_ended is true or false."
    checks.reject(wrong, "open_ended", same("invalid_boolean", message))
    checks.add(top_coded=arrays.fill_null("{}"), open_ended=truths.fill_null(False))
