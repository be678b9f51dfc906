"""The statements behind answers about demand, as text (see `app.statistics.statement`).

A stock is averaged over the dates on which its source reported, whatever the filters left of
them: where a group is absent from a report, it had no openings then. So the dates are counted
apart from the groups.
"""

from dataclasses import dataclass
from typing import Final

from app.demand.shape import DemandShape
from app.domain.periods import MONTHS
from app.domain.vocabulary import MEASURES as RECORDED
from app.statistics.filters import Filters, sql_of, touches
from app.statistics.grouping import NO_GROUPS, Dimension, Grouping, key_sql, named_sql
from app.statistics.population import Population
from app.statistics.statement import answer_sql, ordering_sql, placed_sql, records_sql
from app.tables import DemandRecord
from app.taxonomies.catalogue import Catalogue

NEW: Final = RECORDED["new"]
OPEN: Final = RECORDED["open"]
TOTALS: Final = ("groups", "records", "precision", "newest", "sources", "has_open")
SKILL_TOTALS: Final = ("groups", "records", "precision", "no_skills", "newest", "sources")
SUMS: Final = ("count", "new", "open", "wanted", "candidates", "precision", "newest")
"""What is summed up for each group and source."""


@dataclass(frozen=True, slots=True)
class DemandQuestion:
    """What decides figures of demand, whatever their shape. `measure`: new, open, None: both."""

    catalogue: Catalogue
    population: Population
    filters: Filters
    measure: str | None = None


def build_demand(question: DemandQuestion, shape: DemandShape) -> str:
    """SQL whose rows hold dimensions and measures, then the columns of TOTALS (`answer_sql`).

    With `shape.dense`, a group has a row for every period in which a source of its open positions
    reported: a report without the group says that it had none.
    """
    tables = [
        f"by_source AS MATERIALIZED ({by_source_sql(question, shape.grouping)})",
        f"dates AS MATERIALIZED ({dates_sql(question, shape.grouping)})",
    ]
    if shape.dense:
        tables.append(f"reported AS MATERIALIZED ({reported_sql(shape.grouping)})")
    tables.append(f"grouped AS MATERIALIZED ({merged_sql(shape)})")
    shown = [*shape.grouping.columns, *(measure.name for measure in shape.measures), "status"]
    return answer_sql(tables, shown, page_sql(shape), TOTALS, totals_sql())


