"""`meta` of a guide."""

from collections.abc import Mapping
from typing import Any

from app.demand.reading import not_of_demand
from app.guide.ground import EMPTY, OK, Ground, Row, Table
from app.market.queries import ABSENT
from app.statistics.envelope import describe_rounding, describe_sources

PUBLISHED_SECTIONS = frozenset({"benchmarks"})
"""Sections that say nothing of the records."""

PAID_SECTIONS = frozenset({"overall", "bands", "regions", "work_modes", "trend"})
"""Sections for which `meta.nearest` is looked for: it counts records of pay."""


def describe_guide(ground: Ground, tables: Mapping[str, Table]) -> Row:
    """The query as used, population and money, and what the sections were made of.

    `status` is empty where no section that is made of records has any; of a release, whose hidden
    and empty nodes look alike, it is absent.
    """
    reading, beside = ground.reading, ground.beside
    query = {**reading.filters.echo(), **reading.question.basis.echo(), **ground.shape.echo()}
    about_records = {name: t for name, t in tables.items() if name not in PUBLISHED_SECTIONS}
    statuses = {table.describe()["status"] for table in (about_records or tables).values()}
    ids = sorted({source_id for table in tables.values() for source_id in table.source_ids})
    demo_ids = reading.question.population.demo_ids | beside.question.population.demo_ids
    newest = [day for table in tables.values() if (day := table.about.get("data_as_of"))]
    precision: dict[str, Any] = {"method": "exact", "max_relative_error": 0}
    if reading.release is not None:
        precision |= describe_rounding(reading.release)
    return {
        "query": query,
        "status": next((word for word in (OK, ABSENT) if word in statuses), EMPTY),
        **reading.describe(),
        **precision,
        "demand": {
            "population": "live",
            "query": beside.filters.echo(),
            "filters_not_applied": not_of_demand(reading),
        },
        "published": ground.facts.get("source"),
        "data_version": str(reading.version),
        "data_as_of": max(newest, default=None),
        "sources": describe_sources(ids, reading.catalogue),
        "demo": not demo_ids.isdisjoint(ids),
    }
