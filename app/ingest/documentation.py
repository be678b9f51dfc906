"""What the OpenAPI document shows of the routes that take rows."""

from typing import Any, Final

from app.core.openapi import example, problem, problems

REPORT_EXAMPLE: Final[dict[str, Any]] = {
    "import": 17,
    "received": 3,
    "inserted": 1,
    "updated": 1,
    "unchanged": 0,
    "rejected": 1,
    "skipped": 0,
    "rate_pending": 0,
    "errors": [
        {
            "row": 3,
            "field": "amount",
            "code": "amount_out_of_bounds",
            "message": "37.85 a year is outside 1,000 to 10,000,000 a year in the base currency; "
            "it looks like pay per hour: state pay_period=hour.",
            "value": "37.85",
        }
    ],
    "errors_omitted": 0,
    "warnings": [{"field": "level", "value": "wizard", "code": "unknown_level", "rows": 1}],
    "data_version": "4-9f1c2a7b-1204",
}
IMPORT_EXAMPLE: Final[dict[str, Any]] = {
    "id": 17,
    "kind": "salary",
    "state": "running",
    "source": "acme-survey",
    "profile": None,
    "batch": "survey-2026.csv",
    "dry_run": False,
    "progress": {"rows": 250000, "bytes": 31457280, "bytes_total": 125829120},
    "report": {**REPORT_EXAMPLE, "received": 250000, "data_version": None},
    "problem": None,
    "started_at": "2026-11-22T17:08:00+00:00",
    "updated_at": "2026-11-22T17:08:09+00:00",
    "finished_at": None,
}
UNDONE_EXAMPLE: Final[dict[str, Any]] = {
    "import": 17,
    "state": "undone",
    "deleted": 74000,
    "kept_updated": 12,
    "kept_changed": 301,
    "data_version": "4-9f1c2a7b-1230",
}
PROFILE_EXAMPLE: Final[dict[str, Any]] = {
    "code": "acme-export",
    "title": "Acme's payroll export",
    "kinds": ["salary"],
    "source": "acme-payroll",
    "shipped": False,
    "profile": {
        "kind": "salary",
        "title": "Acme's payroll export",
        "source": {"code": "acme-payroll", "name": "Acme payroll", "kind": "reported"},
        "columns": {"external_id": "id", "title": "job", "region": "country", "amount": "salary"},
        "constants": {"currency": "EUR", "observed_on": "2026-01"},
    },
}

_SALARY_ROW: Final = {
    "source": "acme-survey",
    "external_id": "17",
    "title": "Sr. Django Engineer",
    "region": "US-CA-SFO",
    "amount": 150000,
    "currency": "USD",
    "observed_on": "2026-03",
}
_SALARY_CSV: Final = (
    "source,external_id,title,region,amount,currency,observed_on\n"
    "acme-survey,17,Sr. Django Engineer,US-CA-SFO,150000,USD,2026-03\n"
)
_DEMAND_ROW: Final = {
    "source": "acme-jobs",
    "external_id": "2026-03 berlin",
    "role": "django-developer",
    "region": "Berlin",
    "measure": "new",
    "openings": 40,
    "candidates": 100,
    "skills": ["Python", "Django"],
    "observed_on": "2026-03-02",
}
_DEMAND_CSV: Final = (
    "source,role,region,measure,openings,skills,observed_on\n"
    "acme-jobs,django-developer,DE,new,40,Python;Django,2026-03-02\n"
)
_BENCHMARK_ROW: Final = {
    "source": "bls-oews",
    "soc": "15-1252",
    "region": "US",
    "period": "2024-05",
    "currency": "USD",
    "p50": 133080,
    "p90": 211450,
}
_BENCHMARK_CSV: Final = (
    "source,soc,region,period,currency,p50\nbls-oews,15-1252,US,2024-05,USD,133080\n"
)


def _body(row: dict[str, Any], csv: str) -> dict[str, Any]:
    """A request body in every format that is read."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    lines = {"schema": {"type": "string"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [{"type": "object"}, {"type": "array"}]},
                    "example": [row],
                },
                "application/x-ndjson": lines,
                "text/csv": {**lines, "example": csv},
                "application/vnd.apache.parquet": binary,
            },
        }
    }


SALARY_BODY: Final = _body(_SALARY_ROW, _SALARY_CSV)
DEMAND_BODY: Final = _body(_DEMAND_ROW, _DEMAND_CSV)
BENCHMARK_BODY: Final = _body(_BENCHMARK_ROW, _BENCHMARK_CSV)

WRITE_RESPONSES: Final[dict[int | str, Any]] = {
    **example("The write report. Rejected rows are in `errors`.", REPORT_EXAMPLE),
    **problems(409),
    400: problem(
        400, "invalid_body", "The body cannot be read", "The body is not valid JSON at line 3."
    ),
    415: problem(
        415,
        "unsupported_type",
        "The media type is not supported",
        "The content type 'text/html' cannot be read; send one of text/csv, application/json, "
        "application/x-ndjson, application/vnd.apache.parquet.",
    ),
    422: problem(
        422,
        "all_rows_rejected",
        "Every row was rejected",
        "Every row was rejected (3); see errors.",
        **{**REPORT_EXAMPLE, "inserted": 0, "updated": 0, "rejected": 3},
    ),
}
