"""Demand statistics: one select per request.

A stock is averaged over the dates on which its source reported, whatever the filters left of
them: where a group is absent from a report, it had no openings then. So the dates are counted
apart from the groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.demand.shape import DemandShape
from app.domain.vocabulary import MEASURES as RECORDED
from app.statistics.filters import Filters, sql_of, touches
from app.statistics.grouping import Grouping, key_sql, named_sql
from app.statistics.population import Population
from app.statistics.queries import Answer, Totals
from app.statistics.statement import answer_sql, ordering_sql, placed_sql, records_sql
from app.tables import DemandRecord
from app.taxonomies.catalogue import Catalogue

NEW: Final = RECORDED["new"]
OPEN: Final = RECORDED["open"]
PERIODS: Final = frozenset({"month", "quarter", "year"})
TOTALS: Final = ("groups", "records", "precision", "newest", "sources", "has_open")


@dataclass(frozen=True, slots=True)
class DemandAnswer(Answer):
    """`share_of` says what shares are of: open or new; None without rows."""

    share_of: str | None = None


async def find_demand(
    session: AsyncSession,
    catalogue: Catalogue,
    population: Population,
    filters: Filters,
    shape: DemandShape,
) -> DemandAnswer:
    """The figures. Raises UnknownValue (422) for codes that are not known."""
    connection = await session.connection()
    statement = build_demand(catalogue, population, filters, shape)
    found = (await connection.exec_driver_sql(statement)).all()
    columns = (*shape.grouping.columns, *(measure.name for measure in shape.measures), "status")
    totals, has_open = read_totals(found[0][-len(TOTALS) :])
    if not totals.groups:
        return DemandAnswer(columns, [], totals)
    return DemandAnswer(columns, found, totals, "open" if has_open else "new")


def read_totals(columns: Sequence[Any]) -> tuple[Totals, bool]:
    """The totals from the columns of TOTALS, and whether there are open positions."""
    values = dict(zip(TOTALS, columns, strict=True))
    has_open = bool(values.pop("has_open"))
    source_ids = tuple(values.pop("sources") or ())
    return Totals(**values, source_ids=source_ids), has_open


def build_demand(
    catalogue: Catalogue, population: Population, filters: Filters, shape: DemandShape
) -> str:
    """SQL whose rows hold dimensions and measures, then the columns of TOTALS (`answer_sql`)."""
    by_source = by_source_sql(catalogue, population, filters, shape)
    tables = (
        f"by_source AS MATERIALIZED ({by_source})",
        f"dates AS ({dates_sql(population, filters, shape.grouping)})",
        f"grouped AS MATERIALIZED ({merged_sql(shape.grouping)})",
    )
    shown = [*shape.grouping.columns, *(measure.name for measure in shape.measures), "status"]
    return answer_sql(tables, shown, page_sql(shape), TOTALS, totals_sql())


def by_source_sql(
    catalogue: Catalogue, population: Population, filters: Filters, shape: DemandShape
) -> str:
    """Sums for each group and source; records that cannot be placed are counted only."""
    placed = placed_sql(DemandRecord, filters, shape.grouping) or "true"
    keys = [
        f"{key_sql(item, shape.grouping, demand=True)} AS {item.name}_key"
        for item in shape.grouping.dimensions
    ]
    stated = f"r.candidates IS NOT NULL AND {placed}"
    columns = [
        *keys,
        "r.source_id",
        f"count(*) FILTER (WHERE {placed}) AS count",
        f"sum(r.openings) FILTER (WHERE r.measure = {NEW} AND {placed}) AS new",
        f"sum(r.openings) FILTER (WHERE r.measure = {OPEN} AND {placed}) AS open",
        f"sum(r.openings) FILTER (WHERE {stated}) AS wanted",
        f"sum(r.candidates) FILTER (WHERE {stated}) AS candidates",
        f"count(*) FILTER (WHERE NOT ({placed})) AS precision",
        f"max(r.observed_on) FILTER (WHERE {placed}) AS newest",
    ]
    asked = "" if shape.measure is None else f"AND r.measure = {RECORDED[shape.measure]}"
    by = ", ".join(str(place) for place in range(1, len(keys) + 2))
    return "\n".join(
        (
            f"SELECT {', '.join(columns)}",
            records_sql(DemandRecord, catalogue, population, filters, shape.grouping),
            f"{asked} GROUP BY {by}",
        )
    )


def dates_sql(population: Population, filters: Filters, grouping: Grouping) -> str:
    """For each source and period of the grouping, the dates on which it reported open positions."""
    placed = placed_sql(DemandRecord, filters, grouping) or "true"
    keys = [f"{item.key} AS {item.name}_key" for item in _periods(grouping)]
    names = [f"{item.name}_key" for item in _periods(grouping)]
    conditions = [population.condition(DemandRecord), touches(DemandRecord, filters.window)]
    each = " ".join(
        (
            "SELECT DISTINCT",
            ", ".join(["r.source_id", "r.observed_on", *keys]),
            "FROM demand_records AS r WHERE",
            f"r.measure = {OPEN} AND {sql_of(conditions)} AND {placed}",
        )
    )
    by = ", ".join(["source_id", *names])
    return " ".join(("SELECT", by, ", count(*) AS number FROM", f"({each}) AS d GROUP BY {by}"))


def _periods(grouping: Grouping) -> list[Any]:
    return [item for item in grouping.dimensions if item.name in PERIODS]


def merged_sql(grouping: Grouping) -> str:
    """The groups, over all sources."""
    keys = [f"{item.name}_key" for item in grouping.dimensions]
    joined = ", ".join(["source_id", *(f"{item.name}_key" for item in _periods(grouping))])
    columns = [
        *keys,
        "sum(count)::bigint AS count",
        "sum(new) AS openings_new",
        "sum(open / number) AS openings_open",
        "sum(wanted) / nullif(sum(candidates), 0) AS tightness",
    ]
    having = (
        f"GROUP BY {', '.join(keys)} HAVING sum(count) > 0" if keys else "HAVING sum(count) > 0"
    )
    return " ".join(
        (
            "SELECT",
            ", ".join(columns),
            f"FROM by_source LEFT JOIN dates USING ({joined})",
            having,
        )
    )


def totals_sql() -> str:
    """One row over all groups."""
    return (
        "SELECT 1 AS place, (SELECT count(*) FROM grouped) AS groups,"
        " coalesce(sum(count), 0)::bigint AS records,"
        " coalesce(sum(precision), 0)::bigint AS precision,"
        " max(newest) AS newest,"
        " array_agg(DISTINCT source_id) FILTER (WHERE count > 0) AS sources,"
        " (SELECT bool_or(openings_open IS NOT NULL) FROM grouped) AS has_open"
        " FROM by_source"
    )


def page_sql(shape: DemandShape) -> str:
    """The groups that are shown: columns of the dimensions, measures, and `place` in the order."""
    periods = ", ".join(f"{item.name}_key" for item in _periods(shape.grouping))
    # A stock is never summed over time, not even for its shares.
    of_open = f"sum(openings_open) OVER ({f'PARTITION BY {periods}' if periods else ''})"
    share = (
        "CASE WHEN bool_or(openings_open IS NOT NULL) OVER ()"
        f" THEN openings_open / nullif({of_open}, 0)"
        " ELSE openings_new / nullif(sum(openings_new) OVER (), 0) END AS share"
    )
    order = ordering_sql(shape.sort, shape.grouping)
    measures = [f"{measure.sql} AS {measure.name}" for measure in shape.measures]
    status = "'ok' AS status"
    columns = [
        *shape.grouping.columns,
        *measures,
        status,
        f"row_number() OVER (ORDER BY {order}) AS place",
    ]
    groups = f"({named_sql(shape.grouping)}) AS g"
    shared = " ".join(("SELECT g.*,", share, "FROM", groups))
    cut = f"ORDER BY place LIMIT {shape.limit}"
    return " ".join(("SELECT", ", ".join(columns), f"FROM ({shared}) AS g", cut))
