"""GET /v1/salaries/statistics."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.dependencies import ServicesDep
from app.statistics.asking import about_pay, computed
from app.statistics.coarser import find_nearest
from app.statistics.documentation import STATISTICS_RESPONSES
from app.statistics.envelope import describe_answer
from app.statistics.kinds import column_kinds
from app.statistics.queries import find_statistics
from app.statistics.reading import open_reading, parse_question
from app.statistics.shape import StatisticsParameters, parse_shape

router = APIRouter(tags=["salaries"])


@router.get(
    "/salaries/statistics",
    summary="What is paid, and how sure that is",
    dependencies=[requires(Scope.STATS_READ)],
    responses=STATISTICS_RESPONSES,
)
async def get_salary_statistics(
    request: Request, services: ServicesDep, parameters: Annotated[StatisticsParameters, Query()]
) -> Response:
    """Figures for each group of the public records that match the filters.

    Regions are as recorded, so rows are disjoint (`US` is 'in the US, not stated where');
    `region_kind` lifts them. A record counts in a window, month, quarter or year only if its date
    is known precisely enough; `meta.coverage` counts those that are left out. `sort` takes the
    dimensions of `group_by` and any measure. Where the filters have no records, `meta.nearest`
    names the nearest coarser question that has some; it is not answered in place of the one asked.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_shape(parameters)
    asked = about_pay(asking, "salary-statistics", filters, basis, shape.echo())

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            answer = await find_statistics(reading, shape)
            nearest = await find_nearest(reading, answer.totals.records, shape.grouping)
        query = {**filters.echo(), **basis.echo(), **shape.echo()}
        meta = {"query": query, **describe_answer(reading, answer), "nearest": nearest}
        kinds = column_kinds(answer.columns)
        response = await render_table(
            answer.rows, meta, answer.columns, asking.format, "salary-statistics", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
