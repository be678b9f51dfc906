"""GET /v1/salaries/statistics."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import choose_format, render_table
from app.dependencies import ServicesDep
from app.statistics.documentation import STATISTICS_RESPONSES
from app.statistics.envelope import columns_of, describe_conversion, describe_totals, rows_of
from app.statistics.exchange import find_conversion
from app.statistics.filters import parse_filters
from app.statistics.population import decide_population, with_default_pay_kind
from app.statistics.queries import find_statistics
from app.statistics.shape import StatisticsParameters, parse_shape
from app.statistics.statement import Question

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
    dimensions of `group_by` and any measure.
    """
    chosen = choose_format(parameters.format, request.headers.get("accept"))
    today = datetime.now(UTC).date()
    filters = with_default_pay_kind(parse_filters(parameters, today))
    shape = parse_shape(parameters)
    base = services.settings.base_currency
    async with services.database.heavy_read() as session:
        catalogue, version = await services.catalogue.current(session)
        population = await decide_population(session, catalogue, filters)
        conversion = await find_conversion(session, base, filters, shape, today)
        native = shape.is_native(filters, base)
        question = Question(filters, shape, native=native, factor=conversion.factor)
        answer = await find_statistics(session, catalogue, population, question)
    meta = {
        "query": {**filters.echo(), **shape.echo()},
        "population": "live",
        **describe_conversion(conversion),
        **describe_totals(answer.totals, len(answer.rows), population, catalogue, version),
    }
    return await render_table(
        await rows_of(answer), meta, columns_of(answer), chosen, "salary-statistics"
    )
