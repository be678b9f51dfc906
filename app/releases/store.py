"""SQL of making releases. Frames go in and out with COPY."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession
from app.tables import Release

if TYPE_CHECKING:
    import polars as pl

# An arbitrary constant: whoever makes a release of this database holds it.
LOCK: Final = 0x5265_6C65_6173_65
NODE_COLUMNS: Final = {
    "source": "source_id",
    "role": "role_id",
    "region": "region_id",
    "level": "level_id",
    "period": "period",
    "base": "base",
    **{name: name for name in ("count", "employers", "mean", "p10", "p25", "p50", "p75", "p90")},
}
"""What the lattice calls a column, and the table."""

VERSION_COLUMNS: Final = {
    "record": "record",
    "employer": "employer",
    "source": "source_id",
    "role": "role_id",
    "region": "region_id",
    "level": "level_id",
    **{name: name for name in ("year", "quarter", "amount", "first")},
}
_WIDE: Final = frozenset({"id", "record", "employer"})
ANALYZE_ROWS: Final = 10_000

_PREVIOUS: Final = text(
    "SELECT number, through, scope_id, base_currency FROM releases WHERE series = :series"
    " ORDER BY number"
)
_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)")
_END: Final = text(
    "UPDATE release_versions SET last = :last WHERE id = ANY(CAST(:ids AS bigint[]))"
)
# Parents as they were when a region was first part of the series, else as they are.
_REGIONS: Final = text(
    "WITH RECURSIVE placed (id, parent_id) AS ("
    " SELECT r.id, coalesce(k.parent_id, r.parent_id, 0) FROM regions r"
    " LEFT JOIN release_regions k ON k.series = :series AND k.region_id = r.id),"
    " needed (id, parent_id) AS ("
    " SELECT id, parent_id FROM placed WHERE id = ANY(CAST(:ids AS int[])) AND id > 0"
    " UNION SELECT p.id, p.parent_id FROM needed n JOIN placed p ON p.id = n.parent_id"
    " WHERE n.parent_id > 0)"
    " SELECT id, parent_id FROM needed"
)
_KEEP_REGIONS: Final = text(
    "INSERT INTO release_regions (series, region_id, parent_id)"
    " SELECT :series, * FROM unnest(CAST(:ids AS int[]), CAST(:parents AS int[]))"
    " ON CONFLICT DO NOTHING"
)
_LIST: Final = text(
    "SELECT r.id, CASE WHEN r.series > 0 OR r.scope_id = ANY(r.source_ids) THEN s.code END"
    " AS source, r.made_at, r.through, r.figures, r.base_currency, r.policy"
    " FROM releases r LEFT JOIN sources s ON s.id = coalesce(r.scope_id, nullif(r.series, 0))"
    " WHERE r.id < :before ORDER BY r.id DESC LIMIT :limit"
)


async def try_lock(session: WriteSession) -> bool:
    """Whether nobody else makes a release; held to the end of the transaction."""
    return bool(await session.scalar(_LOCK, {"lock": LOCK}))


async def read_previous(session: WriteSession, series: int) -> list[Any]:
    """The releases of a series, oldest first: number, through, scope_id, base_currency."""
    return list((await session.execute(_PREVIOUS, {"series": series})).all())


async def read_frame(session: WriteSession, query: str, columns: Iterable[str]) -> "pl.DataFrame":
    """What a query of whole numbers gives. Those named in _WIDE have 64 bits, others 32."""
    import polars as pl

    buffer = BytesIO()
    driver = await session.driver()
    await driver.copy_from_query(query, output=buffer, format="csv")
    schema = {name: pl.Int64 if name in _WIDE else pl.Int32 for name in columns}
    if not buffer.tell():
        return pl.DataFrame(schema=schema)
    buffer.seek(0)
    return pl.read_csv(buffer, has_header=False, schema=schema)


async def write_frame(session: WriteSession, table: str, frame: "pl.DataFrame") -> None:
    """Append rows to a table; the frame has the table's column names, nulls are empty."""
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False)
    buffer.seek(0)
    driver = await session.driver()
    await driver.copy_to_table(table, source=buffer, columns=frame.columns, format="csv")
    if len(frame) >= ANALYZE_ROWS:
        await driver.execute(f"ANALYZE {table}")


async def read_versions(session: WriteSession, series: int) -> "pl.DataFrame":
    """The stored versions: `id`, `last` (null: still so), and VERSION_COLUMNS."""
    columns = ["id", "last", *VERSION_COLUMNS.values()]
    table = f"FROM release_versions WHERE series = {series}"
    query = " ".join(("SELECT", ", ".join(columns), table))
    return await read_frame(session, query, ["id", "last", *VERSION_COLUMNS])


async def read_shown(session: WriteSession, series: int) -> "pl.DataFrame":
    """Every figure of every release of a series: `release` (its number) and NODE_COLUMNS."""
    columns = ["r.number", *(f"n.{stored}" for stored in NODE_COLUMNS.values())]
    tables = "FROM releases r JOIN release_nodes n ON n.release_id = r.id"
    query = " ".join(("SELECT", ", ".join(columns), tables, f"WHERE r.series = {series}"))
    return await read_frame(session, query, ["release", *NODE_COLUMNS])


async def read_regions(
    session: WriteSession, series: int, region_ids: Iterable[int]
) -> dict[int, int]:
    """The parent (0: none) of each region and of all above it, as the series knows them."""
    found = await session.execute(_REGIONS, {"series": series, "ids": sorted(region_ids)})
    return {row.id: row.parent_id for row in found}


async def keep_regions(session: WriteSession, series: int, parents: Mapping[int, int]) -> None:
    """Remember where regions lie, for those that the series does not know yet."""
    values = {"series": series, "ids": list(parents), "parents": list(parents.values())}
    await session.execute(_KEEP_REGIONS, values)


async def insert_release(session: WriteSession, values: Mapping[str, Any]) -> Any:
    """Insert a release; its id and made_at."""
    made = insert(Release).values(**values).returning(Release.id, Release.made_at)
    return (await session.execute(made)).one()


async def write_nodes(session: WriteSession, release_id: int, nodes: "pl.DataFrame") -> None:
    """Store what a release shows."""
    import polars as pl

    stored = nodes.select(pl.lit(release_id).alias("release_id"), *NODE_COLUMNS)
    await write_frame(session, "release_nodes", stored.rename(NODE_COLUMNS))


async def write_versions(
    session: WriteSession, series: int, added: "pl.DataFrame", ended: Iterable[int], last: int
) -> None:
    """Append new versions; those of the ids `ended` were up to release `last`."""
    import polars as pl

    stored = added.select(pl.lit(series).alias("series"), *VERSION_COLUMNS)
    await write_frame(session, "release_versions", stored.rename(VERSION_COLUMNS))
    await session.execute(_END, {"last": last, "ids": list(ended)})


async def list_releases(session: AsyncSession, *, before: int, limit: int) -> list[dict[str, Any]]:
    """Releases with ids below `before`, the newest first. A confidential source that was released
    alone is named where it has figures."""
    rows = await session.execute(_LIST, {"before": before, "limit": limit})
    return [dict(row._mapping) for row in rows]
