"""Temporary tables that a chunk passes through, and the bytes that COPY takes.

They live as long as their connection and lose their rows at commit, so that a small write costs
no change of the catalogue. Their columns are made from the tables themselves.
"""

import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table as SqlTable
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from app.cells.writing import CELL_COLUMNS
from app.core.database import WriteSession
from app.tables import (
    Benchmark,
    DemandIdentity,
    DemandRecord,
    SalaryIdentity,
    SalaryRecord,
)
from app.tables import Table as MappedTable

if TYPE_CHECKING:
    import polars as pl

_PIECE: Final = 4_000_000
_KEYS: Final = ("source_id", "key", "role_id", "content_hash", "span")
_WRITTEN_HERE: Final = frozenset(
    {"source_id", "key", "role_id", "record_id", "import_id", "changed_import_id"}
)


@dataclass(frozen=True)
class RecordTables:
    """Where records of one kind live. Names of columns and tables are this module's own."""

    records: str
    identities: str
    kept: tuple[str, ...]
    """Columns of a replaced record that its successor may depend on."""
    model: type[MappedTable]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What a staged row says of its record, beside its keys."""
        return tuple(c.name for c in _table(self.model).columns if c.name not in _WRITTEN_HERE)

    @cached_property
    def staged(self) -> str:
        return f"staged_{self.records}"

    @cached_property
    def merged(self) -> str:
        return f"merged_{self.records}"

    @cached_property
    def replaced(self) -> str:
        return f"replaced_{self.records}"

    @cached_property
    def temporary(self) -> tuple[str, ...]:
        return (self.staged, self.merged, self.replaced)

    @cached_property
    def copied(self) -> tuple[str, ...]:
        """The columns of the bytes that are copied, in order."""
        return _KEYS + self.columns

    @cached_property
    def definitions(self) -> tuple[str, ...]:
        """The temporary tables. A staged row gets a record id that it keeps if it is new."""
        kept = _definitions(self.model, ("record_id", "import_id", *self.kept))
        return (
            f"CREATE TEMP TABLE IF NOT EXISTS {self.staged} ("
            "record_id bigint NOT NULL DEFAULT nextval('record_ids'), source_id int, key uuid,"
            f" role_id int, content_hash bigint, span boolean,"
            f" {_definitions(self.model, self.columns)}) ON COMMIT DELETE ROWS",
            f"CREATE TEMP TABLE IF NOT EXISTS {self.merged} ("
            "staged_id bigint, record_id bigint, source_id int, role_id int,"
            " previous_role_id int, is_new boolean) ON COMMIT DELETE ROWS",
            f"CREATE TEMP TABLE IF NOT EXISTS {self.replaced} ({kept}) ON COMMIT DELETE ROWS",
        )


SALARIES: Final = RecordTables(
    "salary_records",
    SalaryIdentity.__tablename__,
    tuple(
        dict.fromkeys(
            (
                *("observed_on", "observed_until", "precision", "last_seen_on"),
                *("currency", "rate", "rate_on"),
                *CELL_COLUMNS,
            )
        )
    ),
    SalaryRecord,
)
DEMAND: Final = RecordTables(
    "demand_records",
    DemandIdentity.__tablename__,
    ("observed_on", "observed_until", "precision"),
    DemandRecord,
)

BENCHMARK_COLUMNS: Final = tuple(
    column.name
    for column in Benchmark.__table__.columns
    if column.name not in {"id", "import_id", "changed_import_id"}
)
STAGED_BENCHMARKS: Final = "staged_benchmarks"


def benchmark_definition() -> str:
    """The temporary table of benchmarks."""
    columns = _definitions(Benchmark, BENCHMARK_COLUMNS)
    return f"CREATE TEMP TABLE IF NOT EXISTS {STAGED_BENCHMARKS} ({columns}) ON COMMIT DELETE ROWS"


async def copy_rows(session: WriteSession, table: str, columns: Sequence[str], data: bytes) -> None:
    """COPY bytes made by `copy_bytes` into a temporary table."""
    driver = await session.driver()
    await driver.copy_to_table(table, source=_pieces(data), columns=list(columns), format="csv")


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """Large pieces, made here: the driver would read a file in a thread, piece by piece."""
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


async def prepare_tables(
    session: WriteSession, definitions: Sequence[str], tables: Sequence[str]
) -> None:
    """Make temporary tables where the connection has none yet, empty for the next rows."""
    if tables[0] not in session.info:
        # A plan kept from small writes would join large ones row by row.
        await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        for definition in definitions:
            await session.execute(text(definition))
        session.info[tables[0]] = True
    else:
        # A second merge in one transaction. Otherwise commit emptied them, at no cost.
        await session.execute(text(f"TRUNCATE {', '.join(tables)}"))


def copy_bytes(rows: "pl.DataFrame", columns: Sequence[str]) -> bytes:
    """The columns as CSV without a header: an empty field is null, `""` is empty text."""
    buffer = io.BytesIO()
    rows.select(columns).write_csv(buffer, include_header=False, null_value="")
    return buffer.getvalue()


def _definitions(model: type[MappedTable], names: Sequence[str]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    columns: Any = _table(model).columns
    return ", ".join(f"{name} {columns[name].type.compile(dialect)}" for name in names)


def _table(model: type[MappedTable]) -> SqlTable:
    table = model.__table__
    assert isinstance(table, SqlTable)
    return table
