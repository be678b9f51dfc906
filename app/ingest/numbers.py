"""Numbers in rows: which texts are one, and what is wrong with those that are not.

The text itself is what gets stored, as NUMERIC; the Float64 beside it is for comparing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from app.ingest.checks import Checks
from app.ingest.fields import shortened

PLAIN: Final = r"^[0-9]{1,15}(?:\.[0-9]{1,10})?(?:[eE][+-]?[0-9]{1,2})?$"
"""At most 15 digits before and 10 after the point. `1e5`, as JSON may write it, is exact too."""
LARGEST: Final = 1e15

_GROUPED: Final = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?")
_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_MARKED: Final = re.compile(r"[^\d.,+-]{1,4}\s?[\d.,]+|[\d.,]+\s?[^\d.,]{1,4}")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def check_number(checks: Checks, name: str, *, positive: bool) -> None:
    """Reject texts that are no number within bounds; add `<name>_number` (Float64).

    `positive`: zero is refused as well as what is below it.
    """
    if checks[name].null_count() == checks.frame.height:
        checks.add(**{f"{name}_number": pl.lit(None, dtype=pl.Float64)})
        return
    number = pl.col(name).cast(pl.Float64, strict=False)
    usable = (
        pl.col(name).str.contains(PLAIN)
        & (number <= LARGEST)
        & ((number > 0) if positive else (number >= 0))
    ).fill_null(False)
    checks.frame = checks.frame.with_columns(pl.when(usable).then(number).alias(f"{name}_number"))

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return number_problem(row[name], positive=positive)

    checks.reject(checks.test(pl.col(name).is_not_null() & ~usable), name, explain)


def number_problem(text: str, *, positive: bool) -> tuple[str, str]:
    """The code and the message for a text that is not accepted as a number."""
    shown = f"'{shortened(text, 40)}'"
    if _GROUPED.fullmatch(text):
        return "invalid_number", f"{shown}: write the number without thousands separators."
    if _COMMA.fullmatch(text):
        return "invalid_number", f"{shown}: write a decimal point, not a comma."
    if _NUMBER.fullmatch(text) is None:
        return _no_number(text, shown)
    if text.startswith("-") or (positive and not re.search("[1-9]", re.split("[eE]", text)[0])):
        least = "more than zero" if positive else "zero or more"
        return "number_not_positive", f"{shown}: the number must be {least}."
    if re.fullmatch(PLAIN, text.lstrip("+")) is None or float(text) > LARGEST:
        return "number_out_of_bounds", (
            f"{shown}: write at most 15 digits before and 10 after the decimal point."
        )
    return "invalid_number", f"{shown}: write the number without a sign."


def _no_number(text: str, shown: str) -> tuple[str, str]:
    if text.lower().strip("+-") in {"nan", "inf", "infinity"}:
        return "invalid_number", f"{shown} is no number; leave the field empty if it is not known."
    if _MARKED.fullmatch(text):
        return "invalid_number", f"{shown}: write the number alone, without unit or currency sign."
    return "invalid_number", f"{shown} is no number; write it like 85000 or 37.85."
