"""What OpenAPI shows about the market, derived from the registry where it can be."""

from typing import Any, Final

from app.market.shape import MARKET
from app.statistics.documentation import META, describe_measures, responses

ROW: Final[dict[str, Any]] = {
    "region": "US-CA-SFO",
    "region_name": "San Francisco Bay Area",
    "count": 412,
    "p50": 175000.0,
    "p50_low": 171000.0,
    "p50_high": 179500.0,
    "quality": "A",
    "change_year": 0.031,
    "openings_new": 1230.0,
    "openings_open": 412.5,
    "tightness": 0.38,
    "demand_share": 0.21,
    "demand_records": 24,
    "status": "ok",
}
_QUERY: Final[dict[str, Any]] = {
    "role": ["django-developer"],
    "pay_kind": ["base", "unspecified"],
    "from": "2025-12-01",
    "to": "2026-11-30",
    "last": "12m",
    "window": None,
}
_META: Final[dict[str, Any]] = {
    **META,
    "query": {
        **_QUERY,
        "bound": "mid",
        "exact": False,
        "group_by": ["region"],
        "region_kind": None,
        "measures": list(MARKET),
        "sort": ["region"],
        "limit": 1000,
    },
    "change_year_from": "2024-12-01",
    "change_year_to": "2025-11-30",
    "demand": {
        "query": {name: value for name, value in _QUERY.items() if name != "pay_kind"},
        "filters_not_applied": [],
        "share_of": "open",
        "population": "live",
        "records": 24,
        "coverage": {"precision": 0},
        "data_as_of": "2026-11-01",
    },
    "nearest": None,
}

MARKET_RESPONSES: Final = responses(
    f"One row for each group that has pay, demand or both. {describe_measures(MARKET.values())}",
    ROW,
    _META,
    MARKET,
)
