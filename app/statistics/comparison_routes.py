"""GET /v1/salaries/comparison."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.core.rows import Kind
from app.dependencies import ServicesDep
from app.statistics.asking import about_pay, computed
from app.statistics.comparison import (
    COLUMNS,
    FIGURES,
    METHOD,
    NAMES,
    ComparisonParameters,
    find_comparison,
    find_nearest_comparison,
    parse_comparison,
)
from app.statistics.documentation import META, describe_measures, responses
from app.statistics.envelope import describe_answer
from app.statistics.kinds import column_kinds
from app.statistics.reading import open_reading, parse_question

router = APIRouter(tags=["salaries"])

_KINDS: Final = column_kinds(COLUMNS, FIGURES, **dict.fromkeys(NAMES, Kind.TEXT))
_ROW: Final[dict[str, Any]] = {
    "dimension": "region",
    "a": "US-NY",
    "a_name": "New York",
    "b": "US-CA",
    "b_name": "California",
    "a_count": 240,
    "b_count": 412,
    "a_p50": 168000.0,
    "b_p50": 175000.0,
    "difference": 7000.0,
    "ratio": 1.041667,
    "difference_low": 812.4,
    "difference_high": 13187.6,
    "status": "ok",
}
_META: Final[dict[str, Any]] = {
    **META,
    "query": {
        "role": ["django-developer"],
        "pay_kind": ["base", "unspecified"],
        "from": "2025-12-01",
        "to": "2026-11-30",
        "last": "12m",
        "window": None,
        "bound": "mid",
        "exact": False,
        "dimension": "region",
        "a": "US-NY",
        "b": ["US-CA"],
    },
    "interval": dict(METHOD),
    "records": 652,
}


@router.get(
    "/salaries/comparison",
    summary="Who is paid more, and whether that is sure",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        f"One row for each code of b. {describe_measures(FIGURES.values())}", _ROW, _META, FIGURES
    ),
)
async def get_salary_comparison(
    request: Request, services: ServicesDep, parameters: Annotated[ComparisonParameters, Query()]
) -> Response:
    """The median of each code of `b` against that of `a`, with a 95 % interval of the difference.

    A region is taken with everything under it; regions one of which lies in the other are refused.
    `status` is `ok`, `empty` where a or b has no records, `too_few` where either has fewer than 6
    (then there is no interval), `ties` where ties hide the error of both medians (nor then), and
    `no_index` where an adjustment has no index for them. A release carries no interval
    (`no_interval`), and what it does not show is `absent`, hidden or empty.
    `meta.interval` names the method.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_comparison(parameters, filters)
    asked = about_pay(asking, "salary-comparison", filters, basis, shape.echo())

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            comparison = await find_comparison(reading, shape)
            nearest = await find_nearest_comparison(reading, shape, comparison.totals.records)
        query = {**filters.echo(), **basis.echo(), **shape.echo()}
        described = describe_answer(reading, comparison.answer)
        meta = {"query": query, **described, "interval": dict(METHOD), "nearest": nearest}
        response = await render_table(
            comparison.rows, meta, COLUMNS, asking.format, "salary-comparison", _KINDS
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
