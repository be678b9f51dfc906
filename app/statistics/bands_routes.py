"""GET /v1/salaries/bands."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.dependencies import ServicesDep
from app.statistics.asking import about_pay, computed
from app.statistics.bands import FIGURES, BandsParameters, find_bands, parse_bands
from app.statistics.coarser import find_nearest
from app.statistics.documentation import META, describe_measures, responses
from app.statistics.envelope import describe_answer
from app.statistics.kinds import column_kinds
from app.statistics.reading import open_reading, parse_question

router = APIRouter(tags=["salaries"])

_ROW: Final[dict[str, Any]] = {
    "region": "US",
    "region_name": "United States",
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
    "status": "ok",
}
_META: Final[dict[str, Any]] = {
    **META,
    "query": {
        "role": ["django-developer"],
        "pay_kind": ["base", "unspecified"],
        "from": None,
        "to": None,
        "last": None,
        "window": "all time",
        "bound": "mid",
        "exact": False,
        "group_by": ["region", "level"],
        "region_kind": "country",
        "low": "p25",
        "high": "p75",
        "step": 5000,
        "sort": ["region", "level"],
        "limit": 1000,
    },
}


@router.get(
    "/salaries/bands",
    summary="Pay bands",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        f"One row for each group. {describe_measures(FIGURES.values())}", _ROW, _META, FIGURES
    ),
)
async def get_salary_bands(
    request: Request, services: ServicesDep, parameters: Annotated[BandsParameters, Query()]
) -> Response:
    """Bands of pay, from the percentile `low` to the percentile `high` of each group.

    `band_low` and `band_high` are rounded outward to multiples of `step`, in the currency and pay
    period of the answer; `p_low`, `p50` and `p_high` are the figures as they are.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_bands(parameters)
    asked = about_pay(asking, "salary-bands", filters, basis, shape.echo())

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            bands = await find_bands(reading, shape)
            nearest = await find_nearest(reading, bands.answer.totals.records, shape.grouping)
        query = {**filters.echo(), **basis.echo(), **shape.echo()}
        meta = {"query": query, **describe_answer(reading, bands.answer), "nearest": nearest}
        kinds = column_kinds(bands.columns, FIGURES)
        response = await render_table(
            bands.rows, meta, bands.columns, asking.format, "salary-bands", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
