"""What a listed record shows: the names of the import's fields, so that a list can be imported.

Never the employer: only a keyed hash of it is stored, and that stays inside.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from app.core.numbers import exact_number, whole_number
from app.core.rows import texts_except
from app.domain.vocabulary import (
    EMPLOYMENT_TYPES,
    MEASURES,
    PAY_KINDS,
    PAY_PERIODS,
    PRECISIONS,
    WORK_MODES,
    word_of,
)
from app.taxonomies.catalogue import Catalogue

Row = dict[str, Any]

_DIMENSIONS: Final = (
    *("source", "external_id", "title", "role", "role_name", "level", "level_name"),
    *("region", "region_name", "industry", "industry_name"),
)
SALARY_COLUMNS: Final = (
    *_DIMENSIONS,
    *("employment_type", "work_mode", "pay_kind", "amount_min", "amount_max", "currency"),
    *("pay_period", "fte", "observed_on", "last_seen_on", "annual_low", "annual_high"),
    *("annual_amount", "rate", "rate_on", "rate_pending", "url", "import"),
)
DEMAND_COLUMNS: Final = (
    *_DIMENSIONS,
    *("measure", "openings", "candidates", "skills", "observed_on", "import"),
)
SALARY_KINDS: Final = texts_except(
    SALARY_COLUMNS,
    number=("amount_min", "amount_max", "fte", "rate"),
    whole=("annual_low", "annual_high", "annual_amount", "import"),
    date=("last_seen_on", "rate_on"),
    truth=("rate_pending",),
)
DEMAND_KINDS: Final = texts_except(
    DEMAND_COLUMNS, number=("openings", "candidates"), texts=("skills",), whole=("import",)
)


def salary_row(record: Mapping[str, Any], catalogue: Catalogue) -> Row:
    """A salary record; `annual_*` in the base currency, `rate` as multiplied with."""
    return {
        **_dimensions(record, catalogue),
        "employment_type": word_of(EMPLOYMENT_TYPES, record["employment_type"]),
        "work_mode": word_of(WORK_MODES, record["work_mode"]),
        "pay_kind": word_of(PAY_KINDS, record["pay_kind"]),
        "amount_min": exact_number(record["amount_min"]),
        "amount_max": exact_number(record["amount_max"]),
        "pay_period": word_of(PAY_PERIODS, record["pay_period"]),
        "fte": exact_number(record["fte"]),
        **{
            name: record[name]
            for name in (
                *("currency", "last_seen_on", "annual_low", "annual_high", "annual_amount"),
                *("rate", "rate_on", "rate_pending", "url"),
            )
        },
    }


def demand_row(record: Mapping[str, Any], catalogue: Catalogue) -> Row:
    """A demand record."""
    return {
        **_dimensions(record, catalogue),
        "measure": word_of(MEASURES, record["measure"]),
        "openings": whole_number(record["openings"]),
        "candidates": whole_number(record["candidates"]),
        "skills": list(record["skills"]),
    }


def _dimensions(record: Mapping[str, Any], catalogue: Catalogue) -> Row:
    role = catalogue.roles.by_id[record["role_id"]]
    level = catalogue.levels.by_id[record["level_id"]]
    region = catalogue.regions.by_id[record["region_id"]]
    industry = catalogue.industries.by_id[record["industry_id"]]
    return {
        "source": catalogue.sources.by_id[record["source_id"]].code,
        "external_id": record["external_id"],
        "title": record["title"] or None,
        "role": role.code,
        "role_name": role.name,
        "level": level.code,
        "level_name": level.name,
        "region": region.code,
        "region_name": region.name,
        "industry": industry.code,
        "industry_name": industry.name,
        "observed_on": observed_text(record["observed_on"], record["precision"]),
        "import": record["import_id"],
    }


def observed_text(day: date, precision: int) -> str:
    """The date as precise as it was stated: `2026-04-09`, `2026-04` or `2026`."""
    lengths = {"month": 7, "year": 4}
    return day.isoformat()[: lengths.get(word_of(PRECISIONS, precision), 10)]
