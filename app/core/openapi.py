"""The OpenAPI document: what the framework derives from the routes, completed for all of them."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.core.body_limit import ROWS, UNBOUNDED, too_large_detail
from app.core.formats import FORMATS, MEDIA_TYPES
from app.core.problems import MEDIA_TYPE
from app.core.routing import RouteEntry, RouteTable
from app.settings import Settings

Json = dict[str, Any]

TAGS: Final = [
    {"name": "salaries", "description": "Statistics of pay, and the records behind them."},
    {"name": "demand", "description": "Statistics of job openings, and the records behind them."},
    {"name": "market", "description": "Pay and demand side by side; salary guides."},
    {"name": "benchmarks", "description": "Published figures, shown beside our statistics."},
    {"name": "releases", "description": "Published figures of confidential records."},
    {"name": "imports", "description": "Files of any length: progress, history, undo."},
    {"name": "taxonomies", "description": "Roles, titles, regions, levels, industries, sources."},
    {"name": "operations", "description": "What the service holds and whether it is well."},
]
KEY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made with `payband keys create`.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}
PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457 problem document. Some problems carry further members.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "A stable URN for the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What went wrong here, and what to do."},
        "code": {"type": "string", "description": "Stable; for programs."},
        "request_id": {"type": "string", "description": "What the log calls this request."},
    },
    "additionalProperties": True,
}
PATH_PARTS: Final = {
    "code": "A code, as the collection lists it.",
    "import_id": "The number of an import, as its report and GET /v1/imports give it.",
}
_EXAMPLES: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("invalid_body", "The body cannot be read", "The body is not valid JSON at character 17."),
    401: (
        "not_authenticated",
        "A valid API key is needed",
        "This needs a key with the scope records:write. Send a key as `Authorization: Bearer KEY` "
        "or `X-API-Key: KEY`.",
    ),
    403: (
        "not_allowed",
        "The API key lacks the scope",
        "This needs the scope records:write; the key has: stats:read.",
    ),
    404: ("not_found", "Not found", "Nothing is stored under that address."),
    406: (
        "not_acceptable",
        "No acceptable format",
        "Accept 'application/pdf' allows none of the media types here: "
        f"{', '.join(MEDIA_TYPES)}. Or name a format with format=.",
    ),
    409: ("conflict", "Conflict", "The request contradicts what is stored or running."),
    413: (
        "too_large",
        "The body is too large",
        too_large_detail(Settings().body_limit, rows=False),
    ),
    415: (
        "unsupported_type",
        "The media type is not supported",
        "The content type 'text/plain' is not read here; send application/json.",
    ),
    422: (
        "unknown_parameter",
        "Unknown parameter",
        "Parameter 'regoin' is not known here. Nearest: region.",
    ),
    429: (
        "rate_limited",
        "Too many requests",
        "More than 600 requests in a minute; wait, or ask with If-None-Match: an answer that did "
        "not change costs nothing.",
    ),
    500: (
        "internal_error",
        "Internal error",
        "Something failed that should not have. It was logged under this request_id.",
    ),
    503: (
        "database_unavailable",
        "Temporarily unavailable",
        "The database is not available; try again shortly.",
    ),
}


def problem(status: int, code: str, title: str, detail: str, **members: Any) -> Json:
    """An OpenAPI response that shows one problem document."""
    example = {
        **members,
        "type": f"urn:payband:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "0b54e1f0c1d94f0f8e5d3a1c7e1f2a3b",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": title, "content": {MEDIA_TYPE: content}}


def problems(*statuses: int) -> dict[int | str, Json]:
    """For a route's `responses=`: these errors, each with the usual example.

    404 and 409 are for routes to declare. The others are added by themselves: 401, 403, 422, 429,
    500 and 503, 406 where there is a parameter `format`, 400, 413 and 415 where there is a body.
    """
    return {status: problem(status, *_EXAMPLES[status]) for status in statuses}


def example(description: str, value: Any, media_type: str = "application/json") -> dict[Any, Any]:
    """For a route's `responses=`: what a 200 looks like."""
    return {200: {"description": description, "content": {media_type: {"example": value}}}}


def build_openapi(app: FastAPI, scope_of: Callable[[APIRoute], str | None]) -> Json:
    """The whole document. Each operation gets its security, scope and common errors."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        license_info=app.license_info,
        tags=TAGS,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = KEY_SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    # The framework's own error shape is sent by no route.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    routes: RouteTable = app.state.routes
    for entry in routes.entries:
        for method in entry.methods:
            operation = document["paths"].get(entry.template, {}).get(method.lower())
            if operation is not None:
                _complete(operation, scope_of(entry.route), _particular(entry, method, operation))
                if "format" in entry.query:
                    _add_formats(operation)
                for parameter in operation.get("parameters", ()):
                    parameter.setdefault("description", PATH_PARTS.get(parameter["name"], ""))
    return document


def _particular(entry: RouteEntry, method: str, operation: Json) -> dict[int, Json]:
    """The errors that follow from what a route takes."""
    found = problems(406) if "format" in entry.query else {}
    if "requestBody" in operation:
        found |= problems(400, 413, 415)
    if entry.template in ROWS and 413 in found:
        detail = too_large_detail(Settings().body_limit, rows=True)
        found[413] = problem(413, *_EXAMPLES[413][:2], detail)
    if (method, entry.template) == UNBOUNDED:
        found.pop(413, None)
    return {int(status): response for status, response in found.items()}


def _add_formats(operation: Json) -> None:
    """Every format that the answer can have, beside what the route itself shows of it."""
    content = operation["responses"].get("200", {}).setdefault("content", {})
    for chosen in FORMATS.values():
        coding = {"format": "binary"} if chosen.binary else {}
        content.setdefault(chosen.media_type, {"schema": {"type": "string", **coding}})


def _complete(operation: Json, scope: str | None, particular: Mapping[int, Json]) -> None:
    responses = operation["responses"]
    for status, response in particular.items():
        responses.setdefault(str(status), response)
    common = [500] if scope in {None, "public"} else [401, 403, 422, 429, 500, 503]
    for status in common:
        declared = responses.get(str(status))
        if declared is None or "application/json" in declared.get("content", {}):
            responses[str(status)] = problem(status, *_EXAMPLES[status])
    for status, response in responses.items():
        response.setdefault("description", HTTPStatus(int(status)).phrase)
    operation["responses"] = dict(sorted(responses.items()))
    if scope not in {None, "public"}:
        nobody: list[Json] = [{}] if scope == "stats:read" else []
        operation["security"] = [{"bearer": []}, {"header": []}, *nobody]
        operation["x-scope"] = scope
        text = operation.get("description", "").rstrip()
        operation["description"] = f"{text}\n\nScope: `{scope}`.".lstrip()
