"""Examples of the taxonomy routes for the OpenAPI document."""

from typing import Any, Final

from app.core.openapi import Json, example

LEVEL: Final[Json] = {
    "code": "senior",
    "name": "Senior",
    "rank": 3,
    "aliases": ["SE", "senior level", "sr", "sr."],
}
ROLE: Final[Json] = {
    "code": "django-developer",
    "name": "Django Developer",
    "family": "software",
    "soc": "15-1254",
    "isco": "2513",
}
ROLE_WITH_FACTS: Final[Json] = {
    **ROLE,
    "facts": {
        "skills": ["Python", "Django", "REST APIs"],
        "experience_years": {"low": 2, "high": 5},
        "source": {"code": "published-guide", "period": "2026"},
    },
}
INDUSTRY: Final[Json] = {
    "code": "fintech",
    "name": "Fintech",
    "naics": None,
    "aliases": ["financial technology", "payments"],
}
REGION: Final[Json] = {
    "code": "US-CA-SFO",
    "name": "San Francisco",
    "kind": "metro",
    "parent": "US-CA",
    "parent_name": "California",
    "country": "US",
    "subdivision": "US-CA",
    "alpha3": None,
    "cbsa": "41860",
    "aliases": ["SF", "Bay Area"],
}
SOURCE: Final[Json] = {
    "code": "ai-jobs",
    "name": "AI Jobs salaries",
    "kind": "posted",
    "confidential": False,
    "recurrence": "replace",
    "demo": False,
    "licence": "CC0 1.0",
    "url": None,
    "records": 74301,
    "salary_records": 74301,
    "demand_records": 0,
    "benchmarks": 0,
    "newest_on": "2025-01-01",
    "last_import": 7,
    "last_import_at": "2026-11-01T09:30:00Z",
}
TITLE_MATCH: Final[Json] = {
    "title": "Sr. Django Engineer",
    "role": "django-developer",
    "role_name": "Django Developer",
    "level": "senior",
    "level_name": "Senior",
    "focus_area": None,
    "confidence": 0.95,
    "method": "words",
    "why": "the words of the alias 'django engineer'; 'senior' gives the level",
}
REGION_MATCH: Final[Json] = {
    "text": "San Francisco, CA",
    "region": "US-CA-SFO",
    "region_name": "San Francisco",
    "kind": "metro",
    "parent": "US-CA",
    "confidence": 0.9,
    "why": "the name of San Francisco (US-CA-SFO), inside 'ca'",
}
UNMATCHED: Final[Json] = {
    "title": "Growth Hacker",
    "records": 12,
    "level": "unspecified",
    "level_name": "Unspecified",
}
ALIAS: Final[Json] = {
    "title": "growth hacker",
    "role": "marketing-manager",
    "level": "unspecified",
    "focus_area": None,
}


def rows(row: Json, description: str = "The rows.", **meta: Any) -> dict[Any, Any]:
    """`responses=` of a route that answers rows like this one."""
    return example(description, _envelope(row, **meta))


def added(row: Json, **meta: Any) -> dict[int | str, Json]:
    """`responses=` of a route that answers 201 with what it added."""
    content = {"application/json": {"example": _envelope(row, **meta)}}
    return {201: {"description": "It was added.", "content": content}}


def _envelope(row: Json, **meta: Any) -> Json:
    return {"data": [row], "meta": {**meta, "data_version": "4-9f1c2a7b-1204"}}
