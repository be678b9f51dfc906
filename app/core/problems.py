"""The one renderer of errors: RFC 9457 problem documents, whatever layer the error is from."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.core.errors import InvalidBody, NotFound, PaybandError, WrongSetting
from app.core.invalid import explain
from app.core.routing import RouteTable
from app.domain.nearest import nearest

MEDIA_TYPE: Final = "application/problem+json"
INTERNAL: Final = (
    "Something failed that should not have. It was logged under this request_id; the data is as "
    "it was before the request."
)
UNREADABLE: Final = "The body cannot be read as JSON: it is not UTF-8, or is nested too deep."
LONGEST_ECHO: Final = 100


class ProblemResponse(Response):
    """A problem document with the members every one has."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        scope: Mapping[str, Any],
        error: PaybandError,
        *,
        status: int | None = None,
        title: str | None = None,
    ) -> None:
        document = {
            **error.members,
            "type": f"urn:payband:problem:{error.problem_code}",
            "title": title or error.title,
            "status": status or error.status,
            "detail": error.detail,
            "code": error.problem_code,
            "request_id": scope.get("state", {}).get("request_id", ""),
        }
        headers = {**error.headers, "Cache-Control": "no-store"}
        # ASCII only: a detail may quote what was sent, lone surrogates included.
        body = json.dumps(document, default=str).encode()
        super().__init__(body, status_code=document["status"], headers=headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Have every failure of `app` rendered here. The unexpected is raised again by the framework
    after it was rendered, so that it is logged and tests see it."""
    app.add_exception_handler(PaybandError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    expected = cast(PaybandError, error)
    if isinstance(expected, WrongSetting):
        raise expected  # not the client's business: goes the way of the unexpected
    return ProblemResponse(request.scope, expected)


async def _unexpected(request: Request, _error: Exception) -> Response:
    response = ProblemResponse(request.scope, PaybandError(INTERNAL))
    # This one is sent outside of all middleware, which would have added it.
    response.headers["X-Request-ID"] = request.scope.get("state", {}).get("request_id", "")
    return response


async def _gone(request: Request, _error: Exception) -> Response:
    """Nobody reads this; it is what the log shows of a client that left while sending."""
    return ProblemResponse(request.scope, InvalidBody("The body ended early.", code="client_gone"))


async def _invalid(request: Request, error: Exception) -> Response:
    return ProblemResponse(request.scope, explain(cast(RequestValidationError, error).errors()))


async def _from_framework(request: Request, error: Exception) -> Response:
    """What the framework itself raises: 404, 405, and a body that it could not read."""
    raised = cast(HTTPException, error)
    routes: RouteTable = request.app.state.routes
    if raised.status_code == 405:
        return _wrong_method(request, routes)
    if raised.status_code == 404:
        return ProblemResponse(request.scope, _no_such_path(request, routes))
    if raised.status_code == 400:
        return ProblemResponse(request.scope, InvalidBody(UNREADABLE))
    unusual = PaybandError("The request was refused.", code="refused", headers=raised.headers)
    return ProblemResponse(
        request.scope, unusual, status=raised.status_code, title="The request was refused"
    )


def _wrong_method(request: Request, routes: RouteTable) -> Response:
    allowed = sorted(routes.methods_of(request.url.path) | {"OPTIONS"})
    headers = {"Allow": ", ".join(allowed)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    usable = ", ".join(method for method in allowed if method not in {"HEAD", "OPTIONS"})
    error = PaybandError(
        f"{request.method[:20]} is not possible here; use {usable}.",
        code="method_not_allowed",
        headers=headers,
        allowed=allowed,
    )
    return ProblemResponse(request.scope, error, status=405, title="Method not allowed")


def _no_such_path(request: Request, routes: RouteTable) -> NotFound:
    path = request.url.path
    close = nearest(path, {entry.template for entry in routes.entries if entry.documented})
    return NotFound(
        f"There is nothing at {path[:LONGEST_ECHO]!r}. Nearest: {', '.join(close)}. "
        "GET /docs describes all routes.",
        code="no_such_path",
        nearest=close,
    )
