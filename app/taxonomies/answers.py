"""How the taxonomy routes are asked and how they answer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import Response

from app.access.audit import record
from app.access.caller import Caller
from app.core.cursors import Cursors, Kinds, Position
from app.core.database import WriteSession
from app.core.formats import FORMAT_HELP, FORMATS, render_table
from app.core.pagination import CursorParameter, PageRequest, link_header, next_page, read_page
from app.core.responses.asked import Asking, begin_asking
from app.core.rows import Kind
from app.core.versions import advance_epoch
from app.dependencies import Services, ServicesDep
from app.ingest.writing import lock_sources
from app.taxonomies.catalogue import Catalogue
from app.taxonomies.rows import KINDS
from app.taxonomies.store import lock_taxonomies

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which page of a list, in which form."""

    asking: Asking
    cursors: Cursors
    limit: int
    cursor: str | None

    async def page(self, kinds: Kinds) -> PageRequest:
        """The page, where a position has values of these types. Raises Refused (422)."""
        return await read_page(self.cursors, self.asking.request, self.limit, self.cursor, kinds)

    async def next_page(self, found: Sequence[Any], last: Position) -> str | None:
        """The address of the page after the one that ends at `last`, None where `found` holds no
        more than this page."""
        return await next_page(self.cursors, self.asking.request, found, self.limit, last)


async def _listing(
    request: Request,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Most rows of one page.")] = 1000,
    cursor: CursorParameter = None,
    format: Annotated[str | None, Query(description=FORMAT_HELP)] = None,
) -> Listing:
    return Listing(begin_asking(request, format), services.cursors, limit, cursor)


ListingDep = Annotated[Listing, Depends(_listing)]


async def answer_page(
    listing: Listing,
    rows: Sequence[Row],
    columns: Sequence[str],
    data_version: str,
    next_address: str | None,
) -> Response:
    """The rows as the format that was asked for, with `Link` and `meta.next` to the next page."""
    request = listing.asking.request
    meta = {
        "query": dict(request.query_params),
        "rows": len(rows),
        "next": next_address,
        "data_version": data_version,
    }
    name = request.url.path.removeprefix("/v1/").replace("/", "-")
    kinds = {column: KINDS.get(column, Kind.TEXT) for column in columns}
    response = await render_table(
        rows, meta, columns, listing.asking.format, f"payband-{name}", kinds
    )
    response.headers.update(link_header(next_address))
    return response


async def answer_rows(
    rows: Sequence[Row], catalogue: Catalogue, status: int = 200, **meta: Any
) -> Response:
    """A few rows of one shape in the usual envelope, as JSON."""
    meta["data_version"] = str(catalogue.version)
    response = await render_table(rows, meta, list(rows[0]), FORMATS["json"])
    response.status_code = status
    return response


@dataclass(slots=True)
class Change:
    """A transaction that changes the taxonomies, and the catalogue as it is in it.

    `made` is set to False where everything was so already.
    """

    session: WriteSession
    catalogue: Catalogue
    made: bool = True


@asynccontextmanager
async def change(
    services: Services,
    caller: Caller,
    action: str,
    *,
    empty_source: str | None = None,
    **details: Any,
) -> AsyncIterator[Change]:
    """A transaction for a change.

    Changes wait for one another; for one that was made the trail is written and the epoch advanced
    at the end, so that sending a member again unchanged leaves every cached answer good. No record
    of `empty_source` is written meanwhile: that lock comes first, as in every other transaction.
    """
    async with services.database.write() as session:
        if empty_source is not None:
            before, _ = await services.catalogue.current(session)
            found = before.sources.find(empty_source)
            await lock_sources(session, [found.id] if found else [], alone=True)
        await lock_taxonomies(session)
        catalogue, _ = await services.catalogue.current(session)
        changing = Change(session, catalogue)
        yield changing
        if changing.made:
            await record(session, caller, action, **details)
            await advance_epoch(session)
