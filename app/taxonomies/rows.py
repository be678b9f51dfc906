"""Members of the taxonomies as rows of answers."""

from typing import Any, Final

from app.core.rows import Kind, Kinds
from app.domain.vocabulary import RECURRENCES, REGION_KINDS, SOURCE_KINDS, word_of
from app.taxonomies.catalogue import (
    Catalogue,
    IndustryEntry,
    LevelEntry,
    RegionEntry,
    RoleEntry,
    SourceEntry,
)

Row = dict[str, Any]

LEVEL_COLUMNS: Final = ("code", "name", "rank", "aliases")
ROLE_COLUMNS: Final = ("code", "name", "family", "soc", "isco")
INDUSTRY_COLUMNS: Final = ("code", "name", "naics", "aliases")
REGION_COLUMNS: Final = (
    *("code", "name", "kind", "parent", "parent_name", "country", "subdivision"),
    *("alpha3", "cbsa", "aliases"),
)
SOURCE_COLUMNS: Final = (
    *("code", "name", "kind", "confidential", "recurrence", "demo", "licence", "url"),
    *("records", "salary_records", "demand_records", "benchmarks", "newest_on"),
    *("last_import", "last_import_at"),
)
KINDS: Final[Kinds] = {
    **dict.fromkeys(("rank", "records", "salary_records", "demand_records"), Kind.WHOLE),
    **dict.fromkeys(("benchmarks", "last_import"), Kind.WHOLE),
    **dict.fromkeys(("confidential", "demo"), Kind.TRUTH),
    "aliases": Kind.TEXTS,
    "newest_on": Kind.DATE,
    "last_import_at": Kind.MOMENT,
}
"""Kinds of the columns of all lists of taxonomies; the others are texts."""


def level_row(level: LevelEntry) -> Row:
    """A level as GET /v1/levels shows it."""
    return {
        "code": level.code,
        "name": level.name,
        "rank": level.rank,
        "aliases": list(level.aliases),
    }


def role_row(role: RoleEntry) -> Row:
    """A role as GET /v1/roles shows it, without its facts."""
    return {name: getattr(role, name) for name in ROLE_COLUMNS}


def industry_row(industry: IndustryEntry) -> Row:
    """An industry as GET /v1/industries shows it."""
    return {
        "code": industry.code,
        "name": industry.name,
        "naics": industry.naics,
        "aliases": list(industry.aliases),
    }


def region_row(region: RegionEntry, catalogue: Catalogue) -> Row:
    """A region as GET /v1/regions shows it; `country` and `subdivision` hold the nearest ones."""
    regions = catalogue.regions.by_id
    parent = None if region.parent_id is None else regions[region.parent_id]
    return {
        "code": region.code,
        "name": region.name,
        "kind": word_of(REGION_KINDS, region.kind),
        "parent": None if parent is None else parent.code,
        "parent_name": None if parent is None else parent.name,
        "country": regions[region.country_id].code if region.country_id else None,
        "subdivision": regions[region.subdivision_id].code if region.subdivision_id else None,
        "alpha3": region.alpha3,
        "cbsa": region.cbsa,
        "aliases": list(region.aliases),
    }


def source_row(source: SourceEntry, counts: Row) -> Row:
    """A source as GET /v1/sources shows it, with what `count_sources` found."""
    return {
        "code": source.code,
        "name": source.name,
        "kind": word_of(SOURCE_KINDS, source.kind),
        "confidential": source.confidential,
        "recurrence": word_of(RECURRENCES, source.recurrence),
        "demo": source.demo,
        "licence": source.licence,
        "url": source.url,
        "records": counts["salary_records"] + counts["demand_records"],
        **{name: counts[name] for name in SOURCE_COLUMNS[9:]},
    }
