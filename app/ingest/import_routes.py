"""GET and DELETE under /v1/imports: history, progress, undo."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from app.access.audit import record
from app.access.caller import CallerDep
from app.access.scopes import Scope, requires
from app.core.errors import NotFound
from app.core.openapi import example, problems
from app.core.pagination import (
    DEFAULT_LIMIT,
    CursorParameter,
    LimitParameter,
    link_header,
    next_page,
    read_page,
)
from app.core.versions import read_version
from app.dependencies import ServicesDep
from app.ingest.documentation import IMPORT_EXAMPLE, UNDONE_EXAMPLE
from app.ingest.imports import find_import, list_imports
from app.ingest.undo import undo_import

router = APIRouter(tags=["imports"])
WRITES: Final = requires(Scope.RECORDS_WRITE)


@router.get(
    "/imports",
    dependencies=[WRITES],
    summary="Imports, the newest first",
    responses=example("One page.", {"data": [IMPORT_EXAMPLE], "meta": {"rows": 1, "next": None}}),
)
async def get_imports(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    limit: LimitParameter = DEFAULT_LIMIT,
    cursor: CursorParameter = None,
) -> Response:
    """Every write, small or large, with its state and report. Those of confidential sources are
    shown to admins only."""
    page = await read_page(services.cursors, request, limit, cursor, [int])
    before = None if page.after is None else int(page.after[0])
    async with services.database.read() as session:
        found = await list_imports(
            session, admin=caller.is_admin, before=before, limit=page.limit + 1
        )
    shown = found[: page.limit]
    last = (shown[-1]["id"],) if shown else ()
    address = await next_page(services.cursors, request, found, page.limit, last)
    meta = {"rows": len(shown), "next": address}
    return JSONResponse({"data": shown, "meta": meta}, headers=link_header(address))


@router.get(
    "/imports/{import_id}",
    dependencies=[WRITES],
    summary="One import: state, progress, counts, errors",
    responses={**example("Where it stands.", IMPORT_EXAMPLE), **problems(404)},
)
async def get_import(services: ServicesDep, caller: CallerDep, import_id: int) -> dict[str, Any]:
    """`state` is running, complete, failed, interrupted or undone. One that was silent for 20
    seconds is interrupted: its process is gone; send the same file again."""
    _check_id(import_id)
    async with services.database.read() as session:
        found = await find_import(session, import_id, admin=caller.is_admin)
    if found is None:
        raise _no_import(import_id)
    return found


@router.delete(
    "/imports/{import_id}",
    dependencies=[WRITES],
    summary="Undo an import",
    responses={**example("What went and what stays.", UNDONE_EXAMPLE), **problems(404, 409)},
)
async def delete_import(services: ServicesDep, caller: CallerDep, import_id: int) -> dict[str, Any]:
    """Rows that it inserted go. Rows of others that it updated, and rows that were changed since,
    stay and are counted. Its idempotency key is forgotten. 409 while it runs."""
    _check_id(import_id)
    async with services.database.write() as session:
        if await find_import(session, import_id, admin=caller.is_admin) is None:
            raise _no_import(import_id)
        undone = await undo_import(session, import_id)
        version = await read_version(session)
        await record(session, caller, "import.undo", import_id=import_id, deleted=undone.deleted)
    return {
        "import": import_id,
        "state": "undone",
        "deleted": undone.deleted,
        "kept_updated": undone.kept_updated,
        "kept_changed": undone.kept_changed,
        "data_version": str(version),
    }


def _check_id(import_id: int) -> None:
    if not 0 < import_id < 2**31:
        raise _no_import(import_id)


def _no_import(import_id: int) -> NotFound:
    return NotFound(f"There is no import {import_id}; GET /v1/imports lists them.")
