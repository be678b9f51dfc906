"""What OpenAPI shows about statistics, derived from the registries where it can be."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import to_json

from app.core.openapi import example, problem
from app.statistics.grouping import DIMENSIONS
from app.statistics.kinds import WHOLE_COLUMNS
from app.statistics.measures import MEASURES, Measure, Unit

Json = dict[str, Any]

TYPES: Final[Mapping[Unit, Any]] = {
    Unit.RECORDS: "integer",
    Unit.EMPLOYERS: "integer",
    Unit.MONEY: ["number", "null"],
    Unit.OPENINGS: ["number", "null"],
    Unit.RATIO: ["number", "null"],
    Unit.GRADE: ["string", "null"],
}

ROW: Final = {
    "region": "US-CA-SFO",
    "region_name": "San Francisco Bay Area",
    "level": "senior",
    "level_name": "Senior",
    "level_rank": 3,
    "count": 412,
    "mean": 178204.5,
    "p10": 128000.0,
    "p25": 149000.0,
    "p50": 175000.0,
    "p75": 205000.0,
    "p90": 232000.0,
    "p50_low": 171000.0,
    "p50_high": 179500.0,
    "quality": "A",
    "status": "ok",
}
META: Final = {
    "query": {
        "role": ["django-developer"],
        "pay_kind": ["base", "unspecified"],
        "from": "2025-12-01",
        "to": "2026-11-30",
        "last": "12m",
        "window": None,
        "group_by": ["region", "level"],
        "region_kind": None,
        "measures": [name for name in ROW if name in MEASURES],
        "bound": "mid",
        "adjust": [],
        "exact": False,
        "sort": ["region", "level"],
        "limit": 1000,
    },
    "population": "live",
    "currency": "USD",
    "pay_period": "year",
    "exchange_rate": None,
    "exchange_rate_on": None,
    "unconverted": False,
    "adjust": [],
    "method": "exact",
    "max_relative_error": 0,
    "groups": 1,
    "records": 412,
    "coverage": {
        "rate_pending": 0,
        "one_sided": 3,
        "out_of_bounds": 0,
        "precision": 12,
        "no_index": 0,
        "range_share": 0.31,
    },
    "truncated": False,
    "data_version": "4-9f1c2a7b-1204",
    "data_as_of": "2026-11-20",
    "sources": [
        {
            "code": "survey-2026",
            "name": "Developer survey 2026",
            "kind": "reported",
            "licence": "CC0 1.0",
            "url": "https://example.org/survey",
        }
    ],
    "demo": False,
}


def refusals() -> dict[int | str, Json]:
    """The errors of reading routes beside the common ones."""
    return {
        422: problem(
            422,
            "unknown_level",
            "Unknown value",
            "level 'senoir' is not known. Nearest: senior. GET /v1/levels lists all codes.",
            parameter="level",
            nearest=["senior"],
        ),
    }


def responses(
    description: str, row: Json, meta: Json, measures: Mapping[str, Measure]
) -> dict[int | str, Json]:
    """For a route's `responses=`: the answer in JSON, CSV and NDJSON, and its errors."""
    shown = example(description, {"data": [row], "meta": meta})
    content = shown[200]["content"]
    content["application/json"]["schema"] = _schema(measures)
    content["text/csv"] = {"schema": {"type": "string"}, "example": _csv(row)}
    content["application/x-ndjson"] = {
        "schema": {"type": "string"},
        "example": to_json(row).decode() + "\n",
    }
    return {**shown, **refusals()}


def _schema(measures: Mapping[str, Measure]) -> Json:
    """The envelope: rows of dimensions and measures, and what they were made of."""
    columns: Json = {
        column: {"type": ["integer", "null"] if column in WHOLE_COLUMNS else ["string", "null"]}
        for dimension in DIMENSIONS.values()
        for column in dimension.columns
    }
    figures: Json = {
        item.name: {
            "type": TYPES[item.unit],
            "title": item.title,
            "description": f"{item.how} Unit: {item.unit}.",
        }
        for item in measures.values()
    }
    row = {
        "type": "object",
        "properties": {**columns, **figures, "status": {"type": "string"}},
        "patternProperties": {r"^p\d{1,2}(\.\d{1,3})?$": {"type": ["number", "null"]}},
        "required": ["status"],
    }
    return {
        "type": "object",
        "required": ["data", "meta"],
        "properties": {"data": {"type": "array", "items": row}, "meta": {"type": "object"}},
    }


def _csv(row: Json) -> str:
    values = ("" if value is None else str(value) for value in row.values())
    return ",".join(row) + "\r\n" + ",".join(values) + "\r\n"


def describe_measures(measures: Iterable[Measure]) -> str:
    """One sentence for each measure, from the registry."""
    return " ".join(f"`{item.name}` ({item.unit}): {item.how}" for item in measures)


STATISTICS_RESPONSES: Final = responses(
    f"One row for each group. {describe_measures(MEASURES.values())}",
    ROW,
    {**META, "nearest": None},
    MEASURES,
)
