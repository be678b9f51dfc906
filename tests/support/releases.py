"""Releases put straight into the tables: for tests of what reads them."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import insert, select

from app.core.database import Database
from app.core.versions import advance_epoch
from app.tables import Level, Region, Release, ReleaseNode, Role, Source

Node = dict[str, Any]
MADE_AT = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)
THROUGH = date(2026, 6, 30)


def node(count: int = 20, **values: Any) -> Node:
    """What a release shows of one node; a dimension that is left out is `all`.

    `role`, `region`, `level` and `source` are codes, `period` a number (0 all, 2025, 20251).
    """
    figures = {"mean": 102_000, "p10": 80_000, "p25": 90_000, "p50": 100_000}
    figures |= {"p75": 110_000, "p90": 120_000}
    return {"count": count, "employers": 10, "period": 0, "base": 1, **figures, **values}


async def add_release(database: Database, *nodes: Node, **values: Any) -> int:
    """A release with these nodes; its id. `source` is the code of a public source."""
    async with database.write() as session:
        ids = {}
        for name, table in (("role", Role), ("region", Region), ("level", Level)):
            ids[name] = {r.code: r.id for r in await session.execute(select(table.code, table.id))}
        rows = await session.execute(select(Source.code, Source.id))
        ids["source"] = {row.code: row.id for row in rows}
        source = values.pop("source", None)
        stored = [_stored(row, ids) for row in nodes]
        release = {
            "series": ids["source"][source] if source else 0,
            "number": 1,
            "figures": len(nodes),
            "made_at": MADE_AT,
            "through": THROUGH,
            "base_currency": "USD",
            "source_ids": sorted({row["source_id"] for row in stored} - {-1}),
            "policy": {"count_step": 5, "money_step": 1000},
            **values,
        }
        made = await session.scalar(insert(Release).values(release).returning(Release.id))
        assert made is not None
        if stored:
            await session.execute(
                insert(ReleaseNode), [{**row, "release_id": made} for row in stored]
            )
        await advance_epoch(session)
    return int(made)


def _stored(row: Node, ids: dict[str, dict[str, int]]) -> Node:
    columns = {name: value for name, value in row.items() if name not in ids}
    for name, known in ids.items():
        columns[f"{name}_id"] = known[row[name]] if name in row else -1
    return columns
