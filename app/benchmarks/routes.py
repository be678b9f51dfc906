"""GET /v1/benchmarks. POST goes through the import pipeline (app/ingest)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.benchmarks.queries import (
    COLUMNS,
    KINDS,
    POSITION,
    find_benchmarks,
    parse_benchmark_filters,
)
from app.core.formats import FORMAT_HELP, render_table
from app.core.openapi import example
from app.core.pagination import link_header, next_page, read_page
from app.core.responses.answering import Computed
from app.core.responses.asked import about_list, begin_asking
from app.dependencies import ServicesDep

router = APIRouter(tags=["benchmarks"])

FILTERS: Final = ("role", "soc", "region", "level", "industry", "source", "period", "pay_period")
EXAMPLE: Final[dict[str, Any]] = {
    "data": [
        {
            "source": "published-guide",
            "source_name": "Published salary guide: Django developer, 2026",
            "role": "django-developer",
            "role_name": "Django Developer",
            "match": "role",
            "soc": None,
            "region": "US",
            "region_name": "United States",
            "level": "mid",
            "level_name": "Mid",
            "level_rank": 2,
            "industry": "unspecified",
            "industry_name": "Unspecified",
            "period": "2026",
            "currency": "USD",
            "pay_period": "year",
            "low": 85000,
            "high": 115000,
            "open_ended": False,
            **dict.fromkeys(("mean", "p10", "p25", "p50", "p75", "p90")),
            "top_coded": [],
            **dict.fromkeys(("rse", "employment", "url")),
        }
    ],
    "meta": {
        "query": {"role": ["django-developer"], "level": ["mid"]},
        "rows": 1,
        "next": None,
        "data_version": "4-9f1c2a7b-1204",
    },
}


class BenchmarkParameters(BaseModel):
    """Which figures. Lists are comma-separated."""

    role: str | None = Field(
        None, description="Roles. Figures of a role's SOC code are shown under it as well."
    )
    soc: str | None = Field(None, description="SOC codes, such as 15-1252.")
    region: str | None = Field(
        None, description="Regions as published: not what lies under them, nor above."
    )
    level: str | None = Field(None, description="Levels.")
    industry: str | None = Field(None, description="Industries.")
    source: str | None = Field(None, description="Sources.")
    period: str | None = Field(None, description="Periods as published, such as 2024-05.")
    pay_period: str | None = Field(None, description="Pay periods: year, hour, ...")
    limit: int = Field(1000, ge=1, le=10_000, description="Most rows of one page.")
    cursor: str | None = Field(None, max_length=2000, description="From `Link` or `meta.next`.")
    format: str | None = Field(None, description=FORMAT_HELP)


@router.get(
    "/benchmarks",
    dependencies=[requires(Scope.STATS_READ)],
    summary="Published figures",
    responses=example("Figures, those about the role itself first, then newest first.", EXAMPLE),
)
async def list_benchmarks(
    request: Request,
    services: ServicesDep,
    parameters: Annotated[BenchmarkParameters, Query()],
) -> Response:
    """Money is in `currency` per `pay_period`, as it was published; figures listed in `top_coded`
    are lower bounds. `match`: `role` where the figure is about the role, `soc` where it is about
    the role's SOC code, which other roles share."""
    asking = begin_asking(request, parameters.format)
    filters = parse_benchmark_filters({name: getattr(parameters, name) for name in FILTERS})
    limit = parameters.limit
    page = await read_page(services.cursors, request, limit, parameters.cursor, POSITION)
    asked = about_list(asking, "benchmarks")

    async def compute() -> Computed:
        async with services.database.read() as session:
            catalogue, versions = await services.catalogue.read(session)
            found, positions = await find_benchmarks(session, catalogue, filters, page)
        rows, version = found[:limit], versions.of(())
        last = positions[len(rows) - 1] if rows else ()
        address = await next_page(services.cursors, request, found, limit, last)
        meta = {
            "query": filters.echo(),
            "rows": len(rows),
            "next": address,
            "data_version": str(version),
        }
        response = await render_table(
            rows, meta, COLUMNS, asking.format, "payband-benchmarks", KINDS
        )
        response.headers.update(link_header(address))
        return Computed(response, version, frozenset())

    return await services.responses.answer(asked, compute)
