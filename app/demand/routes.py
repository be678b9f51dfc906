"""GET /v1/demand/statistics, /v1/demand/trend, /v1/demand/skills."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access.scopes import Scope, requires
from app.core.formats import render_table
from app.core.responses.answering import Computed
from app.core.responses.asked import begin_asking
from app.demand.coarser import NAMES_SKILLS, find_nearest_demand
from app.demand.documentation import SKILLS_RESPONSES, STATISTICS_RESPONSES, TREND_RESPONSES
from app.demand.measures import MEASURES
from app.demand.queries import find_demand
from app.demand.reading import open_demand
from app.demand.shape import DemandParameters, parse_demand_shape, parse_measure
from app.demand.skills import COLUMNS, KINDS, SkillsParameters, find_skills, parse_skills_sort
from app.demand.trend import find_demand_trend
from app.demand.trend_shape import DERIVED, DemandTrendParameters, parse_trend_shape
from app.dependencies import ServicesDep
from app.statistics.asking import about_demand, computed
from app.statistics.filters import parse_filters
from app.statistics.kinds import column_kinds

router = APIRouter(tags=["demand"])

READ: Final = [requires(Scope.STATS_READ)]


@router.get(
    "/demand/statistics",
    summary="How many openings there are",
    dependencies=READ,
    responses=STATISTICS_RESPONSES,
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
    asking = begin_asking(request, parameters.format)
    filters = parse_filters(parameters, _today())
    measure, shape = parse_measure(parameters), parse_demand_shape(parameters)
    asked = about_demand(asking, "demand-statistics", filters, {"measure": measure, **shape.echo()})

    async def compute() -> Computed:
        async with open_demand(services, filters, measure) as reading:
            answer = await find_demand(reading, shape)
            nearest = await find_nearest_demand(reading, answer.totals.records, shape.grouping)
        meta = {
            "query": {**filters.echo(), "measure": measure, **shape.echo()},
            "share_of": answer.share_of,
            **reading.describe(answer.totals, len(answer.rows)),
            "nearest": nearest,
        }
        kinds = column_kinds(answer.columns, MEASURES)
        response = await render_table(
            answer.rows, meta, answer.columns, asking.format, "demand-statistics", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)


@router.get(
    "/demand/trend",
    summary="How openings change",
    dependencies=READ,
    responses=TREND_RESPONSES,
)
async def get_demand_trend(
    request: Request, services: ServicesDep, parameters: Annotated[DemandTrendParameters, Query()]
) -> Response:
    """Openings by month, quarter or year: one series for each group, with changes and an index.

    Every series has a row for each period, from the window's bounds where they are given, else
    from the first period with data to the last; `status` is `empty` where nothing is known. A
    period that a source reported on without the group has no open positions (0), which is not
    empty. Changes are fractions of `meta.change_of`; those of the first periods look into the year
    before the window. `meta.cut_periods` lists periods that the window covers in part: they have no
    index, and a change only against the same days a year before.
    """
    asking = begin_asking(request, parameters.format)
    filters = parse_filters(parameters, _today())
    measure, shape = parse_measure(parameters), parse_trend_shape(parameters)
    chosen = {"change_of": parameters.change_of, "base": parameters.base}
    echo = {"measure": measure, **shape.echo()}
    asked = about_demand(asking, "demand-trend", filters, {**echo, **chosen})

    async def compute() -> Computed:
        async with open_demand(services, filters, measure) as reading:
            trend = await find_demand_trend(reading, shape)
            nearest = await find_nearest_demand(reading, trend.totals.records, shape.periodic)
        query = {**filters.echo(), **echo, "change_of": trend.change_of, "base": trend.base.label}
        meta = {
            "query": query,
            **reading.describe(trend.totals, len(trend.rows)),
            **trend.describe(),
            "nearest": nearest,
        }
        kinds = column_kinds(shape.columns, {**MEASURES, **DERIVED})
        response = await render_table(
            trend.rows, meta, shape.columns, asking.format, "demand-trend", kinds
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)


@router.get(
    "/demand/skills",
    summary="Which skills are asked for",
    dependencies=READ,
    responses=SKILLS_RESPONSES,
)
async def get_demand_skills(
    request: Request, services: ServicesDep, parameters: Annotated[SkillsParameters, Query()]
) -> Response:
    """The skills that demand records name, most frequent first.

    A skill counts once however it is spelled (case, accents, white space) and shows in its most
    frequent spelling. Openings of a record count under each of its skills, so they do not add up
    over skills. `meta.coverage.no_skills` counts the records that name none; shares are of those
    that do.
    """
    asking = begin_asking(request, parameters.format)
    filters = parse_filters(parameters, _today())
    measure, sort = parse_measure(parameters), parse_skills_sort(parameters.sort)
    shape = {"measure": measure, "sort": sort, "limit": parameters.limit}
    asked = about_demand(asking, "demand-skills", filters, shape)

    async def compute() -> Computed:
        async with open_demand(services, filters, measure) as reading:
            answer = await find_skills(reading, parameters.limit, sort)
            nearest = await find_nearest_demand(
                reading, answer.totals.records, counted=NAMES_SKILLS
            )
        described = reading.describe(answer.totals, len(answer.rows))
        coverage = {**described["coverage"], "no_skills": answer.no_skills}
        query = {**filters.echo(), **shape}
        meta = {"query": query, **described, "coverage": coverage, "nearest": nearest}
        response = await render_table(
            answer.rows, meta, COLUMNS, asking.format, "demand-skills", KINDS
        )
        return computed(reading, response)

    return await services.responses.answer(asked, compute)


def _today() -> date:
    return datetime.now(UTC).date()
