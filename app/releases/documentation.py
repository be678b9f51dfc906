"""Examples of the release routes for OpenAPI."""

from typing import Any, Final

from app.settings import Settings

RELEASE: Final[dict[str, Any]] = {
    "id": 4,
    "source": None,
    "made_at": "2026-10-02T03:00:12Z",
    "through": "2026-09-30",
    "figures": 2816,
    "base_currency": "USD",
    "policy": Settings().release_policy,
}
LISTED: Final[dict[str, Any]] = {
    "data": [
        {name: value for name, value in RELEASE.items() if name != "policy"}
        | Settings().release_policy
    ],
    "meta": {"rows": 1, "next": None, "data_version": "4-9f1c2a7b-1204"},
}
MADE: Final[dict[str, Any]] = {
    **RELEASE,
    "dry_run": False,
    "summary": {"shown": 2816, "stale": 120, "hidden": 4105, "few_records": 3320, "audit": 41},
    "hidden": [],
}
HIDDEN: Final[dict[str, Any]] = {
    "source": "all",
    "role": "django-developer",
    "region": "US-CA",
    "level": "principal",
    "period": "2026-Q1",
    "records": 12,
    "employers": 3,
    "largest_share": 0.417,
    "why": "few_employers",
}
DRY_RUN: Final[dict[str, Any]] = {
    **MADE,
    "id": None,
    "made_at": None,
    "dry_run": True,
    "hidden": [HIDDEN],
}
