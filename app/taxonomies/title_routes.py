"""Matching of titles and regions, the work list of unmatched titles, new aliases."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.access.caller import CallerDep
from app.access.scopes import Scope, requires
from app.core.errors import Refused
from app.core.openapi import problems
from app.core.versions import read_version
from app.dependencies import ServicesDep
from app.domain.vocabulary import REGION_KINDS, word_of
from app.taxonomies import examples
from app.taxonomies.aliases import save_aliases
from app.taxonomies.answers import ListingDep, answer_page, answer_rows, change
from app.taxonomies.catalogue import Catalogue, load_catalogue
from app.taxonomies.matching import place_index
from app.taxonomies.rematching import find_changes
from app.taxonomies.rows import Row
from app.taxonomies.schemas import NewAliases
from app.taxonomies.store import list_unmatched
from app.taxonomies.titles import match_titles

router = APIRouter()

READ: Final = [requires(Scope.STATS_READ)]
UNMATCHED_COLUMNS: Final = ("title", "records", "level", "level_name")


@router.get(
    "/titles/match",
    dependencies=READ,
    summary="What a job title means",
    responses=examples.rows(examples.TITLE_MATCH),
)
async def match_title(
    services: ServicesDep,
    title: Annotated[
        str, Query(min_length=1, max_length=500, description="A title as somebody wrote it.")
    ],
) -> Response:
    """Role, level and focus area, how sure that is (0 to 1), how it was found and why.

    `method`: `exact` an alias, `words` the same words, `fuzzy` with the spelling corrected, `none`.
    """
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    match = (await match_titles([title], catalogue))[title]
    row = {
        "title": title,
        "role": match.role,
        "role_name": catalogue.roles.get(match.role).name,
        "level": match.level,
        "level_name": catalogue.levels.get(match.level).name,
        "focus_area": match.focus_area,
        "confidence": match.confidence,
        "method": match.method,
        "why": match.why,
    }
    return await answer_rows([row], catalogue)


@router.get(
    "/regions/match",
    dependencies=READ,
    summary="Which region a text means",
    responses=examples.rows(examples.REGION_MATCH),
)
async def match_region(
    services: ServicesDep,
    region: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=500,
            description="A name, alias, ISO, alpha-3 or CBSA code, or `San Francisco, CA`.",
        ),
    ] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=500, description="The same.")] = None,
) -> Response:
    """The region, how sure that is (0 to 1) and why; `region` is null where none or several fit.

    Similar spellings count here; an import takes only what needs no guess.
    """
    if region is None and q is None:
        raise Refused("Give region=, such as region=Berlin.", code="missing_value")
    text = region or q or ""
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    match = place_index(catalogue).match(text, fuzzy=True)
    row = {"text": text, **_region_fields(catalogue, match.code)}
    row |= {"confidence": match.confidence, "why": match.why}
    return await answer_rows([row], catalogue)


def _region_fields(catalogue: Catalogue, code: str | None) -> Row:
    region = None if code is None else catalogue.regions.get(code)
    if region is None:
        return dict.fromkeys(("region", "region_name", "kind", "parent"))
    parent = None if region.parent_id is None else catalogue.regions.by_id[region.parent_id].code
    return {
        "region": region.code,
        "region_name": region.name,
        "kind": word_of(REGION_KINDS, region.kind),
        "parent": parent,
    }


@router.get(
    "/titles/unmatched",
    dependencies=READ,
    summary="Titles that no role was found for, by number of records",
    responses=examples.rows(examples.UNMATCHED),
)
async def list_unmatched_titles(
    services: ServicesDep, listing: ListingDep, caller: CallerDep
) -> Response:
    """The work list for POST /v1/titles. Confidential sources are counted for admins only."""
    page = await listing.page((int, int))
    after = None if page.after is None else (int(page.after[0]), int(page.after[1]))
    async with services.database.heavy_read() as session:
        catalogue, version = await services.catalogue.current(session)
        sources = [s.id for s in catalogue.sources if caller.is_admin or not s.confidential]
        found = await list_unmatched(session, sources, listing.limit + 1, after)
    shown = found[: listing.limit]
    last = (int(shown[-1]["records"]), int(shown[-1]["id"])) if shown else ()
    address = await listing.next_page(found, last)
    rows = [
        {
            "title": row["text"],
            "records": int(row["records"]),
            "level": catalogue.levels.by_id[row["level_id"]].code,
            "level_name": catalogue.levels.by_id[row["level_id"]].name,
        }
        for row in shown
    ]
    return await answer_page(listing, rows, UNMATCHED_COLUMNS, str(version), address)


@router.post(
    "/titles",
    dependencies=[requires(Scope.TAXONOMY_WRITE)],
    status_code=201,
    summary="Say what titles mean",
    responses={
        **examples.added(examples.ALIAS, added=1, changed=0, unchanged=0, titles_to_rematch=3),
        **problems(409),
    },
)
async def add_titles(services: ServicesDep, caller: CallerDep, body: NewAliases) -> Response:
    """One alias or a list of them, all or none. New records follow them at once.

    `meta.titles_to_rematch` is how many stored titles now mean something else: `payband titles
    rematch` moves their records.
    """
    count = len(body.root)
    async with change(services, caller, "titles.add", titles=count) as at:
        counts = await save_aliases(at.session, at.catalogue, body.root)
        at.made = bool(counts["added"] or counts["changed"])
        fresh = await load_catalogue(at.session, await read_version(at.session))
        changes, _ = await find_changes(at.session, fresh)
    async with services.database.read() as session:
        catalogue, _ = await services.catalogue.current(session)
    rows = [item.model_dump(exclude={"replace"}) for item in body.root]
    return await answer_rows(rows, catalogue, 201, **counts, titles_to_rematch=len(changes))