def by_source_sql(question: DemandQuestion, grouping: Grouping) -> str:
    """Sums for each group and source; records that cannot be placed are counted only."""
    placed = placed_sql(DemandRecord, question.filters, grouping) or "true"
    keys = [
        f"{key_sql(item, grouping, demand=True)} AS {item.name}_key" for item in grouping.dimensions
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
    by = ", ".join(str(place) for place in range(1, len(keys) + 2))
    records = demand_sql(question, grouping)
    return "\n".join((f"SELECT {', '.join(columns)}", records, f"GROUP BY {by}"))


def demand_sql(question: DemandQuestion, grouping: Grouping = NO_GROUPS) -> str:
    """FROM and WHERE: the demand records `r` that match the filters or touch their window."""
    asked = "" if question.measure is None else f"AND r.measure = {RECORDED[question.measure]}"
    records = records_sql(
        DemandRecord, question.catalogue, question.population, question.filters, grouping
    )
    return f"{records} {asked}"


def dates_sql(question: DemandQuestion, grouping: Grouping = NO_GROUPS) -> str:
    """For each source and period of the grouping, the dates on which it reported open positions."""
    filters = question.filters
    placed = placed_sql(DemandRecord, filters, grouping) or "true"
    keys = [f"{item.key} AS {item.name}_key" for item in _periods(grouping)]
    names = [f"{item.name}_key" for item in _periods(grouping)]
    conditions = [
        question.population.condition(DemandRecord),
        touches(DemandRecord, filters.window),
    ]
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


def _periods(grouping: Grouping) -> list[Dimension]:
    return [item for item in grouping.dimensions if item.name in MONTHS]


def reported_sql(grouping: Grouping) -> str:
    """`by_source`, and nothing open in each period that a group's source reported on without it."""
    keys = [f"{item.name}_key" for item in grouping.dimensions]
    apart = [f"{item.name}_key" for item in grouping.dimensions if item.name not in MONTHS]
    groups = ", ".join([*apart, "source_id"])
    columns = ", ".join([*keys, "source_id", *SUMS])
    nothing = ", ".join([*keys, "source_id", "0", "NULL", "0", "NULL", "NULL", "0", "NULL"])
    having = " ".join(("SELECT DISTINCT", groups, "FROM by_source WHERE open IS NOT NULL"))
    absent = ("SELECT", nothing, f"FROM ({having}) AS g JOIN dates USING (source_id)")
    return " ".join(("SELECT", columns, "FROM by_source UNION ALL", *absent))


def merged_sql(shape: DemandShape) -> str:
    """The groups, over all sources."""
    grouping = shape.grouping
    keys = [f"{item.name}_key" for item in grouping.dimensions]
    joined = ", ".join(["source_id", *(f"{item.name}_key" for item in _periods(grouping))])
    columns = [
        *keys,
        "sum(count)::bigint AS count",
        "sum(new) AS openings_new",
        "sum(open / number) AS openings_open",
        "sum(wanted) / nullif(sum(candidates), 0) AS tightness",
    ]
    table, shows = "by_source", "sum(count) > 0"
    if shape.dense:
        table, shows = "reported", f"{shows} OR sum(open) IS NOT NULL"
    by = f"GROUP BY {', '.join(keys)}" if keys else ""
    tables = f"FROM {table} LEFT JOIN dates USING ({joined})"
    return " ".join(("SELECT", ", ".join(columns), tables, by, f"HAVING {shows}"))


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
    columns = [
        *shape.grouping.columns,
        *measures,
        "'ok' AS status",
        f"row_number() OVER (ORDER BY {order}) AS place",
    ]
    groups = f"({named_sql(shape.grouping, 'true')}) AS g"
    shared = " ".join(("SELECT g.*,", share, "FROM", groups))
    cut = f"ORDER BY place LIMIT {shape.limit}"
    return " ".join(("SELECT", ", ".join(columns), f"FROM ({shared}) AS g", cut))


def build_skills(question: DemandQuestion, most: int) -> str:
    """SQL whose rows hold `skill`, `named` (records), openings new and open, then SKILL_TOTALS.

    One row for each spelling, the most frequent first, `most` of them; `groups` counts all.
    """
    placed = placed_sql(DemandRecord, question.filters, NO_GROUPS) or "true"
    grouped = " ".join(
        (
            "SELECT skill, sum(count)::bigint AS records, sum(new) AS openings_new,",
            "sum(open / number) AS openings_open",
            "FROM named LEFT JOIN dates USING (source_id) GROUP BY skill",
        )
    )
    order = 'row_number() OVER (ORDER BY records DESC, skill COLLATE "C") AS place'
    page = " ".join(("SELECT *,", order, f"FROM grouped ORDER BY place LIMIT {most}"))
    tables = (
        f"named AS MATERIALIZED ({_named_sql(question, placed)})",
        f"dates AS ({dates_sql(question)})",
        f"grouped AS MATERIALIZED ({grouped})",
    )
    shown = ("skill", "page.records AS named", "openings_new", "openings_open")
    totals = _skill_totals_sql(question, placed)
    return answer_sql(tables, shown, page, SKILL_TOTALS, totals)


def _named_sql(question: DemandQuestion, placed: str) -> str:
    """Sums for each spelling and source."""
    records = f"{demand_sql(question)} AND {placed}"
    return " ".join(
        (
            "SELECT r.source_id, skill, count(*) AS count,",
            f"sum(r.openings) FILTER (WHERE r.measure = {NEW}) AS new,",
            f"sum(r.openings) FILTER (WHERE r.measure = {OPEN}) AS open",
            f"FROM (SELECT r.source_id, r.measure, r.openings, r.skills {records}) AS r",
            "CROSS JOIN LATERAL (SELECT DISTINCT unnest(r.skills) AS skill) AS s GROUP BY 1, 2",
        )
    )


def _skill_totals_sql(question: DemandQuestion, placed: str) -> str:
    """One row over all records; those that state skills are the ones used."""
    used = f"cardinality(r.skills) > 0 AND {placed}"
    return " ".join(
        (
            "SELECT 1 AS place, (SELECT count(*) FROM grouped) AS groups,",
            f"count(*) FILTER (WHERE {used}) AS records,",
            f"count(*) FILTER (WHERE NOT ({placed})) AS precision,",
            f"count(*) FILTER (WHERE cardinality(r.skills) = 0 AND {placed}) AS no_skills,",
            f"max(r.observed_on) FILTER (WHERE {used}) AS newest,",
            f"array_agg(DISTINCT r.source_id) FILTER (WHERE {used}) AS sources",
            demand_sql(question),
        )
    )
