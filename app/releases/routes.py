"""GET and POST /v1/releases."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from app.access.caller import CallerDep
from app.access.scopes import Scope, requires
from app.core.formats import FORMAT_HELP, choose_format, render_table
from app.core.openapi import example, problem, problems
from app.core.pagination import (
    DEFAULT_LIMIT,
    CursorParameter,
    LimitParameter,
    link_header,
    next_page,
    read_page,
)
from app.core.rows import Kind, Kinds
from app.core.versions import read_version
from app.dependencies import ServicesDep
from app.releases.apart import make_release_apart
from app.releases.documentation import DRY_RUN, LISTED, MADE
from app.releases.making import Asked
from app.releases.store import list_releases
from app.settings import Settings

router = APIRouter(tags=["releases"])

MOST_RELEASES: Final = 2**31 - 1
LOCKED: Final = problem(
    409, "locked", "Conflict", "Another release is being made; wait until it is there."
)


COLUMNS: Final = (
    *("id", "source", "made_at", "through", "figures", "base_currency"),
    *Settings().release_policy,
)
KINDS: Final[Kinds] = {
    **dict.fromkeys(("id", "figures"), Kind.WHOLE),
    **dict.fromkeys(("source", "base_currency"), Kind.TEXT),
    "made_at": Kind.MOMENT,
    "through": Kind.DATE,
    **{
        name: Kind.NUMBER if isinstance(number, float) else Kind.WHOLE
        for name, number in Settings().release_policy.items()
    },
}
FormatParameter = Annotated[str | None, Query(description=FORMAT_HELP)]


class NewRelease(BaseModel):
    """What to release."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{}, {"source": "club", "dry_run": True}]}
    )
    source: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="A confidential source: its figures alone are decided anew. A public one: it "
        "is released by itself. Left out: all confidential sources.",
    )
    dry_run: bool = Field(default=False, description="Write nothing; say what would be hidden.")


@router.get(
    "/releases",
    dependencies=[requires(Scope.STATS_READ)],
    summary="Releases, the newest first",
    responses=example("One page.", LISTED),
)
async def get_releases(
    request: Request,
    services: ServicesDep,
    limit: LimitParameter = DEFAULT_LIMIT,
    cursor: CursorParameter = None,
    format: FormatParameter = None,
) -> Response:
    """`source` is the one that was released alone, null where it was all confidential ones;
    `through` the last day of the data, `figures` how many nodes are shown; then the policy, number
    by number. The statistics routes answer from the newest with `population=released`."""
    form = choose_format(format, request.headers.get("accept"))
    page = await read_page(services.cursors, request, limit, cursor, [int])
    before = MOST_RELEASES if page.after is None else int(page.after[0])
    async with services.database.read() as session:
        version = await read_version(session)
        found = await list_releases(session, before=before, limit=page.limit + 1)
    rows = [_row(release) for release in found[: page.limit]]
    last = (rows[-1]["id"],) if rows else ()
    address = await next_page(services.cursors, request, found, page.limit, last)
    meta = {"rows": len(rows), "next": address, "data_version": str(version)}
    response = await render_table(rows, meta, COLUMNS, form, "payband-releases", KINDS)
    response.headers.update(link_header(address))
    return response


def _row(release: Mapping[str, Any]) -> dict[str, Any]:
    """A release as a flat row; a policy of an earlier build may lack a number."""
    flat = {**release, **release["policy"], "made_at": _moment(release["made_at"])}
    return {column: flat.get(column) for column in COLUMNS}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@router.post(
    "/releases",
    dependencies=[requires(Scope.ADMIN)],
    status_code=201,
    summary="Make a release",
    responses={
        200: {
            "description": "A dry run: nothing was written.",
            "content": {"application/json": {"example": DRY_RUN}},
        },
        201: {"description": "Made.", "content": {"application/json": {"example": MADE}}},
        **problems(409),
        409: LOCKED,
    },
)
async def add_release(
    request: Request, services: ServicesDep, caller: CallerDep, body: NewRelease
) -> Response:
    """Publishes figures of confidential records through the last closed quarter; it cannot be
    changed afterwards. The answer comes when it is made: a million records take most of a minute.
    `dry_run` lists the largest hidden nodes, at most 1,000, and why they are hidden; that is for
    administrators only."""
    asked = Asked(caller, body.source, dry_run=body.dry_run)
    made = await make_release_apart(services.settings, request.app.state.database_url, asked)
    shown: dict[str, Any] = {
        **asdict(made),
        "made_at": _moment(made.made_at),
        "dry_run": body.dry_run,
    }
    shown.pop("seconds")
    status = 200 if body.dry_run else 201
    return JSONResponse(jsonable_encoder(shown), status_code=status)
