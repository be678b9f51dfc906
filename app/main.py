"""The application: wiring only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from app import __version__
from app.access.authenticator import Authenticator
from app.access.gate import Gate
from app.access.limits import Limiter, RateLimitHeaders
from app.access.scopes import scope_of
from app.benchmarks.routes import router as benchmarks
from app.cells.keeping import Keeper
from app.core.body_limit import BodyLimit
from app.core.database import Database
from app.core.json_bodies import check_media_type
from app.core.metrics import RequestCounts
from app.core.middleware import AccessLog, HeadAsGet, InFlight, RequestId, TrackInFlight
from app.core.openapi import build_openapi
from app.core.parameters import check_parameters
from app.core.problems import add_problem_handlers
from app.core.responses.front import Application, Front
from app.core.routing import RouteTable
from app.demand.routes import router as demand
from app.dependencies import Services
from app.docs.routes import router as docs
from app.events.broadcast import Broadcast
from app.events.routes import router as events
from app.guide.routes import router as guide
from app.health.metrics import build_metrics
from app.health.readiness import Readiness
from app.health.routes import router as health
from app.health.startup import become_ready, look
from app.health.status import StatusCache
from app.ingest.routes import router as ingest
from app.market.routes import router as market
from app.records.routes import router as records
from app.releases.routes import router as releases
from app.settings import Settings
from app.statistics.bands_routes import router as bands
from app.statistics.comparison_routes import router as comparison
from app.statistics.histogram_routes import router as histogram
from app.statistics.rank_routes import router as rank
from app.statistics.routes import router as statistics
from app.statistics.trend_routes import router as trend
from app.taxonomies.catalogue import CatalogueCache
from app.taxonomies.routes import router as taxonomies

ROUTERS: Final[tuple[APIRouter, ...]] = (
    statistics,
    trend,
    bands,
    comparison,
    histogram,
    rank,
    demand,
    market,
    guide,
    records,
    ingest,
    benchmarks,
    releases,
    taxonomies,
    events,
)
CLEAN_UP_S: Final = 5.0
RECORD_USE_S: Final = 60.0
DESCRIPTION: Final = """
Start with `GET /v1/salaries/statistics`. Filters and groupings take the codes that the taxonomy
routes list; an unknown parameter, code or value is answered with 422 and the nearest valid ones.
Every error is a problem document (RFC 9457) with a stable `code`.
"""


def create_app(settings: Settings, database_url: str) -> FastAPI:
    """The ASGI application on one database. Nothing is opened before its lifespan starts."""
    in_flight = InFlight()
    app = Application(
        title="Payband",
        version=__version__,
        summary="Statistics of pay and labour demand by role, region, level, industry and time.",
        description=DESCRIPTION.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(check_parameters), Depends(check_media_type)],
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestId),
            Middleware(AccessLog),
            Middleware(TrackInFlight, in_flight=in_flight),
            *([Middleware(RateLimitHeaders)] if settings.rate_limit else []),
            Middleware(HeadAsGet),
            Middleware(BodyLimit, limit=settings.body_limit, discard=settings.discard_limit),
        ],
    )
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(health)
    app.include_router(docs)
    app.state.in_flight = in_flight
    app.state.requests = RequestCounts()
    app.state.readiness = Readiness()
    app.state.status = StatusCache()
    app.state.settings = settings
    app.state.database_url = database_url
    app.state.routes = RouteTable(app)
    app.openapi = _openapi_once(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    """Open the database, refuse a stale schema, wait for a missing database, end in order."""
    settings: Settings = app.state.settings
    readiness: Readiness = app.state.readiness
    database = Database(settings, app.state.database_url)
    authenticator = Authenticator(database)
    services = app.state.services = Services(settings, database, CatalogueCache())
    limiter = app.state.limiter = Limiter(settings.rate_limit)
    app.state.gate = Gate(
        authenticator, readiness, limiter, open_statistics=settings.open_statistics
    )
    tasks = [asyncio.create_task(_repeat(RECORD_USE_S, authenticator.record_use))]
    broadcast = app.state.broadcast = Broadcast(
        services.freshness, database, services.catalogue, settings.max_listeners
    )
    app.state.metrics = build_metrics(app.state)
    readiness.when_draining(broadcast.close)
    tasks.append(asyncio.create_task(broadcast.run()))
    keeper = Keeper(database, settings, lambda: readiness.is_ready)
    tasks.append(asyncio.create_task(keeper.run()))
    services.freshness.start()
    app.front = Front(services.responses, app.state.gate, limiter, settings.log_answers)
    try:
        await look(database, readiness, settings.base_currency)
        if not readiness.is_ready:
            tasks.append(
                asyncio.create_task(become_ready(database, readiness, settings.base_currency))
            )
        yield
    finally:
        readiness.set_draining()
        if left := await app.state.in_flight.wait(CLEAN_UP_S):
            structlog.get_logger().warning("requests cut off", requests=left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.responses.close()
        await services.freshness.stop()
        await authenticator.record_use()
        await database.close()


async def _repeat(pause_s: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(pause_s)
        await act()


def _openapi_once(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app, scope_of)
        return app.openapi_schema

    return build
