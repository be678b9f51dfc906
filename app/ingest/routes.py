"""POST of records, benchmarks and files. The router holds all routes of this capability."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.access.caller import Caller, CallerDep
from app.access.scopes import Scope, requires
from app.core.cursors import MAX_INTEGER
from app.core.errors import NotAllowed, Refused
from app.dependencies import Services, ServicesDep
from app.ingest import import_routes, profile_routes
from app.ingest.documentation import BENCHMARK_BODY, DEMAND_BODY, SALARY_BODY, WRITE_RESPONSES
from app.ingest.doors import receive_rows
from app.ingest.fields import Kind
from app.ingest.media import media_type_of_header
from app.ingest.options import ImportOptions
from app.ingest.profiles import Profile
from app.ingest.stored_profiles import get_profile

router = APIRouter()
router.include_router(import_routes.router)
router.include_router(profile_routes.router)

IdempotencyKey = Annotated[
    str | None,
    Header(description="The same key and request again get the first answer again."),
]
WRITES: Final = requires(Scope.RECORDS_WRITE)


class WriteParameters(BaseModel):
    """What holds for all rows of a request."""

    source: str | None = Field(default=None, description="Source of rows that state none.")
    observed_on: str | None = Field(
        default=None, description="Day, month or year of rows that state none."
    )
    create_roles: bool = Field(
        default=False,
        description="Make a role of each title that matches none. Needs taxonomy:write too.",
    )
    dry_run: bool = Field(default=False, description="Report what would happen; write nothing.")
    on_error: Literal["continue", "abort"] = Field(
        default="continue", description="abort: one rejected row, and nothing is written (422)."
    )


class ImportParameters(WriteParameters):
    """What holds for a whole file."""

    kind: Kind | None = Field(
        default=None, description="What the rows are; a profile says it itself. Default: salary."
    )
    profile: str | None = Field(default=None, description="An import mapping of /v1/profiles.")
    batch: str | None = Field(
        default=None,
        min_length=1,
        description="The name of the file. Rows without external_id need it (or an "
        "Idempotency-Key) to be recognised when the file is sent again.",
    )


Asked = Annotated[WriteParameters, Query()]
AskedImport = Annotated[ImportParameters, Query()]


@router.post(
    "/salaries/records",
    tags=["salaries"],
    dependencies=[WRITES],
    summary="Write salary records",
    responses=WRITE_RESPONSES,
    openapi_extra=SALARY_BODY,
)
async def post_salary_records(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    asked: Asked,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """JSON (an object or an array), NDJSON, CSV or Parquet by `Content-Type`, in one transaction.

    Good rows are written and bad ones reported, unless `on_error=abort`. A row with an
    `external_id` that is known corrects that record. Files over the size limit go to
    `POST /v1/imports`.
    """
    return await _write(
        request, services, caller, _options(request, "salary", asked, idempotency_key)
    )


@router.post(
    "/demand/records",
    tags=["demand"],
    dependencies=[WRITES],
    summary="Write demand records",
    responses=WRITE_RESPONSES,
    openapi_extra=DEMAND_BODY,
)
async def post_demand_records(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    asked: Asked,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """As salary records. `measure=new` counts openings that began, which add up; `open` those
    that were open on `observed_on`, which do not. Rows of one source must not overlap."""
    return await _write(
        request, services, caller, _options(request, "demand", asked, idempotency_key)
    )


@router.post(
    "/benchmarks",
    tags=["benchmarks"],
    dependencies=[WRITES],
    summary="Write published figures",
    responses=WRITE_RESPONSES,
    openapi_extra=BENCHMARK_BODY,
)
async def post_benchmarks(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    asked: Asked,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A figure of the same source, occupation, region, level, industry, period and pay period
    replaces the one that is there."""
    return await _write(
        request, services, caller, _options(request, "benchmark", asked, idempotency_key)
    )


@router.post(
    "/imports",
    tags=["imports"],
    dependencies=[WRITES],
    summary="Import a file of any length",
    responses=WRITE_RESPONSES,
    openapi_extra=SALARY_BODY,
)
async def post_import(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    asked: AskedImport,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Rows are committed chunk by chunk while the body arrives, and the answer at the end is the
    report. With `on_error=abort` or `dry_run` they are only kept aside, and written in one
    transaction at the end or not at all.

    Sending the same file again, also after it broke off, doubles nothing.
    """
    profile = await _profile(services, asked)
    options = ImportOptions(
        media_type=media_type_of_header(request.headers.get("content-type"), asked.batch),
        profile=profile,
        source=asked.source,
        observed_on=asked.observed_on,
        batch=asked.batch or idempotency_key,
        idempotency_key=idempotency_key,
        create_roles=asked.create_roles,
        dry_run=asked.dry_run,
        abort=asked.on_error == "abort",
        bytes_total=_content_length(request),
    )
    return await _write(request, services, caller, options)


def _options(
    request: Request, kind: Kind, asked: WriteParameters, idempotency_key: str | None
) -> ImportOptions:
    return ImportOptions(
        media_type=media_type_of_header(request.headers.get("content-type")),
        profile=Profile.identity(kind),
        source=asked.source,
        observed_on=asked.observed_on,
        batch=idempotency_key,
        idempotency_key=idempotency_key,
        create_roles=asked.create_roles,
        dry_run=asked.dry_run,
        abort=asked.on_error == "abort",
        whole=True,
        single=True,
        bytes_total=_content_length(request),
    )


async def _write(
    request: Request, services: Services, caller: Caller, options: ImportOptions
) -> Response:
    if options.create_roles and not caller.may(Scope.TAXONOMY_WRITE):
        raise NotAllowed(
            "create_roles=true makes roles: it needs the scope taxonomy:write beside "
            "records:write.",
            scope=Scope.TAXONOMY_WRITE,
        )
    return await receive_rows(request, services, caller, options)


async def _profile(services: Services, asked: ImportParameters) -> Profile:
    if asked.profile is None:
        return Profile.identity(asked.kind or "salary")
    async with services.database.read() as session:
        profile = await get_profile(session, asked.profile)
    if asked.kind is not None and asked.kind not in profile.kinds:
        raise Refused(
            f"The profile {profile.name} gives {' and '.join(profile.kinds)} rows, not "
            f"{asked.kind}; leave kind out.",
            code="wrong_kind",
            parameter="kind",
        )
    return profile


def _content_length(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MAX_INTEGER:
        return None
    return int(length)
