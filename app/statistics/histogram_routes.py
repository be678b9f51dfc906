"""GET /v1/salaries/histogram."""

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
from app.statistics.histogram import (
    COLUMNS,
    FIGURES,
    HistogramParameters,
    find_histogram,
    parse_bins,
)
from app.statistics.kinds import column_kinds
from app.statistics.reading import open_reading, parse_question

router = APIRouter(tags=["salaries"])

_ROW: Final[dict[str, Any]] = {
    "low": 90000.0,
    "high": 95000.0,
    "count": 61,
    "share": 0.14805825242718446,
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
        "bins": None,
        "step": 5000.0,
    },
    "groups": 23,
    "histogram": {"bins": 23, "step": 5000.0, "below_first_edge": 3},
}


@router.get(
    "/salaries/histogram",
    summary="How pay is distributed",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        f"One row for each bin, the lowest first. {describe_measures(FIGURES.values())}",
        _ROW,
        _META,
        FIGURES,
    ),
)
async def get_salary_histogram(
    request: Request, services: ServicesDep, parameters: Annotated[HistogramParameters, Query()]
) -> Response:
    """The records that match the filters, counted in bins of their amounts.

    Bins begin near the 1 % percentile; the first also holds what lies below it
    (`meta.histogram.below_first_edge`). The last begins above the 99 % percentile and is open, so
    that a few extreme amounts do not squeeze the others together. Counts add up to `meta.records`.
    """
    asking = begin_asking(request, parameters.format)
    choice = parse_bins(parameters)
    filters, basis = parse_question(parameters)
    asked = about_pay(asking, "salary-histogram", filters, basis, choice.echo())

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            found = await find_histogram(reading, choice)
            nearest = await find_nearest(reading, found.answer.totals.records)
        query = {**filters.echo(), **basis.echo(), **choice.echo()}
        described = {**describe_answer(reading, found.answer), "histogram": found.describe()}
        meta = {"query": query, **described, "nearest": nearest}
        kinds = column_kinds(COLUMNS, FIGURES)
        rows = found.answer.rows
        response = await render_table(rows, meta, COLUMNS, asking.format, "salary-histogram", kinds)
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
