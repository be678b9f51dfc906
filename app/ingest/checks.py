"""Gathers what is wrong with the rows of one frame, rule by rule, as masks over columns.

Only rows that the report will show become Python objects: a million bad rows cost as much as the
masks do.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from app.ingest.chunks import ROW, RowError
from app.ingest.fields import shortened
from app.ingest.report import MAX_ERRORS, MAX_WARNINGS, WarningKey

Explain = Callable[[Mapping[str, Any]], tuple[str, str]]
"""Makes (code, message) of a rejected row, given by column name."""


class Checks:
    """The verdicts on a frame, which gains columns from rule to rule."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.rejected_count = 0
        self.errors: list[RowError] = []
        self.error_count = 0
        self.warnings: Counter[WarningKey] = Counter()
        self._rejected = self._none()

    def _none(self) -> pl.Series:
        return pl.repeat(False, self.frame.height, dtype=pl.Boolean, eager=True)

    def __getitem__(self, column: str) -> pl.Series:
        return self.frame[column]

    def add(self, **columns: pl.Series | pl.Expr) -> None:
        """Add or replace columns."""
        self.frame = self.frame.with_columns(**columns)

    def test(self, condition: pl.Expr) -> pl.Series:
        """Where a condition holds; false where it is null."""
        return self.frame.select(condition.fill_null(False).alias("test"))["test"]

    def reject(self, bad: pl.Series, field: str, explain: Explain) -> None:
        """Reject the rows where `bad` is true; `field` is shown with its value."""
        if not bad.any():
            return
        self._rejected |= bad
        self.error_count += int(bad.sum())
        for row in self.frame.filter(bad).head(MAX_ERRORS).iter_rows(named=True):
            code, message = explain(row)
            value = row.get(field)
            self.errors.append(
                RowError(row[ROW], field, code, message, None if value is None else str(value))
            )

    def warn(self, odd: pl.Series, field: str, code: str) -> None:
        """Count the rows where `odd` is true by their value of `field`."""
        if not odd.any():
            return
        values = self.frame[field].filter(odd).value_counts(sort=True)
        for value, rows in values.head(MAX_WARNINGS).iter_rows():
            self.warnings[(field, None if value is None else shortened(value), code)] += rows
        if rest := int(values["count"].slice(MAX_WARNINGS).sum()):
            self.warnings[(field, None, code)] += rest

    def drop_rejected(self) -> None:
        """Go on with the rows that no rule rejected so far."""
        rejected = int(self._rejected.sum())
        if rejected:
            self.frame = self.frame.filter(~self._rejected)
            self.rejected_count += rejected
            self._rejected = self._none()


def same(code: str, message: str) -> Explain:
    """The same code and message for every row."""
    return lambda _row: (code, message)
