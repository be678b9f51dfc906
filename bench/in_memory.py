"""DuckDB with the needed columns of the records in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import psutil

from bench.questions import SHARES
from bench.stage import Stage

THREADS: Final = 2
COLUMNS: Final = {
    "role_id": "INTEGER",
    "region_id": "INTEGER",
    "level_id": "SMALLINT",
    "pay_kind": "SMALLINT",
    "observed_on": "DATE",
    "annual_amount": "INTEGER",
}
AGGREGATES: Final = f"count(*), quantile_cont(annual_amount, [{SHARES}])"
SETTINGS: Final = f"DuckDB in memory, {THREADS} threads"
ROW_BYTES: Final = 60
"""Of memory while a table is filled and asked: its columns twice, and sorted copies."""


class DuckDB:
    """A table `salary_records` in memory."""

    def __init__(self, path: Path) -> None:
        """From the CSV file that `write_columns` makes."""
        self._connection: Any = import_module("duckdb").connect()
        self._connection.execute(f"SET threads = {THREADS}")
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        self._connection.execute(
            "CREATE TABLE salary_records AS SELECT * FROM"
            f" read_csv('{path}', header = false, columns = {{{columns}}})"
        )

    def rows(self, statement: str) -> tuple[list[tuple[Any, ...]], float]:
        """All rows of a SELECT, and the milliseconds until they were here."""
        started = time.perf_counter()
        rows = self._connection.execute(statement).fetchall()
        return rows, (time.perf_counter() - started) * 1000

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()


@contextmanager
def duckdb_of(path: Path) -> Iterator[DuckDB]:
    """DuckDB with the rows of a file."""
    duckdb = DuckDB(path)
    try:
        yield duckdb
    finally:
        duckdb.close()


def fits(rows: int) -> bool:
    """Whether that many rows go into half of the memory that is free."""
    return rows * ROW_BYTES < psutil.virtual_memory().available / 2


async def write_columns(stage: Stage) -> Path:
    """The needed columns of all records as CSV without a header, made once."""
    path = stage.folder / f"columns-{stage.rows}.csv"
    if not path.exists():
        async with stage.connect() as connection:
            query = f"SELECT {', '.join(COLUMNS)} FROM salary_records"
            await connection.copy_from_query(query, output=path, format="csv")
    return path
