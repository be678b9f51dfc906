"""Generated rows as records: they fit the table, and the table is as it was afterwards."""

from datetime import date

import asyncpg
import polars as pl
from sqlalchemy import make_url

from app.core.database import Database
from bench.generate import PER_DOLLAR, Codes, salaries
from bench.records import Ids, csv_of, drop_indexes, read_ids, records
from bench.stage import SOURCE, read_codes

COUNT = 200


async def test_rows_are_copied_past_the_pipeline_and_the_indexes_come_back(
    database: Database, database_url: str
) -> None:
    codes = await read_codes(database)
    url = make_url(database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(
            "INSERT INTO sources (code, name, kind) VALUES ($1, 'Benchmark', 1)", SOURCE
        )
        before = await _indexes(connection)
        statements = await drop_indexes(connection)
        assert await _indexes(connection) == set()
        columns, data = csv_of(0, COUNT, codes, await read_ids(connection))
        await connection.copy_to_table("salary_records", source=data, columns=columns, format="csv")
        for statement in statements:
            await connection.execute(statement)
        assert await _indexes(connection) == before
        found = await connection.fetchrow(
            "SELECT count(*) AS rows, count(DISTINCT record_id) AS ids, count(rate) AS foreign,"
            " bool_and((rate IS NULL) = (currency = 'USD')) AS rated FROM salary_records"
        )
    finally:
        await transaction.rollback()
        await connection.close()
    assert (found["rows"], found["ids"], found["rated"]) == (COUNT, COUNT, True)
    assert 0 < found["foreign"] < COUNT


async def _indexes(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'salary_records'"
    )
    return {row["indexdef"] for row in rows}


def test_annual_amounts_are_dollars_and_numbers_go_on_from_slice_to_slice() -> None:
    codes = Codes(SOURCE, ("dev",), ("US",), ("mid",), ("saas",), newest=date(2026, 10, 30))
    named = {"role": "dev", "region": "US", "level": "mid", "industry": "saas", "source": SOURCE}
    ids = Ids({name: {code: 7} for name, code in named.items()})
    made = records(salaries(50, COUNT, codes), 50, ids)
    assert made["record_id"].to_list() == list(range(51, 51 + COUNT))
    euros = made.filter(pl.col("currency") == "EUR")
    expected = (euros["amount_min"] / PER_DOLLAR[1]).round().to_list()
    assert euros["annual_amount"].to_list() == expected
    assert made["role_id"].unique().to_list() == [7]
