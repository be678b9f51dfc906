"""Whole record sets as files that the default profile can import again.

Employers are stored as keyed hashes only: the file carries `hash:` and the key, which an import
takes as it is. In CSV a text that a spreadsheet would run is escaped with an apostrophe, which an
import takes off again; NDJSON keeps every text as it is.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

from app.core.database import ReadSession
from app.core.formats import csv_lines, ndjson_lines
from app.core.pagination import PageRequest
from app.domain.vocabulary import HASHED
from app.records.columns import demand_row, salary_row
from app.records.queries import find_records
from app.statistics.filters import Filters, RecordTable
from app.statistics.population import decide_population
from app.tables import DemandRecord, SalaryRecord
from app.taxonomies.catalogue import Catalogue

PAGE: Final = 5_000
_SHARED: Final = (
    "source",
    "external_id",
    "title",
    "role",
    "level",
    "region",
    "industry",
    "employer",
)
FIELDS: Final[Mapping[RecordTable, tuple[str, ...]]] = {
    SalaryRecord: (
        *_SHARED,
        *("employment_type", "work_mode", "pay_kind", "amount_min", "amount_max", "currency"),
        *("pay_period", "fte", "observed_on", "url"),
    ),
    DemandRecord: (*_SHARED, "measure", "openings", "candidates", "skills", "observed_on"),
}
ROWS: Final[Mapping[RecordTable, Any]] = {SalaryRecord: salary_row, DemandRecord: demand_row}
FORMATS: Final = ("csv", "ndjson")


class ExportPage(NamedTuple):
    """A part of the file, how many records it holds, and how many of those have no external_id."""

    content: bytes
    records: int = 0
    without_id: int = 0


async def export_records(
    session: ReadSession,
    catalogue: Catalogue,
    table: RecordTable,
    filters: Filters,
    form: str,
) -> AsyncIterator[ExportPage]:
    """The file page by page, the header line first where it has one.

    Public records only: `decide_population` says which. Raises ConfidentialSource (422).
    """
    population = await decide_population(session, catalogue, filters)
    fields, to_row = FIELDS[table], ROWS[table]
    if form == "csv":
        yield ExportPage(csv_lines(fields, []).encode())
    page = PageRequest(PAGE, None)
    while True:
        found = await find_records(
            session, catalogue, population, table, filters, page, employer=True
        )
        rows = [_as_stated(to_row(record, catalogue), record) for record in found[:PAGE]]
        without_id = sum(row["external_id"] is None for row in rows)
        yield ExportPage(_rendered(rows, fields, form), len(rows), without_id)
        if len(found) <= PAGE:
            return
        last = found[PAGE - 1]
        page = PageRequest(PAGE, (last["role_id"], last["record_id"]))


def _as_stated(row: dict[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only the title says: an import works that out again, perhaps better."""
    told = {"role": record["role_stated"], "level": record["level_stated"]}
    stated = {name: row[name] if is_stated else None for name, is_stated in told.items()}
    return row | stated | {"employer": _employer(record["employer_key"])}


def _employer(key: int | None) -> str | None:
    return None if key is None else f"{HASHED}{key % 2**64:016x}"


def _rendered(rows: list[dict[str, Any]], fields: tuple[str, ...], form: str) -> bytes:
    if form == "csv":
        return csv_lines(fields, rows, header=False).encode()
    return ndjson_lines(fields, rows)
