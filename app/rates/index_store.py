"""SQL of price indices: loading and listing them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession
from app.domain.vocabulary import INDEX_KINDS
from app.rates.store import rows_of

# Two loads at once would each count, and insert, what the other one has.
_LOCK = text("LOCK TABLE price_indices IN SHARE ROW EXCLUSIVE MODE")
_CHANGE = text(
    "UPDATE price_indices p SET value = s.value FROM"
    " unnest(CAST(:regions AS int[]), CAST(:periods AS date[]), CAST(:values AS float8[]))"
    " AS s (region_id, period_on, value)"
    " WHERE p.kind = :kind AND p.region_id = s.region_id AND p.period_on = s.period_on"
    " AND p.value <> s.value"
)
_INSERT = text(
    "INSERT INTO price_indices (kind, region_id, period_on, value)"
    " SELECT :kind, s.region_id, s.period_on, s.value FROM"
    " unnest(CAST(:regions AS int[]), CAST(:periods AS date[]), CAST(:values AS float8[]))"
    " AS s (region_id, period_on, value)"
    " ON CONFLICT DO NOTHING"
)
_REGION_IDS = text("SELECT code, id FROM regions WHERE code = ANY(:codes)")
_SUMMARY = text(
    "SELECT r.code, r.name, count(*) AS periods, min(p.period_on) AS first_on,"
    " max(p.period_on) AS last_on, (array_agg(p.value ORDER BY p.period_on DESC))[1] AS value"
    " FROM price_indices p JOIN regions r ON r.id = p.region_id"
    ' WHERE p.kind = :kind GROUP BY r.code, r.name ORDER BY r.code COLLATE "C"'
)
_HISTORY = text(
    "SELECT p.period_on, p.value FROM price_indices p JOIN regions r ON r.id = p.region_id"
    " WHERE p.kind = :kind AND r.code = :code ORDER BY p.period_on DESC LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """One region in the table: how many periods, from when to when, and its newest index."""

    code: str
    name: str
    periods: int
    first_on: date
    last_on: date
    value: float


async def upsert_indices(
    session: WriteSession, kind: str, values: Mapping[tuple[int, date], float]
) -> tuple[int, int]:
    """Store indices by region id and first day of the period; how many are new, and changed."""
    await session.execute(_LOCK)
    staged = {
        "kind": INDEX_KINDS[kind],
        "regions": [region_id for region_id, _ in values],
        "periods": [period_on for _, period_on in values],
        "values": list(values.values()),
    }
    changed = await session.execute(_CHANGE, staged)
    inserted = await session.execute(_INSERT, staged)
    return rows_of(inserted), rows_of(changed)


async def read_region_ids(session: AsyncSession, codes: list[str]) -> dict[str, int]:
    """The ids of regions by their codes, as far as they exist."""
    return {row.code: row.id for row in await session.execute(_REGION_IDS, {"codes": codes})}


async def list_indexed_regions(session: AsyncSession, kind: str) -> list[IndexSummary]:
    """Every region that has an index of that kind, by code."""
    rows = await session.execute(_SUMMARY, {"kind": INDEX_KINDS[kind]})
    return [IndexSummary(*row) for row in rows]


async def list_indices(
    session: AsyncSession, kind: str, code: str, limit: int
) -> list[tuple[date, float]]:
    """The newest indices of one region: (first day of the period, value)."""
    asked = {"kind": INDEX_KINDS[kind], "code": code, "limit": limit}
    return [(row.period_on, row.value) for row in await session.execute(_HISTORY, asked)]
