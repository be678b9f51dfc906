"""GET /v1/salaries/trend."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.dependencies import ServicesDep
from app.statistics.asking import about_pay, computed
from app.statistics.coarser import find_nearest
from app.statistics.documentation import META, describe_measures, responses
from app.statistics.envelope import describe_answer
from app.statistics.kinds import column_kinds
from app.statistics.measures import MEASURES
from app.statistics.reading import open_reading, parse_question
from app.statistics.trend import CHANGES, COARSEST, GROWTH, find_trend
from app.statistics.trend_shape import TrendParameters, parse_trend

router = APIRouter(tags=["salaries"])

FIGURES: Final = {**MEASURES, **CHANGES, **GROWTH}
_ROW: Final[dict[str, Any]] = {
    "level": "senior",
    "level_name": "Senior",
    "level_rank": 3,
    "quarter": "2026-Q1",
    "count": 412,
    "p50": 175000.0,
    "change_previous": 0.006,
    "change_year": 0.034,
    "growth_adjusted": 0.028,
    "growth_cells": 17,
    "status": "ok",
}
_META: Final[dict[str, Any]] = {
    **META,
    "query": {
        "pay_kind": ["base", "unspecified"],
        "from": "2025-01-01",
        "to": "2026-09-30",
        "last": None,
        "window": None,
        "bound": "mid",
        "exact": False,
        "interval": "quarter",
        "group_by": ["level"],
        "region_kind": None,
        "measures": ["count", "p50"],
        "change_of": "p50",
        "series": 100,
    },
    "periods": {"first": "2025-Q1", "last": "2026-Q3", "count": 7, "cut": []},
    "fx_in_change": True,
    "growth_left_out": None,
}


@router.get(
    "/salaries/trend",
    summary="How pay is changing",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        "One row for each series and period. "
        f"{describe_measures([*CHANGES.values(), *GROWTH.values()])}",
        _ROW,
        _META,
        FIGURES,
    ),
)
async def get_salary_trend(
    request: Request, services: ServicesDep, parameters: Annotated[TrendParameters, Query()]
) -> Response:
    """Figures by month, quarter or year, one series for each group of `group_by`.

    All series have the same periods without gaps: those of the window, and on a side where it is
    open, up to the first or last period with data. A period without data has `status=empty`.
    `change_previous` and `change_year` are fractions of `change_of`; for the first periods of a
    window they look at the year before it. `growth_adjusted` compares like with like: the year on
    year change within role, region, level and paid currency. `meta.fx_in_change` says whether
    exchange rates have a part in the changes. A release has quarters and years, no
    composition-adjusted growth, and no rows for what it does not show.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_trend(parameters)
    asked = about_pay(asking, "salary-trend", filters, basis, shape.echo(shape.interval or ""))

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            trend = await find_trend(reading, shape)
            # Where the dates of the records decide the interval, those of a year only are in reach.
            widest = shape.periodic(shape.interval or COARSEST)
            nearest = await find_nearest(reading, trend.answer.totals.records, widest)
        query = {**filters.echo(), **basis.echo(), **shape.echo(trend.interval)}
        described = {**describe_answer(reading, trend.answer), **trend.describe()}
        meta = {"query": query, **described, "nearest": nearest}
        kinds = column_kinds(trend.columns, FIGURES)
        response = await render_table(
            trend.rows, meta, trend.columns, asking.format, "salary-trend", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
