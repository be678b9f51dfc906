"""Single records over HTTP: GET and DELETE. POST goes through the import pipeline (app/ingest)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.access.caller import Caller, CallerDep
from app.access.scopes import Scope, requires
from app.core.errors import Refused
from app.core.formats import FORMAT_HELP, choose_format, render_table
from app.core.installation import read_secret
from app.core.openapi import example
from app.core.pagination import MAX_LIMIT, link_header, next_page, read_page
from app.core.versions import read_version
from app.dependencies import Services, ServicesDep
from app.domain.dates import Window
from app.records.columns import (
    DEMAND_COLUMNS,
    DEMAND_KINDS,
    SALARY_COLUMNS,
    SALARY_KINDS,
    demand_row,
    salary_row,
)
from app.records.deletion import Selection, check_may_delete, count_matches, delete_records
from app.records.examples import DELETED_EXAMPLE, DEMAND_EXAMPLE, SALARY_EXAMPLE
from app.records.keys import KEY_NAME, external_key
from app.records.queries import POSITION, find_records
from app.statistics.filters import FilterParameters, RecordTable, parse_filters
from app.statistics.population import decide_population
from app.tables import DemandRecord, SalaryRecord

router = APIRouter()

ROWS: Final = {SalaryRecord: salary_row, DemandRecord: demand_row}
COLUMNS: Final = {SalaryRecord: SALARY_COLUMNS, DemandRecord: DEMAND_COLUMNS}
KINDS: Final = {SalaryRecord: SALARY_KINDS, DemandRecord: DEMAND_KINDS}
NOT_BOTH: Final = (
    "Give source and either external_id, or from and to (one of the two is enough); deleting "
    "everything of a source is from=1900."
)


class RecordParameters(FilterParameters):
    """Which records, which page of them, in which form."""

    limit: int = Field(default=100, ge=1, le=MAX_LIMIT, description="Most rows of one page.")
    cursor: str | None = Field(
        default=None, max_length=2000, description="From the `Link` header or `meta.next`."
    )
    format: str | None = Field(default=None, description=FORMAT_HELP)


Accept = Annotated[str | None, Header(include_in_schema=False)]
Asked = Annotated[RecordParameters, Query()]


class DeletionParameters(BaseModel):
    """Which records of a source are to go."""

    source: str | None = Field(default=None, description="The source. Required.")
    external_id: str | None = Field(
        default=None, min_length=1, max_length=500, description="One record of the source."
    )
    from_: str | None = Field(
        default=None, alias="from", description="First day, month or year, included."
    )
    to: str | None = Field(default=None, description="Last day, month or year, included.")
    dry_run: bool = Field(default=False, description="Only count what would be deleted.")


Deletion = Annotated[DeletionParameters, Query()]


@router.get(
    "/salaries/records",
    tags=["salaries"],
    dependencies=[requires(Scope.RECORDS_READ)],
    summary="Salary records, page by page",
    responses=example("Records in the order of their role.", SALARY_EXAMPLE),
)
async def list_salary_records(
    request: Request, services: ServicesDep, asked: Asked, accept: Accept = None
) -> Response:
    """Amounts exactly as they arrived, with the yearly amount in the base currency and the rate
    it was made with. A window takes records whose whole day, month or year lies inside. All kinds
    of pay are listed unless `pay_kind` says which. Never records of confidential sources.
    """
    return await _list(request, services, SalaryRecord, asked, accept)


@router.get(
    "/demand/records",
    tags=["demand"],
    dependencies=[requires(Scope.RECORDS_READ)],
    summary="Demand records, page by page",
    responses=example("Records in the order of their role.", DEMAND_EXAMPLE),
)
async def list_demand_records(
    request: Request, services: ServicesDep, asked: Asked, accept: Accept = None
) -> Response:
    """Openings as they arrived. Filters on pay and employment match nothing here."""
    return await _list(request, services, DemandRecord, asked, accept)


@router.delete(
    "/salaries/records",
    tags=["salaries"],
    dependencies=[requires(Scope.RECORDS_WRITE)],
    summary="Delete salary records",
    responses=example("How many were deleted.", DELETED_EXAMPLE),
)
async def delete_salary_records(
    services: ServicesDep, caller: CallerDep, asked: Deletion
) -> dict[str, Any]:
    """One record by `source` and `external_id`, or all of a source whose days lie in `from` to
    `to`. Up to 100,000 go in one transaction, more in several; the same request again is safe.
    """
    return await _delete(services, caller, SalaryRecord, asked)


@router.delete(
    "/demand/records",
    tags=["demand"],
    dependencies=[requires(Scope.RECORDS_WRITE)],
    summary="Delete demand records",
    responses=example("How many were deleted.", DELETED_EXAMPLE),
)
async def delete_demand_records(
    services: ServicesDep, caller: CallerDep, asked: Deletion
) -> dict[str, Any]:
    """As DELETE /v1/salaries/records, for openings."""
    return await _delete(services, caller, DemandRecord, asked)


async def _list(
    request: Request,
    services: Services,
    table: RecordTable,
    asked: RecordParameters,
    accept: str | None,
) -> Response:
    form = choose_format(asked.format, accept)
    filters = parse_filters(asked, datetime.now(UTC).date())
    page = await read_page(services.cursors, request, asked.limit, asked.cursor, POSITION)
    async with services.database.heavy_read() as session:
        catalogue, version = await services.catalogue.current(session)
        population = await decide_population(session, catalogue, filters)
        found = await find_records(session, catalogue, population, table, filters, page)
    shown = found[: asked.limit]
    last = (shown[-1]["role_id"], shown[-1]["record_id"]) if shown else ()
    address = await next_page(services.cursors, request, found, asked.limit, last)
    meta = {
        "query": filters.echo(),
        "rows": len(shown),
        "next": address,
        "base_currency": services.settings.base_currency,
        "demo": any(row["source_id"] in population.demo_ids for row in shown),
        "data_version": str(version),
    }
    rows = [ROWS[table](row, catalogue) for row in shown]
    name = table.__tablename__.replace("_", "-")
    response = await render_table(rows, meta, COLUMNS[table], form, f"payband-{name}", KINDS[table])
    response.headers.update(link_header(address))
    return response


async def _delete(
    services: Services, caller: Caller, table: RecordTable, asked: DeletionParameters
) -> dict[str, Any]:
    window = _window(asked)
    async with services.database.write() as session:
        catalogue, _ = await services.catalogue.current(session)
        source = catalogue.sources.get(asked.source or "")
        check_may_delete(caller, source)
        key = None
        if asked.external_id is not None:
            key = external_key(await read_secret(session, KEY_NAME), asked.external_id)
    selection = Selection(source, key, window)
    database, deleted = services.database, 0
    if asked.dry_run:
        matched = await count_matches(database, table, selection)
    else:
        matched = deleted = await delete_records(database, table, selection, caller)
    async with database.read() as session:
        version = await read_version(session)
    return {
        "source": source.code,
        "matched": matched,
        "deleted": deleted,
        "dry_run": asked.dry_run,
        "data_version": str(version),
    }


def _window(asked: DeletionParameters) -> Window:
    """The window to delete. Raises Refused (422) unless it is clear what is meant."""
    by_date = asked.from_ is not None or asked.to is not None
    if not asked.source or by_date == (asked.external_id is not None):
        raise Refused(NOT_BOTH, code="missing_value" if not asked.source else "invalid_request")
    given = FilterParameters(**{"from": asked.from_, "to": asked.to})
    return parse_filters(given, datetime.now(UTC).date()).window
