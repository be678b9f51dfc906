"""What OpenAPI shows about guides."""

from typing import Any, Final

from app.core.openapi import example, problems
from app.guide.sections import REGISTRY
from app.statistics.documentation import META, refusals

_PUBLISHED: Final[dict[str, Any]] = {
    "published_low": 85000,
    "published_high": 115000,
    "published_open_ended": False,
    "published_currency": "USD",
    "published_pay_period": "year",
    "published_period": "2026",
    "published_source": "published-guide",
}
_BAND: Final[dict[str, Any]] = {
    "level": "mid",
    "level_name": "Mid",
    "level_rank": 2,
    "count": 318,
    "p_low": 86200.0,
    "p50": 99000.0,
    "p_high": 114300.0,
    "band_low": 85000.0,
    "band_high": 115000.0,
    "quality": "A",
    **_PUBLISHED,
    "status": "ok",
}
_DATA: Final[dict[str, Any]] = {
    "role": {
        "code": "django-developer",
        "name": "Django Developer",
        "family": "software",
        "soc": "15-1252",
        "isco": "2512",
    },
    "facts": {"skills": ["Python", "Django"], "experience_years": {"low": 2, "high": 5}},
    **{name: [_BAND] if name == "bands" else [] for name in REGISTRY},
}
_UNUSED: Final = {"groups", "records", "coverage", "truncated"}
_META: Final[dict[str, Any]] = {
    **{name: value for name, value in META.items() if name not in _UNUSED},
    "query": {
        "role": ["django-developer"],
        "region": ["US"],
        "pay_kind": ["base", "unspecified"],
        "from": "2024-01-01",
        "to": "2026-12-31",
        "last": "3y",
        "window": None,
        "bound": "mid",
        "exact": False,
        "section": None,
        "low": "p25",
        "high": "p75",
        "step": 5000,
        "region_kind": None,
        "limit": 10,
    },
    "status": "ok",
    "sections": {"bands": {"status": "ok", "groups": 1, "truncated": False, "records": 318}},
}
_SECTIONS: Final = " ".join(f"`{item.name}`: {item.title}" for item in REGISTRY.values())

GUIDE_RESPONSES: Final[dict[int | str, Any]] = {
    **example(
        f"All sections with `facts`, or the rows of one `section`. {_SECTIONS}",
        {"data": _DATA, "meta": _META},
    ),
    **problems(404),
    **refusals(),
}
