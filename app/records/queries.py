"""Single records, page by page in the order of their key."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select

from app.core.database import ReadSession
from app.core.pagination import PageRequest, after_position
from app.statistics.filters import Filters, RecordTable, build_conditions, inside
from app.statistics.population import Population
from app.tables import Title
from app.taxonomies.catalogue import Catalogue

POSITION = (int, int)
"""A page begins after a (role id, record id): the primary key, so every page is one index scan."""


async def find_records(
    session: ReadSession,
    catalogue: Catalogue,
    population: Population,
    table: RecordTable,
    filters: Filters,
    page: PageRequest,
    *,
    employer: bool = False,
) -> list[Mapping[str, Any]]:
    """At most `page.limit + 1` records after the page's position, with the text of their title.

    `employer` adds `employer_key`: for files of the command line, never for an answer. Raises
    UnknownValue (422) for codes that are not known.
    """
    statement = build_records(catalogue, population, table, filters, page, employer=employer)
    rows = (await session.execute(statement)).mappings().all()
    return [dict(row) for row in rows]


def build_records(
    catalogue: Catalogue,
    population: Population,
    table: RecordTable,
    filters: Filters,
    page: PageRequest,
    *,
    employer: bool = False,
) -> Select[Any]:
    """The select behind `find_records`."""
    hidden = {"key"} if employer else {"employer_key", "key"}
    columns = [column for column in table.__table__.columns if column.name not in hidden]
    statement = (
        select(*columns, Title.text.label("title"))
        .outerjoin(Title, Title.id == table.title_id)
        .where(
            population.condition(table),
            inside(table, filters.window),
            *build_conditions(filters, catalogue, table),
        )
        .order_by(table.role_id, table.record_id)
        .limit(page.limit + 1)
    )
    if page.after is not None:
        key = (table.role_id, table.record_id)
        statement = statement.where(after_position(key, page.after))
    return statement
