"""Examples of the routes of records for the OpenAPI document."""

from typing import Any, Final

_DIMENSIONS: Final[dict[str, Any]] = {
    "source": "acme-survey",
    "external_id": "17",
    "title": "Sr. Django Engineer",
    "role": "django-developer",
    "role_name": "Django Developer",
    "level": "senior",
    "level_name": "Senior",
    "region": "US-CA-SFO",
    "region_name": "San Francisco",
    "industry": "fintech",
    "industry_name": "Fintech",
}
_META: Final[dict[str, Any]] = {
    "query": {"region": ["US"], "from": "2026-01-01", "to": None, "last": None, "window": None},
    "rows": 1,
    "next": "/v1/salaries/records?region=US&from=2026-01&limit=1&cursor=UU9GUq0W035bMTcsOV0",
    "base_currency": "USD",
    "demo": False,
    "data_version": "4-9f1c2a7b-1204",
}
SALARY_EXAMPLE: Final = {
    "data": [
        {
            **_DIMENSIONS,
            "employment_type": "full_time",
            "work_mode": "remote",
            "pay_kind": "base",
            "amount_min": 130000,
            "amount_max": 150000,
            "currency": "USD",
            "pay_period": "year",
            "fte": 1,
            "observed_on": "2026-03",
            "last_seen_on": "2026-03-01",
            "annual_low": 130000,
            "annual_high": 150000,
            "annual_amount": 140000,
            "rate": None,
            "rate_on": None,
            "rate_pending": False,
            "url": None,
            "import": 7,
        }
    ],
    "meta": _META,
}
DEMAND_EXAMPLE: Final = {
    "data": [
        {
            **_DIMENSIONS,
            "measure": "new",
            "openings": 40,
            "candidates": 100,
            "skills": ["python", "django"],
            "observed_on": "2026-03-02",
            "import": 8,
        }
    ],
    "meta": _META,
}
DELETED_EXAMPLE: Final = {
    "source": "acme-survey",
    "matched": 120,
    "deleted": 120,
    "dry_run": False,
    "data_version": "4-9f1c2a7b-1324",
}
