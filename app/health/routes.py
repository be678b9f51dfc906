"""/livez, /readyz and /metrics for whoever runs the process, /v1/status for whoever uses it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from app.access.scopes import Scope, requires
from app.core.metrics import MEDIA_TYPE, Metrics
from app.core.openapi import example, problem, problems
from app.dependencies import ServicesDep
from app.health.status import EXAMPLE, StatusCache

router = APIRouter(tags=["operations"])
METRICS = """# HELP payband_requests_total Requests by route and status class.
# TYPE payband_requests_total counter
payband_requests_total{route="/v1/salaries/statistics",status="2xx"} 1204.0
# HELP payband_listeners Open streams of /v1/events.
# TYPE payband_listeners gauge
payband_listeners 12.0
"""
STARTING = problem(
    503, "starting", "Temporarily unavailable", "The service is starting; try again shortly."
)


@router.get(
    "/livez",
    dependencies=[requires(Scope.PUBLIC)],
    summary="Is the process alive?",
    responses={**example("It is.", {"status": "alive"}), **problems(500)},
)
async def get_liveness() -> dict[str, str]:
    """Answers from this process alone: a database that is away is no reason to restart it."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    dependencies=[requires(Scope.PUBLIC)],
    summary="Should requests be sent here?",
    responses={**example("They should.", {"status": "ready"}), **problems(500), 503: STARTING},
)
async def get_readiness(request: Request) -> dict[str, str]:
    """503 while starting, while ending, and while the database has another build's schema.

    Once ready, losing the database does not change it: every replica would leave at once.
    """
    request.app.state.readiness.check_ready()
    return {"status": "ready"}


@router.get(
    "/metrics",
    dependencies=[requires(Scope.PUBLIC)],
    summary="What the process has counted",
    response_class=PlainTextResponse,
    responses={**example("In Prometheus' text form.", METRICS, "text/plain"), **problems(500)},
)
async def get_metrics(request: Request) -> PlainTextResponse:
    """Requests by route, kept answers, freshness, listeners, connections, memory and time.

    Answers from this process alone, while it starts and without the database too.
    """
    metrics: Metrics = request.app.state.metrics
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    return PlainTextResponse(metrics.render(), headers=headers)


@router.get(
    "/v1/status",
    dependencies=[requires(Scope.STATS_READ)],
    summary="What the service holds",
    responses=example("Versions, counts of public records, and the policy in force.", EXAMPLE),
)
async def get_status(request: Request, services: ServicesDep) -> dict[str, Any]:
    """Data version, newest public record, counts, schema revision, settings that shape answers.

    Records of confidential sources are in none of these figures.
    """
    cache: StatusCache = request.app.state.status
    return await cache.get(services)
