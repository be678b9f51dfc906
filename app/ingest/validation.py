"""Validation: one mapped frame in, the rows that hold and the report on the others out."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from app.ingest.benchmark_rows import check_benchmarks
from app.ingest.checks import Checks
from app.ingest.chunks import RowError
from app.ingest.demand_rows import check_demand
from app.ingest.dimensions import (
    add_employer_key,
    check_observed,
    check_places,
    check_required,
    check_role,
    check_source,
    check_text,
)
from app.ingest.fields import Kind
from app.ingest.meanings import Meanings
from app.ingest.report import WarningKey
from app.ingest.salary_rows import check_salaries
from app.rates.pricing import RateTable


@dataclass
class Validated:
    """Rows of one kind that hold, typed and with ids; what was wrong with the others.

    `source_ids`: all sources that rows name, kept or not.
    """

    kind: Kind
    rows: pl.DataFrame
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)
    error_count: int = 0
    warnings: Counter[WarningKey] = field(default_factory=Counter)
    source_ids: frozenset[int] = frozenset()


def validate(
    frame: pl.DataFrame, meanings: Meanings, rates: RateTable, employer_secret: bytes
) -> Validated:
    """Apply every rule of the kind. `frame` has `ROW` and the kind's fields as text."""
    checks = Checks(frame)
    check_text(checks, meanings)
    check_required(checks, meanings)
    check_source(checks, meanings)
    named = frozenset(checks["source_id"].drop_nulls().unique().to_list())
    check_places(checks, meanings)
    if meanings.kind == "benchmark":
        check_benchmarks(checks, meanings)
    else:
        check_role(checks, meanings)
        check_observed(checks, meanings)
        add_employer_key(checks, employer_secret)
        if meanings.kind == "salary":
            check_salaries(checks, meanings, rates)
        else:
            check_demand(checks, meanings)
    checks.drop_rejected()
    return Validated(
        meanings.kind,
        checks.frame,
        checks.rejected_count,
        checks.errors,
        checks.error_count,
        checks.warnings,
        named,
    )
