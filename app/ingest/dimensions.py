"""The rules that salary and demand rows share: storable text, dimensions, dates."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import polars as pl

from app.domain.dates import Interval
from app.domain.folding import fold
from app.domain.vocabulary import HASHED, PRECISIONS
from app.ingest.checks import Checks, same
from app.ingest.fields import FIELDS, REQUIRED
from app.ingest.meanings import Meanings, intervals, replaced, resolved

MAX_TEXT: Final = 500
LONGER: Final = {"url": 2_000, "skills": 5_000}
"""Characters that a field may have."""

NUL: Final = "\0"
_EMPLOYER_KEY: Final = re.compile(f"{HASHED}[0-9a-f]{{16}}")


def check_text(checks: Checks, meanings: Meanings) -> None:
    """Reject what cannot be stored, trim the rest; empty text is null.

    Bad rows leave at once: their values are for no other rule.
    """
    fields = FIELDS[meanings.kind]
    limits = {name: LONGER.get(name, MAX_TEXT) for name in fields}
    odd = pl.any_horizontal(
        pl.col(name).str.contains(NUL, literal=True) | (pl.col(name).str.len_bytes() > limit)
        for name, limit in limits.items()
    )
    if checks.test(odd).any():
        _reject_odd_text(checks, limits)
    trimmed = pl.col(list(fields)).str.strip_chars()
    checks.frame = checks.frame.with_columns(pl.when(trimmed != "").then(trimmed))


def _reject_odd_text(checks: Checks, limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        checks.reject(
            checks.test(pl.col(name).str.contains(NUL, literal=True)),
            name,
            same("nul_byte", "Text must not hold NUL characters."),
        )
        checks.reject(
            checks.test(pl.col(name).str.len_chars() > limit),
            name,
            same("too_long", f"The text is longer than {limit:,} characters."),
        )
    checks.drop_rejected()


def check_required(checks: Checks, meanings: Meanings) -> None:
    """Every row has at least one field of each group of `REQUIRED`."""
    for group in REQUIRED[meanings.kind]:
        missing = pl.all_horizontal(pl.col(name).is_null() for name in group)
        wanted = " or ".join(group)
        checks.reject(
            checks.test(missing), group[0], same("missing_value", f"The row states no {wanted}.")
        )


def check_source(checks: Checks, meanings: Meanings) -> None:
    """`source_id`, and `span`: whether a record of that source is a posting seen again."""
    checks.add(source_id=resolved(checks["source"], meanings.source, pl.Int32))
    unknown = pl.col("source_id").is_null() & pl.col("source").is_not_null()
    checks.reject(checks.test(unknown), "source", meanings.explain_source)
    refused = pl.col("source_id").is_in(list(meanings.refused_sources))
    message = (
        "The source is confidential: its salary records are written with an admin key, without "
        "create_roles; demand records and benchmarks are refused."
    )
    checks.reject(checks.test(refused), "source", same("confidential_source", message))
    checks.add(span=pl.col("source_id").is_in(list(meanings.span_sources)).fill_null(False))


def check_places(checks: Checks, meanings: Meanings) -> None:
    """`region_id`, `level_id` with `level_stated`, `industry_id`; 0 where not stated."""
    checks.add(
        region_id=resolved(checks["region"], meanings.region, pl.Int32),
        level_id=resolved(checks["level"], meanings.level, pl.Int16),
        industry_id=resolved(checks["industry"], meanings.industry, pl.Int16),
    )
    for name in ("level", "industry"):
        odd = pl.col(f"{name}_id").is_null() & pl.col(name).is_not_null()
        checks.warn(checks.test(odd), name, f"unknown_{name}")
    unknown = pl.col("region_id").is_null() & pl.col("region").is_not_null()
    checks.reject(checks.test(unknown), "region", meanings.explain_region)
    doubtful = resolved(checks["region"], meanings.is_doubtful_region, pl.Boolean)
    checks.warn(checks.test(pl.lit(doubtful) & ~unknown), "region", "ambiguous_region")
    checks.add(level_stated=pl.col("level_id").fill_null(0) > 0)
    checks.frame = checks.frame.with_columns(
        pl.col("region_id", "level_id", "industry_id").fill_null(0)
    )


def check_role(checks: Checks, meanings: Meanings) -> None:
    """`role_id` with `role_stated` (0: for the title to say). A role that is no code is read as
    the title of a row that has none, with a warning."""
    checks.add(role_id=resolved(checks["role"], meanings.role, pl.Int32))
    odd = pl.col("role_id").is_null() & pl.col("role").is_not_null()
    checks.warn(checks.test(odd), "role", "unknown_role")
    checks.add(
        title=pl.coalesce("title", pl.when(odd).then("role")),
        role_id=pl.col("role_id").fill_null(0),
    )
    checks.add(role_stated=pl.col("role_id") > 0)


def check_observed(checks: Checks, meanings: Meanings) -> None:
    """`observed_on` as Date with `observed_until` and `precision`; not in the future."""
    found = intervals(checks["observed_on"])
    known = {text: days for text, days in found.items() if isinstance(days, Interval)}
    texts = checks["observed_on"]
    checks.add(
        first_on=replaced(texts, {t: days.first for t, days in known.items()}, pl.Date),
        observed_until=replaced(texts, {t: days.last for t, days in known.items()}, pl.Date),
        precision=replaced(
            texts, {t: PRECISIONS[days.precision] for t, days in known.items()}, pl.Int16
        ),
    )

    def explain(row: Mapping[str, Any]) -> tuple[str, str]:
        return "invalid_date", f"{found[row['observed_on']]}."

    wrong = pl.col("first_on").is_null() & pl.col("observed_on").is_not_null()
    checks.reject(checks.test(wrong), "observed_on", explain)
    future = same("date_in_future", f"The date begins after today ({meanings.today}, UTC).")
    checks.reject(checks.test(pl.col("first_on") > meanings.today), "observed_on", future)
    checks.add(observed_on=pl.col("first_on"))


def add_employer_key(checks: Checks, secret: bytes) -> None:
    """`employer_key`: a keyed 64-bit hash of the folded name. The name goes no further.

    `hash:` with 16 hexadecimal digits is such a key itself, as an export writes it.
    """

    def key(name: str) -> int:
        if _EMPLOYER_KEY.fullmatch(name):
            return int.from_bytes(bytes.fromhex(name.removeprefix(HASHED)), "big", signed=True)
        digest = blake2b(fold(name).encode(), key=secret, digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    checks.add(employer_key=resolved(checks["employer"], key, pl.Int64))
