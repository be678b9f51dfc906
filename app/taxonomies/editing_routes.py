"""POST and PUT of the taxonomies. Each change advances the epoch and is noted in the trail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from app.access.caller import Caller, CallerDep
from app.access.scopes import Scope, requires
from app.core.openapi import problems
from app.dependencies import Services, ServicesDep
from app.taxonomies import editing, examples
from app.taxonomies.answers import Change, answer_rows, change
from app.taxonomies.catalogue import Catalogue, Dimension
from app.taxonomies.rows import Row, industry_row, level_row, region_row, role_row, source_row
from app.taxonomies.schemas import (
    IndustryFields,
    LevelFields,
    NewIndustry,
    NewLevel,
    NewRegion,
    NewRole,
    NewSource,
    RegionFields,
    RoleFields,
    SourceFields,
)
from app.taxonomies.store import count_sources, read_facts

router = APIRouter()

WRITE: Final = [requires(Scope.TAXONOMY_WRITE)]
ADDED: Final = problems(409)
CHANGED: Final = problems(404, 409)


@router.post(
    "/levels",
    dependencies=WRITE,
    status_code=201,
    summary="Add a level",
    responses={**examples.added(examples.LEVEL), **ADDED},
)
async def add_level(services: ServicesDep, caller: CallerDep, body: NewLevel) -> Response:
    """Its rank and its words must not be those of another level."""
    async with _adding(services, caller, "level", body.code) as at:
        at.made = await editing.save_level(at.session, at.catalogue, body.code, body)
    return await _saved(services, "level", body.code, 201)


@router.put(
    "/levels/{code}",
    dependencies=WRITE,
    summary="Replace a level",
    responses={**examples.rows(examples.LEVEL), **CHANGED},
)
async def put_level(
    services: ServicesDep, caller: CallerDep, code: str, body: LevelFields
) -> Response:
    """What is left out becomes empty. Records keep their level; new ones follow the new words."""
    async with _changing(services, caller, "level", code) as at:
        at.made = await editing.save_level(at.session, at.catalogue, code, body)
    return await _saved(services, "level", code)


@router.post(
    "/roles",
    dependencies=WRITE,
    status_code=201,
    summary="Add a role",
    responses={**examples.added(examples.ROLE_WITH_FACTS), **ADDED},
)
async def add_role(services: ServicesDep, caller: CallerDep, body: NewRole) -> Response:
    """Its name is a title that means it from now on; POST /v1/titles adds others."""
    async with _adding(services, caller, "role", body.code) as at:
        at.made = await editing.save_role(at.session, at.catalogue, body.code, body)
    return await _saved(services, "role", body.code, 201)


@router.put(
    "/roles/{code}",
    dependencies=WRITE,
    summary="Replace a role",
    responses={**examples.rows(examples.ROLE_WITH_FACTS), **CHANGED},
)
async def put_role(
    services: ServicesDep, caller: CallerDep, code: str, body: RoleFields
) -> Response:
    """What is left out becomes empty, `facts` too: send those that should stay."""
    async with _changing(services, caller, "role", code) as at:
        at.made = await editing.save_role(at.session, at.catalogue, code, body)
    return await _saved(services, "role", code)


@router.post(
    "/industries",
    dependencies=WRITE,
    status_code=201,
    summary="Add an industry",
    responses={**examples.added(examples.INDUSTRY), **ADDED},
)
async def add_industry(services: ServicesDep, caller: CallerDep, body: NewIndustry) -> Response:
    """Its words must not be those of another industry."""
    async with _adding(services, caller, "industry", body.code) as at:
        at.made = await editing.save_industry(at.session, at.catalogue, body.code, body)
    return await _saved(services, "industry", body.code, 201)


@router.put(
    "/industries/{code}",
    dependencies=WRITE,
    summary="Replace an industry",
    responses={**examples.rows(examples.INDUSTRY), **CHANGED},
)
async def put_industry(
    services: ServicesDep, caller: CallerDep, code: str, body: IndustryFields
) -> Response:
    """What is left out becomes empty."""
    async with _changing(services, caller, "industry", code) as at:
        at.made = await editing.save_industry(at.session, at.catalogue, code, body)
    return await _saved(services, "industry", code)


@router.post(
    "/regions",
    dependencies=WRITE,
    status_code=201,
    summary="Add a region",
    responses={**examples.added(examples.REGION), **ADDED},
)
async def add_region(services: ServicesDep, caller: CallerDep, body: NewRegion) -> Response:
    """The code of a metro area is its parent's and two to five letters: `US-CA-SFO`."""
    async with _adding(services, caller, "region", body.code) as at:
        at.made = await editing.save_region(at.session, at.catalogue, body.code, body)
    return await _saved(services, "region", body.code, 201)


