"""SQL of the taxonomies: members written, and what is counted of sources and titles."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import any_, bindparam, func, insert, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import WriteSession
from app.ingest.imports import RUNNING, STALE_S
from app.tables import (
    Benchmark,
    DemandRecord,
    Epoch,
    Import,
    Industry,
    Level,
    Region,
    Role,
    SalaryRecord,
    Source,
    TitleAlias,
)
from app.taxonomies.lineage import Lineage, build_lineage

Member = type[Level] | type[Role] | type[Industry] | type[Region] | type[Source]

_SOURCE_COUNTS: Final = text(
    "SELECT s.id,"
    " (SELECT count(*) FROM salary_records r WHERE r.source_id = s.id) AS salary_records,"
    " (SELECT count(*) FROM demand_records r WHERE r.source_id = s.id) AS demand_records,"
    " (SELECT count(*) FROM benchmarks b WHERE b.source_id = s.id) AS benchmarks,"
    " greatest((SELECT max(observed_on) FROM salary_records r WHERE r.source_id = s.id),"
    "  (SELECT max(observed_on) FROM demand_records r WHERE r.source_id = s.id)) AS newest_on,"
    " i.id AS last_import, i.started_at AS last_import_at"
    " FROM sources s LEFT JOIN LATERAL (SELECT id, started_at FROM imports"
    "  WHERE source_id = s.id AND NOT dry_run ORDER BY id DESC LIMIT 1) i ON true"
    " WHERE s.id = ANY(CAST(:ids AS int[]))"
)
# Records of role 0 whose title gives no role; those that named no title cannot be worked on.
_UNMATCHED: Final = text(
    "SELECT t.id, t.text, t.level_id, c.records FROM ("
    " SELECT title_id, sum(n) AS records FROM ("
    "  SELECT title_id, count(*) AS n FROM salary_records"
    "   WHERE role_id = 0 AND title_id <> 0 AND source_id = ANY(CAST(:sources AS int[]))"
    "   GROUP BY title_id"
    "  UNION ALL SELECT title_id, count(*) AS n FROM demand_records"
    "   WHERE role_id = 0 AND title_id <> 0 AND source_id = ANY(CAST(:sources AS int[]))"
    "   GROUP BY title_id) AS each GROUP BY title_id) AS c JOIN titles t ON t.id = c.title_id"
    " WHERE t.role_id = 0"
    "  AND (CAST(:records AS bigint) IS NULL OR (-c.records, t.id)"
    "   > (-CAST(:records AS bigint), CAST(:title AS bigint)))"
    " ORDER BY c.records DESC, t.id LIMIT :limit"
)


async def lock_taxonomies(session: WriteSession) -> None:
    """Make other changes of taxonomies wait until this transaction ends."""
    await session.execute(select(Epoch.epoch).with_for_update())


async def insert_member(session: WriteSession, table: Member, values: Mapping[str, Any]) -> int:
    """Insert one member; its id."""
    found = await session.scalar(insert(table).values(**values).returning(table.id))
    return int(found or 0)


async def update_member(
    session: WriteSession, table: Member, member_id: int, values: Mapping[str, Any]
) -> bool:
    """Replace values of one member; whether one of them was another before."""
    columns = table.__table__.c
    differs = or_(*(columns[name].is_distinct_from(value) for name, value in values.items()))
    statement = update(table).where(table.id == member_id, differs).values(**values)
    return await session.scalar(statement.returning(table.id)) is not None


async def place_region(session: WriteSession, region_id: int) -> None:
    """Compute anew where a region and everything under it stand in the tree."""
    columns = (Region.id, Region.kind, Region.parent_id)
    rows = (
        await session.execute(
            select(*columns)
            .where(or_(Region.id == region_id, literal(region_id) == any_(Region.ancestors)))
            .order_by(Region.id != region_id, func.cardinality(Region.ancestors))
        )
    ).all()
    lineages: dict[int, Lineage] = await _lineages(session, rows[0].parent_id)
    placed = []
    for row in rows:
        lineage = build_lineage(row.id, row.kind, lineages.get(row.parent_id))
        lineages[row.id] = lineage
        placed.append(
            {
                "placed_id": row.id,
                "ancestors": list(lineage.ancestors),
                "country_id": lineage.country_id,
                "subdivision_id": lineage.subdivision_id,
                "metro_id": lineage.metro_id,
            }
        )
    connection = await session.connection()
    table = Region.__table__
    await connection.execute(update(Region).where(table.c.id == bindparam("placed_id")), placed)


async def _lineages(session: WriteSession, region_id: int | None) -> dict[int, Lineage]:
    columns = (Region.ancestors, Region.country_id, Region.subdivision_id, Region.metro_id)
    row = (await session.execute(select(*columns).where(Region.id == region_id))).first()
    if row is None or region_id is None:
        return {}
    return {region_id: Lineage(tuple(row[0]), row[1], row[2], row[3])}


async def source_holds_records(session: WriteSession, source_id: int) -> bool:
    """Whether anything is stored under the source, or is being stored right now."""
    held = [
        select(table.source_id).where(table.source_id == source_id).limit(1)
        for table in (SalaryRecord, DemandRecord, Benchmark)
    ]
    # 0: an import whose rows tell the source. A silent one has lost its process.
    running = select(Import.id).where(
        Import.source_id.in_((0, source_id)),
        Import.state == RUNNING,
        Import.updated_at > func.clock_timestamp() - timedelta(seconds=STALE_S),
    )
    for statement in (*held, running.limit(1)):
        if await session.scalar(statement) is not None:
            return True
    return False


async def read_facts(session: AsyncSession, role_id: int) -> dict[str, Any]:
    """The published facts of a role."""
    return dict(await session.scalar(select(Role.facts).where(Role.id == role_id)) or {})


async def count_sources(session: AsyncSession, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By source id: records, benchmarks, the newest record's first day, the last import."""
    rows = await session.execute(_SOURCE_COUNTS, {"ids": list(ids)})
    return {row["id"]: dict(row) for row in rows.mappings()}


async def list_unmatched(
    session: AsyncSession, sources: Sequence[int], limit: int, after: tuple[int, int] | None
) -> list[dict[str, Any]]:
    """Titles without a role and how many records of those sources wait for one, most first."""
    records, title = after or (None, 0)
    rows = await session.execute(
        _UNMATCHED,
        {"sources": list(sources), "limit": limit, "records": records, "title": title},
    )
    return [dict(row) for row in rows.mappings()]


async def read_aliases(session: WriteSession, texts: Sequence[str]) -> dict[str, Any]:
    """Stored title aliases by their folded text."""
    rows = await session.scalars(select(TitleAlias).where(TitleAlias.text.in_(texts)))
    return {row.text: row for row in rows}
