"""GET /v1/market."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.dependencies import ServicesDep
from app.market.documentation import MARKET_RESPONSES
from app.market.queries import find_market
from app.market.shape import MARKET, MarketParameters, parse_market_shape
from app.statistics.asking import about_pay, computed
from app.statistics.coarser import find_nearest
from app.statistics.kinds import column_kinds
from app.statistics.reading import open_reading, parse_question

router = APIRouter(tags=["market"])


@router.get(
    "/market",
    summary="Pay and demand of the same groups",
    dependencies=[requires(Scope.STATS_READ)],
    responses=MARKET_RESPONSES,
)
async def get_market(
    request: Request, services: ServicesDep, parameters: Annotated[MarketParameters, Query()]
) -> Response:
    """What is paid and how much demand there is, in one row for each group.

    A group that has only one of them is there too: `status` is `no_pay` or `no_demand`. Filters on
    what demand records do not state (employment_type, work_mode, pay_kind, paid_in) apply to pay
    alone; `meta.demand` says which, and what demand was asked. With `population=released` pay is
    of the release, and public demand stands beside it; pay that it does not show, hidden or empty,
    is `absent`. `change_year` compares with the same window
    a year before, or, grouped by month, quarter or year, with the same period a year before, at
    the same exchange rate. `meta.nearest` is about pay.
    """
    asking = begin_asking(request, parameters.format)
    filters, basis = parse_question(parameters)
    shape = parse_market_shape(parameters)
    asked = about_pay(asking, "market", filters, basis, shape.echo())

    async def compute() -> Computed:
        async with open_reading(services, filters, basis) as reading:
            market = await find_market(reading, shape)
            nearest = await find_nearest(reading, market.pay.totals.records, shape.grouping)
        query = {**filters.echo(), **basis.echo(), **shape.echo()}
        meta = {"query": query, **market.describe(), "nearest": nearest}
        kinds = column_kinds(shape.columns, MARKET)
        response = await render_table(
            market.rows, meta, shape.columns, asking.format, "market", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)
