"""The taxonomies over HTTP: listed for all, changed by administrators.

The routes of titles and of matching come first: `/v1/regions/match` is no region's address.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.access.caller import Caller, CallerDep
from app.access.scopes import Scope, requires
from app.core.cursors import Position
from app.core.openapi import problems
from app.core.responses.answering import Computed
from app.core.responses.asked import about_list
from app.core.versions import DataVersion
from app.dependencies import Services, ServicesDep
from app.taxonomies import editing, examples
from app.taxonomies.answers import Listing, ListingDep, answer_page, answer_rows
from app.taxonomies.catalogue import Catalogue, EntryT, RegionEntry, SourceEntry
from app.taxonomies.editing_routes import router as editing_router
from app.taxonomies.reading import by_code, by_rank, filter_regions, filter_roles, page_in_order
from app.taxonomies.rows import (
    INDUSTRY_COLUMNS,
    LEVEL_COLUMNS,
    REGION_COLUMNS,
    ROLE_COLUMNS,
    SOURCE_COLUMNS,
    Row,
    industry_row,
    level_row,
    region_row,
    role_row,
    source_row,
)
from app.taxonomies.store import count_sources, read_facts
from app.taxonomies.title_routes import router as title_router

router = APIRouter(tags=["taxonomies"])
router.include_router(title_router)
router.include_router(editing_router)

READ: Final = [requires(Scope.STATS_READ)]

Search = Annotated[
    str | None, Query(max_length=200, description="Text in the code, name, aliases or other codes.")
]


@router.get(
    "/levels",
    dependencies=READ,
    summary="Levels of seniority, by rank",
    responses=examples.rows(examples.LEVEL),
)
async def list_levels(services: ServicesDep, listing: ListingDep) -> Response:
    """Each with the words that mean it in data. Rank 0 is `unspecified`."""
    page = await listing.page((int, str))

    async def compute() -> Computed:
        catalogue = await _catalogue(services)
        found = page_in_order(catalogue.levels, by_rank, page)
        version = _of_epoch(catalogue)
        response = await _table(listing, version, found, by_rank, level_row, LEVEL_COLUMNS)
        return Computed(response, version, frozenset())

    return await services.responses.answer(about_list(listing.asking, "levels"), compute)


@router.get(
    "/roles",
    dependencies=READ,
    summary="Roles, by code",
    responses=examples.rows(examples.ROLE),
)
async def list_roles(
    services: ServicesDep,
    listing: ListingDep,
    family: Annotated[str | None, Query(description="Families, such as software.")] = None,
    q: Search = None,
) -> Response:
    """Occupations with their family and their SOC and ISCO codes, where known."""
    page = await listing.page((str,))

    async def compute() -> Computed:
        catalogue = await _catalogue(services)
        found = page_in_order(filter_roles(catalogue, family, q), by_code, page)
        version = _of_epoch(catalogue)
        response = await _table(listing, version, found, by_code, role_row, ROLE_COLUMNS)
        return Computed(response, version, frozenset())

    return await services.responses.answer(about_list(listing.asking, "roles"), compute)


@router.get(
    "/industries",
    dependencies=READ,
    summary="Industries, by code",
    responses=examples.rows(examples.INDUSTRY),
)
async def list_industries(services: ServicesDep, listing: ListingDep) -> Response:
    """Each with its NAICS code, where one covers it, and the words that mean it in data."""
    page = await listing.page((str,))

    async def compute() -> Computed:
        catalogue = await _catalogue(services)
        found = page_in_order(catalogue.industries, by_code, page)
        version = _of_epoch(catalogue)
        response = await _table(listing, version, found, by_code, industry_row, INDUSTRY_COLUMNS)
        return Computed(response, version, frozenset())

    return await services.responses.answer(about_list(listing.asking, "industries"), compute)


@router.get(
    "/regions",
    dependencies=READ,
    summary="Countries, subdivisions and metro areas, by code",
    responses=examples.rows(examples.REGION),
)
async def list_regions(
    services: ServicesDep,
    listing: ListingDep,
    parent: Annotated[
        str | None,
        Query(description="Regions directly under these; with `kind`, anywhere under them."),
    ] = None,
    kind: Annotated[str | None, Query(description="country, subdivision, metro.")] = None,
    q: Search = None,
) -> Response:
    """The tree that `region=` filters by: `region=US` includes everything under it."""
    page = await listing.page((str,))

    async def compute() -> Computed:
        catalogue = await _catalogue(services)
        found = page_in_order(filter_regions(catalogue, parent, kind, q), by_code, page)

        def row(region: RegionEntry) -> Row:
            return region_row(region, catalogue)

        version = _of_epoch(catalogue)
        response = await _table(listing, version, found, by_code, row, REGION_COLUMNS)
        return Computed(response, version, frozenset())

    return await services.responses.answer(about_list(listing.asking, "regions"), compute)


@router.get(
    "/sources",
    dependencies=READ,
    summary="Sources, with what they hold",
    responses=examples.rows(examples.SOURCE),
)
async def list_sources(services: ServicesDep, listing: ListingDep, caller: CallerDep) -> Response:
    """Records, the newest record's first day and the last import of each.

    Confidential sources are listed for admins only.
    """
    page = await listing.page((str,))
    async with services.database.heavy_read() as session:
        catalogue, version = await services.catalogue.current(session)
        seen = [source for source in catalogue.sources if _may_see(caller, source)]
        found = page_in_order(seen, by_code, page)
        counts = await count_sources(session, [source.id for source in found])

    def row(source: SourceEntry) -> Row:
        return source_row(source, counts[source.id])

    return await _table(listing, version, found, by_code, row, SOURCE_COLUMNS)


@router.get(
    "/levels/{code}",
    dependencies=READ,
    summary="One level",
    responses={**examples.rows(examples.LEVEL), **problems(404)},
)
async def get_level(services: ServicesDep, code: str) -> Response:
    """The level with that code."""
    catalogue = await _catalogue(services)
    return await answer_rows([level_row(editing.find_member(catalogue.levels, code))], catalogue)


@router.get(
    "/roles/{code}",
    dependencies=READ,
    summary="One role, with what was published about it",
    responses={**examples.rows(examples.ROLE_WITH_FACTS), **problems(404)},
)
async def get_role(services: ServicesDep, code: str) -> Response:
    """`facts` holds published facts with their source: skills, tracks, years of experience."""
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
        role = editing.find_member(catalogue.roles, code)
        facts = await read_facts(session, role.id)
    return await answer_rows([{**role_row(role), "facts": facts}], catalogue)


@router.get(
    "/industries/{code}",
    dependencies=READ,
    summary="One industry",
    responses={**examples.rows(examples.INDUSTRY), **problems(404)},
)
async def get_industry(services: ServicesDep, code: str) -> Response:
    """The industry with that code."""
    catalogue = await _catalogue(services)
    found = editing.find_member(catalogue.industries, code)
    return await answer_rows([industry_row(found)], catalogue)


@router.get(
    "/regions/{code}",
    dependencies=READ,
    summary="One region",
    responses={**examples.rows(examples.REGION), **problems(404)},
)
async def get_region(services: ServicesDep, code: str) -> Response:
    """The region with that code."""
    catalogue = await _catalogue(services)
    found = editing.find_member(catalogue.regions, code)
    return await answer_rows([region_row(found, catalogue)], catalogue)


@router.get(
    "/sources/{code}",
    dependencies=READ,
    summary="One source, with what it holds",
    responses={**examples.rows(examples.SOURCE), **problems(404)},
)
async def get_source(services: ServicesDep, caller: CallerDep, code: str) -> Response:
    """The source with that code; a confidential one for admins only."""
    async with services.database.heavy_read() as session:
        catalogue, _ = await services.catalogue.current(session)
        source = catalogue.sources.find(code)
        if source is None or not _may_see(caller, source):
            raise editing.not_found(catalogue.sources, code)
        counts = await count_sources(session, [source.id])
    return await answer_rows([source_row(source, counts[source.id])], catalogue)


async def _catalogue(services: Services) -> Catalogue:
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    return catalogue


def _of_epoch(catalogue: Catalogue) -> DataVersion:
    """The version of what no record changes."""
    return replace(catalogue.version, roles=0)


async def _table(
    listing: Listing,
    version: DataVersion,
    found: Sequence[EntryT],
    order: Callable[[EntryT], Position],
    row: Callable[[EntryT], Row],
    columns: Sequence[str],
) -> Response:
    """The page of `found`, which holds one more than the page does if there is another page."""
    shown = found[: listing.limit]
    last = order(shown[-1]) if shown else ()
    address = await listing.next_page(found, last)
    rows = [row(entry) for entry in shown]
    return await answer_page(listing, rows, columns, str(version), address)


def _may_see(caller: Caller, source: SourceEntry) -> bool:
    return caller.is_admin or not source.confidential
