"""The write report: what became of every row."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from app.ingest.chunks import RowError

MAX_ERRORS: Final = 100
MAX_WARNINGS: Final = 100

WarningKey = tuple[str | None, str | None, str]
"""(field, value, code)."""


@dataclass
class Report:
    """Counts of rows, the first errors, and warnings by what they are about.

    `received` and `skipped` count rows of the body, `rejected` and the others what the rows gave:
    with a profile one row may give a salary and a demand record.
    """

    received: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    rate_pending: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    errors_omitted: int = 0
    warnings: Counter[WarningKey] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        return self.inserted + self.updated + self.unchanged

    def add_errors(self, errors: Iterable["RowError"], count: int) -> None:
        """`count` errors, of which `errors` are the first in the order of rows."""
        room = MAX_ERRORS - len(self.errors)
        shown = [error.as_member() for error in sorted(errors, key=lambda error: error.row)[:room]]
        self.errors += shown
        self.errors_omitted += count - len(shown)

    def add_warnings(self, warnings: Mapping[WarningKey, int]) -> None:
        """Rows by (field, value, code); past the limit only values that are known already count
        by themselves, all others of a field and code together under the value null."""
        for key, rows in warnings.items():
            known = key in self.warnings or len(self.warnings) < MAX_WARNINGS
            self.warnings[key if known else (key[0], None, key[2])] += rows

    def as_members(self, import_id: int | None, data_version: str | None) -> dict[str, Any]:
        """The report as JSON, in the order of the contract."""
        return {
            "import": import_id,
            "received": self.received,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "skipped": self.skipped,
            "rate_pending": self.rate_pending,
            "errors": self.errors,
            "errors_omitted": self.errors_omitted,
            "warnings": [
                {"field": name, "value": value, "code": code, "rows": rows}
                for (name, value, code), rows in self.warnings.most_common()
            ],
            "data_version": data_version,
        }
