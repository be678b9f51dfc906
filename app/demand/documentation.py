"""What OpenAPI shows about demand, derived from the registries where it can be."""

from typing import Any, Final

from app.demand.measures import MEASURES
from app.demand.trend_shape import DEFAULT_MEASURES, DERIVED
from app.statistics.documentation import META, describe_measures, responses

Json = dict[str, Any]

_UNUSED: Final = {"currency", "pay_period", "exchange_rate", "exchange_rate_on", "unconverted"}
_COMMON: Final = {name: value for name, value in META.items() if name not in _UNUSED}
_FILTERS: Final = {"from": "2021-01-01", "to": "2021-12-31", "last": None, "window": None}
_USED: Final = {"coverage": {"precision": 0}, "data_as_of": "2021-12-01"}

STATISTICS_RESPONSES: Final = responses(
    f"One row for each group. {describe_measures(MEASURES.values())}",
    {
        "region": "US-CA",
        "region_name": "California",
        "openings_new": None,
        "openings_open": 1163250.0,
        "tightness": None,
        "share": 0.105377,
        "count": 12,
        "status": "ok",
    },
    {
        **_COMMON,
        "query": {
            **_FILTERS,
            "measure": "open",
            "group_by": ["region"],
            "region_kind": None,
            "measures": list(MEASURES),
            "sort": ["region"],
            "limit": 1000,
        },
        "share_of": "open",
        "groups": 51,
        "records": 612,
        **_USED,
        "nearest": None,
    },
    MEASURES,
)

TREND_RESPONSES: Final = responses(
    "One row for each series and period. "
    f"{describe_measures((*MEASURES.values(), *DERIVED.values()))}",
    {
        "month": "2021-12",
        "openings_new": None,
        "openings_open": 11811000.0,
        "tightness": None,
        "count": 51,
        "change_previous": 0.023041,
        "change_year": 0.641334,
        "index": 160.321,
        "status": "ok",
    },
    {
        **_COMMON,
        "query": {
            **_FILTERS,
            "measure": "open",
            "interval": "month",
            "group_by": ["none"],
            "region_kind": None,
            "measures": list(DEFAULT_MEASURES),
            "series": 100,
            "change_of": "openings_open",
            "base": "2021-01",
        },
        "periods": {"first": "2021-01", "last": "2021-12", "count": 12},
        "cut_periods": [],
        "change_of": "openings_open",
        "index": {"base": "2021-01", "series_without_base": 0},
        "groups": 1,
        "records": 612,
        **_USED,
        "nearest": None,
    },
    {**MEASURES, **DERIVED},
)

SKILLS_RESPONSES: Final = responses(
    "One row for each skill. `records`: demand records that name it. `share`: of the records that "
    "name any skill. `openings_new`, `openings_open`: of the records that name it, as in demand "
    "statistics.",
    {
        "skill": "Python",
        "records": 1140,
        "openings_new": 5230.0,
        "openings_open": 212.5,
        "share": 0.95,
        "status": "ok",
    },
    {
        **_COMMON,
        "query": {**_FILTERS, "measure": None, "sort": "-records", "limit": 1000},
        "groups": 11,
        "records": 1200,
        **_USED,
        "coverage": {"precision": 0, "no_skills": 31},
        "nearest": None,
    },
    MEASURES,
)
