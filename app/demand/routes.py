"""GET /v1/demand/statistics."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import choose_format, render_table
from app.demand.measures import MEASURES
from app.demand.queries import find_demand
from app.demand.shape import DemandParameters, parse_demand_shape
from app.dependencies import ServicesDep
from app.statistics.documentation import META, describe_measures, responses
from app.statistics.envelope import describe_totals, rows_of
from app.statistics.filters import parse_filters
from app.statistics.population import decide_population

router = APIRouter(tags=["demand"])

LEFT_OUT: Final = ("precision",)
ROW: Final = {
    "region": "US-CA",
    "region_name": "California",
    "openings_new": None,
    "openings_open": 1163250.0,
    "tightness": None,
    "share": 0.105377,
    "count": 12,
    "status": "ok",
}
_UNUSED: Final = {"currency", "pay_period", "exchange_rate", "exchange_rate_on", "unconverted"}
_META: Final = {
    **{name: value for name, value in META.items() if name not in _UNUSED},
    "query": {
        "from": "2021-01-01",
        "to": "2021-12-31",
        "last": None,
        "window": None,
        "measure": "open",
        "group_by": ["region"],
        "region_kind": None,
        "measures": list(MEASURES),
        "sort": ["region"],
        "limit": 1000,
    },
    "share_of": "open",
    "groups": 51,
    "records": 612,
    "coverage": {"precision": 0},
    "data_as_of": "2021-12-01",
}


@router.get(
    "/demand/statistics",
    summary="How many openings there are",
    dependencies=[requires(Scope.STATS_READ)],
    responses=responses(
        f"One row for each group. {describe_measures(MEASURES.values())}", ROW, _META, MEASURES
    ),
)
async def get_demand_statistics(
    request: Request, services: ServicesDep, parameters: Annotated[DemandParameters, Query()]
) -> Response:
    """Openings of the public demand records that match the filters.

    New openings add up over time. Open positions are a stock: each source's are averaged over the
    dates on which it reported in the window (or in the row's month, quarter or year), then sources
    are added. Demand records state neither employment type, work mode nor pay: all of them are
    `unspecified` there, and `paid_in` matches none.
    """
    chosen = choose_format(parameters.format, request.headers.get("accept"))
    filters = parse_filters(parameters, datetime.now(UTC).date())
    shape = parse_demand_shape(parameters)
    async with services.database.heavy_read() as session:
        catalogue, version = await services.catalogue.current(session)
        population = await decide_population(session, catalogue, filters)
        answer = await find_demand(session, catalogue, population, filters, shape)
    described = describe_totals(
        answer.totals, len(answer.rows), population, catalogue, version, LEFT_OUT
    )
    meta = {
        "query": {**filters.echo(), **shape.echo()},
        "population": "live",
        "share_of": answer.share_of,
        **described,
    }
    return await render_table(
        await rows_of(answer), meta, answer.columns, chosen, "demand-statistics"
    )
