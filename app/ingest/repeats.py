"""Rows that repeat a key within a chunk, when the same file was loaded before.

Rows apply in file order, so a repeated key ends as its last row says. Where the store holds that
last row already, the rows before it would change the record and change it back: they are left out
and count as unchanged, so that loading a file twice changes nothing, not even for a moment.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl
from sqlalchemy import TextClause, text

from app.core.database import Database
from app.ingest.fields import Kind
from app.ingest.preparation import PreparedChunk

KEY: Final = ("source_id", "key")
_FIND: Final[Mapping[Kind, TextClause]] = {
    "salary": text(
        "SELECT i.source_id, replace(i.key::text, '-', '') AS key, i.content_hash"
        " FROM salary_identities i JOIN unnest(CAST(:sources AS int[]), CAST(:keys AS uuid[]))"
        " AS r (source_id, key) USING (source_id, key)"
    ),
    "demand": text(
        "SELECT i.source_id, replace(i.key::text, '-', '') AS key, i.content_hash"
        " FROM demand_identities i JOIN unnest(CAST(:sources AS int[]), CAST(:keys AS uuid[]))"
        " AS r (source_id, key) USING (source_id, key)"
    ),
}


async def leave_out_settled(database: Database, chunk: PreparedChunk) -> dict[Kind, int]:
    """Leave settled repeats out of the chunk's rows; how many of each kind. Usually none, and then
    without a query."""
    left_out: dict[Kind, int] = {}
    for kind, statement in _FIND.items():
        rows = chunk.rows.get(kind)
        if rows is None or rows.is_empty():
            continue
        lasts = _last_rows_of_repeats(rows)
        if lasts.is_empty():
            continue
        settled = lasts.join(await _stored(database, statement, lasts), on=[*KEY, "content_hash"])
        kept = _without_earlier(rows, settled)
        left_out[kind] = rows.height - kept.height
        chunk.rows[kind] = kept
    return left_out


def _last_rows_of_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """(source_id, key, content_hash) of the last row of each key that stands more than once."""
    grouped = rows.group_by(KEY).agg(pl.len().alias("count"), pl.col("content_hash").last())
    return grouped.filter(pl.col("count") > 1).drop("count")


async def _stored(database: Database, statement: TextClause, lasts: pl.DataFrame) -> pl.DataFrame:
    values = {"sources": lasts["source_id"].to_list(), "keys": lasts["key"].to_list()}
    async with database.read() as session:
        found = (await session.execute(statement, values)).all()
    columns = zip(*found, strict=True) if found else ([], [], [])
    schema = {name: lasts.schema[name] for name in lasts.columns}
    return pl.DataFrame(dict(zip(lasts.columns, map(list, columns), strict=True)), schema=schema)


def _without_earlier(rows: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """All rows but those of settled keys that come before the key's last one."""
    marked = rows.with_columns(
        _last=pl.int_range(pl.len(), dtype=pl.Int64).over(KEY) == pl.len().over(KEY) - 1
    ).join(
        settled.select(*KEY, _settled=pl.lit(value=True)),
        on=KEY,
        how="left",
        maintain_order="left",
    )
    return marked.filter(pl.col("_last") | pl.col("_settled").is_null()).drop("_last", "_settled")
