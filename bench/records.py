"""Generated rows as salary records, past the import pipeline: 10 million in two minutes.

Two connections COPY slices of 250,000 rows straight into `salary_records`, so that memory does
not grow with the rows. Identities are not written: nothing that is measured here reads them. The
cells come from the same rebuild as `payband compact --rebuild`.
"""

import asyncio
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import asyncpg
import polars as pl
from sqlalchemy import make_url

from app.domain.vocabulary import EMPLOYMENT_TYPES, PAY_KINDS, PAY_PERIODS, PRECISIONS, WORK_MODES
from bench.generate import CURRENCIES, PER_DOLLAR, SLICE, Codes, salaries
from bench.import_bench import run_payband
from bench.stage import Stage, prepare_stage, read_codes

CONNECTIONS: Final = 2
BASE: Final = "USD"
_TAXONOMIES: Final = {
    "role": "roles",
    "region": "regions",
    "level": "levels",
    "industry": "industries",
    "source": "sources",
}
_WORDS: Final = {
    "employment_type": EMPLOYMENT_TYPES,
    "work_mode": WORK_MODES,
    "pay_kind": PAY_KINDS,
}
_SMALL: Final = ("level", "industry")


@dataclass(frozen=True, slots=True)
class Ids:
    """For each of role, region, level, industry and source: code to id."""

    by_code: Mapping[str, Mapping[str, int]]

    def column(self, name: str) -> pl.Expr:
        """The column of ids for a column of codes."""
        kind = pl.Int16 if name in _SMALL else pl.Int32
        codes = dict(self.by_code[name])
        return pl.col(name).replace_strict(codes, return_dtype=kind).alias(f"{name}_id")


async def stage_with_records(stage: Stage, rows: int | None = None) -> Stage:
    """A stage on a database of that many records with their cells, made once in a run."""
    rows = stage.rows if rows is None else rows
    name = f"records_{rows}"
    url = make_url(stage.url).set(database=name).render_as_string(hide_password=False)
    made = replace(stage, url=url, rows=rows)
    async with stage.connect() as connection:
        known = "SELECT true FROM pg_database WHERE datname = $1"
        if await connection.fetchval(known, name):
            return made
        await connection.execute(f"CREATE DATABASE {name}")
    await prepare_stage(made)
    await load_records(made)
    await asyncio.to_thread(run_payband, made, ["compact", "--rebuild"])
    await settle(made)
    return made


async def load_records(stage: Stage) -> None:
    """Write the stage's number of records of its 50 roles, and say that there are new ones."""
    async with stage.database() as database:
        codes = await read_codes(database)
    async with stage.connect() as connection:
        ids = await read_ids(connection)
        indexes = await drop_indexes(connection)
    starts = iter(range(0, stage.rows, SLICE))
    await asyncio.gather(*(_copy_slices(stage, starts, codes, ids) for _ in range(CONNECTIONS)))
    async with stage.connect() as connection:
        for statement in indexes:
            await connection.execute(statement)
        await connection.execute(f"SELECT setval('record_ids', {stage.rows})")
        await connection.execute(
            "INSERT INTO role_versions (role_id, version) SELECT id, 1 FROM roles"
            " WHERE code = ANY($1) ON CONFLICT (role_id) DO UPDATE"
            " SET version = role_versions.version + 1",
            list(codes.roles),
        )


async def drop_indexes(connection: asyncpg.Connection) -> list[str]:
    """Drop the key and the indexes of the records; the statements that make them again.

    Making them over all rows takes half the time of keeping them up row by row.
    """
    key = await connection.fetchrow(
        "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
        " WHERE conrelid = 'salary_records'::regclass AND contype = 'p'"
    )
    await connection.execute(f"ALTER TABLE salary_records DROP CONSTRAINT {key['conname']}")
    found = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'salary_records'"
    )
    for row in found:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    added = f"ALTER TABLE salary_records ADD CONSTRAINT {key['conname']} {key['definition']}"
    return [added, *(row["indexdef"] for row in found)]


async def settle(stage: Stage) -> None:
    """No upkeep left that would run during a measurement."""
    async with stage.connect() as connection:
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")


async def read_ids(connection: asyncpg.Connection) -> Ids:
    """The ids of all codes that generated rows may name."""
    found = {}
    for name, table in _TAXONOMIES.items():
        rows = await connection.fetch(f"SELECT code, id FROM {table}")
        found[name] = {row["code"]: row["id"] for row in rows}
    return Ids(found)


async def _copy_slices(stage: Stage, starts: Iterator[int], codes: Codes, ids: Ids) -> None:
    async with stage.connect() as connection:
        for start in starts:
            count = min(SLICE, stage.rows - start)
            columns, data = await asyncio.to_thread(csv_of, start, count, codes, ids)
            await connection.copy_to_table(
                "salary_records", source=data, columns=columns, format="csv"
            )


def csv_of(start: int, count: int, codes: Codes, ids: Ids) -> tuple[list[str], io.BytesIO]:
    """The columns, and the CSV that COPY takes."""
    frame = records(salaries(start, count, codes), start, ids)
    data = io.BytesIO()
    frame.write_csv(data, include_header=False)
    data.seek(0)
    return frame.columns, data


def records(frame: pl.DataFrame, start: int, ids: Ids) -> pl.DataFrame:
    """Generated rows with the columns of `salary_records`, numbered from `start` + 1.

    Amounts are in dollars at the generator's own rates, the same on every day.
    """
    foreign = pl.col("currency") != BASE
    numbers = pl.int_range(start + 1, start + 1 + pl.len(), dtype=pl.Int64)
    return frame.with_columns(
        rate=pl.col("currency").replace_strict(_rates(), return_dtype=pl.Float64)
    ).select(
        *(ids.column(name) for name in _TAXONOMIES),
        *(
            pl.col(name).replace_strict(dict(words), return_dtype=pl.Int16)
            for name, words in _WORDS.items()
        ),
        "observed_on",
        "external_id",
        "currency",
        pl.when(foreign).then("rate").alias("rate"),
        pl.when(foreign).then("observed_on").alias("rate_on"),
        pl.col("amount").alias("amount_min"),
        pl.col("amount").alias("amount_max"),
        *(
            (pl.col("amount") * pl.col("rate")).round().cast(pl.Int32).alias(name)
            for name in ("annual_amount", "annual_low", "annual_high")
        ),
        pl.col("employer").hash(1).reinterpret(signed=True).alias("employer_key"),
        pl.lit(PAY_PERIODS["year"]).alias("pay_period"),
        pl.lit(PRECISIONS["day"]).alias("precision"),
        pl.col("observed_on").alias("observed_until"),
        pl.col("observed_on").alias("last_seen_on"),
        numbers.alias("record_id"),
        numbers.cast(pl.String).str.zfill(32).alias("key"),
        *(pl.lit(1).alias(name) for name in ("import_id", "changed_import_id")),
    )


def _rates() -> dict[str, float]:
    return {code: 1 / per for code, per in zip(CURRENCIES, PER_DOLLAR, strict=True)}