@router.put(
    "/regions/{code}",
    dependencies=WRITE,
    summary="Replace a region",
    responses={**examples.rows(examples.REGION), **CHANGED},
)
async def put_region(
    services: ServicesDep, caller: CallerDep, code: str, body: RegionFields
) -> Response:
    """With another parent, everything under it moves along: figures of both parents change."""
    async with _changing(services, caller, "region", code) as at:
        at.made = await editing.save_region(at.session, at.catalogue, code, body)
    return await _saved(services, "region", code)


@router.post(
    "/sources",
    dependencies=WRITE,
    status_code=201,
    summary="Add a source",
    responses={**examples.added(examples.SOURCE), **ADDED},
)
async def add_source(services: ServicesDep, caller: CallerDep, body: NewSource) -> Response:
    """Records of a confidential source enter no live answer, whatever is asked."""
    async with _adding(services, caller, "source", body.code) as at:
        at.made = await editing.save_source(at.session, at.catalogue, body.code, body)
    return await _saved(services, "source", body.code, 201)


@router.put(
    "/sources/{code}",
    dependencies=WRITE,
    summary="Replace a source",
    responses={**examples.rows(examples.SOURCE), **CHANGED},
)
async def put_source(
    services: ServicesDep, caller: CallerDep, code: str, body: SourceFields
) -> Response:
    """`confidential` can be changed only while the source holds nothing: 409 otherwise."""
    async with change(services, caller, "source.update", empty_source=code, code=code) as at:
        editing.find_changeable(at.catalogue.sources, code)
        at.made = await editing.save_source(at.session, at.catalogue, code, body)
    return await _saved(services, "source", code)


@asynccontextmanager
async def _adding(
    services: Services, caller: Caller, kind: str, code: str
) -> AsyncIterator[Change]:
    async with change(services, caller, f"{kind}.create", code=code) as at:
        editing.check_new(_dimension(at.catalogue, kind), code)
        yield at


@asynccontextmanager
async def _changing(
    services: Services, caller: Caller, kind: str, code: str
) -> AsyncIterator[Change]:
    async with change(services, caller, f"{kind}.update", code=code) as at:
        editing.find_changeable(_dimension(at.catalogue, kind), code)
        yield at


def _dimension(catalogue: Catalogue, kind: str) -> Dimension[Any]:
    dimensions: dict[str, Dimension[Any]] = {
        "level": catalogue.levels,
        "role": catalogue.roles,
        "industry": catalogue.industries,
        "region": catalogue.regions,
        "source": catalogue.sources,
    }
    return dimensions[kind]


async def _saved(services: Services, kind: str, code: str, status: int = 200) -> Response:
    """The member as it is stored now."""
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
        row: Row
        if kind == "level":
            row = level_row(catalogue.levels.get(code))
        elif kind == "role":
            role = catalogue.roles.get(code)
            row = {**role_row(role), "facts": await read_facts(session, role.id)}
        elif kind == "industry":
            row = industry_row(catalogue.industries.get(code))
        elif kind == "region":
            row = region_row(catalogue.regions.get(code), catalogue)
        else:
            source = catalogue.sources.get(code)
            row = source_row(source, (await count_sources(session, [source.id]))[source.id])
    return await answer_rows([row], catalogue, status)
